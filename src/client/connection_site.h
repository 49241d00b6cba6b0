// What a permanent connection and the site at its other end have to say to each other.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "client/site_call.h"
#include "connection/connection.h"
#include "connection/notices.h"

namespace pgsync::client {

/// How long a site may take to answer.
inline constexpr std::chrono::milliseconds kSiteTimeout{10000};

/// Under which URL the other site reaches this database: the connection's "own_url", or else where
/// this server listens, with the database as path. Empty: it does not listen.
std::string OwnUrl(const connection::Connection& connection);

/// Offers a sender connection to its site, and notes in its metadata what that answered. Where the
/// site has accepted, a connection that approves by itself becomes active. Interruptible; raises
/// what CallSite() raises.
SiteAnswer RegisterAtSite(const connection::Connection& connection, const std::string& token,
                          const std::optional<std::string>& password);

/// The status of the connection at its other end: active, pending, suspended, revoked, expired,
/// offline, not_found or error. That a receiver asks tells the sender that it has accepted.
SiteAnswer AskSite(const connection::Connection& connection);
std::string StatusWord(const SiteAnswer& answer);

/// The request that carries a notice to its site. In a transaction.
std::string NoticeBody(const connection::Notice& notice);
/// Sends it; needs no transaction. Raises nothing of the site's.
SiteAnswer TellSite(const connection::Notice& notice, const std::string& body);

}  // namespace pgsync::client
