#include "net/http_client.h"

#include <gtest/gtest.h>

#include "bytes.h"
#include "errors.h"
#include "scripted_stream.h"

namespace pgsync::net {
namespace {

using test::Bytes;
using test::Contains;
using test::ErrorOf;
using test::Fragmentations;
using test::ScriptedStream;
using test::StateOf;

constexpr char kSized[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nSync-Snapshot: 5\r\nContent-Length: "
    "5\r\n\r\nhello";
constexpr char kChunked[] =
    "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nTrailer: x\r\n\r\n";
constexpr size_t kEnough = 1 << 20;

// A client whose peer says what was written down, and then nothing more.
struct Client {
  explicit Client(std::vector<std::string> pieces)
      : Client(std::make_unique<ScriptedStream>(std::move(pieces))) {}
  explicit Client(std::unique_ptr<ScriptedStream> stream)
      : script(*stream), http(std::move(stream), "peer:4100") {}

  HttpResponse Get() { return http.Send({"GET", "/p", {}, ""}); }
  // The response with its body.
  HttpResponse GetWhole() {
    HttpResponse response = Get();
    response.body = http.ReadBody(kEnough);
    return response;
  }

  ScriptedStream& script;
  HttpClientConnection http;
};

TEST(HttpClientTest, SendsTheRequestAsItIs) {
  Client client({kSized});
  client.http.Send(
      {"POST", "/sync/v1/rows?a=%20", {{"Accept", "x/y"}, {"X-Own", "v"}}, "{\"a\":1}"});
  const std::string& sent = client.script.written;
  EXPECT_EQ(sent.rfind("POST /sync/v1/rows?a=%20 HTTP/1.1\r\n", 0), 0u) << sent;
  EXPECT_TRUE(Contains(sent, "\r\nHost: peer:4100\r\n"));
  EXPECT_TRUE(Contains(sent, "\r\nAccept: x/y\r\n"));
  EXPECT_TRUE(Contains(sent, "\r\nX-Own: v\r\n"));
  EXPECT_TRUE(Contains(sent, "\r\nContent-Length: 7\r\n"));
  EXPECT_EQ(sent.substr(sent.find("\r\n\r\n") + 4), "{\"a\":1}");
  EXPECT_EQ(&client.http.stream(), &client.script);
}

TEST(HttpClientTest, RequestWithoutABodyEndsWithItsHead) {
  Client get({kSized});
  get.Get();
  EXPECT_FALSE(Contains(get.script.written, "Content-Length"));
  EXPECT_EQ(get.script.written.find("\r\n\r\n"), get.script.written.size() - 4);
  Client post({kSized});
  post.http.Send({"POST", "/", {}, ""});
  EXPECT_TRUE(Contains(post.script.written, "Content-Length: 0\r\n"));
}

TEST(HttpClientTest, ReadsAResponse) {
  const HttpResponse response = Client({kSized}).GetWhole();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/csv");
  EXPECT_EQ(FindHeader(response.headers, "sync-snapshot"), "5");
  EXPECT_EQ(response.body, "hello");
}

TEST(HttpClientTest, ReadsChunkedBodies) {
  const HttpResponse response = Client({kChunked}).GetWhole();
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.content_type, "");
  EXPECT_EQ(response.body, "hello, world");
}

TEST(HttpClientTest, ReadsBodiesThatEndWithTheConnection) {
  Client client({"HTTP/1.1 200 OK\r\n\r\n", "to the", " end"});
  EXPECT_EQ(client.GetWhole().body, "to the end");
  EXPECT_FALSE(client.http.reusable());
}

TEST(HttpClientTest, FragmentationDoesNotMatter) {
  for (const char* text : {kSized, kChunked}) {
    const HttpResponse whole = Client({text}).GetWhole();
    for (const auto& pieces : Fragmentations(text)) {
      Client client(pieces);
      client.script.StayOpen();
      const HttpResponse response = client.GetWhole();
      ASSERT_EQ(response.status, whole.status);
      ASSERT_EQ(response.headers, whole.headers);
      ASSERT_EQ(response.body, whole.body) << pieces[0];
      ASSERT_TRUE(client.http.reusable());
    }
  }
}

TEST(HttpClientTest, BodyCanBeReadInAnyPortions) {
  for (const char* text : {kSized, kChunked}) {
    const std::string whole = Client({text}).GetWhole().body;
    for (size_t portion = 1; portion <= whole.size() + 1; portion++) {
      Client client({text});
      client.Get();
      std::string body;
      char bytes[100];
      while (const size_t got = client.http.body().Read(bytes, portion)) {
        ASSERT_LE(got, portion);
        body.append(bytes, got);
      }
      EXPECT_EQ(body, whole) << portion;
      EXPECT_EQ(client.http.body().Read(bytes, portion), 0u) << "the end stays the end";
    }
  }
}

TEST(HttpClientTest, BodyIsHandedOnAsItComes) {
  Client client({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"});
  client.script.StayOpen();
  client.Get();
  char bytes[100];
  EXPECT_EQ(client.http.body().Read(bytes, sizeof(bytes)), 5u);
}

TEST(HttpClientTest, ResponsesWithoutABodyAreNotWaitedFor) {
  for (const char* text : {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}) {
    Client client({text});
    client.script.StayOpen();
    EXPECT_EQ(client.GetWhole().body, "") << text;
    EXPECT_TRUE(client.http.reusable()) << text;
  }
}

TEST(HttpClientTest, ResponseToHeadHasNoBodyWhateverItSays) {
  for (const char* fields : {"Content-Length: 5", "Transfer-Encoding: chunked", "A: b"}) {
    Client client({std::string("HTTP/1.1 200 OK\r\n") + fields + "\r\n\r\n"});
    client.script.StayOpen();
    EXPECT_EQ(client.http.Send({"HEAD", "/", {}, ""}).status, 200);
    EXPECT_EQ(client.http.ReadBody(kEnough), "");
    EXPECT_TRUE(client.http.reusable()) << fields;
  }
}

TEST(HttpClientTest, InterimResponsesAreSkipped) {
  const std::string text =
      std::string("HTTP/1.1 100 Continue\r\n\r\n") +
      "HTTP/1.1 102 Processing\r\nA: b\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + kSized;
  for (const auto& pieces : Fragmentations(text)) {
    Client client(pieces);
    const HttpResponse response = client.GetWhole();
    ASSERT_EQ(response.status, 200);
    ASSERT_EQ(response.body, "hello");
    ASSERT_EQ(FindHeader(response.headers, "A"), std::nullopt);
  }
}

TEST(HttpClientTest, RequestsFollowEachOtherOnOneConnection) {
  Client client({kSized, kChunked, "HTTP/1.1 204 No Content\r\n\r\n", kSized});
  for (const char* body : {"hello", "hello, world", "", "hello"}) {
    EXPECT_TRUE(client.http.reusable());
    EXPECT_EQ(client.GetWhole().body, body);
  }
}

TEST(HttpClientTest, ReusableOnlyWhenTheWholeResponseWasRead) {
  for (const char* text : {kSized, kChunked}) {
    Client client({text});
    EXPECT_TRUE(client.http.reusable()) << "nothing has been sent";
    client.Get();
    EXPECT_FALSE(client.http.reusable());
    char byte;
    client.http.body().Read(&byte, 1);
    EXPECT_FALSE(client.http.reusable());
    client.http.ReadBody(kEnough);
    EXPECT_TRUE(client.http.reusable());
  }
}

TEST(HttpClientTest, NotReusableWhereThePeerCloses) {
  for (const char* head : {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                           "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"}) {
    Client client({head});
    client.GetWhole();
    EXPECT_FALSE(client.http.reusable()) << head;
  }
  Client client({"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"});
  client.GetWhole();
  EXPECT_TRUE(client.http.reusable());
}

// What nobody asked for would be taken for the answer to the next request.
TEST(HttpClientTest, NotReusableWhereSomethingFollowsTheResponse) {
  for (const char* text : {kSized, kChunked}) {
    Client client({std::string(text) + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"});
    client.GetWhole();
    EXPECT_FALSE(client.http.reusable());
  }
}

TEST(HttpClientTest, NotReusableAfterAnError) {
  Client client({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"});
  EXPECT_EQ(StateOf([&] { client.GetWhole(); }), "08006");
  EXPECT_FALSE(client.http.reusable());
  Client garbage({"garbage\r\n\r\n"});
  EXPECT_EQ(StateOf([&] { garbage.Get(); }), "08P01");
  EXPECT_FALSE(garbage.http.reusable());
}

TEST(HttpClientTest, EveryCutOfAResponseIsALostConnection) {
  for (const char* text : {kSized, kChunked}) {
    const std::string whole = text;
    for (size_t size = 0; size < whole.size(); size++) {
      Client client({whole.substr(0, size)});
      EXPECT_EQ(StateOf([&] { client.GetWhole(); }), "08006") << whole.substr(0, size);
      EXPECT_FALSE(client.http.reusable());
    }
  }
}

TEST(HttpClientTest, EndInPlaceOfAResponseIsALostConnection) {
  Client client(std::vector<std::string>{});
  EXPECT_EQ(StateOf([&] { client.Get(); }), "08006");
  Client interim({"HTTP/1.1 100 Continue\r\n\r\n"});
  EXPECT_EQ(StateOf([&] { interim.Get(); }), "08006");
}

TEST(HttpClientTest, WhatIsNoHttpIsAProtocolViolation) {
  for (const std::string& text :
       {std::string("garbage\r\n\r\n"), std::string("SSH-2.0-OpenSSH_9.6\r\n"),
        std::string("HTTP/2.0 200 OK\r\n\r\n"), std::string("HTTP/1.1 OK\r\n\r\n"),
        std::string("HTTP/1.1 20 OK\r\n\r\n"), std::string("HTTP/1.1 2000 OK\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), std::string(500, '\0'),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Bytes("\x15\x03\x01\x00\x02\x02\x46") + std::string(20, '\0'),
        std::string("<html><body>no</body></html>")}) {
    const core::Error error = ErrorOf([&] { Client({text}).Get(); });
    EXPECT_STREQ(error.state().c_str(), "08P01") << ::testing::PrintToString(text);
    EXPECT_EQ(error.message(), "the peer does not speak HTTP rightly");
  }
}

TEST(HttpClientTest, MalformedChunksAreAProtocolViolation) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* chunks : {"x\r\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "\r\n\r\n\r\n",
                             "11111111111111111\r\na\r\n0\r\n\r\n"}) {
    EXPECT_EQ(StateOf([&] { Client({head + chunks}).GetWhole(); }), "08P01") << chunks;
  }
}

TEST(HttpClientTest, LongHeadsAreTaken) {
  const std::string value(30 * 1024, 'a');
  Client client({"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: " + value + "\r\n\r\n"});
  EXPECT_EQ(FindHeader(client.Get().headers, "A"), value);
}

TEST(HttpClientTest, EndlessHeadsAreRefused) {
  const std::string flood(200 * 1024, 'a');
  for (const std::string& text :
       {"HTTP/1.1 200 " + flood, "HTTP/1.1 200 OK\r\nA: " + flood, flood}) {
    EXPECT_EQ(StateOf([&] { Client({text}).Get(); }), "08P01") << text.substr(0, 20);
  }
}

// What stands between the pieces of a chunked body is held in memory until it is whole.
TEST(HttpClientTest, WhatIsAroundChunksHasALimit) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string flood(size_t{4} << 20, 'a');
  for (const std::string& body : {"1;" + flood, "0\r\nTrailer: " + flood}) {
    EXPECT_EQ(StateOf([&] { Client({head, body}).GetWhole(); }), "08P01") << body.substr(0, 10);
  }
}

TEST(HttpClientTest, BodyLimitIsExact) {
  for (const char* text : {kSized, kChunked}) {
    const size_t size = Client({text}).GetWhole().body.size();
    Client enough({text}), little({text});
    enough.Get();
    EXPECT_EQ(enough.http.ReadBody(size).size(), size);
    little.Get();
    const core::Error error = ErrorOf([&] { little.http.ReadBody(size - 1); });
    EXPECT_STREQ(error.state().c_str(), "54000");
    EXPECT_TRUE(Contains(error.detail(), std::to_string(size - 1))) << error.detail();
  }
}

TEST(HttpClientTest, EndlessBodyEndsAtTheLimit) {
  Client client(
      {"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", std::string(100000, 'x')});
  client.script.StayOpen();
  client.Get();
  EXPECT_EQ(StateOf([&] { client.http.ReadBody(50000); }), "54000");
  EXPECT_FALSE(client.http.reusable());
}

TEST(HttpClientTest, WhatTheStreamRaisesGoesThrough) {
  class InterruptedStream : public ScriptedStream {
   public:
    using ScriptedStream::ScriptedStream;

   protected:
    size_t DoRead(char*, size_t) override { throw core::TimeoutError("too slow"); }
  };
  Client client(std::make_unique<InterruptedStream>(std::vector<std::string>{}));
  EXPECT_THROW(client.Get(), core::TimeoutError);
  EXPECT_FALSE(client.http.reusable());
}

}  // namespace
}  // namespace pgsync::net
