#include "catalog/definition.h"

#include <algorithm>
#include <map>
#include <set>

#include "catalog/type_definition.h"
#include "core/text.h"
#include "pg/plain_settings.h"
#include "pg/query.h"

namespace pgsync::catalog {

using core::Cat;
using pg::CatalogQuery;
using pg::Param;

namespace {

std::vector<std::string> TextArray(const pg::Row& row, size_t i) {
  return row.IsNull(i) ? std::vector<std::string>() : pg::ParseTextArray(row.Text(i));
}

char CodeUnlessNull(const pg::Row& row, size_t i) {
  return row.IsNull(i) ? '\0' : row.Char(i);
}

// The planner knows little of how few rows a table has in the catalogs. OFFSET 0 makes a lookup for
// each row of what could become a join with all that a catalog holds, which of many tables would be
// read for each.
class Definer {
 public:
  explicit Definer(const Table& table) : table_(table), info_(table.ToInfo()) {}

  core::TableInfo Run() {
    ReadRelations();
    ReadColumns();
    ReadSequences();
    OmitParentsColumns();
    ReadConstraints();
    ReadIndexes();
    ReadNotCarried();
    for (DefinedType& type : ReadTypes(types_))
      info_.types.push_back(std::move(type.info));
    return std::move(info_);
  }

 private:
  core::RelationInfo& At(Oid relation) {
    if (relation == table_.oid) return info_;
    return info_.partitions.at(static_cast<size_t>(place_.at(relation)));
  }

  // The table and its partitions, parents first, a default partition after its siblings: the less
  // is to be checked when those are attached.
  void ReadRelations() {
    const auto rows = CatalogQuery(
        "SELECT t.relid, t.parentrelid, n.nspname, c.relname, c.relkind, c.relpersistence = 'u', "
        "  CASE WHEN am.amname <> 'heap' THEN am.amname END, "
        "  CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, "
        "  pg_get_expr(c.relpartbound, c.oid), c.reloptions, tc.reloptions, "
        "  CASE WHEN c.relreplident IN ('f', 'n') THEN c.relreplident END, "
        "  obj_description(c.oid, 'pg_class'), pg_get_userbyid(c.relowner) "
        "FROM (SELECT $1 AS relid, NULL::oid AS parentrelid, 0 AS level "
        "    UNION ALL SELECT relid, parentrelid, level FROM pg_partition_tree($1) "
        "    WHERE level > 0) t "
        "  CROSS JOIN LATERAL (SELECT * FROM pg_class WHERE oid = t.relid OFFSET 0) c "
        "  JOIN pg_namespace n ON n.oid = c.relnamespace "
        "  LEFT JOIN pg_am am ON am.oid = c.relam LEFT JOIN pg_class tc ON tc.oid = "
        "c.reltoastrelid "
        "ORDER BY t.level, pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', n.nspname, c.relname",
        {Param::OfOid(table_.oid)});
    for (const pg::Row& row : rows) {
      const Oid oid = row.AsOid(0);
      // The tree is read as it is now, its tables as the snapshot has them.
      if (oid != table_.oid && row.AsOid(1) != table_.oid && place_.count(row.AsOid(1)) == 0) {
        continue;
      }
      tree_.push_back(oid);
      if (oid != table_.oid) {
        core::PartitionInfo partition;
        const Oid parent = row.AsOid(1);
        partition.parent = parent == table_.oid ? -1 : place_.at(parent);
        partition.schema = row.Text(2);
        partition.name = row.Text(3);
        partition.kind = row.Char(4);
        partition.bound = row.Text(8);
        place_[oid] = static_cast<int>(info_.partitions.size());
        info_.partitions.push_back(std::move(partition));
      } else {
        info_.owner = row.Text(13);
      }
      core::RelationInfo& relation = At(oid);
      relation.unlogged = row.Bool(5);
      relation.access_method = row.Text(6);
      relation.partition_key = row.Text(7);
      relation.options = TextArray(row, 9);
      for (const std::string& option : TextArray(row, 10))
        relation.options.push_back(Cat("toast.", option));
      relation.replica_identity = CodeUnlessNull(row, 11);
      relation.comment = row.Optional(12);
    }
  }

