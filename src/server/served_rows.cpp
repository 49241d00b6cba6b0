#include "server/served_rows.h"

#include <algorithm>

#include "core/text.h"
#include "server/log.h"
#include "server/refusal.h"
#include "session/writer_question.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pgsync::server {

using core::Refusal;
using session::put_text;

namespace {

constexpr std::chrono::milliseconds kPatience{20000};
// Each reservation is a transaction of another process, and after a crash one block is lost: so it
// grows with what has been sent.
constexpr int64 kFirstBlock = 1000;
constexpr int64 kLargestBlock = 64000;

// What is being served; plain data, for the end of the process to find it.
session::QueueEntry served;
bool serving = false;

bool end_served(const char* status, const char* error) noexcept {
  serving = false;
  put_text(served.status, status);
  put_text(served.error, error);
  served.ended_at = GetCurrentTimestamp();
  return session::enqueue(served);
}

void End(const char* status, const std::string& error) {
  if (!serving) return;
  const bool queued = pg::Call([&] { return end_served(status, error.c_str()); });
  if (queued) return;
  LogMessage("sync could not note in the history what it has served",
             core::Cat("Table ", served.table, ", ", served.rows, " rows, of which ",
                       served.reserved, " were reserved, connection ", served.connection,
                       ": the queue (sync.queue_size) is full."));
}

}  // namespace

ServedRows::ServedRows(ConnectionGuard& guard, const catalog::TableName& table,
                       const std::string& role, std::optional<int64> requested)
    : guard_(guard), limited_(guard.policy().max_records_total.has_value()) {
  served = session::QueueEntry();
  served.kind = session::EntryKind::kServed;
  put_text(served.connection, guard.connection().c_str());
  put_text(served.table, table.Display().c_str());
  put_text(served.role, role.c_str());
  put_text(served.address, guard.origin().address.ToString().c_str());
  put_text(served.user_agent, guard.origin().user_agent.c_str());
  served.requested = requested.value_or(0);
  served.started_at = pg::Call([] { return GetCurrentTimestamp(); });
  block_ = requested ? std::clamp<int64>(*requested, 1, kLargestBlock) : kFirstBlock;
  if (limited_ && requested != 0) Reserve();
  put_text(served.transfer, guard.UseApproval(table).c_str());
  serving = true;
}

ServedRows::~ServedRows() {
  if (serving) (void)end_served("failed", "the transfer was cut off");
}

void ServedRows::Reserve() {
  const int64 granted = session::ReserveRecords(guard_.connection(), block_, kPatience);
  left_ += granted;
  served.reserved += granted;
  block_ = std::min(block_ * 2, kLargestBlock);
  if (granted > 0) return;
  throw PolicyRefusal(Refusal::kRecordLimit, guard_.policy());
}

void ServedRows::take_row(TupleTableSlot* slot) {
  if (limited_ && left_ == 0) pg::Enter([this] { Reserve(); });
  left_--;
  served.rows++;
  sender_->take_row(slot);
}

void ServedRows::AddBytes(uint64 bytes) noexcept {
  served.bytes += static_cast<int64>(bytes);
}

void ServedRows::Complete() {
  if (limited_) guard_.NoteReturned(left_);
  End("completed", std::string());
}

void ServedRows::Fail(const std::string& error) {
  if (limited_) guard_.NoteReturned(left_);
  End("failed", error);
}

void fail_served_rows() noexcept {
  if (serving) (void)end_served("failed", "the server ended the connection");
}

}  // namespace pgsync::server
