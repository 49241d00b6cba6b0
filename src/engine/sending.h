// The sending half of a transfer: what the side that has the rows says of a table, and makes sure
// of, before it sends them.
#pragma once

#include <string>
#include <vector>

#include "catalog/table.h"
#include "core/native_protocol.h"
#include "rows/encoder.h"

namespace pgsync::engine {

/// Raises 55000 for a table that was truncated or rewritten after the active snapshot was taken: it
/// would look empty, or whole with rows that the snapshot should see missing. From here to the end
/// of the transaction ACCESS SHARE is held on it and its partitions.
void RequireUnchanged(const catalog::Table& table);

/// Raises 25001 for a table to which the current transaction has written: what a snapshot shows of
/// it might never be committed. Goes by the locks that writing leaves behind.
void RequireNotWritten(const catalog::Table& table);

/// What the other side needs to know of it.
core::OpenedTable Describe(const catalog::Table& table);

/// The positions of the columns asked for; none means all. Raises 42703.
std::vector<size_t> RequestedColumns(const catalog::Table& table, const core::RowsRequest& request);

/// How each of those is to be encoded: in binary where that was asked for and can be done.
std::vector<rows::RowEncoder::Request> EncodingOf(const catalog::Table& table,
                                                  const std::vector<size_t>& positions,
                                                  const core::RowsRequest& request);

/// The encoding of the text in a binary stream: what both sides use, else UTF-8. SQL_ASCII means
/// bytes, which only the other side can make sense of.
int StreamEncoding(const std::string& requested);

}  // namespace pgsync::engine
