#include "engine/hashed_rows.h"

#include <algorithm>
#include <map>

namespace pgsync::engine {

namespace {

// A set that most hashes are not in, which a bitmap tells at once.
class HashSet {
 public:
  explicit HashSet(std::vector<uint64_t> hashes) : sorted_(std::move(hashes)) {
    std::sort(sorted_.begin(), sorted_.end());
    while (bits_ < kMaxBits && (size_t{1} << bits_) < sorted_.size() * 32)
      bits_++;
    bitmap_.resize((size_t{1} << bits_) / 64);
    for (uint64_t hash : sorted_)
      bitmap_[Place(hash) / 64] |= uint64_t{1} << (Place(hash) % 64);
  }
  bool Has(uint64_t hash) const {
    if ((bitmap_[Place(hash) / 64] >> (Place(hash) % 64) & 1) == 0) return false;
    return std::binary_search(sorted_.begin(), sorted_.end(), hash);
  }

 private:
  static constexpr int kMaxBits = 24;
  size_t Place(uint64_t hash) const { return hash >> (64 - bits_); }
  std::vector<uint64_t> sorted_;
  std::vector<uint64_t> bitmap_;
  int bits_ = 12;
};

// Hashes that are added to a sketch at once: the misses of the cache then overlap.
constexpr size_t kAdded = 256;

// What fits together goes together. A table of which not all rows do has its own, so that none of
// its rows is named with another's.
std::vector<PlacedRows> Together(const std::map<Oid, std::vector<ItemPointerData>>& rows,
                                 size_t most) {
  std::vector<PlacedRows> all;
  PlacedRows some;
  for (const auto& [table, places] : rows) {
    if (some.places.size() + places.size() > most && !some.places.empty()) {
      all.push_back(std::move(some));
      some = PlacedRows();
    }
    for (size_t i = 0; places.size() > most && i < places.size(); i += most) {
      const auto begin = places.begin() + static_cast<std::ptrdiff_t>(i);
      const auto end = begin + static_cast<std::ptrdiff_t>(std::min(most, places.size() - i));
      all.push_back({{table}, {begin, end}});
    }
    if (places.size() > most) continue;
    some.tables.push_back(table);
    some.places.insert(some.places.end(), places.begin(), places.end());
  }
  if (!some.places.empty()) all.push_back(std::move(some));
  return all;
}

}  // namespace

HashedRows::HashedRows(ResourceOwner owner)
    : owner_(owner), context_("sync hashed rows"), kept_(new char[kEntries * kEntry]) {}

void HashedRows::begin_block(Oid table, BlockNumber block) {
  if (table != table_) tables_++;
  table_ = table;
  block_ = block;
  append((uint64_t{table} << 32) | block, InvalidOffsetNumber);
}

void HashedRows::write_out() {
  if (file_ == nullptr) {
    // Not the owner of the subtransaction that is open: its end would close the file.
    ResourceOwner const current = CurrentResourceOwner;
    CurrentResourceOwner = owner_;
    const MemoryContext saved = MemoryContextSwitchTo(context_.get());
    file_ = BufFileCreateTemp(false);
    MemoryContextSwitchTo(saved);
    CurrentResourceOwner = current;
  }
  BufFileWrite(file_, kept_.get(), kEntries * kEntry);
  pieces_++;
  count_ = 0;
}

// Calls `take` with each row.
template <typename Take>
void HashedRows::ForEach(Take take) {
  Oid table = InvalidOid;
  BlockNumber block = InvalidBlockNumber;
  const auto look = [&](const char* entries, size_t count) {
    for (const char* at = entries; at < entries + count * kEntry; at += kEntry) {
      uint64_t hash;
      OffsetNumber offset;
      memcpy(&hash, at, sizeof(hash));
      memcpy(&offset, at + sizeof(hash), sizeof(offset));
      if (offset == InvalidOffsetNumber) {
        table = static_cast<Oid>(hash >> 32);
        block = static_cast<BlockNumber>(hash);
      } else {
        take(hash, table, block, offset);
      }
    }
  };
  if (pieces_ > 0) {
    const std::unique_ptr<char[]> piece(new char[kEntries * kEntry]);
    char* const to = piece.get();
    pg::Call([&] {
      if (BufFileSeek(file_, 0, 0, SEEK_SET) != 0)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind temporary file: %m")));
    });
    for (int64 i = 0; i < pieces_; i++) {
      pg::CheckInterrupts();
      pg::Call([&] {
        if (BufFileRead(file_, to, kEntries * kEntry) != kEntries * kEntry)
          ereport(ERROR, (errcode_for_file_access(), errmsg("could not read temporary file: %m")));
      });
      look(to, kEntries);
    }
  }
  look(kept_.get(), count_);
}

void HashedRows::AddTo(core::Sketch& sketch) {
  uint64_t hashes[kAdded];
  size_t count = 0;
  ForEach([&](uint64_t hash, Oid, BlockNumber, OffsetNumber) {
    hashes[count++] = hash;
    if (count < kAdded) return;
    sketch.Add(hashes, count);
    count = 0;
  });
  sketch.Add(hashes, count);
}

std::vector<PlacedRows> HashedRows::Find(const std::vector<uint64_t>& hashes, size_t most) {
  const HashSet wanted(hashes);
  std::map<Oid, std::vector<ItemPointerData>> found;
  ForEach([&](uint64_t hash, Oid table, BlockNumber block, OffsetNumber offset) {
    if (!wanted.Has(hash)) return;
    ItemPointerData place;
    ItemPointerSet(&place, block, offset);
    found[table].push_back(place);
  });
  return Together(found, most);
}

void HashedRows::Close() {
  if (file_ != nullptr) pg::Call([&] { BufFileClose(file_); });
  file_ = nullptr;
  pieces_ = 0;
  count_ = 0;
}

}  // namespace pgsync::engine
