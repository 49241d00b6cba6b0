#include "client/allowed_peers.h"

#include "core/ascii.h"
#include "core/text.h"
#include "pg/guard.h"
#include "pg/settings.h"

namespace pgsync::client {

std::function<std::string(const core::IpAddress&)> AddressPolicy(const net::Url& url) {
  return AddressPolicy(url, pg::Call([] { return superuser(); }));
}

std::function<std::string(const core::IpAddress&)> AddressPolicy(const net::Url& url,
                                                                 bool for_superuser) {
  bool any = false;
  std::vector<core::Cidr> networks;
  const auto entries = core::SplitList(pg::settings::allowed_peers);
  for (const std::string& entry : entries) {
    if (entry == "*" || core::EqualFolded(entry, url.host)) any = true;
    if (const auto network = core::Cidr::Parse(entry)) networks.push_back(*network);
  }
  if (entries.empty()) any = for_superuser;
  const bool insecure = !url.secure() && !pg::settings::allow_insecure;
  return [=](const core::IpAddress& address) -> std::string {
    if (address.IsLinkLocal()) {
      return core::Cat("Address ", address.ToString(),
                       " is link-local; such are never connected to.");
    }
    bool allowed = any;
    for (const core::Cidr& network : networks)
      allowed = allowed || network.Contains(address);
    if (!allowed) {
      if (entries.empty()) {
        return "The setting sync.allowed_peers is empty: then only superusers may connect to "
               "peers.";
      }
      return core::Cat("Address ", address.ToString(),
                       " is not in sync.allowed_peers, which a superuser can set.");
    }
    if (insecure && !address.IsLoopback()) {
      return core::Cat("Address ", address.ToString(),
                       " is another machine's, and without TLS only this machine is connected to "
                       "(sync.allow_insecure is off).");
    }
    return std::string();
  };
}

}  // namespace pgsync::client
