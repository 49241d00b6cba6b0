// The part of PhoenixKit's HTTP JSON API in which sites tell each other of their connections: the
// same as server/connection_routes.h for the native protocol.
#pragma once

#include "core/cidr.h"
#include "net/http_message.h"
#include "server/phoenix_answer.h"

namespace pgsync::server {

/// Answers a request about a connection, or for the status of the module, in the current
/// transaction. `wrong_secret` is set, to what is wrong, where the peer has shown a wrong password,
/// or the hash of a token that no connection has.
PhoenixAnswer AnswerPhoenixSite(const core::PhoenixRoute& route,
                                const core::PhoenixRequest& parameters,
                                const net::HttpRequest& request, const core::IpAddress& address,
                                const char** wrong_secret);

/// The answer to a request for the status of a module that is disabled.
PhoenixAnswer DisabledPhoenixStatus();

}  // namespace pgsync::server
