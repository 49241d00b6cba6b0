#include "client/connection_site.h"

#include "connection/registration.h"
#include "connection/row_change.h"
#include "core/json.h"
#include "core/text.h"
#include "net/http_message.h"
#include "pg/encoding.h"
#include "session/launcher_state.h"

extern "C" {
#include "commands/dbcommands.h"
#include "utils/timestamp.h"
}

namespace pgsync::client {

using connection::Connection;
using connection::Direction;
using core::Cat;
using core::JsonWriter;

namespace {

const char* OutcomeName(SiteOutcome outcome) {
  switch (outcome) {
    case SiteOutcome::kAnswered:
      return "registered";
    case SiteOutcome::kOffline:
      return "offline";
    default:
      return "failed";
  }
}

// PhoenixKit's metadata.remote_notification, and under which URL the site knows this one from now
// on.
std::string RemoteNotification(const SiteAnswer& answer, const std::string& own_url) {
  const char* now = pg::Call([] { return timestamptz_to_str(GetCurrentTimestamp()); });
  JsonWriter json;
  json.BeginObject();
  if (answer.outcome == SiteOutcome::kAnswered) json.Field("own_url", pg::ToUtf8(own_url));
  json.Key("remote_notification").BeginObject();
  json.Field("notified_at", now);
  json.Field("notification_success", answer.outcome == SiteOutcome::kAnswered);
  json.Field("notification_status", OutcomeName(answer.outcome));
  json.Field("notification_message", pg::ToUtf8(answer.message));
  json.Field("remote_connection_uuid", pg::ToUtf8(answer.uuid));
  json.Field("http_status", answer.http_status);
  json.EndObject().EndObject();
  return pg::FromUtf8(json.Take());
}

// How this site is known to the other: as PhoenixKit says it, and by the side on which it stands.
JsonWriter& BeginKey(JsonWriter& json, const std::string& own_url, const std::string& token_hash,
                     Direction direction) {
  return json.BeginObject()
      .Field("sender_url", pg::ToUtf8(own_url))
      .Field("auth_token_hash", token_hash)
      .Field("direction", connection::DirectionName(direction));
}

std::string ListenUrlOfDatabase() {
  const std::string url = session::ListenUrl();
  if (url.empty()) return url;
  const char* database = pg::Call([] { return get_database_name(MyDatabaseId); });
  return Cat(url, "/", net::EncodeQueryValue(pg::ToUtf8(database)));
}

}  // namespace

std::string OwnUrl(const Connection& connection) {
  const std::string url = connection::OwnUrlSetting(connection);
  return url.empty() ? ListenUrlOfDatabase() : url;
}

SiteAnswer RegisterAtSite(const Connection& connection, const std::string& token,
                          const std::optional<std::string>& password) {
  SiteAnswer answer;
  const std::string own_url = OwnUrl(connection);
  if (own_url.empty()) {
    answer.outcome = SiteOutcome::kError;
    answer.message =
        "This server does not listen for peers, so the site was not told (see the setting "
        "own_url).";
  } else {
    JsonWriter json;
    json.BeginObject().Field("sender_url", own_url);
    json.Field("connection_name", pg::ToUtf8(connection.name)).Field("auth_token", token);
    if (password) json.Field("password", pg::ToUtf8(*password));
    json.EndObject();
    answer = CallSite(net::Url::Parse(connection.site_url), "register-connection", json.Take(),
                      CurrentCaller(), kSiteTimeout);
  }
  connection::RowChange change;
  change.MergeMetadata(RemoteNotification(answer, own_url));
  change.Run(connection.uuid);
  if (answer.outcome == SiteOutcome::kAnswered && answer.status == "active") {
    (void)connection::AskSenderStatus(connection.auth_token_hash.value());
  }
  return answer;
}

SiteAnswer AskSite(const Connection& connection) {
  JsonWriter json;
  BeginKey(json, OwnUrl(connection), connection.auth_token_hash.value_or(""), connection.direction)
      .EndObject();
  const bool receiver = connection.direction == Direction::kReceiver;
  return CallSite(net::Url::Parse(connection.site_url),
                  receiver ? "connection-status" : "verify-connection", json.Take(),
                  CurrentCaller(), kSiteTimeout);
}

std::string StatusWord(const SiteAnswer& answer) {
  switch (answer.outcome) {
    case SiteOutcome::kAnswered:
      return core::ParseConnectionStatus(answer.status) ? answer.status : "error";
    case SiteOutcome::kNotFound:
      return "not_found";
    case SiteOutcome::kOffline:
      return "offline";
    case SiteOutcome::kRefused:
    case SiteOutcome::kError:
      break;
  }
  return "error";
}

std::string NoticeBody(const connection::Notice& notice) {
  JsonWriter json;
  BeginKey(json, notice.own_url.empty() ? ListenUrlOfDatabase() : notice.own_url,
           notice.auth_token_hash, notice.direction);
  if (notice.action != "delete") json.Field("status", notice.action);
  return json.EndObject().Take();
}

SiteAnswer TellSite(const connection::Notice& notice, const std::string& body) {
  try {
    return CallSite(net::Url::Parse(notice.site_url),
                    notice.action == "delete" ? "delete-connection" : "update-status", body,
                    {notice.by_superuser}, kSiteTimeout);
  } catch (const core::Error& error) {
    // No address of the site may be connected to. Tried again, for settings may change.
    SiteAnswer answer;
    answer.outcome = SiteOutcome::kError;
    answer.message = error.message();
    return answer;
  }
}

}  // namespace pgsync::client
