// The part of PhoenixKit's HTTP JSON API that hands out data: lists, definitions and rows of
// tables, to who shows the token of a permanent connection, within what that allows.
#pragma once

#include "core/phoenix_api.h"
#include "net/http_server.h"
#include "server/admission.h"
#include "server/peer_database.h"

namespace pgsync::server {

bool IsPhoenixDataRoute(const core::PhoenixRoute& route);

/// Answers such a request. Raises Refused, errors that are to be answered with 503, and, where a
/// part of the answer has been sent, what has stopped it.
void ServePhoenixData(const core::PhoenixRoute& route, const core::PhoenixRequest& parameters,
                      const net::HttpRequest& request, const PeerDatabase& database,
                      net::HttpServerConnection& http, Admission& admission);

}  // namespace pgsync::server
