#include "engine/compared_rows.h"

#include <algorithm>

extern "C" {
#include "access/genam.h"
#include "access/nbtree.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace pgsync::engine {

const catalog::Key* MatchedKey(const LoadRequest& request) {
  const auto& key = request.target->row_key;
  if (!key) return nullptr;
  const bool all = std::all_of(key->columns.begin(), key->columns.end(), [&](size_t position) {
    return std::count(request.columns.begin(), request.columns.end(), position) > 0;
  });
  return all ? &*key : nullptr;
}

ComparedRows::ComparedRows(const LoadRequest& request)
    : key_(MatchedKey(request)), context_("sync comparison") {
  for (size_t position : request.columns)
    described_.push_back(&request.target->columns[position]);
  hashed_.context = context_.get();
  if (key_ == nullptr) text_.emplace(described_);
  DescribeRows();
  ChooseOrder(request);
}

void ComparedRows::DescribeRows() {
  const catalog::Column* const* described = described_.data();
  const int count = columns();
  const int more = key_ == nullptr ? 3 : 1;
  pg::Call([&] {
    const MemoryContext saved = MemoryContextSwitchTo(context_.get());
    desc_ = CreateTemplateTupleDesc(count + more);
    for (int i = 0; i < count; i++) {
      const auto number = static_cast<AttrNumber>(i + 1);
      TupleDescInitEntry(desc_, number, nullptr, described[i]->type, described[i]->typmod, 0);
      TupleDescInitEntryCollation(desc_, number, described[i]->collation);
    }
    for (int i = count; i < desc_->natts; i++)
      TupleDescInitEntry(desc_, static_cast<AttrNumber>(i + 1), nullptr, INT8OID, -1, 0);
    put_slot_ = MakeSingleTupleTableSlot(desc_, &TTSOpsVirtual);
    MemoryContextSwitchTo(saved);
  });
}

void ComparedRows::ChooseOrder(const LoadRequest& request) {
  const auto behind = static_cast<AttrNumber>(columns() + 1);
  if (key_ == nullptr) {
    order_.push_back({static_cast<AttrNumber>(behind + 1), Int8LessOperator, InvalidOid});
    order_.push_back({static_cast<AttrNumber>(behind + 2), Int8LessOperator, InvalidOid});
  } else {
    for (size_t i = 0; i < key_->columns.size(); i++) {
      const auto place =
          std::find(request.columns.begin(), request.columns.end(), key_->columns[i]);
      order_.push_back({static_cast<AttrNumber>(place - request.columns.begin() + 1),
                        LessOperator(i), request.target->columns[*place].collation});
    }
  }
  sort_support_.resize(order_.size());
  const SortColumn* order = order_.data();
  const size_t count = order_.size();
  pg::Call([&] {
    for (size_t i = 0; i < count; i++) {
      sort_support_[i] = {};
      sort_support_[i].ssup_cxt = context_.get();
      sort_support_[i].ssup_collation = order[i].collation;
      sort_support_[i].ssup_attno = order[i].attribute;
      PrepareSortSupportFromOrderingOp(order[i].less, &sort_support_[i]);
    }
  });
}

Oid ComparedRows::LessOperator(size_t i) const {
  const Oid less = pg::Call([&] {
    Relation index = index_open(key_->index, AccessShareLock);
    const Oid type = index->rd_opcintype[i];
    const Oid found = get_opfamily_member(index->rd_opfamily[i], type, type, BTLessStrategyNumber);
    index_close(index, AccessShareLock);
    return found;
  });
  if (!OidIsValid(less)) {
    throw core::Error(core::sqlstate::kInternal, "the key's index has no order");
  }
  return less;
}

TupleTableSlot* ComparedRows::make_slot() {
  const MemoryContext saved = MemoryContextSwitchTo(context_.get());
  TupleTableSlot* slot = MakeSingleTupleTableSlot(desc_, &TTSOpsMinimalTuple);
  MemoryContextSwitchTo(saved);
  return slot;
}

Tuplesortstate* ComparedRows::begin_sort() {
  const auto count = static_cast<int>(order_.size());
  auto* attributes = static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * (count + 1)));
  auto* operators = static_cast<Oid*>(palloc(sizeof(Oid) * (count + 1)));
  auto* collations = static_cast<Oid*>(palloc(sizeof(Oid) * (count + 1)));
  auto* nulls_first = static_cast<bool*>(palloc0(sizeof(bool) * (count + 1)));
  for (int i = 0; i < count; i++) {
    attributes[i] = order_[i].attribute;
    operators[i] = order_[i].less;
    collations[i] = order_[i].collation;
  }
  attributes[count] = static_cast<AttrNumber>(columns() + 1);
  operators[count] = Int8LessOperator;
  collations[count] = InvalidOid;
  const MemoryContext saved = MemoryContextSwitchTo(context_.get());
  Tuplesortstate* sort = tuplesort_begin_heap(desc_, count + 1, attributes, operators, collations,
                                              nulls_first, work_mem, nullptr, TUPLESORT_NONE);
  MemoryContextSwitchTo(saved);
  return sort;
}

void ComparedRows::put_row(Tuplesortstate* sort, const Datum* values, const bool* nulls,
                           int64 position) {
  const int count = columns();
  Datum* to = put_slot_->tts_values;
  ExecClearTuple(put_slot_);
  memcpy(to, values, sizeof(Datum) * count);
  memset(put_slot_->tts_isnull, 0, sizeof(bool) * desc_->natts);
  memcpy(put_slot_->tts_isnull, nulls, sizeof(bool) * count);
  to[count] = Int64GetDatum(position);
  if (key_ == nullptr) {
    const core::RowHash hash = hash_row(values, nulls);
    to[count + 1] = Int64GetDatum(static_cast<int64>(hash.high));
    to[count + 2] = Int64GetDatum(static_cast<int64>(hash.low));
  }
  ExecStoreVirtualTuple(put_slot_);
  tuplesort_puttupleslot(sort, put_slot_);
}

core::RowHash ComparedRows::hash_row(const Datum* values, const bool* nulls) {
  text_->settings().enter();
  for (size_t i = 0; i < text_->columns(); i++) {
    const char* text = nulls[i] ? nullptr : text_->text_of(i, values[i]);
    const uint32 size = text == nullptr ? core::TableDigest::kNull : strlen(text);
    rows::append_bytes(hashed_, reinterpret_cast<const char*>(&size), sizeof(size));
    if (text != nullptr) rows::append_bytes(hashed_, text, size);
  }
  text_->settings().leave();
  const core::RowHash hash = core::HashRow(hashed_.data, hashed_.used);
  rows::clear_bytes(hashed_);
  return hash;
}

int ComparedRows::compare(TupleTableSlot* left, TupleTableSlot* right) {
  for (size_t i = 0; i < order_.size(); i++) {
    const int at = position_of(i);
    const int order = compare_by(i, left->tts_values[at], left->tts_isnull[at],
                                 right->tts_values[at], right->tts_isnull[at]);
    if (order != 0) return order;
  }
  return 0;
}

bool ComparedRows::key_has_null(TupleTableSlot* slot) const {
  for (size_t i = 0; i < order_.size(); i++) {
    if (slot->tts_isnull[position_of(i)]) return true;
  }
  return false;
}

}  // namespace pgsync::engine
