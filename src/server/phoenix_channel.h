// A PhoenixKit site that is connected: the channel of its session, over its WebSocket.
#pragma once

#include <memory>
#include <string>

#include "core/phoenix_frame.h"
#include "net/http_server.h"
#include "net/websocket.h"
#include "server/admission.h"
#include "server/phoenix_requests.h"

namespace pgsync::server {

class PhoenixChannel {
 public:
  /// Answers a request for the WebSocket: lets the peer in and upgrades, or says why not (null).
  static std::unique_ptr<PhoenixChannel> Open(const net::HttpRequest& request, Admission& admission,
                                              net::HttpServerConnection& http, net::Stream& stream,
                                              core::Waiter& waiter);
  ~PhoenixChannel();
  PhoenixChannel(const PhoenixChannel&) = delete;
  PhoenixChannel& operator=(const PhoenixChannel&) = delete;

  /// Waits for a message and answers it; false once the peer has closed. Whatever it raises has
  /// closed the socket, with a code that says what the matter was.
  bool ServeMessage();

  const ServedTotals& totals() const { return requests_.totals(); }

 private:
  PhoenixChannel(ServedDatabase& database, std::unique_ptr<net::WebSocket> socket,
                 const RequestOrigin& origin);
  void Handle(const core::PhoenixFrame& frame);
  void Join(const core::PhoenixFrame& frame);
  bool IsTopic(std::string_view topic) const;

  ServedDatabase& database_;
  std::unique_ptr<net::WebSocket> socket_;
  PhoenixRequests requests_;
  bool joined_ = false;
};

}  // namespace pgsync::server
