#include "pg/subxact.h"

extern "C" {
#include "access/xact.h"
#include "utils/resowner.h"
}

namespace pgsync::pg {

SubXact BeginSubXact() {
  const SubXact subxact{CurrentMemoryContext, CurrentResourceOwner};
  Call([&] {
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(subxact.context);
  });
  return subxact;
}

void ReleaseSubXact(const SubXact& subxact) {
  Call([&] {
    ReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(subxact.context);
    CurrentResourceOwner = subxact.owner;
  });
}

void RollbackSubXact(const SubXact& subxact) {
  Call([&] {
    RollbackAndReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(subxact.context);
    CurrentResourceOwner = subxact.owner;
  });
}

}  // namespace pgsync::pg
