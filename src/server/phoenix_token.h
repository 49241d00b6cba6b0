// What a request of PhoenixKit's HTTP JSON API shows to pass for a permanent connection.
#pragma once

#include <string>

#include "core/phoenix_api.h"
#include "net/http_message.h"

namespace pgsync::server {

/// Whether it shows a token itself: as auth_token, or in an Authorization header.
bool ShowsToken(const core::PhoenixRequest& parameters, const net::HttpRequest& request);

/// The hash of the token that it shows, or the hash that it shows instead. Raises Refused where
/// that is not taken.
std::string ShownHash(const core::PhoenixRequest& parameters, const net::HttpRequest& request);

}  // namespace pgsync::server
