// Rows of a PhoenixKit site, which come as JSON records in pages, as the engine reads them.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/table.h"
#include "core/native_protocol.h"
#include "core/phoenix_value.h"
#include "core/seen_keys.h"
#include "engine/stream_load.h"

namespace pgsync::client {

struct RecordPage {
  const core::JsonValue* records = nullptr;  ///< an array of objects, until the next call
  bool pg_text = false;                      ///< the values are PostgreSQL's texts
  size_t bytes = 0;                          ///< of the message
};

/// The records of one table.
class RecordPages {
 public:
  virtual ~RecordPages() = default;
  /// Begins with the first.
  virtual void Begin() = 0;
  /// The next of them; false where there are no more.
  virtual bool Next(RecordPage* page) = 0;
  /// How many the peer says that there are.
  virtual int64 Count() = 0;
  /// Waits until more is wanted.
  virtual void Pause(std::chrono::milliseconds duration) = 0;
};

/// Feeds records as text. A row that comes twice, as it does where others are written in front of
/// it between two pages, is taken once. In the end a WARNING tells with numbers where rows came
/// twice or their number has changed meanwhile. Raises 08P01 where the peer sends the same rows
/// over and over, or far more than it says that there are.
class RecordFeed : public engine::RowFeed {
 public:
  /// `target`: as for engine::TableSource::Rows(). `key`: columns by which a row is known.
  RecordFeed(std::unique_ptr<RecordPages> pages, const core::RowsRequest& request,
             const catalog::Table* target, const std::vector<std::string>& key);

  core::RowHeader Begin() override;
  bool Next(core::RowStreamReader::Rows* rows) override;
  void Drain() override {}

 private:
  struct Column {
    std::string name;  ///< in UTF-8
    core::PhoenixType type;
    bool in_key = false;
  };
  bool AppendRow(const core::JsonValue& record, bool pg_text);
  std::optional<std::string> ValueOf(const Column& column, const core::JsonValue& record,
                                     bool pg_text) const;
  void Pace(size_t bytes);
  void RequireAnEnd();
  void TellChanges();

  std::unique_ptr<RecordPages> pages_;
  core::RowsRequest request_;
  std::vector<Column> columns_;
  bool counted_only_;
  bool has_key_ = false;
  core::SeenKeys seen_;
  std::string frame_;
  int64 count_before_ = 0, rows_ = 0, repeated_ = 0;
  int64 repeated_last_ = 0;  // without a new one in between
};

}  // namespace pgsync::client
