#include "catalog/table.h"

#include <algorithm>
#include <map>

#include "core/text.h"
#include "pg/query.h"

extern "C" {
#include "utils/rls.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
using pg::CatalogQuery;
using pg::Param;
namespace sqlstate = core::sqlstate;

const Column* Table::FindColumn(std::string_view column) const {
  const size_t position = PositionOf(column);
  return position < columns.size() ? &columns[position] : nullptr;
}

size_t Table::PositionOf(std::string_view column) const {
  size_t i = 0;
  while (i < columns.size() && columns[i].name != column)
    i++;
  return i;
}

namespace {
bool Contains(const std::optional<Key>& key, size_t position) {
  return key && std::find(key->columns.begin(), key->columns.end(), position) != key->columns.end();
}
}  // namespace

bool Table::IsKeyColumn(size_t position) const {
  return Contains(row_key, position);
}
bool Table::IsPrimaryKeyColumn(size_t position) const {
  return Contains(primary_key, position);
}

bool Table::IsExactKeyColumn(size_t position) const {
  if (!row_key) return false;
  const auto found = std::find(row_key->columns.begin(), row_key->columns.end(), position);
  return found != row_key->columns.end() &&
         row_key->exact[static_cast<size_t>(found - row_key->columns.begin())];
}

std::string Table::FromClause() const {
  return has_children ? Cat("ONLY ", name.Qualified()) : name.Qualified();
}

core::TableInfo Table::ToInfo() const {
  core::TableInfo info;
  info.schema = name.schema;
  info.name = name.name;
  info.kind = kind;
  for (const Column& column : columns) {
    core::ColumnInfo out;
    out.name = column.name;
    out.type = column.type_text;
    out.base_type = column.facts.base_name;
    out.category = column.facts.category;
    out.binary = column.facts.binary;
    out.fields = column.facts.fields;
    out.nullable = !column.not_null;
    out.default_expression = column.default_expression;
    out.identity = column.identity;
    out.generated = column.stored_generated();
    out.collation = column.collation_text;
    const TypeLimits limits = LimitsOf(column.facts.base, column.facts.base_typmod);
    out.max_length = limits.max_length;
    out.precision = limits.precision;
    out.scale = limits.scale;
    info.columns.push_back(std::move(out));
  }
  if (primary_key) {
    for (size_t position : primary_key->columns)
      info.primary_key.push_back(columns[position].name);
  }
  for (const ForeignKey& key : foreign_keys) {
    const std::string referenced = NameOfRelation(key.referenced).Display();
    if (std::find(info.depends_on.begin(), info.depends_on.end(), referenced) ==
        info.depends_on.end()) {
      info.depends_on.push_back(referenced);
    }
  }
  return info;
}

std::string DdlType(std::string type) {
  constexpr std::string_view kLong = "character varying";
  if (type.compare(0, kLong.size(), kLong) == 0) type.replace(0, kLong.size(), "varchar");
  return type;
}

namespace {

void ReadRelation(Table& table) {
  const auto rows = CatalogQuery(
      "SELECT n.nspname, c.relname, c.relkind, c.relpersistence, c.relowner, c.relispartition, "
      "  c.relhassubclass AND c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i "
      "    WHERE i.inhparent = c.oid), "
      "  n.nspname = 'information_schema' OR n.nspname LIKE 'pg\\_%', "
      "  EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid "
      "    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' "
      "      AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'sync') "
      "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1",
      {Param::OfOid(table.oid)});
  if (rows.empty()) {
    throw Error(sqlstate::kUndefinedTable, Cat("relation with OID ", table.oid, " does not exist"));
  }
  const pg::Row& row = rows[0];
  table.name = {row.Text(0), row.Text(1)};
  table.kind = row.Char(2);
  table.persistence = row.Char(3);
  table.owner = row.AsOid(4);
  table.is_partition = row.Bool(5);
  table.has_children = row.Bool(6);
  table.in_system_schema = row.Bool(7);
  table.own = row.Bool(8);
}

void ReadColumns(Table& table) {
  const auto rows = CatalogQuery(
      "SELECT a.attname, a.attnum, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, "
      "  a.attidentity, a.attgenerated, format_type(a.atttypid, a.atttypmod), "
      "  pg_get_expr(d.adbin, d.adrelid), "
      "  CASE WHEN a.attcollation <> t.typcollation THEN "
      "    quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END "
      "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
      "  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
      "  LEFT JOIN pg_collation co ON co.oid = a.attcollation "
      "  LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace "
      "WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
      {Param::OfOid(table.oid)});
  for (const pg::Row& row : rows) {
    Column column;
    column.name = row.Text(0);
    column.number = static_cast<int16>(row.Int8(1));
    column.type = row.AsOid(2);
    column.typmod = static_cast<int32>(row.Int8(3));
    column.collation = row.AsOid(4);
    column.not_null = row.Bool(5);
    column.identity = row.Char(6);
    column.generated = row.Char(7);
    column.type_text = DdlType(row.Text(8));
    column.has_expression = !row.IsNull(9);
    column.default_expression = row.Optional(9);
    column.collation_text = row.Optional(10);
    column.facts = ReadTypeFacts(column.type, column.typmod);
    table.columns.push_back(std::move(column));
  }
}

// The rule which index can be the key stands in cached_table.cpp, too: there as it is now, here as
// the snapshot has it.
void ReadKeys(Table& table) {
  // One row for each operator of each column of each index that qualifies, the primary key first,
  // then the index with the fewest columns.
  const auto rows = CatalogQuery(
      "SELECT i.indexrelid, c.relname, i.indisprimary, k.attnum, am.amopstrategy, "
      "  quote_ident(n.nspname) || '.' || o.oprname, "
      // The index's own knowledge of whether it may drop duplicates of a value for one of them.
      "  CASE (SELECT p.amproc::oid FROM pg_amproc p WHERE p.amprocfamily = oc.opcfamily "
      "      AND p.amproclefttype = oc.opcintype AND p.amprocrighttype = oc.opcintype "
      "      AND p.amprocnum = 4) "
      "    WHEN 'btequalimage'::regproc THEN true "
      "    WHEN 'btvarstrequalimage'::regproc THEN "
      "      (SELECT collisdeterministic FROM pg_collation WHERE oid = k.coll) "
      "    ELSE false END "
      "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
      "  CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[], "
      "    i.indcollation::oid[]) WITH ORDINALITY AS k(attnum, opclass, coll, position) "
      "  JOIN pg_opclass oc ON oc.oid = k.opclass "
      "  JOIN pg_amop am ON am.amopfamily = oc.opcfamily AND am.amoplefttype = oc.opcintype "
      "    AND am.amoprighttype = oc.opcintype AND am.amoppurpose = 's' "
      "  JOIN pg_operator o ON o.oid = am.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace "
      "WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL "
      "  AND i.indexprs IS NULL AND (i.indisprimary OR i.indimmediate) "
      "  AND k.position <= i.indnkeyatts "
      "  AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) "
      "      AS u(attnum, coll) JOIN pg_attribute a ON a.attrelid = i.indrelid "
      "      AND a.attnum = u.attnum WHERE u.coll NOT IN (0, a.attcollation)) "
      "  AND (i.indisprimary OR NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) "
      "      WITH ORDINALITY AS u(attnum, position) JOIN pg_attribute a ON a.attrelid = i.indrelid "
      "      AND a.attnum = u.attnum "
      "    WHERE u.position <= i.indnkeyatts AND NOT a.attnotnull)) "
      "ORDER BY NOT i.indisprimary, i.indnkeyatts, c.relname, i.indexrelid, k.position, "
      "  am.amopstrategy",
      {Param::OfOid(table.oid)});
  for (const pg::Row& row : rows) {
    const Oid index = row.AsOid(0);
    if (table.row_key && table.row_key->index != index) break;
    if (!table.row_key) {
      table.row_key.emplace();
      table.row_key->index = index;
      table.row_key->name = row.Text(1);
    }
    const auto column =
        std::find_if(table.columns.begin(), table.columns.end(),
                     [&](const Column& candidate) { return candidate.number == row.Int8(3); });
    const auto position = static_cast<size_t>(column - table.columns.begin());
    Key& key = *table.row_key;
    if (key.columns.empty() || key.columns.back() != position) {
      key.columns.push_back(position);
      key.operators.emplace_back();
      key.exact.push_back(row.Bool(6));
    }
    key.operators.back().at(static_cast<size_t>(row.Int8(4))) = row.Text(5);
    if (row.Bool(2)) table.primary_key = table.row_key;
  }
}

// Partitions may have foreign keys of their own, and be referred to; their table stands for them.
void ReadForeignKeys(Table& table) {
  const auto rows = CatalogQuery(
      "SELECT c.oid, c.conname, n.nspname, c.conrelid, "
      "  coalesce(pg_partition_root(c.confrelid), c.confrelid)::oid, c.condeferrable, "
      "  c.condeferred, c.confmatchtype = 'f', "
      "  ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(number, position) "
      "    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number "
      "    ORDER BY k.position), "
      "  ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(number, "
      "position) "
      "    JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number "
      "    ORDER BY k.position), c.conparentid <> 0 "
      "FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace "
      // An array, so that the constraints of all other tables are not looked at.
      "WHERE c.contype = 'f' AND c.conrelid = ANY (ARRAY(SELECT $1 UNION "
      "    SELECT relid::oid FROM pg_partition_tree($1))) "
      "  AND (c.conparentid = 0 "
      // What a partition has from its parent; not what partitions of a referenced table add.
      "  OR (c.conrelid = $1 AND EXISTS (SELECT FROM pg_constraint p WHERE p.oid = c.conparentid "
      "    AND p.conrelid <> c.conrelid AND p.confrelid = c.confrelid))) "
      "ORDER BY c.conname, c.conrelid, c.oid",
      {Param::OfOid(table.oid)});
  for (const pg::Row& row : rows) {
    ForeignKey key;
    key.constraint = row.AsOid(0);
    key.name = row.Text(1);
    key.schema = row.Text(2);
    key.referencing = row.AsOid(3);
    key.referenced = row.AsOid(4);
    key.deferrable = row.Bool(5);
    key.initially_deferred = row.Bool(6);
    key.match_full = row.Bool(7);
    key.columns = pg::ParseTextArray(row.Text(8));
    key.referenced_columns = pg::ParseTextArray(row.Text(9));
    key.inherited = row.Bool(10);
    table.foreign_keys.push_back(std::move(key));
  }
}

}  // namespace

Table ReadTable(Oid relation) {
  Table table;
  table.oid = relation;
  ReadRelation(table);
  ReadColumns(table);
  ReadKeys(table);
  ReadForeignKeys(table);
  return table;
}

bool RowSecurityApplies(Oid relation) {
  return pg::Call([&] { return check_enable_rls(relation, InvalidOid, true) == RLS_ENABLED; });
}

}  // namespace pgsync::catalog
