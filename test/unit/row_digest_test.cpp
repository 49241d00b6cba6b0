#include "core/row_digest.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

namespace pgsync::core {
namespace {

void PutU32(std::string* to, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8)
    to->push_back(static_cast<char>(value >> shift));
}

// The form that the header documents.
std::string Row(const std::vector<std::pair<std::string, std::optional<std::string>>>& columns) {
  std::string row;
  for (const auto& [name, value] : columns) {
    PutU32(&row, static_cast<uint32_t>(name.size()));
    row += name;
    PutU32(&row, value ? static_cast<uint32_t>(value->size()) : TableDigest::kNull);
    if (value) row += *value;
  }
  return row;
}

std::string DigestOf(const std::vector<std::string>& rows) {
  TableDigest digest;
  for (const std::string& row : rows)
    digest.AddRow(row.data(), row.size());
  return digest.ToString();
}

TEST(TableDigestTest, OfNothingIsZero) {
  EXPECT_EQ(DigestOf({}), "1:0:00000000000000000000000000000000");
}

TEST(TableDigestTest, OfOneRowIsItsXxh3) {
  const std::string row = Row({{"a", "1"}});
  const XXH128_hash_t hash = XXH3_128bits(row.data(), row.size());
  char expected[80];
  snprintf(expected, sizeof(expected), "1:1:%016llx%016llx",
           static_cast<unsigned long long>(hash.high64),
           static_cast<unsigned long long>(hash.low64));
  EXPECT_EQ(DigestOf({row}), expected);
}

// The digest of the empty input, from the specification of XXH3.
TEST(TableDigestTest, IsThatOfThePublishedAlgorithm) {
  EXPECT_EQ(DigestOf({""}), "1:1:99aa06d3014798d86001c324468d497f");
}

TEST(TableDigestTest, DoesNotDependOnTheOrderOfRows) {
  std::vector<std::string> rows;
  for (int i = 0; i < 6; i++)
    rows.push_back(Row({{"a", std::to_string(i % 4)}}));
  std::sort(rows.begin(), rows.end());
  const std::string expected = DigestOf(rows);
  while (std::next_permutation(rows.begin(), rows.end()))
    ASSERT_EQ(DigestOf(rows), expected);
}

TEST(TableDigestTest, EqualRowsDoNotCancelEachOther) {
  const std::string row = Row({{"a", "1"}}), other = Row({{"a", "2"}});
  EXPECT_NE(DigestOf({row, row}).substr(4), DigestOf({}).substr(4));
  // The same number of rows: a XOR would make these equal.
  EXPECT_NE(DigestOf({row, row}), DigestOf({other, other}));
  EXPECT_NE(DigestOf({row, row, other}), DigestOf({row, other, other}));
}

TEST(TableDigestTest, CountsItsRows) {
  TableDigest digest;
  EXPECT_EQ(digest.rows(), 0u);
  for (int i = 0; i < 1000; i++)
    digest.AddRow("x", 1);
  EXPECT_EQ(digest.rows(), 1000u);
  EXPECT_EQ(digest.ToString().substr(0, 7), "1:1000:");
  EXPECT_EQ(digest.ToString().size(), 7u + 32u);
}

// The sum has a carry from the low into the high half: adding a row 2^k times is a shift.
TEST(TableDigestTest, SumsWithAllItsBits) {
  const XXH128_hash_t hash = XXH3_128bits("x", 1);
  __extension__ unsigned __int128 sum = 0;
  for (int i = 0; i < 1000; i++) {
    sum += (static_cast<unsigned __int128>(hash.high64) << 64) | hash.low64;
  }
  char expected[80];
  snprintf(expected, sizeof(expected), "1:1000:%016llx%016llx",
           static_cast<unsigned long long>(sum >> 64), static_cast<unsigned long long>(sum));
  EXPECT_EQ(DigestOf(std::vector<std::string>(1000, "x")), expected);
}

TEST(TableDigestTest, NullIsNotTheEmptyString) {
  EXPECT_NE(DigestOf({Row({{"a", std::nullopt}})}), DigestOf({Row({{"a", ""}})}));
}

TEST(TableDigestTest, ValuesDoNotRunIntoEachOther) {
  EXPECT_NE(DigestOf({Row({{"a", "12"}, {"b", "3"}})}), DigestOf({Row({{"a", "1"}, {"b", "23"}})}));
  EXPECT_NE(DigestOf({Row({{"a", std::nullopt}, {"b", "1"}})}),
            DigestOf({Row({{"a", "1"}, {"b", std::nullopt}})}));
  EXPECT_NE(DigestOf({Row({{"a", "1"}})}), DigestOf({Row({{"b", "1"}})}));
}

TEST(RowDigest, HashOfOneRowIsItsShareOfTheSum) {
  const std::string row = Row({{"a", "1"}, {"b", std::nullopt}});
  const RowHash hash = HashRow(row.data(), row.size());
  TableDigest digest;
  digest.AddRow(row.data(), row.size());
  char expected[64];
  std::snprintf(expected, sizeof(expected), "1:1:%016llx%016llx",
                static_cast<unsigned long long>(hash.high),
                static_cast<unsigned long long>(hash.low));
  EXPECT_EQ(digest.ToString(), expected);
  EXPECT_EQ(HashRow(row.data(), row.size()).low, hash.low);
  EXPECT_NE(HashRow(row.data(), row.size() - 1).low, hash.low);
}

}  // namespace
}  // namespace pgsync::core
