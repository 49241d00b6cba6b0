#include "core/json.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cmath>

#include "core/text.h"

namespace pgsync::core {

namespace {

Error Malformed(std::string_view what, std::string_view why) {
  return Error(sqlstate::kProtocolViolation, Cat("invalid JSON in ", what))
      .WithDetail(Cat(why, "."));
}

// Stands before the digits of a number that is kept as a string. No string of a JSON text begins
// with it, for it is no UTF-8.
constexpr char kNumberMark = '\xFF';

// Hands the parser's events on to the document and stops at what the parser lets pass: arrays and
// objects that nest too deep, and strings that an escape such as \udc00 has made invalid UTF-8.
class EventFilter {
 public:
  using Ch = char;
  EventFilter(JsonDocument& next, int limit) : next_(next), left_(limit) {}

  bool too_deep() const { return left_ < 0; }
  bool lone_surrogate() const { return lone_surrogate_; }

  bool Null() { return next_.Null(); }
  bool Bool(bool value) { return next_.Bool(value); }
  bool Int(int value) { return next_.Int(value); }
  bool Uint(unsigned value) { return next_.Uint(value); }
  bool Int64(int64_t value) { return next_.Int64(value); }
  bool Uint64(uint64_t value) { return next_.Uint64(value); }
  bool Double(double value) { return next_.Double(value); }
  // Only with exact_numbers.
  bool RawNumber(const Ch* s, rapidjson::SizeType n, bool) {
    const std::string_view token(s, n);
    if (token != "-0") {
      int64_t integer;
      const auto read = std::from_chars(s, s + n, integer);
      if (read.ec == std::errc() && read.ptr == s + n) return next_.Int64(integer);
      uint64_t large;
      const auto read_large = std::from_chars(s, s + n, large);
      if (read_large.ec == std::errc() && read_large.ptr == s + n) return next_.Uint64(large);
    }
    const std::string kept = Cat(kNumberMark, token);
    return next_.String(kept.data(), static_cast<rapidjson::SizeType>(kept.size()), true);
  }
  bool String(const Ch* s, rapidjson::SizeType n, bool copy) {
    return IsUnicode({s, n}) && next_.String(s, n, copy);
  }
  bool Key(const Ch* s, rapidjson::SizeType n, bool copy) {
    return IsUnicode({s, n}) && next_.Key(s, n, copy);
  }
  bool StartObject() { return Enter() && next_.StartObject(); }
  bool EndObject(rapidjson::SizeType n) { return Leave() && next_.EndObject(n); }
  bool StartArray() { return Enter() && next_.StartArray(); }
  bool EndArray(rapidjson::SizeType n) { return Leave() && next_.EndArray(n); }

 private:
  bool Enter() { return --left_ >= 0; }
  bool Leave() {
    left_++;
    return true;
  }

  bool IsUnicode(std::string_view text) {
    for (size_t at = text.find('\xED'); at != std::string_view::npos;
         at = text.find('\xED', at + 1)) {
      if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xA0) {
        lone_surrogate_ = true;
        return false;
      }
    }
    return true;
  }

  JsonDocument& next_;
  int left_;
  bool lone_surrogate_ = false;
};

}  // namespace

JsonDocument ParseJson(std::string_view text, std::string_view what, JsonLimits limits) {
  if (text.size() > limits.bytes) {
    throw Error(sqlstate::kTooLarge, Cat(what, " is too large"))
        .WithDetail(Cat("It has ", text.size(), " bytes; the limit is ", limits.bytes, "."));
  }
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseFullPrecisionFlag;
  // RapidJSON takes a zero byte for the end of the text.
  if (text.find('\0') != std::string_view::npos) throw Malformed(what, "It has a zero byte");
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    text.remove_prefix(kByteOrderMark.size());
  JsonDocument document;
  rapidjson::ParseResult result;
  bool too_deep = false, lone_surrogate = false;
  auto generate = [&](JsonDocument& target) {
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    EventFilter filter(target, limits.depth);
    result = limits.exact_numbers
                 ? reader.Parse<kFlags | rapidjson::kParseNumbersAsStringsFlag>(stream, filter)
                 : reader.Parse<kFlags>(stream, filter);
    too_deep = filter.too_deep();
    lone_surrogate = filter.lone_surrogate();
    return !result.IsError();
  };
  document.Populate(generate);
  if (too_deep) throw Malformed(what, Cat("It nests deeper than ", limits.depth, " levels"));
  if (lone_surrogate) throw Malformed(what, "A string has a lone surrogate");
  if (result.IsError()) {
    std::string why = rapidjson::GetParseError_En(result.Code());
    if (!why.empty() && why.back() == '.') why.pop_back();
    throw Malformed(what, Cat(why, " (byte ", result.Offset(), ")"));
  }
  return document;
}

