#include "connection/settings.h"

#include <algorithm>
#include <limits>

#include "catalog/names.h"
#include "core/ascii.h"
#include "core/json.h"
#include "core/text.h"
#include "pg/encoding.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
}

namespace pgsync::connection {

using core::Cat;
using core::Error;
using core::JsonValue;
using pg::Param;
namespace sqlstate = core::sqlstate;

namespace {

constexpr int kMaxName = 255;  // PhoenixKit's
constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxBigint = std::numeric_limits<int64_t>::max();

enum class Kind { kNumber, kBool, kWord, kTables, kNetworks, kTime, kText, kObject };
enum class Side { kBoth, kSender, kReceiver };

struct Known {
  const char* key;
  Kind kind;
  Side side;  // on whose rows it has an effect
  bool nullable = false;
  int64_t minimum = 0;  // of a number
  int64_t maximum = 0;
  const char* words = "";  // of a word, separated by commas
};

constexpr Known kKnown[] = {
    {"name", Kind::kText, Side::kBoth},
    {"run_as", Kind::kText, Side::kBoth},
    {"approval_mode", Kind::kWord, Side::kSender, false, 0, 0,
     "auto_approve, require_approval, per_table"},
    {"allowed_tables", Kind::kTables, Side::kSender, true},
    {"excluded_tables", Kind::kTables, Side::kSender, true},
    {"auto_approve_tables", Kind::kTables, Side::kSender, true},
    {"expires_at", Kind::kTime, Side::kBoth, true},
    {"max_downloads", Kind::kNumber, Side::kSender, true, 1, kMaxBigint},
    {"max_records_total", Kind::kNumber, Side::kSender, true, 1, kMaxBigint},
    {"max_records_per_request", Kind::kNumber, Side::kSender, false, 1, kMaxBigint},
    {"rate_limit_requests_per_minute", Kind::kNumber, Side::kSender, false, 1, kMaxInt},
    {"download_password", Kind::kText, Side::kBoth, true},
    {"ip_whitelist", Kind::kNetworks, Side::kSender, true},
    {"allowed_hours_start", Kind::kNumber, Side::kSender, true, 0, 23},
    {"allowed_hours_end", Kind::kNumber, Side::kSender, true, 0, 23},
    {"default_conflict_strategy", Kind::kWord, Side::kReceiver, false, 0, 0,
     "skip, overwrite, merge, append"},
    {"auto_sync_enabled", Kind::kBool, Side::kReceiver},
    {"auto_sync_tables", Kind::kTables, Side::kReceiver, true},
    {"auto_sync_interval_minutes", Kind::kNumber, Side::kReceiver, false, 1, kMaxInt},
    {"metadata", Kind::kObject, Side::kBoth},
    {"own_url", Kind::kText, Side::kBoth, true},
    {"register_password", Kind::kText, Side::kSender},
};

const Known& FindKnown(const std::string& key) {
  const auto found = std::find_if(std::begin(kKnown), std::end(kKnown),
                                  [&](const Known& known) { return key == known.key; });
  if (found != std::end(kKnown)) return *found;
  std::vector<std::string> keys;
  for (const Known& known : kKnown)
    keys.emplace_back(known.key);
  throw Error(sqlstate::kInvalidParameter,
              Cat("unknown setting \"", core::Excerpt(pg::FromUtf8(key), 100), "\""))
      .WithHint(Cat("Available settings: ", core::Join(keys, ", "), "."));
}

[[noreturn]] void Refuse(const Known& known, const std::string& expected) {
  throw Error(sqlstate::kInvalidParameter, Cat("setting \"", known.key, "\" must ", expected));
}

std::string TextOf(const Known& known, const JsonValue& value, const char* expected) {
  if (!value.IsString()) Refuse(known, expected);
  return pg::FromUtf8(std::string(value.GetString(), value.GetStringLength()));
}

std::string NumberOf(const Known& known, const JsonValue& value) {
  if (!value.IsInt64() || value.GetInt64() < known.minimum || value.GetInt64() > known.maximum) {
    Refuse(known, known.maximum == kMaxBigint
                      ? Cat("be a whole number of at least ", known.minimum)
                      : Cat("be a whole number from ", known.minimum, " to ", known.maximum));
  }
  return std::to_string(value.GetInt64());
}

std::string WordOf(const Known& known, const JsonValue& value) {
  const std::string word = TextOf(known, value, "be a string");
  const auto words = core::SplitList(known.words);
  if (std::find(words.begin(), words.end(), word) != words.end()) return word;
  throw Error(sqlstate::kInvalidParameter, Cat("invalid value for setting \"", known.key, "\": \"",
                                               core::Excerpt(word, 100), "\""))
      .WithHint(Cat("Available values: ", known.words, "."));
}

std::vector<std::string> ListOf(const Known& known, const JsonValue& value) {
  std::vector<std::string> items;
  if (value.IsNull()) return items;
  if (!value.IsArray()) Refuse(known, "be an array of strings");
  for (const JsonValue& item : value.GetArray())
    items.push_back(TextOf(known, item, "be an array of strings"));
  return items;
}

std::vector<std::string> TablesOf(const Known& known, const JsonValue& value) {
  std::vector<std::string> tables = ListOf(known, value);
  for (std::string& table : tables)
    table = catalog::ParseTableName(table).Display();
  return tables;
}

std::vector<std::string> NetworksOf(const Known& known, const JsonValue& value) {
  std::vector<std::string> networks = ListOf(known, value);
  for (const std::string& network : networks) {
    if (core::Cidr::Parse(network)) continue;
    throw Error(sqlstate::kInvalidParameter,
                Cat("\"", core::Excerpt(network, 100), "\" in setting \"", known.key,
                    "\" is no IP address or network"))
        .WithHint("Write 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32.");
  }
  return networks;
}

int64 TimeOf(const Known& known, const JsonValue& value) {
  const std::string text = TextOf(known, value, "be a time, as a string");
  return pg::Call([&] {
    return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text.c_str()),
                                                   ObjectIdGetDatum(InvalidOid),
                                                   Int32GetDatum(-1)));
  });
}

