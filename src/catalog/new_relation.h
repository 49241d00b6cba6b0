// One table, or one partition, made from a peer's definition.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "catalog/left_out.h"
#include "catalog/new_sequences.h"
#include "catalog/usable_types.h"
#include "core/table_info.h"

struct AlterTableCmd;
struct ColumnDef;
struct Constraint;
struct CreateStmt;
struct PartitionBoundSpec;

namespace pgsync::catalog {

/// Makes its relation step by step; what its definition holds must outlive it. To be used under
/// WithPlainSettings().
class NewRelation {
 public:
  /// `parent`: the relation that it is a partition of, or null; `old_root` and `new_root`: what the
  /// table, of the tree's partitions the root, is called at the peer and here.
  NewRelation(const core::RelationInfo& definition, TableName name, NewRelation* parent,
              std::string old_root, std::string new_root, UsableTypes& types,
              NewSequences& sequences, LeftOut* left_out);

  const TableName& name() const { return name_; }
  Oid oid() const { return oid_; }

  /// CREATE TABLE, with the constraints that are no foreign keys. `primary_key`: of a peer that
  /// tells of no constraints.
  void Create(const std::vector<std::string>& primary_key);
  void CreateIndexes();
  /// Makes it a partition of its parent.
  void Attach(const std::string& bound);
  /// What is left: storage, statistics, comments, checks that are not validated.
  void Finish();
  /// Its foreign keys; `find` tells where a peer's table is here, `may_lock` whether that may be
  /// locked.
  template <typename Find>
  void CreateForeignKeys(Find&& find) {
    for (const core::PartInfo& part : definition_.foreign_keys) {
      Constraint* constraint = nullptr;
      const TableName referenced = ReadForeignKey(part, &constraint);
      if (constraint != nullptr) CreateForeignKey(part, constraint, find(referenced));
    }
  }

  /// Where a foreign key points to.
  struct Referenced {
    TableName name;
    std::string refusal;  ///< not empty: why it cannot be
  };

 private:
  /// A constraint or index of this relation with the definition that it has, if need be its
  /// parent's.
  struct Part {
    const core::PartInfo* info;
    const std::string* definition;
  };

  /// A free name for what is called so at the peer.
  std::string NameHere(const std::string& at_peer);
  void ResolveColumns();
  ExpressionScope Scope() const;
  Part Find(const core::PartInfo& part, bool constraint) const;
  void AddColumn(size_t i, CreateStmt* create);
  ColumnDef* PlainColumn(size_t i);
  void AddColumnExpression(size_t i, ColumnDef* column);
  void AddIdentity(size_t i, ColumnDef* column);
  void AddSerial(const core::ColumnInfo& column, Oid type);
  void AddConstraints(CreateStmt* create, const std::vector<std::string>& primary_key);
  /// A constraint that an index enforces; `names`: those of the others. Returns whether it is the
  /// primary key.
  bool AddIndexConstraint(const core::PartInfo& part, std::set<std::string>* names,
                          CreateStmt* create);
  /// Of a peer that tells of no constraints, by the names of its columns.
  void AddPrimaryKey(const std::vector<std::string>& names, CreateStmt* create);
  /// A check of this relation, or of one above it, for CREATE TABLE.
  void AddCheck(const core::PartInfo& part, bool own, CreateStmt* create);
  void AddUnvalidatedCheck(const core::PartInfo& part);
  Constraint* AcceptedCheck(const core::PartInfo& part);
  void AddPartitionKey(CreateStmt* create);
  void AddAccessMethod(CreateStmt* create);
  List* Options(const std::vector<std::string>& options, bool index, const std::string& what);
  void AlterColumns(List** commands);
  void CommentOnParts();
  TableName ReadForeignKey(const core::PartInfo& part, Constraint** constraint);
  void CreateForeignKey(const core::PartInfo& part, Constraint* constraint,
                        const Referenced& referenced);
  Oid ConstraintHere(const std::string& constraint) const;
  [[noreturn]] void Refuse(const std::string& what, const std::string& why) const;

  const core::RelationInfo& definition_;
  TableName name_;
  NewRelation* parent_;
  std::string old_root_;
  std::string new_root_;
  UsableTypes& types_;
  NewSequences& sequences_;
  LeftOut* left_out_;

  std::vector<core::ColumnInfo> columns_;
  std::vector<KnownColumn> known_;
  std::vector<const core::PartInfo*> unvalidated_;
  /// Names here of the constraints and indexes that were made, by those at the peer.
  std::map<std::string, std::string> index_names_;
  std::map<size_t, std::string> identity_names_;  ///< of sequences, by column
  std::set<std::string> reserved_;                ///< names that CREATE TABLE will take
  std::string replica_identity_, clustered_;
  Oid oid_ = InvalidOid;
};

}  // namespace pgsync::catalog
