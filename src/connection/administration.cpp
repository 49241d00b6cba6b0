#include "connection/administration.h"

#include "catalog/names.h"
#include "connection/notices.h"
#include "connection/password.h"
#include "connection/row_change.h"
#include "core/code.h"
#include "core/json.h"
#include "core/text.h"
#include "pg/encoding.h"
#include "pg/identity.h"
#include "pg/query.h"
#include "session/connection_session.h"

extern "C" {
#include "utils/acl.h"
#include "utils/timestamp.h"
}

namespace pgsync::connection {

using core::Cat;
using core::ConnectionStatus;
using core::Error;
using core::StatusMove;
using pg::CatalogQuery;
using pg::Param;
namespace sqlstate = core::sqlstate;

namespace {

std::string CurrentRole() {
  return pg::RoleName(GetUserId());
}

// Raises unless the current user may let a peer act as that role.
void RequireRunAs(const std::string& name) {
  const Oid role = pg::Call([&] { return get_role_oid(name.c_str(), true); });
  if (!OidIsValid(role)) {
    throw Error(sqlstate::kUndefinedObject, Cat("role \"", name, "\" does not exist"))
        .WithDetail("A connection acts as that role.")
        .WithHint("Set another with sync_update_connection() and the setting \"run_as\".");
  }
  if (pg::Call([&] { return is_member_of_role(GetUserId(), role); })) return;
  throw Error(sqlstate::kInsufficientPrivilege, "permission denied for that connection")
      .WithDetail(Cat("It acts as role \"", name, "\", of which the current role is no member."));
}

void WarnOfSuperuser(const std::string& name) {
  pg::Call([&] {
    if (!superuser_arg(get_role_oid(name.c_str(), false))) return;
    ereport(WARNING, (errmsg("the peer will act as a superuser"),
                      errhint("Give the connection a role that may do only what the peer needs.")));
  });
}

void NoticeUseless(const ConnectionSettings& settings, Direction direction) {
  for (const std::string& key : settings.UselessFor(direction)) {
    pg::Call([&] {
      ereport(NOTICE, (errmsg("setting \"%s\" has no effect on a %s connection", key.c_str(),
                              DirectionName(direction))));
    });
  }
}

std::string OwnUrlMetadata(const std::string& own_url) {
  return pg::FromUtf8(
      core::JsonWriter().BeginObject().Field("own_url", pg::ToUtf8(own_url)).EndObject().Take());
}

void SetReceiverPassword(const std::string& uuid, const std::string& password) {
  const std::string table = TableOf("sync_secrets");
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(
      Cat("UPDATE ", table, " SET password = nullif($2, '') WHERE connection_uuid = $1::uuid"),
      {Param::OfText(uuid), Param::OfText(password)});
}

// Writes the settings to a row that is there.
void Apply(const ConnectionSettings& settings, const std::string& uuid, Direction direction) {
  RowChange change;
  for (const ConnectionSettings::Column& column : settings.columns)
    change.Set(column.name, column.value, column.type);
  if (settings.name) change.Set("name", Param::OfText(*settings.name));
  if (settings.run_as) change.Set("run_as", Param::OfName(*settings.run_as), "name");
  if (settings.metadata) change.MergeMetadata(*settings.metadata);
  if (settings.own_url) change.MergeMetadata(OwnUrlMetadata(*settings.own_url));
  if (settings.download_password) {
    const std::string& password = *settings.download_password;
    if (direction == Direction::kReceiver) {
      SetReceiverPassword(uuid, password);
    } else {
      change.Set(
          "download_password_hash",
          Param::OfText(password.empty() ? std::nullopt : std::optional(BuildVerifier(password))));
    }
  }
  change.Run(uuid);
}

[[noreturn]] void RefuseDuplicate(const std::string& detail) {
  throw Error(sqlstate::kUniqueViolation, "connection already exists").WithDetail(detail);
}

// Others may be about to add the same: then the constraints of the table say so.
void RequireNew(const NewConnection& request, const std::string& token_hash) {
  if (FindConnection(request.name)) {
    RefuseDuplicate(Cat("There is a connection with the name \"", request.name, "\"."));
  }
  const std::string table = TableOf("sync_connections");
  pg::UserScope owner(catalog::ExtensionOwner());
  const std::string direction = DirectionName(request.direction);
  if (!CatalogQuery(Cat("SELECT 1 FROM ", table, " WHERE site_url = $1 AND direction = $2"),
                    {Param::OfText(request.site_url), Param::OfText(direction)})
           .empty()) {
    RefuseDuplicate(
        Cat("There is a ", direction, " connection with the site ", request.site_url, "."));
  }
  if (request.direction == Direction::kSender && FindSenderByToken(token_hash)) {
    RefuseDuplicate("Its token is that of another connection.");
  }
}

core::StatusFacts FactsOf(const Connection& connection) {
  core::StatusFacts facts;
  facts.status = connection.status;
  facts.suspended_by_peer = !connection.suspended_by.has_value();
  return facts;
}

// The connection, locked, if its status lets an administrator do that.
Connection ForMove(const std::string& name_or_uuid, StatusMove move, const char* what) {
  Connection connection = GetConnection(name_or_uuid, Reading::kLocked);
  if (core::AdministratorMay(move, FactsOf(connection))) return connection;
  Error error(sqlstate::kNotInPrerequisiteState, Cat("connection cannot be ", what));
  const std::string detail =
      Cat("Its status is \"", core::ConnectionStatusName(connection.status), "\".");
  if (connection.status == ConnectionStatus::kRevoked) {
    throw std::move(error).WithDetail(detail).WithHint(
        "To revoke is final: delete the connection and create a new one.");
  }
  throw std::move(error).WithDetail(detail);
}

void RequireWithinLimits(const Connection& connection) {
  core::Policy policy = PolicyOf(connection);
  policy.status = ConnectionStatus::kActive;
  if (!core::ShouldExpire(policy, pg::Call([] { return GetCurrentTimestamp(); }))) return;
  throw Error(sqlstate::kNotInPrerequisiteState, "connection would expire at once")
      .WithDetail("Its time is over, or a limit is reached.")
      .WithHint(
          "Raise expires_at, max_downloads or max_records_total with sync_update_connection().");
}

}  // namespace

CreatedConnection CreateConnection(const NewConnection& request) {
  RequireAvailable();
  CheckConnectionName(request.name);
  RequireRunAs(request.run_as);
  const bool sender = request.direction == Direction::kSender;
  if (!sender && !request.token) {
    throw Error(sqlstate::kInvalidParameter, "a receiver connection needs the token of the sender")
        .WithHint("It is shown once, by sync_create_connection() at the sender.");
  }
  CreatedConnection created;
  created.token = request.token ? *request.token : NewToken();
  if (!IsToken(created.token)) {
    throw Error(sqlstate::kInvalidParameter, "invalid token")
        .WithDetail("A token consists of up to 255 visible ASCII characters.");
  }
  const std::string token_hash = core::HashToken(created.token);
  RequireNew(request, token_hash);
  NoticeUseless(request.settings, request.direction);
  if (sender) WarnOfSuperuser(request.run_as);

  const std::string connections = TableOf("sync_connections"), secrets = TableOf("sync_secrets");
  const std::string creator = CurrentRole();
  {
    pg::UserScope owner(catalog::ExtensionOwner());
    const auto rows = CatalogQuery(
        Cat("INSERT INTO ", connections,
            " (name, direction, site_url, run_as, auth_token_hash, status, approved_at, "
            "approved_by, created_by) VALUES ($1, $2, $3, $4, $5, "
            "CASE $2 WHEN 'sender' THEN 'pending' ELSE 'active' END, "
            "CASE $2 WHEN 'receiver' THEN now() END, CASE $2 WHEN 'receiver' THEN $6 END, $6) "
            "RETURNING uuid"),
        {Param::OfText(request.name), Param::OfText(std::string(DirectionName(request.direction))),
         Param::OfText(request.site_url), Param::OfName(request.run_as), Param::OfText(token_hash),
         Param::OfName(creator)});
    created.uuid = rows.at(0).Text(0);
    if (!sender) {
      CatalogQuery(Cat("INSERT INTO ", secrets, " (connection_uuid, token) VALUES ($1::uuid, $2)"),
                   {Param::OfText(created.uuid), Param::OfText(created.token)});
    }
  }
  Apply(request.settings, created.uuid, request.direction);
  return created;
}

std::string UpdateConnection(const std::string& name_or_uuid, const ConnectionSettings& settings) {
  const Connection connection = GetConnection(name_or_uuid, Reading::kLocked);
  RequireRunAs(settings.run_as.value_or(connection.run_as));
  if (settings.run_as) {
    // Whose rights were given before may be anybody's who has lost them: a dropped role's.
    if (OidIsValid(pg::Call([&] { return get_role_oid(connection.run_as.c_str(), true); }))) {
      RequireRunAs(connection.run_as);
    }
    if (connection.direction == Direction::kSender) WarnOfSuperuser(*settings.run_as);
  }
  if (settings.register_password) {
    throw Error(sqlstate::kInvalidParameter,
                "setting \"register_password\" is for sync_create_connection()");
  }
  NoticeUseless(settings, connection.direction);
  Apply(settings, connection.uuid, connection.direction);
  return connection.uuid;
}

std::string ApproveConnection(const std::string& name_or_uuid) {
  const Connection connection = ForMove(name_or_uuid, StatusMove::kApprove, "approved");
  const std::string role = CurrentRole();
  RowChange change;
  // One that the peer has registered acts as the role that agrees to it, unless it was given one.
  const bool own = connection.run_as == pg::RoleName(catalog::ExtensionOwner());
  if (connection.created_by || !own) {
    RequireRunAs(connection.run_as);
  } else {
    change.Set("run_as", Param::OfName(role), "name");
  }
  change.SetStatus(ConnectionStatus::kActive);
  change.Now("approved_at");
  change.Set("approved_by", Param::OfName(role), "name");
  change.Run(connection.uuid);
  NoteForSite(connection, "active");
  return connection.uuid;
}

std::string SuspendConnection(const std::string& name_or_uuid,
                              const std::optional<std::string>& reason) {
  const Connection connection = ForMove(name_or_uuid, StatusMove::kSuspend, "suspended");
  RowChange change;
  change.SetStatus(ConnectionStatus::kSuspended);
  change.Now("suspended_at");
  change.Set("suspended_by", Param::OfName(CurrentRole()), "name");
  change.Set("suspended_reason", Param::OfText(reason));
  change.Run(connection.uuid);
  NoteForSite(connection, "suspended");
  return connection.uuid;
}

std::string ReactivateConnection(const std::string& name_or_uuid) {
  const Connection connection = ForMove(name_or_uuid, StatusMove::kReactivate, "reactivated");
  RequireRunAs(connection.run_as);
  RequireWithinLimits(connection);
  RowChange change;
  change.SetStatus(ConnectionStatus::kActive);
  change.ClearSuspension();
  change.Run(connection.uuid);
  NoteForSite(connection, "active");
  return connection.uuid;
}

std::string RevokeConnection(const std::string& name_or_uuid,
                             const std::optional<std::string>& reason) {
  const Connection connection = ForMove(name_or_uuid, StatusMove::kRevoke, "revoked");
  RowChange change;
  change.SetStatus(ConnectionStatus::kRevoked);
  change.Now("revoked_at");
  change.Set("revoked_by", Param::OfName(CurrentRole()), "name");
  change.Set("revoked_reason", Param::OfText(reason));
  change.Run(connection.uuid);
  NoteForSite(connection, "revoked");
  return connection.uuid;
}

void DeleteConnection(const std::string& name_or_uuid) {
  const Connection connection = GetConnection(name_or_uuid, Reading::kLocked);
  NoteForSite(connection, "delete");
  DeleteRow(connection.uuid);
}

std::string RegenerateToken(const std::string& name_or_uuid) {
  const Connection connection = GetConnection(name_or_uuid, Reading::kLocked);
  RequireRunAs(connection.run_as);
  if (connection.direction != Direction::kSender) {
    throw Error(sqlstate::kNotInPrerequisiteState, "the token is the sender's to make")
        .WithDetail("This is a receiver connection.");
  }
  std::string token = NewToken();
  RowChange change;
  change.Set("auth_token_hash", Param::OfText(core::HashToken(token)));
  change.Run(connection.uuid);
  session::EndConnectionAtCommit(connection.uuid);
  return token;
}

}  // namespace pgsync::connection
