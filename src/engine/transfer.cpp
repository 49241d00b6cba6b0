#include "engine/transfer.h"

#include <algorithm>

#include "catalog/shareable.h"
#include "catalog/table.h"
#include "core/text.h"
#include "core/waiter.h"
#include "engine/batch_reader.h"
#include "engine/bulk_load.h"
#include "engine/constraints.h"
#include "engine/own_writes.h"
#include "engine/row_errors.h"
#include "engine/sequences.h"
#include "engine/skipped_triggers.h"
#include "engine/table_delta.h"
#include "engine/transfer_plan.h"
#include "pg/query.h"
#include "pg/snapshot.h"
#include "pg/subxact.h"

extern "C" {
#include "access/xact.h"
#include "tcop/utility.h"
}

namespace pgsync::engine {

using core::Cat;
using core::Clock;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// Below this, building the indexes anew costs more than keeping them up.
constexpr int64 kBulkRows = 5000;

class Transfer {
 public:
  Transfer(TableSource& source, TransferObserver& observer, const std::vector<TableRequest>& tables,
           const TransferOptions& options)
      : source_(source),
        report_(observer),
        options_(options),
        plan_(source, observer, tables, options) {}

  std::vector<TableOutcome> Run() {
    SkipTriggers();
    FindDoomed();
    for (Job* job : plan_.jobs())
      Measured(*job, [&] { options_.dry_run ? Count(*job) : Load(*job); });
    if (!options_.dry_run) {
      TryFailedRowsAgain();
      FillIn();
    }
    ForgetKeys();
    if (!options_.dry_run) {
      RequireDeletesJustified();
      DeleteDoomed();
      Finish();
      Verify();
    }
    std::vector<TableOutcome> outcomes;
    for (Job* job : plan_.jobs())
      outcomes.push_back(std::move(job->outcome));
    return outcomes;
  }

 private:
  // A comparison made before the first write, and what had been written to the table then.
  struct EarlyDelta {
    std::unique_ptr<TableDelta> delta;
    OwnWrites writes;
  };

  core::RowsRequest RowsFor(const Job& job, const LoadRequest& columns) const {
    core::RowsRequest request = RowsOf(job.remote_name);
    request.max_rate = options_.max_rate;
    for (size_t i = 0; i < columns.columns.size(); i++) {
      request.columns.push_back(
          {job.local.columns[columns.columns[i]].name, static_cast<bool>(columns.binary[i])});
    }
    return request;
  }

  // The rows of the columns that a request asks for.
  std::unique_ptr<RowFeed> FeedFor(const Job& job, const LoadRequest& columns) {
    return source_.Rows(RowsFor(job, columns), &job.local);
  }

  // Compares the table with the peer's, so that only rows move that differ; null: all have to.
  std::unique_ptr<TableDelta> Compare(const Job& job, const LoadRequest& request, int level) {
    if (options_.delta == TransferOptions::Delta::kNever) return nullptr;
    std::string refusal = DeltaRefusal(job, request, options_, source_);
    auto delta = std::make_unique<TableDelta>();
    if (refusal.empty()) {
      report_.Phase("comparing");
      pg::WithFreshSnapshot([&] {
        refusal = delta->Find(source_, job, request, RowsFor(job, request),
                              [&](int64 rows) { report_.Advance(rows, 0); });
      });
      report_.Table(job.outcome.table, job.remote.row_estimate.value_or(-1));
    }
    if (refusal.empty()) return delta;
    pg::Call([&] {
      ereport(level, (errmsg("all rows of table \"%s\" are transferred: %s",
                             job.outcome.table.c_str(), refusal.c_str())));
    });
    return nullptr;
  }

  // How loudly to say that a table was not compared.
  int RefusalLevel() const {
    return options_.delta == TransferOptions::Delta::kWherePossible ? NOTICE : DEBUG1;
  }

