#include "engine/compare.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "core/row_digest.h"
#include "core/text.h"
#include "engine/row_errors.h"
#include "engine/scan.h"
#include "pg/encoding.h"
#include "rows/decoder.h"
#include "rows/row_equality.h"
#include "rows/row_text.h"

extern "C" {
#include "access/genam.h"
#include "access/nbtree.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/sortsupport.h"
#include "utils/tuplesort.h"
}

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// A column to sort by: an ordering operator, and the column's place in the sorted rows, from 1 on.
struct SortColumn {
  AttrNumber attribute;
  Oid less;
  Oid collation;
};

// The key that rows are matched by, if all of it comes.
const catalog::Key* MatchedKey(const LoadRequest& request) {
  const auto& key = request.target->row_key;
  if (!key) return nullptr;
  const bool all = std::all_of(key->columns.begin(), key->columns.end(), [&](size_t position) {
    return std::count(request.columns.begin(), request.columns.end(), position) > 0;
  });
  return all ? &*key : nullptr;
}

// Hashes rows by their canonical texts, for tables without a key.
class RowHasher {
 public:
  explicit RowHasher(const std::vector<const catalog::Column*>& columns)
      : text_(columns), kept_("sync row hash") {
    buffer_.context = kept_.get();
  }

  // A leaf, in a context that can be reset behind it.
  core::RowHash hash_row(const Datum* values, const bool* nulls) {
    text_.settings().enter();
    for (size_t i = 0; i < text_.columns(); i++) {
      const char* text = nulls[i] ? nullptr : text_.text_of(i, values[i]);
      const uint32 size = text == nullptr ? core::TableDigest::kNull : strlen(text);
      rows::append_bytes(buffer_, reinterpret_cast<const char*>(&size), sizeof(size));
      if (text != nullptr) rows::append_bytes(buffer_, text, size);
    }
    text_.settings().leave();
    const core::RowHash hash = core::HashRow(buffer_.data, buffer_.used);
    rows::clear_bytes(buffer_);
    return hash;
  }

 private:
  rows::RowText text_;
  pg::OwnedContext kept_;
  rows::ByteBuffer buffer_;
};

class Comparison : public rows::RowConsumer {
 public:
  Comparison(const LoadRequest& request, RowFeed& feed, CompareVisitor& visitor)
      : request_(request),
        feed_(feed),
        visitor_(visitor),
        key_(MatchedKey(request)),
        columns_(static_cast<int>(request.columns.size())),
        context_("sync comparison"),
        scratch_("sync compared rows"),
        previous_context_("sync previous key"),
        equality_(false, false) {
    texts_.context = context_.get();
    for (size_t position : request.columns)
      described_.push_back(&request.target->columns[position]);
    if (key_ == nullptr) hasher_.emplace(described_);
    DescribeRows();
    ChooseOrder();
  }

  CompareCounts Run() {
    if (visitor_.satisfied()) return counts_;
    ReadRemote();
    pg::Call([&] {
      has_next_ = fetch_remote(next_slot_);
      advance_remote();
    });
    ScanRequest scan;
    scan.columns = request_.columns;
    scan.ordered = key_ != nullptr;
    ScanTable(*request_.target, scan, *this);
    pg::Call([&] {
      if (key_ == nullptr) merge_sorted_local();
      take_rest();
      tuplesort_end(remote_);
      if (local_ != nullptr) tuplesort_end(local_);
    });
    return counts_;
  }

  // A row of the local scan: with a key they come in its order, else they have to be sorted first.
  void take_row(TupleTableSlot* slot) override {
    slot_getallattrs(slot);
    const MemoryContext saved = MemoryContextSwitchTo(scratch_.get());
    if (key_ == nullptr) {
      put_row(local_, slot->tts_values, slot->tts_isnull, ++local_position_);
    } else {
      check_order(slot);
      take_local(slot);
    }
    MemoryContextSwitchTo(saved);
    MemoryContextReset(scratch_.get());
  }
  bool done() const override { return key_ != nullptr && visitor_.satisfied(); }

