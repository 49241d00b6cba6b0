// Streams of rows that were cut, changed, or made with ill intent.
#include "core/row_stream.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <cstdlib>
#include <new>

#include "bytes.h"
#include "errors.h"
#include "row_stream_support.h"

namespace {
// The largest single allocation of this thread since it was last set to 0.
thread_local size_t largest_allocation = 0;
}  // namespace

// Out of line, or the compiler takes malloc() and free() for a mismatch of new and delete.
[[gnu::noinline]] void* operator new(size_t size) {
  largest_allocation = std::max(largest_allocation, size);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace pgsync::core {
namespace {

using test::Big;
using test::Bytes;
using test::Contains;
using test::EndFrame;
using test::ErrorOf;
using test::Frame;
using test::Frames;
using test::MakeStream;
using test::Payload;
using test::ReadAll;
using test::Reading;
using test::StateOf;
using test::StringSource;

const std::string& HeaderFrame() {
  static const std::string frame = Frame('H', 0, test::kHeader);
  return frame;
}

// The error of reading these frames behind a header.
Error ErrorBehindHeader(const std::string& frames) {
  const std::string stream = HeaderFrame() + frames;
  return ErrorOf([&] { ReadAll(stream); });
}
std::string StateBehindHeader(const std::string& frames) {
  return ErrorBehindHeader(frames).state().c_str();
}

class CorruptStreamTest : public ::testing::TestWithParam<bool> {
 protected:
  const Frames frames_ = {{2, "first row, second row"}, {1, "third row, third row, third row"}};
  const std::string stream_ = MakeStream(frames_, GetParam());
};
INSTANTIATE_TEST_SUITE_P(, CorruptStreamTest, ::testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "Compressed" : "Plain");
});

TEST_P(CorruptStreamTest, CutAtAnyByteIsALostConnection) {
  for (size_t size = 0; size < stream_.size(); size++) {
    for (size_t step : {SIZE_MAX, size_t{1}}) {
      Reading reading;
      StringSource source(std::string_view(stream_).substr(0, size), step);
      EXPECT_EQ(StateOf([&] { ReadAll(source, &reading); }), "08006") << size;
      EXPECT_FALSE(reading.ended);
      // What it had given before was right.
      ASSERT_LE(reading.frames.size(), frames_.size());
      EXPECT_TRUE(std::equal(reading.frames.begin(), reading.frames.end(), frames_.begin()));
    }
  }
}

TEST_P(CorruptStreamTest, NoChangedByteEndsWellWithOtherRows) {
  size_t refused = 0;
  for (size_t at = 0; at < stream_.size(); at++) {
    for (int change = 1; change < 256; change++) {
      std::string changed = stream_;
      changed[at] = static_cast<char>(changed[at] ^ change);
      Reading reading;
      StringSource source(changed);
      const std::string state = StateOf([&] { ReadAll(source, &reading); });
      if (reading.ended) {
        ASSERT_TRUE(reading.frames == frames_) << "byte " << at << " ^ " << change;
      } else {
        ASSERT_TRUE(state == "08006" || state == "08P01") << state << " at byte " << at;
        refused++;
      }
    }
  }
  EXPECT_GT(refused, 0u);
}

TEST_P(CorruptStreamTest, FramesLeftOutTwiceOrSwappedAreFound) {
  const size_t start = HeaderFrame().size();
  const size_t first_end = start + MakeStream({frames_[0]}, GetParam()).size() - start - 32;
  const std::string first = stream_.substr(start, first_end - start);
  const std::string second = stream_.substr(first_end, stream_.size() - 32 - first_end);
  const std::string end = stream_.substr(stream_.size() - 32);
  ASSERT_EQ(StateBehindHeader(first + second + end), "00000");
  for (const std::string& frames :
       {second + end, first + end, end, first + first + second + end, second + first + end}) {
    EXPECT_EQ(StateBehindHeader(frames), "08P01");
  }
}

// Only of plain ones: zstd has bits without meaning.
TEST(RowStreamReaderTest, EveryChangedBitOfPlainFramesIsFound) {
  const std::string stream = MakeStream({{2, "first row, second row"}, {1, "third row"}}, false);
  for (size_t at = 0; at < stream.size(); at++) {
    // The header's JSON is not under the digest: what it says is for its reader to judge.
    if (at >= kFrameHeaderSize && at < HeaderFrame().size()) continue;
    for (int bit = 0; bit < 8; bit++) {
      std::string changed = stream;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      EXPECT_NE(StateOf([&] { ReadAll(changed); }), "00000") << at;
    }
  }
}

TEST(RowStreamReaderTest, WrongCountIsFound) {
  const std::string payload = Payload(2, "ab");
  const std::string rows = Frame('D', 0, payload);
  EXPECT_EQ(StateBehindHeader(rows + EndFrame(2, {payload})), "00000");
  for (uint64_t count : {uint64_t{0}, uint64_t{1}, uint64_t{3}, uint64_t{1} << 32, UINT64_MAX}) {
    const Error error = ErrorBehindHeader(rows + EndFrame(count, {payload}));
    EXPECT_STREQ(error.state().c_str(), "08P01") << count;
    EXPECT_TRUE(Contains(error.detail(), "2 arrived")) << error.detail();
  }
}

TEST(RowStreamReaderTest, WrongDigestIsFound) {
  const std::string payload = Payload(1, "a");
  const Error error = ErrorBehindHeader(Frame('D', 0, payload) + EndFrame(1, {Payload(1, "b")}));
  EXPECT_STREQ(error.state().c_str(), "08P01");
  EXPECT_TRUE(Contains(error.detail(), "checksum")) << error.detail();
}

TEST(RowStreamReaderTest, EndMarkOfAnotherSizeIsRefused) {
  const std::string end = Big(0, 8) + StreamDigest().Finish();
  EXPECT_EQ(StateBehindHeader(Frame('E', 0, end)), "00000");
  for (const std::string& other : {std::string(), end.substr(1), end + "x", end.substr(0, 8)}) {
    EXPECT_EQ(StateBehindHeader(Frame('E', 0, other)), "08P01") << other.size();
  }
}

TEST(RowStreamReaderTest, SecondHeaderIsRefused) {
  EXPECT_EQ(StateBehindHeader(HeaderFrame() + EndFrame(0, {})), "08P01");
  EXPECT_EQ(StateBehindHeader(Frame('D', 0, Payload(1, "a")) + HeaderFrame()), "08P01");
}

TEST(RowStreamReaderTest, StreamWithoutAHeaderIsRefused) {
  for (const std::string& stream : {Frame('D', 0, Payload(1, "a")), EndFrame(0, {})}) {
    EXPECT_EQ(StateOf([&] { ReadAll(stream); }), "08P01");
  }
}

TEST(RowStreamReaderTest, ErrorInPlaceOfTheHeaderIsThePeers) {
  const std::string stream =
      Frame('X', 0, RemoteError{"42501", "permission denied", "", ""}.ToJson());
  const Error error = ErrorOf([&] { ReadAll(stream); });
  EXPECT_STREQ(error.state().c_str(), "42501");
  EXPECT_TRUE(Contains(error.detail(), "remote:")) << error.detail();
}

TEST(RowStreamReaderTest, StreamDoesNotEndWellBehindAnError) {
  const std::string stream =
      HeaderFrame() + Frame('X', 0, RemoteError{"42501", "permission denied", "", ""}.ToJson());
  StringSource source(stream);
  RowStreamReader reader(source);
  reader.Header();
  RowStreamReader::Rows rows;
  EXPECT_EQ(StateOf([&] { reader.Next(&rows); }), "42501");
  // false would say that the end mark was found and right.
  EXPECT_NE(StateOf([&] { reader.Next(&rows); }), "00000");
}

TEST(RowStreamReaderTest, MalformedErrorIsRefused) {
  for (const char* json : {"", "{}", "not JSON", "{\"error\":{\"sqlstate\":\"42501\"}}"}) {
    EXPECT_EQ(StateBehindHeader(Frame('X', 0, json)), "08P01") << json;
  }
}

TEST(RowStreamReaderTest, UnknownKindsAreRefused) {
  for (int kind = 0; kind < 256; kind++) {
    if (std::string("HDEX").find(static_cast<char>(kind)) != std::string::npos) continue;
    EXPECT_EQ(StateBehindHeader(Frame(static_cast<char>(kind), 0, "")), "08P01") << kind;
  }
}

TEST(RowStreamReaderTest, UnknownFlagsAreRefused) {
  const std::string rows = Payload(1, "a");
  for (int flags = 2; flags < 256; flags++) {
    EXPECT_EQ(StateBehindHeader(Frame('D', static_cast<uint8_t>(flags), rows)), "08P01") << flags;
  }
  for (int flags = 1; flags < 256; flags++) {
    for (char kind : {'H', 'E', 'X'}) {
      EXPECT_EQ(StateBehindHeader(Frame(kind, static_cast<uint8_t>(flags), rows)), "08P01");
    }
  }
  for (size_t reserved : {2, 3}) {
    std::string frame = Frame('D', 0, rows);
    frame[reserved] = 1;
    EXPECT_EQ(StateBehindHeader(frame), "08P01");
  }
}

TEST(RowStreamReaderTest, CountLargerThanThePayloadIsRefused) {
  for (uint32_t count : {2u, 1000u, 0x80000000u, UINT32_MAX}) {
    const std::string payload = Payload(count, "a");
    EXPECT_EQ(StateBehindHeader(Frame('D', 0, payload) + EndFrame(count, {payload})), "08P01");
  }
}

TEST(RowStreamReaderTest, FrameOfRowsWithoutACountIsRefused) {
  for (size_t size = 0; size < 4; size++) {
    EXPECT_EQ(StateBehindHeader(Frame('D', 0, std::string(size, '\0'))), "08P01") << size;
  }
}

TEST(RowStreamReaderTest, LengthsOverTheLimitAreRefusedBeforeTheirBytes) {
  for (char kind : {'H', 'E', 'X', 'D'}) {
    const std::string header = std::string{kind, 0, 0, 0} + Big(UINT32_MAX, 4);
    EXPECT_EQ(StateBehindHeader(header), "08P01") << kind;
  }
  const std::string control = Bytes("X\0\0\0") + Big(kMaxControlFrame + 1, 4);
  EXPECT_EQ(StateBehindHeader(control), "08P01");
  EXPECT_EQ(StateOf([] { ReadAll(Bytes("H\0\0\0") + Big(kMaxControlFrame + 1, 4)); }), "08P01");
}

TEST(RowStreamReaderTest, MemoryFollowsTheBytesThatCameNotTheLengthThatWasClaimed) {
  for (uint8_t flags : {0, 1}) {
    for (size_t sent : {size_t{0}, size_t{10}, size_t{3} << 20}) {
      const std::string stream = HeaderFrame() + std::string{'D', static_cast<char>(flags), 0, 0} +
                                 Big(kMaxRowFrame, 4) + std::string(sent, 'x');
      largest_allocation = 0;
      EXPECT_EQ(StateOf([&] { ReadAll(stream); }), "08006");
      EXPECT_LE(largest_allocation, 2 * sent + (2 << 20)) << sent;
      EXPECT_GT(largest_allocation, 0u);
    }
  }
}

TEST(RowStreamReaderTest, WhatIsNoZstdIsRefused) {
  EXPECT_EQ(StateBehindHeader(Frame('D', 1, "this is not compressed")), "08P01");
  EXPECT_EQ(StateBehindHeader(Frame('D', 1, "")), "08P01");
  // The compressed form without its flag is no rows either.
  std::string stream = MakeStream({{1, std::string(100, 'x')}}, true);
  stream[HeaderFrame().size() + 1] = 0;
  EXPECT_EQ(StateOf([&] { ReadAll(stream); }), "08P01");
}

TEST(RowStreamReaderTest, WindowsThatWouldTakeALotOfMemoryAreRefused) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 30);
  const std::string payload = Payload(1, "abc");
  char compressed[200];
  ZSTD_inBuffer in{payload.data(), payload.size(), 0};
  ZSTD_outBuffer out{compressed, sizeof(compressed), 0};
  ASSERT_EQ(ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush), 0u);
  ZSTD_freeCCtx(context);
  EXPECT_EQ(StateBehindHeader(Frame('D', 1, std::string_view(compressed, out.pos))), "08P01");
}

TEST(RowStreamReaderTest, SourceMayFail) {
  class FailingSource : public ByteSource {
   public:
    size_t Read(char*, size_t) override { throw Error(sqlstate::kQueryCanceled, "canceled"); }
  } source;
  RowStreamReader reader(source);
  EXPECT_EQ(StateOf([&] { reader.Header(); }), "57014");
}

}  // namespace
}  // namespace pgsync::core
