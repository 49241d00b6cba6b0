#include "server/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "core/text.h"

namespace pgsync::server {

namespace {

constexpr int kBacklog = 128;

struct AddressDeleter {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

std::string Describe(const addrinfo& info) {
  char host[NI_MAXHOST] = "?", service[NI_MAXSERV] = "?";
  getnameinfo(info.ai_addr, info.ai_addrlen, host, sizeof(host), service, sizeof(service),
              NI_NUMERICHOST | NI_NUMERICSERV);
  return core::Cat(host, " port ", service);
}

net::Socket Open(const addrinfo& info, std::vector<std::string>* problems) {
  net::Socket socket(
      ::socket(info.ai_family, info.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info.ai_protocol));
  const int on = 1;
  if (socket.get() >= 0) {
    (void)setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info.ai_family == AF_INET6) {
      (void)setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bind(socket.get(), info.ai_addr, info.ai_addrlen) == 0 &&
        listen(socket.get(), kBacklog) == 0) {
      return socket;
    }
  }
  problems->push_back(core::Cat(Describe(info), ": ", std::strerror(errno)));
  return net::Socket();
}

}  // namespace

std::vector<net::Socket> OpenListeners(const std::string& addresses, int port,
                                       std::vector<std::string>* problems) {
  std::vector<net::Socket> sockets;
  for (const std::string& name : core::SplitList(addresses)) {
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int error = getaddrinfo(name == "*" ? nullptr : name.c_str(),
                                  std::to_string(port).c_str(), &hints, &found);
    if (error != 0) {
      problems->push_back(core::Cat(name, ": ", gai_strerror(error)));
      continue;
    }
    const std::unique_ptr<addrinfo, AddressDeleter> list(found);
    for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
      net::Socket socket = Open(*info, problems);
      if (socket.get() >= 0) sockets.push_back(std::move(socket));
    }
  }
  return sockets;
}

Accepted AcceptPeer(int listener) {
  Accepted accepted;
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  accepted.socket.Reset(accept4(listener, reinterpret_cast<sockaddr*>(&address), &size,
                                SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (accepted.socket.get() < 0) return accepted;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    accepted.address = core::IpAddress::FromV4(&v4.sin_addr);
    accepted.port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    accepted.address = core::IpAddress::FromV6(&v6.sin6_addr);
    accepted.port = ntohs(v6.sin6_port);
  }
  return accepted;
}

std::string NetworkOf(const core::IpAddress& address) {
  return address.is_v4() ? address.ToString() : address.Network(64).ToString();
}

}  // namespace pgsync::server
