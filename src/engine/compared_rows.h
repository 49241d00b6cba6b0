// How the rows of a comparison are laid out and ordered, alike for both sides.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/stream_load.h"
#include "pg/memory.h"
#include "rows/byte_buffer.h"
#include "rows/row_text.h"

extern "C" {
#include "executor/tuptable.h"
#include "utils/sortsupport.h"
#include "utils/tuplesort.h"
}

namespace pgsync::engine {

/// The key that rows are matched by: Table::row_key, if all of it comes; null: there is none.
const catalog::Key* MatchedKey(const LoadRequest& request);

/// Rows in a sort are the columns of the request, then the row's position in its stream, then,
/// without a key, the two halves of a hash of its canonical texts. The order is that of the key, or
/// that of the hash.
class ComparedRows {
 public:
  explicit ComparedRows(const LoadRequest& request);
  ComparedRows(const ComparedRows&) = delete;
  ComparedRows& operator=(const ComparedRows&) = delete;

  const catalog::Key* key() const { return key_; }
  int columns() const { return static_cast<int>(described_.size()); }
  const std::vector<const catalog::Column*>& described() const { return described_; }
  TupleDesc desc() const { return desc_; }
  MemoryContext context() const { return context_.get(); }

  // For leaves.

  /// A slot for rows out of a sort; it goes with the object.
  TupleTableSlot* make_slot();
  /// An empty sort by the order, and of rows that are the same in that by position. An error leaves
  /// it to the end of the (sub)transaction, which closes its files; its memory goes with the
  /// object.
  Tuplesortstate* begin_sort();
  /// Puts a row, of which values and nulls have the columns of the request. In a context that can
  /// be reset behind it.
  void put_row(Tuplesortstate* sort, const Datum* values, const bool* nulls, int64 position);
  /// By the order: below, 0, above. The slots are deformed.
  int compare(TupleTableSlot* left, TupleTableSlot* right);
  /// Whether part of the key is null.
  bool key_has_null(TupleTableSlot* slot) const;

  /// The columns of the order, by position; and the comparison by one of them.
  size_t order_columns() const { return order_.size(); }
  int position_of(size_t i) const { return order_[i].attribute - 1; }
  int compare_by(size_t i, Datum left, bool left_null, Datum right, bool right_null) {
    return ApplySortComparator(left, left_null, right, right_null, &sort_support_[i]);
  }

 private:
  // An ordering operator, and the number of the column that it orders.
  struct SortColumn {
    AttrNumber attribute;
    Oid less;
    Oid collation;
  };
  void DescribeRows();
  void ChooseOrder(const LoadRequest& request);
  Oid LessOperator(size_t i) const;
  core::RowHash hash_row(const Datum* values, const bool* nulls);

  const catalog::Key* key_;
  std::vector<const catalog::Column*> described_;
  pg::OwnedContext context_;
  TupleDesc desc_ = nullptr;
  TupleTableSlot* put_slot_ = nullptr;
  std::vector<SortColumn> order_;
  std::vector<SortSupportData> sort_support_;
  std::optional<rows::RowText> text_;  // for the hash
  rows::ByteBuffer hashed_;
};

}  // namespace pgsync::engine
