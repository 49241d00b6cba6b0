// What sites have to say to each other of permanent connections, to a site of PhoenixKit.
#pragma once

#include "client/site_call.h"

namespace pgsync::client {

/// The call of its JSON API that is the same as CallSite()'s; nullopt where the site is none of
/// PhoenixKit, which is asked first, so that no other gets to see the call. Raises as
/// ExchangeWithSite().
std::optional<SiteAnswer> CallPhoenixSite(const net::Url& site, const std::string& operation,
                                          const std::string& json, const SiteCaller& caller,
                                          std::chrono::milliseconds timeout);

}  // namespace pgsync::client
