// When two rows are equal: their columns are null alike, and their values have the same canonical
// texts.
#pragma once

#include "pg/guard.h"

extern "C" {
#include "access/tupdesc.h"
#include "fmgr.h"
}

namespace pgsync::rows {

/// Two rows with the same types of columns; plain data.
struct RowPair {
  TupleDesc desc;
  int columns;  ///< that count: the first ones of `desc`
  const Datum* left;
  const bool* left_nulls;
  const Datum* right;
  const bool* right_nulls;
};

/// Output functions of the columns, kept from call to call in `context`. Begins zeroed.
struct TextCache {
  MemoryContext context;
  int columns;
  Oid* types;
  FmgrInfo* functions;
};

enum class Verdict { kEqual, kDiffer, kUnsure };

/// By the bytes, which tell almost always: only some types have several images for one text. For
/// leaves.
Verdict compare_images(const RowPair& pair);

/// By the texts, where the bytes left it open. For leaves, between enter() and leave() of the
/// canonical settings.
bool texts_differ(TextCache& cache, const RowPair& pair);

}  // namespace pgsync::rows
