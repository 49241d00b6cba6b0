// How a peer gets in: with a code, which it spends for a ticket, with the token of a permanent
// connection, for which it gets one, too, or with that ticket when it comes back. Until then it is
// a stranger, who learns nothing and is made to wait.
#pragma once

#include <memory>
#include <string>

#include "core/cidr.h"
#include "core/waiter.h"
#include "net/http_server.h"
#include "server/connection_gate.h"
#include "server/peer_database.h"
#include "server/served_database.h"

namespace pgsync::server {

/// Requests of a peer that has not shown a code yet are small.
inline constexpr size_t kStrangerLimit = 16 * 1024;

class Admission {
 public:
  /// `address`: that of the socket. `waiter`: has the deadline of a stranger, which ends when the
  /// peer is let in; from then on there is one for its silence.
  Admission(net::HttpServerConnection& http, const net::Stream& stream, core::Waiter& waiter,
            const core::IpAddress& address)
      : http_(http), stream_(stream), waiter_(waiter), socket_address_(address) {}

  /// Answers the request that brings a code or a token. Raises why the peer is not let in.
  void Connect(net::HttpRequest& request);
  /// Comes before a secret of the request is looked at: raises Refused where too many were wrong.
  void BeginGuess(const net::HttpRequest& request);
  /// After a wrong one: the peer learns no more than that, and not at once. Raises 28000.
  [[noreturn]] void RefuseStranger(const char* reason);
  /// Lets a peer in that brings a code, and is to be answered by the caller. With a direction, a
  /// code of the other counts as unknown. Raises why the peer is not let in: 28000 for a code that
  /// is unknown, 55000 for one that is used up. Returns the session's ticket.
  std::string EnterWithCode(const std::string& code, std::optional<session::Direction> direction);
  /// The same for the token of a permanent connection of the database that the prefix of the path
  /// names; takes one of its downloads, after `before_taking`, which may be null, and raise why
  /// not. Raises 28P01 for an unknown token and a wrong password, what the policies say
  /// (PolicyRefusal), 53300 where there is no room.
  std::string EnterWithToken(std::string_view prefix, PathPrefix meaning, const std::string& token,
                             const std::optional<std::string>& password,
                             const std::function<void()>& before_taking);
  /// Lets a request in that has the session's ticket: also the first on a connection, of a peer
  /// that comes back after another was cut. Raises for any other.
  void Authenticate(const net::HttpRequest& request);

  /// Lets a peer in for one request, with the hash of a connection's token and maybe a password, in
  /// UTF-8; nobody comes back to that session. Raises Refused (401) for an unknown token, else as
  /// PassConnectionGate().
  ServedDatabase& EnterForRequest(const net::HttpRequest& request, const PeerDatabase& database,
                                  ShownToken shown);

  /// Where a request comes from: behind a proxy that is trusted, the address of its client.
  core::IpAddress AddressOf(const net::HttpRequest& request) const;
  /// And what the peer calls itself.
  RequestOrigin OriginOf(const net::HttpRequest& request) const;

  /// Null: the peer is a stranger yet.
  ServedDatabase* database() const { return database_.get(); }

 private:
  void OpenWithToken(const PeerDatabase& database, ShownToken shown,
                     const std::function<void(const char* reason)>& refuse);
  void Admit(const session::Session& session);
  void OpenDatabase(Oid database, const ServedDatabase::FindSession& find,
                    const std::function<void(const char* reason)>& refuse);
  static void GiveSessionUp(bool no_room);
  void RequireStranger() const;
  std::string NewTicket();
  void Answer(const std::string& ticket);
  void LogAccepted();
  [[noreturn]] void RefuseToken(const char* reason);
  [[noreturn]] void RaiseInvalidCode();

  net::HttpServerConnection& http_;
  const net::Stream& stream_;
  core::Waiter& waiter_;
  core::IpAddress socket_address_;
  core::IpAddress peer_address_;  // of the request at hand
  std::unique_ptr<ServedDatabase> database_;
  std::string ticket_hash_;
};

}  // namespace pgsync::server
