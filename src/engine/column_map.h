// Which column of a peer's table goes into which of ours, and in which form; requests for them.
#pragma once

#include <string>
#include <vector>

#include "catalog/table.h"
#include "core/native_protocol.h"
#include "engine/stream_load.h"

namespace pgsync::engine {

struct MappedColumn {
  size_t remote;  ///< position in the peer's definition
  size_t local;   ///< position in the local table
  bool binary;    ///< both ends mean the same type and have a portable binary form for it
};

/// Whether the peer's rows cannot have one key of ours twice: its own key is among the columns of
/// that, and what is equal here is equal there. Null: no key.
bool UniqueAtPeer(const core::TableInfo& remote, const catalog::Table& local,
                  const catalog::Key* key);

/// Maps by name. Stored generated columns here are left out; a generated column of the peer is
/// taken where ours is an ordinary one. Raises 42804 that names what differs: columns that are
/// missing here (unless `drop_extra`), and types no text of which could be taken.
std::vector<MappedColumn> MapColumns(const core::TableInfo& remote, const catalog::Table& local,
                                     bool drop_extra);

/// Describes a table of which the peer does not tell the columns: by the names of the local ones.
void AssumeColumns(const catalog::Table& local, core::TableInfo* remote);

/// A request for rows of a table of the peer's, all columns of them, in our encoding.
core::RowsRequest RowsOf(const std::string& remote_table);

/// What of the peer's rows goes into a table here.
LoadRequest LoadOf(const catalog::Table& local, const std::vector<MappedColumn>& columns);

}  // namespace pgsync::engine
