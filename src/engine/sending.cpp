#include "engine/sending.h"

#include <algorithm>

#include "catalog/shareable.h"
#include "catalog/table_lock.h"
#include "core/text.h"
#include "engine/scan.h"
#include "pg/compat.h"
#include "pg/query.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
}

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

struct Storage {
  Oid relation;
  Oid file;
};

// The files of a relation and its partitions as they are now, with ACCESS SHARE held on them from
// here to the end of the transaction.
std::vector<Storage> LockedStorage(Oid relation) {
  struct {
    Storage* entries;
    int count;
  } found = pg::Call([&] {
    LockRelationOid(relation, AccessShareLock);
    List* members = get_rel_relkind(relation) == RELKIND_PARTITIONED_TABLE
                        ? find_all_inheritors(relation, AccessShareLock, nullptr)
                        : list_make1_oid(relation);
    decltype(found) result = {
        static_cast<Storage*>(palloc(sizeof(Storage) * (list_length(members) + 1))), 0};
    ListCell* cell;
    foreach (cell, members) {
      Relation rel = RelationIdGetRelation(lfirst_oid(cell));
      if (rel == nullptr) continue;  // dropped before the lock was there
      result.entries[result.count++] = {lfirst_oid(cell), rel->rd_rel->relfilenode};
      RelationClose(rel);
    }
    return result;
  });
  return std::vector<Storage>(found.entries, found.entries + found.count);
}

}  // namespace

void RequireUnchanged(const catalog::Table& table) {
  std::vector<Storage> now = LockedStorage(table.oid);
  if (now.empty()) {
    throw Error(sqlstate::kUndefinedTable, Cat("table \"", table.name.ForMessage(),
                                               "\" was dropped after the snapshot was taken"));
  }
  const auto rows = pg::CatalogQuery(
      "WITH RECURSIVE tree(oid) AS (SELECT $1 UNION ALL SELECT i.inhrelid FROM tree t "
      "  JOIN pg_inherits i ON i.inhparent = t.oid JOIN pg_class p ON p.oid = t.oid "
      "  WHERE p.relkind = 'p') "
      "SELECT c.oid, c.relfilenode FROM tree t JOIN pg_class c ON c.oid = t.oid",
      {pg::Param::OfOid(table.oid)});
  bool same = rows.size() == now.size();
  for (const pg::Row& row : rows) {
    const Storage seen{row.AsOid(0), row.AsOid(1)};
    same = same && std::any_of(now.begin(), now.end(), [&](const Storage& storage) {
             return storage.relation == seen.relation && storage.file == seen.file;
           });
  }
  if (same) {
    catalog::RequireAsRead(table);
    return;
  }
  throw Error(sqlstate::kNotInPrerequisiteState,
              Cat("table \"", table.name.ForMessage(),
                  "\" was truncated, rewritten or partitioned anew "
                  "after the snapshot was taken"))
      .WithHint("Connect again for a new snapshot.");
}

void RequireNotWritten(const catalog::Table& table) {
  const Oid relation = table.oid;
  const bool written = pg::Call([&] {
    if (!TransactionIdIsValid(GetTopTransactionIdIfAny())) return false;
    LockRelationOid(relation, AccessShareLock);
    List* members = get_rel_relkind(relation) == RELKIND_PARTITIONED_TABLE
                        ? find_all_inheritors(relation, AccessShareLock, nullptr)
                        : list_make1_oid(relation);
    ListCell* cell;
    foreach (cell, members) {
      Relation rel = RelationIdGetRelation(lfirst_oid(cell));
      if (rel == nullptr) continue;
      // Rows are written under this very lock; what makes, empties or rewrites a table leaves its
      // mark on it.
      const bool touched =
          CheckRelationLockedByMe(rel, RowExclusiveLock, false) || pg::is_new_storage(rel);
      RelationClose(rel);
      if (touched) return true;
    }
    return false;
  });
  if (!written) return;
  throw Error(core::SqlState("25001"), Cat("cannot push table \"", table.name.ForMessage(),
                                           "\" in a transaction that has written to it"))
      .WithDetail("The peer would commit what may yet be rolled back here.")
      .WithHint("Commit first.");
}

core::OpenedTable Describe(const catalog::Table& table) {
  core::OpenedTable opened;
  opened.info = table.ToInfo();
  opened.complete = !catalog::RowSecurityApplies(table.oid);
  opened.has_children = table.has_children;
  const auto facts = pg::CatalogQuery(
      "SELECT CASE WHEN reltuples >= 0 THEN reltuples::numeric::int8 END "
      "FROM pg_class WHERE oid = $1",
      {pg::Param::OfOid(table.oid)});
  opened.row_estimate = facts.at(0).OptionalInt8(0);
  opened.size_bytes = catalog::StoredBytes(table.oid);
  return opened;
}

std::vector<size_t> RequestedColumns(const catalog::Table& table,
                                     const core::RowsRequest& request) {
  if (request.columns.empty()) return PlainColumns(table);
  std::vector<size_t> positions;
  for (const auto& wanted : request.columns) {
    const size_t position = table.PositionOf(wanted.name);
    if (position == table.columns.size()) {
      throw Error(core::SqlState("42703"), Cat("column \"", wanted.name, "\" of table \"",
                                               table.name.ForMessage(), "\" does not exist"));
    }
    positions.push_back(position);
  }
  return positions;
}

std::vector<rows::RowEncoder::Request> EncodingOf(const catalog::Table& table,
                                                  const std::vector<size_t>& positions,
                                                  const core::RowsRequest& request) {
  std::vector<rows::RowEncoder::Request> encoded;
  for (size_t i = 0; i < positions.size(); i++) {
    const catalog::Column& column = table.columns[positions[i]];
    const bool binary = !request.columns.empty() && request.columns[i].binary;
    encoded.push_back({&column, binary && column.facts.binary});
  }
  return encoded;
}

int StreamEncoding(const std::string& requested) {
  const int own = GetDatabaseEncoding();
  if (own == PG_SQL_ASCII || pg_char_to_encoding(requested.c_str()) == own) return own;
  return PG_UTF8;
}

}  // namespace pgsync::engine
