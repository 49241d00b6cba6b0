// Both ends of HTTP against each other, over a socket.
#include "net/http_client.h"
#include "net/http_server.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <random>

#include "errors.h"
#include "poll_waiter.h"
#include "row_stream_support.h"
#include "sockets.h"

namespace pgsync::net {
namespace {

using test::PollWaiter;
using test::StateOf;

constexpr size_t kEnough = size_t{64} << 20;

class HttpTest : public ::testing::Test {
 protected:
  // Answers requests with `handle` until the connection ends. Its result is how many there were.
  void Serve(std::function<void(HttpServerConnection&, HttpRequest&)> handle) {
    auto [near, far] = test::SocketPair();
    client_ = std::make_unique<HttpClientConnection>(
        MakePlainStream(std::move(near), client_waiter_), "peer:1");
    served_ = std::async(std::launch::async, [this, handle, socket = std::move(far)]() mutable {
      const auto stream = MakePlainStream(std::move(socket), server_waiter_);
      HttpServerConnection server(*stream);
      int requests = 0;
      while (auto request = server.ReadHead({})) {
        requests++;
        handle(server, *request);
        if (!server.keep_alive()) break;
      }
      return requests;
    });
  }

  std::string Exchange(const HttpRequest& request) {
    client_->Send(request);
    return client_->ReadBody(kEnough);
  }

  // Ends the connection and hands on what the server raised.
  int Finish() {
    client_.reset();
    return served_.get();
  }

