// What the peer of a receive session may do, as its maker has chosen. Without a choice it may only
// add rows.
#pragma once

#include <cstdint>
#include <string>

#include "core/transfer_words.h"

namespace pgsync::core {

/// Plain data: it lives in shared memory.
struct ReceiveLimits {
  static constexpr int64_t kNoLimit = -1;

  uint32_t strategies;  ///< a bit for each strategy that may be used
  bool create_tables;   ///< missing tables may be created
  bool skip_triggers;   ///< triggers => 'skip' may be asked for
  int64_t max_deletes;  ///< rows that one push may delete
  int64_t max_rows;     ///< rows that the session takes in all

  static ReceiveLimits Default();

  /// Sets the limit that a session option of that name stands for; false if there is none. Raises
  /// 22023 for a value that it cannot have.
  bool Set(const std::string& option, const JsonValue& value);
  /// The names of those options, for messages.
  static const char* OptionNames();

  /// Raise 42501 for what the session does not allow.
  void RequireStrategy(const std::string& strategy) const;
  void RequireWords(const TransferWords& words) const;
  /// Raises 53400 where the session would take more than `rows` in all.
  void RequireRows(uint64_t rows) const;

  /// `words` as far as the session goes: what deletes keeps to the limit without being told.
  TransferWords Narrowed(TransferWords words) const;
};

}  // namespace pgsync::core
