#include "job/notice_job.h"

#include <optional>
#include <string>

#include "client/connection_site.h"
#include "connection/notices.h"
#include "job/own_transaction.h"
#include "session/job_table.h"

extern "C" {
#include "access/xact.h"
}

namespace pgsync::job {

using client::SiteOutcome;

namespace {

// An answer that the server cannot read is the site's fault, and no reason to end.
client::SiteAnswer Tell(const connection::Notice& notice, const std::string& body) {
  client::SiteAnswer answer;
  try {
    return client::TellSite(notice, body);
  } catch (const pg::PgError& error) {
    if (error.state().Class() == "57") throw;
    answer.outcome = SiteOutcome::kError;
    answer.message = error.message();
  }
  pg::Call([] { AbortCurrentTransaction(); });
  return answer;
}

}  // namespace

bool SendDueNotice() {
  std::optional<connection::Notice> notice;
  std::string body;
  InOwnTransaction([&] {
    notice = connection::TakeDueNotice();
    if (notice) body = client::NoticeBody(*notice);
  });
  if (!notice) return false;
  (void)session::BeginJob();
  const client::SiteAnswer answer = Tell(*notice, body);
  const bool settled = answer.outcome == SiteOutcome::kAnswered ||
                       answer.outcome == SiteOutcome::kNotFound ||
                       answer.outcome == SiteOutcome::kRefused;
  InOwnTransaction([&] { connection::FinishNotice(*notice, settled, answer.message); });
  session::release_job();
  return true;
}

}  // namespace pgsync::job
