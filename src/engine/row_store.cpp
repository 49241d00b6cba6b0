#include "engine/row_store.h"

extern "C" {
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "utils/queryenvironment.h"
#include "utils/resowner.h"
}

namespace pgsync::engine {

namespace {
std::vector<RowStore::Column> ColumnsOf(const catalog::Table& target,
                                        const std::vector<size_t>& positions) {
  std::vector<RowStore::Column> columns;
  for (size_t position : positions)
    columns.push_back(RowStore::ColumnOf(target.columns[position]));
  return columns;
}
}  // namespace

RowStore::RowStore(const char* name, const catalog::Table& target,
                   const std::vector<size_t>& columns, int memory)
    : RowStore(name, ColumnsOf(target, columns), memory) {}

RowStore::RowStore(const char* name, const std::vector<Column>& columns, int memory)
    : name_(name), memory_(memory), owner_(CurrentResourceOwner), context_("sync row store") {
  const int count = static_cast<int>(columns.size());
  const Column* all = columns.data();
  pg::Call([&] {
    const MemoryContext saved = MemoryContextSwitchTo(context_.get());
    desc_ = CreateTemplateTupleDesc(count + 1);
    TupleDescInitEntry(desc_, 1, "n", INT8OID, -1, 0);
    for (int i = 0; i < count; i++) {
      const auto number = static_cast<AttrNumber>(i + 2);
      TupleDescInitEntry(desc_, number, psprintf("c%d", i), all[i].type, all[i].typmod, 0);
      TupleDescInitEntryCollation(desc_, number, all[i].collation);
    }
    values_ = static_cast<Datum*>(palloc(sizeof(Datum) * (count + 1)));
    nulls_ = static_cast<bool*>(palloc(sizeof(bool) * (count + 1)));
    MemoryContextSwitchTo(saved);
  });
}

RowStore::RowStore(Like like)
    : name_(like.other.name_),
      memory_(like.other.memory_),
      owner_(like.other.owner_),
      context_("sync row store") {
  pg::Call([&] {
    const MemoryContext saved = MemoryContextSwitchTo(context_.get());
    desc_ = CreateTupleDescCopy(like.other.desc_);
    values_ = static_cast<Datum*>(palloc(sizeof(Datum) * desc_->natts));
    nulls_ = static_cast<bool*>(palloc(sizeof(bool) * desc_->natts));
    MemoryContextSwitchTo(saved);
  });
}

void RowStore::begin() {
  // Not the subtransaction's in which the first row comes: its end would close the files.
  ResourceOwner const current = CurrentResourceOwner;
  CurrentResourceOwner = owner_;
  const MemoryContext saved = MemoryContextSwitchTo(context_.get());
  store_ = tuplestore_begin_heap(true, false, memory_);
  MemoryContextSwitchTo(saved);
  CurrentResourceOwner = current;
}

void RowStore::put(int64 n, Datum* values, bool* nulls) {
  if (store_ == nullptr) begin();
  const int count = desc_->natts - 1;
  values_[0] = Int64GetDatum(n);
  nulls_[0] = false;
  memcpy(values_ + 1, values, sizeof(Datum) * count);
  memcpy(nulls_ + 1, nulls, sizeof(bool) * count);
  tuplestore_putvalues(store_, desc_, values_, nulls_);
  first_ = rows_ == 0 ? n : Min(first_, n);
  last_ = rows_ == 0 ? n : Max(last_, n);
  rows_++;
}

void RowStore::put_slot(TupleTableSlot* slot) {
  slot_getallattrs(slot);
  put(DatumGetInt64(slot->tts_values[0]), slot->tts_values + 1, slot->tts_isnull + 1);
}

// Part of the leaf.
TupleTableSlot* RowStore::slot() {
  if (slot_ == nullptr) {
    const MemoryContext saved = MemoryContextSwitchTo(context_.get());
    slot_ = MakeTupleTableSlot(desc_, &TTSOpsMinimalTuple);
    MemoryContextSwitchTo(saved);
  }
  return slot_;
}

void RowStore::Split(RowStore* lower, RowStore* upper) {
  pg::Call([&] {
    if (store_ == nullptr) return;
    tuplestore_select_read_pointer(store_, 0);
    tuplestore_rescan(store_);
    for (int64 i = 0; tuplestore_gettupleslot(store_, true, false, slot()); i++) {
      CHECK_FOR_INTERRUPTS();
      (upper == nullptr || i < rows_ / 2 ? lower : upper)->put_slot(slot_);
    }
    ExecClearTuple(slot_);
  });
}

void RowStore::GoToStart() {
  pg::Call([&] {
    if (store_ == nullptr) return;
    tuplestore_select_read_pointer(store_, 0);
    tuplestore_rescan(store_);
  });
}

void RowStore::GoToEnd() {
  pg::Call([&] {
    if (store_ == nullptr) return;
    tuplestore_select_read_pointer(store_, 0);
    // Behind the last row is only who has looked for another one.
    while (tuplestore_advance(store_, true))
      CHECK_FOR_INTERRUPTS();
  });
}

bool RowStore::Copy(RowStore& to, int64 rows, size_t bytes, bool forwards) {
  return pg::Call([&] {
    if (store_ == nullptr) return false;
    size_t copied = 0;
    while (to.rows_ < rows && copied < bytes &&
           tuplestore_gettupleslot(store_, forwards, false, slot())) {
      CHECK_FOR_INTERRUPTS();
      bool own;
      copied += ExecFetchSlotMinimalTuple(slot_, &own)->t_len;
      to.put_slot(slot_);
    }
    ExecClearTuple(slot());
    return to.rows_ > 0;
  });
}

void RowStore::Take(RowStore& other) {
  other.Split(this, nullptr);
  other.Clear();
}

void RowStore::show(RowStore& other) {
  if (other.store_ == nullptr) other.begin();
  registered_->reldata = other.store_;
}

// Part of the leaf.
template <typename Execute>
int64 RowStore::fill(Execute execute) {
  if (store_ == nullptr) begin();
  SPIExecuteOptions options = {};
  options.dest = CreateDestReceiver(DestTuplestore);
  SetTuplestoreDestReceiverParams(options.dest, store_, context_.get(), true, nullptr, nullptr);
  const int result = execute(&options);
  if (result < 0) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
  options.dest->rDestroy(options.dest);
  return static_cast<int64>(SPI_processed);
}

void RowStore::Fill(const std::string& sql) {
  const char* text = sql.c_str();
  rows_ += pg::Call([&] {
    return fill([&](SPIExecuteOptions* options) { return SPI_execute_extended(text, options); });
  });
}

void RowStore::Fill(SPIPlanPtr plan) {
  rows_ += pg::Call([&] {
    return fill([&](SPIExecuteOptions* options) {
      options->read_only = true;
      return SPI_execute_plan_extended(plan, options);
    });
  });
}

void RowStore::Register() {
  pg::Call([&] {
    if (store_ == nullptr) begin();
    auto* relation =
        static_cast<EphemeralNamedRelation>(palloc0(sizeof(EphemeralNamedRelationData)));
    relation->md.name = pstrdup(name_);
    relation->md.reliddesc = InvalidOid;
    relation->md.tupdesc = desc_;
    relation->md.enrtype = ENR_NAMED_TUPLESTORE;
    relation->md.enrtuples = static_cast<double>(rows_);
    relation->reldata = store_;
    (void)SPI_unregister_relation(name_);
    const int result = SPI_register_relation(relation);
    if (result != SPI_OK_REL_REGISTER) {
      elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
    }
    registered_ = relation;
  });
}

void RowStore::Clear() {
  if (store_ != nullptr) pg::Call([&] { tuplestore_end(store_); });
  store_ = nullptr;
  rows_ = 0;
}

}  // namespace pgsync::engine
