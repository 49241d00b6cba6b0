#include "engine/batch_applier.h"

#include "core/text.h"
#include "pg/query.h"
#include "pg/subxact.h"

extern "C" {
#include "access/xact.h"
}

namespace pgsync::engine {

namespace {

// How large a batch may become before it spills to a file, in kB. One row may be larger.
constexpr int kBatchMemory = 16 * 1024;
// How often a row is tried again whose key turned up in the table between two statements.
constexpr int kRounds = 3;

}  // namespace

BatchApplier::BatchApplier(const catalog::Table& target, const std::vector<size_t>& columns,
                           const ApplyOptions& options, RowErrors& errors, ApplyCounts& counts)
    : BatchApplier(target, columns, options,
                   BuildApplyStatements(target, columns, options.strategy, options.may_repeat_keys),
                   errors, counts) {}

BatchApplier::BatchApplier(const catalog::Table& target, const std::vector<size_t>& columns,
                           const ApplyOptions& options, ApplyStatements statements,
                           RowErrors& errors, ApplyCounts& counts)
    : target_(target),
      strategy_(options.strategy),
      errors_(errors),
      counts_(counts),
      update_(std::move(statements.update)),
      insert_(std::move(statements.insert)),
      key_json_(std::move(statements.key_json)),
      exists_(std::move(statements.exists)),
      incoming_(kIncomingRelation, target, columns, kBatchMemory) {
  if (options.check_deferred) {
    deferred_.emplace(std::vector<Oid>{target.oid});
    if (deferred_->empty()) deferred_.reset();
  }
}

void BatchApplier::put_row(int64 position, Datum* values, bool* nulls) {
  incoming_.put(position, values, nulls);
  if (incoming_.rows() == 1) first_ = position;
  last_ = position;
}

void BatchApplier::Apply() {
  if (pending() == 0) return;
  pg::WithSpi([&] {
    incoming_.Register();
    update_.Prepare();
    insert_.Prepare();
    const int64 errors_before = errors_.count();
    const int64 written_before = counts_.created + counts_.updated;
    ApplyRange(first_, last_);
    counts_.skipped += pending() - (errors_.count() - errors_before) -
                       (counts_.created + counts_.updated - written_before);
  });
  incoming_.Clear();
}

void BatchApplier::Execute(int64 first, int64 last) {
  struct {
    uint64 updated;
    uint64 created;
  } done = pg::Call([&] {
    decltype(done) written = {0, 0};
    written.updated = update_.run(first, last);
    written.created = insert_.run(first, last);
    return written;
  });
  if (deferred_) deferred_->Check();
  counts_.updated += static_cast<int64>(done.updated);
  counts_.created += static_cast<int64>(done.created);
}

void BatchApplier::ApplyRange(int64 first, int64 last) {
  pg::CheckInterrupts();
  const ApplyCounts before = counts_;
  try {
    pg::InSubXact([&] { Execute(first, last); });
    return;
  } catch (const pg::PgError& error) {
    counts_ = before;
    if (!IsRowError(error)) throw;
  }
  if (first == last) {
    ApplyOne(first);
  } else {
    const int64 middle = first + (last - first) / 2;
    ApplyRange(first, middle);
    ApplyRange(middle + 1, last);
  }
}

void BatchApplier::ApplyOne(int64 position) {
  for (int round = 1;; round++) {
    const ApplyCounts before = counts_;
    try {
      pg::InSubXact([&] { Execute(position, position); });
      return;
    } catch (const pg::PgError& error) {
      counts_ = before;
      if (!IsRowError(error)) throw;
      // Another transaction may have inserted the key after this statement had looked for it. Read
      // again; a snapshot that cannot see the row will never get any further.
      const catalog::Key* key = MatchKey(target_, strategy_);
      const bool met_its_key = error.state() == core::sqlstate::kUniqueViolation &&
                               key != nullptr && error.constraint() == key->name;
      if (met_its_key && !exists_.empty()) {
        const bool visible = KeyExists(position);
        if (visible && round < kRounds) continue;
        if (visible || IsolationUsesXactSnapshot()) {
          throw core::Error(core::sqlstate::kSerializationFailure,
                            "could not write a row because of concurrent changes")
              .WithDetail(error.detail())
              .WithHint("Run the statement again in a new transaction.");
        }
      }
      RowError row = RowError::Of(error, position);
      row.key = KeyOf(position);
      errors_.Add(std::move(row));
      return;
    }
  }
}

bool BatchApplier::KeyExists(int64 position) {
  return DatumGetBool(exists_.RunForValue(position, position));
}

std::optional<std::string> BatchApplier::KeyOf(int64 position) {
  if (key_json_.empty()) return std::nullopt;
  key_json_.Prepare();
  const char* text = pg::Call([&]() -> const char* {
    if (key_json_.run(position, position) == 0) return nullptr;
    return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
  });
  return text != nullptr ? std::optional<std::string>(text) : std::nullopt;
}

}  // namespace pgsync::engine
