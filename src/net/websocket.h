// Both ends of a WebSocket (RFC 6455) over a Stream: text messages, no extensions, no subprotocol.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/row_stream.h"
#include "core/waiter.h"
#include "net/http_message.h"
#include "net/stream.h"

namespace pgsync::net {

/// Codes with which a WebSocket is closed (RFC 6455, 7.4.1).
enum class CloseCode : uint16_t {
  kNone = 0,  ///< the close frame of the peer holds none, or there was none
  kNormal = 1000,
  kProtocolError = 1002,
  kBadPayload = 1007,
  kTooBig = 1009,
  kInternalError = 1011
};

/// What is wrong with a request that asks for a WebSocket, as a sentence without full stop; empty
/// where nothing is.
std::string WebSocketProblem(const HttpRequest& request);

class WebSocket {
 public:
  /// The server's end: answers a request, in which WebSocketProblem() has found nothing, with 101.
  /// `unread` is what was read of the stream behind the request. Stream and waiter must outlive it.
  static std::unique_ptr<WebSocket> Accept(Stream& stream, core::Waiter& waiter,
                                           const HttpRequest& request, std::string unread);

  /// The client's end: asks for `target` with these further headers. Null where the peer answers
  /// with something else than 101, which is then in `*answer`. Raises 08P01 for what is no such
  /// answer, 08006 for a lost connection, and what the waiter raises.
  static std::unique_ptr<WebSocket> Connect(Stream& stream, core::Waiter& waiter,
                                            const std::string& host, const std::string& target,
                                            const HttpHeaders& headers, HttpResponse* answer);
  ~WebSocket();

  /// The longest message that ReadText() takes, in bytes.
  void set_message_limit(size_t bytes);
  /// How long ReadText() waits for a frame, a control frame too, or for as much of one as a slow
  /// connection brings; replaces the waiter's deadline. Without it, only the waiter's limits count.
  void set_idle_limit(std::optional<std::chrono::milliseconds> limit);

  /// The next text message, whole; nullopt once the peer has closed (close_code() tells how).
  /// Pings are answered and binary messages passed over on the way. Where the peer breaks the
  /// protocol, the socket is closed with the code for it and 08P01 raised, 54000 for a message
  /// above the limit; 08006 where it is lost, TimeoutError where the waiter raises that.
  std::optional<std::string> ReadText();

  /// Sends a text message.
  void WriteText(std::string_view text);

  /// Begins a text message of whatever length, which goes out in fragments as it is written; then
  /// EndText(). Not more than some 64 kB of it are held back.
  core::ByteSink& BeginText();
  void EndText();
  /// Drops a message that was begun. False where a part of it has been sent: then nothing is left
  /// to be said on this socket but Close().
  bool DropText();

  /// Closes with that code, and waits for a moment for the peer to do so. Does nothing where the
  /// socket is closed or lost. Raises only what interrupts the process.
  void Close(CloseCode code);
  /// The same without waiting for anything, for the end of the process: where a frame is half sent,
  /// or the peer does not read, it just ends.
  void CloseAtExit(CloseCode code) noexcept;

  /// Neither end has closed, as far as is known.
  bool open() const;
  /// With what the peer has closed.
  CloseCode close_code() const;

 private:
  struct Impl;
  explicit WebSocket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pgsync::net
