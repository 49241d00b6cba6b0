#include "engine/json_import.h"

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_set>

#include "core/text.h"
#include "engine/ascending_keys.h"
#include "engine/positions.h"
#include "engine/row_store.h"
#include "engine/sequences.h"
#include "pg/query.h"
#include "pg/subxact.h"
#include "rows/canonical.h"
#include "rows/json_type.h"
#include "rows/jsonb_items.h"

extern "C" {
#include "executor/spi.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
}

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr int64 kBatchRows = 10000;
constexpr char kKeysRelation[] = "pgsync_keys";

struct Record {
  int64 position;  // in the call, from 1 on
  JsonbContainer* object;
};
using Records = std::vector<Record>;

class JsonImport {
 public:
  JsonImport(const catalog::Table& target, JsonbContainer* records, Strategy strategy,
             RowErrors& errors, ApplyCounts& counts)
      : target_(target),
        records_(records),
        strategy_(strategy),
        key_(MatchKey(target, strategy)),
        errors_(errors),
        counts_(counts),
        types_context_("sync JSON types"),
        scratch_("sync JSON record"),
        brings_(target.columns.size()) {
    catalog::TextDependence text;
    std::vector<std::string> names;
    for (const catalog::Column& column : target.columns) {
      names.push_back(column.name);
      types_.push_back(
          std::make_unique<rows::JsonType>(column.type, column.typmod, types_context_.get()));
      text.Add(types_.back()->text());
    }
    for (const rows::Member& member : rows::MembersOf(names))
      order_.push_back(member.position);
    settings_ = std::make_unique<rows::CanonicalSettings>(text);
  }

  void Run() {
    GroupRecords();
    DropSuperseded();
    for (const auto& [columns, records] : groups_)
      ImportGroup(columns, records);
    for (const auto& applier : unsettled_)
      applier->Settle();
  }

 private:
  using Columns = std::vector<size_t>;

  // Sorts the records by the set of columns that they bring; those of neighbours are mostly the
  // same.
  void GroupRecords() {
    std::vector<bool> last;
    Records* group = nullptr;
    rows::JsonbItems elements = rows::JsonbItems::OfArray(records_);
    for (int64 position = 1; elements.Next(); position++) {
      pg::CheckInterrupts();
      const Record record = {position, elements.AsObject()};
      if (record.object == nullptr) {
        AddError(position, sqlstate::kInvalidParameter, "record is not a JSON object");
        continue;
      }
      if (!FindColumns(record)) continue;
      if (group == nullptr || brings_ != last) {
        group = &groups_[ColumnsFound()];
        last = brings_;
      }
      group->push_back(record);
    }
  }

  // Finds out which columns the record brings. Its names are in the order of order_.
  bool FindColumns(const Record& record) {
    std::fill(brings_.begin(), brings_.end(), false);
    size_t next = 0;
    rows::JsonbFields fields(record.object);
    while (fields.Next()) {
      while (next < order_.size() && target_.columns[order_[next]].name != fields.name())
        next++;
      if (next == order_.size()) {
        AddError(record.position, core::SqlState("42703"),
                 Cat("column \"", fields.name(), "\" of table \"", target_.name.ForMessage(),
                     "\" does not exist"));
        return false;
      }
      const size_t column = order_[next];
      if (target_.columns[column].stored_generated()) continue;
      // A null part of the key is no key: the column takes its default.
      if (fields.value().IsNull() && target_.IsKeyColumn(column)) continue;
      brings_[column] = true;
    }
    return true;
  }

  Columns ColumnsFound() const {
    Columns columns;
    for (size_t column = 0; column < brings_.size(); column++) {
      if (brings_[column]) columns.push_back(column);
    }
    return columns;
  }

  void AddError(int64 position, core::SqlState state, std::string message) {
    RowError error;
    error.position = position;
    error.sqlstate = state;
    error.message = std::move(message);
    errors_.Add(std::move(error));
  }

  bool HasKey(const Columns& columns) const {
    return std::all_of(key_->columns.begin(), key_->columns.end(), [&](size_t column) {
      return std::binary_search(columns.begin(), columns.end(), column);
    });
  }

