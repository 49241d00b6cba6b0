#include "rows/decoder.h"

#include "core/error.h"
#include "core/text.h"
#include "rows/encoder.h"

extern "C" {
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

namespace pgsync::rows {

static_assert(SIZEOF_DATUM == 8, "eight-byte values are passed by value");

namespace {

[[noreturn]] void malformed_row(const char* why) {
  ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
                  errmsg("row stream of the peer is malformed"), errdetail_internal("%s", why)));
  pg_unreachable();
}

}  // namespace

RowDecoder::RowDecoder(const std::vector<Request>& requests, int encoding)
    : context_("sync row decoder"), encoding_(encoding) {
  bool any_text = false;
  catalog::TextDependence text;
  for (const Request& request : requests) {
    const catalog::Column& column = *request.column;
    const Oid type = column.facts.base;
    Decoder decoder{};
    decoder.width = request.wire.width;
    decoder.domain = type != column.type ? column.type : InvalidOid;
    decoder.typmod = column.facts.base_typmod;
    any_domain_ = any_domain_ || OidIsValid(decoder.domain);
    const int expected = request.wire.binary ? FixedWidth(type) : -1;
    if (decoder.width != expected) {
      throw core::Error(core::sqlstate::kProtocolViolation, "row stream of the peer is malformed")
          .WithDetail(core::Cat("Column \"", column.name, "\" has a width of ", decoder.width,
                                " instead of ", expected, "."));
    }
    decoder.kind = request.wire.binary ? Kind::kReceive : Kind::kInput;
    if (request.wire.binary) {
      switch (type) {
        case BOOLOID:
          decoder.kind = Kind::kBool;
          break;
        case CHAROID:
          decoder.kind = Kind::kChar;
          break;
        case INT2OID:
          decoder.kind = Kind::kInt16;
          break;
        case INT4OID:
        case OIDOID:
        case FLOAT4OID:
          decoder.kind = Kind::kInt32;
          break;
        case INT8OID:
        case FLOAT8OID:
        case CASHOID:
          decoder.kind = Kind::kInt64;
          break;
        case UUIDOID:
          decoder.kind = Kind::kUuid;
          break;
        case BYTEAOID:
          decoder.kind = Kind::kBytes;
          break;
        case DATEOID:
          decoder.kind = Kind::kDate;
          break;
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
          decoder.kind = Kind::kTimestamp;
          break;
        case TEXTOID:
        case VARCHAROID:
          if (decoder.typmod < 0) decoder.kind = Kind::kPlainText;
          break;
        default:  // what has a range or a form to be checked: its own function does
          break;
      }
    }
    // Of dates and timestamps the function takes what is out of range, or to be rounded.
    if (decoder.kind == Kind::kReceive || decoder.kind == Kind::kInput ||
        decoder.kind == Kind::kDate || decoder.kind == Kind::kTimestamp) {
      pg::Call([&] {
        Oid function;
        if (decoder.kind == Kind::kInput) {
          getTypeInputInfo(type, &function, &decoder.io_param);
        } else {
          getTypeBinaryInputInfo(type, &function, &decoder.io_param);
        }
        fmgr_info_cxt(function, &decoder.function, context_.get());
      });
    }
    if (decoder.kind == Kind::kInput) {
      any_text = true;
      text.Add(catalog::TextDependenceOf(type));
    }
    decoders_.push_back(decoder);
  }
  fields_.resize(decoders_.size());
  if (any_text) settings_ = std::make_unique<CanonicalSettings>(text);
}

void RowDecoder::Begin(char* data, size_t size) {
  at_ = data;
  end_ = data + size;
  patched_ = nullptr;
}

void RowDecoder::RequireEnd() const {
  if (at_ == end_) return;
  throw core::Error(core::sqlstate::kProtocolViolation, "row stream of the peer is malformed")
      .WithDetail("A frame is longer than its rows.");
}

void RowDecoder::locate_fields() {
  const size_t count = decoders_.size();
  const size_t bitmap_size = core::NullBitmapSize(count);
  if (static_cast<size_t>(end_ - at_) < bitmap_size)
    malformed_row("A row ends in its null bitmap.");
  const char* bitmap = at_;
  char* at = at_ + bitmap_size;
  for (size_t i = 0; i < count; i++) {
    Field& field = fields_[i];
    field.is_null = (bitmap[i / 8] >> (i % 8)) & 1;
    if (field.is_null) continue;
    if (decoders_[i].width >= 0) {
      field.size = static_cast<uint32>(decoders_[i].width);
    } else {
      const char* behind = at;
      if (!core::GetVarint(&behind, end_, &field.size)) malformed_row("A length is malformed.");
      at += behind - at;
    }
    if (static_cast<size_t>(end_ - at) < field.size) malformed_row("A value runs over its frame.");
    if (field.size > MaxAllocSize - VARHDRSZ - 1) malformed_row("A value is too large.");
    field.data = at;
    at += field.size;
  }
  at_ = at;
}

