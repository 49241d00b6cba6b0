#include "server/connection_routes.h"

#include <algorithm>

#include "connection/registration.h"
#include "connection/row_change.h"
#include "core/native_protocol.h"
#include "core/text.h"
#include "net/url.h"
#include "pg/encoding.h"
#include "pg/wait.h"
#include "server/admission.h"
#include "server/guess_guard.h"
#include "server/log.h"
#include "server/peer_database.h"
#include "server/refusal.h"
#include "server/stranger_work.h"
#include "server/worker_exit.h"

namespace pgsync::server {

using connection::Connection;
using connection::Direction;
using connection::RegisterResult;
using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr size_t kMaxUrl = 255;
constexpr const char* kOperations[] = {"register-connection", "update-status", "delete-connection",
                                       "verify-connection", "connection-status"};

// A request, read in the encoding of the database.
class Operation {
 public:
  Operation(const std::string& body, const net::HttpRequest& request,
            const core::IpAddress& address)
      : document_(pg::ParsePeerJson(body, "request")),
        json_(document_, "request"),
        request_(request),
        address_(address) {}

  /// Does the work, in the current transaction, and returns the answer.
  std::string Run(const std::string& name);
  /// The request has shown the hash of a token that no connection has.
  bool guessed() const { return guessed_; }

 private:
  std::string Register();
  std::string UpdateStatus();
  std::string Delete();
  std::string Verify();
  std::string ReceiverAsks();
  Connection TheConnection(connection::Reading reading);
  [[noreturn]] void RaiseNotFound();

  core::JsonDocument document_;
  core::JsonObject json_;
  const net::HttpRequest& request_;
  const core::IpAddress& address_;
  bool guessed_ = false;
};

std::string Answer(const std::string& message,
                   const std::optional<core::ConnectionStatus>& status = std::nullopt,
                   const std::string& uuid = "") {
  core::JsonWriter json;
  json.BeginObject();
  if (!message.empty()) json.Field("message", message);
  if (status) json.Field("status", core::ConnectionStatusName(*status));
  if (!uuid.empty()) json.Field("uuid", uuid);
  return json.EndObject().Take();
}

std::string Operation::Run(const std::string& name) {
  if (name == "register-connection") return Register();
  if (name == "update-status") return UpdateStatus();
  if (name == "delete-connection") return Delete();
  return name == "verify-connection" ? Verify() : ReceiverAsks();
}

std::string Operation::Register() {
  connection::Registration registration;
  registration.site_url = json_.String("sender_url");
  (void)net::Url::Parse(registration.site_url);
  if (registration.site_url.size() > kMaxUrl) {
    throw Error(sqlstate::kInvalidParameter, "URL of a site is too long");
  }
  registration.name = json_.String("connection_name");
  registration.token = json_.String("auth_token");
  registration.password = json_.OptionalString("password");
  registration.address = address_.ToString();
  registration.user_agent = pg::FromUtf8(
      core::Excerpt(net::FindHeader(request_.headers, "User-Agent").value_or(""), 500));
  const connection::Registered registered = connection::Register(registration);
  switch (registered.result) {
    case RegisterResult::kActive:
      return Answer("Connection registered and activated", core::ConnectionStatus::kActive,
                    registered.uuid);
    case RegisterResult::kPending:
      return Answer("Connection registered; an administrator has to approve it",
                    core::ConnectionStatus::kPending, registered.uuid);
    case RegisterResult::kDenied:
      throw Error(sqlstate::kInsufficientPrivilege, "incoming connections are not allowed");
    case RegisterResult::kPasswordRequired:
      throw Error(sqlstate::kInvalidPassword, "password required for incoming connections");
    case RegisterResult::kPasswordWrong:
      throw Error(sqlstate::kInvalidPassword, "invalid password");
    case RegisterResult::kExists:
      throw Refused(Error(sqlstate::kUniqueViolation, "connection already exists for this site"),
                    409);
    case RegisterResult::kTooMany:
      throw Error(sqlstate::kLimitExceeded, "too many connections wait for approval");
    case RegisterResult::kInvalid:
      break;
  }
  throw Error(sqlstate::kInvalidParameter, "request lacks a name or a token that could be kept");
}

void Operation::RaiseNotFound() {
  guessed_ = !connection::KnowsTokenHash(json_.String("auth_token_hash"));
  throw Error(sqlstate::kNotFound, "connection not_found");
}

// The row at this end of the connection of which the caller's is the other.
Connection Operation::TheConnection(connection::Reading reading) {
  const std::string caller = json_.String("direction");
  auto found =
      connection::FindByTokenHash(caller == "sender" ? Direction::kReceiver : Direction::kSender,
                                  json_.String("auth_token_hash"), reading);
  if (!found) RaiseNotFound();
  return *std::move(found);
}

std::string Operation::UpdateStatus() {
  const auto told = core::ParseConnectionStatus(json_.String("status"));
  if (!told || *told == core::ConnectionStatus::kPending ||
      *told == core::ConnectionStatus::kExpired) {
    throw Error(sqlstate::kInvalidParameter, "invalid status value")
        .WithHint("Available values: active, suspended, revoked.");
  }
  if (!connection::TellStatus(TheConnection(connection::Reading::kLocked), *told)) {
    throw Error(sqlstate::kInsufficientPrivilege,
                "an administrator of this site has to agree to that status");
  }
  return Answer(Cat("Status updated to ", core::ConnectionStatusName(*told)), *told);
}

std::string Operation::Delete() {
  connection::DeleteRow(TheConnection(connection::Reading::kLocked).uuid);
  return Answer("Connection deleted");
}

std::string Operation::Verify() {
  return Answer("", TheConnection(connection::Reading::kStatement).status);
}

std::string Operation::ReceiverAsks() {
  const auto sender = connection::AskSenderStatus(json_.String("auth_token_hash"));
  if (!sender) RaiseNotFound();
  return Answer("", sender->status);
}

}  // namespace

bool IsConnectionOperation(const std::string& operation) {
  return std::any_of(std::begin(kOperations), std::end(kOperations),
                     [&](const char* known) { return operation == known; });
}

void HandleConnectionOperation(const std::string& operation, const std::string& prefix,
                               net::HttpRequest& request, net::HttpServerConnection& http,
                               const net::Stream& stream, const core::IpAddress& address) {
  http.set_last();
  http.ReadBody(request);
  BeforeGuess(address);
  // Malformed is refused before anything is opened for it.
  (void)core::JsonObject(core::ParseJson(request.body, "request", {kStrangerLimit, 8}), "request");
  net::HttpResponse response;
  bool guessed = false;
  try {
    DoStrangerWork(prefix, stream, address, [&] {
      Operation work(request.body, request, address);
      try {
        response.body = pg::ToUtf8(work.Run(operation));
      } catch (...) {
        guessed = work.guessed();
        throw;
      }
    });
  } catch (const Error& error) {
    if (guessed) AfterWrongGuess(address, "unknown token");
    if (error.state() == sqlstate::kInvalidPassword) AfterWrongGuess(address, error.what());
    throw;
  }
  LogPeer("connection", {{"peer", exit_state.peer}, {"operation", operation}, {"result", "done"}});
  http.Respond(response);
}

}  // namespace pgsync::server
