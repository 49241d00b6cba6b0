// Rows as canonical text: for the checksum, and as CSV.
#pragma once

#include <memory>
#include <vector>

#include "catalog/table.h"
#include "core/row_digest.h"
#include "pg/memory.h"
#include "rows/byte_buffer.h"
#include "rows/canonical.h"
#include "rows/consumer.h"

namespace pgsync::rows {

/// The canonical text of the columns of a row, one after the other.
class RowText {
 public:
  explicit RowText(const std::vector<const catalog::Column*>& columns);

  /// The text of a value in the database's encoding, in the current context. For leaves, between
  /// settings().enter() and leave().
  char* text_of(size_t column, Datum value) {
    return OutputFunctionCall(&functions_[column], value);
  }
  CanonicalSettings& settings() { return *settings_; }
  size_t columns() const { return functions_.size(); }

 private:
  pg::OwnedContext context_;
  std::vector<FmgrInfo> functions_;
  std::unique_ptr<CanonicalSettings> settings_;
};

/// Adds the rows of a scan to a digest. The columns come in any order; the digest takes them in C
/// order of their names.
class DigestRows : public RowConsumer {
 public:
  explicit DigestRows(const std::vector<const catalog::Column*>& columns);
  void take_row(TupleTableSlot* slot) override;
  const core::TableDigest& digest() const { return digest_; }

 private:
  RowText text_;
  bool convert_;
  std::vector<size_t> order_;
  std::vector<std::string> prefixes_;  // length and name, by position in order_
  pg::OwnedContext kept_;
  pg::OwnedContext scratch_;
  ByteBuffer buffer_;
  core::TableDigest digest_;
};

}  // namespace pgsync::rows
