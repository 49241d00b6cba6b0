// The data types of tables that are made from a peer's definition.
#pragma once

#include <map>
#include <string>

#include "catalog/left_out.h"
#include "catalog/usable_types.h"
#include "core/table_info.h"

namespace pgsync::catalog {

/// The types of one call. To be used under WithPlainSettings().
class NewTypes {
 public:
  NewTypes(UsableTypes& usable, LeftOut* left_out) : usable_(usable), left_out_(left_out) {}

  /// Creates those of the definition's types that do not exist, and makes all of them usable.
  /// Raises 42710 where one exists with another definition, 42704 where one belongs to an extension
  /// that is not there.
  void Create(const TableName& table, const core::TableInfo& definition);

 private:
  void CreateType(const TableName& table, const core::TypeInfo& type);
  void CreateEnum(const core::TypeInfo& type);
  void CreateDomain(const TableName& table, const core::TypeInfo& type);
  void CreateComposite(const core::TypeInfo& type);
  void CreateRange(const TableName& table, const core::TypeInfo& type);
  void RequireSame(Oid existing, const core::TypeInfo& type);
  void CommentOn(Oid type, const core::TypeInfo& info);

  UsableTypes& usable_;
  LeftOut* left_out_;
  std::map<TableName, std::string> seen_;  // definition of each, as JSON
};

}  // namespace pgsync::catalog
