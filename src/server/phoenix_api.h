// PhoenixKit's HTTP JSON API (core/phoenix_api.h): a PhoenixKit site as the peer of a permanent
// connection.
#pragma once

#include "core/cidr.h"
#include "net/http_server.h"
#include "server/admission.h"

namespace pgsync::server {

/// Requests may name a thousand rows.
inline constexpr size_t kPhoenixRequestLimit = 256 * 1024;

/// Whether a path is of this API, under whatever prefix.
bool IsPhoenixApi(const std::string& path);

/// Answers such a request; it is the last of its connection. Raises only what ends that.
void HandlePhoenixApi(net::HttpRequest& request, const net::HttpTarget& target,
                      net::HttpServerConnection& http, const net::Stream& stream,
                      Admission& admission);

}  // namespace pgsync::server
