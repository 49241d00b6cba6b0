// A stream whose other end is written down beforehand: what is read comes in the pieces that the
// test chose, and what is written is kept.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "net/stream.h"

namespace pgsync::test {

class ScriptedStream : public net::Stream {
 public:
  /// Each read ends with the end of a piece at the latest. Behind the last one is the end of the
  /// stream.
  explicit ScriptedStream(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}

  /// A read behind the last piece would wait for ever: it fails the test instead.
  ScriptedStream& StayOpen() {
    stay_open_ = true;
    return *this;
  }

  /// Until released, only a read that waits gets anything.
  ScriptedStream& Hold(bool hold) {
    held_ = hold;
    return *this;
  }

  void Close() noexcept override {}
  int fd() const override { return -1; }
  bool encrypted() const override { return false; }

  std::string written;

 protected:
  size_t DoRead(char* to, size_t size) override {
    while (at_ < pieces_.size() && offset_ == pieces_[at_].size()) {
      at_++;
      offset_ = 0;
    }
    if (at_ == pieces_.size()) {
      if (stay_open_) throw std::runtime_error("reads on where nothing more has to come");
      return 0;
    }
    const size_t got = std::min(size, pieces_[at_].size() - offset_);
    pieces_[at_].copy(to, got, offset_);
    offset_ += got;
    return got;
  }

  std::optional<size_t> DoTryRead(char* to, size_t size) override {
    if (held_) return std::nullopt;
    return DoRead(to, size);
  }

  size_t DoWrite(const iovec* pieces, int count) override {
    size_t size = 0;
    for (int i = 0; i < count; i++) {
      written.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      size += pieces[i].iov_len;
    }
    return size;
  }

 private:
  std::vector<std::string> pieces_;
  size_t at_ = 0;
  size_t offset_ = 0;
  bool stay_open_ = false;
  bool held_ = true;
};

/// Every way to send `message`: whole, byte by byte, and cut in two at every place.
inline std::vector<std::vector<std::string>> Fragmentations(const std::string& message) {
  std::vector<std::vector<std::string>> all = {{message}, {}};
  for (char byte : message)
    all.back().push_back(std::string(1, byte));
  for (size_t at = 1; at < message.size(); at++) {
    all.push_back({message.substr(0, at), message.substr(at)});
  }
  return all;
}

}  // namespace pgsync::test
