#include "catalog/kept_tables.h"

#include <algorithm>
#include <list>

#include "catalog/cached_table.h"

extern "C" {
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace pgsync::catalog {

namespace {

// Most take a few kB.
constexpr size_t kKeptTables = 32;

// How often this backend has learned of a change: of any relation, for a type may be one too, or of
// another catalog that definitions are read from.
uint64 changes = 0;

// Called by the server whenever it likes.
void on_relation_change(Datum, Oid) {
  changes++;
}
void on_catalog_change(Datum, int, uint32) {
  changes++;
}

void RegisterCallbacks() {
  static bool registered = false;
  if (registered) return;
  registered = true;
  pg::Call([] {
    CacheRegisterRelcacheCallback(on_relation_change, 0);
    for (const int cache :
         {NAMESPACEOID, TYPEOID, OPEROID, CLAOID, AMOPSTRATEGY, AMPROCNUM, COLLOID})
      CacheRegisterSyscacheCallback(cache, on_catalog_change, 0);
  });
}

struct Kept {
  uint64 changes;  // before it was read
  std::shared_ptr<const Table> table;
};

// The last one used comes first. Never destroyed, as what is left at exit() needs no order.
std::list<Kept>& KeptTables() {
  static auto* tables = new std::list<Kept>;
  return *tables;
}

}  // namespace

std::shared_ptr<const Table> KeptTable(Oid relation) {
  RegisterCallbacks();
  std::list<Kept>& tables = KeptTables();
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [&](const Kept& kept) { return kept.table->oid == relation; });
  if (found != tables.end()) {
    tables.splice(tables.begin(), tables, found);
    if (found->changes == changes) return found->table;
    tables.pop_front();
  }
  const uint64 before = changes;
  auto table = std::make_shared<const Table>(ReadCachedTable(relation));
  // A parent learns nothing of its last child's end.
  if (table->has_children) return table;
  tables.push_front({before, table});
  if (tables.size() > kKeptTables) tables.pop_back();
  return table;
}

void tell_new_membership() {
  CacheInvalidateRelcacheAll();
}

}  // namespace pgsync::catalog
