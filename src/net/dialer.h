// Connecting to a peer: names, addresses, TLS with its verification. libcurl does it; what then
// goes over the connection is ours.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/cidr.h"
#include "net/stream.h"
#include "net/url.h"

namespace pgsync::net {

struct DialOptions {
  /// Certificate authorities; empty: the system's.
  std::string ca_file;
  /// Asked about each address before it is connected to. An empty string lets it pass; anything
  /// else is the reason why not. Without it every address passes.
  std::function<std::string(const core::IpAddress&)> refuse_address;
};

/// Connects within the waiter's deadline. Raises 08001 where that fails, 42501 where every address
/// was refused, and what the waiter raises. The waiter must outlive the stream.
std::unique_ptr<Stream> Dial(const Url& url, const DialOptions& options, core::Waiter& waiter);

}  // namespace pgsync::net
