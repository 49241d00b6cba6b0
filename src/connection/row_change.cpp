#include "connection/row_change.h"

#include "catalog/names.h"
#include "connection/connection.h"
#include "core/text.h"
#include "pg/identity.h"
#include "session/connection_session.h"
#include "session/work_schedule.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pgsync::connection {

using core::Cat;
using core::ConnectionStatus;
using pg::CatalogQuery;
using pg::Param;

void RowChange::Append(const std::string& clause) {
  clauses_ += Cat(clauses_.empty() ? "" : ", ", clause);
}

void RowChange::Set(const std::string& column, Param value, const char* type) {
  params_.push_back(std::move(value));
  Append(Cat(column, " = $", params_.size(), "::", type));
  // Whoever has come with the old token or password, or acts as the old role, has to go.
  if (column == "auth_token_hash" || column == "download_password_hash" || column == "run_as")
    ends_peers_ = true;
}

void RowChange::SetStatus(ConnectionStatus status) {
  Set("status", Param::OfText(std::string(core::ConnectionStatusName(status))));
  if (status != ConnectionStatus::kActive) ends_peers_ = true;
}

void RowChange::Now(const std::string& column) {
  Append(Cat(column, " = now()"));
}

void RowChange::ClearSuspension() {
  for (const char* column : {"suspended_at", "suspended_by", "suspended_reason"})
    Append(Cat(column, " = NULL"));
}

void RowChange::MergeMetadata(const std::string& json) {
  params_.push_back(Param::OfText(json));
  metadata_ += Cat(" || $", params_.size(), "::jsonb");
}

void RowChange::Run(const std::string& uuid) {
  if (!metadata_.empty()) Append(Cat("metadata = metadata", metadata_));
  Now("updated_at");
  params_.push_back(Param::OfText(uuid));
  const std::string table = TableOf("sync_connections");
  {
    pg::UserScope owner(catalog::ExtensionOwner());
    CatalogQuery(
        Cat("UPDATE ", table, " SET ", clauses_, " WHERE uuid = $", params_.size(), "::uuid"),
        params_);
  }
  if (ends_peers_) session::EndConnectionAtCommit(uuid);
  // Someone has to look when the next connection expires.
  session::publish_due_at_commit(pg::Call([] { return GetCurrentTimestamp(); }));
}

void DeleteRow(const std::string& uuid) {
  const std::string table = TableOf("sync_connections");
  {
    pg::UserScope owner(catalog::ExtensionOwner());
    CatalogQuery(Cat("DELETE FROM ", table, " WHERE uuid = $1::uuid"), {Param::OfText(uuid)});
  }
  session::EndConnectionAtCommit(uuid);
}

}  // namespace pgsync::connection
