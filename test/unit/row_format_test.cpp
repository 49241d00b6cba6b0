#include "core/row_format.h"

#include <gtest/gtest.h>

#include <optional>

#include "bytes.h"
#include "errors.h"

namespace pgsync::core {
namespace {

using test::Bytes;
using test::StateOf;

std::string Varint(uint32_t value) {
  char bytes[kMaxVarintSize];
  return std::string(bytes, PutVarint(bytes, value));
}

// What GetVarint makes of `bytes`; nullopt where it finds none.
struct Got {
  uint32_t value;
  size_t size;
};
std::optional<Got> Get(const std::string& bytes) {
  const char* at = bytes.data();
  uint32_t value = 0;
  if (!GetVarint(&at, bytes.data() + bytes.size(), &value)) return std::nullopt;
  return Got{value, static_cast<size_t>(at - bytes.data())};
}

TEST(VarintTest, HasTheBytesOfLeb128) {
  EXPECT_EQ(Varint(0), std::string(1, '\0'));
  EXPECT_EQ(Varint(0x7f), "\x7f");
  EXPECT_EQ(Varint(0x80), "\x80\x01");
  EXPECT_EQ(Varint(300), "\xac\x02");
  EXPECT_EQ(Varint(UINT32_MAX), "\xff\xff\xff\xff\x0f");
}

TEST(VarintTest, GrowsAtEverySeventhBit) {
  for (size_t size = 1; size < kMaxVarintSize; size++) {
    const uint32_t first_of_next = uint32_t{1} << (7 * size);
    EXPECT_EQ(Varint(first_of_next - 1).size(), size);
    EXPECT_EQ(Varint(first_of_next).size(), size + 1);
  }
  EXPECT_EQ(Varint(UINT32_MAX).size(), kMaxVarintSize);
}

TEST(VarintTest, AllBoundariesSurviveARoundTrip) {
  for (unsigned bit = 0; bit < 32; bit++) {
    for (int offset = -1; offset <= 1; offset++) {
      const uint32_t value = (uint32_t{1} << bit) + static_cast<uint32_t>(offset);
      const std::string bytes = Varint(value);
      const auto got = Get(bytes + "rest");
      ASSERT_TRUE(got.has_value()) << value;
      EXPECT_EQ(got->value, value);
      EXPECT_EQ(got->size, bytes.size());
    }
  }
}

TEST(VarintTest, TruncatedIsRefusedAtEveryByte) {
  for (uint32_t value : {0x80u, 0x4000u, 0x200000u, 0x10000000u, UINT32_MAX}) {
    const std::string bytes = Varint(value);
    for (size_t size = 0; size < bytes.size(); size++) {
      EXPECT_FALSE(Get(bytes.substr(0, size)).has_value()) << value << " " << size;
    }
  }
}

TEST(VarintTest, MoreThanFiveBytesAreRefused) {
  EXPECT_FALSE(Get(Bytes("\x80\x80\x80\x80\x80\x00")).has_value());
  EXPECT_FALSE(Get("\xff\xff\xff\xff\xff\x01").has_value());
  EXPECT_FALSE(Get(std::string(1000, '\x80')).has_value());
}

TEST(VarintTest, MoreThan32BitsAreRefused) {
  EXPECT_FALSE(Get("\x80\x80\x80\x80\x10").has_value());
  EXPECT_FALSE(Get("\xff\xff\xff\xff\x1f").has_value());
  EXPECT_FALSE(Get("\xff\xff\xff\xff\x7f").has_value());
}

TEST(VarintTest, PaddedFormsAreReadForWhatTheySay) {
  const auto got = Get(Bytes("\x85\x80\x00"));
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->value, 5u);
  EXPECT_EQ(got->size, 3u);
}

TEST(VarintTest, FollowEachOther) {
  const std::string bytes = Varint(1) + Varint(1000) + Varint(0);
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  uint32_t a, b, c, d;
  ASSERT_TRUE(GetVarint(&at, end, &a) && GetVarint(&at, end, &b) && GetVarint(&at, end, &c));
  EXPECT_EQ(a, 1u);
  EXPECT_EQ(b, 1000u);
  EXPECT_EQ(c, 0u);
  EXPECT_EQ(at, end);
  EXPECT_FALSE(GetVarint(&at, end, &d));
}

TEST(NullBitmapTest, HasABitForEachColumnAndAtLeastOneByte) {
  EXPECT_EQ(NullBitmapSize(0), 1u);
  EXPECT_EQ(NullBitmapSize(7), 1u);
  EXPECT_EQ(NullBitmapSize(8), 2u);
  EXPECT_EQ(NullBitmapSize(1600), 201u);
}

RowHeader ReadHeader(const std::string& text) {
  const JsonDocument document = ParseJson(text, "header");
  return RowHeader::FromJson(JsonObject(document, "header"));
}

TEST(RowHeaderTest, SurvivesARoundTrip) {
  RowHeader header;
  header.encoding = "UTF8";
  header.columns = {{"id", true, 8}, {"na\"me\n", false, -1}, {"", true, -1}, {"empty", true, 0}};
  const RowHeader read = ReadHeader(header.ToJson());
  EXPECT_EQ(read.encoding, "UTF8");
  ASSERT_EQ(read.columns.size(), 4u);
  for (size_t i = 0; i < 4; i++) {
    EXPECT_EQ(read.columns[i].name, header.columns[i].name);
    EXPECT_EQ(read.columns[i].binary, header.columns[i].binary);
    EXPECT_EQ(read.columns[i].width, header.columns[i].width);
  }
}

TEST(RowHeaderTest, HasTheDocumentedKeys) {
  RowHeader header;
  header.encoding = "LATIN1";
  header.columns = {{"a", true, 4}};
  EXPECT_EQ(header.ToJson(),
            "{\"encoding\":\"LATIN1\",\"columns\":[{\"name\":\"a\",\"binary\":true,\"width\":4}]}");
}

TEST(RowHeaderTest, TableWithoutColumnsIsPossible) {
  RowHeader header;
  header.encoding = "UTF8";
  EXPECT_TRUE(ReadHeader(header.ToJson()).columns.empty());
}

TEST(RowHeaderTest, WidthIsVariableWhereItIsNotTold) {
  EXPECT_EQ(ReadHeader("{\"encoding\":\"UTF8\",\"columns\":[{\"name\":\"a\",\"binary\":false}]}")
                .columns.at(0)
                .width,
            -1);
}

TEST(RowHeaderTest, RefusesMissingAndWrongKeys) {
  for (const char* text :
       {"{}", "{\"encoding\":5}", "{\"encoding\":\"UTF8\",\"columns\":{}}",
        "{\"encoding\":\"UTF8\",\"columns\":[1]}", "{\"encoding\":\"UTF8\",\"columns\":[{}]}",
        "{\"encoding\":\"UTF8\",\"columns\":[{\"name\":\"a\"}]}",
        "{\"encoding\":\"UTF8\",\"columns\":[{\"name\":\"a\",\"binary\":\"yes\"}]}",
        "{\"encoding\":\"UTF8\",\"columns\":[{\"name\":\"a\\u0000\",\"binary\":true}]}",
        "{\"encoding\":\"UTF8\",\"columns\":[{\"name\":\"a\",\"binary\":true,\"width\":\"4\"}]}"}) {
    EXPECT_EQ(StateOf([&] { ReadHeader(text); }), "08P01") << text;
  }
}

// 2^32 + 4 must not be taken for 4.
TEST(RowHeaderTest, RefusesWidthsThatAreNoInt) {
  for (const char* width : {"4294967300", "-4294967300", "2147483648", "9223372036854775807"}) {
    const std::string text =
        std::string(
            "{\"encoding\":\"UTF8\",\"columns\":[{\"name\":\"a\",\"binary\":true,\"width\":") +
        width + "}]}";
    EXPECT_EQ(StateOf([&] { ReadHeader(text); }), "08P01") << width;
  }
}

}  // namespace
}  // namespace pgsync::core
