#include "engine/json_import.h"

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_set>

#include "core/text.h"
#include "engine/ascending_keys.h"
#include "engine/row_store.h"
#include "engine/sequences.h"
#include "pg/query.h"
#include "pg/subxact.h"
#include "rows/canonical.h"
#include "rows/json_type.h"

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

struct Name {
  const char* data;
  int size;
};

// The keys of a record and whether their values are null, as a leaf leaves them behind.
struct RecordShape {
  bool is_object;
  int count;
  Name* names;
  bool* nulls;
};

RecordShape read_shape(JsonbContainer* records, uint32 index) {
  RecordShape shape = {};
  JsonbValue* record = getIthJsonbValueFromContainer(records, index);
  if (record->type != jbvBinary || !JsonContainerIsObject(record->val.binary.data)) return shape;
  shape.is_object = true;
  const auto size = JsonContainerSize(record->val.binary.data);
  shape.names = static_cast<Name*>(palloc(sizeof(Name) * (size + 1)));
  shape.nulls = static_cast<bool*>(palloc(size + 1));
  JsonbIterator* iterator = JsonbIteratorInit(record->val.binary.data);
  JsonbValue item;
  JsonbIteratorToken token;
  while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE) {
    if (token == WJB_KEY) {
      shape.names[shape.count] = {item.val.string.val, item.val.string.len};
    } else if (token == WJB_VALUE) {
      shape.nulls[shape.count++] = item.type == jbvNull;
    }
  }
  return shape;
}

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
        scratch_("sync JSON record") {
    catalog::TextDependence text;
    for (const catalog::Column& column : target.columns) {
      types_.push_back(
          std::make_unique<rows::JsonType>(column.type, column.typmod, types_context_.get()));
      text.Add(types_.back()->text());
    }
    settings_ = std::make_unique<rows::CanonicalSettings>(text);
  }

  void Run() {
    GroupRecords();
    DropSuperseded();
    for (const auto& [columns, positions] : groups_)
      ImportGroup(columns, positions);
    for (const auto& applier : unsettled_)
      applier->Settle();
  }

 private:
  using Columns = std::vector<size_t>;

  // Sorts the records by the set of columns that they bring.
  void GroupRecords() {
    const auto count = JsonContainerSize(records_);
    for (uint32 i = 0; i < count; i++) {
      pg::CheckInterrupts();
      scratch_.Reset();
      pg::ContextScope scope(scratch_.get());
      const RecordShape shape = pg::Call([&] { return read_shape(records_, i); });
      const int64 position = static_cast<int64>(i) + 1;
      if (!shape.is_object) {
        AddError(position, sqlstate::kInvalidParameter, "record is not a JSON object");
        continue;
      }
      Columns columns;
      if (ColumnsOf(shape, position, &columns)) groups_[std::move(columns)].push_back(position);
    }
  }

  bool ColumnsOf(const RecordShape& shape, int64 position, Columns* columns) {
    for (int i = 0; i < shape.count; i++) {
      const std::string_view name(shape.names[i].data, shape.names[i].size);
      const size_t column = target_.PositionOf(name);
      if (column == target_.columns.size()) {
        AddError(position, core::SqlState("42703"),
                 Cat("column \"", name, "\" of table \"", target_.name.ForMessage(),
                     "\" does not exist"));
        return false;
      }
      if (target_.columns[column].stored_generated()) continue;
      // A null part of the key is no key: the column takes its default.
      if (shape.nulls[i] && target_.IsKeyColumn(column)) continue;
      columns->push_back(column);
    }
    std::sort(columns->begin(), columns->end());
    return true;
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
    std::vector<int64> keyed;
    for (const auto& [columns, positions] : groups_) {
      if (HasKey(columns)) keyed.insert(keyed.end(), positions.begin(), positions.end());
    }
    if (keyed.size() < 2) return;
    std::sort(keyed.begin(), keyed.end());
    if (KeysAscend(keyed)) return;
    const std::unordered_set<int64> superseded = FindSuperseded(keyed);
    if (superseded.empty()) return;
    for (auto& [columns, positions] : groups_) {
      positions.erase(std::remove_if(positions.begin(), positions.end(),
                                     [&](int64 p) { return superseded.count(p) > 0; }),
                      positions.end());
    }
    counts_.skipped += static_cast<int64>(superseded.size());
  }

  bool KeysAscend(const std::vector<int64>& keyed) {
    AscendingKeys keys(target_, *key_);
    if (!keys.ascending()) return false;
    Convert(
        keyed, key_->columns,
        [&](int64, Datum* values, bool* nulls) { return keys.add(values, nulls); }, nullptr);
    return keys.ascending();
  }

  std::unordered_set<int64> FindSuperseded(const std::vector<int64>& keyed) {
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
  void Convert(const std::vector<int64>& positions, const Columns& columns, Put put,
               void (JsonImport::*failed)(const pg::PgError&, int64)) {
    std::vector<Datum> values(columns.size() + 1);
    std::unique_ptr<bool[]> nulls(new bool[columns.size() + 1]);
    size_t next = 0;
    size_t end = positions.size();
    while (next < end) {
      try {
        pg::InSubXact([&] {
          pg::ContextScope scope(scratch_.get());
          pg::Call([&] {
            while (next < end) {
              CHECK_FOR_INTERRUPTS();
              MemoryContextReset(scratch_.get());
              convert_record(positions[next], columns, values.data(), nulls.get());
              const bool more = put(positions[next], values.data(), nulls.get());
              next++;
              if (!more) end = next;
            }
          });
        });
      } catch (const pg::PgError& error) {
        if (!IsConversionError(error)) throw;
        settings_->Restore();
        if (failed != nullptr) (this->*failed)(error, positions[next]);
        next++;
      }
    }
  }

  void convert_record(int64 position, const Columns& columns, Datum* values, bool* nulls) {
    JsonbValue* record = getIthJsonbValueFromContainer(records_, static_cast<uint32>(position - 1));
    settings_->enter();
    for (size_t i = 0; i < columns.size(); i++) {
      const std::string& name = target_.columns[columns[i]].name;
      JsonbValue value;
      getKeyJsonValueFromContainer(record->val.binary.data, name.data(),
                                   static_cast<int>(name.size()), &value);
      values[i] = types_[columns[i]]->from_json(&value, &nulls[i]);
    }
    settings_->leave();
    for (size_t i = 0; i < columns.size(); i++)
      types_[columns[i]]->check_domain(values[i], nulls[i]);
  }

  void ConversionFailed(const pg::PgError& error, int64 position) {
    RowError row = RowError::Of(error, position);
    row.key = KeyText(position);
    errors_.Add(std::move(row));
  }

  // The key of a record as it stands in the JSON.
  std::optional<std::string> KeyText(int64 position) {
    if (!target_.row_key) return std::nullopt;
    pg::ContextScope scope(scratch_.get());
    const std::vector<size_t>& key = target_.row_key->columns;
    const char* text = pg::Call([&]() -> const char* {
      JsonbValue* record =
          getIthJsonbValueFromContainer(records_, static_cast<uint32>(position - 1));
      JsonbParseState* state = nullptr;
      pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
      for (size_t column : key) {
        const std::string& name = target_.columns[column].name;
        JsonbValue label, value;
        rows::set_json_string(&label, name.data(), name.size());
        if (getKeyJsonValueFromContainer(record->val.binary.data, name.data(),
                                         static_cast<int>(name.size()), &value) == nullptr) {
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

  void ImportGroup(const Columns& columns, const std::vector<int64>& positions) {
    ApplyOptions options;
    options.strategy = strategy_;
    options.check_deferred = true;
    auto applier = std::make_unique<BatchApplier>(target_, columns, options, errors_, counts_);
    for (size_t begin = 0; begin < positions.size(); begin += kBatchRows) {
      const size_t end = std::min(positions.size(), begin + static_cast<size_t>(kBatchRows));
      const std::vector<int64> batch(positions.begin() + begin, positions.begin() + end);
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
  std::map<Columns, std::vector<int64>> groups_;
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
