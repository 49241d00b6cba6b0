#include "engine/failed_rows.h"

#include "engine/batch_path.h"
#include "engine/row_matcher.h"
#include "engine/stream_load.h"

namespace pgsync::engine {

namespace {

// What is kept of a table in memory, in kB, before it goes to a file; twice.
constexpr int kKeptMemory = 1024;

// Hands rows to a sink, in batches as when they came.
void Feed(RowStore& rows, const LoadRequest& request, StoringSink& sink) {
  rows.GoToEnd();
  RowStore batch(RowStore::Like{sink.incoming()});
  while (rows.CopyBackwards(batch, request.batch_rows, kBatchBytes)) {
    const int64 count = batch.rows();
    sink.incoming().Take(batch);
    sink.Apply();
    if (request.progress) request.progress(count, 0);
  }
  sink.Finish();
}

}  // namespace

FailedRows::FailedRows(const catalog::Table& target, const BatchColumns& columns)
    : target_(target), columns_(columns) {
  Empty();
}

void FailedRows::Empty() {
  unwritten_ = std::make_unique<RowStore>(kIncomingRelation, target_, columns_.All(), kKeptMemory);
  untranslated_ =
      std::make_unique<RowStore>(kIncomingRelation, target_, columns_.columns, kKeptMemory);
  errors_ = RowErrors(std::nullopt);
}

void FailedRows::TryAgain(const LoadRequest& request, ApplyCounts& counts) {
  const std::unique_ptr<RowStore> unwritten = std::move(unwritten_);
  const std::unique_ptr<RowStore> untranslated = std::move(untranslated_);
  Empty();
  if (request.matching != nullptr) {
    // What is translated is noted again when a row is tried again.
    for (KeyMap* map : request.matching->maps)
      map->ExpectRepeats();
  }
  BatchApplier applier(target_, columns_.columns, ApplyOptionsOf(request), errors_, counts);
  BatchPath path(request, applier, errors_, counts);
  Feed(*untranslated, request, path.first());
  Feed(*unwritten, request, path.translated());
  if (applier.postponed() > 0 && request.before_settling) request.before_settling();
  applier.Settle();
  unwritten->Clear();
  untranslated->Clear();
}

RowErrors FailedRows::GiveUp() {
  unwritten_->Clear();
  untranslated_->Clear();
  return std::move(errors_);
}

}  // namespace pgsync::engine
