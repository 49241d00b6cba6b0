// Loading a peer's rows, as they come, into a table.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "catalog/table.h"
#include "core/row_format.h"
#include "core/row_stream.h"
#include "engine/batch_applier.h"
#include "engine/failed_rows.h"
#include "engine/row_errors.h"
#include "engine/strategy.h"
#include "rows/decoder.h"

namespace pgsync::engine {

struct RowMatching;

/// Where the rows come from: a stream that can be begun again, over the same snapshot.
class RowFeed {
 public:
  virtual ~RowFeed() = default;
  /// Begins the stream, from its first row. Raises what keeps it from that.
  virtual core::RowHeader Begin() = 0;
  /// The next frame; false at the end, whose count and digest were right.
  virtual bool Next(core::RowStreamReader::Rows* rows) = 0;
  /// Reads the rest without looking at it, so that the connection can be used again.
  virtual void Drain() = 0;
};

struct LoadRequest {
  const catalog::Table* target = nullptr;
  /// For each column of the stream: its position in the target, and whether it comes in binary.
  std::vector<size_t> columns;
  std::vector<bool> binary;
  Strategy strategy = Strategy::kSkip;
  int64 batch_rows = 10000;
  /// The peer's table has the same key, so that no two of its rows have the same one.
  bool unique_by_key = true;
  /// As sets, in the end, under locks that are held already: no trigger of theirs will fire.
  bool foreign_keys_are_checked = false;
  /// As for StatementOptions, ApplyOptions.
  std::vector<size_t> kept_keys;
  LateRows* late_rows = nullptr;
  KeyMap* key_map = nullptr;
  /// Where rows are kept that fail when they are written, with their errors; null: these count at
  /// once.
  FailedRows* failed_rows = nullptr;
  /// Of foreign keys whose values change before the rows are written: with all values known from
  /// the start, and with those that are known when rows of the batch have been matched.
  std::vector<const KeyTranslation*> translations, unsettled;
  /// Columns that these change.
  std::vector<size_t> carried;
  /// Rows that are looked for under other keys; null: none.
  const RowMatching* matching = nullptr;
  /// Called after each frame with its rows and bytes.
  std::function<void(int64 rows, int64 bytes)> progress;
  /// Called when all rows have come and some were put aside, before these are tried again.
  std::function<void()> before_settling;
};

/// A batch that is no larger than this stays in memory.
inline constexpr size_t kBatchBytes = 8 * 1024 * 1024;

/// How a BatchApplier is to write the rows.
ApplyOptions ApplyOptionsOf(const LoadRequest& request);

/// The decoder of a stream's rows.
struct StreamDecoder {
  int encoding = 0;  ///< the client encoding while they are decoded
  std::unique_ptr<rows::RowDecoder> rows;
};
/// For a stream with that header. Raises 08P01 where it does not announce the columns asked for.
StreamDecoder DecoderFor(const core::RowHeader& header, const LoadRequest& request);

/// Loads by the set-based path (engine/batch_applier.h).
void LoadBySets(const LoadRequest& request, RowFeed& feed, RowErrors& errors, ApplyCounts& counts);

/// Counts what LoadBySets would do, and writes nothing.
void CountBySets(const LoadRequest& request, RowFeed& feed, RowErrors& errors, ApplyCounts& counts);

/// Decodes the rows of the stream, from its beginning, into a sink. Rows that cannot be decoded go
/// to `errors`.
void ReadStream(const LoadRequest& request, RowFeed& feed, RowErrors& errors, BatchSink& sink);

}  // namespace pgsync::engine
