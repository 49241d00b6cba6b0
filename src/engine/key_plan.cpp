#include "engine/key_plan.h"

#include <algorithm>
#include <functional>

#include "core/text.h"
#include "engine/apply_statements.h"
#include "engine/positions.h"

namespace pgsync::engine {

using core::Cat;

namespace {

bool ContainsAll(const Positions& positions, const Positions& all) {
  return std::all_of(all.begin(), all.end(),
                     [&](size_t position) { return Contains(positions, position); });
}

bool ContainsAny(const Positions& positions, const Positions& any) {
  return std::any_of(any.begin(), any.end(),
                     [&](size_t position) { return Contains(positions, position); });
}

bool SameSet(const Positions& a, const Positions& b) {
  return a.size() == b.size() && ContainsAll(a, b);
}

[[noreturn]] void RefuseMap(const Job& job, const std::string& why) {
  throw core::Error(
      core::sqlstate::kFeatureNotSupported,
      Cat("cannot give new keys to the rows of table \"", job.local.name.ForMessage(), "\""))
      .WithDetail(why)
      .WithHint("Use another strategy for the table, or transfer it in a call of its own.");
}

// The positions of columns whose names are quoted.
Positions PositionsOf(const catalog::Table& table, const std::vector<std::string>& quoted) {
  Positions positions;
  for (const std::string& name : quoted) {
    size_t i = 0;
    while (i < table.columns.size() && catalog::QuoteIdentifier(table.columns[i].name) != name)
      i++;
    positions.push_back(i);
  }
  return positions;
}

// Rows get new primary keys.
bool GivesNewKeys(const Job& job) {
  return job.strategy == Strategy::kAppend && job.local.primary_key.has_value();
}

class KeyPlanner {
 public:
  KeyPlanner(const std::vector<std::unique_ptr<Job>>& jobs, const std::vector<Job*>& ordered)
      : jobs_(jobs), ordered_(ordered) {}

  void Run() {
    for (Job* job : ordered_) {
      if (job->missing) continue;
      // What is filled in later has to be found by its new key.
      if (GivesNewKeys(*job) && job->late_rows != nullptr) (void)NewKeysOf(*job);
      // A table's own keys are known once those are that it takes from others.
      FollowForeignKeys(*job, true);
      FollowForeignKeys(*job, false);
      KeepKeys(*job);
    }
    for (const auto& job : jobs_) {
      Carry(*job);
      FinishMatching(*job);
    }
  }

 private:
  // Those that refer to tables before this one, or the others.
  void FollowForeignKeys(Job& job, bool preceding) {
    std::vector<catalog::ForeignKeyRule> rules;
    for (const catalog::ForeignKey& key : job.local.foreign_keys) {
      const auto referenced = std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& other) {
        return other->local.oid == key.referenced;
      });
      if (referenced == jobs_.end()) {
        if (job.strategy == Strategy::kAppend && preceding) TellUnfollowed(job, key);
        continue;
      }
      if (Precedes(**referenced, job) != preceding) continue;
      if (!MayChangeKeys(**referenced)) continue;
      if (rules.empty()) rules = catalog::ForeignKeysOf({job.local.oid});
      for (const catalog::ForeignKeyRule& rule : rules) {
        if (rule.constraint == key.constraint) Follow(job, rule, **referenced);
      }
    }
  }

  static bool MayChangeKeys(const Job& job) {
    return GivesNewKeys(job) || job.matching != nullptr || !job.translations.empty();
  }

  static void TellUnfollowed(const Job& job, const catalog::ForeignKey& key) {
    pg::Call([&] {
      ereport(NOTICE, (errmsg("values of foreign key \"%s\" of table \"%s\" are taken as they are",
                              key.name.c_str(), job.local.name.name.c_str()),
                       errdetail("The table that it refers to is not part of this transfer.")));
    });
  }

