#include "core/table_info.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::StateOf;

TableInfo ReadTable(const std::string& text) {
  const JsonDocument document = ParseJson(text, "schema");
  return TableInfo::Read(JsonObject(document, "schema"));
}

std::string Written(const TableInfo& table) {
  JsonWriter json;
  table.Write(json);
  return json.Take();
}

ColumnInfo FullColumn() {
  ColumnInfo column;
  column.name = "Na\"me";
  column.type = "\"My Schema\".price(10,2)";
  column.base_type = "pg_catalog.numeric";
  column.category = 'N';
  column.fields = "(\"a\", \"b\"(\"c\"))";
  column.binary = true;
  column.nullable = false;
  column.default_expression = "nextval('s'::regclass)";
  column.identity = 'a';
  column.generated = true;
  column.collation = "pg_catalog.\"C\"";
  column.max_length = 255;
  column.precision = 10;
  column.scale = -2;
  return column;
}

TEST(TableInfoTest, FullDefinitionSurvivesARoundTrip) {
  TableInfo table;
  table.schema = "sales";
  table.name = "orders";
  table.columns = {FullColumn(), ColumnInfo()};
  table.columns[1].name = "plain";
  table.columns[1].type = "text";
  table.primary_key = {"plain", "Na\"me"};
  table.depends_on = {"customers", "other.\"T\""};
  table.kind = 'p';

  const TableInfo read = ReadTable(Written(table));
  EXPECT_EQ(read.schema, "sales");
  EXPECT_EQ(read.name, "orders");
  EXPECT_EQ(read.primary_key, table.primary_key);
  EXPECT_EQ(read.depends_on, table.depends_on);
  EXPECT_EQ(read.kind, 'p');
  ASSERT_EQ(read.columns.size(), 2u);
  for (size_t i = 0; i < 2; i++) {
    const ColumnInfo &a = read.columns[i], &b = table.columns[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.type, b.type);
    EXPECT_EQ(a.base_type, b.base_type);
    EXPECT_EQ(a.category, b.category);
    EXPECT_EQ(a.fields, b.fields);
    EXPECT_EQ(a.binary, b.binary);
    EXPECT_EQ(a.nullable, b.nullable);
    EXPECT_EQ(a.default_expression, b.default_expression);
    EXPECT_EQ(a.identity, b.identity);
    EXPECT_EQ(a.generated, b.generated);
    EXPECT_EQ(a.collation, b.collation);
    EXPECT_EQ(a.max_length, b.max_length);
    EXPECT_EQ(a.precision, b.precision);
    EXPECT_EQ(a.scale, b.scale);
  }
  EXPECT_EQ(Written(read), Written(table));
}

TEST(TableInfoTest, WholeDefinitionSurvivesARoundTrip) {
  const std::string text =
      R"json({"table":"t","schema":"s","columns":[{"name":"a","type":"bigint","nullable":false,)json"
      R"json("primary_key":true,"default":null,"max_length":null,"precision":64,"scale":0,)json"
      R"json("base_type":"pg_catalog.int8","category":"N","binary":true,"identity":"a",)json"
      R"json("generated":false,"collation":null,"identity_sequence":{"schema":"s","name":"q",)json"
      R"json("type":"bigint","start":-9223372036854775808,"increment":-3,)json"
      R"json("min":-9223372036854775808,"max":9223372036854775807,"cache":7,"cycle":true},)json"
      R"json("storage":"e","compression":"l","statistics":0,"options":["n_distinct=5"],)json"
      R"json("comment":""}],"primary_key":["a"],"depends_on":[],"kind":"p","unlogged":true,)json"
      R"json("access_method":"x","partition_key":"LIST (a)","constraints":[{"name":"k",)json"
      R"json("definition":"PRIMARY KEY (a)","options":["fillfactor=70"],"clustered":true,)json"
      R"json("replica_identity":true,"comment":"c","index_comment":"i"}],"indexes":[{"name":"i",)json"
      R"json("definition":"CREATE INDEX"}],"foreign_keys":[{"name":"f","definition":"FOREIGN"}],)json"
      R"json("options":["toast.autovacuum_enabled=off"],"replica_identity":"f","comment":"t",)json"
      R"json("partitions":[{"table":"p","schema":"s","parent":-1,"bound":"DEFAULT","kind":"p",)json"
      R"json("partition_key":"LIST (b)"},{"table":"q","schema":"s","parent":0,"bound":"B",)json"
      R"json("kind":"r","constraints":[{"name":"qk","parent":"k"}]}],)json"
      R"json("types":[{"schema":"s","name":"d","kind":"d","base":"text","collation":"C",)json"
      R"json("not_null":true,"default":"1","constraints":[{"name":"c","definition":"CHECK"}],)json"
      R"json("comment":"d"},{"schema":"s","name":"e","kind":"e","labels":["x",""]},)json"
      R"json({"schema":"s","name":"c","kind":"c","attributes":[{"name":"a","type":"int",)json"
      R"json("collation":"C","comment":"k"}]},{"schema":"s","name":"r","kind":"r","base":"int",)json"
      R"json("opclass":"o","canonical":"f","subtype_diff":"g","multirange":"m"},)json"
      R"json({"schema":"s","name":"x","kind":"x","extension":"citext"}],)json"
      R"json("sequences":[{"schema":"s","name":"w","type":"smallint","start":1,"increment":1,)json"
      R"json("min":1,"max":5,"cache":1,"cycle":false,"unlogged":true,"owned_by":{"schema":"s",)json"
      R"json("table":"t","column":"a"},"comment":"w"}],"not_carried":["trigger x"],"owner":"o"})json";
  EXPECT_EQ(Written(ReadTable(text)), text);
}

