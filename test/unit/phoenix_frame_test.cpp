#include "core/phoenix_frame.h"

#include <gtest/gtest.h>

#include "bytes.h"

namespace pgsync::core {
namespace {

std::string TextOf(const JsonValue& value) {
  return JsonWriter().Value(value).Take();
}

TEST(PhoenixFrameTest, ReadsTheFiveElements) {
  const auto frame = PhoenixFrame::Parse(
      R"([null,"5","transfer:ABC23456","request:records",{"table":"users","ref":"5"}])");
  ASSERT_TRUE(frame);
  EXPECT_TRUE(frame->join_ref().IsNull());
  EXPECT_EQ(TextOf(frame->ref()), "\"5\"");
  EXPECT_EQ(frame->topic(), "transfer:ABC23456");
  EXPECT_EQ(frame->event(), "request:records");
  ASSERT_NE(frame->Find("table"), nullptr);
  EXPECT_EQ(TextOf(*frame->Find("table")), "\"users\"");
  EXPECT_EQ(frame->Find("offset"), nullptr);
}

TEST(PhoenixFrameTest, RefsKeepTheirJsonType) {
  for (const char* ref : {"null", "\"1\"", "1", "-7", "9223372036854775807", "18446744073709551615",
                          "1.5", "true", "[1,{\"a\":null}]", "\"\\u0000\"", "\"\xC3\xA4\""}) {
    const auto frame =
        PhoenixFrame::Parse(std::string("[\"7\",") + ref + ",\"t\",\"phx_join\",null]");
    ASSERT_TRUE(frame) << ref;
    EXPECT_EQ(TextOf(frame->join_ref()), "\"7\"");
    EXPECT_EQ(
        WritePhoenixReply(frame->ref(), "t", "ok", "{}"),
        std::string("[null,") + ref + ",\"t\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]");
  }
}

TEST(PhoenixFrameTest, PayloadMayBeAnything) {
  for (const char* payload : {"null", "\"x\"", "5", "[]", "[1]", "true", "{}"}) {
    const auto frame = PhoenixFrame::Parse(std::string("[null,\"1\",\"t\",\"e\",") + payload + "]");
    ASSERT_TRUE(frame) << payload;
    EXPECT_EQ(TextOf(frame->payload()), payload);
    EXPECT_EQ(frame->Find("ref"), nullptr) << payload;
  }
  const auto frame = PhoenixFrame::Parse(R"([null,"1","t","e",{"ref":null}])");
  ASSERT_TRUE(frame);
  ASSERT_NE(frame->Find("ref"), nullptr);
  EXPECT_TRUE(frame->Find("ref")->IsNull());
}

TEST(PhoenixFrameTest, WhatIsNoFrameIsNothing) {
  for (const std::string& text :
       {std::string(),
        std::string("hello"),
        std::string("5"),
        std::string("null"),
        std::string("{\"a\":1}"),
        std::string("[]"),
        std::string("[1,2,3,4]"),
        std::string("[1,2,3,4,5]"),
        std::string("[null,null,\"t\",\"e\",{},6]"),
        std::string("[null,null,5,\"e\",{}]"),
        std::string("[null,null,\"t\",null,{}]"),
        std::string("[null,null,\"t\",\"e\",{}"),
        std::string("[null,null,\"t\",\"e\",{}] x"),
        std::string("[null,1e999,\"t\",\"e\",{}]"),
        std::string("[null,\"\xFF\",\"t\",\"e\",{}]"),
        std::string("[null,\"\\udc00\",\"t\",\"e\",{}]"),
        test::Bytes("[null,null,\"t\",\"e\",{}]\0"),
        "[null,null,\"t\",\"e\"," + std::string(1000, '[') + std::string(1000, ']') + "]",
        std::string(1000000, '['),
        "[null,null,\"t\",\"e\"," + std::string(100000, '{') + "]"}) {
    EXPECT_FALSE(PhoenixFrame::Parse(text)) << text.substr(0, 100);
  }
}

TEST(PhoenixFrameTest, WritesFrames) {
  EXPECT_EQ(
      WritePhoenixFrame("null", "transfer:\"x\"", "response:error", R"({"error":"no","ref":"5"})"),
      R"([null,null,"transfer:\"x\"","response:error",{"error":"no","ref":"5"}])");
  EXPECT_EQ(WritePhoenixFrame("\"1\"", "phoenix", "heartbeat", "{}"),
            R"([null,"1","phoenix","heartbeat",{}])");
}

}  // namespace
}  // namespace pgsync::core
