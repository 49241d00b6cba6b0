#include "server/phoenix_upgrade.h"

#include "core/ascii.h"
#include "core/code.h"
#include "core/native_protocol.h"
#include "net/websocket.h"
#include "server/connection_gate.h"
#include "server/refusal.h"
#include "session/database_table.h"
#include "session/served_session.h"

namespace pgsync::server {

using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr char kSocketPath[] = "/sync/websocket";

// What is answered in place of an upgrade.
struct Denial {
  int status;
  std::string text;
  net::HttpHeaders headers;
};

bool Disabled(Oid database) {
  const session::DatabaseState state = session::GetDatabaseState(database);
  return state != session::DatabaseState::kEnabled && state != session::DatabaseState::kUnknown;
}

// The last that is looked at before something is spent.
void RequireHandshake(const net::HttpRequest& request) {
  const std::string problem = net::WebSocketProblem(request);
  if (problem.empty()) return;
  throw Refused(Error(sqlstate::kProtocolViolation, "Invalid WebSocket handshake: " + problem),
                400);
}

void EnterWithToken(const net::HttpRequest& request, const net::HttpTarget& target,
                    const std::string& token, Admission& admission) {
  const std::string prefix = target.path.substr(0, target.path.rfind(kSocketPath));
  (void)admission.EnterWithToken(prefix, PathPrefix::kAny, token, target.Find("password"),
                                 [&request] { RequireHandshake(request); });
}

void EnterWithCode(const net::HttpRequest& request, const std::string& code, Admission& admission) {
  if (code.size() != core::kCodeLength || code.find('\0') != std::string::npos) {
    admission.RefuseStranger("malformed code");
  }
  const auto facts = session::LookUpCode(code);
  if (facts && Disabled(facts->database)) throw Denial{403, "Module disabled", {}};
  if (facts && facts->pending) {
    RequireHandshake(request);
  }
  (void)admission.EnterWithCode(code, session::Direction::kSend);
}

// PhoenixKit's order of checks, and its words.
void Enter(const net::HttpRequest& request, Admission& admission) {
  const std::string upgrade = net::FindHeader(request.headers, "Upgrade").value_or("");
  if (!core::EqualFolded(upgrade, "websocket")) throw Denial{400, "Expected WebSocket upgrade", {}};
  if (!session::AnyDatabaseEnabled()) throw Denial{403, "Module disabled", {}};
  const net::HttpTarget target = net::HttpTarget::Parse(request.target);
  const auto token = target.Find("token"), code = target.Find("code");
  if (!token && !code) throw Denial{403, "Missing authentication", {}};
  try {
    admission.BeginGuess(request);
    if (token) {
      EnterWithToken(request, target, *token, admission);
    } else {
      EnterWithCode(request, *code, admission);
    }
  } catch (const PolicyRefusal& error) {
    const bool rate = error.refusal() == core::Refusal::kRate;
    throw Denial{rate ? error.status() : 403, core::RefusalText(error.refusal()), error.headers()};
  } catch (const Refused& error) {
    throw Denial{error.status(), error.message(), error.headers()};
  } catch (const Error& error) {
    if (dynamic_cast<const WrongPassword*>(&error) != nullptr)
      throw Denial{403, "Invalid password", {}};
    if (error.state() == sqlstate::kInvalidPassword) throw Denial{403, "Invalid token", {}};
    if (error.state() == sqlstate::kInvalidAuthorization) throw Denial{403, "Invalid code", {}};
    if (error.state() == sqlstate::kNotInPrerequisiteState)
      throw Denial{403, "Code already used", {}};
    throw Denial{core::HttpStatusOf(error.state()), error.message(), {}};
  }
}

}  // namespace

bool IsPhoenixSocket(const std::string& path) {
  constexpr size_t kSize = sizeof(kSocketPath) - 1;
  const size_t end = path.find_last_not_of('/') + 1;
  return end >= kSize && path.compare(end - kSize, kSize, kSocketPath) == 0;
}

bool LetPhoenixIn(const net::HttpRequest& request, Admission& admission,
                  net::HttpServerConnection& http) {
  net::HttpResponse response;
  try {
    Enter(request, admission);
    return true;
  } catch (const Denial& denial) {
    response.status = denial.status;
    response.body = denial.text;
    response.headers = denial.headers;
  }
  response.content_type = "text/plain; charset=utf-8";
  if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
  http.set_last();
  http.Respond(response);
  return false;
}

}  // namespace pgsync::server
