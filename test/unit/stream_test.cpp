#include "net/stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <future>

#include "bytes.h"
#include "errors.h"
#include "poll_waiter.h"
#include "sockets.h"

namespace pgsync::net {
namespace {

using core::TimeoutError;
using std::chrono::milliseconds;
using test::Bytes;
using test::ErrorOf;
using test::LoopbackPort;
using test::PollWaiter;
using test::ReadUntil;
using test::SocketPair;
using test::StateOf;
using test::WriteAll;

bool IsOpen(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

class PlainStreamTest : public ::testing::Test {
 protected:
  PlainStreamTest() {
    auto [a, b] = SocketPair();
    near_ = MakePlainStream(std::move(a), near_waiter_);
    far_ = MakePlainStream(std::move(b), far_waiter_);
  }

  PollWaiter near_waiter_, far_waiter_;
  std::unique_ptr<Stream> near_, far_;
};

TEST_F(PlainStreamTest, CarriesBytesBothWays) {
  WriteAll(*near_, "to the far end");
  EXPECT_EQ(ReadUntil(*far_, 14), "to the far end");
  WriteAll(*far_, Bytes("\0back"));
  EXPECT_EQ(ReadUntil(*near_, 5), Bytes("\0back"));
}

TEST_F(PlainStreamTest, ReadsWhatIsThereWithoutWaitingForMore) {
  WriteAll(*near_, "abc");
  char bytes[100];
  EXPECT_EQ(far_->ReadSome(bytes, sizeof(bytes)), 3u);
  WriteAll(*near_, "abc");
  EXPECT_EQ(far_->ReadSome(bytes, 2), 2u);
  EXPECT_EQ(far_->ReadSome(bytes, 2), 1u);
}

// A peer that sends as fast as it is read must not keep a process from what it has to notice.
TEST_F(PlainStreamTest, NoticesTheDeadlineWhereSomethingIsAlwaysThere) {
  WriteAll(*near_, "abc");
  far_waiter_.set_deadline(core::Clock::now() - std::chrono::seconds(1));
  char byte;
  EXPECT_THROW((void)far_->ReadSome(&byte, 1), core::TimeoutError);
  far_waiter_.set_deadline(std::nullopt);
  EXPECT_EQ(ReadUntil(*far_, 3), "abc");
}

TEST(PlainStreamOfBusyPeerTest, LooksForInterruptsNowAndThen) {
  class InterruptedWaiter : public core::Waiter {
   public:
    bool WaitUntil(int, Interest, std::optional<core::Clock::time_point>) override {
      if (++looks == 3) throw core::Error(core::sqlstate::kQueryCanceled, "canceled");
      return true;
    }
    int looks = 0;
  };
  InterruptedWaiter waiter;
  PollWaiter far_waiter;
  auto [a, b] = SocketPair();
  auto near = MakePlainStream(std::move(a), waiter);
  auto far = MakePlainStream(std::move(b), far_waiter);
  int reads = 0;
  char byte;
  EXPECT_EQ(StateOf([&] {
              for (;; reads++) {
                WriteAll(*far, "a");
                (void)near->ReadSome(&byte, 1);
              }
            }),
            "57014");
  EXPECT_EQ(waiter.looks, 3);
  EXPECT_GT(reads, 3);
}

TEST_F(PlainStreamTest, TriesToReadWithoutWaiting) {
  char bytes[100];
  EXPECT_EQ(far_->TryRead(bytes, sizeof(bytes)), std::nullopt);
  WriteAll(*near_, "abc");
  EXPECT_EQ(far_->TryRead(bytes, 2), 2u);
  EXPECT_EQ(far_->TryRead(bytes, 2), 1u);
  EXPECT_EQ(far_->TryRead(bytes, 2), std::nullopt);
  EXPECT_EQ(far_->bytes_in(), 3u);
  near_.reset();
  EXPECT_EQ(far_->TryRead(bytes, 2), 0u);
}

// Two ends of a TCP connection on this machine.
std::pair<Socket, Socket> TcpPair() {
  LoopbackPort port;
  PollWaiter waiter;
  Socket near(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port.port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(near.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error("could not connect");
  }
  PrepareSocket(near.get());
  Socket far = port.Accept(waiter);
  return {std::move(near), std::move(far)};
}

// Sends until the other end, which reads nothing, has no room for more; then closes.
void FillAndClose(Socket socket) {
  const std::string bytes(65536, 'x');
  while (send(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
  }
}

TEST(ResetOnCloseTest, AReaderThatIsBehindSeesTheEndAtOnce) {
  auto [near, far] = TcpPair();
  ResetOnClose(near.get(), true);
  FillAndClose(std::move(near));
  pollfd poll_fd = {far.get(), POLLRDHUP, 0};
  EXPECT_EQ(poll(&poll_fd, 1, 5000), 1);
  EXPECT_TRUE(PeerHasGone(far.get()));
}

TEST(ResetOnCloseTest, WithoutItTheBytesComeFirst) {
  auto [near, far] = TcpPair();
  ResetOnClose(near.get(), true);
  ResetOnClose(near.get(), false);
  FillAndClose(std::move(near));
  pollfd poll_fd = {far.get(), POLLRDHUP, 0};
  EXPECT_EQ(poll(&poll_fd, 1, 300), 0);
  EXPECT_FALSE(PeerHasGone(far.get()));
}

TEST(PeerIsLocalTest, KnowsLoopback) {
  auto [near, far] = TcpPair();
  EXPECT_TRUE(PeerIsLocal(near.get()));
  EXPECT_TRUE(PeerIsLocal(far.get()));
  EXPECT_FALSE(PeerIsLocal(-1));
}

TEST_F(PlainStreamTest, GathersPiecesInTheirOrder) {
  char a[] = "one", b[] = "two";
  const iovec pieces[] = {{a, 3}, {nullptr, 0}, {b, 3}};
  EXPECT_EQ(near_->WriteSome(pieces, 3), 6u);
  EXPECT_EQ(ReadUntil(*far_, 6), "onetwo");
}

TEST_F(PlainStreamTest, CountsBytes) {
  EXPECT_EQ(near_->bytes_in() + near_->bytes_out() + far_->bytes_in() + far_->bytes_out(), 0u);
  WriteAll(*near_, "abc");
  WriteAll(*near_, "de");
  WriteAll(*far_, "x");
  ReadUntil(*far_, 4);
  EXPECT_EQ(near_->bytes_out(), 5u);
  EXPECT_EQ(near_->bytes_in(), 0u);
  EXPECT_EQ(far_->bytes_in(), 4u);
  EXPECT_EQ(far_->bytes_out(), 1u);
}

TEST_F(PlainStreamTest, WaitsForBytesThatComeLater) {
  auto reader = std::async(std::launch::async, [&] { return ReadUntil(*far_, 5); });
  WriteAll(*near_, "later");
  EXPECT_EQ(reader.get(), "later");
}

TEST_F(PlainStreamTest, LargeTransferWaitsForItsReader) {
  std::string sent(8 * 1024 * 1024, '\0');
  for (size_t i = 0; i < sent.size(); i++)
    sent[i] = static_cast<char>(i * 31 + (i >> 12));
  auto reader = std::async(std::launch::async, [&] { return ReadUntil(*far_); });
  WriteAll(*near_, sent);
  near_->Close();
  EXPECT_TRUE(reader.get() == sent);
  EXPECT_EQ(near_->bytes_out(), sent.size());
  EXPECT_EQ(far_->bytes_in(), sent.size());
}

TEST_F(PlainStreamTest, EndOfThePeerIsReadAsZeroAgainAndAgain) {
  WriteAll(*near_, "last");
  near_.reset();
  EXPECT_EQ(ReadUntil(*far_), "last");
  char byte;
  EXPECT_EQ(far_->ReadSome(&byte, 1), 0u);
  EXPECT_EQ(far_->ReadSome(&byte, 1), 0u);
}

TEST_F(PlainStreamTest, CloseEndsOneDirectionOnly) {
  near_->Close();
  EXPECT_EQ(ReadUntil(*far_), "");
  WriteAll(*far_, "answer");
  EXPECT_EQ(ReadUntil(*near_, 6), "answer");
}

volatile sig_atomic_t pipe_signals = 0;

TEST_F(PlainStreamTest, WritingToAPeerThatIsGoneRaisesLossButNoSignal) {
  pipe_signals = 0;
  const auto before = signal(SIGPIPE, [](int) { pipe_signals = pipe_signals + 1; });
  far_.reset();
  const core::Error error = ErrorOf([&] { WriteAll(*near_, "x"); });
  signal(SIGPIPE, before);
  EXPECT_STREQ(error.state().c_str(), "08006");
  EXPECT_EQ(error.message(), "connection lost");
  EXPECT_EQ(error.detail(), std::string(strerror(EPIPE)) + ".");
  EXPECT_EQ(pipe_signals, 0);
}

TEST_F(PlainStreamTest, WriteLimitPassesWhereNobodyReads) {
  near_waiter_.set_write_limit(milliseconds(50));
  const std::string bytes(64 * 1024, 'x');
  EXPECT_THROW(
      {
        for (;;)
          WriteAll(*near_, bytes);
      },
      TimeoutError);
  // What was written before is not lost, and counted.
  const uint64_t written = near_->bytes_out();
  EXPECT_GT(written, 0u);
  near_.reset();
  EXPECT_EQ(ReadUntil(*far_).size(), written);
}

TEST_F(PlainStreamTest, ReadLimitPassesWhereNobodyWrites) {
  near_waiter_.set_read_limit(milliseconds(20));
  char byte;
  EXPECT_THROW(near_->ReadSome(&byte, 1), TimeoutError);
  // The stream is still good.
  WriteAll(*far_, "x");
  EXPECT_EQ(near_->ReadSome(&byte, 1), 1u);
}

TEST_F(PlainStreamTest, BytesThatAreThereAreReadAfterTheDeadline) {
  WriteAll(*far_, "x");
  near_waiter_.set_deadline(core::Clock::now());
  char byte;
  EXPECT_EQ(near_->ReadSome(&byte, 1), 1u);
  EXPECT_THROW(near_->ReadSome(&byte, 1), TimeoutError);
}

TEST_F(PlainStreamTest, IsNotEncrypted) {
  EXPECT_FALSE(near_->encrypted());
}

TEST(PlainStreamOverTcpTest, ResetRaisesLoss) {
  PollWaiter waiter;
  LoopbackPort port;
  auto [client, server] = port.Connect(waiter);
  const linger abort = {1, 0};
  ASSERT_EQ(setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)), 0);
  auto stream = MakePlainStream(std::move(server), waiter);
  client.Reset(-1);
  char byte;
  const core::Error error = ErrorOf([&] { stream->ReadSome(&byte, 1); });
  EXPECT_STREQ(error.state().c_str(), "08006");
  EXPECT_EQ(error.detail(), std::string(strerror(ECONNRESET)) + ".");
}

TEST(PlainStreamOverTcpTest, OwnsItsSocket) {
  PollWaiter waiter;
  LoopbackPort port;
  auto [client, server] = port.Connect(waiter);
  const int fd = server.get();
  auto stream = MakePlainStream(std::move(server), waiter);
  EXPECT_EQ(stream->fd(), fd);
  EXPECT_EQ(server.get(), -1);
  stream.reset();
  auto other = MakePlainStream(std::move(client), waiter);
  EXPECT_EQ(ReadUntil(*other), "");
}

TEST(PrepareSocketTest, MakesConnectionsFitForLongUse) {
  PollWaiter waiter;
  LoopbackPort port;
  const auto [client, server] = port.Connect(waiter);
  const auto option = [fd = client.get()](int level, int name) {
    int value = -1;
    socklen_t size = sizeof(value);
    EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0);
    return value;
  };
  EXPECT_NE(fcntl(client.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(client.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(option(IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(option(SOL_SOCKET, SO_KEEPALIVE), 0);
  // A vanished host is found within half a minute.
  EXPECT_LE(option(IPPROTO_TCP, TCP_KEEPIDLE) +
                option(IPPROTO_TCP, TCP_KEEPINTVL) * option(IPPROTO_TCP, TCP_KEEPCNT),
            30);
}

TEST(PrepareSocketTest, RefusesWhatIsNoDescriptor) {
  EXPECT_EQ(StateOf([] { PrepareSocket(-1); }), "08001");
}

TEST(PeerHasGoneTest, SeesClosingButNotSilenceOrUnreadBytes) {
  PollWaiter waiter;
  LoopbackPort port;
  auto [client, server] = port.Connect(waiter);
  EXPECT_FALSE(PeerHasGone(server.get()));
  auto stream = MakePlainStream(std::move(client), waiter);
  WriteAll(*stream, "unread");
  waiter.Wait(server.get(), core::Waiter::Interest::kRead);
  EXPECT_FALSE(PeerHasGone(server.get()));
  stream->Close();
  // The end arrives when it does; poll(2) tells.
  pollfd entry = {server.get(), POLLRDHUP, 0};
  ASSERT_EQ(poll(&entry, 1, 60000), 1);
  EXPECT_TRUE(PeerHasGone(server.get()));
}

TEST(SocketTest, ClosesWhatItOwnsExactlyOnce) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  {
    Socket first(fds[0]);
    Socket second(std::move(first));
    EXPECT_EQ(first.get(), -1);
    EXPECT_EQ(second.get(), fds[0]);
    first = std::move(second);
    EXPECT_TRUE(IsOpen(fds[0]));
    first.Reset(fds[1]);
    EXPECT_FALSE(IsOpen(fds[0]));
    EXPECT_TRUE(IsOpen(fds[1]));
  }
  EXPECT_FALSE(IsOpen(fds[1]));
}

TEST(SocketTest, ReleaseLeavesTheDescriptorOpen) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const Socket writer(fds[1]);
  { EXPECT_EQ(Socket(fds[0]).Release(), fds[0]); }
  EXPECT_TRUE(IsOpen(fds[0]));
  const Socket reader(fds[0]);
}

TEST(RaiseLostTest, NamesTheReason) {
  const core::Error error = ErrorOf([] { RaiseLost(ETIMEDOUT); });
  EXPECT_STREQ(error.state().c_str(), "08006");
  EXPECT_EQ(error.detail(), std::string(strerror(ETIMEDOUT)) + ".");
  EXPECT_EQ(ErrorOf([] { RaiseLost(0); }).detail(), "The peer closed the connection.");
}

}  // namespace
}  // namespace pgsync::net
