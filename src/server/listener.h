// The sockets on which the launcher listens.
#pragma once

#include <string>
#include <vector>

#include "core/cidr.h"
#include "net/stream.h"

namespace pgsync::server {

/// Binds and listens on every address that the list of names resolves to ("*": all). An address
/// that cannot be had is an error in DETAIL if none can; else it is left out and told in
/// `problems`.
std::vector<net::Socket> OpenListeners(const std::string& addresses, int port,
                                       std::vector<std::string>* problems);

struct Accepted {
  net::Socket socket;
  core::IpAddress address;
  int port = 0;
};
/// Accepts one connection; none left: an invalid socket.
Accepted AcceptPeer(int listener);

/// What counts as one address where the number of peers from one is limited: an IPv4 address, the
/// /64 of an IPv6 address.
std::string NetworkOf(const core::IpAddress& address);

}  // namespace pgsync::server
