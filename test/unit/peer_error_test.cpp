#include "core/peer_error.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::StateOf;

TEST(RemoteErrorTest, SurvivesARoundTrip) {
  const Error error = Error(SqlState("42P01"), "table \"a\\b\" does not exist")
                          .WithDetail("It was looked for\nin \xc3\xa4.")
                          .WithHint("Look \"elsewhere\".");
  const RemoteError read = RemoteError::FromJson(RemoteError::Of(error).ToJson());
  EXPECT_EQ(read.sqlstate, "42P01");
  EXPECT_EQ(read.message, error.message());
  EXPECT_EQ(read.detail, error.detail());
  EXPECT_EQ(read.hint, error.hint());
}

TEST(RemoteErrorTest, LeavesEmptyPartsOut) {
  const RemoteError error = RemoteError::Of(Error(SqlState("08006"), "m"));
  EXPECT_EQ(error.ToJson(), "{\"error\":{\"sqlstate\":\"08006\",\"message\":\"m\"}}");
  const RemoteError read = RemoteError::FromJson(error.ToJson());
  EXPECT_EQ(read.detail, "");
  EXPECT_EQ(read.hint, "");
}

TEST(RemoteErrorTest, IsRaisedAsThePeersWithRemoteInTheDetail) {
  const Error error = RemoteError{"42P01", "no table", "The detail.", "The hint."}.ToError();
  EXPECT_STREQ(error.state().c_str(), "42P01");
  EXPECT_EQ(error.message(), "no table");
  EXPECT_EQ(error.detail(), "remote: The detail.");
  EXPECT_EQ(error.hint(), "The hint.");
}

TEST(RemoteErrorTest, SaysThatItIsRemoteEvenWithoutADetail) {
  const Error error = RemoteError{"42P01", "no table", "", ""}.ToError();
  EXPECT_EQ(error.detail().rfind("remote:", 0), 0u);
  EXPECT_EQ(error.hint(), "");
}

TEST(RemoteErrorTest, StatesThatAreNoneBecomeInternalError) {
  for (const char* state : {"", "00000", "42p01", "too long", "\n\n\n\n\n"}) {
    EXPECT_STREQ((RemoteError{state, "m", "", ""}.ToError().state().c_str()), "XX000") << state;
  }
}

TEST(RemoteErrorTest, TextIsCutToASaneLength) {
  const std::string huge(10 * 1000 * 1000, 'x');
  const Error error = RemoteError{"42P01", huge, huge, huge}.ToError();
  EXPECT_EQ(error.message(), std::string(2000, 'x') + "...");
  EXPECT_EQ(error.detail(), "remote: " + std::string(2000, 'x') + "...");
  EXPECT_EQ(error.hint(), std::string(2000, 'x') + "...");
}

TEST(RemoteErrorTest, TextIsCutBetweenCharacters) {
  // 1999 bytes and then a character of two.
  const std::string text = std::string(1999, 'x') +
                           "\xc3\xa4"
                           "y";
  EXPECT_EQ((RemoteError{"42P01", text, "", ""}.ToError().message()),
            std::string(1999, 'x') + "...");
}

TEST(RemoteErrorTest, ControlCharactersDoNotReachTheUser) {
  const Error error = RemoteError{"42P01", "a\x1b[2Jb", "c\r\nd", "e\tf"}.ToError();
  EXPECT_EQ(error.message(), "a?[2Jb");
  EXPECT_EQ(error.detail(), "remote: c??d");
  EXPECT_EQ(error.hint(), "e?f");
}

TEST(RemoteErrorTest, RefusesWhatIsNoError) {
  const std::string deep =
      "{\"error\":{\"sqlstate\":\"42P01\",\"message\":\"m\",\"x\":" + std::string(10, '[') +
      std::string(10, ']') + "}}";
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[]"), std::string("<html>"),
        std::string("{\"error\":\"text\"}"), std::string("{\"error\":{}}"),
        std::string("{\"error\":{\"sqlstate\":\"42P01\"}}"),
        std::string("{\"error\":{\"message\":\"m\"}}"),
        std::string("{\"error\":{\"sqlstate\":42,\"message\":\"m\"}}"),
        std::string("{\"error\":{\"sqlstate\":\"42P01\",\"message\":\"a\\u0000b\"}}"),
        std::string("{\"error\":{\"sqlstate\":\"42P01\",\"message\":\"m\",\"detail\":[]}}"),
        std::string("{\"error\":{\"sqlstate\":\"42P01\",\"message\":\"\xff\"}}"),
        std::string("{\"sqlstate\":\"42P01\",\"message\":\"m\"}"), deep}) {
    EXPECT_EQ(StateOf([&] { RemoteError::FromJson(text); }), "08P01") << text;
  }
}

TEST(RemoteErrorTest, TakesKeysThatItDoesNotKnow) {
  const RemoteError error = RemoteError::FromJson(
      "{\"v\":2,\"error\":{\"sqlstate\":\"42P01\",\"message\":\"m\",\"where\":{\"line\":1}}}");
  EXPECT_EQ(error.message, "m");
}

TEST(StatusDetailTest, EndsLikeASentenceWhereThereIsNoPage) {
  EXPECT_EQ(StatusDetail(503, ""), "It answered with status 503.");
  EXPECT_EQ(StatusDetail(404, "<h1>Not found"), "It answered with status 404: <h1>Not found");
}

}  // namespace
}  // namespace pgsync::core
