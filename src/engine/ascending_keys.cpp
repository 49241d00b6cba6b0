#include "engine/ascending_keys.h"

extern "C" {
#include "utils/datum.h"
#include "utils/typcache.h"
}

namespace pgsync::engine {

AscendingKeys::AscendingKeys(const catalog::Table& table, const catalog::Key& key)
    : context_("sync key order"), last_("sync last key") {
  for (const size_t position : key.columns) {
    const catalog::Column& column = table.columns[position];
    Part part = {};
    part.collation = column.collation;
    const Oid type = column.facts.base;
    const bool ordered = pg::Call([&] {
      TypeCacheEntry* entry = lookup_type_cache(type, TYPECACHE_CMP_PROC);
      if (!OidIsValid(entry->cmp_proc)) return false;
      part.compare =
          static_cast<FmgrInfo*>(MemoryContextAllocZero(context_.get(), sizeof(FmgrInfo)));
      fmgr_info_cxt(entry->cmp_proc, part.compare, context_.get());
      part.by_value = entry->typbyval;
      part.length = entry->typlen;
      return true;
    });
    if (!ordered) ascending_ = false;
    parts_.push_back(part);
  }
}

int AscendingKeys::compare(const Datum* values) const {
  for (size_t i = 0; i < parts_.size(); i++) {
    const Part& part = parts_[i];
    const int order =
        DatumGetInt32(FunctionCall2Coll(part.compare, part.collation, values[i], part.last));
    if (order != 0) return order;
  }
  return 0;
}

bool AscendingKeys::add(const Datum* values, const bool* nulls) {
  if (!ascending_) return false;
  for (size_t i = 0; i < parts_.size(); i++)
    ascending_ = ascending_ && !nulls[i];
  if (!ascending_ || (any_ && compare(values) <= 0)) return ascending_ = false;
  any_ = true;
  MemoryContextReset(last_.get());
  const MemoryContext saved = MemoryContextSwitchTo(last_.get());
  for (size_t i = 0; i < parts_.size(); i++)
    parts_[i].last = datumCopy(values[i], parts_[i].by_value, parts_[i].length);
  MemoryContextSwitchTo(saved);
  return true;
}

}  // namespace pgsync::engine
