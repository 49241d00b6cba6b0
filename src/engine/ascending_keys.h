// Keys that come in ascending order: none of them comes twice, and nothing has to be sorted to know
// that.
#pragma once

#include <vector>

#include "catalog/table.h"
#include "pg/memory.h"

struct FmgrInfo;

namespace pgsync::engine {

class AscendingKeys {
 public:
  /// For the columns of a key, as values of the types under their domains.
  AscendingKeys(const catalog::Table& table, const catalog::Key& key);

  /// Takes the next key, and copies it. Returns whether all keys so far were greater than the one
  /// before, by the order of their types. For leaves.
  bool add(const Datum* values, const bool* nulls);
  /// What add() has returned last.
  bool ascending() const { return ascending_; }

 private:
  struct Part {
    FmgrInfo* compare;
    Oid collation;
    bool by_value;
    int16 length;
    Datum last;
  };
  int compare(const Datum* values) const;

  pg::OwnedContext context_;
  pg::OwnedContext last_;  // holds the last key
  std::vector<Part> parts_;
  bool any_ = false;
  bool ascending_ = true;
};

}  // namespace pgsync::engine