  void Follow(Job& job, const catalog::ForeignKeyRule& rule, Job& referenced) {
    const Positions to = PositionsOf(referenced.local, rule.referenced_columns);
    const Positions from = PositionsOf(job.local, rule.columns);
    const bool new_keys =
        GivesNewKeys(referenced) && ContainsAny(referenced.local.primary_key->columns, to);
    if (!new_keys && referenced.matching == nullptr && !IsTranslated(referenced, to)) return;
    const Positions coming = job.LocalColumns();
    const bool comes = ContainsAll(coming, from) && ContainsAll(referenced.LocalColumns(), to);
    if (new_keys) {
      RequireWholeKey(job, rule, referenced, to);
      if (!ContainsAny(coming, from)) return;
      if (!comes) RefuseMap(referenced, "The peer's tables lack columns of the key.");
    } else if (!comes) {
      return;
    }
    KeyTranslation translation;
    translation.rule = rule;
    translation.map = new_keys ? NewKeysOf(referenced) : MapOf(referenced, to);
    for (size_t position : translation.map->columns())
      translation.columns.push_back(from[PlaceOf(to, position)]);
    if (IsFollowed(job, translation)) return;
    if (new_keys) RequireOneReference(job, from, referenced);
    const bool late = job.late_rows && ContainsAll(job.late_rows->columns(), from);
    if (late) job.late_translations.push_back(translation);
    // Skip does not compare what is filled in later; but what cannot be filled in is a row's error.
    const bool compared = job.strategy != Strategy::kSkip || !KeepsTypes(job, translation);
    if (late && (new_keys || !compared)) return;
    (Precedes(referenced, job) || new_keys ? job.translations : job.unsettled)
        .push_back(std::move(translation));
  }

  // No value has to be cast.
  static bool KeepsTypes(const Job& job, const KeyTranslation& translation) {
    const KeyMap& map = *translation.map;
    for (size_t i = 0; i < map.columns().size(); i++) {
      const catalog::Column& to = map.target().columns[map.columns()[i]];
      if (job.local.columns[translation.columns[i]].type != to.type) return false;
    }
    return true;
  }

  static void RequireWholeKey(const Job& job, const catalog::ForeignKeyRule& rule,
                              const Job& referenced, const Positions& to) {
    const catalog::Key& key = *referenced.local.primary_key;
    if (!SameSet(key.columns, to)) {
      RefuseMap(referenced,
                Cat("Foreign key \"", rule.name, "\" of table \"", job.local.name.ForMessage(),
                    "\" refers to a part of the primary key."));
    }
    if (!UniqueAtPeer(referenced.remote.info, referenced.local, &key))
      RefuseMap(referenced, "The key is not unique among the peer's rows.");
  }

  // Any table may have two foreign keys that say the same; a partitioned one has those of all of
  // its partitions.
  static bool IsFollowed(const Job& job, const KeyTranslation& translation) {
    for (const auto* others : {&job.translations, &job.late_translations, &job.unsettled}) {
      for (const KeyTranslation& other : *others) {
        if (other.map == translation.map && other.columns == translation.columns) return true;
      }
    }
    return false;
  }

  static void RequireOneReference(const Job& job, const Positions& from, const Job& referenced) {
    for (const auto* others : {&job.translations, &job.late_translations}) {
      for (const KeyTranslation& other : *others) {
        for (size_t position : other.columns) {
          if (!other.required() || !Contains(from, position)) continue;
          RefuseMap(referenced, Cat("Column \"", job.local.columns[position].name, "\" of table \"",
                                    job.local.name.ForMessage(), "\" refers to two tables."));
        }
      }
    }
  }

  static bool IsTranslated(const Job& job, const Positions& any) {
    return std::any_of(
        job.translations.begin(), job.translations.end(),
        [&](const KeyTranslation& translation) { return ContainsAny(translation.columns, any); });
  }

  // All that will be known of the one is known when the other one's rows come.
  bool Precedes(const Job& first, const Job& second) const {
    const auto place = [&](const Job& job) {
      return std::find(ordered_.begin(), ordered_.end(), &job);
    };
    return place(first) < place(second);
  }

