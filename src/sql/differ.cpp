// _sync_differ(record, record): whether two rows differ in what "equal" means here. Private to the
// statements that the engine writes.
#include "rows/canonical.h"
#include "sql/function.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace pgsync::sql {

namespace {

// Output functions of the columns, kept from call to call.
struct TextCache {
  int columns;
  Oid* types;
  FmgrInfo* functions;
};

struct Pair {
  TupleDesc desc;
  Datum* left;
  bool* left_nulls;
  Datum* right;
  bool* right_nulls;
};

void deform(HeapTupleHeader header, TupleDesc desc, Datum* values, bool* nulls) {
  HeapTupleData tuple = {};
  tuple.t_len = HeapTupleHeaderGetDatumLength(header);
  tuple.t_data = header;
  heap_deform_tuple(&tuple, desc, values, nulls);
}

Pair read_pair(FunctionCallInfo fcinfo) {
  HeapTupleHeader left = DatumGetHeapTupleHeader(fcinfo->args[0].value);
  HeapTupleHeader right = DatumGetHeapTupleHeader(fcinfo->args[1].value);
  TupleDesc desc =
      lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(left), HeapTupleHeaderGetTypMod(left));
  TupleDesc other =
      lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(right), HeapTupleHeaderGetTypMod(right));
  const int columns = desc->natts;
  if (other->natts != columns) elog(ERROR, "rows have different numbers of columns");
  for (int i = 0; i < columns; i++) {
    if (TupleDescAttr(desc, i)->atttypid != TupleDescAttr(other, i)->atttypid) {
      elog(ERROR, "rows have different types of columns");
    }
  }
  ReleaseTupleDesc(other);
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * columns * 2 + 1));
  auto* nulls = static_cast<bool*>(palloc(columns * 2 + 1));
  deform(left, desc, values, nulls);
  deform(right, desc, values + columns, nulls + columns);
  return {desc, values, nulls, values + columns, nulls + columns};
}

enum class Verdict { kEqual, kDiffer, kUnsure };

// By the bytes, which tell almost always. Only some types have several images for one text.
Verdict compare_images(const Pair& pair) {
  Verdict verdict = Verdict::kEqual;
  for (int i = 0; i < pair.desc->natts; i++) {
    if (pair.left_nulls[i] != pair.right_nulls[i]) return Verdict::kDiffer;
    if (pair.left_nulls[i]) continue;
    const Form_pg_attribute attribute = TupleDescAttr(pair.desc, i);
    if (datum_image_eq(pair.left[i], pair.right[i], attribute->attbyval, attribute->attlen))
      continue;
    switch (attribute->atttypid) {
      case BOOLOID:
      case INT2OID:
      case INT4OID:
      case INT8OID:
      case OIDOID:
      case TEXTOID:
      case VARCHAROID:
      case BPCHAROID:
      case BYTEAOID:
      case UUIDOID:
      case DATEOID:
      case TIMESTAMPOID:
      case TIMESTAMPTZOID:
        return Verdict::kDiffer;
      default:
        verdict = Verdict::kUnsure;
    }
  }
  return verdict;
}

TextCache* cached_functions(FunctionCallInfo fcinfo, TupleDesc desc) {
  auto* cache = static_cast<TextCache*>(fcinfo->flinfo->fn_extra);
  if (cache == nullptr || cache->columns != desc->natts) {
    const MemoryContext mcxt = fcinfo->flinfo->fn_mcxt;
    cache = static_cast<TextCache*>(MemoryContextAllocZero(mcxt, sizeof(TextCache)));
    cache->columns = desc->natts;
    cache->types = static_cast<Oid*>(MemoryContextAllocZero(mcxt, sizeof(Oid) * (desc->natts + 1)));
    cache->functions =
        static_cast<FmgrInfo*>(MemoryContextAllocZero(mcxt, sizeof(FmgrInfo) * (desc->natts + 1)));
    fcinfo->flinfo->fn_extra = cache;
  }
  return cache;
}

bool texts_differ(FunctionCallInfo fcinfo, const Pair& pair) {
  TextCache* cache = cached_functions(fcinfo, pair.desc);
  for (int i = 0; i < pair.desc->natts; i++) {
    if (pair.left_nulls[i]) continue;
    const Form_pg_attribute attribute = TupleDescAttr(pair.desc, i);
    if (datum_image_eq(pair.left[i], pair.right[i], attribute->attbyval, attribute->attlen))
      continue;
    if (cache->types[i] != attribute->atttypid) {
      Oid function;
      bool is_varlena;
      getTypeOutputInfo(attribute->atttypid, &function, &is_varlena);
      fmgr_info_cxt(function, &cache->functions[i], fcinfo->flinfo->fn_mcxt);
      cache->types[i] = attribute->atttypid;
    }
    const char* left = OutputFunctionCall(&cache->functions[i], pair.left[i]);
    const char* right = OutputFunctionCall(&cache->functions[i], pair.right[i]);
    if (strcmp(left, right) != 0) return true;
  }
  return false;
}

}  // namespace

PGSYNC_FUNCTION(pgsync_differ) {
  struct {
    Pair pair;
    Verdict verdict;
  } compared = pg::Call([&] {
    decltype(compared) result;
    result.pair = read_pair(fcinfo);
    result.verdict = compare_images(result.pair);
    return result;
  });
  bool differ = compared.verdict == Verdict::kDiffer;
  if (compared.verdict == Verdict::kUnsure) {
    rows::CanonicalSettings settings(false, false);
    differ = pg::Call([&] {
      settings.enter();
      const bool result = texts_differ(fcinfo, compared.pair);
      settings.leave();
      return result;
    });
  }
  pg::Call([&] { ReleaseTupleDesc(compared.pair.desc); });
  return BoolGetDatum(differ);
}

}  // namespace pgsync::sql
