#include "core/table_info.h"

#include <algorithm>

namespace pgsync::core {

namespace {

// One-character catalog codes travel as strings; '\0' as null.
void WriteCode(JsonWriter& json, std::string_view key, char code) {
  json.Key(key);
  if (code == '\0') {
    json.Null();
  } else {
    json.String(std::string_view(&code, 1));
  }
}

char ReadCode(const JsonObject& json, const char* key, char fallback) {
  const std::string text = json.StringOr(key, "");
  return text.size() == 1 ? text[0] : fallback;
}

}  // namespace

const ColumnInfo* TableInfo::FindColumn(std::string_view column) const {
  for (const ColumnInfo& candidate : columns) {
    if (candidate.name == column) return &candidate;
  }
  return nullptr;
}

void TableInfo::Write(JsonWriter& json) const {
  json.BeginObject().Field("table", name).Field("schema", schema);
  json.Key("columns").BeginArray();
  for (const ColumnInfo& column : columns) {
    const bool in_key =
        std::find(primary_key.begin(), primary_key.end(), column.name) != primary_key.end();
    json.BeginObject().Field("name", column.name).Field("type", column.type);
    json.Field("nullable", column.nullable).Field("primary_key", in_key);
    json.OptionalField("default", column.default_expression);
    json.OptionalField("max_length", column.max_length);
    json.OptionalField("precision", column.precision);
    json.OptionalField("scale", column.scale);
    json.Field("base_type", column.base_type);
    WriteCode(json, "category", column.category);
    if (!column.fields.empty()) json.Field("fields", column.fields);
    json.Field("binary", column.binary);
    WriteCode(json, "identity", column.identity);
    json.Field("generated", column.generated);
    json.OptionalField("collation", column.collation);
    json.EndObject();
  }
  json.EndArray().Field("primary_key", primary_key).Field("depends_on", depends_on);
  WriteCode(json, "kind", kind);
  json.EndObject();
}

TableInfo TableInfo::Read(const JsonObject& json) {
  TableInfo table;
  table.name = json.StringOr("table", "");
  table.schema = json.StringOr("schema", "public");
  for (const JsonObject& object : json.Objects("columns")) {
    ColumnInfo column;
    column.name = object.String("name");
    column.type = object.String("type");
    column.base_type = object.StringOr("base_type", "");
    column.category = ReadCode(object, "category", '\0');
    column.fields = object.StringOr("fields", "");
    column.binary = object.BoolOr("binary", false);
    column.nullable = object.BoolOr("nullable", true);
    column.default_expression = object.OptionalString("default");
    column.identity = ReadCode(object, "identity", '\0');
    column.generated = object.BoolOr("generated", false);
    column.collation = object.OptionalString("collation");
    column.max_length = object.OptionalInt("max_length");
    column.precision = object.OptionalInt("precision");
    column.scale = object.OptionalInt("scale");
    table.columns.push_back(std::move(column));
  }
  table.primary_key = json.Strings("primary_key");
  table.depends_on = json.Strings("depends_on");
  table.kind = ReadCode(json, "kind", 'r');
  return table;
}

void TableListEntry::Write(JsonWriter& json) const {
  json.BeginObject().Field("schema", schema).Field("name", name);
  json.OptionalField("row_count", row_count).Field("size_bytes", size_bytes);
  json.Field("depends_on", depends_on).EndObject();
}

TableListEntry TableListEntry::Read(const JsonObject& json) {
  TableListEntry entry;
  entry.schema = json.StringOr("schema", "public");
  entry.name = json.String("name");
  entry.row_count = json.OptionalInt("row_count");
  entry.size_bytes = json.IntOr("size_bytes", 0);
  entry.depends_on = json.Strings("depends_on");
  return entry;
}

}  // namespace pgsync::core
