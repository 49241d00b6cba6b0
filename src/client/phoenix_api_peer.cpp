// PhoenixKit sites that know a token: their HTTP JSON API.
#include <algorithm>
#include <map>

#include "client/phoenix_api.h"
#include "client/phoenix_peer.h"
#include "core/code.h"
#include "core/phoenix_tables.h"
#include "core/phoenix_value.h"
#include "core/text.h"
#include "pg/encoding.h"
#include "pg/wait.h"

namespace pgsync::client {

using core::Cat;
using core::Error;
using std::chrono::milliseconds;
namespace sqlstate = core::sqlstate;

namespace {

// A site gives no more records at a time, whatever is asked for.
constexpr int64 kPageRows = 100;

const core::JsonValue* Member(const core::JsonDocument& document, const char* key) {
  const auto member = document.FindMember(key);
  return member == document.MemberEnd() ? nullptr : &member->value;
}

// A site, and what lets us in.
class Site {
 public:
  Site(const net::Url& url, const std::string& token, milliseconds timeout)
      : api(url, timeout), hash_(core::ToHex(core::HashTicket(token))) {}

  core::JsonDocument Post(const char* name, const std::string& what,
                          const std::function<void(core::JsonWriter&)>& fields = {}) {
    core::JsonWriter json;
    json.BeginObject().Field("auth_token_hash", hash_);
    if (fields) fields(json);
    json.Field("accept_encoding", std::vector<std::string>{core::kPgTextEncoding}).EndObject();
    return api.Read(api.Call("POST", name, json.Take()), what);
  }

  std::vector<core::TableListEntry> ListTables() {
    const core::JsonDocument reply = Post("list-tables", "its tables");
    std::vector<core::TableListEntry> tables;
    for (const core::JsonObject& entry :
         core::JsonObject(reply, "reply of the peer").Objects("tables")) {
      tables.push_back(core::ReadPhoenixListEntry(entry));
    }
    return tables;
  }

  /// -1 where the site does not list it.
  int64 Count(const std::string& name) {
    for (const core::TableListEntry& table : ListTables()) {
      if (table.name == name) return table.row_count.value_or(-1);
    }
    return -1;
  }

  PhoenixApi api;

 private:
  std::string hash_;
};

// A whole table at once; where a site cuts that off, in pages.
class ApiPages : public RecordPages {
 public:
  ApiPages(Site& site, std::string name, int64 offset, int64 limit)
      : site_(site), name_(std::move(name)), first_(offset), most_(limit) {}

  void Begin() override {
    offset_ = first_;
    // What is a part of a table has an order only in pages.
    paged_ = most_ >= 0 || first_ > 0;
    more_ = true;
  }

  bool Next(RecordPage* page) override {
    if (!more_) return false;
    if (!paged_ && Whole(page)) return page->records->Size() > 0;
    return NextPage(page);
  }

  int64 Count() override {
    count_ = site_.Count(name_);
    return count_;
  }
  void Pause(milliseconds duration) override { pg::Sleep(duration); }

 private:
  std::string What() const { return Cat("table \"", name_, "\""); }

  void Take(core::JsonDocument reply, const char* key, uint64_t before, RecordPage* page) {
    reply_ = std::move(reply);
    page->records = &core::RequireRecords(Member(reply_, key));
    page->pg_text = core::JsonObject(reply_, "reply of the peer").StringOr("encoding", "") ==
                    core::kPgTextEncoding;
    page->bytes = static_cast<size_t>(site_.api.bytes_in() - before);
  }

  // False where this is not all of it: then it has to be read anew, for what has come is in no
  // order to which pages could be added.
  bool Whole(RecordPage* page) {
    const uint64_t before = site_.api.bytes_in();
    Take(site_.Post("pull-data", What(),
                    [&](core::JsonWriter& json) { json.Field("table_name", name_); }),
         "data", before, page);
    const int64 rows = page->records->Size();
    if (rows >= count_) {
      more_ = false;
      return true;
    }
    pg::Call([&] {
      ereport(DEBUG1, (errmsg_internal("sync: the peer gave " INT64_FORMAT " of " INT64_FORMAT
                                       " rows at once; reading pages",
                                       rows, count_)));
    });
    whole_rows_ = rows;
    paged_ = true;
    return false;
  }