  // Finds the records whose key comes again later in the call, by the key's own idea of equality,
  // and takes them out; they count as skipped.
  void DropSuperseded() {
    if (key_ == nullptr) return;
    Records keyed;
    for (const auto& [columns, records] : groups_) {
      if (HasKey(columns)) keyed.insert(keyed.end(), records.begin(), records.end());
    }
    if (keyed.size() < 2) return;
    std::sort(keyed.begin(), keyed.end(), [](const Record& left, const Record& right) {
      return left.position < right.position;
    });
    if (KeysAscend(keyed)) return;
    const std::unordered_set<int64> superseded = FindSuperseded(keyed);
    if (superseded.empty()) return;
    for (auto& [columns, records] : groups_) {
      records.erase(std::remove_if(records.begin(), records.end(),
                                   [&](const Record& record) {
                                     return superseded.count(record.position) > 0;
                                   }),
                    records.end());
    }
    counts_.skipped += static_cast<int64>(superseded.size());
  }

  bool KeysAscend(const Records& keyed) {
    AscendingKeys keys(target_, *key_);
    if (!keys.ascending()) return false;
    Convert(
        keyed, key_->columns,
        [&](int64, Datum* values, bool* nulls) { return keys.add(values, nulls); }, nullptr);
    return keys.ascending();
  }

  std::unordered_set<int64> FindSuperseded(const Records& keyed) {
    std::vector<RowStore::Column> columns;
    std::vector<std::string> names;
    for (size_t position : key_->columns) {
      const catalog::Column& column = target_.columns[position];
      names.push_back(Cat("c", columns.size()));
      columns.push_back({column.facts.base, column.facts.base_typmod, column.collation});
    }
    const std::string sql = Cat("SELECT n FROM (SELECT n, pg_catalog.lead(n) OVER (PARTITION BY ",
                                core::Join(names, ", "), " ORDER BY n) AS later FROM ",
                                kKeysRelation, ") AS q WHERE later IS NOT NULL");
    RowStore keys(kKeysRelation, columns, work_mem);
    Convert(
        keyed, key_->columns,
        [&](int64 position, Datum* values, bool* nulls) {
          keys.put(position, values, nulls);
          return true;
        },
        nullptr);

    std::unordered_set<int64> superseded;
    pg::WithSpi([&] {
      keys.Register();
      const uint64 count = pg::SpiExecute(sql);
      SPITupleTable* const found = SPI_tuptable;
      for (uint64 i = 0; i < count; i++) {
        bool is_null;
        superseded.insert(DatumGetInt64(
            pg::Call([&] { return SPI_getbinval(found->vals[i], found->tupdesc, 1, &is_null); })));
      }
    });
    keys.Clear();
    return superseded;
  }

  // Converts these columns of these records and hands them to `put`, a leaf, until that returns
  // false. A record that does not
  // convert is passed over, and told to `failed` (may be null). Conversions run in a subtransaction
  // that a failing one ends: one for each failure, not one for each record.
  template <typename Put>
  void Convert(const Records& records, const Columns& columns, Put put,
               void (JsonImport::*failed)(const pg::PgError&, const Record&)) {
    const std::vector<size_t> places = PlacesInOrder(columns);
    std::vector<JsonbValue> fields(columns.size());
    std::vector<Datum> values(columns.size() + 1);
    std::unique_ptr<bool[]> nulls(new bool[columns.size() + 1]);
    size_t next = 0;
    size_t end = records.size();
    while (next < end) {
      try {
        pg::InSubXact([&] {
          pg::ContextScope scope(scratch_.get());
          pg::Call([&] {
            while (next < end) {
              CHECK_FOR_INTERRUPTS();
              MemoryContextReset(scratch_.get());
              find_fields(records[next].object, columns, places, fields.data());
              convert_fields(columns, fields.data(), values.data(), nulls.get());
              const bool more = put(records[next].position, values.data(), nulls.get());
              next++;
              if (!more) end = next;
            }
          });
        });
      } catch (const pg::PgError& error) {
        if (!IsConversionError(error)) throw;
        settings_->Restore();
        if (failed != nullptr) (this->*failed)(error, records[next]);
        next++;
      }
    }
  }

  // The places in `columns`, in the order in which records have them.
  std::vector<size_t> PlacesInOrder(const Columns& columns) const {
    std::vector<size_t> places;
    for (const size_t column : order_) {
      if (Contains(columns, column)) places.push_back(PlaceOf(columns, column));
    }
    return places;
  }

