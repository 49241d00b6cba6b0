#include "net/http_message.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cstdio>

#include "bytes.h"

namespace pgsync::net {
namespace {

using test::Bytes;

using Query = std::vector<std::pair<std::string, std::string>>;

TEST(FindHeaderTest, DoesNotLookAtCase) {
  const HttpHeaders headers = {{"Content-Type", "a"}, {"accept", "b"}, {"ACCEPT", "c"}};
  EXPECT_EQ(FindHeader(headers, "content-type"), "a");
  EXPECT_EQ(FindHeader(headers, "CONTENT-TYPE"), "a");
  EXPECT_EQ(FindHeader(headers, "Accept"), "b") << "the first one counts";
}

TEST(FindHeaderTest, ComparesWholeNames) {
  const HttpHeaders headers = {{"Content-Type", "a"}};
  for (const char* name : {"Content", "Content-Typ", "Content-Types", "", "-Type"}) {
    EXPECT_EQ(FindHeader(headers, name), std::nullopt) << name;
  }
  EXPECT_EQ(FindHeader({}, "a"), std::nullopt);
}

TEST(FindHeaderTest, EmptyValueIsAValue) {
  EXPECT_EQ(FindHeader({{"a", ""}}, "A"), "");
}

TEST(JoinHeadersTest, KeepsTheOrderOfAll) {
  const HttpHeaders headers = {
      {"X-Forwarded-For", "a, b"}, {"Other", "c"}, {"x-forwarded-for", "d"}};
  EXPECT_EQ(JoinHeaders(headers, "X-Forwarded-For"), "a, b, d");
  EXPECT_EQ(JoinHeaders(headers, "Missing"), "");
}

TEST(RetryAfterTest, IsANumberOfSeconds) {
  const auto after = [](const char* text) {
    const auto seconds = RetryAfter({{"retry-after", text}});
    return seconds ? seconds->count() : -1;
  };
  EXPECT_EQ(after("0"), 0);
  EXPECT_EQ(after("17"), 17);
  EXPECT_EQ(after("3601"), 3600);
  EXPECT_EQ(after("99999999999999999999"), 3600);
  for (const char* none : {"", "-1", "1.5", "5 minutes", "Wed, 25 Nov 2026 19:00:00 GMT"})
    EXPECT_EQ(after(none), -1) << none;
  EXPECT_FALSE(RetryAfter({}));
}

TEST(HttpTargetTest, PathIsKeptAsItWasSent) {
  EXPECT_EQ(HttpTarget::Parse("/sync/v1/").path, "/sync/v1/");
  EXPECT_EQ(HttpTarget::Parse("/a%20b+c").path, "/a%20b+c");
  EXPECT_EQ(HttpTarget::Parse("").path, "");
  EXPECT_EQ(HttpTarget::Parse("?a=b").path, "");
  EXPECT_TRUE(HttpTarget::Parse("/a&b=c").query.empty());
}

TEST(HttpTargetTest, QueryIsTakenApartInItsOrder) {
  const HttpTarget target = HttpTarget::Parse("/p?a=1&b=2&a=3");
  EXPECT_EQ(target.path, "/p");
  EXPECT_EQ(target.query, (Query{{"a", "1"}, {"b", "2"}, {"a", "3"}}));
}

TEST(HttpTargetTest, QueryIsDecoded) {
  const HttpTarget target = HttpTarget::Parse("/p?na%6De=a%20b+c%2Bd%26%3d%C3%a4%00");
  EXPECT_EQ(target.query, (Query{{"name", Bytes("a b c+d&=\xc3\xa4\0")}}));
}

TEST(HttpTargetTest, DecodedSeparatorsDoNotSeparate) {
  EXPECT_EQ(HttpTarget::Parse("/p?a=1%26b%3D2").query, (Query{{"a", "1&b=2"}}));
  EXPECT_EQ(HttpTarget::Parse("/p?a%3Db=1").query, (Query{{"a=b", "1"}}));
  EXPECT_EQ(HttpTarget::Parse("/p%3Fa=1").path, "/p%3Fa=1");
}

TEST(HttpTargetTest, PercentSignsThatMeanNothingStay) {
  for (const char* value : {"%", "%4", "%zz", "%4z", "%z4", "100%", "%%", "%-1", "% 1"}) {
    std::string expected = value;
    EXPECT_EQ(HttpTarget::Parse(std::string("/p?a=") + value).query, (Query{{"a", expected}}))
        << value;
  }
  EXPECT_EQ(HttpTarget::Parse("/p?a=%%41").query, (Query{{"a", "%A"}}));
}

TEST(HttpTargetTest, OddFormsOfAQueryAreTaken) {
  EXPECT_EQ(HttpTarget::Parse("/p?").query, Query{});
  EXPECT_EQ(HttpTarget::Parse("/p?&&").query, Query{});
  EXPECT_EQ(HttpTarget::Parse("/p?a").query, (Query{{"a", ""}}));
  EXPECT_EQ(HttpTarget::Parse("/p?a=").query, (Query{{"a", ""}}));
  EXPECT_EQ(HttpTarget::Parse("/p?=a").query, (Query{{"", "a"}}));
  EXPECT_EQ(HttpTarget::Parse("/p?a=b=c").query, (Query{{"a", "b=c"}}));
  EXPECT_EQ(HttpTarget::Parse("/p?a=b?c").query, (Query{{"a", "b?c"}}));
  EXPECT_EQ(HttpTarget::Parse("/p?a=1&").query, (Query{{"a", "1"}}));
}

TEST(HttpTargetTest, FindTakesTheFirstOfAName) {
  const HttpTarget target = HttpTarget::Parse("/p?a=1&b&a=2");
  EXPECT_EQ(target.Find("a"), "1");
  EXPECT_EQ(target.Find("b"), "");
  EXPECT_EQ(target.Find("c"), std::nullopt);
  EXPECT_EQ(target.Find("A"), std::nullopt) << "names of parameters have a case";
}

TEST(EncodeQueryValueTest, LeavesExactlyTheUnreservedCharacters) {
  const std::string unreserved =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
  EXPECT_EQ(EncodeQueryValue(unreserved), unreserved);
  for (int byte = 0; byte < 256; byte++) {
    const std::string text(1, static_cast<char>(byte));
    if (unreserved.find(text) != std::string::npos) continue;
    char expected[4];
    snprintf(expected, sizeof(expected), "%%%02X", byte);
    EXPECT_EQ(EncodeQueryValue(text), expected);
  }
}

TEST(EncodeQueryValueTest, EveryByteSurvivesTheWay) {
  std::string all;
  for (int byte = 0; byte < 256; byte++)
    all.push_back(static_cast<char>(byte));
  EXPECT_EQ(HttpTarget::Parse("/p?v=" + EncodeQueryValue(all) + "&w=1").Find("v"), all);
  EXPECT_EQ(EncodeQueryValue(""), "");
}

// A database has a locale of its own, in which other bytes may be letters.
TEST(EncodeQueryValueTest, DoesNotDependOnTheLocale) {
  const std::string before = setlocale(LC_CTYPE, nullptr);
  const char* found = nullptr;
  for (const char* name : {"en_US.ISO-8859-1", "en_US.iso88591", "en_US", "de_DE.ISO-8859-1",
                           "de_DE.iso88591", "de_DE@euro", "fr_FR.iso88591"}) {
    if ((found = setlocale(LC_CTYPE, name)) != nullptr) break;
  }
  const std::string encoded = EncodeQueryValue("\xc3\xa4");
  setlocale(LC_CTYPE, before.c_str());
  if (found == nullptr) GTEST_SKIP() << "no locale with a single-byte encoding is installed";
  EXPECT_EQ(encoded, "%C3%A4");
}

TEST(FirstSegment, IsDecoded) {
  EXPECT_EQ(FirstSegment("/shop"), "shop");
  EXPECT_EQ(FirstSegment("/shop/"), "shop");
  EXPECT_EQ(FirstSegment("/a%2Fb%20c/d"), "a/b c");
  EXPECT_EQ(FirstSegment("/a+b"), "a+b");
  EXPECT_EQ(FirstSegment(""), "");
  EXPECT_EQ(FirstSegment("/"), "");
  EXPECT_EQ(FirstSegment("//a"), "");
  EXPECT_EQ(FirstSegment("shop"), "");
}

}  // namespace
}  // namespace pgsync::net
