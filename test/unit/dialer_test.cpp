#include "net/dialer.h"

#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <future>
#include <vector>

#include "certificates.h"
#include "errors.h"
#include "net/tls.h"
#include "poll_waiter.h"
#include "sockets.h"

namespace pgsync::net {
namespace {

using core::Error;
using core::TimeoutError;
using std::chrono::milliseconds;
using test::Contains;
using test::ErrorOf;
using test::LoopbackPort;
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
  test::Certificate localhost =
      test::MakeCertificate(directory, "localhost", "DNS:localhost,IP:127.0.0.1");
  test::Certificate elsewhere =
      test::MakeCertificate(directory, "elsewhere", "DNS:elsewhere.example");
};
const Files& TestFiles() {
  static const Files files;
  return files;
}

std::string Allow(const core::IpAddress&) {
  return std::string();
}

class DialerTest : public ::testing::Test {
 protected:
  DialerTest() {
    options_.refuse_address = Allow;
    options_.ca_file = TestFiles().localhost.certificate_file;
  }

  Url UrlOf(const std::string& scheme, const std::string& host = "127.0.0.1") const {
    return Url::Parse(scheme + "://" + host + ":" + std::to_string(port_.port()) + "/prefix");
  }

  // Takes one connection and does `body` with it, in a thread of its own.
  std::future<void> ServePlain(std::function<void(Stream&)> body) {
    return std::async(std::launch::async, [this, body] {
      const auto stream = MakePlainStream(port_.Accept(server_waiter_), server_waiter_);
      body(*stream);
    });
  }
  std::future<void> ServeTls(const test::Certificate& certificate,
                             std::function<void(Stream&)> body) {
    return std::async(std::launch::async, [this, certificate, body] {
      const TlsServerContext context(certificate.certificate_file, certificate.key_file);
      const auto stream = AcceptTls(port_.Accept(server_waiter_), context, server_waiter_);
      body(*stream);
    });
  }

  std::unique_ptr<Stream> DialTo(const Url& url) { return Dial(url, options_, waiter_); }
  Error DialError(const Url& url) {
    return ErrorOf([&] { DialTo(url); });
  }

