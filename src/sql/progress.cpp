// sync_progress(): who is transferring what.
#include "session/progress_table.h"

#include "pg/identity.h"
#include "sql/function.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "utils/acl.h"
#include "utils/timestamp.h"
}

namespace pgsync::sql {

PGSYNC_FUNCTION(pgsync_progress) {
  SetResult result(fcinfo);
  for (const session::Progress& line : session::ListProgress()) {
    const bool visible = pg::Call([&] {
      return superuser() || is_member_of_role(GetUserId(), line.role) ||
             is_member_of_role(GetUserId(), ROLE_PG_MONITOR);
    });
    if (!visible) continue;
    const double seconds =
        static_cast<double>(pg::Call([] { return GetCurrentTimestamp(); }) - line.started_at) / 1e6;
    const double rate = seconds > 0 ? static_cast<double>(line.rows_done) / seconds : 0;
    Cell total, estimated_end;
    if (line.rows_total >= 0) {
      total = std::to_string(line.rows_total);
      const int64 left = line.rows_total - line.rows_done;
      if (rate > 0 && left >= 0) {
        const double end = seconds + static_cast<double>(left) / rate;
        estimated_end = TimestampCell(line.started_at + static_cast<int64>(end * 1e6));
      }
    }
    result.Add({std::to_string(line.pid), line.transfer,
                line.client != 0 ? Cell(std::to_string(line.client)) : Cell(), line.peer,
                pg::RoleName(line.role), line.direction, line.table, line.phase,
                std::to_string(line.rows_done), total, std::to_string(line.bytes),
                std::to_string(rate), TimestampCell(line.started_at), estimated_end});
  }
  return result.Done();
}

}  // namespace pgsync::sql
