// The client's end of the native protocol (core/native_protocol.h).
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "client/peer.h"
#include "net/url.h"

namespace pgsync::client {

struct NativeCredentials {
  std::optional<std::string> code;
  std::optional<std::string> token;
  std::optional<std::string> password;
};

/// What answers is no server of this extension, or none that can be understood; nothing was spent.
class NotNativeError : public core::Error {
 public:
  explicit NotNativeError(core::Error error) : Error(std::move(error)) {}
};

/// Connects and spends the code. A peer that is busy is asked again until `timeout` has passed,
/// which from then on limits how long it may stay silent. Raises 08001 where no connection can be
/// made, 08P01 (a NotNativeError) where the peer is no sync server, 42501 where the settings forbid
/// the address, and the peer's refusal.
std::unique_ptr<Peer> ConnectNative(const net::Url& url, const NativeCredentials& credentials,
                                    std::chrono::milliseconds timeout);

}  // namespace pgsync::client
