#include "core/sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::StateOf;
using Hashes = std::vector<uint64_t>;

Sketch SketchOf(const Hashes& hashes, int bits) {
  Sketch sketch(bits);
  sketch.Add(hashes.data(), hashes.size());
  return sketch;
}

// As it arrives on the other side, in pieces.
Sketch Sent(const Sketch& sketch, int bits, size_t piece = 7) {
  const Sketch folded = sketch.Folded(bits);
  SketchReader reader(bits, folded.rows());
  for (size_t at = 0; at < folded.cells(); at += piece)
    reader.Add(folded.CellBytes(at, std::min(piece, folded.cells() - at)));
  return reader.Finish();
}

Hashes Sorted(Hashes hashes) {
  std::sort(hashes.begin(), hashes.end());
  return hashes;
}

Hashes Minus(const Hashes& a, const Hashes& b) {
  Hashes rest;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(rest));
  return rest;
}

// How rows that two sides have in common, and others, may lie among all hashes.
enum class Shape { kRandom, kDense, kHighest, kLowest };

Hashes Made(std::mt19937_64& random, Shape shape, size_t count) {
  std::set<uint64_t> hashes;
  while (hashes.size() < count) {
    const uint64_t value = random();
    switch (shape) {
      case Shape::kRandom:
        hashes.insert(value);
        break;
      case Shape::kDense:
        hashes.insert(hashes.size());
        break;
      case Shape::kHighest:
        hashes.insert(value | 0xffff000000000000u);
        break;
      case Shape::kLowest:
        hashes.insert(value & 0xffffffffffffu);
        break;
    }
  }
  return Hashes(hashes.begin(), hashes.end());
}

TEST(SketchTest, EqualSetsDifferInNothingWhateverTheOrder) {
  std::mt19937_64 random(1);
  Hashes hashes = Made(random, Shape::kRandom, 10000);
  const Sketch left = SketchOf(hashes, 10);
  std::shuffle(hashes.begin(), hashes.end(), random);
  const auto difference = Sketch::Decode(left, Sent(SketchOf(hashes, 10), Sketch::kMinBits));
  ASSERT_TRUE(difference);
  EXPECT_TRUE(difference->left.empty());
  EXPECT_TRUE(difference->right.empty());
  EXPECT_EQ(Sketch::EstimateDifference(left, SketchOf(hashes, 10)), 0);
}

// Every decoded difference is the true one, whatever the size; and nearly all that should be are.
TEST(SketchTest, ThousandsOfDifferencesAreFoundExactly) {
  std::mt19937_64 random(2);
  int decoded = 0, expected = 0;
  for (int round = 0; round < 4000; round++) {
    const auto shape = static_cast<Shape>(round % 2 == 0 ? 0 : random() % 4);
    const size_t total = random() % 600;
    const Hashes all = Made(random, shape, total);
    Hashes left, right;
    const unsigned keep = static_cast<unsigned>(random() % 101);
    for (uint64_t hash : all) {
      const bool both = random() % 100 < keep;
      const bool here = random() % 2 == 0;
      if (both || here) left.push_back(hash);
      if (both || !here) right.push_back(hash);
    }
    const Hashes only_left = Minus(left, right), only_right = Minus(right, left);
    const size_t size = only_left.size() + only_right.size();
    const int bits = Sketch::kMinBits + static_cast<int>(random() % 3);
    const auto difference = Sketch::Decode(SketchOf(left, 12), Sent(SketchOf(right, 12), bits));
    // Other shapes than random ones are no hashes: their cells may collide, but never in vain.
    const bool fits =
        shape == Shape::kRandom && Sketch::BitsFor(static_cast<double>(size)).value() <= bits;
    if (fits) expected++;
    if (!difference) continue;
    if (fits) decoded++;
    ASSERT_EQ(Sorted(difference->left), only_left) << "round " << round;
    ASSERT_EQ(Sorted(difference->right), only_right) << "round " << round;
  }
  EXPECT_GT(expected, 500);
  EXPECT_GT(decoded, expected * 97 / 100);
}

TEST(SketchTest, ALargeDifferenceFitsTheSizeThatIsChosenForIt) {
  std::mt19937_64 random(3);
  for (size_t size : {1000u, 4400u, 30000u, 200000u}) {
    const Hashes both = Made(random, Shape::kRandom, 1000);
    Hashes left = both, right = both;
    for (uint64_t hash : Made(random, Shape::kRandom, size))
      (random() % 3 == 0 ? left : right).push_back(hash);
    const int bits = Sketch::BitsFor(static_cast<double>(size)).value();
    EXPECT_LT(size, 3u << bits);
    const auto difference = Sketch::Decode(SketchOf(left, bits), SketchOf(right, bits));
    ASSERT_TRUE(difference) << size;
    EXPECT_EQ(difference->left.size() + difference->right.size(), size);
  }
  EXPECT_FALSE(Sketch::BitsFor(1e6));
  EXPECT_EQ(Sketch::BitsFor(0), Sketch::kMinBits);
}

