// The server's end of an HTTP/1.1 connection.
#pragma once

#include <memory>
#include <optional>

#include "core/row_stream.h"
#include "net/http_message.h"
#include "net/stream.h"

namespace pgsync::net {

/// A request that cannot be read: what is to be answered before the connection is closed.
class BadRequest : public core::Error {
 public:
  BadRequest(int status, std::string message)
      : core::Error(core::sqlstate::kProtocolViolation, std::move(message)), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

struct HttpLimits {
  size_t head = 16 * 1024;
  size_t body = 64 * 1024 * 1024;
};

class HttpServerConnection {
 public:
  explicit HttpServerConnection(Stream& stream);
  ~HttpServerConnection();

  /// Reads a request's head; nullopt where the peer has closed the connection in place of one. The
  /// body is left for ReadBody(). Raises BadRequest, and what the stream raises.
  std::optional<HttpRequest> ReadHead(const HttpLimits& limits);
  /// Reads the rest of the request.
  void ReadBody(HttpRequest& request);

  /// The rest of the request as a source of bytes, of whatever length, in place of ReadBody(): the
  /// peer sends as fast as the source is read. Reading raises BadRequest for what is no body.
  core::ByteSource& StreamBody(const HttpRequest& request);
  /// The request has been read to its end.
  bool body_done() const;
  /// Reads the rest of a body that was begun with StreamBody().
  void SkipBody();

  /// Where it comes before the end of a body that was begun with StreamBody(), the peer may stop
  /// sending, or not: SkipBody() before the next ReadHead().
  void Respond(const HttpResponse& response);

  /// A response whose length is not known yet: chunks written through the sink, then EndStream().
  core::ByteSink& BeginStream(int status, const std::string& content_type,
                              const HttpHeaders& headers = {});
  void EndStream();
  /// A response has begun that is not finished: no other can be sent on this connection.
  bool in_stream() const;

  /// The peer wants the connection to stay open, and all that was sent is whole.
  bool keep_alive() const;
  /// Announces in the next response that the connection will be closed.
  void set_last();

  /// The connection speaks another protocol from here on, in place of an answer to the request that
  /// was read. Returns what was read behind that.
  std::string GiveUp();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pgsync::net
