// Where rows go that the executor produces.
#pragma once

#include "pg/guard.h"

extern "C" {
#include "executor/tuptable.h"
}

namespace pgsync::rows {

class RowConsumer {
 public:
  virtual ~RowConsumer() = default;
  /// Takes one row. Runs inside the executor: a leaf, which continues in C++ through pg::Enter().
  virtual void take_row(TupleTableSlot* slot) = 0;
  /// No more rows are wanted. Asked after each row.
  virtual bool done() const { return false; }
};

}  // namespace pgsync::rows
