#include "catalog/provided.h"

#include "pg/compat.h"

extern "C" {
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "commands/defrem.h"
#include "parser/parse_oper.h"
}

namespace pgsync::catalog {

namespace {

// [schema, name]; null for what names no object.
List* qualified(List* names) {
  if (list_length(names) == 2) return list_copy(names);
  if (list_length(names) != 1) return NIL;
  return lcons(makeString(pstrdup("pg_catalog")), list_copy(names));
}

}  // namespace

bool is_provided(Oid object_class, Oid object) {
  return object < FirstUnpinnedObjectId || OidIsValid(getExtensionOfObject(object_class, object));
}

List* find_collation(List* names) {
  List* name = qualified(names);
  return name != NIL && OidIsValid(get_collation_oid(name, true)) ? name : NIL;
}

List* find_collation(const char* text) {
  return find_collation(pg::parse_qualified_name(text));
}

List* find_opclass(Oid access_method, List* names) {
  List* name = qualified(names);
  if (name == NIL) return NIL;
  const Oid found = get_opclass_oid(access_method, name, true);
  return OidIsValid(found) && is_provided(OperatorClassRelationId, found) ? name : NIL;
}

List* find_operator(List* names, Oid type) {
  List* name = qualified(names);
  if (name == NIL) return NIL;
  const Oid found = compatible_oper_opid(name, type, type, true);
  return OidIsValid(found) && is_provided(OperatorRelationId, found) ? name : NIL;
}

Oid find_index_method(const char* name) {
  const Oid found = get_index_am_oid(name, true);
  return OidIsValid(found) && is_provided(AccessMethodRelationId, found) ? found : InvalidOid;
}

}  // namespace pgsync::catalog