std::optional<std::string_view> NumberToken(const JsonValue& value) {
  if (!value.IsString() || value.GetStringLength() < 2 || value.GetString()[0] != kNumberMark)
    return std::nullopt;
  return std::string_view(value.GetString() + 1, value.GetStringLength() - 1);
}

bool IsUtf8(std::string_view bytes) {
  rapidjson::MemoryStream in(bytes.data(), bytes.size());
  struct {
    void Put(char) {}
    void PutUnsafe(char) {}
  } nowhere;
  while (in.Tell() < bytes.size()) {
    if (!rapidjson::UTF8<>::Validate(in, nowhere)) return false;
  }
  return true;
}

JsonObject::JsonObject(const JsonValue& value, std::string_view what)
    : value_(&value), what_(what) {
  if (!value.IsObject()) throw Malformed(what, "An object was expected");
}

const JsonValue* JsonObject::Find(const char* key) const {
  auto member = value_->FindMember(key);
  if (member == value_->MemberEnd() || member->value.IsNull()) return nullptr;
  return &member->value;
}

void JsonObject::Refuse(const char* key, const char* expected) const {
  throw Malformed(what_, Cat("Key \"", key, "\" must be ", expected));
}

bool JsonObject::Has(const char* key) const {
  return Find(key) != nullptr;
}

std::optional<std::string> JsonObject::OptionalString(const char* key) const {
  const JsonValue* found = Find(key);
  if (found == nullptr) return std::nullopt;
  if (!found->IsString() || NumberToken(*found)) Refuse(key, "a string");
  std::string text(found->GetString(), found->GetStringLength());
  // U+0000 cannot stand in any PostgreSQL text, and would cut a C string short.
  if (text.find('\0') != std::string::npos) Refuse(key, "a string without U+0000");
  return text;
}

std::string JsonObject::String(const char* key) const {
  auto text = OptionalString(key);
  if (!text) Refuse(key, "a string");
  return *text;
}

std::string JsonObject::StringOr(const char* key, std::string_view fallback) const {
  auto text = OptionalString(key);
  return text ? *text : std::string(fallback);
}

int JsonObject::Int32Or(const char* key, int fallback) const {
  const JsonValue* found = Find(key);
  if (found == nullptr) return fallback;
  if (!found->IsInt()) Refuse(key, "an integer of 32 bits");
  return found->GetInt();
}

std::optional<int64_t> JsonObject::OptionalInt(const char* key) const {
  const JsonValue* found = Find(key);
  if (found == nullptr) return std::nullopt;
  if (!found->IsInt64()) Refuse(key, "an integer");
  return found->GetInt64();
}

int64_t JsonObject::Int(const char* key) const {
  auto number = OptionalInt(key);
  if (!number) Refuse(key, "an integer");
  return *number;
}

int64_t JsonObject::IntOr(const char* key, int64_t fallback) const {
  return OptionalInt(key).value_or(fallback);
}

bool JsonObject::Bool(const char* key) const {
  const JsonValue* found = Find(key);
  if (found == nullptr || !found->IsBool()) Refuse(key, "true or false");
  return found->GetBool();
}

bool JsonObject::BoolOr(const char* key, bool fallback) const {
  return Find(key) == nullptr ? fallback : Bool(key);
}

std::vector<std::string> JsonObject::Strings(const char* key) const {
  std::vector<std::string> out;
  const JsonValue* found = Find(key);
  if (found == nullptr) return out;
  if (!found->IsArray()) Refuse(key, "an array of strings");
  out.reserve(found->Size());
  for (const JsonValue& element : found->GetArray()) {
    if (!element.IsString() || NumberToken(element)) Refuse(key, "an array of strings");
    out.emplace_back(element.GetString(), element.GetStringLength());
    if (out.back().find('\0') != std::string::npos)
      Refuse(key, "an array of strings without U+0000");
  }
  return out;
}

