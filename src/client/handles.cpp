#include "client/handles.h"

#include <algorithm>
#include <map>

#include "core/text.h"
#include "pg/identity.h"

extern "C" {
#include "access/xact.h"
#include "utils/acl.h"
#include "utils/timestamp.h"
}

namespace pgsync::client {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

using Registry = std::map<int, std::shared_ptr<Handle>>;

// Made at first use: nothing that allocates is constructed when the library is loaded.
Registry* registry = nullptr;
int last_id = 0;

std::shared_ptr<Handle> Find(int id) {
  const auto found = registry != nullptr ? registry->find(id) : Registry::iterator();
  if (registry == nullptr || found == registry->end()) {
    throw Error(sqlstate::kNotFound, Cat("client ", id, " not_found"))
        .WithHint("Connections are listed by sync_clients(); sync_connect() makes one.");
  }
  pg::RequireMembership(found->second->role, "that client");
  return found->second;
}

void drop_handles_above(int level) noexcept {
  if (registry == nullptr) return;
  for (auto it = registry->begin(); it != registry->end();) {
    it = it->second->level >= level && it->second->level > 0 ? registry->erase(it) : std::next(it);
  }
}

void at_transaction_end(XactEvent event, void*) {
  if (registry == nullptr) return;
  switch (event) {
    case XACT_EVENT_PRE_PREPARE:
      for (const auto& [id, handle] : *registry) {
        if (handle->level > 0) {
          ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                          errmsg("cannot PREPARE a transaction that has connected to a peer")));
        }
      }
      break;
    case XACT_EVENT_COMMIT:
      for (const auto& [id, handle] : *registry)
        handle->level = 0;
      break;
    case XACT_EVENT_ABORT:
      drop_handles_above(1);
      break;
    default:
      break;
  }
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  if (registry == nullptr) return;
  const int level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_COMMIT_SUB) {
    for (const auto& [id, handle] : *registry)
      handle->level = std::min(handle->level, level - 1);
  } else if (event == SUBXACT_EVENT_ABORT_SUB) {
    drop_handles_above(level);
  }
}

}  // namespace

int AddHandle(std::string url, std::string connection, std::unique_ptr<Peer> peer) {
  auto handle = std::make_shared<Handle>();
  handle->id = ++last_id;
  handle->url = std::move(url);
  handle->connection = std::move(connection);
  handle->role = GetUserId();
  handle->connected_at = pg::Call([] { return GetCurrentTimestamp(); });
  handle->level = pg::Call([] { return GetCurrentTransactionNestLevel(); });
  handle->peer = std::move(peer);
  if (registry == nullptr) registry = new Registry();
  registry->emplace(handle->id, handle);
  return handle->id;
}

UseHandle::UseHandle(int id) : handle_(Find(id)) {
  if (handle_->in_use) {
    throw Error(sqlstate::kObjectInUse, Cat("client ", id, " is in use"))
        .WithDetail("A call that reads from it has not ended.");
  }
  handle_->in_use = true;
}

UseHandle::~UseHandle() {
  handle_->in_use = false;
}

std::vector<std::shared_ptr<Handle>> ListHandles() {
  std::vector<std::shared_ptr<Handle>> handles;
  if (registry == nullptr) return handles;
  for (const auto& [id, handle] : *registry) {
    if (pg::Call([&] { return is_member_of_role(GetUserId(), handle->role); })) {
      handles.push_back(handle);
    }
  }
  return handles;
}

void RemoveHandle(int id) {
  Find(id);
  registry->erase(id);
}

void close_all_handles() noexcept {
  if (registry == nullptr) return;
  for (auto it = registry->begin(); it != registry->end();) {
    it = it->second->in_use ? std::next(it) : registry->erase(it);
  }
}

void register_handle_callbacks() {
  RegisterXactCallback(at_transaction_end, nullptr);
  RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

}  // namespace pgsync::client
