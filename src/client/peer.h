// A peer, as the client functions see it, whatever protocol it speaks.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/push_protocol.h"
#include "engine/transfer.h"

namespace pgsync::client {

struct PeerFacts {
  std::string protocol;   ///< "native"
  std::string version;    ///< of the peer's software
  int64 snapshot_at = 0;  ///< TimestampTz by the peer's clock; 0: none taken yet
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

struct FetchRequest {
  std::string table;
  int64 limit = 100;
  int64 offset = 0;
  std::optional<std::string> after;
};

/// A push that is under way: a transaction of the peer's. Unless Commit() has returned nothing of
/// it stays there: where the object goes before, the connection is given up.
class PushChannel {
 public:
  virtual ~PushChannel() = default;
  /// What the peer wants next.
  virtual const core::PushStep& step() const = 0;
  /// Sends the rows that it wants: `send` writes their stream into the sink, until `answered` says
  /// that the peer has seen enough.
  using Answered = std::function<bool()>;
  virtual void SendRows(
      const std::function<void(core::ByteSink&, const Answered& answered)>& send) = 0;
  /// Raises 08007 where the connection is lost before the peer has said whether it could.
  virtual void Commit() = 0;
};

/// All calls raise the peer's errors with "remote:" in their detail, 08006 where the connection is
/// lost, 57014 where the peer stays silent for longer than the connection's timeout. After an error
/// in the middle of an exchange the connection is given up; the next call makes a new one while the
/// session lasts, with a new snapshot.
class Peer : public engine::TableSource {
 public:
  virtual std::vector<core::TableListEntry> ListTables(const std::optional<std::string>& schema,
                                                       bool exact_counts) = 0;
  virtual core::TableInfo GetSchema(const std::string& table) = 0;
  /// The whole definitions of several tables, for building them here.
  std::vector<core::TableInfo> GetDefinitions(const std::vector<std::string>& tables) override {
    std::vector<core::TableInfo> definitions;
    for (const std::string& table : tables)
      definitions.push_back(GetSchema(table));
    return definitions;
  }
  virtual int64 Count(const std::string& table) = 0;
  /// Calls `take` with each row as JSON text in the database's encoding.
  virtual void Fetch(const FetchRequest& request,
                     const std::function<void(const std::string&)>& take) = 0;

  /// A connection that is lost between Open() and the last of the rows is an error: the snapshot
  /// has gone with it.
  std::vector<core::OpenedTable> Open(const std::vector<std::string>& tables) override = 0;

  /// Begins a push. The peer takes its time over the rows: while a push lasts there is no limit to
  /// its silence, as there is elsewhere.
  virtual std::unique_ptr<PushChannel> Push(const core::PushRequest& request) = 0;

  virtual bool Connected() = 0;
  /// Ends the session, as far as the peer can be told within a moment.
  virtual void Disconnect() = 0;
  virtual PeerFacts Facts() const = 0;
  uint64_t BytesIn() const override { return Facts().bytes_in; }
};

}  // namespace pgsync::client
