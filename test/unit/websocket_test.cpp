// Both ends of a WebSocket talking to each other, and what the handshake looks at.
#include "net/websocket.h"

#include <gtest/gtest.h>

#include <thread>

#include "errors.h"
#include "net/http_server.h"
#include "poll_waiter.h"
#include "scripted_stream.h"
#include "sockets.h"
#include "websocket_support.h"

namespace pgsync::net {
namespace {

using test::PollWaiter;
using test::UpgradeRequest;

constexpr std::chrono::seconds kLong{20};

// A server's and a client's end over a pair of sockets. The other end of what a test does runs in a
// thread, for each waits for the other.
class WebSocketTest : public ::testing::Test {
 protected:
  template <typename Serve, typename Use>
  void Talk(Serve serve, Use use) {
    auto [mine, other] = test::SocketPair();
    std::thread server([&, socket = std::move(mine)]() mutable {
      PollWaiter waiter;
      auto stream = MakePlainStream(std::move(socket), waiter);
      HttpServerConnection http(*stream);
      auto request = http.ReadHead({});
      ASSERT_TRUE(request);
      ASSERT_EQ(WebSocketProblem(*request), "");
      auto end = WebSocket::Accept(*stream, waiter, *request, http.GiveUp());
      serve(*end, waiter);
    });
    PollWaiter waiter;
    auto stream = MakePlainStream(std::move(other), waiter);
    HttpResponse answer;
    auto end =
        WebSocket::Connect(*stream, waiter, "localhost", "/sync/websocket?code=X", {}, &answer);
    EXPECT_TRUE(end);
    if (end) use(*end, waiter);
    server.join();
  }
};

void Echo(WebSocket& socket, PollWaiter&) {
  while (auto text = socket.ReadText())
    socket.WriteText(*text);
}

TEST_F(WebSocketTest, MessagesGoBothWays) {
  Talk(Echo, [](WebSocket& client, PollWaiter&) {
    for (const std::string& text :
         {std::string("hello"), std::string(), std::string("\xC3\xA4\xF0\x9F\x98\x80"),
          std::string(125, 'a'), std::string(126, 'b'), std::string(65535, 'c'),
          std::string(65536, 'd'), std::string(3000000, 'e')}) {
      client.WriteText(text);
      EXPECT_EQ(client.ReadText(), text);
    }
    client.Close(CloseCode::kNormal);
    EXPECT_FALSE(client.open());
  });
}

TEST_F(WebSocketTest, MessageIsStreamedInFragments) {
  std::string expected;
  for (int i = 0; i < 200000; i++)
    expected += std::to_string(i);
  Talk(
      [&](WebSocket& server, PollWaiter&) {
        core::ByteSink& sink = server.BeginText();
        for (size_t at = 0; at < expected.size(); at += 1000) {
          const std::string_view pieces[] = {std::string_view(expected).substr(at, 700),
                                             at + 700 < expected.size()
                                                 ? std::string_view(expected).substr(at + 700, 300)
                                                 : std::string_view()};
          sink.Write(pieces, 2);
        }
        server.EndText();
        server.WriteText("next");
        EXPECT_FALSE(server.ReadText());
        EXPECT_EQ(server.close_code(), CloseCode::kNormal);
      },
      [&](WebSocket& client, PollWaiter&) {
        EXPECT_EQ(client.ReadText(), expected);
        EXPECT_EQ(client.ReadText(), "next");
        client.Close(CloseCode::kNormal);
      });
}

TEST_F(WebSocketTest, MessageThatWasNotSentYetCanBeDropped) {
  Talk(
      [&](WebSocket& server, PollWaiter&) {
        const std::string_view small = "half a message";
        server.BeginText().Write(&small, 1);
        EXPECT_TRUE(server.DropText());
        server.WriteText("an error");
        const std::string large(100000, 'x');
        const std::string_view piece = large;
        server.BeginText().Write(&piece, 1);
        EXPECT_FALSE(server.DropText());
        server.Close(CloseCode::kInternalError);
      },
      [&](WebSocket& client, PollWaiter&) {
        EXPECT_EQ(client.ReadText(), "an error");
        EXPECT_FALSE(client.ReadText());
        EXPECT_EQ(client.close_code(), CloseCode::kInternalError);
      });
}

TEST_F(WebSocketTest, WhatComesAboveTheLimitIsRefusedWith1009) {
  Talk(
      [&](WebSocket& server, PollWaiter&) {
        server.set_message_limit(1000);
        EXPECT_EQ(server.ReadText(), std::string(1000, 'x'));
        const core::Error error = test::ErrorOf([&] { server.ReadText(); });
        EXPECT_STREQ(error.state().c_str(), "54000");
        EXPECT_EQ(error.detail(), "The limit is 1000 bytes.");
        EXPECT_FALSE(server.open());
      },
      [&](WebSocket& client, PollWaiter&) {
        client.WriteText(std::string(1000, 'x'));
        client.WriteText(std::string(1001, 'x'));
        EXPECT_FALSE(client.ReadText());
        EXPECT_EQ(client.close_code(), CloseCode::kTooBig);
      });
}

TEST_F(WebSocketTest, IdlePeerIsNoticedAndCanBeTold) {
  Talk(
      [&](WebSocket& server, PollWaiter& waiter) {
        server.set_idle_limit(std::chrono::milliseconds(100));
        EXPECT_EQ(server.ReadText(), "one");
        EXPECT_FALSE(waiter.deadline());
        EXPECT_THROW(server.ReadText(), core::TimeoutError);
        server.Close(CloseCode::kProtocolError);
      },
      [&](WebSocket& client, PollWaiter&) {
        client.WriteText("one");
        EXPECT_FALSE(client.ReadText());
        EXPECT_EQ(client.close_code(), CloseCode::kProtocolError);
      });
}

TEST_F(WebSocketTest, LostConnectionIsNoClose) {
  Talk([](WebSocket&, PollWaiter&) {},
       [&](WebSocket& client, PollWaiter&) {
         EXPECT_EQ(test::StateOf([&] { client.ReadText(); }), "08006");
       });
}

TEST_F(WebSocketTest, ProcessThatEndsSaysSoWithoutWaiting) {
  Talk(
      [&](WebSocket& server, PollWaiter&) {
        server.CloseAtExit(CloseCode::kNormal);
        EXPECT_FALSE(server.open());
        server.CloseAtExit(CloseCode::kNormal);
      },
      [&](WebSocket& client, PollWaiter&) {
        EXPECT_FALSE(client.ReadText());
        EXPECT_EQ(client.close_code(), CloseCode::kNormal);
      });
}

// The peer reads nothing, so that the server's write stops in the middle of a frame.
TEST_F(WebSocketTest, NothingIsSaidInTheMiddleOfAFrame) {
  Talk(
      [&](WebSocket& server, PollWaiter& waiter) {
        waiter.set_write_limit(std::chrono::milliseconds(100));
        EXPECT_THROW(server.WriteText(std::string(8000000, 'x')), core::TimeoutError);
        EXPECT_FALSE(server.open());
        const auto began = core::Clock::now();
        server.Close(CloseCode::kInternalError);
        server.CloseAtExit(CloseCode::kNormal);
        EXPECT_LT(core::Clock::now() - began, kLong);
      },
      [&](WebSocket& client, PollWaiter&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        EXPECT_EQ(test::StateOf([&] { client.ReadText(); }), "08006");
      });
}

TEST_F(WebSocketTest, AnswerThatIsNoUpgradeIsGivenBack) {
  test::ScriptedStream stream(
      {"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n"
       "Content-Length: 12\r\n\r\nInvalid code"});
  PollWaiter waiter;
  HttpResponse answer;
  EXPECT_FALSE(WebSocket::Connect(stream, waiter, "h:1", "/t", {{"X-Y", "z"}}, &answer));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.body, "Invalid code");
  EXPECT_EQ(answer.content_type, "text/plain");
  EXPECT_EQ(stream.written.substr(0, 17), "GET /t HTTP/1.1\r\n");
  EXPECT_TRUE(test::Contains(stream.written, "Host: h:1\r\n"));
  EXPECT_TRUE(test::Contains(stream.written, "Sec-WebSocket-Version: 13\r\n"));
  EXPECT_TRUE(test::Contains(stream.written, "X-Y: z\r\n"));
}

TEST_F(WebSocketTest, AnswerThatIsNoneIsAnError) {
  const std::pair<std::string, const char*> answers[] = {
      {"", "08006"},
      {"HTTP/1.1 101", "08006"},
      {"hello\r\n\r\n", "08P01"},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
       "08P01"},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
       "08P01"}};
  for (const auto& [text, state] : answers) {
    test::ScriptedStream stream({text});
    PollWaiter waiter;
    HttpResponse answer;
    EXPECT_EQ(test::StateOf([&, &stream = stream] {
                WebSocket::Connect(stream, waiter, "h", "/", {}, &answer);
              }),
              state)
        << text;
  }
}

