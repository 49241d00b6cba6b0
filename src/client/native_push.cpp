// Pushing over the native protocol (core/push_protocol.h).
#include "client/native_connection.h"
#include "pg/settings.h"

namespace pgsync::client {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

class NativePush : public PushChannel {
 public:
  NativePush(NativePeer& peer, const core::PushRequest& request) : peer_(peer) {
    peer_.EnsureConnection();
    peer_.opened_on_ = peer_.connection_number_;
    peer_.LimitSilence(std::nullopt);
    try {
      Ask([&] {
        return peer_.Send("POST", "push/open", pg::ToUtf8(request.ToJson()), "application/json");
      });
    } catch (...) {
      End();  // the destructor of what was not constructed does not run
      throw;
    }
  }
  ~NativePush() override { End(); }
  NativePush(const NativePush&) = delete;
  NativePush& operator=(const NativePush&) = delete;

  const core::PushStep& step() const override { return step_; }

  void SendRows(const std::function<void(core::ByteSink&, const Answered&)>& send) override {
    Ask([&] {
      peer_.RequireSameConnection();
      net::HttpRequest request = peer_.Request("POST", "push/rows", "application/json");
      request.headers.emplace_back("Content-Type", core::kFrameMediaType);
      net::HttpClientConnection& http = *peer_.http_;
      send(http.BeginUpload(request), [&http] { return http.Answered(); });
      return http.EndUpload();
    });
  }

  void Commit() override {
    bool asked = false, answered = false;
    try {
      peer_.Guarded([&] {
        peer_.RequireSameConnection();
        asked = true;
        const net::HttpResponse response =
            peer_.Send("POST", "push/commit", "", "application/json");
        answered = true;
        over_ = true;
        if (response.status != 200) peer_.RaiseRefusal(response);
      });
    } catch (const Error& error) {
      if (!asked || answered) throw;
      RaiseUnknown(sqlstate::kOutcomeUnknown, error.message());
    } catch (const pg::PgError& error) {
      if (!asked || answered) throw;
      RaiseUnknown(error.state(), error.message());
    }
    // It has been committed; what is left of the answer says nothing more.
    try {
      (void)peer_.http_->ReadBody(NativePeer::ReplyLimit());
    } catch (const Error& error) {
      pg::Call([&] {
        ereport(DEBUG1, (errmsg_internal("sync: after the commit of a push: %s", error.what())));
      });
      peer_.DropConnection();
    }
  }

 private:
  // An exchange whose answer is a step, or an error, with which the push is over on both sides.
  template <typename Body>
  void Ask(Body&& exchange) {
    peer_.Guarded([&] {
      const net::HttpResponse response = exchange();
      if (response.status != 200) {
        over_ = true;
        peer_.RaiseRefusal(response);
      }
      const core::JsonDocument reply =
          pg::ParsePeerJson(peer_.http_->ReadBody(NativePeer::ReplyLimit()), "reply of the peer");
      step_ = core::PushStep::FromJson(core::JsonObject(reply, "reply of the peer"));
    });
    if (!step_.rows) return;
    step_.rows->compress = step_.rows->compress && pg::settings::compression &&
                           !net::PeerIsLocal(peer_.http_->stream().fd());
  }

  void End() noexcept {
    if (!over_) peer_.DropConnection();
    over_ = true;
    peer_.LimitSilence(peer_.timeout_);
  }

  [[noreturn]] static void RaiseUnknown(core::SqlState state, const std::string& reason) {
    throw Error(state, Cat("the outcome of the push is unknown: ", reason))
        .WithDetail("The peer had been asked to commit, and has not said whether it did.")
        .WithHint("Look at the peer's tables before you push again.");
  }

  NativePeer& peer_;
  core::PushStep step_;
  bool over_ = false;
};

std::unique_ptr<PushChannel> NativePeer::Push(const core::PushRequest& request) {
  return std::make_unique<NativePush>(*this, request);
}

}  // namespace pgsync::client
