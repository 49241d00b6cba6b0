#include "engine/bulk_refusal.h"

#include <algorithm>

#include "pg/compat.h"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
}

namespace pgsync::engine {

namespace {

// Null, or why not.
const char* refuse_relation(Relation rel) {
  if (rel->rd_rel->relkind != RELKIND_RELATION) return "it is not an ordinary table";
  if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP) return "it is a temporary table";
  if (!pg::owns_table(RelationGetRelid(rel), GetUserId())) return "the caller does not own it";
  if (pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), ACL_INSERT) != ACLCHECK_OK) {
    return "the caller may not INSERT";
  }
  if (check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED) {
    return "row level security applies";
  }
  if (rel->rd_rules != nullptr) return "it has rules";
  if (rel->rd_refcnt != 1) return "it is used by a query that is running";
  if (AfterTriggerPendingOnRel(RelationGetRelid(rel))) return "it has pending trigger events";
  if (SessionReplicationRole != SESSION_REPLICATION_ROLE_ORIGIN) {
    return "session_replication_role is not origin";
  }
  return nullptr;
}

const char* refuse_triggers(Relation rel, bool foreign_keys_are_checked) {
  const TriggerDesc* triggers = rel->trigdesc;
  for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++) {
    const Trigger& trigger = triggers->triggers[i];
    if (!TRIGGER_FOR_INSERT(trigger.tgtype)) continue;
    if (RI_FKey_trigger_type(trigger.tgfoid) == RI_TRIGGER_NONE) {
      if (trigger.tgenabled != TRIGGER_DISABLED) return "it has triggers for INSERT";
    } else if (!foreign_keys_are_checked && trigger.tgenabled != TRIGGER_FIRES_ON_ORIGIN) {
      return "the triggers of a foreign key are not in their usual state";
    }
  }
  return nullptr;
}

const char* refuse_indexes(Relation rel) {
  const char* refusal = nullptr;
  List* indexes = RelationGetIndexList(rel);
  ListCell* cell;
  foreach (cell, indexes) {
    Relation index = index_open(lfirst_oid(cell), AccessShareLock);
    const Form_pg_index form = index->rd_index;
    if (!form->indisvalid || !form->indisready || !form->indislive)
      refusal = "an index is not valid";
    if (!form->indimmediate) refusal = "a unique constraint is deferrable";
    index_close(index, AccessShareLock);
  }
  list_free(indexes);
  return refusal;
}

// Whether it can see in a table what has been written to it since the statement began.
bool is_users_function(Oid function, void*) {
  return function >= FirstGenbkiObjectId && func_volatile(function) == PROVOLATILE_VOLATILE;
}

bool calls_users_function(Node* node, void*) {
  if (node == nullptr) return false;
  return check_functions_in_node(node, is_users_function, nullptr) ||
         pg::walk_expression(node, calls_users_function, nullptr);
}

// It may look into the table, where it would find rows later than with INSERT, and none of them by
// an index.
const char* refuse_functions(Relation rel, const AttrNumber* columns, int count) {
  const TupleDesc desc = RelationGetDescr(rel);
  const TupleConstr* constraints = desc->constr;
  for (int i = 0; constraints != nullptr && i < constraints->num_check; i++) {
    auto* check = static_cast<Node*>(stringToNode(constraints->check[i].ccbin));
    if (calls_users_function(check, nullptr)) return "a check calls a function of a user";
  }
  for (AttrNumber number = 1; number <= desc->natts; number++) {
    const Form_pg_attribute attribute = TupleDescAttr(desc, number - 1);
    if (attribute->attisdropped || attribute->attgenerated != '\0') continue;
    if (std::find(columns, columns + count, number) != columns + count) continue;
    if (calls_users_function(build_column_default(rel, number), nullptr)) {
      return "a default calls a function of a user";
    }
  }
  return nullptr;
}

// A referenced row must not go away between the check and the commit, and the check must be able to
// see it.
const char* refuse_foreign_keys(Relation rel) {
  ListCell* cell;
  foreach (cell, RelationGetFKeyList(rel)) {
    const auto* key = lfirst_node(ForeignKeyCacheInfo, cell);
    if (key->confrelid == RelationGetRelid(rel)) continue;
    // Such a key has further entries, one for each partition, that are not to be checked.
    if (get_rel_relkind(key->confrelid) == RELKIND_PARTITIONED_TABLE) {
      return "a referenced table is partitioned";
    }
    if (pg_class_aclcheck(key->confrelid, GetUserId(), ACL_SELECT) != ACLCHECK_OK) {
      return "the caller may not SELECT from a referenced table";
    }
    if (check_enable_rls(key->confrelid, InvalidOid, true) == RLS_ENABLED) {
      return "row level security applies to a referenced table";
    }
    if (!ConditionalLockRelationOid(key->confrelid, ShareRowExclusiveLock)) {
      return "a referenced table is locked";
    }
  }
  return nullptr;
}

// Also of rows that other transactions have committed since this statement began.
bool is_empty(Relation rel) {
  TupleTableSlot* slot = table_slot_create(rel, nullptr);
  Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
  TableScanDesc scan = table_beginscan(rel, snapshot, 0, nullptr);
  const bool empty = !table_scan_getnextslot(scan, ForwardScanDirection, slot);
  table_endscan(scan);
  UnregisterSnapshot(snapshot);
  ExecDropSingleTupleTableSlot(slot);
  return empty;
}

}  // namespace

const char* refuse_bulk_load(Oid table, const AttrNumber* columns, int count,
                             bool foreign_keys_are_checked) {
  if (IsolationUsesXactSnapshot()) return "the transaction may have an older snapshot";
  if (!ConditionalLockRelationOid(table, ShareRowExclusiveLock)) return "the table is in use";
  Relation rel = table_open(table, NoLock);
  const char* refusal = refuse_relation(rel);
  if (refusal == nullptr) refusal = refuse_indexes(rel);
  if (refusal == nullptr) refusal = refuse_triggers(rel, foreign_keys_are_checked);
  if (refusal == nullptr) refusal = refuse_functions(rel, columns, count);
  if (refusal == nullptr && !is_empty(rel)) refusal = "it is not empty";
  if (refusal == nullptr && !foreign_keys_are_checked) refusal = refuse_foreign_keys(rel);
  table_close(rel, NoLock);
  return refusal;
}

}  // namespace pgsync::engine
