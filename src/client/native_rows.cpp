// Rows of tables from a peer of the native protocol.
#include "client/native_connection.h"
#include "core/text.h"
#include "pg/settings.h"

namespace pgsync::client {

using core::Error;
namespace settings = pg::settings;
namespace sqlstate = core::sqlstate;

// A stream of rows of one table.
class NativeRowFeed : public engine::RowFeed {
 public:
  NativeRowFeed(NativePeer& peer, core::RowsRequest request, const char* media_type)
      : peer_(peer), request_(std::move(request)), media_type_(media_type) {}

  core::RowHeader Begin() override {
    return peer_.Patient(!request_.limit, [&] { return Ask(); });
  }

  core::RowHeader Ask() {
    return peer_.Guarded([&] {
      peer_.RequireSameConnection();
      const net::HttpResponse response =
          peer_.Send("POST", "rows", pg::ToUtf8(request_.ToJson()), media_type_);
      if (response.status != 200) peer_.RaiseRefusal(response);
      reader_ = std::make_unique<core::RowStreamReader>(peer_.http_->body());
      const core::JsonDocument header = pg::ParsePeerJson(
          Converted([&] { return reader_->Header(); }), "header of the row stream");
      return core::RowHeader::FromJson(core::JsonObject(header, "header of the row stream"));
    });
  }

  bool Next(core::RowStreamReader::Rows* rows) override {
    return peer_.Guarded([&] {
      if (Converted([&] { return reader_->Next(rows); })) return true;
      peer_.RequireEnd();
      return false;
    });
  }

  void Drain() override {
    core::RowStreamReader::Rows rows;
    while (!reader_->at_end() && Next(&rows))
      pg::CheckInterrupts();
  }

 private:
  // An error frame is the peer's, in UTF-8. What follows it is only the end of the response; where
  // that does not come, the connection is given up, but the error is still what there is to say.
  template <typename Body>
  auto Converted(Body&& body) -> decltype(body()) {
    try {
      return body();
    } catch (const core::TimeoutError&) {
      throw;
    } catch (const Error& error) {
      if (reader_->at_end()) SkipEnd();
      throw pg::ErrorFromWire(error);
    }
  }

  void SkipEnd() {
    try {
      char byte;
      (void)peer_.http_->body().Read(&byte, 1);
    } catch (const Error& error) {
      const char* reason = error.what();
      pg::Call(
          [&] { ereport(DEBUG1, (errmsg_internal("sync: after an error frame: %s", reason))); });
    }
  }

  NativePeer& peer_;
  core::RowsRequest request_;
  const char* media_type_;
  std::unique_ptr<core::RowStreamReader> reader_;
};

void NativePeer::RequireSameConnection() const {
  if (http_ && http_->reusable() && opened_on_ == connection_number_) return;
  throw Error(sqlstate::kConnectionLost, "connection lost: the snapshot of this call is gone");
}

// Reads the end of the response itself, so that the connection can be used again.
void NativePeer::RequireEnd() {
  char byte;
  if (http_->body().Read(&byte, 1) == 0) return;
  throw Error(sqlstate::kProtocolViolation, "row stream of the peer is malformed")
      .WithDetail("Something follows its end.");
}

void NativePeer::Fetch(const FetchRequest& request,
                       const std::function<void(const std::string&)>& take) {
  core::RowsRequest rows;
  rows.table = request.table;
  rows.limit = request.limit;
  rows.offset = request.offset;
  rows.after = request.after;
  rows.compress = settings::compression;
  EnsureConnection();
  opened_on_ = connection_number_;
  NativeRowFeed feed(*this, std::move(rows), core::kJsonFrameMediaType);
  feed.Begin();
  core::RowStreamReader::Rows frame;
  while (feed.Next(&frame)) {
    pg::CheckInterrupts();
    const char* at = frame.data;
    const char* const end = frame.data + frame.size;
    for (uint32_t i = 0; i < frame.count; i++) {
      uint32_t size = 0;
      at += core::NullBitmapSize(1);
      if (at > end || !core::GetVarint(&at, end, &size) || static_cast<size_t>(end - at) < size) {
        throw Error(sqlstate::kProtocolViolation, "row stream of the peer is malformed");
      }
      take(pg::FromUtf8(std::string(at, size)));
      at += size;
    }
  }
}

std::unique_ptr<engine::RowFeed> NativePeer::Rows(const core::RowsRequest& request,
                                                  const catalog::Table*) {
  return std::make_unique<NativeRowFeed>(*this, request, core::kFrameMediaType);
}

}  // namespace pgsync::client
