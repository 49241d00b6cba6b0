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
  for (size_t position : positions) {
    const catalog::Column& column = target.columns[position];
    columns.push_back({column.type, column.typmod, column.collation});
  }
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
  rows_++;
}

void RowStore::Fill(const std::string& sql) {
  const char* text = sql.c_str();
  rows_ += pg::Call([&] {
    if (store_ == nullptr) begin();
    DestReceiver* receiver = CreateDestReceiver(DestTuplestore);
    SetTuplestoreDestReceiverParams(receiver, store_, context_.get(), true, nullptr, nullptr);
    SPIExecuteOptions options = {};
    options.read_only = false;
    options.dest = receiver;
    const int result = SPI_execute_extended(text, &options);
    if (result < 0) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
    receiver->rDestroy(receiver);
    return static_cast<int64>(SPI_processed);
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
    const int result = SPI_register_relation(relation);
    if (result != SPI_OK_REL_REGISTER) {
      elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
    }
  });
}

void RowStore::Clear() {
  if (store_ != nullptr) pg::Call([&] { tuplestore_end(store_); });
  store_ = nullptr;
  rows_ = 0;
}

}  // namespace pgsync::engine
