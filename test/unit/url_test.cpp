#include "net/url.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace pgsync::net {
namespace {

using test::Contains;
using test::ErrorOf;
using test::StateOf;

TEST(UrlTest, IsTakenApart) {
  const Url url = Url::Parse("https://db.example.org:4100/some/prefix?a=b&c");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "db.example.org");
  EXPECT_EQ(url.port, 4100);
  EXPECT_EQ(url.path, "/some/prefix");
  EXPECT_EQ(url.query, "a=b&c");
  EXPECT_TRUE(url.secure());
  EXPECT_EQ(url.Authority(), "db.example.org:4100");
  EXPECT_EQ(url.Display(), "https://db.example.org:4100/some/prefix");
}

TEST(UrlTest, HasThePortOfItsScheme) {
  EXPECT_EQ(Url::Parse("http://a").port, 80);
  EXPECT_EQ(Url::Parse("https://a").port, 443);
  EXPECT_EQ(Url::Parse("https://a:80").port, 80);
  EXPECT_EQ(Url::Parse("https://a:65535").port, 65535);
  EXPECT_EQ(Url::Parse("http://a").Authority(), "a:80");
}

TEST(UrlTest, SchemeIsFoldedToLowerCase) {
  EXPECT_EQ(Url::Parse("HTTPS://a").scheme, "https");
  EXPECT_TRUE(Url::Parse("HTTPS://a").secure());
  EXPECT_FALSE(Url::Parse("HTTP://a").secure());
}

TEST(UrlTest, TrailingSlashesOfThePathAreDropped) {
  EXPECT_EQ(Url::Parse("http://a").path, "");
  EXPECT_EQ(Url::Parse("http://a/").path, "");
  EXPECT_EQ(Url::Parse("http://a///").path, "");
  EXPECT_EQ(Url::Parse("http://a/b/").path, "/b");
  EXPECT_EQ(Url::Parse("http://a/b//c//").path, "/b//c");
  EXPECT_EQ(Url::Parse("http://a/b/?q=/").path, "/b");
  EXPECT_EQ(Url::Parse("http://a/b/?q=/").query, "q=/");
}

TEST(UrlTest, ThereNeedBeNoPathBeforeTheQuery) {
  const Url url = Url::Parse("http://a:1?token=x");
  EXPECT_EQ(url.host, "a");
  EXPECT_EQ(url.path, "");
  EXPECT_EQ(url.query, "token=x");
}

TEST(UrlTest, FragmentsAreNoPartOfAnything) {
  const Url url = Url::Parse("http://a/p?q#f");
  EXPECT_EQ(url.path, "/p");
  EXPECT_EQ(url.query, "q");
}

TEST(UrlTest, Ipv6AddressesAreKeptWithoutBrackets) {
  const Url url = Url::Parse("http://[::1]:4100/x");
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, 4100);
  EXPECT_EQ(url.Authority(), "[::1]:4100");
  EXPECT_EQ(url.Display(), "http://[::1]:4100/x");
  EXPECT_EQ(Url::Parse("https://[2001:db8::5]").host, "2001:db8::5");
}

TEST(UrlTest, WhatIsDisplayedCanBeParsedAgain) {
  for (const char* text :
       {"http://a", "https://a:1/b/c", "https://[fd00::1]:99", "http://127.0.0.1:5"}) {
    const Url url = Url::Parse(text);
    const Url again = Url::Parse(url.Display());
    EXPECT_EQ(again.Display(), url.Display());
    EXPECT_EQ(again.host, url.host);
    EXPECT_EQ(again.port, url.port);
    EXPECT_EQ(again.path, url.path);
  }
}

TEST(UrlTest, DisplayDoesNotShowTheQuery) {
  const Url url = Url::Parse("https://a/p?token=secret#secret");
  EXPECT_FALSE(Contains(url.Display(), "secret"));
  EXPECT_FALSE(Contains(url.Authority(), "secret"));
}

TEST(UrlTest, UsersAndPasswordsAreRefusedAndNotRepeated) {
  for (const char* text : {"http://user@a", "http://user:secret@a", "http://:secret@a:1",
                           "https://user:@a/p", "http://us%65r@a"}) {
    const core::Error error = ErrorOf([&] { Url::Parse(text); });
    EXPECT_STREQ(error.state().c_str(), "22023") << text;
    EXPECT_FALSE(Contains(error.message() + error.detail() + error.hint(), "secret")) << text;
  }
}

TEST(UrlTest, AtSignBehindTheHostIsNoUser) {
  const Url url = Url::Parse("http://a/@b?c@d");
  EXPECT_EQ(url.host, "a");
  EXPECT_EQ(url.path, "/@b");
}

TEST(UrlTest, OtherSchemesAreRefused) {
  for (const char* text :
       {"ftp://a", "file:///etc/passwd", "postgres://a", "postgresql://a/db", "gopher://a",
        "ws://a", "httpss://a", "javascript:alert(1)", "http+unix://a"}) {
    EXPECT_EQ(StateOf([&] { Url::Parse(text); }), "22023") << text;
  }
}

TEST(UrlTest, WhatIsNoUrlIsRefused) {
  for (const std::string& text : {std::string(),
                                  std::string("a"),
                                  std::string("a:4100"),
                                  std::string("localhost:4100"),
                                  std::string("//a"),
                                  std::string("/a"),
                                  std::string("http://"),
                                  std::string("http://:80"),
                                  std::string("http://a:99999"),
                                  std::string("http://a:-1"),
                                  std::string("http://a:b"),
                                  std::string("http://a:80x"),
                                  std::string("http://[::1"),
                                  std::string("http://::1"),
                                  std::string("http://[gg::]"),
                                  std::string("http://[::1]x"),
                                  std::string("http://a b"),
                                  std::string("http://a\n"),
                                  std::string("http://a/\r\nX: y"),
                                  std::string("http://a/\x01"),
                                  std::string("http://a/b c"),
                                  std::string("http://a%00b"),
                                  std::string("http://?q"),
                                  std::string("http://#f"),
                                  std::string("http://a%2fb/"),
                                  std::string(" http://a")}) {
    EXPECT_EQ(StateOf([&] { Url::Parse(text); }), "22023") << ::testing::PrintToString(text);
  }
}

TEST(UrlTest, RefusalTellsHowAUrlLooks) {
  const core::Error error = ErrorOf([] { Url::Parse("localhost:4100"); });
  EXPECT_TRUE(Contains(error.hint(), "https://host:port")) << error.hint();
}

}  // namespace
}  // namespace pgsync::net
