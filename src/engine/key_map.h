// Values by which rows are referred to at the peer, and by which they are referred to here: where
// strategy append gives rows new keys, rows are found here under others (RowMatcher), or keys are
// made of such ones.
#pragma once

#include <string>
#include <vector>

#include "catalog/foreign_key.h"
#include "catalog/unique_key.h"
#include "engine/row_store.h"

namespace pgsync::engine {

/// For rows of one table, and columns of it that foreign keys refer to: what these hold at the peer
/// ("c0", ...), then what they hold here.
class KeyMap {
 public:
  struct Contents {
    /// The index over the columns.
    catalog::UniqueKey key;
    /// It has every row that has arrived. Else those alone that differ.
    bool complete = false;
    /// The peer may have the values in several rows. The first that is found counts.
    bool may_repeat = false;
  };
  /// `columns`: positions in target.columns. `number`: another one for each map of the table.
  KeyMap(const catalog::Table& target, const std::vector<size_t>& columns, size_t number,
         Contents contents);

  const catalog::Table& target() const { return target_; }
  const std::vector<size_t>& columns() const { return columns_; }
  bool complete() const { return contents_.complete; }
  const std::string& name() const { return name_; }
  RowStore& rows() { return rows_; }
  /// Rows that have arrived may come again.
  void ExpectRepeats() { contents_.may_repeat = true; }
  /// Adds what is to be added of rows "s", with their number "n", that are visible in the open SPI
  /// connection. `source`: behind FROM, up to and with a condition. `came`, `here`: their values as
  /// they are at the peer, and here.
  void Add(const std::string& source, const std::vector<std::string>& came,
           const std::vector<std::string>& here);

 private:
  static std::vector<size_t> Twice(const std::vector<size_t>& columns);
  std::string Equal(const std::vector<std::string>& left,
                    const std::vector<std::string>& right) const;

  const catalog::Table& target_;
  std::vector<size_t> columns_;
  Contents contents_;
  std::string name_;
  RowStore rows_;
};

/// A foreign key whose values are to be replaced by those that a map has for them.
struct KeyTranslation {
  catalog::ForeignKeyRule rule;
  KeyMap* map = nullptr;
  /// Positions of the foreign key's columns in its table, in the order of the map's columns.
  std::vector<size_t> columns;

  /// A value that the map does not have must not remain.
  bool required() const { return map->complete(); }
};

/// Translations as parts of a query over rows "s".
class TranslationJoins {
 public:
  /// `table`: theirs. `value_of(position)`: the expression of an untranslated column.
  template <typename ValueOf>
  TranslationJoins(const catalog::Table& table,
                   const std::vector<const KeyTranslation*>& translations, ValueOf value_of)
      : table_(table) {
    for (const KeyTranslation* translation : translations) {
      std::vector<std::string> values;
      for (size_t position : translation->columns)
        values.push_back(value_of(position));
      Add(*translation, values);
    }
  }

  /// " LEFT JOIN ..." for each.
  const std::string& joins() const { return joins_; }
  /// A condition: no value is left without the translation that it must have.
  std::string complete() const;
  /// The number of the first translation that is missing.
  std::string FirstMissing() const;
  /// A condition: one of the maps has the values.
  std::string any() const;
  /// A condition: no value has become another one when it was cast.
  std::string fits() const;
  /// The translated value of a column, cast to its type: that of the first map that has one; else
  /// `otherwise`, but null where there is none that it must have.
  std::string Value(size_t position, const std::string& otherwise) const;
  /// Makes the maps visible in the open SPI connection.
  void Register() const;

 private:
  void Add(const KeyTranslation& translation, const std::vector<std::string>& values);
  const catalog::Table& table_;  // of the rows
  std::vector<const KeyTranslation*> translations_;
  std::string joins_;
  std::vector<std::string> found_;  // a condition for each
  std::vector<std::string> fits_;   // likewise, of those whose values are cast
};

}  // namespace pgsync::engine
