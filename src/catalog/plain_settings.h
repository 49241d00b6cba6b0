// The settings under which SQL text means, and is printed, the same everywhere.
#pragma once

#include "pg/guard.h"

namespace pgsync::catalog {

/// search_path pg_catalog alone, and usual values for all that the lexer, the grammar, and the
/// input and output of constants look at. Returns what LeavePlainSettings() takes.
int EnterPlainSettings();
void LeavePlainSettings(int level);

/// Runs `body` under them. On an exception the abort of the (sub)transaction restores what was, so
/// that exception must lead to one.
template <typename Body>
void WithPlainSettings(Body&& body) {
  const int level = EnterPlainSettings();
  body();
  LeavePlainSettings(level);
}

}  // namespace pgsync::catalog
