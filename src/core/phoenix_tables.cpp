#include "core/phoenix_tables.h"

#include <algorithm>

#include "core/phoenix_schema.h"

namespace pgsync::core {

namespace {

bool IsNumberType(std::string_view type) {
  static constexpr std::string_view kTypes[] = {"smallint", "integer",          "bigint", "oid",
                                                "real",     "double precision", "numeric"};
  const std::string_view bare = type.substr(0, type.find('('));
  return std::find(std::begin(kTypes), std::end(kTypes), bare) != std::end(kTypes);
}

// Not NaN and Infinity.
bool IsNumberText(std::string_view text) {
  return !text.empty() && (text.back() >= '0' && text.back() <= '9');
}

}  // namespace

TableInfo ReadPhoenixTable(const JsonObject& schema, const std::string& table) {
  TableInfo info;
  info.name = schema.StringOr("table", schema.StringOr("table_name", table));
  info.schema = schema.StringOr("schema", "public");
  info.primary_key = schema.Strings("primary_key");
  for (const JsonObject& column : schema.Objects("columns")) {
    info.columns.push_back(ReadPhoenixColumn(column));
    if (!schema.Has("primary_key") && column.BoolOr("primary_key", false))
      info.primary_key.push_back(info.columns.back().name);
  }
  return info;
}

TableListEntry ReadPhoenixListEntry(const JsonObject& entry) {
  TableListEntry table;
  table.schema = "public";
  table.name = entry.String("name");
  table.row_count = entry.OptionalInt(entry.Has("row_count") ? "row_count" : "estimated_count");
  table.size_bytes = entry.IntOr("size_bytes", 0);
  table.depends_on = entry.Strings("depends_on");
  return table;
}

const JsonValue& RequireRecords(const JsonValue* records) {
  const bool right = records != nullptr && records->IsArray() &&
                     std::all_of(records->Begin(), records->End(),
                                 [](const JsonValue& record) { return record.IsObject(); });
  if (!right) {
    throw Error(sqlstate::kProtocolViolation, "the records of the peer are malformed")
        .WithDetail("An array of objects was expected.");
  }
  return *records;
}

void WriteValueOfText(JsonWriter& json, std::string_view text, std::string_view type) {
  if (IsNumberType(type) && IsNumberText(text)) {
    json.Raw(text);
  } else if (type == "boolean") {
    json.Bool(text == "t");
  } else if (type == "json" || type == "jsonb") {
    json.Raw(text);
  } else {
    json.String(text);
  }
}

}  // namespace pgsync::core
