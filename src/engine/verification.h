// The check at the end of a transfer that a table is as the peer's.
#pragma once

#include "engine/job_source.h"

namespace pgsync::engine {

/// Reads all rows of the table again: what stands here now is what triggers, constraints and others
/// have left. Raises 22000 where it is not what the peer has.
void VerifyTable(JobSource& source, const Job& job);

}  // namespace pgsync::engine
