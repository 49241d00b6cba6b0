#include "engine/load_order.h"

#include <algorithm>

#include "core/dependency_order.h"
#include "core/text.h"
#include "engine/constraints.h"
#include "pg/compat.h"
#include "pg/query.h"

extern "C" {
#include "access/table.h"
#include "access/xact.h"
#include "commands/tablecmds.h"
#include "commands/trigger.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
}

namespace pgsync::engine {

using catalog::ForeignKey;

namespace {

// As ALTER TABLE ... ALTER CONSTRAINT does; the caller has been found to own the table.
void alter_constraint(Oid table, const char* name, bool deferrable) {
  auto* constraint = makeNode(Constraint);
  constraint->contype = CONSTR_FOREIGN;
  constraint->conname = pstrdup(name);
  constraint->deferrable = deferrable;
  constraint->initdeferred = deferrable;
  auto* command = makeNode(AlterTableCmd);
  command->subtype = AT_AlterConstraint;
  command->def = reinterpret_cast<Node*>(constraint);
  AlterTableInternal(table, list_make1(command), false);
  CommandCounterIncrement();
}

// Nothing of this transaction is about to use, or to check, the table. For leaves.
bool is_unused(Oid table) {
  Relation rel = table_open(table, NoLock);
  const bool unused = rel->rd_refcnt == 1 && !AfterTriggerPendingOnRel(table);
  table_close(rel, NoLock);
  return unused;
}

}  // namespace

LoadOrder::LoadOrder(const std::vector<OrderedTable>& tables, const LoadOrderOptions& options)
    : tables_(tables),
      late_(tables.size()),
      unresolved_(tables.size()),
      in_cycle_(tables.size(), false) {
  FindEdges(options.unchecked);
  for (const Edge* edge : CyclicEdges())
    in_cycle_[edge->from] = in_cycle_[edge->to] = true;
  TryEach([&](const Edge& edge) { return edge.follows_found && FillInLater(edge); });
  if (options.unchecked) TryEach([&](const Edge& edge) { return edge.follows_found; });
  TryEach([&](const Edge& edge) { return Defer(edge); });
  if (!options.online) TryEach([&](const Edge& edge) { return MakeDeferrable(edge, false); });
  TryEach([&](const Edge& edge) { return FillInLater(edge); });
  if (!options.online) TryEach([&](const Edge& edge) { return MakeDeferrable(edge, true); });

  for (const auto& group : Groups())
    order_.insert(order_.end(), group.begin(), group.end());
  for (const Edge* edge : CyclicEdges()) {
    std::string& text = unresolved_[edge->from];
    text += core::Cat(text.empty() ? "" : ", ", "\"", edge->key->name, "\" to table \"",
                      tables_[edge->to].table->name.ForMessage(), "\"");
  }
}

void LoadOrder::FindEdges(bool unchecked) {
  for (size_t i = 0; i < tables_.size(); i++) {
    for (const ForeignKey& key : tables_[i].table->foreign_keys) {
      for (size_t j = 0; j < tables_.size(); j++) {
        const catalog::Table& referenced = *tables_[j].table;
        if (referenced.oid != key.referenced) continue;
        const bool by_new_keys =
            tables_[j].new_keys &&
            std::any_of(key.referenced_columns.begin(), key.referenced_columns.end(),
                        [&](const std::string& column) {
                          return referenced.IsPrimaryKeyColumn(referenced.PositionOf(column));
                        });
        // A key that nothing checks asks for no order, but keeping to it does no harm.
        Edge edge{i, j, &key, by_new_keys, tables_[j].found_keys && !by_new_keys};
        edge.resolved = unchecked && !by_new_keys && !edge.follows_found && i == j;
        edges_.push_back(edge);
      }
    }
  }
  if (!unchecked) return;
  for (Edge* edge : CyclicEdges())
    edge->resolved = edge->resolved || !(edge->needs_new_keys || edge->follows_found);
}

std::vector<std::vector<size_t>> LoadOrder::Groups() const {
  std::vector<std::vector<size_t>> references(tables_.size());
  for (const Edge& edge : edges_) {
    if (!edge.resolved) references[edge.from].push_back(edge.to);
  }
  return core::DependencyOrder(references);
}

std::vector<LoadOrder::Edge*> LoadOrder::CyclicEdges() {
  std::vector<size_t> group_of(tables_.size());
  const auto groups = Groups();
  for (size_t i = 0; i < groups.size(); i++) {
    for (size_t table : groups[i])
      group_of[table] = i;
  }
  std::vector<Edge*> cyclic;
  for (Edge& edge : edges_) {
    if (!edge.resolved && group_of[edge.from] == group_of[edge.to]) cyclic.push_back(&edge);
  }
  return cyclic;
}

template <typename Resolve>
void LoadOrder::TryEach(Resolve resolve) {
  std::vector<const Edge*> tried;
  for (;;) {
    const std::vector<Edge*> cyclic = CyclicEdges();
    const auto next = std::find_if(cyclic.begin(), cyclic.end(), [&](const Edge* edge) {
      return std::find(tried.begin(), tried.end(), edge) == tried.end();
    });
    if (next == cyclic.end()) return;
    tried.push_back(*next);
    (*next)->resolved = resolve(**next);
  }
}

bool LoadOrder::Defer(const Edge& edge) const {
  return !edge.needs_new_keys && edge.key->deferrable &&
         DeferrableConstraints::Defer(edge.key->schema, edge.key->name);
}

bool LoadOrder::MakeDeferrable(const Edge& edge, bool wait) {
  if (edge.needs_new_keys || edge.key->deferrable || edge.key->inherited) return false;
  const Oid table = edge.key->referencing;
  const char* name = edge.key->name.c_str();
  const bool done = pg::Call([&] {
    if (!pg::owns_table(table, GetUserId())) return false;
    if (wait) {
      LockRelationOid(table, ShareRowExclusiveLock);
    } else if (!ConditionalLockRelationOid(table, ShareRowExclusiveLock)) {
      return false;
    }
    if (!is_unused(table)) return false;
    alter_constraint(table, name, true);
    return true;
  });
  if (!done) return false;
  altered_.push_back(edge.key);
  // It is so from the start, but for a caller who has said SET CONSTRAINTS ALL IMMEDIATE.
  (void)DeferrableConstraints::Defer(edge.key->schema, edge.key->name);
  return true;
}

bool LoadOrder::FillInLater(const Edge& edge) {
  const OrderedTable& from = tables_[edge.from];
  const catalog::Table& table = *from.table;
  // The row that is to be filled in has to be found again.
  if (!table.row_key) return false;
  const auto comes = [&](size_t position) {
    return std::find(from.columns.begin(), from.columns.end(), position) != from.columns.end();
  };
  for (size_t position : table.row_key->columns) {
    if (!comes(position)) return false;
  }
  std::vector<size_t> nullable;
  for (const std::string& column : edge.key->columns) {
    const size_t position = table.PositionOf(column);
    if (position == table.columns.size()) return false;
    if (!table.columns[position].not_null && !table.IsKeyColumn(position) && comes(position))
      nullable.push_back(position);
  }
  if (nullable.empty()) return false;
  const bool whole = edge.needs_new_keys || edge.follows_found || edge.key->match_full;
  if (whole && nullable.size() < edge.key->columns.size()) return false;
  std::vector<size_t>& late = late_[edge.from];
  for (size_t position : nullable) {
    if (std::find(late.begin(), late.end(), position) == late.end()) late.push_back(position);
  }
  return true;
}

void LoadOrder::Restore() const {
  for (const ForeignKey* key : altered_) {
    const Oid table = key->referencing;
    const char* name = key->name.c_str();
    pg::Call([&] { alter_constraint(table, name, false); });
  }
}

}  // namespace pgsync::engine
