// Rows that a query of ours sees as a table, as the functions of a trigger see transition tables:
// an ephemeral named relation over a tuplestore, in memory while small, else in a file.
#pragma once

#include <string>
#include <vector>

#include "catalog/table.h"
#include "pg/memory.h"

extern "C" {
#include "utils/tuplestore.h"
}

struct EphemeralNamedRelationData;
struct _SPI_plan;
struct ResourceOwnerData;

namespace pgsync::engine {

/// Its columns are "n", a number that the caller gives to each row (bigint), and "c0", "c1", ...
class RowStore {
 public:
  struct Column {
    Oid type;
    int32 typmod = -1;
    Oid collation = InvalidOid;
  };
  static Column ColumnOf(const catalog::Column& column) {
    return {column.type, column.typmod, column.collation};
  }
  /// The same for values of any length: how long they may be is looked at when they are written.
  static Column UnlimitedColumnOf(const catalog::Column& column) {
    return {column.type, -1, column.collation};
  }
  /// See the other constructor.
  RowStore(const char* name, const std::vector<Column>& columns, int memory);
  /// Holds values of some columns of a table. `name`: of the relation, without need of quotes.
  /// `columns`: positions in target.columns.
  /// `memory`: how large it may become before it spills to a file, in kB. One row may be larger.
  RowStore(const char* name, const catalog::Table& target, const std::vector<size_t>& columns,
           int memory);
  /// Makes an empty one for rows like those of `other`, under its name.
  struct Like {
    const RowStore& other;
  };
  explicit RowStore(Like like);
  RowStore(const RowStore&) = delete;
  RowStore& operator=(const RowStore&) = delete;
  // Rows that are still there belong to an error: the end of the (sub)transaction closes their
  // files, the memory goes with the context.
  ~RowStore() = default;

  /// Copies a row in. For leaves.
  void put(int64 n, Datum* values, bool* nulls);
  /// Copies the rows of `other` in, which are like these, and empties it.
  void Take(RowStore& other);
  /// Adds the rows of a query whose columns are those of the store, read with a snapshot of its
  /// own. SPI must be connected.
  void Fill(const std::string& sql);
  /// The same of a query that is prepared, read with the active snapshot.
  void Fill(_SPI_plan* plan);
  int64 rows() const { return rows_; }
  /// The least and the greatest number of a row that was put.
  int64 first() const { return first_; }
  int64 last() const { return last_; }
  /// Copies the first half of the rows (all, where `upper` is null) into one store, the others into
  /// the other one.
  void Split(RowStore* lower, RowStore* upper);

  /// Begins to read the rows, from the first one on, or backwards, from the last one on.
  void GoToStart();
  void GoToEnd();
  /// Copies the next rows into `to`, which is empty, until these are `rows` or about `bytes`.
  /// False: there were none left. In between the store must be left alone.
  bool CopyForwards(RowStore& to, int64 rows, size_t bytes) { return Copy(to, rows, bytes, true); }
  /// The same of the rows before, the last of them first.
  bool CopyBackwards(RowStore& to, int64 rows, size_t bytes) {
    return Copy(to, rows, bytes, false);
  }

  /// Makes the rows visible, under the name, to the queries of the open SPI connection, in place of
  /// what was visible under it before.
  void Register();
  /// Once registered: the relation holds the rows of `other`, which are like these, from now on.
  /// For leaves.
  void show(RowStore& other);
  /// Forgets the rows. The relation must not be registered in an open SPI connection.
  void Clear();

 private:
  void begin();
  template <typename Execute>
  int64 fill(Execute execute);
  bool Copy(RowStore& to, int64 rows, size_t bytes, bool forwards);
  void put_slot(TupleTableSlot* slot);
  TupleTableSlot* slot();

  const char* name_;
  int memory_;
  ResourceOwnerData* owner_;  // of the files: the one that the object was made under
  pg::OwnedContext context_;
  TupleDesc desc_ = nullptr;
  Tuplestorestate* store_ = nullptr;
  Datum* values_ = nullptr;  // scratch, with room for "n"
  bool* nulls_ = nullptr;
  TupleTableSlot* slot_ = nullptr;
  EphemeralNamedRelationData* registered_ = nullptr;
  int64 rows_ = 0;
  int64 first_ = 0;
  int64 last_ = 0;
};

}  // namespace pgsync::engine
