#include "core/digest_protocol.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace pgsync::core {

namespace {

constexpr size_t kHashDigits = 16;
// Cells in a frame.
constexpr size_t kPieceCells = 4096;

Error Broken(const char* why) {
  return Error(sqlstate::kProtocolViolation, "digest of the peer is malformed").WithDetail(why);
}

std::string Little(uint64_t value) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8)
    bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

uint64_t FromLittle(const char* bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; i--)
    value = (value << 8) | static_cast<unsigned char>(bytes[i]);
  return value;
}

uint64_t FromDigits(const char* digits) {
  uint64_t value = 0;
  const auto end = std::from_chars(digits, digits + kHashDigits, value, 16);
  if (end.ec != std::errc() || end.ptr != digits + kHashDigits) {
    throw Error(sqlstate::kProtocolViolation, "a hash must have 16 hexadecimal digits");
  }
  return value;
}

}  // namespace

std::string_view OwnByteOrder() {
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "little" : "big";
}

std::string HashesToText(const std::vector<uint64_t>& hashes) {
  std::string bytes;
  bytes.reserve(hashes.size() * 8);
  for (uint64_t hash : hashes) {
    for (int shift = 56; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<char>(hash >> shift));
  }
  return ToHex(bytes);
}

std::vector<uint64_t> HashesFromText(std::string_view text) {
  if (text.size() % kHashDigits != 0) {
    throw Error(sqlstate::kProtocolViolation, "a hash must have 16 hexadecimal digits");
  }
  std::vector<uint64_t> hashes;
  hashes.reserve(text.size() / kHashDigits);
  for (size_t at = 0; at < text.size(); at += kHashDigits)
    hashes.push_back(FromDigits(text.data() + at));
  return hashes;
}

std::string DigestRequest::ToJson() const {
  JsonWriter json;
  json.BeginObject().Field("table", table).Key("columns").BeginArray();
  for (const Column& column : columns)
    json.BeginObject().Field("name", column.name).Field("image", column.image).EndObject();
  json.EndArray().Field("seed", HashesToText({seed}));
  json.Field("encoding", encoding).Field("byte_order", byte_order).EndObject();
  return json.Take();
}

DigestRequest DigestRequest::FromJson(const JsonObject& json) {
  DigestRequest request;
  request.table = json.String("table");
  for (const JsonObject& column : json.Objects("columns"))
    request.columns.push_back({column.String("name"), column.BoolOr("image", false)});
  const auto seed = HashesFromText(json.String("seed"));
  if (seed.size() != 1) throw Error(sqlstate::kProtocolViolation, "a digest needs one seed");
  request.seed = seed[0];
  request.encoding = json.String("encoding");
  request.byte_order = json.String("byte_order");
  return request;
}

void DigestStreamWriter::Piece(char kind, std::string_view bytes) {
  std::string payload(sizeof(uint32_t), '\0');  // no rows
  payload.push_back(kind);
  payload.append(bytes);
  stream_.Rows(payload, 0);
}

void DigestStreamWriter::Progress(uint64_t rows) {
  Piece('p', Little(rows));
}

void DigestStreamWriter::Finish(const Sketch& sketch, int bits) {
  const Sketch folded = sketch.Folded(bits);
  Piece('s', Cat(static_cast<char>(bits), Little(folded.rows())));
  for (size_t first = 0; first < folded.cells(); first += kPieceCells)
    Piece('c', folded.CellBytes(first, std::min(kPieceCells, folded.cells() - first)));
  stream_.End();
}

std::optional<uint64_t> DigestStreamReader::Take(const RowStreamReader::Rows& frame) {
  if (frame.count != 0 || frame.size == 0) throw Broken("It has rows.");
  const std::string_view bytes(frame.data + 1, frame.size - 1);
  switch (frame.data[0]) {
    case 'p':
      if (bytes.size() != 8 || sketch_) break;
      return FromLittle(bytes.data());
    case 's':
      if (bytes.size() != 9 || sketch_) break;
      sketch_.emplace(static_cast<unsigned char>(bytes[0]), FromLittle(bytes.data() + 1));
      return std::nullopt;
    case 'c':
      if (!sketch_) break;
      sketch_->Add(bytes);
      return std::nullopt;
    default:
      break;
  }
  throw Broken("It has a piece that does not belong there.");
}

Sketch DigestStreamReader::Finish() {
  if (!sketch_) throw Broken("It has no cells.");
  return sketch_->Finish();
}

}  // namespace pgsync::core
