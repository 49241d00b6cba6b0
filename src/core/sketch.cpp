#include "core/sketch.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"

namespace pgsync::core {

namespace {

// Odd numbers without a pattern; the first table goes by the hash as it is.
constexpr uint64_t kMultipliers[Sketch::kTables] = {1, 0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu};

// Cells for each row of a difference. Peeling fails above a load of 0.81 in large tables, and in
// small ones now and then below it.
constexpr double kCellsPerRow = 1.4;
// The estimate may be so much too low.
constexpr double kDoubt = 1.25;

template <typename Number>
void PutLittle(std::string& out, Number value) {
  for (size_t i = 0; i < sizeof(value); i++)
    out.push_back(static_cast<char>(value >> (8 * i)));
}

template <typename Number>
Number GetLittle(const char* from) {
  Number value = 0;
  for (size_t i = 0; i < sizeof(value); i++)
    value |= static_cast<Number>(static_cast<unsigned char>(from[i])) << (8 * i);
  return value;
}

Error Broken(std::string why) {
  return Error(sqlstate::kProtocolViolation, "digest of the peer is malformed")
      .WithDetail(std::move(why));
}

int CheckedBits(int bits) {
  if (bits < Sketch::kMinBits || bits > Sketch::kMaxBits) {
    throw Broken(Cat("It has a size of ", bits, " bits."));
  }
  return bits;
}

bool HasTwice(const SketchDifference& difference) {
  std::vector<uint64_t> all = difference.left;
  all.insert(all.end(), difference.right.begin(), difference.right.end());
  std::sort(all.begin(), all.end());
  return std::adjacent_find(all.begin(), all.end()) != all.end();
}

}  // namespace

Sketch::Sketch(int bits) : bits_(bits) {
  if (bits < kMinBits || bits > kMaxBits) {
    throw Error(sqlstate::kInvalidParameter, Cat("a sketch cannot have a size of ", bits, " bits"));
  }
  cells_.resize(static_cast<size_t>(kTables) << bits);
}

size_t Sketch::CellOf(int table, uint64_t hash) const noexcept {
  return (static_cast<size_t>(table) << bits_) + ((hash * kMultipliers[table]) >> (64 - bits_));
}

// Not linear, or the check of several rows' sum would be the sum of their checks.
uint32_t Sketch::Check(uint64_t hash) noexcept {
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93u;
  hash ^= hash >> 29;
  hash *= 0xa0761d6478bd642fu;
  return static_cast<uint32_t>(hash >> 32);
}

void Sketch::Add(const uint64_t* hashes, size_t count) noexcept {
  for (size_t i = 0; i < count; i++) {
    const uint64_t hash = hashes[i];
    const uint32_t check = Check(hash);
    for (int table = 0; table < kTables; table++) {
      Cell& cell = cells_[CellOf(table, hash)];
      cell.sum += hash;
      cell.check += check;
      cell.count++;
    }
  }
  rows_ += count;
}

Sketch Sketch::Folded(int bits) const {
  Sketch folded(bits);
  if (bits > bits_) throw Error(sqlstate::kInternal, "a sketch cannot grow");
  folded.rows_ = rows_;
  const int shift = bits_ - bits;
  // The tables have sizes that are powers of two, so the cells of one stay together.
  for (size_t i = 0; i < cells_.size(); i++) {
    Cell& cell = folded.cells_[i >> shift];
    cell.sum += cells_[i].sum;
    cell.check += cells_[i].check;
    cell.count += cells_[i].count;
  }
  return folded;
}

// What the other, which has at least as many cells, has more than this one.
void Sketch::TakeFrom(const Sketch& other) {
  if (bits_ > other.bits_) throw Error(sqlstate::kInternal, "a sketch cannot grow");
  const int shift = other.bits_ - bits_;
  for (Cell& cell : cells_)
    cell = {0 - cell.sum, 0 - cell.check, 0 - cell.count};
  for (size_t i = 0; i < other.cells_.size(); i++) {
    Cell& cell = cells_[i >> shift];
    cell.sum += other.cells_[i].sum;
    cell.check += other.cells_[i].check;
    cell.count += other.cells_[i].count;
  }
}

// Rows that only one side has come to a cell as by a coin: the variance of the cells' counts is the
// rows for each cell.
double Sketch::EstimateDifference(const Sketch& left, Sketch right) {
  const double net = static_cast<double>(left.rows_) - static_cast<double>(right.rows_);
  right.TakeFrom(left);
  double squares = 0;
  for (const Cell& cell : right.cells_) {
    const auto count = static_cast<double>(static_cast<int32_t>(cell.count));
    squares += count * count;
  }
  const double by_chance = squares / kTables - std::ldexp(net * net, -right.bits_);
  return std::max({by_chance, std::fabs(net), 0.0});
}

bool Sketch::HoldsOne(size_t cell) const noexcept {
  const Cell& at = cells_[cell];
  const bool here = at.count == 1;
  if (!here && at.count != UINT32_MAX) return false;
  const uint64_t hash = here ? at.sum : 0 - at.sum;
  if ((here ? at.check : 0 - at.check) != Check(hash)) return false;
  return CellOf(static_cast<int>(cell >> bits_), hash) == cell;
}

// Adds the row `by` times and notes the cells.
void Sketch::Change(uint64_t hash, uint32_t by, std::vector<uint32_t>* touched) noexcept {
  const uint32_t check = Check(hash);
  for (int table = 0; table < kTables; table++) {
    const size_t at = CellOf(table, hash);
    cells_[at].sum += by == 1 ? hash : 0 - hash;
    cells_[at].check += by == 1 ? check : 0 - check;
    cells_[at].count += by;
    touched->push_back(static_cast<uint32_t>(at));
  }
}

std::optional<SketchDifference> Sketch::Decode(const Sketch& left, Sketch right) {
  Sketch& rest = right;
  rest.TakeFrom(left);
  SketchDifference found;
  std::vector<uint32_t> candidates;
  candidates.reserve(rest.cells_.size() + kTables);
  for (size_t i = 0; i < rest.cells_.size(); i++) {
    if (rest.HoldsOne(i)) candidates.push_back(static_cast<uint32_t>(i));
  }
  while (!candidates.empty()) {
    const size_t at = candidates.back();
    candidates.pop_back();
    if (!rest.HoldsOne(at)) continue;  // it was taken out by way of another cell
    const bool of_left = rest.cells_[at].count == 1;
    const uint64_t hash = of_left ? rest.cells_[at].sum : 0 - rest.cells_[at].sum;
    (of_left ? found.left : found.right).push_back(hash);
    // More than this cannot be right, and a peer could make cells that never come to an end.
    if (found.left.size() + found.right.size() > rest.cells_.size()) return std::nullopt;
    rest.Change(hash, of_left ? UINT32_MAX : 1, &candidates);
  }
  for (const Cell& cell : rest.cells_) {
    if (cell.count != 0 || cell.sum != 0 || cell.check != 0) return std::nullopt;
  }
  if (HasTwice(found)) return std::nullopt;
  return found;
}

std::optional<int> Sketch::BitsFor(double difference) {
  const double wanted = std::max(difference * kDoubt, 1.0) * kCellsPerRow / kTables;
  for (int bits = kMinBits; bits <= kMaxBits; bits++) {
    if (std::ldexp(1.0, bits) >= wanted) return bits;
  }
  return std::nullopt;
}

std::string Sketch::CellBytes(size_t first, size_t count) const {
  std::string bytes;
  bytes.reserve(count * kCellSize);
  for (size_t i = first; i < first + count; i++) {
    const Cell& cell = cells_.at(i);
    PutLittle(bytes, cell.sum);
    PutLittle(bytes, cell.check);
    PutLittle(bytes, cell.count);
  }
  return bytes;
}

SketchReader::SketchReader(int bits, uint64_t rows) : sketch_(CheckedBits(bits)) {
  sketch_.rows_ = rows;
}

void SketchReader::Add(std::string_view bytes) {
  const size_t count = bytes.size() / Sketch::kCellSize;
  if (bytes.size() % Sketch::kCellSize != 0 || count > sketch_.cells() - cells_) {
    throw Broken(Cat("It has a piece of ", bytes.size(), " bytes."));
  }
  for (const char* at = bytes.data(); at < bytes.data() + bytes.size(); at += Sketch::kCellSize) {
    sketch_.cells_[cells_++] = {GetLittle<uint64_t>(at), GetLittle<uint32_t>(at + 8),
                                GetLittle<uint32_t>(at + 12)};
  }
}

Sketch SketchReader::Finish() {
  if (cells_ != sketch_.cells()) throw Broken(Cat("It has ", cells_, " cells."));
  for (int table = 0; table < Sketch::kTables; table++) {
    uint32_t rows = 0;
    for (size_t i = 0; i < sketch_.cells() / Sketch::kTables; i++)
      rows += sketch_.cells_[(static_cast<size_t>(table) << sketch_.bits()) + i].count;
    if (rows != static_cast<uint32_t>(sketch_.rows())) {
      throw Broken("Its cells do not hold as many rows as it tells.");
    }
  }
  return std::move(sketch_);
}

}  // namespace pgsync::core
