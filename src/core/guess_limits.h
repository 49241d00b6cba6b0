// How wrong codes, tickets, tokens and passwords are slowed and capped. Decisions as functions of
// what was counted and of time; the counts are kept by the caller (session/guess_table.h).
//
// Each network has a count, and all of them together have one. A count leaks, so that what was
// wrong yesterday does not matter today. Past its cap it stays closed until it has leaked to half:
// nothing is looked at meanwhile, and nothing counted, so the time that it takes is known.
#pragma once

#include <chrono>
#include <cstdint>

namespace pgsync::core {

/// Wrong guesses of late. Plain data: it lives in shared memory. Times are microseconds of any
/// clock that goes on; one that is set back only keeps a count from leaking.
struct GuessCount {
  int64_t level = 0;       ///< millionths of a guess, at `counted_at`
  int64_t counted_at = 0;  ///< microseconds
  bool closed = false;     ///< past its cap
};

struct GuessRule {
  int64_t leak_per_minute;
  int64_t cap;
};
/// Of one network: an IPv4 address, the /64 of an IPv6 address.
inline constexpr GuessRule kNetworkGuesses{4, 20};
/// Of all of them together.
inline constexpr GuessRule kAllGuesses{60, 200};

/// How many wrong guesses count now, the last one rounded up.
int64_t GuessesAt(const GuessCount& count, const GuessRule& rule, int64_t now);
/// Whether the cap was passed, and the count has not leaked to half of it since.
bool IsClosed(const GuessCount& count, const GuessRule& rule, int64_t now);
/// How long it stays closed; zero where it is not.
std::chrono::seconds ClosedFor(const GuessCount& count, const GuessRule& rule, int64_t now);
/// Counts a wrong guess. True if this one has closed it.
bool CountGuess(GuessCount& count, const GuessRule& rule, int64_t now);

/// What happens to an attempt before its secret is looked at.
struct GuessDecision {
  bool look = true;                     ///< false: refused as it is
  std::chrono::milliseconds delay{0};   ///< for everyone, while many guess
  std::chrono::seconds retry_after{0};  ///< of one that is refused
};
/// `network` is null where that network has guessed nothing wrong of late: such an attempt is
/// looked at, however many others have failed.
GuessDecision DecideGuess(const GuessCount* network, const GuessCount& all, int64_t now);

/// How long the answer to a wrong guess takes, when so many of its network count.
std::chrono::milliseconds DelayOfWrongGuess(int64_t guesses);

}  // namespace pgsync::core
