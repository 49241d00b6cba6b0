// Errors that belong to one row: counted, listed, and in the end raised.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/guard.h"

namespace pgsync::engine {

struct RowError {
  int64 position = 0;              // 1-based, in the input
  std::optional<std::string> key;  // JSON object
  core::SqlState sqlstate;
  std::string message;
  std::string detail;
  std::string constraint;
  std::string column;

  static RowError Of(const pg::PgError& error, int64 position);
};

/// Whether the error can be a matter of one row alone: data exceptions, constraint violations, an
/// identity that cannot be changed, a row level security policy, an exception raised by a trigger.
/// Cancel, locks, resources and internal errors never are.
bool IsRowError(const pg::PgError& error);

/// Whether an error of converting a row's values is that row's: besides the above, what an input
/// function says of a name that it does not find.
bool IsConversionError(const pg::PgError& error);

class RowErrors {
 public:
  /// `max_errors`: how many rows may fail; nullopt: any number.
  explicit RowErrors(std::optional<int64> max_errors) : max_errors_(max_errors) {}

  /// Counts the error. As soon as more rows than allowed have failed, raises the first one.
  void Add(RowError error);
  /// Adds the errors of `others`, likewise.
  void Add(RowErrors others);
  int64 count() const { return count_; }
  /// The array of sync_result.errors: the first 100.
  std::string ToJson() const;

 private:
  static constexpr size_t kListed = 100;

  void RequireFew() const;

  std::optional<int64> max_errors_;
  int64 count_ = 0;
  std::vector<RowError> listed_;
};

}  // namespace pgsync::engine
