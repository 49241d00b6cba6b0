#include "core/phoenix_tables.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::StateOf;
using Names = std::vector<std::string>;

TableInfo Table(const std::string& json) {
  const JsonDocument document = ParseJson(json, "schema");
  return ReadPhoenixTable(JsonObject(document, "schema"), "t");
}

// Conformance 53.
TEST(PhoenixTablesTest, ReadsBothShapesOfASchema) {
  const TableInfo socket = Table(
      R"({"table":"users","schema":"public","primary_key":["id"],"columns":[
          {"name":"id","type":"bigint","nullable":false,"primary_key":true},
          {"name":"mail","type":"character varying","nullable":true,"max_length":50}]})");
  EXPECT_EQ(socket.name, "users");
  EXPECT_EQ(socket.primary_key, Names{"id"});
  ASSERT_EQ(socket.columns.size(), 2u);
  EXPECT_FALSE(socket.columns[0].nullable);
  EXPECT_EQ(socket.columns[1].type, "character varying(50)");

  const TableInfo http = Table(
      R"({"table_name":"users","columns":[
          {"column_name":"id","data_type":"bigint","is_nullable":"NO","column_default":null},
          {"column_name":"mail","data_type":"character varying","is_nullable":"YES",
           "character_maximum_length":50}]})");
  EXPECT_EQ(http.name, "users");
  EXPECT_EQ(http.schema, "public");
  EXPECT_TRUE(http.primary_key.empty());
  EXPECT_FALSE(http.columns[0].nullable);
  EXPECT_EQ(http.columns[1].type, "character varying(50)");
}

TEST(PhoenixTablesTest, AKeyMayStandWithItsColumns) {
  EXPECT_EQ(Table(R"({"columns":[{"name":"a","type":"integer","primary_key":true},
                                 {"name":"b","type":"integer","primary_key":false}]})")
                .primary_key,
            Names{"a"});
  EXPECT_EQ(Table(R"({"columns":[]})").name, "t");
}

TEST(PhoenixTablesTest, MalformedSchemasAreRefused) {
  for (const char* json : {R"({"columns":5})", R"({"columns":[5]})", R"({"columns":[{}]})",
                           R"({"columns":[{"name":5,"type":"x"}]})", R"({"primary_key":[1]})"})
    EXPECT_EQ(StateOf([&] { Table(json); }), "08P01") << json;
}

TEST(PhoenixTablesTest, ReadsBothKindsOfLists) {
  const JsonDocument document = ParseJson(
      R"([{"name":"users","estimated_count":150},
          {"name":"posts","row_count":7,"size_bytes":8192,"checksum":null,"depends_on":["users"]},
          {"name":"bare"}, {"row_count":1}])",
      "list");
  const auto entry = [&](unsigned i) {
    return ReadPhoenixListEntry(JsonObject(document[i], "list"));
  };
  EXPECT_EQ(entry(0).row_count, 150);
  EXPECT_EQ(entry(1).row_count, 7);
  EXPECT_EQ(entry(1).size_bytes, 8192);
  EXPECT_EQ(entry(1).depends_on, Names{"users"});
  EXPECT_EQ(entry(2).row_count, std::nullopt);
  EXPECT_EQ(StateOf([&] { entry(3); }), "08P01");
}

std::string Value(const char* text, const char* type) {
  JsonWriter json;
  WriteValueOfText(json, text, type);
  return json.Take();
}

TEST(PhoenixTablesTest, TextsAreJsonByTheirTypes) {
  EXPECT_EQ(Value("12345678901234567890.50", "numeric(30,2)"), "12345678901234567890.50");
  EXPECT_EQ(Value("-5", "bigint"), "-5");
  EXPECT_EQ(Value("NaN", "double precision"), "\"NaN\"");
  EXPECT_EQ(Value("-Infinity", "real"), "\"-Infinity\"");
  EXPECT_EQ(Value("t", "boolean"), "true");
  EXPECT_EQ(Value("f", "boolean"), "false");
  EXPECT_EQ(Value("{\"a\": 1}", "jsonb"), "{\"a\": 1}");
  EXPECT_EQ(Value("5", "text"), "\"5\"");
  EXPECT_EQ(Value("{1,2}", "integer[]"), "\"{1,2}\"");
}

}  // namespace
}  // namespace pgsync::core
