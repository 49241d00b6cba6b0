// One piece of work in a database on behalf of a peer that has no session: nobody has let it in, so
// a database is opened for it only if it is known to be enabled, and for one transaction.
#pragma once

#include <functional>
#include <string>

#include "core/cidr.h"
#include "net/stream.h"
#include "server/peer_database.h"

namespace pgsync::server {

/// Connects this worker, which has no database yet, to the one that the prefix of the path names,
/// and runs `work` in a transaction (READ COMMITTED, as the bootstrap superuser, empty
/// search_path), which is committed if nothing is raised. What it raises is raised: errors of the
/// server as 57P03, for a peer must not take trouble of ours for an answer. A database that cannot
/// be used, for whatever reason, looks like a wrong secret: 28000 after the same wait.
void DoStrangerWork(const std::string& prefix, const net::Stream& stream,
                    const core::IpAddress& address, const std::function<void()>& work);

/// The same in a database that has been found already, for the caller to say what is wrong: false
/// where it cannot be used after all, and `work` was not run.
bool DoStrangerWorkIn(const PeerDatabase& database, const net::Stream& stream,
                      const std::function<void()>& work);

}  // namespace pgsync::server
