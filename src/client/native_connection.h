// The connection behind a peer of the native protocol; for the files that speak it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/native_peer.h"
#include "core/text.h"
#include "net/http_client.h"
#include "pg/encoding.h"
#include "pg/wait.h"

namespace pgsync::client {

class NativePeer : public Peer {
 public:
  NativePeer(net::Url url, std::chrono::milliseconds timeout)
      : url_(std::move(url)), timeout_(timeout) {}

  void Connect(const NativeCredentials& credentials);

  std::vector<core::TableListEntry> ListTables(const std::optional<std::string>& schema,
                                               bool exact_counts) override;
  core::TableInfo GetSchema(const std::string& table) override;
  std::vector<core::TableInfo> GetDefinitions(const std::vector<std::string>& tables) override;
  int64 Count(const std::string& table) override;
  void Fetch(const FetchRequest& request,
             const std::function<void(const std::string&)>& take) override;
  std::vector<core::OpenedTable> Open(const std::vector<std::string>& tables) override;
  std::unique_ptr<engine::RowFeed> Rows(const core::RowsRequest& request,
                                        const catalog::Table* target) override;
  std::unique_ptr<PushChannel> Push(const core::PushRequest& request) override;
  engine::DigestSource* digests() override;
  bool Connected() override;
  void Disconnect() override;
  PeerFacts Facts() const override;

 private:
  friend class NativeRowFeed;
  friend class NativePush;
  friend class NativeDigests;

  static size_t ReplyLimit();
  void Dial();
  void DropConnection();
  void EnsureConnection();
  void LimitSilence(std::optional<std::chrono::milliseconds> limit);
  void RequireSameConnection() const;
  net::HttpRequest Request(const std::string& method, const std::string& operation,
                           const char* accept) const;
  net::HttpResponse Send(const std::string& method, const std::string& operation,
                         const std::string& body, const char* accept);
  core::JsonDocument Exchange(const std::string& method, const std::string& operation,
                              const std::string& body);
  [[noreturn]] void RaiseRefusal(const net::HttpResponse& response);
  void CheckIsSync();
  void SpendCode(const NativeCredentials& credentials);
  void RequireEnd();
  void NoteSnapshot(const net::HttpResponse& response);
  static std::unique_ptr<engine::DigestSource> DigestsOf(NativePeer& peer);

  /// Runs a request; where the peer refuses it for now, again, with growing pauses, until the
  /// timeout is over. For somebody to approve always; for the peer's rate only if the request is
  /// part of a transfer, which is not to break off for that.
  template <typename Body>
  auto Patient(bool transfers, Body&& body) -> decltype(body()) {
    std::optional<decltype(body())> answer;
    RunPatiently(transfers, [&] { answer.emplace(body()); });
    return std::move(*answer);
  }
  void RunPatiently(bool transfers, const std::function<void()>& request);

  /// Runs an exchange: whatever it throws, the connection is of no use if it has not been read to
  /// the end; a wait that took too long is the caller's time-out.
  template <typename Body>
  auto Guarded(Body&& body) -> decltype(body()) {
    try {
      return body();
    } catch (const core::TimeoutError& error) {
      DropConnection();
      throw core::Error(core::sqlstate::kQueryCanceled, error.message())
          .WithDetail(core::Cat("The peer at ", url_.Display(), " was silent for ",
                                timeout_.count(), " ms."))
          .WithHint("Pass a longer \"timeout\" to sync_connect().");
    } catch (...) {
      if (http_ && !http_->reusable()) DropConnection();
      throw;
    }
  }

  net::Url url_;
  std::chrono::milliseconds timeout_;
  pg::LatchWaiter waiter_;
  std::unique_ptr<net::HttpClientConnection> http_;
  std::string ticket_;
  std::string direction_;
  std::string software_;
  std::unique_ptr<engine::DigestSource> digests_;  // null: the peer has none
  int64 snapshot_at_ = 0;
  int connection_number_ = 0;
  int opened_on_ = 0;  // the connection on which tables were opened
  uint64_t earlier_in_ = 0, earlier_out_ = 0;
};

}  // namespace pgsync::client
