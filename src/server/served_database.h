// A worker's life in the database of its peer's session: connected as the bootstrap superuser (a
// role that cannot log in can still share), checked by the gate, from then on the session's role.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/waiter.h"
#include "pg/guard.h"
#include "pg/memory.h"
#include "pg/subxact.h"
#include "server/connection_guard.h"
#include "server/role_settings.h"
#include "session/session_table.h"

namespace pgsync::server {

/// The peer cannot be let in, for a reason that concerns the session alone. What a stranger gets to
/// hear is the same as for an unknown code.
class NotAdmitted : public core::Error {
 public:
  explicit NotAdmitted(const std::string& reason)
      : core::Error(core::sqlstate::kInvalidAuthorization, reason) {}
};

class ServedDatabase {
 public:
  /// Connects and passes the gate: a transaction in which `find` tells whose session the peer has,
  /// and which is committed when this returns, rolled back when it raises. Raises NotAdmitted;
  /// 42501 for a role that was dropped, 53300 for connection limits; a database that cannot be
  /// connected to ends the process (FATAL).
  using FindSession = std::function<session::Session()>;
  ServedDatabase(Oid database, const FindSession& find);
  ServedDatabase(const ServedDatabase&) = delete;
  ServedDatabase& operator=(const ServedDatabase&) = delete;

  const session::Session& session() const { return session_; }
  const std::string& role_name() const { return role_name_; }
  const std::string& database_name() const { return database_name_; }

  /// Of the peer's permanent connection; null for a peer that came with a code.
  ConnectionGuard* guard() const { return guard_.get(); }

  /// Runs what only looks at the extension's own tables, as they are now: within the read
  /// transaction, or, before the first request for data has begun that, in one of its own, so that
  /// who has to wait yet holds no snapshot.
  template <typename Body>
  void Look(Body&& body) {
    if (in_transaction_) {
      Read(body);
      return;
    }
    BeginLook();
    try {
      body();
    } catch (...) {
      AbortLook();
      throw;
    }
    EndLook();
  }

  /// Runs a read request: in the one transaction that lasts until the connection ends (REPEATABLE
  /// READ, READ ONLY), in a subtransaction of its own, as the session's role, within the role's
  /// statement_timeout. Whatever it raises, the snapshot stays.
  template <typename Body>
  void Read(Body&& body) {
    BeginRequest();
    try {
      pg::ContextScope scope(request_memory_.get());
      pg::InSubXact([&] {
        AssertRole();
        body();
      });
    } catch (...) {
      EndRequest();
      throw;
    }
    EndRequest();
  }

  /// Runs a push: in a read-write transaction of its own (READ COMMITTED), as the session's role,
  /// within the role's statement_timeout. It has been committed when this returns; whatever is
  /// raised, by `body` or at commit, has rolled it back.
  template <typename Body>
  void Write(Body&& body) {
    try {
      BeginWrite();
      {
        pg::ContextScope scope(request_memory_.get());
        body();
      }
      CommitWrite();
    } catch (...) {
      AbortWrite();
      throw;
    }
  }
  /// Notes rows that a push has brought, which count against the session's limit.
  void CountRowsTaken(uint64 rows);

  /// When the snapshot was taken; 0: not yet.
  int64 snapshot_at() const { return snapshot_at_; }

 private:
  void PassGate(const FindSession& find);
  void CheckRole();
  void BeginLook();
  void EndLook();
  void AbortLook();
  void BeginRequest();
  void EndRequest();
  void BeginTransaction();
  void BeginWrite();
  void CommitWrite();
  void AbortWrite();
  void AssertRole() const;

  session::Session session_;
  std::unique_ptr<ConnectionGuard> guard_;
  RoleSettings role_settings_;  // made before the database is connected to
  std::string role_name_;
  std::string database_name_;
  pg::OwnedContext request_memory_;
  int64 snapshot_at_ = 0;
  bool in_transaction_ = false;
};

}  // namespace pgsync::server
