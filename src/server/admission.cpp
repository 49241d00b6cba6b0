#include "server/admission.h"

#include "core/code.h"
#include "core/native_protocol.h"
#include "core/text.h"
#include "pg/encoding.h"
#include "pg/settings.h"
#include "pg/wait.h"
#include "server/guess_guard.h"
#include "server/log.h"
#include "server/refusal.h"
#include "server/worker_exit.h"
#include "session/connection_session.h"
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

void Admission::RefuseToken(const char* reason) {
  AfterWrongGuess(peer_address_, reason);
  http_.set_last();
  throw Error(sqlstate::kInvalidPassword, "invalid token")
      .WithDetail(
          "The token is unknown, or the connection that it belongs to is not there any more.")
      .WithHint(
          "The URL has to name the database of the connection, where that is not the one that "
          "sync.database says there, and sync has to be enabled in it.");
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
  return OriginOf(request).address;
}

RequestOrigin Admission::OriginOf(const net::HttpRequest& request) const {
  return RequestOrigin::Of(request, socket_address_);
}

void Admission::Connect(net::HttpRequest& request) {
  http_.ReadBody(request);
  const core::JsonDocument document = core::ParseJson(request.body, "request", {kStrangerLimit, 8});
  const core::JsonObject json(document, "request");
  BeginGuess(request);
  if (json.Has("token")) {
    const std::string path = net::HttpTarget::Parse(request.target).path;
    Answer(EnterWithToken(path.substr(0, path.rfind(core::kNativePath)), PathPrefix::kDatabase,
                          json.String("token"), json.OptionalString("password"), nullptr));
    return;
  }
  Answer(EnterWithCode(json.String("code"), std::nullopt));
}

void Admission::Answer(const std::string& ticket) {
  core::ConnectReply reply;
  reply.ticket = ticket;
  reply.direction = session::DirectionName(database_->session().direction);
  reply.software = session::kVersion;
  reply.server_version = PG_VERSION_NUM;
  reply.encoding = GetDatabaseEncodingName();
  net::HttpResponse response;
  response.body = reply.ToJson();
  http_.Respond(response);
}

std::string Admission::NewTicket() {
  std::string ticket = core::NewTicket([](char* to, size_t size) {
    if (!pg_strong_random(to, size))
      throw Error(sqlstate::kInternal, "no random numbers to be had");
  });
  ticket_hash_ = core::HashTicket(ticket);
  return ticket;
}

void Admission::RequireStranger() const {
  if (!database_) return;
  throw Error(sqlstate::kNotInPrerequisiteState, "this connection has a session already");
}

// What can be looked at without spending the code comes first.
std::string Admission::EnterWithCode(const std::string& code,
                                     std::optional<session::Direction> direction) {
  RequireStranger();
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
  const std::string ticket = NewTicket();
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

// Takes a download of a permanent connection. Which that is can only be found out in the database.
std::string Admission::EnterWithToken(std::string_view prefix, PathPrefix meaning,
                                      const std::string& token,
                                      const std::optional<std::string>& password,
                                      const std::function<void()>& before_taking) {
  RequireStranger();
  const auto database = FindPeerDatabase(prefix, meaning);
  if (!database) RefuseToken("no such database for tokens");
  std::string ticket = NewTicket();
  ShownToken shown;
  shown.token_hash = core::HashToken(token);
  shown.password = password;
  shown.before_taking = before_taking;
  OpenWithToken(*database, std::move(shown), [&](const char* reason) { RefuseToken(reason); });
  return ticket;
}

// `shown` has what the peer has shown, in UTF-8; the rest is known here.
void Admission::OpenWithToken(const PeerDatabase& database, ShownToken shown,
                              const std::function<void(const char* reason)>& refuse) {
  shown.address = peer_address_;
  shown.ticket_hash = ticket_hash_;
  OpenDatabase(
      database.oid,
      [&] {
        if (!HasName(database.name)) throw NotAdmitted("database was renamed");
        if (shown.password) shown.password = pg::FromUtf8(*shown.password);
        return PassConnectionGate(shown);
      },
      refuse);
  LogAccepted();
}

ServedDatabase& Admission::EnterForRequest(const net::HttpRequest& request,
                                           const PeerDatabase& database, ShownToken shown) {
  peer_address_ = AddressOf(request);
  (void)NewTicket();  // that nobody gets
  OpenWithToken(database, std::move(shown), [this](const char* reason) {
    AfterWrongGuess(peer_address_, reason);
    throw Refused(Error(sqlstate::kInvalidPassword, "invalid connection"), 401);
  });
  exit_state.completed = true;
  return *database_;
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
  // First: whoever ends the session from here on finds this peer.
  session::NotePeerSession(session);
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
  OpenDatabase(
      session.database, [&] { return session; },
      [this](const char* reason) { RefuseStranger(reason); });
  LogAccepted();
}

// Connects to the database and passes its gate. `refuse` is for a peer that is to learn nothing.
void Admission::OpenDatabase(Oid database, const ServedDatabase::FindSession& find,
                             const std::function<void(const char* reason)>& refuse) {
  session::SetPeerActivity("idle");
  exit_state.unanswered_socket = stream_.encrypted() ? -1 : stream_.fd();
  try {
    database_ = std::make_unique<ServedDatabase>(database, find);
    exit_state.unanswered_socket = -1;
    waiter_.set_deadline(std::nullopt);
    waiter_.set_read_limit(std::chrono::milliseconds(settings::idle_timeout_ms));
    return;
  } catch (const NotAdmitted& error) {
    exit_state.unanswered_socket = -1;
    GiveSessionUp(false);
    refuse(error.what());
  } catch (const WrongPassword&) {
    exit_state.unanswered_socket = -1;
    http_.set_last();
    AfterWrongGuess(peer_address_, "wrong password");
    throw;
  } catch (const Error& error) {
    // A worker connects to one database in its life, so this one can only end.
    exit_state.unanswered_socket = -1;
    http_.set_last();
    LogPeer("refused", {{"peer", exit_state.peer}, {"reason", error.message()}});
    GiveSessionUp(error.state() == sqlstate::kTooManyConnections);
    throw;
  } catch (const pg::PgError& error) {
    exit_state.unanswered_socket = -1;
    http_.set_last();
    LogPeer("refused", {{"peer", exit_state.peer}, {"reason", error.message()}});
    GiveSessionUp(false);
    throw error.ToError();
  }
}

// What a peer that was not let in after all has of a session: a code can be used again where there
// was no room for it now; what was made for a token goes.
void Admission::GiveSessionUp(bool no_room) {
  if (!exit_state.connected) return;
  if (no_room) session::ReturnCode(exit_state.session);
  session::DropConnectionSession(exit_state.session);
}

void Admission::LogAccepted() {
  const session::Session& session = database_->session();
  LogPeer("accepted", {{"peer", exit_state.peer},
                       {"connection", session.connection},
                       {"role", database_->role_name()},
                       {"database", database_->database_name()},
                       {"direction", session::DirectionName(session.direction)}});
}

}  // namespace pgsync::server
