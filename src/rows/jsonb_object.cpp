#include "rows/jsonb_object.h"

#include "core/text.h"

namespace pgsync::rows {

namespace {

constexpr size_t kEntriesAt = offsetof(Jsonb, root) + offsetof(JsonbContainer, children);

// An entry tells the size of its item, and every 32nd where it ends.
JEntry entry_of(uint32 type, size_t size, uint32 index, size_t end) {
  return index % JB_OFFSET_STRIDE == 0 ? type | static_cast<uint32>(end) | JENTRY_HAS_OFF
                                       : type | static_cast<uint32>(size);
}

}  // namespace

JsonbObject::JsonbObject(const std::vector<std::string>& names, MemoryContext context)
    : members_(static_cast<uint32>(names.size())) {
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

void JsonbObject::put(JsonbValue* value) {
  uint32 type;
  const void* bytes;
  size_t size;
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
      type = JENTRY_ISNUMERIC;
      bytes = value->val.numeric;
      size = VARSIZE_ANY(value->val.numeric);
      break;
    case jbvBinary:
      type = JENTRY_ISCONTAINER;
      bytes = value->val.binary.data;
      size = static_cast<size_t>(value->val.binary.len);
      break;
    default: {
      Jsonb* const built = JsonbValueToJsonb(value);
      type = JENTRY_ISCONTAINER;
      bytes = &built->root;
      size = VARSIZE(built) - VARHDRSZ;
    }
  }
  // These begin at a multiple of four, and what lies before counts as part of them.
  const size_t padding = INTALIGN(buffer_.used) - buffer_.used;
  put_entry(type, padding + size);
  memset(claim_bytes(buffer_, padding), 0, padding);
  append_bytes(buffer_, static_cast<const char*>(bytes), size);
}

Jsonb* JsonbObject::finish() {
  SET_VARSIZE(buffer_.data, buffer_.used);
  return reinterpret_cast<Jsonb*>(buffer_.data);
}

}  // namespace pgsync::rows
