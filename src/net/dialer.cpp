#include "net/dialer.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/text.h"
#include "net/lookout.h"

namespace pgsync::net {

namespace {

using core::Cat;
using core::Error;
using core::Waiter;
namespace sqlstate = core::sqlstate;

// libcurl resolves names in a thread of its own. Signals belong to the process's main thread: a
// thread started while they are blocked never gets one.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }

 private:
  sigset_t saved_;
};

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

// The libcurl handles of one connection, and what its callbacks (foreign frames: they neither throw
// nor longjmp) leave for us.
class CurlConnection {
 public:
  CurlConnection(const Url& url, const DialOptions& options)
      : options_(options), secure_(url.secure()) {
    static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
    easy_.reset(initialized == CURLE_OK ? curl_easy_init() : nullptr);
    multi_.reset(curl_multi_init());
    events_.Reset(epoll_create1(EPOLL_CLOEXEC));
    if (!easy_ || !multi_ || events_.get() < 0) throw std::bad_alloc();
    SetOptions(url);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, OnSocket);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, OnTimer);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
    curl_multi_add_handle(multi_.get(), easy_.get());
  }

  ~CurlConnection() {
    SignalsBlocked blocked;
    curl_multi_remove_handle(multi_.get(), easy_.get());
    easy_.reset();
    multi_.reset();
  }

  CurlConnection(const CurlConnection&) = delete;
  CurlConnection& operator=(const CurlConnection&) = delete;

  void Connect(const Url& url, Waiter& waiter) {
    Act(CURL_SOCKET_TIMEOUT, 0);
    while (!done_) {
      WaitForEvent(waiter, url);
      epoll_event ready[8];
      const int count = epoll_wait(events_.get(), ready, 8, 0);
      for (int i = 0; i < count; i++) {
        int flags = 0;
        if (ready[i].events & EPOLLIN) flags |= CURL_CSELECT_IN;
        if (ready[i].events & EPOLLOUT) flags |= CURL_CSELECT_OUT;
        if (ready[i].events & (EPOLLERR | EPOLLHUP)) flags |= CURL_CSELECT_ERR;
        Act(ready[i].data.fd, flags);
      }
      if (count <= 0) Act(CURL_SOCKET_TIMEOUT, 0);
    }
    if (result_ != CURLE_OK) RaiseFailure(url);
    curl_socket_t socket = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(easy_.get(), CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK ||
        socket == CURL_SOCKET_BAD) {
      throw Error(sqlstate::kConnectionFailed, Cat("could not connect to ", url.Display()));
    }
    socket_ = socket;
    events_.Reset(-1);
  }

  CURL* easy() const { return easy_.get(); }
  int socket() const { return socket_; }
  bool secure() const { return secure_; }

  /// OpenSSL's side of the connection. libcurl knows it once something was sent or received; until
  /// then, and without TLS, nullptr.
  SSL* ssl() const {
    curl_tlssessioninfo* session = nullptr;
    if (!secure_ || curl_easy_getinfo(easy_.get(), CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK ||
        session == nullptr || session->backend != CURLSSLBACKEND_OPENSSL) {
      return nullptr;
    }
    return static_cast<SSL*>(session->internals);
  }

 private:
  void SetOptions(const Url& url) {
    CURL* easy = easy_.get();
    const std::string text = Cat(url.Display(), "/");
    curl_easy_setopt(easy, CURLOPT_URL, text.c_str());
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    // An interrupted lookup is left behind, not waited for.
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");  // what the environment says counts for others
    curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!options_.ca_file.empty()) {
      curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
      curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    }
    // The waiter has the deadline; libcurl's own (5 minutes) would be a second opinion.
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 24L * 3600 * 1000);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, OnOpenSocket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_);
  }

  void Act(curl_socket_t socket, int flags) {
    SignalsBlocked blocked;
    int running = 0;
    curl_multi_socket_action(multi_.get(), socket, flags, &running);
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      done_ = true;
      result_ = message->data.result;
    }
  }

  void WaitForEvent(Waiter& waiter, const Url& url) {
    std::optional<core::Clock::time_point> until = waiter.deadline();
    if (timer_) until = until ? std::min(*until, *timer_) : *timer_;
    if (waiter.WaitUntil(events_.get(), Waiter::Interest::kRead, until)) return;
    if (waiter.deadline() && core::Clock::now() >= *waiter.deadline()) {
      throw core::TimeoutError(Cat("timeout: could not connect to ", url.Display(), " in time"));
    }
    timer_.reset();
  }

  [[noreturn]] void RaiseFailure(const Url& url) {
    // Where one address was allowed, its failure is what counts.
    if (!refusal_.empty() && !allowed_) {
      throw Error(sqlstate::kInsufficientPrivilege,
                  Cat("connecting to ", url.Display(), " is not allowed"))
          .WithDetail(refusal_);
    }
    std::string why = error_[0] != '\0' ? error_ : curl_easy_strerror(result_);
    Error error(sqlstate::kConnectionFailed, Cat("could not connect to ", url.Display()));
    error = std::move(error).WithDetail(Cat(why, "."));
    if (result_ == CURLE_PEER_FAILED_VERIFICATION || result_ == CURLE_SSL_CACERT_BADFILE) {
      error = std::move(error).WithHint(
          "The certificate has to be for the host name in the URL, and signed by an authority of "
          "the system or, where that is set, of sync.ssl_ca_file.");
    } else if (result_ == CURLE_COULDNT_CONNECT) {
      error = std::move(error).WithHint(
          "Is the peer running, with sync in shared_preload_libraries, and listening on that "
          "address (sync.listen_addresses, sync.port)?");
    } else if (result_ == CURLE_SSL_CONNECT_ERROR) {
      error = std::move(error).WithHint("A peer without TLS has a URL that begins with http://.");
    }
    throw error;
  }

  static int OnSocket(CURL*, curl_socket_t socket, int what, void* self, void*) noexcept {
    auto* connection = static_cast<CurlConnection*>(self);
    const int events = connection->events_.get();
    if (events < 0) return 0;  // connected: the socket is waited for by itself
    epoll_event event = {};
    event.data.fd = socket;
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(events, EPOLL_CTL_DEL, socket, nullptr);
    } else if (epoll_ctl(events, EPOLL_CTL_MOD, socket, &event) != 0) {
      epoll_ctl(events, EPOLL_CTL_ADD, socket, &event);
    }
    return 0;
  }

  static int OnTimer(CURLM*, long timeout_ms, void* self) noexcept {
    auto* connection = static_cast<CurlConnection*>(self);
    if (timeout_ms < 0) {
      connection->timer_.reset();
    } else {
      connection->timer_ = core::Clock::now() + std::chrono::milliseconds(timeout_ms);
    }
    return 0;
  }

  static curl_socket_t OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
    auto* connection = static_cast<CurlConnection*>(self);
    try {
      std::string refusal;
      if (!connection->options_.refuse_address) {
        refusal.clear();
      } else if (address->family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address->addr);
        refusal = connection->options_.refuse_address(core::IpAddress::FromV4(&v4->sin_addr));
      } else if (address->family == AF_INET6) {
        const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address->addr);
        refusal = connection->options_.refuse_address(core::IpAddress::FromV6(&v6->sin6_addr));
      } else {
        refusal = "The address is of an unknown family.";
      }
      if (!refusal.empty()) {
        connection->refusal_ = refusal;
        return CURL_SOCKET_BAD;
      }
      connection->allowed_ = true;
    } catch (...) {
      return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  const DialOptions& options_;
  bool secure_;
  char error_[CURL_ERROR_SIZE] = "";
  std::string refusal_;
  bool allowed_ = false;
  std::optional<core::Clock::time_point> timer_;
  Socket events_;  // an epoll instance that holds libcurl's sockets
  bool done_ = false;
  CURLcode result_ = CURLE_OK;
  int socket_ = -1;
  std::unique_ptr<CURL, EasyDeleter> easy_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
};

