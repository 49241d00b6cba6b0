// Row streams made and read in memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/row_stream.h"

namespace pgsync::test {

class StringSink : public core::ByteSink {
 public:
  void Write(const std::string_view* pieces, size_t count) override {
    for (size_t i = 0; i < count; i++)
      bytes.append(pieces[i]);
  }
  std::string bytes;
};

/// Hands out at most `step` bytes at a time.
class StringSource : public core::ByteSource {
 public:
  explicit StringSource(std::string_view bytes, size_t step = SIZE_MAX)
      : left_(bytes), step_(step) {}
  size_t Read(char* to, size_t size) override {
    const size_t got = std::min({size, step_, left_.size()});
    left_.copy(to, got);
    left_.remove_prefix(got);
    return got;
  }
  size_t left() const { return left_.size(); }

 private:
  std::string_view left_;
  size_t step_;
};

inline std::string Big(uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
  return out;
}

/// The payload of a 'D' frame.
inline std::string Payload(uint32_t count, std::string_view rows) {
  return Big(count, 4).append(rows);
}

/// A frame as it travels.
inline std::string Frame(char kind, uint8_t flags, std::string_view payload) {
  return std::string{kind, static_cast<char>(flags), 0, 0} + Big(payload.size(), 4) +
         std::string(payload);
}

/// An end frame for these payloads of 'D' frames.
inline std::string EndFrame(uint64_t rows, const std::vector<std::string>& payloads) {
  core::StreamDigest digest;
  for (const std::string& payload : payloads)
    digest.Add(payload);
  return Frame('E', 0, Big(rows, 8) + digest.Finish());
}

using Frames = std::vector<std::pair<uint32_t, std::string>>;  // count and bytes of the rows

inline constexpr char kHeader[] = "{\"encoding\":\"UTF8\",\"columns\":[]}";

/// A whole stream, as the writer makes it.
inline std::string MakeStream(const Frames& frames, bool compress) {
  StringSink sink;
  core::RowStreamWriter writer(sink, compress);
  writer.Header(kHeader);
  for (const auto& [count, rows] : frames)
    writer.Rows(Payload(count, rows), count);
  writer.End();
  return sink.bytes;
}

/// What a reader makes of a stream; `frames` is filled as far as it came, whatever it raises.
struct Reading {
  std::string header;
  Frames frames;
  bool ended = false;
};
inline void ReadAll(core::ByteSource& source, Reading* reading) {
  core::RowStreamReader reader(source);
  reading->header = reader.Header();
  core::RowStreamReader::Rows rows;
  while (reader.Next(&rows)) {
    reading->frames.emplace_back(rows.count, std::string(rows.data, rows.size));
    rows.data[rows.size] = '\0';  // belongs to the caller, too
  }
  reading->ended = true;
}
inline Reading ReadAll(std::string_view bytes, size_t step = SIZE_MAX) {
  StringSource source(bytes, step);
  Reading reading;
  ReadAll(source, &reading);
  return reading;
}

}  // namespace pgsync::test
