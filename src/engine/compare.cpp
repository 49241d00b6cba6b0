#include "engine/compare.h"

#include "engine/compared_rows.h"
#include "engine/remote_rows.h"
#include "engine/scan.h"
#include "rows/row_equality.h"

extern "C" {
#include "utils/datum.h"
}

namespace pgsync::engine {

namespace {

class Comparison : public rows::RowConsumer {
 public:
  Comparison(const LoadRequest& request, RowFeed* feed, const FeedOfRange* range,
             const LocalRows* some, CompareVisitor& visitor)
      : request_(request),
        visitor_(visitor),
        in_pages_(range != nullptr),
        some_(some),
        layout_(request),
        remote_(request, layout_, feed, range),
        scratch_("sync compared rows"),
        previous_context_("sync previous key"),
        previous_(layout_.order_columns()),
        settings_(false, false) {
    texts_.context = layout_.context();
    if (layout_.key() == nullptr || some_ != nullptr) {
      local_ = pg::Call([&] { return layout_.begin_sort(); });
    }
  }

  std::optional<CompareCounts> Run() {
    if (visitor_.satisfied()) return counts_;
    remote_.Begin();
    if (some_ == nullptr) {
      ScanRequest scan;
      scan.columns = request_.columns;
      scan.ordered = layout_.key() != nullptr;
      scan.first_rows = in_pages_;
      ScanTable(*request_.target, scan, *this);
    } else if (!(*some_)(request_.columns, *this)) {
      pg::Call([&] {
        remote_.end();
        tuplesort_end(local_);
      });
      return std::nullopt;
    }
    pg::ContextScope memory(scratch_.get());
    pg::Call([&] {
      if (local_ != nullptr) merge_sorted_local();
      // What is left of the peer's rows when the local ones are at their end.
      while (remote_.current() != nullptr && !visitor_.satisfied()) {
        CHECK_FOR_INTERRUPTS();
        take_insert();
        MemoryContextReset(scratch_.get());
      }
      remote_.end();
    });
    counts_.repeated = remote_.repeated();
    return counts_;
  }

  // A row of the local scan: with a key they come in its order, else they have to be sorted first.
  void take_row(TupleTableSlot* slot) override {
    slot_getallattrs(slot);
    const MemoryContext saved = MemoryContextSwitchTo(scratch_.get());
    if (local_ != nullptr) {
      layout_.put_row(local_, slot->tts_values, slot->tts_isnull, ++local_position_);
    } else {
      check_order(slot);
      take_local(slot);
    }
    MemoryContextSwitchTo(saved);
    MemoryContextReset(scratch_.get());
  }
  bool done() const override { return local_ == nullptr && visitor_.satisfied(); }

 private:
  // All below: leaves, in the scratch context.

  // An index that has gone bad (with another version of a collation, say) would make rows seem to
  // be missing.
  void check_order(TupleTableSlot* slot) {
    for (size_t i = 0; has_previous_ && i < previous_.size(); i++) {
      const int at = layout_.position_of(i);
      const int order =
          layout_.compare_by(i, slot->tts_values[at], slot->tts_isnull[at], previous_[i], false);
      if (order > 0) break;
      if (order < 0) {
        ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                        errmsg("index \"%s\" does not give its rows in order",
                               layout_.key()->name.c_str()),
                        errhint("Please REINDEX it.")));
      }
    }
    MemoryContextReset(previous_context_.get());
    const MemoryContext saved = MemoryContextSwitchTo(previous_context_.get());
    for (size_t i = 0; i < previous_.size(); i++) {
      const int at = layout_.position_of(i);
      const Form_pg_attribute attribute = TupleDescAttr(layout_.desc(), at);
      previous_[i] = datumCopy(slot->tts_values[at], attribute->attbyval, attribute->attlen);
    }
    MemoryContextSwitchTo(saved);
    has_previous_ = true;
  }

