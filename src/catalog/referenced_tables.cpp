#include "catalog/referenced_tables.h"

#include "pg/query.h"

namespace pgsync::catalog {

std::vector<TableName> ReferencedTables(const TableName& table) {
  std::vector<TableName> referenced;
  const Oid relation = FindRelation(table);
  if (!OidIsValid(relation)) return referenced;
  for (const pg::Row& row : pg::CatalogQuery(
           "SELECT DISTINCT n.nspname, r.relname FROM pg_constraint f "
           "  JOIN pg_class r ON r.oid = coalesce(pg_partition_root(f.confrelid), f.confrelid) "
           "  JOIN pg_namespace n ON n.oid = r.relnamespace "
           "WHERE f.contype = 'f' AND f.conrelid = ANY (ARRAY(SELECT t.relid::oid "
           "  FROM pg_partition_tree($1) t UNION SELECT $1)) ORDER BY 1, 2",
           {pg::Param::OfOid(relation)})) {
    referenced.push_back({row.Text(0), row.Text(1)});
  }
  return referenced;
}

}  // namespace pgsync::catalog