TEST(TableInfoTest, SaysNothingOfWhatIsNotThere) {
  TableInfo table;
  table.name = "t";
  table.columns.resize(1);
  const std::string text = Written(table);
  for (const char* key : {"partitions", "types", "sequences", "constraints", "indexes", "owner",
                          "foreign_keys", "not_carried", "storage", "comment", "unlogged"}) {
    EXPECT_EQ(text.find("\"" + std::string(key) + "\""), std::string::npos) << key;
  }
}

TEST(TableInfoTest, PartsAbsentAreTheUsualOnes) {
  const TableInfo table =
      ReadTable(R"json({"sequences":[{"name":"s"}],"types":[{"schema":"a","name":"b"}],)json"
                R"json("indexes":[{"name":"i"}],"partitions":[{"bound":"DEFAULT"}]})json");
  EXPECT_EQ(table.sequences.at(0).schema, "public");
  EXPECT_EQ(table.sequences.at(0).increment, 1);
  EXPECT_EQ(table.sequences.at(0).max, INT64_MAX);
  EXPECT_FALSE(table.sequences.at(0).owner);
  EXPECT_EQ(table.types.at(0).kind, 'b');
  EXPECT_EQ(table.indexes.at(0).definition, "");
  EXPECT_FALSE(table.indexes.at(0).parent);
  EXPECT_EQ(table.partitions.at(0).parent, -1);
  EXPECT_EQ(table.partitions.at(0).kind, 'r');
  EXPECT_TRUE(table.partitions.at(0).columns.empty());
}

TEST(TableInfoTest, RefusesPartitionsBeforeTheirParents) {
  for (const char* parent : {"0", "1", "-2", "2147483647"}) {
    const std::string text =
        std::string(R"json({"partitions":[{"bound":"DEFAULT","parent":)json") + parent + "}]}";
    EXPECT_EQ(StateOf([&] { ReadTable(text); }), "08P01") << parent;
  }
  EXPECT_EQ(ReadTable(R"json({"partitions":[{"bound":"A"},{"bound":"B","parent":0}]})json")
                .partitions.at(1)
                .parent,
            0);
}

TEST(TableInfoTest, RefusesPartsOfOtherKinds) {
  for (const char* text :
       {R"json({"types":{}})json", R"json({"types":[5]})json",
        R"json({"types":[{"name":"x"}]})json", R"json({"sequences":[{"start":"1"}]})json",
        R"json({"sequences":[{"max":1e300}]})json",
        R"json({"sequences":[{"owned_by":{"table":"t"}}]})json",
        R"json({"indexes":[{"definition":"x"}]})json", R"json({"partitions":[{}]})json",
        R"json({"constraints":[{"name":"a\u0000b"}]})json", R"json({"not_carried":[1]})json",
        R"json({"columns":[{"name":"a","type":"b","identity_sequence":7}]})json"}) {
    EXPECT_EQ(StateOf([&] { ReadTable(text); }), "08P01") << text;
  }
}

