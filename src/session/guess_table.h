// Wrong codes, tickets, tokens and passwords of late, by the network that they came from, in shared
// memory (core/guess_limits.h decides what follows from them).
#pragma once

#include <string>

#include "core/guess_limits.h"
#include "pg/guard.h"

namespace pgsync::session {

/// What happens to an attempt from that network before its secret is looked at.
core::GuessDecision DecideAttempt(const std::string& network);

struct CountedGuess {
  std::chrono::milliseconds delay{0};  ///< until it is answered
  int64 of_network = 0;                ///< wrong ones of the network that count now
  int64 of_all = 0;
  bool closed_network = false;  ///< with this one it has reached its cap
  bool closed_all = false;
};
/// Counts a wrong one.
CountedGuess CountWrongGuess(const std::string& network);

Size GuessTableSize();
void init_guess_table(void* memory, bool found);

}  // namespace pgsync::session