TEST(WebSocketHandshakeTest, AnswersTheExampleOfTheStandard) {
  test::ScriptedStream stream({});
  PollWaiter waiter;
  ASSERT_EQ(WebSocketProblem(UpgradeRequest()), "");
  auto socket = WebSocket::Accept(stream, waiter, UpgradeRequest(), "");
  EXPECT_EQ(stream.written.substr(0, 13), "HTTP/1.1 101 ");
  EXPECT_TRUE(
      test::Contains(stream.written, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_TRUE(test::Contains(stream.written, "Server: sync\r\n"));
  EXPECT_FALSE(test::Contains(stream.written, "Extensions"));
}

TEST(WebSocketHandshakeTest, ReadsWhatCameBehindTheRequest) {
  test::ScriptedStream stream(
      {"GET /sync/websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
       "Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
           test::ClientFrame(test::kText, "early").substr(0, 3),
       test::ClientFrame(test::kText, "early").substr(3)});
  HttpServerConnection http(stream);
  PollWaiter waiter;
  auto request = http.ReadHead({});
  ASSERT_TRUE(request);
  EXPECT_EQ(WebSocketProblem(*request), "");
  auto socket = WebSocket::Accept(stream, waiter, *request, http.GiveUp());
  EXPECT_FALSE(http.keep_alive());
  EXPECT_EQ(socket->ReadText(), "early");
}

TEST(WebSocketHandshakeTest, EachPartIsLookedAt) {
  auto problem = [](const char* header, std::optional<std::string> value) {
    HttpRequest request = UpgradeRequest();
    for (auto it = request.headers.begin(); it != request.headers.end(); ++it) {
      if (it->first == header) {
        request.headers.erase(it);
        break;
      }
    }
    if (value) request.headers.emplace_back(header, *value);
    return WebSocketProblem(request);
  };
  EXPECT_TRUE(test::Contains(problem("Host", std::nullopt), "Host"));
  EXPECT_TRUE(test::Contains(problem("Connection", std::nullopt), "Connection"));
  EXPECT_TRUE(test::Contains(problem("Connection", "close"), "Connection"));
  EXPECT_TRUE(test::Contains(problem("Upgrade", std::nullopt), "Upgrade"));
  EXPECT_TRUE(test::Contains(problem("Upgrade", "h2c"), "Upgrade"));
  EXPECT_TRUE(test::Contains(problem("Sec-WebSocket-Version", std::nullopt), "Version"));
  EXPECT_TRUE(test::Contains(problem("Sec-WebSocket-Version", "8"), "Version"));
  for (const char* key : {"", "short", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
                          "dGhlIHNhbXBsZSBub25jZ!==", "========================"}) {
    EXPECT_TRUE(test::Contains(problem("Sec-WebSocket-Key", key), "Key")) << key;
  }
  EXPECT_TRUE(test::Contains(problem("Content-Length", "5"), "body"));
  EXPECT_TRUE(test::Contains(problem("Transfer-Encoding", "chunked"), "body"));
  EXPECT_EQ(problem("Content-Length", "0"), "");
  EXPECT_EQ(problem("Connection", "UPGRADE"), "");
  HttpRequest post = UpgradeRequest();
  post.method = "POST";
  EXPECT_TRUE(test::Contains(WebSocketProblem(post), "GET"));
  HttpRequest old = UpgradeRequest();
  old.version = 10;
  EXPECT_TRUE(test::Contains(WebSocketProblem(old), "1.1"));
}

}  // namespace
}  // namespace pgsync::net
