// PhoenixKit sites that a code has opened: requests over the channel, pages by offset.
#include <algorithm>

#include "client/phoenix_peer.h"
#include "client/phoenix_socket.h"
#include "core/phoenix_site.h"
#include "core/phoenix_tables.h"
#include "core/phoenix_value.h"
#include "core/text.h"
#include "pg/encoding.h"

namespace pgsync::client {

using core::Cat;
using core::Error;
using std::chrono::milliseconds;
namespace sqlstate = core::sqlstate;

namespace {

// A site cuts pages off at 1000 rows and then says that there are no more.
constexpr int64 kMostRows = 1000;
constexpr int64 kFirstRows = 100;
// What a page is to have, as far as the rows so far tell: it is held in memory on both sides.
constexpr uint64_t kPageBytes = 8 * 1024 * 1024;

int64 CountRows(PhoenixSocket& socket, const std::string& name) {
  const core::PhoenixFrame answer =
      socket.Request("count", [&](core::JsonWriter& json) { json.Field("table", name); });
  return core::JsonObject(answer.payload(), "reply of the peer").Int("count");
}

class SocketPages : public RecordPages {
 public:
  SocketPages(PhoenixSocket& socket, std::string name, int64 offset, int64 limit)
      : socket_(socket), name_(std::move(name)), first_(offset), most_(limit) {}

  void Begin() override {
    offset_ = first_;
    page_rows_ = kFirstRows;
    more_ = true;
  }

  // Steps by what has come, which is not always what was asked for.
  bool Next(RecordPage* page) override {
    const int64 left = most_ < 0 ? kMostRows : most_ - (offset_ - first_);
    const int64 limit = std::min(page_rows_, left);
    if (!more_ || limit <= 0) return false;
    const uint64_t before = socket_.bytes_in();
    answer_.emplace(socket_.Request("records", [&](core::JsonWriter& json) {
      json.Field("table", name_).Field("offset", offset_).Field("limit", limit);
    }));
    const core::JsonObject payload(answer_->payload(), "reply of the peer");
    if (payload.IntOr("offset", offset_) != offset_) {
      throw Error(sqlstate::kProtocolViolation, "the peer has sent another page than was asked for")
          .WithDetail(Cat("It begins at ", payload.Int("offset"), " instead of ", offset_, "."));
    }
    page->records = &core::RequireRecords(answer_->Find("records"));
    page->pg_text = payload.StringOr("encoding", "") == core::kPgTextEncoding;
    page->bytes = static_cast<size_t>(socket_.bytes_in() - before);
    const int64 rows = page->records->Size();
    if (rows == 0) return false;
    offset_ += rows;
    more_ = payload.BoolOr("has_more", false);
    const uint64_t row_bytes = page->bytes / static_cast<uint64_t>(rows) + 1;
    page_rows_ = std::clamp<int64>(static_cast<int64>(kPageBytes / row_bytes), 1, kMostRows);
    return true;
  }

  int64 Count() override { return CountRows(socket_, name_); }
  void Pause(milliseconds duration) override { socket_.Idle(duration); }

 private:
  PhoenixSocket& socket_;
  std::string name_;
  int64 first_, most_;
  int64 offset_ = 0;
  int64 page_rows_ = kFirstRows;
  bool more_ = true;
  std::optional<core::PhoenixFrame> answer_;
};

class PhoenixSocketPeer : public PhoenixPeer {
 public:
  PhoenixSocketPeer(const net::Url& url, milliseconds timeout) : socket_(url, timeout) {}

  void Connect(const std::string& code) {
    socket_.Connect(code);
    const core::PhoenixFrame answer = socket_.Request("capabilities");
    const core::JsonObject reply(answer.payload(), "reply of the peer");
    if (!reply.Has("capabilities")) return;
    const core::JsonObject capabilities = reply.Object("capabilities");
    const std::string version = capabilities.StringOr("phoenix_kit_version", "");
    version_ = pg::FromUtf8(capabilities.StringOr("sync_version", version));
    describes_ = core::AnswersSchemaRequest(version);
  }

  std::vector<core::TableListEntry> ListTables(const std::optional<std::string>& schema,
                                               bool) override {
    std::vector<core::TableListEntry> tables;
    if (schema.value_or("public") != "public") return tables;
    const core::PhoenixFrame answer = socket_.Request("tables");
    for (const core::JsonObject& entry :
         core::JsonObject(answer.payload(), "reply of the peer").Objects("tables")) {
      tables.push_back(core::ReadPhoenixListEntry(entry));
      tables.back() = InThisEncoding(std::move(tables.back()));
    }
    return tables;
  }

  core::TableInfo GetSchema(const std::string& table) override {
    const std::string name = NameThere(table);
    if (!describes_) {
      throw Error(sqlstate::kFeatureNotSupported, "the peer cannot describe its tables")
          .WithDetail("It is a PhoenixKit site whose Sync is older than 0.1.2 and would crash.")
          .WithHint("Create the table here, or connect with a token.");
    }
    const core::PhoenixFrame answer =
        socket_.Request("schema", [&](core::JsonWriter& json) { json.Field("table", name); });
    return InThisEncoding(core::ReadPhoenixTable(
        core::JsonObject(answer.payload(), "reply of the peer").Object("schema"), name));
  }

  int64 Count(const std::string& table) override { return CountRows(socket_, NameThere(table)); }

  bool Connected() override { return socket_.Connected(); }
  void Disconnect() override { socket_.Close(); }
  PeerFacts Facts() const override {
    PeerFacts facts;
    facts.protocol = "phoenix";
    facts.version = version_;
    facts.bytes_in = socket_.bytes_in();
    facts.bytes_out = socket_.bytes_out();
    return facts;
  }

  std::vector<core::OpenedTable> Open(const std::vector<std::string>& tables) override {
    if (!describes_) {
      pg::Call([] {
        ereport(WARNING,
                (errmsg("the peer does not describe its tables"),
                 errdetail("It is a PhoenixKit site whose Sync is older than 0.1.2. Columns are "
                           "those of its records, their types those of the tables here."),
                 errhint("Tables with date, time, numeric or uuid columns make it crash: pull them "
                         "with a token.")));
      });
    }
    return PhoenixPeer::Open(tables);
  }

 protected:
  std::unique_ptr<RecordPages> Pages(const std::string& table, int64 offset, int64 limit) override {
    return std::make_unique<SocketPages>(socket_, NameThere(table), offset, limit);
  }

  core::OpenedTable OpenTable(const std::string& table) override {
    const int64 rows = Count(table);
    core::OpenedTable opened;
    if (describes_) {
      opened.info = GetSchema(table);
    } else {
      opened = OpenUndescribed(table);
    }
    opened.row_estimate = rows;
    return opened;
  }

 private:
  PhoenixSocket socket_;
  std::string version_;
  bool describes_ = false;
};

}  // namespace

std::unique_ptr<Peer> ConnectPhoenixByCode(const net::Url& url, const std::string& code,
                                           milliseconds timeout) {
  auto peer = std::make_unique<PhoenixSocketPeer>(url, timeout);
  peer->Connect(code);
  return peer;
}

}  // namespace pgsync::client
