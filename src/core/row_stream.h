// The framed stream in which the native protocol carries the rows of a table.
//
//   stream  := header rows* (end | error)
//   frame   := kind:u8 flags:u8 reserved:u16 length:u32 payload[length]      (big-endian)
//   header  'H'  JSON: the columns and how each is encoded
//   rows    'D'  count:u32, then `count` rows (rows/row_format.h tells what a row looks like)
//   end     'E'  rows:u64, then XXH3-128 (canonical form) of all 'D' payloads in their order
//   error   'X'  JSON: sqlstate, message, detail, hint
//
// Flag 1 says that the payload is a flushed piece of one zstd stream that runs through all 'D'
// frames; the digest is taken before compression. A stream that stops without 'E' or 'X' was cut,
// whatever the layer below says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/peer_error.h"

struct XXH3_state_s;
struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace pgsync::core {

/// Where a writer puts bytes. May throw.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  /// Writes all of the pieces, one after the other.
  virtual void Write(const std::string_view* pieces, size_t count) = 0;
};

/// Where a reader takes bytes from. May throw.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Reads between 1 and `size` bytes; 0 only at the end.
  virtual size_t Read(char* to, size_t size) = 0;
};

inline constexpr size_t kFrameHeaderSize = 8;
/// Largest payload of a 'D' frame, before compression: a row may be as large as PostgreSQL's own
/// limit for one allocation.
inline constexpr size_t kMaxRowFrame = 0x3fffffff;
/// Largest payload of the other kinds.
inline constexpr size_t kMaxControlFrame = 16 * 1024 * 1024;

/// Digest over row payloads, in order.
class StreamDigest {
 public:
  StreamDigest();
  void Add(std::string_view bytes);
  std::string Finish() const;  ///< 16 bytes

 private:
  struct Deleter {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Deleter> state_;
};

class RowStreamWriter {
 public:
  RowStreamWriter(ByteSink& sink, bool compress);
  ~RowStreamWriter();

  void Header(std::string_view json);
  /// `payload` begins with the count of its rows.
  void Rows(std::string_view payload, uint32_t rows);
  void End();
  void Fail(const RemoteError& error);

  uint64_t rows() const { return rows_; }

 private:
  void Frame(char kind, uint8_t flags, std::string_view payload);
  std::string_view Compress(std::string_view payload);

  struct CompressorDeleter {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  ByteSink& sink_;
  std::unique_ptr<ZSTD_CCtx_s, CompressorDeleter> compressor_;
  std::vector<char> compressed_;
  StreamDigest digest_;
  uint64_t rows_ = 0;
};

class RowStreamReader {
 public:
  explicit RowStreamReader(ByteSource& source);
  ~RowStreamReader();

  /// Reads the header frame. Raises the peer's error if that comes in its place.
  std::string Header();

  /// One 'D' frame. `data` is writable and has one more byte behind its end; both last until the
  /// next call.
  struct Rows {
    uint32_t count = 0;
    char* data = nullptr;
    size_t size = 0;
  };
  /// The next rows; false after the end frame, whose count and digest have then been found right.
  /// Raises the peer's error (RemoteError as core::Error), 08006 if the stream was cut, 08P01 if it
  /// is malformed.
  bool Next(Rows* rows);

  uint64_t rows() const { return rows_; }
  bool at_end() const { return at_end_; }

 private:
  struct FrameHeader {
    char kind;
    uint8_t flags;
    size_t length;
  };
  FrameHeader ReadFrame();
  void ReadExactly(char* to, size_t size);
  void Inflate(std::string_view compressed);
  void CheckEnd(std::string_view payload);
  [[noreturn]] void RaiseRemote(std::string_view payload);

  struct DecompressorDeleter {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  ByteSource& source_;
  std::unique_ptr<ZSTD_DCtx_s, DecompressorDeleter> decompressor_;
  std::vector<char> payload_;  // as it came
  std::vector<char> plain_;    // decompressed
  size_t plain_used_ = 0;
  StreamDigest digest_;
  uint64_t rows_ = 0;
  bool at_end_ = false;
};

}  // namespace pgsync::core
