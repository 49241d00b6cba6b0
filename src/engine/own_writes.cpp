#include "engine/own_writes.h"

#include "pg/query.h"

extern "C" {
#include "pgstat.h"
}

namespace pgsync::engine {

// TRUNCATE sets the counts back to zero, but gives the table another file.
OwnWrites OwnWrites::Of(const catalog::Table& table) {
  OwnWrites writes;
  writes.counted_ = pgstat_track_counts;
  writes.counts_ =
      pg::CatalogQuery(
          "SELECT string_agg(concat_ws(' ', relid, pg_relation_filenode(relid), "
          "    pg_stat_get_xact_tuples_inserted(relid), pg_stat_get_xact_tuples_updated(relid), "
          "    pg_stat_get_xact_tuples_deleted(relid)), ',' ORDER BY relid) "
          "FROM (SELECT relid::oid FROM pg_partition_tree($1) UNION SELECT $1) t",
          {pg::Param::OfOid(table.oid)})
          .at(0)
          .Text(0);
  return writes;
}

}  // namespace pgsync::engine