JsonObject JsonObject::Object(const char* key) const {
  const JsonValue* found = Find(key);
  if (found == nullptr || !found->IsObject()) Refuse(key, "an object");
  return JsonObject(*found, what_);
}

std::vector<JsonObject> JsonObject::Objects(const char* key) const {
  std::vector<JsonObject> out;
  const JsonValue* found = Find(key);
  if (found == nullptr) return out;
  if (!found->IsArray()) Refuse(key, "an array of objects");
  out.reserve(found->Size());
  for (const JsonValue& element : found->GetArray()) {
    if (!element.IsObject()) Refuse(key, "an array of objects");
    out.emplace_back(element, what_);
  }
  return out;
}

namespace {
rapidjson::SizeType Length(std::string_view text) {
  return static_cast<rapidjson::SizeType>(text.size());
}
}  // namespace

bool JsonWriter::TokenWriter::String(const Ch* text, rapidjson::SizeType size, bool copy) {
  if (size > 1 && text[0] == kNumberMark)
    return RawValue(text + 1, size - 1, rapidjson::kNumberType);
  return Writer::String(text, size, copy);
}

JsonWriter& JsonWriter::BeginObject() {
  writer_.StartObject();
  return *this;
}
JsonWriter& JsonWriter::EndObject() {
  writer_.EndObject();
  return *this;
}
JsonWriter& JsonWriter::BeginArray() {
  writer_.StartArray();
  return *this;
}
JsonWriter& JsonWriter::EndArray() {
  writer_.EndArray();
  return *this;
}
JsonWriter& JsonWriter::Key(std::string_view key) {
  writer_.Key(key.data(), Length(key));
  return *this;
}
JsonWriter& JsonWriter::String(std::string_view value) {
  // Not TokenWriter's: the text may be anything.
  writer_.Writer::String(value.data() == nullptr ? "" : value.data(), Length(value));
  return *this;
}
JsonWriter& JsonWriter::Int(int64_t value) {
  writer_.Int64(value);
  return *this;
}
JsonWriter& JsonWriter::Double(double value) {
  if (std::isfinite(value)) {
    writer_.Double(value);
  } else {
    writer_.Null();  // NaN and infinities have no JSON form
  }
  return *this;
}
JsonWriter& JsonWriter::Bool(bool value) {
  writer_.Bool(value);
  return *this;
}
JsonWriter& JsonWriter::Null() {
  writer_.Null();
  return *this;
}
JsonWriter& JsonWriter::Value(const JsonValue& value) {
  value.Accept(writer_);
  return *this;
}
JsonWriter& JsonWriter::Raw(std::string_view json) {
  writer_.RawValue(json.data(), json.size(), rapidjson::kObjectType);
  return *this;
}
JsonWriter& JsonWriter::Field(std::string_view key, const std::vector<std::string>& values) {
  Key(key).BeginArray();
  for (const std::string& value : values)
    String(value);
  return EndArray();
}
JsonWriter& JsonWriter::OptionalField(std::string_view key,
                                      const std::optional<std::string>& value) {
  Key(key);
  return value ? String(*value) : Null();
}
JsonWriter& JsonWriter::OptionalField(std::string_view key, const std::optional<int64_t>& value) {
  Key(key);
  return value ? Int(*value) : Null();
}

namespace {

// Memory that is large enough, as a stream of RapidJSON.
struct MemoryStream {
  using Ch = char;
  void Put(char c) { *at++ = c; }
  void Flush() {}
  char* at;
};

}  // namespace

size_t JsonStringRoom(std::string_view text) noexcept {
  constexpr size_t kLongestEscape = 6;
  constexpr size_t kShort = 256;
  size_t escapes = 0;
  if (text.size() <= kShort) {
    escapes = text.size();
  } else {
    for (const char c : text)
      escapes += static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\\';
  }
  return text.size() + (kLongestEscape - 1) * escapes + 2;
}

char* PutJsonString(char* to, std::string_view text) noexcept {
  MemoryStream stream{to};
  rapidjson::Writer<MemoryStream>(stream).String(text.data(),
                                                 static_cast<rapidjson::SizeType>(text.size()));
  return stream.at;
}

}  // namespace pgsync::core