  static KeyMap* NewKeysOf(Job& job) {
    if (job.new_keys == nullptr) job.new_keys = AddMap(job, job.local.primary_key->columns, true);
    return job.new_keys;
  }

  static KeyMap* MapOf(Job& job, Positions columns) {
    std::sort(columns.begin(), columns.end());
    for (const auto& map : job.maps) {
      if (SameSet(map->columns(), columns)) return map.get();
    }
    return AddMap(job, columns, false);
  }

  static KeyMap* AddMap(Job& job, const Positions& columns, bool complete) {
    KeyMap::Contents contents;
    contents.complete = complete;
    contents.key = IndexOver(job, columns);
    const auto& primary = job.local.primary_key;
    contents.may_repeat = !primary || !SameSet(primary->columns, columns) ||
                          !UniqueAtPeer(job.remote.info, job.local, &*primary);
    job.maps.push_back(
        std::make_unique<KeyMap>(job.local, columns, job.maps.size(), std::move(contents)));
    return job.maps.back().get();
  }

  static catalog::UniqueKey IndexOver(const Job& job, const Positions& columns) {
    catalog::UniqueKey found;
    for (const catalog::UniqueKey& key : catalog::UniqueKeysOf(job.local)) {
      if (SameSet(key.columns, columns)) found = key;
    }
    return found;
  }

  // The key of a row that belongs to another one, as a line to its order, is new with that one's:
  // the rest of it can stay. Raises 0A000 where a new key can come from nowhere.
  static void KeepKeys(Job& job) {
    if (!GivesNewKeys(job)) return;
    Positions translated;
    for (const KeyTranslation& translation : job.translations) {
      if (!translation.required()) continue;
      for (size_t position : translation.columns) {
        if (job.local.IsPrimaryKeyColumn(position)) translated.push_back(position);
      }
    }
    job.kept_keys = translated;
    if (!translated.empty()) {
      for (size_t position : job.local.primary_key->columns) {
        if (!Contains(translated, position) && !job.local.columns[position].has_default())
          job.kept_keys.push_back(position);
      }
    }
    RequireStrategyPossible(job.local, job.strategy, job.kept_keys);
  }

  static void Carry(Job& job) {
    for (const auto* translations : {&job.translations, &job.unsettled}) {
      for (const KeyTranslation& translation : *translations) {
        for (size_t position : translation.columns) {
          if (!Contains(job.carried, position)) job.carried.push_back(position);
        }
      }
    }
  }

  // A value that is known later can be told from that of another row here: the row that it refers
  // to is either here under that key, or no row is.
  static bool KeepsKeys(const KeyTranslation& translation) {
    const auto& primary = translation.map->target().primary_key;
    return !translation.required() && primary &&
           SameSet(primary->columns, translation.map->columns());
  }

  // A reference to the same table whose values are followed from row to row when rows are looked
  // for: those that are not known then are told from others.
  static bool LeadsToOwnRow(const Job& job, const KeyTranslation& translation) {
    return &translation.map->target() == &job.local && KeepsTypes(job, translation) &&
           (translation.required() || KeepsKeys(translation));
  }

  // Columns whose values are not yet known when a row is looked for: it might be taken for a row
  // that it is not.
  static Positions UnknownOf(const Job& job) {
    Positions unknown;
    for (const auto* translations : {&job.unsettled, &job.late_translations}) {
      for (const KeyTranslation& translation : *translations) {
        if (KeepsKeys(translation) || LeadsToOwnRow(job, translation)) continue;
        for (size_t position : translation.columns) {
          if (!IsTranslated(job, {position})) unknown.push_back(position);
        }
      }
    }
    return unknown;
  }