class CurlStream : public Stream {
 public:
  CurlStream(std::unique_ptr<CurlConnection> connection, Waiter& waiter)
      : connection_(std::move(connection)), waiter_(waiter) {}

  void Close() noexcept override {
    if (SSL* ssl = connection_->ssl()) {
      SSL_shutdown(ssl);
      ERR_clear_error();
    }
    shutdown(connection_->socket(), SHUT_WR);
  }
  int fd() const override { return connection_->socket(); }
  bool encrypted() const override { return connection_->secure(); }

 protected:
  size_t DoRead(char* to, size_t size) override {
    lookout_.Look(connection_->socket());
    for (;;) {
      if (const auto got = DoTryRead(to, size)) return *got;
      waiter_.Wait(connection_->socket(), Waiter::Interest::kRead);
    }
  }

  std::optional<size_t> DoTryRead(char* to, size_t size) override {
    size_t got = 0;
    const CURLcode code = curl_easy_recv(connection_->easy(), to, size, &got);
    if (code == CURLE_AGAIN) return std::nullopt;
    if (code != CURLE_OK) RaiseTransfer(code);
    if (got == 0) CheckGoodbye();
    return got;
  }

  size_t DoWrite(const iovec* pieces, int count) override {
    for (int i = 0; i < count; i++) {
      if (pieces[i].iov_len == 0) continue;
      for (;;) {
        size_t put = 0;
        const CURLcode code =
            curl_easy_send(connection_->easy(), pieces[i].iov_base, pieces[i].iov_len, &put);
        if (code == CURLE_OK && put > 0) return put;
        if (code != CURLE_OK && code != CURLE_AGAIN) RaiseTransfer(code);
        waiter_.Wait(connection_->socket(), Waiter::Interest::kWrite);
      }
    }
    return 0;
  }

 private:
  // libcurl takes any end for the end. Somebody on the way can cut a TLS connection, but not say
  // goodbye on it.
  void CheckGoodbye() {
    SSL* ssl = connection_->ssl();
    if (ssl != nullptr && (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) == 0) RaiseLost(0);
  }

  [[noreturn]] void RaiseTransfer(CURLcode code) {
    throw Error(sqlstate::kConnectionLost, "connection lost")
        .WithDetail(Cat(curl_easy_strerror(code), "."));
  }

  std::unique_ptr<CurlConnection> connection_;
  Waiter& waiter_;
  Lookout lookout_{waiter_};
};

}  // namespace

std::unique_ptr<Stream> Dial(const Url& url, const DialOptions& options, Waiter& waiter) {
  auto connection = std::make_unique<CurlConnection>(url, options);
  connection->Connect(url, waiter);
  PrepareSocket(connection->socket());
  return std::make_unique<CurlStream>(std::move(connection), waiter);
}

}  // namespace pgsync::net