 private:
  // The columns, then the row's position in its stream, then without a key its hash.
  void DescribeRows() {
    const catalog::Column* const* columns = described_.data();
    const bool hashed = key_ == nullptr;
    pg::Call([&] {
      const MemoryContext saved = MemoryContextSwitchTo(context_.get());
      desc_ = CreateTemplateTupleDesc(columns_ + (hashed ? 3 : 1));
      for (int i = 0; i < columns_; i++) {
        const auto number = static_cast<AttrNumber>(i + 1);
        TupleDescInitEntry(desc_, number, nullptr, columns[i]->type, columns[i]->typmod, 0);
        TupleDescInitEntryCollation(desc_, number, columns[i]->collation);
      }
      for (int i = columns_; i < desc_->natts; i++)
        TupleDescInitEntry(desc_, static_cast<AttrNumber>(i + 1), nullptr, INT8OID, -1, 0);
      put_slot_ = MakeSingleTupleTableSlot(desc_, &TTSOpsVirtual);
      remote_slot_ = MakeSingleTupleTableSlot(desc_, &TTSOpsMinimalTuple);
      next_slot_ = MakeSingleTupleTableSlot(desc_, &TTSOpsMinimalTuple);
      MemoryContextSwitchTo(saved);
    });
  }

  void ChooseOrder() {
    const auto behind = static_cast<AttrNumber>(columns_ + 1);
    if (key_ == nullptr) {
      order_.push_back({static_cast<AttrNumber>(behind + 1), Int8LessOperator, InvalidOid});
      order_.push_back({static_cast<AttrNumber>(behind + 2), Int8LessOperator, InvalidOid});
    } else {
      for (size_t i = 0; i < key_->columns.size(); i++) {
        const auto place =
            std::find(request_.columns.begin(), request_.columns.end(), key_->columns[i]);
        order_.push_back({static_cast<AttrNumber>(place - request_.columns.begin() + 1),
                          LessOperator(i), request_.target->columns[*place].collation});
      }
    }
    sort_support_.resize(order_.size());
    previous_.resize(order_.size());
    const SortColumn* order = order_.data();
    const auto count = static_cast<int>(order_.size());
    pg::Call([&] {
      for (int i = 0; i < count; i++) {
        sort_support_[i] = {};
        sort_support_[i].ssup_cxt = context_.get();
        sort_support_[i].ssup_collation = order[i].collation;
        sort_support_[i].ssup_nulls_first = false;
        sort_support_[i].ssup_attno = order[i].attribute;
        PrepareSortSupportFromOrderingOp(order[i].less, &sort_support_[i]);
      }
      remote_ = begin_sort();
      if (key_ == nullptr) local_ = begin_sort();
    });
  }

  Oid LessOperator(size_t i) const {
    const Oid less = pg::Call([&] {
      Relation index = index_open(key_->index, AccessShareLock);
      const Oid type = index->rd_opcintype[i];
      const Oid found =
          get_opfamily_member(index->rd_opfamily[i], type, type, BTLessStrategyNumber);
      index_close(index, AccessShareLock);
      return found;
    });
    if (!OidIsValid(less)) throw Error(sqlstate::kInternal, "the key's index has no order");
    return less;
  }

  // By the order, and rows that are the same in that by their position.
  Tuplesortstate* begin_sort() {
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
    attributes[count] = static_cast<AttrNumber>(columns_ + 1);
    operators[count] = Int8LessOperator;
    collations[count] = InvalidOid;
    const MemoryContext saved = MemoryContextSwitchTo(context_.get());
    Tuplesortstate* sort = tuplesort_begin_heap(desc_, count + 1, attributes, operators, collations,
                                                nulls_first, work_mem, nullptr, TUPLESORT_NONE);
    MemoryContextSwitchTo(saved);
    return sort;
  }

  void put_row(Tuplesortstate* sort, const Datum* values, const bool* nulls, int64 position) {
    ExecClearTuple(put_slot_);
    memcpy(put_slot_->tts_values, values, sizeof(Datum) * columns_);
    memcpy(put_slot_->tts_isnull, nulls, sizeof(bool) * columns_);
    put_slot_->tts_values[columns_] = Int64GetDatum(position);
    put_slot_->tts_isnull[columns_] = false;
    if (key_ == nullptr) {
      const core::RowHash hash = hasher_->hash_row(values, nulls);
      put_slot_->tts_values[columns_ + 1] = Int64GetDatum(static_cast<int64>(hash.high));
      put_slot_->tts_values[columns_ + 2] = Int64GetDatum(static_cast<int64>(hash.low));
      put_slot_->tts_isnull[columns_ + 1] = put_slot_->tts_isnull[columns_ + 2] = false;
    }
    ExecStoreVirtualTuple(put_slot_);
    tuplesort_puttupleslot(sort, put_slot_);
  }

