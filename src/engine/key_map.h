// The keys that rows had at the peer and got here, where strategy append gives them new ones, and
// what follows from that for the rows that refer to them.
#pragma once

#include <string>
#include <vector>

#include "catalog/foreign_key.h"
#include "engine/row_store.h"

namespace pgsync::engine {

/// For the rows of one table: the columns of the primary key as they came ("c0", ...), then as they
/// are here.
class KeyMap {
 public:
  explicit KeyMap(const catalog::Table& target);

  const catalog::Table& target() const { return target_; }
  const std::string& name() const { return name_; }
  RowStore& rows() { return rows_; }

 private:
  static std::vector<size_t> Twice(const std::vector<size_t>& columns);

  const catalog::Table& target_;
  std::string name_;
  RowStore rows_;
};

/// A foreign key whose values are to be replaced by those that a map has for them.
struct KeyTranslation {
  catalog::ForeignKeyRule rule;
  KeyMap* map = nullptr;
  /// Positions of the foreign key's columns in its table, in the order of the map's key columns.
  std::vector<size_t> columns;
};

/// Translations as parts of a query over rows "s".
class TranslationJoins {
 public:
  /// `value_of(position)`: the expression of an untranslated column.
  template <typename ValueOf>
  TranslationJoins(const std::vector<const KeyTranslation*>& translations, ValueOf value_of) {
    for (const KeyTranslation* translation : translations) {
      std::vector<std::string> values;
      for (size_t position : translation->columns)
        values.push_back(value_of(position));
      Add(*translation, values);
    }
  }

  /// " LEFT JOIN ..." for each.
  const std::string& joins() const { return joins_; }
  /// A condition: no value is left without its translation.
  std::string complete() const;
  /// The number of the first translation that is missing.
  std::string FirstMissing() const;
  /// The translated value of a column, cast to its type; empty where it is not translated.
  std::string Value(const catalog::Table& table, size_t position) const;
  /// Makes the maps visible in the open SPI connection.
  void Register() const;

 private:
  void Add(const KeyTranslation& translation, const std::vector<std::string>& values);

  std::vector<const KeyTranslation*> translations_;
  std::string joins_;
  std::vector<std::string> found_;  // a condition for each
};

}  // namespace pgsync::engine
