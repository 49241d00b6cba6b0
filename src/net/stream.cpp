#include "net/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fcntl.h>

#include "core/text.h"
#include "net/lookout.h"

namespace pgsync::net {

namespace {

class PlainStream : public Stream {
 public:
  PlainStream(Socket socket, core::Waiter& waiter) : socket_(std::move(socket)), waiter_(waiter) {}

  void Close() noexcept override { shutdown(socket_.get(), SHUT_WR); }
  int fd() const override { return socket_.get(); }
  bool encrypted() const override { return false; }

 protected:
  size_t DoRead(char* to, size_t size) override {
    lookout_.Look(socket_.get());
    for (;;) {
      if (const auto got = DoTryRead(to, size)) return *got;
      waiter_.Wait(socket_.get(), core::Waiter::Interest::kRead);
    }
  }

  std::optional<size_t> DoTryRead(char* to, size_t size) override {
    for (;;) {
      const ssize_t got = recv(socket_.get(), to, size, 0);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) RaiseLost(errno);
      return std::nullopt;
    }
  }

  size_t DoWrite(const iovec* pieces, int count) override {
    msghdr message = {};
    message.msg_iov = const_cast<iovec*>(pieces);
    message.msg_iovlen = static_cast<size_t>(count);
    for (;;) {
      const ssize_t put = sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
      if (put >= 0) return static_cast<size_t>(put);
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) RaiseLost(errno);
      waiter_.Wait(socket_.get(), core::Waiter::Interest::kWrite);
    }
  }

 private:
  Socket socket_;
  core::Waiter& waiter_;
  Lookout lookout_{waiter_};
};

void SetOption(int fd, int level, int option, int value) {
  // Tuning only: a socket that does not know the option works without it.
  (void)setsockopt(fd, level, option, &value, sizeof(value));
}

}  // namespace

void Socket::Reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

void PrepareSocket(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    throw core::Error(core::sqlstate::kConnectionFailed, "could not prepare a socket")
        .WithDetail(core::Cat(std::strerror(errno), "."));
  }
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

bool PeerHasGone(int fd) noexcept {
  pollfd poll_fd = {fd, POLLRDHUP, 0};
  return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void ResetOnClose(int fd, bool on) noexcept {
  const linger option = {on ? 1 : 0, 0};
  (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof(option));
}

bool PeerIsLocal(int fd) noexcept {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  if (address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    return (ntohl(v4->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
  }
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
  }
  return false;
}

std::unique_ptr<Stream> MakePlainStream(Socket socket, core::Waiter& waiter) {
  return std::make_unique<PlainStream>(std::move(socket), waiter);
}

void RaiseLost(int error) {
  core::Error lost(core::sqlstate::kConnectionLost, "connection lost");
  if (error == 0) throw std::move(lost).WithDetail("The peer closed the connection.");
  throw std::move(lost).WithDetail(core::Cat(std::strerror(error), "."));
}

}  // namespace pgsync::net
