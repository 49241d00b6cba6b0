// Writing JSON; reading is tested in json_test.cpp and json_object_test.cpp.
#include "core/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bytes.h"

namespace pgsync::core {
namespace {

using test::Bytes;

std::string Written(std::string_view text) {
  return JsonWriter().String(text).Take();
}

TEST(JsonWriterTest, WritesEveryKindOfValue) {
  JsonWriter json;
  json.BeginObject().Key("s").String("x").Key("i").Int(-1).Key("d").Double(2.5);
  json.Key("t").Bool(true).Key("f").Bool(false).Key("n").Null();
  json.Key("a").BeginArray().Int(1).BeginArray().EndArray().BeginObject().EndObject().EndArray();
  json.EndObject();
  EXPECT_EQ(json.Take(),
            "{\"s\":\"x\",\"i\":-1,\"d\":2.5,\"t\":true,\"f\":false,\"n\":null,\"a\":[1,[],{}]}");
}

TEST(JsonWriterTest, WritesScalarsAtTheRoot) {
  EXPECT_EQ(JsonWriter().Int(5).Take(), "5");
  EXPECT_EQ(JsonWriter().Null().Take(), "null");
  EXPECT_EQ(JsonWriter().BeginArray().EndArray().Take(), "[]");
}

TEST(JsonWriterTest, EscapesWhatJsonDemands) {
  EXPECT_EQ(Written("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
  EXPECT_EQ(Written("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
  EXPECT_EQ(Written(Bytes("\0\x01\x1f\x7f")), "\"\\u0000\\u0001\\u001F\x7f\"");
}

TEST(JsonWriterTest, LeavesUtf8AsItIs) {
  const std::string text = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
  EXPECT_EQ(Written(text), "\"" + text + "\"");
}

TEST(JsonWriterTest, EveryCharacterSurvivesARoundTripAsValueAndAsKey) {
  std::string text;
  for (int c = 0; c < 0x80; c++)
    text.push_back(static_cast<char>(c));
  text += "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
  const JsonDocument document =
      ParseJson(JsonWriter().BeginObject().Field(text, text).EndObject().Take(), "x");
  ASSERT_EQ(document.MemberCount(), 1u);
  const auto& member = *document.MemberBegin();
  EXPECT_EQ(std::string(member.name.GetString(), member.name.GetStringLength()), text);
  EXPECT_EQ(std::string(member.value.GetString(), member.value.GetStringLength()), text);
}

TEST(JsonWriterTest, EmptyViewsAreEmptyStrings) {
  EXPECT_EQ(Written(std::string_view()), "\"\"");
  EXPECT_EQ(Written(""), "\"\"");
}

TEST(JsonWriterTest, IntegersKeepAllBits) {
  EXPECT_EQ(JsonWriter().Int(INT64_MAX).Take(), "9223372036854775807");
  EXPECT_EQ(JsonWriter().Int(INT64_MIN).Take(), "-9223372036854775808");
}

TEST(JsonWriterTest, DoublesSurviveARoundTrip) {
  for (double value : {0.0, 0.1, 1.0 / 3, -2.5, 1e300, 5e-324, 123456789.123456789,
                       std::numeric_limits<double>::max(), 9007199254740993.0}) {
    EXPECT_EQ(ParseJson(JsonWriter().Double(value).Take(), "x").GetDouble(), value);
  }
}

// JSON has no such numbers: null, wherever they stand.
TEST(JsonWriterTest, NumbersThatAreNoneBecomeNull) {
  for (double value : {std::nan(""), std::numeric_limits<double>::infinity(),
                       -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(JsonWriter().BeginArray().Double(value).Int(1).EndArray().Take(), "[null,1]");
    EXPECT_EQ(JsonWriter().BeginArray().Int(1).Double(value).EndArray().Take(), "[1,null]");
  }
}

TEST(JsonWriterTest, NumbersThatAreNoneBecomeNullInObjects) {
  JsonWriter json;
  json.BeginObject().Key("a").Double(std::nan("")).Field("b", 1).EndObject();
  EXPECT_EQ(json.Take(), "{\"a\":null,\"b\":1}");
}

TEST(JsonWriterTest, NumbersThatAreNoneBecomeNullAtTheRoot) {
  EXPECT_EQ(JsonWriter().Double(std::nan("")).Take(), "null");
}

TEST(JsonWriterTest, FieldsTakeTheTypeOfTheirValue) {
  JsonWriter json;
  json.BeginObject();
  json.Field("view", std::string_view("v"))
      .Field("text", "literal")
      .Field("string", std::string("s"));
  json.Field("true", true).Field("int", 5).Field("int64", int64_t{1} << 40);
  json.Field("strings", std::vector<std::string>{"a", "\""});
  json.Field("none", std::vector<std::string>{});
  json.EndObject();
  EXPECT_EQ(json.Take(),
            "{\"view\":\"v\",\"text\":\"literal\",\"string\":\"s\",\"true\":true,\"int\":5,"
            "\"int64\":1099511627776,\"strings\":[\"a\",\"\\\"\"],\"none\":[]}");
}

TEST(JsonWriterTest, OptionalFieldsAreNullWhereThereIsNothing) {
  JsonWriter json;
  json.BeginObject();
  json.OptionalField("a", std::optional<std::string>("x"));
  json.OptionalField("b", std::optional<std::string>());
  json.OptionalField("c", std::optional<int64_t>(0));
  json.OptionalField("d", std::optional<int64_t>());
  json.EndObject();
  EXPECT_EQ(json.Take(), "{\"a\":\"x\",\"b\":null,\"c\":0,\"d\":null}");
}

TEST(JsonWriterTest, RawTextStandsWhereAValueWould) {
  JsonWriter json;
  json.BeginObject().Key("a").Raw("{\"x\": [1, 2]}").Key("b").Raw("1.10");
  json.Key("c").BeginArray().Raw("\"s\"").Raw("null").EndArray().EndObject();
  EXPECT_EQ(json.Take(), "{\"a\":{\"x\": [1, 2]},\"b\":1.10,\"c\":[\"s\",null]}");
}

TEST(JsonWriterTest, RawReadsOnlyTheViewItIsGiven) {
  EXPECT_EQ(JsonWriter().Raw(std::string_view("[1]garbage").substr(0, 3)).Take(), "[1]");
}

TEST(JsonWriterTest, ValuesAreCopiedWhole) {
  const std::string text =
      "{\"a\":[1,-2,18446744073709551615,1.5,true,null,\"x\\ny\",{}],\"\":{\"b\":[]}}";
  EXPECT_EQ(JsonWriter().Value(ParseJson(text, "x")).Take(), text);
}

TEST(JsonWriterTest, TakeCanBeReadAsAnObject) {
  const JsonDocument document =
      ParseJson(JsonWriter().BeginObject().Field("n", INT64_MIN).EndObject().Take(), "x");
  EXPECT_EQ(JsonObject(document, "x").Int("n"), INT64_MIN);
}

TEST(JsonWriterTest, PutsStringsIntoMemoryAsItWritesThem) {
  std::string all;
  for (int c = 0; c < 256; c++)
    all += static_cast<char>(c);
  for (const std::string& text :
       {std::string(), std::string("plain"), std::string("\"\\/\b\f\n\r\t\x01\x7f"), all,
        std::string(1000, '"'), std::string(1000, 'x') + '\n', std::string(256, '\x02')}) {
    std::string buffer(core::JsonStringRoom(text), '!');
    char* const end = core::PutJsonString(buffer.data(), text);
    ASSERT_LE(static_cast<size_t>(end - buffer.data()), buffer.size());
    EXPECT_EQ(std::string(buffer.data(), end), Written(text));
  }
}

TEST(JsonWriterTest, ALongStringNeedsLittleMoreRoomThanItTakes) {
  EXPECT_EQ(core::JsonStringRoom(std::string(100000, 'x')), 100002u);
  EXPECT_EQ(core::JsonStringRoom(std::string(100000, 'x') + '\n'), 100008u);
}

}  // namespace
}  // namespace pgsync::core
