#include "engine/foreign_key_check.h"

#include "catalog/names.h"
#include "catalog/table.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"
}

namespace pgsync::engine {

using catalog::ForeignKeyRule;
using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr char kOrphansRelation[] = "pgsync_orphans";
constexpr char kKeysRelation[] = "pgsync_keys";
constexpr int kMemory = 4 * 1024;  // kB, of either

std::string Key(size_t i) {
  return Cat("k.c", i + 2);
}

// The rows that have a key to be looked for, and which they are: "n", "c0", "c1", ... as in a
// RowStore.
std::string Keys(const ForeignKeyRule& rule, const std::string& condition) {
  std::string values = "0::pg_catalog.int8 AS n, c.tableoid AS c0, c.ctid AS c1";
  std::vector<std::string> present;
  for (size_t i = 0; i < rule.columns.size(); i++) {
    values += Cat(", c.", rule.columns[i], " AS c", i + 2);
    present.push_back(Cat("c.", rule.columns[i], " IS NOT NULL"));
  }
  return Cat("SELECT ", values, " FROM ", rule.referencing_name, " AS c WHERE (",
             core::Join(present, rule.match_full ? " OR " : " AND "), ")", condition);
}

// Of these rows, "k", those that violate the foreign key.
std::string Violations(const ForeignKeyRule& rule, const std::string& keys) {
  std::vector<std::string> referenced, referencing, present;
  for (size_t i = 0; i < rule.columns.size(); i++) {
    referenced.push_back(Cat("p.", rule.referenced_columns[i]));
    referencing.push_back(Key(i));
    present.push_back(Cat(Key(i), " IS NOT NULL"));
  }
  const std::string missing = Cat("NOT EXISTS (SELECT FROM ", rule.referenced_name, " AS p WHERE ",
                                  catalog::MatchKeys(rule, referenced, referencing), ")");
  if (!rule.match_full || rule.columns.size() == 1) return Cat(keys, " AS k WHERE ", missing);
  return Cat(keys, " AS k WHERE NOT (", core::Join(present, " AND "), ") OR ", missing);
}

std::string WrittenHere() {
  return Cat(catalog::QuoteIdentifier(catalog::ExtensionSchema()), "._sync_is_mine(c.xmin)");
}

// The values of the row's foreign key as text.
std::string KeyText(const ForeignKeyRule& rule) {
  std::vector<std::string> marks, values;
  for (size_t i = 0; i < rule.columns.size(); i++) {
    marks.push_back("%s");
    values.push_back(Key(i));
  }
  return Cat("pg_catalog.format('", core::Join(marks, ", "), "', ", core::Join(values, ", "), ")");
}

// Runs a query over tables of `owner` in the open SPI connection, as the server does that checks a
// foreign key: as this role, so that the code of indexes and types, which the planner may call too,
// has its rights and no others; its own policies do not hold it back. Names are resolved before,
// for which no code of anybody runs, with the right to use any schema. Sees whatever is committed
// by now, also in a transaction whose own snapshot is older.
template <typename Run>
void RunAsOwner(Oid owner, const std::string& sql, Run run) {
  const char* text = sql.c_str();
  SPIPlanPtr plan = nullptr;
  {
    const pg::UserScope superuser(BOOTSTRAP_SUPERUSERID);
    plan = pg::Call([&] { return SPI_prepare(text, 0, nullptr); });
  }
  const pg::UserScope scope(owner, SECURITY_NOFORCE_RLS);
  pg::Call([&] {
    if (plan == nullptr) elog(ERROR, "SPI failed: %s", SPI_result_code_string(SPI_result));
    CommandCounterIncrement();
    PushActiveSnapshot(GetLatestSnapshot());
  });
  run(plan);
  pg::Call([] { PopActiveSnapshot(); });
}

// Runs "SELECT `values` FROM the rows that violate the foreign key" and `tail`. Where the two
// tables have two owners, the keys go from the one to the other.
template <typename Run>
void RunOverViolations(const ForeignKeyRule& rule, const std::string& condition,
                       const std::string& values, const char* tail, Run run) {
  const std::string keys = Keys(rule, condition);
  if (rule.referencing_owner == rule.referenced_owner) {
    RunAsOwner(rule.referenced_owner,
               Cat("SELECT ", values, " FROM ", Violations(rule, Cat("(", keys, ")")), tail), run);
    return;
  }
  std::vector<RowStore::Column> columns = {{OIDOID}, {TIDOID}};
  for (const catalog::KeyPair& pair : rule.pairs)
    columns.push_back({pair.referencing_type, -1, pair.referencing_collation});
  RowStore store(kKeysRelation, columns, kMemory);
  RunAsOwner(rule.referencing_owner, keys, [&](SPIPlanPtr plan) { store.Fill(plan); });
  pg::WithSpi([&] {
    store.Register();
    RunAsOwner(rule.referenced_owner,
               Cat("SELECT ", values, " FROM ", Violations(rule, kKeysRelation), tail), run);
  });
  store.Clear();
}

// The key of one row, as text.
std::optional<std::string> FindViolation(const ForeignKeyRule& rule, const std::string& condition,
                                         RowStore* orphans) {
  std::optional<std::string> found;
  pg::WithSpi([&] {
    if (orphans != nullptr) orphans->Register();
    RunOverViolations(rule, condition, KeyText(rule), " LIMIT 1", [&](SPIPlanPtr plan) {
      const char* value = pg::Call([&]() -> const char* {
        const int result = SPI_execute_plan(plan, nullptr, nullptr, true, 1);
        if (result != SPI_OK_SELECT) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
        if (SPI_processed == 0) return nullptr;
        const char* text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
        return text != nullptr ? text : "";
      });
      if (value != nullptr) found = value;
    });
  });
  return found;
}

std::string Unquoted(const std::string& qualified) {
  return qualified.compare(0, 5, "ONLY ") == 0 ? qualified.substr(5) : qualified;
}

}  // namespace

