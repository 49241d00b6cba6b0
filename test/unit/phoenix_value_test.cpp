// Every form in which PhoenixKit sends a value of each type, into the text that the type's input
// function reads.
#include "core/phoenix_value.h"

#include <gtest/gtest.h>

#include "bytes.h"
#include "errors.h"

namespace pgsync::core {
namespace {

using test::Bytes;
using test::StateOf;
using Kind = PhoenixType::Kind;

PhoenixType TypeOf(Kind kind, int bits = -1) {
  PhoenixType type;
  type.kind = kind;
  type.bits = bits;
  return type;
}

PhoenixType Over(Kind kind, PhoenixType element) {
  PhoenixType type;
  type.kind = kind;
  type.element = std::make_shared<const PhoenixType>(std::move(element));
  return type;
}

std::optional<std::string> Read(const std::string& json, const PhoenixType& type) {
  JsonLimits limits;
  limits.exact_numbers = true;
  return ReadPhoenixValue(ParseJson(json, "value", limits), type);
}

std::optional<std::string> Read(const std::string& json, Kind kind) {
  return Read(json, TypeOf(kind));
}

std::string Marker(const std::string& base64) {
  return "{\"__phoenix_kit_binary__\":\"" + base64 + "\"}";
}

TEST(PhoenixValueTest, NullIsNullForEveryType) {
  for (int kind = 0; kind <= static_cast<int>(Kind::kOther); kind++)
    EXPECT_EQ(Read("null", static_cast<Kind>(kind)), std::nullopt);
}

TEST(PhoenixValueTest, NumbersKeepTheirDigits) {
  EXPECT_EQ(Read("9223372036854775807", Kind::kInteger), "9223372036854775807");
  EXPECT_EQ(Read("-9223372036854775808", Kind::kInteger), "-9223372036854775808");
  EXPECT_EQ(Read("123456789012345678901234567890.120", Kind::kNumeric),
            "123456789012345678901234567890.120");
  EXPECT_EQ(Read("1E-8", Kind::kNumeric), "1E-8");
  EXPECT_EQ(Read("\"1E-8\"", Kind::kNumeric), "1E-8");
  EXPECT_EQ(Read("\"12.50\"", Kind::kNumeric), "12.50");
  EXPECT_EQ(Read("12", Kind::kNumeric), "12");
  EXPECT_EQ(Read("0.10000000149011612", Kind::kFloat), "0.10000000149011612");
  EXPECT_EQ(Read("1.0e16", Kind::kFloat), "1.0e16");
  EXPECT_EQ(Read("-0", Kind::kFloat), "-0");
}

TEST(PhoenixValueTest, WholeNumbersWithAFractionAreIntegers) {
  EXPECT_EQ(Read("5.0", Kind::kInteger), "5");
  EXPECT_EQ(Read("-1.50e2", Kind::kInteger), "-150");
  EXPECT_EQ(Read("0.0", Kind::kInteger), "0");
  EXPECT_EQ(Read("0e-3", Kind::kInteger), "0");
  EXPECT_EQ(Read("5.5", Kind::kInteger), "5.5");  // for the type to refuse
  EXPECT_EQ(Read("1e300", Kind::kInteger), "1e300");
}

TEST(PhoenixValueTest, WordsForWhatIsNoNumber) {
  for (const char* json : {"\"NaN\"", "\":NaN\""})
    EXPECT_EQ(Read(json, Kind::kFloat), "NaN") << json;
  for (const char* json : {"\"inf\"", "\":inf\"", "\"Infinity\""})
    EXPECT_EQ(Read(json, Kind::kFloat), "Infinity") << json;
  for (const char* json : {"\"-inf\"", "\":\\\"-inf\\\"\"", "\"-Infinity\""})
    EXPECT_EQ(Read(json, Kind::kNumeric), "-Infinity") << json;
}

TEST(PhoenixValueTest, TextIsWhatItIsWhateverItLooksLike) {
  EXPECT_EQ(Read("\"2025-12-15\"", Kind::kText), "2025-12-15");
  EXPECT_EQ(Read("\"inf\"", Kind::kText), "inf");
  EXPECT_EQ(Read("\"-0043-03-15\"", Kind::kText), "-0043-03-15");
  EXPECT_EQ(Read("\"%Postgrex.Point{x: 1.0, y: 2.0}\"", Kind::kText),
            "%Postgrex.Point{x: 1.0, y: 2.0}");
  EXPECT_EQ(Read(Marker("MjAyNS0xMi0xNQ=="), Kind::kText), "2025-12-15");
  EXPECT_EQ(Read("1.50", Kind::kText), "1.50");
  EXPECT_EQ(Read("true", Kind::kText), "true");
  EXPECT_EQ(Read("true", Kind::kBool), "true");
  EXPECT_EQ(Read("{\"a\":[1.50]}", Kind::kText), "{\"a\":[1.50]}");
}

TEST(PhoenixValueTest, UuidsInAllThreeForms) {
  const std::string uuid = "41424344-4546-4748-494a-4b4c4d4e4f50";
  EXPECT_EQ(Read("\"" + uuid + "\"", Kind::kUuid), uuid);
  EXPECT_EQ(Read(Marker("QUJDREVGR0hJSktMTU5PUA=="), Kind::kUuid), uuid);
  EXPECT_EQ(Read("\"ABCDEFGHIJKLMNOP\"", Kind::kUuid), uuid);
  EXPECT_EQ(Read("\"\\u0000BCDEFGHIJKLMNOP\"", Kind::kUuid),
            "00424344-4546-4748-494a-4b4c4d4e4f50");
}

TEST(PhoenixValueTest, ByteaIsTheBytesOfTheString) {
  EXPECT_EQ(Read("\"\\\\x41\"", Kind::kBytea), "\\x5c783431");
  EXPECT_EQ(Read("\"\\u00e9\\u0000\"", Kind::kBytea), "\\xc3a900");
  EXPECT_EQ(Read(Marker("AP9ceDQx"), Kind::kBytea), "\\x00ff5c783431");
  EXPECT_EQ(StateOf([] { Read("5", Kind::kBytea); }), "22P02");
  EXPECT_EQ(StateOf([] { Read("{\"a\":1}", Kind::kBytea); }), "22P02");
}

TEST(PhoenixValueTest, DatesAndTimes) {
  EXPECT_EQ(Read("\"2025-12-15\"", Kind::kDate), "2025-12-15");
  EXPECT_EQ(Read("\"-0043-03-15\"", Kind::kDate), "0044-03-15 BC");
  EXPECT_EQ(Read("\"0000-01-01\"", Kind::kDate), "0001-01-01 BC");
  EXPECT_EQ(Read("\"12025-01-01\"", Kind::kDate), "12025-01-01");
  EXPECT_EQ(Read("\"5881610-07-11\"", Kind::kDate), "infinity");
  EXPECT_EQ(Read("\"-5877611-06-22\"", Kind::kDate), "-infinity");
  EXPECT_EQ(Read("\"infinity\"", Kind::kDate), "infinity");
  EXPECT_EQ(Read("\"12:30:00.000000\"", Kind::kTime), "12:30:00.000000");
  EXPECT_EQ(Read("\"12:30:00.000000\"", Kind::kTimeTz), "12:30:00.000000+00");
  EXPECT_EQ(Read("\"12:30:00+02\"", Kind::kTimeTz), "12:30:00+02");
  EXPECT_EQ(Read("\"2025-12-15T18:56:59.387453\"", Kind::kTimestamp), "2025-12-15 18:56:59.387453");
  EXPECT_EQ(Read("\"2025-12-15T18:56:59Z\"", Kind::kTimestampTz), "2025-12-15 18:56:59Z");
  EXPECT_EQ(Read("\"2025-12-15T18:56:59\"", Kind::kTimestampTz), "2025-12-15 18:56:59+00");
  EXPECT_EQ(Read("\"2025-12-15T18:56:59-03:30\"", Kind::kTimestampTz), "2025-12-15 18:56:59-03:30");
  EXPECT_EQ(Read("\"-0043-03-15T10:00:00\"", Kind::kTimestampTz), "0044-03-15 10:00:00+00 BC");
  EXPECT_EQ(Read("\"-0043-03-15\"", Kind::kTimestamp), "0044-03-15 BC");
  EXPECT_EQ(Read("\"-infinity\"", Kind::kTimestamp), "-infinity");
}

TEST(PhoenixValueTest, BitsByTheDeclaredLength) {
  EXPECT_EQ(Read("\"A\"", TypeOf(Kind::kBit, 8)), "01000001");
  EXPECT_EQ(Read("\"01000001\"", TypeOf(Kind::kBit, 8)), "01000001");
  EXPECT_EQ(Read(Marker("qoA="), TypeOf(Kind::kBit, 9)), "101010101");
  EXPECT_EQ(Read(Marker("qg=="), TypeOf(Kind::kVarBit)), "10101010");
  EXPECT_EQ(Read("\"10\"", TypeOf(Kind::kVarBit)), "10");
  EXPECT_EQ(Read("\"\"", TypeOf(Kind::kVarBit)), "");
  // Two bytes, each of which looks like a digit.
  EXPECT_EQ(Read("\"10\"", TypeOf(Kind::kBit, 16)), "0011000100110000");
}

TEST(PhoenixValueTest, JsonIsTheValueItself) {
  for (const Kind kind : {Kind::kJson, Kind::kJsonb}) {
    for (const char* json :
         {"5", "\"5\"", "\"str\"", "true", "[1.50,{\"a\":null}]",
          "{\"__type__\":\"date\",\"value\":1}", "{\"x\":{\"__phoenix_kit_binary__\":\"QQ==\"}}",
          "{\"__phoenix_kit_binary__\":\"QQ==\"}", "1.7976931348623157e308",
          "123456789012345678901234567890"}) {
      EXPECT_EQ(Read(json, kind), json);
    }
  }
}

TEST(PhoenixValueTest, Arrays) {
  const PhoenixType ints = Over(Kind::kArray, TypeOf(Kind::kInteger));
  EXPECT_EQ(Read("[1,null,5.0]", ints), "{\"1\",NULL,\"5\"}");
  EXPECT_EQ(Read("[[1,2],[3,4]]", ints), "{{\"1\",\"2\"},{\"3\",\"4\"}}");
  EXPECT_EQ(Read("[]", ints), "{}");
  EXPECT_EQ(Read("\"{1,2,NULL}\"", ints), "{1,2,NULL}");
  EXPECT_EQ(Read("[\"a\\\"b\\\\\",\"NULL\"]", Over(Kind::kArray, TypeOf(Kind::kText))),
            "{\"a\\\"b\\\\\",\"NULL\"}");
  EXPECT_EQ(
      Read("[" + Marker("QUJDREVGR0hJSktMTU5PUA==") + "]", Over(Kind::kArray, TypeOf(Kind::kUuid))),
      "{\"41424344-4546-4748-494a-4b4c4d4e4f50\"}");
  EXPECT_EQ(Read("[[1],{\"a\":1}]", Over(Kind::kArray, TypeOf(Kind::kJsonb))),
            "{\"[1]\",\"{\\\"a\\\":1}\"}");
  PhoenixType boxes = Over(Kind::kArray, TypeOf(Kind::kOther));
  boxes.delimiter = ';';
  EXPECT_EQ(Read("[\"(2,2),(1,1)\",\"(1,1),(0,0)\"]", boxes), "{\"(2,2),(1,1)\";\"(1,1),(0,0)\"}");
}

TEST(PhoenixValueTest, Hstore) {
  EXPECT_EQ(Read("{\"a\":\"1\",\"b c\":null,\"\":\"\\\"\"}", Kind::kHstore),
            "\"a\"=>\"1\", \"b c\"=>NULL, \"\"=>\"\\\"\"");
  EXPECT_EQ(Read("\"a=>1\"", Kind::kHstore), "a=>1");
  EXPECT_EQ(Read("{}", Kind::kHstore), "");
}

TEST(PhoenixValueTest, Dumps) {
  EXPECT_EQ(Read("\"%Postgrex.INET{address: {10, 0, 0, 1}, netmask: nil}\"", Kind::kInet),
            "10.0.0.1");
  EXPECT_EQ(Read("\"%Postgrex.INET{address: {10, 0, 0, 0}, netmask: 8}\"", Kind::kInet),
            "10.0.0.0/8");
  EXPECT_EQ(
      Read("\"%Postgrex.INET{address: {65152, 0, 0, 0, 0, 0, 0, 1}, netmask: 64}\"", Kind::kInet),
      "fe80:0:0:0:0:0:0:1/64");
  EXPECT_EQ(Read("\"%Postgrex.MACADDR{address: {8, 1, 43, 5, 7, 255}}\"", Kind::kMacAddr),
            "08:01:2b:05:07:ff");
  EXPECT_EQ(Read("\"%Postgrex.Point{x: 1.5, y: -2.0}\"", Kind::kPoint), "(1.5,-2.0)");
  const PhoenixType range = Over(Kind::kRange, TypeOf(Kind::kInteger));
  EXPECT_EQ(Read("\"%Postgrex.Range{lower: 1, upper: 5, lower_inclusive: true, "
                 "upper_inclusive: false}\"",
                 range),
            "[\"1\",\"5\")");
  EXPECT_EQ(Read("\"%Postgrex.Range{lower: :unbound, upper: nil, lower_inclusive: false, "
                 "upper_inclusive: false}\"",
                 range),
            "(,)");
  EXPECT_EQ(Read("\"%Postgrex.Range{lower: :empty, upper: :empty, lower_inclusive: false, "
                 "upper_inclusive: false}\"",
                 range),
            "empty");
  const PhoenixType dates = Over(Kind::kRange, TypeOf(Kind::kDate));
  EXPECT_EQ(Read("\"%Postgrex.Range{lower: ~D[2025-01-01], upper: ~D[-0043-01-01], "
                 "lower_inclusive: true, upper_inclusive: true}\"",
                 dates),
            "[\"2025-01-01\",\"0044-01-01 BC\"]");
  EXPECT_EQ(Read("\"%Postgrex.Multirange{ranges: [%Postgrex.Range{lower: 1, upper: 2, "
                 "lower_inclusive: true, upper_inclusive: false}, %Postgrex.Range{lower: 5, upper: "
                 ":unbound, lower_inclusive: true, upper_inclusive: false}]}\"",
                 Over(Kind::kMultirange, range)),
            "{[\"1\",\"2\"),[\"5\",)}");
}

TEST(PhoenixValueTest, DumpsOfAnotherFormGoToTheTypesInput) {
  for (const char* text : {"%Postgrex.INET{address: {10, 0, 0}, netmask: nil}",
                           "%Postgrex.INET{address: {10, 0, 0, 256}, netmask: nil}",
                           "%Postgrex.INET{address: {10, 0, 0, 1}, netmask: :x}",
                           "%Postgrex.INET{}", "%Postgrex.Point{x: 1.0, y: 2.0}", "%"}) {
    EXPECT_EQ(Read("\"" + std::string(text) + "\"", Kind::kInet), text);
  }
}

TEST(PhoenixValueTest, WhatNoInputFunctionCanBeToldIsAnError) {
  EXPECT_EQ(StateOf([] { Read(Marker("?"), Kind::kText); }), "22P02");
  EXPECT_EQ(StateOf([] { Read("{\"__phoenix_kit_binary__\":5}", Kind::kBytea); }), "22P02");
  EXPECT_EQ(StateOf([] { Read(Marker("/w=="), Kind::kText); }), "22P02");
  EXPECT_EQ(StateOf([] { Read("\"a\\u0000b\"", Kind::kText); }), "22P02");
  EXPECT_EQ(StateOf([] { Read("[\"a\\u0000b\"]", Over(Kind::kArray, TypeOf(Kind::kText))); }),
            "22P02");
}

TEST(PhoenixValueTest, PgTextIsTextAlone) {
  const auto read = [](const std::string& json) {
    return ReadPgTextValue(ParseJson(json, "value"));
  };
  EXPECT_EQ(read("null"), std::nullopt);
  EXPECT_EQ(read("\"{1,2}\""), "{1,2}");
  EXPECT_EQ(read("\"-0043-01-01\""), "-0043-01-01");
  for (const char* json : {"5", "true", "[]", "{}", "\"\\u0000\""})
    EXPECT_EQ(StateOf([&] { read(json); }), "22P02") << json;
  EXPECT_EQ(StateOf([&] { read(Marker("gA==")); }), "22P02");
}

TEST(PhoenixValueTest, NumericsGoAsNumbersWhereNothingIsLost) {
  const std::string thirty = "123456789012345678901234567890";
  for (const std::string& number :
       {std::string("0"), std::string("-5"), thirty, std::string("12.50"),
        std::string("-0.00000001"), std::string("123456789.012345"),
        std::string("0.123456789012345000")}) {
    EXPECT_EQ(PhoenixNumber(number), number);
  }
  EXPECT_EQ(PhoenixNumber("12.00"), "12");
  EXPECT_EQ(PhoenixNumber("0.00"), "0");
  EXPECT_EQ(PhoenixNumber(thirty + ".000"), thirty);
  EXPECT_EQ(PhoenixNumber("0." + std::string(299, '0') + "1"), "0." + std::string(299, '0') + "1");
  for (const std::string& text :
       {std::string("NaN"), std::string("Infinity"), std::string("-Infinity"), std::string(),
        std::string("0.1234567890123456"), std::string("123456789.0123456"),
        "0." + std::string(300, '0') + "1"}) {
    EXPECT_EQ(PhoenixNumber(text), "") << text;
  }
}

TEST(PhoenixValueTest, KnowsWhatPhoenixKitTakesForATime) {
  for (const char* text :
       {"2025-12-15", "12:30:00", "12:30:00.5", "2025-12-15T18:56:59",
        "2025-12-15T18:56:59.387453Z", "2025-12-15T18:56:59+02:00", "9999-99-99", "2025-12-15\n"}) {
    EXPECT_TRUE(LooksLikePhoenixDateTime(text)) << text;
  }
  for (const char* text : {"", "\n", "2025-12-1", "2025-12-15 18:56:59", "12:30", "12:30:00.",
                           "x12:30:00", "2025-12-15T18:56:59+02", "2025-12-15T18:56", "2025-12-15x",
                           "12:30:00Z", "12025-01-01", "2025-12-15\n\n"}) {
    EXPECT_FALSE(LooksLikePhoenixDateTime(text)) << text;
  }
}

}  // namespace
}  // namespace pgsync::core
