// Single calls to the site at the other end of a permanent connection: each a request of its own,
// without a session, over the native protocol or, to a site of PhoenixKit, over its JSON API.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/json.h"
#include "net/http_message.h"
#include "net/url.h"

namespace pgsync::client {

enum class SiteOutcome {
  kAnswered,  ///< as asked
  kNotFound,  ///< the site does not know the connection: said by a sync server, not by a proxy
  kRefused,   ///< it knows what is wanted, and will not
  kOffline,   ///< nobody is there, or not in time
  kError,     ///< it cannot now, or what answered is no sync server
};

struct SiteAnswer {
  SiteOutcome outcome = SiteOutcome::kOffline;
  int http_status = 0;  ///< 0: there was no answer
  std::string message;  ///< of the site, or why there is none
  std::string status;   ///< of the connection there; empty where the answer has none
  std::string uuid;     ///< likewise
};

/// Who calls: decides with sync.allowed_peers to which addresses it may.
struct SiteCaller {
  bool superuser = false;
};
/// The current user.
SiteCaller CurrentCaller();

struct SiteReply {
  int status = 0;
  std::string body;
};

/// One exchange on a connection of its own. Raises 08001, 08006, 08P01, and 42501 where no address
/// of the site may be connected to.
SiteReply ExchangeWithSite(const net::Url& site, const net::HttpRequest& request,
                           const SiteCaller& caller, std::chrono::milliseconds timeout);

/// POSTs a JSON object (in UTF-8) to an operation of the native protocol; where the site has
/// another one, it is the same of PhoenixKit's. Interruptible; gives up after the timeout. Raises
/// 42501 where no address of the site may be connected to; every other failure is an answer.
SiteAnswer CallSite(const net::Url& site, const char* operation, const std::string& json,
                    const SiteCaller& caller, std::chrono::milliseconds timeout);

/// What GET of the native protocol's root tells: the version of sync there. nullopt: no sync
/// server, or nobody.
std::optional<std::string> AskVersion(const net::Url& site, const SiteCaller& caller,
                                      std::chrono::milliseconds timeout);

}  // namespace pgsync::client
