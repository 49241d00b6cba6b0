#include "catalog/accept_partition.h"

#include "catalog/peer_text.h"
#include "catalog/provided.h"

extern "C" {
#include "access/table.h"
#include "catalog/pg_am.h"
#include "nodes/makefuncs.h"
#include "utils/partcache.h"
#include "utils/rel.h"
}

namespace pgsync::catalog {

namespace {

// Bounds are computed while the partition is attached: constants only, and of a range the words
// MINVALUE and MAXVALUE, which the grammar gives as names of columns.
const char* accept_bound_values(List* values, bool range, const PartitionKeyData* key,
                                const ExpressionScope& scope) {
  ListCell* cell;
  int position = 0;
  foreach (cell, values) {
    Node* value = static_cast<Node*>(lfirst(cell));
    const int column = range ? position++ : 0;
    if (column >= key->partnatts) return "it has too many values";
    if (range && IsA(value, ColumnRef) && list_length(castNode(ColumnRef, value)->fields) == 1) {
      const Node* field = static_cast<Node*>(linitial(castNode(ColumnRef, value)->fields));
      if (IsA(field, String) &&
          (strcmp(strVal(field), "minvalue") == 0 || strcmp(strVal(field), "maxvalue") == 0)) {
        continue;
      }
    }
    if (!IsA(value, A_Const)) return "it is made of more than constants";
    const ColumnType type = {key->parttypid[column], key->parttypmod[column],
                             key->parttypcoll[column]};
    const char* refusal =
        refuse_expression(value, ExpressionUse::kPartitionBound, scope, &type, nullptr);
    if (refusal != nullptr) return refusal;
  }
  return nullptr;
}

}  // namespace

const char* accept_partition_key(const char* definition, const ExpressionScope& scope,
                                 PartitionSpec** accepted) {
  auto* statement = reinterpret_cast<CreateStmt*>(
      parse_one_statement(psprintf("CREATE TABLE t () PARTITION BY %s", definition), T_CreateStmt));
  if (statement == nullptr || statement->partspec == nullptr || statement->options != NIL ||
      statement->tablespacename != nullptr || statement->accessMethod != nullptr ||
      statement->oncommit != ONCOMMIT_NOOP) {
    return "it is not one partition key";
  }
  auto* key = makeNode(PartitionSpec);
  key->strategy = statement->partspec->strategy;
  key->location = -1;
  ListCell* cell;
  foreach (cell, statement->partspec->partParams) {
    const auto* raw = lfirst_node(PartitionElem, cell);
    auto* element = makeNode(PartitionElem);
    element->location = -1;
    if (raw->name != nullptr) {
      if (find_known_column(raw->name, scope) == nullptr) {
        return psprintf("there is no column \"%s\"", raw->name);
      }
      element->name = pstrdup(raw->name);
    } else {
      const char* refusal =
          refuse_expression(raw->expr, ExpressionUse::kPartitionKey, scope, nullptr, nullptr);
      if (refusal != nullptr) return refusal;
      element->expr = raw->expr;
    }
    if (raw->collation != NIL) {
      element->collation = find_collation(raw->collation);
      if (element->collation == NIL) return "its collation does not exist here";
    }
    if (raw->opclass != NIL) {
      // Hash partitioning takes classes of hash, the others those of btree.
      element->opclass = find_opclass(HASH_AM_OID, raw->opclass);
      if (element->opclass == NIL) element->opclass = find_opclass(BTREE_AM_OID, raw->opclass);
      if (element->opclass == NIL) return "its operator class is not provided here";
    }
    key->partParams = lappend(key->partParams, element);
  }
  *accepted = key;
  return nullptr;
}

const char* accept_partition_bound(const char* definition, Oid parent, const ExpressionScope& scope,
                                   PartitionBoundSpec** accepted) {
  AlterTableCmd* command = parse_one_command(
      psprintf("ALTER TABLE t ATTACH PARTITION p %s", definition), AT_AttachPartition);
  if (command == nullptr) return "it is not one bound";
  const PartitionBoundSpec* raw = castNode(PartitionCmd, command->def)->bound;
  if (raw == nullptr) return "it is no bound";
  Relation relation = table_open(parent, AccessShareLock);
  const PartitionKeyData* key = RelationGetPartitionKey(relation);
  const char* refusal = key == nullptr ? "the table is not partitioned"
                                       : accept_bound_values(raw->listdatums, false, key, scope);
  if (refusal == nullptr) refusal = accept_bound_values(raw->lowerdatums, true, key, scope);
  if (refusal == nullptr) refusal = accept_bound_values(raw->upperdatums, true, key, scope);
  table_close(relation, NoLock);
  if (refusal != nullptr) return refusal;
  auto* bound = makeNode(PartitionBoundSpec);
  bound->strategy = raw->strategy;
  bound->is_default = raw->is_default;
  bound->modulus = raw->modulus;
  bound->remainder = raw->remainder;
  bound->listdatums = raw->listdatums;
  bound->lowerdatums = raw->lowerdatums;
  bound->upperdatums = raw->upperdatums;
  bound->location = -1;
  *accepted = bound;
  return nullptr;
}

}  // namespace pgsync::catalog
