#include "server/peer_database.h"

#include "net/http_message.h"
#include "pg/settings.h"
#include "session/database_table.h"

extern "C" {
#include "commands/dbcommands.h"
}

namespace pgsync::server {

std::optional<PeerDatabase> FindPeerDatabase(std::string_view prefix, PathPrefix meaning) {
  std::string name = net::FirstSegment(prefix);
  auto oid = session::FindDatabase(name);
  if (!oid && (name.empty() || meaning == PathPrefix::kAny)) {
    name = pg::settings::database;
    oid = session::FindDatabase(name);
  }
  if (!oid || !pg::settings::DatabaseServed(name.c_str()) ||
      session::GetDatabaseState(*oid) != session::DatabaseState::kEnabled) {
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
