#include "job/transfer_job.h"

#include "client/connect.h"
#include "client/pull.h"
#include "client/stored_connection.h"
#include "client/transfer_history.h"
#include "connection/auto_sync.h"
#include "connection/connection.h"
#include "core/backoff.h"
#include "core/json.h"
#include "core/phoenix_site.h"
#include "core/text.h"
#include "engine/transfer_options.h"
#include "job/own_transaction.h"
#include "net/url.h"
#include "pg/compat.h"
#include "pg/encoding.h"
#include "pg/identity.h"
#include "server/log.h"
#include "session/job_table.h"

extern "C" {
#include "access/xact.h"
#include "pgstat.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
}

namespace pgsync::job {

using connection::Job;
using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr std::chrono::seconds kConnectTimeout{30};
constexpr std::chrono::seconds kFirstRetry{5};
constexpr std::chrono::minutes kLongestRetry{10};
// SET ROLE and SET SESSION AUTHORIZATION fail under it: no trigger that fires becomes the superuser
// as whom the worker is connected.
constexpr int kContext = SECURITY_LOCAL_USERID_CHANGE;

Oid RoleOf(const Job& job) {
  const Oid role = pg::Call([&] { return get_role_oid(job.run_as.c_str(), true); });
  if (!OidIsValid(role)) {
    throw Error(sqlstate::kUndefinedObject, Cat("role \"", job.run_as, "\" does not exist"));
  }
  if (!pg::Call([&] { return pg::database_allows(MyDatabaseId, role, ACL_CONNECT); })) {
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("role \"", job.run_as, "\" may not connect to this database"));
  }
  return role;
}

// For the role of the job, which is the current user.
client::StoredConnection SiteOf(const Job& job) {
  if (job.connection) return client::FindStoredConnection(*job.connection);
  throw Error(sqlstate::kNotFound, "connection of the job does not exist any more");
}

void AssertRole(Oid role) {
  Oid user;
  int context;
  GetUserIdAndSecContext(&user, &context);
  if (user != role || (context & kContext) != kContext) {
    throw Error(sqlstate::kInternal, "worker does not act as the role of its job");
  }
}

std::string TablesJson(const std::vector<engine::TableOutcome>& outcomes) {
  core::JsonWriter tables;
  tables.BeginArray();
  for (const engine::TableOutcome& outcome : outcomes) {
    tables.BeginObject().Field("table", pg::ToUtf8(outcome.table));
    tables.Field("created", outcome.counts.created).Field("updated", outcome.counts.updated);
    tables.Field("skipped", outcome.counts.skipped).Field("deleted", outcome.counts.deleted);
    tables.Field("failed", outcome.error_count).Field("bytes", outcome.bytes);
    tables.Key("errors").Raw(pg::ToUtf8(outcome.errors)).EndObject();
  }
  return pg::FromUtf8(tables.EndArray().Take());
}

// In a transaction of its own: the locks on the tables of this extension are not held while the
// job runs, so that it can be dropped.
client::StoredConnection FindSite(const Job& job) {
  client::StoredConnection site;
  InOwnTransaction([&] {
    const pg::UserScope user(RoleOf(job));
    site = SiteOf(job);
  });
  return site;
}

[[noreturn]] void RaiseStopped() {
  throw Error(sqlstate::kQueryCanceled, "transfer was cancelled");
}

void Transfer(const Job& job, const server::RoleSettings& settings) {
  if (session::BeginJob() != session::JobStop::kNone) RaiseStopped();
  const client::StoredConnection site = FindSite(job);
  BeginOwnTransaction();
  const Oid role = RoleOf(job);
  settings.Apply(role);
  pg::Call([&] {
    SetUserIdAndSecContext(role, kContext);
    if (StatementTimeout > 0) enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
  });
  const net::Url url = net::Url::Parse(core::HttpSpelling(site.url));
  const auto peer = client::ConnectPeer(url, {std::nullopt, site.token, site.password},
                                        client::Protocol::kAuto, kConnectTimeout);
  const auto tables =
      client::SelectTables(*peer, {job.request.tables, job.request.exclude, job.request.parents});
  const auto outcomes = client::PullTables(*peer, 0, url.Display(), tables,
                                           engine::OptionsOf(job.request.words), job.uuid);
  peer->Disconnect();
  AssertRole(role);
  pg::CheckInterrupts();
  if (session::CloseJobToCancel() != session::JobStop::kNone) RaiseStopped();
  const session::QueueEntry done = client::ReceivedEntry(site.uuid, outcomes);
  connection::CompleteJob(job, done, TablesJson(outcomes));
  AssertRole(role);  // for the triggers that fire now
  pg::Call([] { disable_timeout(STATEMENT_TIMEOUT, false); });
  CommitOwnTransaction();
  client::hand_to_writer(done);
}

