#include "core/phoenix_schema.h"

#include <algorithm>

#include "core/text.h"

namespace pgsync::core {

namespace {

constexpr int64_t kMaxLength = 10485760;  // PostgreSQL's own, of the character types

bool StartsWith(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

bool InKey(const TableInfo& table, const ColumnInfo& column) {
  const auto& key = table.primary_key;
  return std::find(key.begin(), key.end(), column.name) != key.end();
}

// A type that has no length, precision or scale in its text, with those that stand beside it.
std::string WithLimits(const std::string& type, const ColumnInfo& column) {
  static const char* const kWithLength[] = {"character varying", "varchar", "character", "char",
                                            "bit varying",       "bit"};
  const auto is = [&](const char* name) { return type == name; };
  if (std::any_of(std::begin(kWithLength), std::end(kWithLength), is)) {
    const int64_t length = column.max_length.value_or(0);
    return length > 0 && length <= kMaxLength ? Cat(type, "(", length, ")") : type;
  }
  if ((type == "numeric" || type == "decimal") && column.precision) {
    return Cat(type, "(", *column.precision, ",", column.scale.value_or(0), ")");
  }
  return type;
}

bool Nullable(const JsonObject& json) {
  if (!json.Has("is_nullable")) return json.BoolOr("nullable", true);
  return json.String("is_nullable") != "NO";
}

// Where neither is there, what is missed is the key of our own form.
std::string Either(const JsonObject& json, const char* key, const char* other) {
  return json.String(json.Has(other) && !json.Has(key) ? other : key);
}

}  // namespace

std::string InformationSchemaType(const ColumnInfo& column) {
  std::string type = column.type;
  if (type.size() > 2 && type.compare(type.size() - 2, 2, "[]") == 0) return "ARRAY";
  if (!StartsWith(column.base_type, "pg_catalog.")) return "USER-DEFINED";
  const size_t open = type.find('('), close = type.find(')');
  if (open != std::string::npos && close != std::string::npos && close > open)
    type.erase(open, close - open + 1);
  if (type == "varchar") return "character varying";
  return type;
}

void WritePhoenixSchema(JsonWriter& json, const TableInfo& table, PhoenixSchema shape) {
  const bool both = shape == PhoenixSchema::kHttp;
  json.BeginObject();
  if (both) json.Field("table_name", table.name);
  json.Field("table", table.name).Field("schema", table.schema);
  json.Key("columns").BeginArray();
  for (const ColumnInfo& column : table.columns) {
    json.BeginObject();
    if (both) {
      json.Field("column_name", column.name).Field("data_type", InformationSchemaType(column));
      json.Field("is_nullable", column.nullable ? "YES" : "NO");
      json.OptionalField("column_default", column.default_expression);
      json.OptionalField("character_maximum_length", column.max_length);
    }
    json.Field("name", column.name).Field("type", column.type);
    json.Field("nullable", column.nullable).Field("primary_key", InKey(table, column));
    json.OptionalField("default", column.default_expression);
    json.OptionalField("max_length", column.max_length);
    json.OptionalField("precision", column.precision);
    json.OptionalField("scale", column.scale);
    json.EndObject();
  }
  json.EndArray().Field("primary_key", table.primary_key).EndObject();
}

ColumnInfo ReadPhoenixColumn(const JsonObject& json) {
  ColumnInfo column;
  column.name = Either(json, "name", "column_name");
  column.nullable = Nullable(json);
  column.default_expression =
      json.OptionalString(json.Has("default") ? "default" : "column_default");
  column.max_length =
      json.OptionalInt(json.Has("max_length") ? "max_length" : "character_maximum_length");
  column.precision = json.OptionalInt("precision");
  column.scale = json.OptionalInt("scale");
  column.type = WithLimits(Either(json, "type", "data_type"), column);
  return column;
}

}  // namespace pgsync::core
