#include "catalog/unique_key.h"

#include <algorithm>

#include "core/text.h"
#include "pg/query.h"

namespace pgsync::catalog {

using core::Cat;

std::string UniqueKey::Matches(const Table& table, const std::vector<std::string>& values) const {
  std::vector<std::string> parts;
  for (size_t i = 0; i < columns.size(); i++) {
    parts.push_back(
        Equal(i, Cat("t.", QuoteIdentifier(table.columns[columns[i]].name)), values.at(i)));
  }
  return core::Join(parts, " AND ");
}

std::string UniqueKey::Equal(size_t i, const std::string& left, const std::string& right) const {
  return Cat(left, collations.at(i), " OPERATOR(", equal.at(i), ") ", right);
}

std::vector<size_t> ColumnsOf(const std::vector<UniqueKey>& keys) {
  std::vector<size_t> columns;
  for (const UniqueKey& key : keys) {
    for (size_t position : key.columns) {
      if (std::find(columns.begin(), columns.end(), position) == columns.end())
        columns.push_back(position);
    }
  }
  return columns;
}

std::vector<UniqueKey> UniqueKeysOf(const Table& table) {
  // A row for each column of each index.
  const auto rows = pg::CatalogQuery(
      "SELECT i.indexrelid, k.attnum, quote_ident(n.nspname) || '.' || o.oprname, "
      "  CASE WHEN k.coll NOT IN (0, a.attcollation) THEN "
      "    ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname) ELSE '' END "
      "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
      "  CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[], "
      "    i.indcollation::oid[]) WITH ORDINALITY AS k(attnum, opclass, coll, position) "
      "  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
      "  JOIN pg_opclass oc ON oc.oid = k.opclass "
      // 3 is equality in a btree, and no other access method has unique indexes.
      "  JOIN pg_amop am ON am.amopfamily = oc.opcfamily AND am.amoplefttype = oc.opcintype "
      "    AND am.amoprighttype = oc.opcintype AND am.amoppurpose = 's' AND am.amopstrategy = 3 "
      "  JOIN pg_operator o ON o.oid = am.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace "
      "  LEFT JOIN pg_collation co ON co.oid = k.coll "
      "  LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace "
      "WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL "
      "  AND i.indexprs IS NULL AND k.position <= i.indnkeyatts "
      "  AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'btree') "
      "ORDER BY i.indexrelid, k.position",
      {pg::Param::OfOid(table.oid)});
  std::vector<UniqueKey> keys;
  for (const pg::Row& row : rows) {
    if (keys.empty() || keys.back().index != row.AsOid(0)) {
      keys.emplace_back();
      keys.back().index = row.AsOid(0);
    }
    const auto column =
        std::find_if(table.columns.begin(), table.columns.end(),
                     [&](const Column& candidate) { return candidate.number == row.Int8(1); });
    UniqueKey& key = keys.back();
    key.columns.push_back(static_cast<size_t>(column - table.columns.begin()));
    key.equal.push_back(row.Text(2));
    key.collations.push_back(row.Text(3));
  }
  return keys;
}

}  // namespace pgsync::catalog
