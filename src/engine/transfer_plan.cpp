#include "engine/transfer_plan.h"

#include <algorithm>

#include "catalog/create_table.h"
#include "catalog/shareable.h"
#include "catalog/table_lock.h"
#include "core/text.h"
#include "engine/apply_statements.h"

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr int64 kDefaultBatchRows = 10000;

bool Contains(const std::vector<size_t>& positions, size_t position) {
  return std::find(positions.begin(), positions.end(), position) != positions.end();
}

[[noreturn]] void RefuseMap(const Job& job, const std::string& why) {
  throw Error(sqlstate::kFeatureNotSupported, Cat("cannot give new keys to the rows of table \"",
                                                  job.local.name.ForMessage(), "\""))
      .WithDetail(why)
      .WithHint("Use another strategy for the table, or transfer it in a call of its own.");
}

}  // namespace

std::vector<size_t> Job::LocalColumns() const {
  std::vector<size_t> positions;
  for (const MappedColumn& column : columns)
    positions.push_back(column.local);
  return positions;
}

LoadRequest Job::Request(const TransferOptions& options) const {
  LoadRequest request = LoadOf(local, columns);
  request.strategy = strategy;
  request.batch_rows = options.batch_size.value_or(kDefaultBatchRows);
  request.unique_by_key = UniqueAtPeer(remote.info, local, MatchKey(local, strategy));
  request.foreign_keys_are_checked = options.skip_triggers;
  request.kept_keys = kept_keys;
  request.late_rows = late_rows.get();
  request.key_map = key_map.get();
  request.failed_rows = failed_rows.get();
  for (const KeyTranslation& translation : translations)
    request.translations.push_back(&translation);
  return request;
}

LoadRequest Job::KeyRequest(const TransferOptions& options) const {
  LoadRequest request = Request(options);
  request.columns = local.row_key->columns;
  request.binary.clear();
  for (size_t position : request.columns) {
    for (const MappedColumn& column : columns) {
      if (column.local == position) request.binary.push_back(column.binary);
    }
  }
  return request;
}

TransferPlan::TransferPlan(TableSource& source, TransferObserver& observer,
                           const std::vector<TableRequest>& tables, const TransferOptions& options)
    : source_(source), report_(observer), options_(options) {
  Prepare(tables);
  Order();
  TranslateKeys();
}

// Names all tables to the peer and gets their counterparts here ready.
void TransferPlan::Prepare(const std::vector<TableRequest>& tables) {
  report_.Phase("opening");
  std::vector<std::string> names;
  for (const TableRequest& table : tables)
    names.push_back(table.remote);
  std::vector<core::OpenedTable> opened = source_.Open(names);
  if (options_.create_missing_tables && !options_.dry_run) CreateMissing(tables);
  for (size_t i = 0; i < tables.size(); i++) {
    auto job = std::make_unique<Job>();
    job->remote_name = tables[i].remote;
    job->remote = std::move(opened[i]);
    const Strategy* own =
        catalog::FindByTable(options_.strategies, catalog::ParseTableName(tables[i].remote));
    job->strategy = own != nullptr ? *own : options_.strategy;
    if (options_.verify) RequireVerifiable(job->strategy);
    FindLocal(catalog::ParseTableName(tables[i].local.value_or(tables[i].remote)), job.get());
    RequireDistinct(*job);
    jobs_.push_back(std::move(job));
  }
}

// All of them in one go, for they may need each other and the same types.
void TransferPlan::CreateMissing(const std::vector<TableRequest>& tables) {
  std::vector<std::string> remote;
  std::vector<catalog::NewTable> missing;
  for (const TableRequest& table : tables) {
    const catalog::TableName name = catalog::ParseTableName(table.local.value_or(table.remote));
    if (OidIsValid(catalog::FindRelation(name))) continue;
    const bool twice =
        std::any_of(missing.begin(), missing.end(),
                    [&](const catalog::NewTable& other) { return other.name == name; });
    if (twice) continue;  // which RequireDistinct() tells
    remote.push_back(table.remote);
    missing.push_back({name, nullptr});
  }
  if (missing.empty()) return;
  report_.Phase("creating tables");
  const std::vector<core::TableInfo> definitions = source_.GetDefinitions(remote);
  for (size_t i = 0; i < missing.size(); i++)
    missing[i].definition = &definitions.at(i);
  catalog::CreateOptions create;
  create.online = options_.online;
  try {
    catalog::CreateTables(missing, create);
  } catch (const pg::PgError& error) {
    // A catalog's unique index has met the entry of another transaction.
    const bool met =
        error.state() == sqlstate::kUniqueViolation || error.state() == sqlstate::kDuplicateTable;
    if (!met) throw;
    throw Error(sqlstate::kDuplicateTable,
                Cat(missing.size() > 1 ? "one of the tables" : "table \"",
                    missing.size() > 1 ? "" : missing[0].name.ForMessage() + "\"",
                    " was created meanwhile"))
        .WithDetail(error.message())
        .WithHint("Run the statement again.");
  }
}

