#include "core/phoenix_caller.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::Contains;
using test::ErrorOf;
using test::StateOf;

constexpr char kTopic[] = "transfer:ABC23456";

std::string Said(const std::string& event, const std::string& payload,
                 const std::string& ref = "null") {
  return "[null," + ref + ",\"" + kTopic + "\",\"" + event + "\"," + payload + "]";
}

// A caller that has joined.
PhoenixCaller Joined() {
  PhoenixCaller caller(kTopic);
  (void)caller.Join("{}");
  EXPECT_TRUE(caller.Take(Said("phx_reply", R"({"status":"ok","response":{}})", "\"1\"")));
  return caller;
}

TEST(PhoenixCallerTest, SpeaksAsPhoenixKitDoes) {
  PhoenixCaller caller(kTopic);
  EXPECT_EQ(caller.Join(R"({"receiver_info":{}})"),
            R"([null,"1","transfer:ABC23456","phx_join",{"receiver_info":{}}])");
  EXPECT_EQ(caller.Ask("capabilities"),
            R"([null,"1","transfer:ABC23456","request:capabilities",{"ref":"1"}])");
  EXPECT_EQ(caller.Heartbeat(), R"([null,"2","phoenix","heartbeat",{}])");
  EXPECT_EQ(caller.Ask("count", [](JsonWriter& json) { json.Field("table", "ä\"b"); }),
            R"([null,"3","transfer:ABC23456","request:count",{"table":"ä\"b","ref":"3"}])");
}

TEST(PhoenixCallerTest, JoinsOnceThePeerHasAgreed) {
  PhoenixCaller caller(kTopic);
  (void)caller.Join("{}");
  EXPECT_FALSE(caller.Take(Said("phx_reply", R"({"status":"ok","response":{}})", "\"9\"")));
  EXPECT_FALSE(caller.Take(Said("presence", "{}")));
  EXPECT_FALSE(caller.joined());
  EXPECT_TRUE(caller.Take(Said("phx_reply", R"({"status":"ok","response":{}})", "1")));
  EXPECT_TRUE(caller.joined());
  EXPECT_FALSE(caller.Take(Said("phx_reply", R"({"status":"ok","response":{}})", "\"1\"")));
}

TEST(PhoenixCallerTest, TellsWhyItMayNotJoin) {
  PhoenixCaller caller(kTopic);
  (void)caller.Join("{}");
  const Error error = ErrorOf([&] {
    caller.Take(
        Said("phx_reply", R"({"status":"error","response":{"reason":"code_mismatch"}})", "\"1\""));
  });
  EXPECT_EQ(error.state(), sqlstate::kInvalidAuthorization);
  EXPECT_TRUE(Contains(error.detail(), "code_mismatch"));
  EXPECT_FALSE(caller.joined());
}

