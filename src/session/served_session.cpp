#include "session/served_session.h"

#include <memory>

#include "core/code.h"
#include "core/json.h"
#include "pg/settings.h"
#include "session/launcher_state.h"
#include "session/session_slots.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pgsync::session {

namespace settings = pg::settings;

SpendResult SpendCode(const std::string& code, const std::string& ticket_hash, Session* session) {
  auto copy = std::make_unique<SessionSlot>();
  int index = -1;
  const SpendResult result = pg::Call([&] {
    SpendResult outcome = SpendResult::kUnknown;
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    for (int i = 0; i < session_slot_count; i++) {
      SessionSlot& slot = session_slots[i];
      if (!has_code(slot, code.c_str())) continue;
      const auto status = static_cast<SessionStatus>(slot.status);
      if (status == SessionStatus::kUncommitted || over(slot, now)) continue;
      if (status != SessionStatus::kPending) {
        outcome = SpendResult::kAlreadyUsed;
        continue;
      }
      slot.status = static_cast<int>(SessionStatus::kConnected);
      slot.connected_at = now;
      slot.has_ticket = true;
      memcpy(slot.ticket_hash, ticket_hash.data(), core::kTicketHashSize);
      memcpy(copy.get(), &slot, sizeof(slot));
      index = i;
      outcome = SpendResult::kSpent;
    }
    LWLockRelease(session_lock());
    return outcome;
  });
  if (result == SpendResult::kSpent) *session = FromSlot(index, *copy);
  return result;
}

void ReturnCode(const SessionId& id) {
  pg::Call([&] {
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    SessionSlot* slot = slot_of(id);
    if (slot != nullptr && slot->status == static_cast<int>(SessionStatus::kConnected)) {
      slot->status = static_cast<int>(SessionStatus::kPending);
      slot->connected_at = 0;
      slot->has_ticket = false;
    }
    LWLockRelease(session_lock());
  });
}

std::optional<Session> FindByTicket(const std::string& ticket_hash) {
  auto copy = std::make_unique<SessionSlot>();
  const int found = pg::Call([&] {
    int index = -1;
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(session_lock(), LW_SHARED);
    for (int i = 0; i < session_slot_count; i++) {
      const SessionSlot& slot = session_slots[i];
      if (!slot.in_use || !slot.has_ticket || over(slot, now) ||
          slot.status != static_cast<int>(SessionStatus::kConnected)) {
        continue;
      }
      if (memcmp(slot.ticket_hash, ticket_hash.data(), core::kTicketHashSize) == 0) {
        memcpy(copy.get(), &slot, sizeof(slot));
        index = i;
      }
    }
    LWLockRelease(session_lock());
    return index;
  });
  if (found < 0) return std::nullopt;
  return FromSlot(found, *copy);
}

std::optional<CodeFacts> LookUpCode(const std::string& code) {
  const struct {
    bool known;
    CodeFacts facts;
  } found = pg::Call([&] {
    auto result = decltype(found){false, {false, InvalidOid, Direction::kSend}};
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(session_lock(), LW_SHARED);
    for (int i = 0; i < session_slot_count; i++) {
      const SessionSlot& slot = session_slots[i];
      if (has_code(slot, code.c_str()) && !over(slot, now) &&
          slot.status != static_cast<int>(SessionStatus::kUncommitted)) {
        result = {true,
                  {slot.status == static_cast<int>(SessionStatus::kPending), slot.database,
                   static_cast<Direction>(slot.direction)}};
      }
    }
    LWLockRelease(session_lock());
    return result;
  });
  return found.known ? std::optional<CodeFacts>(found.facts) : std::nullopt;
}

bool SetMetadata(const SessionId& id, std::string_view name, std::string_view json) {
  auto copy = std::make_unique<SessionSlot>();
  for (;;) {
    const bool found = pg::Call([&] {
      LWLockAcquire(session_lock(), LW_SHARED);
      const SessionSlot* slot = slot_of(id);
      if (slot != nullptr) memcpy(copy.get(), slot, sizeof(*slot));
      LWLockRelease(session_lock());
      return slot != nullptr;
    });
    if (!found) return false;
    core::JsonDocument document = core::ParseJson(copy->metadata, "metadata of the session");
    core::JsonWriter merged;
    merged.BeginObject();
    for (const auto& member : document.GetObject()) {
      const std::string_view key(member.name.GetString(), member.name.GetStringLength());
      if (key != name) merged.Key(key).Value(member.value);
    }
    const std::string text = merged.Key(name).Raw(json).EndObject().Take();
    if (text.size() > kMaxMetadata) return false;
    const bool same = pg::Call([&] {
      LWLockAcquire(session_lock(), LW_EXCLUSIVE);
      SessionSlot* slot = slot_of(id);
      const bool unchanged = slot != nullptr && strcmp(slot->metadata, copy->metadata) == 0;
      if (unchanged) strlcpy(slot->metadata, text.c_str(), sizeof(slot->metadata));
      LWLockRelease(session_lock());
      return unchanged;
    });
    if (same) return true;
    pg::CheckInterrupts();  // somebody has changed it meanwhile, or the session is gone
  }
}

BeginResult BeginConnection(const SessionId& id) {
  return pg::Call([&] {
    BeginResult result = BeginResult::kGone;
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    SessionSlot* slot = slot_of(id);
    if (slot != nullptr && slot->status == static_cast<int>(SessionStatus::kConnected)) {
      result = slot->connected ? BeginResult::kBusy : BeginResult::kBegun;
      slot->connected = true;
      slot->fails_at = 0;
    }
    LWLockRelease(session_lock());
    return result;
  });
}

void end_connection(const SessionId& id, bool completed) noexcept {
  const TimestampTz now = GetCurrentTimestamp();
  bool waits = false;
  LWLockAcquire(session_lock(), LW_EXCLUSIVE);
  SessionSlot* slot = slot_of(id);
  if (slot != nullptr) {
    slot->connected = false;
    if (slot->status == static_cast<int>(SessionStatus::kConnected)) {
      if (completed) {
        slot->status = static_cast<int>(SessionStatus::kCompleted);
        slot->has_ticket = false;
      } else {
        slot->fails_at = now + settings::reconnect_grace_s * USECS_PER_SEC;
        waits = true;
      }
    }
    if (slot->connection[0] != '\0' && !waits) free_slot(*slot);  // nobody can ask for it any more
  }
  LWLockRelease(session_lock());
  if (waits) wake_launcher();
}

uint64 add_rows_taken(const SessionId& id, uint64 rows) noexcept {
  uint64 taken = 0;
  LWLockAcquire(session_lock(), LW_EXCLUSIVE);
  if (SessionSlot* slot = slot_of(id)) taken = slot->rows_taken += rows;
  LWLockRelease(session_lock());
  return taken;
}

void MarkSession(const SessionId& id, SessionStatus status) {
  pg::Call([&] {
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    if (SessionSlot* slot = slot_of(id)) slot->status = static_cast<int>(status);
    LWLockRelease(session_lock());
  });
}

}  // namespace pgsync::session
