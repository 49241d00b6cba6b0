#include "net/http_server.h"

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/optional.hpp>

#include "core/text.h"
#include "net/beast_stream.h"

namespace pgsync::net {

namespace http = boost::beast::http;
using boost::beast::error_code;

namespace {

constexpr unsigned kVersion11 = 11;
// What may be read ahead of the parser.
constexpr size_t kReadSize = 64 * 1024;
constexpr char kServerName[] = "sync";

// Turns what the parser found wrong into the answer for it.
[[noreturn]] void RefuseRequest(error_code error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    throw BadRequest(431, "request head is too large");
  if (error == http::error::body_limit) throw BadRequest(413, "request is too large");
  if (error == http::error::bad_version) throw BadRequest(505, "HTTP version is not supported");
  throw BadRequest(400, core::Cat("malformed request: ", error.message()));
}

bool ConnectionLost(error_code error) {
  return error == http::error::end_of_stream || error == http::error::partial_message ||
         error == boost::asio::error::eof;
}

}  // namespace

struct HttpServerConnection::Impl : public core::ByteSink, public core::ByteSource {
  explicit Impl(Stream& below) : stream(below) {}

  void Write(const std::string_view* pieces, size_t count) override {
    if (to_head) return;
    error_code error;
    WriteChunk(stream, pieces, count, error);
    if (error) RaiseLost(0);
  }

  // Of the body of the request.
  size_t Read(char* to, size_t size) override {
    if (!body_parser || body_parser->is_done()) return 0;
    auto& body = body_parser->get().body();
    body.data = to;
    body.size = size;
    error_code error;
    // Returns with what has come, as a stream does.
    while (body.size == size && !body_parser->is_done()) {
      http::read_some(stream, buffer, *body_parser, error);
      if (error == http::error::need_buffer) error = {};
      if (!error) continue;
      broken = true;
      if (ConnectionLost(error)) RaiseLost(0);
      RefuseRequest(error);
    }
    return size - body.size;
  }

  bool body_done() const {
    if (body_parser) return body_parser->is_done();
    return parser && parser->is_done();
  }

  void Continue(const HttpRequest& request) {
    const auto expect = FindHeader(request.headers, "Expect");
    if (!expect || !boost::beast::iequals(*expect, "100-continue")) return;
    static const std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    error_code error;
    boost::asio::write(stream, boost::asio::const_buffer(kContinue.data(), kContinue.size()),
                       error);
    if (error) RaiseLost(0);
  }

  template <typename Body>
  void SetCommonFields(http::response<Body>& message, const std::string& content_type,
                       const HttpHeaders& headers) {
    message.version(kVersion11);
    message.set(http::field::server, kServerName);
    if (!content_type.empty()) message.set(http::field::content_type, content_type);
    for (const auto& [name, value] : headers)
      message.set(name, value);
    // Where a body was not read, what follows on the connection is not the next request.
    if (last || broken || (!body_parser && !body_done())) keep_alive = false;
    message.keep_alive(keep_alive);
  }

