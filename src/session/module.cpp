#include "session/module.h"

#include "catalog/names.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"

extern "C" {
#include "access/xlog.h"
}

namespace pgsync::session {

using catalog::QuoteIdentifier;
using core::Cat;
using pg::CatalogQuery;
using pg::Param;

namespace {

std::string SettingsTable() {
  return Cat(QuoteIdentifier(catalog::ExtensionSchema()), ".sync_settings");
}

// What tells this database of this cluster from its copies.
std::string ThisDatabase() {
  return Cat(std::to_string(GetSystemIdentifier()), "/", MyDatabaseId);
}

void Update(const std::string& assignment, const Param& value) {
  const std::string table = SettingsTable();
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(Cat("UPDATE ", table, " SET ", assignment), {value});
}

}  // namespace

ModuleState ReadModuleState() {
  const std::string table = SettingsTable();
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto rows =
      CatalogQuery(Cat("SELECT enabled, home, incoming_mode, incoming_password FROM ", table));
  ModuleState state;
  if (rows.empty()) {
    state.incoming_mode = "require_approval";
    return state;
  }
  const bool enabled = rows[0].Bool(0);
  state.copied = enabled && rows[0].Text(1) != ThisDatabase();
  state.enabled = enabled && !state.copied;
  state.incoming_mode = rows[0].Text(2);
  state.incoming_password = rows[0].Optional(3);
  return state;
}

void SetEnabled(bool enabled) {
  const std::string table = SettingsTable();
  const std::string here = ThisDatabase();
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(Cat("UPDATE ", table, " SET enabled = $1, home = $2"),
               {Param::OfBool(enabled), Param::OfText(here)});
}

void SetIncomingMode(const std::string& mode) {
  Update("incoming_mode = $1", Param::OfText(mode));
}

void SetIncomingPassword(const std::optional<std::string>& password) {
  Update("incoming_password = $1", Param::OfText(password));
}

}  // namespace pgsync::session
