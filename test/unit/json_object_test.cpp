// Typed reading of JSON objects; parsing is tested in json_test.cpp.
#include "core/json.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::Contains;
using test::ErrorOf;
using test::StateOf;

constexpr char kEverything[] = R"({
  "string": "text", "empty": "", "zero": "a\u0000b", "int": 42, "negative": -7, "double": 1.5,
  "whole": 3.0, "huge": 9223372036854775808, "tiny": -9223372036854775809, "max": 9223372036854775807,
  "min": -9223372036854775808, "true": true, "false": false, "null": null, "object": {"in": "side"},
  "strings": ["a", "", "b"], "none": [], "mixed": ["a", 1], "zeros": ["a", "b\u0000"],
  "objects": [{"n": 1}, {"n": 2}], "numbers": [1, 2]})";

class JsonObjectTest : public ::testing::Test {
 protected:
  // A refusal is a protocol violation that names the key.
  template <typename Body>
  static void ExpectRefusal(const char* key, Body&& body) {
    const Error error = ErrorOf(body);
    EXPECT_STREQ(error.state().c_str(), "08P01") << key;
    EXPECT_EQ(error.message(), "invalid JSON in reply") << key;
    EXPECT_TRUE(Contains(error.detail(), std::string("\"") + key + "\"")) << error.detail();
  }

  // Every key but those given.
  static std::vector<const char*> Others(const std::vector<std::string>& good) {
    std::vector<const char*> others;
    for (const char* key : {"string",  "empty", "zero",  "int",   "negative", "double", "whole",
                            "huge",    "tiny",  "max",   "min",   "true",     "false",  "object",
                            "strings", "none",  "mixed", "zeros", "objects",  "numbers"}) {
      if (std::find(good.begin(), good.end(), key) == good.end()) others.push_back(key);
    }
    return others;
  }

  const JsonDocument document_ = ParseJson(kEverything, "reply");
  const JsonObject json_{document_, "reply"};
};

TEST_F(JsonObjectTest, IsMadeOfObjectsOnly) {
  for (const char* text : {"[]", "1", "\"{}\"", "null", "true"}) {
    const JsonDocument document = ParseJson(text, "x");
    EXPECT_EQ(StateOf([&] { JsonObject(document, "x"); }), "08P01") << text;
  }
}

TEST_F(JsonObjectTest, HasMeansThereAndNotNull) {
  EXPECT_TRUE(json_.Has("string"));
  EXPECT_TRUE(json_.Has("false"));
  EXPECT_FALSE(json_.Has("null"));
  EXPECT_FALSE(json_.Has("absent"));
  EXPECT_FALSE(json_.Has(""));
  EXPECT_FALSE(json_.Has("String"));
}

TEST_F(JsonObjectTest, StringsAreReadAsStrings) {
  EXPECT_EQ(json_.String("string"), "text");
  EXPECT_EQ(json_.String("empty"), "");
  EXPECT_EQ(json_.OptionalString("string"), "text");
  EXPECT_EQ(json_.OptionalString("null"), std::nullopt);
  EXPECT_EQ(json_.OptionalString("absent"), std::nullopt);
  EXPECT_EQ(json_.StringOr("string", "else"), "text");
  EXPECT_EQ(json_.StringOr("empty", "else"), "");
  EXPECT_EQ(json_.StringOr("null", "else"), "else");
  EXPECT_EQ(json_.StringOr("absent", "else"), "else");
}

TEST_F(JsonObjectTest, StringsOfAnotherTypeAreRefused) {
  for (const char* key : Others({"string", "empty"})) {
    ExpectRefusal(key, [&] { json_.String(key); });
    ExpectRefusal(key, [&] { json_.OptionalString(key); });
    ExpectRefusal(key, [&] { json_.StringOr(key, "else"); });
  }
  ExpectRefusal("absent", [&] { json_.String("absent"); });
  ExpectRefusal("null", [&] { json_.String("null"); });
}

TEST_F(JsonObjectTest, IntegersAreReadAsIntegers) {
  EXPECT_EQ(json_.Int("int"), 42);
  EXPECT_EQ(json_.Int("max"), INT64_MAX);
  EXPECT_EQ(json_.Int("min"), INT64_MIN);
  EXPECT_EQ(json_.IntOr("negative", 1), -7);
  EXPECT_EQ(json_.IntOr("null", 1), 1);
  EXPECT_EQ(json_.IntOr("absent", 1), 1);
  EXPECT_EQ(json_.OptionalInt("int"), 42);
  EXPECT_EQ(json_.OptionalInt("null"), std::nullopt);
  EXPECT_EQ(json_.OptionalInt("absent"), std::nullopt);
}

