// One job: the transfer that it asks for, done as the role that has asked for it.
#pragma once

#include "connection/jobs.h"
#include "server/role_settings.h"

namespace pgsync::job {

/// Does the job and notes in its row what has come of it. Whatever goes wrong with it is noted, and
/// raised no further, unless the process has to end.
void RunTransferJob(const connection::Job& job, const server::RoleSettings& settings);

}  // namespace pgsync::job
