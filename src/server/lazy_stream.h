// A response that begins with its first bytes: until then there can be another in its place.
#pragma once

#include <string>

#include "net/http_server.h"

namespace pgsync::server {

/// A JSON text with status 200.
class LazyStream : public core::ByteSink {
 public:
  explicit LazyStream(net::HttpServerConnection& http) : http_(http) {}

  void Write(const std::string_view* pieces, size_t count) override {
    Begin();
    sink_->Write(pieces, count);
  }
  void Write(std::string_view text) { Write(&text, 1); }
  void End() {
    Begin();
    http_.EndStream();
  }
  bool begun() const { return sink_ != nullptr; }
  /// Text that comes before all else.
  void set_head(std::string head) { head_ = std::move(head); }

 private:
  void Begin() {
    if (sink_ != nullptr) return;
    sink_ = &http_.BeginStream(200, "application/json");
    const std::string_view head = head_;
    sink_->Write(&head, 1);
  }

  net::HttpServerConnection& http_;
  core::ByteSink* sink_ = nullptr;
  std::string head_;
};

}  // namespace pgsync::server