TEST(TableInfoTest, AColumnOfAPartitionIsItsParentsButForIdentity) {
  const ColumnInfo parent = FullColumn();
  ColumnInfo column = parent;
  EXPECT_FALSE(column.SameInPartition(parent));
  column.identity = '\0';
  EXPECT_TRUE(column.SameInPartition(parent));
  // What only carrying rows needs is not told of partitions.
  column.base_type.clear();
  column.max_length.reset();
  EXPECT_TRUE(column.SameInPartition(parent));
  column.comment = "other";
  EXPECT_FALSE(column.SameInPartition(parent));
  column = parent;
  column.identity = '\0';
  column.nullable = !column.nullable;
  EXPECT_FALSE(column.SameInPartition(parent));
}

TEST(TableInfoTest, WritesTheKeysOfPhoenixKit) {
  TableInfo table;
  table.schema = "public";
  table.name = "t";
  table.columns = {FullColumn()};
  table.columns[0].name = "id";
  table.primary_key = {"id"};
  const JsonDocument document = ParseJson(Written(table), "schema");
  const JsonObject json(document, "schema");
  EXPECT_EQ(json.String("table"), "t");
  EXPECT_EQ(json.String("schema"), "public");
  EXPECT_EQ(json.Strings("primary_key"), std::vector<std::string>{"id"});
  const JsonObject column = json.Objects("columns").at(0);
  EXPECT_EQ(column.String("name"), "id");
  EXPECT_EQ(column.String("type"), "\"My Schema\".price(10,2)");
  EXPECT_FALSE(column.Bool("nullable"));
  EXPECT_TRUE(column.Bool("primary_key"));
  EXPECT_EQ(column.String("default"), "nextval('s'::regclass)");
  EXPECT_EQ(column.Int("max_length"), 255);
  EXPECT_EQ(column.Int("precision"), 10);
  EXPECT_EQ(column.Int("scale"), -2);
}

TEST(TableInfoTest, MarksExactlyTheColumnsOfThePrimaryKey) {
  TableInfo table;
  table.columns.resize(3);
  table.columns[0].name = "a";
  table.columns[1].name = "b";
  table.columns[2].name = "c";
  table.primary_key = {"c", "a"};
  const JsonDocument document = ParseJson(Written(table), "schema");
  const auto columns = JsonObject(document, "schema").Objects("columns");
  EXPECT_TRUE(columns.at(0).Bool("primary_key"));
  EXPECT_FALSE(columns.at(1).Bool("primary_key"));
  EXPECT_TRUE(columns.at(2).Bool("primary_key"));
}

TEST(TableInfoTest, ReadsADefinitionInPhoenixKitsKeysAlone) {
  const TableInfo table = ReadTable(
      R"json({"table": "users", "schema": "public", "primary_key": ["id"], "columns": [
        {"name": "id", "type": "bigint", "nullable": false, "primary_key": true,
         "default": "nextval('users_id_seq'::regclass)", "max_length": null, "precision": 64,
         "scale": 0},
        {"name": "email", "type": "character varying", "nullable": true, "primary_key": false,
         "default": null, "max_length": 160, "precision": null, "scale": null}]})json");
  EXPECT_EQ(table.name, "users");
  EXPECT_EQ(table.schema, "public");
  EXPECT_EQ(table.primary_key, std::vector<std::string>{"id"});
  EXPECT_TRUE(table.depends_on.empty());
  EXPECT_EQ(table.kind, 'r');
  ASSERT_EQ(table.columns.size(), 2u);
  const ColumnInfo &id = table.columns[0], &email = table.columns[1];
  EXPECT_EQ(id.default_expression, "nextval('users_id_seq'::regclass)");
  EXPECT_FALSE(id.nullable);
  EXPECT_EQ(id.max_length, std::nullopt);
  EXPECT_EQ(id.precision, 64);
  EXPECT_EQ(id.scale, 0);
  EXPECT_EQ(email.type, "character varying(160)");
  EXPECT_EQ(email.max_length, 160);
  EXPECT_EQ(email.default_expression, std::nullopt);
  // What PhoenixKit does not tell is not claimed.
  EXPECT_EQ(id.base_type, "");
  EXPECT_EQ(id.category, '\0');
  EXPECT_FALSE(id.binary);
  EXPECT_EQ(id.identity, '\0');
  EXPECT_FALSE(id.generated);
  EXPECT_EQ(id.collation, std::nullopt);
}

TEST(TableInfoTest, ReadsTheLeastThereCanBe) {
  const TableInfo table = ReadTable("{\"columns\":[{\"name\":\"a\",\"type\":\"int\"}]}");
  EXPECT_EQ(table.name, "");
  EXPECT_EQ(table.schema, "public");
  EXPECT_TRUE(table.primary_key.empty());
  ASSERT_EQ(table.columns.size(), 1u);
  EXPECT_TRUE(table.columns[0].nullable);
  EXPECT_TRUE(ReadTable("{}").columns.empty());
}

