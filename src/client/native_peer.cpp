#include "client/native_peer.h"

#include <algorithm>
#include <cstdlib>

#include "client/allowed_peers.h"
#include "client/native_connection.h"
#include "core/text.h"
#include "net/dialer.h"
#include "net/http_client.h"
#include "pg/encoding.h"
#include "pg/settings.h"
#include "pg/wait.h"

namespace pgsync::client {

using core::Cat;
using core::Clock;
using core::Error;
using std::chrono::milliseconds;
namespace settings = pg::settings;
namespace sqlstate = core::sqlstate;

namespace {

constexpr milliseconds kBusyRetry{300};
constexpr milliseconds kGoodbye{2000};
// A peer that has just lost our connection may need so long to notice.
constexpr milliseconds kOldConnection{5000};
constexpr size_t kSmallReply = 64 * 1024;

}  // namespace

size_t NativePeer::ReplyLimit() {
  return static_cast<size_t>(settings::max_message_size_kb) * 1024;
}

namespace {

// A refusal that passes by itself.
class MayWait : public Error {
 public:
  MayWait(Error error, bool for_approval, std::chrono::seconds retry_after)
      : Error(std::move(error)), for_approval_(for_approval), retry_after_(retry_after) {}
  bool for_approval() const { return for_approval_; }
  /// For how long the peer knows that it is of no use to ask again; zero: it does not know.
  std::chrono::seconds retry_after() const { return retry_after_; }

