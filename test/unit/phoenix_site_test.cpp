#include "core/phoenix_site.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace pgsync::core {
namespace {

TEST(PhoenixSiteTest, SchemesOfWebSocketsAreThoseOfHttp) {
  EXPECT_EQ(HttpSpelling("ws://a.com:4000/x"), "http://a.com:4000/x");
  EXPECT_EQ(HttpSpelling("WSS://a.com"), "https://a.com");
  EXPECT_EQ(HttpSpelling("https://a.com"), "https://a.com");
  EXPECT_EQ(HttpSpelling("wsx://a.com"), "wsx://a.com");
  EXPECT_EQ(HttpSpelling("ws:"), "ws:");
  EXPECT_EQ(HttpSpelling(""), "");
}

TEST(PhoenixSiteTest, APrefixIsThePathWithoutWhatFollowsIt) {
  EXPECT_EQ(PhoenixPrefixOf(""), "");
  EXPECT_EQ(PhoenixPrefixOf("/"), "");
  EXPECT_EQ(PhoenixPrefixOf("/phoenix_kit"), "/phoenix_kit");
  EXPECT_EQ(PhoenixPrefixOf("/phoenix_kit//"), "/phoenix_kit");
  EXPECT_EQ(PhoenixPrefixOf("/a/b/sync/websocket"), "/a/b");
  EXPECT_EQ(PhoenixPrefixOf("/a/sync/websocket/"), "/a");
  EXPECT_EQ(PhoenixPrefixOf("/sync/websocket"), "");
  EXPECT_EQ(PhoenixPrefixOf("/sync/websockets"), "/sync/websockets");
}

std::string Target(std::string_view path, std::string_view query) {
  return PhoenixSocketTarget(PhoenixPrefixOf(path), query, "ABC23456");
}

// Conformance 29.
TEST(PhoenixSiteTest, TheSocketIsBehindWhatWasTyped) {
  EXPECT_EQ(Target("", ""), "/sync/websocket?code=ABC23456&vsn=2.0.0");
  EXPECT_EQ(Target("/", ""), "/sync/websocket?code=ABC23456&vsn=2.0.0");
  EXPECT_EQ(Target("/phoenix_kit/", "x=1"),
            "/phoenix_kit/sync/websocket?x=1&code=ABC23456&vsn=2.0.0");
  EXPECT_EQ(Target("/p/sync/websocket", ""), "/p/sync/websocket?code=ABC23456&vsn=2.0.0");
  EXPECT_EQ(Target("/sync/websocket", "a=b&c"), "/sync/websocket?a=b&c&code=ABC23456&vsn=2.0.0");
}

TEST(PhoenixSiteTest, TheApiIsBehindThePrefix) {
  EXPECT_EQ(PhoenixApiTarget("", "status"), "/sync/api/status");
  EXPECT_EQ(PhoenixApiTarget("/phoenix_kit", "pull-data"), "/phoenix_kit/sync/api/pull-data");
}

// Conformance 31.
TEST(PhoenixSiteTest, OnlyLaterReleasesAreAskedForSchemas) {
  EXPECT_TRUE(AnswersSchemaRequest("0.1.2"));
  EXPECT_TRUE(AnswersSchemaRequest("0.1.10"));
  EXPECT_TRUE(AnswersSchemaRequest("0.2.1"));
  EXPECT_TRUE(AnswersSchemaRequest("0.2"));
  EXPECT_TRUE(AnswersSchemaRequest("0.10.0-rc.1"));
  for (const char* version :
       {"0.1.0", "0.1.1", "0.1", "1.7.80", "1.0.0", "", "x", "-1.2", "0", "."})
    EXPECT_FALSE(AnswersSchemaRequest(version)) << version;
}

TEST(PhoenixSiteTest, AStatusIsRecognized) {
  EXPECT_TRUE(IsPhoenixStatus(
      R"({"enabled":true,"incoming_mode":"require_approval","password_required":false})"));
  EXPECT_TRUE(IsPhoenixStatus(R"({"incoming_mode":"deny_all","enabled":false,"more":1})"));
  for (const char* body : {"", "<html>404</html>", "[]", R"({"enabled":true})",
                           R"({"enabled":"true","incoming_mode":"x"})", R"({"status":"ok"})"})
    EXPECT_FALSE(IsPhoenixStatus(body)) << body;
}

// Conformance 32.
TEST(PhoenixSiteTest, RefusalsReachTheUserAsText) {
  const auto error = [](int status, const char* body) {
    return PhoenixUpgradeError("http://a", status, body);
  };
  EXPECT_STREQ(error(403, "Invalid code").state().c_str(), "28000");
  EXPECT_EQ(error(403, "Invalid code").message(), "invalid_code");
  EXPECT_EQ(error(403, "Invalid code").detail(), "remote: Invalid code.");
  EXPECT_EQ(error(403, "Code already used").message(), "already_used");
  EXPECT_STREQ(error(403, "Code already used").state().c_str(), "55000");
  EXPECT_STREQ(error(403, "Module disabled").state().c_str(), "55000");
  EXPECT_STREQ(error(403, "IP not allowed").state().c_str(), "42501");
  EXPECT_EQ(error(403, "IP not allowed").detail(), "remote: IP not allowed.");
  EXPECT_STREQ(error(404, "<html>").state().c_str(), "08P01");
  EXPECT_STREQ(error(503, "busy").state().c_str(), "08001");
}

// Conformance 42 and 43.
TEST(PhoenixSiteTest, AStatusOfTheApiIsWhatItMeans) {
  const auto state = [](int status, const char* body) {
    return test::StateOf([&] { (void)ReadPhoenixReply(status, body, "table \"t\""); });
  };
  const char* no = R"({"success":false,"error":"x"})";
  EXPECT_EQ(state(200, R"({"success":true,"tables":[]})"), "00000");
  EXPECT_EQ(state(401, no), "28000");
  EXPECT_EQ(state(403, no), "42501");
  EXPECT_EQ(state(404, no), "42P01");
  EXPECT_EQ(state(404, "<html>Not found</html>"), "08P01");
  EXPECT_EQ(state(404, ""), "08P01");
  EXPECT_EQ(state(429, no), "53400");
  EXPECT_EQ(state(503, no), "55000");
  EXPECT_EQ(state(502, no), "XX000");
  for (int gateway : {502, 503, 504})
    EXPECT_EQ(state(gateway, "<html>"), "08001") << gateway;
  EXPECT_EQ(state(500, no), "XX000");
  EXPECT_EQ(state(500, ""), "08P01");
  EXPECT_EQ(state(200, no), "XX000");
  EXPECT_EQ(state(200, R"({"tables":[]})"), "08P01");
  EXPECT_EQ(state(200, "[]"), "08P01");
  EXPECT_EQ(state(200, "<html>"), "08P01");
  for (const char* error : {"5", "5.5", "true", "[]", "{}"}) {
    const std::string body = std::string(R"({"success":false,"error":)") + error + "}";
    EXPECT_EQ(state(200, body.c_str()), "08P01") << error;
    EXPECT_EQ(state(500, body.c_str()), "08P01") << error;
    EXPECT_EQ(state(403, body.c_str()), "42501") << error;
  }
  EXPECT_EQ(state(500, R"({"success":false,"error":null})"), "XX000");
}

TEST(PhoenixSiteTest, WhatASiteSaysStandsInTheDetail) {
  const Error error = test::ErrorOf([] {
    (void)ReadPhoenixReply(403, R"({"success":false,"error":"Connection is not active"})", "it");
  });
  EXPECT_EQ(error.detail(), "remote: Connection is not active (status 403)");
  const Error number =
      test::ErrorOf([] { (void)ReadPhoenixReply(403, R"({"success":false,"error":5.5})", "it"); });
  EXPECT_EQ(number.detail(), R"(remote: {"success":false,"error":5.5} (status 403))");
}

}  // namespace
}  // namespace pgsync::core
