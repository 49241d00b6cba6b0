#include "client/phoenix_site_call.h"

#include "core/phoenix_site.h"
#include "core/text.h"
#include "pg/encoding.h"

namespace pgsync::client {

using core::Error;
using std::chrono::milliseconds;

namespace {

constexpr char kStatusThere[] = "connection-status";
constexpr char kVerify[] = "verify-connection";

net::HttpRequest RequestFor(const net::Url& site, const char* method, const std::string& name) {
  net::HttpRequest request;
  request.method = method;
  request.target = core::PhoenixApiTarget(site.path, name);
  request.headers.emplace_back("Accept", "application/json");
  request.headers.emplace_back("Connection", "close");
  return request;
}

std::optional<net::Url> FindSite(const net::Url& site, const SiteCaller& caller,
                                 milliseconds timeout) {
  for (const std::string& prefix : core::PhoenixPrefixes(site.path)) {
    net::Url there = site;
    there.path = prefix;
    const SiteReply reply =
        ExchangeWithSite(there, RequestFor(there, "GET", "status"), caller, timeout);
    if (reply.status == 200 && core::IsPhoenixStatus(reply.body)) return there;
  }
  return std::nullopt;
}

// A receiver says who it is under another name than a sender.
std::string Body(const std::string& operation, const std::string& json) {
  if (operation != kStatusThere) return json;
  const core::JsonDocument document = core::ParseJson(json, "call");
  core::JsonWriter body;
  body.BeginObject();
  for (const auto& member : document.GetObject()) {
    const std::string name = member.name.GetString();
    body.Key(name == "sender_url" ? "receiver_url" : name).Value(member.value);
  }
  return body.EndObject().Take();
}

// By the status, for the texts of sites differ. Only a site's own words say that a connection is
// gone.
SiteOutcome OutcomeOf(int status, bool in_its_words) {
  if (status == 204) return SiteOutcome::kAnswered;
  if (!in_its_words) return SiteOutcome::kError;
  switch (status) {
    case 200:
      return SiteOutcome::kAnswered;
    case 404:
      return SiteOutcome::kNotFound;
    case 400:
    case 401:
    case 403:
    case 409:
      return SiteOutcome::kRefused;
    default:
      return SiteOutcome::kError;
  }
}

SiteAnswer ReadAnswer(const SiteReply& reply, const std::string& operation) {
  constexpr size_t kShown = 500;
  SiteAnswer answer;
  answer.http_status = reply.status;
  bool in_its_words = false;
  try {
    const core::JsonDocument document = pg::ParsePeerJson(reply.body, "reply of the site");
    const core::JsonObject json(document, "reply of the site");
    const bool success = json.Bool("success");
    in_its_words = success == (reply.status == 200);
    answer.message = core::Excerpt(json.StringOr(success ? "message" : "error", ""), kShown);
    answer.status =
        core::Excerpt(json.StringOr("status", json.StringOr("connection_status", "")), kShown);
    answer.uuid = core::Excerpt(json.StringOr("connection_uuid", ""), kShown);
  } catch (const Error&) {  // not in its words
  }
  answer.outcome = OutcomeOf(reply.status, in_its_words);
  if (answer.outcome == SiteOutcome::kError && answer.message.empty()) {
    answer.message =
        core::Cat("It does not answer as a PhoenixKit site, but with status ", reply.status, ".");
  }
  if (answer.outcome == SiteOutcome::kAnswered && operation == kVerify) {
    // That it is known is all that such a site tells, and it keeps none but such.
    answer.status = "active";
  }
  return answer;
}

}  // namespace

std::optional<SiteAnswer> CallPhoenixSite(const net::Url& site, const std::string& operation,
                                          const std::string& json, const SiteCaller& caller,
                                          milliseconds timeout) {
  const auto there = FindSite(site, caller, timeout);
  if (!there) return std::nullopt;
  net::HttpRequest request =
      RequestFor(*there, "POST", operation == kStatusThere ? "get-connection-status" : operation);
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = Body(operation, json);
  return ReadAnswer(ExchangeWithSite(*there, request, caller, timeout), operation);
}

}  // namespace pgsync::client
