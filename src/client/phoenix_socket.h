// A joined channel of a PhoenixKit site, over a WebSocket that a code has opened.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/json.h"
#include "core/phoenix_caller.h"
#include "net/stream.h"
#include "net/url.h"
#include "net/websocket.h"
#include "pg/wait.h"

namespace pgsync::client {

/// Waits as a backend must, and meanwhile tells the site at its time that we are still there.
class BeatingWaiter : public pg::LatchWaiter {
 public:
  bool WaitUntil(int fd, Interest interest, std::optional<core::Clock::time_point> until) override;

  std::function<void()> beat;  ///< sends the heartbeat and sets the next `due`
  std::optional<core::Clock::time_point> due;
};

class PhoenixSocket {
 public:
  PhoenixSocket(net::Url url, std::chrono::milliseconds timeout)
      : url_(std::move(url)), timeout_(timeout) {}
  ~PhoenixSocket() { Drop(); }
  PhoenixSocket(const PhoenixSocket&) = delete;
  PhoenixSocket& operator=(const PhoenixSocket&) = delete;

  /// Connects, spends the code and joins its channel. Where no path was typed and nothing is found
  /// there, the site is looked for where PhoenixKit is by default. Raises 08001, 42501, 57014 and
  /// what the site says: 28000 for a code that it does not know, 55000 for one that is used up.
  void Connect(const std::string& code);

  /// One request and its answer, numbers in it exact. Raises core::PhoenixRefusal, after
  /// which the channel can still be used; after all else it cannot: 08006 where it is lost, 57014
  /// where no answer comes in time, 08P01 for an answer that is none.
  core::PhoenixFrame Request(const std::string& what,
                             const std::function<void(core::JsonWriter&)>& fields = {});

  /// Waits, and lets the site know meanwhile that we are still there.
  void Idle(std::chrono::milliseconds duration);

  bool Connected();
  /// Says goodbye and closes.
  void Close();

  const net::Url& url() const { return url_; }
  uint64_t bytes_in() const { return earlier_in_ + (stream_ ? stream_->bytes_in() : 0); }
  uint64_t bytes_out() const { return earlier_out_ + (stream_ ? stream_->bytes_out() : 0); }

 private:
  void Open(const std::string& code);
  bool Upgrade(const std::string& prefix, const std::string& code, bool last);
  void Join(const std::string& code);
  core::PhoenixFrame Await(std::chrono::milliseconds limit);
  std::optional<core::PhoenixFrame> Take(const std::string& text);
  void Beat();
  void Drop() noexcept;
  [[noreturn]] void RaiseClosed() const;

  /// Runs an exchange; whatever it throws but a refusal, the channel is of no use any more.
  template <typename Body>
  auto Guarded(Body&& body) -> decltype(body());

  net::Url url_;
  std::chrono::milliseconds timeout_;
  BeatingWaiter waiter_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<net::WebSocket> socket_;
  std::optional<core::PhoenixCaller> caller_;
  std::string doing_;  ///< the request under way, for the reason of a crash there
  uint64_t earlier_in_ = 0, earlier_out_ = 0;
};

}  // namespace pgsync::client