TEST(PhoenixCallerTest, AnAnswerIsThePayloadWithItsRef) {
  PhoenixCaller caller = Joined();
  (void)caller.Ask("count");
  // The reply to the join has the same number, and is something else.
  EXPECT_FALSE(caller.Take(Said("phx_reply", R"({"status":"ok","response":{}})", "\"1\"")));
  const auto answer = caller.Take(Said("response:count", R"({"count":150,"ref":"1"})"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->Find("count")->GetInt(), 150);
  (void)caller.Ask("count");
  EXPECT_TRUE(caller.Take(Said("response:count", R"({"count":1,"ref":2})"))) << "a number";
}

TEST(PhoenixCallerTest, KeepsTheDigitsOfRecords) {
  PhoenixCaller caller = Joined();
  (void)caller.Ask("records");
  const auto answer =
      caller.Take(Said("response:records", R"({"records":[{"n":1.50}],"ref":"1"})"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(NumberToken((*answer->Find("records"))[0]["n"]), "1.50");
}

TEST(PhoenixCallerTest, WhatComesLateOrTwiceIsPassedOver) {
  PhoenixCaller caller = Joined();
  EXPECT_FALSE(caller.Take(Said("response:tables", R"({"tables":[],"ref":"1"})"))) << "unasked";
  (void)caller.Ask("tables");
  (void)caller.Ask("count");
  EXPECT_FALSE(caller.Take(Said("response:tables", R"({"tables":[],"ref":"1"})"))) << "late";
  EXPECT_FALSE(caller.Take(Said("response:error", R"({"error":"x","ref":"1"})"))) << "late";
  EXPECT_FALSE(caller.Take(Said("response:count", R"({"count":1,"ref":"7"})"))) << "early";
  EXPECT_TRUE(caller.Take(Said("response:count", R"({"count":1,"ref":"2"})")));
  EXPECT_FALSE(caller.Take(Said("response:count", R"({"count":2,"ref":"2"})"))) << "twice";
  EXPECT_FALSE(caller.Take(R"([null,"3","phoenix","phx_reply",{"status":"ok","response":{}}])"));
  EXPECT_FALSE(caller.Take(R"([null,null,"transfer:X","response:count",{"count":1,"ref":"2"}])"));
}

TEST(PhoenixCallerTest, ErrorsAreWhatThePeerSays) {
  PhoenixCaller caller = Joined();
  const std::pair<const char*, const char*> texts[] = {
      {"Table not found: x", "42P01"},
      {"Failed to get count: :table_not_found", "42P01"},
      {"Access denied to table: x", "42501"},
      {"Failed to fetch records: %Postgrex.Error{}", "XX000"}};
  int ref = 0;
  for (const auto& [text, state] : texts) {
    (void)caller.Ask("count");
    const Error error = ErrorOf([&] {
      caller.Take(Said("response:error", std::string(R"({"error":")") + text + R"(","ref":")" +
                                             std::to_string(++ref) + "\"}"));
    });
    EXPECT_STREQ(error.state().c_str(), state);
    EXPECT_EQ(error.message(), text);
    EXPECT_TRUE(Contains(error.detail(), "remote:"));
  }
  for (const char* error : {"5", "5.5", "true", "[]", "{}"}) {
    (void)caller.Ask("count");
    const Error malformed = ErrorOf([&] {
      caller.Take(Said("response:error", std::string(R"({"error":)") + error + R"(,"ref":")" +
                                             std::to_string(++ref) + "\"}"));
    });
    EXPECT_STREQ(malformed.state().c_str(), "08P01") << error;
    EXPECT_EQ(malformed.detail(), "It answered with an error that is no text.");
  }
  (void)caller.Ask("count");
  EXPECT_EQ(
      StateOf([&] {
        caller.Take(
            Said("phx_reply", R"({"status":"error","response":{"reason":"unmatched"}})", "\"10\""));
      }),
      "XX000");
}

TEST(PhoenixCallerTest, TheEndOfTheChannelIsTheEndOfAllCalls) {
  for (const char* event : {"phx_close", "phx_error"}) {
    PhoenixCaller caller = Joined();
    EXPECT_THROW(caller.Take(Said(event, "{}")), PhoenixClosed);
    EXPECT_EQ(StateOf([&] { caller.Take(Said(event, "{}")); }), "08006");
  }
}

TEST(PhoenixCallerTest, RefusesWhatIsNoMessage) {
  PhoenixCaller caller = Joined();
  (void)caller.Ask("count");
  for (const std::string& text :
       {std::string("hello"), std::string(""), std::string("5"), std::string(R"({"a":1})"),
        std::string("[1,2,3,4]"), std::string("[null,null,5,\"e\",{}]"),
        std::string("[null,null,\"t\",7,{}]"), std::string("[null,null,\"t\",\"e\",{},1]"),
        Said("response:count", "5"), Said("response:count", R"({"count":1})"),
        std::string("[null,null,\"t\",\"\xff\",{}]"), Said("phx_reply", "")}) {
    EXPECT_EQ(StateOf([&] { caller.Take(text); }), "08P01") << text;
  }
  EXPECT_EQ(StateOf([&] { caller.Take(Said("response:tables", R"({"tables":[],"ref":"1"})")); }),
            "08P01")
      << "an answer to something else";
}

TEST(PhoenixCallerTest, StrangePayloadsDoNoHarm) {
  for (const char* payload : {"null", "5", "[]", "\"x\"", R"({"status":5})",
                              R"({"status":"error","response":[1]})", R"({"response":null})"}) {
    PhoenixCaller caller = Joined();
    (void)caller.Ask("count");
    EXPECT_NE(StateOf([&] { caller.Take(Said("phx_reply", payload, "\"1\"")); }), "XX001");
    EXPECT_NE(StateOf([&] { caller.Take(Said("response:error", payload)); }), "XX001");
  }
}

}  // namespace
}  // namespace pgsync::core
