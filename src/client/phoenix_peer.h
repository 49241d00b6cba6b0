// PhoenixKit sites as peers. A site has the tables of schema public, hands them out in pages, and
// takes nothing.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/peer.h"
#include "client/record_feed.h"
#include "net/url.h"

namespace pgsync::client {

/// Spends the code and joins its channel; see PhoenixSocket::Connect().
std::unique_ptr<Peer> ConnectPhoenixByCode(const net::Url& url, const std::string& code,
                                           std::chrono::milliseconds timeout);

/// For a site that FindPhoenixSite() has found: `url` with the path where it is. The hash of the
/// token goes there, which is all that a site knows of it. Raises as PhoenixApi::Call().
std::unique_ptr<Peer> ConnectPhoenixByToken(const net::Url& url, const std::string& token,
                                            std::chrono::milliseconds timeout);

/// What sites have in common, whichever way they are asked.
class PhoenixPeer : public Peer {
 public:
  std::unique_ptr<PushChannel> Push(const core::PushRequest& request) override;
  bool HasSnapshot() const override { return false; }
  std::vector<core::OpenedTable> Open(const std::vector<std::string>& tables) override;
  std::unique_ptr<engine::RowFeed> Rows(const core::RowsRequest& request,
                                        const catalog::Table* target) override;
  void Fetch(const FetchRequest& request,
             const std::function<void(const std::string&)>& take) override;

 protected:
  /// The records of a table from `offset` on; `limit` -1: all.
  virtual std::unique_ptr<RecordPages> Pages(const std::string& table, int64 offset,
                                             int64 limit) = 0;
  virtual core::OpenedTable OpenTable(const std::string& table) = 0;
  /// A table that is read without its definition: its columns are those of its first record.
  core::OpenedTable OpenUndescribed(const std::string& table);

  /// What came in UTF-8.
  static core::TableInfo InThisEncoding(core::TableInfo info);
  static core::TableListEntry InThisEncoding(core::TableListEntry entry);
  /// The name of a table as a site knows it, in UTF-8. Raises 42P01 for one of another schema.
  static std::string NameThere(const std::string& table);

 private:
  std::map<std::string, std::vector<std::string>> keys_;  // of the tables that were opened
};

}  // namespace pgsync::client