void TransferPlan::RequireDistinct(const Job& job) const {
  for (const auto& other : jobs_) {
    if (other->outcome.table != job.outcome.table) continue;
    throw Error(sqlstate::kInvalidParameter,
                Cat("table \"", job.outcome.table, "\" is named twice"));
  }
}

// The table here, and how the peer's rows fit into it.
void TransferPlan::FindLocal(const catalog::TableName& name, Job* job) {
  job->outcome.source = job->remote_name;
  job->outcome.table = name.Display();
  job->outcome.dry_run = options_.dry_run;
  if (options_.dry_run && options_.create_missing_tables &&
      !OidIsValid(catalog::FindRelation(name))) {
    job->missing = true;
    return;
  }
  job->local = LocalTable(name, job->remote);
  if (!job->remote.described) AssumeColumns(job->local, &job->remote.info);
  job->columns = MapColumns(job->remote.info, job->local, options_.drop_extra_columns);
  if (job->strategy != Strategy::kAppend) RequireStrategyPossible(job->local, job->strategy);
  if (job->strategy != Strategy::kMirror) return;
  RequireMirrorPossible(job->local, source_.HasSnapshot(), job->remote.complete,
                        job->LocalColumns());
}

catalog::Table TransferPlan::LocalTable(const catalog::TableName& name,
                                        const core::OpenedTable& remote) {
  if (remote.has_children) {
    pg::Call([&] {
      ereport(NOTICE, (errmsg("rows of tables that inherit from the peer's table \"%s\" are not "
                              "included",
                              remote.info.name.c_str())));
    });
  }
  const Oid oid = catalog::LockRelation(name);
  if (!OidIsValid(oid)) {
    throw Error(sqlstate::kUndefinedTable, Cat("table \"", name.ForMessage(), "\" does not exist"))
        .WithHint("Create it, or pass create_missing_tables => true.");
  }
  catalog::Table table = catalog::ReadTable(oid);
  catalog::RequireTransferable(table);
  return table;
}

// By the foreign keys of the tables here, which is where they have to hold.
void TransferPlan::Order() {
  for (const auto& job : jobs_) {
    const bool new_keys = job->strategy == Strategy::kAppend && job->local.primary_key.has_value();
    tables_.push_back({&job->local, job->LocalColumns(), new_keys});
  }
  LoadOrderOptions options;
  options.online = options_.online || options_.dry_run;
  options.unchecked = options_.skip_triggers || options_.dry_run;
  order_ = std::make_unique<LoadOrder>(tables_, options);
  for (size_t i = 0; i < jobs_.size(); i++) {
    Job& job = *jobs_[i];
    job.in_cycle = order_->in_cycle()[i];
    job.unresolved = order_->unresolved()[i];
    if (!order_->late()[i].empty())
      job.late_rows = std::make_unique<LateRows>(job.local, order_->late()[i]);
  }
  for (size_t i : order_->order())
    ordered_.push_back(jobs_[i].get());
}

// Where rows get new keys, those that refer to them follow.
void TransferPlan::TranslateKeys() {
  for (const auto& job : jobs_) {
    if (job->missing) continue;
    // What is filled in later has to be found by its new key.
    if (job->strategy == Strategy::kAppend && job->local.primary_key && job->late_rows)
      job->key_map = std::make_unique<KeyMap>(job->local);
    std::vector<catalog::ForeignKeyRule> rules;
    for (const catalog::ForeignKey& key : job->local.foreign_keys) {
      const auto referenced = std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& other) {
        return other->local.oid == key.referenced;
      });
      if (referenced == jobs_.end()) {
        if (job->strategy != Strategy::kAppend) continue;
        pg::Call([&] {
          ereport(NOTICE,
                  (errmsg("values of foreign key \"%s\" of table \"%s\" are taken as they are",
                          key.name.c_str(), job->local.name.name.c_str()),
                   errdetail("The table that it refers to is not part of this transfer.")));
        });
        continue;
      }
      if ((*referenced)->strategy != Strategy::kAppend || !(*referenced)->local.primary_key)
        continue;
      if (rules.empty()) rules = catalog::ForeignKeysOf({job->local.oid});
      for (const catalog::ForeignKeyRule& rule : rules) {
        if (rule.constraint == key.constraint) Translate(job.get(), rule, referenced->get());
      }
    }
    KeepKeys(job.get());
  }
}

