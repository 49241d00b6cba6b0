#include "connection/connection.h"

#include <algorithm>

#include "catalog/names.h"
#include "core/code.h"
#include "core/json.h"
#include "core/text.h"
#include "pg/encoding.h"
#include "pg/identity.h"
#include "pg/query.h"

extern "C" {
#include "utils/acl.h"
}

namespace pgsync::connection {

using catalog::QuoteIdentifier;
using core::Cat;
using core::Error;
using pg::Param;
using pg::Row;
namespace sqlstate = core::sqlstate;

namespace {

// The order is that in which FromRow() reads them.
constexpr char kColumns[] =
    "uuid, name, direction, site_url, run_as, auth_token_hash, status, approval_mode, "
    "allowed_tables, excluded_tables, auto_approve_tables, expires_at, max_downloads, "
    "downloads_used, max_records_total, records_downloaded, max_records_per_request, "
    "rate_limit_requests_per_minute, download_password_hash, ip_whitelist, allowed_hours_start, "
    "allowed_hours_end, suspended_by, created_by, metadata";

std::optional<int> OptionalInt4(const Row& row, size_t i) {
  const auto value = row.OptionalInt8(i);
  if (!value) return std::nullopt;
  return static_cast<int>(*value);
}

Connection FromRow(const Row& row) {
  Connection out;
  size_t i = 0;
  out.uuid = row.Text(i++);
  out.name = row.Text(i++);
  out.direction = row.Text(i++) == "sender" ? Direction::kSender : Direction::kReceiver;
  out.site_url = row.Text(i++);
  out.run_as = row.Text(i++);
  out.auth_token_hash = row.Optional(i++);
  // Constraints of the table keep other words out.
  out.status = core::ParseConnectionStatus(row.Text(i++)).value();
  out.approval_mode = core::ParseApprovalMode(row.Text(i++)).value();
  out.allowed_tables = row.Texts(i++);
  out.excluded_tables = row.Texts(i++);
  out.auto_approve_tables = row.Texts(i++);
  out.expires_at = row.OptionalTimestamp(i++);
  out.max_downloads = row.OptionalInt8(i++);
  out.downloads_used = row.Int8(i++);
  out.max_records_total = row.OptionalInt8(i++);
  out.records_downloaded = row.Int8(i++);
  out.max_records_per_request = row.Int8(i++);
  out.rate_limit_requests_per_minute = static_cast<int>(row.Int8(i++));
  out.download_password_hash = row.Optional(i++);
  out.ip_whitelist = row.Texts(i++);
  out.allowed_hours_start = OptionalInt4(row, i++);
  out.allowed_hours_end = OptionalInt4(row, i++);
  out.suspended_by = row.Optional(i++);
  out.created_by = row.Optional(i++);
  out.metadata = row.Text(i++);
  return out;
}

// The first row for which the condition holds.
std::optional<Connection> Find(const std::string& condition, const std::vector<Param>& params,
                               Reading reading) {
  const std::string sql = Cat("SELECT ", kColumns, " FROM ", TableOf("sync_connections"), " WHERE ",
                              condition, reading == Reading::kLocked ? " FOR NO KEY UPDATE" : "");
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto rows =
      reading == Reading::kFresh ? pg::FreshQuery(sql, params) : pg::CatalogQuery(sql, params);
  if (rows.empty()) return std::nullopt;
  return FromRow(rows[0]);
}

std::vector<core::PolicyTable> ParseTables(const std::vector<std::string>& names) {
  std::vector<core::PolicyTable> tables;
  for (const std::string& name : names) {
    const catalog::TableName parsed = catalog::ParseTableName(name);
    tables.push_back({parsed.schema, parsed.name});
  }
  return tables;
}

}  // namespace

const char* DirectionName(Direction direction) {
  return direction == Direction::kSender ? "sender" : "receiver";
}

std::string TableOf(const char* name) {
  return Cat(QuoteIdentifier(catalog::ExtensionSchema()), ".", name);
}

bool Available() {
  return OidIsValid(catalog::FindRelation({catalog::ExtensionSchema(), "sync_connections"}));
}

void RequireAvailable() {
  if (Available()) return;
  throw Error(sqlstate::kNotInPrerequisiteState,
              "the objects of sync in this database are of version 1.0, without connections")
      .WithHint("Run ALTER EXTENSION sync UPDATE.");
}

std::optional<Connection> FindConnection(const std::string& name_or_uuid, Reading reading) {
  RequireAvailable();
  return Find("uuid::text = lower($1) OR name = $1", {Param::OfText(name_or_uuid)}, reading);
}

Connection GetConnection(const std::string& name_or_uuid, Reading reading) {
  auto connection = FindConnection(name_or_uuid, reading);
  if (connection) return *std::move(connection);
  throw Error(sqlstate::kNotFound,
              Cat("connection \"", core::Excerpt(name_or_uuid, 100), "\" not_found"))
      .WithHint("See the view sync_connection_list.");
}

std::optional<Connection> FindByUuid(const std::string& uuid, Reading reading) {
  if (!Available()) return std::nullopt;
  return Find("uuid = $1::uuid", {Param::OfText(uuid)}, reading);
}

std::optional<Connection> FindByTokenHash(Direction direction, const std::string& token_hash,
                                          Reading reading) {
  if (!Available()) return std::nullopt;
  return Find("auth_token_hash = $1 AND direction = $2",
              {Param::OfText(token_hash), Param::OfText(std::string(DirectionName(direction)))},
              reading);
}

std::optional<Connection> FindSenderByToken(const std::string& token_hash, Reading reading) {
  return FindByTokenHash(Direction::kSender, token_hash, reading);
}

std::optional<Connection> FindBySite(const std::string& site_url, const std::string& token_hash,
                                     Reading reading) {
  if (!Available()) return std::nullopt;
  return Find("auth_token_hash = $1 AND site_url = $2",
              {Param::OfText(token_hash), Param::OfText(site_url)}, reading);
}

std::optional<Connection> FindReceiverBySite(const std::string& site_url, Reading reading) {
  if (!Available()) return std::nullopt;
  return Find("site_url = $1 AND direction = 'receiver'", {Param::OfText(site_url)}, reading);
}

bool KnowsTokenHash(const std::string& token_hash) {
  return FindByTokenHash(Direction::kSender, token_hash) ||
         FindByTokenHash(Direction::kReceiver, token_hash);
}

void RequireMayUse(const Connection& connection) {
  const bool allowed = pg::Call([&] {
    if (superuser()) return true;
    const Oid role = get_role_oid(connection.run_as.c_str(), true);
    return OidIsValid(role) && is_member_of_role(GetUserId(), role);
  });
  if (allowed) return;
  throw Error(sqlstate::kInsufficientPrivilege,
              Cat("permission denied for connection \"", connection.name, "\""))
      .WithDetail(Cat("It runs as role \"", connection.run_as, "\"."));
}

std::string OwnUrlSetting(const Connection& connection) {
  const core::JsonDocument metadata =
      pg::ParsePeerJson(pg::ToUtf8(connection.metadata), "metadata of the connection");
  return core::JsonObject(metadata, "metadata of the connection").StringOr("own_url", "");
}

core::Policy PolicyOf(const Connection& connection) {
  core::Policy policy;
  policy.status = connection.status;
  policy.approval_mode = connection.approval_mode;
  policy.allowed_tables = ParseTables(connection.allowed_tables);
  policy.excluded_tables = ParseTables(connection.excluded_tables);
  policy.auto_approve_tables = ParseTables(connection.auto_approve_tables);
  policy.expires_at = connection.expires_at;
  policy.max_downloads = connection.max_downloads;
  policy.downloads_used = connection.downloads_used;
  policy.max_records_total = connection.max_records_total;
  policy.records_downloaded = connection.records_downloaded;
  policy.max_records_per_request = connection.max_records_per_request;
  policy.rate_limit_requests_per_minute = connection.rate_limit_requests_per_minute;
  for (const std::string& network : connection.ip_whitelist) {
    const auto cidr = core::Cidr::Parse(network);
    if (!cidr) {
      throw Error(sqlstate::kInternal,
                  Cat("invalid network \"", network, "\" in connection ", connection.uuid));
    }
    policy.ip_whitelist.push_back(*cidr);
  }
  policy.allowed_hours_start = connection.allowed_hours_start;
  policy.allowed_hours_end = connection.allowed_hours_end;
  return policy;
}

std::string NewToken() {
  return core::NewToken([](char* to, size_t size) {
    if (!pg_strong_random(to, size))
      throw Error(sqlstate::kInternal, "no random numbers to be had");
  });
}

bool IsToken(const std::string& text) {
  constexpr size_t kLongest = 255;
  return !text.empty() && text.size() <= kLongest &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::optional<Secrets> ReadSecrets(const std::string& uuid) {
  const std::string table = TableOf("sync_secrets");
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto rows = pg::CatalogQuery(
      Cat("SELECT token, password FROM ", table, " WHERE connection_uuid = $1::uuid"),
      {Param::OfText(uuid)});
  if (rows.empty()) return std::nullopt;
  return Secrets{rows[0].Text(0), rows[0].Optional(1)};
}

}  // namespace pgsync::connection
