// The native protocol's requests for data, answered (core/native_protocol.h lists them).
#pragma once

#include <string>

#include "catalog/table.h"
#include "net/http_server.h"
#include "server/served_database.h"

namespace pgsync::server {

/// What was served over one connection, for the log.
struct ServedTotals {
  uint64_t rows = 0;
  int tables = 0;
};

class NativeRoutes {
 public:
  NativeRoutes(ServedDatabase& database, net::HttpServerConnection& http, bool local_peer)
      : database_(database), http_(http), local_peer_(local_peer) {}

  /// Answers the request for `operation` (what follows /sync/v1/). Raises what is to be answered
  /// with an error; a stream that has begun is failed or cut here.
  void Handle(const std::string& operation, const net::HttpRequest& request,
              const net::HttpTarget& target);

  const ServedTotals& totals() const { return totals_; }

 private:
  void Tables(const net::HttpTarget& target);
  void Schema(const net::HttpTarget& target);
  void Count(const net::HttpTarget& target);
  void Open(const net::HttpRequest& request);
  void Rows(const net::HttpRequest& request);
  void Reply(const std::string& json);
  catalog::Table Resolve(const std::string& name) const;

  ServedDatabase& database_;
  net::HttpServerConnection& http_;
  bool local_peer_;
  ServedTotals totals_;
};

}  // namespace pgsync::server
