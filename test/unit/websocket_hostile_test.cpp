// Peers that break RFC 6455: each gets the close code for it, and costs nothing.
#include "net/websocket.h"

#include <gtest/gtest.h>

#include <thread>

#include "errors.h"
#include "poll_waiter.h"
#include "scripted_stream.h"
#include "sockets.h"
#include "websocket_support.h"

namespace pgsync::net {
namespace {

using test::Bytes;
using test::ClientFrame;
using test::ClosePayload;
using test::FrameHead;
using test::PollWaiter;
using test::ScriptedStream;

// A server's end whose peer sends these pieces and then closes the connection.
class Server {
 public:
  explicit Server(std::vector<std::string> pieces) : stream_(std::move(pieces)) {
    socket_ = WebSocket::Accept(stream_, waiter_, test::UpgradeRequest(), "");
    stream_.written.clear();
    socket_->set_message_limit(100000);
  }
  WebSocket& socket() { return *socket_; }
  const std::string& written() const { return stream_.written; }

 private:
  PollWaiter waiter_;
  ScriptedStream stream_;
  std::unique_ptr<WebSocket> socket_;
};

std::string CloseFrame(int code) {
  return test::ServerFrame(test::kCloseFrame, ClosePayload(code));
}

TEST(WebSocketHostileTest, WhatBreaksTheProtocolIsClosedWithItsCode) {
  struct {
    const char* what;
    std::string bytes;
    int code;
    const char* state;
  } cases[] = {
      {"a frame without mask", test::ServerFrame(test::kText, "x"), 1002, "08P01"},
      {"a reserved opcode", ClientFrame(3, "x"), 1002, "08P01"},
      {"a reserved control opcode", ClientFrame(11, "x"), 1002, "08P01"},
      {"a reserved bit", "\xC1" + ClientFrame(test::kText, "x").substr(1), 1002, "08P01"},
      {"a continuation of nothing", ClientFrame(test::kContinuation, "x"), 1002, "08P01"},
      {"a message within another",
       ClientFrame(test::kText, "x", false) + ClientFrame(test::kText, "y"), 1002, "08P01"},
      {"a fragmented ping", ClientFrame(test::kPing, "x", false), 1002, "08P01"},
      {"a large ping", ClientFrame(test::kPing, std::string(126, 'x')), 1002, "08P01"},
      {"a close of one byte", ClientFrame(test::kCloseFrame, "x"), 1002, "08P01"},
      {"a close with a code that is none", ClientFrame(test::kCloseFrame, ClosePayload(1005)), 1002,
       "08P01"},
      {"a reason that is not UTF-8", ClientFrame(test::kCloseFrame, ClosePayload(1000) + "\xFF"),
       1002, "08P01"},
      {"text that is not UTF-8", ClientFrame(test::kText, "a\xFFz"), 1007, "08P01"},
      {"text with a surrogate", ClientFrame(test::kText, "\xED\xA0\x80"), 1007, "08P01"},
      {"text that ends in a character", ClientFrame(test::kText, "\xC3"), 1007, "08P01"},
      {"2 GB, announced", FrameHead(test::kText, 2147483648u) + "abcd", 1009, "54000"},
      {"more than 2^63 bytes, announced", FrameHead(test::kText, UINT64_MAX) + "abcd", 1009,
       "54000"},
      {"2 GB of something binary, announced", FrameHead(test::kBinary, 2147483648u) + "abcd", 1009,
       "54000"},
      {"fragments above the limit",
       ClientFrame(test::kText, std::string(60000, 'x'), false) +
           ClientFrame(test::kContinuation, std::string(60000, 'x')),
       1009, "54000"},
  };
  for (const auto& test : cases) {
    Server server({test.bytes});
    EXPECT_EQ(test::StateOf([&] { server.socket().ReadText(); }), test.state) << test.what;
    EXPECT_EQ(server.written(), CloseFrame(test.code)) << test.what;
    EXPECT_FALSE(server.socket().open()) << test.what;
    // Nothing more is said, and nothing breaks.
    server.socket().Close(CloseCode::kInternalError);
    EXPECT_EQ(test::StateOf([&] { server.socket().WriteText("x"); }), "08006") << test.what;
    EXPECT_EQ(server.written(), CloseFrame(test.code)) << test.what;
  }
}

TEST(WebSocketHostileTest, ConnectionThatEndsAnywhereIsLost) {
  const std::string message = ClientFrame(test::kText, std::string(300, 'x'));
  for (size_t size = 0; size < message.size(); size++) {
    Server server({message.substr(0, size)});
    EXPECT_EQ(test::StateOf([&] { server.socket().ReadText(); }), "08006") << size;
  }
}

TEST(WebSocketHostileTest, MessageComesInWhateverPieces) {
  // A character is cut by a fragment, with a ping in between and a message that is passed over.
  const std::string bytes =
      ClientFrame(test::kBinary, Bytes("\xFF\x00")) + ClientFrame(test::kText, "a\xC3", false) +
      ClientFrame(test::kPing, "p") + ClientFrame(test::kContinuation, "\xA4", false) +
      ClientFrame(test::kPong, "unasked") + ClientFrame(test::kContinuation, "");
  for (const auto& pieces : test::Fragmentations(bytes)) {
    Server server(pieces);
    ASSERT_EQ(server.socket().ReadText(), "a\xC3\xA4");
    EXPECT_EQ(server.written(), test::ServerFrame(test::kPong, "p"));
  }
}

TEST(WebSocketHostileTest, CloseIsAnsweredAlsoInTheMiddleOfAMessage) {
  Server server({ClientFrame(test::kText, "half", false) +
                 ClientFrame(test::kCloseFrame, ClosePayload(1000) + "bye")});
  EXPECT_FALSE(server.socket().ReadText());
  EXPECT_EQ(server.socket().close_code(), CloseCode::kNormal);
  EXPECT_EQ(server.written(), CloseFrame(1000));
  Server bare({ClientFrame(test::kCloseFrame, "")});
  EXPECT_FALSE(bare.socket().ReadText());
  EXPECT_EQ(bare.socket().close_code(), CloseCode::kNone);
}

TEST(WebSocketHostileTest, FloodOfPingsAndEmptyFragmentsIsNoMessage) {
  std::string bytes;
  for (int i = 0; i < 5000; i++) {
    bytes += ClientFrame(test::kPing, "");
    bytes += ClientFrame(i == 0 ? test::kText : test::kContinuation, "", false);
  }
  Server server({bytes});
  EXPECT_EQ(test::StateOf([&] { server.socket().ReadText(); }), "08006");
  EXPECT_EQ(server.written().size(), 5000 * test::ServerFrame(test::kPong, "").size());
}

// Bytes that dribble in show no life; a frame does.
TEST(WebSocketHostileTest, PeerThatDribblesIsIdle) {
  auto [mine, other] = test::SocketPair();
  PollWaiter waiter;
  auto stream = MakePlainStream(std::move(mine), waiter);
  std::thread peer([socket = std::move(other)]() mutable {
    PollWaiter peer_waiter;
    auto peer_stream = MakePlainStream(std::move(socket), peer_waiter);
    try {
      for (int i = 0; i < 4; i++) {
        test::WriteAll(*peer_stream, ClientFrame(test::kPing, ""));
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
      for (char byte : ClientFrame(test::kText, std::string(500, 'x'))) {
        test::WriteAll(*peer_stream, std::string(1, byte));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    } catch (const core::Error&) {  // closed
    }
  });
  auto socket = WebSocket::Accept(*stream, waiter, test::UpgradeRequest(), "");
  socket->set_idle_limit(std::chrono::milliseconds(250));
  const auto began = core::Clock::now();
  EXPECT_THROW(socket->ReadText(), core::TimeoutError);
  const auto took = core::Clock::now() - began;
  EXPECT_GT(took, std::chrono::milliseconds(500));
  EXPECT_LT(took, std::chrono::seconds(8));
  socket.reset();
  stream.reset();
  peer.join();
}

// The close code must get through although the peer has sent more than was read.
TEST(WebSocketHostileTest, PeerThatKeepsSendingLearnsWhy) {
  auto [mine, other] = test::LoopbackPort().Connect(*std::make_unique<PollWaiter>());
  std::string heard;
  std::thread peer([&, socket = std::move(other)]() mutable {
    PollWaiter waiter;
    auto stream = MakePlainStream(std::move(socket), waiter);
    test::ReadUntil(*stream, 4);
    test::WriteAll(*stream, FrameHead(test::kText, 2147483648u) + std::string(500000, 'x'));
    heard = test::ReadUntil(*stream);
  });
  PollWaiter waiter;
  {
    auto stream = MakePlainStream(std::move(mine), waiter);
    auto socket = WebSocket::Accept(*stream, waiter, test::UpgradeRequest(), "");
    EXPECT_EQ(test::StateOf([&] { socket->ReadText(); }), "54000");
  }
  peer.join();
  EXPECT_TRUE(test::Contains(heard, CloseFrame(1009)));
}

// A client's end with a server that does not behave.
TEST(WebSocketHostileTest, ClientRefusesMaskedFrames) {
  auto [mine, other] = test::SocketPair();
  std::string heard;
  std::thread peer([&, socket = std::move(other)]() mutable {
    PollWaiter waiter;
    auto stream = MakePlainStream(std::move(socket), waiter);
    std::string request;
    while (!test::Contains(request, "\r\n\r\n"))
      request += test::ReadUntil(*stream, 1);
    HttpRequest answered = test::UpgradeRequest();
    const size_t at = request.find("Sec-WebSocket-Key: ") + 19;
    answered.headers.back().second = request.substr(at, request.find("\r\n", at) - at);
    auto socket_end = WebSocket::Accept(*stream, waiter, answered, "");
    test::WriteAll(*stream, ClientFrame(test::kText, "x"));
    heard = test::ReadUntil(*stream, 6);
  });
  PollWaiter waiter;
  auto stream = MakePlainStream(std::move(mine), waiter);
  HttpResponse answer;
  auto client = WebSocket::Connect(*stream, waiter, "h", "/", {}, &answer);
  ASSERT_TRUE(client);
  EXPECT_EQ(test::StateOf([&] { client->ReadText(); }), "08P01");
  peer.join();
  EXPECT_EQ(heard.substr(0, 1), "\x88");
}

}  // namespace
}  // namespace pgsync::net
