#include "core/text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <list>

#include "bytes.h"

namespace pgsync::core {
namespace {

using test::Bytes;

TEST(TextTest, CatJoinsStringsCharactersAndNumbers) {
  EXPECT_EQ(Cat(), "");
  EXPECT_EQ(Cat("a", 'b', std::string("c"), std::string_view("d"), 5, -6L, INT64_MIN, size_t{7}),
            "abcd5-6-92233720368547758087");
}

TEST(TextTest, CatKeepsZeroBytesOfViews) {
  EXPECT_EQ(Cat(Bytes("a\0b"), 'c'), Bytes("a\0bc"));
}

TEST(TextTest, CatWritesBytesAsNumbersAndCharsAsCharacters) {
  EXPECT_EQ(Cat(static_cast<uint8_t>(65), 'A', static_cast<int8_t>(-1)), "65A-1");
}

TEST(TextTest, JoinPutsTheSeparatorBetweenParts) {
  EXPECT_EQ(Join(std::vector<std::string>{}, ", "), "");
  EXPECT_EQ(Join(std::vector<std::string>{"a"}, ", "), "a");
  EXPECT_EQ(Join(std::vector<std::string>{"a", "", "b"}, ", "), "a, , b");
  EXPECT_EQ(Join(std::vector<std::string>{"", ""}, ","), ",");
  EXPECT_EQ(Join(std::list<std::string_view>{"x", "y"}, ""), "xy");
}

TEST(TextTest, ToHexIsLowerCaseAndTakesEveryByte) {
  EXPECT_EQ(ToHex(""), "");
  EXPECT_EQ(ToHex(Bytes("\x00\x0f\xa0\xff\x7f\x80")), "000fa0ff7f80");
}

TEST(TextTest, ExcerptLeavesShortTextAlone) {
  EXPECT_EQ(Excerpt("", 0), "");
  EXPECT_EQ(Excerpt("abc", 3), "abc");
  EXPECT_EQ(Excerpt("abc", 1000), "abc");
}

TEST(TextTest, ExcerptMarksWhatItCuts) {
  EXPECT_EQ(Excerpt("abcd", 3), "abc...");
  EXPECT_EQ(Excerpt("abcd", 0), "...");
}

TEST(TextTest, ExcerptNeverCutsACharacterInTwo) {
  // One character each of 1, 2, 3 and 4 bytes.
  const std::string text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
  const std::string expected[] = {"",
                                  "a",
                                  "a",
                                  "a\xc3\xa4",
                                  "a\xc3\xa4",
                                  "a\xc3\xa4",
                                  "a\xc3\xa4\xe2\x82\xac",
                                  "a\xc3\xa4\xe2\x82\xac",
                                  "a\xc3\xa4\xe2\x82\xac",
                                  "a\xc3\xa4\xe2\x82\xac"};
  for (size_t limit = 0; limit < text.size(); limit++) {
    EXPECT_EQ(Excerpt(text, limit), expected[limit] + "...") << limit;
  }
  EXPECT_EQ(Excerpt(text, text.size()), text);
}

TEST(TextTest, ExcerptSurvivesTextThatIsOnlyContinuationBytes) {
  EXPECT_EQ(Excerpt(std::string(5000, '\x80'), 2000), "...");
}

TEST(TextTest, ExcerptHidesControlCharacters) {
  for (int c = 0; c < 0x20; c++) {
    const std::string text = {'a', static_cast<char>(c), 'b'};
    EXPECT_EQ(Excerpt(text, 10), "a?b") << c;
  }
  EXPECT_EQ(Excerpt("a\x7f"
                    "b",
                    10),
            "a?b");
  EXPECT_EQ(Excerpt("a ~b", 10), "a ~b");
}

// U+0080 to U+009F: U+009B begins an escape sequence of a terminal just as ESC [ does.
TEST(TextTest, ExcerptHidesC1ControlCharacters) {
  std::string shown;
  for (int c = 0x80; c < 0xa0; c++) {
    const std::string text = {'a', '\xc2', static_cast<char>(c), 'b'};
    if (Excerpt(text, 10) == text) shown += Cat(" ", c);
  }
  EXPECT_EQ(shown, "");
  EXPECT_EQ(Excerpt("a\xc2\xa0"
                    "b",
                    10),
            "a\xc2\xa0"
            "b");
}

TEST(TextTest, ConstantTimeEqualComparesWholeStrings) {
  EXPECT_TRUE(ConstantTimeEqual("", ""));
  EXPECT_TRUE(ConstantTimeEqual(std::string_view(), ""));
  EXPECT_TRUE(ConstantTimeEqual("secret", "secret"));
  EXPECT_FALSE(ConstantTimeEqual("secret", "secreT"));
  EXPECT_FALSE(ConstantTimeEqual("Secret", "secret"));
  EXPECT_FALSE(ConstantTimeEqual("secret", "secre"));
  EXPECT_FALSE(ConstantTimeEqual("", "s"));
  EXPECT_FALSE(ConstantTimeEqual(Bytes("a\0b"), Bytes("a\0c")));
}

}  // namespace
}  // namespace pgsync::core
