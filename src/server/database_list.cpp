#include "server/database_list.h"

#include <algorithm>

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace pgsync::server {

namespace {

struct RawName {
  Oid oid;
  char name[NAMEDATALEN];
};

}  // namespace

std::vector<session::NamedDatabase> ListDatabases() {
  struct {
    RawName* entries;
    int count;
  } found = pg::Call([] {
    decltype(found) list = {nullptr, 0};
    int capacity = 0;
    const MemoryContext caller = CurrentMemoryContext;
    StartTransactionCommand();
    (void)GetTransactionSnapshot();
    Relation rel = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(rel, 0, nullptr);
    while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
      auto* form = (Form_pg_database)GETSTRUCT(tuple);
      if (!form->datallowconn || form->datistemplate) continue;
      if (list.count == capacity) {
        capacity = std::max(16, capacity * 2);
        const Size size = sizeof(RawName) * capacity;
        list.entries =
            static_cast<RawName*>(list.entries == nullptr ? MemoryContextAlloc(caller, size)
                                                          : repalloc(list.entries, size));
      }
      list.entries[list.count].oid = form->oid;
      strlcpy(list.entries[list.count].name, NameStr(form->datname), NAMEDATALEN);
      list.count++;
    }
    table_endscan(scan);
    table_close(rel, AccessShareLock);
    CommitTransactionCommand();
    MemoryContextSwitchTo(caller);
    return list;
  });
  std::vector<session::NamedDatabase> databases;
  for (int i = 0; i < found.count; i++)
    databases.push_back({found.entries[i].oid, found.entries[i].name});
  if (found.entries != nullptr) pfree(found.entries);
  return databases;
}

}  // namespace pgsync::server
