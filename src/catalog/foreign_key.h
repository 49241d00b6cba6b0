// Foreign keys with all that a query needs which checks them.
#pragma once

#include <string>
#include <vector>

#include "catalog/names.h"

namespace pgsync::catalog {

/// One column of a foreign key and the one it refers to.
struct KeyPair {
  Oid referenced_type = InvalidOid;
  Oid referencing_type = InvalidOid;
  Oid referencing_collation = InvalidOid;
  Oid equal = InvalidOid;  ///< operator: referenced = referencing
  /// " COLLATE ..." for the referenced value where the two columns differ in it, else empty.
  std::string collation;
};

struct ForeignKeyRule {
  Oid constraint = InvalidOid;
  std::string name;
  Oid referencing = InvalidOid;
  Oid referenced = InvalidOid;
  Oid referencing_owner = InvalidOid;
  Oid referenced_owner = InvalidOid;
  std::string referencing_name;  ///< qualified, with ONLY where inheritance must be kept out
  std::string referenced_name;
  /// Columns as written in SQL, pair by pair.
  std::vector<std::string> columns;
  std::vector<std::string> referenced_columns;
  std::vector<KeyPair> pairs;
  bool match_full = false;
  bool validated = true;
  /// ON DELETE or ON UPDATE does something to the referencing rows.
  bool acts = false;
};

/// "referenced = referencing AND ..." for these two lists of values, each operator qualified.
std::string MatchKeys(const ForeignKeyRule& rule, const std::vector<std::string>& referenced,
                      const std::vector<std::string>& referencing);

/// The foreign keys of some tables, or those that refer to them, of their partitions too; of what a
/// partitioned table hands down only the original, also where just its partition is among the
/// tables. In the order of their OIDs.
std::vector<ForeignKeyRule> ForeignKeysOf(const std::vector<Oid>& tables);
std::vector<ForeignKeyRule> ForeignKeysTo(const std::vector<Oid>& tables);

}  // namespace pgsync::catalog
