#include "engine/batch_applier.h"

#include <algorithm>

#include "core/text.h"
#include "pg/query.h"
#include "pg/subxact.h"

extern "C" {
#include "access/xact.h"
}

namespace pgsync::engine {

namespace {

// How often a row is tried again whose key turned up in the table between two statements.
constexpr int kRounds = 3;

// The batch has to be taken in smaller parts.
struct KeysUnknown {};

}  // namespace

BatchApplier::BatchApplier(const catalog::Table& target, const std::vector<size_t>& columns,
                           const ApplyOptions& options, RowErrors& errors, ApplyCounts& counts)
    : BatchApplier(target, columns, options, BuildApplyStatements(target, columns, options), errors,
                   counts) {}

BatchApplier::BatchApplier(const catalog::Table& target, const std::vector<size_t>& columns,
                           const ApplyOptions& options, ApplyStatements statements,
                           RowErrors& errors, ApplyCounts& counts)
    : StoringSink(kIncomingRelation, target, BatchColumns{columns, options.carried}),
      target_(target),
      strategy_(options.strategy),
      errors_(errors),
      counts_(counts),
      update_(std::move(statements.update)),
      insert_(std::move(statements.insert)),
      insert_all_(std::move(statements.insert_all)),
      key_json_(std::move(statements.key_json)),
      exists_(std::move(statements.exists)),
      identity_(std::move(statements.identity)),
      replace_(std::move(statements.replace)),
      touched_(std::move(statements.touched)),
      late_rows_(options.late_rows),
      key_map_(options.key_map),
      failed_rows_(options.failed_rows),
      postponed_(RowStore::Like{incoming_}),
      // Where nothing that is there ever changes, nothing gets out of a row's way.
      may_postpone_(!update_.empty()) {
  if (late_rows_ != nullptr) late_pending_.emplace(RowStore::Like{late_rows_->rows()});
  if (key_map_ != nullptr) keys_pending_.emplace(RowStore::Like{key_map_->rows()});
  if (options.check_deferred) {
    deferred_.emplace(std::vector<Oid>{target.oid});
    if (deferred_->empty()) deferred_.reset();
  }
}

// Runs `body` over rows that the statements can see, counts what it neither wrote nor refused nor
// put aside, and lets the rows go.
template <typename Body>
void BatchApplier::WithRows(RowStore& rows, Body body) {
  pg::WithSpi([&] {
    rows.Register();
    shown_ = &rows;
    touched_.Prepare();
    update_.Prepare();
    insert_.Prepare();
    identity_.Prepare();
    if (may_be_all_new(rows)) {
      exists_.Prepare();
      insert_all_.Prepare();
    }
    const auto dealt_with = [&] {
      return counts_.created + counts_.updated + errors_.count() + postponed_.rows();
    };
    const int64 before = dealt_with();
    body();
    // A trigger that gives a row another key makes it one that is updated and then inserted too.
    counts_.skipped += std::max<int64>(0, rows.rows() - (dealt_with() - before));
  });
  shown_ = nullptr;
  rows.Clear();
}

void BatchApplier::Apply() {
  if (pending() == 0) return;
  WithRows(incoming_, [&] { ApplyRows(incoming_, false); });
}

void BatchApplier::Settle() {
  if (postponed_.rows() == 0) return;
  RowStore rows(RowStore::Like{incoming_});
  postponed_.Split(&rows, nullptr);
  postponed_.Clear();
  WithRows(rows, [&] { ApplyRows(rows, true); });
  if (postponed_.rows() == 0) return;
  postponed_.Split(&rows, nullptr);
  postponed_.Clear();
  may_postpone_ = false;
  const bool may_replace = MayReplace();
  WithRows(rows, [&] {
    if (!may_replace || !ReplaceAll(rows)) ApplyRows(rows, true);
  });
}

// Whether it pays to ask if any row of the batch exists. For a few it takes longer to plan.
bool BatchApplier::may_be_all_new(const RowStore& rows) const {
  constexpr int64 kMany = 100;
  return !insert_all_.empty() && rows.rows() >= kMany;
}

// Part of the leaf.
void BatchApplier::require_same_identity(const RowStore& rows) {
  if (identity_.run(rows.first(), rows.last()) > 0) {
    ereport(ERROR, (errcode(ERRCODE_GENERATED_ALWAYS),
                    errmsg("identity column \"%s\" of an existing row cannot be changed",
                           SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)),
                    errdetail("It is GENERATED ALWAYS, and the incoming value differs.")));
  }
  SPI_freetuptable(SPI_tuptable);
}