void TransferPlan::Translate(Job* job, const catalog::ForeignKeyRule& rule, Job* referenced) {
  const catalog::Key& key = *referenced->local.primary_key;
  const auto position_of = [](const catalog::Table& table, const std::string& quoted) {
    size_t i = 0;
    while (i < table.columns.size() && catalog::QuoteIdentifier(table.columns[i].name) != quoted)
      i++;
    return i;
  };
  KeyTranslation translation;
  translation.rule = rule;
  translation.columns.resize(key.columns.size(), job->local.columns.size());
  size_t in_key = 0;
  for (size_t i = 0; i < rule.columns.size(); i++) {
    const auto found = std::find(key.columns.begin(), key.columns.end(),
                                 position_of(referenced->local, rule.referenced_columns[i]));
    if (found == key.columns.end()) continue;
    in_key++;
    translation.columns[static_cast<size_t>(found - key.columns.begin())] =
        position_of(job->local, rule.columns[i]);
  }
  if (in_key == 0) return;  // refers to a key that is not given anew
  if (in_key < key.columns.size() || in_key < rule.columns.size()) {
    RefuseMap(*referenced,
              Cat("Foreign key \"", rule.name, "\" of table \"", job->local.name.ForMessage(),
                  "\" refers to a part of the primary key."));
  }
  const std::vector<size_t> coming = job->LocalColumns();
  const auto comes = [&](size_t position) { return Contains(coming, position); };
  if (std::none_of(translation.columns.begin(), translation.columns.end(), comes)) return;
  const std::vector<size_t> keys_coming = referenced->LocalColumns();
  if (!std::all_of(key.columns.begin(), key.columns.end(),
                   [&](size_t position) { return Contains(keys_coming, position); }) ||
      !std::all_of(translation.columns.begin(), translation.columns.end(), comes)) {
    RefuseMap(*referenced, "The peer's tables lack columns of the key.");
  }
  if (!UniqueAtPeer(referenced->remote.info, referenced->local, &key)) {
    RefuseMap(*referenced, "The key is not unique among the peer's rows.");
  }
  for (const auto* others : {&job->translations, &job->late_translations}) {
    for (const KeyTranslation& other : *others) {
      for (size_t position : other.columns) {
        if (!Contains(translation.columns, position)) continue;
        RefuseMap(*referenced, Cat("Column \"", job->local.columns[position].name, "\" of table \"",
                                   job->local.name.ForMessage(), "\" refers to two tables."));
      }
    }
  }
  if (!referenced->key_map) referenced->key_map = std::make_unique<KeyMap>(referenced->local);
  translation.map = referenced->key_map.get();
  const bool late =
      job->late_rows && Contains(job->late_rows->columns(), translation.columns.front());
  (late ? job->late_translations : job->translations).push_back(std::move(translation));
}

// The key of a row that belongs to another one, as a line to its order, is new with that one's: the
// rest of it can stay. Raises 0A000 where a new key can come from nowhere.
void TransferPlan::KeepKeys(Job* job) const {
  if (job->strategy != Strategy::kAppend || !job->local.primary_key) return;
  std::vector<size_t> translated;
  for (const KeyTranslation& translation : job->translations) {
    for (size_t position : translation.columns) {
      if (job->local.IsPrimaryKeyColumn(position)) translated.push_back(position);
    }
  }
  job->kept_keys = translated;
  if (!translated.empty()) {
    for (size_t position : job->local.primary_key->columns) {
      if (!Contains(translated, position) && !job->local.columns[position].has_default())
        job->kept_keys.push_back(position);
    }
  }
  RequireStrategyPossible(job->local, job->strategy, job->kept_keys);
}

}  // namespace pgsync::engine
