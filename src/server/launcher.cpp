#include "server/launcher.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <set>

#include "core/peer_error.h"
#include "core/text.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "server/background_worker.h"
#include "server/handover.h"
#include "server/job_schedule.h"
#include "server/listener.h"
#include "server/log.h"
#include "server/probe.h"
#include "server/writer.h"
#include "session/launcher_state.h"
#include "session/peer_table.h"
#include "session/session_lifetime.h"

extern "C" {
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "utils/guc.h"
#include "utils/wait_event.h"

PGDLLEXPORT void pgsync_launcher_main(Datum argument);
}

namespace pgsync::server {

namespace {

using core::Clock;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace settings = pg::settings;

constexpr seconds kBindRetry{10};
constexpr seconds kStartTimeout{20};
constexpr milliseconds kStartRetry{200};
// The launcher, a probe, two writers.
constexpr int kOtherWorkers = 4;
// One address may have at most half of them, so that it cannot keep all others out.
constexpr size_t kMaxQueued = 64;
constexpr size_t kMaxWaiting = 256;

// A peer that has connected and for which no worker has been started yet.
struct Waiting {
  net::Socket socket;
  core::IpAddress address;
  std::string network;
  int port;
  Clock::time_point give_up;
  bool tls = false;  // the first byte is there, and begins a TLS handshake
};

// A peer whose worker is on its way.
struct Starting {
  Waiting peer;
  int slot;
  uint64 nonce;
  BackgroundWorkerHandle* handle;
  Clock::time_point give_up;
};

// Whether there is room in one of the two lists for one more peer of that network.
template <typename Peers, typename PeerOf>
bool HasRoom(const Peers& peers, size_t most, const std::string& network, PeerOf peer_of) {
  const auto same = std::count_if(peers.begin(), peers.end(), [&](const auto& entry) {
    return peer_of(entry).network == network;
  });
  return peers.size() < most && static_cast<size_t>(same) < most / 2;
}

class Launcher {
 public:
  void Run();

 private:
  enum class Source { kListener, kHandover, kHello, kFirstByte };

  void OpenSockets();
  void Watch(int fd);
  void Unwatch(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }
  void HandleReady(int fd);
  void AcceptPeers(int listener);
  void FirstByte(int fd);
  void AcceptWorkers();
  void Hello(int fd);
  void StartQueued();
  bool StartWorker(Waiting& peer);
  void CheckStarting();
  void GiveUp();
  void Refuse(const Waiting& peer, const char* why, bool answer);
  milliseconds TimeToNext(long session_wait_ms) const;
  /// Returns whether the settings were read anew.
  bool WaitForEvents(WaitEventSet* events, milliseconds timeout);

