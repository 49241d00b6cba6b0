// The client's end of an HTTP/1.1 connection.
#pragma once

#include <memory>

#include "core/row_stream.h"
#include "net/http_message.h"
#include "net/stream.h"

namespace pgsync::net {

class HttpClientConnection {
 public:
  /// `host` goes into the Host header.
  HttpClientConnection(std::unique_ptr<Stream> stream, std::string host);
  ~HttpClientConnection();

  /// Sends a request and reads the head of the response; its body is then read with ReadBody() or
  /// through body(). Raises 08P01 for what is no HTTP, 08006 for a lost connection.
  HttpResponse Send(const HttpRequest& request);
  /// The same in two steps, with work of one's own between them.
  void Begin(const HttpRequest& request);
  HttpResponse Receive();

  /// Sends the head of a request whose body's length is not known yet: chunks written through the
  /// sink, then EndUpload().
  core::ByteSink& BeginUpload(const HttpRequest& request);
  /// Whether the peer has answered already, before the end of the body: then no more of it is worth
  /// sending. Does not wait.
  bool Answered();
  /// Ends the body, wherever it is, and reads the head of the response as Send() does.
  HttpResponse EndUpload();

  /// Reads the whole body. Raises 54000 above `limit` bytes.
  std::string ReadBody(size_t limit);
  /// The body as a source of bytes.
  core::ByteSource& body();

  /// Nothing of an exchange is left to be read, and the peer keeps the connection open.
  bool reusable() const;
  Stream& stream() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pgsync::net
