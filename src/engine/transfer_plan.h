// What a transfer is going to do with each table, decided before any row moves.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/column_map.h"
#include "engine/failed_rows.h"
#include "engine/key_map.h"
#include "engine/late_rows.h"
#include "engine/load_order.h"
#include "engine/mirror.h"
#include "engine/row_errors.h"
#include "engine/row_matcher.h"
#include "engine/transfer.h"

namespace pgsync::engine {

/// One table on its way.
struct Job {
  std::string remote_name;
  core::OpenedTable remote;
  catalog::Table local;
  Strategy strategy = Strategy::kSkip;
  std::vector<MappedColumn> columns;
  bool missing = false;  ///< here; only in a dry run is it not created
  // About foreign keys:
  bool in_cycle = false;
  std::string unresolved;                 ///< the cycle that nothing can be done about
  std::unique_ptr<RowMatching> matching;  ///< rows are looked for under other keys
  /// Of values that are all known when the rows come; of others; of columns that are filled in when
  /// all rows are there.
  std::vector<KeyTranslation> translations, unsettled, late_translations;
  std::vector<size_t> carried;  ///< columns of the first two
  std::vector<std::unique_ptr<KeyMap>> maps;
  KeyMap* new_keys = nullptr;  ///< append: the one of the primary key, if one is needed
  std::unique_ptr<LateRows> late_rows;
  std::vector<size_t> kept_keys;  ///< append: key columns that are not dropped
  // As it proceeds:
  std::unique_ptr<DoomedRows> doomed;
  std::unique_ptr<FailedRows> failed_rows;  ///< null: they are not tried again
  std::optional<RowErrors> errors;          ///< of rows that are not
  TableOutcome outcome;

  /// Positions of the columns that come.
  std::vector<size_t> LocalColumns() const;
  /// What the engine is to load, without `progress`.
  LoadRequest Request(const TransferOptions& options) const;
  /// The same of the columns of the row key alone.
  LoadRequest KeyRequest(const TransferOptions& options) const;
};

class TransferPlan {
 public:
  /// Names the tables to the source, and gets their counterparts here ready. Raises whatever keeps
  /// one of them from being transferred in this way.
  TransferPlan(TableSource& source, TransferObserver& observer,
               const std::vector<TableRequest>& tables, const TransferOptions& options);
  TransferPlan(const TransferPlan&) = delete;
  TransferPlan& operator=(const TransferPlan&) = delete;

  /// In the order in which they are to be loaded.
  const std::vector<Job*>& jobs() const { return ordered_; }
  /// Undoes what was done to constraints for the time of the transfer.
  void RestoreConstraints() const { order_->Restore(); }

 private:
  void Prepare(const std::vector<TableRequest>& tables);
  void CreateMissing(const std::vector<TableRequest>& tables);
  void RequireDistinct(const Job& job) const;
  void FindLocal(const catalog::TableName& name, Job* job);
  catalog::Table LocalTable(const catalog::TableName& name, const core::OpenedTable& remote);
  void Order();

  TableSource& source_;
  TransferObserver& report_;
  const TransferOptions& options_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::vector<OrderedTable> tables_;
  std::unique_ptr<LoadOrder> order_;
  std::vector<Job*> ordered_;
};

}  // namespace pgsync::engine
