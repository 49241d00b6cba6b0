#include "server/admission.h"

#include "core/code.h"
#include "core/native_protocol.h"
#include "core/text.h"
#include "pg/settings.h"
#include "pg/wait.h"
#include "server/guess_guard.h"
#include "server/log.h"
#include "server/worker_exit.h"
#include "session/database_table.h"
#include "session/peer_table.h"
#include "session/served_session.h"
#include "session/shared_memory.h"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace pgsync::server {

using core::Cat;
using core::Error;
namespace settings = pg::settings;
namespace sqlstate = core::sqlstate;

namespace {
// Of those who have not guessed wrong.
constexpr std::chrono::milliseconds kRefusalDelay{1000};
}  // namespace

void Admission::RefuseStranger(const char* reason) {
  AfterWrongGuess(peer_address_, reason);
  RaiseInvalidCode();
}

void Admission::RaiseInvalidCode() {
  http_.set_last();
  throw Error(sqlstate::kInvalidAuthorization, "invalid_code")
      .WithDetail("The code or ticket is unknown, used up or of no use now.")
      .WithHint("Ask for a new code: it can be used once, while its session lasts.");
}

// What comes now is counted if it is wrong, and not looked at if too much was.
void Admission::BeginGuess(const net::HttpRequest& request) {
  peer_address_ = AddressOf(request);
  try {
    BeforeGuess(peer_address_);
  } catch (const Error&) {
    http_.set_last();
    throw;
  }
}

core::IpAddress Admission::AddressOf(const net::HttpRequest& request) const {
  return core::ForwardedAddress(socket_address_,
                                net::FindHeader(request.headers, "X-Forwarded-For").value_or(""),
                                settings::trusted_proxies);
}

void Admission::Connect(net::HttpRequest& request) {
  http_.ReadBody(request);
  const core::JsonDocument document = core::ParseJson(request.body, "request", {kStrangerLimit, 8});
  const core::JsonObject json(document, "request");
  BeginGuess(request);
  if (json.Has("token")) RefuseStranger("unknown token");
  core::ConnectReply reply;
  reply.ticket = EnterWithCode(json.String("code"), std::nullopt);
  reply.direction = session::DirectionName(database_->session().direction);
  reply.software = session::kVersion;
  reply.server_version = PG_VERSION_NUM;
  reply.encoding = GetDatabaseEncodingName();
  net::HttpResponse response;
  response.body = reply.ToJson();
  http_.Respond(response);
}

// What can be looked at without spending the code comes first.
std::string Admission::EnterWithCode(const std::string& code,
                                     std::optional<session::Direction> direction) {
  if (database_) {
    throw Error(sqlstate::kNotInPrerequisiteState, "this connection has a session already");
  }
  const auto facts = session::LookUpCode(code);
  if (facts && direction && facts->direction != *direction) RefuseStranger("code of no use to it");
  const bool usable = facts && facts->pending;
  if (usable) {
    const session::DatabaseState state = session::GetDatabaseState(facts->database);
    if (state != session::DatabaseState::kEnabled && state != session::DatabaseState::kUnknown) {
      RefuseStranger("module disabled");
    }
    if (!session::PromotePeer()) {
      LogPeer("refused", {{"peer", exit_state.peer}, {"reason", "too many connections"}});
      http_.set_last();
      throw Error(sqlstate::kTooManyConnections, "peer is busy: too many connections")
          .WithDetail(
              Cat("It serves ", settings::max_connections, " at a time (sync.max_connections)."))
          .WithHint("Try again later.");
    }
  }
  const std::string ticket = core::NewTicket([](char* to, size_t size) {
    if (!pg_strong_random(to, size))
      throw Error(sqlstate::kInternal, "no random numbers to be had");
  });
  ticket_hash_ = core::HashTicket(ticket);
  session::Session session;
  const session::SpendResult result = session::SpendCode(code, ticket_hash_, &session);
  if (result == session::SpendResult::kAlreadyUsed) {
    if (usable) session::DemotePeer();
    // Not a guess: whoever asks has the code, if too late.
    LogPeer("refused", {{"peer", exit_state.peer}, {"reason", "code already used"}});
    pg::Sleep(kRefusalDelay);
    http_.set_last();
    throw Error(sqlstate::kNotInPrerequisiteState, "code already_used")
        .WithHint("Ask for a new code: it can be used once.");
  }
  if (result != session::SpendResult::kSpent) {
    if (usable) session::DemotePeer();
    RefuseStranger("unknown code");
  }
  Admit(session);
  return ticket;
}

// A ticket on a connection that has none yet: a peer that comes back after its connection was cut.
void Admission::Authenticate(const net::HttpRequest& request) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string header = net::FindHeader(request.headers, "Authorization").value_or("");
  const std::string hash = header.compare(0, kBearer.size(), kBearer) == 0
                               ? core::HashTicket(std::string_view(header).substr(kBearer.size()))
                               : std::string();
  if (database_) {
    if (core::ConstantTimeEqual(hash, ticket_hash_)) return;
    RefuseStranger("wrong ticket");
  }
  BeginGuess(request);
  if (hash.empty()) {
    LogPeer("refused", {{"peer", exit_state.peer}, {"reason", "no ticket"}});
    pg::Sleep(kRefusalDelay);
    RaiseInvalidCode();
  }
  const auto session = session::FindByTicket(hash);
  if (!session) RefuseStranger("unknown ticket");
  if (!session::PromotePeer()) {
    http_.set_last();
    throw Error(sqlstate::kTooManyConnections, "peer is busy: too many connections");
  }
  ticket_hash_ = hash;
  Admit(*session);
}

void Admission::Admit(const session::Session& session) {
  switch (session::BeginConnection(session.id)) {
    case session::BeginResult::kBegun:
      break;
    case session::BeginResult::kBusy:
      http_.set_last();
      throw Error(sqlstate::kObjectInUse, "the session has a connection already")
          .WithHint("It may take two seconds until the loss of the old one is noticed.");
    case session::BeginResult::kGone:
      RefuseStranger("session is gone");
  }
  exit_state.session = session.id;
  exit_state.connected = true;
  session::NotePeerSession(session);
  session::SetPeerActivity("idle");
  exit_state.unanswered_socket = stream_.encrypted() ? -1 : stream_.fd();
  try {
    database_ = std::make_unique<ServedDatabase>(session);
  } catch (const NotAdmitted& error) {
    exit_state.unanswered_socket = -1;
    RefuseStranger(error.what());
  } catch (const Error& error) {
    // A worker connects to one database in its life, so this one can only end.
    exit_state.unanswered_socket = -1;
    http_.set_last();
    LogPeer("refused", {{"peer", exit_state.peer}, {"reason", error.message()}});
    if (error.state() == sqlstate::kTooManyConnections) session::ReturnCode(session.id);
    throw;
  }
  exit_state.unanswered_socket = -1;
  LogPeer("accepted", {{"peer", exit_state.peer},
                       {"role", database_->role_name()},
                       {"database", database_->database_name()},
                       {"direction", session::DirectionName(session.direction)}});
}

}  // namespace pgsync::server
