// What is noted of a PhoenixKit site in the metadata of its session.
#pragma once

#include <string>

#include "core/json.h"
#include "net/http_message.h"
#include "session/session_table.h"

namespace pgsync::server {

/// Notes as "connection_info" how the peer has come. `address` is the peer's, `scheme` "ws" or
/// "wss".
void NoteConnectionInfo(const session::SessionId& id, const net::HttpRequest& request,
                        const std::string& address, const char* scheme);

/// Notes as "receiver_info" what the peer says of itself, any JSON; where that does not fit into
/// the metadata, a LOG line says so instead.
void NoteReceiverInfo(const session::SessionId& id, const core::JsonValue& info);

}  // namespace pgsync::server
