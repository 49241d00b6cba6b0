// Queries from C++: results become C++ values before SPI closes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/guard.h"

extern "C" {
#include "datatype/timestamp.h"
}

namespace pgsync::pg {

/// A parameter $n of a query.
class Param {
 public:
  static Param OfOid(Oid value);
  static Param OfInt8(int64 value);
  static Param OfBool(bool value);
  static Param OfTimestamp(int64 value);
  static Param OfTimestamp(std::optional<int64_t> value);
  static Param OfText(std::string value);
  static Param OfText(std::optional<std::string> value);
  static Param OfName(std::string value);
  static Param OfOids(std::vector<Oid> value);
  static Param OfTexts(std::vector<std::string> value);

  Oid type() const { return type_; }
  bool is_null() const { return is_null_; }
  /// Builds the Datum in the current context. May longjmp: for leaves.
  Datum Make() const;

 private:
  enum class Kind { kByValue, kText, kName, kOids, kTexts };
  Kind kind_ = Kind::kByValue;
  Oid type_ = InvalidOid;
  bool is_null_ = false;
  Datum value_ = 0;
  std::string text_;
  std::vector<Oid> oids_;
  std::vector<std::string> texts_;
};

/// One row of a result, its values as text.
class Row {
 public:
  explicit Row(std::vector<std::optional<std::string>> cells) : cells_(std::move(cells)) {}

  /// All of them.
  const std::vector<std::optional<std::string>>& cells() const { return cells_; }
  bool IsNull(size_t i) const { return !cells_.at(i).has_value(); }
  const std::optional<std::string>& Optional(size_t i) const { return cells_.at(i); }
  std::string Text(size_t i) const { return cells_.at(i).value_or(std::string()); }
  Oid AsOid(size_t i) const;
  int64 Int8(size_t i) const;
  std::optional<int64_t> OptionalInt8(size_t i) const;
  /// timestamptz; 0 for null.
  TimestampTz Timestamp(size_t i) const;
  std::optional<int64_t> OptionalTimestamp(size_t i) const;
  /// text[]; empty for null.
  std::vector<std::string> Texts(size_t i) const;
  bool Bool(size_t i) const { return Text(i) == "t"; }
  char Char(size_t i) const { return Text(i).empty() ? '\0' : Text(i)[0]; }

 private:
  std::vector<std::optional<std::string>> cells_;
};

/// Runs one statement of ours as the current user with search_path = pg_catalog, so that no object
/// of another schema can step in, and with settings under which values have one text. Never for
/// statements that may fire user code. The plan is kept for the next time. Raises what the
/// statement raises.
std::vector<Row> CatalogQuery(const std::string& sql, const std::vector<Param>& params = {});

/// The same for a statement that only reads, with a snapshot taken now: what others have committed
/// is seen also in a REPEATABLE READ transaction.
std::vector<Row> FreshQuery(const std::string& sql, const std::vector<Param>& params = {});

/// Reads a text[] in PostgreSQL's output form, as CatalogQuery gives it.
std::vector<std::string> ParseTextArray(const std::string& literal);

/// Runs `body` with SPI connected. Closed when `body` returns; on an exception the abort of the
/// (sub)transaction closes it, so that exception must lead to one.
template <typename Body>
void WithSpi(Body&& body);

/// Runs a statement in the open SPI connection and returns how many rows it has processed; what it
/// returns is in SPI_tuptable.
uint64 SpiExecute(const std::string& sql);

void SpiConnect();
void SpiFinish();

template <typename Body>
void WithSpi(Body&& body) {
  SpiConnect();
  body();
  SpiFinish();
}

}  // namespace pgsync::pg
