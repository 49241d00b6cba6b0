#include "core/row_stream.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "core/error.h"
#include "core/text.h"

namespace pgsync::core {

namespace {

constexpr uint8_t kCompressed = 1;
constexpr int kCompressionLevel = 1;

void PutBig(char* to, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; i--) {
    to[i] = static_cast<char>(value & 0xff);
    value >>= 8;
  }
}

uint64_t GetBig(const char* from, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++)
    value = (value << 8) | static_cast<unsigned char>(from[i]);
  return value;
}

Error Broken(std::string why) {
  return Error(sqlstate::kProtocolViolation, "row stream of the peer is malformed")
      .WithDetail(std::move(why));
}

}  // namespace

void StreamDigest::Deleter::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}

StreamDigest::StreamDigest() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_.get());
}

void StreamDigest::Add(std::string_view bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

std::string StreamDigest::Finish() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
  return std::string(reinterpret_cast<const char*>(canonical.digest), sizeof(canonical.digest));
}

// ---------------------------------------------------------------------------------------------

void RowStreamWriter::CompressorDeleter::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

RowStreamWriter::RowStreamWriter(ByteSink& sink, bool compress) : sink_(sink) {
  if (!compress) return;
  compressor_.reset(ZSTD_createCCtx());
  if (!compressor_) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(compressor_.get(), ZSTD_c_compressionLevel, kCompressionLevel);
}

RowStreamWriter::~RowStreamWriter() = default;

void RowStreamWriter::Frame(char kind, uint8_t flags, std::string_view payload) {
  char header[kFrameHeaderSize] = {kind, static_cast<char>(flags), 0, 0};
  PutBig(header + 4, payload.size(), 4);
  const std::string_view pieces[] = {std::string_view(header, sizeof(header)), payload};
  sink_.Write(pieces, 2);
}

void RowStreamWriter::Header(std::string_view json) {
  Frame('H', 0, json);
}

std::string_view RowStreamWriter::Compress(std::string_view payload) {
  compressed_.resize(std::max(compressed_.size(), ZSTD_compressBound(payload.size()) + 64));
  ZSTD_inBuffer in{payload.data(), payload.size(), 0};
  ZSTD_outBuffer out{compressed_.data(), compressed_.size(), 0};
  for (;;) {
    const size_t left = ZSTD_compressStream2(compressor_.get(), &out, &in, ZSTD_e_flush);
    if (ZSTD_isError(left)) {
      throw Error(sqlstate::kInternal, "could not compress rows")
          .WithDetail(ZSTD_getErrorName(left));
    }
    if (left == 0) return std::string_view(compressed_.data(), out.pos);
    compressed_.resize(compressed_.size() * 2);
    out.dst = compressed_.data();
    out.size = compressed_.size();
  }
}

void RowStreamWriter::Rows(std::string_view payload, uint32_t rows) {
  if (payload.size() > kMaxRowFrame) {
    throw Error(sqlstate::kTooLarge, "row is too large to be sent")
        .WithDetail(Cat("It takes ", payload.size(), " bytes; the limit is ", kMaxRowFrame, "."));
  }
  digest_.Add(payload);
  rows_ += rows;
  if (compressor_) {
    Frame('D', kCompressed, Compress(payload));
  } else {
    Frame('D', 0, payload);
  }
}

void RowStreamWriter::End() {
  char payload[8];
  PutBig(payload, rows_, 8);
  Frame('E', 0, std::string(payload, 8) + digest_.Finish());
}

void RowStreamWriter::Fail(const RemoteError& error) {
  Frame('X', 0, error.ToJson());
}

// ---------------------------------------------------------------------------------------------

void RowStreamReader::DecompressorDeleter::operator()(ZSTD_DCtx_s* context) const {
  ZSTD_freeDCtx(context);
}

RowStreamReader::RowStreamReader(ByteSource& source) : source_(source) {}
RowStreamReader::~RowStreamReader() = default;

void RowStreamReader::ReadExactly(char* to, size_t size) {
  size_t done = 0;
  while (done < size) {
    const size_t got = source_.Read(to + done, size - done);
    if (got == 0) {
      throw Error(sqlstate::kConnectionLost, "connection lost: the row stream was cut")
          .WithDetail(Cat("It ended after ", rows_, " rows without its end mark."));
    }
    done += got;
  }
}

