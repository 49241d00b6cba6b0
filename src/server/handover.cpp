#include "server/handover.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/text.h"

namespace pgsync::server {

namespace {

using core::Error;

// Relative: the server's working directory is its data directory.
constexpr char kPath[] = "sync.handover";
constexpr uint64_t kMagic = 0x73796e6368616e64;

struct HelloMessage {
  uint64_t magic;
  uint64_t nonce;
  int64_t slot;
};

Error SystemError(const char* what) {
  return Error(core::SqlState("58030"), core::Cat(what, " failed: ", std::strerror(errno)));
}

sockaddr_un Address() {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  static_assert(sizeof(kPath) <= sizeof(address.sun_path));
  std::memcpy(address.sun_path, kPath, sizeof(kPath));
  return address;
}

// The process at the other end, if it belongs to the same user; 0 otherwise.
int TrustedPeer(int connection) {
  ucred credentials = {};
  socklen_t size = sizeof(credentials);
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return 0;
  return credentials.uid == geteuid() ? credentials.pid : 0;
}

}  // namespace

net::Socket ListenForWorkers() {
  net::Socket socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) throw SystemError("socket()");
  (void)unlink(kPath);  // of a launcher that crashed
  const sockaddr_un address = Address();
  const mode_t saved = umask(0177);
  const int bound =
      bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  umask(saved);
  errno = error;
  if (bound != 0) throw SystemError("bind()");
  if (listen(socket.get(), 64) != 0) throw SystemError("listen()");
  return socket;
}

net::Socket AcceptWorker(int listener) {
  return net::Socket(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

std::optional<WorkerHello> ReadHello(int connection) {
  HelloMessage message = {};
  const ssize_t got = recv(connection, &message, sizeof(message), 0);
  if (got != static_cast<ssize_t>(sizeof(message)) || message.magic != kMagic) return std::nullopt;
  const int pid = TrustedPeer(connection);
  if (pid == 0) return std::nullopt;
  return WorkerHello{static_cast<int>(message.slot), message.nonce, pid};
}

bool SendSocket(int connection, int socket) {
  char byte = 0;
  iovec piece = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &socket, sizeof(int));
  return sendmsg(connection, &message, MSG_NOSIGNAL) == 1;
}

net::Socket FetchSocket(int launcher_pid, int slot, uint64_t nonce, core::Waiter& waiter) {
  net::Socket connection(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (connection.get() < 0) throw SystemError("socket()");
  const sockaddr_un address = Address();
  if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
      0) {
    throw SystemError("connecting to the launcher");
  }
  if (TrustedPeer(connection.get()) != launcher_pid) {
    throw Error(core::sqlstate::kInternal, "the hand-over socket is not the launcher's");
  }
  const HelloMessage hello = {kMagic, nonce, slot};
  if (send(connection.get(), &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello)) {
    throw SystemError("asking the launcher");
  }

  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char byte = 0;
  iovec piece = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  for (;;) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t got = recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      waiter.Wait(connection.get(), core::Waiter::Interest::kRead);
      continue;
    }
    const cmsghdr* header = got == 1 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) net::RaiseLost(0);
    int socket = -1;
    std::memcpy(&socket, CMSG_DATA(header), sizeof(int));
    return net::Socket(socket);
  }
}

}  // namespace pgsync::server
