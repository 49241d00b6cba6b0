// One line of the server log for each thing that happens to a peer, key=value.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pgsync::server {

using LogFields = std::vector<std::pair<std::string, std::string>>;

/// LOG: "sync peer <event>: key=value ...". Values with spaces or quotes are quoted; empty ones
/// left out. Callers never pass a code, token or password.
void LogPeer(const char* event, const LogFields& fields);

/// LOG with a detail.
void LogMessage(const std::string& message, const std::string& detail = std::string());

}  // namespace pgsync::server
