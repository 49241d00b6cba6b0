#include "engine/apply_statements.h"

#include <algorithm>

#include "core/text.h"
#include "engine/batch_sink.h"
#include "engine/positions.h"
#include "engine/row_sql.h"

namespace pgsync::engine {

using catalog::QuoteIdentifier;
using core::Cat;
using core::Join;

namespace {

class Builder {
 public:
  Builder(const catalog::Table& target, const std::vector<size_t>& columns,
          const StatementOptions& options)
      : target_(target),
        columns_(columns),
        batch_{columns, options.carried},
        options_(options),
        strategy_(options.strategy) {
    // A key can be matched only where all of it has come.
    key_ = MatchKey(target, strategy_);
    if (key_ != nullptr) {
      for (size_t position : key_->columns) {
        if (!Has(position)) key_ = nullptr;
        if (key_ == nullptr) break;
      }
    }
    source_ = Cat(kIncomingRelation, " AS s WHERE ", Range());
    if (key_ != nullptr && options.may_repeat_keys) {
      std::vector<std::string> keys;
      for (size_t position : key_->columns)
        keys.push_back(Incoming(position));
      source_ = Cat("(SELECT s.*, pg_catalog.lead(s.n) OVER (PARTITION BY ", Join(keys, ", "),
                    " ORDER BY s.n) AS later FROM ", kIncomingRelation,
                    " AS s) AS s WHERE s.later IS NULL AND ", Range());
    }
  }

  ApplyStatements Build() const {
    ApplyStatements statements;
    statements.insert = Insert(NewRows());
    if (key_ != nullptr) {
      statements.update = Update();
      if (!statements.update.empty()) {
        statements.replace = Replace();
        statements.insert_all = Insert(source_);
      }
      if (strategy_ != Strategy::kSkip) statements.identity = Identity();
      statements.exists = Cat("SELECT EXISTS (SELECT FROM ", kIncomingRelation, " AS s WHERE ",
                              Range(), " AND ", Exists(), ")");
    }
    statements.key_json = KeyJson();
    if (!options_.late.empty() || options_.return_keys) statements.touched = Touched();
    statements.count_new = Cat("SELECT pg_catalog.count(*) FROM ", NewRows());
    if (!statements.update.empty()) {
      statements.count_changed = Cat("SELECT pg_catalog.count(*) FROM ", target_.FromClause(),
                                     " AS t, ", source_, " AND ", KeyMatches(), Differs());
    }
    if (key_ != nullptr) {
      std::vector<size_t> compared = Updated();
      for (size_t position : columns_) {
        if (IsFixed(position)) compared.push_back(position);
      }
      const std::string same =
          compared.empty() ? std::string() : Cat(" AND NOT (true", Differ(compared), ")");
      const std::string unequal = Cat(source_, " AND NOT ", Exists(same));
      statements.count_unequal = Cat("SELECT pg_catalog.count(*) FROM ", unequal);
      statements.unequal_keys =
          Cat("SELECT ", KeyObject(), " FROM ", unequal, " ORDER BY s.n LIMIT 5");
    }
    return statements;
  }

 private:
  bool Has(size_t position) const { return batch_.Has(position); }
  std::string Incoming(size_t position) const { return batch_.Value(position); }
  std::string Name(size_t position) const {
    return QuoteIdentifier(target_.columns[position].name);
  }
  std::string Local(size_t position) const { return Cat("t.", Name(position)); }
  std::string Range() const {
    return "s.n OPERATOR(pg_catalog.>=) $1 AND s.n OPERATOR(pg_catalog.<=) $2";
  }

  std::string KeyMatches() const {
    std::vector<std::string> incoming;
    for (size_t position : key_->columns)
      incoming.push_back(Incoming(position));
    return engine::KeyMatches(target_, *key_, incoming);
  }

