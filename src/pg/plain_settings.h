// The settings under which SQL text means, and is printed, the same everywhere.
#pragma once

#include "pg/guard.h"

namespace pgsync::pg {

/// search_path pg_catalog alone, and usual values for all that the lexer, the grammar, and the
/// input and output of constants look at. Returns the level that AtEOXact_GUC() takes to restore
/// what was; so does an abort of the (sub)transaction. For leaves.
int enter_plain_settings();
void LeavePlainSettings(int level);

/// Runs `body` under them. An exception must lead to an abort of the (sub)transaction.
template <typename Body>
void WithPlainSettings(Body&& body) {
  const int level = Call([] { return enter_plain_settings(); });
  body();
  LeavePlainSettings(level);
}

}  // namespace pgsync::pg
