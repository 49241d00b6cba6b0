#include "server/native_routes.h"

#include <algorithm>

#include "catalog/definition.h"
#include "catalog/shareable.h"
#include "catalog/table_list.h"
#include "catalog/table_lock.h"
#include "core/native_protocol.h"
#include "core/text.h"
#include "engine/paced_sink.h"
#include "engine/row_sender.h"
#include "engine/scan.h"
#include "engine/sending.h"
#include "pg/encoding.h"
#include "pg/settings.h"
#include "server/failing_stream.h"
#include "server/served_rows.h"
#include "session/peer_table.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "pgstat.h"
}

namespace pgsync::server {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

std::string Parameter(const net::HttpTarget& target, const char* name) {
  const auto value = target.Find(name);
  if (!value || value->empty() || value->find('\0') != std::string::npos) {
    throw Error(sqlstate::kInvalidParameter, Cat("request lacks the parameter \"", name, "\""));
  }
  return pg::FromUtf8(*value);
}

enum class RowForm { kFrames, kJsonFrames, kCsv, kJsonLines };

// Of the forms that the peer takes the first; lines of JSON where it names none.
RowForm FormOf(const net::HttpRequest& request) {
  const std::string accept = net::FindHeader(request.headers, "Accept").value_or("");
  const auto takes = [&](const char* type) { return accept.find(type) != std::string::npos; };
  if (takes(core::kFrameMediaType)) return RowForm::kFrames;
  if (takes(core::kJsonFrameMediaType)) return RowForm::kJsonFrames;
  return takes(core::kCsvMediaType) ? RowForm::kCsv : RowForm::kJsonLines;
}

const char* MediaTypeOf(RowForm form) {
  switch (form) {
    case RowForm::kFrames:
      return core::kFrameMediaType;
    case RowForm::kJsonFrames:
      return core::kJsonFrameMediaType;
    case RowForm::kCsv:
      return core::kCsvMediaType;
    default:
      return core::kJsonLinesMediaType;
  }
}

// Others are shown what a worker does, and not what its peer has written there in its place.
const char* ShownOperation(const std::string& operation) {
  static constexpr const char* kKnown[] = {"tables",    "schema",    "count",      "definitions",
                                           "open",      "rows",      "digest",     "digest/cells",
                                           "push/open", "push/rows", "push/commit"};
  const auto* known = std::find(std::begin(kKnown), std::end(kKnown), operation);
  return known != std::end(kKnown) ? *known : "unknown request";
}

}  // namespace

void NativeRoutes::Reply(const std::string& json) {
  net::HttpResponse response;
  response.body = pg::ToUtf8(json);
  response.headers.emplace_back(core::kSnapshotHeader, std::to_string(database_.snapshot_at()));
  http_.Respond(response);
}

// Whether whoever shares has named this very table: then it may be one that is left out otherwise.
bool NativeRoutes::IsNamed(const catalog::TableName& name) const {
  const ConnectionGuard* guard = database_.guard();
  return guard != nullptr ? guard->Names(name) : database_.session().tables.has_value();
}

catalog::Table NativeRoutes::Resolve(const std::string& text) const {
  const catalog::TableName name = catalog::ParseTableName(text);
  const ConnectionGuard* guard = database_.guard();
  if (guard != nullptr) guard->RequireShared(name);
  const Oid oid = catalog::FindRelation(name);
  if (!OidIsValid(oid)) {
    throw Error(sqlstate::kUndefinedTable, Cat("table \"", name.ForMessage(), "\" does not exist"));
  }
  const auto& tables = database_.session().tables;
  if (tables && std::find(tables->begin(), tables->end(), oid) == tables->end()) {
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("permission denied for table ", name.ForMessage()))
        .WithDetail("The session does not share this table.");
  }
  catalog::Table table = catalog::ReadTable(oid);
  if (guard != nullptr) guard->RequireShared(table);
  catalog::RequireReadable(table, IsNamed(name));
  return table;
}

void NativeRoutes::Handle(const std::string& operation, const net::HttpRequest& request,
                          const net::HttpTarget& target) {
  const bool receives = database_.session().direction == session::Direction::kReceive;
  const bool pushes = operation.compare(0, 5, "push/") == 0;
  if (receives && !pushes) {
    throw Error(sqlstate::kInsufficientPrivilege, "the session does not let its peer read")
        .WithHint("Create the session with direction \"send\" for a peer that pulls.");
  }
  if (pushes && !receives) {
    throw Error(sqlstate::kInsufficientPrivilege, "the session does not let its peer write")
        .WithHint("Create the session with direction \"receive\" for a peer that pushes.");
  }
  const char* const shown = ShownOperation(operation);
  pg::Call([&] { pgstat_report_activity(STATE_RUNNING, shown); });
  session::SetPeerActivity(shown);
  if (!(pushes ? Push(operation, request) : Read(operation, request, target))) {
    throw Error(sqlstate::kNotFound, Cat("there is no ", request.method, " ", core::kNativePath,
                                         core::Excerpt(operation, 50)));
  }
  session::SetPeerActivity("idle");
}

