#include "rows/row_text.h"

#include <algorithm>

#include "pg/encoding.h"

extern "C" {
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/lsyscache.h"
}

namespace pgsync::rows {

namespace {

void PutLittle32(std::string& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8)
    out.push_back(static_cast<char>(value >> shift));
}

void append_little32(ByteBuffer& buffer, uint32_t value) {
  char bytes[4];
  for (int i = 0; i < 4; i++)
    bytes[i] = static_cast<char>(value >> (8 * i));
  append_bytes(buffer, bytes, sizeof(bytes));
}

}  // namespace

RowText::RowText(const std::vector<const catalog::Column*>& columns) : context_("sync row text") {
  catalog::TextDependence text;
  functions_.resize(columns.size());
  for (size_t i = 0; i < columns.size(); i++) {
    const catalog::TypeFacts& facts = columns[i]->facts;
    text.Add(catalog::TextDependenceOf(facts.base));
    pg::Call([&] {
      Oid function;
      bool is_varlena;
      getTypeOutputInfo(facts.base, &function, &is_varlena);
      fmgr_info_cxt(function, &functions_[i], context_.get());
    });
  }
  settings_ = std::make_unique<CanonicalSettings>(text);
}

DigestRows::DigestRows(const std::vector<const catalog::Column*>& columns)
    : text_(columns),
      convert_(GetDatabaseEncoding() != PG_SQL_ASCII),
      kept_("sync digest buffer"),
      scratch_("sync digest row") {
  buffer_.context = kept_.get();
  std::vector<std::string> names;
  for (size_t i = 0; i < columns.size(); i++) {
    names.push_back(pg::ToUtf8(columns[i]->name));
    order_.push_back(i);
  }
  std::sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return names[a] < names[b]; });
  for (size_t i : order_) {
    std::string prefix;
    PutLittle32(prefix, static_cast<uint32_t>(names[i].size()));
    prefixes_.push_back(prefix + names[i]);
  }
}

void DigestRows::take_row(TupleTableSlot* slot) {
  slot_getallattrs(slot);
  const MemoryContext saved = MemoryContextSwitchTo(scratch_.get());
  text_.settings().enter();
  for (size_t k = 0; k < order_.size(); k++) {
    const size_t i = order_[k];
    append_bytes(buffer_, prefixes_[k].data(), prefixes_[k].size());
    if (slot->tts_isnull[i]) {
      append_little32(buffer_, core::TableDigest::kNull);
      continue;
    }
    const char* text = text_.text_of(i, slot->tts_values[i]);
    // SQL_ASCII holds bytes, which need not be text of any encoding.
    if (convert_) text = pg_server_to_any(text, static_cast<int>(strlen(text)), PG_UTF8);
    const size_t size = strlen(text);
    append_little32(buffer_, static_cast<uint32_t>(size));
    append_bytes(buffer_, text, size);
  }
  text_.settings().leave();
  digest_.AddRow(buffer_.data, buffer_.used);
  clear_bytes(buffer_);
  MemoryContextSwitchTo(saved);
  MemoryContextReset(scratch_.get());
}

}  // namespace pgsync::rows
