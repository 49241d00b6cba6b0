// The receiving half of a transfer: tables of a peer into tables of this database, all of them or
// none, whichever of the two has asked for it.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/native_protocol.h"
#include "engine/batch_applier.h"
#include "engine/digest_source.h"
#include "engine/strategy.h"
#include "engine/stream_load.h"

namespace pgsync::engine {

struct TransferOptions {
  Strategy strategy = Strategy::kSkip;
  std::map<std::string, Strategy> strategies;  ///< by table, as its peer names it
  bool create_missing_tables = true;
  std::optional<int64> batch_size;
  bool online = false;  ///< never more than ROW EXCLUSIVE
  /// Whether tables are compared first, so that only rows move that differ.
  enum class Delta { kNever, kWhereItPays, kWherePossible };
  Delta delta = Delta::kNever;
  /// How a row of the peer is recognized as one that is here: by its key as the strategy says, by
  /// other unique columns too, or as PhoenixKit does, which skips it in either case.
  enum class Match { kKey, kUnique, kPhoenix };
  Match match = Match::kKey;
  bool advance_sequences = true;
  std::optional<int64> max_errors = 0;
  int64 retries = 0;  ///< how often rows are tried again that failed when they were written
  bool drop_extra_columns = false;
  std::optional<int64> max_rate;  ///< bytes per second on the wire
  bool dry_run = false;           ///< counts only; writes, locks and advances nothing
  bool skip_triggers = false;
  bool verify = false;  ///< reads all rows again in the end, and compares
  /// How many rows may be deleted in all; nullopt: what DoomedRows::RequireModest() lets pass.
  std::optional<int64> max_deletes;
  /// The tables here that may be written to; nullopt: all.
  std::optional<std::vector<Oid>> only;
};

struct TableRequest {
  std::string remote;                ///< as the peer names it
  std::optional<std::string> local;  ///< nullopt: the same name
};

struct TableOutcome {
  std::string source;  ///< as the request names it
  std::string table;
  ApplyCounts counts;
  std::string errors = "[]";  ///< JSON
  int64 error_count = 0;
  bool compared = false;  ///< only rows that differ were moved
  bool dry_run = false;
  std::optional<bool> verified;  ///< nullopt: that was not asked for
  int64 bytes = 0;
  std::chrono::milliseconds duration{0};
};

/// The side that has the rows.
class TableSource {
 public:
  virtual ~TableSource() = default;
  /// Names all tables of a call at once. What is read until the next Open() comes from one
  /// snapshot.
  virtual std::vector<core::OpenedTable> Open(const std::vector<std::string>& tables) = 0;
  /// The whole definitions of tables that were opened, for building them here.
  virtual std::vector<core::TableInfo> GetDefinitions(const std::vector<std::string>& tables) = 0;
  /// The rows of a table that was opened. `target` has the columns that they go into, under the
  /// same names: a peer may send what only a type makes sense of. Null where they are only counted.
  virtual std::unique_ptr<RowFeed> Rows(const core::RowsRequest& request,
                                        const catalog::Table* target) = 0;
  /// Whether there is such a snapshot. Without one, rows that change places meanwhile may be
  /// missed.
  virtual bool HasSnapshot() const { return true; }
  /// Bytes that have come in so far.
  virtual uint64_t BytesIn() const = 0;
  /// Null: its tables can only be read as a whole.
  virtual DigestSource* digests() { return nullptr; }
};

/// Who is told how far a transfer has come.
class TransferObserver {
 public:
  virtual ~TransferObserver() = default;
  /// The next table; `rows_total` as estimated, -1: not known.
  virtual void Table(const std::string& table, int64 rows_total) = 0;
  virtual void Phase(const char* phase) = 0;
  virtual void Advance(int64 rows, int64 bytes) = 0;
};

/// Transfers the tables in the order of their foreign keys, each once, in the current transaction.
/// Raises whatever keeps one of them from arriving: nothing then remains but what sequences were
/// moved.
std::vector<TableOutcome> TransferTables(TableSource& source, TransferObserver& observer,
                                         const std::vector<TableRequest>& tables,
                                         const TransferOptions& options);

}  // namespace pgsync::engine
