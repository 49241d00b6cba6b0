#include "net/http_client.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/optional.hpp>

#include <limits>

#include "core/text.h"
#include "net/beast_stream.h"

namespace pgsync::net {

namespace http = boost::beast::http;
using boost::beast::error_code;

namespace {

constexpr std::uint32_t kHeadLimit = 64 * 1024;
// What has to be in memory at once is a head, or what stands between two chunks.
constexpr std::size_t kBufferLimit = 2 * kHeadLimit;
constexpr char kUserAgent[] = "sync";

[[noreturn]] void RaiseBroken(error_code error) {
  if (error == http::error::end_of_stream || error == http::error::partial_message ||
      error == boost::asio::error::eof) {
    RaiseLost(0);
  }
  throw core::Error(core::sqlstate::kProtocolViolation, "the peer does not speak HTTP rightly")
      .WithDetail(core::Cat(error.message(), "."));
}

}  // namespace

struct HttpClientConnection::Impl : public core::ByteSource, public core::ByteSink {
  Impl(std::unique_ptr<Stream> below, std::string name)
      : owned(std::move(below)), stream(*owned), host(std::move(name)), buffer(kBufferLimit) {}

  size_t Read(char* to, size_t size) override {
    if (parser->is_done()) return 0;
    auto& body = parser->get().body();
    body.data = to;
    body.size = size;
    error_code error;
    // Returns with what has come: waiting for all of `size` could be waiting for the next request.
    while (body.size == size && !parser->is_done()) {
      http::read_some(stream, buffer, *parser, error);
      if (error == http::error::need_buffer) error = {};
      if (error) {
        clean = false;
        RaiseBroken(error);
      }
    }
    const size_t got = size - body.size;
    clean = parser->is_done();
    return got;
  }

  // Of the body of the request.
  void Write(const std::string_view* pieces, size_t count) override {
    error_code error;
    WriteChunk(stream, pieces, count, error);
    if (error) RaiseBroken(error);
  }

  template <typename Message>
  void SetHead(Message& message, const HttpRequest& request) {
    message.version(11);
    message.method_string(request.method);
    message.target(request.target);
    message.set(http::field::host, host);
    message.set(http::field::user_agent, kUserAgent);
    for (const auto& [name, value] : request.headers)
      message.set(name, value);
  }

  HttpResponse ReadHead(bool to_head);

  std::unique_ptr<Stream> owned;
  BeastStream stream;
  std::string host;
  boost::beast::flat_buffer buffer;
  boost::optional<http::response_parser<http::buffer_body>> parser;
  bool clean = true;
  bool keep_alive = true;
};

HttpClientConnection::HttpClientConnection(std::unique_ptr<Stream> stream, std::string host)
    : impl_(std::make_unique<Impl>(std::move(stream), std::move(host))) {}
HttpClientConnection::~HttpClientConnection() = default;

HttpResponse HttpClientConnection::Send(const HttpRequest& request) {
  Begin(request);
  return impl_->ReadHead(request.method == "HEAD");
}

HttpResponse HttpClientConnection::Receive() {
  return impl_->ReadHead(false);
}

void HttpClientConnection::Begin(const HttpRequest& request) {
  Impl& impl = *impl_;
  impl.clean = false;  // until the response has been read to its end
  http::request<http::string_body> message;
  impl.SetHead(message, request);
  message.body() = request.body;
  message.prepare_payload();
  error_code error;
  http::write(impl.stream, message, error);
  if (error) RaiseBroken(error);
}

core::ByteSink& HttpClientConnection::BeginUpload(const HttpRequest& request) {
  Impl& impl = *impl_;
  impl.clean = false;
  // A peer that works on what it has got must not find out last that there is no more.
  ResetOnClose(impl.owned->fd(), true);
  http::request<http::empty_body> message;
  impl.SetHead(message, request);
  message.chunked(true);
  http::request_serializer<http::empty_body> serializer(message);
  error_code error;
  http::write_header(impl.stream, serializer, error);
  if (error) RaiseBroken(error);
  return impl;
}

bool HttpClientConnection::Answered() {
  Impl& impl = *impl_;
  if (impl.buffer.size() > 0) return true;
  constexpr size_t kSome = 4096;
  const auto space = impl.buffer.prepare(kSome);
  const auto got = impl.owned->TryRead(static_cast<char*>(space.data()), kSome);
  if (!got) return false;
  if (*got == 0) RaiseLost(0);
  impl.buffer.commit(*got);
  return true;
}

HttpResponse HttpClientConnection::EndUpload() {
  error_code error;
  WriteLastChunk(impl_->stream, error);
  if (error) RaiseBroken(error);
  HttpResponse response = impl_->ReadHead(false);
  ResetOnClose(impl_->owned->fd(), false);
  return response;
}

HttpResponse HttpClientConnection::Impl::ReadHead(bool to_head) {
  HttpResponse response;
  error_code error;
  for (;;) {
    parser.emplace();
    parser->header_limit(kHeadLimit);
    parser->body_limit(boost::none);
    if (to_head) parser->skip(true);
    http::read_header(stream, buffer, *parser, error);
    if (error) RaiseBroken(error);
    if (parser->get().result_int() >= 200) break;
    // An interim response; the real one follows.
  }
  const auto& head = parser->get();
  response.status = static_cast<int>(head.result_int());
  response.content_type = std::string(head[http::field::content_type]);
  for (const auto& field : head) {
    response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  keep_alive = parser->keep_alive();
  clean = parser->is_done();
  return response;
}

std::string HttpClientConnection::ReadBody(size_t limit) {
  std::string body;
  char chunk[16 * 1024];
  for (;;) {
    const size_t got = impl_->Read(chunk, sizeof(chunk));
    if (got == 0) {
      if (impl_->parser->is_done()) return body;
      continue;
    }
    if (body.size() + got > limit) {
      throw core::Error(core::sqlstate::kTooLarge, "reply of the peer is too large")
          .WithDetail(core::Cat("The limit is ", limit, " bytes."));
    }
    body.append(chunk, got);
  }
}

core::ByteSource& HttpClientConnection::body() {
  return *impl_;
}
bool HttpClientConnection::reusable() const {
  // What came unasked would be taken for the answer to the next request.
  return impl_->clean && impl_->keep_alive && impl_->buffer.size() == 0;
}
Stream& HttpClientConnection::stream() const {
  return *impl_->owned;
}

}  // namespace pgsync::net
