// What a peer of a permanent connection may do, looked up anew at each of its requests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "catalog/table.h"
#include "core/policy.h"
#include "net/http_message.h"

namespace pgsync::server {

/// Where a request comes from.
struct RequestOrigin {
  core::IpAddress address;
  std::string user_agent;

  /// The address behind trusted proxies, and what the peer calls itself, without what is not
  /// printable.
  static RequestOrigin Of(const net::HttpRequest& request, const core::IpAddress& socket);
};

/// Counts a request against the rate of a connection. Raises 53400 where that is exceeded.
void TakeRequest(const std::string& connection, const core::Policy& policy);

/// Belongs to one worker and one connection. What it raises is for the peer: 42501, 53400, or
/// 54000.
class ConnectionGuard {
 public:
  explicit ConnectionGuard(std::string connection);
  ~ConnectionGuard();
  ConnectionGuard(const ConnectionGuard&) = delete;
  ConnectionGuard& operator=(const ConnectionGuard&) = delete;

  /// Reads the connection as it is committed now, counts the request against its rate, and raises
  /// why it is refused. What follows goes by what was read. In a transaction, whatever its
  /// snapshot.
  void BeginRequest(RequestOrigin origin);

  const std::string& connection() const { return connection_; }
  const core::Policy& policy() const { return policy_; }
  const RequestOrigin& origin() const { return origin_; }

  bool Shares(const catalog::TableName& table) const;
  /// Raises 42501 for a table that is not shared, whether or not it exists.
  void RequireShared(const catalog::TableName& table) const;
  /// The same of a table that is there: a partition is part of what may be excluded.
  bool Shares(const catalog::Table& table) const;
  void RequireShared(const catalog::Table& table) const;
  /// Whether the connection names the table among those allowed.
  bool Names(const catalog::TableName& table) const;
  /// Raises 54000 for a page of more rows than one may have.
  void RequirePage(int64_t rows) const;

  /// Raises 42501 unless the rows of these tables may be sent now: those that have to be approved
  /// were, for this call of the peer. What was not asked for yet is asked for, all of it, before
  /// anything is raised. `new_call`: the peer begins to read the tables anew, for which an approval
  /// that was used before does not count.
  void RequireApproved(const std::vector<catalog::TableName>& tables, bool new_call);
  /// The row of sync_transfers that the rows of a table are sent by, once; else empty.
  std::string UseApproval(const catalog::TableName& table);

  /// The peer compares the table by digests: where it asks for no rows then, they were equal, and
  /// the transfer that was approved is completed.
  void NoteCompared(const catalog::TableName& table);

  /// The peer has gone: what was approved and neither sent nor compared is noted in the history as
  /// failed.
  void GiveApprovalsUp();
  /// The same at the end of the process, of a peer that was cut off. Raises nothing.
  void fail_approvals() noexcept;

  /// Records that the last request had reserved and that go back, which the counters may not show
  /// yet.
  void NoteReturned(int64_t records) { returned_ = records; }

 private:
  struct Approved {
    std::string transfer;
    std::string table;  // as the history shows it
    bool used = false;
    bool compared = false;
  };

  bool TryApproval(const catalog::TableName& table);
  void NoteUnused(const Approved& approved) const;
  bool note_unused(const Approved& approved, const char* error) const noexcept;

  std::string connection_;
  core::Policy policy_;
  RequestOrigin origin_;
  std::string address_;  // of the origin, as text
  bool took_approvals_ = false;
  int64_t returned_ = 0;
  std::map<catalog::TableName, Approved> approved_;
};

/// For the end of a process: see ConnectionGuard::fail_approvals().
void fail_open_approvals() noexcept;

}  // namespace pgsync::server
