#include "engine/sequences.h"

#include <algorithm>

#include "core/text.h"
#include "pg/query.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
}

namespace pgsync::engine {

using core::Cat;

namespace {

struct Sequence {
  Oid oid;
  std::string name;  // qualified
  std::string column;
  bool column_readable;
  bool column_numeric;
  int64 increment;
  int64 min;
  int64 max;
};

std::vector<Sequence> SequencesOf(const catalog::Table& table) {
  std::vector<Sequence> sequences;
  for (const pg::Row& row : pg::CatalogQuery(
           "SELECT DISTINCT s.oid, quote_ident(n.nspname) || '.' || quote_ident(s.relname), "
           "  a.attname, has_column_privilege($1, a.attnum, 'SELECT'), "
           "  a.atttypid = 'numeric'::regtype, q.seqincrement, q.seqmin, q.seqmax "
           "FROM (SELECT objid AS seq, refobjsubid AS attnum FROM pg_depend "
           "    WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass "
           "      AND refobjid = $1 AND refobjsubid > 0 AND deptype IN ('a', 'i') "
           "  UNION SELECT p.refobjid, d.adnum FROM pg_attrdef d JOIN pg_depend p "
           "    ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid "
           "      AND p.refclassid = 'pg_class'::regclass WHERE d.adrelid = $1) u "
           "JOIN pg_class s ON s.oid = u.seq AND s.relkind = 'S' "
           "JOIN pg_namespace n ON n.oid = s.relnamespace JOIN pg_sequence q ON q.seqrelid = s.oid "
           "JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = u.attnum "
           "WHERE a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, "
           "'numeric'::regtype) "
           "ORDER BY 1, 3",
           {pg::Param::OfOid(table.oid)})) {
    sequences.push_back({row.AsOid(0), row.Text(1), row.Text(2), row.Bool(3), row.Bool(4),
                         row.Int8(5), row.Int8(6), row.Int8(7)});
  }
  return sequences;
}

// One int8 from a statement of ours; nullopt for null.
std::optional<int64> QueryInt8(const std::string& sql) {
  std::optional<int64> value;
  pg::WithSpi([&] {
    struct {
      bool is_null;
      int64 value;
    } found = pg::Call([&] {
      decltype(found) result = {true, 0};
      if (SPI_execute(sql.c_str(), false, 1) != SPI_OK_SELECT) elog(ERROR, "SPI_execute failed");
      if (SPI_processed > 0) {
        result.value = DatumGetInt64(
            SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &result.is_null));
      }
      return result;
    });
    if (!found.is_null) value = found.value;
  });
  return value;
}

// The value that is to be the last one handed out, or nullopt if the sequence is far enough.
std::optional<int64> Target(const Sequence& sequence, int64 extreme) {
  const bool up = sequence.increment > 0;
  extreme = std::clamp(extreme, sequence.min, sequence.max);
  const auto last =
      QueryInt8(Cat("SELECT CASE WHEN is_called THEN last_value END FROM ", sequence.name));
  // Not called yet: the next value will be the start (or what was restarted with).
  const auto next = last ? last : QueryInt8(Cat("SELECT last_value FROM ", sequence.name));
  if (!next) return std::nullopt;
  bool behind;
  if (last) {
    behind = up ? *last < extreme : *last > extreme;
  } else {
    behind = up ? *next <= extreme : *next >= extreme;
  }
  return behind ? std::optional<int64>(extreme) : std::nullopt;
}

bool Allowed(const Sequence& sequence, AclMode mode) {
  return pg::Call(
      [&] { return pg_class_aclcheck(sequence.oid, GetUserId(), mode) == ACLCHECK_OK; });
}

std::string SetvalStatement(const Sequence& sequence, int64 value) {
  return Cat("SELECT pg_catalog.setval(", catalog::QuoteLiteral(sequence.name),
             "::pg_catalog.regclass, ", value, ")");
}

void WarnNotMoved(const Sequence& sequence, const char* why, const std::string& hint) {
  pg::Call([&] {
    ereport(WARNING,
            (errmsg("sequence %s was not moved to the values that came in", sequence.name.c_str()),
             errdetail_internal("%s", why), hint.empty() ? 0 : errhint("%s", hint.c_str())));
  });
}

void Advance(const Sequence& sequence, int64 extreme) {
  // Values that the sequence never hands out are no reason to move it.
  const bool never_reached =
      sequence.increment > 0 ? extreme < sequence.min : extreme > sequence.max;
  if (never_reached) return;
  if (!Allowed(sequence, ACL_SELECT) || !Allowed(sequence, ACL_UPDATE)) {
    WarnNotMoved(
        sequence, "The rights to SELECT from and to UPDATE it are missing.",
        Cat("Have this run: ",
            SetvalStatement(sequence, std::clamp(extreme, sequence.min, sequence.max)), ";"));
    return;
  }
  if (!Target(sequence, extreme)) return;
  // nextval() takes ROW EXCLUSIVE, which this excludes; what was read before may be outdated.
  pg::Call([&] { LockRelationOid(sequence.oid, ShareRowExclusiveLock); });
  const auto target = Target(sequence, extreme);
  if (target) (void)QueryInt8(SetvalStatement(sequence, *target));
  pg::Call([&] { UnlockRelationOid(sequence.oid, ShareRowExclusiveLock); });
}

// The largest (smallest) value of the column. A numeric column may hold what no sequence can.
std::optional<int64> Extreme(const catalog::Table& table, const Sequence& sequence) {
  const std::string column = catalog::QuoteIdentifier(sequence.column);
  const bool up = sequence.increment > 0;
  std::string aggregate = Cat(up ? "pg_catalog.max(" : "pg_catalog.min(", column, ")");
  if (sequence.column_numeric) {
    aggregate = Cat("pg_catalog.trunc(", aggregate, " FILTER (WHERE ", column,
                    " OPERATOR(pg_catalog.<) 9223372036854775807 AND ", column,
                    " OPERATOR(pg_catalog.>) -9223372036854775807))");
  }
  return QueryInt8(Cat("SELECT (", aggregate, ")::pg_catalog.int8 FROM ", table.FromClause()));
}

}  // namespace

void AdvanceSequences(const catalog::Table& table) {
  for (const Sequence& sequence : SequencesOf(table)) {
    if (!sequence.column_readable) {
      WarnNotMoved(sequence, "The right to SELECT the column that it feeds is missing.", "");
      continue;
    }
    const auto extreme = Extreme(table, sequence);
    if (extreme) Advance(sequence, *extreme);
  }
}

}  // namespace pgsync::engine
