// The frames of Phoenix channels, version 2 of their JSON serializer, as text messages of a
// WebSocket:
//
//   [join_ref, ref, topic, event, payload]
//
// A reply echoes the ref, in its JSON type, of what it replies to; what is sent unasked has none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"

namespace pgsync::core {

inline constexpr char kJoinEvent[] = "phx_join";
inline constexpr char kReplyEvent[] = "phx_reply";
inline constexpr char kErrorEvent[] = "phx_error";
inline constexpr char kCloseEvent[] = "phx_close";
inline constexpr char kHeartbeatEvent[] = "heartbeat";
/// The topic of heartbeats.
inline constexpr char kPhoenixTopic[] = "phoenix";

class PhoenixFrame {
 public:
  /// Reads a message of a peer; nullopt for whatever is no frame: no JSON, nested too deep, no
  /// array of five elements, a topic or event that is no string. Raises nothing else than that
  /// memory is short. `exact_numbers`: as in JsonLimits.
  static std::optional<PhoenixFrame> Parse(std::string_view text, bool exact_numbers = false);

  const JsonValue& join_ref() const { return document_[0]; }
  const JsonValue& ref() const { return document_[1]; }
  std::string_view topic() const { return Text(2); }
  std::string_view event() const { return Text(3); }
  const JsonValue& payload() const { return document_[4]; }
  /// A member of the payload; null where the payload is no object or has none of that name. A JSON
  /// null is a value.
  const JsonValue* Find(const char* name) const;

 private:
  explicit PhoenixFrame(JsonDocument document) : document_(std::move(document)) {}
  std::string_view Text(rapidjson::SizeType place) const {
    return {document_[place].GetString(), document_[place].GetStringLength()};
  }

  JsonDocument document_;
};

/// A frame without join_ref. `ref` and `payload` are JSON.
std::string WritePhoenixFrame(std::string_view ref, std::string_view topic, std::string_view event,
                              std::string_view payload);

/// The reply "ok" or "error" to a frame with that ref; `response` is JSON.
std::string WritePhoenixReply(const JsonValue& ref, std::string_view topic, std::string_view status,
                              std::string_view response);

}  // namespace pgsync::core
