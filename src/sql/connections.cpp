// SQL functions over permanent connections. Those without a result of their own return the
// connection as sync_connection_list shows it.
#include "connection/connection.h"

#include "catalog/names.h"
#include "client/connection_site.h"
#include "connection/administration.h"
#include "core/json.h"
#include "core/text.h"
#include "core/waiter.h"
#include "engine/strategy.h"
#include "net/url.h"
#include "pg/encoding.h"
#include "pg/identity.h"
#include "pg/query.h"
#include "sql/function.h"

namespace pgsync::sql {

using connection::Direction;
using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr size_t kMaxUrl = 255;  // PhoenixKit's

// Sites know each other by the text of their URLs, so there is one form: without a slash at the
// end.
std::string CheckedUrl(std::string text) {
  const net::Url url = net::Url::Parse(text);
  if (!url.query.empty() || text.find('#') != std::string::npos) {
    throw Error(sqlstate::kInvalidParameter, "URL of a site must not have a query or a fragment");
  }
  while (text.back() == '/')
    text.pop_back();
  if (text.size() > kMaxUrl) {
    throw Error(sqlstate::kInvalidParameter, "URL of a site is too long")
        .WithDetail(Cat("It can have ", kMaxUrl, " characters."));
  }
  return text;
}

connection::ConnectionSettings SettingsOf(const std::string& json) {
  connection::ConnectionSettings settings = connection::ParseSettings(json);
  if (settings.own_url && !settings.own_url->empty()) {
    settings.own_url = CheckedUrl(*settings.own_url);
  }
  return settings;
}

Datum ConnectionRow(FunctionCallInfo fcinfo, const std::string& uuid) {
  const std::string view = connection::TableOf("sync_connection_list");
  const auto rows = [&] {
    pg::UserScope owner(catalog::ExtensionOwner());
    return pg::CatalogQuery(Cat("SELECT * FROM ", view, " WHERE uuid = $1::uuid"),
                            {pg::Param::OfText(uuid)});
  }();
  return RowResult(fcinfo, rows.at(0).cells());
}

// What became of a sender connection at its site.
std::string RegisteredStatus(const client::SiteAnswer& answer) {
  if (answer.outcome == client::SiteOutcome::kAnswered) return client::StatusWord(answer);
  return answer.outcome == client::SiteOutcome::kOffline ? "offline" : "failed";
}

}  // namespace

PGSYNC_SECRET_FUNCTION(pgsync_create_connection) {
  const Args args(fcinfo);
  connection::NewConnection request;
  request.name = args.Text(0);
  const std::string direction = args.Text(1);
  engine::RequireWord("direction", direction, {"sender", "receiver"});
  request.direction = direction == "sender" ? Direction::kSender : Direction::kReceiver;
  request.site_url = CheckedUrl(args.Text(2));
  request.settings = SettingsOf(args.Json(3));
  request.token = args.OptionalText(4);
  request.run_as = args.AsName(5);
  for (const auto& [key, given] : {std::pair("name", request.settings.name.has_value()),
                                   std::pair("run_as", request.settings.run_as.has_value())}) {
    if (!given) continue;
    throw Error(sqlstate::kInvalidParameter,
                Cat("\"", key, "\" is an argument of its own, not a setting"));
  }
  const connection::CreatedConnection created = connection::CreateConnection(request);
  Cell remote_status, remote_message;
  if (request.direction == Direction::kSender) {
    const client::SiteAnswer answer =
        client::RegisterAtSite(connection::FindByUuid(created.uuid).value(), created.token,
                               request.settings.register_password);
    remote_status = RegisteredStatus(answer);
    remote_message = answer.message;
  }
  const auto row = connection::FindByUuid(created.uuid);
  SetResult result(fcinfo);
  result.Add({created.uuid, created.token,
              std::string(core::ConnectionStatusName(row.value().status)), remote_status,
              remote_message});
  return result.Done();
}

PGSYNC_SECRET_FUNCTION(pgsync_update_connection) {
  const Args args(fcinfo);
  const std::string which = args.Text(0);
  return ConnectionRow(fcinfo, connection::UpdateConnection(which, SettingsOf(args.Json(1))));
}

PGSYNC_FUNCTION(pgsync_approve_connection) {
  return ConnectionRow(fcinfo, connection::ApproveConnection(Args(fcinfo).Text(0)));
}

PGSYNC_FUNCTION(pgsync_suspend_connection) {
  const Args args(fcinfo);
  return ConnectionRow(fcinfo, connection::SuspendConnection(args.Text(0), args.OptionalText(1)));
}

PGSYNC_FUNCTION(pgsync_reactivate_connection) {
  return ConnectionRow(fcinfo, connection::ReactivateConnection(Args(fcinfo).Text(0)));
}

PGSYNC_FUNCTION(pgsync_revoke_connection) {
  const Args args(fcinfo);
  return ConnectionRow(fcinfo, connection::RevokeConnection(args.Text(0), args.OptionalText(1)));
}

PGSYNC_FUNCTION(pgsync_delete_connection) {
  const std::string which = Args(fcinfo).Text(0);
  // Locked at once: another administrator may be about to delete it, too.
  const Datum row =
      ConnectionRow(fcinfo, connection::GetConnection(which, connection::Reading::kLocked).uuid);
  connection::DeleteConnection(which);
  return row;
}

PGSYNC_FUNCTION(pgsync_verify_connection) {
  return TextDatum(
      client::StatusWord(client::AskSite(connection::GetConnection(Args(fcinfo).Text(0)))));
}

PGSYNC_FUNCTION(pgsync_test_connection) {
  const connection::Connection tested = connection::GetConnection(Args(fcinfo).Text(0));
  const auto began = core::Clock::now();
  const auto version = client::AskVersion(net::Url::Parse(tested.site_url), client::CurrentCaller(),
                                          client::kSiteTimeout);
  const auto answered = core::Clock::now();
  const client::SiteAnswer answer = client::AskSite(tested);
  core::JsonWriter json;
  json.BeginObject();
  json.Field("site_url", pg::ToUtf8(tested.site_url));
  json.Field("reachable", answer.outcome != client::SiteOutcome::kOffline);
  json.OptionalField("version", version);
  json.Key("milliseconds")
      .Double(std::chrono::duration<double, std::milli>(answered - began).count());
  json.Field("status", client::StatusWord(answer));
  json.Field("message", pg::ToUtf8(answer.message));
  json.EndObject();
  return JsonbDatum(pg::FromUtf8(json.Take()));
}

PGSYNC_FUNCTION(pgsync_regenerate_token) {
  return TextDatum(connection::RegenerateToken(Args(fcinfo).Text(0)));
}

}  // namespace pgsync::sql
