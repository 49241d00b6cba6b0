#include "engine/batch_reader.h"

#include "pg/query.h"

namespace pgsync::engine {

namespace {
// As many rows as an error message should list.
constexpr size_t kListed = 5;

StatementOptions Overwriting() {
  StatementOptions options;
  options.strategy = Strategy::kOverwrite;
  return options;
}
}  // namespace

BatchCounter::BatchCounter(const catalog::Table& target, const std::vector<size_t>& columns,
                           const ApplyOptions& options, ApplyCounts& counts)
    : BatchCounter(target, BatchColumns{columns, options.carried}.All(),
                   BuildApplyStatements(target, columns, options), counts) {}

BatchCounter::BatchCounter(const catalog::Table& target, const std::vector<size_t>& columns,
                           ApplyStatements statements, ApplyCounts& counts)
    : StoringSink(kIncomingRelation, target, BatchColumns{columns, {}}),
      counts_(counts),
      count_new_(std::move(statements.count_new)),
      count_changed_(std::move(statements.count_changed)) {}

void BatchCounter::Apply() {
  if (pending() == 0) return;
  pg::WithSpi([&] {
    incoming_.Register();
    const int64 created = DatumGetInt64(count_new_.RunForValue(1, incoming_.last()));
    const int64 updated =
        count_changed_.empty() ? 0 : DatumGetInt64(count_changed_.RunForValue(1, incoming_.last()));
    counts_.created += created;
    counts_.updated += updated;
    counts_.skipped += pending() - created - updated;
  });
  incoming_.Clear();
}

BatchVerifier::BatchVerifier(const catalog::Table& target, const std::vector<size_t>& columns,
                             Unequal& unequal)
    : BatchVerifier(target, columns, BuildApplyStatements(target, columns, Overwriting()),
                    unequal) {}

BatchVerifier::BatchVerifier(const catalog::Table& target, const std::vector<size_t>& columns,
                             ApplyStatements statements, Unequal& unequal)
    : StoringSink(kIncomingRelation, target, BatchColumns{columns, {}}),
      unequal_(unequal),
      count_unequal_(std::move(statements.count_unequal)),
      unequal_keys_(std::move(statements.unequal_keys)) {}

void BatchVerifier::Apply() {
  if (pending() == 0) return;
  pg::WithSpi([&] {
    incoming_.Register();
    const int64 rows = DatumGetInt64(count_unequal_.RunForValue(1, incoming_.last()));
    unequal_.rows += rows;
    if (rows == 0 || unequal_.keys.size() >= kListed) return;
    unequal_keys_.Prepare();
    const uint64 found = pg::Call([&] { return unequal_keys_.run(1, incoming_.last()); });
    for (uint64 i = 0; i < found && unequal_.keys.size() < kListed; i++) {
      unequal_.keys.emplace_back(
          pg::Call([&] { return SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1); }));
    }
  });
  incoming_.Clear();
}

}  // namespace pgsync::engine
