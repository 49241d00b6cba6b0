#include "engine/transfer.h"

#include "catalog/table.h"
#include "core/text.h"
#include "engine/bulk_load.h"
#include "engine/constraints.h"
#include "engine/job_source.h"
#include "engine/sequences.h"
#include "engine/skipped_triggers.h"
#include "engine/transfer_deletes.h"
#include "engine/verification.h"

extern "C" {
#include "tcop/utility.h"
}

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// Below this, building the indexes anew costs more than keeping them up.
constexpr int64 kBulkRows = 5000;

class Transfer {
 public:
  Transfer(TableSource& source, TransferObserver& observer, const std::vector<TableRequest>& tables,
           const TransferOptions& options)
      : source_(source, observer, options),
        report_(observer),
        options_(options),
        plan_(source, observer, tables, options),
        deletes_(plan_, source_, options) {}

  std::vector<TableOutcome> Run() {
    SkipTriggers();
    deletes_.Find();
    for (Job* job : plan_.jobs())
      source_.Measured(*job, [&] { options_.dry_run ? Count(*job) : Load(*job); });
    if (!options_.dry_run) {
      TryFailedRowsAgain();
      FillIn();
      CheckMatches();
    }
    ForgetKeys();
    if (!options_.dry_run) {
      deletes_.Delete();
      Finish();
      Verify();
    }
    std::vector<TableOutcome> outcomes;
    for (Job* job : plan_.jobs())
      outcomes.push_back(std::move(job->outcome));
    return outcomes;
  }

 private:
  // The rows that differ; null: all have to move.
  std::unique_ptr<TableDelta> DeltaOf(const Job& job, const LoadRequest& request) {
    return job.doomed != nullptr ? deletes_.TakeDelta(job, request) : source_.Compare(job, request);
  }

  static void TakeErrors(const RowErrors& errors, Job* job) {
    job->outcome.errors = errors.ToJson();
    job->outcome.error_count = errors.count();
  }

  // A dry run's Load().
  void Count(Job& job) {
    report_.Phase("comparing");
    if (job.missing) {
      CountRows(job);
      return;
    }
    const LoadRequest request = source_.Request(job);
    RowErrors errors(options_.max_errors);
    if (const auto delta = DeltaOf(job, request)) {
      if (delta->feed() != nullptr)
        CountBySets(request, *delta->feed(), errors, job.outcome.counts);
      NoteCompared(*delta, &job);
    } else {
      CountBySets(request, *source_.Rows(job, request), errors, job.outcome.counts);
    }
    TakeErrors(errors, &job);
    if (job.doomed == nullptr) return;
    job.outcome.counts.deleted = job.doomed->count();
    job.doomed->Forget();
  }

  static void NoteCompared(TableDelta& delta, Job* job) {
    job->outcome.counts.skipped += delta.equal_rows();
    job->outcome.compared = true;
    delta.Close();
  }

  // All rows of a table that would be created.
  void CountRows(Job& job) {
    const auto feed = source_.RowsToCount(job);
    feed->Begin();
    core::RowStreamReader::Rows rows;
    while (feed->Next(&rows)) {
      pg::CheckInterrupts();
      job.outcome.counts.created += rows.count;
      report_.Advance(rows.count, static_cast<int64>(rows.size));
    }
  }

  void Verify() {
    if (!options_.verify) return;
    for (Job* const next : plan_.jobs()) {
      Job& job = *next;
      source_.Measured(job, [&] {
        report_.Phase("verifying");
        VerifyTable(source_, job);
      });
      job.outcome.verified = true;
    }
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
      NoteCompared(*delta, &job);
    } else {
      LoadAll(job, request, errors);
    }
    if (options_.advance_sequences) AdvanceSequences(job.local);
  }

  LoadRequest WriteRequest(const Job& job) {
    LoadRequest request = source_.Request(job);
    request.before_settling = [this] { deletes_.DeleteEarly(); };
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
      source_.Measured(job, [&] {
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
    const auto feed = source_.Rows(job, request);
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
      source_.Measured(*job, [&] {
        report_.Phase("filling in references");
        job->late_rows->FillIn(job->strategy, translations);
      });
    }
  }

  // A row may have lost by now what another one was found by.
  void CheckMatches() {
    for (Job* const job : plan_.jobs()) {
      if (job->matching == nullptr || job->matching->matched == nullptr) continue;
      if (job->outcome.counts.updated == 0) continue;
      source_.Measured(*job, [&] {
        report_.Phase("checking matches");
        job->matching->matched->RequireUnchanged();
      });
    }
  }

  void ForgetKeys() {
    for (Job* const job : plan_.jobs()) {
      for (const auto& map : job->maps)
        map->rows().Clear();
      if (job->matching != nullptr && job->matching->matched != nullptr)
        job->matching->matched->rows().Clear();
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

  JobSource source_;
  TransferObserver& report_;
  const TransferOptions& options_;
  TransferPlan plan_;
  TransferDeletes deletes_;
  PendingForeignKeys foreign_keys_;
  std::optional<SkippedTriggers> skipped_triggers_;
};

}  // namespace

std::vector<TableOutcome> TransferTables(TableSource& source, TransferObserver& observer,
                                         const std::vector<TableRequest>& tables,
                                         const TransferOptions& options) {
  if (!options.dry_run) pg::Call([] { PreventCommandIfReadOnly("a transfer"); });
  return Transfer(source, observer, tables, options).Run();
}

}  // namespace pgsync::engine
