// A worker serves one peer: it takes the socket over from the launcher, finds out who is there,
// connects to the database of the session and answers requests until either side ends it.
#include <sys/socket.h>

#include <limits>
#include <optional>

#include "core/cidr.h"
#include "core/json.h"
#include "core/native_protocol.h"
#include "core/text.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "pg/encoding.h"
#include "pg/settings.h"
#include "pg/wait.h"
#include "server/admission.h"
#include "server/connection_routes.h"
#include "server/handover.h"
#include "server/log.h"
#include "server/native_routes.h"
#include "server/peer_watch.h"
#include "server/phoenix_api.h"
#include "server/phoenix_channel.h"
#include "server/phoenix_upgrade.h"
#include "server/refusal.h"
#include "server/worker_exit.h"
#include "session/launcher_state.h"
#include "session/peer_table.h"
#include "session/shared_memory.h"

extern "C" {
#include "libpq/libpq.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"

PGDLLEXPORT void pgsync_worker_main(Datum argument);
}

namespace pgsync::server {

namespace {

using core::Cat;
using core::Clock;
using core::Error;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace settings = pg::settings;
namespace sqlstate = core::sqlstate;

// For the rest of a stream that is not wanted any more.
constexpr milliseconds kSkipTime{60 * 1000};

class Worker {
 public:
  explicit Worker(int slot) : slot_(slot) {}
  void Run();

 private:
  bool TakeSocket();
  void OpenStream();
  void RefuseInsecure();
  void Serve();
  bool ServeRequest();
  void ServeChannel();
  void Reload();
  void Dispatch(net::HttpRequest& request);
  NextRequest ReadPushRequest();
  bool SkipRest();
  void Disconnect();
  void RespondError(const Error& error, int status, net::HttpHeaders headers = {});
  void LogEnd(const char* result);
  ServedDatabase* database() const { return admission_ ? admission_->database() : nullptr; }
  bool IsLocal() const { return peer_address_.IsLoopback(); }

