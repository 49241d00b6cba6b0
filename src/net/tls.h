// TLS on the server's side. (The client's side is libcurl's, see net/dialer.h.)
#pragma once

#include <memory>
#include <string>

#include "net/stream.h"

struct ssl_ctx_st;

namespace pgsync::net {

/// A server's certificate and key, loaded from files. A worker loads them anew, so that changed
/// files count without a restart.
class TlsServerContext {
 public:
  /// Raises F0000 where a file cannot be read or does not fit the other.
  TlsServerContext(const std::string& certificate_file, const std::string& key_file);
  ~TlsServerContext();
  TlsServerContext(const TlsServerContext&) = delete;
  TlsServerContext& operator=(const TlsServerContext&) = delete;

  ssl_ctx_st* get() const { return context_; }

 private:
  ssl_ctx_st* context_;
};

/// Does the handshake of a server. Raises 08006 where the peer does not, or not rightly.
std::unique_ptr<Stream> AcceptTls(Socket socket, const TlsServerContext& context,
                                  core::Waiter& waiter);

}  // namespace pgsync::net
