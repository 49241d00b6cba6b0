// Requests that are malformed, too large, cut, or made with ill intent.
#include "net/http_server.h"

#include <gtest/gtest.h>

#include "bytes.h"
#include "errors.h"
#include "scripted_stream.h"

namespace pgsync::net {
namespace {

using test::Bytes;
using test::Contains;
using test::Fragmentations;
using test::ScriptedStream;
using test::StateOf;

// The status with which a request is refused; 0 where it is taken, -1 where it was cut.
int RefusalOf(std::vector<std::string> pieces, const HttpLimits& limits = {}) {
  ScriptedStream stream(std::move(pieces));
  HttpServerConnection server(stream);
  try {
    auto request = server.ReadHead(limits);
    if (request) server.ReadBody(*request);
    return 0;
  } catch (const BadRequest& error) {
    EXPECT_STREQ(error.state().c_str(), "08P01");
    return error.status();
  } catch (const core::Error& error) {
    EXPECT_STREQ(error.state().c_str(), "08006") << error.message();
    return -1;
  }
}

HttpLimits Limits(size_t head, size_t body) {
  HttpLimits limits;
  limits.head = head;
  limits.body = body;
  return limits;
}

TEST(BadRequestTest, CarriesItsStatus) {
  const BadRequest error(413, "request is too large");
  EXPECT_EQ(error.status(), 413);
  EXPECT_STREQ(error.state().c_str(), "08P01");
  EXPECT_EQ(error.message(), "request is too large");
}

TEST(HttpServerHostileTest, MalformedRequestsAreRefusedWith400) {
  for (const std::string& text :
       {std::string("\r\n"), std::string("hello\r\n\r\n"), std::string("GET\r\n\r\n"),
        std::string("GET /\r\n\r\n"), std::string("GET  / HTTP/1.1\r\n\r\n"),
        std::string(" GET / HTTP/1.1\r\n\r\n"), std::string("G(T / HTTP/1.1\r\n\r\n"),

        std::string("GET / HTTP/1.1\r\nNoColon\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\n: value\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nA b: c\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nA: b\x01\r\n\r\n"),
        Bytes("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"), Bytes("GET /\0 HTTP/1.1\r\n\r\n"),
        std::string(100, '\0'), std::string(100, '\xff'),
        // The beginning of a TLS handshake.
        Bytes("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")}) {
    EXPECT_EQ(RefusalOf({text}), 400) << ::testing::PrintToString(text);
  }
}

// The parser takes what does not end like a request line of 1.1 for one of another version.
TEST(HttpServerHostileTest, RequestLinesWithAnotherEndAreRefused) {
  for (const char* text :
       {"GET / FTP/1.1\r\n\r\n", "GET / HTTP/1.1x\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\n\n", "GET / http/1.1\r\n\r\n", "GET / HTTP/11\r\n\r\n"}) {
    const int status = RefusalOf({text});
    EXPECT_TRUE(status == 400 || status == 505) << status << " for " << text;
  }
}

TEST(HttpServerHostileTest, OtherVersionsOfHttpAreRefusedWith505) {
  for (const char* version : {"2.0", "0.9", "1.2", "9.9"}) {
    EXPECT_EQ(RefusalOf({std::string("GET / HTTP/") + version + "\r\n\r\n"}), 505) << version;
  }
  EXPECT_EQ(RefusalOf({"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}), 505);
}

// Two ways to tell where a body ends: what one reads as a body is a request to the other.
TEST(HttpServerHostileTest, AmbiguousLengthsAreRefusedWith400) {
  for (const char* fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: chunked, identity\r\nContent-Length: 5", "Transfer-Encoding: gzip",
        "Content-Length: 5, 6", "Content-Length: -1", "Content-Length: +5", "Content-Length: 0x5",
        "Content-Length: 5 5", "Content-Length: ", "Content-Length: 18446744073709551616",
        "Content-Length: five"}) {
    EXPECT_EQ(RefusalOf({std::string("POST / HTTP/1.1\r\n") + fields + "\r\n\r\n0\r\n\r\n"}), 400)
        << fields;
  }
}

TEST(HttpServerHostileTest, MalformedChunksAreRefusedWith400) {
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  ASSERT_EQ(RefusalOf({head + "1\r\na\r\n0\r\n\r\n"}), 0);
  for (const char* chunks :
       {"x\r\na\r\n0\r\n\r\n", "-1\r\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "\r\n\r\n\r\n",
        "1 1\r\na\r\n0\r\n\r\n", "11111111111111111\r\na\r\n0\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n",
        "1;=\r\na\r\n0\r\n\r\n"}) {
    EXPECT_EQ(RefusalOf({head + chunks}), 400) << chunks;
  }
}

TEST(HttpServerHostileTest, EveryCutOfARequestIsALostConnection) {
  for (const char* text :
       {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
        "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}) {
    const std::string whole = text;
    EXPECT_EQ(RefusalOf({whole}), 0);
    for (size_t size = 1; size < whole.size(); size++) {
      EXPECT_EQ(RefusalOf({whole.substr(0, size)}), -1) << whole.substr(0, size);
    }
  }
}

TEST(HttpServerHostileTest, HeadsOverTheLimitAreRefusedWith431) {
  const HttpLimits limits = Limits(1024, 1024);
  std::string many_fields = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 100; i++)
    many_fields += "Field-" + std::to_string(i) + ": value\r\n";
  const std::string long_field = "GET / HTTP/1.1\r\nA: " + std::string(2000, 'a');
  for (const std::string& text : {many_fields + "\r\n", long_field + "\r\n\r\n", long_field,
                                  "GET /" + std::string(2000, 'a') + " HTTP/1.1\r\n\r\n",
                                  "GET /" + std::string(2000, 'a'), std::string(2000, 'A')}) {
    EXPECT_EQ(RefusalOf({text}, limits), 431) << text.substr(0, 30);
    EXPECT_EQ(RefusalOf(Fragmentations(text)[1], limits), 431) << text.substr(0, 30);
  }
  EXPECT_EQ(RefusalOf({"GET / HTTP/1.1\r\nA: " + std::string(900, 'a') + "\r\n\r\n"}, limits), 0);
}

TEST(HttpServerHostileTest, BodiesOverTheLimitAreRefusedWith413) {
  const HttpLimits limits = Limits(1024, 10);
  const auto sized = [](size_t size) {
    return "POST / HTTP/1.1\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
           std::string(size, 'x');
  };
  const auto chunked = [](const std::string& chunks) {
    return "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n";
  };
  EXPECT_EQ(RefusalOf({sized(10)}, limits), 0);
  EXPECT_EQ(RefusalOf({sized(11)}, limits), 413);
  EXPECT_EQ(RefusalOf({chunked("a\r\n0123456789\r\n")}, limits), 0);
  EXPECT_EQ(RefusalOf({chunked("5\r\n01234\r\n5\r\n56789\r\n")}, limits), 0);
  EXPECT_EQ(RefusalOf({chunked("b\r\n0123456789a\r\n")}, limits), 413);
  EXPECT_EQ(RefusalOf({chunked("5\r\n01234\r\n6\r\n56789a\r\n")}, limits), 413);
  EXPECT_EQ(RefusalOf({chunked("ffffffffffffffff\r\n")}, limits), 413);
}

TEST(HttpServerHostileTest, BodyThatIsOnlyClaimedTooLargeIsNotWaitedFor) {
  ScriptedStream stream({"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n"});
  stream.StayOpen();
  HttpServerConnection server(stream);
  EXPECT_THROW(server.ReadHead({}), BadRequest);
}

// What stands between the pieces of a chunked body is held in memory until it is whole.
TEST(HttpServerHostileTest, WhatIsAroundChunksHasALimit) {
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string flood(size_t{4} << 20, 'a');
  for (const std::string& body : {"1;" + flood, "0\r\nTrailer: " + flood}) {
    const int refusal = RefusalOf({head, body}, Limits(16 * 1024, 1024));
    EXPECT_TRUE(refusal == 400 || refusal == 413 || refusal == 431)
        << refusal << " for " << body.substr(0, 10) << "...";
  }
}

TEST(HttpServerHostileTest, RefusedRequestCanBeAnswered) {
  ScriptedStream stream({"nonsense\r\n\r\n"});
  HttpServerConnection server(stream);
  EXPECT_THROW(server.ReadHead({}), BadRequest);
  HttpResponse response;
  response.status = 400;
  response.body = "{}";
  server.set_last();
  server.Respond(response);
  EXPECT_EQ(stream.written.rfind("HTTP/1.1 400 Bad Request\r\n", 0), 0u);
  EXPECT_TRUE(Contains(stream.written, "Connection: close"));
  EXPECT_TRUE(Contains(stream.written, "\r\n\r\n{}"));
  EXPECT_FALSE(server.keep_alive());
}

// The answer's Content-Length would otherwise announce a body that does not come.
TEST(HttpServerHostileTest, AnswerToABadRequestBehindHeadHasABody) {
  ScriptedStream stream({"HEAD / HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n"});
  HttpServerConnection server(stream);
  ASSERT_TRUE(server.ReadHead({}).has_value());
  server.Respond({});
  stream.written.clear();
  EXPECT_THROW(server.ReadHead({}), BadRequest);
  HttpResponse response;
  response.status = 400;
  response.body = "{}";
  server.Respond(response);
  EXPECT_TRUE(Contains(stream.written, "Content-Length: 2\r\n")) << stream.written;
  EXPECT_TRUE(Contains(stream.written, "\r\n\r\n{}")) << stream.written;
}

// A request that is answered before its body was read: the body must not become a request.
TEST(HttpServerHostileTest, UnreadBodyIsNeverTakenForARequest) {
  const std::string inner = "GET /smuggled HTTP/1.1\r\n\r\n";
  const std::string requests[] = {
      "POST / HTTP/1.1\r\nContent-Length: " + std::to_string(inner.size()) + "\r\n\r\n" + inner,
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + inner};
  for (const std::string& text : requests) {
    ScriptedStream stream({text});
    HttpServerConnection server(stream);
    ASSERT_TRUE(server.ReadHead({}).has_value());
    server.Respond({});
    // Either the connection ends here, and the answer said so, or the body is skipped.
    if (!server.keep_alive()) {
      EXPECT_TRUE(Contains(stream.written, "Connection: close"));
      continue;
    }
    std::optional<HttpRequest> next;
    StateOf([&] { next = server.ReadHead({}); });
    EXPECT_FALSE(next.has_value()) << "took " << next->target;
  }
}

TEST(HttpServerHostileTest, LossWhileAnsweringIsRaised) {
  class FailingStream : public ScriptedStream {
   public:
    using ScriptedStream::ScriptedStream;

   protected:
    size_t DoWrite(const iovec*, int) override { RaiseLost(0); }
  } stream({"GET / HTTP/1.1\r\n\r\n"});
  HttpServerConnection server(stream);
  ASSERT_TRUE(server.ReadHead({}).has_value());
  EXPECT_EQ(StateOf([&] { server.Respond({}); }), "08006");
  EXPECT_EQ(StateOf([&] { server.BeginStream(200, "text/csv"); }), "08006");
  EXPECT_TRUE(server.in_stream());
  EXPECT_FALSE(server.keep_alive());
}

TEST(HttpServerHostileTest, WhatTheStreamRaisesGoesThrough) {
  class InterruptedStream : public ScriptedStream {
   public:
    using ScriptedStream::ScriptedStream;

   protected:
    size_t DoRead(char*, size_t) override { throw core::TimeoutError("too slow"); }
  } stream({"never read"});
  HttpServerConnection server(stream);
  EXPECT_THROW(server.ReadHead({}), core::TimeoutError);
}

}  // namespace
}  // namespace pgsync::net
