#include "catalog/foreign_key.h"

#include "core/text.h"
#include "pg/query.h"

extern "C" {
#include "lib/stringinfo.h"
#include "utils/builtins.h"
}

namespace pgsync::catalog {

using core::Cat;

namespace {

std::vector<ForeignKeyRule> Read(const char* which, const std::vector<Oid>& tables) {
  std::vector<ForeignKeyRule> rules;
  const auto rows = pg::CatalogQuery(
      Cat("SELECT c.oid, c.conname, c.conrelid, c.confrelid, r.relowner, "
          "  CASE WHEN r.relkind = 'r' THEN 'ONLY ' ELSE '' END || quote_ident(rn.nspname) || '.' "
          "    || quote_ident(r.relname), "
          "  CASE WHEN f.relkind = 'r' THEN 'ONLY ' ELSE '' END || quote_ident(fn.nspname) || '.' "
          "    || quote_ident(f.relname), "
          "  c.confmatchtype = 'f', c.convalidated, "
          "  c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'), "
          "  quote_ident(ra.attname), ra.atttypid, quote_ident(fa.attname), fa.atttypid, k.equal, "
          "  CASE WHEN fa.attcollation <> ra.attcollation THEN ' COLLATE ' || "
          "    (SELECT quote_ident(n.nspname) || '.' || quote_ident(o.collname) "
          "      FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace "
          "      WHERE o.oid = fa.attcollation) ELSE '' END, "
          "  ra.attcollation, f.relowner "
          "FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid "
          "JOIN pg_namespace rn ON rn.oid = r.relnamespace "
          "JOIN pg_class f ON f.oid = c.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace "
          "CROSS JOIN LATERAL unnest(c.conkey, c.confkey, c.conpfeqop) WITH ORDINALITY "
          "  AS k(referencing, referenced, equal, position) "
          "JOIN pg_attribute ra ON ra.attrelid = c.conrelid AND ra.attnum = k.referencing "
          "JOIN pg_attribute fa ON fa.attrelid = c.confrelid AND fa.attnum = k.referenced "
          "WHERE c.oid IN (WITH RECURSIVE up AS (SELECT oid, conparentid FROM pg_constraint "
          "    WHERE contype = 'f' AND ",
          which,
          " = ANY (ARRAY(SELECT p.relid::oid FROM unnest($1) t, pg_partition_tree(t::regclass) p "
          "      UNION SELECT unnest($1))) "
          "    UNION SELECT p.oid, p.conparentid FROM up JOIN pg_constraint p "
          "      ON p.oid = up.conparentid) "
          "  SELECT oid FROM up WHERE conparentid = 0) ORDER BY c.oid, k.position"),
      {pg::Param::OfOids(tables)});
  for (const pg::Row& row : rows) {
    if (rules.empty() || rules.back().constraint != row.AsOid(0)) {
      ForeignKeyRule rule;
      rule.constraint = row.AsOid(0);
      rule.name = row.Text(1);
      rule.referencing = row.AsOid(2);
      rule.referenced = row.AsOid(3);
      rule.referencing_owner = row.AsOid(4);
      rule.referencing_name = row.Text(5);
      rule.referenced_name = row.Text(6);
      rule.match_full = row.Bool(7);
      rule.validated = row.Bool(8);
      rule.acts = row.Bool(9);
      rule.referenced_owner = row.AsOid(17);
      rules.push_back(std::move(rule));
    }
    ForeignKeyRule& rule = rules.back();
    rule.columns.push_back(row.Text(10));
    rule.referenced_columns.push_back(row.Text(12));
    rule.pairs.push_back(
        {row.AsOid(13), row.AsOid(11), row.AsOid(16), row.AsOid(14), row.Text(15)});
  }
  return rules;
}

}  // namespace

std::string MatchKeys(const ForeignKeyRule& rule, const std::vector<std::string>& referenced,
                      const std::vector<std::string>& referencing) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < rule.pairs.size(); i++) {
    const KeyPair& pair = rule.pairs[i];
    const std::string left = Cat(referenced.at(i), pair.collation);
    const std::string& right = referencing.at(i);
    parts.emplace_back(pg::Call([&] {
      StringInfoData text;
      initStringInfo(&text);
      generate_operator_clause(&text, left.c_str(), pair.referenced_type, pair.equal, right.c_str(),
                               pair.referencing_type);
      return text.data;
    }));
  }
  return core::Join(parts, " AND ");
}

std::vector<ForeignKeyRule> ForeignKeysOf(const std::vector<Oid>& tables) {
  return Read("conrelid", tables);
}

std::vector<ForeignKeyRule> ForeignKeysTo(const std::vector<Oid>& tables) {
  return Read("confrelid", tables);
}

}  // namespace pgsync::catalog
