// The native protocol's requests for data, answered (core/native_protocol.h lists them).
#pragma once

#include <string>

#include "catalog/table.h"
#include "net/http_server.h"
#include "server/push.h"
#include "server/served_database.h"
#include "server/served_digest.h"

namespace pgsync::server {

class NativeRoutes {
 public:
  /// `next` reads the requests of a push after its first.
  NativeRoutes(ServedDatabase& database, net::HttpServerConnection& http, std::string peer,
               bool local_peer, ReadRequest next)
      : database_(database),
        http_(http),
        peer_(std::move(peer)),
        local_peer_(local_peer),
        next_(std::move(next)),
        digest_(database, http) {}

  /// Answers the request for `operation` (what follows /sync/v1/). Raises what is to be answered
  /// with an error; a stream that has begun is failed or cut here.
  void Handle(const std::string& operation, const net::HttpRequest& request,
              const net::HttpTarget& target);

  const ServedTotals& totals() const { return totals_; }

 private:
  bool Read(const std::string& operation, const net::HttpRequest& request,
            const net::HttpTarget& target);
  bool Push(const std::string& operation, const net::HttpRequest& request);
  void Tables(const net::HttpTarget& target);
  void Schema(const net::HttpTarget& target);
  void Definitions(const net::HttpRequest& request);
  void Count(const net::HttpTarget& target);
  void Open(const net::HttpRequest& request);
  void Digest(const net::HttpRequest& request, bool cells);
  void Rows(const net::HttpRequest& request);
  template <typename Describe>
  void ReplyForEach(const net::HttpRequest& request, Describe describe);
  void Reply(const std::string& json);
  catalog::Table Resolve(const std::string& name) const;
  bool IsNamed(const catalog::TableName& name) const;
  void RequireApproved(const std::vector<std::string>& names, bool new_call);

  ServedDatabase& database_;
  net::HttpServerConnection& http_;
  std::string peer_;  // its address
  bool local_peer_;
  ReadRequest next_;
  ServedDigest digest_;
  ServedTotals totals_;
};

}  // namespace pgsync::server