  // Goes through the fields of a record, which brings all of these columns, once.
  void find_fields(JsonbContainer* record, const Columns& columns,
                   const std::vector<size_t>& places, JsonbValue* found) const {
    rows::JsonbFields fields(record);
    for (const size_t place : places) {
      const std::string& name = target_.columns[columns[place]].name;
      do {
        if (!fields.Next()) elog(ERROR, "record lacks column \"%s\"", name.c_str());
      } while (fields.name() != name);
      fields.value().Get(&found[place]);
    }
  }

  void convert_fields(const Columns& columns, JsonbValue* fields, Datum* values, bool* nulls) {
    settings_->enter();
    for (size_t i = 0; i < columns.size(); i++)
      values[i] = types_[columns[i]]->from_json(&fields[i], &nulls[i]);
    settings_->leave();
    for (size_t i = 0; i < columns.size(); i++)
      types_[columns[i]]->check_domain(values[i], nulls[i]);
  }

  void ConversionFailed(const pg::PgError& error, const Record& record) {
    RowError row = RowError::Of(error, record.position);
    row.key = KeyText(record);
    errors_.Add(std::move(row));
  }

  // The key of a record as it stands in the JSON.
  std::optional<std::string> KeyText(const Record& record) {
    if (!target_.row_key) return std::nullopt;
    pg::ContextScope scope(scratch_.get());
    const std::vector<size_t>& key = target_.row_key->columns;
    const char* text = pg::Call([&]() -> const char* {
      JsonbParseState* state = nullptr;
      pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
      for (size_t column : key) {
        const std::string& name = target_.columns[column].name;
        JsonbValue label, value;
        rows::set_json_string(&label, name.data(), name.size());
        if (getKeyJsonValueFromContainer(record.object, name.data(), static_cast<int>(name.size()),
                                         &value) == nullptr) {
          return nullptr;
        }
        pushJsonbValue(&state, WJB_KEY, &label);
        pushJsonbValue(&state, WJB_VALUE, &value);
      }
      Jsonb* object = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr));
      return JsonbToCString(nullptr, &object->root, VARSIZE(object));
    });
    return text != nullptr ? std::optional<std::string>(text) : std::nullopt;
  }

  void ImportGroup(const Columns& columns, const Records& records) {
    ApplyOptions options;
    options.strategy = strategy_;
    options.check_deferred = true;
    auto applier = std::make_unique<BatchApplier>(target_, columns, options, errors_, counts_);
    for (size_t begin = 0; begin < records.size(); begin += kBatchRows) {
      const size_t end = std::min(records.size(), begin + static_cast<size_t>(kBatchRows));
      const Records batch(records.begin() + begin, records.begin() + end);
      Convert(
          batch, columns,
          [&](int64 position, Datum* values, bool* nulls) {
            applier->put_row(position, values, nulls);
            return true;
          },
          &JsonImport::ConversionFailed);
      applier->Apply();
    }
    if (applier->postponed() > 0) unsettled_.push_back(std::move(applier));
  }

  const catalog::Table& target_;
  JsonbContainer* records_;
  Strategy strategy_;
  const catalog::Key* key_;  // by which existing rows are found
  RowErrors& errors_;
  ApplyCounts& counts_;
  pg::OwnedContext types_context_;
  pg::OwnedContext scratch_;
  std::unique_ptr<rows::CanonicalSettings> settings_;
  std::vector<std::unique_ptr<rows::JsonType>> types_;
  std::vector<size_t> order_;  // all columns, in the order in which jsonb has their names
  std::vector<bool> brings_;   // which of them a record brings
  std::map<Columns, Records> groups_;
  std::vector<std::unique_ptr<BatchApplier>> unsettled_;
};

}  // namespace

void ImportJson(const catalog::Table& target, Jsonb* records, Strategy strategy, RowErrors& errors,
                ApplyCounts& counts) {
  if (!JB_ROOT_IS_ARRAY(records) || JB_ROOT_IS_SCALAR(records)) {
    throw Error(sqlstate::kInvalidParameter, "records must be a JSON array of objects");
  }
  if (strategy == Strategy::kMirror) {
    throw Error(sqlstate::kFeatureNotSupported,
                "records cannot be imported with strategy \"mirror\"")
        .WithDetail("They do not tell which rows are to be deleted.")
        .WithHint("Use strategy overwrite, or transfer the table from a peer.");
  }
  RequireStrategyPossible(target, strategy);
  pg::Call([] { PreventCommandIfReadOnly("sync_import()"); });
  JsonImport(target, &records->root, strategy, errors, counts).Run();
  AdvanceSequences(target);
}

}  // namespace pgsync::engine
