#include "server/role_settings.h"

#include <algorithm>

#include "pg/query.h"
#include "pg/settings.h"

extern "C" {
#include "storage/proc.h"
#include "utils/guc.h"
}

namespace pgsync::server {

namespace {
const char* const kRoleSettings[] = {"search_path", "statement_timeout", "lock_timeout",
                                     "row_security"};
}

void SetSetting(const std::string& name, const std::string& value) {
  pg::Call([&] {
    (void)set_config_option(name.c_str(), value.c_str(), PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SET,
                            true, 0, false);
  });
}

RoleSettings::RoleSettings() {
  for (const char* name : kRoleSettings) {
    const char* value = pg::Call([&] { return GetConfigOption(name, true, false); });
    configured_.emplace_back(name, value != nullptr ? value : "");
  }
}

// The more specific last.
void RoleSettings::Apply(Oid role) const {
  for (const auto& [name, value] : configured_)
    SetSetting(name, value);
  for (const pg::Row& row :
       pg::CatalogQuery("SELECT split_part(s, '=', 1), substr(s, strpos(s, '=') + 1) "
                        "FROM pg_db_role_setting CROSS JOIN LATERAL unnest(setconfig) AS s "
                        "WHERE setrole IN (0, $1) AND setdatabase IN (0, $2) "
                        "ORDER BY setrole <> 0, setdatabase <> 0",
                        {pg::Param::OfOid(role), pg::Param::OfOid(MyDatabaseId)})) {
    const std::string name = row.Text(0);
    const bool known = std::any_of(std::begin(kRoleSettings), std::end(kRoleSettings),
                                   [&](const char* setting) { return name == setting; });
    if (known) SetSetting(name, row.Text(1));
  }
  // The role may be more patient than the server is with workers.
  if (LockTimeout == 0 || LockTimeout > pg::settings::lock_timeout_ms) {
    SetSetting("lock_timeout", std::to_string(pg::settings::lock_timeout_ms));
  }
}

}  // namespace pgsync::server
