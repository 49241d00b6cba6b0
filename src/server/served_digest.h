// Tables as digests for a peer that compares its own with them (core/digest_protocol.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/digest_protocol.h"
#include "engine/table_digest.h"
#include "net/http_server.h"
#include "server/served_database.h"

namespace pgsync::server {

/// Keeps the digest that was made last: one connection compares one table at a time.
class ServedDigest {
 public:
  ServedDigest(ServedDatabase& database, net::HttpServerConnection& http)
      : database_(database), http_(http) {}

  /// Raises why the rows of the table that a peer calls so may not be looked at now; not in a read
  /// request.
  using Admit = std::function<void(const std::string& name)>;
  /// Finds the table, in a read request. Raises likewise.
  using Resolve = std::function<catalog::Table(const std::string& name)>;
  /// Answers POST digest. Whether the peer has got it.
  bool Make(const net::HttpRequest& request, const Admit& admit, const Resolve& resolve);
  /// Answers POST digest/cells.
  void SendCells(const net::HttpRequest& request, const Admit& admit);
  /// Hands over the rows of the table with these hashes, in a read request that has begun. Raises
  /// 55000 where the digest is of another table.
  uint64_t Rows(const catalog::Table& table, const std::vector<size_t>& positions,
                const std::vector<uint64_t>& hashes, rows::RowConsumer& consumer);

 private:
  struct Kept;
  void Stream(std::function<int(core::DigestStreamWriter&)> make);
  void Discard();

  struct Deleter {
    void operator()(Kept* kept) const;
  };
  ServedDatabase& database_;
  net::HttpServerConnection& http_;
  std::unique_ptr<Kept, Deleter> kept_;
};

}  // namespace pgsync::server
