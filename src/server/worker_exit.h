// What is left to do when a worker's process ends, wherever that happens.
#pragma once

#include "session/session_table.h"

namespace pgsync::server {

/// What the exit callback needs to know; plain data, for it also runs when no destructor does.
struct ExitState {
  bool connected = false;  // the session counts this connection
  session::SessionId session;
  bool completed = false;
  int unanswered_socket = -1;  // a peer in the clear that waits for its first answer
  /// What is said to a peer that is being served, when the process ends. Raises nothing.
  void (*farewell)(void* argument) = nullptr;
  void* farewell_argument = nullptr;
  bool ended_logged = false;
  char peer[80] = "";
};
extern ExitState exit_state;

/// Queues for the history what was not brought to its end. Before the worker leaves the peers,
/// among whom it is looked for.
void note_unfinished(int, Datum);

/// Gives the session's connection back, if this worker has it.
void leave_session() noexcept;

/// Does that, and says in the log that it has ended unless that was said.
void at_worker_exit(int, Datum);

}  // namespace pgsync::server
