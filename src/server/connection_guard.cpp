#include "server/connection_guard.h"

#include <algorithm>

#include "connection/approvals.h"
#include "connection/connection.h"
#include "core/native_protocol.h"
#include "core/text.h"
#include "pg/query.h"
#include "pg/settings.h"
#include "server/refusal.h"
#include "session/peer_table.h"
#include "session/rate_table.h"
#include "session/work_schedule.h"
#include "session/writer_question.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pgsync::server {

using catalog::TableName;
using connection::ApprovalState;
using core::Cat;
using core::Error;
using core::Refusal;
namespace sqlstate = core::sqlstate;

namespace {

// For the writer to do its work: it may have to be started, and to wait for a lock.
constexpr std::chrono::milliseconds kWriterPatience{20000};
// When somebody looks whether anything is left of a worker's approvals that nobody has noted.
constexpr int kLookAfterMs = 1000;

ConnectionGuard* this_guard = nullptr;  // of this process, for its end

core::PolicyTable AsPolicy(const TableName& table) {
  return {table.schema, table.name};
}

int64 AskWriter(const session::QueueEntry& entry) {
  const int64 answer = session::AskWriter(entry, kWriterPatience);
  if (answer >= 0) return answer;
  throw Error(sqlstate::kTooManyConnections, "sync could not write")
      .WithHint("The server log tells why.");
}

std::string NewUuid() {
  return pg::CatalogQuery("SELECT gen_random_uuid()")[0].Text(0);
}

// What could not be queued, or was never answered, is found by who looks for it.
void look_for_the_rest() noexcept {
  session::advance_due(MyDatabaseId,
                       TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kLookAfterMs));
}

}  // namespace

RequestOrigin RequestOrigin::Of(const net::HttpRequest& request, const core::IpAddress& socket) {
  RequestOrigin origin;
  // A proxy may add a header of its own behind those that its client has sent.
  origin.address = core::ForwardedAddress(
      socket, net::JoinHeaders(request.headers, "X-Forwarded-For"), pg::settings::trusted_proxies);
  for (char c : net::FindHeader(request.headers, "User-Agent").value_or(""))
    origin.user_agent.push_back(c >= ' ' && c <= '~' ? c : '?');
  return origin;
}

void TakeRequest(const std::string& connection, const core::Policy& policy) {
  const int64 wait = session::TakeRequestOf(connection, policy.rate_limit_requests_per_minute);
  if (wait == 0) return;
  throw PolicyRefusal(Refusal::kRate, policy,
                      {{"Retry-After", std::to_string((wait + USECS_PER_SEC - 1) / USECS_PER_SEC)},
                       {core::kWaitHeader, core::kWaitForRate}});
}

ConnectionGuard::ConnectionGuard(std::string connection) : connection_(std::move(connection)) {
  this_guard = this;
}

ConnectionGuard::~ConnectionGuard() {
  this_guard = nullptr;
}

void ConnectionGuard::BeginRequest(RequestOrigin origin) {
  origin_ = std::move(origin);
  address_ = origin_.address.ToString();
  const auto found = connection::FindByUuid(connection_, connection::Reading::kFresh);
  if (!found) {
    throw Refused(Error(sqlstate::kInsufficientPrivilege, "connection not active")
                      .WithDetail("It does not exist any more."),
                  403);
  }
  policy_ = connection::PolicyOf(*found);
  // What expired because this download was the last one may be brought to its end. That its time is
  // over is seen by the time.
  if (policy_.status == core::ConnectionStatus::kExpired) {
    policy_.status = core::ConnectionStatus::kActive;
  }
  core::RequestFacts facts;
  facts.now = pg::Call([] { return GetCurrentTimestamp(); });
  facts.address = origin_.address;
  facts.records_reserved = returned_;
  const Refusal refusal = core::CheckRequest(policy_, facts);
  if (refusal != Refusal::kNone) throw PolicyRefusal(refusal, policy_);
  TakeRequest(connection_, policy_);
}

bool ConnectionGuard::Shares(const TableName& table) const {
  return core::TableAllowed(policy_, AsPolicy(table));
}

void ConnectionGuard::RequireShared(const TableName& table) const {
  if (!Shares(table)) {
    throw core::RefusalError(Refusal::kTable, policy_, Cat("\"", table.ForMessage(), "\""));
  }
}

bool ConnectionGuard::Shares(const catalog::Table& table) const {
  if (!Shares(table.name)) return false;
  if (!table.is_partition || policy_.excluded_tables.empty()) return true;
  const auto wholes = pg::CatalogQuery(
      "SELECT n.nspname, c.relname FROM pg_partition_ancestors($1) a JOIN pg_class c "
      "ON c.oid = a.relid JOIN pg_namespace n ON n.oid = c.relnamespace",
      {pg::Param::OfOid(table.oid)});
  return std::none_of(wholes.begin(), wholes.end(), [&](const pg::Row& whole) {
    const core::PolicyTable table{whole.Text(0), whole.Text(1)};
    const auto& excluded = policy_.excluded_tables;
    return std::find(excluded.begin(), excluded.end(), table) != excluded.end();
  });
}

void ConnectionGuard::RequireShared(const catalog::Table& table) const {
  if (Shares(table)) return;
  throw core::RefusalError(Refusal::kTable, policy_, Cat("\"", table.name.ForMessage(), "\""));
}

