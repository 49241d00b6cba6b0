// Automatic syncs: jobs that a receiver connection makes by its schedule.
#pragma once

#include <optional>
#include <string>

#include "pg/guard.h"

namespace pgsync::connection {

/// Makes a job for each active receiver connection whose automatic sync is due, as the role of the
/// connection. One whose last automatic sync has not ended makes none.
void PlanAutoSyncs();
/// An automatic sync is over, with its last attempt. Those that fail are tried again after a pause
/// that doubles, up to the interval or ten minutes, whichever is longer.
void NoteAutoSyncEnd(const std::string& connection_uuid, bool failed);
/// When the next one is due (TimestampTz); nullopt: there is none.
std::optional<int64_t> NextAutoSync();

}  // namespace pgsync::connection
