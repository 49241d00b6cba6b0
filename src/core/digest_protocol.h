// Comparing a table with the peer's, on the wire; server feature "digest".
//
//   POST /sync/v1/digest        a DigestRequest: the peer goes over its rows, answers with a sketch
//                               of the least size, and remembers the rows' hashes
//   POST /sync/v1/digest/cells  {"bits"}: a sketch of that size of the table that was digested last
//   POST /sync/v1/rows          with "only": of the table that was digested last, the rows that
//   have
//                               these hashes
//
// The first two answer with a row stream (core/row_stream.h) without rows, whose 'D' frames have,
// after their count, a kind and
//   'p'  rows:u64                 that have been gone over so far; about once a second
//   's'  bits:u8 rows:u64         what the sketch is of
//   'c'  cells                    the next of its cells
// with numbers in little-endian order, other than in the frames around them.
//
// The hash of a row is XXH3-64, with the request's seed, of: for each eight columns of the request
// a byte with a bit for each null (the first column's is the lowest), then for each column that is
// not null, in the order of the request, its value:
//   image of a type of fixed width     its bytes
//   image of another type              length:u32, then the bytes that are stored, as the type's
//   own
//                                      functions see them; text is in UTF-8
//   else                               length:u32, then its canonical text in UTF-8
// Images need the same byte order on both sides.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/row_stream.h"
#include "core/sketch.h"

namespace pgsync::core {

struct DigestRequest {
  struct Column {
    std::string name;
    bool image = false;  ///< what is stored is hashed, in place of its text
  };
  std::string table;
  std::vector<Column> columns;
  uint64_t seed = 0;
  std::string encoding;    ///< of the other side's database
  std::string byte_order;  ///< of the other side

  std::string ToJson() const;
  /// Raises 08P01 for what is none.
  static DigestRequest FromJson(const JsonObject& json);
};

/// Of this machine: "little" or "big".
std::string_view OwnByteOrder();

/// Hashes as text, and back. Raises 08P01 for what is none.
std::string HashesToText(const std::vector<uint64_t>& hashes);
std::vector<uint64_t> HashesFromText(std::string_view text);

/// Writes the answer, behind its header.
class DigestStreamWriter {
 public:
  explicit DigestStreamWriter(RowStreamWriter& stream) : stream_(stream) {}
  void Progress(uint64_t rows);
  /// Writes the sketch, folded to `bits`, and the end.
  void Finish(const Sketch& sketch, int bits);

 private:
  void Piece(char kind, std::string_view bytes);
  RowStreamWriter& stream_;
};

/// Reads the next piece of an answer, which the stream is to be moved along by.
class DigestStreamReader {
 public:
  /// Takes a frame. Raises 08P01 for what is none. Returns how many rows the peer has gone over, if
  /// that is what it tells.
  std::optional<uint64_t> Take(const RowStreamReader::Rows& frame);
  /// After the last one.
  Sketch Finish();

 private:
  std::optional<SketchReader> sketch_;
};

}  // namespace pgsync::core