  void ReadColumns() {
    const auto rows = CatalogQuery(
        "SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, "
        "  pg_get_expr(d.adbin, d.adrelid), NULLIF(a.attidentity, ''), a.attgenerated <> '', "
        "  CASE WHEN a.attcollation <> t.typcollation THEN "
        "    quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END, "
        "  CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END, "
        "  NULLIF(a.attcompression, ''), NULLIF(a.attstattarget, -1), "
        // Late minor releases keep something of their own there, pg_attver.
        "  (SELECT array_agg(o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\\_%'), "
        "  col_description(a.attrelid, a.attnum), a.atttypid "
        "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
        "  LEFT JOIN pg_collation co ON co.oid = a.attcollation "
        "  LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace "
        "WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped "
        "ORDER BY a.attrelid, a.attnum",
        {Param::OfOids(tree_)});
    std::set<Oid> types;
    size_t position = 0;
    for (const pg::Row& row : rows) {
      core::RelationInfo& relation = At(row.AsOid(0));
      const bool partition = row.AsOid(0) != table_.oid;
      if (partition) relation.columns.emplace_back();
      // Those of the table itself are there already, in the same order.
      core::ColumnInfo& column = partition ? relation.columns.back() : info_.columns.at(position++);
      if (partition) {
        column.name = row.Text(1);
        column.type = DdlType(row.Text(2));
        column.nullable = row.Bool(3);
        column.identity = CodeUnlessNull(row, 5);
        column.generated = row.Bool(6);
        column.collation = row.Optional(7);
      }
      column.default_expression = row.Optional(4);
      column.storage = CodeUnlessNull(row, 8);
      column.compression = CodeUnlessNull(row, 9);
      column.statistics = row.OptionalInt8(10);
      column.options = TextArray(row, 11);
      column.comment = row.Optional(12);
      if (types.insert(row.AsOid(13)).second) types_.push_back(row.AsOid(13));
    }
  }

  void OmitParentsColumns() {
    // From the leaves up, for a parent must have its columns still.
    for (size_t i = info_.partitions.size(); i-- > 0;) {
      core::PartitionInfo& partition = info_.partitions[i];
      const core::RelationInfo& parent =
          partition.parent < 0 ? static_cast<core::RelationInfo&>(info_)
                               : info_.partitions[static_cast<size_t>(partition.parent)];
      const bool same = std::equal(partition.columns.begin(), partition.columns.end(),
                                   parent.columns.begin(), parent.columns.end(),
                                   [](const core::ColumnInfo& a, const core::ColumnInfo& b) {
                                     return a.SameInPartition(b);
                                   });
      if (same) partition.columns.clear();
    }
  }

  void ReadSequences() {
    const auto rows = CatalogQuery(
        "SELECT n.nspname, c.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, "
        "  s.seqmin, s.seqmax, s.seqcache, s.seqcycle, c.relpersistence = 'u', "
        "  obj_description(c.oid, 'pg_class'), o.deptype, o.refobjid, oc.relname, oa.attname, "
        "  ocn.nspname "
        "FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid "
        "  JOIN pg_namespace n ON n.oid = c.relnamespace "
        "  LEFT JOIN pg_depend o ON o.classid = 'pg_class'::regclass AND o.objid = s.seqrelid "
        "    AND o.objsubid = 0 AND o.refclassid = 'pg_class'::regclass AND o.refobjsubid > 0 "
        "    AND o.deptype IN ('a', 'i') "
        "  LEFT JOIN pg_class oc ON oc.oid = o.refobjid "
        "  LEFT JOIN pg_namespace ocn ON ocn.oid = oc.relnamespace "
        "  LEFT JOIN pg_attribute oa ON oa.attrelid = o.refobjid AND oa.attnum = o.refobjsubid "
        "WHERE s.seqrelid IN ("
        "  SELECT d.objid FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass "
        "    AND d.refobjid = ANY ($1) AND d.refobjsubid > 0 "
        "    AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') "
        "  UNION ALL SELECT d.refobjid FROM pg_attrdef ad JOIN pg_depend d "
        "    ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid "
        "      AND d.refclassid = 'pg_class'::regclass WHERE ad.adrelid = ANY ($1)) "
        "ORDER BY n.nspname, c.relname",
        {Param::OfOids(tree_)});
    for (const pg::Row& row : rows) {
      core::SequenceInfo sequence;
      sequence.schema = row.Text(0);
      sequence.name = row.Text(1);
      sequence.type = row.Text(2);
      sequence.start = row.Int8(3);
      sequence.increment = row.Int8(4);
      sequence.min = row.Int8(5);
      sequence.max = row.Int8(6);
      sequence.cache = row.Int8(7);
      sequence.cycle = row.Bool(8);
      sequence.unlogged = row.Bool(9);
      sequence.comment = row.Optional(10);
      if (row.Char(11) == 'i') {
        for (core::ColumnInfo& column : At(row.AsOid(12)).columns) {
          if (column.name == row.Text(14)) column.identity_sequence = sequence;
        }
        continue;
      }
      if (!row.IsNull(11)) {
        sequence.owner = core::SequenceInfo::Owner{row.Text(15), row.Text(13), row.Text(14)};
      }
      info_.sequences.push_back(std::move(sequence));
    }
  }

