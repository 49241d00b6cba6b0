#include "core/error.h"

#include <gtest/gtest.h>

#include <string>

#include "bytes.h"

namespace pgsync::core {
namespace {

using test::Bytes;

TEST(SqlStateTest, DefaultIsInternalError) {
  EXPECT_STREQ(SqlState().c_str(), "XX000");
}

TEST(SqlStateTest, ParseKeepsEveryWellFormedState) {
  for (const char* text :
       {"08006", "42P01", "P0001", "ZZZZZ", "0A000", "99999", "01000", "F0000"}) {
    EXPECT_STREQ(SqlState::Parse(text).c_str(), text);
  }
}

TEST(SqlStateTest, ParseTurnsMalformedStatesIntoInternalError) {
  for (const std::string& text :
       {std::string(), std::string("0800"), std::string("080060"), std::string("42p01"),
        std::string("42 01"), std::string("42-01"), std::string("42P0\n"), Bytes("42P\0001"),
        std::string("\xc3\x84"
                    "001"),
        std::string("42P0@"), std::string("42P0["), std::string("42P0/"), std::string("42P0:"),
        std::string(100000, '4')}) {
    EXPECT_STREQ(SqlState::Parse(text).c_str(), "XX000") << text.substr(0, 20);
  }
}

TEST(SqlStateTest, ParseRefusesTheClassOfSuccess) {
  EXPECT_STREQ(SqlState::Parse("00000").c_str(), "XX000");
  EXPECT_STREQ(SqlState::Parse("00ABC").c_str(), "XX000");
}

TEST(SqlStateTest, ParseReadsOnlyTheViewItIsGiven) {
  const std::string longer = "42P01 and more";
  EXPECT_STREQ(SqlState::Parse(std::string_view(longer).substr(0, 5)).c_str(), "42P01");
}

TEST(SqlStateTest, EqualMeansAllFiveCharacters) {
  EXPECT_TRUE(SqlState("42P01") == SqlState::Parse("42P01"));
  EXPECT_FALSE(SqlState("42P01") == SqlState("42P02"));
  EXPECT_TRUE(SqlState("42P01") != SqlState("52P01"));
  EXPECT_FALSE(SqlState("42P01") != SqlState("42P01"));
}

TEST(SqlStateTest, ClassIsTheFirstTwoCharacters) {
  EXPECT_EQ(SqlState("42P01").Class(), "42");
  EXPECT_EQ(sqlstate::kConnectionLost.Class(), "08");
}

TEST(ErrorTest, CarriesWhatItWasGiven) {
  const Error error = Error(sqlstate::kNotFound, "no such thing")
                          .WithDetail("It was looked for.")
                          .WithHint("Look elsewhere.");
  EXPECT_STREQ(error.what(), "no such thing");
  EXPECT_EQ(error.message(), "no such thing");
  EXPECT_EQ(error.detail(), "It was looked for.");
  EXPECT_EQ(error.hint(), "Look elsewhere.");
  EXPECT_STREQ(error.state().c_str(), "P0002");
}

TEST(ErrorTest, HasNoDetailAndHintOfItsOwn) {
  const Error error(sqlstate::kInternal, "m");
  EXPECT_EQ(error.detail(), "");
  EXPECT_EQ(error.hint(), "");
}

TEST(ErrorTest, IsCaughtAsStandardException) {
  try {
    throw Error(sqlstate::kInternal, "as std::exception");
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "as std::exception");
    return;
  }
  FAIL();
}

}  // namespace
}  // namespace pgsync::core
