// Streams of rows that are what they should be; row_stream_hostile_test.cpp has the others.
#include "core/row_stream.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <random>

#include "bytes.h"
#include "errors.h"
#include "row_stream_support.h"

namespace pgsync::core {
namespace {

using test::Bytes;
using test::Contains;
using test::ErrorOf;
using test::Frames;
using test::MakeStream;
using test::Payload;
using test::ReadAll;
using test::Reading;
using test::StateOf;
using test::StringSink;
using test::StringSource;

std::string RandomBytes(size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes)
    byte = static_cast<char>(random());
  return bytes;
}

std::string Repetitive(size_t size) {
  std::string bytes;
  while (bytes.size() < size)
    bytes += "the same row again and again;";
  bytes.resize(size);
  return bytes;
}

class RowStreamTest : public ::testing::TestWithParam<bool> {
 protected:
  void ExpectRoundTrip(const Frames& frames, size_t step = SIZE_MAX) {
    const Reading reading = ReadAll(MakeStream(frames, GetParam()), step);
    EXPECT_EQ(reading.header, test::kHeader);
    EXPECT_TRUE(reading.frames == frames);
    EXPECT_TRUE(reading.ended);
  }
};
INSTANTIATE_TEST_SUITE_P(, RowStreamTest, ::testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "Compressed" : "Plain");
});

TEST_P(RowStreamTest, NoFrames) {
  ExpectRoundTrip({});
}

TEST_P(RowStreamTest, OneFrame) {
  ExpectRoundTrip({{2, "first second"}});
}

TEST_P(RowStreamTest, FrameWithoutRows) {
  ExpectRoundTrip({{0, ""}, {1, "x"}, {0, ""}});
}

TEST_P(RowStreamTest, ManyFramesOfManySizes) {
  Frames frames;
  for (size_t i = 0; i < 500; i++) {
    frames.emplace_back(1, i % 2 ? RandomBytes(1 + i * i % 3000) : Repetitive(1 + i));
  }
  ExpectRoundTrip(frames);
}

TEST_P(RowStreamTest, LargeFramesThatCompressAndThatDoNot) {
  ExpectRoundTrip({{1, "small"},
                   {1, RandomBytes(5 * 1024 * 1024)},
                   {1, Repetitive(5 * 1024 * 1024)},
                   {1, "small"},
                   {1, std::string(9 * 1024 * 1024, '\0')}});
}

// Where buffers are exactly full, and have to grow for one byte.
TEST_P(RowStreamTest, SizesAroundThoseOfBuffers) {
  for (size_t around : {size_t{256} << 10, size_t{512} << 10, size_t{1} << 20, size_t{2} << 20}) {
    Frames frames;
    for (size_t size = around - 6; size <= around + 1; size++) {
      frames.emplace_back(1, size % 2 ? RandomBytes(size) : Repetitive(size));
    }
    ExpectRoundTrip(frames);
  }
}

TEST_P(RowStreamTest, SourceMayGiveOneByteAtATime) {
  ExpectRoundTrip({{1, "a"}, {3, Repetitive(5000)}, {1, RandomBytes(3000)}}, 1);
}

TEST_P(RowStreamTest, BothEndsCountTheRows) {
  StringSink sink;
  RowStreamWriter writer(sink, GetParam());
  writer.Header(test::kHeader);
  EXPECT_EQ(writer.rows(), 0u);
  writer.Rows(Payload(3, "abc"), 3);
  writer.Rows(Payload(2, "de"), 2);
  EXPECT_EQ(writer.rows(), 5u);
  writer.End();

  StringSource source(sink.bytes);
  RowStreamReader reader(source);
  reader.Header();
  RowStreamReader::Rows rows;
  EXPECT_TRUE(reader.Next(&rows));
  EXPECT_EQ(rows.count, 3u);
  EXPECT_EQ(reader.rows(), 3u);
  EXPECT_TRUE(reader.Next(&rows));
  EXPECT_EQ(reader.rows(), 5u);
  EXPECT_FALSE(reader.at_end());
  EXPECT_FALSE(reader.Next(&rows));
  EXPECT_TRUE(reader.at_end());
  EXPECT_FALSE(reader.Next(&rows)) << "the end stays the end";
}

TEST_P(RowStreamTest, ReadsNothingBehindItsEnd) {
  const std::string stream = MakeStream({{1, "x"}}, GetParam());
  const std::string longer = stream + "next";
  StringSource source(longer);
  Reading reading;
  ReadAll(source, &reading);
  EXPECT_TRUE(reading.ended);
  EXPECT_EQ(source.left(), 4u);
}

