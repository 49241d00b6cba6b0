#include "server/peer_database.h"

#include "core/waiter.h"
#include "net/http_message.h"
#include "pg/settings.h"
#include "pg/wait.h"
#include "session/database_table.h"

extern "C" {
#include "commands/dbcommands.h"
}

namespace pgsync::server {

namespace {

using core::Clock;
using session::DatabaseState;
using std::chrono::milliseconds;

// A server that has just started has not looked into all of its databases.
constexpr milliseconds kPatience{10000};
constexpr milliseconds kLookAgain{50};

DatabaseState WaitForState(Oid database) {
  const auto until = Clock::now() + kPatience;
  DatabaseState state = session::GetDatabaseState(database);
  while (state == DatabaseState::kUnknown && Clock::now() < until) {
    pg::Sleep(kLookAgain);
    state = session::GetDatabaseState(database);
  }
  return state;
}

}  // namespace

std::optional<PeerDatabase> FindPeerDatabase(std::string_view prefix, PathPrefix meaning) {
  std::string name = net::FirstSegment(prefix);
  auto oid = session::FindDatabase(name);
  if (!oid && (name.empty() || meaning == PathPrefix::kAny)) {
    name = pg::settings::database;
    oid = session::FindDatabase(name);
  }
  if (!oid || !pg::settings::DatabaseServed(name.c_str()) ||
      WaitForState(*oid) != DatabaseState::kEnabled) {
    return std::nullopt;
  }
  return PeerDatabase{*oid, std::move(name)};
}

bool HasName(const std::string& name) {
  const char* actual = pg::Call([] { return get_database_name(MyDatabaseId); });
  if (actual != nullptr && name == actual) return true;
  if (actual != nullptr) session::NoteDatabaseName(MyDatabaseId, actual);
  return false;
}

}  // namespace pgsync::server
