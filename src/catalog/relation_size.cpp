#include "catalog/relation_size.h"

#include <sys/stat.h>

#include "pg/query.h"

extern "C" {
#include "catalog/pg_class.h"
#include "common/relpath.h"
#include "miscadmin.h"
#include "storage/backendid.h"
}

namespace pgsync::catalog {

namespace {

struct StoredRelation {
  size_t table;  // position in the list
  Oid file;
  Oid tablespace;
  bool unlogged;
};

// All relations of the tables that have files, the tables themselves first. Those of another access
// method than heap are only known to that.
constexpr char kRelations[] =
    "WITH part AS ("
    "    SELECT t.n, t.oid FROM unnest($1) WITH ORDINALITY t(oid, n) "
    "    UNION ALL SELECT t.n, p.relid FROM unnest($1) WITH ORDINALITY t(oid, n) "
    "      JOIN pg_class c ON c.oid = t.oid AND c.relkind = 'p', pg_partition_tree(c.oid) p "
    "    WHERE p.relid <> t.oid), "
    "  stored AS (SELECT n, oid FROM part UNION ALL "
    "    SELECT p.n, c.reltoastrelid FROM part p JOIN pg_class c ON c.oid = p.oid "
    "    WHERE c.reltoastrelid <> 0), "
    "  relation AS (SELECT n, oid FROM stored UNION ALL "
    "    SELECT s.n, i.indexrelid FROM stored s JOIN pg_index i ON i.indrelid = s.oid) "
    "SELECT r.n, c.relfilenode, c.reltablespace, c.relpersistence = 'u', "
    "  CASE WHEN c.relkind IN ('r', 't', 'm') AND a.amhandler <> 'heap_tableam_handler'::regproc "
    "  THEN pg_relation_size(c.oid) + pg_relation_size(c.oid, 'fsm') "
    "    + pg_relation_size(c.oid, 'vm') + pg_relation_size(c.oid, 'init') END "
    "FROM relation r JOIN pg_class c ON c.oid = r.oid LEFT JOIN pg_am a ON a.oid = c.relam "
    "WHERE c.relfilenode <> 0";

// A fork is a file, and where that is full another one, and so on. Part of a leaf.
int64 fork_bytes(const StoredRelation& relation, ForkNumber fork) {
  constexpr int64 kSegmentBytes = static_cast<int64>(RELSEG_SIZE) * BLCKSZ;
  const Oid tablespace =
      OidIsValid(relation.tablespace) ? relation.tablespace : MyDatabaseTableSpace;
  char* const path =
      GetRelationPath(MyDatabaseId, tablespace, relation.file, InvalidBackendId, fork);
  int64 bytes = 0;
  for (int segment = 0; bytes == segment * kSegmentBytes; segment++) {
    CHECK_FOR_INTERRUPTS();
    char* const name = segment == 0 ? path : psprintf("%s.%d", path, segment);
    struct stat file;
    if (stat(name, &file) != 0) {
      if (errno == ENOENT) break;  // no such fork, or dropped meanwhile
      ereport(ERROR, (errcode_for_file_access(), errmsg("could not stat file \"%s\": %m", name)));
    }
    bytes += file.st_size;
  }
  pfree(path);
  return bytes;
}

}  // namespace

std::vector<int64> TotalBytes(const std::vector<Oid>& tables) {
  std::vector<int64> bytes(tables.size(), 0);
  if (tables.empty()) return bytes;
  std::vector<StoredRelation> relations;
  for (const pg::Row& row : pg::CatalogQuery(kRelations, {pg::Param::OfOids(tables)})) {
    const auto table = static_cast<size_t>(row.Int8(0)) - 1;
    if (row.IsNull(4)) {
      relations.push_back({table, row.AsOid(1), row.AsOid(2), row.Bool(3)});
    } else {
      bytes[table] += row.Int8(4);
    }
  }
  pg::Call([&] {
    for (const StoredRelation& relation : relations) {
      bytes[relation.table] += fork_bytes(relation, MAIN_FORKNUM) +
                               fork_bytes(relation, FSM_FORKNUM) +
                               fork_bytes(relation, VISIBILITYMAP_FORKNUM);
      if (relation.unlogged) bytes[relation.table] += fork_bytes(relation, INIT_FORKNUM);
    }
  });
  return bytes;
}

}  // namespace pgsync::catalog
