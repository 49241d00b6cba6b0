// The client's end of a Phoenix channel, as PhoenixKit's Sync speaks it: what to send, and what a
// message that comes means to the call that waits. The answer to a request:X is a response:X whose
// payload has the same "ref".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/phoenix_frame.h"

namespace pgsync::core {

/// The peer says that it cannot do what it was asked for. Raised with SQLSTATE 42P01, 42501 or
/// XX000 by what the text is about, and the text, in UTF-8, as message.
class PhoenixRefusal : public Error {
 public:
  explicit PhoenixRefusal(const std::string& text);
};

/// The peer has closed the channel, or it has failed there: no further answer will come.
class PhoenixClosed : public Error {
 public:
  explicit PhoenixClosed(std::string detail);
};

class PhoenixCaller {
 public:
  /// `topic`: "transfer:<code>".
  explicit PhoenixCaller(std::string topic) : topic_(std::move(topic)) {}

  /// The message that joins the channel; `payload` is JSON.
  std::string Join(std::string_view payload);
  /// The message that asks for "capabilities", "tables" and so on. Only one request is under way at
  /// a time. `fields` writes what the payload has beside the ref.
  std::string Ask(std::string_view what, const std::function<void(JsonWriter&)>& fields = {});
  std::string Heartbeat();

  /// Takes a text message that has come: nullopt where it is not what is waited for (an answer to
  /// something else, too late or twice), else the answer, whose payload is an object, with exact
  /// numbers. Raises what the
  /// peer says instead (28000 for a join that it refuses), 08P01 where the message is none of a
  /// channel. After an answer or a refusal nothing is waited for any more.
  std::optional<PhoenixFrame> Take(std::string_view text);

  bool joined() const { return joined_; }

 private:
  bool TakeReply(const PhoenixFrame& frame);
  bool TakeResponse(const PhoenixFrame& frame);

  std::string topic_;
  int64_t next_ref_ = 1;
  bool joining_ = false;
  bool joined_ = false;
  std::string awaited_;      // the event that answers; empty: none
  std::string awaited_ref_;  // of the request
};

}  // namespace pgsync::core