  void ReadConstraints() {
    const auto rows = CatalogQuery(
        "SELECT c.conrelid, c.conname, c.contype, pg_get_constraintdef(c.oid), p.conname, "
        "  ic.reloptions, i.indisclustered, i.indisreplident, "
        "  obj_description(c.oid, 'pg_constraint'), obj_description(c.conindid, 'pg_class') "
        "FROM pg_constraint c "
        "  LEFT JOIN LATERAL (SELECT * FROM pg_index WHERE indexrelid = c.conindid OFFSET 0) i "
        "    ON c.contype IN ('p', 'u', 'x') "
        "  LEFT JOIN pg_class ic ON ic.oid = i.indexrelid "
        "  LEFT JOIN LATERAL (SELECT conname FROM pg_constraint WHERE oid = c.conparentid "
        "    OFFSET 0) p ON c.contype <> 'f' AND c.conrelid <> $2 "
        "WHERE c.conrelid = ANY ($1) AND c.contype IN ('c', 'p', 'u', 'x', 'f') "
        "  AND (c.conrelid = $2 OR NOT (c.contype = 'f' AND c.conparentid <> 0) "
        "    AND NOT (c.contype = 'c' AND c.coninhcount > 0)) "
        // What a table that refers to partitions has, one for each of them.
        "  AND NOT (c.contype = 'f' AND EXISTS (SELECT FROM pg_constraint o "
        "    WHERE o.oid = c.conparentid AND o.conrelid = c.conrelid OFFSET 0)) "
        "ORDER BY c.conrelid, array_position('{p,u,x,c,f}', c.contype::text), c.conname",
        {Param::OfOids(tree_), Param::OfOid(table_.oid)});
    for (const pg::Row& row : rows) {
      core::PartInfo part;
      part.name = row.Text(1);
      part.parent = row.Optional(4);
      if (!part.parent) part.definition = row.Text(3);
      part.options = TextArray(row, 5);
      part.clustered = row.Bool(6);
      part.replica_identity = row.Bool(7);
      part.comment = row.Optional(8);
      if (row.Char(2) != 'f') part.index_comment = row.Optional(9);
      core::RelationInfo& relation = At(row.AsOid(0));
      (row.Char(2) == 'f' ? relation.foreign_keys : relation.constraints)
          .push_back(std::move(part));
    }
  }

  // Invalid ones were given up by CREATE INDEX CONCURRENTLY; on a partitioned table they are
  // those that not every partition has, which is no fault.
  void ReadIndexes() {
    const auto rows = CatalogQuery(
        "SELECT i.indrelid, c.relname, pg_get_indexdef(i.indexrelid), p.relname, c.reloptions, "
        "  i.indisclustered, i.indisreplident, obj_description(c.oid, 'pg_class') "
        "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "  LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid AND i.indrelid <> $2 "
        "  LEFT JOIN pg_class p ON p.oid = h.inhparent "
        "WHERE i.indrelid = ANY ($1) AND (i.indisvalid OR c.relkind = 'I') AND i.indislive "
        "  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid "
        "    AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x') OFFSET 0) "
        "ORDER BY i.indrelid, c.relname",
        {Param::OfOids(tree_), Param::OfOid(table_.oid)});
    for (const pg::Row& row : rows) {
      core::PartInfo part;
      part.name = row.Text(1);
      part.parent = row.Optional(3);
      if (!part.parent) part.definition = row.Text(2);
      part.options = TextArray(row, 4);
      part.clustered = row.Bool(5);
      part.replica_identity = row.Bool(6);
      part.comment = row.Optional(7);
      At(row.AsOid(0)).indexes.push_back(std::move(part));
    }
  }

