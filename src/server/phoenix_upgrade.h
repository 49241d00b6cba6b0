// The way in for a PhoenixKit site: what its request for a WebSocket must bring.
#pragma once

#include <string>

#include "net/http_server.h"
#include "server/admission.h"

namespace pgsync::server {

/// Whether a path is that of the WebSocket, under whatever prefix.
bool IsPhoenixSocket(const std::string& path);

/// Lets the peer in, and leaves the answer to the caller; or answers why not, and returns false.
/// The code is spent only where the request can be answered with an upgrade.
bool LetPhoenixIn(const net::HttpRequest& request, Admission& admission,
                  net::HttpServerConnection& http);

}  // namespace pgsync::server
