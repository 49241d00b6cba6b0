#include "engine/scan_plan.h"

#include <algorithm>
#include <list>

extern "C" {
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/relcache.h"
}

namespace pgsync::engine {

namespace {

// Each takes 10 to 50 kB.
constexpr size_t kKeptPlans = 32;

struct Kept {
  std::string sql;
  std::vector<Oid> types;
  int options;
  BlockNumber blocks;  // of the table, when it was planned
  std::shared_ptr<const ScanPlan> plan;
};

// The last one used comes first. Never destroyed: there is no server left at exit() to free plans.
std::list<Kept>& KeptPlans() {
  static auto* plans = new std::list<Kept>;
  return *plans;
}

// 0 for what has none of its own.
BlockNumber BlocksOf(Oid table) {
  return pg::Call([&]() -> BlockNumber {
    Relation rel = RelationIdGetRelation(table);
    if (rel == nullptr) return 0;
    const bool stored = RELKIND_HAS_TABLE_AM(rel->rd_rel->relkind);
    const BlockNumber blocks = stored ? RelationGetNumberOfBlocks(rel) : 0;
    RelationClose(rel);
    return blocks;
  });
}

bool IsOfSize(BlockNumber planned, BlockNumber now) {
  constexpr uint64 kSmallest = 10;  // that the planner takes a table to be
  const uint64 a = std::max<uint64>(planned, kSmallest), b = std::max<uint64>(now, kSmallest);
  return a <= 2 * b && b <= 2 * a;
}

}  // namespace

ScanPlan::ScanPlan(const std::string& sql, const std::vector<Oid>& types, int options, bool keep) {
  const char* const text = sql.c_str();
  auto* const first = const_cast<Oid*>(types.data());
  const auto count = static_cast<int>(types.size());
  if (keep) options |= CURSOR_OPT_GENERIC_PLAN;
  plan_ = pg::Call([&] {
    SPIPlanPtr plan = SPI_prepare_cursor(text, count, first, options);
    if (plan == nullptr) elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
    if (keep) SPI_keepplan(plan);
    return plan;
  });
}

ScanPlan::~ScanPlan() {
  SPI_freeplan(plan_);
}

// Who is in the middle of a scan by a plan that is thrown out here holds on to it: a function that
// the scan calls may have come here again.
std::shared_ptr<const ScanPlan> KeptPlan(const std::string& sql, const std::vector<Oid>& types,
                                         int options, Oid table) {
  std::list<Kept>& plans = KeptPlans();
  const BlockNumber blocks = BlocksOf(table);
  const auto found = std::find_if(plans.begin(), plans.end(), [&](const Kept& kept) {
    return kept.sql == sql && kept.types == types && kept.options == options;
  });
  if (found != plans.end()) {
    plans.splice(plans.begin(), plans, found);
    if (IsOfSize(found->blocks, blocks)) return found->plan;
    plans.pop_front();
  }
  plans.push_front(
      {sql, types, options, blocks, std::make_shared<const ScanPlan>(sql, types, options, true)});
  if (plans.size() > kKeptPlans) plans.pop_back();
  return plans.front().plan;
}

}  // namespace pgsync::engine
