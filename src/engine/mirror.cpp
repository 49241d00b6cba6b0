#include "engine/mirror.h"

#include <algorithm>

#include "catalog/names.h"
#include "catalog/shareable.h"
#include "core/text.h"
#include "engine/row_sql.h"
#include "pg/query.h"

extern "C" {
#include "executor/spi.h"
}

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr char kSeenRelation[] = "pgsync_seen";
constexpr char kDoomedRelation[] = "pgsync_doomed";
// Under which the keys of TableDelta::only_here() are found.
constexpr char kOnlyHereRelation[] = "pgsync_only_here";
// What each of the two lists of keys may take before it goes to a file, in kB.
constexpr int kKeyMemory = 8 * 1024;
// A smaller table may lose more than half of its rows: it is easily looked through.
constexpr int64 kGuardedRows = 1000;

// Keeps the keys that come.
class KeySink : public BatchSink {
 public:
  explicit KeySink(RowStore& store) : store_(store) {}
  void put_row(int64 position, Datum* values, bool* nulls) override {
    store_.put(position, values, nulls);
  }
  int64 pending() const override { return 0; }
  void Apply() override {}

 private:
  RowStore& store_;
};

// Keeps the keys of whole rows.
class KeyOfRowSink : public BatchSink {
 public:
  KeyOfRowSink(RowStore& store, const LoadRequest& request) : store_(store) {
    for (size_t position : request.target->row_key->columns) {
      const auto at = std::find(request.columns.begin(), request.columns.end(), position);
      places_.push_back(static_cast<size_t>(at - request.columns.begin()));
    }
    values_.resize(places_.size());
    nulls_.reset(new bool[places_.size()]);
  }
  void put_row(int64 position, Datum* values, bool* nulls) override {
    for (size_t i = 0; i < places_.size(); i++) {
      values_[i] = values[places_[i]];
      nulls_[i] = nulls[places_[i]];
    }
    store_.put(position, values_.data(), nulls_.get());
  }
  int64 pending() const override { return 0; }
  void Apply() override {}

 private:
  RowStore& store_;
  std::vector<size_t> places_;
  std::vector<Datum> values_;
  std::unique_ptr<bool[]> nulls_;
};

[[noreturn]] void Refuse(const catalog::Table& target, std::string why) {
  throw Error(sqlstate::kFeatureNotSupported,
              Cat("table \"", target.name.ForMessage(), "\" cannot be mirrored"))
      .WithDetail(std::move(why))
      .WithHint("Use strategy overwrite, which deletes nothing.");
}

}  // namespace

void RequireMirrorPossible(const catalog::Table& target, bool has_snapshot, bool complete,
                           const std::vector<size_t>& columns) {
  if (!has_snapshot) {
    Refuse(target,
           "The peer speaks PhoenixKit's protocol, in which rows that are moved while they "
           "are read page by page may be missed.");
  }
  if (!complete) {
    Refuse(target,
           "The peer cannot show all of its rows: row level security applies to its role, or "
           "columns are not readable.");
  }
  if (catalog::RowSecurityApplies(target.oid)) {
    Refuse(target, "Row level security hides local rows from the current role.");
  }
  for (size_t position : target.row_key->columns) {
    if (std::find(columns.begin(), columns.end(), position) == columns.end()) {
      Refuse(target,
             Cat("The peer's table lacks the key column \"", target.columns[position].name, "\"."));
    }
  }
}

DoomedRows::DoomedRows(const catalog::Table& target)
    : target_(target), doomed_(kDoomedRelation, target, target.row_key->columns, kKeyMemory) {}

void DoomedRows::Find(const LoadRequest& request, RowFeed& feed) {
  RowStore seen(kSeenRelation, target_, target_.row_key->columns, kKeyMemory);
  KeySink sink(seen);
  RowErrors errors(0);
  ReadStream(request, feed, errors, sink);
  peer_rows_ = seen.rows();
  pg::WithSpi([&] {
    seen.Register();
    doomed_.Fill(Unseen("", ""));
  });
  seen.Clear();
}

// Selects the keys of local rows that the peer's keys are not among.
std::string DoomedRows::Unseen(const std::string& from, const std::string& condition) const {
  std::string columns = "0::pg_catalog.int8";
  for (size_t position : target_.row_key->columns)
    columns += Cat(", t.", catalog::QuoteIdentifier(target_.columns[position].name));
  return Cat("SELECT ", columns, " FROM ", target_.FromClause(), " AS t", from, " WHERE ",
             condition, "NOT EXISTS (SELECT FROM ", kSeenRelation, " AS s WHERE ",
             KeyMatches(target_, *target_.row_key), ")");
}

bool DoomedRows::FindAmong(RowStore& only_here, const LoadRequest& request, RowFeed* feed,
                           int64 peer_rows) {
  peer_rows_ = peer_rows;
  if (only_here.rows() == 0) return true;
  RowStore seen(kSeenRelation, target_, target_.row_key->columns, kKeyMemory);
  if (feed != nullptr) {
    KeyOfRowSink sink(seen, request);
    RowErrors errors(std::nullopt);
    ReadStream(request, *feed, errors, sink);
    if (errors.count() > 0) {
      seen.Clear();
      return false;
    }
  }
  pg::WithSpi([&] {
    seen.Register();
    only_here.Register();
    doomed_.Fill(Unseen(Cat(", ", kOnlyHereRelation, " AS s"),
                        Cat(KeyMatches(target_, *target_.row_key), " AND ")));
  });
  seen.Clear();
  return true;
}

void DoomedRows::RequireModest() const {
  if (count() == 0) return;
  std::string why;
  if (peer_rows_ == 0) {
    why = "The peer's table is empty.";
  } else if (count() * 2 > kGuardedRows) {
    const int64 local = catalog::CountRows(target_, true);
    if (local < kGuardedRows || count() * 2 <= local) return;
    why = Cat("It has ", local, " rows here, and more than half of them are missing there.");
  } else {
    return;
  }
  throw Error(
      sqlstate::kNotInPrerequisiteState,
      Cat("mirroring table \"", target_.name.ForMessage(), "\" would delete ", count(), " rows"))
      .WithDetail(std::move(why))
      .WithHint(Cat("If that is meant, pass max_deletes => ", count(), " or more."));
}

int64 DoomedRows::Delete() {
  int64 deleted = 0;
  if (count() > 0) {
    const std::string sql =
        Cat("DELETE FROM ", target_.FromClause(), " AS t USING ", kDoomedRelation, " AS s WHERE ",
            KeyMatches(target_, *target_.row_key));
    const char* text = sql.c_str();
    pg::WithSpi([&] {
      doomed_.Register();
      deleted = pg::Call([&] {
        const int result = SPI_execute(text, false, 0);
        if (result != SPI_OK_DELETE) elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
        return static_cast<int64>(SPI_processed);
      });
    });
  }
  return deleted;
}

}  // namespace pgsync::engine
