#include "net/tls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <csignal>
#include <future>

#include "bytes.h"
#include "certificates.h"
#include "errors.h"
#include "poll_waiter.h"
#include "sockets.h"

namespace pgsync::net {
namespace {

using core::TimeoutError;
using std::chrono::milliseconds;
using test::Bytes;
using test::Contains;
using test::ErrorOf;
using test::PollWaiter;
using test::ReadUntil;
using test::StateOf;
using test::WriteAll;

// What all tests share: making keys takes time.
struct Files {
  Files() {
    // OpenSSL writes without MSG_NOSIGNAL; servers ignore the signal, and so does this one.
    signal(SIGPIPE, SIG_IGN);
  }
  test::TemporaryDirectory directory;
  test::Certificate own = test::MakeCertificate(directory, "localhost", "DNS:localhost");
  test::Certificate other = test::MakeCertificate(directory, "other", "DNS:other");
};
const Files& TestFiles() {
  static const Files files;
  return files;
}

// A client made of plain OpenSSL on a socket that blocks.
class TlsClient {
 public:
  explicit TlsClient(Socket socket)
      : socket_(std::move(socket)), context_(SSL_CTX_new(TLS_client_method())) {
    TestFiles();
    fcntl(socket_.get(), F_SETFL, fcntl(socket_.get(), F_GETFL) & ~O_NONBLOCK);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_load_verify_file(context_, TestFiles().own.certificate_file.c_str());
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, socket_.get());
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ERR_clear_error();
  }

  SSL* ssl() const { return ssl_; }
  bool Connect() { return SSL_connect(ssl_) == 1; }
  void Write(std::string_view bytes) {
    ASSERT_EQ(SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }
  // The next `size` bytes, or those up to the end.
  std::string Read(size_t size) {
    std::string out(size, '\0');
    size_t done = 0;
    while (done < size) {
      const int got = SSL_read(ssl_, out.data() + done, static_cast<int>(size - done));
      if (got <= 0) break;
      done += static_cast<size_t>(got);
    }
    return out.substr(0, done);
  }
  bool ToldTheEnd() const { return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0; }
  // Leaves without a word.
  void Drop() { socket_.Reset(-1); }

 private:
  Socket socket_;
  SSL_CTX* context_;
  SSL* ssl_;
};

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() : context_(TestFiles().own.certificate_file, TestFiles().own.key_file) {
    auto [near, far] = test::SocketPair();
    client_ = std::make_unique<TlsClient>(std::move(near));
    socket_ = std::move(far);
  }

  // Both sides of a handshake.
  void Connect() {
    auto connected = std::async(std::launch::async, [&] { return client_->Connect(); });
    server_ = AcceptTls(std::move(socket_), context_, waiter_);
    ASSERT_TRUE(connected.get());
  }
  std::string AcceptState() {
    return StateOf([&] { server_ = AcceptTls(std::move(socket_), context_, waiter_); });
  }

