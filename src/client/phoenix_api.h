// Calls of the HTTP JSON API of a PhoenixKit site.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/json.h"
#include "net/http_client.h"
#include "net/url.h"
#include "pg/wait.h"

namespace pgsync::client {

class PhoenixApi {
 public:
  struct Reply {
    int status = 0;
    std::string body;
    std::optional<std::chrono::seconds> retry_after;
  };

  /// `url`: its path is the prefix under which the API is.
  PhoenixApi(net::Url url, std::chrono::milliseconds timeout)
      : url_(std::move(url)), timeout_(timeout) {}
  ~PhoenixApi() { Close(); }
  PhoenixApi(const PhoenixApi&) = delete;
  PhoenixApi& operator=(const PhoenixApi&) = delete;

  /// Whether a PhoenixKit site is there. Tells it nothing about us. Raises as Call(), and 08001
  /// where a proxy says that it does not reach what is there.
  bool IsThere();

  /// One call, over the connection of the last one while the site keeps that. Raises 08001 where
  /// the site cannot be reached, 08006 where the connection is lost, 42501 where settings forbid
  /// the address, 57014 where no answer comes in time; a status is a value. A site that is asked
  /// too often and says when it may be asked again is asked again then, if that is within the
  /// timeout.
  Reply Call(const std::string& method, const std::string& name, const std::string& body);

  /// What an answer says, numbers exact: `what` for messages. Raises by its status: 28000 for 401,
  /// 42501 for 403, 42P01 for 404 in the site's words (else 08P01: a page of something on the way),
  /// 53400 for 429, 55000 for 503, XX000 for the rest; 08001 where a proxy does not reach it, 08P01
  /// where it is none, or not a success.
  core::JsonDocument Read(const Reply& reply, const std::string& what) const;

  void Close() noexcept;
  const net::Url& url() const { return url_; }
  uint64_t bytes_in() const { return earlier_in_ + (http_ ? http_->stream().bytes_in() : 0); }
  uint64_t bytes_out() const { return earlier_out_ + (http_ ? http_->stream().bytes_out() : 0); }

 private:
  void EnsureConnection();
  Reply Exchange(const net::HttpRequest& request);
  Reply CallOnce(const net::HttpRequest& request);

  net::Url url_;
  std::chrono::milliseconds timeout_;
  pg::LatchWaiter waiter_;
  std::unique_ptr<net::HttpClientConnection> http_;
  uint64_t earlier_in_ = 0, earlier_out_ = 0;
};

/// The prefix of the PhoenixKit site behind a URL: its path, or where it has none what PhoenixKit
/// has by default; nullopt where there is no such site. Spends nothing and gives nothing away.
std::optional<std::string> FindPhoenixSite(const net::Url& url, std::chrono::milliseconds timeout);

}  // namespace pgsync::client
