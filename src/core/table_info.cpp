#include "core/table_info.h"

#include <algorithm>
#include <tuple>

#include "core/phoenix_schema.h"

namespace pgsync::core {

namespace {

template <typename Part>
void WriteParts(JsonWriter& json, std::string_view key, const std::vector<Part>& parts) {
  if (parts.empty()) return;
  json.Key(key).BeginArray();
  for (const Part& part : parts)
    part.Write(json);
  json.EndArray();
}

template <typename Part>
std::vector<Part> ReadParts(const JsonObject& json, const char* key) {
  std::vector<Part> parts;
  for (const JsonObject& object : json.Objects(key))
    parts.push_back(Part::Read(object));
  return parts;
}

void WriteColumn(JsonWriter& json, const ColumnInfo& column, bool in_key) {
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
  if (column.identity_sequence) {
    json.Key("identity_sequence");
    column.identity_sequence->Write(json);
  }
  if (column.storage != '\0') WriteCode(json, "storage", column.storage);
  if (column.compression != '\0') WriteCode(json, "compression", column.compression);
  if (column.statistics) json.Field("statistics", *column.statistics);
  if (!column.options.empty()) json.Field("options", column.options);
  if (column.comment) json.Field("comment", *column.comment);
  json.EndObject();
}

ColumnInfo ReadColumn(const JsonObject& object) {
  ColumnInfo column = ReadPhoenixColumn(object);
  column.base_type = object.StringOr("base_type", "");
  column.category = ReadCode(object, "category", '\0');
  column.fields = object.StringOr("fields", "");
  column.binary = object.BoolOr("binary", false);
  column.identity = ReadCode(object, "identity", '\0');
  column.generated = object.BoolOr("generated", false);
  column.collation = object.OptionalString("collation");
  if (object.Has("identity_sequence")) {
    column.identity_sequence = SequenceInfo::Read(object.Object("identity_sequence"));
  }
  column.storage = ReadCode(object, "storage", '\0');
  column.compression = ReadCode(object, "compression", '\0');
  column.statistics = object.OptionalInt("statistics");
  column.options = object.Strings("options");
  column.comment = object.OptionalString("comment");
  return column;
}

void WriteColumns(JsonWriter& json, const RelationInfo& relation,
                  const std::vector<std::string>& key) {
  json.Key("columns").BeginArray();
  for (const ColumnInfo& column : relation.columns) {
    WriteColumn(json, column, std::find(key.begin(), key.end(), column.name) != key.end());
  }
  json.EndArray();
}

// What tables and partitions have in common and PhoenixKit does not know.
void WriteRelation(JsonWriter& json, const RelationInfo& relation) {
  WriteCode(json, "kind", relation.kind);
  if (relation.unlogged) json.Field("unlogged", true);
  if (!relation.access_method.empty()) json.Field("access_method", relation.access_method);
  if (!relation.partition_key.empty()) json.Field("partition_key", relation.partition_key);
  WriteParts(json, "constraints", relation.constraints);
  WriteParts(json, "indexes", relation.indexes);
  WriteParts(json, "foreign_keys", relation.foreign_keys);
  if (!relation.options.empty()) json.Field("options", relation.options);
  if (relation.replica_identity != '\0') {
    WriteCode(json, "replica_identity", relation.replica_identity);
  }
  if (relation.comment) json.Field("comment", *relation.comment);
}

void ReadRelation(const JsonObject& json, RelationInfo* relation) {
  relation->name = json.StringOr(json.Has("table") ? "table" : "table_name", "");
  relation->schema = json.StringOr("schema", "public");
  for (const JsonObject& column : json.Objects("columns"))
    relation->columns.push_back(ReadColumn(column));
  relation->kind = ReadCode(json, "kind", 'r');
  relation->unlogged = json.BoolOr("unlogged", false);
  relation->access_method = json.StringOr("access_method", "");
  relation->partition_key = json.StringOr("partition_key", "");
  relation->constraints = ReadParts<PartInfo>(json, "constraints");
  relation->indexes = ReadParts<PartInfo>(json, "indexes");
  relation->foreign_keys = ReadParts<PartInfo>(json, "foreign_keys");
  relation->options = json.Strings("options");
  relation->replica_identity = ReadCode(json, "replica_identity", '\0');
  relation->comment = json.OptionalString("comment");
}

}  // namespace

bool ColumnInfo::SameInPartition(const ColumnInfo& parent) const {
  auto facts = [](const ColumnInfo& column) {
    return std::tie(column.name, column.type, column.nullable, column.default_expression,
                    column.generated, column.collation, column.storage, column.compression,
                    column.statistics, column.options, column.comment);
  };
  return identity == '\0' && facts(*this) == facts(parent);
}

const ColumnInfo* RelationInfo::FindColumn(std::string_view column) const {
  for (const ColumnInfo& candidate : columns) {
    if (candidate.name == column) return &candidate;
  }
  return nullptr;
}

void TableInfo::Write(JsonWriter& json) const {
  json.BeginObject().Field("table", name).Field("schema", schema);
  WriteColumns(json, *this, primary_key);
  json.Field("primary_key", primary_key).Field("depends_on", depends_on);
  WriteRelation(json, *this);
  if (!partitions.empty()) {
    json.Key("partitions").BeginArray();
    for (const PartitionInfo& partition : partitions) {
      json.BeginObject().Field("table", partition.name).Field("schema", partition.schema);
      json.Field("parent", partition.parent).Field("bound", partition.bound);
      if (!partition.columns.empty()) WriteColumns(json, partition, {});
      WriteRelation(json, partition);
      json.EndObject();
    }
    json.EndArray();
  }
  WriteParts(json, "types", types);
  WriteParts(json, "sequences", sequences);
  if (!not_carried.empty()) json.Field("not_carried", not_carried);
  if (!owner.empty()) json.Field("owner", owner);
  json.EndObject();
}

TableInfo TableInfo::Read(const JsonObject& json) {
  TableInfo table;
  ReadRelation(json, &table);
  table.primary_key = json.Strings("primary_key");
  table.depends_on = json.Strings("depends_on");
  for (const JsonObject& object : json.Objects("partitions")) {
    PartitionInfo partition;
    ReadRelation(object, &partition);
    partition.parent = object.Int32Or("parent", -1);
    partition.bound = object.String("bound");
    if (partition.parent < -1 || partition.parent >= static_cast<int>(table.partitions.size())) {
      throw Error(sqlstate::kProtocolViolation, "invalid table definition")
          .WithDetail("A partition stands before the table that it is a partition of.");
    }
    table.partitions.push_back(std::move(partition));
  }
  table.types = ReadParts<TypeInfo>(json, "types");
  table.sequences = ReadParts<SequenceInfo>(json, "sequences");
  table.not_carried = json.Strings("not_carried");
  table.owner = json.StringOr("owner", "");
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
