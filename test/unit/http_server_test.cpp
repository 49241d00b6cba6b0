// Requests that are what they should be, and their answers; http_server_hostile_test.cpp has the
// other requests.
#include "net/http_server.h"

#include <gtest/gtest.h>

#include "errors.h"
#include "scripted_stream.h"

namespace pgsync::net {
namespace {

using test::Contains;
using test::Fragmentations;
using test::ScriptedStream;

constexpr char kPost[] =
    "POST /sync/v1/rows?x=%20 HTTP/1.1\r\nHost: h:1\r\nX-Own: a b \r\nContent-Length: "
    "5\r\n\r\nhello";
constexpr char kChunked[] =
    "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nTrailer: x\r\n\r\n";

// What a request on a connection by itself is read as.
HttpRequest ReadWhole(std::vector<std::string> pieces) {
  ScriptedStream stream(std::move(pieces));
  stream.StayOpen();
  HttpServerConnection server(stream);
  auto request = server.ReadHead({});
  if (!request) throw std::runtime_error("no request");
  server.ReadBody(*request);
  return *request;
}

// The raw answer to a request.
template <typename Respond>
std::string Answer(const std::string& request_text, Respond&& respond) {
  ScriptedStream stream({request_text});
  HttpServerConnection server(stream);
  auto request = server.ReadHead({});
  server.ReadBody(*request);
  respond(server);
  return stream.written;
}

std::string Head(const std::string& answer) {
  return answer.substr(0, answer.find("\r\n\r\n") + 4);
}
std::string Body(const std::string& answer) {
  return answer.substr(Head(answer).size());
}

TEST(HttpServerTest, ReadsARequest) {
  const HttpRequest request = ReadWhole({kPost});
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/sync/v1/rows?x=%20");
  EXPECT_EQ(FindHeader(request.headers, "host"), "h:1");
  EXPECT_EQ(FindHeader(request.headers, "x-own"), "a b");
  EXPECT_EQ(request.body, "hello");
}

TEST(HttpServerTest, ReadsChunkedBodies) {
  EXPECT_EQ(ReadWhole({kChunked}).body, "hello, world");
}

TEST(HttpServerTest, FragmentationDoesNotMatter) {
  for (const char* text : {kPost, kChunked}) {
    const HttpRequest whole = ReadWhole({text});
    for (const auto& pieces : Fragmentations(text)) {
      const HttpRequest request = ReadWhole(pieces);
      ASSERT_EQ(request.method, whole.method);
      ASSERT_EQ(request.target, whole.target);
      ASSERT_EQ(request.headers, whole.headers);
      ASSERT_EQ(request.body, whole.body) << pieces[0];
    }
  }
}

TEST(HttpServerTest, BodyIsLeftForReadBody) {
  ScriptedStream stream({kPost});
  HttpServerConnection server(stream);
  auto request = server.ReadHead({});
  EXPECT_EQ(request->body, "");
  server.ReadBody(*request);
  EXPECT_EQ(request->body, "hello");
}

TEST(HttpServerTest, RequestWithoutABodyDoesNotWaitForOne) {
  for (const char* text : {"GET / HTTP/1.1\r\n\r\n", "DELETE /x HTTP/1.1\r\nHost: h\r\n\r\n",
                           "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"}) {
    EXPECT_EQ(ReadWhole({text}).body, "") << text;
  }
}

TEST(HttpServerTest, TakesMethodsThatItDoesNotKnow) {
  EXPECT_EQ(ReadWhole({"FROBNICATE /x HTTP/1.1\r\n\r\n"}).method, "FROBNICATE");
}

TEST(HttpServerTest, RepeatedHeadersAreAllThere) {
  const HttpRequest request = ReadWhole({"GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n"});
  EXPECT_EQ(request.headers.size(), 3u);
}

TEST(HttpServerTest, EndInPlaceOfARequestIsNone) {
  ScriptedStream stream({kPost});
  HttpServerConnection server(stream);
  auto request = server.ReadHead({});
  server.ReadBody(*request);
  server.Respond({});
  EXPECT_FALSE(server.ReadHead({}).has_value());
  ScriptedStream empty({});
  EXPECT_FALSE(HttpServerConnection(empty).ReadHead({}).has_value());
}

TEST(HttpServerTest, RequestsFollowEachOtherHoweverTheyAreCut) {
  const std::string text = std::string(kPost) + kChunked + "GET /last HTTP/1.1\r\n\r\n";
  for (const auto& pieces : Fragmentations(text)) {
    ScriptedStream stream(pieces);
    HttpServerConnection server(stream);
    std::string seen;
    while (auto request = server.ReadHead({})) {
      server.ReadBody(*request);
      seen += request->target + " " + request->body + "; ";
      server.Respond({});
      ASSERT_TRUE(server.keep_alive());
    }
    ASSERT_EQ(seen, "/sync/v1/rows?x=%20 hello; /p hello, world; /last ; ");
  }
}

TEST(HttpServerTest, AnswersWithStatusTypeAndLength) {
  const std::string answer = Answer(kPost, [](HttpServerConnection& server) {
    HttpResponse response;
    response.status = 404;
    response.headers = {{"Retry-After", "1"}};
    response.body = "{\"a\":1}";
    server.Respond(response);
  });
  EXPECT_EQ(answer.rfind("HTTP/1.1 404 Not Found\r\n", 0), 0u) << answer;
  EXPECT_TRUE(Contains(answer, "\r\nServer: sync\r\n"));
  EXPECT_TRUE(Contains(answer, "\r\nContent-Type: application/json\r\n"));
  EXPECT_TRUE(Contains(answer, "\r\nContent-Length: 7\r\n"));
  EXPECT_TRUE(Contains(answer, "\r\nRetry-After: 1\r\n"));
  EXPECT_FALSE(Contains(answer, "Connection: close"));
  EXPECT_EQ(Body(answer), "{\"a\":1}");
}

TEST(HttpServerTest, EmptyAnswerHasALengthButNoType) {
  const std::string answer =
      Answer(kPost, [](HttpServerConnection& server) { server.Respond({}); });
  EXPECT_TRUE(Contains(answer, "\r\nContent-Length: 0\r\n")) << answer;
  EXPECT_FALSE(Contains(answer, "Content-Type")) << answer;
  EXPECT_EQ(Body(answer), "");
}

TEST(HttpServerTest, HeadIsAnsweredWithTheHeadAlone) {
  HttpResponse response;
  response.body = "body";
  const auto respond = [&](HttpServerConnection& server) { server.Respond(response); };
  const std::string get = Answer("GET / HTTP/1.1\r\n\r\n", respond);
  const std::string head = Answer("HEAD / HTTP/1.1\r\n\r\n", respond);
  EXPECT_EQ(head, Head(get));
  EXPECT_EQ(Body(get), "body");
}

TEST(HttpServerTest, ConnectionStaysOpenAsThePeerWants) {
  const std::pair<const char*, bool> cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nconnection: Keep-Alive, Close\r\n\r\n", false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true}};
  for (const auto& [text, open] : cases) {
    const std::string answer = Answer(text, [&, open = open](HttpServerConnection& server) {
      server.Respond({});
      EXPECT_EQ(server.keep_alive(), open);
    });
    EXPECT_EQ(Contains(answer, "Connection: close"), !open) << text;
  }
}

TEST(HttpServerTest, LastResponseAnnouncesTheEnd) {
  const std::string answer = Answer(kPost, [](HttpServerConnection& server) {
    EXPECT_TRUE(server.keep_alive());
    server.set_last();
    server.Respond({});
    EXPECT_FALSE(server.keep_alive());
  });
  EXPECT_TRUE(Contains(answer, "\r\nConnection: close\r\n")) << answer;
}

TEST(HttpServerTest, StreamsAreSentInAChunkForEachWrite) {
  const std::string answer = Answer(kPost, [](HttpServerConnection& server) {
    core::ByteSink& sink = server.BeginStream(200, "text/csv", {{"Sync-Snapshot", "5"}});
    const std::string_view pieces[] = {"ab", "", "cdefghij"};
    sink.Write(pieces, 3);
    const std::string large(70000, 'x');
    const std::string_view one = large;
    sink.Write(&one, 1);
    server.EndStream();
  });
  EXPECT_EQ(answer.rfind("HTTP/1.1 200 OK\r\n", 0), 0u);
  EXPECT_TRUE(Contains(answer, "\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_TRUE(Contains(answer, "\r\nContent-Type: text/csv\r\n"));
  EXPECT_TRUE(Contains(answer, "\r\nSync-Snapshot: 5\r\n"));
  EXPECT_FALSE(Contains(answer, "Content-Length"));
  EXPECT_EQ(Body(answer),
            "a\r\nabcdefghij\r\n11170\r\n" + std::string(70000, 'x') + "\r\n0\r\n\r\n");
}

// A chunk of no bytes would be the end of the stream.
TEST(HttpServerTest, EmptyWritesSendNothing) {
  const std::string answer = Answer(kPost, [](HttpServerConnection& server) {
    core::ByteSink& sink = server.BeginStream(200, "text/csv");
    const std::string_view nothing[] = {"", std::string_view()};
    sink.Write(nothing, 2);
    sink.Write(nothing, 0);
    server.EndStream();
  });
  EXPECT_EQ(Body(answer), "0\r\n\r\n");
}

TEST(HttpServerTest, ManyPiecesOfOneWriteAreOneChunk) {
  const std::string answer = Answer(kPost, [](HttpServerConnection& server) {
    const std::vector<std::string_view> pieces(100, "abc");
    server.BeginStream(200, "text/csv").Write(pieces.data(), pieces.size());
    server.EndStream();
  });
  std::string expected = "12c\r\n";
  for (int i = 0; i < 100; i++)
    expected += "abc";
  EXPECT_EQ(Body(answer), expected + "\r\n0\r\n\r\n");
}

TEST(HttpServerTest, ConnectionIsNotReusableInTheMiddleOfAStream) {
  Answer(kPost, [](HttpServerConnection& server) {
    EXPECT_FALSE(server.in_stream());
    server.BeginStream(200, "text/csv");
    EXPECT_TRUE(server.in_stream());
    EXPECT_FALSE(server.keep_alive());
    server.EndStream();
    EXPECT_FALSE(server.in_stream());
    EXPECT_TRUE(server.keep_alive());
  });
}

TEST(HttpServerTest, StreamToHeadHasNoBody) {
  const std::string answer = Answer("HEAD / HTTP/1.1\r\n\r\n", [](HttpServerConnection& server) {
    const std::string_view rows = "rows";
    server.BeginStream(200, "text/csv").Write(&rows, 1);
    server.EndStream();
  });
  EXPECT_EQ(Body(answer), "");
}

TEST(HttpServerTest, ContinueIsSentWhenTheBodyIsWanted) {
  const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
  for (const char* expect : {"100-continue", "100-Continue"}) {
    ScriptedStream stream(
        {std::string("POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: ") + expect + "\r\n\r\n",
         "ok"});
    HttpServerConnection server(stream);
    auto request = server.ReadHead({});
    EXPECT_EQ(stream.written, "");
    server.ReadBody(*request);
    EXPECT_EQ(stream.written, interim) << expect;
    EXPECT_EQ(request->body, "ok");
    server.Respond({});
    EXPECT_EQ(stream.written.rfind(interim + "HTTP/1.1 200 OK\r\n", 0), 0u);
  }
}

TEST(HttpServerTest, ContinueIsNotSentUnasked) {
  EXPECT_FALSE(Contains(Answer(kPost, [](HttpServerConnection& server) { server.Respond({}); }),
                        "100 Continue"));
  const char* without_body = "GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_FALSE(
      Contains(Answer(without_body, [](HttpServerConnection& server) { server.Respond({}); }),
               "100 Continue"));
}

// Its client waits for the word before it sends the body: it must not be read.
TEST(HttpServerTest, RefusalMayComeInPlaceOfContinue) {
  ScriptedStream stream({"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"});
  stream.StayOpen();
  HttpServerConnection server(stream);
  ASSERT_TRUE(server.ReadHead({}).has_value());
  HttpResponse response;
  response.status = 401;
  server.Respond(response);
  EXPECT_EQ(stream.written.rfind("HTTP/1.1 401 ", 0), 0u) << stream.written;
}

}  // namespace
}  // namespace pgsync::net
