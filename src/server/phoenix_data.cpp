#include "server/phoenix_data.h"

#include "catalog/phoenix_info.h"
#include "catalog/shareable.h"
#include "core/phoenix_schema.h"
#include "core/text.h"
#include "engine/row_sender.h"
#include "engine/scan.h"
#include "pg/encoding.h"
#include "pg/identity.h"
#include "rows/phoenix_type.h"
#include "server/connection_gate.h"
#include "server/lazy_stream.h"
#include "server/log.h"
#include "server/peer_watch.h"
#include "server/phoenix_answer.h"
#include "server/phoenix_tables.h"
#include "server/phoenix_token.h"
#include "server/refusal.h"
#include "server/reserved_records.h"
#include "server/served_rows.h"
#include "session/peer_table.h"

namespace pgsync::server {

using core::Cat;
using core::Error;
using core::PhoenixOperation;
using core::PhoenixRequest;
using core::Refusal;
using engine::KeyFilter;
namespace sqlstate = core::sqlstate;

namespace {

constexpr int64 kDefaultRecords = 10, kMostRecords = 100;
constexpr size_t kMostIds = 1000;

Refused Failure(int status, std::string text) {
  return Refused(Error(sqlstate::kProtocolViolation, std::move(text)), status);
}

Refused NotAuthorised() {
  return Failure(403, "This connection is not authorised to access that table");
}

Refused TableNotFound() {
  return Failure(404, "Table not found");
}

class PhoenixData {
 public:
  PhoenixData(ServedDatabase& database, const PhoenixRequest& parameters,
              net::HttpServerConnection& http)
      : database_(database), guard_(*database.guard()), parameters_(parameters), http_(http) {}

  void Serve(PhoenixOperation operation);

 private:
  void ListTables();
  void PullData();
  void TableSchema();
  void TableRecords();

  catalog::TableName Name() const;
  catalog::Table Resolve() const;
  KeyFilter ReadFilter(const catalog::Table& table) const;
  void RequireDownload() const;
  std::string ReadKeyValue(const core::JsonValue& value, const core::PhoenixType& type) const;
  uint64 SendRows(const catalog::Table& table, const engine::ScanRequest& scan, ServedRows* served,
                  LazyStream& out);
  std::string Trailer() const;
  void Respond(const std::string& json);

