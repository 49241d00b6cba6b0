#include "engine/row_matcher.h"

#include <algorithm>

#include "core/text.h"
#include "pg/query.h"

extern "C" {}

namespace pgsync::engine {

using core::Cat;

namespace {

constexpr char kFoundRelation[] = "pgsync_found";
// Of an incoming row "s".
constexpr char kNotFound[] =
    "NOT EXISTS (SELECT FROM pgsync_found AS f WHERE f.n OPERATOR(pg_catalog.=) s.n)";
constexpr int kFoundMemory = 4 * 1024;  // kB

// The incoming rows that were not found.
std::string Others() {
  return Cat(kIncomingRelation, " AS s WHERE ", kNotFound);
}

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
                       const RowMatching& matching, StoringSink& next, ApplyCounts& counts,
                       bool dry)
    : StoringSink(kIncomingRelation, target, columns),
      columns_(columns),
      matching_(matching),
      next_(next),
      counts_(counts),
      noted_(NotedOf(matching)),
      found_(kFoundRelation, target, Twice(noted_), kFoundMemory),
      find_(Statement(target)) {
  if (dry && !matching.keys.empty()) {
    equal_.emplace(target, columns, matching.keys, matching.own ? &*matching.own : nullptr,
                   matching.matched != nullptr);
  }
  if (matching.own_references.empty()) return;
  std::vector<const KeyTranslation*> within;
  for (const OwnReference& reference : matching.own_references)
    within.push_back(&reference.within);
  within_.emplace(target, within, [&](size_t position) { return columns_.Came(position); });
}

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
  std::string noted;
  if (matching_.matched != nullptr) {
    const std::vector<size_t>& key = target.row_key->columns;
    for (size_t i = 0; i < key.size(); i++) {
      here += Cat(", t.", catalog::QuoteIdentifier(target.columns[key[i]].name), " AS r", i);
      noted += Cat(", t.r", i);
    }
    noted += ", t.k";
    for (size_t position : matching_.matched->columns())
      noted += Cat(", ", columns_.Value(position));
  }
  std::vector<std::string> lookups;
  for (size_t i = 0; i < matching_.keys.size(); i++)
    lookups.push_back(Cat("SELECT ", i, " AS k", here, where(matching_.keys[i])));
  return Cat(
      "SELECT s.n", came, found, noted, " FROM ", kIncomingRelation,
      " AS s CROSS JOIN LATERAL (SELECT * FROM (", core::Join(lookups, " UNION ALL "),
      ") AS t ORDER BY t.k LIMIT 1) AS t "
      "WHERE s.n OPERATOR(pg_catalog.>=) $1 AND s.n OPERATOR(pg_catalog.<=) $2",
      matching_.own ? Cat(" AND NOT EXISTS (SELECT", where(*matching_.own), " OFFSET 0)") : "");
}

void RowMatcher::Finish() {
  Apply();
  next_.Finish();
}

void RowMatcher::Apply() {
  if (pending() == 0) return;
  RowStore others(RowStore::Like{next_.incoming()});
  pg::WithSpi([&] {
    incoming_.Register();
    find_.Prepare();
    Find(incoming_);
    found_.Register();
    if (within_) FindBelow();
    NoteKeys();
    if (found_.rows() > 0) others.Fill(Cat("SELECT s.* FROM ", Others(), " ORDER BY s.n"));
    if (equal_) {
      RowStore& rest = found_.rows() > 0 ? others : incoming_;
      pg::Call([&] { incoming_.show(rest); });
      equal_->Note(incoming_.first(), incoming_.last());
    }
  });
  if (found_.rows() == 0) {
    next_.incoming().Take(incoming_);
  } else {
    next_.incoming().Take(others);
    counts_.skipped += found_.rows();
    incoming_.Clear();
  }
  found_.Clear();
  for (const OwnReference& reference : matching_.own_references)
    reference.found->rows().Clear();
  next_.Apply();
}

void RowMatcher::Settle() {
  next_.Settle();
  if (!equal_) return;
  const int64 found = equal_->Count();
  counts_.created -= found;
  counts_.skipped += found;
}

void RowMatcher::Find(RowStore& rows) {
  if (find_.empty()) return;
  MatchedRows* const matched = matching_.matched.get();
  const size_t behind = 1 + 2 * noted_.size();  // what is noted of rows that are matched
  pg::Call([&] {
    incoming_.show(rows);
    find_.run_for_each(incoming_.first(), incoming_.last(), [&](Datum* values, bool* nulls) {
      const int64 n = DatumGetInt64(values[0]);
      found_.put(n, values + 1, nulls + 1);
      if (matched != nullptr) matched->rows().put(n, values + behind, nulls + behind);
    });
    incoming_.show(incoming_);
  });
}

// What refers to rows that were found is looked for once more, by what these are called here, and
// so on down: one time for each level of a tree.
void RowMatcher::FindBelow() {
  for (int64 followed = 0; found_.rows() > followed;) {
    pg::CheckInterrupts();
    followed = found_.rows();
    for (const OwnReference& reference : matching_.own_references)
      NoteFound(reference.found.get());
    within_->Register();
    RowStore below(RowStore::Like{incoming_});
    below.Fill(RowsBelow());
    if (below.rows() > 0) Find(below);
    below.Clear();
  }
}

std::string RowMatcher::RowsBelow() const {
  std::string values;
  for (size_t position : columns_.columns)
    values += Cat(", ", within_->Value(position, columns_.Value(position)));
  for (size_t position : columns_.carried)
    values += Cat(", ", columns_.Came(position));
  return Cat("SELECT DISTINCT ON (s.n) s.n", values, " FROM ", kIncomingRelation, " AS s",
             within_->joins(), " WHERE ", within_->any(), " AND ", kNotFound);
}

void RowMatcher::NoteKeys() {
  for (KeyMap* map : matching_.maps) {
    if (found_.rows() > 0) NoteFound(map);
    // One with all rows gets these when they are written.
    if (!map->complete()) NoteTranslated(map);
  }
}

void RowMatcher::NoteFound(KeyMap* map) {
  std::vector<std::string> came, here;
  for (size_t position : map->columns()) {
    const auto at = std::lower_bound(noted_.begin(), noted_.end(), position) - noted_.begin();
    came.push_back(Cat("s.c", at));
    here.push_back(Cat("s.c", noted_.size() + static_cast<size_t>(at)));
  }
  map->Add(Cat(kFoundRelation, " AS s WHERE true"), came, here);
}

void RowMatcher::NoteTranslated(KeyMap* map) {
  std::vector<std::string> came, here;
  for (size_t position : map->columns()) {
    came.push_back(columns_.Came(position));
    here.push_back(columns_.Value(position));
  }
  if (came != here) map->Add(Others(), came, here);
}

}  // namespace pgsync::engine
