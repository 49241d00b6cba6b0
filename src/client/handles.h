// The connections of this backend to peers, by the numbers that SQL knows them by.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/peer.h"

namespace pgsync::client {

struct Handle {
  int id = 0;
  std::string url;         ///< without what is secret
  std::string connection;  ///< uuid of the stored connection that it was made with; else empty
  Oid role = InvalidOid;
  int64 connected_at = 0;  ///< TimestampTz
  int level = 0;           ///< of the (sub)transaction that made it, while that runs; 0: committed
  bool in_use = false;     ///< by a call that is running
  std::unique_ptr<Peer> peer;
};

/// Keeps a new connection and returns its number. It is closed if the current (sub)transaction
/// aborts. `connection`: see Handle.
int AddHandle(std::string url, std::string connection, std::unique_ptr<Peer> peer);

/// The handle, for a call that is to use it: raises P0002 for a number that is none, 42501 unless
/// the current user is the role that made it or a member of it, 55006 while another call uses it.
class UseHandle {
 public:
  explicit UseHandle(int id);
  ~UseHandle();
  UseHandle(const UseHandle&) = delete;
  UseHandle& operator=(const UseHandle&) = delete;
  Peer& peer() const { return *handle_->peer; }
  const Handle& handle() const { return *handle_; }

 private:
  std::shared_ptr<Handle> handle_;
};

/// Those that the current user may use.
std::vector<std::shared_ptr<Handle>> ListHandles();
/// Closes and forgets it.
void RemoveHandle(int id);
/// Closes all (DISCARD ALL). Raises nothing.
void close_all_handles() noexcept;

void register_handle_callbacks();

}  // namespace pgsync::client
