// Foreign keys checked as sets, in both directions, for rows that were written or deleted while the
// triggers that check them row by row did not fire.
#pragma once

#include <memory>
#include <vector>

#include "catalog/foreign_key.h"
#include "engine/row_store.h"

namespace pgsync::engine {

class ForeignKeyCheck {
 public:
  /// To be made before the first write, with all tables that will be written to, and under locks
  /// that keep others from writing to them and to what they refer to and are referred to by.
  explicit ForeignKeyCheck(const std::vector<Oid>& tables);

  /// Checks the rows that this transaction has written to the tables, and those that refer to the
  /// tables. Raises 23503; 0A000 where a foreign key would have acted on rows that refer to what is
  /// gone; 42501 where the owner of one of
  /// the tables may not read it.
  void Run();

  /// The tables that are referred to and that refer, with their partitions.
  static std::vector<Oid> Neighbours(const std::vector<Oid>& tables);

 private:
  void NoteOrphans();

  std::vector<catalog::ForeignKeyRule> outgoing_;
  std::vector<catalog::ForeignKeyRule> incoming_;
  /// Rows that violated incoming keys, which are NOT VALID, before.
  std::unique_ptr<RowStore> orphans_;
};

}  // namespace pgsync::engine
