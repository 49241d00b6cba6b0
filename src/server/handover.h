// How a socket gets from the launcher, which accepts it, to the worker that serves it: over a
// socket file in the data directory, with SCM_RIGHTS. Both ends look at who is at the other
// (SO_PEERCRED), and the worker shows the nonce of its slot. (An abstract socket would be open to
// every local user.)
#pragma once

#include <cstdint>
#include <optional>

#include "net/stream.h"

namespace pgsync::server {

/// The launcher's end: listens. Raises 58030.
net::Socket ListenForWorkers();
/// Accepts one connection; none left: an invalid socket.
net::Socket AcceptWorker(int listener);

/// What a worker says when it comes.
struct WorkerHello {
  int slot = -1;
  uint64_t nonce = 0;
  int pid = 0;  // of the process at the other end, as the kernel tells
};
/// Reads it from a connection that has become readable; nullopt if it is not one of ours.
std::optional<WorkerHello> ReadHello(int connection);
/// Sends the descriptor. False if the worker has gone.
bool SendSocket(int connection, int socket);

/// The worker's end: asks the launcher with that pid for the socket of its slot. Raises 08006.
net::Socket FetchSocket(int launcher_pid, int slot, uint64_t nonce, core::Waiter& waiter);

}  // namespace pgsync::server
