// The rows of one table on their way to a peer of a permanent connection: reserved before they are
// sent, counted, and noted in the history whatever becomes of them.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "catalog/names.h"
#include "rows/consumer.h"
#include "server/connection_guard.h"

namespace pgsync::server {

/// One at a time in a process. Stands between the scan and who sends the rows. Unless Complete() is
/// called before it goes, the transfer has failed; also where the process ends first.
class ServedRows : public rows::RowConsumer {
 public:
  /// `requested`: how many rows the peer wants; nullopt: all. Raises 53400 where the connection has
  /// no records left, 53300 where they cannot be reserved now.
  ServedRows(ConnectionGuard& guard, const catalog::TableName& table, const std::string& role,
             std::optional<int64> requested);
  ~ServedRows() override;
  ServedRows(const ServedRows&) = delete;
  ServedRows& operator=(const ServedRows&) = delete;

  /// How many of so many rows can be sent for what was reserved: all of them, unless the connection
  /// limits its records.
  int64 Allowed(int64 rows) const { return limited_ ? std::min(rows, left_) : rows; }

  /// Who is to have the rows.
  ServedRows& Around(rows::RowConsumer& sender) {
    sender_ = &sender;
    return *this;
  }
  /// Raises 53400 for the first row that the connection has not left.
  void take_row(TupleTableSlot* slot) override;
  bool done() const override { return sender_->done(); }

  void AddBytes(uint64 bytes) noexcept;
  void Complete();
  void Fail(const std::string& error);

 private:
  void Reserve();

  ConnectionGuard& guard_;
  rows::RowConsumer* sender_ = nullptr;
  bool limited_;     // the connection has a limit to its records
  int64 left_ = 0;   // of what was reserved
  int64 block_ = 0;  // how much is reserved next
};

/// For the end of a process: whatever is being served has failed. Raises nothing.
void fail_served_rows() noexcept;

}  // namespace pgsync::server
