// The requests of a PhoenixKit site for data, answered over its WebSocket.
#pragma once

#include <string>

#include "catalog/table.h"
#include "core/phoenix_frame.h"
#include "net/websocket.h"
#include "server/connection_guard.h"
#include "server/push.h"
#include "server/served_database.h"

namespace pgsync::server {

/// An answer failed after a part of it had been sent: all that can be told to the peer is that.
class BrokenAnswer : public core::Error {
 public:
  explicit BrokenAnswer(const core::Error& cause) : core::Error(cause) {}
};

class PhoenixRequests {
 public:
  /// `origin`: where the requests come from.
  PhoenixRequests(ServedDatabase& database, net::WebSocket& socket, RequestOrigin origin)
      : database_(database), socket_(socket), origin_(std::move(origin)) {}

  /// Answers a request, with an error where there is one. What is no request, or has no ref to
  /// answer to, is passed over. Raises BrokenAnswer, and what ends the connection.
  void Handle(const core::PhoenixFrame& frame);

  /// Under which answers go out.
  void set_topic(std::string topic) { topic_ = std::move(topic); }
  /// Values are sent in the form that loses nothing, and does not follow PhoenixKit's.
  void set_lossless(bool lossless) { lossless_ = lossless; }

  const ServedTotals& totals() const { return totals_; }

 private:
  struct Request;
  static const Request kRequests[];

  void Capabilities(const core::PhoenixFrame& frame);
  void Tables(const core::PhoenixFrame& frame);
  void Schema(const core::PhoenixFrame& frame);
  void Count(const core::PhoenixFrame& frame);
  void Records(const core::PhoenixFrame& frame);

  catalog::Table Resolve(const std::string& utf8_name, const char* not_found, bool naming) const;
  void RequireApproved(const std::string& utf8_name, bool first_page);
  void Reply(const char* event, const std::string& fields);
  void Fail(const char* failure, const core::Error& error);

  ServedDatabase& database_;
  net::WebSocket& socket_;
  RequestOrigin origin_;
  std::string topic_;
  bool lossless_ = false;
  std::string ref_;  // of the request at hand, as JSON
  ServedTotals totals_;
};

}  // namespace pgsync::server