  net::Socket epoll_;
  std::vector<net::Socket> listeners_;
  std::optional<Clock::time_point> retry_bind_;
  net::Socket handover_;
  std::map<int, net::Socket> hellos_;   // workers that have connected and not said who they are
  std::map<int, Waiting> first_bytes_;  // peers that have not sent anything
  std::deque<Waiting> queue_;           // peers that wait for a worker
  std::optional<Clock::time_point> retry_start_;
  std::vector<Starting> starting_;
  ProbeSchedule probes_;
  WriterSchedule writers_;
  JobSchedule jobs_;
};

void Launcher::Watch(int fd) {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.fd = fd;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Launcher::OpenSockets() {
  const std::string addresses = settings::listen_addresses;
  if (addresses.empty()) {
    session::SetListenState(session::ListenState::kNotConfigured);
    return;
  }
  std::vector<std::string> problems;
  listeners_ = OpenListeners(addresses, settings::port, &problems);
  if (listeners_.empty()) {
    if (!retry_bind_) {
      LogMessage(core::Cat("sync cannot listen on port ", settings::port, "; trying again every ",
                           kBindRetry.count(), " seconds"),
                 core::Join(problems, "; "));
    }
    retry_bind_ = Clock::now() + kBindRetry;
    session::SetListenState(session::ListenState::kCannotListen);
    return;
  }
  for (const std::string& problem : problems) {
    LogMessage("sync cannot listen on one of its addresses", problem);
  }
  retry_bind_.reset();
  for (const net::Socket& listener : listeners_)
    Watch(listener.get());
  session::SetListenState(session::ListenState::kListening);
  LogMessage(core::Cat("sync listens for peers on port ", settings::port));
}

void Launcher::AcceptPeers(int listener) {
  for (;;) {
    Accepted accepted = AcceptPeer(listener);
    if (accepted.socket.get() < 0) return;
    Waiting peer{std::move(accepted.socket), accepted.address, NetworkOf(accepted.address),
                 accepted.port, Clock::now() + seconds(settings::authentication_timeout_s)};
    if (!core::SplitList(settings::allowed_clients).empty() &&
        !core::ListContains(settings::allowed_clients, peer.address)) {
      Refuse(peer, "address is not in sync.allowed_clients", false);
      continue;
    }
    if (!HasRoom(first_bytes_, kMaxWaiting, peer.network,
                 [](const auto& entry) -> const Waiting& { return entry.second; })) {
      Refuse(peer, "too many connections that send nothing", false);
      continue;
    }
    const int fd = peer.socket.get();
    Watch(fd);
    first_bytes_.emplace(fd, std::move(peer));
  }
}

void Launcher::FirstByte(int fd) {
  auto found = first_bytes_.find(fd);
  Waiting peer = std::move(found->second);
  first_bytes_.erase(found);
  Unwatch(fd);
  unsigned char byte = 0;
  if (recv(fd, &byte, 1, MSG_PEEK) != 1) return;  // gone without a word
  constexpr unsigned char kTlsHandshake = 0x16;
  peer.tls = byte == kTlsHandshake;
  if (!HasRoom(queue_, kMaxQueued, peer.network,
               [](const Waiting& queued) -> const Waiting& { return queued; })) {
    Refuse(peer, "too many peers wait", true);
    return;
  }
  peer.give_up = Clock::now() + milliseconds(settings::queue_timeout_ms);
  queue_.push_back(std::move(peer));
}

void Launcher::AcceptWorkers() {
  for (;;) {
    net::Socket connection = AcceptWorker(handover_.get());
    if (connection.get() < 0) return;
    const int fd = connection.get();
    Watch(fd);
    hellos_.emplace(fd, std::move(connection));
  }
}

void Launcher::Hello(int fd) {
  const net::Socket connection = std::move(hellos_.at(fd));
  hellos_.erase(fd);
  Unwatch(fd);
  const auto hello = ReadHello(fd);
  if (!hello) return;
  // A slot may be another peer's already while the end of its former worker is not known here yet.
  auto found = std::find_if(starting_.begin(), starting_.end(), [&](const Starting& start) {
    return start.slot == hello->slot && start.nonce == hello->nonce;
  });
  if (found == starting_.end()) return;
  pid_t pid = 0;
  const BgwHandleStatus status =
      pg::Call([&] { return GetBackgroundWorkerPid(found->handle, &pid); });
  // A worker may be here before the postmaster has noted its pid: then its nonce has to do.
  const bool known = status == BGWH_STARTED ? pid == hello->pid : status == BGWH_NOT_YET_STARTED;
  if (!known || !session::CheckPeerNonce(hello->slot, hello->nonce)) return;
  SendSocket(fd, found->peer.socket.get());
  pg::Call([&] { pfree(found->handle); });
  starting_.erase(found);
}

bool Launcher::StartWorker(Waiting& peer) {
  uint64 nonce;
  const auto slot = session::ReservePeer(peer.address.ToString(), peer.port, peer.network, &nonce);
  if (!slot) return false;
  BackgroundWorkerHandle* handle = nullptr;
  const bool registered = pg::Call([&] {
    return start_worker("sync worker", "pgsync_worker_main", Int32GetDatum(*slot), &handle);
  });
  if (!registered) {
    session::ReleasePeer(*slot, nonce);
    return false;
  }
  starting_.push_back({std::move(peer), *slot, nonce, handle, Clock::now() + kStartTimeout});
  return true;
}

void Launcher::StartQueued() {
  retry_start_.reset();
  std::set<std::string> waiting;  // networks whose first peer has to
  for (auto next = queue_.begin(); next != queue_.end();) {
    if (waiting.count(next->network) == 0 && StartWorker(*next)) {
      next = queue_.erase(next);
      continue;
    }
    // No place, or not for its network, or no background worker: one may end without telling us.
    retry_start_ = Clock::now() + kStartRetry;
    waiting.insert(next->network);
    ++next;
  }
}

void Launcher::CheckStarting() {
  const auto now = Clock::now();
  for (size_t i = 0; i < starting_.size();) {
    pid_t pid;
    const BgwHandleStatus status =
        pg::Call([&] { return GetBackgroundWorkerPid(starting_[i].handle, &pid); });
    if (status != BGWH_STOPPED && now < starting_[i].give_up) {
      i++;
      continue;
    }
    Refuse(starting_[i].peer, "worker did not start", true);
    session::ReleasePeer(starting_[i].slot, starting_[i].nonce);
    pg::Call([&] { pfree(starting_[i].handle); });
    starting_.erase(starting_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void Launcher::GiveUp() {
  const auto now = Clock::now();
  for (auto it = first_bytes_.begin(); it != first_bytes_.end();) {
    if (it->second.give_up > now) {
      ++it;
      continue;
    }
    Refuse(it->second, "sent nothing in time", false);
    Unwatch(it->first);
    it = first_bytes_.erase(it);
  }
  while (!queue_.empty() && queue_.front().give_up <= now) {
    Refuse(queue_.front(), "no free worker", true);
    queue_.pop_front();
  }
}

void Launcher::Refuse(const Waiting& peer, const char* why, bool answer) {
  LogPeer(
      "refused",
      {{"peer", peer.address.ToString()}, {"port", std::to_string(peer.port)}, {"reason", why}});
  if (!answer || peer.tls) return;
  const std::string body =
      core::RemoteError{core::sqlstate::kTooManyConnections.c_str(), "peer is busy",
                        "It has no free worker.",
                        "Try again later, or raise sync.max_connections, sync.max_pending or "
                        "max_worker_processes there."}
          .ToJson();
  const std::string answer_text =
      core::Cat("HTTP/1.1 503 Service Unavailable\r\nServer: sync\r\nRetry-After: 1\r\n",
                "Content-Type: application/json\r\nContent-Length: ", body.size(),
                "\r\nConnection: close\r\n\r\n", body);
  (void)send(peer.socket.get(), answer_text.data(), answer_text.size(),
             MSG_NOSIGNAL | MSG_DONTWAIT);
  // What the peer has sent is never read; without this the close would reset the connection and the
  // answer could be lost on its way.
  shutdown(peer.socket.get(), SHUT_WR);
}

void Launcher::HandleReady(int fd) {
  if (fd == handover_.get()) {
    AcceptWorkers();
  } else if (hellos_.count(fd) > 0) {
    Hello(fd);
  } else if (first_bytes_.count(fd) > 0) {
    FirstByte(fd);
  } else {
    AcceptPeers(fd);
  }
}

milliseconds Launcher::TimeToNext(long session_wait_ms) const {
  std::optional<Clock::time_point> next;
  auto consider = [&](Clock::time_point at) { next = next ? std::min(*next, at) : at; };
  if (session_wait_ms >= 0) consider(Clock::now() + milliseconds(session_wait_ms));
  if (retry_bind_) consider(*retry_bind_);
  if (retry_start_) consider(*retry_start_);
  for (const auto& [fd, peer] : first_bytes_)
    consider(peer.give_up);
  for (const Waiting& peer : queue_)
    consider(peer.give_up);
  for (const Starting& start : starting_)
    consider(start.give_up);
  consider(probes_.NextTime());
  consider(writers_.NextTime());
  consider(jobs_.NextTime());
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(*next - Clock::now()));
}

bool Launcher::WaitForEvents(WaitEventSet* events, milliseconds timeout) {
  return pg::Call([&] {
    WaitEvent event;
    (void)WaitEventSetWait(events, static_cast<long>(timeout.count()), &event, 1,
                           PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ShutdownRequestPending) proc_exit(1);
    const bool reload = ConfigReloadPending;
    if (reload) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    }
    return reload;
  });
}

// Every worker takes one of max_worker_processes, which others want, too.
void WarnIfShortOfWorkers() {
  const int wanted =
      settings::max_connections + settings::max_pending + settings::max_jobs + kOtherWorkers;
  if (max_worker_processes >= wanted) return;
  pg::Call([&] {
    ereport(WARNING,
            (errmsg("max_worker_processes may be too low for sync"),
             errdetail("It is %d; for sync.max_connections, sync.max_pending, sync.max_jobs and "
                       "the workers of the server itself %d are needed.",
                       max_worker_processes, wanted),
             errhint("Raise max_worker_processes in postgresql.conf.")));
  });
}

void Launcher::Run() {
  session::RegisterLauncher();
  session::ReleaseStartingPeers();
  WarnIfShortOfWorkers();
  epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  if (epoll_.get() < 0) throw core::Error(core::SqlState("58030"), "epoll_create1() failed");
  handover_ = ListenForWorkers();
  Watch(handover_.get());
  OpenSockets();
  WaitEventSet* events = pg::Call([&] {
    WaitEventSet* set = CreateWaitEventSet(TopMemoryContext, 3);
    AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    AddWaitEventToSet(set, WL_SOCKET_READABLE, epoll_.get(), nullptr, nullptr);
    return set;
  });

  bool reloaded = false;
  for (;;) {
    const long session_wait = pg::Call([] { return session::reap_sessions(); });
    probes_.Run(session::TakeDatabasesAsked() || reloaded);
    writers_.Run();
    jobs_.Run();
    reloaded = WaitForEvents(events, TimeToNext(session_wait));
    epoll_event ready[32];
    const int count = epoll_wait(epoll_.get(), ready, 32, 0);
    for (int i = 0; i < count; i++)
      HandleReady(ready[i].data.fd);
    if (retry_bind_ && Clock::now() >= *retry_bind_) OpenSockets();
    CheckStarting();
    GiveUp();
    StartQueued();
  }
}

}  // namespace

void register_launcher() {
  BackgroundWorker worker = describe_worker("sync launcher", "pgsync_launcher_main");
  worker.bgw_restart_time = 5;
  RegisterBackgroundWorker(&worker);
}

}  // namespace pgsync::server

void pgsync_launcher_main(Datum) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
  BackgroundWorkerUnblockSignals();
  // Shared catalogs only: no database is kept busy.
  BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
  pgsync::pg::Enter([] { pgsync::server::Launcher().Run(); });
}
