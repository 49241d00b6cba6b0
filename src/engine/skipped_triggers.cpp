#include "engine/skipped_triggers.h"

#include <set>

#include "core/text.h"
#include "pg/compat.h"
#include "pg/identity.h"
#include "pg/query.h"

extern "C" {
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "storage/lmgr.h"
}

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

void RequireSkippable(const catalog::Table& table) {
  if (!pg::Call([&] { return pg::owns_table(table.oid, GetUserId()); })) {
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("must be owner of table ", table.name.ForMessage()))
        .WithDetail("Only the owner of a table may skip its triggers.")
        .WithHint("Use triggers => 'fire'.");
  }
  const auto rules = pg::CatalogQuery(
      "SELECT rulename FROM pg_rewrite WHERE ev_class = $1 AND ev_type <> '1' ORDER BY 1",
      {pg::Param::OfOid(table.oid)});
  if (rules.empty()) return;
  throw Error(sqlstate::kFeatureNotSupported,
              Cat("triggers of table \"", table.name.ForMessage(), "\" cannot be skipped"))
      .WithDetail(Cat("It has the rule \"", rules[0].Text(0), "\"."))
      .WithHint("Use triggers => 'fire'.");
}

}  // namespace

SkippedTriggers::SkippedTriggers(const std::vector<const catalog::Table*>& tables) {
  std::vector<Oid> oids;
  for (const catalog::Table* table : tables) {
    RequireSkippable(*table);
    oids.push_back(table->oid);
  }
  // While a lock is waited for, a foreign key or a partition may come that brings another table.
  std::set<Oid> locked;
  for (;;) {
    std::set<Oid> wanted(oids.begin(), oids.end());
    for (Oid oid : ForeignKeyCheck::Neighbours(oids))
      wanted.insert(oid);
    for (const pg::Row& row :
         pg::CatalogQuery("SELECT p.relid::oid FROM unnest($1) t, pg_partition_tree(t::regclass) p",
                          {pg::Param::OfOids(oids)})) {
      wanted.insert(row.AsOid(0));
    }
    const size_t before = locked.size();
    for (Oid oid : wanted) {
      if (locked.insert(oid).second) pg::Call([&] { LockRelationOid(oid, ShareRowExclusiveLock); });
    }
    if (locked.size() == before) break;
  }

  check_.emplace(oids);
  for (const pg::Row& row :
       pg::CatalogQuery("WITH tree AS (SELECT p.relid::oid AS relid, p.level FROM unnest($1) t, "
                        "    pg_partition_tree(t::regclass) p UNION SELECT unnest($1), 0) "
                        "SELECT g.tgrelid, g.tgname, g.tgenabled FROM pg_trigger g "
                        "  JOIN tree ON tree.relid = g.tgrelid "
                        "  LEFT JOIN pg_constraint c ON c.oid = g.tgconstraint "
                        "WHERE (g.tgenabled IN ('O', 'R') OR g.tgparentid <> 0) "
                        "  AND (NOT g.tgisinternal OR c.contype = 'f') "
                        "ORDER BY tree.level, g.tgrelid, g.tgname",
                        {pg::Param::OfOids(oids)})) {
    triggers_.push_back({row.AsOid(0), row.Text(1), row.Char(2)});
  }
  // What is done to a trigger of a partitioned table is done to those of its partitions, whatever
  // their own state: that is why these follow, also those that are to stay as they are.
  for (const Trigger& trigger : triggers_)
    Set(trigger, trigger.state == 'A' ? 'A' : 'D');
}

void SkippedTriggers::Set(const Trigger& trigger, char state) const {
  // The triggers of foreign keys are the server's own, which only superusers may touch.
  const pg::UserScope superuser(BOOTSTRAP_SUPERUSERID);
  const char* name = trigger.name.c_str();
  pg::Call([&] {
    Relation rel = table_open(trigger.table, ShareRowExclusiveLock);
    pg::set_trigger_state(rel, name, state, ShareRowExclusiveLock);
    table_close(rel, NoLock);
    CommandCounterIncrement();
  });
}

void SkippedTriggers::Finish() {
  for (const Trigger& trigger : triggers_)
    Set(trigger, trigger.state);
  check_->Run();
}

}  // namespace pgsync::engine
