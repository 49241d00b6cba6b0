#include "server/push.h"

#include <algorithm>
#include <map>
#include <memory>

#include "catalog/names.h"
#include "core/text.h"
#include "engine/transfer_options.h"
#include "pg/encoding.h"
#include "session/peer_table.h"
#include "session/progress_table.h"

namespace pgsync::server {

using core::Cat;
using core::Error;
using core::PushRequest;
using core::PushStep;
namespace sqlstate = core::sqlstate;

namespace {

Error Malformed(std::string why) {
  return Error(sqlstate::kProtocolViolation, "row stream of the peer is malformed")
      .WithDetail(std::move(why));
}

class Progress : public engine::TransferObserver {
 public:
  explicit Progress(const std::string& peer) { session::BeginProgress(0, peer, "receive"); }
  ~Progress() override { session::end_progress(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Table(const std::string& table, int64 rows_total) override {
    session::SetProgressTable(table, rows_total);
  }
  void Phase(const char* phase) override { session::SetProgressPhase(phase); }
  void Advance(int64 rows, int64 bytes) override { session::advance_progress(rows, bytes); }
};

// The pushing side, as the transfer sees it. One request is open at any time; what the transfer
// wants next is the answer to it.
class PushingPeer : public engine::TableSource {
 public:
  PushingPeer(net::HttpServerConnection& http, const ReadRequest& next, const PushRequest& push,
              const session::Session& session)
      : http_(http), next_(next), push_(push), session_(session) {}

  std::vector<core::OpenedTable> Open(const std::vector<std::string>& names) override;
  std::vector<core::TableInfo> GetDefinitions(const std::vector<std::string>& names) override;
  std::unique_ptr<engine::RowFeed> Rows(const core::RowsRequest& request,
                                        const catalog::Table* target) override;
  uint64_t BytesIn() const override { return bytes_in_; }

  /// Answers the open request and reads the next, which has to be for `operation`.
  net::HttpRequest Exchange(const PushStep& step, const char* operation);

  /// Notes how many rows of a table have come, and raises 53400 where they are too many.
  void CountRows(const std::string& table, uint64_t rows);
  uint64_t rows_taken() const;

 private:
  friend class PushedRows;

  net::HttpServerConnection& http_;
  const ReadRequest& next_;
  const PushRequest& push_;
  const session::Session& session_;
  uint64_t bytes_in_ = 0;
  // By table: where its rows come again, the last ones count.
  std::map<std::string, uint64_t> rows_;
};

// The rows of one table: the body of a request that was asked for.
class PushedRows : public engine::RowFeed, public core::ByteSource {
 public:
  PushedRows(PushingPeer& peer, core::RowsRequest request)
      : peer_(peer), request_(std::move(request)) {}

  core::RowHeader Begin() override {
    PushStep step;
    step.rows = request_;
    const net::HttpRequest request = peer_.Exchange(step, "push/rows");
    body_ = &peer_.http_.StreamBody(request);
    reader_ = std::make_unique<core::RowStreamReader>(*this);
    const core::JsonDocument header =
        pg::ParsePeerJson(Checked([&] { return reader_->Header(); }), "header of the row stream");
    return core::RowHeader::FromJson(core::JsonObject(header, "header of the row stream"));
  }

  bool Next(core::RowStreamReader::Rows* rows) override {
    const bool more = Checked([&] { return reader_->Next(rows); });
    peer_.CountRows(request_.table, reader_->rows());
    if (more) return true;
    char byte;
    if (Read(&byte, 1) != 0) throw Malformed("Something follows its end.");
    return false;
  }

  // The answer that comes next tells the peer that the rest is not wanted.
  void Drain() override {}

  size_t Read(char* to, size_t size) override {
    const size_t got = body_->Read(to, size);
    peer_.bytes_in_ += got;
    session::add_peer_bytes(got);
    return got;
  }

 private:
  // A body that ends before its stream does is no lost connection: the peer waits for an answer. An
  // error frame is the peer's, in UTF-8.
  template <typename Body>
  auto Checked(Body&& body) -> decltype(body()) {
    try {
      return body();
    } catch (const core::TimeoutError&) {
      throw;
    } catch (const net::BadRequest&) {
      throw;
    } catch (const Error& error) {
      if (!peer_.http_.body_done()) throw;
      if (error.state() == sqlstate::kConnectionLost) throw Malformed(error.detail());
      throw pg::ErrorFromWire(error);
    }
  }

  PushingPeer& peer_;
  core::RowsRequest request_;
  core::ByteSource* body_ = nullptr;
  std::unique_ptr<core::RowStreamReader> reader_;
};

std::vector<core::OpenedTable> PushingPeer::Open(const std::vector<std::string>& names) {
  std::vector<core::OpenedTable> opened;
  for (const std::string& name : names) {
    const auto found = std::find_if(push_.tables.begin(), push_.tables.end(),
                                    [&](const auto& table) { return table.name == name; });
    if (found == push_.tables.end()) {
      throw Error(sqlstate::kInternal, Cat("table \"", name, "\" is not of this push"));
    }
    opened.push_back(found->opened);
  }
  return opened;
}

// The peer has sent them along if tables may be created.
std::vector<core::TableInfo> PushingPeer::GetDefinitions(const std::vector<std::string>& names) {
  std::vector<core::TableInfo> definitions;
  for (core::OpenedTable& opened : Open(names))
    definitions.push_back(std::move(opened.info));
  return definitions;
}

std::unique_ptr<engine::RowFeed> PushingPeer::Rows(const core::RowsRequest& request,
                                                   const catalog::Table*) {
  return std::make_unique<PushedRows>(*this, request);
}

net::HttpRequest PushingPeer::Exchange(const PushStep& step, const char* operation) {
  net::HttpResponse response;
  response.body = pg::ToUtf8(step.ToJson());
  http_.Respond(response);
  NextRequest next = next_();
  if (next.operation != operation || next.http.method != "POST") {
    // Its body, if any, is part of the mistake.
    http_.set_last();
    throw Error(sqlstate::kProtocolViolation, "push of the peer is out of order")
        .WithDetail(Cat("POST ", operation, " was to come, not ", next.http.method, " ",
                        core::Excerpt(next.operation, 50), "."));
  }
  session::SetPeerActivity(operation);
  return std::move(next.http);
}

void PushingPeer::CountRows(const std::string& table, uint64_t rows) {
  rows_[table] = rows;
  session_.limits.RequireRows(session_.rows_taken + rows_taken());
}

uint64_t PushingPeer::rows_taken() const {
  uint64_t rows = 0;
  for (const auto& [table, count] : rows_)
    rows += count;
  return rows;
}

void RequireTarget(const catalog::TableName& name, const PushRequest& push,
                   const session::Session& session) {
  const Oid oid = catalog::FindRelation(name);
  const auto& tables = session.tables;
  const bool exists = OidIsValid(oid);
  if (!exists && !(push.options.create_missing_tables && session.limits.create_tables)) {
    const char* hint = session.limits.create_tables
                           ? "Create it, or pass create_missing_tables => true."
                           : "Create it: the session does not allow tables to be created.";
    throw Error(sqlstate::kUndefinedTable, Cat("table \"", name.ForMessage(), "\" does not exist"))
        .WithHint(hint);
  }
  if (tables && (!exists || std::find(tables->begin(), tables->end(), oid) == tables->end())) {
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("permission denied for table ", name.ForMessage()))
        .WithDetail("The session does not take this table.");
  }
}

// All that the session says of a push can be said before a row comes, but for the number of rows.
void RequireAllowed(const PushRequest& push, const session::Session& session) {
  session.limits.RequireWords(push.options);
  for (const PushRequest::Table& table : push.tables) {
    const std::string* own =
        catalog::FindByTable(push.options.strategies, catalog::ParseTableName(table.name));
    session.limits.RequireStrategy(own != nullptr ? *own : push.options.strategy);
    RequireTarget(catalog::ParseTableName(table.target), push, session);
  }
}

PushStep OutcomeStep(const std::vector<engine::TableOutcome>& outcomes) {
  PushStep step;
  for (const engine::TableOutcome& outcome : outcomes) {
    step.outcomes.push_back({outcome.source, outcome.counts.created, outcome.counts.updated,
                             outcome.counts.skipped, outcome.counts.deleted, outcome.errors,
                             outcome.error_count, outcome.bytes, outcome.duration.count()});
  }
  return step;
}

}  // namespace

void TakePush(ServedDatabase& database, net::HttpServerConnection& http, const std::string& peer,
              const ReadRequest& next, const net::HttpRequest& open, ServedTotals& totals) {
  uint64_t rows = 0;
  size_t tables = 0;
  database.Write([&] {
    const core::JsonDocument document = pg::ParsePeerJson(open.body, "request");
    const auto push = PushRequest::FromJson(core::JsonObject(document, "request"));
    const session::Session& session = database.session();
    RequireAllowed(push, session);
    auto options = engine::OptionsOf(session.limits.Narrowed(push.options));
    options.only = session.tables;
    std::vector<engine::TableRequest> requests;
    for (const PushRequest::Table& table : push.tables)
      requests.push_back({table.name, table.target});

    Progress progress(peer);
    PushingPeer source(http, next, push, session);
    const auto outcomes = engine::TransferTables(source, progress, requests, options);
    progress.Phase("waiting for commit");
    (void)http.StreamBody(source.Exchange(OutcomeStep(outcomes), "push/commit"));
    http.SkipBody();
    progress.Phase("committing");
    rows = source.rows_taken();
    tables = requests.size();
  });
  totals.rows += rows;
  totals.tables += static_cast<int>(tables);
  database.CountRowsTaken(rows);
  net::HttpResponse response;
  response.body = core::JsonWriter().BeginObject().Field("committed", true).EndObject().Take();
  http.Respond(response);
}

}  // namespace pgsync::server
