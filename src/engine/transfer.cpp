#include "engine/transfer.h"

#include <algorithm>

#include "catalog/create_table.h"
#include "catalog/shareable.h"
#include "catalog/table.h"
#include "core/dependency_order.h"
#include "core/text.h"
#include "core/waiter.h"
#include "engine/bulk_load.h"
#include "engine/column_map.h"
#include "engine/constraints.h"
#include "engine/json_import.h"
#include "engine/row_errors.h"
#include "engine/sequences.h"
#include "pg/settings.h"

extern "C" {
#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "tcop/utility.h"
}

namespace pgsync::engine {

using core::Cat;
using core::Clock;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// Below this, building the indexes anew costs more than keeping them up.
constexpr int64 kBulkRows = 5000;
constexpr int64 kDefaultBatchRows = 10000;

// One table on its way.
struct Job {
  std::string remote_name;
  core::OpenedTable remote;
  catalog::Table local;
  Strategy strategy;
  std::vector<MappedColumn> columns;
  bool in_cycle = false;
  TableOutcome outcome;
};

class Transfer {
 public:
  Transfer(TableSource& source, TransferObserver& observer, const TransferOptions& options)
      : source_(source), report_(observer), options_(options) {}

  std::vector<TableOutcome> Run(const std::vector<TableRequest>& tables) {
    pg::Call([] { PreventCommandIfReadOnly("a transfer"); });
    Prepare(tables);
    Order();
    for (size_t i : order_)
      Load(jobs_[i]);
    Finish();
    std::vector<TableOutcome> outcomes;
    for (size_t i : order_)
      outcomes.push_back(std::move(jobs_[i].outcome));
    return outcomes;
  }

 private:
  // Names all tables to the peer and gets their counterparts here ready, before any row moves.
  void Prepare(const std::vector<TableRequest>& tables) {
    report_.Phase("opening");
    std::vector<std::string> names;
    for (const TableRequest& table : tables)
      names.push_back(table.remote);
    std::vector<core::OpenedTable> opened = source_.Open(names);
    for (size_t i = 0; i < tables.size(); i++) {
      Job job;
      job.remote_name = tables[i].remote;
      job.remote = std::move(opened[i]);
      job.strategy = StrategyFor(tables[i].remote);
      const catalog::TableName name =
          catalog::ParseTableName(tables[i].local.value_or(tables[i].remote));
      job.local = LocalTable(name, job.remote);
      job.columns = MapColumns(job.remote.info, job.local, options_.drop_extra_columns);
      RequireStrategyPossible(job.local, job.strategy);
      RequireDistinct(job);
      jobs_.push_back(std::move(job));
    }
  }

  Strategy StrategyFor(const std::string& table) const {
    const catalog::TableName name = catalog::ParseTableName(table);
    for (const auto& [key, strategy] : options_.strategies) {
      if (catalog::ParseTableName(key) == name) return strategy;
    }
    return options_.strategy;
  }

  void RequireDistinct(const Job& job) const {
    for (const Job& other : jobs_) {
      if (other.local.oid != job.local.oid) continue;
      throw Error(sqlstate::kInvalidParameter,
                  Cat("table \"", job.local.name.ForMessage(), "\" is named twice"));
    }
  }

  catalog::Table LocalTable(const catalog::TableName& name, const core::OpenedTable& remote) {
    if (remote.has_children) {
      pg::Call([&] {
        ereport(NOTICE, (errmsg("rows of tables that inherit from the peer's table \"%s\" are not "
                                "included",
                                remote.info.name.c_str())));
      });
    }
    Oid oid = catalog::FindRelation(name);
    if (!OidIsValid(oid)) {
      if (!options_.create_missing_tables) {
        throw Error(sqlstate::kUndefinedTable,
                    Cat("table \"", name.ForMessage(), "\" does not exist"))
            .WithHint("Create it, or pass create_missing_tables => true.");
      }
      report_.Phase("creating tables");
      std::vector<std::string> left_out;
      oid = catalog::CreateTable(name, remote.info, &left_out);
      catalog::NoticeLeftOut(name, left_out);
    }
    catalog::Table table = catalog::ReadTable(oid);
    catalog::RequireTransferable(table);
    return table;
  }

  // By the foreign keys of the tables here, which is where they have to hold.
  void Order() {
    std::vector<std::vector<size_t>> references(jobs_.size());
    for (size_t i = 0; i < jobs_.size(); i++) {
      for (const catalog::ForeignKey& key : jobs_[i].local.foreign_keys) {
        for (size_t j = 0; j < jobs_.size(); j++) {
          if (jobs_[j].local.oid == key.referenced) references[i].push_back(j);
        }
      }
    }
    for (const auto& group : core::DependencyOrder(references)) {
      for (size_t i : group) {
        jobs_[i].in_cycle = group.size() > 1;
        order_.push_back(i);
      }
    }
  }

