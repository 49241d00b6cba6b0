// The module's state in one database: the row of sync_settings.
#pragma once

#include <optional>
#include <string>

#include "pg/guard.h"

namespace pgsync::session {

struct ModuleState {
  bool enabled = false;
  /// The row was written in another database or cluster (a restored dump, a template): the module
  /// counts as disabled until it is enabled here.
  bool copied = false;
  std::string incoming_mode;
  std::optional<std::string> incoming_password;
};

/// Reads the state, whatever the current user may read.
ModuleState ReadModuleState();

/// A condition for a query that takes up work: what was asked for after the module was disabled is
/// not seen without that. A worker has to ask ReadModuleState() besides, for copies.
std::string EnabledCondition();

/// Changes it, as the extension's owner: whoever may execute the function may.
void SetEnabled(bool enabled);
void SetIncomingMode(const std::string& mode);
void SetIncomingPassword(const std::optional<std::string>& password);

}  // namespace pgsync::session
