#include "engine/reconciliation.h"

#include <algorithm>

#include "core/text.h"

extern "C" {
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
}

namespace pgsync::engine {

using core::Cat;
using core::Error;
using core::Sketch;
namespace sqlstate = core::sqlstate;

namespace {

// How often a larger sketch is asked for where one could not be decoded.
constexpr int kTries = 3;

uint64_t RandomSeed() {
  uint64_t seed;
  if (!pg_strong_random(&seed, sizeof(seed)))
    throw Error(sqlstate::kInternal, "could not obtain random bytes");
  return seed;
}

core::DigestRequest RequestFor(const std::string& table, const LoadRequest& request,
                               const catalog::Key* key) {
  core::DigestRequest digest;
  digest.table = table;
  digest.seed = RandomSeed();
  digest.encoding = GetDatabaseEncodingName();
  digest.byte_order = core::OwnByteOrder();
  for (size_t i = 0; i < request.columns.size(); i++) {
    const size_t position = request.columns[i];
    if (key != nullptr && std::count(key->columns.begin(), key->columns.end(), position) == 0)
      continue;
    const catalog::Column& column = request.target->columns[position];
    // In binary form go only those that are of the same type on both sides. What is stored of jsonb
    // is in the encoding of its database.
    const bool image = request.binary[i] && rows::RowHasher::HasImage(column.facts.base) &&
                       (column.facts.base != JSONBOID || GetDatabaseEncoding() == PG_UTF8);
    digest.columns.push_back({column.name, image});
  }
  return digest;
}

std::vector<TableDigest::Column> LocalColumns(const catalog::Table& table,
                                              const core::DigestRequest& request) {
  std::vector<TableDigest::Column> columns;
  for (const core::DigestRequest::Column& column : request.columns)
    columns.push_back({table.PositionOf(column.name), column.image});
  return columns;
}

}  // namespace

Reconciliation::Reconciliation(DigestSource& source, std::string remote_table,
                               const LoadRequest& request, const catalog::Key* key)
    : source_(source),
      table_(*request.target),
      request_(RequestFor(remote_table, request, key)),
      local_(table_, LocalColumns(table_, request_), request_.seed, CurrentResourceOwner) {}

std::string Reconciliation::Run(const std::function<void(int64 rows)>& progress) {
  std::string refusal = TableDigest::Refusal(table_);
  if (!refusal.empty()) return refusal;
  const std::unique_ptr<DigestSource::Pending> answer = source_.Digest(request_);
  // While the peer goes over its rows.
  uint64_t told = 0;
  local_.Scan([&](uint64_t rows) {
    progress(static_cast<int64>(rows - told));
    told = rows;
  });
  progress(static_cast<int64>(local_.rows() - told));
  try {
    return Decode(answer->Wait([](uint64_t) {}));
  } catch (const Error& error) {
    if (error.state() != sqlstate::kFeatureNotSupported) throw;
    return error.message();
  }
}

std::string Reconciliation::Decode(Sketch first) {
  remote_rows_ = static_cast<int64>(first.rows());
  const double estimate = Sketch::EstimateDifference(local_.SketchOf(first.bits()), first);
  auto difference = Sketch::Decode(local_.SketchOf(first.bits()), std::move(first));
  // Every row that was changed is one here and one there.
  const auto all = static_cast<double>(local_.rows()) + static_cast<double>(remote_rows_);
  const auto bits = Sketch::BitsFor(estimate);
  for (int i = 0; !difference && i < kTries; i++) {
    if (!bits || *bits + i > Sketch::kMaxBits || estimate > all / 2) {
      return Cat("about ", static_cast<int64>(estimate), " of ", static_cast<int64>(all),
                 " rows differ");
    }
    const std::unique_ptr<DigestSource::Pending> answer = source_.Cells(*bits + i);
    const Sketch& local = local_.SketchOf(*bits + i);
    Sketch remote = answer->Wait([](uint64_t) {});
    if (remote.bits() != *bits + i || remote.rows() != static_cast<uint64_t>(remote_rows_)) {
      throw Error(sqlstate::kProtocolViolation, "digest of the peer is malformed")
          .WithDetail("It is not the one that was asked for.");
    }
    difference = Sketch::Decode(local, std::move(remote));
  }
  if (!difference) return "some rows are there twice";
  only_local_ = std::move(difference->left);
  only_remote_ = std::move(difference->right);
  return std::string();
}

core::RowsRequest Reconciliation::Narrowed(core::RowsRequest request) const {
  request.only = only_remote_;
  return request;
}

bool Reconciliation::LocalRows(const std::vector<size_t>& positions, rows::RowConsumer& consumer) {
  return local_.Rows(positions, only_local_, consumer) == only_local_.size();
}

}  // namespace pgsync::engine
