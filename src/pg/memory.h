// Memory contexts with the lifetime of a C++ object.
#pragma once

#include "pg/guard.h"

namespace pgsync::pg {

/// A memory context deleted with the object. Its parent is TopMemoryContext, so that no end of a
/// (sub)transaction can delete it first.
class OwnedContext {
 public:
  explicit OwnedContext(const char* name) {
    context_ = Call([&] {
      return AllocSetContextCreateInternal(TopMemoryContext, name, ALLOCSET_DEFAULT_SIZES);
    });
  }
  ~OwnedContext() { MemoryContextDelete(context_); }
  OwnedContext(const OwnedContext&) = delete;
  OwnedContext& operator=(const OwnedContext&) = delete;

  MemoryContext get() const { return context_; }
  void Reset() { MemoryContextReset(context_); }

 private:
  MemoryContext context_;
};

/// Makes a context the current one for a scope.
class ContextScope {
 public:
  explicit ContextScope(MemoryContext context) : saved_(MemoryContextSwitchTo(context)) {}
  ~ContextScope() { MemoryContextSwitchTo(saved_); }
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  MemoryContext saved_;
};

}  // namespace pgsync::pg
