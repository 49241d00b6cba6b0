// Deferred constraints of tables that were written to.
#pragma once

#include <string>
#include <vector>

#include "pg/guard.h"

namespace pgsync::engine {

/// The deferrable constraints of some tables, and of those that refer to them.
class DeferrableConstraints {
 public:
  explicit DeferrableConstraints(const std::vector<Oid>& tables);

  /// Checks now what is still to be checked of them. Raises the violation. Constraints that are
  /// initially deferred are deferred again afterwards.
  void Check() const;
  /// Defers a constraint. False where another one of that name and schema, which cannot be told
  /// from it, is not deferrable.
  static bool Defer(const std::string& schema, const std::string& name);
  bool empty() const { return all_.empty(); }

 private:
  struct Named {
    std::string schema;
    std::string name;
  };
  static void Set(const std::vector<Named>& constraints, bool deferred);

  std::vector<Named> all_;
  std::vector<Named> initially_deferred_;
};

}  // namespace pgsync::engine
