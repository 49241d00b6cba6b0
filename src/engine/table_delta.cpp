#include "engine/table_delta.h"

#include <algorithm>

#include "catalog/shareable.h"
#include "core/text.h"
#include "engine/apply_statements.h"
#include "pg/query.h"

namespace pgsync::engine {

using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// A table that has less than this part of the peer's lacks most of its rows.
constexpr int64 kLeastPart = 4;

constexpr char kOnlyHereRelation[] = "pgsync_only_here";
// For their keys, in kB.
constexpr int kKeyMemory = 4 * 1024;

// Keeps rows in a store.
class StoringConsumer : public rows::RowConsumer {
 public:
  explicit StoringConsumer(RowStore& store) : store_(store) {}
  void take_row(TupleTableSlot* slot) override {
    slot_getallattrs(slot);
    store_.put(++position_, slot->tts_values, slot->tts_isnull);
  }

 private:
  RowStore& store_;
  int64 position_ = 0;
};

bool MayWrite(const catalog::Table& table, bool dry_run, Strategy strategy) {
  const auto has = [&](const char* right) {
    return pg::CatalogQuery("SELECT has_table_privilege($1, $2)",
                            {pg::Param::OfOid(table.oid), pg::Param::OfText(std::string(right))})
        .at(0)
        .Bool(0);
  };
  return has("SELECT") && (dry_run || has("INSERT")) &&
         (dry_run || strategy == Strategy::kSkip || has("UPDATE"));
}

// Takes care that the rows come that were asked for.
class CountedFeed : public RowFeed {
 public:
  CountedFeed(std::unique_ptr<RowFeed> feed, int64 rows) : feed_(std::move(feed)), rows_(rows) {}
  core::RowHeader Begin() override {
    came_ = 0;
    return feed_->Begin();
  }
  bool Next(core::RowStreamReader::Rows* rows) override {
    if (feed_->Next(rows)) {
      came_ += rows->count;
      return true;
    }
    if (came_ != rows_) {
      throw Error(sqlstate::kProtocolViolation, "row stream of the peer is malformed")
          .WithDetail(core::Cat("It has ", came_, " rows where ", rows_, " were named."));
    }
    return false;
  }
  void Drain() override { feed_->Drain(); }

 private:
  std::unique_ptr<RowFeed> feed_;
  int64 rows_;
  int64 came_ = 0;
};

}  // namespace

std::string DeltaRefusal(const Job& job, const LoadRequest& request, const TransferOptions& options,
                         TableSource& source) {
  if (source.digests() == nullptr) return "the peer offers no comparison";
  if (job.missing) return "it is missing here";
  if (job.strategy == Strategy::kAppend) return "append takes every row";
  if (job.new_keys != nullptr || !job.translations.empty() || !job.unsettled.empty() ||
      !job.late_translations.empty())
    return "keys get new values";
  if (job.matching != nullptr) return "rows are looked for under other keys";
  if (!job.unresolved.empty()) return "its foreign keys form a cycle";
  const catalog::Key* key = MatchKey(job.local, job.strategy);
  const auto comes = [&](size_t position) {
    return std::count(request.columns.begin(), request.columns.end(), position) > 0;
  };
  if (key == nullptr || !std::all_of(key->columns.begin(), key->columns.end(), comes))
    return "it has no key";
  if (!request.unique_by_key) return "its key is not known to be one of the peer's table";
  if (!job.remote.complete || catalog::RowSecurityApplies(job.local.oid))
    return "row level security applies to it";
  // Where no row differs, no statement would tell what the caller lacks.
  if (!MayWrite(job.local, options.dry_run, job.strategy)) return "the caller may not write to it";
  if (options.delta == TransferOptions::Delta::kWherePossible) return std::string();
  const int64 here = catalog::StoredBytes(job.local.oid), there = job.remote.size_bytes;
  if (std::min(here, there) < Reconciliation::kSmall) return "it is small";
  if (here < there / kLeastPart) return "most of its rows are missing here";
  return std::string();
}

std::string TableDelta::Find(TableSource& source, const Job& job, const LoadRequest& request,
                             const core::RowsRequest& rows,
                             const std::function<void(int64)>& progress) {
  const catalog::Key* key =
      job.strategy == Strategy::kSkip ? MatchKey(job.local, job.strategy) : nullptr;
  Reconciliation compared(*source.digests(), job.remote_name, request, key);
  std::string refusal = compared.Run(progress);
  if (refusal.empty() && job.strategy == Strategy::kMirror) {
    only_here_.emplace(kOnlyHereRelation, job.local, job.local.row_key->columns, kKeyMemory);
    StoringConsumer consumer(*only_here_);
    if (!compared.LocalRows(job.local.row_key->columns, consumer)) refusal = "hashes have collided";
  }
  compared.Close();
  if (!refusal.empty()) {
    Close();
    return refusal;
  }
  peer_rows_ = compared.remote_rows();
  differing_ = compared.only_remote();
  if (differing_ == 0) return std::string();
  feed_ =
      std::make_unique<CountedFeed>(source.Rows(compared.Narrowed(rows), &job.local), differing_);
  if (job.strategy == Strategy::kMirror) {
    // The next table may be compared before this one is loaded.
    auto spooled = std::make_unique<SpooledFeed>(*feed_);
    spooled_ = spooled.get();
    feed_ = std::move(spooled);
  }
  return std::string();
}

void TableDelta::Close() {
  if (spooled_ != nullptr) spooled_->Close();
  if (only_here_) only_here_->Clear();
}

}  // namespace pgsync::engine
