// Where a PhoenixKit site has what this extension asks it for, and what the site's version can do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace pgsync::core {

/// The prefix under which PhoenixKit is mounted unless its site says otherwise.
inline constexpr char kPhoenixPrefix[] = "/phoenix_kit";

/// What a person typed as the URL of a peer, with the scheme under which it is connected to: ws:
/// and wss: are http: and https: to whoever opens the connection.
std::string HttpSpelling(std::string_view typed);

/// The prefix of a site for the path of a URL: without slashes at the end, and without the
/// "/sync/websocket" that it may go on with.
std::string PhoenixPrefixOf(std::string_view path);

/// Where a site may be, for the path of a URL: there; without a path, where PhoenixKit has it by
/// default, or at the root.
std::vector<std::string> PhoenixPrefixes(std::string_view path);

/// The request target of a site's WebSocket. `query` is what the typed URL had behind its "?"; the
/// code goes behind that, as it is.
std::string PhoenixSocketTarget(std::string_view prefix, std::string_view query,
                                std::string_view code);

/// The request target of a call of the JSON API: "status", "list-tables".
std::string PhoenixApiTarget(std::string_view prefix, std::string_view name);

/// Whether a site that tells this "phoenix_kit_version" answers request:schema. The first releases
/// tell the version of PhoenixKit's core (1.7.80, or nothing) and crash over it; from 0.1.2 on they
/// tell their own.
bool AnswersSchemaRequest(std::string_view version);

/// Whether a body is what GET .../sync/api/status answers at a PhoenixKit site, and nothing else
/// does: {"enabled": ..., "incoming_mode": ...}.
bool IsPhoenixStatus(std::string_view body);

/// The answer to a call of the JSON API, an object, numbers in it exact. Raises what its status
/// means: 28000 for 401, 42501 for 403, 42P01 for a 404 in the site's own words, 53400 for 429,
/// 55000 for 503, XX000 for the rest; where something else has answered, or says nothing that could
/// be read, 08001 if it is a proxy that does not reach the site, else 08P01. The texts of sites
/// differ and are translated: they only stand in the detail.
JsonDocument ReadPhoenixReply(int status, std::string_view body, std::string_view what);

/// What it means that a site answers a request for its WebSocket in another way than with 101: the
/// site's reason, or that it is none.
Error PhoenixUpgradeError(std::string_view url, int status, std::string_view body);

}  // namespace pgsync::core
