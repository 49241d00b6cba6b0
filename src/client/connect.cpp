#include "client/connect.h"

#include "client/phoenix_api.h"
#include "client/phoenix_peer.h"
#include "core/phoenix_site.h"
#include "core/text.h"

namespace pgsync::client {

using core::Cat;
using core::Error;
using std::chrono::milliseconds;
namespace sqlstate = core::sqlstate;

namespace {

// At a site that was found under `prefix`.
std::unique_ptr<Peer> ConnectPhoenix(net::Url url, const std::string& prefix,
                                     const NativeCredentials& credentials, milliseconds timeout) {
  url.path = prefix;
  if (credentials.code) return ConnectPhoenixByCode(url, *credentials.code, timeout);
  if (credentials.password) {
    throw Error(sqlstate::kFeatureNotSupported, "a PhoenixKit site takes no password with a token");
  }
  return ConnectPhoenixByToken(url, *credentials.token, timeout);
}

}  // namespace

std::unique_ptr<Peer> ConnectPeer(const net::Url& url, const NativeCredentials& credentials,
                                  Protocol protocol, milliseconds timeout) {
  if (protocol == Protocol::kPhoenix) {
    // A code is good for nothing else, and its use is known only by trying.
    if (credentials.code) return ConnectPhoenixByCode(url, *credentials.code, timeout);
    const auto prefix = FindPhoenixSite(url, timeout);
    if (prefix) return ConnectPhoenix(url, *prefix, credentials, timeout);
    throw Error(sqlstate::kProtocolViolation,
                Cat("the peer at ", url.Display(), " is no PhoenixKit site"))
        .WithHint(
            "The URL ends with the path under which PhoenixKit is mounted there, as in "
            "https://host/phoenix_kit.");
  }
  try {
    return ConnectNative(url, credentials, timeout);
  } catch (const NotNativeError&) {
    if (protocol == Protocol::kNative) throw;
    const auto prefix = FindPhoenixSite(url, timeout);
    if (!prefix) throw;
    return ConnectPhoenix(url, *prefix, credentials, timeout);
  }
}

}  // namespace pgsync::client
