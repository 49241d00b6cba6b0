#include "engine/row_matcher.h"

#include <algorithm>

#include "core/text.h"
#include "pg/query.h"

extern "C" {
#include "access/htup_details.h"
}

namespace pgsync::engine {

using core::Cat;

namespace {

constexpr char kFoundRelation[] = "pgsync_found";
// The incoming rows that were not found.
constexpr char kOthers[] =
    "pgsync_incoming AS s WHERE NOT EXISTS (SELECT FROM pgsync_found AS f "
    "WHERE f.n OPERATOR(pg_catalog.=) s.n)";
constexpr int kFoundMemory = 4 * 1024;  // kB

std::vector<size_t> NotedOf(const RowMatching& matching) {
  std::vector<size_t> noted;
  for (const KeyMap* map : matching.maps)
    noted.insert(noted.end(), map->columns().begin(), map->columns().end());
  std::sort(noted.begin(), noted.end());
  noted.erase(std::unique(noted.begin(), noted.end()), noted.end());
  return noted;
}

std::vector<size_t> Twice(std::vector<size_t> columns) {
  const size_t count = columns.size();
  for (size_t i = 0; i < count; i++)
    columns.push_back(columns[i]);
  return columns;
}

}  // namespace

RowMatcher::RowMatcher(const catalog::Table& target, const BatchColumns& columns,
                       const RowMatching& matching, StoringSink& next, ApplyCounts& counts)
    : StoringSink(kIncomingRelation, target, columns),
      columns_(columns),
      matching_(matching),
      next_(next),
      counts_(counts),
      noted_(NotedOf(matching)),
      found_(kFoundRelation, target, Twice(noted_), kFoundMemory),
      find_(Statement(target)) {}

// Looks each row up by one index after the other.
std::string RowMatcher::Statement(const catalog::Table& target) const {
  if (matching_.keys.empty()) return std::string();
  const auto where = [&](const catalog::UniqueKey& key) {
    std::vector<std::string> values;
    for (size_t position : key.columns)
      values.push_back(columns_.Value(position));
    return Cat(" FROM ", target.FromClause(), " AS t WHERE ", key.Matches(target, values));
  };
  std::string came, found, here;
  for (size_t i = 0; i < noted_.size(); i++) {
    came += Cat(", ", columns_.Came(noted_[i]));
    found += Cat(", t.h", i);
    here += Cat(", t.", catalog::QuoteIdentifier(target.columns[noted_[i]].name), " AS h", i);
  }
  std::vector<std::string> lookups;
  for (size_t i = 0; i < matching_.keys.size(); i++)
    lookups.push_back(Cat("SELECT ", i, " AS k", here, where(matching_.keys[i])));
  return Cat(
      "SELECT s.n", came, found, " FROM ", kIncomingRelation,
      " AS s CROSS JOIN LATERAL (SELECT * FROM (", core::Join(lookups, " UNION ALL "),
      ") AS t ORDER BY t.k LIMIT 1) AS t "
      "WHERE s.n OPERATOR(pg_catalog.>=) $1 AND s.n OPERATOR(pg_catalog.<=) $2",
      matching_.own ? Cat(" AND NOT EXISTS (SELECT", where(*matching_.own), " OFFSET 0)") : "");
}

void RowMatcher::Apply() {
  if (pending() == 0) return;
  pg::WithSpi([&] {
    incoming_.Register();
    Find();
    found_.Register();
    NoteKeys();
    if (found_.rows() == 0) return;
    RowStore others(RowStore::Like{next_.incoming()});
    others.Fill(Cat("SELECT s.* FROM ", kOthers, " ORDER BY s.n"));
    next_.incoming().Take(others);
  });
  if (found_.rows() == 0) {
    next_.incoming().Take(incoming_);
  } else {
    counts_.skipped += found_.rows();
    incoming_.Clear();
  }
  found_.Clear();
  next_.Apply();
}

void RowMatcher::Find() {
  if (find_.empty()) return;
  find_.Prepare();
  pg::Call([&] {
    const uint64 count = find_.run(incoming_.first(), incoming_.last());
    SPITupleTable* const rows = SPI_tuptable;
    const int columns = 2 * static_cast<int>(noted_.size());
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (columns + 1)));
    auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * (columns + 1)));
    for (uint64 i = 0; i < count; i++) {
      heap_deform_tuple(rows->vals[i], rows->tupdesc, values, nulls);
      found_.put(DatumGetInt64(values[0]), values + 1, nulls + 1);
    }
    SPI_freetuptable(rows);
  });
}

void RowMatcher::NoteKeys() {
  for (KeyMap* map : matching_.maps) {
    std::vector<std::string> came, here;
    for (size_t position : map->columns()) {
      const auto at = std::lower_bound(noted_.begin(), noted_.end(), position) - noted_.begin();
      came.push_back(Cat("s.c", at));
      here.push_back(Cat("s.c", noted_.size() + static_cast<size_t>(at)));
    }
    if (found_.rows() > 0) map->Add(Cat(kFoundRelation, " AS s WHERE true"), came, here);
    // One with all rows gets these when they are written.
    if (!map->complete()) NoteTranslated(map);
  }
}

void RowMatcher::NoteTranslated(KeyMap* map) {
  std::vector<std::string> came, here;
  for (size_t position : map->columns()) {
    came.push_back(columns_.Came(position));
    here.push_back(columns_.Value(position));
  }
  if (came != here) map->Add(kOthers, came, here);
}

}  // namespace pgsync::engine
