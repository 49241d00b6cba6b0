#include "rows/phoenix_type.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace pgsync::rows {

namespace {

using Kind = core::PhoenixType::Kind;

struct TypeEntry {
  Oid base;
  int32 typmod;
  char typtype;
  char category;
  char delimiter;
  Oid inner;  // the type of elements, bounds, ranges
  bool hstore;
};

TypeEntry read_entry(Oid type, int32 typmod) {
  TypeEntry entry = {};
  entry.typmod = typmod;
  entry.base = getBaseTypeAndTypmod(type, &entry.typmod);
  HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(entry.base));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for type %u", entry.base);
  auto* form = (Form_pg_type)GETSTRUCT(tuple);
  entry.typtype = form->typtype;
  entry.category = form->typcategory;
  entry.delimiter = form->typdelim;
  const bool named_hstore = strcmp(NameStr(form->typname), "hstore") == 0;
  ReleaseSysCache(tuple);
  if (named_hstore) {
    const Oid extension = getExtensionOfObject(TypeRelationId, entry.base);
    const char* name = OidIsValid(extension) ? get_extension_name(extension) : nullptr;
    entry.hstore = name != nullptr && strcmp(name, "hstore") == 0;
  }
  if (entry.typtype == TYPTYPE_RANGE) {
    entry.inner = get_range_subtype(entry.base);
  } else if (entry.typtype == TYPTYPE_MULTIRANGE) {
    entry.inner = get_multirange_range(entry.base);
  } else if (entry.base != INT2VECTOROID && entry.base != OIDVECTOROID) {
    entry.inner = get_element_type(entry.base);
  }
  return entry;
}

Kind KindOf(const TypeEntry& entry) {
  if (entry.typtype == TYPTYPE_RANGE) return Kind::kRange;
  if (entry.typtype == TYPTYPE_MULTIRANGE) return Kind::kMultirange;
  if (OidIsValid(entry.inner)) return Kind::kArray;
  if (entry.hstore) return Kind::kHstore;
  switch (entry.base) {
    case BOOLOID:
      return Kind::kBool;
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
      return Kind::kInteger;
    case FLOAT4OID:
    case FLOAT8OID:
      return Kind::kFloat;
    case NUMERICOID:
      return Kind::kNumeric;
    case UUIDOID:
      return Kind::kUuid;
    case BYTEAOID:
      return Kind::kBytea;
    case DATEOID:
      return Kind::kDate;
    case TIMEOID:
      return Kind::kTime;
    case TIMETZOID:
      return Kind::kTimeTz;
    case TIMESTAMPOID:
      return Kind::kTimestamp;
    case TIMESTAMPTZOID:
      return Kind::kTimestampTz;
    case JSONOID:
      return Kind::kJson;
    case JSONBOID:
      return Kind::kJsonb;
    case BITOID:
      return Kind::kBit;
    case VARBITOID:
      return Kind::kVarBit;
    case INETOID:
    case CIDROID:
      return Kind::kInet;
    case MACADDROID:
      return Kind::kMacAddr;
    case POINTOID:
      return Kind::kPoint;
    default:
      return entry.category == TYPCATEGORY_STRING || entry.typtype == TYPTYPE_ENUM ? Kind::kText
                                                                                   : Kind::kOther;
  }
}

}  // namespace

core::PhoenixType PhoenixTypeOf(Oid type, int32 typmod) {
  const TypeEntry entry = pg::Call([&] { return read_entry(type, typmod); });
  core::PhoenixType out;
  out.kind = KindOf(entry);
  if (out.kind == Kind::kBit || out.kind == Kind::kVarBit) out.bits = entry.typmod;
  if (OidIsValid(entry.inner)) {
    // A type modifier of an array is its elements'.
    const int32 inner_typmod = out.kind == Kind::kArray ? entry.typmod : -1;
    out.element =
        std::make_shared<const core::PhoenixType>(PhoenixTypeOf(entry.inner, inner_typmod));
  }
  if (out.kind == Kind::kArray) out.delimiter = entry.delimiter;
  return out;
}

}  // namespace pgsync::rows
