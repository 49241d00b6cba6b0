// The progress of transfers, one line for each backend that transfers, in shared memory.
#pragma once

#include <string>
#include <vector>

#include "pg/guard.h"

namespace pgsync::session {

/// A copy of a line.
struct Progress {
  int pid = 0;
  std::string transfer;  // uuid
  int client = 0;
  std::string peer;
  Oid role = InvalidOid;
  std::string direction;
  std::string table;
  std::string phase;
  int64 rows_done = 0;
  int64 rows_total = -1;  // -1: not known
  int64 bytes = 0;
  int64 started_at = 0;  // TimestampTz
};

/// This backend's line appears, with that uuid of a transfer, or one of its own. Without shared
/// memory these do nothing. Nested transfers (a trigger that transfers) share the outer one's line.
void BeginProgress(int client, const std::string& peer, const std::string& direction,
                   const std::string& transfer = std::string());
void SetProgressTable(const std::string& table, int64 rows_total);
void SetProgressPhase(const char* phase);
void advance_progress(int64 rows, int64 bytes) noexcept;
/// It disappears; also done when the backend ends.
void end_progress() noexcept;

std::vector<Progress> ListProgress();

Size ProgressTableSize();
void init_progress_table(void* memory, bool found);

}  // namespace pgsync::session
