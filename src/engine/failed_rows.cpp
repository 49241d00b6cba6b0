#include "engine/failed_rows.h"

#include "engine/key_translator.h"
#include "engine/stream_load.h"

namespace pgsync::engine {

namespace {

// What is kept of a table in memory, in kB, before it goes to a file; twice.
constexpr int kKeptMemory = 1024;

// Hands rows to a sink, whose batch is `incoming`, in batches as when they came.
void Feed(RowStore& rows, const LoadRequest& request, RowStore& incoming, BatchSink& sink) {
  rows.GoToEnd();
  while (rows.CopyBackwards(incoming, request.batch_rows, kBatchBytes)) {
    const int64 count = incoming.rows();
    sink.Apply();
    if (request.progress) request.progress(count, 0);
  }
}

}  // namespace

FailedRows::FailedRows(const catalog::Table& target, const std::vector<size_t>& columns)
    : target_(target), columns_(columns) {
  Empty();
}

void FailedRows::Empty() {
  unwritten_ = std::make_unique<RowStore>(kIncomingRelation, target_, columns_, kKeptMemory);
  untranslated_ = std::make_unique<RowStore>(kIncomingRelation, target_, columns_, kKeptMemory);
  errors_ = RowErrors(std::nullopt);
}

void FailedRows::TryAgain(const LoadRequest& request, ApplyCounts& counts) {
  const std::unique_ptr<RowStore> unwritten = std::move(unwritten_);
  const std::unique_ptr<RowStore> untranslated = std::move(untranslated_);
  Empty();
  BatchApplier applier(target_, columns_, ApplyOptionsOf(request), errors_, counts);
  if (untranslated->rows() > 0) {
    KeyTranslator translator(target_, columns_, request.translations, applier, errors_,
                             untranslated_.get());
    Feed(*untranslated, request, translator.incoming(), translator);
  }
  Feed(*unwritten, request, applier.incoming(), applier);
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
