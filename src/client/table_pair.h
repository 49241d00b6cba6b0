// A table of the peer beside the local one that it is compared with.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/table.h"
#include "client/peer.h"
#include "engine/column_map.h"
#include "engine/stream_load.h"

namespace pgsync::client {

/// Raises 0A000, naming the cause, unless both sides show all rows of the table, so that a row that
/// one of them lacks is really not there; 42501 where the right to read the local table is missing.
void RequireComplete(const core::OpenedTable& remote, const catalog::Table& local);

struct TablePair {
  std::string remote_name;
  core::OpenedTable remote;
  catalog::Table local;
  std::vector<engine::MappedColumn> columns;

  /// What to ask the peer for, and what to expect then.
  core::RowsRequest RowsRequest() const;
  engine::LoadRequest LoadRequest() const;
  /// Both sides have the same primary key, and it has the same order on every server.
  bool SameOrder() const;
};

/// Opens the peer's table and finds the local one (nullopt: of the same name). Raises 42P01 where
/// there is none, 42809 for what is no table, 42804 where columns are missing on one side or have
/// types no text of which could be taken, and what RequireComplete does.
TablePair OpenPair(Peer& peer, const std::string& remote, const std::optional<std::string>& local);

}  // namespace pgsync::client
