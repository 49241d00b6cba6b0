// The only file that instantiates Beast's WebSocket stream.
#include "net/websocket.h"

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/text.h"
#include "net/beast_stream.h"

namespace pgsync::net {

namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using boost::beast::error_code;
using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr char kServerName[] = "sync";
constexpr char kUserAgent[] = "sync";
// How much of a message is read at once, and of one that is written, held back.
constexpr size_t kChunk = 64 * 1024;
// So much of a frame shows that the peer has not gone silent in the middle of it.
constexpr size_t kSignOfLife = 16 * 1024;
// How long the peer may take to see that the socket is closed, and why.
constexpr std::chrono::milliseconds kCloseTime{1000};

// A BeastStream that first gives what was read already, and knows whether a write is under way.
class Layer : public BeastStream {
 public:
  using executor_type = boost::asio::io_context::executor_type;

  Layer(Stream& stream, std::string unread, executor_type executor)
      : BeastStream(stream), unread_(std::move(unread)), executor_(executor) {}

  executor_type get_executor() noexcept { return executor_; }

  /// A write was begun that has not ended: what is on the wire may be half a frame.
  bool writing() const { return writing_; }
  /// From now on there is nothing to be read.
  void EndReading() { ended_ = true; }

  template <typename MutableBuffers>
  size_t read_some(const MutableBuffers& buffers, error_code& error) {
    if (ended_) {
      error = boost::asio::error::eof;
      return 0;
    }
    if (used_ == unread_.size()) return BeastStream::read_some(buffers, error);
    error = {};
    const size_t got = boost::asio::buffer_copy(
        buffers, boost::asio::buffer(unread_.data() + used_, unread_.size() - used_));
    used_ += got;
    return got;
  }

  template <typename ConstBuffers>
  size_t write_some(const ConstBuffers& buffers, error_code& error) {
    writing_ = true;  // and so it stays where this raises
    const size_t put = BeastStream::write_some(buffers, error);
    writing_ = false;
    return put;
  }

  template <typename MutableBuffers>
  size_t read_some(const MutableBuffers& buffers) {
    error_code error;
    const size_t got = read_some(buffers, error);
    if (error) throw boost::system::system_error(error);
    return got;
  }

  template <typename ConstBuffers>
  size_t write_some(const ConstBuffers& buffers) {
    error_code error;
    return write_some(buffers, error);
  }

 private:
  std::string unread_;
  size_t used_ = 0;
  executor_type executor_;
  bool writing_ = false;
  bool ended_ = false;
};

// Beast calls this, found by its argument, when the WebSocket has ended: the stream below is closed
// by whoever owns it.
void teardown(boost::beast::role_type, Layer&, error_code& error) {
  error = {};
}

// No extension is ever agreed upon.
constexpr bool kDeflate = false;
using BeastSocket = websocket::stream<Layer, kDeflate>;

bool HasToken(const HttpHeaders& headers, std::string_view name, std::string_view token) {
  for (const auto& [key, value] : headers) {
    if (boost::beast::iequals(key, boost::beast::string_view(name.data(), name.size())) &&
        http::token_list(value).exists(boost::beast::string_view(token.data(), token.size()))) {
      return true;
    }
  }
  return false;
}

// 16 bytes in Base64.
bool IsSocketKey(const std::string& key) {
  constexpr size_t kDigits = 22;
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return key.size() == kDigits + 2 && key.find_first_not_of(kAlphabet) == kDigits &&
         key.compare(kDigits, 2, "==") == 0;
}

bool IsLoss(error_code error) {
  return error == boost::asio::error::eof || error == http::error::end_of_stream ||
         error == http::error::partial_message || error == boost::asio::error::operation_aborted;
}

}  // namespace

std::string WebSocketProblem(const HttpRequest& request) {
  auto header = [&](const char* name) { return FindHeader(request.headers, name).value_or(""); };
  if (request.method != "GET") return "the method must be GET";
  if (request.version < 11) return "HTTP/1.1 is needed";
  if (header("Host").empty()) return "the header Host is missing";
  if (!HasToken(request.headers, "Connection", "upgrade"))
    return "the header Connection does not say Upgrade";
  if (!HasToken(request.headers, "Upgrade", "websocket"))
    return "the header Upgrade does not say websocket";
  if (header("Sec-WebSocket-Version") != "13")
    return "the header Sec-WebSocket-Version does not say 13";
  if (!IsSocketKey(header("Sec-WebSocket-Key")))
    return "the header Sec-WebSocket-Key is missing or malformed";
  if (FindHeader(request.headers, "Transfer-Encoding") ||
      FindHeader(request.headers, "Content-Length").value_or("0") != "0") {
    return "the request must have no body";
  }
  return std::string();
}

