// The settings of the role as which a worker acts. Of all that a login of the role would have, only
// those that concern what it sees and how long it may take.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pg/guard.h"

namespace pgsync::server {

class RoleSettings {
 public:
  /// Notes what the server's configuration says: to be made before a database is connected to, for
  /// that puts the superuser's own settings in place.
  RoleSettings();
  /// Puts those of a role in place, in the current transaction, for the rest of the process.
  void Apply(Oid role) const;

 private:
  std::vector<std::pair<std::string, std::string>> configured_;
};

/// SET for the rest of the process.
void SetSetting(const std::string& name, const std::string& value);

}  // namespace pgsync::server
