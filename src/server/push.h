// A push, on the side that receives (core/push_protocol.h): the transfer runs here as it does for
// one that pulls, and what it asks of the other side goes out as the answer to the request that is
// open.
#pragma once

#include <functional>
#include <string>

#include "core/push_protocol.h"
#include "net/http_server.h"
#include "server/served_database.h"

namespace pgsync::server {

/// What was moved over one connection, for the log.
struct ServedTotals {
  uint64_t rows = 0;
  int tables = 0;
};

/// The next request of a connection and the operation that it names (what follows /sync/v1/), of a
/// peer that has shown its ticket; the body has not been read. Raises 08006 where none comes.
struct NextRequest {
  std::string operation;
  net::HttpRequest http;
};
using ReadRequest = std::function<NextRequest()>;

/// Takes a push that begins with the request `open`, up to the answer to its push/commit. Whatever
/// it raises is to be answered with an error; nothing of the push then remains.
void TakePush(ServedDatabase& database, net::HttpServerConnection& http, const std::string& peer,
              const ReadRequest& next, const net::HttpRequest& open, ServedTotals& totals);

}  // namespace pgsync::server
