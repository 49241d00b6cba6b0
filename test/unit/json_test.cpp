#include "core/json.h"

#include <gtest/gtest.h>

#include "bytes.h"
#include "errors.h"

namespace pgsync::core {
namespace {

using test::Bytes;
using test::Contains;
using test::ErrorOf;
using test::StateOf;

std::string ParseState(const std::string& text, JsonLimits limits = {}) {
  return StateOf([&] { ParseJson(text, "reply", limits); });
}

std::string Nested(const std::string& open, const std::string& inner, const std::string& close,
                   size_t levels) {
  std::string text;
  for (size_t i = 0; i < levels; i++)
    text += open;
  text += inner;
  for (size_t i = 0; i < levels; i++)
    text += close;
  return text;
}

TEST(ParseJsonTest, ReadsEveryKindOfValue) {
  const JsonDocument document = ParseJson(
      " {\"s\":\"\\u00e4\\n\",\"i\":-5,\"d\":2.5,\"t\":true,\"n\":null,\"a\":[1,[]]}\n", "x");
  EXPECT_STREQ(document["s"].GetString(), "\xc3\xa4\n");
  EXPECT_EQ(document["i"].GetInt64(), -5);
  EXPECT_EQ(document["d"].GetDouble(), 2.5);
  EXPECT_TRUE(document["t"].GetBool());
  EXPECT_TRUE(document["n"].IsNull());
  EXPECT_EQ(document["a"].Size(), 2u);
}

TEST(ParseJsonTest, ReadsScalarsAtTheRoot) {
  EXPECT_EQ(ParseJson("17", "x").GetInt(), 17);
  EXPECT_STREQ(ParseJson("\"text\"", "x").GetString(), "text");
}

TEST(ParseJsonTest, ReadsOnlyTheViewItIsGiven) {
  const std::string longer = "[1,2]garbage";
  EXPECT_EQ(ParseJson(std::string_view(longer).substr(0, 5), "x").Size(), 2u);
  // A number ends at the end of the view, not at the next byte that is no digit.
  EXPECT_EQ(ParseJson(std::string_view("12345").substr(0, 2), "x").GetInt(), 12);
}

TEST(ParseJsonTest, RefusesMalformedText) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[",
                           "]",
                           "[1,]",
                           "[,1]",
                           "{\"a\":}",
                           "{\"a\"}",
                           "{a:1}",
                           "'a'",
                           "{\"a\":1,}",
                           "{\"a\" 1}",
                           "[1 2]",
                           "01",
                           "1.",
                           "+1",
                           ".5",
                           "-",
                           "1e",
                           "0x10",
                           "nul",
                           "TRUE",
                           "True",
                           "NaN",
                           "Infinity",
                           "true false",
                           "{} {}",
                           "{}x",
                           "\"open",
                           "\"\x01\"",
                           "\"\n\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12G4\"",
                           "// c\n1",
                           "/**/1",
                           "1e400",
                           "[1}",
                           "{\"a\":1]",
                           "\"\\ud800\"",
                           "\"\\ud800x\"",
                           "\"\\ud800\\u0041\""}) {
    EXPECT_EQ(ParseState(text), "08P01") << text;
  }
}

// Half a surrogate pair has no UTF-8: what came out of it would be no text.
TEST(ParseJsonTest, RefusesALowSurrogateWithoutItsHighOne) {
  EXPECT_EQ(ParseState("\"\\udc00\""), "08P01");
  EXPECT_EQ(ParseState("\"\\udfff\\ud800\""), "08P01");
  EXPECT_STREQ(ParseJson("\"\\ud83d\\ude00\"", "x").GetString(), "\xf0\x9f\x98\x80");
}

TEST(ParseJsonTest, RefusesTextThatGoesOnBehindAZeroByte) {
  EXPECT_EQ(ParseState(Bytes("{}\0")), "08P01");
  EXPECT_EQ(ParseState(Bytes("{}\0garbage")), "08P01");
  EXPECT_EQ(ParseState(Bytes("\0{}")), "08P01");
  EXPECT_EQ(ParseState(Bytes("\"a\0b\"")), "08P01");
}

TEST(ParseJsonTest, RefusesPiecesOfAByteOrderMark) {
  for (const char* text :
       {"\xef{}", "\xbb{}", "\xbf{}", "\xef\xbb{}", "\xbb\xbf{}", "\xef\xbf{}"}) {
    EXPECT_EQ(ParseState(text), "08P01") << ::testing::PrintToString(text);
  }
}