bool ConnectionGuard::Names(const TableName& table) const {
  const auto& allowed = policy_.allowed_tables;
  return std::find(allowed.begin(), allowed.end(), AsPolicy(table)) != allowed.end();
}

void ConnectionGuard::RequirePage(int64_t rows) const {
  if (rows <= policy_.max_records_per_request) return;
  throw Error(sqlstate::kTooLarge, Cat("page of ", rows, " rows is too large"))
      .WithDetail(Cat("The connection allows ", policy_.max_records_per_request,
                      " records a request (max_records_per_request)."));
}

void ConnectionGuard::RequireApproved(const std::vector<TableName>& tables, bool new_call) {
  bool waits = false;
  for (const TableName& table : tables) {
    const auto approved = approved_.find(table);
    if (approved != approved_.end()) {
      if (!new_call || (!approved->second.used && !approved->second.compared)) continue;
      if (!approved->second.used) NoteUnused(approved->second);
      approved_.erase(approved);
    }
    if (core::RequiresApproval(policy_, AsPolicy(table)) && !TryApproval(table)) waits = true;
  }
  if (!waits) return;
  throw PolicyRefusal(Refusal::kApproval, policy_, {{core::kWaitHeader, core::kWaitForApproval}});
}

// False: it has been asked for, and is waited for.
bool ConnectionGuard::TryApproval(const TableName& table) {
  session::QueueEntry entry = {};
  entry.kind = session::EntryKind::kApproval;
  session::put_text(entry.connection, connection_.c_str());
  session::put_text(entry.table, table.Display().c_str());
  session::put_text(entry.address, address_.c_str());
  session::put_text(entry.user_agent, origin_.user_agent.c_str());
  const session::PeerWorker worker = session::ThisPeerWorker();
  entry.worker_pid = worker.pid;
  entry.worker_start = worker.connected_at;
  // As long as another worker is faster in using up what was approved, there may be a next one.
  for (;;) {
    const auto approval = connection::FindApproval(connection_, entry.table);
    if (!approval) {
      session::put_text(entry.transfer, NewUuid().c_str());
      session::put_text(entry.status, "pending_approval");
      (void)AskWriter(entry);
      return false;
    }
    session::put_text(entry.transfer, approval->uuid.c_str());
    switch (approval->state) {
      case ApprovalState::kPending:
        return false;
      case ApprovalState::kApproved:
        session::put_text(entry.status, "approved");
        took_approvals_ = true;  // also where the answer is not waited for
        if (AskWriter(entry) != 1) continue;
        approved_[table] = {approval->uuid, entry.table};
        return true;
      case ApprovalState::kDenied:
        session::put_text(entry.status, "denied");
        (void)AskWriter(entry);
        throw Error(sqlstate::kInsufficientPrivilege,
                    Cat("transfer of table \"", table.ForMessage(), "\" was denied"))
            .WithDetail(approval->denial_reason
                            ? Cat("The reason that was given: ", *approval->denial_reason)
                            : std::string("No reason was given."));
      case ApprovalState::kExpired:
        session::put_text(entry.status, "expired");
        (void)AskWriter(entry);
        throw Error(sqlstate::kInsufficientPrivilege,
                    Cat("approval for table \"", table.ForMessage(), "\" has expired"))
            .WithDetail("Nobody has decided about it in time.")
            .WithHint("Ask again: that makes a new request.");
    }
  }
}

std::string ConnectionGuard::UseApproval(const TableName& table) {
  const auto approved = approved_.find(table);
  if (approved == approved_.end() || approved->second.used) return std::string();
  approved->second.used = true;
  return approved->second.transfer;
}

void ConnectionGuard::GiveApprovalsUp() {
  for (const auto& [table, approved] : approved_) {
    if (!approved.used) NoteUnused(approved);
  }
  approved_.clear();
  if (took_approvals_) pg::Call([] { look_for_the_rest(); });
}

void ConnectionGuard::fail_approvals() noexcept {
  for (const auto& [table, approved] : approved_) {
    if (!approved.used) (void)note_unused(approved, "the server ended the connection");
  }
  if (took_approvals_) look_for_the_rest();
}

void fail_open_approvals() noexcept {
  if (this_guard != nullptr) this_guard->fail_approvals();
}

void ConnectionGuard::NoteCompared(const TableName& table) {
  const auto approved = approved_.find(table);
  if (approved != approved_.end()) approved->second.compared = true;
}

void ConnectionGuard::NoteUnused(const Approved& approved) const {
  pg::Call([&] { (void)note_unused(approved, "the peer left before the rows were sent"); });
}

bool ConnectionGuard::note_unused(const Approved& approved, const char* error) const noexcept {
  session::QueueEntry entry;
  memset(&entry, 0, sizeof(entry));
  entry.kind = session::EntryKind::kServed;
  session::put_text(entry.connection, connection_.c_str());
  session::put_text(entry.transfer, approved.transfer.c_str());
  session::put_text(entry.table, approved.table.c_str());
  session::put_text(entry.status, approved.compared ? "completed" : "failed");
  if (!approved.compared) session::put_text(entry.error, error);
  session::put_text(entry.address, address_.c_str());
  session::put_text(entry.user_agent, origin_.user_agent.c_str());
  entry.started_at = entry.ended_at = GetCurrentTimestamp();
  return session::enqueue(entry);
}

}  // namespace pgsync::server