  // What mirror has found out before the first write, unless the tables that were loaded meanwhile
  // have triggers or foreign keys that wrote to this one; the others now.
  std::unique_ptr<TableDelta> DeltaOf(const Job& job, const LoadRequest& request) {
    if (job.doomed == nullptr) return Compare(job, request, RefusalLevel());
    const auto found = deltas_.find(&job);
    if (found == deltas_.end()) return nullptr;
    EarlyDelta early = std::move(found->second);
    deltas_.erase(found);
    if (early.writes.SameAs(OwnWrites::Of(job.local))) return std::move(early.delta);
    early.delta->Close();
    return Compare(job, request, RefusalLevel());
  }

  LoadRequest WithProgress(LoadRequest request) {
    request.progress = [this](int64 rows, int64 bytes) { report_.Advance(rows, bytes); };
    return request;
  }

  // Adds what `work` takes to the table's outcome.
  template <typename Work>
  void Measured(Job& job, Work work) {
    const auto started = Clock::now();
    const uint64_t bytes_before = source_.BytesIn();
    report_.Table(job.outcome.table, job.remote.row_estimate.value_or(-1));
    work();
    job.outcome.bytes += static_cast<int64>(source_.BytesIn() - bytes_before);
    job.outcome.duration +=
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
  }

  static void TakeErrors(const RowErrors& errors, Job* job) {
    job->outcome.errors = errors.ToJson();
    job->outcome.error_count = errors.count();
  }

  // Before the first write: no delete may turn out to be one too many when half of the work is
  // done.
  void FindDoomed() {
    int64 total = 0;
    for (Job* const next : plan_.jobs()) {
      Job& job = *next;
      if (job.strategy != Strategy::kMirror || job.missing) continue;
      Measured(job, [&] {
        job.doomed = std::make_unique<DoomedRows>(job.local);
        if (FindDoomedByDelta(job)) return;
        report_.Phase("comparing keys");
        const LoadRequest request = WithProgress(job.KeyRequest(options_));
        job.doomed->Find(request, *FeedFor(job, request));
      });
      if (!options_.max_deletes) job.doomed->RequireModest();
      total += job.doomed->count();
    }
    if (options_.max_deletes && total > *options_.max_deletes) {
      throw Error(sqlstate::kNotInPrerequisiteState,
                  Cat("the transfer would delete ", total, " rows"))
          .WithDetail(Cat("At most ", *options_.max_deletes, " may be deleted."))
          .WithHint(Cat("If that is meant, pass max_deletes => ", total, " or more."));
    }
  }

  bool FindDoomedByDelta(Job& job) {
    const LoadRequest request = job.Request(options_);
    auto delta = Compare(job, request, RefusalLevel());
    if (delta == nullptr) return false;
    if (!job.doomed->FindAmong(delta->only_here(), request, delta->feed(), delta->peer_rows())) {
      delta->Close();
      return false;
    }
    deltas_.emplace(&job, EarlyDelta{std::move(delta), OwnWrites::Of(job.local)});
    return true;
  }

  // Children before parents.
  void DeleteDoomed() {
    const auto& jobs = plan_.jobs();
    for (auto next = jobs.rbegin(); next != jobs.rend(); ++next) {
      Job& job = **next;
      if (job.doomed == nullptr || job.doomed->count() == 0) continue;
      Measured(job, [&] {
        report_.Phase("deleting");
        job.outcome.counts.deleted += job.doomed->Delete();
      });
    }
    for (Job* const job : jobs) {
      if (job->doomed != nullptr) job->doomed->Forget();
    }
  }

