#include "rows/row_equality.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
}

namespace pgsync::rows {

namespace {

bool same_image(const RowPair& pair, int i) {
  const Form_pg_attribute attribute = TupleDescAttr(pair.desc, i);
  return datum_image_eq(pair.left[i], pair.right[i], attribute->attbyval, attribute->attlen);
}

void make_room(TextCache& cache, int columns) {
  if (cache.columns == columns) return;
  cache.types =
      static_cast<Oid*>(MemoryContextAllocZero(cache.context, sizeof(Oid) * (columns + 1)));
  cache.functions = static_cast<FmgrInfo*>(
      MemoryContextAllocZero(cache.context, sizeof(FmgrInfo) * (columns + 1)));
  cache.columns = columns;
}

}  // namespace

Verdict compare_images(const RowPair& pair) {
  Verdict verdict = Verdict::kEqual;
  for (int i = 0; i < pair.columns; i++) {
    if (pair.left_nulls[i] != pair.right_nulls[i]) return Verdict::kDiffer;
    if (pair.left_nulls[i] || same_image(pair, i)) continue;
    switch (TupleDescAttr(pair.desc, i)->atttypid) {
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

bool texts_differ(TextCache& cache, const RowPair& pair) {
  make_room(cache, pair.columns);
  for (int i = 0; i < pair.columns; i++) {
    if (pair.left_nulls[i] || same_image(pair, i)) continue;
    const Oid type = TupleDescAttr(pair.desc, i)->atttypid;
    if (cache.types[i] != type) {
      Oid function;
      bool is_varlena;
      getTypeOutputInfo(type, &function, &is_varlena);
      fmgr_info_cxt(function, &cache.functions[i], cache.context);
      cache.types[i] = type;
    }
    const char* left = OutputFunctionCall(&cache.functions[i], pair.left[i]);
    const char* right = OutputFunctionCall(&cache.functions[i], pair.right[i]);
    if (strcmp(left, right) != 0) return true;
  }
  return false;
}

}  // namespace pgsync::rows