Datum RowDecoder::receive_value(Decoder& decoder, const Field& field) {
  // Receive functions expect a terminator behind the bytes, as a StringInfo has.
  patched_ = field.data + field.size;
  patched_byte_ = *patched_;
  *patched_ = '\0';
  StringInfoData bytes;
  bytes.data = field.data;
  bytes.len = static_cast<int>(field.size);
  bytes.maxlen = bytes.len + 1;
  bytes.cursor = 0;
  const Datum value =
      ReceiveFunctionCall(&decoder.function, &bytes, decoder.io_param, decoder.typmod);
  *patched_ = patched_byte_;
  patched_ = nullptr;
  if (bytes.cursor != bytes.len) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                    errmsg("incorrect binary data format")));
  }
  return value;
}

Datum RowDecoder::decode_value(Decoder& decoder, const Field& field) {
  switch (decoder.kind) {
    case Kind::kBool:
      return BoolGetDatum(field.data[0] != 0);
    case Kind::kChar:
      return CharGetDatum(field.data[0]);
    case Kind::kInt16: {
      uint16 big;
      memcpy(&big, field.data, sizeof(big));
      return Int16GetDatum(static_cast<int16>(pg_ntoh16(big)));
    }
    case Kind::kInt32: {
      uint32 big;
      memcpy(&big, field.data, sizeof(big));
      return Int32GetDatum(static_cast<int32>(pg_ntoh32(big)));
    }
    case Kind::kInt64: {
      uint64 big;
      memcpy(&big, field.data, sizeof(big));
      return Int64GetDatum(static_cast<int64>(pg_ntoh64(big)));
    }
    case Kind::kUuid: {
      auto* uuid = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
      memcpy(uuid->data, field.data, UUID_LEN);
      return UUIDPGetDatum(uuid);
    }
    case Kind::kBytes:
      return PointerGetDatum(cstring_to_text_with_len(field.data, static_cast<int>(field.size)));
    case Kind::kPlainText: {
      const char* text = pg_any_to_server(field.data, static_cast<int>(field.size), encoding_);
      const size_t size = text == field.data ? field.size : strlen(text);
      return PointerGetDatum(cstring_to_text_with_len(text, static_cast<int>(size)));
    }
    case Kind::kDate: {
      uint32 big;
      memcpy(&big, field.data, sizeof(big));
      const auto date = static_cast<DateADT>(pg_ntoh32(big));
      if (DATE_NOT_FINITE(date) || IS_VALID_DATE(date)) return DateADTGetDatum(date);
      return receive_value(decoder, field);
    }
    case Kind::kTimestamp: {
      uint64 big;
      memcpy(&big, field.data, sizeof(big));
      const auto timestamp = static_cast<Timestamp>(pg_ntoh64(big));
      const bool valid = TIMESTAMP_NOT_FINITE(timestamp) || IS_VALID_TIMESTAMP(timestamp);
      if (valid && decoder.typmod < 0) return TimestampGetDatum(timestamp);
      return receive_value(decoder, field);
    }
    case Kind::kReceive:
      return receive_value(decoder, field);
    case Kind::kInput: {
      char* text = pg_any_to_server(field.data, static_cast<int>(field.size), encoding_);
      if (text == field.data) text = pnstrdup(field.data, field.size);
      return InputFunctionCall(&decoder.function, text, decoder.io_param, decoder.typmod);
    }
  }
  return (Datum)0;
}

// Takes a terminator away that an error left standing.
void RowDecoder::repair() {
  if (patched_ != nullptr) *patched_ = patched_byte_;
  patched_ = nullptr;
}

void RowDecoder::Recover() {
  repair();
  if (settings_) settings_->Restore();
}

Datum RowDecoder::decode_field(size_t column, bool* is_null) {
  repair();
  *is_null = fields_[column].is_null;
  if (*is_null) return (Datum)0;
  if (settings_) settings_->enter();
  const Datum value = decode_value(decoders_[column], fields_[column]);
  if (settings_) settings_->leave();
  return value;
}

void RowDecoder::decode_row(Datum* values, bool* nulls) {
  repair();
  locate_fields();
  if (settings_) settings_->enter();
  for (size_t i = 0; i < decoders_.size(); i++) {
    nulls[i] = fields_[i].is_null;
    values[i] = nulls[i] ? (Datum)0 : decode_value(decoders_[i], fields_[i]);
  }
  if (settings_) settings_->leave();
  if (!any_domain_) return;
  // A domain's constraint may be code of a user, who has settings of their own.
  for (size_t i = 0; i < decoders_.size(); i++) {
    Decoder& decoder = decoders_[i];
    if (!OidIsValid(decoder.domain)) continue;
    domain_check(values[i], nulls[i], decoder.domain, &decoder.domain_cache, context_.get());
  }
}

}  // namespace pgsync::rows