struct WebSocket::Impl : public core::ByteSink {
  Impl(Stream& below, core::Waiter& wait, std::string unread)
      : stream(below), waiter(wait), socket(below, std::move(unread), context.get_executor()) {
    socket.auto_fragment(false);
    socket.text(true);
  }

  // What came so far is a sign of life: the wait begins anew.
  void Alive() {
    unheard = 0;
    if (idle_limit) waiter.set_deadline(core::Clock::now() + *idle_limit);
  }

  // Of the message that is being written.
  void Write(const std::string_view* pieces, size_t count) override {
    size_t size = held.size();
    for (size_t i = 0; i < count; i++)
      size += pieces[i].size();
    if (size < kChunk) {
      for (size_t i = 0; i < count; i++)
        held.append(pieces[i]);
      return;
    }
    std::vector<boost::asio::const_buffer> buffers = {boost::asio::buffer(held)};
    for (size_t i = 0; i < count; i++)
      buffers.emplace_back(pieces[i].data(), pieces[i].size());
    Send(false, buffers);
    held.clear();
  }

  template <typename Buffers>
  void Send(bool last, const Buffers& buffers) {
    begun = !last;
    error_code error;
    socket.write_some(last, buffers, error);
    if (error) RaiseLost(0);
  }

  // What was said last is to arrive: a connection that is closed with bytes left unread is reset.
  void Linger() {
    stream.Close();
    std::array<char, 4096> rest;
    while (stream.ReadSome(rest.data(), rest.size()) > 0) {
    }
  }

  // Runs the end of the conversation, for which there is a moment and nothing goes wrong any more.
  template <typename End>
  void Finally(End end) {
    waiter.set_read_limit(std::nullopt);
    waiter.set_deadline(core::Clock::now() + kCloseTime);
    try {
      end();
    } catch (const Error&) {  // lost, or not in time
    }
    waiter.set_deadline(std::nullopt);
  }

  [[noreturn]] void RaiseBroken(error_code error) {
    if (IsLoss(error)) RaiseLost(0);
    Finally([this] { Linger(); });
    if (error == websocket::error::message_too_big) {
      throw Error(sqlstate::kTooLarge, "message of the peer is too large")
          .WithDetail(Cat("The limit is ", socket.read_message_max(), " bytes."));
    }
    throw Error(sqlstate::kProtocolViolation, "the peer does not speak WebSocket rightly")
        .WithDetail(Cat(error.message(), "."));
  }

  boost::asio::io_context context;  // never run: Beast asks for one
  Stream& stream;
  core::Waiter& waiter;
  BeastSocket socket;
  std::optional<std::chrono::milliseconds> idle_limit;
  size_t unheard = 0;  // bytes since the last sign of life
  std::string held;    // of the message that is being written
  bool begun = false;  // a part of that has been sent
};

WebSocket::WebSocket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->socket.control_callback(
      [this](websocket::frame_type, boost::beast::string_view) { impl_->Alive(); });
}
WebSocket::~WebSocket() = default;

std::unique_ptr<WebSocket> WebSocket::Accept(Stream& stream, core::Waiter& waiter,
                                             const HttpRequest& request, std::string unread) {
  auto impl = std::make_unique<Impl>(stream, waiter, std::move(unread));
  impl->socket.set_option(websocket::stream_base::decorator(
      [](websocket::response_type& response) { response.set(http::field::server, kServerName); }));
  // What Beast looks at, in the form in which it looks for it.
  http::request<http::empty_body> message(http::verb::get, request.target, 11);
  message.set(http::field::host, FindHeader(request.headers, "Host").value_or(""));
  message.set(http::field::connection, "upgrade");
  message.set(http::field::upgrade, "websocket");
  message.set(http::field::sec_websocket_version, "13");
  message.set(http::field::sec_websocket_key,
              FindHeader(request.headers, "Sec-WebSocket-Key").value_or(""));
  error_code error;
  impl->socket.accept(message, error);
  if (error) RaiseLost(0);
  return std::unique_ptr<WebSocket>(new WebSocket(std::move(impl)));
}