// The peer was lost, is busy or just starting; it may be there again soon. A peer that was silent
// for too long is one of them, where the error is the client's own, and not statement_timeout.
bool MayWorkLater(const core::SqlState& state, bool from_server) {
  return (state.Class() == "08" && state != sqlstate::kProtocolViolation) ||
         state == sqlstate::kTooManyConnections || state == sqlstate::kCannotConnectNow ||
         (state == sqlstate::kQueryCanceled && !from_server);
}

// Why a job was stopped, in a transaction.
std::string ReasonOf(session::JobStop stop, const Job& job) {
  if (stop == session::JobStop::kCancelled) return "cancelled on request";
  std::optional<connection::Connection> found;
  if (job.connection) found = connection::FindByUuid(*job.connection);
  if (!found) return "its connection was deleted";
  if (found->status == core::ConnectionStatus::kActive) return "its connection was changed";
  return Cat("its connection is ", core::ConnectionStatusName(found->status));
}

// Whether the job has failed for good.
bool NoteFailure(const Job& job, const Error& error, bool from_server) {
  const bool stopped = session::HoldJob() != session::JobStop::kNone;
  pg::Call([] {
    disable_timeout(STATEMENT_TIMEOUT, false);
    AbortCurrentTransaction();
  });
  std::string text = error.message();
  if (!error.detail().empty()) text = Cat(text, "\nDETAIL: ", error.detail());
  const bool again = !stopped && MayWorkLater(error.state(), from_server) &&
                     job.attempts < connection::kMaxAttempts;
  if (again) {
    const std::chrono::milliseconds wait =
        core::BackoffAfter(job.attempts, kFirstRetry, kLongestRetry);
    InOwnTransaction([&] { connection::RetryJob(job, text, wait.count()); });
  }
  // Also where it was stopped just now, while it was about to be tried again.
  const session::JobStop stop = session::CloseJobToCancel();
  const bool cancelled = stop != session::JobStop::kNone;
  if (cancelled) {
    InOwnTransaction([&] {
      text = ReasonOf(stop, job);
      connection::EndJob(job, connection::JobEnd::kCancelled, text);
    });
  } else if (!again) {
    InOwnTransaction([&] { connection::EndJob(job, connection::JobEnd::kFailed, text); });
  }
  server::LogMessage(Cat("sync job ", job.uuid,
                         cancelled ? " was cancelled: "
                         : again   ? " will be tried again: "
                                   : " failed: ",
                         cancelled ? text : error.message()),
                     cancelled ? std::string() : error.detail());
  return !cancelled && !again;
}

}  // namespace

void RunTransferJob(const Job& job, const server::RoleSettings& settings) {
  pg::Call([&] {
    const char* activity = psprintf("job %s", job.uuid.c_str());
    pgstat_report_activity(STATE_RUNNING, activity);
  });
  std::optional<Error> failure;
  bool from_server = false;
  try {
    Transfer(job, settings);
  } catch (const pg::PgError& error) {
    failure = error.ToError();
    from_server = true;
  } catch (const Error& error) {
    failure = error;
  } catch (const std::bad_alloc&) {
    failure = Error(sqlstate::kOutOfMemory, "out of memory");
  }
  const bool failed = failure && NoteFailure(job, *failure, from_server);
  if (!job.request.automatic || !job.connection || (failure && !failed)) return;
  InOwnTransaction([&] { connection::NoteAutoSyncEnd(*job.connection, failed); });
}

}  // namespace pgsync::job