  PollWaiter waiter_, server_waiter_;
  LoopbackPort port_;
  DialOptions options_;
};

void EchoOnce(Stream& stream) {
  WriteAll(stream, "echo " + ReadUntil(stream, 5));
}

TEST_F(DialerTest, ConnectsInTheClear) {
  auto served = ServePlain(EchoOnce);
  const auto stream = DialTo(UrlOf("http"));
  EXPECT_FALSE(stream->encrypted());
  EXPECT_GE(stream->fd(), 0);
  WriteAll(*stream, "hello");
  EXPECT_EQ(ReadUntil(*stream), "echo hello");
  EXPECT_EQ(stream->bytes_out(), 5u) << "nothing was sent by itself";
  EXPECT_EQ(stream->bytes_in(), 10u);
  served.get();
}

TEST_F(DialerTest, ConnectsWithTlsToNamesAndAddressesOfTheCertificate) {
  for (const char* host : {"127.0.0.1", "localhost"}) {
    auto served = ServeTls(TestFiles().localhost, EchoOnce);
    const auto stream = DialTo(UrlOf("https", host));
    EXPECT_TRUE(stream->encrypted());
    WriteAll(*stream, "hello");
    EXPECT_EQ(ReadUntil(*stream, 10), "echo hello") << host;
    served.get();
  }
}

TEST_F(DialerTest, LargeTransfersWaitForTheirReader) {
  // More than all buffers on the way.
  std::string sent(24 * 1024 * 1024 + 9, '\0');
  for (size_t i = 0; i < sent.size(); i++)
    sent[i] = static_cast<char>(i * 31 + (i >> 12));
  for (bool secure : {false, true}) {
    const auto echo = [&](Stream& stream) { WriteAll(stream, ReadUntil(stream, sent.size())); };
    auto served = secure ? ServeTls(TestFiles().localhost, echo) : ServePlain(echo);
    const auto stream = DialTo(UrlOf(secure ? "https" : "http"));
    WriteAll(*stream, sent);
    EXPECT_TRUE(ReadUntil(*stream, sent.size()) == sent);
    served.get();
  }
}

TEST_F(DialerTest, AuthorityThatIsNotKnownIsRefused) {
  options_.ca_file = TestFiles().elsewhere.certificate_file;
  auto served = ServeTls(TestFiles().localhost, [](Stream&) {});
  const Error error = DialError(UrlOf("https"));
  EXPECT_STREQ(error.state().c_str(), "08001");
  EXPECT_TRUE(Contains(error.message(), "could not connect to https://127.0.0.1:"));
  EXPECT_NE(error.detail(), "");
  EXPECT_TRUE(Contains(error.hint(), "sync.ssl_ca_file")) << error.hint();
  StateOf([&] { served.get(); });
}

TEST_F(DialerTest, SystemsAuthoritiesDoNotKnowTheCertificateEither) {
  options_.ca_file.clear();
  auto served = ServeTls(TestFiles().localhost, [](Stream&) {});
  EXPECT_STREQ(DialError(UrlOf("https")).state().c_str(), "08001");
  StateOf([&] { served.get(); });
}

TEST_F(DialerTest, CertificateOfAnotherNameIsRefused) {
  options_.ca_file = TestFiles().elsewhere.certificate_file;
  for (const char* host : {"127.0.0.1", "localhost"}) {
    auto served = ServeTls(TestFiles().elsewhere, [](Stream&) {});
    EXPECT_STREQ(DialError(UrlOf("https", host)).state().c_str(), "08001") << host;
    StateOf([&] { served.get(); });
  }
}

TEST_F(DialerTest, AuthorityFileThatIsNotThereIsAnError) {
  options_.ca_file = TestFiles().directory.File("missing");
  auto served = ServePlain([](Stream& stream) { ReadUntil(stream); });
  const Error error = DialError(UrlOf("https"));
  EXPECT_STREQ(error.state().c_str(), "08001");
  EXPECT_TRUE(Contains(error.hint(), "sync.ssl_ca_file")) << error.hint();
  StateOf([&] { served.get(); });
}

TEST_F(DialerTest, PeerWithoutTlsIsNamedAsSuch) {
  auto served = ServePlain([](Stream& stream) { WriteAll(stream, "HTTP/1.1 400 Bad\r\n\r\n"); });
  const Error error = DialError(UrlOf("https"));
  EXPECT_STREQ(error.state().c_str(), "08001");
  EXPECT_TRUE(Contains(error.hint(), "http://")) << error.hint();
  StateOf([&] { served.get(); });
}

TEST_F(DialerTest, PeerThatHangsUpInTheHandshakeIsAnError) {
  auto served = ServePlain([](Stream& stream) { ReadUntil(stream, 1); });
  EXPECT_STREQ(DialError(UrlOf("https")).state().c_str(), "08001");
  StateOf([&] { served.get(); });
}

TEST_F(DialerTest, RefusedConnectionIsAnError) {
  const LoopbackPort silent(false);
  const Url url = Url::Parse("http://127.0.0.1:" + std::to_string(silent.port()));
  const Error error = DialError(url);
  EXPECT_STREQ(error.state().c_str(), "08001");
  EXPECT_EQ(error.message(), "could not connect to " + url.Display());
  EXPECT_TRUE(Contains(error.hint(), "sync.port")) << error.hint();
}

TEST_F(DialerTest, NameThatDoesNotExistIsAnError) {
  // RFC 6761 reserves the name for this.
  EXPECT_STREQ(DialError(UrlOf("http", "peer.invalid")).state().c_str(), "08001");
}

TEST_F(DialerTest, RefusedAddressIsNotConnectedTo) {
  std::vector<std::string> asked;
  options_.refuse_address = [&](const core::IpAddress& address) {
    asked.push_back(address.ToString());
    return std::string("Address is not for us.");
  };
  for (const char* scheme : {"http", "https"}) {
    asked.clear();
    const Error error = DialError(UrlOf(scheme));
    EXPECT_STREQ(error.state().c_str(), "42501");
    EXPECT_EQ(error.detail(), "Address is not for us.");
    EXPECT_TRUE(Contains(error.message(), UrlOf(scheme).Display())) << error.message();
    EXPECT_EQ(asked, std::vector<std::string>{"127.0.0.1"});
    EXPECT_TRUE(port_.Untouched());
  }
}

TEST_F(DialerTest, EveryAddressOfANameIsAskedAbout) {
  std::vector<std::string> asked;
  options_.refuse_address = [&](const core::IpAddress& address) {
    asked.push_back(address.ToString());
    return std::string(address.is_v4() ? "" : "No IPv6.");
  };
  auto served = ServePlain(EchoOnce);
  const auto stream = DialTo(UrlOf("http", "localhost"));
  WriteAll(*stream, "hello");
  EXPECT_EQ(ReadUntil(*stream), "echo hello") << "the address that is left is connected to";
  EXPECT_EQ(asked.back(), "127.0.0.1");
  served.get();
}

// 42501 is for where every address was refused.
TEST_F(DialerTest, AllowedAddressThatFailsIsAFailureThoughAnotherWasRefused) {
  const LoopbackPort silent(false);
  bool refused = false;
  options_.refuse_address = [&](const core::IpAddress& address) {
    if (address.is_v4()) return std::string();
    refused = true;
    return std::string("No IPv6.");
  };
  const Error error = DialError(Url::Parse("http://localhost:" + std::to_string(silent.port())));
  if (!refused) GTEST_SKIP() << "localhost has an IPv4 address only";
  EXPECT_STREQ(error.state().c_str(), "08001") << error.message() << ": " << error.detail();
}

TEST_F(DialerTest, QuestionThatFailsIsARefusalToConnect) {
  options_.refuse_address = [](const core::IpAddress&) -> std::string {
    throw std::runtime_error("cannot tell");
  };
  EXPECT_NE(StateOf([&] { DialTo(UrlOf("http")); }), "00000");
  EXPECT_TRUE(port_.Untouched());
}

TEST_F(DialerTest, WithoutAQuestionEveryAddressPasses) {
  options_.refuse_address = nullptr;
  auto served = ServePlain(EchoOnce);
  std::unique_ptr<Stream> stream;
  EXPECT_EQ(StateOf([&] { stream = DialTo(UrlOf("http")); }), "00000");
  if (!stream) {
    // Lets the server end.
    options_.refuse_address = Allow;
    stream = DialTo(UrlOf("http"));
  }
  WriteAll(*stream, "hello");
  EXPECT_EQ(ReadUntil(*stream), "echo hello");
  served.get();
}

TEST_F(DialerTest, DeadlineHoldsForTheHandshake) {
  // The kernel takes the connection; nobody answers on it.
  waiter_.set_deadline(core::Clock::now() + milliseconds(100));
  EXPECT_THROW(DialTo(UrlOf("https")), TimeoutError);
  EXPECT_GE(core::Clock::now(), *waiter_.deadline());
}

TEST_F(DialerTest, WhatTheWaiterRaisesGoesThrough) {
  class InterruptedWaiter : public core::Waiter {
   public:
    bool WaitUntil(int, Interest, std::optional<core::Clock::time_point>) override {
      throw Error(core::sqlstate::kQueryCanceled, "canceled");
    }
  } waiter;
  EXPECT_EQ(StateOf([&] { Dial(UrlOf("https"), options_, waiter); }), "57014");
}

TEST_F(DialerTest, EndOfThePeerIsTheEnd) {
  for (bool secure : {false, true}) {
    const auto leave = [](Stream& stream) {
      WriteAll(stream, "last");
      stream.Close();
    };
    auto served = secure ? ServeTls(TestFiles().localhost, leave) : ServePlain(leave);
    const auto stream = DialTo(UrlOf(secure ? "https" : "http"));
    EXPECT_EQ(ReadUntil(*stream), "last");
    served.get();
  }
}

// Somebody on the way can cut a connection, but not say goodbye.
TEST_F(DialerTest, EndOfTlsWithoutGoodbyeIsALostConnection) {
  auto served = ServeTls(TestFiles().localhost, [](Stream& stream) { WriteAll(stream, "last"); });
  const auto stream = DialTo(UrlOf("https"));
  EXPECT_EQ(ReadUntil(*stream, 4), "last");
  served.get();
  char byte;
  EXPECT_EQ(StateOf([&] { stream->ReadSome(&byte, 1); }), "08006");
}

TEST_F(DialerTest, CloseSaysGoodbye) {
  for (bool secure : {false, true}) {
    std::string got = "nothing";
    const auto read = [&](Stream& stream) { got = ReadUntil(stream); };
    auto served = secure ? ServeTls(TestFiles().localhost, read) : ServePlain(read);
    const auto stream = DialTo(UrlOf(secure ? "https" : "http"));
    WriteAll(*stream, "last");
    stream->Close();
    EXPECT_EQ(StateOf([&] { served.get(); }), "00000") << (secure ? "with TLS" : "in the clear");
    EXPECT_EQ(got, "last");
  }
}

TEST_F(DialerTest, EndOfTheStreamSaysGoodbye) {
  for (bool secure : {false, true}) {
    std::string got = "nothing";
    const auto read = [&](Stream& stream) { got = ReadUntil(stream); };
    auto served = secure ? ServeTls(TestFiles().localhost, read) : ServePlain(read);
    auto stream = DialTo(UrlOf(secure ? "https" : "http"));
    WriteAll(*stream, "last");
    stream.reset();
    EXPECT_EQ(StateOf([&] { served.get(); }), "00000") << (secure ? "with TLS" : "in the clear");
    EXPECT_EQ(got, "last");
  }
}

TEST_F(DialerTest, LimitsHoldForTheConnection) {
  for (bool secure : {false, true}) {
    std::promise<void> enough;
    const auto wait = [done = enough.get_future().share()](Stream&) { done.wait(); };
    auto served = secure ? ServeTls(TestFiles().localhost, wait) : ServePlain(wait);
    const auto stream = DialTo(UrlOf(secure ? "https" : "http"));
    waiter_.set_read_limit(milliseconds(20));
    waiter_.set_write_limit(milliseconds(50));
    char byte;
    EXPECT_THROW(stream->ReadSome(&byte, 1), TimeoutError);
    const std::string bytes(100000, 'x');
    EXPECT_THROW(
        {
          for (;;)
            WriteAll(*stream, bytes);
        },
        TimeoutError);
    waiter_.set_read_limit(std::nullopt);
    waiter_.set_write_limit(std::nullopt);
    enough.set_value();
    served.get();
  }
}

TEST_F(DialerTest, WritingToAPeerThatIsGoneRaisesLoss) {
  auto served = ServePlain([](Stream&) {});
  const auto stream = DialTo(UrlOf("http"));
  served.get();
  const std::string bytes(100000, 'x');
  EXPECT_EQ(StateOf([&] {
              for (;;)
                WriteAll(*stream, bytes);
            }),
            "08006");
}

}  // namespace
}  // namespace pgsync::net