  int slot_;
  session::Peer peer_;
  core::IpAddress peer_address_;
  pg::LatchWaiter waiter_;
  net::Socket socket_;
  std::unique_ptr<net::TlsServerContext> tls_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<net::HttpServerConnection> http_;
  std::unique_ptr<Admission> admission_;
  std::unique_ptr<NativeRoutes> routes_;     // once a request for data has come
  std::unique_ptr<PhoenixChannel> channel_;  // of a PhoenixKit site
  Clock::time_point began_ = Clock::now();
};

// False where nobody waits for this worker any more.
bool Worker::TakeSocket() {
  uint64 nonce;
  const auto adopted = session::AdoptPeer(slot_, &nonce);
  if (!adopted) return false;
  // The callbacks are called in the reverse order: this one while the slot is still taken.
  pg::Call([] { before_shmem_exit(note_unfinished, (Datum)0); });
  peer_ = *adopted;
  peer_address_ = core::IpAddress::Parse(peer_.address).value_or(core::IpAddress());
  strlcpy(exit_state.peer, Cat(peer_.address, ":", peer_.port).c_str(), sizeof(exit_state.peer));
  waiter_.set_deadline(Clock::now() + seconds(settings::authentication_timeout_s));
  waiter_.set_write_limit(milliseconds(settings::send_timeout_ms));
  const int launcher = session::GetLauncherInfo().pid;
  socket_ = FetchSocket(launcher, slot_, nonce, waiter_);
  waiter_.Forget();
  net::PrepareSocket(socket_.get());
  return true;
}

void Worker::RefuseInsecure() {
  LogPeer("refused", {{"peer", exit_state.peer}, {"reason", "connection without TLS"}});
  http_->set_last();
  RespondError(
      Error(sqlstate::kInsufficientPrivilege, "this server takes connections with TLS only")
          .WithHint("Use a URL that begins with https://."),
      403);
}

void Worker::OpenStream() {
  unsigned char byte = 0;
  for (;;) {
    const ssize_t got = recv(socket_.get(), &byte, 1, MSG_PEEK);
    if (got == 1) break;
    if (got == 0) net::RaiseLost(0);
    if (errno != EAGAIN && errno != EINTR) net::RaiseLost(errno);
    waiter_.Wait(socket_.get(), core::Waiter::Interest::kRead);
  }
  constexpr unsigned char kTlsHandshake = 0x16;
  const settings::Ssl ssl = settings::EffectiveSsl();
  if (byte == kTlsHandshake) {
    if (ssl == settings::Ssl::kOff) throw Error(sqlstate::kProtocolViolation, "TLS is off");
    const std::string own_cert = settings::ssl_cert_file, own_key = settings::ssl_key_file;
    tls_ = std::make_unique<net::TlsServerContext>(own_cert.empty() ? ssl_cert_file : own_cert,
                                                   own_key.empty() ? ssl_key_file : own_key);
    stream_ = net::AcceptTls(std::move(socket_), *tls_, waiter_);
  } else {
    stream_ = net::MakePlainStream(std::move(socket_), waiter_);
  }
  http_ = std::make_unique<net::HttpServerConnection>(*stream_);
  admission_ = std::make_unique<Admission>(*http_, *stream_, waiter_, peer_address_);
}

void Worker::Run() {
  if (!TakeSocket()) return;
  try {
    OpenStream();
    pg::Call([&] { start_peer_watch(stream_->fd()); });
    const bool must_encrypt = settings::EffectiveSsl() == settings::Ssl::kRequire ||
                              (!IsLocal() && !settings::allow_insecure);
    if (!stream_->encrypted() && must_encrypt) {
      (void)http_->ReadHead({kStrangerLimit, kStrangerLimit});
      RefuseInsecure();
      stream_->Close();
      return;
    }
    Serve();
    stream_->Close();
  } catch (const core::TimeoutError&) {
    LogEnd(database() ? "timeout" : "authentication timeout");
  } catch (const Error& error) {
    if (error.state() != sqlstate::kConnectionLost) {
      LogPeer("failed",
              {{"peer", exit_state.peer}, {"error", error.message()}, {"detail", error.detail()}});
    }
    LogEnd("lost");
  } catch (const pg::PgError& error) {
    // Cancelled by the peer watch, while it waited or computed; anything else is for the log.
    if (PeerWatchSawPeerGone()) {
      LogEnd("lost");
    } else if (PeerWatchSawOldSnapshot()) {
      LogEnd("snapshot timeout");
    } else {
      LogEnd("error");
      throw;
    }
  }
}

void Worker::Serve() {
  while (ServeRequest())
    Reload();
  if (channel_) ServeChannel();
  LogEnd(exit_state.completed ? "completed" : "closed");
}

// Between two requests.
void Worker::Reload() {
  pg::CheckInterrupts();
  if (!pg::Call([] {
        const bool reload = ConfigReloadPending;
        if (reload) {
          ConfigReloadPending = false;
          ProcessConfigFile(PGC_SIGHUP);
        }
        return reload;
      })) {
    return;
  }
  waiter_.set_write_limit(milliseconds(settings::send_timeout_ms));
}

void Worker::ServeChannel() {
  while (channel_->ServeMessage())
    Reload();
}

// One request and its answer; false when the connection is to be closed.
bool Worker::ServeRequest() {
  if (database()) {
    waiter_.set_deadline(std::nullopt);
    waiter_.set_read_limit(milliseconds(settings::idle_timeout_ms));
  }
  try {
    net::HttpLimits limits;
    limits.body = database() ? static_cast<size_t>(settings::max_message_size_kb) * 1024
                             : kPhoenixRequestLimit;
    auto request = http_->ReadHead(limits);
    if (!request) return false;
    if (IsPhoenixSocket(net::HttpTarget::Parse(request->target).path)) {
      channel_ = PhoenixChannel::Open(*request, *admission_, *http_, *stream_, waiter_);
      return false;
    }
    Dispatch(*request);
  } catch (const net::BadRequest& error) {
    http_->set_last();
    RespondError(error, error.status());
  } catch (const core::TimeoutError&) {
    throw;
  } catch (const Refused& error) {
    if (http_->in_stream()) throw;
    RespondError(error, error.status(), error.headers());
  } catch (const Error& error) {
    if (error.state() == sqlstate::kConnectionLost || http_->in_stream()) throw;
    RespondError(error, core::HttpStatusOf(error.state()));
  } catch (const pg::PgError& error) {
    if (PeerWatchSawPeerGone() || PeerWatchSawOldSnapshot() || http_->in_stream()) throw;
    // The subtransaction of the request was rolled back; without a database there was none.
    if (!database()) throw;
    RespondError(error.ToError(), core::HttpStatusOf(error.state()));
  }
  return http_->keep_alive() && SkipRest();
}

void Worker::RespondError(const Error& error, int status, net::HttpHeaders headers) {
  net::HttpResponse response;
  response.status = status;
  response.headers = std::move(headers);
  response.body = pg::ErrorForWire(error).ToJson();
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  http_->Respond(response);
}

// What stands in the path before the protocol's own.
std::string PrefixOf(const net::HttpTarget& target) {
  return target.path.substr(0, target.path.rfind(core::kNativePath));
}

std::string OperationOf(const net::HttpTarget& target) {
  const size_t at = target.path.rfind(core::kNativePath);
  if (at == std::string::npos || !core::IsUtf8(std::string_view(target.path).substr(at))) {
    throw Error(sqlstate::kNotFound, "there is nothing at this path")
        .WithHint(Cat("The protocol is under ", core::kNativePath, "."));
  }
  return target.path.substr(at + sizeof(core::kNativePath) - 1);
}

// A request that comes in the middle of a push: its body may be a stream, and is left to the push.
NextRequest Worker::ReadPushRequest() {
  if (!SkipRest()) net::RaiseLost(0);
  net::HttpLimits limits;
  limits.body = std::numeric_limits<size_t>::max();
  auto request = http_->ReadHead(limits);
  if (!request) net::RaiseLost(0);
  admission_->Authenticate(*request);
  return {OperationOf(net::HttpTarget::Parse(request->target)), std::move(*request)};
}

// Reads what is left of a body that has been answered before its end: the peer, which is sending
// it, sees the answer and stops. False where it does not.
bool Worker::SkipRest() {
  if (http_->body_done()) return true;
  waiter_.set_deadline(Clock::now() + kSkipTime);
  try {
    http_->SkipBody();
  } catch (const core::TimeoutError&) {
    return false;
  }
  waiter_.set_deadline(std::nullopt);
  return true;
}

void Worker::Dispatch(net::HttpRequest& request) {
  const net::HttpTarget target = net::HttpTarget::Parse(request.target);
  if (IsPhoenixApi(target.path) && !database()) {
    HandlePhoenixApi(request, target, *http_, *stream_, *admission_);
    return;
  }
  const std::string operation = OperationOf(target);
  if (operation.empty() && request.method == "GET") {
    core::ServerInfo info;
    info.software = session::kVersion;
    net::HttpResponse response;
    response.body = info.ToJson();
    http_->Respond(response);
    return;
  }
  if (operation == "connect" && request.method == "POST") {
    admission_->Connect(request);
    return;
  }
  if (IsConnectionOperation(operation) && request.method == "POST" && !database()) {
    HandleConnectionOperation(operation, PrefixOf(target), request, *http_, *stream_,
                              admission_->AddressOf(request));
    return;
  }
  admission_->Authenticate(request);
  if (operation == "connect" && request.method == "DELETE") {
    Disconnect();
    return;
  }
  if (operation == "session" && request.method == "GET") {
    net::HttpResponse response;
    response.body =
        core::JsonWriter().BeginObject().Field("status", "connected").EndObject().Take();
    http_->Respond(response);
    return;
  }
  http_->ReadBody(request);
  if (ConnectionGuard* guard = database()->guard()) {
    database()->Look([&] { guard->BeginRequest(RequestOrigin::Of(request, peer_address_)); });
  }
  // From here on the request computes: only what the peer reads or not is timed. But for a push,
  // which goes on reading: what it has locked is not left to a peer that says nothing.
  if (database()->session().direction == session::Direction::kSend) {
    waiter_.set_read_limit(std::nullopt);
  }
  if (!routes_) {
    routes_ = std::make_unique<NativeRoutes>(*database(), *http_, exit_state.peer, IsLocal(),
                                             [this] { return ReadPushRequest(); });
  }
  routes_->Handle(operation, request, target);
}

void Worker::Disconnect() {
  exit_state.completed = true;
  pg::Call([] { leave_session(); });  // it is so when the peer hears of it
  http_->set_last();
  net::HttpResponse response;
  response.status = 204;
  http_->Respond(response);
}

void Worker::LogEnd(const char* result) {
  if (exit_state.ended_logged) return;
  exit_state.ended_logged = true;
  if (!database()) return;  // was refused, and that was said
  if (database()->guard() != nullptr) database()->guard()->GiveApprovalsUp();
  const ServedTotals totals = channel_  ? channel_->totals()
                              : routes_ ? routes_->totals()
                                        : ServedTotals();
  const bool receives = database()->session().direction == session::Direction::kReceive;
  const auto ms = std::chrono::duration_cast<milliseconds>(Clock::now() - began_).count();
  LogPeer("ended",
          {{"peer", exit_state.peer},
           {"role", database()->role_name()},
           {"database", database()->database_name()},
           {"tables", std::to_string(totals.tables)},
           {"rows", std::to_string(totals.rows)},
           {"bytes", std::to_string(receives ? stream_->bytes_in() : stream_->bytes_out())},
           {"ms", std::to_string(ms)},
           {"result", result}});
}

}  // namespace
}  // namespace pgsync::server

void pgsync_worker_main(Datum argument) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  before_shmem_exit(pgsync::server::at_worker_exit, (Datum)0);
  const int slot = DatumGetInt32(argument);
  pgsync::pg::Enter([slot] { pgsync::server::Worker(slot).Run(); });
}