  void ReadNotCarried() {
    const auto rows = CatalogQuery(
        "SELECT DISTINCT what FROM ("
        "  SELECT 'trigger ' || quote_ident(tgname) FROM pg_trigger "
        "    WHERE tgrelid = ANY ($1) AND NOT tgisinternal AND tgparentid = 0 "
        "  UNION ALL SELECT 'rule ' || quote_ident(rulename) FROM pg_rewrite "
        "    WHERE ev_class = ANY ($1) AND rulename <> '_RETURN' "
        "  UNION ALL SELECT 'policy ' || quote_ident(polname) FROM pg_policy "
        "    WHERE polrelid = ANY ($1) "
        "  UNION ALL SELECT 'row level security' FROM pg_class "
        "    WHERE oid = ANY ($1) AND relrowsecurity "
        "  UNION ALL SELECT 'grants' FROM pg_class c, aclexplode(c.relacl) a "
        "    WHERE c.oid = ANY ($1) AND a.grantee <> c.relowner "
        "  UNION ALL SELECT 'grants' FROM pg_attribute "
        "    WHERE attrelid = ANY ($1) AND attacl IS NOT NULL "
        "  UNION ALL SELECT 'tablespace ' || quote_ident(s.spcname) FROM pg_class c "
        "    JOIN pg_tablespace s ON s.oid = c.reltablespace WHERE c.oid = ANY ($1 || "
        "      ARRAY(SELECT indexrelid FROM pg_index WHERE indrelid = ANY ($1))) "
        "  UNION ALL SELECT 'statistics ' || quote_ident(stxname) FROM pg_statistic_ext "
        "    WHERE stxrelid = ANY ($1) "
        "  UNION ALL SELECT 'inheritance from ' || i.inhparent::regclass FROM pg_inherits i "
        "    WHERE i.inhrelid = $2 AND NOT $3 "
        "  UNION ALL SELECT 'row type ' || reloftype::regtype FROM pg_class "
        "    WHERE oid = $2 AND reloftype <> 0 "
        "  UNION ALL SELECT 'large objects of column ' || quote_ident(a.attname) "
        "    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = $2 "
        "      AND a.attnum > 0 AND NOT a.attisdropped "
        "      AND (t.oid = 'oid'::regtype OR t.typname = 'lo') "
        // Of views only those whose names the reader may know.
        "  UNION ALL SELECT 'view ' || r.ev_class::regclass FROM pg_depend d "
        "    CROSS JOIN LATERAL (SELECT ev_class FROM pg_rewrite WHERE oid = d.objid OFFSET 0) r "
        "    WHERE d.classid = 'pg_rewrite'::regclass "
        "      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1) "
        "      AND NOT r.ev_class = ANY ($1) AND has_table_privilege(r.ev_class, 'SELECT') "
        ") AS found(what) ORDER BY what",
        {Param::OfOids(tree_), Param::OfOid(table_.oid), Param::OfBool(table_.is_partition)});
    for (const pg::Row& row : rows)
      info_.not_carried.push_back(row.Text(0));
  }

  const Table& table_;
  core::TableInfo info_;
  std::vector<Oid> tree_;
  std::map<Oid, int> place_;  // in info_.partitions
  std::vector<Oid> types_;
};

}  // namespace

core::TableInfo Define(const Table& table) {
  core::TableInfo info;
  pg::WithPlainSettings([&] {
    // Read anew, for names were quoted as the caller's settings have it.
    const Table plain = ReadTable(table.oid);
    info = Definer(plain).Run();
  });
  return info;
}

}  // namespace pgsync::catalog
