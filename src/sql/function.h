// SQL-callable functions: the macro that makes one, its arguments as C++ values, its result.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "pg/guard.h"

extern "C" {
#include "funcapi.h"
}

namespace pgsync::sql {

/// Defines the SQL-callable function `name`; what follows is its body, in C++, with `fcinfo` in
/// scope. Whatever it throws becomes the error of the statement.
#define PGSYNC_FUNCTION(name) PGSYNC_FUNCTION_IMPL(name, false)

/// The same for a function with a secret among its arguments: while it runs the backend's activity
/// shows its name in place of the statement, and its errors do not log the statement.
#define PGSYNC_SECRET_FUNCTION(name) PGSYNC_FUNCTION_IMPL(name, true)

#define PGSYNC_FUNCTION_IMPL(name, secret)                        \
  static Datum name##_body(FunctionCallInfo fcinfo);              \
  extern "C" {                                                    \
  PG_FUNCTION_INFO_V1(name);                                      \
  Datum name(PG_FUNCTION_ARGS) {                                  \
    return ::pgsync::sql::call_body(fcinfo, name##_body, secret); \
  }                                                               \
  }                                                               \
  static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)

/// Runs a body; the C frame between the server and C++.
Datum call_body(FunctionCallInfo fcinfo, Datum (*body)(FunctionCallInfo), bool secret);

/// Arguments by position. Getters without "Optional" raise 22004 for a null, naming the argument.
class Args {
 public:
  explicit Args(FunctionCallInfo fcinfo) : fcinfo_(fcinfo) {}

  /// How many there are, defaults included.
  int Count() const { return fcinfo_->nargs; }
  bool IsNull(int i) const { return fcinfo_->args[i].isnull; }
  Datum Get(int i) const;  ///< not null

  bool Bool(int i) const { return DatumGetBool(Get(i)); }
  int32 Int4(int i) const { return DatumGetInt32(Get(i)); }
  int64 Int8(int i) const { return DatumGetInt64(Get(i)); }
  Oid AsOid(int i) const { return DatumGetObjectId(Get(i)); }
  std::string Text(int i) const;
  std::string AsName(int i) const;
  /// jsonb in its text form.
  std::string Json(int i) const;

  std::optional<int32> OptionalInt4(int i) const;
  std::optional<int64> OptionalInt8(int i) const;
  std::optional<std::string> OptionalText(int i) const;
  std::optional<std::string> OptionalName(int i) const;
  std::optional<std::string> OptionalJson(int i) const;
  /// text[]; raises 22004 for null elements.
  std::optional<std::vector<std::string>> OptionalTexts(int i) const;
  /// regclass[]; likewise.
  std::optional<std::vector<Oid>> OptionalOids(int i) const;
  /// interval; a month counts 30 days. Raises 22023 for one that does not fit.
  std::optional<std::chrono::milliseconds> OptionalInterval(int i) const;

  /// The name of an argument, for messages.
  std::string NameOf(int i) const;

 private:
  FunctionCallInfo fcinfo_;
};

using Cell = std::optional<std::string>;

/// "t" or "f".
inline Cell BoolCell(bool value) {
  return std::string(value ? "t" : "f");
}
/// text[] in PostgreSQL's form.
Cell TextArrayCell(const std::vector<std::string>& values);
/// timestamptz; 0 is null.
Cell TimestampCell(int64 timestamp);
Cell IntervalCell(std::chrono::milliseconds duration);

Datum TextDatum(const std::string& text);
/// Parses JSON text of ours.
Datum JsonbDatum(const std::string& json);

/// A result of one composite value, its fields given as text.
Datum RowResult(FunctionCallInfo fcinfo, const std::vector<Cell>& cells);

/// A result of many rows.
class SetResult {
 public:
  explicit SetResult(FunctionCallInfo fcinfo);
  void Add(const std::vector<Cell>& cells);
  /// For functions that return a set of jsonb (or another single column).
  void AddDatum(Datum value);
  Datum Done() const { return (Datum)0; }

  ReturnSetInfo* info() const { return info_; }

 private:
  FunctionCallInfo fcinfo_;
  ReturnSetInfo* info_;
  AttInMetadata* meta_;
};

}  // namespace pgsync::sql
