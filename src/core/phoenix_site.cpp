#include "core/phoenix_site.h"

#include <charconv>
#include <optional>

#include "core/ascii.h"
#include "core/json.h"
#include "core/peer_error.h"
#include "core/text.h"

namespace pgsync::core {

namespace {

constexpr std::string_view kSocketPath = "/sync/websocket";

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string_view WithoutSlashes(std::string_view path) {
  while (!path.empty() && path.back() == '/')
    path.remove_suffix(1);
  return path;
}

bool HasScheme(std::string_view url, std::string_view scheme) {
  return url.size() > scheme.size() && url.substr(scheme.size(), 3) == "://" &&
         EqualFolded(url.substr(0, scheme.size()), scheme);
}

}  // namespace

std::string HttpSpelling(std::string_view typed) {
  if (HasScheme(typed, "wss")) return Cat("https", typed.substr(3));
  if (HasScheme(typed, "ws")) return Cat("http", typed.substr(2));
  return std::string(typed);
}

std::string PhoenixPrefixOf(std::string_view path) {
  path = WithoutSlashes(path);
  if (EndsWith(path, kSocketPath)) path.remove_suffix(kSocketPath.size());
  return std::string(WithoutSlashes(path));
}

std::vector<std::string> PhoenixPrefixes(std::string_view path) {
  const std::string prefix = PhoenixPrefixOf(path);
  if (prefix.empty() && path.empty()) return {kPhoenixPrefix, prefix};
  return {prefix};
}

std::string PhoenixSocketTarget(std::string_view prefix, std::string_view query,
                                std::string_view code) {
  return Cat(prefix, kSocketPath, "?", query, query.empty() ? "" : "&", "code=", code,
             "&vsn=2.0.0");
}

std::string PhoenixApiTarget(std::string_view prefix, std::string_view name) {
  return Cat(prefix, "/sync/api/", name);
}

bool AnswersSchemaRequest(std::string_view version) {
  int parts[3] = {-1, 0, 0};
  const char* at = version.data();
  const char* const end = at + version.size();
  for (int& part : parts) {
    const auto [behind, error] = std::from_chars(at, end, part);
    if (error != std::errc() || part < 0) return false;
    at = behind;
    if (at == end || *at != '.') break;
    at++;
  }
  return parts[0] == 0 && (parts[1] > 1 || (parts[1] == 1 && parts[2] >= 2));
}

bool IsPhoenixStatus(std::string_view body) {
  try {
    const JsonDocument document = ParseJson(body, "status");
    const JsonObject status(document, "status");
    (void)status.Bool("enabled");
    (void)status.String("incoming_mode");
    return true;
  } catch (const Error&) {
    return false;
  }
}

JsonDocument ReadPhoenixReply(int status, std::string_view body, std::string_view what) {
  constexpr size_t kShown = 200;
  JsonLimits limits;
  limits.bytes = body.size();
  limits.exact_numbers = true;
  std::optional<JsonDocument> document;
  try {
    document = ParseJson(body, "reply of the peer", limits);
    if (!document->IsObject()) document.reset();
  } catch (const Error&) {  // said below, with what the status means
  }
  std::string text;
  bool success = false, no_text = false;
  if (document) {
    const auto said = document->FindMember("success");
    success = said != document->MemberEnd() && said->value.IsTrue();
    const auto error = document->FindMember("error");
    if (error != document->MemberEnd() && !error->value.IsNull()) {
      no_text = !error->value.IsString() || NumberToken(error->value);
      if (!no_text)
        text = Excerpt({error->value.GetString(), error->value.GetStringLength()}, kShown);
    }
  }
  if (status == 200 && success) return std::move(*document);
  const std::string detail =
      Cat("remote: ", text.empty() ? Excerpt(body, kShown) : text, " (status ", status, ")");
  const auto error = [&](SqlState state, std::string_view message) {
    return Error(state, std::string(message)).WithDetail(detail);
  };
  switch (status) {
    case 401:
      throw error(sqlstate::kInvalidAuthorization, "the peer does not know the token");
    case 403:
      throw error(sqlstate::kInsufficientPrivilege, Cat("the peer refuses to give ", what));
    case 404:
      // Only a site's own words say that something is not there; a page of a proxy does not.
      if (!document) break;
      throw error(sqlstate::kUndefinedTable, Cat("the peer does not have ", what));
    case 429:
      throw error(sqlstate::kLimitExceeded, "the peer is asked too often");
    case 502:
    case 503:
    case 504:
      if (!document) throw error(sqlstate::kConnectionFailed, "could not connect to the peer");
      if (status != 503) break;
      throw error(sqlstate::kNotInPrerequisiteState, "sync is disabled at the peer");
    default:
      break;
  }
  if (!document || no_text || (status == 200 && text.empty())) {
    throw error(sqlstate::kProtocolViolation, "the peer does not answer as a PhoenixKit site")
        .WithHint("The URL ends with the path under which PhoenixKit is mounted there.");
  }
  throw error(sqlstate::kInternal, Cat("the peer could not give ", what));
}

Error PhoenixUpgradeError(std::string_view url, int status, std::string_view body) {
  struct Reason {
    std::string_view body;
    SqlState state;
    const char* message;
  };
  static constexpr Reason kReasons[] = {
      {"Invalid code", sqlstate::kInvalidAuthorization, "invalid_code"},
      {"Code already used", sqlstate::kNotInPrerequisiteState, "already_used"},
      {"Module disabled", sqlstate::kNotInPrerequisiteState, "sync is disabled at the peer"}};
  constexpr size_t kShown = 200;
  const std::string text = Excerpt(body, kShown);
  if (status == 403) {
    for (const Reason& reason : kReasons) {
      if (body != reason.body) continue;
      return Error(reason.state, reason.message).WithDetail(Cat("remote: ", text, "."));
    }
    return Error(sqlstate::kInsufficientPrivilege, Cat("the peer at ", url, " refuses us"))
        .WithDetail(Cat("remote: ", text, "."));
  }
  if (status >= 500) return GatewayError(url, status, body);
  return Error(sqlstate::kProtocolViolation, Cat("the peer at ", url, " is no PhoenixKit site"))
      .WithDetail(Cat("It answered the request for its WebSocket with status ", status, ": ", text))
      .WithHint(
          "The URL ends with the path under which PhoenixKit is mounted there, as in "
          "https://host/phoenix_kit.");
}

}  // namespace pgsync::core