  // Where a row is looked for by an index with such a reference. What it refers to has to have been
  // looked for before: the other indexes come first.
  static void FollowOwnReferences(Job& job) {
    RowMatching& matching = *job.matching;
    for (const auto* translations : {&job.unsettled, &job.late_translations}) {
      for (const KeyTranslation& translation : *translations) {
        // Of the late ones, those that are not among the others.
        const bool late = translations == &job.late_translations;
        if (late && !translation.required() && job.strategy != Strategy::kSkip) continue;
        if (!LeadsToOwnRow(job, translation)) continue;
        const auto refers = [&](const catalog::UniqueKey& key) {
          return ContainsAny(key.columns, translation.columns);
        };
        if (std::none_of(matching.keys.begin(), matching.keys.end(), refers)) continue;
        std::stable_partition(matching.keys.begin(), matching.keys.end(), std::not_fn(refers));
        matching.own_references.push_back(WithinBatch(job, translation));
        for (size_t position : translation.columns) {
          if (!Contains(job.carried, position)) job.carried.push_back(position);
        }
      }
    }
  }

  static OwnReference WithinBatch(const Job& job, const KeyTranslation& known) {
    KeyMap::Contents contents;
    contents.key = IndexOver(job, known.map->columns());
    contents.may_repeat = true;
    OwnReference reference;
    reference.known = &known;
    reference.found = std::make_unique<KeyMap>(
        job.local, known.map->columns(), job.maps.size() + job.matching->own_references.size(),
        std::move(contents));
    reference.within = known;
    reference.within.map = reference.found.get();
    return reference;
  }

  static void FinishMatching(Job& job) {
    if (job.matching == nullptr) job.matching = std::make_unique<RowMatching>();
    RowMatching& matching = *job.matching;
    if (job.strategy == Strategy::kAppend && matching.own) {
      // It is dropped, unless it comes from that of another row: then it tells rows apart.
      if (ContainsAll(job.kept_keys, matching.own->columns))
        matching.keys.insert(matching.keys.begin(), *matching.own);
      matching.own.reset();
    }
    const Positions unknown = UnknownOf(job);
    const auto is_unknown = [&](const catalog::UniqueKey& key) {
      return ContainsAny(key.columns, unknown);
    };
    matching.keys.erase(std::remove_if(matching.keys.begin(), matching.keys.end(), is_unknown),
                        matching.keys.end());
    FollowOwnReferences(job);
    bool translated = false;
    for (const auto& map : job.maps) {
      matching.maps.push_back(map.get());
      translated = translated || (!map->complete() && IsTranslated(job, map->columns()));
    }
    // With phoenix nothing that is here changes.
    if (matching.own && (job.strategy == Strategy::kOverwrite || job.strategy == Strategy::kMerge))
      matching.matched = std::make_unique<MatchedRows>(job.local, matching.keys);
    if (matching.keys.empty() && !translated) job.matching.reset();
  }

  const std::vector<std::unique_ptr<Job>>& jobs_;
  const std::vector<Job*>& ordered_;
};

}  // namespace

std::unique_ptr<RowMatching> MatchingOf(const Job& job, TransferOptions::Match match) {
  if (match == TransferOptions::Match::kKey || job.missing) return nullptr;
  const bool append = job.strategy == Strategy::kAppend;
  const catalog::Key* own = MatchKey(job.local, job.strategy);
  if (GivesNewKeys(job)) own = &*job.local.primary_key;
  const bool by_own = match == TransferOptions::Match::kPhoenix;
  const Positions coming = job.LocalColumns();
  auto matching = std::make_unique<RowMatching>();
  for (catalog::UniqueKey& key : catalog::UniqueKeysOf(job.local)) {
    if (!ContainsAll(coming, key.columns)) continue;
    if (own == nullptr || key.index != own->index) {
      matching->keys.push_back(std::move(key));
    } else if (by_own) {
      matching->keys.insert(matching->keys.begin(), std::move(key));
    } else {
      matching->own = std::move(key);
    }
  }
  if (matching->keys.empty() && !(append && matching->own)) return nullptr;
  return matching;
}

void PlanKeys(const std::vector<std::unique_ptr<Job>>& jobs, const std::vector<Job*>& ordered) {
  KeyPlanner(jobs, ordered).Run();
}

}  // namespace pgsync::engine
