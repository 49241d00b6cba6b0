#include "catalog/create_table.h"

#include <algorithm>

#include "catalog/expression.h"
#include "catalog/table.h"
#include "core/text.h"
#include "pg/query.h"
#include "pg/subxact.h"

extern "C" {
#include "access/xact.h"
#include "catalog/namespace.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// Resolves a type's name as SQL would with search_path = pg_catalog; other schemas are named.
ColumnType ResolveType(const core::ColumnInfo& column) {
  ColumnType type;
  try {
    pg::InSubXact([&] {
      pg::Call([&] {
        const int guc_level = NewGUCNestLevel();
        (void)set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
                                GUC_ACTION_SAVE, true, 0, false);
        parseTypeString(column.type.c_str(), &type.type, &type.typmod, false);
        type.collation = get_typcollation(type.type);
        AtEOXact_GUC(true, guc_level);
      });
    });
  } catch (const pg::PgError& error) {
    if (error.state().Class() != "42" && error.state().Class() != "3F" &&
        error.state().Class() != "22") {
      throw;
    }
    throw Error(sqlstate::kUndefinedObject,
                Cat("column \"", column.name,
                    "\" has a type that does not exist here: ", core::Excerpt(column.type, 200)))
        .WithDetail(Cat(error.message(), "."))
        .WithHint("Create the type, or the extension that it belongs to, first.");
  }
  return type;
}

std::string FormatType(const ColumnType& type) {
  return pg::Call([&] {
    return format_type_extended(type.type, type.typmod,
                                FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
  });
}

// The collation of that name ("schema.name", quoted), printed anew; empty where there is none.
std::string ResolveCollation(const std::string& text) {
  const auto rows = pg::CatalogQuery(
      "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.collname) FROM pg_collation c "
      "JOIN pg_namespace n ON n.oid = c.collnamespace "
      "WHERE quote_ident(n.nspname) || '.' || quote_ident(c.collname) = $1 LIMIT 1",
      {pg::Param::OfText(text)});
  return rows.empty() ? std::string() : rows[0].Text(0);
}

class Builder {
 public:
  Builder(const TableName& name, const core::TableInfo& definition,
          std::vector<std::string>* left_out)
      : name_(name), definition_(definition), left_out_(left_out) {}

  std::string Statement() {
    std::vector<std::string> parts;
    for (const core::ColumnInfo& column : definition_.columns)
      parts.push_back(Column(column));
    if (!definition_.primary_key.empty()) parts.push_back(PrimaryKey());
    return Cat("CREATE TABLE ", name_.Qualified(), " (", core::Join(parts, ", "), ")");
  }

 private:
  std::string Column(const core::ColumnInfo& column) {
    const ColumnType type = ResolveType(column);
    std::string sql = Cat(QuoteIdentifier(column.name), " ", FormatType(type));
    if (column.collation) {
      const std::string collation = ResolveCollation(*column.collation);
      if (collation.empty()) {
        LeaveOut(Cat("collation of column ", QuoteIdentifier(column.name)),
                 "it does not exist here");
      } else {
        sql += Cat(" COLLATE ", collation);
      }
    }
    if (!column.nullable) sql += " NOT NULL";
    if (column.identity == 'a' || column.identity == 'd') {
      sql += Cat(" GENERATED ", column.identity == 'a' ? "ALWAYS" : "BY DEFAULT", " AS IDENTITY");
    } else if (column.default_expression && !column.generated) {
      std::string why;
      const auto expression = AcceptDefault(*column.default_expression, type, &why);
      if (expression) {
        sql += Cat(" DEFAULT ", *expression);
      } else {
        LeaveOut(Cat("default of column ", QuoteIdentifier(column.name)), why);
      }
    } else if (column.generated) {
      LeaveOut(Cat("generation expression of column ", QuoteIdentifier(column.name)),
               "it becomes an ordinary column");
    }
    return sql;
  }

  std::string PrimaryKey() const {
    std::vector<std::string> columns;
    for (const std::string& column : definition_.primary_key) {
      if (definition_.FindColumn(column) == nullptr) {
        throw Error(sqlstate::kInvalidParameter,
                    Cat("the primary key has no column \"", core::Excerpt(column, 100), "\""));
      }
      columns.push_back(QuoteIdentifier(column));
    }
    return Cat("PRIMARY KEY (", core::Join(columns, ", "), ")");
  }

  void LeaveOut(const std::string& what, const std::string& why) {
    left_out_->push_back(Cat(what, " (", why, ")"));
  }

  const TableName& name_;
  const core::TableInfo& definition_;
  std::vector<std::string>* left_out_;
};

}  // namespace

Oid CreateTable(const TableName& name, const core::TableInfo& definition,
                std::vector<std::string>* left_out) {
  if (definition.kind != 'r' && definition.kind != 'p') {
    throw Error(sqlstate::kWrongObjectType, Cat("\"", name.ForMessage(), "\" is no table"));
  }
  if (!OidIsValid(pg::Call([&] { return get_namespace_oid(name.schema.c_str(), true); }))) {
    throw Error(sqlstate::kInvalidSchemaName, Cat("schema \"", name.schema, "\" does not exist"))
        .WithHint(Cat("Run CREATE SCHEMA ", QuoteIdentifier(name.schema), "."));
  }
  if (OidIsValid(FindRelation(name))) {
    throw Error(sqlstate::kDuplicateTable,
                Cat("relation \"", name.ForMessage(), "\" already exists"));
  }
  if (definition.kind == 'p')
    left_out->push_back("its partitioning (it becomes an ordinary table)");
  pg::CatalogQuery(Builder(name, definition, left_out).Statement());
  pg::Call([] { CommandCounterIncrement(); });
  return FindRelation(name);
}

void NoticeLeftOut(const TableName& name, const std::vector<std::string>& left_out) {
  if (left_out.empty()) return;
  const std::string table = name.ForMessage(), list = core::Join(left_out, "; ");
  pg::Call([&] {
    ereport(NOTICE, (errmsg("table \"%s\" was created without: %s", table.c_str(), list.c_str())));
  });
}

}  // namespace pgsync::catalog
