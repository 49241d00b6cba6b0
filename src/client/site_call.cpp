#include "client/site_call.h"

#include "client/allowed_peers.h"
#include "client/phoenix_site_call.h"
#include "core/native_protocol.h"
#include "core/peer_error.h"
#include "core/text.h"
#include "net/dialer.h"
#include "net/http_client.h"
#include "pg/encoding.h"
#include "pg/settings.h"
#include "pg/wait.h"

namespace pgsync::client {

using core::Cat;
using core::Clock;
using core::Error;
using std::chrono::milliseconds;
namespace settings = pg::settings;
namespace sqlstate = core::sqlstate;

namespace {

constexpr size_t kReplyLimit = 64 * 1024;
constexpr size_t kMessageLimit = 500;

net::HttpRequest RequestFor(const net::Url& site, const char* method, const char* operation) {
  net::HttpRequest request;
  request.method = method;
  request.target = Cat(site.path, core::kNativePath, operation);
  request.headers.emplace_back("Accept", "application/json");
  request.headers.emplace_back("Connection", "close");
  return request;
}

std::string Shown(const std::string& text) {
  return core::Excerpt(text, kMessageLimit);
}

// nullopt where it is none of a sync server.
std::optional<SiteAnswer> ReadAnswer(const SiteReply& raw) {
  SiteAnswer answer;
  answer.http_status = raw.status;
  try {
    if (raw.status == 200) {
      const core::JsonDocument document = pg::ParsePeerJson(raw.body, "reply of the site");
      const core::JsonObject json(document, "reply of the site");
      answer.status = Shown(json.StringOr("status", ""));
      answer.uuid = Shown(json.StringOr("uuid", ""));
      answer.message = Shown(json.StringOr("message", ""));
      answer.outcome = SiteOutcome::kAnswered;
      return answer;
    }
    const Error error = pg::ErrorFromWire(core::RemoteError::FromJson(raw.body).ToError());
    answer.message = Shown(error.message());
    const bool not_found = raw.status == 404 && error.state() == sqlstate::kNotFound;
    const bool refused = raw.status == 400 || raw.status == 403 || raw.status == 409;
    answer.outcome = not_found ? SiteOutcome::kNotFound
                     : refused ? SiteOutcome::kRefused
                               : SiteOutcome::kError;
  } catch (const Error&) {
    return std::nullopt;
  }
  return answer;
}

}  // namespace

SiteReply ExchangeWithSite(const net::Url& site, const net::HttpRequest& request,
                           const SiteCaller& caller, milliseconds timeout) {
  pg::LatchWaiter waiter;
  waiter.set_deadline(Clock::now() + timeout);
  net::DialOptions options;
  options.ca_file = settings::ssl_ca_file;
  options.refuse_address = AddressPolicy(site, caller.superuser);
  net::HttpClientConnection http(net::Dial(site, options, waiter), site.Authority());
  SiteReply reply;
  reply.status = http.Send(request).status;
  reply.body = http.ReadBody(kReplyLimit);
  return reply;
}

SiteAnswer CallSite(const net::Url& site, const char* operation, const std::string& json,
                    const SiteCaller& caller, milliseconds timeout) {
  net::HttpRequest request = RequestFor(site, "POST", operation);
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = json;
  try {
    const SiteReply reply = ExchangeWithSite(site, request, caller, timeout);
    if (const auto answer = ReadAnswer(reply)) return *answer;
    if (const auto answer = CallPhoenixSite(site, operation, json, caller, timeout)) return *answer;
    SiteAnswer answer;
    answer.http_status = reply.status;
    answer.outcome = SiteOutcome::kError;
    answer.message =
        Cat("It does not answer as a sync server, but with status ", reply.status, ".");
    return answer;
  } catch (const Error& error) {
    if (error.state() == sqlstate::kInsufficientPrivilege) throw;
    SiteAnswer answer;
    const bool unreachable =
        error.state() == sqlstate::kConnectionFailed || error.state() == sqlstate::kConnectionLost;
    answer.outcome = unreachable ? SiteOutcome::kOffline : SiteOutcome::kError;
    answer.message = Shown(error.detail().empty() ? error.message()
                                                  : Cat(error.message(), ": ", error.detail()));
    return answer;
  }
}

std::optional<std::string> AskVersion(const net::Url& site, const SiteCaller& caller,
                                      milliseconds timeout) {
  try {
    const SiteReply raw = ExchangeWithSite(site, RequestFor(site, "GET", ""), caller, timeout);
    const core::JsonDocument document = core::ParseJson(raw.body, "reply of the site");
    const auto info = core::ServerInfo::FromJson(core::JsonObject(document, "reply of the site"));
    return core::Excerpt(info.software, kMessageLimit);
  } catch (const Error& error) {
    if (error.state() == sqlstate::kInsufficientPrivilege) throw;
    return std::nullopt;
  }
}

SiteCaller CurrentCaller() {
  return {pg::Call([] { return superuser(); })};
}

}  // namespace pgsync::client
