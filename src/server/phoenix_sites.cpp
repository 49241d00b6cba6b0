#include "server/phoenix_sites.h"

#include "connection/registration.h"
#include "connection/row_change.h"
#include "core/text.h"
#include "net/url.h"
#include "pg/encoding.h"
#include "pg/settings.h"
#include "session/module.h"

namespace pgsync::server {

using connection::Connection;
using connection::RegisterResult;
using core::ConnectionStatus;
using core::PhoenixOperation;
using core::PhoenixRequest;
namespace settings = pg::settings;

namespace {

constexpr size_t kMaxUrl = 255;
constexpr size_t kMaxUserAgent = 500;

PhoenixAnswer Status(bool enabled, const std::string& mode) {
  core::JsonWriter json;
  json.BeginObject().Field("enabled", enabled).Field("incoming_mode", mode);
  json.Field("password_required", mode == "require_password").EndObject();
  return {200, json.Take(), {}};
}

PhoenixAnswer Success(const std::string& message) {
  core::JsonWriter json;
  json.BeginObject().Field("success", true).Field("message", message).EndObject();
  return {200, json.Take(), {}};
}

PhoenixAnswer NotFound() {
  return PhoenixFailure(404, "Connection not found");
}

// A parameter in the database's encoding; empty where it is no string, which is none that is known.
std::string TextOf(const PhoenixRequest& parameters, const char* name) {
  return pg::FromUtf8(parameters.Text(name).value_or(""));
}

bool IsUrl(const std::string& text) {
  try {
    (void)net::Url::Parse(text);
    return text.size() <= kMaxUrl;
  } catch (const core::Error&) {
    return false;
  }
}

PhoenixAnswer Registered(const char* message, ConnectionStatus status, const std::string& uuid) {
  core::JsonWriter json;
  json.BeginObject().Field("success", true).Field("message", message);
  json.Field("connection_status", core::ConnectionStatusName(status));
  json.Field("connection_uuid", uuid).EndObject();
  return {200, json.Take(), {}};
}

PhoenixAnswer Register(const PhoenixRequest& parameters, const net::HttpRequest& request,
                       const core::IpAddress& address, const char** wrong_secret) {
  connection::Registration registration;
  registration.site_url = TextOf(parameters, "sender_url");
  registration.name = TextOf(parameters, "connection_name");
  registration.token = TextOf(parameters, "auth_token");
  if (const auto password = parameters.Text("password"))
    registration.password = pg::FromUtf8(*password);
  registration.address = address.ToString();
  registration.user_agent = pg::FromUtf8(
      core::Excerpt(net::FindHeader(request.headers, "User-Agent").value_or(""), kMaxUserAgent));
  if (!IsUrl(registration.site_url)) return PhoenixFailure(500, "Failed to create connection");
  const connection::Registered done = connection::Register(registration);
  switch (done.result) {
    case RegisterResult::kActive:
      return Registered("Connection registered and activated", ConnectionStatus::kActive,
                        done.uuid);
    case RegisterResult::kPending:
      return Registered("Connection registered and waiting for approval",
                        ConnectionStatus::kPending, done.uuid);
    case RegisterResult::kDenied:
      return PhoenixFailure(403, "Incoming connections are not allowed");
    case RegisterResult::kPasswordRequired:
      return PhoenixFailure(401, "Password required for incoming connections");
    case RegisterResult::kPasswordWrong:
      *wrong_secret = "wrong password";
      return PhoenixFailure(401, "Invalid password");
    case RegisterResult::kExists:
      return PhoenixFailure(409, "Connection already exists for this site");
    case RegisterResult::kTooMany:
      return PhoenixFailure(503, "Too many connections wait for approval");
    case RegisterResult::kInvalid:
      break;
  }
  return PhoenixFailure(500, "Failed to create connection");
}

std::optional<Connection> FindConnection(const PhoenixRequest& parameters,
                                         connection::Reading reading) {
  return connection::FindBySite(TextOf(parameters, "sender_url"),
                                TextOf(parameters, "auth_token_hash"), reading);
}

PhoenixAnswer Delete(const PhoenixRequest& parameters) {
  const auto found = FindConnection(parameters, connection::Reading::kLocked);
  if (!found) return NotFound();
  connection::DeleteRow(found->uuid);
  return Success("Connection deleted");
}

PhoenixAnswer Verify(const PhoenixRequest& parameters) {
  const bool exists = FindConnection(parameters, connection::Reading::kStatement).has_value();
  core::JsonWriter json;
  json.BeginObject().Field("success", exists).Field("exists", exists).EndObject();
  return {exists ? 200 : 404, json.Take(), {}};
}

PhoenixAnswer UpdateStatus(const PhoenixRequest& parameters) {
  const auto told = core::ParseConnectionStatus(TextOf(parameters, "status"));
  if (!told || *told == ConnectionStatus::kPending || *told == ConnectionStatus::kExpired)
    return PhoenixFailure(400, "Invalid status value");
  const auto found = FindConnection(parameters, connection::Reading::kLocked);
  if (!found) return NotFound();
  if (!connection::TellStatus(*found, *told)) {
    if (!settings::phoenix_reactivation) {
      return PhoenixFailure(403, "An administrator of this site has to agree to that status");
    }
    connection::RowChange change;
    change.SetStatus(*told);
    if (*told == ConnectionStatus::kActive) change.ClearSuspension();
    change.Run(found->uuid);
  }
  return Success(core::Cat("Status updated to ", core::ConnectionStatusName(*told)));
}

PhoenixAnswer GetStatus(const PhoenixRequest& parameters) {
  const std::string hash = TextOf(parameters, "auth_token_hash");
  std::optional<connection::SenderStatus> status;
  if (settings::phoenix_activation) {
    status = connection::AskSenderStatus(hash);
  } else if (const auto found = connection::FindSenderByToken(hash)) {
    status = connection::SenderStatus{found->status, found->name};
  }
  if (!status) return NotFound();
  core::JsonWriter json;
  json.BeginObject().Field("success", true);
  json.Field("status", core::ConnectionStatusName(status->status));
  json.Field("name", status->name).EndObject();
  return {200, pg::ToUtf8(json.Take()), {}};
}

// What asks for a connection, or changes it.
PhoenixAnswer AnswerOfConnection(const core::PhoenixRoute& route,
                                 const PhoenixRequest& parameters) {
  switch (route.operation) {
    case PhoenixOperation::kDelete:
      return Delete(parameters);
    case PhoenixOperation::kVerify:
      return Verify(parameters);
    case PhoenixOperation::kUpdateStatus:
      return UpdateStatus(parameters);
    default:
      return GetStatus(parameters);
  }
}

}  // namespace

PhoenixAnswer DisabledPhoenixStatus() {
  return Status(false, "deny_all");
}

PhoenixAnswer AnswerPhoenixSite(const core::PhoenixRoute& route, const PhoenixRequest& parameters,
                                const net::HttpRequest& request, const core::IpAddress& address,
                                const char** wrong_secret) {
  // A table that is not there yet is no answer to whether a row of it is.
  connection::RequireAvailable();
  const std::string mode = session::ReadModuleState().incoming_mode;
  if (route.operation == PhoenixOperation::kStatus) return Status(true, mode);
  const bool registers = route.operation == PhoenixOperation::kRegister;
  if (registers && mode == "deny_all") {
    return PhoenixFailure(403, "Incoming connections are not allowed");
  }
  const auto missing = parameters.Missing(route);
  if (!missing.empty()) return {400, core::PhoenixMissing(route, missing), {}};
  if (registers) return Register(parameters, request, address, wrong_secret);
  PhoenixAnswer answer = AnswerOfConnection(route, parameters);
  if (answer.status == 404 && !connection::KnowsTokenHash(TextOf(parameters, "auth_token_hash"))) {
    *wrong_secret = "unknown token";
  }
  return answer;
}

}  // namespace pgsync::server