TEST(TableInfoTest, CodesOfMoreThanOneCharacterAreUnknown) {
  const TableInfo table = ReadTable(
      R"({"kind": "table", "columns": [
        {"name": "a", "type": "int", "category": "NN", "identity": ""}]})");
  EXPECT_EQ(table.kind, 'r');
  EXPECT_EQ(table.columns.at(0).category, '\0');
  EXPECT_EQ(table.columns.at(0).identity, '\0');
}

TEST(TableInfoTest, RefusesMissingAndWrongKeys) {
  for (const char* text :
       {R"({"columns": {}})", R"({"columns": [1]})", R"({"columns": [{"name": "a"}]})",
        R"({"columns": [{"type": "int"}]})", R"({"columns": [{"name": 1, "type": "int"}]})",
        R"({"columns": [{"name": "a", "type": null}]})",
        R"({"columns": [{"name": "a", "type": "int", "nullable": "yes"}]})",
        R"({"columns": [{"name": "a", "type": "int", "max_length": "5"}]})",
        R"({"columns": [{"name": "a", "type": "int", "precision": 1e30}]})",
        R"({"columns": [{"name": "a", "type": "int", "default": 0}]})",
        R"({"columns": [{"name": "a\u0000", "type": "int"}]})",
        R"({"columns": [{"name": "a", "type": "int", "identity": 1}]})", R"({"table": 5})",
        R"({"primary_key": "id"})", R"({"primary_key": [1]})", R"({"depends_on": [null]})",
        R"({"kind": 1})"}) {
    EXPECT_EQ(StateOf([&] { ReadTable(text); }), "08P01") << text;
  }
}

TEST(TableInfoTest, FindColumnComparesWholeNames) {
  TableInfo table;
  table.columns.resize(2);
  table.columns[0].name = "ab";
  table.columns[1].name = "a";
  EXPECT_EQ(table.FindColumn("a"), &table.columns[1]);
  EXPECT_EQ(table.FindColumn("ab"), &table.columns[0]);
  EXPECT_EQ(table.FindColumn("A"), nullptr);
  EXPECT_EQ(table.FindColumn(""), nullptr);
}

TableListEntry ReadEntry(const std::string& text) {
  const JsonDocument document = ParseJson(text, "list");
  return TableListEntry::Read(JsonObject(document, "list"));
}

TEST(TableListEntryTest, SurvivesARoundTrip) {
  TableListEntry entry;
  entry.schema = "s";
  entry.name = "t";
  entry.row_count = INT64_MAX;
  entry.size_bytes = 8192;
  entry.depends_on = {"a", "b"};
  JsonWriter json;
  entry.Write(json);
  const TableListEntry read = ReadEntry(json.Take());
  EXPECT_EQ(read.schema, "s");
  EXPECT_EQ(read.name, "t");
  EXPECT_EQ(read.row_count, INT64_MAX);
  EXPECT_EQ(read.size_bytes, 8192);
  EXPECT_EQ(read.depends_on, entry.depends_on);
}

TEST(TableListEntryTest, UnknownCountIsNull) {
  TableListEntry entry;
  entry.schema = "s";
  entry.name = "t";
  JsonWriter json;
  entry.Write(json);
  const std::string text = json.Take();
  EXPECT_EQ(
      text,
      "{\"schema\":\"s\",\"name\":\"t\",\"row_count\":null,\"size_bytes\":0,\"depends_on\":[]}");
  EXPECT_EQ(ReadEntry(text).row_count, std::nullopt);
}

TEST(TableListEntryTest, ReadsAName) {
  const TableListEntry entry = ReadEntry("{\"name\":\"t\"}");
  EXPECT_EQ(entry.schema, "public");
  EXPECT_EQ(entry.row_count, std::nullopt);
  EXPECT_EQ(entry.size_bytes, 0);
  EXPECT_EQ(StateOf([] { ReadEntry("{}"); }), "08P01");
  EXPECT_EQ(StateOf([] { ReadEntry("{\"name\":\"t\",\"row_count\":\"many\"}"); }), "08P01");
  EXPECT_EQ(StateOf([] { ReadEntry("{\"name\":\"t\",\"size_bytes\":1.5}"); }), "08P01");
}

}  // namespace
}  // namespace pgsync::core