TEST(SketchTest, TheLeastSketchTellsHowMuchDiffers) {
  std::mt19937_64 random(4);
  for (size_t inserted : {0u, 500u, 20000u}) {
    for (size_t changed : {0u, 1000u, 50000u}) {
      const Hashes both = Made(random, Shape::kRandom, 10000);
      Hashes left = both, right = both;
      Hashes others = Made(random, Shape::kRandom, 2 * changed + inserted);
      std::shuffle(others.begin(), others.end(), random);
      for (uint64_t hash : others) {
        const bool here = left.size() < both.size() + changed;
        (here ? left : right).push_back(hash);
      }
      const double size = static_cast<double>(2 * changed + inserted);
      const double estimate =
          Sketch::EstimateDifference(SketchOf(left, 10), Sent(SketchOf(right, 10), 6));
      EXPECT_GE(estimate, size * 0.6);
      EXPECT_LE(estimate, size * 1.5);
    }
  }
}

TEST(SketchTest, FoldingIsWhatASmallerSketchWouldHaveBeen) {
  std::mt19937_64 random(5);
  const Hashes hashes = Made(random, Shape::kRandom, 5000);
  const Sketch folded = SketchOf(hashes, 13).Folded(8), direct = SketchOf(hashes, 8);
  EXPECT_EQ(folded.CellBytes(0, folded.cells()), direct.CellBytes(0, direct.cells()));
  EXPECT_EQ(folded.rows(), 5000u);
  EXPECT_EQ(StateOf([&] { direct.Folded(9); }), sqlstate::kInternal.c_str());
}

// Two changes that are equal do not cancel each other out, as with XOR.
TEST(SketchTest, ARowThatIsThereTwiceIsNotTakenForNothing) {
  for (size_t copies : {2u, 3u, 4u}) {
    const Hashes one = {1}, many(copies, 1);
    EXPECT_FALSE(Sketch::Decode(SketchOf({}, 6), SketchOf(many, 6)));
    const auto rest = Sketch::Decode(SketchOf(one, 6), SketchOf(many, 6));
    EXPECT_EQ(rest.has_value(), copies == 2);
  }
  EXPECT_TRUE(Sketch::Decode(SketchOf({5, 5}, 6), SketchOf({5, 5}, 6)));
}

TEST(SketchTest, SidesWithNothing) {
  const Hashes some = {3, 1, 2};
  const auto left = Sketch::Decode(SketchOf(some, 6), Sketch(6));
  ASSERT_TRUE(left);
  EXPECT_EQ(Sorted(left->left), Sorted(some));
  EXPECT_TRUE(left->right.empty());
  const auto right = Sketch::Decode(Sketch(6), SketchOf(some, 6));
  ASSERT_TRUE(right);
  EXPECT_TRUE(right->left.empty());
  EXPECT_EQ(Sorted(right->right), Sorted(some));
  EXPECT_TRUE(Sketch::Decode(Sketch(6), Sketch(6)));
}

TEST(SketchTest, WhatIsNoSketchIsRefused) {
  EXPECT_EQ(StateOf([] { Sketch(5); }), sqlstate::kInvalidParameter.c_str());
  EXPECT_EQ(StateOf([] { Sketch(19); }), sqlstate::kInvalidParameter.c_str());
  const char* const malformed = sqlstate::kProtocolViolation.c_str();
  EXPECT_EQ(StateOf([] { SketchReader(64, 0); }), malformed);
  EXPECT_EQ(StateOf([] { SketchReader(-1, 0); }), malformed);
  EXPECT_EQ(StateOf([] { SketchReader(6, 0).Add(std::string(15, '\0')); }), malformed);
  EXPECT_EQ(StateOf([] { SketchReader(6, 0).Add(std::string(16 * (3 * 64 + 1), '\0')); }),
            malformed);
  EXPECT_EQ(StateOf([] { SketchReader(6, 0).Finish(); }), malformed);
  const std::string zeros(size_t{16} * 3 * 64, '\0');
  EXPECT_EQ(StateOf([&] {
              SketchReader reader(6, 1);
              reader.Add(zeros);
              reader.Finish();
            }),
            malformed);
  SketchReader reader(6, 0);
  reader.Add(zeros);
  EXPECT_EQ(reader.Finish().rows(), 0u);
}

// Cells that somebody made up lead to no end, no crash and no row that is told twice.
TEST(SketchTest, HostileCellsComeToAnEnd) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 3000; round++) {
    const Hashes some = Made(random, Shape::kRandom, 1 + random() % 100);
    const Sketch honest = SketchOf(some, 6);
    std::string bytes = honest.CellBytes(0, honest.cells());
    // Cells that are repeated elsewhere, or changed, with counts that still add up.
    for (unsigned i = 0; i < 1 + random() % 20; i++) {
      const size_t to = random() % honest.cells() * 16, from = random() % honest.cells() * 16;
      switch (random() % 3) {
        case 0:
          std::swap_ranges(&bytes[to], &bytes[to] + 12, &bytes[from]);
          break;
        case 1:
          std::copy_n(&bytes[from], 12, &bytes[to]);
          break;
        default:
          bytes[to + random() % 12] = static_cast<char>(random());
      }
    }
    SketchReader reader(6, honest.rows());
    reader.Add(bytes);
    const auto difference = Sketch::Decode(Sketch(6), reader.Finish());
    if (!difference) continue;
    const Hashes right = Sorted(difference->right);
    EXPECT_TRUE(std::adjacent_find(right.begin(), right.end()) == right.end());
    EXPECT_LE(right.size() + difference->left.size(), honest.cells());
  }
}

}  // namespace
}  // namespace pgsync::core
