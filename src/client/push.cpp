#include "client/push.h"

#include <algorithm>

#include "catalog/definition.h"
#include "catalog/shareable.h"
#include "catalog/table_list.h"
#include "client/progress_report.h"
#include "core/text.h"
#include "engine/paced_sink.h"
#include "engine/row_sender.h"
#include "engine/scan.h"
#include "engine/sending.h"
#include "engine/transfer_options.h"
#include "pg/encoding.h"

namespace pgsync::client {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// Rows on their way into a stream, in the encoding of the stream while they are encoded and in the
// client's whenever something may be said to it: by a function of the query, or of the progress.
class PushConsumer : public rows::RowConsumer {
 public:
  PushConsumer(rows::RowConsumer& sender, pg::ClientEncodingScope& encoding)
      : sender_(sender), encoding_(encoding) {
    encoding_.suspend();
  }
  void take_row(TupleTableSlot* slot) override {
    encoding_.resume();
    sender_.take_row(slot);
    encoding_.suspend();
  }
  bool done() const override { return sender_.done(); }

 private:
  rows::RowConsumer& sender_;
  pg::ClientEncodingScope& encoding_;
};

class Push {
 public:
  Push(Peer& peer, int client, const std::string& peer_name, const core::TransferWords& words)
      : peer_(peer), report_(client, peer_name, "send") {
    request_.options = words;
  }

  std::vector<engine::TableOutcome> Run(const std::vector<PushedTable>& tables) {
    report_.Phase("opening");
    for (const PushedTable& table : tables)
      Open(table);
    const std::unique_ptr<PushChannel> channel = peer_.Push(request_);
    while (channel->step().rows) {
      pg::CheckInterrupts();
      Send(*channel);
    }
    auto outcomes = Outcomes(channel->step());
    report_.Phase("committing");
    pg::CheckInterrupts();
    channel->Commit();
    return outcomes;
  }

 private:
  void Open(const PushedTable& pushed) {
    catalog::Table table = catalog::ReadTable(pushed.table);
    catalog::RequireReadable(table);
    catalog::RequireTransferable(table);
    engine::RequireNotWritten(table);
    engine::RequireUnchanged(table);
    if (table.has_children) {
      pg::Call([&] {
        ereport(NOTICE, (errmsg("rows of tables that inherit from table \"%s\" are not included",
                                table.name.name.c_str())));
      });
    }
    const std::string name = table.name.Qualified();
    core::OpenedTable opened = engine::Describe(table);
    // The peer may have to build it.
    if (request_.options.create_missing_tables) opened.info = catalog::Define(table);
    request_.tables.push_back({name, pushed.remote.value_or(name), std::move(opened)});
    tables_.push_back(std::move(table));
  }

  size_t PositionOf(const std::string& name) const {
    const auto found = std::find_if(request_.tables.begin(), request_.tables.end(),
                                    [&](const auto& table) { return table.name == name; });
    if (found == request_.tables.end()) {
      throw Error(sqlstate::kProtocolViolation, "the peer speaks of a table that was not pushed")
          .WithDetail(Cat("It is named \"", core::Excerpt(name, 100), "\"."));
    }
    return static_cast<size_t>(found - request_.tables.begin());
  }

  // Sends the rows that the peer has asked for, or as many of them as it still wants.
  void Send(PushChannel& channel) {
    const core::RowsRequest wanted = *channel.step().rows;
    const catalog::Table& table = tables_[PositionOf(wanted.table)];
    const auto& opened = request_.tables[PositionOf(wanted.table)].opened;
    report_.Table(table.name.Display(), opened.row_estimate.value_or(-1));
    report_.Phase("copying");
    engine::ScanRequest scan;
    scan.columns = engine::RequestedColumns(table, wanted);
    const int encoding = engine::StreamEncoding(wanted.encoding);
    channel.SendRows([&](core::ByteSink& sink, const PushChannel::Answered& answered) {
      pg::ClientEncodingScope scope(encoding);
      std::optional<engine::PacedSink> paced;
      if (wanted.max_rate) paced.emplace(sink, *wanted.max_rate);
      core::RowStreamWriter writer(paced ? *paced : sink, wanted.compress);
      bool stopped = false;
      const auto on_sent = [&](uint64 rows, uint64 bytes) {
        scope.suspend();
        report_.Advance(static_cast<int64>(rows), static_cast<int64>(bytes));
        stopped = answered();
        scope.resume();
        return !stopped;
      };
      const auto sender = engine::SendFrames(engine::EncodingOf(table, scan.columns, wanted),
                                             encoding, writer, on_sent);
      PushConsumer consumer(sender->consumer(), scope);
      engine::ScanTable(table, scan, consumer);
      // A stream without its end mark is never taken for a whole one.
      if (!stopped) sender->Finish();
      report_.Phase("waiting");
    });
  }

  std::vector<engine::TableOutcome> Outcomes(const core::PushStep& step) const {
    std::vector<engine::TableOutcome> outcomes;
    for (const core::PushOutcome& told : step.outcomes) {
      engine::TableOutcome outcome;
      outcome.source = told.name;
      outcome.table = tables_[PositionOf(told.name)].name.Display();
      outcome.counts = {told.created, told.updated, told.skipped, told.deleted};
      outcome.errors = told.errors;
      outcome.error_count = told.error_count;
      outcome.dry_run = request_.options.dry_run;
      if (request_.options.verify) outcome.verified = true;  // else it would be an error
      outcome.bytes = told.bytes;
      outcome.duration = std::chrono::milliseconds(told.duration_ms);
      outcomes.push_back(std::move(outcome));
    }
    if (outcomes.size() != tables_.size()) {
      throw Error(sqlstate::kProtocolViolation,
                  "the peer does not tell what became of the tables that were pushed");
    }
    return outcomes;
  }

  Peer& peer_;
  ProgressReport report_;
  core::PushRequest request_;
  std::vector<catalog::Table> tables_;  // in the order of the request
};

}  // namespace

std::vector<engine::TableOutcome> PushTables(Peer& peer, int client, const std::string& peer_name,
                                             const std::vector<PushedTable>& tables,
                                             const core::TransferWords& words) {
  (void)engine::OptionsOf(words);  // what can be refused here need not be asked there
  return Push(peer, client, peer_name, words).Run(tables);
}

std::vector<PushedTable> SelectOwnTables(const std::optional<std::vector<Oid>>& tables,
                                         const std::vector<Oid>& exclude) {
  std::vector<Oid> candidates;
  if (tables) {
    candidates = *tables;
  } else {
    catalog::ListOptions options;
    options.exact_counts = false;
    for (const core::TableListEntry& entry : catalog::ListTables(options))
      candidates.push_back(catalog::FindRelation({entry.schema, entry.name}));
  }
  std::vector<PushedTable> selected;
  std::vector<Oid> seen = exclude;
  for (Oid table : candidates) {
    if (std::find(seen.begin(), seen.end(), table) != seen.end()) continue;
    seen.push_back(table);
    selected.push_back({table, std::nullopt});
  }
  return selected;
}

}  // namespace pgsync::client
