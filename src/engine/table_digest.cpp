#include "engine/table_digest.h"

#include <algorithm>

#include "core/text.h"
#include "engine/scan.h"
#include "pg/query.h"

extern "C" {
#include "catalog/pg_am_d.h"
}

namespace pgsync::engine {

namespace {

// Size of the sketch that the scan makes: it stays in the processor's cache, and is enough for some
// thousands of differences.
constexpr int kScanBits = 12;
// Rows whose hashes are added to it at once, after which progress is told: large ones may take long
// enough for the other side to take us for dead.
constexpr size_t kAdded = 256;
// Rows that are looked up by one query.
constexpr size_t kLookedUp = 8 * 1024;

// How the columns that are hashed lie in the slots of a scan of `scanned`.
std::vector<rows::RowHasher::Column> InSlots(const catalog::Table& table,
                                             const std::vector<TableDigest::Column>& hashed,
                                             const std::vector<size_t>& scanned) {
  std::vector<rows::RowHasher::Column> columns;
  for (const TableDigest::Column& column : hashed) {
    const auto at = std::find(scanned.begin(), scanned.end(), column.position);
    columns.push_back(
        {&table.columns[column.position], static_cast<int>(at - scanned.begin()), column.image});
  }
  return columns;
}

class DigestingConsumer : public rows::RowConsumer {
 public:
  DigestingConsumer(std::vector<rows::RowHasher::Column> columns, int width, uint64_t seed,
                    core::Sketch& sketch, HashedRows& hashed,
                    const std::function<void(uint64_t)>& progress)
      : hasher_(columns, seed),
        width_(width),
        sketch_(sketch),
        hashed_(hashed),
        progress_(progress) {}

  void take_row(TupleTableSlot* slot) override {
    const uint64_t hash = hasher_.hash_row(slot);
    const RowPlace at = place_of(slot, width_);
    hashed_.add(hash, at.table, *at.place);
    hashes_[count_++] = hash;
    if (count_ < kAdded) return;
    Flush();
    if (progress_) pg::Enter([this] { progress_(sketch_.rows()); });
  }
  void Flush() noexcept {
    sketch_.Add(hashes_, count_);
    count_ = 0;
  }

 private:
  rows::RowHasher hasher_;
  int width_;  // columns of the scan
  core::Sketch& sketch_;
  HashedRows& hashed_;
  const std::function<void(uint64_t)>& progress_;
  uint64_t hashes_[kAdded];
  size_t count_ = 0;
};

// Lets those rows pass that have one of the hashes.
class PickingConsumer : public rows::RowConsumer {
 public:
  PickingConsumer(std::vector<rows::RowHasher::Column> columns, uint64_t seed,
                  const std::vector<uint64_t>& sorted, rows::RowConsumer& consumer)
      : hasher_(columns, seed), sorted_(sorted), consumer_(consumer) {}

  void take_row(TupleTableSlot* slot) override {
    if (!std::binary_search(sorted_.begin(), sorted_.end(), hasher_.hash_row(slot))) return;
    rows_++;
    consumer_.take_row(slot);
  }
  bool done() const override { return consumer_.done(); }
  uint64_t rows() const { return rows_; }

 private:
  rows::RowHasher hasher_;
  const std::vector<uint64_t>& sorted_;
  rows::RowConsumer& consumer_;
  uint64_t rows_ = 0;
};

}  // namespace

TableDigest::TableDigest(const catalog::Table& table, const std::vector<Column>& columns,
                         uint64_t seed, ResourceOwner owner)
    : table_(table), columns_(columns), seed_(seed), hashed_(owner), sketch_(kScanBits) {}

std::string TableDigest::Refusal(const catalog::Table& table) {
  const auto other = pg::CatalogQuery(
      "SELECT quote_ident(c.relname), quote_ident(amname) "
      "FROM (SELECT relid::oid FROM pg_partition_tree($1) UNION SELECT $1) t "
      "JOIN pg_class c ON c.oid = relid LEFT JOIN pg_am a ON a.oid = relam "
      "WHERE relkind = 'f' OR relkind <> 'p' AND relam <> $2 ORDER BY 1 LIMIT 1",
      {pg::Param::OfOid(table.oid), pg::Param::OfOid(HEAP_TABLE_AM_OID)});
  if (other.empty()) return std::string();
  if (other[0].IsNull(1)) return core::Cat("partition ", other[0].Text(0), " is a foreign table");
  return core::Cat("access method ", other[0].Text(1), " of ", other[0].Text(0), " is not heap");
}

void TableDigest::Scan(const std::function<void(uint64_t rows)>& progress) {
  ScanRequest scan;
  scan.places = true;
  // In the order of the table, rows need not be put together anew.
  for (const Column& column : columns_)
    scan.columns.push_back(column.position);
  std::sort(scan.columns.begin(), scan.columns.end());
  DigestingConsumer consumer(InSlots(table_, columns_, scan.columns),
                             static_cast<int>(scan.columns.size()), seed_, sketch_, hashed_,
                             progress);
  ScanTable(table_, scan, consumer);
  consumer.Flush();
}

const core::Sketch& TableDigest::SketchOf(int bits) {
  if (bits > sketch_.bits()) {
    sketch_ = core::Sketch(bits);
    hashed_.AddTo(sketch_);
  }
  return sketch_;
}

uint64_t TableDigest::Rows(const std::vector<size_t>& positions,
                           const std::vector<uint64_t>& hashes, rows::RowConsumer& consumer) {
  std::vector<uint64_t> sorted = hashes;
  std::sort(sorted.begin(), sorted.end());
  ScanRequest scan;
  scan.columns = positions;
  for (const Column& column : columns_) {
    if (std::find(positions.begin(), positions.end(), column.position) == positions.end())
      scan.columns.push_back(column.position);
  }
  PickingConsumer picking(InSlots(table_, columns_, scan.columns), seed_, sorted, consumer);
  // Each partition is asked for each of the places: with many of both, it is less to read all rows.
  if (sorted.size() * hashed_.tables() > rows()) {
    ScanTable(table_, scan, picking);
    return picking.rows();
  }
  for (const PlacedRows& rows : hashed_.Find(hashes, kLookedUp)) {
    scan.among = &rows;
    ScanTable(table_, scan, picking);
    if (consumer.done()) break;
  }
  return picking.rows();
}

}  // namespace pgsync::engine
