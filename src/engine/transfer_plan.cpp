#include "engine/transfer_plan.h"

#include <algorithm>

#include "catalog/create_table.h"
#include "catalog/shareable.h"
#include "catalog/table_lock.h"
#include "core/text.h"
#include "engine/apply_statements.h"
#include "engine/key_plan.h"

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr int64 kDefaultBatchRows = 10000;

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
  request.key_map = new_keys;
  request.failed_rows = failed_rows.get();
  for (const KeyTranslation& translation : translations)
    request.translations.push_back(&translation);
  for (const KeyTranslation& translation : unsettled)
    request.unsettled.push_back(&translation);
  request.carried = carried;
  request.matching = matching.get();
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
  PlanKeys(jobs_, ordered_);
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
  // By now nobody can give the name to another table.
  const auto& only = options_.only;
  if (only && std::find(only->begin(), only->end(), oid) == only->end()) {
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("permission denied for table ", name.ForMessage()))
        .WithDetail("The session does not take this table.");
  }
  catalog::Table table = catalog::ReadTable(oid);
  catalog::RequireTransferable(table);
  return table;
}

// By the foreign keys of the tables here, which is where they have to hold.
void TransferPlan::Order() {
  for (const auto& job : jobs_) {
    const bool new_keys = job->strategy == Strategy::kAppend && job->local.primary_key.has_value();
    job->matching = MatchingOf(*job, options_.match);
    tables_.push_back({&job->local, job->LocalColumns(), new_keys, job->matching != nullptr});
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

}  // namespace pgsync::engine
