#include "server/native_routes.h"

#include <algorithm>

#include "catalog/shareable.h"
#include "core/native_protocol.h"
#include "core/text.h"
#include "engine/scan.h"
#include "pg/encoding.h"
#include "pg/query.h"
#include "pg/settings.h"
#include "server/peer_watch.h"
#include "server/row_sender.h"
#include "session/peer_table.h"

extern "C" {
#include "catalog/pg_inherits.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
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

struct Storage {
  Oid relation;
  Oid file;
};

// The files of a relation and its partitions as they are now, with ACCESS SHARE held on them from
// here to the end of the transaction.
std::vector<Storage> LockedStorage(Oid relation) {
  struct {
    Storage* entries;
    int count;
  } found = pg::Call([&] {
    LockRelationOid(relation, AccessShareLock);
    List* members = get_rel_relkind(relation) == RELKIND_PARTITIONED_TABLE
                        ? find_all_inheritors(relation, AccessShareLock, nullptr)
                        : list_make1_oid(relation);
    decltype(found) result = {
        static_cast<Storage*>(palloc(sizeof(Storage) * (list_length(members) + 1))), 0};
    ListCell* cell;
    foreach (cell, members) {
      Relation rel = RelationIdGetRelation(lfirst_oid(cell));
      if (rel == nullptr) continue;  // dropped before the lock was there
      result.entries[result.count++] = {lfirst_oid(cell), rel->rd_rel->relfilenode};
      RelationClose(rel);
    }
    return result;
  });
  return std::vector<Storage>(found.entries, found.entries + found.count);
}

// That of the text in a binary stream: what both sides use, else UTF-8. SQL_ASCII means bytes,
// which only the other side can make sense of.
int StreamEncoding(const std::string& requested) {
  const int own = GetDatabaseEncoding();
  if (own == PG_SQL_ASCII || pg_char_to_encoding(requested.c_str()) == own) return own;
  return PG_UTF8;
}

// A table that was truncated or rewritten after the snapshot would look empty, or whole with rows
// that the snapshot should see missing: what the snapshot sees of pg_class must be what is there.
void RequireUnchanged(const catalog::Table& table) {
  std::vector<Storage> now = LockedStorage(table.oid);
  const auto rows = pg::CatalogQuery(
      "WITH RECURSIVE tree(oid) AS (SELECT $1 UNION ALL SELECT i.inhrelid FROM tree t "
      "  JOIN pg_inherits i ON i.inhparent = t.oid JOIN pg_class p ON p.oid = t.oid "
      "  WHERE p.relkind = 'p') "
      "SELECT c.oid, c.relfilenode FROM tree t JOIN pg_class c ON c.oid = t.oid",
      {pg::Param::OfOid(table.oid)});
  bool same = rows.size() == now.size();
  for (const pg::Row& row : rows) {
    const Storage seen{row.AsOid(0), row.AsOid(1)};
    same = same && std::any_of(now.begin(), now.end(), [&](const Storage& storage) {
             return storage.relation == seen.relation && storage.file == seen.file;
           });
  }
  if (same) return;
  throw Error(sqlstate::kNotInPrerequisiteState,
              Cat("table \"", table.name.ForMessage(),
                  "\" was truncated, rewritten or partitioned anew "
                  "after the snapshot was taken"))
      .WithHint("Connect again for a new snapshot.");
}

}  // namespace

void NativeRoutes::Reply(const std::string& json) {
  net::HttpResponse response;
  response.body = pg::ToUtf8(json);
  response.headers.emplace_back(core::kSnapshotHeader, std::to_string(database_.snapshot_at()));
  http_.Respond(response);
}

catalog::Table NativeRoutes::Resolve(const std::string& text) const {
  const catalog::TableName name = catalog::ParseTableName(text);
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
  catalog::RequireReadable(table, tables.has_value());
  return table;
}

void NativeRoutes::Handle(const std::string& operation, const net::HttpRequest& request,
                          const net::HttpTarget& target) {
  if (database_.session().direction != session::Direction::kSend) {
    throw Error(sqlstate::kInsufficientPrivilege, "the session does not let its peer read")
        .WithHint("Create the session with direction \"send\" for a peer that pulls.");
  }
  pgstat_report_activity(STATE_RUNNING, operation.c_str());
  session::SetPeerActivity(operation.c_str());
  const bool get = request.method == "GET", post = request.method == "POST";
  if (operation == "tables" && get) {
    Tables(target);
  } else if (operation == "schema" && get) {
    Schema(target);
  } else if (operation == "count" && get) {
    Count(target);
  } else if (operation == "open" && post) {
    Open(request);
  } else if (operation == "rows" && post) {
    Rows(request);
  } else {
    throw Error(sqlstate::kNotFound, Cat("there is no ", request.method, " ", core::kNativePath,
                                         core::Excerpt(operation, 50)));
  }
  session::SetPeerActivity("idle");
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
    for (const core::TableListEntry& entry : catalog::ListTables(options))
      entry.Write(json);
    json.EndArray().EndObject();
  });
  Reply(json.Take());
}

void NativeRoutes::Schema(const net::HttpTarget& target) {
  core::JsonWriter json;
  database_.Read([&] { Resolve(Parameter(target, "table")).ToInfo().Write(json); });
  Reply(json.Take());
}