TEST(ParseJsonTest, RefusesWhatIsNotUtf8) {
  for (const std::string bytes :
       {"\xff", "\xfe", "\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe2\x82", "\xe0\x80\x80",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80", "\xf0\x9f\x98"}) {
    EXPECT_EQ(ParseState("[\"" + bytes + "\"]"), "08P01") << ::testing::PrintToString(bytes);
    EXPECT_EQ(ParseState("{\"" + bytes + "\":1}"), "08P01") << ::testing::PrintToString(bytes);
    EXPECT_EQ(ParseState("[1]" + bytes), "08P01") << ::testing::PrintToString(bytes);
  }
}

TEST(ParseJsonTest, TakesEveryLengthOfUtf8) {
  const std::string text = "a\xc3\xa4\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf";
  EXPECT_EQ(ParseJson("\"" + text + "\"", "x").GetString(), text);
}

TEST(ParseJsonTest, TellsWhatIsWrongAndWhere) {
  const Error error = ErrorOf([] { ParseJson("[1,x]", "reply of the peer"); });
  EXPECT_EQ(error.message(), "invalid JSON in reply of the peer");
  EXPECT_TRUE(Contains(error.detail(), "(byte 3).")) << error.detail();
}

TEST(ParseJsonTest, DepthLimitIsExact) {
  EXPECT_EQ(ParseState(Nested("[", "", "]", 64)), "00000");
  EXPECT_EQ(ParseState(Nested("[", "", "]", 65)), "08P01");
  EXPECT_EQ(ParseState(Nested("{\"a\":", "1", "}", 64)), "00000");
  EXPECT_EQ(ParseState(Nested("{\"a\":", "1", "}", 65)), "08P01");
  EXPECT_EQ(ParseState(Nested("[{\"a\":", "1", "}]", 32)), "00000");
  EXPECT_EQ(ParseState(Nested("[{\"a\":", "[]", "}]", 32)), "08P01");
  const Error error = ErrorOf([] { ParseJson("[[[]]]", "reply", {100, 2}); });
  EXPECT_EQ(error.detail(), "It nests deeper than 2 levels.");
}

TEST(ParseJsonTest, DepthZeroTakesScalarsOnly) {
  EXPECT_EQ(ParseState("1", {100, 0}), "00000");
  EXPECT_EQ(ParseState("[]", {100, 0}), "08P01");
}

TEST(ParseJsonTest, SiblingsAreNotDepth) {
  std::string text = "[[]";
  for (int i = 0; i < 1000; i++)
    text += ",{\"a\":[]},[]";
  EXPECT_EQ(ParseState(text + "]", {1 << 20, 3}), "00000");
}

TEST(ParseJsonTest, HundredThousandBracketsAreRefusedNotFollowed) {
  constexpr size_t kLevels = 100000;
  EXPECT_EQ(ParseState(Nested("[", "", "]", kLevels)), "08P01");
  EXPECT_EQ(ParseState(std::string(kLevels, '[')), "08P01");
  EXPECT_EQ(ParseState(Nested("{\"a\":", "1", "}", kLevels)), "08P01");
  EXPECT_EQ(ParseState(std::string(kLevels, ']')), "08P01");
  // Parsing itself does not recurse: even where the limit allows it.
  JsonLimits limits;
  limits.depth = kLevels;
  EXPECT_EQ(ParseState(Nested("[", "", "]", kLevels), limits), "00000");
}

// Larger than the caller takes is not malformed: 54000, as for a body that is too large.
TEST(ParseJsonTest, SizeLimitIsExact) {
  JsonLimits limits;
  limits.bytes = 10;
  EXPECT_EQ(ParseState("\"12345678\"", limits), "00000");
  const Error error = ErrorOf([&] { ParseJson("\"123456789\"", "reply", limits); });
  EXPECT_STREQ(error.state().c_str(), "54000");
  EXPECT_EQ(error.message(), "reply is too large");
  EXPECT_EQ(error.detail(), "It has 11 bytes; the limit is 10.");
}

TEST(ParseJsonTest, KeepsTheBoundsOfInt64AndThePrecisionOfDoubles) {
  const JsonDocument document =
      ParseJson("[9223372036854775807,-9223372036854775808,0.1,1e308,5e-324,-0]", "x");
  EXPECT_EQ(document[0].GetInt64(), INT64_MAX);
  EXPECT_EQ(document[1].GetInt64(), INT64_MIN);
  EXPECT_EQ(document[2].GetDouble(), 0.1);
  EXPECT_EQ(document[3].GetDouble(), 1e308);
  EXPECT_EQ(document[4].GetDouble(), 5e-324);
}

TEST(ParseJsonTest, KeepsTheDigitsOfNumbersWhereAsked) {
  JsonLimits limits;
  limits.exact_numbers = true;
  const std::string text =
      "[1.50,-0,1E-8,123456789012345678901234567890,18446744073709551615,-9223372036854775808,\"1."
      "50\"]";
  const JsonDocument document = ParseJson(text, "x", limits);
  EXPECT_EQ(NumberToken(document[0]), "1.50");
  EXPECT_EQ(NumberToken(document[1]), "-0");
  EXPECT_EQ(NumberToken(document[2]), "1E-8");
  EXPECT_EQ(NumberToken(document[3]), "123456789012345678901234567890");
  EXPECT_EQ(document[4].GetUint64(), 18446744073709551615u);
  EXPECT_EQ(document[5].GetInt64(), INT64_MIN);
  EXPECT_EQ(NumberToken(document[6]), std::nullopt);
  EXPECT_EQ(JsonWriter().Value(document).Take(), text);
}

TEST(ParseJsonTest, ANumberIsNoStringHoweverItIsKept) {
  JsonLimits limits;
  limits.exact_numbers = true;
  const JsonDocument document = ParseJson("{\"n\":1.5,\"a\":[1.5]}", "x", limits);
  const JsonObject object(document, "x");
  EXPECT_EQ(StateOf([&] { object.String("n"); }), "08P01");
  EXPECT_EQ(StateOf([&] { object.Strings("a"); }), "08P01");
  EXPECT_EQ(StateOf([&] { object.Int("n"); }), "08P01");
}

TEST(JsonTextTest, TextThatBeginsLikeAKeptNumberIsAString) {
  EXPECT_EQ(JsonWriter().String("\xff,1").Take(), "\"\xff,1\"");
}

TEST(JsonTextTest, KnowsUtf8) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("a\xc3\xa4\xe2\x98\x83\xf0\x9f\x98\x80"));
  EXPECT_TRUE(IsUtf8(Bytes("a\0b")));
  for (const char* bytes : {"\xff", "\xc3", "a\xe2\x98", "\xed\xa0\x80", "\xc0\x80", "\x80"})
    EXPECT_FALSE(IsUtf8(bytes)) << bytes;
}

}  // namespace
}  // namespace pgsync::core
