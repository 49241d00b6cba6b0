// The rows in which results are returned.
#pragma once

#include <chrono>
#include <string>

#include "core/table_info.h"
#include "core/waiter.h"
#include "engine/transfer.h"
#include "sql/function.h"

namespace pgsync::sql {

/// sync_result.
struct TransferResult {
  std::string table;
  engine::ApplyCounts counts;
  std::string errors = "[]";
  int64 error_count = 0;
  std::string mode = "full";
  bool dry_run = false;
  std::optional<bool> verified;
  int64 bytes = 0;
  std::chrono::milliseconds duration{0};

  std::vector<Cell> Cells() const;
};

/// sync_result of one table of a transfer.
std::vector<Cell> OutcomeCells(const engine::TableOutcome& outcome);

/// A row of sync_list_tables() and sync_remote_list_tables().
std::vector<Cell> TableListCells(const core::TableListEntry& entry);

}  // namespace pgsync::sql
