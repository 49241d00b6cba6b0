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
  EXPECT_EQ(email.type, "character varying");
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
