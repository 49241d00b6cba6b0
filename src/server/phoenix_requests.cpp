#include "server/phoenix_requests.h"

#include <algorithm>
#include <charconv>

#include "catalog/phoenix_info.h"
#include "catalog/shareable.h"
#include "catalog/table_list.h"
#include "core/phoenix_schema.h"
#include "core/text.h"
#include "engine/row_sender.h"
#include "engine/scan.h"
#include "engine/sending.h"
#include "pg/encoding.h"
#include "pg/settings.h"
#include "server/peer_watch.h"
#include "server/refusal.h"
#include "server/served_rows.h"
#include "session/peer_table.h"
#include "session/shared_memory.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "pgstat.h"
}

namespace pgsync::server {

using core::Cat;
using core::Error;
using core::JsonValue;
namespace settings = pg::settings;
namespace sqlstate = core::sqlstate;

namespace {

// PhoenixKit names tables of this schema only, and as they are called: without quotes.
constexpr char kSchema[] = "public";
// By this a peer tells the releases of PhoenixKit's sync apart: one that can send schemas.
constexpr char kSpokenVersion[] = "0.2.1";

constexpr int64 kDefaultLimit = 100;
constexpr int64 kLimitOfNull = 1000;

// An error whose text is the whole answer.
class Refusal : public Error {
 public:
  explicit Refusal(const std::string& text) : Error(sqlstate::kInvalidParameter, text) {}
};

std::string Text(const JsonValue& value) {
  return std::string(value.GetString(), value.GetStringLength());
}

// In UTF-8.
std::string TableOf(const core::PhoenixFrame& frame) {
  const JsonValue* table = frame.Find("table");
  if (table == nullptr || !table->IsString()) {
    throw Error(sqlstate::kInvalidParameter, "table must be the name of a table");
  }
  return Text(*table);
}

// An integer, or a string that is one.
std::optional<int64> Integer(const JsonValue& value) {
  if (value.IsInt64()) return value.GetInt64();
  if (!value.IsString()) return std::nullopt;
  const std::string text = Text(value);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

struct Page {
  int64 limit = kDefaultLimit;
  int64 offset = 0;
  std::string sent_offset = "0";  // as JSON
};

// A limit above `longest` is cut to that; without it, what this server allows is not to be passed.
Page ReadPage(const core::PhoenixFrame& frame, std::optional<int64> longest) {
  Page page;
  if (const JsonValue* limit = frame.Find("limit")) {
    const auto number = limit->IsNull() ? kLimitOfNull : Integer(*limit);
    if (!number || *number < 0) throw Error(sqlstate::kInvalidParameter, "limit must be a count");
    page.limit = *number;
    if (!longest && page.limit > settings::max_page_rows) {
      throw Error(sqlstate::kTooLarge, Cat("limit ", *number, " is above ", settings::max_page_rows,
                                           " (sync.max_page_rows)"));
    }
  }
  if (longest) page.limit = std::min(page.limit, *longest);
  const JsonValue* offset = frame.Find("offset");
  if (offset != nullptr && !offset->IsNull()) {
    const auto number = Integer(*offset);
    if (!number) throw Error(sqlstate::kInvalidParameter, "offset must be a whole number");
    page.offset = std::max<int64>(*number, 0);
    page.sent_offset = core::JsonWriter().Value(*offset).Take();
  }
  return page;
}

std::vector<rows::PhoenixEncoder::Request> Columns(const catalog::Table& table,
                                                   const std::vector<size_t>& positions) {
  std::vector<rows::PhoenixEncoder::Request> columns;
  for (size_t position : positions) {
    const bool key =
        table.row_key && std::find(table.row_key->columns.begin(), table.row_key->columns.end(),
                                   position) != table.row_key->columns.end();
    columns.push_back({&table.columns[position], key});
  }
  return columns;
}

// The rows of a page go one way, the one behind them another: it is only seen.
class PageRows : public rows::RowConsumer {
 public:
  PageRows(int64 limit, rows::RowConsumer& page, rows::RowConsumer& rest)
      : left_(limit), page_(page), rest_(rest) {}
  void take_row(TupleTableSlot* slot) override { (left_-- > 0 ? page_ : rest_).take_row(slot); }
  bool done() const override { return rest_.done(); }

 private:
  int64 left_;
  rows::RowConsumer& page_;
  rows::RowConsumer& rest_;
};

}  // namespace

struct PhoenixRequests::Request {
  const char* event;
  void (PhoenixRequests::*answer)(const core::PhoenixFrame& frame);
  const char* failure;
};

const PhoenixRequests::Request PhoenixRequests::kRequests[] = {
    {"request:capabilities", &PhoenixRequests::Capabilities, "Failed to get capabilities: "},
    {"request:tables", &PhoenixRequests::Tables, "Failed to list tables: "},
    {"request:schema", &PhoenixRequests::Schema, "Failed to get schema: "},
    {"request:count", &PhoenixRequests::Count, "Failed to get count: "},
    {"request:records", &PhoenixRequests::Records, "Failed to fetch records: "},
};

void PhoenixRequests::Handle(const core::PhoenixFrame& frame) {
  const auto* request =
      std::find_if(std::begin(kRequests), std::end(kRequests),
                   [&](const Request& known) { return frame.event() == known.event; });
  const JsonValue* ref = frame.Find("ref");
  if (request == std::end(kRequests) || ref == nullptr) return;
  ref_ = core::JsonWriter().Value(*ref).Take();
  pgstat_report_activity(STATE_RUNNING, request->event);
  session::SetPeerActivity(request->event);
  try {
    if (ConnectionGuard* guard = database_.guard()) {
      database_.Look([&] { guard->BeginRequest(origin_); });
    }
    (this->*request->answer)(frame);
  } catch (const core::TimeoutError&) {
    throw;  // nobody reads any more
  } catch (const pg::PgError& error) {
    if (PeerWatchSawPeerGone() || PeerWatchSawOldSnapshot()) throw;
    Fail(request->failure, error.ToError());
  } catch (const Error& error) {
    if (error.state() == sqlstate::kConnectionLost) throw;
    if (const auto* refusal = dynamic_cast<const PolicyRefusal*>(&error)) {
      Fail("", Refusal(core::RefusalText(refusal->refusal())));
    } else {
      Fail(dynamic_cast<const Refusal*>(&error) != nullptr ? "" : request->failure, error);
    }
  }
  session::SetPeerActivity("idle");
}

void PhoenixRequests::Fail(const char* failure, const Error& error) {
  if (!socket_.DropText()) throw BrokenAnswer(error);
  const core::RemoteError wire = pg::ErrorForWire(error);
  core::JsonWriter json;
  json.BeginObject().Field("error", Cat(failure, wire.message)).Key("ref").Raw(ref_);
  socket_.WriteText(
      core::WritePhoenixFrame("null", topic_, "response:error", json.EndObject().Take()));
}

// `fields`: members of an object, in UTF-8.
void PhoenixRequests::Reply(const char* event, const std::string& fields) {
  socket_.WriteText(
      core::WritePhoenixFrame("null", topic_, event, Cat("{", fields, ",\"ref\":", ref_, "}")));
}

// Raises a Refusal that says `not_found`, and with `naming` the name after it, or that access to
// the table is denied.
catalog::Table PhoenixRequests::Resolve(const std::string& utf8_name, const char* not_found,
                                        bool naming) const {
  const bool possible = utf8_name.find('\0') == std::string::npos;
  const catalog::TableName name = {kSchema, possible ? pg::FromUtf8(utf8_name) : std::string()};
  const Oid oid = possible ? catalog::FindRelation(name) : InvalidOid;
  const Refusal unknown(naming ? Cat(not_found, name.name) : not_found);
  const Refusal denied(Cat("Access denied to table: ", name.name));
  const ConnectionGuard* guard = database_.guard();
  if (guard != nullptr && !guard->Shares(name)) throw denied;  // whether or not it exists
  if (!OidIsValid(oid)) throw unknown;
  const catalog::Table table = catalog::ReadTable(oid);
  if (guard != nullptr && !guard->Shares(table)) throw denied;
  if (!table.ordinary() && !table.partitioned()) throw unknown;
  const auto& shared = database_.session().tables;
  if (shared && std::find(shared->begin(), shared->end(), oid) == shared->end()) throw denied;
  try {
    catalog::RequireReadable(table, guard != nullptr ? guard->Names(name) : shared.has_value());
  } catch (const Error& error) {
    if (error.state() != sqlstate::kInsufficientPrivilege) throw;
    throw denied;
  }
  return table;
}

void PhoenixRequests::Capabilities(const core::PhoenixFrame&) {
  core::JsonWriter json;
  json.BeginObject().Field("version", "1.0.0").Field("phoenix_kit_version", kSpokenVersion);
  json.Field("features", std::vector<std::string>{"list_tables", "get_schema", "fetch_records"});
  json.Field("sync_version", session::kVersion).EndObject();
  Reply("response:capabilities", Cat("\"capabilities\":", json.Take()));
}

void PhoenixRequests::Tables(const core::PhoenixFrame&) {
  core::JsonWriter json;
  database_.Read([&] {
    catalog::ListOptions options;
    options.schema = kSchema;
    options.only = database_.session().tables;
    json.BeginArray();
    const ConnectionGuard* guard = database_.guard();
    for (const core::TableListEntry& entry : catalog::ListTables(options)) {
      if (guard != nullptr && !guard->Shares({entry.schema, entry.name})) continue;
      json.BeginObject().Field("name", entry.name);
      json.OptionalField("estimated_count", entry.row_count).EndObject();
    }
    json.EndArray();
  });
  Reply("response:tables", Cat("\"tables\":", pg::ToUtf8(json.Take())));
}

void PhoenixRequests::Schema(const core::PhoenixFrame& frame) {
  core::JsonWriter json;
  const std::string name = TableOf(frame);
  database_.Read([&] {
    const catalog::Table table = Resolve(name, "Table not found: ", true);
    core::WritePhoenixSchema(json, catalog::PhoenixInfo(table), core::PhoenixSchema::kWebSocket);
  });
  Reply("response:schema", Cat("\"schema\":", pg::ToUtf8(json.Take())));
}

void PhoenixRequests::Count(const core::PhoenixFrame& frame) {
  const std::string name = TableOf(frame);
  int64 count = 0;
  database_.Read([&] {
    const catalog::Table table = Resolve(name, "Failed to get count: :table_not_found", false);
    engine::RequireUnchanged(table);
    count = catalog::CountRows(table);
  });
  Reply("response:count", Cat("\"count\":", count));
}

// Asks for the rows of a table, which may have to wait for somebody who approves of it.
void PhoenixRequests::RequireApproved(const std::string& utf8_name, bool first_page) {
  ConnectionGuard* guard = database_.guard();
  if (guard == nullptr || utf8_name.find('\0') != std::string::npos) return;
  database_.Look([&] {
    const catalog::TableName table = {kSchema, pg::FromUtf8(utf8_name)};
    if (guard->Shares(table)) guard->RequireApproved({table}, first_page);
  });
}

// The page goes out while the table is being read.
void PhoenixRequests::Records(const core::PhoenixFrame& frame) {
  const std::string name = TableOf(frame);
  ConnectionGuard* const guard = database_.guard();
  std::optional<int64> longest;
  if (guard != nullptr) {
    longest = std::min<int64>(guard->policy().max_records_per_request, settings::max_page_rows);
  }
  Page page = ReadPage(frame, longest);
  engine::ScanRequest scan;
  scan.ordered = true;
  scan.offset = page.offset;
  RequireApproved(name, page.offset == 0);
  std::optional<ServedRows> served;
  try {
    database_.Read([&] {
      const catalog::Table table =
          Resolve(name, "Failed to fetch records: :table_not_found", false);
      engine::RequireUnchanged(table);
      scan.columns = engine::PlainColumns(table);
      if (guard != nullptr) {
        served.emplace(*guard, table.name, database_.role_name(), page.limit);
        page.limit = served->Allowed(page.limit);
      }
      scan.limit = page.limit + 1;  // whether there is another
      const pg::ClientEncodingScope scope(PG_UTF8);
      core::ByteSink& sink = socket_.BeginText();
      auto write = [&](std::string_view text) { sink.Write(&text, 1); };
      write(Cat("[null,null,", core::JsonWriter().String(topic_).Take(),
                ",\"response:records\",{\"records\":["));
      const auto sender = engine::SendPhoenixRows(
          Columns(table, scan.columns),
          lossless_ ? rows::PhoenixForm::kPgText : rows::PhoenixForm::kWebSocket,
          static_cast<uint64>(page.limit), sink, [&served](uint64, uint64 bytes) {
            session::add_peer_bytes(bytes);
            if (served) served->AddBytes(bytes);
            return true;
          });
      rows::RowConsumer& sends = sender->consumer();
      PageRows rows(page.limit, served ? served->Around(sends) : sends, sends);
      engine::ScanTable(table, scan, rows);
      sender->Finish();
      write(Cat("],\"offset\":", page.sent_offset,
                ",\"has_more\":", sender->more() ? "true" : "false",
                lossless_ ? ",\"encoding\":\"pgtext\"" : "", ",\"ref\":", ref_, "}]"));
      socket_.EndText();
      totals_.rows += sender->rows();
      totals_.tables += page.offset == 0 ? 1 : 0;
    });
  } catch (const std::exception& error) {
    if (served) served->Fail(error.what());
    throw;
  }
  if (served) served->Complete();
}

}  // namespace pgsync::server