void SetText(const std::string& key, std::string text, ConnectionSettings* settings) {
  if (key == "name") {
    CheckConnectionName(text);
    settings->name = std::move(text);
  } else if (key == "run_as") {
    settings->run_as = std::move(text);
  } else if (key == "download_password") {
    settings->download_password = std::move(text);
  } else if (key == "register_password") {
    settings->register_password = std::move(text);
  } else {
    settings->own_url = std::move(text);
  }
}

void Set(const Known& known, const JsonValue& value, ConnectionSettings* settings) {
  const bool null = value.IsNull();
  if (null && !known.nullable) Refuse(known, "not be null");
  const auto add = [&](const char* type, Param param) {
    settings->columns.push_back({known.key, type, std::move(param)});
  };
  switch (known.kind) {
    case Kind::kNumber:
      add("bigint", null ? Param::OfText(std::optional<std::string>())
                         : Param::OfText(NumberOf(known, value)));
      break;
    case Kind::kBool:
      if (!value.IsBool()) Refuse(known, "be true or false");
      add("boolean", Param::OfBool(value.GetBool()));
      break;
    case Kind::kWord:
      add("text", Param::OfText(WordOf(known, value)));
      break;
    case Kind::kTables:
      add("text[]", Param::OfTexts(TablesOf(known, value)));
      break;
    case Kind::kNetworks:
      add("text[]", Param::OfTexts(NetworksOf(known, value)));
      break;
    case Kind::kTime:
      add("timestamptz",
          Param::OfTimestamp(null ? std::nullopt : std::optional<int64_t>(TimeOf(known, value))));
      break;
    case Kind::kText:
      SetText(known.key, null ? std::string() : TextOf(known, value, "be a string"), settings);
      break;
    case Kind::kObject:
      if (!value.IsObject()) Refuse(known, "be an object");
      settings->metadata = pg::FromUtf8(core::JsonWriter().Value(value).Take());
      break;
  }
}

bool LooksLikeUuid(const std::string& name) {
  constexpr char kShape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (name.size() != sizeof(kShape) - 1) return false;
  for (size_t i = 0; i < name.size(); i++) {
    if (kShape[i] == '-' ? name[i] != '-' : !core::IsAsciiHexDigit(name[i])) return false;
  }
  return true;
}

}  // namespace

void CheckConnectionName(const std::string& name) {
  if (name.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw Error(sqlstate::kInvalidParameter, "a connection must have a name");
  }
  const int length =
      pg::Call([&] { return pg_mbstrlen_with_len(name.data(), static_cast<int>(name.size())); });
  if (length > kMaxName) {
    throw Error(sqlstate::kInvalidParameter, "name of a connection is too long")
        .WithDetail(Cat("It can have ", kMaxName, " characters."));
  }
  if (LooksLikeUuid(name) || name.find("://") != std::string::npos) {
    throw Error(sqlstate::kInvalidParameter, Cat("invalid name of a connection: \"", name, "\""))
        .WithDetail("Connections are named by their names or uuids, and peers by their URLs.");
  }
}

std::vector<std::string> ConnectionSettings::UselessFor(Direction direction) const {
  const Side other = direction == Direction::kSender ? Side::kReceiver : Side::kSender;
  std::vector<std::string> useless;
  for (const Column& column : columns) {
    if (FindKnown(column.name).side == other) useless.push_back(column.name);
  }
  if (register_password && direction == Direction::kReceiver) {
    useless.emplace_back("register_password");
  }
  return useless;
}

ConnectionSettings ParseSettings(const std::string& json) {
  const core::JsonDocument document = core::ParseJson(pg::ToUtf8(json), "settings of a connection");
  if (!document.IsObject()) {
    throw Error(sqlstate::kInvalidParameter, "settings of a connection must be a JSON object");
  }
  ConnectionSettings settings;
  for (const auto& member : document.GetObject()) {
    Set(FindKnown(std::string(member.name.GetString(), member.name.GetStringLength())),
        member.value, &settings);
  }
  return settings;
}

}  // namespace pgsync::connection
