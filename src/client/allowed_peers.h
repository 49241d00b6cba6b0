// Which addresses this backend may connect to: sync.allowed_peers and sync.allow_insecure.
#pragma once

#include <functional>
#include <string>

#include "core/cidr.h"
#include "net/url.h"

namespace pgsync::client {

/// A check for net::DialOptions::refuse_address, by the settings and the current user as they are
/// now, or on behalf of a superuser or of somebody else. It looks at the address that is going to
/// be connected to, so that a name which resolves to something else the second time gains nothing.
std::function<std::string(const core::IpAddress&)> AddressPolicy(const net::Url& url);
std::function<std::string(const core::IpAddress&)> AddressPolicy(const net::Url& url,
                                                                 bool for_superuser);

}  // namespace pgsync::client
