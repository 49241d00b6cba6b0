// The messages of the native protocol: HTTP/1.1 under /sync/v1/, JSON bodies, rows as streams.
//
//   GET    /sync/v1/          anyone: versions and features; spends nothing
//   POST   /sync/v1/connect   {code}: spends the code, answers with a ticket, which from then on is
//                             sent as "Authorization: Bearer"; {token, password}: takes a download
//                             of a permanent connection, likewise
//   DELETE /sync/v1/connect   ends the session
//   GET    /sync/v1/session   {"status"}: whether the ticket is good, for a peer that comes back
//   GET    /sync/v1/tables    ?schema=&exact=: the tables that can be read
//   GET    /sync/v1/schema    ?table=: a definition, whole
//   POST   /sync/v1/definitions  {tables}: the same of several tables
//   GET    /sync/v1/count     ?table=: {"count": n}
//   POST   /sync/v1/open      {tables}: locks the tables against change and tells of their
//                             definitions what it takes to carry rows
//   POST   /sync/v1/rows      a RowsRequest: the rows, in the form that Accept asks for
//   POST   /sync/v1/digest    what it takes to compare a table: core/digest_protocol.h
//
// What sites tell each other of permanent connections, which needs no session, is listed in
// server/connection_routes.h.
//
// All that is read over one connection comes from one snapshot, taken at the first request for
// data; the header Sync-Snapshot tells when. Errors are {"error": {sqlstate, message, detail,
// hint}}; one with the header Sync-Wait passes by itself: the same request, later, may be answered.
//
// The first segment of a path before /sync/v1/ names the database of a token.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/table_info.h"

namespace pgsync::core {

inline constexpr char kNativePath[] = "/sync/v1/";
inline constexpr int kNativeVersion = 1;
inline constexpr char kSnapshotHeader[] = "Sync-Snapshot";
/// What a refused peer may wait for: somebody who approves, or time ("Retry-After" seconds).
inline constexpr char kWaitHeader[] = "Sync-Wait";
inline constexpr char kWaitForApproval[] = "approval";
inline constexpr char kWaitForRate[] = "rate";
inline constexpr char kFrameMediaType[] = "application/vnd.sync.rows";
/// The same frames, each row one JSON object as its only column.
inline constexpr char kJsonFrameMediaType[] = "application/vnd.sync.json-rows";
inline constexpr char kJsonLinesMediaType[] = "application/x-ndjson";
inline constexpr char kCsvMediaType[] = "text/csv";
/// ServerInfo::features: tables can be compared (core/digest_protocol.h).
inline constexpr char kDigestFeature[] = "digest";

/// Answer to GET /sync/v1/.
struct ServerInfo {
  std::vector<int64_t> versions{kNativeVersion};
  std::string software;  ///< version of the extension
  std::vector<std::string> features{"frames", "zstd", "ndjson", "csv", kDigestFeature};

  bool Has(std::string_view feature) const;
  std::string ToJson() const;
  static ServerInfo FromJson(const JsonObject& json);
};

/// Answer to POST /sync/v1/connect.
struct ConnectReply {
  std::string ticket;
  std::string direction;
  std::string software;
  int server_version = 0;  ///< PostgreSQL's, as a number
  std::string encoding;

  std::string ToJson() const;
  static ConnectReply FromJson(const JsonObject& json);
};

/// One table of the answer to POST /sync/v1/open.
struct OpenedTable {
  TableInfo info;
  /// Every row of the table is shown: no row level security, all columns readable.
  bool complete = true;
  bool has_children = false;  ///< inheritance children, whose rows are not included
  std::optional<int64_t> row_estimate;
  int64_t size_bytes = 0;
  /// Not sent: false where the peer does not tell its columns.
  bool described = true;

  void Write(JsonWriter& json) const;
  static OpenedTable Read(const JsonObject& json);
};

struct RowsRequest {
  struct Column {
    std::string name;
    bool binary = false;
  };
  std::string table;
  std::vector<Column> columns;  ///< empty: all
  std::string encoding;         ///< the client's; used if it is also the server's
  bool compress = false;
  std::optional<int64_t> limit;
  int64_t offset = 0;
  std::optional<int64_t> max_rate;   ///< bytes per second; the sender keeps to it
  std::optional<std::string> after;  ///< text of a JSON object, so that numbers keep their digits
  /// Only the rows with these hashes, of the table that was digested last.
  std::optional<std::vector<uint64_t>> only;

  std::string ToJson() const;
  static RowsRequest FromJson(const JsonObject& json);
};

/// HTTP status for an error of that SQLSTATE.
int HttpStatusOf(SqlState state);

}  // namespace pgsync::core
