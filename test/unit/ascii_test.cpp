#include "core/ascii.h"

#include <gtest/gtest.h>

#include <string>

namespace pgsync::core {
namespace {

template <typename Predicate>
std::string AllThat(Predicate predicate) {
  std::string found;
  for (int byte = 0; byte < 256; byte++) {
    if (predicate(static_cast<char>(byte))) found.push_back(static_cast<char>(byte));
  }
  return found;
}

TEST(AsciiTest, ClassesHoldNothingElse) {
  EXPECT_EQ(AllThat(IsAsciiDigit), "0123456789");
  EXPECT_EQ(AllThat(IsAsciiHexDigit), "0123456789ABCDEFabcdef");
  EXPECT_EQ(AllThat(IsAsciiAlnum),
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
}

TEST(AsciiTest, OnlyLettersHaveACase) {
  EXPECT_EQ(AllThat([](char c) { return AsciiLower(c) != c; }), "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  EXPECT_EQ(AllThat([](char c) { return AsciiUpper(c) != c; }), "abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(AsciiLower('I'), 'i');
  EXPECT_EQ(AsciiUpper('i'), 'I');
}

TEST(AsciiTest, EqualButForTheCase) {
  EXPECT_TRUE(EqualFolded("If-Match", "IF-MATCH"));
  EXPECT_TRUE(EqualFolded("", ""));
  EXPECT_FALSE(EqualFolded("a", "ab"));
  EXPECT_FALSE(EqualFolded("ab", "a"));
  EXPECT_FALSE(EqualFolded("[", "{"));
  EXPECT_FALSE(EqualFolded("\xc4", "\xe4"));
}

}  // namespace
}  // namespace pgsync::core
