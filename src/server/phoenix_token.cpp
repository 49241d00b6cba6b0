#include "server/phoenix_token.h"

#include "core/code.h"
#include "pg/settings.h"
#include "server/log.h"
#include "server/refusal.h"
#include "server/worker_exit.h"

namespace pgsync::server {

using core::PhoenixRequest;

namespace {

std::optional<std::string> ShownTokenOf(const PhoenixRequest& parameters,
                                        const net::HttpRequest& request) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string header = net::FindHeader(request.headers, "Authorization").value_or("");
  if (header.compare(0, kBearer.size(), kBearer) == 0) return header.substr(kBearer.size());
  return parameters.Text("auth_token");
}

}  // namespace

bool ShowsToken(const PhoenixRequest& parameters, const net::HttpRequest& request) {
  return ShownTokenOf(parameters, request).has_value();
}

// PhoenixKit shows nothing but the hash of the token, which is good only where that was decided.
std::string ShownHash(const PhoenixRequest& parameters, const net::HttpRequest& request) {
  if (const auto token = ShownTokenOf(parameters, request)) return core::HashToken(*token);
  if (!pg::settings::phoenix_hash_auth) {
    LogPeer("refused", {{"peer", exit_state.peer},
                        {"reason", "hash instead of a token, sync.phoenix_hash_auth is off"}});
    throw Refused(core::Error(core::sqlstate::kProtocolViolation, "Invalid connection"), 401);
  }
  return parameters.Text("auth_token_hash").value_or("");
}

}  // namespace pgsync::server
