// Which data types the definition of a peer's table may use here.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "catalog/expression.h"
#include "core/table_parts.h"

struct Constraint;

namespace pgsync::catalog {

/// The types of one call. To be used under WithPlainSettings().
class UsableTypes {
 public:
  /// Resolves a type as SQL would with search_path = pg_catalog. Raises 42704 naming `what` where
  /// it does not exist, and 42501 where its values would make code of somebody else run.
  const ColumnType& Resolve(const std::string& type, const std::string& what);

  /// Of a type that was created by this call: expressions may use it.
  void AddCreated(Oid type);
  /// Of one that was found to be as the peer's: likewise. Raises 42501 as Resolve() does; `text`:
  /// how to name it.
  void AddSame(Oid type, const std::string& text);
  /// Where a type comes from that may not be there: for hints.
  void NoteExtension(const std::string& type, const std::string& extension);
  /// Those that expressions may use.
  const std::vector<Oid>& known() const { return known_; }

  /// Whether a part of a domain's definition would be accepted from a peer; else `why` not.
  bool AcceptsCheck(const core::PartInfo& check, const ColumnType& base, Constraint** accepted,
                    std::string* why) const;
  bool AcceptsDefault(const std::string& text, const ColumnType& base, Node** accepted,
                      std::string* why) const;

 private:
  void RequireTrusted(Oid type, const std::string& text);
  ExpressionScope Scope() const;

  std::map<std::string, ColumnType> resolved_;
  std::set<Oid> created_;
  std::vector<Oid> known_;
  std::map<std::string, std::string> extensions_;  // by type
};

}  // namespace pgsync::catalog
