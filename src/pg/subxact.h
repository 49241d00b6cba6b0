// Subtransactions: the one place where a PostgreSQL error may be survived.
#pragma once

#include "pg/guard.h"

struct ResourceOwnerData;

namespace pgsync::pg {

/// A subtransaction that is open; plain data.
struct SubXact {
  MemoryContext context;
  ResourceOwnerData* owner;
};

SubXact BeginSubXact();
void ReleaseSubXact(const SubXact& subxact);
void RollbackSubXact(const SubXact& subxact);

/// Runs `body` in a subtransaction, released when it returns and rolled back when it throws,
/// whatever it throws: an exception block of PL/pgSQL further out rolls back the innermost
/// subtransaction and must find its own there.
template <typename Body>
void InSubXact(Body&& body) {
  const SubXact subxact = BeginSubXact();
  try {
    body();
  } catch (...) {
    RollbackSubXact(subxact);
    throw;
  }
  ReleaseSubXact(subxact);
}

}  // namespace pgsync::pg
