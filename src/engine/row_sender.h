// Rows of a scan on their way to a peer: as frames, as JSON lines, as CSV.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "catalog/table.h"
#include "core/row_stream.h"
#include "rows/byte_buffer.h"
#include "rows/encoder.h"
#include "rows/json_rows.h"
#include "rows/phoenix_encoder.h"
#include "rows/row_text.h"

namespace pgsync::engine {

/// A RowConsumer that sends what it is given. After the scan, Finish().
class RowSender {
 public:
  virtual ~RowSender() = default;
  virtual rows::RowConsumer& consumer() = 0;
  /// Sends what is still held back, and the end.
  virtual void Finish() = 0;
};

/// Told of what has been sent; where it returns false, no more is wanted, and the scan ends.
using OnSent = std::function<bool(uint64 rows, uint64 bytes)>;

/// The binary row stream (core/row_stream.h). The header has been sent when this returns.
std::unique_ptr<RowSender> SendFrames(const std::vector<rows::RowEncoder::Request>& columns,
                                      int encoding, core::RowStreamWriter& writer, OnSent on_sent);

/// The same stream with the row's JSON object, as sync_export() makes it, as its only column.
std::unique_ptr<RowSender> SendJsonFrames(const std::vector<const catalog::Column*>& columns,
                                          core::RowStreamWriter& writer, OnSent on_sent);

/// One JSON object a line, as sync_export() makes them, in UTF-8.
std::unique_ptr<RowSender> SendJsonLines(const std::vector<const catalog::Column*>& columns,
                                         core::ByteSink& sink, OnSent on_sent);

/// RFC 4180 with a line of names; the values are the canonical texts, a null is an empty field and
/// an empty text is quoted. In UTF-8.
std::unique_ptr<RowSender> SendCsv(const std::vector<const catalog::Column*>& columns,
                                   core::ByteSink& sink, OnSent on_sent);

/// The JSON objects that PhoenixKit reads, with commas between them: what stands in an array. No
/// more than `page` of them, and more() then tells whether there was another row.
class PhoenixSender : public RowSender {
 public:
  virtual uint64 rows() const = 0;
  virtual bool more() const = 0;
};
std::unique_ptr<PhoenixSender> SendPhoenixRows(
    const std::vector<rows::PhoenixEncoder::Request>& columns, rows::PhoenixForm form, uint64 page,
    core::ByteSink& sink, OnSent on_sent);

}  // namespace pgsync::engine
