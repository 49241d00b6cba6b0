#include "engine/constraints.h"

#include "pg/query.h"

extern "C" {
#include "commands/trigger.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
}

namespace pgsync::engine {

void DeferrableConstraints::Set(const std::vector<Named>& constraints, bool deferred) {
  if (constraints.empty()) return;
  const Named* first = constraints.data();
  const size_t count = constraints.size();
  pg::Call([&] {
    ConstraintsSetStmt* statement = makeNode(ConstraintsSetStmt);
    statement->deferred = deferred;
    for (size_t i = 0; i < count; i++) {
      statement->constraints = lappend(
          statement->constraints,
          makeRangeVar(pstrdup(first[i].schema.c_str()), pstrdup(first[i].name.c_str()), -1));
    }
    AfterTriggerSetState(statement);
  });
}

DeferrableConstraints::DeferrableConstraints(const std::vector<Oid>& tables) {
  for (const pg::Row& row : pg::CatalogQuery(
           "SELECT DISTINCT n.nspname, c.conname, c.condeferred FROM pg_constraint c "
           "JOIN pg_namespace n ON n.oid = c.connamespace "
           "WHERE c.condeferrable AND (c.conrelid = ANY ($1) OR c.confrelid = ANY ($1))",
           {pg::Param::OfOids(tables)})) {
    all_.push_back({row.Text(0), row.Text(1)});
    if (row.Bool(2)) initially_deferred_.push_back(all_.back());
  }
}

bool DeferrableConstraints::Defer(const std::string& schema, const std::string& name) {
  const auto others = pg::CatalogQuery(
      "SELECT FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace "
      "WHERE n.nspname = $1 AND c.conname = $2 AND NOT c.condeferrable",
      {pg::Param::OfName(schema), pg::Param::OfName(name)});
  if (!others.empty()) return false;
  Set({{schema, name}}, true);
  return true;
}

void DeferrableConstraints::Check() const {
  Set(all_, false);
  // One that shares its name with a constraint that is not deferrable stays immediate for the rest
  // of the transaction: SET CONSTRAINTS cannot tell them apart.
  for (const Named& constraint : initially_deferred_)
    (void)Defer(constraint.schema, constraint.name);
}

}  // namespace pgsync::engine
