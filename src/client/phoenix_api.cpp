#include "client/phoenix_api.h"

#include <algorithm>

#include "client/allowed_peers.h"
#include "core/peer_error.h"
#include "core/phoenix_site.h"
#include "core/text.h"
#include "net/dialer.h"
#include "pg/encoding.h"
#include "pg/settings.h"

namespace pgsync::client {

using core::Cat;
using core::Clock;
using core::Error;
using std::chrono::milliseconds;
namespace settings = pg::settings;
namespace sqlstate = core::sqlstate;

namespace {
constexpr milliseconds kLeastPause{500};
}

void PhoenixApi::EnsureConnection() {
  if (http_ && http_->reusable() && !net::PeerHasGone(http_->stream().fd())) return;
  Close();
  net::DialOptions options;
  options.ca_file = settings::ssl_ca_file;
  options.refuse_address = AddressPolicy(url_);
  waiter_.set_deadline(Clock::now() + timeout_);
  http_ = std::make_unique<net::HttpClientConnection>(net::Dial(url_, options, waiter_),
                                                      url_.Authority());
  waiter_.set_deadline(std::nullopt);
  waiter_.set_read_limit(timeout_);
  waiter_.set_write_limit(timeout_);
}

PhoenixApi::Reply PhoenixApi::Exchange(const net::HttpRequest& request) {
  EnsureConnection();
  Reply reply;
  const net::HttpResponse head = http_->Send(request);
  reply.status = head.status;
  reply.retry_after = net::RetryAfter(head.headers);
  reply.body = http_->ReadBody(static_cast<size_t>(settings::max_message_size_kb) * 1024);
  return reply;
}

PhoenixApi::Reply PhoenixApi::Call(const std::string& method, const std::string& name,
                                   const std::string& body) {
  net::HttpRequest request;
  request.method = method;
  request.target = core::PhoenixApiTarget(url_.path, name);
  request.headers.emplace_back("Accept", "application/json");
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = body;
  const auto give_up = Clock::now() + timeout_;
  for (;;) {
    Reply reply = CallOnce(request);
    if (reply.status != 429 || !reply.retry_after) return reply;
    const auto wait = std::max<milliseconds>(kLeastPause, *reply.retry_after);
    if (Clock::now() + wait >= give_up) return reply;
    pg::Sleep(wait);
  }
}

PhoenixApi::Reply PhoenixApi::CallOnce(const net::HttpRequest& request) {
  try {
    return Exchange(request);
  } catch (const core::TimeoutError& error) {
    Close();
    throw Error(sqlstate::kQueryCanceled, error.message())
        .WithDetail(
            Cat("The peer at ", url_.Display(), " was silent for ", timeout_.count(), " ms."))
        .WithHint("Pass a longer \"timeout\" to sync_connect().");
  } catch (...) {
    if (http_ && !http_->reusable()) Close();
    throw;
  }
}

bool PhoenixApi::IsThere() {
  const Reply reply = Call("GET", "status", "");
  if (core::IsGatewayFailure(reply.status)) {
    throw pg::ErrorFromWire(core::GatewayError(url_.Display(), reply.status, reply.body));
  }
  return reply.status == 200 && core::IsPhoenixStatus(reply.body);
}

core::JsonDocument PhoenixApi::Read(const Reply& reply, const std::string& what) const {
  try {
    return core::ReadPhoenixReply(reply.status, reply.body, what);
  } catch (const Error& error) {
    throw pg::ErrorFromWire(error);
  }
}

void PhoenixApi::Close() noexcept {
  if (http_) {
    earlier_in_ += http_->stream().bytes_in();
    earlier_out_ += http_->stream().bytes_out();
  }
  waiter_.Forget();
  http_.reset();
}

std::optional<std::string> FindPhoenixSite(const net::Url& url, milliseconds timeout) {
  for (const std::string& prefix : core::PhoenixPrefixes(url.path)) {
    net::Url site = url;
    site.path = prefix;
    if (PhoenixApi(site, timeout).IsThere()) return prefix;
  }
  return std::nullopt;
}

}  // namespace pgsync::client
