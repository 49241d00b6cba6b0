#include "core/phoenix_api.h"

#include <algorithm>
#include <charconv>

#include "core/phoenix_value.h"
#include "core/text.h"

namespace pgsync::core {

namespace {

// Each is looked for among those before it, for anyone who asks.
constexpr size_t kMostPairs = 2000;

constexpr JsonLimits Limits() {
  JsonLimits limits;
  limits.exact_numbers = true;
  return limits;
}

// The media type without its parameters, in lower case.
std::string MediaType(std::string_view header) {
  header = header.substr(0, header.find(';'));
  while (!header.empty() && header.front() == ' ')
    header.remove_prefix(1);
  while (!header.empty() && header.back() == ' ')
    header.remove_suffix(1);
  std::string type(header);
  for (char& c : type) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return type;
}

bool IsJson(const std::string& type) {
  constexpr std::string_view kSuffix = "+json";
  return type == "application/json" ||
         (type.compare(0, 12, "application/") == 0 && type.size() > kSuffix.size() &&
          type.compare(type.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0);
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

JsonValue Copy(const std::string& text, JsonDocument& document) {
  return JsonValue(text.data(), static_cast<rapidjson::SizeType>(text.size()),
                   document.GetAllocator());
}

}  // namespace

const PhoenixRoute* FindPhoenixRoute(std::string_view name) {
  using Op = PhoenixOperation;
  static const std::vector<PhoenixRoute> kRoutes = {
      {"status", "GET", Op::kStatus, {}, true},
      {"register-connection",
       "POST",
       Op::kRegister,
       {"sender_url", "connection_name", "auth_token"},
       true},
      {"delete-connection", "POST", Op::kDelete, {"sender_url", "auth_token_hash"}, true},
      {"verify-connection", "POST", Op::kVerify, {"sender_url", "auth_token_hash"}, true},
      {"update-status",
       "POST",
       Op::kUpdateStatus,
       {"sender_url", "auth_token_hash", "status"},
       true},
      {"get-connection-status", "POST", Op::kGetStatus, {"receiver_url", "auth_token_hash"}, true},
      {"list-tables", "POST", Op::kListTables, {"auth_token_hash"}, true},
      {"pull-data", "POST", Op::kPullData, {"auth_token_hash", "table_name"}, true},
      {"table-schema", "POST", Op::kTableSchema, {"auth_token_hash", "table_name"}, false},
      {"table-records", "POST", Op::kTableRecords, {"auth_token_hash", "table_name"}, false}};
  const auto found = std::find_if(kRoutes.begin(), kRoutes.end(),
                                  [&](const PhoenixRoute& route) { return name == route.name; });
  return found == kRoutes.end() ? nullptr : &*found;
}

bool AcceptsJson(std::string_view accept) {
  if (IsBlank(accept)) return true;
  while (!accept.empty()) {
    const size_t comma = accept.find(',');
    const std::string type = MediaType(accept.substr(0, comma));
    if (type == "*/*" || type == "application/*" || type == "application/json") return true;
    accept = comma == std::string_view::npos ? std::string_view() : accept.substr(comma + 1);
  }
  return false;
}

PhoenixRequest PhoenixRequest::Read(std::string_view content_type, std::string_view body,
                                    const Pairs& form, const Pairs& query) {
  if (form.size() > kMostPairs || query.size() > kMostPairs) {
    throw Error(sqlstate::kTooLarge, "request has too many parameters")
        .WithDetail(Cat("It has more than ", kMostPairs, " parameters"));
  }
  PhoenixRequest request;
  const std::string type = MediaType(content_type);
  if (IsJson(type) && !IsBlank(body)) {
    JsonDocument document = ParseJson(body, "request", Limits());
    if (document.IsObject()) request.document_.Swap(document);
  } else if (type == "application/x-www-form-urlencoded") {
    for (const auto& [name, value] : form)
      request.AddPair(name, value);
  }
  PhoenixRequest of_query;
  for (const auto& [name, value] : query)
    of_query.AddPair(name, value);
  auto& allocator = request.document_.GetAllocator();
  for (const auto& member : of_query.document_.GetObject()) {
    if (request.document_.HasMember(member.name)) continue;
    JsonValue name(member.name, allocator), value(member.value, allocator);
    request.document_.AddMember(name, value, allocator);
  }
  return request;
}

// Of two with the same name the later counts; "ids[]" is an element of the list "ids".
void PhoenixRequest::AddPair(const std::string& name, const std::string& value) {
  auto& allocator = document_.GetAllocator();
  const bool element = name.size() > 2 && name.compare(name.size() - 2, 2, "[]") == 0;
  JsonValue key = Copy(element ? name.substr(0, name.size() - 2) : name, document_);
  JsonValue text = Copy(value, document_);
  auto member = document_.FindMember(key);
  if (member == document_.MemberEnd()) {
    document_.AddMember(key, JsonValue(), allocator);
    member = document_.MemberEnd() - 1;
  }
  if (!element) {
    member->value = text;
    return;
  }
  if (!member->value.IsArray()) member->value.SetArray();
  member->value.PushBack(text, allocator);
}

const JsonValue* PhoenixRequest::Find(const char* name) const {
  const auto member = document_.FindMember(name);
  if (member == document_.MemberEnd() || member->value.IsNull()) return nullptr;
  const bool empty = member->value.IsString() && member->value.GetStringLength() == 0;
  return empty ? nullptr : &member->value;
}

std::optional<std::string> PhoenixRequest::Text(const char* name) const {
  const JsonValue* value = Find(name);
  if (value == nullptr || !value->IsString() || NumberToken(*value)) return std::nullopt;
  std::string text(value->GetString(), value->GetStringLength());
  // Nothing of PostgreSQL's is called so, and a form's bytes need not be text.
  if (text.find('\0') != std::string::npos || !IsUtf8(text)) return std::nullopt;
  return text;
}

std::optional<int64_t> PhoenixRequest::Integer(const char* name) const {
  const JsonValue* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->IsInt64()) return value->GetInt64();
  const auto text = Text(name);
  int64_t number;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc())
    return std::nullopt;
  return number;
}

bool PhoenixRequest::AcceptsPgText() const {
  const JsonValue* value = Find("accept_encoding");
  if (value == nullptr || !value->IsArray()) return false;
  return std::any_of(value->Begin(), value->End(), [](const JsonValue& encoding) {
    return encoding.IsString() && encoding.GetString() == std::string_view(kPgTextEncoding);
  });
}

std::vector<std::string> PhoenixRequest::Missing(const PhoenixRoute& route) const {
  std::vector<std::string> missing;
  for (const char* name : route.required) {
    if (Find(name) == nullptr) missing.emplace_back(name);
  }
  return missing;
}

std::string PhoenixError(std::string_view text) {
  return JsonWriter().BeginObject().Field("success", false).Field("error", text).EndObject().Take();
}

std::string PhoenixMissing(const PhoenixRoute& route, const std::vector<std::string>& missing) {
  if (!route.lists_fields) {
    return PhoenixError(Cat("Missing required fields: ", Join(missing, ", ")));
  }
  return JsonWriter()
      .BeginObject()
      .Field("success", false)
      .Field("error", "Missing required fields")
      .Field("fields", missing)
      .EndObject()
      .Take();
}

}  // namespace pgsync::core
