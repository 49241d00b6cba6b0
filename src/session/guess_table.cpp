#include "session/guess_table.h"

#include <type_traits>

#include "session/shared_memory.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pgsync::session {

namespace {

// More networks than these at a time are for the count of all to slow.
constexpr int kNetworks = 512;
constexpr size_t kNetworkSize = 64;

struct NetworkGuesses {
  char network[kNetworkSize];  // empty: never used
  core::GuessCount count;
};

struct GuessTable {
  core::GuessCount all;
  NetworkGuesses networks[kNetworks];
};
static_assert(std::is_trivially_copyable_v<GuessTable>);

GuessTable* table = nullptr;

LWLock* lock() {
  return LockOf(SharedTable::kGuesses);
}

NetworkGuesses* find_network(const char* network) {
  for (NetworkGuesses& entry : table->networks) {
    if (strcmp(entry.network, network) == 0) return &entry;
  }
  return nullptr;
}

// The place of a network that is new: that of the one which has guessed least.
NetworkGuesses* place_for(const char* network, TimestampTz now) {
  NetworkGuesses* least = nullptr;
  int64 guesses = 0;
  for (NetworkGuesses& entry : table->networks) {
    const int64 own =
        entry.network[0] == '\0' ? -1 : core::GuessesAt(entry.count, core::kNetworkGuesses, now);
    if (least != nullptr && own >= guesses) continue;
    least = &entry;
    guesses = own;
  }
  strlcpy(least->network, network, sizeof(least->network));
  least->count = core::GuessCount();
  return least;
}

}  // namespace

Size GuessTableSize() {
  return sizeof(GuessTable);
}

void init_guess_table(void* memory, bool found) {
  table = static_cast<GuessTable*>(memory);
  if (!found) memset(memory, 0, sizeof(GuessTable));
}

core::GuessDecision DecideAttempt(const std::string& network) {
  return pg::Call([&] {
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(lock(), LW_SHARED);
    const NetworkGuesses* entry = find_network(network.c_str());
    const core::GuessDecision decision =
        core::DecideGuess(entry != nullptr ? &entry->count : nullptr, table->all, now);
    LWLockRelease(lock());
    return decision;
  });
}

CountedGuess CountWrongGuess(const std::string& network) {
  return pg::Call([&] {
    CountedGuess counted;
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    NetworkGuesses* entry = find_network(network.c_str());
    if (entry == nullptr) entry = place_for(network.c_str(), now);
    counted.closed_network = core::CountGuess(entry->count, core::kNetworkGuesses, now);
    counted.closed_all = core::CountGuess(table->all, core::kAllGuesses, now);
    counted.of_network = core::GuessesAt(entry->count, core::kNetworkGuesses, now);
    counted.of_all = core::GuessesAt(table->all, core::kAllGuesses, now);
    LWLockRelease(lock());
    counted.delay = core::DelayOfWrongGuess(counted.of_network);
    return counted;
  });
}

}  // namespace pgsync::session
