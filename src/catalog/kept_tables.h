// Definitions of tables, kept from call to call: to read one takes a good part of the time of a
// small page of its rows.
#pragma once

#include <memory>

#include "catalog/table.h"

namespace pgsync::catalog {

/// What ReadCachedTable() reads, or has read before: it is read anew once anything has changed that
/// a definition is made of. The relation must be locked.
std::shared_ptr<const Table> KeptTable(Oid relation);

/// Tells the other backends, at COMMIT, that relations belong to this extension which did not, or
/// the other way round: of that alone the server tells nobody. For leaves.
void tell_new_membership();

}  // namespace pgsync::catalog