  // Whether a delete would go on to rows of the call's tables (ON DELETE CASCADE, SET NULL, SET
  // DEFAULT). Before these are loaded they may still refer to what goes.
  bool DeletesSpread() const {
    std::vector<Oid> doomed, all;
    for (const Job* job : plan_.jobs()) {
      all.push_back(job->local.oid);
      if (job->doomed != nullptr && job->doomed->count() > 0) doomed.push_back(job->local.oid);
    }
    if (skipped_triggers_ || doomed.empty()) return false;
    return !pg::CatalogQuery(
                "SELECT FROM pg_constraint WHERE contype = 'f' AND confdeltype IN ('c', 'n', 'd') "
                "AND conrelid IN (SELECT p.relid::oid FROM unnest($1) t, "
                "    pg_partition_tree(t::regclass) p UNION SELECT unnest($1)) "
                "AND confrelid IN (SELECT p.relid::oid FROM unnest($2) t, "
                "    pg_partition_tree(t::regclass) p UNION SELECT unnest($2)) LIMIT 1",
                {pg::Param::OfOids(all), pg::Param::OfOids(doomed)})
                .empty();
  }

  // A row may have to wait for a unique value that a row has which is to go. Deletes come last,
  // since rows may still refer to what goes; where none does, they can come now.
  void DeleteEarly() {
    if (DeletesSpread()) return;
    std::vector<int64> deleted_before;
    for (const Job* job : plan_.jobs())
      deleted_before.push_back(job->outcome.counts.deleted);
    try {
      pg::InSubXact([&] { DeleteDoomed(); });
    } catch (const pg::PgError& error) {
      if (!IsRowError(error)) throw;
      for (size_t i = 0; i < deleted_before.size(); i++)
        plan_.jobs()[i]->outcome.counts.deleted = deleted_before[i];
    }
  }

  // A row that failed may be one that was taken for missing.
  void RequireDeletesJustified() const {
    for (const Job* const job : plan_.jobs()) {
      if (job->doomed == nullptr || job->outcome.error_count == 0) continue;
      if (job->doomed->count() == 0 && job->outcome.counts.deleted == 0) continue;
      throw Error(sqlstate::kFeatureNotSupported,
                  Cat("rows of table \"", job->local.name.ForMessage(),
                      "\" have failed, so none may be deleted"))
          .WithDetail(Cat("Errors: ", job->outcome.errors))
          .WithHint("Correct the rows, or use strategy overwrite.");
    }
  }

  // A dry run's Load().
  void Count(Job& job) {
    report_.Phase("comparing");
    if (job.missing) {
      CountRows(job);
      return;
    }
    const LoadRequest request = WithProgress(job.Request(options_));
    RowErrors errors(options_.max_errors);
    if (const auto delta = DeltaOf(job, request)) {
      if (delta->feed() != nullptr)
        CountBySets(request, *delta->feed(), errors, job.outcome.counts);
      TakeDelta(*delta, &job);
    } else {
      CountBySets(request, *FeedFor(job, request), errors, job.outcome.counts);
    }
    TakeErrors(errors, &job);
    if (job.doomed == nullptr) return;
    job.outcome.counts.deleted = job.doomed->count();
    job.doomed->Forget();
  }

  static void TakeDelta(TableDelta& delta, Job* job) {
    job->outcome.counts.skipped += delta.equal_rows();
    job->outcome.compared = true;
    delta.Close();
  }

  // All rows of a table that would be created.
  void CountRows(Job& job) {
    core::RowsRequest request = RowsOf(job.remote_name);
    request.max_rate = options_.max_rate;
    if (!job.remote.info.columns.empty())
      request.columns.push_back({job.remote.info.columns[0].name, false});
    const auto feed = source_.Rows(request, nullptr);
    feed->Begin();
    core::RowStreamReader::Rows rows;
    while (feed->Next(&rows)) {
      pg::CheckInterrupts();
      job.outcome.counts.created += rows.count;
      report_.Advance(rows.count, static_cast<int64>(rows.size));
    }
  }

  // Reads all rows again: what stands here now is what triggers, constraints and others have left.
  void Verify() {
    if (!options_.verify) return;
    for (Job* const next : plan_.jobs()) {
      Job& job = *next;
      Measured(job, [&] {
        report_.Phase("verifying");
        VerifyTable(job);
      });
      job.outcome.verified = true;
    }
  }

