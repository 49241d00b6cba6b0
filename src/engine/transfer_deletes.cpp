#include "engine/transfer_deletes.h"

#include "core/text.h"
#include "pg/query.h"
#include "pg/subxact.h"

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

void TransferDeletes::Find() {
  int64 total = 0;
  for (Job* const next : plan_.jobs()) {
    Job& job = *next;
    if (job.strategy != Strategy::kMirror || job.missing) continue;
    source_.Measured(job, [&] {
      job.doomed = std::make_unique<DoomedRows>(job.local);
      if (FindByDelta(job)) return;
      source_.report().Phase("comparing keys");
      const LoadRequest request = source_.KeyRequest(job);
      job.doomed->Find(request, *source_.Rows(job, request));
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

bool TransferDeletes::FindByDelta(Job& job) {
  const LoadRequest request = job.Request(options_);
  auto delta = source_.Compare(job, request);
  if (delta == nullptr) return false;
  if (!job.doomed->FindAmong(delta->only_here(), request, delta->feed(), delta->peer_rows())) {
    delta->Close();
    return false;
  }
  deltas_.emplace(&job, EarlyDelta{std::move(delta), OwnWrites::Of(job.local)});
  return true;
}

std::unique_ptr<TableDelta> TransferDeletes::TakeDelta(const Job& job, const LoadRequest& request) {
  const auto found = deltas_.find(&job);
  if (found == deltas_.end()) return nullptr;
  EarlyDelta early = std::move(found->second);
  deltas_.erase(found);
  if (early.writes.SameAs(OwnWrites::Of(job.local))) return std::move(early.delta);
  early.delta->Close();
  return source_.Compare(job, request);
}

void TransferDeletes::RequireJustified() const {
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

void TransferDeletes::DeleteAll() {
  const auto& jobs = plan_.jobs();
  for (auto next = jobs.rbegin(); next != jobs.rend(); ++next) {
    Job& job = **next;
    if (job.doomed == nullptr || job.doomed->count() == 0) continue;
    source_.Measured(job, [&] {
      source_.report().Phase("deleting");
      job.outcome.counts.deleted += job.doomed->Delete();
    });
  }
  for (Job* const job : jobs) {
    if (job->doomed != nullptr) job->doomed->Forget();
  }
}

// Whether a delete would go on to rows of the call's tables (ON DELETE CASCADE, SET NULL, SET
// DEFAULT). Before these are loaded they may still refer to what goes.
bool TransferDeletes::Spread() const {
  std::vector<Oid> doomed, all;
  for (const Job* job : plan_.jobs()) {
    all.push_back(job->local.oid);
    if (job->doomed != nullptr && job->doomed->count() > 0) doomed.push_back(job->local.oid);
  }
  if (options_.skip_triggers || doomed.empty()) return false;
  return !pg::CatalogQuery(
              "SELECT FROM pg_constraint WHERE contype = 'f' AND confdeltype IN ('c', 'n', 'd') "
              "AND conrelid IN (SELECT p.relid::oid FROM unnest($1) t, "
              "    pg_partition_tree(t::regclass) p UNION SELECT unnest($1)) "
              "AND confrelid IN (SELECT p.relid::oid FROM unnest($2) t, "
              "    pg_partition_tree(t::regclass) p UNION SELECT unnest($2)) LIMIT 1",
              {pg::Param::OfOids(all), pg::Param::OfOids(doomed)})
              .empty();
}

void TransferDeletes::DeleteEarly() {
  if (Spread()) return;
  std::vector<int64> deleted_before;
  for (const Job* job : plan_.jobs())
    deleted_before.push_back(job->outcome.counts.deleted);
  try {
    pg::InSubXact([&] { DeleteAll(); });
  } catch (const pg::PgError& error) {
    if (!IsRowError(error)) throw;
    for (size_t i = 0; i < deleted_before.size(); i++)
      plan_.jobs()[i]->outcome.counts.deleted = deleted_before[i];
  }
}

void TransferDeletes::Delete() {
  RequireJustified();
  DeleteAll();
}

}  // namespace pgsync::engine
