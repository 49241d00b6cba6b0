#include "core/guess_limits.h"

#include <algorithm>

namespace pgsync::core {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr int64_t kGuess = 1000000;
constexpr int64_t kMinute = 60 * int64_t{1000000};

// A peer that mistypes a code is not to notice more than a moment; from then on it doubles. Not for
// longer than this: a worker is kept busy, and may be connected to a database.
constexpr milliseconds kFirstDelay{1000};
constexpr milliseconds kLongestDelay{4000};
constexpr int64_t kUndoubled = 3;

// With so many wrong guesses from everywhere every attempt waits, longer with each more.
constexpr int64_t kAllSlowFrom = 30;
constexpr milliseconds kSlowStep{50};
constexpr milliseconds kSlowest{2000};

int64_t LevelAt(const GuessCount& count, const GuessRule& rule, int64_t now) {
  const int64_t passed = std::max<int64_t>(0, now - count.counted_at);
  // Beyond the time in which any count has leaked away the product could overflow.
  if (passed / kMinute > 2 * rule.cap) return 0;
  constexpr int64_t kScale = kMinute / kGuess;
  return std::max<int64_t>(0, count.level - (passed * rule.leak_per_minute + kScale - 1) / kScale);
}

}  // namespace

int64_t GuessesAt(const GuessCount& count, const GuessRule& rule, int64_t now) {
  return (LevelAt(count, rule, now) + kGuess - 1) / kGuess;
}

bool IsClosed(const GuessCount& count, const GuessRule& rule, int64_t now) {
  return count.closed && LevelAt(count, rule, now) > rule.cap * kGuess / 2;
}

seconds ClosedFor(const GuessCount& count, const GuessRule& rule, int64_t now) {
  if (!IsClosed(count, rule, now)) return seconds(0);
  const int64_t above = LevelAt(count, rule, now) - rule.cap * kGuess / 2;
  return seconds((above * 60 / rule.leak_per_minute + kGuess - 1) / kGuess);
}

bool CountGuess(GuessCount& count, const GuessRule& rule, int64_t now) {
  const bool was_closed = IsClosed(count, rule, now);
  // What was under way when it closed does not keep it closed for longer.
  const int64_t most = rule.cap * kGuess;
  count.level = std::min(LevelAt(count, rule, now) + kGuess, most);
  count.counted_at = now;
  count.closed = was_closed || count.level == most;
  return count.closed && !was_closed;
}

GuessDecision DecideGuess(const GuessCount* network, const GuessCount& all, int64_t now) {
  GuessDecision decision;
  const bool has_guessed = network != nullptr && GuessesAt(*network, kNetworkGuesses, now) > 0;
  if (has_guessed) {
    decision.retry_after = ClosedFor(*network, kNetworkGuesses, now);
    decision.retry_after = std::max(decision.retry_after, ClosedFor(all, kAllGuesses, now));
    decision.look = decision.retry_after.count() == 0;
  }
  const int64_t too_many = GuessesAt(all, kAllGuesses, now) - kAllSlowFrom;
  if (too_many > 0) decision.delay = std::min(kSlowest, kSlowStep * too_many);
  return decision;
}

milliseconds DelayOfWrongGuess(int64_t guesses) {
  milliseconds delay = kFirstDelay;
  for (int64_t i = kUndoubled; i < guesses && delay < kLongestDelay; i++)
    delay *= 2;
  return delay;
}

}  // namespace pgsync::core
