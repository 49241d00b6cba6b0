#include "core/phoenix_schema.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::StateOf;

ColumnInfo Column(const char* name, const char* type, const char* base_type) {
  ColumnInfo column;
  column.name = name;
  column.type = type;
  column.base_type = base_type;
  return column;
}

TableInfo Users() {
  TableInfo table;
  table.schema = "public";
  table.name = "users";
  table.columns = {Column("id", "bigint", "pg_catalog.int8"),
                   Column("email", "varchar(160)", "pg_catalog.varchar"),
                   Column("tags", "text[]", "pg_catalog._text"),
                   Column("mood", "public.mood", "public.mood"),
                   Column("at", "timestamp(3) with time zone", "pg_catalog.timestamptz")};
  table.columns[0].nullable = false;
  table.columns[0].default_expression = "nextval('users_id_seq'::regclass)";
  table.columns[0].precision = 64;
  table.columns[0].scale = 0;
  table.columns[1].max_length = 160;
  table.primary_key = {"id"};
  return table;
}

std::string Written(PhoenixSchema shape) {
  JsonWriter json;
  WritePhoenixSchema(json, Users(), shape);
  return json.Take();
}

TableInfo Read(const std::string& text) {
  const JsonDocument document = ParseJson(text, "schema");
  return TableInfo::Read(JsonObject(document, "schema"));
}

TEST(PhoenixSchemaTest, WritesTheKeysOfTheWebSocket) {
  const std::string text = Written(PhoenixSchema::kWebSocket);
  EXPECT_EQ(text.substr(0, text.find("},") + 1),
            "{\"table\":\"users\",\"schema\":\"public\",\"columns\":[{\"name\":\"id\",\"type\":"
            "\"bigint\",\"nullable\":false,\"primary_key\":true,\"default\":"
            "\"nextval('users_id_seq'::regclass)\",\"max_length\":null,\"precision\":64,\"scale\":"
            "0}");
  EXPECT_EQ(text.substr(text.rfind("],")), "],\"primary_key\":[\"id\"]}");
}

TEST(PhoenixSchemaTest, WritesBothSetsOfKeysForHttp) {
  const std::string text = Written(PhoenixSchema::kHttp);
  EXPECT_EQ(
      text.substr(0, text.find("},") + 1),
      "{\"table_name\":\"users\",\"table\":\"users\",\"schema\":\"public\",\"columns\":[{"
      "\"column_name\":\"id\",\"data_type\":\"bigint\",\"is_nullable\":\"NO\","
      "\"column_default\":\"nextval('users_id_seq'::regclass)\",\"character_maximum_length\":"
      "null,\"name\":\"id\",\"type\":\"bigint\",\"nullable\":false,\"primary_key\":true,"
      "\"default\":\"nextval('users_id_seq'::regclass)\",\"max_length\":null,\"precision\":64,"
      "\"scale\":0}");
}

TEST(PhoenixSchemaTest, NamesTypesAsTheInformationSchemaDoes) {
  const TableInfo users = Users();
  const char* const expected[] = {"bigint", "character varying", "ARRAY", "USER-DEFINED",
                                  "timestamp with time zone"};
  for (size_t i = 0; i < users.columns.size(); i++)
    EXPECT_EQ(InformationSchemaType(users.columns[i]), expected[i]);
}

TEST(PhoenixSchemaTest, ReadsWhatItWritesInBothShapes) {
  for (const PhoenixSchema shape : {PhoenixSchema::kWebSocket, PhoenixSchema::kHttp}) {
    const TableInfo read = Read(Written(shape)), users = Users();
    EXPECT_EQ(read.name, "users");
    EXPECT_EQ(read.schema, "public");
    EXPECT_EQ(read.primary_key, users.primary_key);
    ASSERT_EQ(read.columns.size(), users.columns.size());
    for (size_t i = 0; i < users.columns.size(); i++) {
      EXPECT_EQ(read.columns[i].name, users.columns[i].name);
      EXPECT_EQ(read.columns[i].type, users.columns[i].type);
      EXPECT_EQ(read.columns[i].nullable, users.columns[i].nullable);
      EXPECT_EQ(read.columns[i].default_expression, users.columns[i].default_expression);
    }
  }
}

TEST(PhoenixSchemaTest, ReadsTheKeysOfTheInformationSchemaAlone) {
  const TableInfo read = Read(
      "{\"table_name\":\"t\",\"columns\":[{\"column_name\":\"id\",\"data_type\":\"integer\","
      "\"is_nullable\":\"NO\",\"column_default\":\"5\",\"character_maximum_length\":null},"
      "{\"column_name\":\"c\",\"data_type\":\"character\",\"is_nullable\":\"YES\","
      "\"column_default\":null,\"character_maximum_length\":3}]}");
  EXPECT_EQ(read.name, "t");
  ASSERT_EQ(read.columns.size(), 2u);
  EXPECT_EQ(read.columns[0].name, "id");
  EXPECT_FALSE(read.columns[0].nullable);
  EXPECT_EQ(read.columns[0].default_expression, "5");
  EXPECT_EQ(read.columns[1].type, "character(3)");
  EXPECT_TRUE(read.columns[1].nullable);
}

TEST(PhoenixSchemaTest, LimitsBesideABareTypeBecomePartOfIt) {
  const auto type = [](const std::string& rest) {
    return Read("{\"columns\":[{\"name\":\"a\"," + rest + "}]}").columns.at(0).type;
  };
  EXPECT_EQ(type("\"type\":\"character varying\",\"max_length\":160"), "character varying(160)");
  EXPECT_EQ(type("\"type\":\"varchar(5)\",\"max_length\":160"), "varchar(5)");
  EXPECT_EQ(type("\"type\":\"bit varying\",\"max_length\":7"), "bit varying(7)");
  EXPECT_EQ(type("\"type\":\"numeric\",\"precision\":10,\"scale\":2"), "numeric(10,2)");
  EXPECT_EQ(type("\"type\":\"numeric\",\"precision\":10"), "numeric(10,0)");
  EXPECT_EQ(type("\"type\":\"integer\",\"precision\":32,\"scale\":0"), "integer");
  for (const char* length : {"null", "0", "-1", "99999999999"})
    EXPECT_EQ(type("\"type\":\"varchar\",\"max_length\":" + std::string(length)), "varchar");
}

TEST(PhoenixSchemaTest, RefusesWhatIsNoColumn) {
  for (const char* column :
       {"{\"name\":\"a\"}", "{\"type\":\"text\"}", "{\"column_name\":5,\"data_type\":\"text\"}",
        "{\"name\":\"a\",\"type\":\"text\",\"is_nullable\":true}",
        "{\"name\":\"a\\u0000\",\"type\":\"text\"}",
        "{\"name\":\"a\",\"type\":\"varchar\",\"max_length\":\"1); DROP\"}"}) {
    EXPECT_EQ(StateOf([&] { Read("{\"columns\":[" + std::string(column) + "]}"); }), "08P01")
        << column;
  }
}

}  // namespace
}  // namespace pgsync::core
