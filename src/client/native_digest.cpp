// Comparing tables over the native protocol (core/digest_protocol.h).
#include "client/native_connection.h"

namespace pgsync::client {

using core::Error;

class NativeDigests : public engine::DigestSource {
 public:
  explicit NativeDigests(NativePeer& peer) : peer_(peer) {}

  std::unique_ptr<Pending> Digest(const core::DigestRequest& request) override {
    return std::make_unique<Answer>(peer_, "digest", pg::ToUtf8(request.ToJson()));
  }
  std::unique_ptr<Pending> Cells(int bits) override {
    core::JsonWriter json;
    json.BeginObject().Field("bits", bits).EndObject();
    return std::make_unique<Answer>(peer_, "digest/cells", json.Take());
  }

 private:
  class Answer : public Pending {
   public:
    Answer(NativePeer& peer, const char* operation, std::string body)
        : peer_(peer), operation_(operation), body_(std::move(body)) {
      Ask();
    }
    ~Answer() override {
      if (!over_) peer_.DropConnection();
    }
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;

    core::Sketch Wait(const std::function<void(uint64_t)>& progress) override {
      return peer_.Patient(true, [&] {
        if (over_) Ask();  // it was refused for now
        return Receive(progress);
      });
    }

   private:
    void Ask() {
      peer_.Guarded([&] {
        peer_.RequireSameConnection();
        net::HttpRequest request = peer_.Request("POST", operation_, core::kFrameMediaType);
        request.headers.emplace_back("Content-Type", "application/json");
        request.body = body_;
        peer_.http_->Begin(request);
      });
      over_ = false;
    }

    core::Sketch Receive(const std::function<void(uint64_t)>& progress) {
      return peer_.Guarded([&] {
        const net::HttpResponse response = peer_.http_->Receive();
        peer_.NoteSnapshot(response);
        if (response.status != 200) {
          over_ = true;
          peer_.RaiseRefusal(response);
        }
        try {
          core::Sketch sketch = Read(progress);
          over_ = true;
          return sketch;
        } catch (const core::TimeoutError&) {
          throw;
        } catch (const Error& error) {
          throw pg::ErrorFromWire(error);
        }
      });
    }

    core::Sketch Read(const std::function<void(uint64_t)>& progress) {
      core::RowStreamReader stream(peer_.http_->body());
      (void)stream.Header();
      core::DigestStreamReader reader;
      core::RowStreamReader::Rows frame;
      while (stream.Next(&frame)) {
        pg::CheckInterrupts();
        const auto rows = reader.Take(frame);
        if (rows) progress(*rows);
      }
      peer_.RequireEnd();
      return reader.Finish();
    }

    NativePeer& peer_;
    const char* operation_;
    const std::string body_;
    bool over_ = false;  // the answer has been read to its end, or is of no use
  };

  NativePeer& peer_;
};

std::unique_ptr<engine::DigestSource> NativePeer::DigestsOf(NativePeer& peer) {
  return std::make_unique<NativeDigests>(peer);
}

engine::DigestSource* NativePeer::digests() {
  return digests_.get();
}

}  // namespace pgsync::client
