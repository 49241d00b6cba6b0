#include "job/notice_job.h"

#include <optional>
#include <string>

#include "client/connection_site.h"
#include "connection/notices.h"
#include "job/own_transaction.h"

namespace pgsync::job {

using client::SiteOutcome;

bool SendDueNotice() {
  std::optional<connection::Notice> notice;
  std::string body;
  InOwnTransaction([&] {
    notice = connection::TakeDueNotice();
    if (notice) body = client::NoticeBody(*notice);
  });
  if (!notice) return false;
  const client::SiteAnswer answer = client::TellSite(*notice, body);
  const bool settled = answer.outcome == SiteOutcome::kAnswered ||
                       answer.outcome == SiteOutcome::kNotFound ||
                       answer.outcome == SiteOutcome::kRefused;
  InOwnTransaction([&] { connection::FinishNotice(*notice, settled, answer.message); });
  return true;
}

}  // namespace pgsync::job