  void ReadRemote() {
    const core::RowHeader header = feed_.Begin();
    const int encoding = CheckHeader(header, request_);
    std::vector<rows::RowDecoder::Request> columns;
    for (size_t i = 0; i < described_.size(); i++)
      columns.push_back({described_[i], header.columns[i]});
    rows::RowDecoder decoder(columns, encoding);
    std::vector<Datum> values(described_.size() + 1);
    const std::unique_ptr<bool[]> nulls(new bool[described_.size() + 1]);
    int64 position = 0;
    core::RowStreamReader::Rows frame;
    while (feed_.Next(&frame)) {
      pg::CheckInterrupts();
      TakeFrame(frame, encoding, decoder, values.data(), nulls.get(), &position);
      if (request_.progress) request_.progress(frame.count, static_cast<int64>(frame.size));
    }
    pg::Call([&] { tuplesort_performsort(remote_); });
  }

  // No subtransaction for a row that is refused: there is no comparison without it.
  void TakeFrame(const core::RowStreamReader::Rows& frame, int encoding, rows::RowDecoder& decoder,
                 Datum* values, bool* nulls, int64* position) {
    const pg::ClientEncodingScope scope(encoding);
    decoder.Begin(frame.data, frame.size);
    try {
      pg::ContextScope memory(scratch_.get());
      pg::Call([&] {
        for (uint32 taken = 0; taken < frame.count; taken++) {
          CHECK_FOR_INTERRUPTS();
          ++*position;
          decoder.decode_row(values, nulls);
          put_row(remote_, values, nulls, *position);
          MemoryContextReset(scratch_.get());
        }
      });
    } catch (const pg::PgError& error) {
      if (!IsConversionError(error)) throw;
      std::string detail = Cat("The table here cannot take row ", *position, " of the peer's.");
      if (!error.detail().empty()) detail += Cat(" ", error.detail());
      throw Error(error.state(), error.message()).WithDetail(std::move(detail));
    }
    if (!decoder.AtEnd()) {
      throw Error(sqlstate::kProtocolViolation, "row stream of the peer is malformed")
          .WithDetail("A frame is longer than its rows.");
    }
  }

  // All below: leaves, most of them in the scratch context.

  int compare(int i, Datum left, bool left_null, Datum right, bool right_null) {
    return ApplySortComparator(left, left_null, right, right_null, &sort_support_[i]);
  }

  int compare_slots(TupleTableSlot* left, TupleTableSlot* right) {
    for (size_t i = 0; i < order_.size(); i++) {
      const int at = order_[i].attribute - 1;
      const int order = compare(static_cast<int>(i), left->tts_values[at], left->tts_isnull[at],
                                right->tts_values[at], right->tts_isnull[at]);
      if (order != 0) return order;
    }
    return 0;
  }

  bool key_has_null(TupleTableSlot* slot) const {
    for (const SortColumn& column : order_) {
      if (slot->tts_isnull[column.attribute - 1]) return true;
    }
    return false;
  }

  bool fetch_remote(TupleTableSlot* slot) {
    const MemoryContext saved = MemoryContextSwitchTo(context_.get());
    const bool found = tuplesort_gettupleslot(remote_, true, true, slot, nullptr);
    MemoryContextSwitchTo(saved);
    if (found) slot_getallattrs(slot);
    return found;
  }

  // The next row of the peer; of those with the same key the last.
  void advance_remote() {
    for (;;) {
      std::swap(remote_slot_, next_slot_);
      has_remote_ = has_next_;
      if (!has_remote_) return;
      has_next_ = fetch_remote(next_slot_);
      if (key_ == nullptr || !has_next_) return;
      if (compare_slots(remote_slot_, next_slot_) != 0 || key_has_null(remote_slot_)) return;
      counts_.repeated++;
    }
  }

