// What two sets of rows differ in, found out by exchanging little more than the difference.
//
// A sketch is an invertible Bloom lookup table: each row, as a hash of 64 bits, is added to one
// cell in each of three tables; a cell holds how many rows it has, the sum of their hashes and the
// sum of a check of each. Taking one sketch from another leaves what only one of the two has,
// whatever the number of rows that both have: sums, unlike XOR, do not let two equal changes cancel
// each other out. A cell with one row tells its hash, which is then taken out of the row's other
// cells, and so on. With enough cells, 1.3 for each row of a large difference, this ends with no
// row left.
//
// Cells are chosen by the highest bits, so that a sketch can be folded: with half of the cells it
// is what it would have been had it been made with them. Both sides go over their rows once and
// decide afterwards how large a sketch they need to exchange.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgsync::core {

/// Hashes of rows that only one of two sides has. None is there twice.
struct SketchDifference {
  std::vector<uint64_t> left, right;
};

class SketchReader;

class Sketch {
 public:
  static constexpr int kTables = 3;
  static constexpr int kMinBits = 6;
  static constexpr int kMaxBits = 18;
  static constexpr size_t kCellSize = 16;  ///< of a cell on the wire

  /// Empty, with 2^bits cells in each table. Raises 22023 for bits out of range.
  explicit Sketch(int bits);

  /// Each hash is of a row; equal rows, equal hashes.
  void Add(const uint64_t* hashes, size_t count) noexcept;

  int bits() const { return bits_; }
  uint64_t rows() const { return rows_; }
  size_t cells() const { return cells_.size(); }

  /// The same rows in fewer cells.
  Sketch Folded(int bits) const;

  /// About how many rows only one of the two has, within some ten per cent. `right` may be smaller,
  /// and is used up.
  static double EstimateDifference(const Sketch& left, Sketch right);
  /// nullopt: the difference is too large for the size of `right`, or one of the sides has a row
  /// twice. `right` may be smaller, and is used up.
  static std::optional<SketchDifference> Decode(const Sketch& left, Sketch right);
  /// The size with which a difference of so many rows is very likely to be decoded; nullopt: it is
  /// too large for all of them.
  static std::optional<int> BitsFor(double difference);

  /// `count` cells from the `first` on, in a portable form.
  std::string CellBytes(size_t first, size_t count) const;

 private:
  struct Cell {
    uint64_t sum = 0;
    uint32_t check = 0;
    uint32_t count = 0;  // modulo 2^32, as in a difference it may be below 0
  };
  size_t CellOf(int table, uint64_t hash) const noexcept;
  static uint32_t Check(uint64_t hash) noexcept;
  void TakeFrom(const Sketch& other);
  void Change(uint64_t hash, uint32_t by, std::vector<uint32_t>* touched) noexcept;
  bool HoldsOne(size_t cell) const noexcept;

  int bits_;
  uint64_t rows_ = 0;
  std::vector<Cell> cells_;  // the tables one after the other
  friend class SketchReader;
};

/// A sketch that comes piece by piece. All raise 08P01 for what is none.
class SketchReader {
 public:
  SketchReader(int bits, uint64_t rows);
  void Add(std::string_view cells);
  Sketch Finish();

 private:
  Sketch sketch_;
  size_t cells_ = 0;  // that have come
};

}  // namespace pgsync::core