  PollWaiter waiter_;
  TlsServerContext context_;
  Socket socket_;
  std::unique_ptr<TlsClient> client_;
  std::unique_ptr<Stream> server_;
};

TEST_F(TlsTest, CarriesBytesBothWays) {
  Connect();
  EXPECT_TRUE(server_->encrypted());
  client_->Write("to the server");
  EXPECT_EQ(ReadUntil(*server_, 13), "to the server");
  WriteAll(*server_, "to the client");
  EXPECT_EQ(client_->Read(13), "to the client");
  EXPECT_EQ(server_->bytes_in(), 13u);
  EXPECT_EQ(server_->bytes_out(), 13u);
}

TEST_F(TlsTest, SmallPiecesGoIntoOneRecord) {
  Connect();
  char a[] = "one", b[] = "two", c[] = "three";
  const iovec pieces[] = {{a, 3}, {b, 3}, {nullptr, 0}, {c, 5}};
  EXPECT_EQ(server_->WriteSome(pieces, 4), 11u);
  char bytes[100];
  EXPECT_EQ(SSL_read(client_->ssl(), bytes, sizeof(bytes)), 11);
  EXPECT_EQ(std::string(bytes, 11), "onetwothree");
}

TEST_F(TlsTest, LargeTransfersWaitForTheirReader) {
  Connect();
  std::string sent(4 * 1024 * 1024 + 123, '\0');
  for (size_t i = 0; i < sent.size(); i++)
    sent[i] = static_cast<char>(i * 31 + (i >> 12));
  auto echo = std::async(std::launch::async, [&] {
    const std::string got = client_->Read(sent.size());
    client_->Write(got);
    return got;
  });
  WriteAll(*server_, sent);
  EXPECT_TRUE(ReadUntil(*server_, sent.size()) == sent);
  EXPECT_TRUE(echo.get() == sent);
}

TEST_F(TlsTest, GoodbyeOfThePeerIsTheEnd) {
  Connect();
  client_->Write("last");
  SSL_shutdown(client_->ssl());
  EXPECT_EQ(ReadUntil(*server_), "last");
  char byte;
  EXPECT_EQ(server_->ReadSome(&byte, 1), 0u);
}

// Somebody on the way can cut a connection, but not say goodbye.
TEST_F(TlsTest, EndWithoutGoodbyeIsALostConnection) {
  Connect();
  client_->Write("last");
  client_->Drop();
  EXPECT_EQ(ReadUntil(*server_, 4), "last");
  char byte;
  EXPECT_EQ(StateOf([&] { server_->ReadSome(&byte, 1); }), "08006");
}

TEST_F(TlsTest, CloseSaysGoodbye) {
  Connect();
  server_->Close();
  EXPECT_EQ(client_->Read(1), "");
  EXPECT_TRUE(client_->ToldTheEnd());
}

TEST_F(TlsTest, CloseIsHarmlessWhereThePeerIsGone) {
  Connect();
  client_->Drop();
  char byte;
  EXPECT_EQ(StateOf([&] { server_->ReadSome(&byte, 1); }), "08006");
  server_->Close();
  EXPECT_EQ(ERR_peek_error(), 0u) << "an error is left for the next user of OpenSSL";
}

TEST_F(TlsTest, WritingToAPeerThatIsGoneRaisesLoss) {
  Connect();
  client_->Drop();
  const std::string bytes(100000, 'x');
  EXPECT_EQ(StateOf([&] {
              for (;;)
                WriteAll(*server_, bytes);
            }),
            "08006");
}

TEST_F(TlsTest, TamperedRecordIsALostConnection) {
  Connect();
  // Application data that nobody who knows the keys has written.
  const std::string forged = Bytes("\x17\x03\x03\x00\x20") + std::string(32, 'x');
  ASSERT_EQ(write(SSL_get_fd(client_->ssl()), forged.data(), forged.size()),
            static_cast<ssize_t>(forged.size()));
  char byte;
  EXPECT_EQ(StateOf([&] { server_->ReadSome(&byte, 1); }), "08006");
}

TEST_F(TlsTest, ReadLimitPassesWhereNobodyWrites) {
  Connect();
  waiter_.set_read_limit(milliseconds(20));
  char byte;
  EXPECT_THROW(server_->ReadSome(&byte, 1), TimeoutError);
  client_->Write("x");
  waiter_.set_read_limit(std::nullopt);
  EXPECT_EQ(server_->ReadSome(&byte, 1), 1u);
}

TEST_F(TlsTest, WriteLimitPassesWhereNobodyReads) {
  Connect();
  waiter_.set_write_limit(milliseconds(50));
  const std::string bytes(100000, 'x');
  EXPECT_THROW(
      {
        for (;;)
          WriteAll(*server_, bytes);
      },
      TimeoutError);
}

TEST_F(TlsTest, HandshakeHasItsDeadline) {
  waiter_.set_deadline(core::Clock::now() + milliseconds(20));
  EXPECT_THROW(AcceptTls(std::move(socket_), context_, waiter_), TimeoutError);
}

TEST_F(TlsTest, PeerThatLeavesBeforeTheHandshakeIsLost) {
  client_->Drop();
  EXPECT_EQ(AcceptState(), "08006");
}

TEST_F(TlsTest, WhatIsNoTlsIsRefused) {
  const std::string bytes[] = {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", std::string(1000, '\0'),
                               std::string(1000, '\xff'), Bytes("\x16\x03\x01\x00\x05hello")};
  for (const std::string& text : bytes) {
    auto [near, far] = test::SocketPair();
    ASSERT_EQ(write(near.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    near.Reset(-1);
    const core::Error error =
        ErrorOf([&, &far = far] { AcceptTls(std::move(far), context_, waiter_); });
    EXPECT_STREQ(error.state().c_str(), "08006") << ::testing::PrintToString(text.substr(0, 20));
  }
}

// A goodbye in place of a handshake is no handshake.
TEST_F(TlsTest, GoodbyeInPlaceOfAHandshakeIsRefused) {
  const std::string goodbye("\x15\x03\x01\x00\x02\x01\x00", 7);
  ASSERT_EQ(write(SSL_get_fd(client_->ssl()), goodbye.data(), goodbye.size()), 7);
  client_->Drop();
  EXPECT_EQ(AcceptState(), "08006");
}

TEST_F(TlsTest, GoodbyeInTheMiddleOfAHandshakeIsRefused) {
  // The client's first message, and then a goodbye.
  SSL_set_max_proto_version(client_->ssl(), TLS1_2_VERSION);
  BIO* hello = BIO_new(BIO_s_mem());
  BIO* nothing = BIO_new(BIO_s_mem());
  SSL_set_bio(client_->ssl(), nothing, hello);
  SSL_connect(client_->ssl());
  char* data = nullptr;
  const long size = BIO_get_mem_data(hello, &data);
  ASSERT_GT(size, 0);
  const std::string sent =
      std::string(data, static_cast<size_t>(size)) + Bytes("\x15\x03\x03\x00\x02\x01\x00");
  auto [near, far] = test::SocketPair();
  ASSERT_EQ(write(near.get(), sent.data(), sent.size()), static_cast<ssize_t>(sent.size()));
  shutdown(near.get(), SHUT_WR);
  socket_ = std::move(far);
  EXPECT_EQ(AcceptState(), "08006");
}

TEST_F(TlsTest, VersionsBefore12AreRefused) {
  SSL_set_security_level(client_->ssl(), 0);
  SSL_set_min_proto_version(client_->ssl(), TLS1_VERSION);
  SSL_set_max_proto_version(client_->ssl(), TLS1_1_VERSION);
  auto connected = std::async(std::launch::async, [&] { return client_->Connect(); });
  const core::Error error = ErrorOf([&] { AcceptTls(std::move(socket_), context_, waiter_); });
  EXPECT_STREQ(error.state().c_str(), "08006");
  EXPECT_TRUE(Contains(error.detail(), "unsupported protocol")) << error.detail();
  EXPECT_FALSE(connected.get());
}

TEST_F(TlsTest, Version12Suffices) {
  SSL_set_max_proto_version(client_->ssl(), TLS1_2_VERSION);
  Connect();
  client_->Write("x");
  EXPECT_EQ(ReadUntil(*server_, 1), "x");
  EXPECT_STREQ(SSL_get_version(client_->ssl()), "TLSv1.2");
}

TEST_F(TlsTest, RefusalOfTheClientIsRaised) {
  // The client trusts nobody; its alert reaches the server after its own part is done.
  SSL_set0_verify_cert_store(client_->ssl(), X509_STORE_new());
  auto connected = std::async(std::launch::async, [&] { return client_->Connect(); });
  char byte;
  EXPECT_EQ(StateOf([&] {
              server_ = AcceptTls(std::move(socket_), context_, waiter_);
              server_->ReadSome(&byte, 1);
            }),
            "08006");
  EXPECT_FALSE(connected.get());
}

TEST(TlsServerContextTest, FilesThatCannotBeUsedAreNamed) {
  const Files& files = TestFiles();
  const std::string missing = files.directory.File("missing");
  const std::string garbage = files.directory.Write("garbage", "this is no PEM\n");
  const std::string empty = files.directory.Write("empty", "");
  const struct {
    std::string certificate, key, named;
  } cases[] = {
      {missing, files.own.key_file, missing},
      {garbage, files.own.key_file, garbage},
      {empty, files.own.key_file, empty},
      {files.own.key_file, files.own.key_file, files.own.key_file},
      {files.own.certificate_file, missing, missing},
      {files.own.certificate_file, garbage, garbage},
      {files.own.certificate_file, files.own.certificate_file, files.own.certificate_file},
      {files.own.certificate_file, files.other.key_file, files.other.key_file},
      {"", "", "\"\""},
  };
  for (const auto& [certificate, key, named] : cases) {
    const core::Error error =
        ErrorOf([&, c = certificate, k = key] { TlsServerContext context(c, k); });
    EXPECT_STREQ(error.state().c_str(), "F0000") << named;
    EXPECT_TRUE(Contains(error.message(), named)) << error.message();
    EXPECT_NE(error.detail(), "");
    EXPECT_EQ(ERR_peek_error(), 0u) << "an error is left for the next user of OpenSSL";
  }
}

}  // namespace
}  // namespace pgsync::net
