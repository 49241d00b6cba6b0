#include "engine/batch_applier.h"

#include "core/text.h"
#include "pg/query.h"
#include "pg/subxact.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
}

namespace pgsync::engine {

namespace {

// How large a batch may become before it spills to a file, in kB. One row may be larger.
constexpr int kBatchMemory = 16 * 1024;
// How often a row is tried again whose key turned up in the table between two statements.
constexpr int kRounds = 3;

constexpr Oid kRangeTypes[2] = {INT8OID, INT8OID};

// A batch is small beside its table: rows are looked up by index, one after the other, whatever the
// planner thinks of a table that it has no statistics for yet. Only planning sees these settings.
void set_planner_for_lookups() {
  const char* const off[] = {"enable_hashjoin", "enable_mergejoin", "enable_seqscan", "jit"};
  for (const char* name : off) {
    (void)set_config_option(name, "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                            false);
  }
}

int run_plan(SPIPlanPtr plan, int64 first, int64 last) {
  Datum values[2] = {Int64GetDatum(first), Int64GetDatum(last)};
  const int result = SPI_execute_plan(plan, values, nullptr, false, 0);
  if (result < 0) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
  return result;
}

}  // namespace

BatchApplier::BatchApplier(const catalog::Table& target, std::vector<size_t> columns,
                           const ApplyOptions& options, RowErrors& errors, ApplyCounts& counts)
    : target_(target),
      strategy_(options.strategy),
      errors_(errors),
      counts_(counts),
      context_("sync batch") {
  if (options.check_deferred) {
    deferred_.emplace(std::vector<Oid>{target.oid});
    if (deferred_->empty()) deferred_.reset();
  }
  ApplyStatements statements =
      BuildApplyStatements(target, columns, options.strategy, options.may_repeat_keys);
  update_.sql = std::move(statements.update);
  insert_.sql = std::move(statements.insert);
  key_json_.sql = std::move(statements.key_json);
  exists_.sql = std::move(statements.exists);

  const size_t* positions = columns.data();
  const int count = static_cast<int>(columns.size());
  const catalog::Column* all = target.columns.data();
  pg::Call([&] {
    const MemoryContext saved = MemoryContextSwitchTo(context_.get());
    desc_ = CreateTemplateTupleDesc(count + 1);
    TupleDescInitEntry(desc_, 1, "n", INT8OID, -1, 0);
    for (int i = 0; i < count; i++) {
      const catalog::Column& column = all[positions[i]];
      TupleDescInitEntry(desc_, static_cast<AttrNumber>(i + 2), psprintf("c%d", i), column.type,
                         column.typmod, 0);
      TupleDescInitEntryCollation(desc_, static_cast<AttrNumber>(i + 2), column.collation);
    }
    row_values_ = static_cast<Datum*>(palloc(sizeof(Datum) * (count + 1)));
    row_nulls_ = static_cast<bool*>(palloc(sizeof(bool) * (count + 1)));
    MemoryContextSwitchTo(saved);
  });
}

BatchApplier::~BatchApplier() {
  for (Statement* statement : {&update_, &insert_, &key_json_, &exists_}) {
    if (statement->plan != nullptr) SPI_freeplan(statement->plan);
  }
  // A batch that is still there belongs to an error: the end of the (sub)transaction closes its
  // files, the memory goes with the context.
}

void BatchApplier::begin_batch() {
  const MemoryContext saved = MemoryContextSwitchTo(context_.get());
  incoming_ = tuplestore_begin_heap(true, false, kBatchMemory);
  MemoryContextSwitchTo(saved);
}

void BatchApplier::put_row(int64 position, Datum* values, bool* nulls) {
  if (incoming_ == nullptr) begin_batch();
  const int count = desc_->natts - 1;
  row_values_[0] = Int64GetDatum(position);
  row_nulls_[0] = false;
  memcpy(row_values_ + 1, values, sizeof(Datum) * count);
  memcpy(row_nulls_ + 1, nulls, sizeof(bool) * count);
  tuplestore_putvalues(incoming_, desc_, row_values_, row_nulls_);
  if (pending_++ == 0) first_ = position;
  last_ = position;
}

void BatchApplier::register_incoming() {
  auto* relation = static_cast<EphemeralNamedRelation>(palloc0(sizeof(EphemeralNamedRelationData)));
  relation->md.name = pstrdup(kIncomingRelation);
  relation->md.reliddesc = InvalidOid;
  relation->md.tupdesc = desc_;
  relation->md.enrtype = ENR_NAMED_TUPLESTORE;
  relation->md.enrtuples = static_cast<double>(pending_);
  relation->reldata = incoming_;
  const int result = SPI_register_relation(relation);
  if (result != SPI_OK_REL_REGISTER) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
}

void BatchApplier::Prepare(Statement& statement) {
  if (statement.sql.empty()) return;
  pg::Call([&] {
    const int guc_level = NewGUCNestLevel();
    set_planner_for_lookups();
    if (statement.plan == nullptr) {
      SPIPlanPtr plan = SPI_prepare_cursor(statement.sql.c_str(), lengthof(kRangeTypes),
                                           const_cast<Oid*>(kRangeTypes), CURSOR_OPT_GENERIC_PLAN);
      if (plan == nullptr)
        elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
      SPI_keepplan(plan);
      statement.plan = plan;
    }
    // Plans now, or again after an invalidation, so that execution finds the plan made.
    CachedPlan* planned = SPI_plan_get_cached_plan(statement.plan);
    if (planned != nullptr) ReleaseCachedPlan(planned, CurrentResourceOwner);
    AtEOXact_GUC(true, guc_level);
  });
}

void BatchApplier::PrepareAll() {
  Prepare(update_);
  Prepare(insert_);
}

void BatchApplier::Apply() {
  if (pending_ == 0) return;
  pg::WithSpi([&] {
    pg::Call([&] { register_incoming(); });
    PrepareAll();
    const int64 errors_before = errors_.count();
    const int64 written_before = counts_.created + counts_.updated;
    ApplyRange(first_, last_);
    counts_.skipped += pending_ - (errors_.count() - errors_before) -
                       (counts_.created + counts_.updated - written_before);
  });
  pg::Call([&] { tuplestore_end(incoming_); });
  incoming_ = nullptr;
  pending_ = 0;
}

void BatchApplier::Execute(int64 first, int64 last) {
  struct {
    uint64 updated;
    uint64 created;
  } done = pg::Call([&] {
    decltype(done) written = {0, 0};
    if (update_.plan != nullptr) {
      run_plan(update_.plan, first, last);
      written.updated = SPI_processed;
    }
    run_plan(insert_.plan, first, last);
    written.created = SPI_processed;
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
      if (met_its_key && !exists_.sql.empty()) {
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
  Prepare(exists_);
  return pg::Call([&] {
    run_plan(exists_.plan, position, position);
    bool is_null;
    return DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
  });
}

std::optional<std::string> BatchApplier::KeyOf(int64 position) {
  if (key_json_.sql.empty()) return std::nullopt;
  Prepare(key_json_);
  const char* text = pg::Call([&]() -> const char* {
    run_plan(key_json_.plan, position, position);
    if (SPI_processed == 0) return nullptr;
    return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
  });
  return text != nullptr ? std::optional<std::string>(text) : std::nullopt;
}

}  // namespace pgsync::engine
