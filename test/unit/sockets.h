// Pairs of sockets and listeners on this machine.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "net/stream.h"

namespace pgsync::test {

/// Two ends of a connection that do not block.
inline std::pair<net::Socket, net::Socket> SocketPair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) throw std::runtime_error("socketpair failed");
  net::PrepareSocket(fds[0]);
  net::PrepareSocket(fds[1]);
  return {net::Socket(fds[0]), net::Socket(fds[1])};
}

/// A TCP port of 127.0.0.1 that was free.
class LoopbackPort {
 public:
  /// Without `listening`, connections to it are refused.
  explicit LoopbackPort(bool listening = true) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket_.get(), generic, size) != 0 || (listening && listen(socket_.get(), 16) != 0) ||
        getsockname(socket_.get(), generic, &size) != 0) {
      throw std::runtime_error("could not listen");
    }
    port_ = ntohs(address.sin_port);
    net::PrepareSocket(socket_.get());
  }

  int port() const { return port_; }

  net::Socket Accept(core::Waiter& waiter) {
    for (;;) {
      const int fd = accept(socket_.get(), nullptr, nullptr);
      if (fd >= 0) {
        net::PrepareSocket(fd);
        return net::Socket(fd);
      }
      waiter.Wait(socket_.get(), core::Waiter::Interest::kRead);
    }
  }
  /// Whether nobody has connected.
  bool Untouched() const {
    const net::Socket peer(accept(socket_.get(), nullptr, nullptr));
    return peer.get() < 0;
  }
  /// The two ends of a TCP connection.
  std::pair<net::Socket, net::Socket> Connect(core::Waiter& waiter) {
    net::Socket client(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port_));
    if (connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      throw std::runtime_error("could not connect");
    }
    net::PrepareSocket(client.get());
    return {std::move(client), Accept(waiter)};
  }

 private:
  net::Socket socket_;
  int port_ = 0;
};

/// Writes all of `bytes`.
inline void WriteAll(net::Stream& stream, std::string_view bytes) {
  while (!bytes.empty()) {
    const iovec piece = {const_cast<char*>(bytes.data()), bytes.size()};
    bytes.remove_prefix(stream.WriteSome(&piece, 1));
  }
}

/// Reads to the end, or until there are `enough` bytes.
inline std::string ReadUntil(net::Stream& stream, size_t enough = SIZE_MAX) {
  std::string out;
  char chunk[4096];
  while (out.size() < enough) {
    const size_t got = stream.ReadSome(chunk, std::min(sizeof(chunk), enough - out.size()));
    if (got == 0) break;
    out.append(chunk, got);
  }
  return out;
}

}  // namespace pgsync::test