  void VerifyTable(Job& job) {
    int64 peer_rows = 0;
    LoadRequest request = job.Request(options_);
    request.progress = [&](int64 rows, int64 bytes) {
      peer_rows += rows;
      report_.Advance(rows, bytes);
    };
    Unequal unequal;
    BatchVerifier verifier(job.local, request.columns, unequal);
    RowErrors errors(std::nullopt);
    if (const auto delta = Compare(job, request, DEBUG1)) {
      if (delta->feed() != nullptr) ReadStream(request, *delta->feed(), errors, verifier);
      peer_rows = delta->peer_rows();
      delta->Close();
    } else {
      ReadStream(request, *FeedFor(job, request), errors, verifier);
    }
    const int64 wrong = unequal.rows + errors.count();
    const int64 here =
        job.strategy == Strategy::kMirror ? catalog::CountRows(job.local, true) : peer_rows;
    if (wrong == 0 && here == peer_rows) return;
    Error error(sqlstate::kDataException,
                Cat("table \"", job.local.name.ForMessage(), "\" is not equal to the peer's"));
    if (wrong > 0) {
      throw std::move(error).WithDetail(Cat(wrong, " of ", peer_rows, " rows are missing or differ",
                                            unequal.keys.empty() ? "" : ", first ",
                                            core::Join(unequal.keys, ", "), "."));
    }
    throw std::move(error).WithDetail(Cat("It has ", here, " rows, the peer's ", peer_rows, "."));
  }

  void Load(Job& job) {
    if (options_.retries > 0)
      job.failed_rows =
          std::make_unique<FailedRows>(job.local, BatchColumns{job.LocalColumns(), job.carried});
    const LoadRequest request = WriteRequest(job);
    RowErrors& errors = job.errors.emplace(options_.max_errors);
    if (const auto delta = DeltaOf(job, request)) {
      report_.Phase("copying");
      if (delta->feed() != nullptr) LoadBySets(request, *delta->feed(), errors, job.outcome.counts);
      TakeDelta(*delta, &job);
    } else {
      LoadAll(job, request, errors);
    }
    if (options_.advance_sequences) AdvanceSequences(job.local);
  }

  LoadRequest WriteRequest(const Job& job) {
    LoadRequest request = WithProgress(job.Request(options_));
    request.before_settling = [this] { DeleteEarly(); };
    return request;
  }

  // What rows have waited for may have come since. It is the rows that came that are tried: they
  // are of the one snapshot, and the peer has nothing to do.
  void TryFailedRowsAgain() {
    // Each pass goes the other way than the one before: a chain of rows that leads from the first
    // to the last needs the load alone, from the last to the first one pass, however long it is.
    for (int64 pass = 1; pass <= options_.retries; pass++) {
      if (!TryFailedRowsOnce()) break;
    }
    for (Job* const job : plan_.jobs()) {
      if (job->failed_rows != nullptr) job->errors->Add(job->failed_rows->GiveUp());
      TakeErrors(*job->errors, job);
    }
  }

  // Whether any row was written, or found.
  bool TryFailedRowsOnce() {
    bool written = false;
    for (Job* const next : plan_.jobs()) {
      Job& job = *next;
      const int64 failed = job.failed_rows->errors().count();
      if (failed == 0) continue;
      const ApplyCounts before = job.outcome.counts;
      Measured(job, [&] {
        report_.Table(job.outcome.table, failed);
        report_.Phase("trying again");
        job.failed_rows->TryAgain(WriteRequest(job), job.outcome.counts);
      });
      const ApplyCounts& after = job.outcome.counts;
      if (after.created == before.created && after.updated == before.updated &&
          after.skipped == before.skipped)
        continue;
      written = true;
      if (options_.advance_sequences) AdvanceSequences(job.local);
    }
    return written;
  }

