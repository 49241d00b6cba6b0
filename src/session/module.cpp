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

struct Setting {
  const char* column;
  Param value;
};

// Writes the row, which is not there until something is set: else a dump could not be restored,
// which brings it.
void Write(const std::vector<Setting>& settings) {
  std::vector<std::string> columns, values, changes;
  std::vector<Param> params;
  for (const Setting& setting : settings) {
    params.push_back(setting.value);
    columns.emplace_back(setting.column);
    values.push_back(Cat("$", params.size()));
    changes.push_back(Cat(setting.column, " = excluded.", setting.column));
  }
  const std::string table = SettingsTable();
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(Cat("INSERT INTO ", table, " (", core::Join(columns, ", "), ") VALUES (",
                   core::Join(values, ", "), ") ON CONFLICT (one) DO UPDATE SET ",
                   core::Join(changes, ", ")),
               params);
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

std::string EnabledCondition() {
  return Cat("(SELECT enabled FROM ", SettingsTable(), ")");
}

void SetEnabled(bool enabled) {
  Write({{"enabled", Param::OfBool(enabled)}, {"home", Param::OfText(ThisDatabase())}});
}

void SetIncomingMode(const std::string& mode) {
  Write({{"incoming_mode", Param::OfText(mode)}});
}

void SetIncomingPassword(const std::optional<std::string>& password) {
  Write({{"incoming_password", Param::OfText(password)}});
}

}  // namespace pgsync::session
