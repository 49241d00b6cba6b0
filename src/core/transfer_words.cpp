#include "core/transfer_words.h"

#include <algorithm>

#include "core/text.h"

namespace pgsync::core {

namespace {
constexpr const char* kKeys[] = {"strategy",    "strategies", "create_missing_tables",
                                 "batch_size",  "mode",       "triggers",
                                 "sequences",   "dry_run",    "max_errors",
                                 "max_deletes", "verify",     "drop_extra_columns",
                                 "max_rate",    "match",      "retries"};
}

void TransferWords::Write(JsonWriter& json) const {
  json.BeginObject().Field("strategy", strategy).Key("strategies").BeginObject();
  for (const auto& [table, word] : strategies)
    json.Field(table, word);
  json.EndObject().Field("create_missing_tables", create_missing_tables);
  json.OptionalField("batch_size", batch_size).Field("mode", mode).Field("triggers", triggers);
  json.Field("sequences", sequences).Field("dry_run", dry_run);
  json.OptionalField("max_errors", max_errors).OptionalField("max_deletes", max_deletes);
  json.Field("verify", verify).Field("drop_extra_columns", drop_extra_columns);
  json.OptionalField("max_rate", max_rate);
  if (match != "key") json.Field("match", match);
  if (retries != 0) json.Field("retries", retries);
  json.EndObject();
}

TransferWords TransferWords::Read(const JsonObject& json) {
  for (const auto& member : json.value().GetObject()) {
    const std::string key = member.name.GetString();
    if (std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys)) continue;
    throw Error(sqlstate::kFeatureNotSupported,
                Cat("option \"", Excerpt(key, 50), "\" of a transfer is not known here"));
  }
  TransferWords words;
  words.strategy = json.StringOr("strategy", words.strategy);
  if (json.Has("strategies")) {
    for (const auto& member : json.Object("strategies").value().GetObject()) {
      if (!member.value.IsString()) {
        throw Error(sqlstate::kProtocolViolation, "a strategy must be a string");
      }
      words.strategies[member.name.GetString()] = member.value.GetString();
    }
  }
  words.create_missing_tables = json.BoolOr("create_missing_tables", words.create_missing_tables);
  words.batch_size = json.OptionalInt("batch_size");
  words.mode = json.StringOr("mode", words.mode);
  words.triggers = json.StringOr("triggers", words.triggers);
  words.sequences = json.StringOr("sequences", words.sequences);
  words.dry_run = json.BoolOr("dry_run", false);
  // Null says something here that its absence does not.
  if (json.value().HasMember("max_errors")) words.max_errors = json.OptionalInt("max_errors");
  words.max_deletes = json.OptionalInt("max_deletes");
  words.verify = json.BoolOr("verify", false);
  words.drop_extra_columns = json.BoolOr("drop_extra_columns", false);
  words.max_rate = json.OptionalInt("max_rate");
  words.match = json.StringOr("match", words.match);
  words.retries = json.IntOr("retries", 0);
  return words;
}

}  // namespace pgsync::core