  ServedDatabase& database_;
  ConnectionGuard& guard_;
  const PhoenixRequest& parameters_;
  net::HttpServerConnection& http_;
};

void PhoenixData::Respond(const std::string& json) {
  net::HttpResponse response;
  response.body = pg::ToUtf8(json);
  http_.Respond(response);
}

catalog::TableName PhoenixData::Name() const {
  const auto name = parameters_.Text("table_name");
  if (!name) throw TableNotFound();
  return {"public", pg::FromUtf8(*name)};
}

catalog::Table PhoenixData::Resolve() const {
  const catalog::TableName name = Name();
  if (!guard_.Shares(name)) throw NotAuthorised();
  const Oid oid = catalog::FindRelation(name);
  if (!OidIsValid(oid)) throw TableNotFound();
  catalog::Table table = catalog::ReadTable(oid);
  if (!guard_.Shares(table)) throw NotAuthorised();
  try {
    catalog::RequireReadable(table, guard_.Names(name));
  } catch (const Error& error) {
    if (error.state() == sqlstate::kWrongObjectType) throw TableNotFound();
    if (error.state() != sqlstate::kInsufficientPrivilege) throw;
    throw NotAuthorised();
  }
  return table;
}

void PhoenixData::ListTables() {
  core::JsonWriter json;
  database_.Read([&] {
    json.BeginObject().Field("success", true).Key("tables").BeginArray();
    for (const PhoenixTable& table : ListPhoenixTables(guard_))
      table.Write(json);
    json.EndArray().EndObject();
  });
  Respond(json.Take());
}

void PhoenixData::TableSchema() {
  core::JsonWriter json;
  database_.Read([&] {
    json.BeginObject().Field("success", true).Key("schema");
    core::WritePhoenixSchema(json, catalog::PhoenixInfo(Resolve()), core::PhoenixSchema::kHttp);
    json.EndObject();
  });
  Respond(json.Take());
}

std::string PhoenixData::ReadKeyValue(const core::JsonValue& value,
                                      const core::PhoenixType& type) const {
  try {
    if (const auto text = core::ReadPhoenixValue(value, type)) return pg::FromUtf8(*text);
  } catch (const Error&) {
  }
  throw Failure(400, "Invalid record id");
}

KeyFilter PhoenixData::ReadFilter(const catalog::Table& table) const {
  const core::JsonValue* ids = parameters_.Find("ids");
  const core::JsonValue *from = parameters_.Find("id_start"), *to = parameters_.Find("id_end");
  const bool listed = ids != nullptr && ids->IsArray() && !ids->Empty();
  KeyFilter filter;
  if (!listed && from == nullptr && to == nullptr) return filter;
  if (!table.row_key) throw Failure(500, "Failed to get records: the table has no primary key");
  const catalog::Column& column = table.columns[table.row_key->columns[0]];
  const core::PhoenixType type = rows::PhoenixTypeOf(column.type, column.typmod);
  if (listed) {
    if (ids->Size() > kMostIds) throw Failure(400, Cat("More than ", kMostIds, " ids"));
    for (const core::JsonValue& id : ids->GetArray())
      filter.values.push_back(ReadKeyValue(id, type));
    return filter;
  }
  if (from != nullptr) filter.from = ReadKeyValue(*from, type);
  if (to != nullptr) filter.to = ReadKeyValue(*to, type);
  return filter;
}

// What ends an answer with rows.
std::string PhoenixData::Trailer() const {
  if (!parameters_.AcceptsPgText()) return "]}";
  return Cat("],\"encoding\":\"", core::kPgTextEncoding, "\"}");
}

uint64 PhoenixData::SendRows(const catalog::Table& table, const engine::ScanRequest& scan,
                             ServedRows* served, LazyStream& out) {
  std::vector<rows::PhoenixEncoder::Request> columns;
  for (size_t position : scan.columns)
    columns.push_back({&table.columns[position], table.IsPrimaryKeyColumn(position)});
  const auto form =
      parameters_.AcceptsPgText() ? rows::PhoenixForm::kPgText : rows::PhoenixForm::kHttp;
  // All that the scan finds: its limit is the page's.
  const auto sender = engine::SendPhoenixRows(columns, form, static_cast<uint64>(*scan.limit), out,
                                              [served](uint64, uint64 bytes) {
                                                session::add_peer_bytes(bytes);
                                                if (served != nullptr) served->AddBytes(bytes);
                                                return true;
                                              });
  rows::RowConsumer& consumer = sender->consumer();
  const uint64 rows =
      engine::ScanTable(table, scan, served != nullptr ? served->Around(consumer) : consumer);
  sender->Finish();
  return rows;
}

void PhoenixData::RequireDownload() const {
  if (TakeDownload(guard_.connection())) return;
  throw PolicyRefusal(Refusal::kDownloadLimit, guard_.policy());
}

void PhoenixData::PullData() {
  std::optional<ServedRows> served;
  LazyStream out(http_);
  try {
    const catalog::TableName name = Name();
    // A transaction of its own: that there is no such table, or nobody has agreed yet, takes no
    // download.
    database_.Look([&] {
      {
        const pg::UserScope role(database_.session().role);
        (void)Resolve();
      }
      guard_.RequireApproved({name}, true);
      RequireDownload();
    });
    database_.Read([&] {
      const catalog::Table table = Resolve();
      engine::ScanRequest scan;
      scan.columns = engine::PlainColumns(table);
      scan.filter = ReadFilter(table);
      scan.limit = core::PageLimit(guard_.policy(), std::nullopt);
      if (const auto left = core::RemainingRecords(guard_.policy()))
        scan.limit = std::min<int64>(*scan.limit, *left);
      served.emplace(guard_, name, database_.role_name(), *scan.limit);
      out.set_head(Cat("{\"success\":true,\"table\":",
                       core::JsonWriter().String(*parameters_.Text("table_name")).Take(),
                       ",\"data\":["));
      SendRows(table, scan, &*served, out);
    });
  } catch (const pg::PgError& error) {
    if (served) served->Fail(error.message());
    throw;
  } catch (const Error& error) {
    if (served) served->Fail(error.message());
    throw;
  }
  out.Write(Trailer());
  out.End();
  served->Complete();
}

// PhoenixKit shows a few rows of a table with it, and counts no download. Yet page by page it gives
// the whole table: where downloads are limited, each is one.
void PhoenixData::TableRecords() {
  LazyStream out(http_);
  database_.Look([&] {
    {
      const pg::UserScope role(database_.session().role);
      (void)Resolve();
    }
    const catalog::TableName name = Name();
    if (core::RequiresApproval(guard_.policy(), {name.schema, name.name})) {
      throw PolicyRefusal(Refusal::kApproval, guard_.policy());
    }
    if (guard_.policy().max_downloads) RequireDownload();
  });
  database_.Read([&] {
    const catalog::Table table = Resolve();
    engine::ScanRequest scan;
    scan.columns = engine::PlainColumns(table);
    scan.filter = ReadFilter(table);
    scan.offset = std::max<int64>(0, parameters_.Integer("offset").value_or(0));
    const int64 wanted = std::min<int64>(
        std::clamp<int64>(parameters_.Integer("limit").value_or(kDefaultRecords), 0, kMostRecords),
        guard_.policy().max_records_per_request);
    ReservedRecords reserved(guard_, wanted);
    scan.limit = reserved.granted();
    out.set_head("{\"success\":true,\"records\":[");
    try {
      reserved.Use(static_cast<int64>(SendRows(table, scan, nullptr, out)));
    } catch (...) {
      // Of a page that breaks off nobody knows what has arrived: all of it counts as sent.
      if (out.begun()) reserved.Use(reserved.granted());
      throw;
    }
  });
  out.Write(Trailer());
  out.End();
}

void PhoenixData::Serve(PhoenixOperation operation) {
  switch (operation) {
    case PhoenixOperation::kListTables:
      return ListTables();
    case PhoenixOperation::kPullData:
      return PullData();
    case PhoenixOperation::kTableSchema:
      return TableSchema();
    default:
      return TableRecords();
  }
}

// PhoenixKit's own words where the server has failed at what it was asked for.
const char* FailureText(PhoenixOperation operation) {
  switch (operation) {
    case PhoenixOperation::kPullData:
      return "Failed to pull data";
    case PhoenixOperation::kTableRecords:
      return "Failed to get records";
    default:
      return nullptr;
  }
}

}  // namespace

bool IsPhoenixDataRoute(const core::PhoenixRoute& route) {
  return route.operation >= PhoenixOperation::kListTables;
}

void ServePhoenixData(const core::PhoenixRoute& route, const PhoenixRequest& parameters,
                      const net::HttpRequest& request, const PeerDatabase& database,
                      net::HttpServerConnection& http, Admission& admission) {
  ShownToken shown;
  shown.token_hash = ShownHash(parameters, request);
  if (const auto password = parameters.Text("password")) shown.password = *password;
  shown.takes_download = false;
  ServedDatabase& served = admission.EnterForRequest(request, database, std::move(shown));
  try {
    served.Look([&] { served.guard()->BeginRequest(admission.OriginOf(request)); });
    PhoenixData(served, parameters, http).Serve(route.operation);
  } catch (const pg::PgError& error) {
    if (http.in_stream() || PeerWatchSawPeerGone() || PeerWatchSawOldSnapshot()) throw;
    LogMessage(Cat("sync could not answer ", route.name, ": ", error.message()), error.detail());
    if (const char* text = FailureText(route.operation)) throw Failure(500, text);
    throw Error(sqlstate::kCannotConnectNow, "the site cannot answer now");
  }
}

}  // namespace pgsync::server
