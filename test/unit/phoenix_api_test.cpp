#include "core/phoenix_api.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::StateOf;

PhoenixRequest Json(const std::string& body, const PhoenixRequest::Pairs& query = {}) {
  return PhoenixRequest::Read("application/json; charset=utf-8", body, {}, query);
}

TEST(PhoenixApiTest, KnowsItsRoutes) {
  EXPECT_EQ(FindPhoenixRoute("status")->method, std::string("GET"));
  EXPECT_EQ(FindPhoenixRoute("pull-data")->operation, PhoenixOperation::kPullData);
  for (const char* name : {"", "Status", "status/", "pull_data"})
    EXPECT_EQ(FindPhoenixRoute(name), nullptr) << name;
}

TEST(PhoenixApiTest, AcceptHeaders) {
  for (const char* accept : {"", " ", "*/*", "application/json", "APPLICATION/JSON;q=0.5",
                             "text/html, application/*", "text/html,*/*;q=0.1"}) {
    EXPECT_TRUE(AcceptsJson(accept)) << accept;
  }
  for (const char* accept : {"text/html", "application/jsonx", "text/*", ","})
    EXPECT_FALSE(AcceptsJson(accept)) << accept;
}

TEST(PhoenixApiTest, ABodyOfJsonWinsOverTheQuery) {
  const PhoenixRequest request =
      Json("{\"a\":\"body\",\"n\":5}", {{"a", "query"}, {"b", "query"}, {"n", "7"}});
  EXPECT_EQ(request.Text("a"), "body");
  EXPECT_EQ(request.Text("b"), "query");
  EXPECT_EQ(request.Integer("n"), 5);
}

TEST(PhoenixApiTest, FormsAndLists) {
  const PhoenixRequest request = PhoenixRequest::Read(
      "application/x-www-form-urlencoded", "",
      {{"a", "1"}, {"a", "2"}, {"ids[]", "x"}, {"ids[]", "y"}, {"[]", "z"}}, {});
  EXPECT_EQ(request.Text("a"), "2");
  ASSERT_TRUE(request.Find("ids")->IsArray());
  EXPECT_EQ(request.Find("ids")->Size(), 2u);
}

TEST(PhoenixApiTest, ManyPairsAreAnError) {
  constexpr char kForm[] = "application/x-www-form-urlencoded";
  const PhoenixRequest::Pairs most(2000, {"ids[]", "1"}), more(2001, {"ids[]", "1"});
  EXPECT_EQ(PhoenixRequest::Read(kForm, "", most, most).Find("ids")->Size(), 2000u);
  EXPECT_EQ(StateOf([&] { PhoenixRequest::Read(kForm, "", more, {}); }), "54000");
  EXPECT_EQ(StateOf([&] { Json("{}", more); }), "54000");
}

TEST(PhoenixApiTest, OtherBodiesAreNoParameters) {
  for (const char* body : {"[1]", "5", "null", "", " \n"})
    EXPECT_EQ(Json(body, {{"a", "q"}}).Text("a"), "q") << body;
  EXPECT_EQ(PhoenixRequest::Read("text/plain", "{\"a\":1}", {}, {}).Find("a"), nullptr);
  EXPECT_EQ(PhoenixRequest::Read("application/vnd.x+json", "{\"a\":1}", {}, {}).Integer("a"), 1);
}

TEST(PhoenixApiTest, MalformedJsonIsAnError) {
  for (const char* body : {"{", "{\"a\":}", "{\"a\":\"\\ud800\"}", "\xff"})
    EXPECT_EQ(StateOf([&] { Json(body); }), "08P01") << body;
}

TEST(PhoenixApiTest, MissingIsAbsentNullOrEmpty) {
  const PhoenixRoute& route = *FindPhoenixRoute("update-status");
  EXPECT_EQ(Json("{}").Missing(route),
            (std::vector<std::string>{"sender_url", "auth_token_hash", "status"}));
  EXPECT_EQ(Json("{\"sender_url\":\"\",\"auth_token_hash\":5,\"status\":null}").Missing(route),
            (std::vector<std::string>{"sender_url", "status"}));
  EXPECT_EQ(PhoenixMissing(route, {"sender_url", "status"}),
            "{\"success\":false,\"error\":\"Missing required fields\",\"fields\":[\"sender_url\","
            "\"status\"]}");
  EXPECT_EQ(PhoenixMissing(*FindPhoenixRoute("table-records"), {"a", "b"}),
            "{\"success\":false,\"error\":\"Missing required fields: a, b\"}");
}

TEST(PhoenixApiTest, TextIsAStringThatPostgresCouldHold) {
  EXPECT_EQ(Json("{\"a\":1.5}").Text("a"), std::nullopt);
  EXPECT_EQ(Json("{\"a\":{}}").Text("a"), std::nullopt);
  EXPECT_EQ(Json("{\"a\":\"x\\u0000\"}").Text("a"), std::nullopt);
  EXPECT_EQ(Json("{}", {{"a", "\xff"}}).Text("a"), std::nullopt);
}

TEST(PhoenixApiTest, IntegersInStringsEndWhereTheirDigitsDo) {
  EXPECT_EQ(Json("{\"a\":\"1x\"}").Integer("a"), 1);
  EXPECT_EQ(Json("{\"a\":\"-5\"}").Integer("a"), -5);
  for (const char* value : {"\"x\"", "1.5", "true", "[]", "\"99999999999999999999\""})
    EXPECT_EQ(Json("{\"a\":" + std::string(value) + "}").Integer("a"), std::nullopt) << value;
}

TEST(PhoenixApiTest, WhoKnowsPgText) {
  EXPECT_TRUE(Json("{\"accept_encoding\":[\"x\",\"pgtext\"]}").AcceptsPgText());
  for (const char* value : {"\"pgtext\"", "[]", "[5]", "null", "[\"pgtext2\"]"})
    EXPECT_FALSE(Json("{\"accept_encoding\":" + std::string(value) + "}").AcceptsPgText()) << value;
}

}  // namespace
}  // namespace pgsync::core
