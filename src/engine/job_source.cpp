#include "engine/job_source.h"

#include "pg/snapshot.h"

namespace pgsync::engine {

core::RowsRequest JobSource::RowsFor(const Job& job, const LoadRequest& columns) const {
  core::RowsRequest request = RowsOf(job.remote_name);
  request.max_rate = options_.max_rate;
  for (size_t i = 0; i < columns.columns.size(); i++) {
    request.columns.push_back(
        {job.local.columns[columns.columns[i]].name, static_cast<bool>(columns.binary[i])});
  }
  return request;
}

LoadRequest JobSource::WithProgress(LoadRequest request) {
  request.progress = [this](int64 rows, int64 bytes) { report_.Advance(rows, bytes); };
  return request;
}

std::unique_ptr<RowFeed> JobSource::Rows(const Job& job, const LoadRequest& columns) {
  return source_.Rows(RowsFor(job, columns), &job.local);
}

std::unique_ptr<RowFeed> JobSource::RowsToCount(const Job& job) {
  core::RowsRequest request = RowsOf(job.remote_name);
  request.max_rate = options_.max_rate;
  if (!job.remote.info.columns.empty())
    request.columns.push_back({job.remote.info.columns[0].name, false});
  return source_.Rows(request, nullptr);
}

std::unique_ptr<TableDelta> JobSource::Compare(const Job& job, const LoadRequest& request) {
  return Compare(job, request,
                 options_.delta == TransferOptions::Delta::kWherePossible ? NOTICE : DEBUG1);
}

std::unique_ptr<TableDelta> JobSource::Compare(const Job& job, const LoadRequest& request,
                                               int level) {
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

}  // namespace pgsync::engine
