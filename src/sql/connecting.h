// The arguments with which a peer is connected to, as several functions take them.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "client/connect.h"
#include "net/url.h"

namespace pgsync::sql {

struct ConnectArguments {
  std::string url;  ///< without "://": the name or uuid of a stored connection
  std::optional<std::string> code;
  std::optional<std::string> token;
  std::optional<std::string> password;
  client::Protocol protocol = client::Protocol::kAuto;
  std::optional<std::chrono::milliseconds> timeout;
};

/// Where a peer is, and what to show it.
struct PeerAddress {
  net::Url url;
  std::string connection;  ///< uuid of the stored connection; else empty
  client::NativeCredentials credentials;
  client::Protocol protocol = client::Protocol::kAuto;
  std::chrono::milliseconds timeout;
};

/// Checks the arguments (22023, 28000), and reads the stored connection (client/stored_connection.h
/// tells its errors).
PeerAddress FindPeer(const ConnectArguments& arguments);
std::unique_ptr<client::Peer> ConnectToPeer(const PeerAddress& address);

}  // namespace pgsync::sql