TEST_F(JsonObjectTest, WhatIsNoInt64IsRefusedAsInteger) {
  for (const char* key : Others({"int", "negative", "max", "min"})) {
    ExpectRefusal(key, [&] { json_.Int(key); });
    ExpectRefusal(key, [&] { json_.IntOr(key, 1); });
    ExpectRefusal(key, [&] { json_.OptionalInt(key); });
  }
  ExpectRefusal("absent", [&] { json_.Int("absent"); });
  ExpectRefusal("null", [&] { json_.Int("null"); });
}

TEST_F(JsonObjectTest, BooleansAreReadAsBooleans) {
  EXPECT_TRUE(json_.Bool("true"));
  EXPECT_FALSE(json_.Bool("false"));
  EXPECT_FALSE(json_.BoolOr("false", true));
  EXPECT_TRUE(json_.BoolOr("null", true));
  EXPECT_TRUE(json_.BoolOr("absent", true));
  EXPECT_FALSE(json_.BoolOr("absent", false));
  for (const char* key : Others({"true", "false"})) {
    ExpectRefusal(key, [&] { json_.Bool(key); });
    ExpectRefusal(key, [&] { json_.BoolOr(key, true); });
  }
  ExpectRefusal("absent", [&] { json_.Bool("absent"); });
  ExpectRefusal("null", [&] { json_.Bool("null"); });
}

TEST_F(JsonObjectTest, ArraysOfStringsAreReadInOrder) {
  EXPECT_EQ(json_.Strings("strings"), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(json_.Strings("none"), std::vector<std::string>{});
  EXPECT_EQ(json_.Strings("null"), std::vector<std::string>{});
  EXPECT_EQ(json_.Strings("absent"), std::vector<std::string>{});
  for (const char* key : Others({"strings", "none"})) {
    ExpectRefusal(key, [&] { json_.Strings(key); });
  }
}

TEST_F(JsonObjectTest, ObjectsInsideAreReadAsObjects) {
  EXPECT_EQ(json_.Object("object").String("in"), "side");
  for (const char* key : Others({"object"})) {
    ExpectRefusal(key, [&] { json_.Object(key); });
  }
  ExpectRefusal("absent", [&] { json_.Object("absent"); });
  ExpectRefusal("null", [&] { json_.Object("null"); });
}

TEST_F(JsonObjectTest, ArraysOfObjectsAreReadInOrder) {
  const auto objects = json_.Objects("objects");
  ASSERT_EQ(objects.size(), 2u);
  EXPECT_EQ(objects[0].Int("n"), 1);
  EXPECT_EQ(objects[1].Int("n"), 2);
  EXPECT_TRUE(json_.Objects("none").empty());
  EXPECT_TRUE(json_.Objects("null").empty());
  EXPECT_TRUE(json_.Objects("absent").empty());
  for (const char* key : {"string", "int", "true", "object"}) {
    ExpectRefusal(key, [&] { json_.Objects(key); });
  }
}

TEST_F(JsonObjectTest, ArraysOfOtherThanObjectsAreRefusedByName) {
  for (const char* key : {"strings", "mixed", "numbers"}) {
    EXPECT_EQ(StateOf([&] { json_.Objects(key); }), "08P01") << key;
    ExpectRefusal(key, [&] { json_.Objects(key); });
  }
}

TEST_F(JsonObjectTest, KeysWithZeroBytesAreOtherKeys) {
  const JsonDocument document = ParseJson("{\"a\\u0000b\": 1}", "reply");
  EXPECT_FALSE(JsonObject(document, "reply").Has("a"));
}

TEST_F(JsonObjectTest, RepeatedKeysAreReadAlikeByAllGetters) {
  const JsonDocument document = ParseJson("{\"a\": 1, \"a\": \"two\"}", "reply");
  const JsonObject json(document, "reply");
  EXPECT_EQ(json.Int("a"), 1);
  EXPECT_EQ(StateOf([&] { json.String("a"); }), "08P01");
}

TEST_F(JsonObjectTest, NamesOfInnerObjectsStayThoseOfTheMessage) {
  const Error error = ErrorOf([&] { json_.Object("object").Int("missing"); });
  EXPECT_EQ(error.message(), "invalid JSON in reply");
  EXPECT_EQ(error.detail(), "Key \"missing\" must be an integer.");
}

}  // namespace
}  // namespace pgsync::core