std::unique_ptr<WebSocket> WebSocket::Connect(Stream& stream, core::Waiter& waiter,
                                              const std::string& host, const std::string& target,
                                              const HttpHeaders& headers, HttpResponse* answer) {
  auto impl = std::make_unique<Impl>(stream, waiter, std::string());
  impl->socket.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
    request.set(http::field::user_agent, kUserAgent);
    for (const auto& [name, value] : headers)
      request.set(name, value);
  }));
  websocket::response_type response;
  error_code error;
  impl->socket.handshake(response, host, target, error);
  if (error == websocket::error::upgrade_declined) {
    answer->status = static_cast<int>(response.result_int());
    answer->content_type = std::string(response[http::field::content_type]);
    answer->headers.clear();
    for (const auto& field : response) {
      answer->headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    answer->body = std::move(response.body());
    return nullptr;
  }
  if (IsLoss(error)) RaiseLost(0);
  if (error) {
    throw Error(sqlstate::kProtocolViolation, "the peer does not speak WebSocket rightly")
        .WithDetail(Cat(error.message(), "."));
  }
  return std::unique_ptr<WebSocket>(new WebSocket(std::move(impl)));
}

void WebSocket::set_message_limit(size_t bytes) {
  impl_->socket.read_message_max(bytes);
}

void WebSocket::set_idle_limit(std::optional<std::chrono::milliseconds> limit) {
  impl_->idle_limit = limit;
}

std::optional<std::string> WebSocket::ReadText() {
  Impl& impl = *impl_;
  std::string message;
  std::vector<char> chunk(kChunk);
  impl.Alive();
  for (;;) {
    error_code error;
    size_t got = 0;
    try {
      got = impl.socket.read_some(boost::asio::buffer(chunk), error);
    } catch (const Error& lost) {
      // A peer that has closed need not be there any more for the answer.
      if (lost.state() != sqlstate::kConnectionLost || close_code() == CloseCode::kNone) throw;
      error = websocket::error::closed;
    }
    if (error && impl.idle_limit) impl.waiter.set_deadline(std::nullopt);
    if (error == websocket::error::closed) return std::nullopt;
    if (error) impl.RaiseBroken(error);
    impl.unheard += got;
    if (impl.unheard >= kSignOfLife || impl.socket.is_message_done()) impl.Alive();
    if (impl.socket.got_text()) message.append(chunk.data(), got);
    if (!impl.socket.is_message_done() || !impl.socket.got_text()) continue;
    if (impl.idle_limit) impl.waiter.set_deadline(std::nullopt);
    return message;
  }
}

void WebSocket::WriteText(std::string_view text) {
  impl_->Send(true, boost::asio::const_buffer(text.data(), text.size()));
}

core::ByteSink& WebSocket::BeginText() {
  impl_->held.clear();
  return *impl_;
}

void WebSocket::EndText() {
  impl_->Send(true, boost::asio::buffer(impl_->held));
  impl_->held.clear();
}

bool WebSocket::DropText() {
  impl_->held.clear();
  return !impl_->begun;
}

void WebSocket::Close(CloseCode code) {
  Impl& impl = *impl_;
  if (!open()) return;
  impl.Finally([&] {
    error_code error;
    impl.socket.close(websocket::close_reason(static_cast<websocket::close_code>(code)), error);
    if (error) impl.Linger();  // else the peer has closed, too
  });
}

void WebSocket::CloseAtExit(CloseCode code) noexcept {
  Impl& impl = *impl_;
  if (!open()) return;
  try {
    impl.socket.next_layer().EndReading();
    impl.waiter.set_deadline(core::Clock::now());
    error_code error;
    impl.socket.close(websocket::close_reason(static_cast<websocket::close_code>(code)), error);
  } catch (...) {  // the peer does not read
  }
  impl.stream.Close();
}

bool WebSocket::open() const {
  return impl_->socket.is_open() && !impl_->socket.next_layer().writing();
}

CloseCode WebSocket::close_code() const {
  return static_cast<CloseCode>(impl_->socket.reason().code);
}

}  // namespace pgsync::net
