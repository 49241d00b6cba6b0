#include "catalog/table_list.h"

#include "catalog/relation_size.h"
#include "catalog/shareable.h"
#include "catalog/table_lock.h"
#include "core/text.h"
#include "pg/query.h"
#include "pg/subxact.h"

extern "C" {
#include "access/xact.h"
}

namespace pgsync::catalog {

using core::Cat;
using pg::Param;
using pg::Row;

namespace {

// nullopt: it is not there any more.
std::optional<int64> CountLocked(const Table& table) {
  if (!LockTable(table.name, table.oid)) return std::nullopt;
  return CountRows(table);
}

// The lock on each of thousands of tables would be one too many; a subtransaction that is rolled
// back gives its own away.
std::optional<int64> CountAndUnlock(const Table& table) {
  // A query that has parallel workers cannot have subtransactions.
  if (IsInParallelMode()) return CountLocked(table);
  const pg::SubXact subxact = pg::BeginSubXact();
  std::optional<int64> rows;
  try {
    rows = CountLocked(table);
  } catch (...) {
    pg::RollbackSubXact(subxact);
    throw;
  }
  pg::RollbackSubXact(subxact);
  return rows;
}

// For each table what it refers to, its partitions included. All foreign keys are gone through
// once: to look them up for each of thousands of tables takes longer.
constexpr char kReferences[] =
    "SELECT f.root, array_agg(DISTINCT f.name ORDER BY f.name)::text[] AS names FROM ("
    "  SELECT CASE WHEN k.relispartition THEN pg_partition_root(k.oid)::oid ELSE k.oid END AS root,"
    "    CASE rn.nspname WHEN 'public' THEN '' ELSE quote_ident(rn.nspname) || '.' END "
    "      || quote_ident(r.relname) AS name "
    "  FROM pg_constraint o JOIN pg_class k ON k.oid = o.conrelid "
    "    JOIN pg_class p ON p.oid = o.confrelid "
    "    JOIN pg_class r ON r.oid = CASE WHEN p.relispartition THEN pg_partition_root(p.oid)::oid "
    "      ELSE p.oid END "
    "    JOIN pg_namespace rn ON rn.oid = r.relnamespace "
    "  WHERE o.contype = 'f') f GROUP BY f.root";

std::vector<Row> FindTables(const ListOptions& options) {
  std::vector<Param> params{Param::OfText(options.schema)};
  std::string sql =
      Cat("SELECT c.oid, n.nspname, c.relname, "
          "  CASE WHEN c.reltuples >= 0 THEN c.reltuples::numeric::int8 END, f.names, "
          "  c.relkind = 'r' AND c.relhassubclass "
          "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
          "  LEFT JOIN (",
          kReferences, ") f ON f.root = c.oid WHERE ", ListedCondition(options.only.has_value()),
          " AND ($1 IS NULL OR n.nspname = $1)");
  if (!options.include_phoenix_kit) sql += " AND NOT starts_with(c.relname::text, 'phoenix_kit_')";
  if (options.only) {
    sql += " AND c.oid = ANY ($2)";
    params.push_back(Param::OfOids(*options.only));
  }
  sql += " ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";
  return pg::CatalogQuery(sql, params);
}

}  // namespace

std::vector<core::TableListEntry> ListTables(const ListOptions& options) {
  const std::vector<Row> rows = FindTables(options);
  std::vector<Oid> oids;
  for (const Row& row : rows)
    oids.push_back(row.AsOid(0));
  const std::vector<int64> sizes = TotalBytes(oids);
  std::vector<core::TableListEntry> tables;
  for (size_t i = 0; i < rows.size(); i++) {
    const Row& row = rows[i];
    core::TableListEntry entry;
    entry.schema = row.Text(1);
    entry.name = row.Text(2);
    entry.size_bytes = sizes[i];
    entry.depends_on = row.Texts(4);
    if (options.exact_counts) {
      Table table;
      table.oid = oids[i];
      table.name = {entry.schema, entry.name};
      table.has_children = row.Bool(5);
      entry.row_count = CountAndUnlock(table);
      if (!entry.row_count) continue;
    } else {
      entry.row_count = row.OptionalInt8(3);
    }
    tables.push_back(std::move(entry));
  }
  return tables;
}

}  // namespace pgsync::catalog
