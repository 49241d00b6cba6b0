// The order in which tables are loaded, and what is done about foreign keys that leave none.
#pragma once

#include <string>
#include <vector>

#include "catalog/table.h"

namespace pgsync::engine {

/// What the order needs to know of a table.
struct OrderedTable {
  const catalog::Table* table = nullptr;
  /// Positions of the columns that come.
  std::vector<size_t> columns;
  /// Rows get new keys here (strategy append): what refers to them has to wait for these, and no
  /// deferring of a constraint helps.
  bool new_keys = false;
  /// Rows may be found here under other keys: what refers to them had better wait for these too.
  bool found_keys = false;
};

struct LoadOrderOptions {
  bool online = false;  ///< no lock beyond ROW EXCLUSIVE may be taken
  /// The triggers of foreign keys do not fire anyway; only new keys matter.
  bool unchecked = false;
};

/// Orders tables by their foreign keys. Where these form cycles, the ways out are tried in this
/// order: constraints that are deferrable are deferred; constraints of tables that the current user
/// owns are made deferrable until Restore(); columns that may be null are filled in afterwards.
class LoadOrder {
 public:
  /// Decides, and locks and defers what it has to. The tables must outlive the object.
  LoadOrder(const std::vector<OrderedTable>& tables, const LoadOrderOptions& options);

  /// Indexes into the tables, referenced ones first.
  const std::vector<size_t>& order() const { return order_; }
  /// For each table, positions of the columns that are to be filled in when all rows are there.
  const std::vector<std::vector<size_t>>& late() const { return late_; }
  /// For each table the cycle that nothing could be done about, as text; mostly empty.
  const std::vector<std::string>& unresolved() const { return unresolved_; }
  /// For each table whether it is in a cycle, or refers to itself.
  const std::vector<bool>& in_cycle() const { return in_cycle_; }

  /// Undoes what was done to constraints. Nothing of them may then be left to be checked.
  void Restore() const;

 private:
  struct Edge {
    size_t from;
    size_t to;
    const catalog::ForeignKey* key;
    bool needs_new_keys;
    bool follows_found;
    bool resolved = false;
  };
  void FindEdges(bool unchecked);
  std::vector<std::vector<size_t>> Groups() const;
  std::vector<Edge*> CyclicEdges();
  /// Tries to resolve one edge after the other until no cycle is left, or none can be resolved.
  template <typename Resolve>
  void TryEach(Resolve resolve);
  bool Defer(const Edge& edge) const;
  bool MakeDeferrable(const Edge& edge, bool wait);
  bool FillInLater(const Edge& edge);

  const std::vector<OrderedTable>& tables_;
  std::vector<Edge> edges_;
  std::vector<size_t> order_;
  std::vector<std::vector<size_t>> late_;
  std::vector<std::string> unresolved_;
  std::vector<bool> in_cycle_;
  std::vector<const catalog::ForeignKey*> altered_;
};

}  // namespace pgsync::engine
