#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "core/text.h"
#include "net/lookout.h"

namespace pgsync::net {

namespace {

// What one TLS record can hold.
constexpr size_t kRecordSize = 16 * 1024;

std::string TakeOpenSslError() {
  char text[256] = "unknown error";
  const unsigned long code = ERR_get_error();
  if (code != 0) ERR_error_string_n(code, text, sizeof(text));
  ERR_clear_error();
  return text;
}

class TlsStream : public Stream {
 public:
  TlsStream(Socket socket, SSL* ssl, core::Waiter& waiter)
      : socket_(std::move(socket)), ssl_(ssl), waiter_(waiter), record_(kRecordSize) {}
  ~TlsStream() override { SSL_free(ssl_); }

  void Handshake() {
    if (Repeat([&] { return SSL_accept(ssl_); }, "TLS handshake failed") == 0) RaiseLost(0);
  }

  void Close() noexcept override {
    if (!broken_) SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  int fd() const override { return socket_.get(); }
  bool encrypted() const override { return true; }

 protected:
  size_t DoRead(char* to, size_t size) override {
    lookout_.Look(socket_.get());
    const int want = static_cast<int>(std::min<size_t>(size, 1 << 30));
    return Repeat([&] { return SSL_read(ssl_, to, want); }, "connection lost");
  }

  std::optional<size_t> DoTryRead(char* to, size_t size) override {
    const int want = static_cast<int>(std::min<size_t>(size, 1 << 30));
    return Once([&] { return SSL_read(ssl_, to, want); }, "connection lost", nullptr);
  }

  // Small pieces are put into one record; a record that could not be written must be offered again
  // from the same bytes, which the buffer keeps.
  size_t DoWrite(const iovec* pieces, int count) override {
    size_t filled = 0;
    for (int i = 0; i < count && filled < kRecordSize; i++) {
      const size_t part = std::min(pieces[i].iov_len, kRecordSize - filled);
      std::memcpy(record_.data() + filled, pieces[i].iov_base, part);
      filled += part;
    }
    return Repeat([&] { return SSL_write(ssl_, record_.data(), static_cast<int>(filled)); },
                  "connection lost");
  }

 private:
  template <typename Operation>
  size_t Repeat(Operation operation, const char* failure) {
    for (;;) {
      core::Waiter::Interest interest = core::Waiter::Interest::kRead;
      if (const auto done = Once(operation, failure, &interest)) return *done;
      waiter_.Wait(socket_.get(), interest);
    }
  }

  // nullopt where it would have to wait, for what `interest` (may be null) then says.
  template <typename Operation>
  std::optional<size_t> Once(Operation operation, const char* failure,
                             core::Waiter::Interest* interest) {
    ERR_clear_error();
    errno = 0;
    const int result = operation();
    if (result > 0) return static_cast<size_t>(result);
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ:
        if (interest != nullptr) *interest = core::Waiter::Interest::kRead;
        return std::nullopt;
      case SSL_ERROR_WANT_WRITE:
        if (interest != nullptr) *interest = core::Waiter::Interest::kWrite;
        return std::nullopt;
      case SSL_ERROR_ZERO_RETURN:
        return 0;
      case SSL_ERROR_SYSCALL:
        broken_ = true;
        ERR_clear_error();
        RaiseLost(errno);
      default:
        broken_ = true;
        throw core::Error(core::sqlstate::kConnectionLost, failure)
            .WithDetail(core::Cat(TakeOpenSslError(), "."));
    }
  }

  Socket socket_;
  SSL* ssl_;
  core::Waiter& waiter_;
  Lookout lookout_{waiter_};
  std::vector<char> record_;
  bool broken_ = false;
};

}  // namespace

TlsServerContext::TlsServerContext(const std::string& certificate_file, const std::string& key_file)
    : context_(SSL_CTX_new(TLS_server_method())) {
  if (context_ == nullptr) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(
      context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  const char* failed = nullptr;
  if (SSL_CTX_use_certificate_chain_file(context_, certificate_file.c_str()) != 1) {
    failed = certificate_file.c_str();
  } else if (SSL_CTX_use_PrivateKey_file(context_, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
             SSL_CTX_check_private_key(context_) != 1) {
    failed = key_file.c_str();
  }
  if (failed != nullptr) {
    const std::string reason = TakeOpenSslError();
    SSL_CTX_free(context_);
    throw core::Error(core::SqlState("F0000"), core::Cat("could not load \"", failed, "\" for TLS"))
        .WithDetail(core::Cat(reason, "."));
  }
}

TlsServerContext::~TlsServerContext() {
  SSL_CTX_free(context_);
}

std::unique_ptr<Stream> AcceptTls(Socket socket, const TlsServerContext& context,
                                  core::Waiter& waiter) {
  SSL* ssl = SSL_new(context.get());
  if (ssl == nullptr) throw std::bad_alloc();
  SSL_set_fd(ssl, socket.get());
  auto stream = std::make_unique<TlsStream>(std::move(socket), ssl, waiter);
  stream->Handshake();
  return stream;
}

}  // namespace pgsync::net
