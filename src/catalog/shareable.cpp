#include "catalog/shareable.h"

#include "core/text.h"
#include "pg/query.h"
#include "pg/subxact.h"

extern "C" {
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "utils/acl.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
using pg::CatalogQuery;
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

namespace {
// The lock on each of thousands of tables would be one too many; a subtransaction that is rolled
// back gives its own away.
int64 CountAndUnlock(const Table& table) {
  const pg::SubXact subxact = pg::BeginSubXact();
  int64 rows;
  try {
    rows = CountRows(table);
  } catch (...) {
    pg::RollbackSubXact(subxact);
    throw;
  }
  pg::RollbackSubXact(subxact);
  return rows;
}
}  // namespace

std::vector<core::TableListEntry> ListTables(const ListOptions& options) {
  std::vector<Param> params{Param::OfText(options.schema)};
  std::string sql =
      Cat("SELECT c.oid, n.nspname, c.relname, "
          "  CASE WHEN c.reltuples >= 0 THEN c.reltuples::numeric::int8 END, "
          "  CASE c.relkind WHEN 'p' THEN coalesce((SELECT sum(pg_total_relation_size(t.relid)) "
          "    FROM pg_partition_tree(c.oid) t), 0)::int8 ELSE pg_total_relation_size(c.oid) END, "
          "  ARRAY(SELECT DISTINCT CASE rn.nspname WHEN 'public' THEN '' ELSE "
          "      quote_ident(rn.nspname) || '.' END || quote_ident(r.relname) "
          "    FROM pg_constraint f "
          "      JOIN pg_class r ON r.oid = coalesce(pg_partition_root(f.confrelid), f.confrelid) "
          "      JOIN pg_namespace rn ON rn.oid = r.relnamespace "
          // An OR would read all of pg_constraint for each table.
          "    WHERE f.contype = 'f' AND f.conrelid = ANY (CASE c.relkind WHEN 'p' THEN "
          "      ARRAY(SELECT t.relid::oid FROM pg_partition_tree(c.oid) t) ELSE ARRAY[c.oid] END) "
          "    ORDER BY 1)::text[], "
          "  c.relkind = 'r' AND c.relhassubclass "
          "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ",
          ListedCondition(options.only.has_value()), " AND ($1 IS NULL OR n.nspname = $1)");
  if (!options.include_phoenix_kit) sql += " AND NOT starts_with(c.relname::text, 'phoenix_kit_')";
  if (options.only) {
    sql += " AND c.oid = ANY ($2)";
    params.push_back(Param::OfOids(*options.only));
  }
  sql += " ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

  std::vector<core::TableListEntry> tables;
  for (const pg::Row& row : CatalogQuery(sql, params)) {
    core::TableListEntry entry;
    entry.schema = row.Text(1);
    entry.name = row.Text(2);
    entry.size_bytes = row.Int8(4);
    entry.depends_on = pg::ParseTextArray(row.Text(5));
    if (options.exact_counts) {
      Table table;
      table.oid = row.AsOid(0);
      table.name = {entry.schema, entry.name};
      table.has_children = row.Bool(6);
      entry.row_count = CountAndUnlock(table);
    } else {
      entry.row_count = row.OptionalInt8(3);
    }
    tables.push_back(std::move(entry));
  }
  return tables;
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
