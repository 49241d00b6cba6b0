#include "session/rate_table.h"

#include <type_traits>

#include "core/policy.h"
#include "session/shared_memory.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pgsync::session {

namespace {

// More connections than these that are used within a minute forget the rates of one another.
constexpr int kConnections = 1024;

struct RateSlot {
  Oid database;  // InvalidOid: never used
  char connection[kUuidTextSize];
  core::RateState state;
};
static_assert(std::is_trivially_copyable_v<RateSlot>);

RateSlot* slots = nullptr;

LWLock* lock() {
  return LockOf(SharedTable::kRates);
}

// The slot of a connection, or the one made its whose rate is the least used.
RateSlot& slot_for(const char* connection) {
  RateSlot* least = &slots[0];
  for (int i = 0; i < kConnections; i++) {
    if (slots[i].database == MyDatabaseId && strcmp(slots[i].connection, connection) == 0) {
      return slots[i];
    }
    if (slots[i].state.empty_at < least->state.empty_at) least = &slots[i];
  }
  least->database = MyDatabaseId;
  strlcpy(least->connection, connection, sizeof(least->connection));
  least->state = core::RateState();
  return *least;
}

}  // namespace

Size RateTableSize() {
  return mul_size(sizeof(RateSlot), kConnections);
}

void init_rate_table(void* memory, bool found) {
  slots = static_cast<RateSlot*>(memory);
  if (!found) memset(memory, 0, RateTableSize());
}

int64 TakeRequestOf(const std::string& connection, int per_minute) {
  return pg::Call([&] {
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    core::RateState& state = slot_for(connection.c_str()).state;
    const bool taken = core::TakeRequest(&state, per_minute, now);
    const int64 wait = taken ? 0 : std::max<int64>(1, core::RetryAfter(state, per_minute, now));
    LWLockRelease(lock());
    return wait;
  });
}

}  // namespace pgsync::session
