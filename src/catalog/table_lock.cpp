#include "catalog/table_lock.h"

#include "catalog/kept_tables.h"
#include "core/text.h"

extern "C" {
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

Oid LockRelation(const TableName& name) {
  for (;;) {
    const Oid found = FindRelation(name);
    if (!OidIsValid(found)) return InvalidOid;
    pg::Call([&] { LockRelationOid(found, AccessShareLock); });
    // While it was waited for, it may have been dropped or renamed, and another one come.
    if (FindRelation(name) == found) return found;
    pg::Call([&] { UnlockRelationOid(found, AccessShareLock); });
  }
}

bool LockTable(const TableName& name, Oid table) {
  if (LockRelation(name) != table) return false;
  const char kind = pg::Call([&] { return get_rel_relkind(table); });
  return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE;
}

std::shared_ptr<const Table> ReadLockedTable(Oid relation) {
  pg::Call([&] { LockRelationOid(relation, AccessShareLock); });
  return KeptTable(relation);
}

void RequireAsRead(const Table& table) {
  const TableName now = NameOfRelation(table.oid);
  bool same = now == table.name;
  const Column* columns = table.columns.data();
  const size_t count = table.columns.size();
  same = same && pg::Call([&] {
           Relation rel = relation_open(table.oid, AccessShareLock);
           const TupleDesc desc = RelationGetDescr(rel);
           bool all = rel->rd_rel->relkind == table.kind;
           for (size_t i = 0; i < count; i++) {
             const Column& column = columns[i];
             if (column.number > desc->natts) {
               all = false;
               break;
             }
             const Form_pg_attribute attribute = TupleDescAttr(desc, column.number - 1);
             all = all && !attribute->attisdropped && attribute->atttypid == column.type &&
                   column.name == NameStr(attribute->attname);
           }
           relation_close(rel, NoLock);
           return all;
         });
  if (same) return;
  throw Error(sqlstate::kNotInPrerequisiteState,
              Cat("definition of table \"", table.name.ForMessage(),
                  "\" was changed after the snapshot was taken"))
      .WithHint("Connect again for a new snapshot.");
}

}  // namespace pgsync::catalog
