#include "rows/encoder.h"

extern "C" {
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"
}

namespace pgsync::rows {

int FixedWidth(Oid type) {
  switch (type) {
    case BOOLOID:
    case CHAROID:
      return 1;
    case INT2OID:
      return 2;
    case INT4OID:
    case OIDOID:
    case FLOAT4OID:
    case DATEOID:
      return 4;
    case INT8OID:
    case FLOAT8OID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case CASHOID:
      return 8;
    case UUIDOID:
      return UUID_LEN;
    default:
      return -1;
  }
}

bool IsPlainText(Oid type) {
  return type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == JSONOID;
}

RowEncoder::RowEncoder(const std::vector<Request>& requests, int encoding)
    : context_("sync row encoder"),
      scratch_("sync row"),
      encoding_(encoding),
      convert_(encoding != GetDatabaseEncoding()) {
  header_.encoding = pg_encoding_to_char(encoding);
  bool any_text = false;
  catalog::TextDependence text;
  for (const Request& request : requests) {
    const catalog::TypeFacts& facts = request.column->facts;
    core::WireColumn wire{request.column->name, request.binary, -1};
    Encoder encoder;
    if (request.binary) {
      wire.width = FixedWidth(facts.base);
      switch (wire.width) {
        case 1:
          encoder.kind = facts.base == BOOLOID ? Kind::kBool : Kind::kChar;
          break;
        case 2:
          encoder.kind = Kind::kInt16;
          break;
        case 4:
          encoder.kind = Kind::kInt32;
          break;
        case 8:
          encoder.kind = Kind::kInt64;
          break;
        case UUID_LEN:
          encoder.kind = Kind::kUuid;
          break;
        default:
          encoder.kind = facts.base == BYTEAOID    ? Kind::kBytes
                         : IsPlainText(facts.base) ? Kind::kPlainText
                                                   : Kind::kSend;
      }
    } else {
      encoder.kind = Kind::kOutput;
      any_text = true;
      text.Add(catalog::TextDependenceOf(facts.base));
    }
    if (encoder.kind == Kind::kSend || encoder.kind == Kind::kOutput) {
      pg::Call([&] {
        Oid function;
        bool is_varlena;
        if (encoder.kind == Kind::kSend) {
          getTypeBinaryOutputInfo(facts.base, &function, &is_varlena);
        } else {
          getTypeOutputInfo(facts.base, &function, &is_varlena);
        }
        fmgr_info_cxt(function, &encoder.function, context_.get());
      });
    }
    header_.columns.push_back(std::move(wire));
    encoders_.push_back(encoder);
  }
  if (any_text) settings_ = std::make_unique<CanonicalSettings>(text);
}

void RowEncoder::append_text(ByteBuffer& buffer, const char* text, size_t size) {
  if (convert_) {
    const char* converted = pg_server_to_any(text, static_cast<int>(size), encoding_);
    if (converted != text) {
      text = converted;
      size = strlen(converted);
    }
  }
  append_counted(buffer, text, size);
}

void RowEncoder::append_value(ByteBuffer& buffer, Encoder& encoder, Datum value) {
  switch (encoder.kind) {
    case Kind::kBool:
      *claim_bytes(buffer, 1) = DatumGetBool(value) ? 1 : 0;
      break;
    case Kind::kChar:
      *claim_bytes(buffer, 1) = DatumGetChar(value);
      break;
    case Kind::kInt16: {
      const uint16 big = pg_hton16(DatumGetUInt16(value));
      append_bytes(buffer, reinterpret_cast<const char*>(&big), sizeof(big));
      break;
    }
    case Kind::kInt32: {
      const uint32 big = pg_hton32(DatumGetUInt32(value));
      append_bytes(buffer, reinterpret_cast<const char*>(&big), sizeof(big));
      break;
    }
    case Kind::kInt64: {
      const uint64 big = pg_hton64(DatumGetUInt64(value));
      append_bytes(buffer, reinterpret_cast<const char*>(&big), sizeof(big));
      break;
    }
    case Kind::kUuid:
      append_bytes(buffer, reinterpret_cast<const char*>(DatumGetUUIDP(value)->data), UUID_LEN);
      break;
    case Kind::kBytes: {
      auto* bytes = reinterpret_cast<varlena*>(PG_DETOAST_DATUM_PACKED(value));
      append_counted(buffer, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
      break;
    }
    case Kind::kPlainText: {
      auto* text = reinterpret_cast<varlena*>(PG_DETOAST_DATUM_PACKED(value));
      append_text(buffer, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
      break;
    }
    case Kind::kSend: {
      bytea* bytes = SendFunctionCall(&encoder.function, value);
      append_counted(buffer, VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ);
      break;
    }
    case Kind::kOutput: {
      const char* text = OutputFunctionCall(&encoder.function, value);
      append_text(buffer, text, strlen(text));
      break;
    }
  }
}

void RowEncoder::append_row(ByteBuffer& buffer, TupleTableSlot* slot) {
  const size_t columns = encoders_.size();
  slot_getallattrs(slot);
  if (settings_) settings_->enter();
  const MemoryContext saved = MemoryContextSwitchTo(scratch_.get());
  const size_t bitmap_size = core::NullBitmapSize(columns);
  const size_t bitmap_at = buffer.used;
  memset(claim_bytes(buffer, bitmap_size), 0, bitmap_size);
  for (size_t i = 0; i < columns; i++) {
    if (slot->tts_isnull[i]) {
      buffer.data[bitmap_at + i / 8] |= static_cast<char>(1 << (i % 8));
    } else {
      append_value(buffer, encoders_[i], slot->tts_values[i]);
    }
  }
  MemoryContextSwitchTo(saved);
  MemoryContextReset(scratch_.get());
  if (settings_) settings_->leave();
}

}  // namespace pgsync::rows
