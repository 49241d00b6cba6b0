#include "sql/value_set.h"

extern "C" {
#include "miscadmin.h"
#include "utils/memutils.h"
}

namespace pgsync::sql {

ValueSet::Values* ValueSet::values_of(FunctionCallInfo fcinfo) {
  return static_cast<Values*>(static_cast<FuncCallContext*>(fcinfo->flinfo->fn_extra)->user_fctx);
}

ValueSet::ValueSet(FunctionCallInfo fcinfo)
    : fcinfo_(fcinfo), info_(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo)) {
  values_ = pg::Call([&] {
    FuncCallContext* const calls = init_MultiFuncCall(fcinfo);
    auto* const values =
        static_cast<Values*>(MemoryContextAllocZero(calls->multi_call_memory_ctx, sizeof(Values)));
    values->context = GenerationContextCreate(calls->multi_call_memory_ctx, "sync values",
                                              ALLOCSET_DEFAULT_SIZES);
    calls->user_fctx = values;
    return values;
  });
}

void ValueSet::put(const varlena* value) {
  const Size size = VARSIZE(value);
  if (!spilled_ && values_->size + size > work_mem * Size{1024}) spill();
  if (spilled_) {
    put_in_store(value);
    return;
  }
  auto* const kept =
      static_cast<Value*>(MemoryContextAllocHuge(values_->context, offsetof(Value, bytes) + size));
  kept->next = nullptr;
  memcpy(kept->bytes, value, size);
  (values_->last == nullptr ? values_->next : values_->last->next) = kept;
  values_->last = kept;
  values_->size += size;
}

// What was kept goes first.
void ValueSet::spill() {
  InitMaterializedSRF(fcinfo_, MAT_SRF_USE_EXPECTED_DESC);
  spilled_ = true;
  for (const Value* value = values_->next; value != nullptr; value = value->next)
    put_in_store(value->bytes);
  MemoryContextReset(values_->context);
  values_->next = nullptr;
}

void ValueSet::put_in_store(const void* value) {
  Datum datum = PointerGetDatum(value);
  bool is_null = false;
  tuplestore_putvalues(info_->setResult, info_->setDesc, &datum, &is_null);
}

Datum ValueSet::Done() {
  if (!spilled_) return Next(fcinfo_);
  pg::Call([&] {
    end_MultiFuncCall(fcinfo_, static_cast<FuncCallContext*>(fcinfo_->flinfo->fn_extra));
  });
  return 0;
}

Datum ValueSet::Next(FunctionCallInfo fcinfo) {
  auto* const info = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  Values* const values = values_of(fcinfo);
  if (Value* const value = values->next; value != nullptr) {
    values->next = value->next;
    info->isDone = ExprMultipleResult;
    return PointerGetDatum(value->bytes);
  }
  pg::Call(
      [&] { end_MultiFuncCall(fcinfo, static_cast<FuncCallContext*>(fcinfo->flinfo->fn_extra)); });
  info->isDone = ExprEndResult;
  fcinfo->isnull = true;
  return 0;
}

}  // namespace pgsync::sql
