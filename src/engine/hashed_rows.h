// The hashes of a table's rows, with the places where these are: to compare the table, and to find
// some of the rows again without another scan. In memory while they are few, else in a temporary
// file, ten bytes a row.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "core/sketch.h"
#include "pg/memory.h"

extern "C" {
#include "storage/buffile.h"
#include "storage/itemptr.h"
#include "utils/resowner.h"
}

namespace pgsync::engine {

/// Some rows, and perhaps others: those of these tables (that have storage: a table, or partitions)
/// that are at one of these places.
struct PlacedRows {
  std::vector<Oid> tables;
  std::vector<ItemPointerData> places;
};

class HashedRows {
 public:
  /// `owner`: of the file. Its end closes it, and no call may come after that.
  explicit HashedRows(ResourceOwner owner);
  HashedRows(const HashedRows&) = delete;
  HashedRows& operator=(const HashedRows&) = delete;

  /// Notes a row. For leaves.
  void add(uint64_t hash, Oid table, const ItemPointerData& place) {
    const BlockNumber block = ItemPointerGetBlockNumberNoCheck(&place);
    if (table != table_ || block != block_) begin_block(table, block);
    append(hash, ItemPointerGetOffsetNumberNoCheck(&place));
  }
  /// Adds all rows to a sketch.
  void AddTo(core::Sketch& sketch);
  /// The rows that have one of the hashes, no more than `most` together. No two have a row in
  /// common.
  std::vector<PlacedRows> Find(const std::vector<uint64_t>& hashes, size_t most);
  /// Tables in which there are rows.
  size_t tables() const { return tables_; }
  /// Closes the file. What is left open belongs to an error.
  void Close();

 private:
  // Entries of a row have its hash and its offset in the block; those without an offset tell the
  // block of the rows behind them, and in the upper half the table.
  static constexpr size_t kEntry = sizeof(uint64_t) + sizeof(OffsetNumber);
  static constexpr size_t kEntries = 64 * 1024;  // that are kept in memory

  void append(uint64_t hash, OffsetNumber offset) {
    char* const at = kept_.get() + count_ * kEntry;
    memcpy(at, &hash, sizeof(hash));
    memcpy(at + sizeof(hash), &offset, sizeof(offset));
    if (++count_ == kEntries) write_out();
  }
  void begin_block(Oid table, BlockNumber block);
  void write_out();
  template <typename Take>
  void ForEach(Take take);

  ResourceOwner owner_;
  pg::OwnedContext context_;
  std::unique_ptr<char[]> kept_;  // entries behind those in the file
  size_t count_ = 0;
  BufFile* file_ = nullptr;
  int64 pieces_ = 0;  // of kEntries each in the file
  Oid table_ = InvalidOid;
  size_t tables_ = 0;
  BlockNumber block_ = InvalidBlockNumber;
};

}  // namespace pgsync::engine
