// What a transfer is asked to do, in the words of the SQL functions. A push carries them to the
// peer as they were said: what they mean, and whether they are valid, is for the receiving side.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/json.h"

namespace pgsync::core {

struct TransferWords {
  std::string strategy = "skip";
  std::map<std::string, std::string> strategies;  ///< by table, in place of `strategy`
  bool create_missing_tables = true;
  std::optional<int64_t> batch_size;
  std::string mode = "auto";
  std::string triggers = "fire";
  std::string sequences = "advance";
  bool dry_run = false;
  std::optional<int64_t> max_errors = 0;  ///< nullopt: any number
  std::optional<int64_t> max_deletes;
  bool verify = false;
  bool drop_extra_columns = false;
  std::optional<int64_t> max_rate;
  std::string match = "key";  ///< since 1.1, not of a push
  int64_t retries = 0;        ///< since 1.1

  /// What 1.0 does not know is written only where it is asked for.
  void Write(JsonWriter& json) const;
  /// Absent keys have their defaults. Raises 08P01, and 0A000 for a key that is not known here:
  /// what a newer peer asks for is refused, not left undone.
  static TransferWords Read(const JsonObject& json);
};

}  // namespace pgsync::core