  // Whether the row of an incoming one's key is there. OFFSET 0 keeps this from becoming a join:
  // whatever statistics say of the table, as when it was emptied, it is a lookup by the key's index
  // for each row, and not a scan of all of the index or of the batch.
  // `more`: what else has to hold.
  std::string Exists(const std::string& more = std::string()) const {
    return Cat("EXISTS (SELECT FROM ", target_.FromClause(), " AS t WHERE ", KeyMatches(), more,
               " OFFSET 0)");
  }

  // The columns that an existing row takes from the incoming one.
  std::vector<size_t> Updated() const {
    std::vector<size_t> updated;
    for (size_t position : columns_) {
      if (!target_.IsExactKeyColumn(position) && !IsFixed(position)) updated.push_back(position);
    }
    return updated;
  }

  // No UPDATE can change it.
  bool IsFixed(size_t position) const {
    return target_.columns[position].identity == 'a' && !target_.IsKeyColumn(position);
  }

  std::string NewValue(size_t position) const {
    return strategy_ == Strategy::kMerge
               ? Cat("COALESCE(", Incoming(position), ", ", Local(position), ")")
               : Incoming(position);
  }

  // " AND ..."; empty where there is nothing that could differ.
  std::string Differ(const std::vector<size_t>& positions) const {
    std::vector<std::string> local, incoming;
    for (size_t position : positions) {
      local.push_back(Local(position));
      incoming.push_back(NewValue(position));
    }
    if (local.empty()) return std::string();
    return Cat(" AND ", RowsDiffer(local, incoming));
  }
  std::string Differs() const { return Differ(Updated()); }

  std::string Identity() const {
    for (size_t position : columns_) {  // a table has at most one
      if (!IsFixed(position)) continue;
      return Cat("SELECT ", catalog::QuoteLiteral(target_.columns[position].name),
                 "::pg_catalog.text FROM ", target_.FromClause(), " AS t, ", source_, " AND ",
                 KeyMatches(), Differ({position}));
    }
    return std::string();
  }

  // The sort makes sure that the last row is deleted before the first one is inserted.
  std::string Replace() const {
    std::vector<std::string> names, returned, values;
    for (size_t i = 0; i < target_.columns.size(); i++) {
      if (target_.columns[i].stored_generated()) continue;
      names.push_back(Name(i));
      returned.push_back(Cat(Has(i) ? NewValue(i) : Local(i), " AS v", i));
      values.push_back(Cat("v", i));
    }
    return Cat("WITH pgsync_gone AS (DELETE FROM ", target_.FromClause(), " AS t USING ", source_,
               " AND ", KeyMatches(), " RETURNING s.n, ", Join(returned, ", "), ") INSERT INTO ",
               target_.name.Qualified(), " (", Join(names, ", "),
               ") OVERRIDING SYSTEM VALUE SELECT ", Join(values, ", "),
               " FROM pgsync_gone ORDER BY n");
  }

  std::string Update() const {
    if (strategy_ == Strategy::kSkip) return std::string();
    std::vector<std::string> sets;
    for (size_t position : Updated()) {
      if (!Contains(options_.late, position))
        sets.push_back(Cat(Name(position), " = ", NewValue(position)));
    }
    if (Updated().empty()) return std::string();
    // A row that will differ in nothing else is counted, and locked, now.
    if (sets.empty()) sets.push_back(Cat(Name(Updated()[0]), " = ", Local(Updated()[0])));
    return Cat("UPDATE ", target_.FromClause(), " AS t SET ", Join(sets, ", "), " FROM ", source_,
               " AND ", KeyMatches(), Differs());
  }

  // The incoming rows that do not exist.
  std::string NewRows() const {
    if (key_ == nullptr) return source_;
    return Cat(source_, " AND NOT ", Exists());
  }