  PollWaiter client_waiter_, server_waiter_;
  std::future<int> served_;  // waits for the server, so the client has to go first
  std::unique_ptr<HttpClientConnection> client_;
};

// Tells what it has read.
void Echo(HttpServerConnection& server, HttpRequest& request) {
  server.ReadBody(request);
  HttpResponse response;
  response.content_type = "text/plain";
  response.headers = {{"X-Seen", FindHeader(request.headers, "X-Own").value_or("none")}};
  response.body = request.method + " " + request.target + " " + request.body;
  server.Respond(response);
}

TEST_F(HttpTest, RequestsAreAnsweredOneAfterTheOther) {
  Serve(Echo);
  const HttpResponse response = client_->Send({"POST", "/a?b", {{"X-Own", "yes"}}, "body"});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/plain");
  EXPECT_EQ(FindHeader(response.headers, "x-seen"), "yes");
  EXPECT_EQ(client_->ReadBody(kEnough), "POST /a?b body");
  EXPECT_TRUE(client_->reusable());
  EXPECT_EQ(Exchange({"GET", "/next", {}, ""}), "GET /next ");
  EXPECT_EQ(Exchange({"DELETE", "/", {}, ""}), "DELETE / ");
  EXPECT_TRUE(client_->reusable());
  EXPECT_EQ(Finish(), 3);
}

TEST_F(HttpTest, HeadHasAHeadAndTheConnectionGoesOn) {
  Serve(Echo);
  const HttpResponse response = client_->Send({"HEAD", "/h", {}, ""});
  EXPECT_EQ(FindHeader(response.headers, "Content-Length"), "8");
  EXPECT_EQ(client_->ReadBody(kEnough), "");
  EXPECT_TRUE(client_->reusable());
  EXPECT_EQ(Exchange({"GET", "/next", {}, ""}), "GET /next ");
  EXPECT_EQ(Finish(), 2);
}

TEST_F(HttpTest, ClientMayAskForTheEnd) {
  Serve(Echo);
  EXPECT_EQ(Exchange({"GET", "/", {{"Connection", "close"}}, ""}), "GET / ");
  EXPECT_FALSE(client_->reusable());
  EXPECT_EQ(served_.get(), 1);
}

TEST_F(HttpTest, ServerMayAnnounceTheEnd) {
  Serve([](HttpServerConnection& server, HttpRequest& request) {
    server.set_last();
    Echo(server, request);
  });
  EXPECT_EQ(Exchange({"GET", "/", {}, ""}), "GET / ");
  EXPECT_FALSE(client_->reusable());
  EXPECT_EQ(served_.get(), 1);
}

TEST_F(HttpTest, LargeBodiesGoBothWays) {
  Serve(Echo);
  std::string body(3 * 1024 * 1024 + 7, '\0');
  std::mt19937 random(1);
  for (char& byte : body)
    byte = static_cast<char>(random());
  EXPECT_TRUE(Exchange({"POST", "/", {}, body}) == "POST / " + body);
  EXPECT_TRUE(client_->reusable());
  EXPECT_EQ(Finish(), 1);
}

TEST_F(HttpTest, ClientThatExpectsContinueGetsIt) {
  Serve(Echo);
  EXPECT_EQ(Exchange({"POST", "/", {{"Expect", "100-continue"}}, "body"}), "POST / body");
  EXPECT_EQ(Exchange({"GET", "/next", {}, ""}), "GET /next ");
  EXPECT_EQ(Finish(), 2);
}

TEST_F(HttpTest, StreamsArriveWhateverTheSizeOfTheirPieces) {
  Serve([](HttpServerConnection& server, HttpRequest& request) {
    server.ReadBody(request);
    core::ByteSink& sink = server.BeginStream(200, "text/plain");
    const size_t size = std::stoul(request.body);
    for (size_t sent = 0; sent < 300000; sent += size) {
      const std::string piece(std::min(size, 300000 - sent), static_cast<char>('a' + sent % 26));
      const std::string_view halves[] = {
          std::string_view(piece).substr(0, size / 2),
          std::string_view(piece).substr(std::min(size / 2, piece.size()))};
      sink.Write(halves, 2);
    }
    server.EndStream();
  });
  for (size_t size : {7u, 100u, 4096u, 65536u, 300000u}) {
    std::string expected;
    for (size_t sent = 0; sent < 300000; sent += size) {
      expected.append(std::min(size, 300000 - sent), static_cast<char>('a' + sent % 26));
    }
    EXPECT_TRUE(Exchange({"POST", "/", {}, std::to_string(size)}) == expected) << size;
    EXPECT_TRUE(client_->reusable());
  }
  EXPECT_EQ(Finish(), 5);
}

test::Frames SomeFrames() {
  std::mt19937 random(7);
  test::Frames frames;
  for (size_t size : {1u, 100u, 70000u, 2000000u}) {
    std::string rows(size, 'r');
    for (size_t i = 0; i < size; i += 3)
      rows[i] = static_cast<char>(random());
    frames.emplace_back(1, rows);
  }
  return frames;
}

TEST_F(HttpTest, RowStreamsArriveWholeAndTheConnectionGoesOn) {
  const test::Frames frames = SomeFrames();
  Serve([&](HttpServerConnection& server, HttpRequest& request) {
    server.ReadBody(request);
    core::RowStreamWriter writer(server.BeginStream(200, "application/vnd.sync.rows"),
                                 request.body == "zstd");
    writer.Header(test::kHeader);
    for (const auto& [count, rows] : frames)
      writer.Rows(test::Payload(count, rows), count);
    writer.End();
    server.EndStream();
  });
  for (const char* how : {"plain", "zstd", "plain"}) {
    client_->Send({"POST", "/rows", {}, how});
    test::Reading reading;
    test::ReadAll(client_->body(), &reading);
    EXPECT_TRUE(reading.frames == frames);
    EXPECT_TRUE(reading.ended);
    char byte;
    EXPECT_EQ(client_->body().Read(&byte, 1), 0u);
    EXPECT_TRUE(client_->reusable());
  }
  EXPECT_EQ(Finish(), 3);
}

TEST_F(HttpTest, StreamOfAServerThatGoesAwayWasCut) {
  Serve([](HttpServerConnection& server, HttpRequest& request) {
    server.ReadBody(request);
    const std::string_view piece = "part";
    server.BeginStream(200, "text/plain").Write(&piece, 1);
    // keep_alive() is false in the middle of a stream: the connection ends here.
  });
  EXPECT_EQ(StateOf([&] { Exchange({"GET", "/", {}, ""}); }), "08006");
  EXPECT_FALSE(client_->reusable());
  EXPECT_EQ(served_.get(), 1);
}

TEST_F(HttpTest, ServerNoticesAClientThatStopsReading) {
  Serve([](HttpServerConnection& server, HttpRequest& request) {
    server.ReadBody(request);
    core::ByteSink& sink = server.BeginStream(200, "text/plain");
    const std::string chunk(100000, 'x');
    const std::string_view piece = chunk;
    for (;;)
      sink.Write(&piece, 1);
  });
  client_->Send({"GET", "/", {}, ""});
  client_.reset();
  EXPECT_EQ(StateOf([&] { served_.get(); }), "08006");
}

TEST_F(HttpTest, ServerDoesNotWaitForEverForAClientThatDoesNotRead) {
  server_waiter_.set_write_limit(std::chrono::milliseconds(50));
  Serve([](HttpServerConnection& server, HttpRequest& request) {
    server.ReadBody(request);
    core::ByteSink& sink = server.BeginStream(200, "text/plain");
    const std::string chunk(100000, 'x');
    const std::string_view piece = chunk;
    for (;;)
      sink.Write(&piece, 1);
  });
  client_->Send({"GET", "/", {}, ""});
  EXPECT_THROW(served_.get(), core::TimeoutError);
}

TEST_F(HttpTest, ClientDoesNotWaitForEverForAServerThatDoesNotAnswer) {
  client_waiter_.set_read_limit(std::chrono::milliseconds(50));
  std::promise<void> enough;
  Serve([&](HttpServerConnection&, HttpRequest&) { enough.get_future().wait(); });
  EXPECT_THROW(client_->Send({"GET", "/", {}, ""}), core::TimeoutError);
  EXPECT_FALSE(client_->reusable());
  enough.set_value();
  Finish();
}

}  // namespace
}  // namespace pgsync::net
