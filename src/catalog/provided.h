// Objects that a peer's definition names, as they are here. Only what is built in or an extension's
// may run: whoever planted anything else would have it run by the caller. A name without a schema
// is one of pg_catalog, the search_path. All of this is for leaves that run under
// WithPlainSettings().
#pragma once

#include "pg/guard.h"

struct List;

namespace pgsync::catalog {

/// Built in, or a member of an extension.
bool is_provided(Oid object_class, Oid object);

// Raw names become [schema, name]; null where there is no such object, or it is not provided.

/// A collation, whoever made it.
List* find_collation(List* names);
/// The same from text, "schema.name" as SQL writes it.
List* find_collation(const char* text);
List* find_opclass(Oid access_method, List* names);
/// An operator between two values of a type, as PostgreSQL will find it.
List* find_operator(List* names, Oid type);
/// An access method of indexes: its OID.
Oid find_index_method(const char* name);

}  // namespace pgsync::catalog
