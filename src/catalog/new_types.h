// The data types of tables that are made from a peer's definition.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "catalog/expression.h"
#include "catalog/left_out.h"
#include "core/table_info.h"

struct Constraint;

namespace pgsync::catalog {

/// The types of one call. To be used under WithPlainSettings().
class NewTypes {
 public:
  explicit NewTypes(LeftOut* left_out) : left_out_(left_out) {}

  /// Creates those of the definition's types that do not exist. Raises 42710 where one exists with
  /// another definition, 42704 where one belongs to an extension that is not there.
  void Create(const TableName& table, const core::TableInfo& definition);

  /// Resolves a type as SQL would with search_path = pg_catalog. Raises 42704 naming `what` where
  /// it does not exist, and 42501 where its values would make code of somebody else run.
  const ColumnType& Resolve(const std::string& type, const std::string& what);

  /// Types that expressions may use: created by this call, or found to be the same.
  const std::vector<Oid>& known() const { return known_; }

 private:
  void CreateType(const TableName& table, const core::TypeInfo& type);
  void CreateEnum(const core::TypeInfo& type);
  void CreateDomain(const TableName& table, const core::TypeInfo& type);
  void CreateComposite(const core::TypeInfo& type);
  void CreateRange(const TableName& table, const core::TypeInfo& type);
  void RequireSame(Oid existing, const core::TypeInfo& type);
  void RequireTrusted(Oid type, const std::string& text);
  void CommentOn(Oid type, const core::TypeInfo& info);
  /// Whether a part of a domain's definition would be accepted from a peer.
  bool AcceptedCheck(const core::PartInfo& check, const ColumnType& base, Constraint** accepted,
                     std::string* why);
  bool AcceptedDefault(const std::string& text, const ColumnType& base, Node** accepted,
                       std::string* why);
  ExpressionScope Scope() const;

  LeftOut* left_out_;
  std::map<std::string, ColumnType> resolved_;
  std::map<TableName, std::string> seen_;  // definition of each, as JSON
  std::set<Oid> created_;
  std::vector<Oid> known_;
  std::map<std::string, std::string> extensions_;  // by type, for hints
};

}  // namespace pgsync::catalog