TEST_P(RowStreamTest, FrameIsReadableAsSoonAsItWasWritten) {
  StringSink sink;
  RowStreamWriter writer(sink, GetParam());
  writer.Header(test::kHeader);
  writer.Rows(Payload(1, Repetitive(1000)), 1);
  StringSource source(sink.bytes);
  RowStreamReader reader(source);
  reader.Header();
  RowStreamReader::Rows rows;
  ASSERT_TRUE(reader.Next(&rows));
  EXPECT_EQ(std::string_view(rows.data, rows.size), Repetitive(1000));
  EXPECT_EQ(source.left(), 0u);
}

TEST_P(RowStreamTest, PeersErrorIsRaisedWithRemoteInItsDetail) {
  StringSink sink;
  RowStreamWriter writer(sink, GetParam());
  writer.Header(test::kHeader);
  writer.Rows(Payload(1, "x"), 1);
  writer.Fail({"22012", "division by zero", "In row 2.", "Do not."});
  Reading reading;
  const Error error = ErrorOf([&] {
    StringSource source(sink.bytes);
    ReadAll(source, &reading);
  });
  EXPECT_STREQ(error.state().c_str(), "22012");
  EXPECT_EQ(error.message(), "division by zero");
  EXPECT_EQ(error.detail(), "remote: In row 2.");
  EXPECT_EQ(error.hint(), "Do not.");
  EXPECT_EQ(reading.frames.size(), 1u);
  EXPECT_FALSE(reading.ended);
}

TEST(RowStreamWriterTest, WritesTheDocumentedFrames) {
  const std::string payload = Payload(1, "row");
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits(payload.data(), payload.size()));
  const std::string expected = Bytes("H\0\0\0\0\0\0\x02{}") +
                               Bytes("D\0\0\0\0\0\0\x07\0\0\0\x01row") +
                               Bytes("E\0\0\0\0\0\0\x18\0\0\0\0\0\0\0\x01") +
                               std::string(reinterpret_cast<const char*>(digest.digest), 16);
  StringSink sink;
  RowStreamWriter writer(sink, false);
  writer.Header("{}");
  writer.Rows(payload, 1);
  writer.End();
  EXPECT_EQ(sink.bytes, expected);
}

TEST(RowStreamWriterTest, CompressionMakesRepetitiveRowsSmall) {
  const Frames frames(20, {1, Repetitive(50000)});
  EXPECT_LT(MakeStream(frames, true).size(), MakeStream(frames, false).size() / 50);
}

TEST(RowStreamWriterTest, CompressionRunsThroughAllFrames) {
  // What no frame can compress in itself is small as a repetition of an earlier one.
  const std::string noise = RandomBytes(20000);
  const size_t once = MakeStream({{1, noise}}, true).size();
  EXPECT_LT(MakeStream({{1, noise}, {1, noise}, {1, noise}}, true).size(), once + 1000);
}

TEST(RowStreamWriterTest, DigestDoesNotDependOnCompression) {
  const Frames frames = {{1, RandomBytes(1000)}, {1, Repetitive(1000)}};
  const std::string plain = MakeStream(frames, false), compressed = MakeStream(frames, true);
  EXPECT_EQ(plain.substr(plain.size() - 16), compressed.substr(compressed.size() - 16));
}

TEST(RowStreamWriterTest, RefusesRowsOverTheLimit) {
  StringSink sink;
  RowStreamWriter writer(sink, false);
  // A view that is never looked at, as it is refused by its size.
  const Error error =
      ErrorOf([&] { writer.Rows(std::string_view(test::kHeader, kMaxRowFrame + 1), 1); });
  EXPECT_STREQ(error.state().c_str(), "54000");
  EXPECT_TRUE(Contains(error.detail(), "1073741824 bytes")) << error.detail();
  EXPECT_EQ(sink.bytes, "");
  EXPECT_EQ(writer.rows(), 0u);
}

TEST(RowStreamWriterTest, LetsTheSinkFail) {
  class FailingSink : public ByteSink {
   public:
    void Write(const std::string_view*, size_t) override {
      throw Error(sqlstate::kConnectionLost, "gone");
    }
  } sink;
  RowStreamWriter writer(sink, false);
  EXPECT_EQ(StateOf([&] { writer.Header("{}"); }), "08006");
}

TEST(StreamDigestTest, DoesNotDependOnHowBytesAreCut) {
  StreamDigest whole, pieces, other;
  whole.Add("abcdef");
  for (const char* piece : {"a", "bc", "", "def"})
    pieces.Add(piece);
  other.Add("abcdeg");
  EXPECT_EQ(whole.Finish(), pieces.Finish());
  EXPECT_NE(whole.Finish(), other.Finish());
  EXPECT_EQ(whole.Finish().size(), 16u);
  EXPECT_NE(StreamDigest().Finish(), whole.Finish());
}

}  // namespace
}  // namespace pgsync::core