bool NativeRoutes::Read(const std::string& operation, const net::HttpRequest& request,
                        const net::HttpTarget& target) {
  const bool get = request.method == "GET", post = request.method == "POST";
  if (operation == "tables" && get) {
    Tables(target);
  } else if (operation == "schema" && get) {
    Schema(target);
  } else if (operation == "count" && get) {
    Count(target);
  } else if (operation == "definitions" && post) {
    Definitions(request);
  } else if (operation == "open" && post) {
    Open(request);
  } else if (operation == "rows" && post) {
    Rows(request);
  } else if (operation == "digest" && post) {
    Digest(request, false);
  } else if (operation == "digest/cells" && post) {
    Digest(request, true);
  } else {
    return false;
  }
  return true;
}

bool NativeRoutes::Push(const std::string& operation, const net::HttpRequest& request) {
  if (request.method != "POST") return false;
  if (operation == "push/open") {
    TakePush(database_, http_, peer_, next_, request, totals_);
    return true;
  }
  if (operation != "push/rows" && operation != "push/commit") return false;
  throw Error(sqlstate::kNotInPrerequisiteState, "there is no push on this connection")
      .WithHint("It begins with POST push/open, and ends with the first error.");
}

void NativeRoutes::Tables(const net::HttpTarget& target) {
  core::JsonWriter json;
  database_.Read([&] {
    catalog::ListOptions options;
    const auto schema = target.Find("schema");
    if (schema && !schema->empty()) options.schema = pg::FromUtf8(*schema);
    options.exact_counts = target.Find("exact").value_or("0") == "1";
    options.only = database_.session().tables;
    json.BeginObject().Key("tables").BeginArray();
    for (const core::TableListEntry& entry : catalog::ListTables(options)) {
      const ConnectionGuard* guard = database_.guard();
      if (guard == nullptr || guard->Shares({entry.schema, entry.name})) entry.Write(json);
    }
    json.EndArray().EndObject();
  });
  Reply(json.Take());
}

void NativeRoutes::Schema(const net::HttpTarget& target) {
  core::JsonWriter json;
  database_.Read([&] { catalog::Define(Resolve(Parameter(target, "table"))).Write(json); });
  Reply(json.Take());
}

// Answers with what `describe` says of each table that the request names.
template <typename Describe>
void NativeRoutes::ReplyForEach(const net::HttpRequest& request, Describe describe) {
  const core::JsonDocument document = pg::ParsePeerJson(request.body, "request");
  const auto names = core::JsonObject(document, "request").Strings("tables");
  core::JsonWriter json;
  database_.Read([&] {
    json.BeginObject().Key("tables").BeginArray();
    for (const std::string& name : names) {
      const catalog::Table table = Resolve(name);
      catalog::RequireTransferable(table, IsNamed(catalog::ParseTableName(name)));
      engine::RequireUnchanged(table);
      describe(table).Write(json);
    }
    json.EndArray().EndObject();
  });
  Reply(json.Take());
}

void NativeRoutes::Definitions(const net::HttpRequest& request) {
  ReplyForEach(request, [](const catalog::Table& table) { return catalog::Define(table); });
}

void NativeRoutes::Count(const net::HttpTarget& target) {
  core::JsonWriter json;
  database_.Read([&] {
    const catalog::Table table = Resolve(Parameter(target, "table"));
    engine::RequireUnchanged(table);
    json.BeginObject().Field("count", catalog::CountRows(table)).EndObject();
  });
  Reply(json.Take());
}

// The peer begins to read these tables, all in one call: what has to be approved is asked for
// together.
void NativeRoutes::Open(const net::HttpRequest& request) {
  if (database_.guard() != nullptr) {
    const core::JsonDocument document = pg::ParsePeerJson(request.body, "request");
    RequireApproved(core::JsonObject(document, "request").Strings("tables"), true);
  }
  ReplyForEach(request, [](const catalog::Table& table) { return engine::Describe(table); });
}

