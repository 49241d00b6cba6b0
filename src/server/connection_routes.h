// What another site says of permanent connections, over the native protocol: it has no session, and
// is let in for the one request only.
//
//   POST register-connection  {sender_url, connection_name, auth_token, password}: a site offers
//                             its tables -> {status, uuid}
//   POST update-status        {auth_token_hash, direction, status}: the connection is active,
//                             suspended or revoked there
//   POST delete-connection    {auth_token_hash, direction}: it was deleted there
//   POST verify-connection    {auth_token_hash, direction}: -> {status}
//   POST connection-status    the same of a receiver, which has accepted by asking
//
// `direction` is that of the row of the site that calls. 404 is said only of a connection that
// surely is not there.
#pragma once

#include <string>

#include "core/cidr.h"
#include "net/http_server.h"

namespace pgsync::server {

bool IsConnectionOperation(const std::string& operation);

/// Answers such a request; it is the last of its connection. `prefix`: what stands in the path
/// before the protocol's own. Raises why it is refused.
void HandleConnectionOperation(const std::string& operation, const std::string& prefix,
                               net::HttpRequest& request, net::HttpServerConnection& http,
                               const net::Stream& stream, const core::IpAddress& address);

}  // namespace pgsync::server
