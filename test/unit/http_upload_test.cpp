// Bodies of requests as streams, both ends: read as they come, sent until the peer has answered.
#include <gtest/gtest.h>

#include "bytes.h"
#include "errors.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "scripted_stream.h"

namespace pgsync::net {
namespace {

using test::Contains;
using test::Fragmentations;
using test::ScriptedStream;
using test::StateOf;

constexpr char kChunkedHead[] = "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr char kNext[] = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

std::string ReadAll(core::ByteSource& source, size_t step = 7) {
  std::string all;
  std::string piece(step, '\0');
  while (const size_t got = source.Read(piece.data(), step))
    all.append(piece, 0, got);
  return all;
}

// What a server reads as the body that follows `head`.
std::string Streamed(const std::string& head, const std::string& rest) {
  ScriptedStream stream({head + rest});
  HttpServerConnection server(stream);
  auto request = server.ReadHead({});
  return ReadAll(server.StreamBody(*request));
}

TEST(HttpUploadTest, ServerStreamsChunks) {
  EXPECT_EQ(Streamed(kChunkedHead, "5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nX: y\r\n\r\n"),
            "hello, world");
  EXPECT_EQ(Streamed(kChunkedHead, "0\r\n\r\n"), "");
}

TEST(HttpUploadTest, ServerStreamsALengthThatIsTold) {
  EXPECT_EQ(Streamed("POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "hello"), "hello");
  EXPECT_EQ(Streamed("POST /p HTTP/1.1\r\nContent-Length: 0\r\n\r\n", kNext), "");
  EXPECT_EQ(Streamed("POST /p HTTP/1.1\r\n\r\n", kNext), "");
}

TEST(HttpUploadTest, FragmentationDoesNotMatter) {
  const std::string message =
      std::string(kChunkedHead) + "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n" + kNext;
  for (const auto& pieces : Fragmentations(message)) {
    ScriptedStream stream(pieces);
    stream.StayOpen();
    HttpServerConnection server(stream);
    auto request = server.ReadHead({});
    ASSERT_EQ(ReadAll(server.StreamBody(*request)), "hello!");
    ASSERT_TRUE(server.body_done());
    ASSERT_EQ(server.ReadHead({})->target, "/next");
  }
}

TEST(HttpUploadTest, AStreamKnowsNoLimitAndTakesNoMoreThanIsAskedFor) {
  HttpLimits limits;
  limits.body = 10;
  const std::string chunk = "400\r\n" + std::string(1024, 'x') + "\r\n";
  ScriptedStream stream({kChunkedHead, chunk, chunk, chunk, "0\r\n\r\n"});
  HttpServerConnection server(stream);
  auto request = server.ReadHead(limits);
  core::ByteSource& body = server.StreamBody(*request);
  char byte;
  EXPECT_EQ(body.Read(&byte, 1), 1u);
  EXPECT_LT(stream.bytes_in(), sizeof(kChunkedHead) + 2 * chunk.size());
  EXPECT_EQ(ReadAll(body, 1000).size(), 3 * 1024u - 1);
}

TEST(HttpUploadTest, AnEarlyAnswerKeepsTheConnection) {
  ScriptedStream stream({kChunkedHead, "5\r\nhello\r\n", "3\r\nabc\r\n0\r\n\r\n", kNext});
  HttpServerConnection server(stream);
  auto request = server.ReadHead({});
  char byte;
  server.StreamBody(*request).Read(&byte, 1);
  EXPECT_FALSE(server.body_done());
  server.Respond({});
  EXPECT_TRUE(server.keep_alive());
  EXPECT_FALSE(Contains(stream.written, "Connection: close"));
  server.SkipBody();
  EXPECT_TRUE(server.body_done());
  EXPECT_EQ(server.ReadHead({})->target, "/next");
}

// Where nothing has begun to read the body, nothing can be known to follow it.
TEST(HttpUploadTest, AnAnswerWithoutReadingTheBodyIsTheLast) {
  ScriptedStream stream({kChunkedHead, "5\r\nhello\r\n0\r\n\r\n"});
  HttpServerConnection server(stream);
  server.ReadHead({});
  server.Respond({});
  EXPECT_FALSE(server.keep_alive());
}

TEST(HttpUploadTest, BodiesThatAreNone) {
  const std::string head = kChunkedHead;
  for (const std::string& rest : {
           std::string("zz\r\nhello\r\n0\r\n\r\n"),
           std::string("5\r\nhello, world\r\n0\r\n\r\n"),
           std::string("-5\r\nhello\r\n0\r\n\r\n"),
           std::string("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
           std::string("5;\r\rhello\r\n0\r\n\r\n"),
           std::string("\x16\x03\x01 garbage\r\n\r\n"),
       }) {
    ScriptedStream stream({head + rest});
    HttpServerConnection server(stream);
    auto request = server.ReadHead({});
    core::ByteSource& body = server.StreamBody(*request);
    EXPECT_THROW(ReadAll(body), BadRequest) << rest;
    server.Respond({});
    EXPECT_FALSE(server.keep_alive()) << rest;
  }
}

TEST(HttpUploadTest, ABodyThatIsCutIsALostConnection) {
  for (const char* rest : {"", "5", "5\r\n", "5\r\nhel", "5\r\nhello", "5\r\nhello\r\n",
                           "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0\r\nX: y"}) {
    EXPECT_EQ(StateOf([&] { Streamed(kChunkedHead, rest); }), "08006") << rest;
  }
  EXPECT_EQ(StateOf([&] { Streamed("POST /p HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "short"); }),
            "08006");
}

TEST(HttpUploadTest, AGiantChunkTakesNoMemoryInAdvance) {
  ScriptedStream stream({std::string(kChunkedHead) + "7fffffffffffffff\r\nabc"});
  HttpServerConnection server(stream);
  auto request = server.ReadHead({});
  core::ByteSource& body = server.StreamBody(*request);
  char some[100];
  EXPECT_EQ(body.Read(some, sizeof(some)), 3u);
  EXPECT_EQ(StateOf([&] { body.Read(some, 1); }), "08006");
}

TEST(HttpUploadTest, ServerAsksForABodyThatWaits) {
  ScriptedStream stream(
      {"POST /p HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
       "1\r\nx\r\n0\r\n\r\n"});
  HttpServerConnection server(stream);
  auto request = server.ReadHead({});
  EXPECT_EQ(ReadAll(server.StreamBody(*request)), "x");
  EXPECT_EQ(stream.written, "HTTP/1.1 100 Continue\r\n\r\n");
}

// ---- the client's end ---------------------------------------------------------------------------

struct Client {
  explicit Client(std::vector<std::string> pieces)
      : Client(std::make_unique<ScriptedStream>(std::move(pieces))) {}
  explicit Client(std::unique_ptr<ScriptedStream> stream)
      : script(*stream), http(std::move(stream), "peer:4100") {}
  static void Put(core::ByteSink& sink, std::string_view text) { sink.Write(&text, 1); }

  ScriptedStream& script;
  HttpClientConnection http;
};

TEST(HttpUploadTest, ClientSendsChunks) {
  Client client({kOk});
  core::ByteSink& sink = client.http.BeginUpload({"POST", "/up", {{"X-Own", "v"}}, ""});
  const std::string_view pieces[] = {"hel", "lo"};
  sink.Write(pieces, 2);
  Client::Put(sink, "");
  Client::Put(sink, std::string(26, '!'));
  EXPECT_FALSE(client.http.Answered());
  EXPECT_FALSE(client.http.reusable());
  EXPECT_EQ(client.http.EndUpload().status, 200);
  EXPECT_EQ(client.http.ReadBody(10), "{}");
  EXPECT_TRUE(client.http.reusable());
  const std::string& sent = client.script.written;
  EXPECT_TRUE(Contains(sent, "POST /up HTTP/1.1\r\n"));
  EXPECT_TRUE(Contains(sent, "\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_TRUE(Contains(sent, "\r\nX-Own: v\r\n"));
  EXPECT_EQ(sent.substr(sent.find("\r\n\r\n") + 4),
            "5\r\nhello\r\n1a\r\n" + std::string(26, '!') + "\r\n0\r\n\r\n");
}

TEST(HttpUploadTest, ClientSeesAnAnswerThatComesEarly) {
  for (const auto& pieces : Fragmentations(kOk)) {
    Client client(pieces);
    core::ByteSink& sink = client.http.BeginUpload({"POST", "/up", {}, ""});
    Client::Put(sink, "a");
    EXPECT_FALSE(client.http.Answered());
    client.script.Hold(false);
    ASSERT_TRUE(client.http.Answered());
    ASSERT_TRUE(client.http.Answered());
    ASSERT_EQ(client.http.EndUpload().status, 200);
    ASSERT_EQ(client.http.ReadBody(10), "{}");
    ASSERT_TRUE(client.http.reusable());
  }
}

TEST(HttpUploadTest, ClientSeesAPeerThatGoesAway) {
  Client client(std::vector<std::string>{});
  client.script.Hold(false);
  client.http.BeginUpload({"POST", "/up", {}, ""});
  EXPECT_EQ(StateOf([&] { client.http.Answered(); }), "08006");
  EXPECT_FALSE(client.http.reusable());
}

TEST(HttpUploadTest, WhatTheClientSendsTheServerReads) {
  Client client({kOk});
  core::ByteSink& sink = client.http.BeginUpload({"POST", "/up", {}, ""});
  std::string all;
  for (int i = 1; i < 300; i++) {
    const std::string piece(static_cast<size_t>(i), static_cast<char>(i));
    Client::Put(sink, piece);
    all += piece;
  }
  client.http.EndUpload();
  EXPECT_EQ(Streamed(client.script.written, ""), all);
}

}  // namespace
}  // namespace pgsync::net