void NativeRoutes::Count(const net::HttpTarget& target) {
  core::JsonWriter json;
  database_.Read([&] {
    const catalog::Table table = Resolve(Parameter(target, "table"));
    RequireUnchanged(table);
    json.BeginObject().Field("count", catalog::CountRows(table)).EndObject();
  });
  Reply(json.Take());
}

void NativeRoutes::Open(const net::HttpRequest& request) {
  const core::JsonDocument document = pg::ParsePeerJson(request.body, "request");
  const auto names = core::JsonObject(document, "request").Strings("tables");
  core::JsonWriter json;
  database_.Read([&] {
    json.BeginObject().Key("tables").BeginArray();
    for (const std::string& name : names) {
      const catalog::Table table = Resolve(name);
      catalog::RequireTransferable(table, database_.session().tables.has_value());
      RequireUnchanged(table);
      core::OpenedTable opened;
      opened.info = table.ToInfo();
      opened.complete = !catalog::RowSecurityApplies(table.oid);
      opened.has_children = table.has_children;
      const auto facts = pg::CatalogQuery(
          "SELECT CASE WHEN reltuples >= 0 THEN reltuples::numeric::int8 END, "
          "pg_table_size(oid) FROM pg_class WHERE oid = $1",
          {pg::Param::OfOid(table.oid)});
      opened.row_estimate = facts.at(0).OptionalInt8(0);
      opened.size_bytes = facts.at(0).Int8(1);
      opened.Write(json);
    }
    json.EndArray().EndObject();
  });
  Reply(json.Take());
}

void NativeRoutes::Rows(const net::HttpRequest& http_request) {
  const core::JsonDocument document = pg::ParsePeerJson(http_request.body, "request");
  const auto request = core::RowsRequest::FromJson(core::JsonObject(document, "request"));
  if (request.limit && *request.limit > pg::settings::max_page_rows) {
    throw Error(sqlstate::kTooLarge, Cat("page of ", *request.limit, " rows is too large"))
        .WithDetail(Cat("The limit of the peer is ", pg::settings::max_page_rows,
                        " (sync.max_page_rows)."));
  }
  engine::ScanRequest scan;
  scan.limit = request.limit;
  scan.offset = request.offset;
  scan.after = request.after;
  engine::RequirePage(scan);

  const std::string accept = net::FindHeader(http_request.headers, "Accept").value_or("");
  const bool json_frames = accept.find(core::kJsonFrameMediaType) != std::string::npos;
  const bool frames = accept.find(core::kFrameMediaType) != std::string::npos;
  const bool csv = !frames && !json_frames && accept.find(core::kCsvMediaType) != std::string::npos;

  std::optional<core::RowStreamWriter> writer;
  try {
    database_.Read([&] {
      const catalog::Table table = Resolve(request.table);
      RequireUnchanged(table);
      std::vector<rows::RowEncoder::Request> encoded;
      std::vector<const catalog::Column*> columns;
      if (request.columns.empty()) {
        scan.columns = engine::PlainColumns(table);
      } else {
        for (const auto& wanted : request.columns) {
          const size_t position = table.PositionOf(wanted.name);
          if (position == table.columns.size()) {
            throw Error(core::SqlState("42703"), Cat("column \"", wanted.name, "\" of table \"",
                                                     table.name.ForMessage(), "\" does not exist"));
          }
          scan.columns.push_back(position);
        }
      }
      for (size_t i = 0; i < scan.columns.size(); i++) {
        const catalog::Column& column = table.columns[scan.columns[i]];
        columns.push_back(&column);
        const bool binary = !request.columns.empty() && request.columns[i].binary;
        encoded.push_back({&column, binary && column.facts.binary});
      }

      const char* media_type = json_frames ? core::kJsonFrameMediaType
                               : frames    ? core::kFrameMediaType
                               : csv       ? core::kCsvMediaType
                                           : core::kJsonLinesMediaType;
      const int encoding = frames ? StreamEncoding(request.encoding) : static_cast<int>(PG_UTF8);
      const pg::ClientEncodingScope scope(encoding);
      core::ByteSink& sink = http_.BeginStream(
          200, media_type, {{core::kSnapshotHeader, std::to_string(database_.snapshot_at())}});
      std::unique_ptr<RowSender> sender;
      if (frames || json_frames) {
        writer.emplace(sink, request.compress && !local_peer_);
        sender = frames ? SendFrames(encoded, encoding, *writer) : SendJsonFrames(columns, *writer);
      } else {
        sender = csv ? SendCsv(columns, sink) : SendJsonLines(columns, sink);
      }
      totals_.rows += engine::ScanTable(table, scan, sender->consumer());
      sender->Finish();
      totals_.tables++;
    });
  } catch (const core::TimeoutError&) {
    throw;  // nobody reads any more
  } catch (const pg::PgError& error) {
    // Only a stream of frames can tell that it failed; the others are cut, and so look it.
    if (!writer || PeerWatchSawPeerGone()) throw;
    writer->Fail(pg::ErrorForWire(error.ToError()));
  } catch (const Error& error) {
    if (!writer || error.state() == sqlstate::kConnectionLost) throw;
    writer->Fail(pg::ErrorForWire(error));
  }
  http_.EndStream();
}

}  // namespace pgsync::server
