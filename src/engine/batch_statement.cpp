#include "engine/batch_statement.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
}

namespace pgsync::engine {

namespace {

constexpr Oid kRangeTypes[2] = {INT8OID, INT8OID};

// A batch is small beside its table: rows are looked up by index, one after the other, whatever the
// planner thinks of a table that it has no statistics for yet. Only planning sees these settings.
void set_planner_for_lookups() {
  const char* const off[] = {"enable_hashjoin", "enable_mergejoin", "enable_seqscan",
                             "enable_material", "jit"};
  for (const char* name : off) {
    (void)set_config_option(name, "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                            false);
  }
}

}  // namespace

BatchStatement::~BatchStatement() {
  if (plan_ != nullptr) SPI_freeplan(plan_);
}

void BatchStatement::Prepare() {
  if (sql_.empty()) return;
  pg::Call([&] {
    const int guc_level = NewGUCNestLevel();
    set_planner_for_lookups();
    if (plan_ != nullptr && ++uses_ == good_for_) {
      SPI_freeplan(plan_);
      plan_ = nullptr;
      good_for_ *= 2;
    }
    if (plan_ == nullptr) {
      SPIPlanPtr plan = SPI_prepare_cursor(sql_.c_str(), lengthof(kRangeTypes),
                                           const_cast<Oid*>(kRangeTypes), CURSOR_OPT_GENERIC_PLAN);
      if (plan == nullptr)
        elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
      SPI_keepplan(plan);
      plan_ = plan;
    }
    CachedPlan* planned = SPI_plan_get_cached_plan(plan_);
    if (planned != nullptr) ReleaseCachedPlan(planned, CurrentResourceOwner);
    AtEOXact_GUC(true, guc_level);
  });
}

uint64 BatchStatement::run(int64 first, int64 last) const {
  if (plan_ == nullptr) return 0;
  Datum values[2] = {Int64GetDatum(first), Int64GetDatum(last)};
  const int result = SPI_execute_plan(plan_, values, nullptr, false, 0);
  if (result < 0) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
  return SPI_processed;
}

Datum BatchStatement::value(int64 first, int64 last) const {
  run(first, last);
  bool is_null;
  const Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
  SPI_freetuptable(SPI_tuptable);
  return value;
}

Datum BatchStatement::RunForValue(int64 first, int64 last) {
  Prepare();
  return pg::Call([&] { return value(first, last); });
}

}  // namespace pgsync::engine
