// Differences between the versions of PostgreSQL, in one place. Tested on 15; the branches for
// later ones follow their release notes.
#pragma once

#include "pg/server.h"

extern "C" {
#include "catalog/pg_database.h"
#include "commands/trigger.h"
#include "nodes/nodeFuncs.h"
#include "storage/backendid.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/regproc.h"
#include "utils/rel.h"
}

namespace pgsync::pg {

#if PG_VERSION_NUM < 150000
#error "sync needs PostgreSQL 15 or later"
#endif

/// A number for this process, from 0 to below MaxBackends, unique among those that run.
inline int backend_slot() {
#if PG_VERSION_NUM >= 170000
  return MyProcNumber;
#else
  return MyBackendId - 1;
#endif
}

/// Whether a role may do something with a database.
inline bool database_allows(Oid database, Oid role, AclMode mode) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(DatabaseRelationId, database, role, mode) == ACLCHECK_OK;
#else
  return pg_database_aclcheck(database, role, mode) == ACLCHECK_OK;
#endif
}

/// Whether a role owns a table.
inline bool owns_table(Oid table, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(RelationRelationId, table, role);
#else
  return pg_class_ownercheck(table, role);
#endif
}

/// Gives the trigger of that name of an open, locked table (and what a partitioned table hands
/// down) a new pg_trigger.tgenabled. Needs a superuser for the triggers of constraints.
inline void set_trigger_state(Relation rel, const char* name, char state, LOCKMODE lock) {
#if PG_VERSION_NUM >= 160000
  EnableDisableTrigger(rel, name, InvalidOid, state, false, true, lock);
#else
  EnableDisableTrigger(rel, name, state, false, lock);
#endif
}

/// Whether the current transaction has made the relation, or given it new storage.
inline bool is_new_storage(Relation rel) {
#if PG_VERSION_NUM >= 160000
  const SubTransactionId changed = rel->rd_firstRelfilelocatorSubid;
#else
  const SubTransactionId changed = rel->rd_firstRelfilenodeSubid;
#endif
  return rel->rd_createSubid != InvalidSubTransactionId || changed != InvalidSubTransactionId;
}

/// expression_tree_walker() with a walker that has a type.
inline bool walk_expression(Node* node, bool (*walker)(Node*, void*), void* context) {
#if PG_VERSION_NUM >= 160000
  return expression_tree_walker(node, walker, context);
#else
  // Declared without parameters; by way of the type that may stand for any function.
  auto* const any_function = reinterpret_cast<void (*)()>(walker);
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(any_function), context);
#endif
}

/// Reads a name with dots, as SQL writes it, into a list of String nodes.
inline List* parse_qualified_name(const char* text) {
#if PG_VERSION_NUM >= 160000
  return stringToQualifiedNameList(text, nullptr);
#else
  return stringToQualifiedNameList(text);
#endif
}

}  // namespace pgsync::pg