ForeignKeyCheck::ForeignKeyCheck(const std::vector<Oid>& tables)
    : outgoing_(catalog::ForeignKeysOf(tables)), incoming_(catalog::ForeignKeysTo(tables)) {
  NoteOrphans();
}

// A foreign key that is NOT VALID may have been violated all along: that is not our doing.
void ForeignKeyCheck::NoteOrphans() {
  for (const ForeignKeyRule& rule : incoming_) {
    if (rule.validated) continue;
    if (!orphans_) {
      orphans_ = std::make_unique<RowStore>(
          kOrphansRelation, std::vector<RowStore::Column>{{OIDOID}, {TIDOID}}, kMemory);
    }
    pg::WithSpi([&] {
      RunOverViolations(rule, std::string(), "0::pg_catalog.int8, k.c0, k.c1", "",
                        [&](SPIPlanPtr plan) { orphans_->Fill(plan); });
    });
  }
}

void ForeignKeyCheck::Run() {
  for (const ForeignKeyRule& rule : outgoing_) {
    const auto key = FindViolation(rule, Cat(" AND ", WrittenHere()), nullptr);
    if (!key) continue;
    throw Error(sqlstate::kForeignKeyViolation,
                Cat("rows of table \"", Unquoted(rule.referencing_name),
                    "\" violate foreign key constraint \"", rule.name, "\""))
        .WithDetail(Cat("Key (", core::Join(rule.columns, ", "), ")=(", *key,
                        ") is not present in table \"", Unquoted(rule.referenced_name), "\"."));
  }
  for (const ForeignKeyRule& rule : incoming_) {
    const std::string condition =
        rule.validated
            ? std::string()
            : Cat(" AND NOT ", WrittenHere(), " AND NOT EXISTS (SELECT FROM ", kOrphansRelation,
                  " AS o WHERE o.c0 OPERATOR(pg_catalog.=) c.tableoid AND o.c1 "
                  "OPERATOR(pg_catalog.=) c.ctid)");
    const auto key = FindViolation(rule, condition, rule.validated ? nullptr : orphans_.get());
    if (!key) continue;
    const bool own =
        pg::Call([&] { return has_privs_of_role(GetUserId(), rule.referencing_owner); });
    const std::string detail =
        own ? Cat("Key (", core::Join(rule.columns, ", "), ")=(", *key,
                  ") is still referenced from table \"", Unquoted(rule.referencing_name), "\".")
            : std::string();
    if (rule.acts) {
      throw Error(sqlstate::kFeatureNotSupported,
                  Cat("foreign key constraint \"", rule.name,
                      "\" would have to change rows that refer to what was deleted or changed"))
          .WithDetail(detail)
          .WithHint("Use triggers => 'fire'.");
    }
    throw Error(sqlstate::kForeignKeyViolation,
                Cat("rows that were deleted or changed are referenced by foreign key constraint \"",
                    rule.name, "\""))
        .WithDetail(detail);
  }
  if (orphans_) orphans_->Clear();
}

std::vector<Oid> ForeignKeyCheck::Neighbours(const std::vector<Oid>& tables) {
  std::vector<Oid> neighbours;
  for (const pg::Row& row : pg::CatalogQuery(
           "WITH tree AS (SELECT p.relid::oid AS relid FROM unnest($1) t, "
           "    pg_partition_tree(t::regclass) p UNION SELECT unnest($1)), "
           "  ends AS (SELECT conrelid AS relid FROM pg_constraint WHERE contype = 'f' "
           "      AND confrelid IN (SELECT relid FROM tree) "
           "    UNION SELECT confrelid FROM pg_constraint WHERE contype = 'f' "
           "      AND conrelid IN (SELECT relid FROM tree)) "
           "SELECT relid FROM ends UNION SELECT p.relid::oid FROM ends e, "
           "  pg_partition_tree(e.relid::regclass) p",
           {pg::Param::OfOids(tables)})) {
    neighbours.push_back(row.AsOid(0));
  }
  return neighbours;
}

}  // namespace pgsync::engine