  BeastStream stream;
  boost::beast::flat_buffer buffer;
  boost::optional<http::request_parser<http::string_body>> parser;
  // Takes over from `parser` where the body is read as a stream.
  boost::optional<http::request_parser<http::buffer_body>> body_parser;
  bool broken = false;  // the body was malformed or cut
  bool keep_alive = true;
  bool last = false;
  bool in_stream = false;
  bool to_head = false;  // the request was HEAD: no body in the response
};

HttpServerConnection::HttpServerConnection(Stream& stream)
    : impl_(std::make_unique<Impl>(stream)) {}
HttpServerConnection::~HttpServerConnection() = default;

std::optional<HttpRequest> HttpServerConnection::ReadHead(const HttpLimits& limits) {
  Impl& impl = *impl_;
  impl.to_head = false;
  impl.buffer.max_size(limits.head + kReadSize);
  impl.body_parser.reset();
  impl.broken = false;
  impl.parser.emplace();
  impl.parser->header_limit(static_cast<std::uint32_t>(limits.head));
  impl.parser->body_limit(limits.body);
  error_code error;
  http::read_header(impl.stream, impl.buffer, *impl.parser, error);
  if (error == http::error::end_of_stream) return std::nullopt;
  if (ConnectionLost(error)) RaiseLost(0);
  if (error) RefuseRequest(error);

  const auto& message = impl.parser->get();
  // Where a body ends must not be open to another opinion, such as that of a proxy before us.
  const auto coding = message[http::field::transfer_encoding];
  if (!coding.empty() && (!boost::beast::iequals(coding, "chunked") ||
                          message.count(http::field::content_length) > 0)) {
    throw BadRequest(400, "malformed request: bad Transfer-Encoding");
  }
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.version = static_cast<int>(message.version());
  for (const auto& field : message) {
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  impl.keep_alive = message.keep_alive();
  impl.to_head = message.method() == http::verb::head;
  return request;
}

void HttpServerConnection::ReadBody(HttpRequest& request) {
  Impl& impl = *impl_;
  if (impl.parser->is_done()) return;
  impl.Continue(request);
  error_code error;
  http::read(impl.stream, impl.buffer, *impl.parser, error);
  if (ConnectionLost(error)) RaiseLost(0);
  if (error) RefuseRequest(error);
  request.body = std::move(impl.parser->get().body());
}

core::ByteSource& HttpServerConnection::StreamBody(const HttpRequest& request) {
  Impl& impl = *impl_;
  if (impl.body_done()) return impl;
  impl.Continue(request);
  impl.body_parser.emplace(std::move(*impl.parser));
  impl.body_parser->body_limit(boost::none);
  return impl;
}

bool HttpServerConnection::body_done() const {
  return impl_->body_done();
}

void HttpServerConnection::SkipBody() {
  std::vector<char> rest(kReadSize);
  while (impl_->Read(rest.data(), rest.size()) > 0) {
  }
}

void HttpServerConnection::Respond(const HttpResponse& response) {
  Impl& impl = *impl_;
  http::response<http::string_body> message;
  message.result(static_cast<unsigned>(response.status));
  impl.SetCommonFields(message, response.body.empty() ? "" : response.content_type,
                       response.headers);
  message.content_length(response.body.size());
  if (!impl.to_head) message.body() = response.body;
  error_code error;
  http::response_serializer<http::string_body> serializer(message);
  if (impl.to_head) {
    http::write_header(impl.stream, serializer, error);
  } else {
    http::write(impl.stream, serializer, error);
  }
  if (error && error != http::error::end_of_stream) RaiseLost(0);
}

core::ByteSink& HttpServerConnection::BeginStream(int status, const std::string& content_type,
                                                  const HttpHeaders& headers) {
  Impl& impl = *impl_;
  http::response<http::empty_body> message;
  message.result(static_cast<unsigned>(status));
  impl.SetCommonFields(message, content_type, headers);
  message.chunked(true);
  http::response_serializer<http::empty_body> serializer(message);
  error_code error;
  impl.in_stream = true;
  http::write_header(impl.stream, serializer, error);
  if (error) RaiseLost(0);
  return impl;
}

void HttpServerConnection::EndStream() {
  if (!impl_->to_head) {
    error_code error;
    WriteLastChunk(impl_->stream, error);
    if (error) RaiseLost(0);
  }
  impl_->in_stream = false;
}

bool HttpServerConnection::in_stream() const {
  return impl_->in_stream;
}
bool HttpServerConnection::keep_alive() const {
  return impl_->keep_alive && !impl_->in_stream;
}
void HttpServerConnection::set_last() {
  impl_->last = true;
}

std::string HttpServerConnection::GiveUp() {
  Impl& impl = *impl_;
  impl.keep_alive = false;
  std::string unread = boost::beast::buffers_to_string(impl.buffer.data());
  impl.buffer.clear();
  return unread;
}

}  // namespace pgsync::net