  void LoadAll(Job& job, const LoadRequest& request, RowErrors& errors) {
    const auto feed = FeedFor(job, request);
    report_.Phase("copying");
    const std::string refusal = BulkRefusal(job, request, *feed);
    if (refusal.empty()) return;
    if (!job.unresolved.empty() && options_.retries == 0) RefuseCycle(job);
    pg::Call([&] {
      ereport(DEBUG1, (errmsg_internal("sync: table \"%s\" is not loaded in bulk: %s",
                                       job.local.name.name.c_str(), refusal.c_str())));
    });
    report_.Table(job.outcome.table, job.remote.row_estimate.value_or(-1));
    report_.Phase("copying");
    LoadBySets(request, *feed, errors, job.outcome.counts);
  }

  // Loads in bulk and returns an empty string, or tells why not.
  std::string BulkRefusal(Job& job, const LoadRequest& request, RowFeed& feed) {
    if (options_.online) return "mode is online";
    const int64 rows = job.remote.row_estimate.value_or(kBulkRows);
    if (rows < kBulkRows && job.unresolved.empty()) return "it is small";
    if (job.new_keys != nullptr || !job.translations.empty()) return "keys get new values";
    if (job.matching != nullptr) return "rows are looked for under other keys";
    // Foreign keys are checked as sets at the end, where a row at fault cannot be left out.
    if (!skipped_triggers_ && options_.max_errors != 0 && !job.local.foreign_keys.empty() &&
        !job.in_cycle) {
      return "rows that violate a foreign key are to be left out";
    }
    std::string refusal = TryLoadInBulk(request, feed, job.outcome.counts);
    if (refusal.empty() && !job.local.foreign_keys.empty() && !skipped_triggers_)
      foreign_keys_.Add(job.local.oid);
    return refusal;
  }

  void SkipTriggers() {
    if (!options_.skip_triggers || options_.dry_run) return;
    report_.Phase("locking");
    std::vector<const catalog::Table*> tables;
    for (const Job* job : plan_.jobs())
      tables.push_back(&job->local);
    skipped_triggers_.emplace(tables);
  }

  [[noreturn]] static void RefuseCycle(const Job& job) {
    throw Error(sqlstate::kFeatureNotSupported,
                Cat("foreign keys of table \"", job.local.name.ForMessage(), "\" form a cycle"))
        .WithDetail(Cat("Foreign key ", job.unresolved,
                        " is not deferrable, cannot be made so by the current role in this mode, "
                        "and its columns cannot be filled in afterwards."))
        .WithHint("Use triggers => 'skip' or retries, or make the constraint deferrable.");
  }

  // The rows are there now that the columns refer to which were left null.
  void FillIn() {
    for (Job* const job : plan_.jobs()) {
      if (job->late_rows == nullptr) continue;
      std::vector<const KeyTranslation*> translations;
      for (const KeyTranslation& translation : job->late_translations)
        translations.push_back(&translation);
      Measured(*job, [&] {
        report_.Phase("filling in references");
        job->late_rows->FillIn(job->strategy, translations);
      });
    }
  }

  void ForgetKeys() {
    for (Job* const job : plan_.jobs()) {
      for (const auto& map : job->maps)
        map->rows().Clear();
    }
  }

  void Finish() {
    if (skipped_triggers_) skipped_triggers_->Finish();
    report_.Phase("checking constraints");
    foreign_keys_.Check();
    std::vector<Oid> tables;
    for (const Job* job : plan_.jobs())
      tables.push_back(job->local.oid);
    DeferrableConstraints(tables).Check();
    plan_.RestoreConstraints();
  }

  TableSource& source_;
  TransferObserver& report_;
  const TransferOptions& options_;
  TransferPlan plan_;
  PendingForeignKeys foreign_keys_;
  std::optional<SkippedTriggers> skipped_triggers_;
  std::map<const Job*, EarlyDelta> deltas_;  // of those to be mirrored
};

}  // namespace

std::vector<TableOutcome> TransferTables(TableSource& source, TransferObserver& observer,
                                         const std::vector<TableRequest>& tables,
                                         const TransferOptions& options) {
  if (!options.dry_run) pg::Call([] { PreventCommandIfReadOnly("a transfer"); });
  return Transfer(source, observer, tables, options).Run();
}

}  // namespace pgsync::engine