RowStreamReader::FrameHeader RowStreamReader::ReadFrame() {
  char raw[kFrameHeaderSize];
  ReadExactly(raw, sizeof(raw));
  FrameHeader header{raw[0], static_cast<uint8_t>(raw[1]), static_cast<size_t>(GetBig(raw + 4, 4))};
  const bool is_rows = header.kind == 'D';
  if (!is_rows && header.kind != 'H' && header.kind != 'E' && header.kind != 'X') {
    throw Broken(
        Cat("Unknown frame kind ", static_cast<int>(static_cast<uint8_t>(header.kind)), "."));
  }
  if (raw[2] != 0 || raw[3] != 0 || (header.flags & ~(is_rows ? kCompressed : 0)) != 0) {
    throw Broken("A frame header has unknown flags.");
  }
  // A compressed payload may be a little larger than what it holds.
  const size_t limit = is_rows ? ZSTD_compressBound(kMaxRowFrame) : kMaxControlFrame;
  if (header.length > limit) {
    throw Broken(Cat("A frame of ", header.length, " bytes is over the limit of ", limit, "."));
  }
  // Memory follows the bytes that have arrived, not the length that was claimed.
  constexpr size_t kStep = 1024 * 1024;
  size_t done = 0;
  while (done < header.length) {
    const size_t step = std::min(header.length - done, std::max(kStep, done));
    if (payload_.size() < done + step + 1) payload_.resize(done + step + 1);
    ReadExactly(payload_.data() + done, step);
    done += step;
  }
  if (payload_.empty()) payload_.resize(1);
  return header;
}

std::string RowStreamReader::Header() {
  const FrameHeader header = ReadFrame();
  const std::string_view payload(payload_.data(), header.length);
  if (header.kind == 'X') RaiseRemote(payload);
  if (header.kind != 'H') throw Broken("It does not begin with a header.");
  return std::string(payload);
}

void RowStreamReader::Inflate(std::string_view compressed) {
  if (!decompressor_) {
    decompressor_.reset(ZSTD_createDCtx());
    if (!decompressor_) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(decompressor_.get(), ZSTD_d_windowLogMax, 27);
  }
  ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
  if (plain_.size() < 256 * 1024) plain_.resize(256 * 1024);
  ZSTD_outBuffer out{plain_.data(), plain_.size() - 1, 0};
  for (;;) {
    const size_t in_before = in.pos, out_before = out.pos;
    const size_t hint = ZSTD_decompressStream(decompressor_.get(), &out, &in);
    if (ZSTD_isError(hint))
      throw Broken(Cat("Decompression failed: ", ZSTD_getErrorName(hint), "."));
    if (out.pos < out.size) {
      if (in.pos == in.size) break;  // all input used and nothing held back
      if (in.pos == in_before && out.pos == out_before)
        throw Broken("Decompression does not advance.");
      continue;
    }
    if (out.pos > kMaxRowFrame) throw Broken("A frame is too large after decompression.");
    plain_.resize(plain_.size() * 2);
    out.dst = plain_.data();
    out.size = plain_.size() - 1;
  }
  plain_used_ = out.pos;
}

bool RowStreamReader::Next(Rows* rows) {
  if (at_end_) return false;
  const FrameHeader header = ReadFrame();
  const std::string_view payload(payload_.data(), header.length);
  switch (header.kind) {
    case 'X':
      RaiseRemote(payload);
    case 'E':
      CheckEnd(payload);
      at_end_ = true;
      return false;
    case 'D':
      break;
    default:
      throw Broken("It has a second header.");
  }
  char* data = payload_.data();
  size_t size = header.length;
  if (header.flags & kCompressed) {
    Inflate(payload);
    data = plain_.data();
    size = plain_used_;
  }
  if (size > kMaxRowFrame) throw Broken("A frame of rows is too large.");
  if (size < 4) throw Broken("A frame of rows is too short.");
  digest_.Add(std::string_view(data, size));
  rows->count = static_cast<uint32_t>(GetBig(data, 4));
  rows->data = data + 4;
  rows->size = size - 4;
  // Each row takes at least one byte (its null bitmap).
  if (rows->count > rows->size) throw Broken("A frame claims more rows than it can hold.");
  rows_ += rows->count;
  return true;
}

void RowStreamReader::CheckEnd(std::string_view payload) {
  if (payload.size() != 8 + 16) throw Broken("Its end mark has a wrong size.");
  const uint64_t claimed = GetBig(payload.data(), 8);
  if (claimed != rows_) {
    throw Broken(Cat("Its end mark counts ", claimed, " rows, but ", rows_, " arrived."));
  }
  if (payload.substr(8) != digest_.Finish()) throw Broken("Its checksum does not match its rows.");
}

void RowStreamReader::RaiseRemote(std::string_view payload) {
  throw RemoteError::FromJson(payload).ToError();
}

}  // namespace pgsync::core
