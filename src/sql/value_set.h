// A set of values as the result of a function.
#pragma once

#include "pg/guard.h"

extern "C" {
#include "funcapi.h"
}

namespace pgsync::sql {

/// The function's first call makes the whole set. Up to work_mem the values stay where they are put
/// and are handed out one by one, which is half the work of a tuplestore; more of them go to one,
/// which spills to a file.
class ValueSet {
 public:
  /// Whether this call has to make the set. Each other one returns Next().
  static bool IsFirstCall(FunctionCallInfo fcinfo) { return fcinfo->flinfo->fn_extra == nullptr; }
  static Datum Next(FunctionCallInfo fcinfo);

  /// Raises 0A000 where the caller takes no set.
  explicit ValueSet(FunctionCallInfo fcinfo);
  ValueSet(const ValueSet&) = delete;
  ValueSet& operator=(const ValueSet&) = delete;

  /// Adds a copy of a value of the function's type. For leaves.
  void put(const varlena* value);
  /// The end of the set: what the first call returns.
  Datum Done();

 private:
  struct Value {
    Value* next;
    char bytes[FLEXIBLE_ARRAY_MEMBER];
  };
  // What the calls share.
  struct Values {
    MemoryContext context;
    Value* next;  // to be handed out
    Value* last;
    Size size;
  };

  static Values* values_of(FunctionCallInfo fcinfo);
  void spill();
  void put_in_store(const void* value);

  FunctionCallInfo fcinfo_;
  ReturnSetInfo* info_;
  Values* values_;
  bool spilled_ = false;
};

}  // namespace pgsync::sql
