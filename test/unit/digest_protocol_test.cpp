#include "core/digest_protocol.h"

#include <gtest/gtest.h>

#include "errors.h"
#include "row_stream_support.h"

namespace pgsync::core {
namespace {

using test::Frame;
using test::Payload;
using test::StateOf;
using test::StringSink;
using test::StringSource;

const char* const kMalformed = sqlstate::kProtocolViolation.c_str();

DigestRequest Parse(const std::string& text) {
  const JsonDocument document = ParseJson(text, "request");
  return DigestRequest::FromJson(JsonObject(document, "request"));
}

TEST(DigestProtocolTest, RequestGoesThereAndBack) {
  DigestRequest request;
  request.table = "public.\"T\"";
  request.columns = {{"id", true}, {"naïve", false}};
  request.seed = 0xfedcba9876543210u;
  request.encoding = "UTF8";
  request.byte_order = OwnByteOrder();
  const DigestRequest read = Parse(request.ToJson());
  EXPECT_EQ(read.table, request.table);
  ASSERT_EQ(read.columns.size(), 2u);
  EXPECT_EQ(read.columns[0].name, "id");
  EXPECT_TRUE(read.columns[0].image);
  EXPECT_EQ(read.columns[1].name, "naïve");
  EXPECT_FALSE(read.columns[1].image);
  EXPECT_EQ(read.seed, request.seed);
  EXPECT_EQ(read.encoding, "UTF8");
  EXPECT_EQ(read.byte_order, OwnByteOrder());
}

TEST(DigestProtocolTest, RequestsThatAreNone) {
  const std::string rest = R"("columns":[],"encoding":"UTF8","byte_order":"little")";
  EXPECT_EQ(StateOf([&] { Parse("{\"table\":\"t\"," + rest + "}"); }), kMalformed);
  for (const char* seed : {"", "12", "0123456789abcdeg", "0123456789abcdef0123456789abcdef",
                           "+123456789abcdef", "0x23456789abcdef"}) {
    EXPECT_EQ(StateOf([&] {
                Parse("{\"table\":\"t\",\"seed\":\"" + std::string(seed) + "\"," + rest + "}");
              }),
              kMalformed)
        << seed;
  }
  EXPECT_EQ(StateOf([&] { Parse("{\"seed\":\"0123456789abcdef\"," + rest + "}"); }), kMalformed);
}

TEST(DigestProtocolTest, HashesGoThereAndBack) {
  const std::vector<uint64_t> hashes = {0, 1, 0xffffffffffffffffu, 0x0123456789abcdefu};
  EXPECT_EQ(HashesFromText(HashesToText(hashes)), hashes);
  EXPECT_EQ(HashesToText({0x0123456789abcdefu}), "0123456789abcdef");
  EXPECT_TRUE(HashesFromText("").empty());
  EXPECT_EQ(StateOf([] { HashesFromText("0"); }), kMalformed);
  EXPECT_EQ(StateOf([] { HashesFromText("-123456789abcdef"); }), kMalformed);
}

// Reads an answer to its end.
Sketch Read(const std::string& bytes, std::vector<uint64_t>* progress = nullptr) {
  StringSource source(bytes, 1000);
  RowStreamReader stream(source);
  stream.Header();
  DigestStreamReader reader;
  RowStreamReader::Rows frame;
  while (stream.Next(&frame)) {
    const auto rows = reader.Take(frame);
    if (rows && progress != nullptr) progress->push_back(*rows);
  }
  return reader.Finish();
}

TEST(DigestProtocolTest, AnswerGoesThereAndBack) {
  Sketch sketch(14);
  std::vector<uint64_t> hashes;
  for (uint64_t i = 1; i <= 1000; i++)
    hashes.push_back(i * 0x9e3779b97f4a7c15u);
  sketch.Add(hashes.data(), hashes.size());
  StringSink sink;
  RowStreamWriter stream(sink, false);
  stream.Header("{}");
  DigestStreamWriter writer(stream);
  writer.Progress(0x0102030405060708u);
  writer.Progress(UINT64_MAX);
  writer.Finish(sketch, 13);
  std::vector<uint64_t> progress;
  const Sketch read = Read(sink.bytes, &progress);
  EXPECT_EQ(progress, (std::vector<uint64_t>{0x0102030405060708u, UINT64_MAX}));
  EXPECT_EQ(read.bits(), 13);
  EXPECT_EQ(read.rows(), 1000u);
  const auto difference = Sketch::Decode(sketch, read);
  ASSERT_TRUE(difference);
  EXPECT_TRUE(difference->left.empty() && difference->right.empty());
}

TEST(DigestProtocolTest, AnswersThatAreNone) {
  const auto answer = [](const std::vector<std::string>& pieces) {
    StringSink sink;
    RowStreamWriter stream(sink, false);
    stream.Header("{}");
    for (const std::string& piece : pieces)
      stream.Rows(Payload(0, piece), 0);
    stream.End();
    return sink.bytes;
  };
  const std::string what = std::string("s") + '\6' + std::string(8, '\0');
  const std::string cells = "c" + std::string(size_t{16} * 3 * 64, '\0');
  EXPECT_EQ(Read(answer({what, cells})).rows(), 0u);
  const std::vector<std::vector<std::string>> broken = {
      {},
      {""},
      {"x"},
      {cells},
      {what},
      {what, what, cells},
      {what, cells, cells},
      {what + "x"},
      {"s"},
      {"p"},
      {"p1234567"},
      {what, "p12345678", cells},
      {what, cells.substr(0, 100)},
      {std::string("s") + '\23' + std::string(8, '\0')},
      {std::string("s") + '\377' + std::string(8, '\0')}};
  for (size_t i = 0; i < broken.size(); i++)
    EXPECT_EQ(StateOf([&] { Read(answer(broken[i])); }), kMalformed) << i;
  StringSink sink;
  RowStreamWriter stream(sink, false);
  stream.Header("{}");
  stream.Rows(Payload(1, "p12345678"), 1);
  stream.End();
  EXPECT_EQ(StateOf([&] { Read(sink.bytes); }), kMalformed);
}

}  // namespace
}  // namespace pgsync::core
