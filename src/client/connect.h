// Connecting to a peer whose protocol may not be known.
#pragma once

#include <chrono>
#include <memory>

#include "client/native_peer.h"
#include "client/peer.h"

namespace pgsync::client {

enum class Protocol { kAuto, kNative, kPhoenix };

/// Connects. With kAuto the peer is first asked for what tells a server of this extension from a
/// PhoenixKit site; neither question spends the code or shows the token. With kPhoenix a token is
/// shown only to what answers as a PhoenixKit site. Raises as ConnectNative() and
/// ConnectPhoenixByCode() do, 08P01 where the peer is neither.
std::unique_ptr<Peer> ConnectPeer(const net::Url& url, const NativeCredentials& credentials,
                                  Protocol protocol, std::chrono::milliseconds timeout);

}  // namespace pgsync::client
