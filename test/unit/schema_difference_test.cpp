#include "core/schema_difference.h"

#include <gtest/gtest.h>

#include <ostream>

namespace pgsync::core {

static void PrintTo(const SchemaDifference& difference, std::ostream* out) {
  *out << difference.kind << ": " << difference.local.value_or("-") << " / "
       << difference.remote.value_or("-");
}

namespace {

using Differences = std::vector<SchemaDifference>;

ColumnInfo Column(const char* name, const char* type) {
  ColumnInfo column;
  column.name = name;
  column.type = type;
  return column;
}

TableInfo Table() {
  TableInfo table;
  table.schema = "public";
  table.name = "t";
  table.columns = {Column("id", "integer"), Column("v", "text")};
  table.columns[0].nullable = false;
  table.primary_key = {"id"};
  return table;
}

TEST(SchemaDifference, EqualTables) {
  const TableInfo ours = Table(), theirs = Table();
  EXPECT_EQ(CompareDefinitions(&ours, &theirs), Differences());
  EXPECT_EQ(CompareDefinitions(nullptr, nullptr), Differences());
}

TEST(SchemaDifference, NamesAndOrderDoNotMatter) {
  const TableInfo ours = Table();
  TableInfo theirs = Table();
  theirs.name = "u";
  theirs.schema = "other";
  std::swap(theirs.columns[0], theirs.columns[1]);
  EXPECT_EQ(CompareDefinitions(&ours, &theirs), Differences());
}

TEST(SchemaDifference, MissingTable) {
  const TableInfo ours = Table();
  TableInfo theirs = Table();
  theirs.kind = 'p';
  EXPECT_EQ(CompareDefinitions(&ours, nullptr), (Differences{{"table", "table", std::nullopt}}));
  EXPECT_EQ(CompareDefinitions(nullptr, &theirs),
            (Differences{{"table", std::nullopt, "partitioned table"}}));
}

TEST(SchemaDifference, KindOfTable) {
  TableInfo ours = Table(), theirs = Table();
  theirs.kind = 'p';
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"table kind", "table", "partitioned table"}}));
  ours.kind = 'v';
  theirs.kind = 'f';
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"table kind", "view", "foreign table"}}));
}

TEST(SchemaDifference, MissingColumns) {
  TableInfo ours = Table(), theirs = Table();
  ours.columns.push_back(Column("Here \"only\"", "date"));
  theirs.columns.push_back(Column("there", "uuid"));
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"column", "\"Here \"\"only\"\"\" date", std::nullopt},
                         {"column", std::nullopt, "there uuid"}}));
}

TEST(SchemaDifference, Types) {
  const TableInfo ours = Table();
  TableInfo theirs = Table();
  theirs.columns[1].type = "varchar(10)";
  theirs.columns[1].collation = "pg_catalog.\"C\"";
  theirs.columns[1].nullable = false;
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"type", "v text", "v varchar(10)"},
                         {"collation", std::nullopt, "v pg_catalog.\"C\""},
                         {"not null", std::nullopt, "v NOT NULL"}}));
}

TEST(SchemaDifference, Defaults) {
  TableInfo ours = Table(), theirs = Table();
  ours.columns[1].default_expression = "'a'::text";
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"default", "v 'a'::text", std::nullopt}}));
  theirs.columns[1].default_expression = "'b'::text";
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"default", "v 'a'::text", "v 'b'::text"}}));
}

TEST(SchemaDifference, GeneratedIsNoDefault) {
  TableInfo ours = Table(), theirs = Table();
  ours.columns[1].default_expression = theirs.columns[1].default_expression = "'a'::text";
  theirs.columns[1].generated = true;
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"default", "v 'a'::text", std::nullopt},
                         {"generated", std::nullopt, "v 'a'::text"}}));
  ours.columns[1].generated = true;
  EXPECT_EQ(CompareDefinitions(&ours, &theirs), Differences());
}

TEST(SchemaDifference, Identity) {
  TableInfo ours = Table(), theirs = Table();
  ours.columns[0].identity = 'a';
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"identity", "id ALWAYS", std::nullopt}}));
  theirs.columns[0].identity = 'd';
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"identity", "id ALWAYS", "id BY DEFAULT"}}));
}

TEST(SchemaDifference, Keys) {
  TableInfo ours = Table(), theirs = Table();
  ours.primary_key = {"v", "id"};
  theirs.primary_key = {"id", "v"};
  ours.depends_on = {"a", "b"};
  theirs.depends_on = {"b", "other.c"};
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"primary key", "(v, id)", "(id, v)"},
                         {"foreign key", "a", std::nullopt},
                         {"foreign key", std::nullopt, "other.c"}}));
  ours.primary_key.clear();
  ours.depends_on = theirs.depends_on = {};
  EXPECT_EQ(CompareDefinitions(&ours, &theirs),
            (Differences{{"primary key", std::nullopt, "(id, v)"}}));
}

}  // namespace
}  // namespace pgsync::core