  std::string Insert(const std::string& rows) const {
    std::vector<std::string> names, values;
    bool identity_always = false;
    for (size_t position : columns_) {
      if (strategy_ == Strategy::kAppend && target_.IsPrimaryKeyColumn(position) &&
          !Contains(options_.kept_keys, position)) {
        continue;
      }
      names.push_back(Name(position));
      // A null of the column's type.
      values.push_back(Contains(options_.late, position)
                           ? Cat("CASE WHEN false THEN ", Incoming(position), " END")
                           : Incoming(position));
      identity_always = identity_always || target_.columns[position].identity == 'a';
    }
    // Without a list of columns every column takes its default.
    const std::string list = names.empty() ? std::string() : Cat(" (", Join(names, ", "), ")");
    return Cat("INSERT INTO ", target_.name.Qualified(), list,
               identity_always ? " OVERRIDING SYSTEM VALUE" : "", " SELECT ", Join(values, ", "),
               " FROM ", rows, options_.return_keys ? Returning() : std::string());
  }

  // ModifyTable returns rows in the order in which it inserts them.
  std::string Returning() const {
    std::vector<std::string> keys;
    for (size_t position : target_.primary_key->columns)
      keys.push_back(Name(position));
    return Cat(" ORDER BY s.n RETURNING ", Join(keys, ", "));
  }

  std::string Touched() const {
    std::string values = "s.n";
    for (size_t position : target_.row_key->columns)
      values += Cat(", ", batch_.Came(position));
    for (size_t position : target_.row_key->columns)
      values += Cat(", ", Incoming(position));
    for (size_t position : options_.late)
      values += Cat(", ", batch_.Came(position));
    const bool only_new = strategy_ == Strategy::kSkip || strategy_ == Strategy::kAppend;
    return Cat("SELECT ", values, " FROM ", only_new ? NewRows() : source_, " ORDER BY s.n");
  }

  // The key as JSON text; empty without a key.
  std::string KeyObject() const {
    if (!target_.row_key) return std::string();
    const std::vector<size_t>& key = target_.row_key->columns;
    const bool came = std::any_of(key.begin(), key.end(), [&](size_t p) { return Has(p); });
    return came ? KeyAsJson(target_, columns_) : std::string();
  }

  std::string KeyJson() const {
    const std::string object = KeyObject();
    if (object.empty()) return std::string();
    return Cat("SELECT ", object, " FROM ", kIncomingRelation, " AS s WHERE ", Range());
  }

  const catalog::Table& target_;
  const std::vector<size_t>& columns_;
  const BatchColumns batch_;
  const StatementOptions& options_;
  Strategy strategy_;
  const catalog::Key* key_;  // null: no row can exist already
  std::string source_;       // the rows of the range, as "s", up to and with a condition
};

}  // namespace

const catalog::Key* MatchKey(const catalog::Table& target, Strategy strategy) {
  if (strategy == Strategy::kAppend) return nullptr;
  if (strategy == Strategy::kSkip) return target.primary_key ? &*target.primary_key : nullptr;
  return target.row_key ? &*target.row_key : nullptr;
}

void RequireStrategyPossible(const catalog::Table& target, Strategy strategy,
                             const std::vector<size_t>& kept_keys) {
  const bool needs_key = strategy != Strategy::kSkip && strategy != Strategy::kAppend;
  if (needs_key && !target.row_key) {
    throw core::Error(core::sqlstate::kInvalidForeignKey,
                      Cat("table \"", target.name.ForMessage(), "\" has no key for strategy \"",
                          StrategyName(strategy), "\""))
        .WithHint("Add a primary key, or a unique index over columns that are NOT NULL.");
  }
  if (strategy != Strategy::kAppend || !target.primary_key) return;
  for (size_t position : target.primary_key->columns) {
    if (target.columns[position].has_default()) continue;
    if (Contains(kept_keys, position)) continue;
    throw core::Error(core::sqlstate::kFeatureNotSupported,
                      Cat("cannot append to table \"", target.name.ForMessage(), "\""))
        .WithDetail(Cat("Key column \"", target.columns[position].name,
                        "\" has no default that new keys could come from."));
  }
}

ApplyStatements BuildApplyStatements(const catalog::Table& target,
                                     const std::vector<size_t>& columns,
                                     const StatementOptions& options) {
  return Builder(target, columns, options).Build();
}

}  // namespace pgsync::engine