 private:
  bool for_approval_;
  std::chrono::seconds retry_after_;
};

constexpr milliseconds kFirstPause{500};
constexpr milliseconds kLongestPause{5000};

void SayThatApprovalIsWaitedFor(const std::string& url, milliseconds timeout) {
  pg::Call([&] {
    ereport(NOTICE, (errmsg("waiting for approval of the peer at %s", url.c_str()),
                     errdetail("It is asked again for " INT64_FORMAT " seconds (\"timeout\" of "
                               "sync_connect()).",
                               static_cast<int64>(timeout.count() / 1000))));
  });
}

}  // namespace

void NativePeer::RunPatiently(bool transfers, const std::function<void()>& request) {
  const auto give_up = Clock::now() + timeout_;
  milliseconds pause = kFirstPause;
  bool said = false;
  for (;;) {
    try {
      request();
      return;
    } catch (const MayWait& refusal) {
      if (!refusal.for_approval() && !transfers) throw;
      const milliseconds wait = std::max<milliseconds>(pause, refusal.retry_after());
      if (Clock::now() + wait >= give_up) throw;
      if (refusal.for_approval() && !said) SayThatApprovalIsWaitedFor(url_.Display(), timeout_);
      said = said || refusal.for_approval();
      pause = std::min(pause * 3 / 2, kLongestPause);
      pg::Sleep(wait);
    }
  }
}

void NativePeer::Dial() {
  DropConnection();
  net::DialOptions options;
  options.ca_file = settings::ssl_ca_file;
  options.refuse_address = AddressPolicy(url_);
  if (!waiter_.deadline()) waiter_.set_deadline(Clock::now() + timeout_);
  auto stream = net::Dial(url_, options, waiter_);
  http_ = std::make_unique<net::HttpClientConnection>(std::move(stream), url_.Authority());
  connection_number_++;
}

void NativePeer::DropConnection() {
  if (http_) {
    earlier_in_ += http_->stream().bytes_in();
    earlier_out_ += http_->stream().bytes_out();
  }
  waiter_.Forget();
  http_.reset();
}

net::HttpRequest NativePeer::Request(const std::string& method, const std::string& operation,
                                     const char* accept) const {
  net::HttpRequest request;
  request.method = method;
  request.target = Cat(url_.path, core::kNativePath, operation);
  request.headers.emplace_back("Accept", accept);
  if (!ticket_.empty()) request.headers.emplace_back("Authorization", Cat("Bearer ", ticket_));
  return request;
}

net::HttpResponse NativePeer::Send(const std::string& method, const std::string& operation,
                                   const std::string& body, const char* accept) {
  net::HttpRequest request = Request(method, operation, accept);
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = body;
  net::HttpResponse response = http_->Send(request);
  NoteSnapshot(response);
  return response;
}

void NativePeer::NoteSnapshot(const net::HttpResponse& response) {
  if (const auto taken = net::FindHeader(response.headers, core::kSnapshotHeader))
    snapshot_at_ = std::strtoll(taken->c_str(), nullptr, 10);
}

// Reads the error out of a refusal. What is none of ours came from something else on the way.
void NativePeer::RaiseRefusal(const net::HttpResponse& response) {
  const std::string body = http_->ReadBody(ReplyLimit());
  core::RemoteError remote;
  try {
    remote = core::RemoteError::FromJson(body);
  } catch (const Error&) {
    if (core::IsGatewayFailure(response.status))
      throw core::GatewayError(url_.Display(), response.status, body);
    throw Error(sqlstate::kProtocolViolation,
                Cat("the peer at ", url_.Display(), " does not answer as a sync server"))
        .WithDetail(core::StatusDetail(response.status, body));
  }
  Error error = pg::ErrorFromWire(remote.ToError());
  const auto waits_for = net::FindHeader(response.headers, core::kWaitHeader);
  if (waits_for == core::kWaitForApproval || waits_for == core::kWaitForRate) {
    throw MayWait(std::move(error), waits_for == core::kWaitForApproval,
                  net::RetryAfter(response.headers).value_or(std::chrono::seconds(0)));
  }
  throw error;
}

core::JsonDocument NativePeer::Exchange(const std::string& method, const std::string& operation,
                                        const std::string& body) {
  EnsureConnection();
  return Guarded([&] {
    const net::HttpResponse response = Send(method, operation, body, "application/json");
    if (response.status != 200) RaiseRefusal(response);
    return pg::ParsePeerJson(http_->ReadBody(ReplyLimit()), "reply of the peer");
  });
}

// Asks what is there, which spends nothing.
void NativePeer::CheckIsSync() {
  const net::HttpResponse response = [&] {
    try {
      return Send("GET", "", "", "application/json");
    } catch (const core::TimeoutError&) {
      throw;
    } catch (const Error& error) {
      // As PostgreSQL does where it is spoken to in HTTP.
      if (error.state() != sqlstate::kConnectionLost) throw;
      throw Error(error).WithHint(
          "The port in the URL has to be that of sync (sync.port), not that of PostgreSQL.");
    }
  }();
  const std::string body = http_->ReadBody(kSmallReply);
  if (response.status == 503 || response.status == 403) {
    // Busy, or not without TLS: said by a sync server, if it is in its words.
    std::optional<core::RemoteError> error;
    try {
      error = core::RemoteError::FromJson(body);
    } catch (const Error&) {  // something else has answered
    }
    if (error) throw error->ToError();
  }
  if (core::IsGatewayFailure(response.status))
    throw core::GatewayError(url_.Display(), response.status, body);
  core::ServerInfo info;
  try {
    if (response.status != 200) throw Error(sqlstate::kProtocolViolation, "");
    const core::JsonDocument document = core::ParseJson(body, "reply of the peer");
    info = core::ServerInfo::FromJson(core::JsonObject(document, "reply of the peer"));
  } catch (const Error&) {
    throw NotNativeError(
        Error(sqlstate::kProtocolViolation,
              Cat("the peer at ", url_.Display(), " is no sync server"))
            .WithDetail(Cat("It answered GET ", url_.path, core::kNativePath, " with status ",
                            response.status, ": ", core::Excerpt(body, 100)))
            .WithHint("The URL is the one that sync_get_config() shows there as listen_url; of a "
                      "PhoenixKit site, the one under which PhoenixKit is mounted."));
  }
  software_ = info.software;
  digests_ = info.Has(core::kDigestFeature) ? DigestsOf(*this) : nullptr;
  if (std::find(info.versions.begin(), info.versions.end(), core::kNativeVersion) ==
      info.versions.end()) {
    throw Error(sqlstate::kProtocolViolation,
                Cat("the peer at ", url_.Display(),
                    " speaks no version of the protocol that is known here"))
        .WithDetail(Cat("It runs sync ", core::Excerpt(info.software, 50), "."));
  }
}

void NativePeer::SpendCode(const NativeCredentials& credentials) {
  core::JsonWriter json;
  json.BeginObject();
  if (credentials.code) json.Field("code", *credentials.code);
  if (credentials.token) json.Field("token", *credentials.token);
  if (credentials.password) json.Field("password", *credentials.password);
  json.EndObject();
  const net::HttpResponse response =
      Send("POST", "connect", pg::ToUtf8(json.Take()), "application/json");
  if (response.status != 200) RaiseRefusal(response);
  const core::JsonDocument document =
      core::ParseJson(http_->ReadBody(kSmallReply), "reply of the peer");
  const auto reply = core::ConnectReply::FromJson(core::JsonObject(document, "reply of the peer"));
  ticket_ = reply.ticket;
  direction_ = reply.direction;
}

void NativePeer::Connect(const NativeCredentials& credentials) {
  const auto deadline = Clock::now() + timeout_;
  milliseconds retry = kBusyRetry;
  std::optional<Error> refused;
  for (;;) {
    waiter_.set_deadline(deadline);
    try {
      Guarded([&] {
        Dial();
        CheckIsSync();
        SpendCode(credentials);
      });
      break;
    } catch (const MayWait& refusal) {
      retry = std::max<milliseconds>(kBusyRetry, refusal.retry_after());
      if (Clock::now() + retry >= deadline) throw;
      refused = refusal;
    } catch (const Error& error) {
      const bool busy = error.state() == sqlstate::kTooManyConnections;
      // Time is up while it is asked once more: what it has said before is why.
      if (refused && error.state() == sqlstate::kQueryCanceled) throw *refused;
      if (!busy || Clock::now() + kBusyRetry >= deadline) throw;
      refused = error;
      retry = kBusyRetry;
    }
    DropConnection();
    pg::Sleep(retry);
  }
  waiter_.set_deadline(std::nullopt);
  LimitSilence(timeout_);
}

void NativePeer::LimitSilence(std::optional<milliseconds> limit) {
  waiter_.set_read_limit(limit);
  waiter_.set_write_limit(limit);
}

// Before an exchange: the connection that is there, or a new one with the ticket.
void NativePeer::EnsureConnection() {
  if (http_ && http_->reusable() && !net::PeerHasGone(http_->stream().fd())) return;
  if (ticket_.empty()) {
    throw Error(sqlstate::kConnectionLost, "not connected to the peer")
        .WithHint("Connect again with sync_connect(); a code has to be a new one.");
  }
  Guarded([&] {
    const auto give_up = Clock::now() + std::min(kOldConnection, timeout_);
    for (;;) {
      waiter_.set_deadline(Clock::now() + timeout_);
      Dial();
      snapshot_at_ = 0;
      const net::HttpResponse response = Send("GET", "session", "", "application/json");
      if (response.status == 200) {
        (void)http_->ReadBody(kSmallReply);
        break;
      }
      try {
        RaiseRefusal(response);
      } catch (const Error& error) {
        const bool passing = error.state() == sqlstate::kObjectInUse ||
                             error.state() == sqlstate::kTooManyConnections;
        if (!passing || Clock::now() + kBusyRetry >= give_up) {
          if (error.state() != sqlstate::kInvalidAuthorization) throw;
          throw Error(sqlstate::kConnectionLost, "connection lost: the peer has ended the session")
              .WithHint("Connect again with sync_connect(); a code has to be a new one.");
        }
      }
      DropConnection();
      pg::Sleep(kBusyRetry);
    }
    waiter_.set_deadline(std::nullopt);
  });
}

bool NativePeer::Connected() {
  return http_ && http_->reusable() && !net::PeerHasGone(http_->stream().fd());
}

void NativePeer::Disconnect() {
  if (!Connected()) {
    DropConnection();
    ticket_.clear();
    return;
  }
  waiter_.set_deadline(Clock::now() + kGoodbye);
  try {
    (void)Send("DELETE", "connect", "", "application/json");
  } catch (const Error& error) {
    // The peer finds out when the connection is closed.
    pg::Call([&] { ereport(DEBUG1, (errmsg_internal("sync: goodbye failed: %s", error.what()))); });
  }
  DropConnection();
  ticket_.clear();
}

PeerFacts NativePeer::Facts() const {
  PeerFacts facts;
  facts.protocol = "native";
  facts.version = software_;
  facts.snapshot_at = snapshot_at_;
  facts.bytes_in = earlier_in_ + (http_ ? http_->stream().bytes_in() : 0);
  facts.bytes_out = earlier_out_ + (http_ ? http_->stream().bytes_out() : 0);
  return facts;
}

std::unique_ptr<Peer> ConnectNative(const net::Url& url, const NativeCredentials& credentials,
                                    milliseconds timeout) {
  auto peer = std::make_unique<NativePeer>(url, timeout);
  peer->Connect(credentials);
  return peer;
}

}  // namespace pgsync::client
