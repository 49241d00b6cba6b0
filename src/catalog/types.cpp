#include "catalog/types.h"

#include "catalog/names.h"
#include "core/text.h"

extern "C" {
#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

namespace pgsync::catalog {

namespace {

bool IsObjectNameScalar(Oid type) {
  switch (type) {
    case REGPROCOID:
    case REGPROCEDUREOID:
    case REGOPEROID:
    case REGOPERATOROID:
    case REGCLASSOID:
    case REGCOLLATIONOID:
    case REGTYPEOID:
    case REGROLEOID:
    case REGNAMESPACEOID:
    case REGCONFIGOID:
    case REGDICTIONARYOID:
      return true;
    default:
      return false;
  }
}

// For leaves.
bool has_portable_binary_form(Oid type) {
  // What is sent of an empty one, its own receive function refuses.
  if (type == INT2VECTOROID || type == OIDVECTOROID) return false;
  const Oid element = get_element_type(type);
  if (OidIsValid(element)) return has_portable_binary_form(element);
  if (type >= FirstGenbkiObjectId || type == XMLOID || IsObjectNameScalar(type)) return false;
  switch (get_typtype(type)) {
    case TYPTYPE_BASE:
    case TYPTYPE_RANGE:
    case TYPTYPE_MULTIRANGE:
      break;
    default:
      return false;
  }
  HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(tuple)) return false;
  auto* form = (Form_pg_type)GETSTRUCT(tuple);
  // Types for internal use have functions that only refuse.
  const bool usable = OidIsValid(form->typsend) && OidIsValid(form->typreceive) &&
                      (form->typcategory != TYPCATEGORY_INTERNAL || type == CHAROID);
  ReleaseSysCache(tuple);
  return usable;
}

}  // namespace

namespace {

// For leaves.
void append_fields(StringInfo out, Oid type) {
  check_stack_depth();
  type = getBaseType(type);
  const Oid element = get_element_type(type);
  if (OidIsValid(element)) {
    append_fields(out, element);
    return;
  }
  switch (get_typtype(type)) {
    case TYPTYPE_RANGE:
      append_fields(out, get_range_subtype(type));
      return;
    case TYPTYPE_MULTIRANGE:
      append_fields(out, get_multirange_range(type));
      return;
    case TYPTYPE_COMPOSITE:
      break;
    default:
      return;
  }
  TupleDesc desc = lookup_rowtype_tupdesc_copy(type, -1);
  const char* separator = "(";
  for (int i = 0; i < desc->natts; i++) {
    const Form_pg_attribute attribute = TupleDescAttr(desc, i);
    if (attribute->attisdropped) continue;
    appendStringInfo(out, "%s\"%s\"", separator, NameStr(attribute->attname));
    append_fields(out, attribute->atttypid);
    separator = ", ";
  }
  appendStringInfoChar(out, ')');
  FreeTupleDesc(desc);
}

}  // namespace

TypeFacts ReadTypeFacts(Oid type, int32 typmod) {
  struct {
    Oid base;
    int32 typmod;
    char category;
    bool binary;
    const char* schema;
    const char* name;
    const char* fields;
  } found = pg::Call([&] {
    decltype(found) facts = {InvalidOid, typmod, '\0', false, nullptr, nullptr, nullptr};
    facts.base = getBaseTypeAndTypmod(type, &facts.typmod);
    bool preferred;
    get_type_category_preferred(facts.base, &facts.category, &preferred);
    facts.binary = has_portable_binary_form(facts.base);
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(facts.base));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for type %u", facts.base);
    auto* form = (Form_pg_type)GETSTRUCT(tuple);
    facts.name = pstrdup(NameStr(form->typname));
    facts.schema = get_namespace_name(form->typnamespace);
    ReleaseSysCache(tuple);
    StringInfoData fields;
    initStringInfo(&fields);
    append_fields(&fields, facts.base);
    facts.fields = fields.data;
    return facts;
  });
  TypeFacts facts;
  facts.base = found.base;
  facts.base_typmod = found.typmod;
  facts.category = found.category;
  facts.binary = found.binary;
  facts.fields = found.fields;
  const std::string schema = found.schema != nullptr ? found.schema : "";
  facts.base_name = schema == "pg_catalog" ? core::Cat(schema, ".", found.name)
                                           : TableName{schema, found.name}.Qualified();
  return facts;
}

namespace {

// For leaves.
void add_dependence(Oid type, TextDependence* dependence) {
  check_stack_depth();
  type = getBaseType(type);
  if (IsObjectNameScalar(type)) dependence->names = true;
  if (type == CASHOID) dependence->money = true;
  const Oid element = get_element_type(type);
  if (OidIsValid(element)) {
    add_dependence(element, dependence);
    return;
  }
  switch (get_typtype(type)) {
    case TYPTYPE_RANGE:
      add_dependence(get_range_subtype(type), dependence);
      return;
    case TYPTYPE_MULTIRANGE:
      add_dependence(get_multirange_range(type), dependence);
      return;
    case TYPTYPE_COMPOSITE: {
      TupleDesc desc = lookup_rowtype_tupdesc_copy(type, -1);
      for (int i = 0; i < desc->natts; i++) {
        const Form_pg_attribute attribute = TupleDescAttr(desc, i);
        if (!attribute->attisdropped) add_dependence(attribute->atttypid, dependence);
      }
      FreeTupleDesc(desc);
      return;
    }
    default:
      return;
  }
}

}  // namespace

TextDependence TextDependenceOf(Oid type) {
  return pg::Call([&] {
    TextDependence dependence;
    add_dependence(type, &dependence);
    return dependence;
  });
}

TypeLimits LimitsOf(Oid type, int32 typmod) {
  TypeLimits limits;
  switch (type) {
    case BPCHAROID:
    case VARCHAROID:
      if (typmod >= 0) limits.max_length = typmod - VARHDRSZ;
      break;
    case BITOID:
    case VARBITOID:
      if (typmod >= 0) limits.max_length = typmod;
      break;
    case INT2OID:
      limits.precision = 16;
      limits.scale = 0;
      break;
    case INT4OID:
      limits.precision = 32;
      limits.scale = 0;
      break;
    case INT8OID:
      limits.precision = 64;
      limits.scale = 0;
      break;
    case FLOAT4OID:
      limits.precision = 24;
      break;
    case FLOAT8OID:
      limits.precision = 53;
      break;
    case NUMERICOID:
      if (typmod >= 0) {
        limits.precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
        limits.scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
      }
      break;
    default:
      break;
  }
  return limits;
}

}  // namespace pgsync::catalog
