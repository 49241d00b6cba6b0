// The arguments with which a peer is connected to, as several functions take them.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "client/connect.h"

namespace pgsync::sql {

struct ConnectArguments {
  std::string url;  ///< without "://": the name or uuid of a stored connection
  std::optional<std::string> code;
  std::optional<std::string> token;
  std::optional<std::string> password;
  client::Protocol protocol = client::Protocol::kAuto;
  std::optional<std::chrono::milliseconds> timeout;
};

struct ConnectedPeer {
  std::string url;         ///< without what is secret
  std::string connection;  ///< uuid of the stored connection; else empty
  std::unique_ptr<client::Peer> peer;
};

/// Checks the arguments (22023, 28000) and connects.
ConnectedPeer ConnectToPeer(const ConnectArguments& arguments);

}  // namespace pgsync::sql