// Notes what the statements are about to write: the rows' keys as they came and as they are now,
// and the values that are to be filled in. Part of the leaf.
void BatchApplier::note_keys(SPITupleTable* touched, uint64 count, SPITupleTable* returned) {
  const int keys = static_cast<int>(target_.row_key->columns.size());
  const int late = late_rows_ != nullptr ? static_cast<int>(late_rows_->columns().size()) : 0;
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (2 * keys + late)));
  auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * (2 * keys + late)));
  // As they came, as they are, what is late: the last two are what is filled in.
  for (uint64 i = 0; i < count; i++) {
    bool is_null;
    const int64 n = DatumGetInt64(SPI_getbinval(touched->vals[i], touched->tupdesc, 1, &is_null));
    for (int k = 0; k < 2 * keys + late; k++)
      values[k] = SPI_getbinval(touched->vals[i], touched->tupdesc, k + 2, &nulls[k]);
    for (int k = 0; k < keys && returned != nullptr; k++) {
      values[keys + k] =
          SPI_getbinval(returned->vals[i], returned->tupdesc, k + 1, &nulls[keys + k]);
    }
    if (keys_pending_) keys_pending_->put(n, values, nulls);
    if (late_pending_) late_pending_->put(n, values + keys, nulls + keys);
  }
}

// Executes in a subtransaction.
void BatchApplier::Try(RowStore& rows, BatchStatement& existing) {
  const ApplyCounts before = counts_;
  try {
    pg::InSubXact([&] { Execute(rows, existing); });
  } catch (...) {
    counts_ = before;
    if (late_pending_) late_pending_->Clear();
    if (keys_pending_) keys_pending_->Clear();
    throw;
  }
  if (late_pending_) late_rows_->rows().Take(*late_pending_);
  if (keys_pending_) key_map_->rows().Take(*keys_pending_);
}

void BatchApplier::Execute(RowStore& rows, BatchStatement& existing) {
  struct {
    uint64 updated;
    uint64 created;
    bool keys_known;
  } done = pg::Call([&] {
    decltype(done) written = {0, 0, true};
    shown_->show(rows);
    if (!identity_.empty()) require_same_identity(rows);
    const uint64 touched = touched_.run(rows.first(), rows.last());
    SPITupleTable* const touched_rows = touched_.empty() ? nullptr : SPI_tuptable;
    if (&existing == &update_ && may_be_all_new(rows) &&
        !DatumGetBool(exists_.value(rows.first(), rows.last()))) {
      written.created = insert_all_.run(rows.first(), rows.last());
    } else {
      written.updated = existing.run(rows.first(), rows.last());
      written.created = insert_.run(rows.first(), rows.last());
    }
    // A trigger that drops rows leaves no telling which of the others has which key.
    written.keys_known = key_map_ == nullptr || written.created == touched;
    if (touched_rows != nullptr && written.keys_known)
      note_keys(touched_rows, touched, key_map_ != nullptr ? SPI_tuptable : nullptr);
    SPI_freetuptable(touched_rows);
    return written;
  });
  if (!done.keys_known && rows.rows() > 1) throw KeysUnknown();
  if (deferred_) deferred_->Check();
  counts_.updated += static_cast<int64>(done.updated);
  counts_.created += static_cast<int64>(done.created);
}