  core::RowsRequest RowsOf(const Job& job) const {
    core::RowsRequest request;
    request.table = job.remote_name;
    request.encoding = GetDatabaseEncodingName();
    request.compress = pg::settings::compression;
    for (const MappedColumn& column : job.columns) {
      request.columns.push_back({job.remote.info.columns[column.remote].name, column.binary});
    }
    return request;
  }

  // The peer's rows cannot have one key twice if its own key is among the columns of ours, and what
  // is equal for us is equal for the peer.
  static bool UniqueByKey(const Job& job) {
    const catalog::Key* key = MatchKey(job.local, job.strategy);
    if (key == nullptr) return true;
    const core::TableInfo& remote = job.remote.info;
    return !remote.primary_key.empty() &&
           std::all_of(remote.primary_key.begin(), remote.primary_key.end(),
                       [&](const std::string& name) {
                         const size_t position = job.local.PositionOf(name);
                         const core::ColumnInfo* theirs = remote.FindColumn(name);
                         return position < job.local.columns.size() && theirs != nullptr &&
                                job.local.IsExactKeyColumn(position) &&
                                theirs->base_type == job.local.columns[position].facts.base_name;
                       });
  }

  void Load(Job& job) {
    const auto started = Clock::now();
    const uint64_t bytes_before = source_.BytesIn();
    report_.Table(job.local.name.Display(), job.remote.row_estimate.value_or(-1));

    LoadRequest request;
    request.target = &job.local;
    for (const MappedColumn& column : job.columns) {
      request.columns.push_back(column.local);
      request.binary.push_back(column.binary);
    }
    request.strategy = job.strategy;
    request.batch_rows = options_.batch_size.value_or(kDefaultBatchRows);
    request.unique_by_key = UniqueByKey(job);
    request.progress = [this](int64 rows, int64 bytes) { report_.Advance(rows, bytes); };

    const auto feed = source_.Rows(RowsOf(job));
    RowErrors errors(options_.max_errors);
    report_.Phase("copying");
    const std::string refusal = BulkRefusal(job, request, *feed);
    if (!refusal.empty()) {
      pg::Call([&] {
        ereport(DEBUG1, (errmsg_internal("sync: table \"%s\" is not loaded in bulk: %s",
                                         job.local.name.name.c_str(), refusal.c_str())));
      });
      report_.Table(job.local.name.Display(), job.remote.row_estimate.value_or(-1));
      report_.Phase("copying");
      LoadBySets(request, *feed, errors, job.outcome.counts);
    }
    if (options_.advance_sequences) AdvanceSequences(job.local);

    job.outcome.table = job.local.name.Display();
    job.outcome.errors = errors.ToJson();
    job.outcome.error_count = errors.count();
    job.outcome.bytes = static_cast<int64>(source_.BytesIn() - bytes_before);
    job.outcome.duration =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
  }

  // Loads in bulk and returns an empty string, or tells why not.
  std::string BulkRefusal(Job& job, const LoadRequest& request, RowFeed& feed) {
    if (options_.online) return "mode is online";
    const int64 rows = job.remote.row_estimate.value_or(kBulkRows);
    if (rows < kBulkRows && !job.in_cycle) return "it is small";
    // Foreign keys are checked as sets at the end, where a row at fault cannot be left out.
    if (options_.max_errors != 0 && !job.local.foreign_keys.empty() && !job.in_cycle) {
      return "rows that violate a foreign key are to be left out";
    }
    std::string refusal = TryLoadInBulk(request, feed, job.outcome.counts);
    if (refusal.empty() && !job.local.foreign_keys.empty()) foreign_keys_.Add(job.local.oid);
    return refusal;
  }

  void Finish() {
    report_.Phase("checking constraints");
    foreign_keys_.Check();
    std::vector<Oid> tables;
    for (const Job& job : jobs_)
      tables.push_back(job.local.oid);
    DeferrableConstraints(tables).Check();
  }

  TableSource& source_;
  TransferObserver& report_;
  const TransferOptions& options_;
  std::vector<Job> jobs_;
  std::vector<size_t> order_;
  PendingForeignKeys foreign_keys_;
};

}  // namespace

std::vector<TableOutcome> TransferTables(TableSource& source, TransferObserver& observer,
                                         const std::vector<TableRequest>& tables,
                                         const TransferOptions& options) {
  return Transfer(source, observer, options).Run(tables);
}

}  // namespace pgsync::engine