  bool differ(TupleTableSlot* local, TupleTableSlot* remote) {
    const rows::RowPair pair = {layout_.desc(),    layout_.columns(),  local->tts_values,
                                local->tts_isnull, remote->tts_values, remote->tts_isnull};
    const rows::Verdict verdict = rows::compare_images(pair);
    if (verdict != rows::Verdict::kUnsure) return verdict == rows::Verdict::kDiffer;
    settings_.enter();
    const bool result = rows::texts_differ(texts_, pair);
    settings_.leave();
    return result;
  }

  // Not for a visitor that has enough: the next row may have to be fetched.
  void go_on() {
    if (!visitor_.satisfied()) remote_.advance();
  }

  void take_insert() {
    counts_.inserts++;
    visitor_.insert_row(remote_.current());
    go_on();
  }

  void take_delete(TupleTableSlot* local) {
    counts_.deletes++;
    visitor_.delete_row(local);
  }

  // What only the peer has comes before the row, as far as its key is less.
  void take_local(TupleTableSlot* local) {
    while (TupleTableSlot* remote = remote_.current()) {
      const int order = layout_.compare(local, remote);
      if (order < 0) break;
      if (order == 0) {
        take_match(local, remote);
        return;
      }
      take_insert();
      if (visitor_.satisfied()) return;
      CHECK_FOR_INTERRUPTS();
      MemoryContextReset(scratch_.get());
    }
    take_delete(local);
  }

  void take_match(TupleTableSlot* local, TupleTableSlot* remote) {
    if (!differ(local, remote)) {
      counts_.equal++;
      go_on();
    } else if (layout_.key() != nullptr) {
      counts_.updates++;
      visitor_.update_row(local, remote);
      go_on();
    } else {
      // Different rows with one hash, by an accident that nobody will see or by design.
      take_delete(local);
      if (!visitor_.satisfied()) take_insert();
    }
  }

  void merge_sorted_local() {
    tuplesort_performsort(local_);
    TupleTableSlot* slot = layout_.make_slot();
    while (!visitor_.satisfied() && tuplesort_gettupleslot(local_, true, false, slot, nullptr)) {
      CHECK_FOR_INTERRUPTS();
      slot_getallattrs(slot);
      take_local(slot);
      MemoryContextReset(scratch_.get());
    }
    ExecClearTuple(slot);
    tuplesort_end(local_);
  }

  const LoadRequest& request_;
  CompareVisitor& visitor_;
  const bool in_pages_;
  const LocalRows* const some_;  // null: all of them
  ComparedRows layout_;
  RemoteRows remote_;
  Tuplesortstate* local_ = nullptr;  // null: the local rows come in the order of the key
  int64 local_position_ = 0;
  pg::OwnedContext scratch_;  // one row
  pg::OwnedContext previous_context_;
  std::vector<Datum> previous_;  // key of the local row before
  bool has_previous_ = false;
  rows::CanonicalSettings settings_;
  rows::TextCache texts_{};
  CompareCounts counts_;
};

}  // namespace

std::vector<std::string> ComparedKey(const LoadRequest& request) {
  std::vector<std::string> names;
  if (const catalog::Key* key = MatchedKey(request)) {
    for (size_t position : key->columns)
      names.push_back(request.target->columns[position].name);
  }
  return names;
}

CompareCounts CompareRows(const LoadRequest& request, RowFeed& feed, CompareVisitor& visitor) {
  return *Comparison(request, &feed, nullptr, nullptr, visitor).Run();
}

std::optional<CompareCounts> CompareSome(const LoadRequest& request, RowFeed& feed,
                                         const LocalRows& local, CompareVisitor& visitor) {
  return Comparison(request, &feed, nullptr, &local, visitor).Run();
}

CompareCounts CompareInPages(const LoadRequest& request, const FeedOfRange& range,
                             CompareVisitor& visitor) {
  return *Comparison(request, nullptr, &range, nullptr, visitor).Run();
}

}  // namespace pgsync::engine