void NativeRoutes::RequireApproved(const std::vector<std::string>& names, bool new_call) {
  ConnectionGuard* guard = database_.guard();
  if (guard == nullptr) return;
  database_.Look([&] {
    std::vector<catalog::TableName> tables;
    for (const std::string& name : names) {
      tables.push_back(catalog::ParseTableName(name));
      guard->RequireShared(tables.back());
    }
    guard->RequireApproved(tables, new_call);
  });
}

// What tells of rows needs what the rows need.
void NativeRoutes::Digest(const net::HttpRequest& request, bool cells) {
  std::string table;
  const auto admit = [&](const std::string& name) {
    RequireApproved({name}, false);
    table = name;
  };
  if (cells) {
    digest_.SendCells(request, admit);
    return;
  }
  const bool made = digest_.Make(request, admit, [this](const std::string& name) {
    catalog::Table found = Resolve(name);
    catalog::RequireTransferable(found, IsNamed(catalog::ParseTableName(name)));
    return found;
  });
  ConnectionGuard* guard = database_.guard();
  if (made && guard != nullptr) guard->NoteCompared(catalog::ParseTableName(table));
}

void NativeRoutes::Rows(const net::HttpRequest& http_request) {
  const core::JsonDocument document = pg::ParsePeerJson(http_request.body, "request");
  const auto request = core::RowsRequest::FromJson(core::JsonObject(document, "request"));
  if (request.limit && *request.limit > pg::settings::max_page_rows) {
    throw Error(sqlstate::kTooLarge, Cat("page of ", *request.limit, " rows is too large"))
        .WithDetail(Cat("The limit of the peer is ", pg::settings::max_page_rows,
                        " (sync.max_page_rows)."));
  }
  std::optional<int64> requested = request.limit;
  if (request.only) requested = static_cast<int64>(request.only->size());
  if (database_.guard() != nullptr) {
    if (request.limit) database_.guard()->RequirePage(*request.limit);
    RequireApproved({request.table}, false);
  }
  engine::ScanRequest scan;
  scan.limit = request.limit;
  scan.offset = request.offset;
  scan.after = request.after;
  engine::RequirePage(scan);

  const RowForm form = FormOf(http_request);
  std::optional<engine::PacedSink> paced;
  std::optional<core::RowStreamWriter> writer;
  std::optional<ServedRows> served;
  bool whole = false;
  WithFailingStream(writer, [&] {
    database_.Read([&] {
      const catalog::Table table = Resolve(request.table);
      engine::RequireUnchanged(table);
      scan.columns = engine::RequestedColumns(table, request);
      std::vector<const catalog::Column*> columns;
      for (size_t position : scan.columns)
        columns.push_back(&table.columns[position]);

      if (database_.guard() != nullptr) {
        served.emplace(*database_.guard(), catalog::ParseTableName(request.table),
                       database_.role_name(), requested);
      }
      const int encoding = form == RowForm::kFrames ? engine::StreamEncoding(request.encoding)
                                                    : static_cast<int>(PG_UTF8);
      const pg::ClientEncodingScope scope(encoding);
      core::ByteSink& stream =
          http_.BeginStream(200, MediaTypeOf(form),
                            {{core::kSnapshotHeader, std::to_string(database_.snapshot_at())}});
      if (request.max_rate) paced.emplace(stream, *request.max_rate);
      core::ByteSink& sink = paced ? static_cast<core::ByteSink&>(*paced) : stream;
      const auto on_sent = [&served](uint64, uint64 bytes) {
        session::add_peer_bytes(bytes);
        if (served) served->AddBytes(bytes);
        return true;
      };
      std::unique_ptr<engine::RowSender> sender;
      if (form == RowForm::kFrames || form == RowForm::kJsonFrames)
        writer.emplace(sink, request.compress && !local_peer_);
      switch (form) {
        case RowForm::kFrames:
          sender = engine::SendFrames(engine::EncodingOf(table, scan.columns, request), encoding,
                                      *writer, on_sent);
          break;
        case RowForm::kJsonFrames:
          sender = engine::SendJsonFrames(columns, *writer, on_sent);
          break;
        case RowForm::kCsv:
          sender = engine::SendCsv(columns, sink, on_sent);
          break;
        default:
          sender = engine::SendJsonLines(columns, sink, on_sent);
      }
      rows::RowConsumer& sends = sender->consumer();
      rows::RowConsumer& consumer = served ? served->Around(sends) : sends;
      totals_.rows += request.only ? digest_.Rows(table, scan.columns, *request.only, consumer)
                                   : engine::ScanTable(table, scan, consumer);
      sender->Finish();
      totals_.tables++;
      whole = true;
    });
  });
  http_.EndStream();
  if (served && whole) served->Complete();
}

}  // namespace pgsync::server
