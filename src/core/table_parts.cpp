#include "core/table_parts.h"

namespace pgsync::core {

namespace {

// Absent keys mean the usual: a definition has many parts, and most of what could be said of them
// is the default.
void FieldUnlessEmpty(JsonWriter& json, std::string_view key, const std::string& value) {
  if (!value.empty()) json.Field(key, value);
}
void FieldUnlessEmpty(JsonWriter& json, std::string_view key,
                      const std::vector<std::string>& values) {
  if (!values.empty()) json.Field(key, values);
}
void FieldIfSet(JsonWriter& json, std::string_view key, const std::optional<std::string>& value) {
  if (value) json.Field(key, *value);
}
void FieldIfTrue(JsonWriter& json, std::string_view key, bool value) {
  if (value) json.Field(key, true);
}

}  // namespace

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

void SequenceInfo::Write(JsonWriter& json) const {
  json.BeginObject().Field("schema", schema).Field("name", name).Field("type", type);
  json.Field("start", start).Field("increment", increment).Field("min", min).Field("max", max);
  json.Field("cache", cache).Field("cycle", cycle);
  FieldIfTrue(json, "unlogged", unlogged);
  if (owner) {
    json.Key("owned_by").BeginObject().Field("schema", owner->schema);
    json.Field("table", owner->table).Field("column", owner->column).EndObject();
  }
  FieldIfSet(json, "comment", comment);
  json.EndObject();
}

SequenceInfo SequenceInfo::Read(const JsonObject& json) {
  SequenceInfo sequence;
  sequence.schema = json.StringOr("schema", "public");
  sequence.name = json.StringOr("name", "");
  sequence.type = json.StringOr("type", sequence.type);
  sequence.start = json.IntOr("start", sequence.start);
  sequence.increment = json.IntOr("increment", sequence.increment);
  sequence.min = json.IntOr("min", sequence.min);
  sequence.max = json.IntOr("max", sequence.max);
  sequence.cache = json.IntOr("cache", sequence.cache);
  sequence.cycle = json.BoolOr("cycle", false);
  sequence.unlogged = json.BoolOr("unlogged", false);
  if (json.Has("owned_by")) {
    const JsonObject owner = json.Object("owned_by");
    sequence.owner = Owner{owner.String("schema"), owner.String("table"), owner.String("column")};
  }
  sequence.comment = json.OptionalString("comment");
  return sequence;
}

void PartInfo::Write(JsonWriter& json) const {
  json.BeginObject().Field("name", name);
  FieldUnlessEmpty(json, "definition", definition);
  FieldIfSet(json, "parent", parent);
  FieldUnlessEmpty(json, "options", options);
  FieldIfTrue(json, "clustered", clustered);
  FieldIfTrue(json, "replica_identity", replica_identity);
  FieldIfSet(json, "comment", comment);
  FieldIfSet(json, "index_comment", index_comment);
  json.EndObject();
}

PartInfo PartInfo::Read(const JsonObject& json) {
  PartInfo part;
  part.name = json.String("name");
  part.definition = json.StringOr("definition", "");
  part.parent = json.OptionalString("parent");
  part.options = json.Strings("options");
  part.clustered = json.BoolOr("clustered", false);
  part.replica_identity = json.BoolOr("replica_identity", false);
  part.comment = json.OptionalString("comment");
  part.index_comment = json.OptionalString("index_comment");
  return part;
}

void TypeInfo::Write(JsonWriter& json) const {
  json.BeginObject().Field("schema", schema).Field("name", name);
  WriteCode(json, "kind", kind);
  FieldUnlessEmpty(json, "labels", labels);
  FieldUnlessEmpty(json, "base", base);
  FieldIfSet(json, "collation", collation);
  FieldIfTrue(json, "not_null", not_null);
  FieldIfSet(json, "default", default_expression);
  if (!constraints.empty()) {
    json.Key("constraints").BeginArray();
    for (const PartInfo& constraint : constraints)
      constraint.Write(json);
    json.EndArray();
  }
  if (!attributes.empty()) {
    json.Key("attributes").BeginArray();
    for (const Attribute& attribute : attributes) {
      json.BeginObject().Field("name", attribute.name).Field("type", attribute.type);
      FieldIfSet(json, "collation", attribute.collation);
      FieldIfSet(json, "comment", attribute.comment);
      json.EndObject();
    }
    json.EndArray();
  }
  FieldIfSet(json, "opclass", opclass);
  FieldIfSet(json, "canonical", canonical);
  FieldIfSet(json, "subtype_diff", subtype_diff);
  FieldUnlessEmpty(json, "multirange", multirange);
  FieldUnlessEmpty(json, "extension", extension);
  FieldIfSet(json, "comment", comment);
  json.EndObject();
}

TypeInfo TypeInfo::Read(const JsonObject& json) {
  TypeInfo type;
  type.schema = json.String("schema");
  type.name = json.String("name");
  type.kind = ReadCode(json, "kind", 'b');
  type.labels = json.Strings("labels");
  type.base = json.StringOr("base", "");
  type.collation = json.OptionalString("collation");
  type.not_null = json.BoolOr("not_null", false);
  type.default_expression = json.OptionalString("default");
  for (const JsonObject& constraint : json.Objects("constraints"))
    type.constraints.push_back(PartInfo::Read(constraint));
  for (const JsonObject& object : json.Objects("attributes")) {
    Attribute attribute;
    attribute.name = object.String("name");
    attribute.type = object.String("type");
    attribute.collation = object.OptionalString("collation");
    attribute.comment = object.OptionalString("comment");
    type.attributes.push_back(std::move(attribute));
  }
  type.opclass = json.OptionalString("opclass");
  type.canonical = json.OptionalString("canonical");
  type.subtype_diff = json.OptionalString("subtype_diff");
  type.multirange = json.StringOr("multirange", "");
  type.extension = json.StringOr("extension", "");
  type.comment = json.OptionalString("comment");
  return type;
}

}  // namespace pgsync::core