  // An index that has gone bad (with another version of a collation, say) would make rows seem to
  // be missing.
  void check_order(TupleTableSlot* slot) {
    for (size_t i = 0; has_previous_ && i < order_.size(); i++) {
      const int at = order_[i].attribute - 1;
      const int order = compare(static_cast<int>(i), slot->tts_values[at], slot->tts_isnull[at],
                                previous_[i], false);
      if (order > 0) break;
      if (order < 0) {
        ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                        errmsg("index \"%s\" does not give its rows in order", key_->name.c_str()),
                        errhint("Please REINDEX it.")));
      }
    }
    MemoryContextReset(previous_context_.get());
    const MemoryContext saved = MemoryContextSwitchTo(previous_context_.get());
    for (size_t i = 0; i < order_.size(); i++) {
      const int at = order_[i].attribute - 1;
      const Form_pg_attribute attribute = TupleDescAttr(desc_, at);
      previous_[i] = datumCopy(slot->tts_values[at], attribute->attbyval, attribute->attlen);
    }
    MemoryContextSwitchTo(saved);
    has_previous_ = true;
  }

  bool differ(TupleTableSlot* local, TupleTableSlot* remote) {
    const rows::RowPair pair = {desc_,
                                columns_,
                                local->tts_values,
                                local->tts_isnull,
                                remote->tts_values,
                                remote->tts_isnull};
    const rows::Verdict verdict = rows::compare_images(pair);
    if (verdict != rows::Verdict::kUnsure) return verdict == rows::Verdict::kDiffer;
    equality_.enter();
    const bool result = rows::texts_differ(texts_, pair);
    equality_.leave();
    return result;
  }

  void take_insert() {
    counts_.inserts++;
    visitor_.insert_row(remote_slot_);
    advance_remote();
  }

  void take_delete(TupleTableSlot* local) {
    counts_.deletes++;
    visitor_.delete_row(local);
  }

  // What only the peer has comes before the row, as far as its key is less.
  void take_local(TupleTableSlot* local) {
    while (has_remote_) {
      const int order = compare_slots(local, remote_slot_);
      if (order < 0) break;
      if (order > 0) {
        take_insert();
        if (visitor_.satisfied()) return;
        CHECK_FOR_INTERRUPTS();
        continue;
      }
      if (!differ(local, remote_slot_)) {
        counts_.equal++;
      } else if (key_ != nullptr) {
        counts_.updates++;
        visitor_.update_row(local, remote_slot_);
      } else {
        // Different rows with one hash, by an accident that nobody will see or by design.
        take_delete(local);
        if (!visitor_.satisfied()) take_insert();
        return;
      }
      advance_remote();
      return;
    }
    take_delete(local);
  }

  void merge_sorted_local() {
    tuplesort_performsort(local_);
    TupleTableSlot* slot = MakeSingleTupleTableSlot(desc_, &TTSOpsMinimalTuple);
    const MemoryContext saved = MemoryContextSwitchTo(scratch_.get());
    while (!visitor_.satisfied() && tuplesort_gettupleslot(local_, true, false, slot, nullptr)) {
      CHECK_FOR_INTERRUPTS();
      slot_getallattrs(slot);
      take_local(slot);
      MemoryContextReset(scratch_.get());
    }
    MemoryContextSwitchTo(saved);
    ExecDropSingleTupleTableSlot(slot);
  }

  // What is left of the peer's rows when the local ones are at their end.
  void take_rest() {
    const MemoryContext saved = MemoryContextSwitchTo(scratch_.get());
    while (has_remote_ && !visitor_.satisfied()) {
      CHECK_FOR_INTERRUPTS();
      take_insert();
      MemoryContextReset(scratch_.get());
    }
    MemoryContextSwitchTo(saved);
  }

  const LoadRequest& request_;
  RowFeed& feed_;
  CompareVisitor& visitor_;
  const catalog::Key* key_;  // null: multisets
  const int columns_;
  std::vector<const catalog::Column*> described_;
  pg::OwnedContext context_;
  pg::OwnedContext scratch_;  // one row
  std::optional<RowHasher> hasher_;
  std::vector<SortColumn> order_;
  std::vector<SortSupportData> sort_support_;
  // An error leaves the sorts to the end of the (sub)transaction, which closes their files; their
  // memory goes with the context.
  Tuplesortstate* remote_ = nullptr;
  Tuplesortstate* local_ = nullptr;
  TupleDesc desc_ = nullptr;
  TupleTableSlot* put_slot_ = nullptr;
  TupleTableSlot* remote_slot_ = nullptr;  // the peer's row that is next to be met
  TupleTableSlot* next_slot_ = nullptr;    // the one behind it
  bool has_remote_ = false;
  bool has_next_ = false;
  int64 local_position_ = 0;
  pg::OwnedContext previous_context_;
  std::vector<Datum> previous_;  // key of the local row before
  bool has_previous_ = false;
  rows::CanonicalSettings equality_;
  rows::TextCache texts_{};
  CompareCounts counts_;
};

}  // namespace

bool ComparedByKey(const LoadRequest& request) {
  return MatchedKey(request) != nullptr;
}

CompareCounts CompareRows(const LoadRequest& request, RowFeed& feed, CompareVisitor& visitor) {
  return Comparison(request, feed, visitor).Run();
}

}  // namespace pgsync::engine
