// SQL functions that compare tables of a peer with those of this database.
#include "client/handles.h"
#include "client/progress_report.h"
#include "client/schema_comparison.h"
#include "client/table_pair.h"
#include "engine/compare.h"
#include "engine/compared_rows.h"
#include "engine/reconciliation.h"
#include "rows/row_object.h"
#include "sql/function.h"
#include "sql/results.h"

extern "C" {
#include "utils/builtins.h"
}

namespace pgsync::sql {

namespace {

// The differences as rows of the function's result.
class DiffRows : public engine::CompareVisitor {
 public:
  DiffRows(const std::vector<const catalog::Column*>& columns, std::vector<std::string> key,
           std::optional<int64> limit, ReturnSetInfo* result)
      : row_(columns), key_(std::move(key)), left_(limit), result_(result) {}

  void insert_row(TupleTableSlot* remote) override { put("insert", nullptr, row_.make(remote)); }
  void update_row(TupleTableSlot* local, TupleTableSlot* remote) override {
    Jsonb* ours = row_.make(local);
    put("update", ours, row_.make(remote));
  }
  void delete_row(TupleTableSlot* local) override { put("delete", row_.make(local), nullptr); }
  bool satisfied() const override { return left_ && *left_ <= 0; }

 private:
  void put(const char* kind, Jsonb* local, Jsonb* remote) {
    if (left_) --*left_;
    Jsonb* key = key_.empty() ? nullptr : rows::members_of(local != nullptr ? local : remote, key_);
    Datum values[] = {CStringGetTextDatum(kind), PointerGetDatum(key), PointerGetDatum(local),
                      PointerGetDatum(remote)};
    bool nulls[] = {false, key == nullptr, local == nullptr, remote == nullptr};
    tuplestore_putvalues(result_->setResult, result_->setDesc, values, nulls);
  }

  rows::RowObject row_;
  std::vector<std::string> key_;
  std::optional<int64> left_;  // how many more rows are wanted
  ReturnSetInfo* result_;
};

// Tells what differs without having all rows sent, where that is possible.
bool DiffByDigest(client::Peer& peer, const client::TablePair& pair,
                  const engine::LoadRequest& request, client::ProgressReport& report,
                  DiffRows& rows) {
  const catalog::Key* key = engine::MatchedKey(request);
  if (peer.digests() == nullptr || key == nullptr ||
      !engine::UniqueAtPeer(pair.remote.info, pair.local, key) ||
      pair.remote.size_bytes < engine::Reconciliation::kSmall) {
    return false;
  }
  engine::Reconciliation compared(*peer.digests(), pair.remote_name, request, nullptr);
  bool done = compared.Run([&](int64 rows_read) { report.Advance(rows_read, 0); }).empty();
  if (done && compared.only_remote() + compared.only_local() > 0) {
    const auto local = [&](const std::vector<size_t>& positions, rows::RowConsumer& consumer) {
      return compared.LocalRows(positions, consumer);
    };
    const auto feed = peer.Rows(compared.Narrowed(pair.RowsRequest()), &pair.local);
    done = engine::CompareSome(request, *feed, local, rows).has_value();
  }
  compared.Close();
  return done;
}

}  // namespace

PGSYNC_FUNCTION(pgsync_diff) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  const std::string remote = args.Text(1);
  const auto local = args.OptionalText(2);
  const auto limit = args.OptionalInt8(3);
  engine::RequireNotNegative("row_limit", limit);
  SetResult result(fcinfo);

  client::ProgressReport report(handle.handle().id, handle.handle().url, "receive");
  report.Phase("opening");
  const client::TablePair pair = client::OpenPair(handle.peer(), remote, local);
  report.Table(pair.local.name.Display(), pair.remote.row_estimate.value_or(-1));
  report.Phase("comparing");
  engine::LoadRequest request = pair.LoadRequest();
  request.progress = [&](int64 rows, int64 bytes) { report.Advance(rows, bytes); };

  std::vector<const catalog::Column*> columns;
  for (size_t position : request.columns)
    columns.push_back(&pair.local.columns[position]);
  DiffRows rows(columns, engine::ComparedKey(request), limit, result.info());
  const auto range = [&](const std::optional<std::string>& after,
                         std::optional<int64> rows_at_most) {
    core::RowsRequest of_peer = pair.RowsRequest();
    of_peer.after = after;
    of_peer.limit = rows_at_most;
    return handle.peer().Rows(of_peer, &pair.local);
  };
  if (DiffByDigest(handle.peer(), pair, request, report, rows)) return result.Done();
  if (limit && pair.SameOrder()) {
    engine::CompareInPages(request, range, rows);
  } else {
    engine::CompareRows(request, *range(std::nullopt, std::nullopt), rows);
  }
  return result.Done();
}

PGSYNC_FUNCTION(pgsync_compare_schema) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  const auto tables = args.OptionalTexts(1);
  SetResult result(fcinfo);
  for (const client::TableDifferences& table : client::CompareSchemas(handle.peer(), tables)) {
    for (const core::SchemaDifference& difference : table.differences)
      result.Add({table.table, difference.kind, difference.local, difference.remote});
  }
  return result.Done();
}

}  // namespace pgsync::sql
