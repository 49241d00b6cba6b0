// The sequences of tables that are made from a peer's definition.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "catalog/expression.h"
#include "catalog/left_out.h"
#include "core/table_info.h"

struct List;

namespace pgsync::catalog {

/// What CREATE SEQUENCE takes, and AS IDENTITY. For leaves. `typed`: with the type.
List* sequence_options(const core::SequenceInfo& sequence, bool typed);

/// The sequences of one call. To be used under WithPlainSettings().
class NewSequences {
 public:
  explicit NewSequences(LeftOut* left_out) : left_out_(left_out) {}

  /// Creates the definition's sequences, free of any table still. One that is owned gets another
  /// name where its own is taken; one that is not is then left out.
  void Create(const TableName& table, const core::TableInfo& definition);
  /// A sequence of that type for a column of which the peer has told nothing but the name.
  void CreateSerial(const TableName& table, const std::string& column, const std::string& type,
                    const TableName& at_peer);
  /// Gives those that are owned to their columns. `find` tells where a peer's table is here, if it
  /// was made by this call.
  template <typename Find>
  void Own(Find&& find) {
    for (const Made& made : made_) {
      if (!made.owner) continue;
      OwnOne(made, made.owner->table.empty()
                       ? &made.table
                       : find(TableName{made.owner->schema, made.owner->table}));
    }
  }

  const std::vector<KnownSequence>& known() const { return known_; }

 private:
  struct Made {
    TableName at_peer;
    TableName here;
    TableName table;
    std::optional<core::SequenceInfo::Owner> owner;
  };
  void Add(const Made& made, const core::SequenceInfo& sequence);
  void OwnOne(const Made& made, const TableName* owner);

  LeftOut* left_out_;
  std::deque<Made> made_;  // names in known_ point into it
  std::vector<KnownSequence> known_;
};

}  // namespace pgsync::catalog