  bool NextPage(RecordPage* page) {
    const int64 left = most_ < 0 ? kPageRows : most_ - (offset_ - first_);
    const int64 limit = std::min(kPageRows, left);
    if (limit <= 0) return false;
    const uint64_t before = site_.api.bytes_in();
    try {
      Take(site_.Post(
               "table-records", What(),
               [&](core::JsonWriter& json) {
                 json.Field("table_name", name_).Field("offset", offset_).Field("limit", limit);
               }),
           "records", before, page);
    } catch (const Error& error) {
      if (!whole_rows_ || offset_ > first_ || !IsFailure(error)) throw;
      throw Error(sqlstate::kTooLarge,
                  Cat("the peer gives only a part of table \"", pg::FromUtf8(name_), "\""))
          .WithDetail(Cat("It has ", count_, " rows and gave ", *whole_rows_,
                          " at once; when asked for pages: ", error.detail()))
          .WithHint(
              "Raise max_records_per_request of the connection there, or connect with a code.");
    }
    const int64 rows = page->records->Size();
    offset_ += rows;
    more_ = rows > 0;
    return rows > 0;
  }

  // Not of the connection.
  static bool IsFailure(const Error& error) {
    return error.state() == sqlstate::kInternal || error.state() == sqlstate::kProtocolViolation ||
           error.state() == sqlstate::kUndefinedTable;
  }

  Site& site_;
  std::string name_;
  int64 first_, most_;
  int64 offset_ = 0;
  int64 count_ = 0;  // as the site said last
  std::optional<int64> whole_rows_;
  bool paged_ = false;
  bool more_ = true;
  core::JsonDocument reply_;
};

class PhoenixApiPeer : public PhoenixPeer {
 public:
  PhoenixApiPeer(const net::Url& url, const std::string& token, milliseconds timeout)
      : site_(url, token, timeout) {
    (void)site_.ListTables();  // which tells whether the token is any good
  }

  std::vector<core::TableListEntry> ListTables(const std::optional<std::string>& schema,
                                               bool) override {
    std::vector<core::TableListEntry> tables;
    if (schema.value_or("public") == "public") tables = site_.ListTables();
    for (core::TableListEntry& table : tables)
      table = InThisEncoding(std::move(table));
    return tables;
  }

  core::TableInfo GetSchema(const std::string& table) override {
    const std::string name = NameThere(table);
    const core::JsonDocument reply =
        site_.Post("table-schema", Cat("table \"", name, "\""),
                   [&](core::JsonWriter& json) { json.Field("table_name", name); });
    const core::JsonObject object(reply, "reply of the peer");
    core::TableInfo info = core::ReadPhoenixTable(object.Object("schema"), name);
    // Where later sites tell the key.
    if (info.primary_key.empty()) info.primary_key = object.Strings("primary_key");
    return InThisEncoding(std::move(info));
  }

  int64 Count(const std::string& table) override {
    const std::string name = NameThere(table);
    const int64 rows = site_.Count(name);
    if (rows >= 0) return rows;
    throw Error(sqlstate::kUndefinedTable,
                Cat("table \"", pg::FromUtf8(name), "\" is not listed by the peer"));
  }

  bool Connected() override { return !closed_; }
  void Disconnect() override {
    closed_ = true;
    site_.api.Close();
  }
  PeerFacts Facts() const override {
    PeerFacts facts;
    facts.protocol = "phoenix";
    facts.bytes_in = site_.api.bytes_in();
    facts.bytes_out = site_.api.bytes_out();
    return facts;
  }

 protected:
  std::unique_ptr<RecordPages> Pages(const std::string& table, int64 offset, int64 limit) override {
    return std::make_unique<ApiPages>(site_, NameThere(table), offset, limit);
  }

  core::OpenedTable OpenTable(const std::string& table) override {
    core::OpenedTable opened;
    opened.info = GetSchema(table);
    opened.row_estimate = Count(table);
    return opened;
  }

 private:
  Site site_;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<Peer> ConnectPhoenixByToken(const net::Url& url, const std::string& token,
                                            milliseconds timeout) {
  return std::make_unique<PhoenixApiPeer>(url, token, timeout);
}

}  // namespace pgsync::client
