#include "engine/transfer.h"

#include <algorithm>

#include "catalog/create_table.h"
#include "catalog/shareable.h"
#include "catalog/table.h"
#include "core/dependency_order.h"
#include "core/text.h"
#include "core/waiter.h"
#include "engine/batch_reader.h"
#include "engine/bulk_load.h"
#include "engine/column_map.h"
#include "engine/constraints.h"
#include "engine/json_import.h"
#include "engine/mirror.h"
#include "engine/row_errors.h"
#include "engine/sequences.h"
#include "engine/skipped_triggers.h"
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
  bool missing = false;  // here; only in a dry run is it not created
  std::unique_ptr<DoomedRows> doomed;
  TableOutcome outcome;
};

class Transfer {
 public:
  Transfer(TableSource& source, TransferObserver& observer, const TransferOptions& options)
      : source_(source), report_(observer), options_(options) {}

  std::vector<TableOutcome> Run(const std::vector<TableRequest>& tables) {
    if (!options_.dry_run) pg::Call([] { PreventCommandIfReadOnly("a transfer"); });
    Prepare(tables);
    Order();
    SkipTriggers();
    FindDoomed();
    for (size_t i : order_)
      Measured(jobs_[i], [&] { options_.dry_run ? Count(jobs_[i]) : Load(jobs_[i]); });
    if (!options_.dry_run) {
      DeleteDoomed();
      Finish();
      Verify();
    }
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
      RequireVerifiable(job);
      FindLocal(name, &job);
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

  void RequireVerifiable(const Job& job) const {
    if (!options_.verify || job.strategy == Strategy::kOverwrite ||
        job.strategy == Strategy::kMirror) {
      return;
    }
    throw Error(
        sqlstate::kInvalidParameter,
        Cat("a transfer with strategy \"", StrategyName(job.strategy), "\" cannot be verified"))
        .WithDetail("It may leave rows that differ from the peer's.")
        .WithHint("Use strategy overwrite or mirror.");
  }

  void RequireDistinct(const Job& job) const {
    for (const Job& other : jobs_) {
      if (other.outcome.table != job.outcome.table) continue;
      throw Error(sqlstate::kInvalidParameter,
                  Cat("table \"", job.outcome.table, "\" is named twice"));
    }
  }

  // The table here, and how the peer's rows fit into it.
  void FindLocal(const catalog::TableName& name, Job* job) {
    job->outcome.source = job->remote_name;
    job->outcome.table = name.Display();
    job->outcome.dry_run = options_.dry_run;
    if (options_.dry_run && options_.create_missing_tables &&
        !OidIsValid(catalog::FindRelation(name))) {
      job->missing = true;
      return;
    }
    job->local = LocalTable(name, job->remote);
    job->columns = MapColumns(job->remote.info, job->local, options_.drop_extra_columns);
    RequireStrategyPossible(job->local, job->strategy);
    if (job->strategy != Strategy::kMirror) return;
    RequireMirrorPossible(job->local, job->remote.complete, RequestOf(*job).columns);
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

  // The rows of the columns that a request asks for.
  std::unique_ptr<RowFeed> FeedFor(const Job& job, const LoadRequest& columns) {
    core::RowsRequest request;
    request.table = job.remote_name;
    request.encoding = GetDatabaseEncodingName();
    request.compress = pg::settings::compression;
    for (size_t i = 0; i < columns.columns.size(); i++) {
      request.columns.push_back(
          {job.local.columns[columns.columns[i]].name, static_cast<bool>(columns.binary[i])});
    }
    return source_.Rows(request);
  }

  LoadRequest RequestOf(const Job& job) {
    LoadRequest request;
    request.target = &job.local;
    for (const MappedColumn& column : job.columns) {
      request.columns.push_back(column.local);
      request.binary.push_back(column.binary);
    }
    request.strategy = job.strategy;
    request.batch_rows = options_.batch_size.value_or(kDefaultBatchRows);
    request.unique_by_key = UniqueByKey(job);
    request.foreign_keys_are_checked = skipped_triggers_.has_value();
    request.progress = [this](int64 rows, int64 bytes) { report_.Advance(rows, bytes); };
    return request;
  }

  LoadRequest KeyRequestOf(const Job& job) {
    LoadRequest request = RequestOf(job);
    request.columns = job.local.row_key->columns;
    request.binary.clear();
    for (size_t position : request.columns) {
      for (const MappedColumn& column : job.columns) {
        if (column.local == position) request.binary.push_back(column.binary);
      }
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

  // Adds what `work` takes to the table's outcome.
  template <typename Work>
  void Measured(Job& job, Work work) {
    const auto started = Clock::now();
    const uint64_t bytes_before = source_.BytesIn();
    report_.Table(job.outcome.table, job.remote.row_estimate.value_or(-1));
    work();
    job.outcome.bytes += static_cast<int64>(source_.BytesIn() - bytes_before);
    job.outcome.duration +=
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
  }

  static void TakeErrors(const RowErrors& errors, Job* job) {
    job->outcome.errors = errors.ToJson();
    job->outcome.error_count = errors.count();
  }

  // Before the first write: no delete may turn out to be one too many when half of the work is
  // done.
  void FindDoomed() {
    int64 total = 0;
    for (size_t i : order_) {
      Job& job = jobs_[i];
      if (job.strategy != Strategy::kMirror || job.missing) continue;
      Measured(job, [&] {
        report_.Phase("comparing keys");
        const LoadRequest request = KeyRequestOf(job);
        job.doomed = std::make_unique<DoomedRows>(job.local);
        job.doomed->Find(request, *FeedFor(job, request));
      });
      if (!options_.max_deletes) job.doomed->RequireModest();
      total += job.doomed->count();
    }
    if (options_.max_deletes && total > *options_.max_deletes) {
      throw Error(sqlstate::kNotInPrerequisiteState,
                  Cat("the transfer would delete ", total, " rows"))
          .WithDetail(Cat("At most ", *options_.max_deletes, " may be deleted."))
          .WithHint(Cat("If that is meant, pass max_deletes => ", total, " or more."));
    }
  }

  // Children before parents.
  void DeleteDoomed() {
    for (auto i = order_.rbegin(); i != order_.rend(); ++i) {
      Job& job = jobs_[*i];
      if (job.doomed == nullptr) continue;
      if (job.doomed->count() > 0 && job.outcome.error_count > 0) {
        throw Error(sqlstate::kFeatureNotSupported,
                    Cat("rows of table \"", job.local.name.ForMessage(),
                        "\" have failed, so none may be deleted"))
            .WithDetail(Cat("Errors: ", job.outcome.errors))
            .WithHint("Correct the rows, or use strategy overwrite.");
      }
      Measured(job, [&] {
        report_.Phase("deleting");
        job.outcome.counts.deleted += job.doomed->Delete();
      });
    }
  }

  // A dry run's Load().
  void Count(Job& job) {
    report_.Phase("comparing");
    if (job.missing) {
      CountRows(job);
      return;
    }
    const LoadRequest request = RequestOf(job);
    RowErrors errors(options_.max_errors);
    CountBySets(request, *FeedFor(job, request), errors, job.outcome.counts);
    TakeErrors(errors, &job);
    if (job.doomed == nullptr) return;
    job.outcome.counts.deleted = job.doomed->count();
    job.doomed->Forget();
  }

  // All rows of a table that would be created.
  void CountRows(Job& job) {
    core::RowsRequest request;
    request.table = job.remote_name;
    request.encoding = GetDatabaseEncodingName();
    request.compress = pg::settings::compression;
    if (!job.remote.info.columns.empty())
      request.columns.push_back({job.remote.info.columns[0].name, false});
    const auto feed = source_.Rows(request);
    feed->Begin();
    core::RowStreamReader::Rows rows;
    while (feed->Next(&rows)) {
      pg::CheckInterrupts();
      job.outcome.counts.created += rows.count;
      report_.Advance(rows.count, static_cast<int64>(rows.size));
    }
  }

  // Reads all rows again: what stands here now is what triggers, constraints and others have left.
  void Verify() {
    if (!options_.verify) return;
    for (size_t i : order_) {
      Job& job = jobs_[i];
      Measured(job, [&] {
        report_.Phase("verifying");
        VerifyTable(job);
      });
      job.outcome.verified = true;
    }
  }

  void VerifyTable(Job& job) {
    const LoadRequest request = RequestOf(job);
    Unequal unequal;
    BatchVerifier verifier(job.local, request.columns, unequal);
    RowErrors errors(std::nullopt);
    int64 peer_rows = 0;
    LoadRequest counting = request;
    counting.progress = [&](int64 rows, int64 bytes) {
      peer_rows += rows;
      report_.Advance(rows, bytes);
    };
    ReadStream(counting, *FeedFor(job, request), errors, verifier);
    const int64 wrong = unequal.rows + errors.count();
    const int64 here =
        job.strategy == Strategy::kMirror ? catalog::CountRows(job.local, true) : peer_rows;
    if (wrong == 0 && here == peer_rows) return;
    Error error(sqlstate::kDataException,
                Cat("table \"", job.local.name.ForMessage(), "\" is not equal to the peer's"));
    if (wrong > 0) {
      throw std::move(error).WithDetail(Cat(wrong, " of ", peer_rows, " rows are missing or differ",
                                            unequal.keys.empty() ? "" : ", first ",
                                            core::Join(unequal.keys, ", "), "."));
    }
    throw std::move(error).WithDetail(Cat("It has ", here, " rows, the peer's ", peer_rows, "."));
  }

  void Load(Job& job) {
    const LoadRequest request = RequestOf(job);
    const auto feed = FeedFor(job, request);
    RowErrors errors(options_.max_errors);
    report_.Phase("copying");
    const std::string refusal = BulkRefusal(job, request, *feed);
    if (!refusal.empty()) {
      pg::Call([&] {
        ereport(DEBUG1, (errmsg_internal("sync: table \"%s\" is not loaded in bulk: %s",
                                         job.local.name.name.c_str(), refusal.c_str())));
      });
      report_.Table(job.outcome.table, job.remote.row_estimate.value_or(-1));
      report_.Phase("copying");
      LoadBySets(request, *feed, errors, job.outcome.counts);
    }
    if (options_.advance_sequences) AdvanceSequences(job.local);
    TakeErrors(errors, &job);
  }

  // Loads in bulk and returns an empty string, or tells why not.
  std::string BulkRefusal(Job& job, const LoadRequest& request, RowFeed& feed) {
    if (options_.online) return "mode is online";
    const int64 rows = job.remote.row_estimate.value_or(kBulkRows);
    if (rows < kBulkRows && !job.in_cycle) return "it is small";
    // Foreign keys are checked as sets at the end, where a row at fault cannot be left out.
    if (!skipped_triggers_ && options_.max_errors != 0 && !job.local.foreign_keys.empty() &&
        !job.in_cycle) {
      return "rows that violate a foreign key are to be left out";
    }
    std::string refusal = TryLoadInBulk(request, feed, job.outcome.counts);
    if (refusal.empty() && !job.local.foreign_keys.empty() && !skipped_triggers_)
      foreign_keys_.Add(job.local.oid);
    return refusal;
  }

  void SkipTriggers() {
    if (!options_.skip_triggers || options_.dry_run) return;
    report_.Phase("locking");
    std::vector<const catalog::Table*> tables;
    for (const Job& job : jobs_)
      tables.push_back(&job.local);
    skipped_triggers_.emplace(tables);
  }

  void Finish() {
    if (skipped_triggers_) skipped_triggers_->Finish();
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
  std::optional<SkippedTriggers> skipped_triggers_;
};

}  // namespace

std::vector<TableOutcome> TransferTables(TableSource& source, TransferObserver& observer,
                                         const std::vector<TableRequest>& tables,
                                         const TransferOptions& options) {
  return Transfer(source, observer, options).Run(tables);
}

}  // namespace pgsync::engine
