#include "catalog/shareable.h"

#include "core/text.h"
#include "pg/query.h"

extern "C" {
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "utils/acl.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
using pg::Param;
namespace sqlstate = core::sqlstate;

namespace {

const char* const kExcludedNames[] = {"schema_migrations", "phoenix_kit_user_tokens"};
const char* const kExcludedPrefixes[] = {"oban_", "pg_"};

bool IsPresentable(const Table& table) {
  switch (table.kind) {
    case RELKIND_RELATION:
    case RELKIND_PARTITIONED_TABLE:
    case RELKIND_VIEW:
    case RELKIND_MATVIEW:
    case RELKIND_FOREIGN_TABLE:
      return table.persistence != RELPERSISTENCE_TEMP && !table.in_system_schema;
    default:
      return false;
  }
}

Error WrongKind(const Table& table, const char* detail) {
  return Error(sqlstate::kWrongObjectType,
               Cat("relation \"", table.name.ForMessage(), "\" cannot be shared"))
      .WithDetail(detail);
}

void RefuseUnshareable(const Table& table, bool named_by_owner) {
  if (!IsPresentable(table)) {
    throw WrongKind(table, table.persistence == RELPERSISTENCE_TEMP
                               ? "It is a temporary table."
                               : "It is not a table or view of an ordinary schema.");
  }
  if (table.own) {
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("permission denied for table ", table.name.ForMessage()))
        .WithDetail("It belongs to the extension sync itself.");
  }
  if (!named_by_owner && IsExcludedName(table.name.name)) {
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("permission denied for table ", table.name.ForMessage()))
        .WithDetail("Tables of this name are not shared.")
        .WithHint("A session whose list of tables names it may share it.");
  }
}

}  // namespace

bool IsExcludedName(std::string_view name) {
  for (std::string_view excluded : kExcludedNames) {
    if (name == excluded) return true;
  }
  for (std::string_view prefix : kExcludedPrefixes) {
    if (name.substr(0, prefix.size()) == prefix) return true;
  }
  return false;
}

void RequireReadable(const Table& table, bool named_by_owner) {
  RefuseUnshareable(table, named_by_owner);
  if (pg::Call(
          [&] { return pg_class_aclcheck(table.oid, GetUserId(), ACL_SELECT) == ACLCHECK_OK; })) {
    return;
  }
  std::vector<std::string> missing;
  for (const Column& column : table.columns) {
    const bool readable = pg::Call([&] {
      return pg_attribute_aclcheck(table.oid, column.number, GetUserId(), ACL_SELECT) ==
             ACLCHECK_OK;
    });
    if (!readable) missing.push_back(QuoteIdentifier(column.name));
  }
  if (missing.empty() && !table.columns.empty()) return;
  Error error(sqlstate::kInsufficientPrivilege,
              Cat("permission denied for table ", table.name.ForMessage()));
  if (missing.size() < table.columns.size()) {
    throw std::move(error).WithDetail(
        Cat("The right to SELECT is missing for these columns: ", core::Join(missing, ", "), "."));
  }
  throw error;
}

void RequireTransferable(const Table& table, bool named_by_owner) {
  RefuseUnshareable(table, named_by_owner);
  if (!table.ordinary() && !table.partitioned()) {
    throw WrongKind(table, "Only ordinary and partitioned tables can be transferred.");
  }
}

std::string ListedCondition(bool with_excluded_names) {
  std::string condition =
      "c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition "
      "AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' "
      "AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') "
      "AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid "
      "  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' "
      "    AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'sync')";
  if (with_excluded_names) return condition;
  for (const char* name : kExcludedNames)
    condition += Cat(" AND c.relname <> '", name, "'");
  for (const char* prefix : kExcludedPrefixes) {
    condition += Cat(" AND NOT starts_with(c.relname::text, '", prefix, "')");
  }
  return condition;
}

int64 StoredBytes(Oid table) {
  return pg::CatalogQuery(
             "SELECT coalesce((SELECT sum(pg_table_size(relid))::int8 "
             "FROM pg_partition_tree($1)), pg_table_size($1))",
             {Param::OfOid(table)})
      .at(0)
      .Int8(0);
}

int64 CountRows(const Table& table, bool fresh) {
  const std::string sql = Cat("SELECT pg_catalog.count(*) FROM ", table.FromClause());
  int64 count = 0;
  pg::WithSpi([&] {
    count = pg::Call([&] {
      const int result = SPI_execute(sql.c_str(), !fresh, 1);
      if (result != SPI_OK_SELECT) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
      bool is_null;
      return DatumGetInt64(
          SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
    });
  });
  return count;
}

}  // namespace pgsync::catalog