void BatchApplier::ApplyRows(RowStore& rows, bool last_first) {
  pg::CheckInterrupts();
  try {
    Try(rows, update_);
    return;
  } catch (const KeysUnknown&) {
  } catch (const pg::PgError& error) {
    if (!IsRowError(error)) throw;
  }
  if (rows.rows() == 1) {
    ApplyOne(rows);
    return;
  }
  RowStore lower(RowStore::Like{incoming_}), upper(RowStore::Like{incoming_});
  rows.Split(&lower, &upper);
  for (RowStore* half : {last_first ? &upper : &lower, last_first ? &lower : &upper}) {
    ApplyRows(*half, last_first);
    half->Clear();
  }
}

void BatchApplier::ApplyOne(RowStore& row) {
  for (int round = 1;; round++) {
    try {
      Try(row, update_);
      return;
    } catch (const pg::PgError& error) {
      if (!IsRowError(error)) throw;
      const bool collides = error.state() == core::sqlstate::kUniqueViolation ||
                            error.state() == core::sqlstate::kExclusionViolation;
      // Another transaction may have inserted the key after this statement had looked for it. Read
      // again; a snapshot that cannot see the row will never get any further.
      if (collides && !exists_.empty() && IsOfKey(error)) {
        const bool visible = KeyExists(row.first());
        if (visible && round < kRounds) continue;
        if (visible || IsolationUsesXactSnapshot()) {
          throw core::Error(core::sqlstate::kSerializationFailure,
                            "could not write a row because of concurrent changes")
              .WithDetail(error.detail())
              .WithHint("Run the statement again in a new transaction.");
        }
      } else if (collides && may_postpone_) {
        row.Split(&postponed_, nullptr);
        return;
      }
      RowError failed = RowError::Of(error, row.first());
      failed.key = KeyOf(row.first());
      errors_.Add(std::move(failed));
      if (failed_rows_ != nullptr) row.Split(failed_rows_, nullptr);
      return;
    }
  }
}

// The key's index, or that of a partition, which has a name of its own.
bool BatchApplier::IsOfKey(const pg::PgError& error) {
  if (!key_indexes_) {
    const catalog::Key* key = MatchKey(target_, strategy_);
    key_indexes_.emplace({key->name});
    if (target_.partitioned()) {
      for (const pg::Row& row : pg::CatalogQuery(
               "SELECT c.relname FROM pg_partition_tree($1) p JOIN pg_class c ON c.oid = p.relid",
               {pg::Param::OfOid(key->index)})) {
        key_indexes_->push_back(row.Text(0));
      }
    }
  }
  return std::find(key_indexes_->begin(), key_indexes_->end(), error.constraint()) !=
         key_indexes_->end();
}

// Whether deleting rows and inserting them again comes to the same as updating them: nobody is told
// of either, no reference follows, nothing is hidden, and the caller may do both.
bool BatchApplier::MayReplace() {
  if (late_rows_ != nullptr || !target_.ordinary() || target_.has_children ||
      catalog::RowSecurityApplies(target_.oid)) {
    return false;
  }
  return pg::CatalogQuery(
             "SELECT NOT relhasrules AND has_table_privilege(oid, 'DELETE') "
             "  AND has_table_privilege(oid, 'INSERT') "
             "  AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal "
             "    AND tgenabled <> 'D') "
             "  AND NOT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = $1 "
             "    AND (confdeltype <> 'a' OR confupdtype <> 'a')) "
             "FROM pg_class WHERE oid = $1",
             {pg::Param::OfOid(target_.oid)})
      .at(0)
      .Bool(0);
}

// All at once, or not at all.
bool BatchApplier::ReplaceAll(RowStore& rows) {
  replace_.Prepare();
  try {
    Try(rows, replace_);
    return true;
  } catch (const pg::PgError& error) {
    if (!IsRowError(error)) throw;
    return false;
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
