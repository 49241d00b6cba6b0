#include "rows/jsonb_object.h"

extern "C" {
#include "utils/numeric.h"
}

namespace pgsync::rows {

namespace {

constexpr size_t kEnough = 4096;
constexpr size_t kEntriesAt = offsetof(Jsonb, root) + offsetof(JsonbContainer, children);

// An entry tells the size of its item, and every 32nd where it ends.
JEntry entry_of(uint32 type, size_t size, uint32 index, size_t end) {
  return index % JB_OFFSET_STRIDE == 0 ? type | static_cast<uint32>(end) | JENTRY_HAS_OFF
                                       : type | static_cast<uint32>(size);
}

}  // namespace

JsonbObject::JsonbObject(const std::vector<std::string>& names, MemoryContext context)
    : members_(static_cast<uint32>(names.size())), last_(names.size()) {
  buffer_.context = context;
  const uint32 header = JB_FOBJECT | members_;
  prefix_.assign(kEntriesAt + 2 * names.size() * sizeof(JEntry), '\0');
  memcpy(prefix_.data() + offsetof(Jsonb, root), &header, sizeof header);
  for (uint32 i = 0; i < members_; i++) {
    keys_size_ += names[i].size();
    const JEntry entry = entry_of(JENTRY_ISSTRING, names[i].size(), i, keys_size_);
    memcpy(prefix_.data() + kEntriesAt + i * sizeof entry, &entry, sizeof entry);
    prefix_ += names[i];
  }
  // What is enough for most rows: memory of the size that a buffer else begins with comes from the
  // system, page by page, and goes back to it with every call.
  buffer_.capacity = kEnough + 2 * prefix_.size();
  buffer_.data = pg::Call(
      [&] { return static_cast<char*>(MemoryContextAllocHuge(context, buffer_.capacity)); });
}

void JsonbObject::begin() {
  clear_bytes(buffer_);
  append_bytes(buffer_, prefix_.data(), prefix_.size());
  next_ = 0;
  data_size_ = keys_size_;
}

void JsonbObject::put_entry(uint32 type, size_t size) {
  data_size_ += size;
  if (data_size_ > JENTRY_OFFLENMASK) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("total size of jsonb object elements exceeds the maximum of %u bytes",
                           JENTRY_OFFLENMASK)));
  }
  const uint32 index = members_ + next_++;
  const JEntry entry = entry_of(type, size, index, data_size_);
  memcpy(buffer_.data + kEntriesAt + index * sizeof entry, &entry, sizeof entry);
}

// Numbers, arrays and objects begin at a multiple of four, and what lies before counts as part of
// them.
void JsonbObject::put_aligned(uint32 type, const void* bytes, size_t size) {
  const size_t padding = INTALIGN(buffer_.used) - buffer_.used;
  put_entry(type, padding + size);
  memset(claim_bytes(buffer_, padding), 0, padding);
  append_bytes(buffer_, static_cast<const char*>(bytes), size);
}

void JsonbObject::put_integer(int64 value) {
  Number& last = last_[next_];
  if (last.size == 0 || last.value != value) {
    const Numeric number = int64_to_numeric(value);
    const size_t size = VARSIZE_ANY(number);
    if (size > sizeof last.bytes) elog(ERROR, "integer takes %zu bytes", size);
    memcpy(last.bytes, number, size);
    last.value = value;
    last.size = size;
  }
  put_aligned(JENTRY_ISNUMERIC, last.bytes, last.size);
}

void JsonbObject::put(JsonbValue* value) {
  switch (value->type) {
    case jbvNull:
      put_entry(JENTRY_ISNULL, 0);
      return;
    case jbvBool:
      put_entry(value->val.boolean ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE, 0);
      return;
    case jbvString:
      put_entry(JENTRY_ISSTRING, static_cast<size_t>(value->val.string.len));
      append_bytes(buffer_, value->val.string.val, static_cast<size_t>(value->val.string.len));
      return;
    case jbvNumeric:
      put_aligned(JENTRY_ISNUMERIC, value->val.numeric, VARSIZE_ANY(value->val.numeric));
      return;
    case jbvBinary:
      put_aligned(JENTRY_ISCONTAINER, value->val.binary.data,
                  static_cast<size_t>(value->val.binary.len));
      return;
    default: {
      Jsonb* const built = JsonbValueToJsonb(value);
      put_aligned(JENTRY_ISCONTAINER, &built->root, VARSIZE(built) - VARHDRSZ);
    }
  }
}

Jsonb* JsonbObject::finish() {
  SET_VARSIZE(buffer_.data, buffer_.used);
  return reinterpret_cast<Jsonb*>(buffer_.data);
}

}  // namespace pgsync::rows
