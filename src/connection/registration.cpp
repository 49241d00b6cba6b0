#include "connection/registration.h"

#include "catalog/names.h"
#include "connection/connection.h"
#include "connection/row_change.h"
#include "connection/settings.h"
#include "core/code.h"
#include "core/json.h"
#include "core/text.h"
#include "pg/encoding.h"
#include "pg/identity.h"
#include "pg/query.h"
#include "session/module.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pgsync::connection {

using core::Cat;
using core::ConnectionStatus;
using pg::CatalogQuery;
using pg::Param;

namespace {

// Strangers may leave no more than so many rows here.
constexpr int64 kMaxPending = 100;
// So that with what is put before and after it the name is within its limit.
constexpr size_t kNameExcerpt = 200;
constexpr size_t kTextExcerpt = 500;
constexpr char kByPeer[] = "by the other site";

int64 CountPendingRegistrations() {
  const std::string table = TableOf("sync_connections");
  pg::UserScope owner(catalog::ExtensionOwner());
  return CatalogQuery(Cat("SELECT count(*) FROM ", table,
                          " WHERE status = 'pending' AND direction = 'receiver'"))
      .at(0)
      .Int8(0);
}

// "From: shop", or "From: shop (2)" where there is one.
std::string FreeName(const std::string& site_name) {
  const std::string name =
      Cat("From: ", pg::FromUtf8(core::Excerpt(pg::ToUtf8(site_name), kNameExcerpt)));
  std::string free = name;
  for (int i = 2; FindConnection(free); i++)
    free = Cat(name, " (", i, ")");
  return free;
}

std::string MetadataOf(const Registration& registration) {
  const char* now = pg::Call([] { return timestamptz_to_str(GetCurrentTimestamp()); });
  core::JsonWriter json;
  json.BeginObject();
  json.Field("registered_via", "api");
  json.Field("registered_at", now);
  json.Field("remote_ip", registration.address);
  json.Field("user_agent", core::Excerpt(pg::ToUtf8(registration.user_agent), kTextExcerpt));
  json.EndObject();
  return pg::FromUtf8(json.Take());
}

std::string Insert(const Registration& registration, ConnectionStatus status) {
  const std::string name = FreeName(registration.name);
  const std::string connections = TableOf("sync_connections"), secrets = TableOf("sync_secrets");
  const std::string metadata = MetadataOf(registration);
  const Oid owner_role = catalog::ExtensionOwner();
  // created_by stays null: a person who agrees takes the place of the role.
  pg::UserScope owner(owner_role);
  const auto rows = CatalogQuery(
      Cat("INSERT INTO ", connections,
          " (name, direction, site_url, run_as, auth_token_hash, status, approved_at, metadata) "
          "VALUES ($1, 'receiver', $2, $3, $4, $5, CASE $5 WHEN 'active' THEN now() END, "
          "$6::jsonb) ON CONFLICT DO NOTHING RETURNING uuid"),
      {Param::OfText(name), Param::OfText(registration.site_url),
       Param::OfName(pg::RoleName(owner_role)), Param::OfText(core::HashToken(registration.token)),
       Param::OfText(std::string(core::ConnectionStatusName(status))), Param::OfText(metadata)});
  if (rows.empty()) return std::string();  // another registration was faster
  CatalogQuery(Cat("INSERT INTO ", secrets, " (connection_uuid, token) VALUES ($1::uuid, $2)"),
               {Param::OfText(rows[0].Text(0)), Param::OfText(registration.token)});
  return rows[0].Text(0);
}

core::StatusFacts FactsOf(const Connection& connection) {
  core::StatusFacts facts;
  facts.status = connection.status;
  facts.suspended_by_peer = !connection.suspended_by.has_value();
  facts.peer_approves = connection.direction == Direction::kSender &&
                        connection.approval_mode == core::ApprovalMode::kAutoApprove;
  return facts;
}

// What the peer has done leaves the columns of who has done it null.
void Move(const Connection& connection, ConnectionStatus to) {
  RowChange change;
  change.SetStatus(to);
  if (to == ConnectionStatus::kSuspended) {
    change.Now("suspended_at");
    change.Set("suspended_reason", Param::OfText(std::string(kByPeer)));
  } else if (to == ConnectionStatus::kRevoked) {
    change.Now("revoked_at");
    change.Set("revoked_reason", Param::OfText(std::string(kByPeer)));
  } else {
    if (connection.status == ConnectionStatus::kPending) change.Now("approved_at");
    change.ClearSuspension();
  }
  change.Run(connection.uuid);
}

}  // namespace

Registered Register(const Registration& registration) {
  const session::ModuleState module = session::ReadModuleState();
  if (module.incoming_mode == "deny_all") return {RegisterResult::kDenied, ""};
  if (!IsToken(registration.token) || registration.name.empty()) {
    return {RegisterResult::kInvalid, ""};
  }
  if (module.incoming_mode == "require_password") {
    const std::string expected = module.incoming_password.value_or("");
    // With no password stored nobody can give it.
    if (!registration.password || registration.password->empty() || expected.empty()) {
      return {RegisterResult::kPasswordRequired, ""};
    }
    if (!core::ConstantTimeEqual(*registration.password, expected)) {
      return {RegisterResult::kPasswordWrong, ""};
    }
  }
  if (FindReceiverBySite(registration.site_url)) return {RegisterResult::kExists, ""};
  const bool approve = module.incoming_mode == "require_approval";
  if (approve && CountPendingRegistrations() >= kMaxPending) return {RegisterResult::kTooMany, ""};
  const std::string uuid =
      Insert(registration, approve ? ConnectionStatus::kPending : ConnectionStatus::kActive);
  if (uuid.empty()) return {RegisterResult::kExists, ""};
  return {approve ? RegisterResult::kPending : RegisterResult::kActive, uuid};
}

bool TellStatus(const Connection& connection, ConnectionStatus told) {
  const core::PeerMove move = core::PeerTells(told, FactsOf(connection));
  if (move == core::PeerMove::kChanged) Move(connection, told);
  return move != core::PeerMove::kRefused;
}

std::optional<SenderStatus> AskSenderStatus(const std::string& token_hash) {
  auto connection = FindSenderByToken(token_hash, Reading::kLocked);
  if (!connection) return std::nullopt;
  if (connection->status == ConnectionStatus::kPending &&
      core::PeerTells(ConnectionStatus::kActive, FactsOf(*connection)) ==
          core::PeerMove::kChanged) {
    Move(*connection, ConnectionStatus::kActive);
    connection->status = ConnectionStatus::kActive;
  }
  return SenderStatus{connection->status, connection->name};
}

}  // namespace pgsync::connection
