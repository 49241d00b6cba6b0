// _sync_differ(record, record): whether two rows differ in what "equal" means here. Private to the
// statements that the engine writes.
#include "rows/canonical.h"
#include "rows/row_equality.h"
#include "sql/function.h"

extern "C" {
#include "access/htup_details.h"
#include "utils/typcache.h"
}

namespace pgsync::sql {

using rows::RowPair;
using rows::TextCache;
using rows::Verdict;

namespace {

void deform(HeapTupleHeader header, TupleDesc desc, Datum* values, bool* nulls) {
  HeapTupleData tuple = {};
  tuple.t_len = HeapTupleHeaderGetDatumLength(header);
  tuple.t_data = header;
  heap_deform_tuple(&tuple, desc, values, nulls);
}

RowPair read_pair(FunctionCallInfo fcinfo) {
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
  return {desc, columns, values, nulls, values + columns, nulls + columns};
}

TextCache* cached_functions(FunctionCallInfo fcinfo) {
  if (fcinfo->flinfo->fn_extra == nullptr) {
    auto* cache =
        static_cast<TextCache*>(MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(TextCache)));
    cache->context = fcinfo->flinfo->fn_mcxt;
    fcinfo->flinfo->fn_extra = cache;
  }
  return static_cast<TextCache*>(fcinfo->flinfo->fn_extra);
}

}  // namespace

PGSYNC_FUNCTION(pgsync_differ) {
  struct {
    RowPair pair;
    Verdict verdict;
  } compared = pg::Call([&] {
    decltype(compared) result;
    result.pair = read_pair(fcinfo);
    result.verdict = rows::compare_images(result.pair);
    return result;
  });
  bool differ = compared.verdict == Verdict::kDiffer;
  if (compared.verdict == Verdict::kUnsure) {
    rows::CanonicalSettings settings(false, false);
    differ = pg::Call([&] {
      settings.enter();
      const bool result = rows::texts_differ(*cached_functions(fcinfo), compared.pair);
      settings.leave();
      return result;
    });
  }
  pg::Call([&] { ReleaseTupleDesc(compared.pair.desc); });
  return BoolGetDatum(differ);
}

}  // namespace pgsync::sql
