#include "server/connection_gate.h"

#include "catalog/names.h"
#include "connection/connection.h"
#include "connection/password.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"
#include "pg/settings.h"
#include "server/connection_guard.h"
#include "server/refusal.h"
#include "server/served_database.h"
#include "server/worker_exit.h"
#include "session/connection_session.h"
#include "session/peer_table.h"

extern "C" {
#include "utils/acl.h"
#include "utils/timestamp.h"
}

namespace pgsync::server {

using core::Cat;
using core::Error;
using core::Refusal;
namespace sqlstate = core::sqlstate;

WrongPassword::WrongPassword()
    : core::Error(core::Error(sqlstate::kInvalidPassword, "invalid password")
                      .WithHint("The connection was given a download password; pass it as "
                                "\"password\" besides the token.")) {}

namespace {

Oid RoleOf(const connection::Connection& connection) {
  const Oid role = pg::Call([&] { return get_role_oid(connection.run_as.c_str(), true); });
  if (OidIsValid(role)) return role;
  throw Error(sqlstate::kInsufficientPrivilege,
              "the role of the connection does not exist any more")
      .WithDetail(Cat("Connection \"", connection.name, "\" runs as \"", connection.run_as, "\"."));
}

void NoteConnected(const std::string& uuid) {
  const std::string table = connection::TableOf("sync_connections");
  pg::UserScope owner(catalog::ExtensionOwner());
  pg::CatalogQuery(Cat("UPDATE ", table, " SET last_connected_at = now() WHERE uuid = $1::uuid"),
                   {pg::Param::OfText(uuid)});
}

}  // namespace

bool TakeDownload(const std::string& connection) {
  const std::string table = connection::TableOf("sync_connections");
  pg::UserScope owner(catalog::ExtensionOwner());
  return !pg::CatalogQuery(Cat("UPDATE ", table,
                               " SET downloads_used = downloads_used + 1 WHERE uuid = $1::uuid "
                               "AND (max_downloads IS NULL OR downloads_used < max_downloads) "
                               "RETURNING 1"),
                           {pg::Param::OfText(connection)})
              .empty();
}

session::Session PassConnectionGate(const ShownToken& shown) {
  const auto found = connection::FindSenderByToken(shown.token_hash, connection::Reading::kLocked);
  if (!found) throw NotAdmitted("unknown token");
  const core::Policy policy = connection::PolicyOf(*found);
  core::RequestFacts facts;
  facts.now = pg::Call([] { return GetCurrentTimestamp(); });
  facts.address = shown.address;
  // The work is the same for a lacking one.
  facts.password_right =
      !found->download_password_hash ||
      connection::VerifyPassword(shown.password.value_or(""), *found->download_password_hash);
  const Refusal refusal = core::CheckDownload(policy, facts);
  if (refusal == Refusal::kPassword) throw WrongPassword();
  if (refusal != Refusal::kNone) throw PolicyRefusal(refusal, policy);
  const Oid role = RoleOf(*found);
  if (shown.takes_download) TakeRequest(found->uuid, policy);  // else what it asks for is one
  if (shown.before_taking) shown.before_taking();
  NoteConnected(found->uuid);
  if (shown.takes_download) (void)TakeDownload(found->uuid);  // the row is locked, and has one
  if (!session::PromotePeer()) {
    throw Error(sqlstate::kTooManyConnections, "peer is busy: too many connections")
        .WithDetail(
            Cat("It serves ", pg::settings::max_connections, " at a time (sync.max_connections)."))
        .WithHint("Try again later.");
  }
  const auto session = session::OpenConnectionSession(found->uuid, role, shown.ticket_hash);
  if (!session) {
    throw Error(sqlstate::kTooManyConnections, "peer is busy: too many sessions")
        .WithDetail(Cat("It keeps ", pg::settings::max_sessions, " (sync.max_sessions)."))
        .WithHint("Try again later.");
  }
  exit_state.session = session->id;
  exit_state.connected = true;
  session::NotePeerSession(*session);
  return *session;
}

}  // namespace pgsync::server
