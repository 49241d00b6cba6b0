// Plans of scans, some of them kept from call to call: to plan a page of a few hundred rows takes
// longer than to read it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pg/guard.h"

extern "C" {
#include "executor/spi.h"
}

namespace pgsync::engine {

/// A statement's plan. It goes with the object.
class ScanPlan {
 public:
  /// SPI must be connected. `types` are those of the parameters, `options` those of
  /// SPI_prepare_cursor(). A plan to `keep` outlives the SPI connection and is generic.
  ScanPlan(const std::string& sql, const std::vector<Oid>& types, int options, bool keep);
  ~ScanPlan();
  ScanPlan(const ScanPlan&) = delete;
  ScanPlan& operator=(const ScanPlan&) = delete;

  SPIPlanPtr get() const { return plan_; }

 private:
  SPIPlanPtr plan_;
};

/// The backend's kept plan for a statement over one table, or a new one that is kept now. The
/// server itself makes it anew when anything has changed that it depends on: definitions, roles,
/// policies. Here that is done when the table has become much larger or smaller, of which nobody
/// tells the server before the next ANALYZE.
std::shared_ptr<const ScanPlan> KeptPlan(const std::string& sql, const std::vector<Oid>& types,
                                         int options, Oid table);

}  // namespace pgsync::engine
