#include "net/beast_stream.h"

#include <gtest/gtest.h>

#include <vector>

#include "scripted_stream.h"

namespace pgsync::net {
namespace {

using boost::asio::const_buffer;
using boost::asio::mutable_buffer;
using boost::beast::error_code;
using test::ScriptedStream;

TEST(BeastStreamTest, ReadsIntoTheFirstBufferThatHasRoom) {
  ScriptedStream below({"abc", "def"});
  BeastStream stream(below);
  char a[2], b[10];
  error_code error = boost::asio::error::eof;
  EXPECT_EQ(stream.read_some(std::vector<mutable_buffer>{{a, 0}, {a, 2}, {b, 10}}, error), 2u);
  EXPECT_FALSE(error);
  EXPECT_EQ(std::string(a, 2), "ab");
  EXPECT_EQ(stream.read_some(mutable_buffer(b, 10)), 1u);
  EXPECT_EQ(stream.read_some(mutable_buffer(b, 10)), 3u);
  EXPECT_EQ(std::string(b, 3), "def");
}

TEST(BeastStreamTest, EndOfTheStreamIsEof) {
  ScriptedStream below(std::vector<std::string>{});
  BeastStream stream(below);
  char byte;
  error_code error;
  EXPECT_EQ(stream.read_some(mutable_buffer(&byte, 1), error), 0u);
  EXPECT_EQ(error, boost::asio::error::eof);
  EXPECT_THROW(stream.read_some(mutable_buffer(&byte, 1)), boost::system::system_error);
}

TEST(BeastStreamTest, ReadingNothingIsNoEnd) {
  ScriptedStream below({"abc"});
  BeastStream stream(below);
  error_code error;
  EXPECT_EQ(stream.read_some(std::vector<mutable_buffer>{}, error), 0u);
  EXPECT_FALSE(error);
}

TEST(BeastStreamTest, GathersBuffersAndLeavesEmptyOnesOut) {
  ScriptedStream below({"unused"});
  BeastStream stream(below);
  error_code error;
  const std::vector<const_buffer> buffers = {{"ab", 2}, {"", 0}, {"c", 1}};
  EXPECT_EQ(stream.write_some(buffers, error), 3u);
  EXPECT_FALSE(error);
  EXPECT_EQ(below.written, "abc");
  EXPECT_EQ(stream.write_some(std::vector<const_buffer>{{"", 0}}), 0u);
  EXPECT_EQ(below.written, "abc");
}

TEST(BeastStreamTest, WritesPartOfTooManyBuffers) {
  ScriptedStream below({"unused"});
  BeastStream stream(below);
  std::string expected;
  std::vector<const_buffer> buffers;
  for (int i = 0; i < 100; i++)
    buffers.emplace_back("abcdefghij" + i % 10, 1);
  const size_t put = stream.write_some(buffers);
  EXPECT_GT(put, 0u);
  EXPECT_LT(put, 100u);
  for (size_t i = 0; i < put; i++)
    expected.push_back("abcdefghij"[i % 10]);
  EXPECT_EQ(below.written, expected);
}

}  // namespace
}  // namespace pgsync::net
