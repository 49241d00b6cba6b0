#include "rows/row_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

extern "C" {
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/lsyscache.h"
}

namespace pgsync::rows {

namespace {

bool IsText(Oid type) {
  return type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == JSONOID;
}

}  // namespace

bool RowHasher::HasImage(Oid type) {
  switch (type) {
    case BOOLOID:
    case CHAROID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
    case FLOAT4OID:
    case FLOAT8OID:
    case DATEOID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case UUIDOID:
    case INTERVALOID:
    case MACADDROID:
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case JSONOID:
    case BYTEAOID:
    case NUMERICOID:
    case JSONBOID:
    case INETOID:
    case BITOID:
    case VARBITOID:
      return true;
    default:
      return false;
  }
}

RowHasher::RowHasher(const std::vector<Column>& columns, uint64_t seed)
    : seed_(seed),
      convert_(GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII),
      kept_("sync row hash"),
      scratch_("sync hashed row") {
  buffer_.context = kept_.get();
  std::vector<const catalog::Column*> texts;
  for (const Column& column : columns) {
    Source source = {Kind::kOutput, column.attribute, 0, 0};
    attributes_ = std::max(attributes_, column.attribute + 1);
    const Oid type = column.column->facts.base;
    if (column.image) {
      const int16 width = pg::Call([&] { return get_typlen(type); });
      const bool by_value = pg::Call([&] { return get_typbyval(type); });
      source.width = width;
      source.kind = IsText(type) ? Kind::kText
                    : width < 0  ? Kind::kBytes
                    : !by_value  ? Kind::kFixed
                    : width == 1 ? Kind::k1
                    : width == 2 ? Kind::k2
                    : width == 4 ? Kind::k4
                                 : Kind::k8;
    } else {
      source.text = texts.size();
      texts.push_back(column.column);
    }
    sources_.push_back(source);
    fixed_ += static_cast<size_t>(std::max(source.width, 4));  // or a length
  }
  fixed_ += (columns.size() + 7) / 8;
  pg::Call([&] { reserve_bytes(buffer_, fixed_); });
  if (!texts.empty()) text_.emplace(texts);
}

namespace {

template <typename Number>
char* put_number(Number value, char* to) {
  memcpy(to, &value, sizeof(value));
  return to + sizeof(value);
}

}  // namespace

// There is room for all that is fixed; for the bytes it is made.
char* RowHasher::put_sized(const char* bytes, size_t size, char* to) {
  buffer_.used = static_cast<size_t>(to - buffer_.data);
  if (buffer_.capacity - buffer_.used < fixed_ + size) {
    reserve_bytes(buffer_, fixed_ + size);
    to = buffer_.data + buffer_.used;
  }
  to = put_number(static_cast<uint32>(size), to);
  memcpy(to, bytes, size);
  return to + size;
}

char* RowHasher::put_value(const Source& source, Datum value, char* to) {
  switch (source.kind) {
    case Kind::k1:
      return put_number(static_cast<uint8>(DatumGetChar(value)), to);
    case Kind::k2:
      return put_number(DatumGetUInt16(value), to);
    case Kind::k4:
      return put_number(DatumGetUInt32(value), to);
    case Kind::k8:
      return put_number(DatumGetUInt64(value), to);
    case Kind::kFixed:
      memcpy(to, DatumGetPointer(value), static_cast<size_t>(source.width));
      return to + source.width;
    case Kind::kBytes:
    case Kind::kText:
      break;
    case Kind::kOutput: {
      scratched_ = true;
      const char* text = text_->text_of(source.text, value);
      // SQL_ASCII holds bytes, which need not be text of any encoding.
      if (convert_) text = pg_server_to_any(text, static_cast<int>(strlen(text)), PG_UTF8);
      return put_sized(text, strlen(text), to);
    }
  }
  auto* bytes = reinterpret_cast<varlena*>(DatumGetPointer(value));
  if (VARATT_IS_EXTENDED(bytes) && !VARATT_IS_SHORT(bytes)) {
    scratched_ = true;
    bytes = pg_detoast_datum_packed(bytes);
  }
  const char* at = VARDATA_ANY(bytes);
  size_t size = VARSIZE_ANY_EXHDR(bytes);
  if (convert_ && source.kind == Kind::kText) {
    scratched_ = true;
    const char* converted = pg_server_to_any(at, static_cast<int>(size), PG_UTF8);
    if (converted != at) {
      at = converted;
      size = strlen(converted);
    }
  }
  return put_sized(at, size, to);
}

uint64_t RowHasher::hash_row(TupleTableSlot* slot) {
  slot_getsomeattrs(slot, attributes_);
  const MemoryContext saved = MemoryContextSwitchTo(scratch_.get());
  if (text_) text_->settings().enter();
  if (buffer_.capacity < fixed_) reserve_bytes(buffer_, fixed_);
  const size_t columns = sources_.size();
  char* to = buffer_.data;
  for (size_t i = 0; i < columns; i += 8)
    *to++ = 0;
  for (size_t i = 0; i < columns; i++) {
    const Source& source = sources_[i];
    if (slot->tts_isnull[source.attribute]) {
      buffer_.data[i / 8] |= static_cast<char>(1 << (i % 8));
    } else {
      to = put_value(source, slot->tts_values[source.attribute], to);
    }
  }
  if (text_) text_->settings().leave();
  MemoryContextSwitchTo(saved);
  const uint64_t hash =
      XXH3_64bits_withSeed(buffer_.data, static_cast<size_t>(to - buffer_.data), seed_);
  clear_bytes(buffer_);
  if (scratched_) {
    scratched_ = false;
    MemoryContextReset(scratch_.get());
  }
  return hash;
}

}  // namespace pgsync::rows
