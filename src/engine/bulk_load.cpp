#include "engine/bulk_load.h"

#include <memory>

#include "engine/bulk_refusal.h"
#include "pg/encoding.h"
#include "pg/settings.h"
#include "pg/subxact.h"
#include "rows/decoder.h"

extern "C" {
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace pgsync::engine {

namespace {

// As many rows as COPY gathers before it writes them.
constexpr int kSlots = 1000;
// What sorting for the indexes may take, in kB: a transfer promises to be modest whatever the size
// of the table, and sorting gains little from more.
constexpr int kSortMemory = 32 * 1024;

// All that the leaf works with, in one memory context. Plain data.
struct BulkState {
  Relation rel;
  EState* estate;
  ResultRelInfo* result;
  BulkInsertState insert;
  TupleTableSlot* slots[kSlots];
  int filled;
  ExprState** defaults;     // by attribute; null: none, or the stream has the column
  int* default_attributes;  // those that have one
  int default_count;
  MemoryContext rows;  // what the values of the filled slots point to
};

BulkState* begin_bulk(Oid table, const int* stream_attributes, size_t stream_count,
                      MemoryContext context) {
  PreventCommandIfReadOnly("sync_transfer()");
  const MemoryContext saved = MemoryContextSwitchTo(context);
  auto* state = static_cast<BulkState*>(palloc0(sizeof(BulkState)));
  state->rel = table_open(table, RowExclusiveLock);
  state->estate = CreateExecutorState();
  state->result = makeNode(ResultRelInfo);
  InitResultRelInfo(state->result, state->rel, 0, nullptr, 0);  // 0: in no range table
  CheckValidResultRel(state->result, CMD_INSERT);
  state->insert = GetBulkInsertState();
  state->rows = AllocSetContextCreate(context, "sync bulk rows", ALLOCSET_DEFAULT_SIZES);

  const TupleDesc desc = RelationGetDescr(state->rel);
  auto* in_stream = static_cast<bool*>(palloc0(desc->natts + 1));
  for (size_t i = 0; i < stream_count; i++)
    in_stream[stream_attributes[i]] = true;
  state->defaults = static_cast<ExprState**>(palloc0(sizeof(ExprState*) * (desc->natts + 1)));
  state->default_attributes = static_cast<int*>(palloc0(sizeof(int) * (desc->natts + 1)));
  for (int i = 0; i < desc->natts; i++) {
    const Form_pg_attribute attribute = TupleDescAttr(desc, i);
    if (attribute->attisdropped || attribute->attgenerated != '\0' || in_stream[i]) continue;
    Expr* expression = reinterpret_cast<Expr*>(build_column_default(state->rel, i + 1));
    if (expression == nullptr) continue;
    state->defaults[i] = ExecInitExpr(expression_planner(expression), nullptr);
    state->default_attributes[state->default_count++] = i;
  }
  MemoryContextSwitchTo(saved);
  return state;
}

void flush_rows(BulkState* state) {
  if (state->filled == 0) return;
  // table_multi_insert() leaves memory behind.
  const MemoryContext saved = MemoryContextSwitchTo(state->rows);
  table_multi_insert(state->rel, state->slots, state->filled, GetCurrentCommandId(true),
                     TABLE_INSERT_SKIP_FSM, state->insert);
  MemoryContextSwitchTo(saved);
  for (int i = 0; i < state->filled; i++)
    ExecClearTuple(state->slots[i]);
  state->filled = 0;
  MemoryContextReset(state->rows);
  ResetPerTupleExprContext(state->estate);
}

TupleTableSlot* next_slot(BulkState* state) {
  TupleTableSlot*& slot = state->slots[state->filled];
  if (slot == nullptr) {
    const MemoryContext saved = MemoryContextSwitchTo(state->estate->es_query_cxt);
    slot = table_slot_create(state->rel, nullptr);
    MemoryContextSwitchTo(saved);
  }
  return slot;
}

// What INSERT does with a row before it is stored.
void finish_row(BulkState* state, TupleTableSlot* slot) {
  ExprContext* expressions = GetPerTupleExprContext(state->estate);
  for (int k = 0; k < state->default_count; k++) {
    const int i = state->default_attributes[k];
    slot->tts_values[i] = ExecEvalExpr(state->defaults[i], expressions, &slot->tts_isnull[i]);
  }
  ExecStoreVirtualTuple(slot);
  slot->tts_tableOid = RelationGetRelid(state->rel);
  const TupleConstr* constraints = RelationGetDescr(state->rel)->constr;
  if (constraints != nullptr && constraints->has_generated_stored) {
    ExecComputeStoredGenerated(state->result, state->estate, slot, CMD_INSERT);
  }
  if (constraints != nullptr) ExecConstraints(state->result, slot, state->estate);
  if (state->rel->rd_rel->relispartition)
    ExecPartitionCheck(state->result, slot, state->estate, true);
}

// Readers of the table, and peers that read it, may hold the indexes for long, and two databases
// that load from each other would wait for each other without anyone seeing it. So there is an end
// to the wait, after which the rows go the other way.
void lock_indexes(Relation rel) {
  const int guc_level = NewGUCNestLevel();
  if (LockTimeout == 0 || LockTimeout > pg::settings::lock_timeout_ms) {
    (void)set_config_option("lock_timeout", psprintf("%d", pg::settings::lock_timeout_ms),
                            PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  }
  ListCell* cell;
  foreach (cell, RelationGetIndexList(rel))
    LockRelationOid(lfirst_oid(cell), AccessExclusiveLock);
  AtEOXact_GUC(true, guc_level);
}

void end_bulk(BulkState* state, bool any_rows) {
  flush_rows(state);
  FreeBulkInsertState(state->insert);
  table_finish_bulk_insert(state->rel, TABLE_INSERT_SKIP_FSM);
  for (TupleTableSlot* slot : state->slots) {
    if (slot != nullptr) ExecDropSingleTupleTableSlot(slot);
  }
  FreeExecutorState(state->estate);
  const Oid table = RelationGetRelid(state->rel);
  table_close(state->rel, NoLock);
  if (!any_rows) return;
  CommandCounterIncrement();
  const int guc_level = NewGUCNestLevel();
  if (maintenance_work_mem > kSortMemory) {
    (void)set_config_option("maintenance_work_mem", psprintf("%d", kSortMemory), PGC_USERSET,
                            PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  }
  ReindexParams params = {};
  reindex_relation(table, REINDEX_REL_CHECK_CONSTRAINTS, &params);
  AtEOXact_GUC(true, guc_level);
  CommandCounterIncrement();
}

struct Refused {
  const char* why;
};

class BulkLoader {
 public:
  BulkLoader(const LoadRequest& request, RowFeed& feed)
      : request_(request), feed_(feed), context_("sync bulk load") {}

  int64 Run() {
    decoder_ = DecoderFor(feed_.Begin(), request_);
    BeginInsert();
    core::RowStreamReader::Rows frame;
    int64 rows = 0;
    while (feed_.Next(&frame)) {
      TakeFrame(frame);
      rows += frame.count;
      if (request_.progress) request_.progress(frame.count, static_cast<int64>(frame.size));
    }
    if (rows > 0) LockIndexes();
    pg::Call([&] { end_bulk(state_, rows > 0); });
    return rows;
  }

 private:
  void LockIndexes() {
    try {
      pg::Call([&] { lock_indexes(state_->rel); });
    } catch (const pg::PgError& error) {
      const bool in_use = error.state() == core::sqlstate::kLockNotAvailable ||
                          error.state() == core::sqlstate::kDeadlockDetected;
      if (!in_use) throw;
      throw Refused{"an index is in use"};
    }
  }

  void BeginInsert() {
    for (size_t position : request_.columns) {
      attributes_.push_back(request_.target->columns[position].number - 1);
    }
    values_.resize(request_.columns.size() + 1);
    nulls_.reset(new bool[request_.columns.size() + 1]);
    const Oid table = request_.target->oid;
    state_ = pg::Call(
        [&] { return begin_bulk(table, attributes_.data(), attributes_.size(), context_.get()); });
  }

  void TakeFrame(const core::RowStreamReader::Rows& frame) {
    const pg::ClientEncodingScope scope(decoder_.encoding);
    decoder_.rows->Begin(frame.data, frame.size);
    pg::Call([&] {
      for (uint32_t i = 0; i < frame.count; i++) {
        CHECK_FOR_INTERRUPTS();
        take_row();
      }
      flush_rows(state_);
    });
    decoder_.rows->RequireEnd();
  }

  // Part of the leaf.
  void take_row() {
    TupleTableSlot* slot = next_slot(state_);
    ExecClearTuple(slot);
    const MemoryContext saved = MemoryContextSwitchTo(state_->rows);
    decoder_.rows->decode_row(values_.data(), nulls_.get());
    memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts);
    for (size_t i = 0; i < attributes_.size(); i++) {
      slot->tts_values[attributes_[i]] = values_[i];
      slot->tts_isnull[attributes_[i]] = nulls_[i];
    }
    finish_row(state_, slot);
    MemoryContextSwitchTo(saved);
    if (++state_->filled == kSlots) flush_rows(state_);
  }

  const LoadRequest& request_;
  RowFeed& feed_;
  pg::OwnedContext context_;
  StreamDecoder decoder_;
  std::vector<int> attributes_;
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
  BulkState* state_ = nullptr;
};

// As the server validates a new foreign key.
void check_foreign_keys(Oid table) {
  CommandCounterIncrement();
  Relation rel = table_open(table, AccessShareLock);
  List* keys = static_cast<List*>(copyObjectImpl(RelationGetFKeyList(rel)));
  ListCell* cell;
  foreach (cell, keys) {
    const auto* key = lfirst_node(ForeignKeyCacheInfo, cell);
    Relation referenced = table_open(key->confrelid, AccessShareLock);
    Trigger trigger = {};
    trigger.tgoid = InvalidOid;
    trigger.tgname = const_cast<char*>(get_constraint_name(key->conoid));
    trigger.tgenabled = TRIGGER_FIRES_ON_ORIGIN;
    trigger.tgisinternal = true;
    trigger.tgconstrrelid = key->confrelid;
    trigger.tgconstraint = key->conoid;
    if (!RI_Initial_Check(&trigger, rel, referenced)) {
      ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                      errmsg("cannot check foreign key \"%s\"", trigger.tgname),
                      errdetail("The rights to SELECT from both tables are missing.")));
    }
    table_close(referenced, NoLock);
  }
  table_close(rel, NoLock);
}

}  // namespace

std::string TryLoadInBulk(const LoadRequest& request, RowFeed& feed, ApplyCounts& counts) {
  // A key that is dropped comes from defaults, row by row: the set-based path does that.
  if (request.strategy == Strategy::kAppend) return "the strategy is append";
  const Oid table = request.target->oid;
  std::vector<AttrNumber> columns;
  for (size_t position : request.columns)
    columns.push_back(request.target->columns[position].number);
  try {
    pg::InSubXact([&] {
      const char* refusal = pg::Call([&] {
        return refuse_bulk_load(table, columns.data(), static_cast<int>(columns.size()),
                                request.foreign_keys_are_checked);
      });
      if (refusal != nullptr) throw Refused{refusal};
      counts.created += BulkLoader(request, feed).Run();
    });
    return std::string();
  } catch (const Refused& refused) {
    return refused.why;
  } catch (const pg::PgError& error) {
    if (!IsConversionError(error)) throw;
    feed.Drain();
    return error.message();
  }
}

void PendingForeignKeys::Check() const {
  for (Oid table : tables_)
    pg::Call([&] { check_foreign_keys(table); });
}

}  // namespace pgsync::engine
