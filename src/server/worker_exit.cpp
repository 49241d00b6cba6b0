#include "server/worker_exit.h"

#include <sys/socket.h>

#include "server/connection_guard.h"
#include "server/served_rows.h"
#include "session/served_session.h"

namespace pgsync::server {

ExitState exit_state;

void note_unfinished(int, Datum) {
  fail_served_rows();
  fail_open_approvals();
}

void leave_session() noexcept {
  if (!exit_state.connected) return;
  exit_state.connected = false;
  session::end_connection(exit_state.session, exit_state.completed);
}

void at_worker_exit(int, Datum) {
  if (exit_state.unanswered_socket >= 0) {
    // Connecting to the database failed in a way that only ends the process.
    static const char kAnswer[] =
        "HTTP/1.1 503 Service Unavailable\r\nServer: sync\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n";
    (void)send(exit_state.unanswered_socket, kAnswer, sizeof(kAnswer) - 1,
               MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  if (exit_state.farewell != nullptr) exit_state.farewell(exit_state.farewell_argument);
  if (!exit_state.connected) return;
  leave_session();
  if (!exit_state.ended_logged) {
    ereport(LOG, (errmsg("sync peer ended: peer=%s result=terminated", exit_state.peer),
                  errhidestmt(true)));
  }
}

}  // namespace pgsync::server
