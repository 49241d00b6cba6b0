// Rows of a scan on their way to a peer: as frames, as JSON lines, as CSV.
#pragma once

#include <memory>
#include <vector>

#include "catalog/table.h"
#include "core/row_stream.h"
#include "rows/byte_buffer.h"
#include "rows/encoder.h"
#include "rows/json_rows.h"
#include "rows/row_text.h"

namespace pgsync::server {

/// A RowConsumer that sends what it is given. After the scan, Finish().
class RowSender {
 public:
  virtual ~RowSender() = default;
  virtual rows::RowConsumer& consumer() = 0;
  /// Sends what is still held back, and the end.
  virtual void Finish() = 0;
};

/// The binary row stream (core/row_stream.h). The header has been sent when this returns.
std::unique_ptr<RowSender> SendFrames(const std::vector<rows::RowEncoder::Request>& columns,
                                      int encoding, core::RowStreamWriter& writer);

/// The same stream with the row's JSON object, as sync_export() makes it, as its only column.
std::unique_ptr<RowSender> SendJsonFrames(const std::vector<const catalog::Column*>& columns,
                                          core::RowStreamWriter& writer);

/// One JSON object a line, as sync_export() makes them, in UTF-8.
std::unique_ptr<RowSender> SendJsonLines(const std::vector<const catalog::Column*>& columns,
                                         core::ByteSink& sink);

/// RFC 4180 with a line of names; the values are the canonical texts, a null is an empty field and
/// an empty text is quoted. In UTF-8.
std::unique_ptr<RowSender> SendCsv(const std::vector<const catalog::Column*>& columns,
                                   core::ByteSink& sink);

}  // namespace pgsync::server
