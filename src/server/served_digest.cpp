#include "server/served_digest.h"

#include "core/digest_protocol.h"
#include "core/native_protocol.h"
#include "core/text.h"
#include "engine/sending.h"
#include "server/failing_stream.h"

extern "C" {
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
}

namespace pgsync::server {

using core::Cat;
using core::Clock;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// How often the peer is told that the work goes on.
constexpr std::chrono::seconds kTold{1};

// Bytes of SQL_ASCII are in no encoding that the hash could agree about.
void RequireComparable(const core::DigestRequest& request) {
  const bool bytes_here = GetDatabaseEncoding() == PG_SQL_ASCII;
  if (bytes_here != (pg_char_to_encoding(request.encoding.c_str()) == PG_SQL_ASCII)) {
    throw Error(sqlstate::kFeatureNotSupported,
                "text cannot be compared with that of a database in encoding SQL_ASCII");
  }
  if (request.byte_order != core::OwnByteOrder()) {
    throw Error(sqlstate::kFeatureNotSupported, "machines of other byte order cannot be compared");
  }
}

std::vector<engine::TableDigest::Column> HashedColumns(const catalog::Table& table,
                                                       const core::DigestRequest& request) {
  if (request.columns.empty() || request.columns.size() > table.columns.size()) {
    throw Error(sqlstate::kInvalidParameter,
                Cat("a digest of ", request.columns.size(), " columns is not possible"));
  }
  core::RowsRequest names;
  for (const core::DigestRequest::Column& column : request.columns)
    names.columns.push_back({column.name, false});
  std::vector<engine::TableDigest::Column> columns;
  for (size_t position : engine::RequestedColumns(table, names)) {
    const bool image = request.columns[columns.size()].image;
    if (image && !rows::RowHasher::HasImage(table.columns[position].facts.base)) {
      throw Error(sqlstate::kInvalidParameter,
                  Cat("what is stored in column \"", table.columns[position].name,
                      "\" means nothing elsewhere"));
    }
    if (image && table.columns[position].facts.base == JSONBOID &&
        pg_char_to_encoding(request.encoding.c_str()) != GetDatabaseEncoding()) {
      throw Error(sqlstate::kFeatureNotSupported,
                  "jsonb cannot be compared with that of a database in another encoding");
    }
    columns.push_back({position, image});
  }
  return columns;
}

}  // namespace

struct ServedDigest::Kept {
  Kept(catalog::Table of, const core::DigestRequest& request)
      : name(request.table),
        table(std::move(of)),
        digest(table, HashedColumns(table, request), request.seed, TopTransactionResourceOwner) {}

  std::string name;  // as the peer calls it
  catalog::Table table;
  engine::TableDigest digest;
  bool whole = false;  // all rows have been met
};

void ServedDigest::Deleter::operator()(Kept* kept) const {
  delete kept;
}

void ServedDigest::Discard() {
  if (kept_) kept_->digest.Close();
  kept_.reset();
}

// Answers with the sketch of what is kept then, of the size that `make` returns.
void ServedDigest::Stream(std::function<int(core::DigestStreamWriter&)> make) {
  std::optional<core::RowStreamWriter> writer;
  WithFailingStream(writer, [&] {
    database_.Read([&] {
      core::ByteSink& sink =
          http_.BeginStream(200, core::kFrameMediaType,
                            {{core::kSnapshotHeader, std::to_string(database_.snapshot_at())}});
      writer.emplace(sink, false);
      writer->Header("{}");
      core::DigestStreamWriter stream(*writer);
      const int bits = make(stream);
      stream.Finish(kept_->digest.SketchOf(bits), bits);
    });
  });
  http_.EndStream();
}

bool ServedDigest::Make(const net::HttpRequest& http_request, const Admit& admit,
                        const Resolve& resolve) {
  const core::JsonDocument document = pg::ParsePeerJson(http_request.body, "request");
  const auto request = core::DigestRequest::FromJson(core::JsonObject(document, "request"));
  RequireComparable(request);
  admit(request.table);
  Discard();
  database_.Read([&] {
    catalog::Table table = resolve(request.table);
    engine::RequireUnchanged(table);
    const std::string refusal = engine::TableDigest::Refusal(table);
    if (!refusal.empty()) throw Error(sqlstate::kFeatureNotSupported, refusal);
    kept_.reset(new Kept(std::move(table), request));
  });
  try {
    Stream([this](core::DigestStreamWriter& stream) {
      auto told = Clock::now();
      kept_->digest.Scan([&](uint64_t rows) {
        if (Clock::now() < told + kTold) return;
        told = Clock::now();
        stream.Progress(rows);
      });
      kept_->whole = true;
      return core::Sketch::kMinBits;
    });
  } catch (...) {
    Discard();
    throw;
  }
  if (!kept_->whole) Discard();
  return kept_ != nullptr;
}

void ServedDigest::SendCells(const net::HttpRequest& http_request, const Admit& admit) {
  const core::JsonDocument document = pg::ParsePeerJson(http_request.body, "request");
  const int bits = core::JsonObject(document, "request").Int32Or("bits", 0);
  if (bits < core::Sketch::kMinBits || bits > core::Sketch::kMaxBits) {
    throw Error(sqlstate::kInvalidParameter, Cat("a sketch cannot have a size of ", bits, " bits"));
  }
  if (!kept_) {
    throw Error(sqlstate::kNotInPrerequisiteState, "no table of this connection was digested");
  }
  admit(kept_->name);
  Stream([bits](core::DigestStreamWriter&) { return bits; });
}

uint64_t ServedDigest::Rows(const catalog::Table& table, const std::vector<size_t>& positions,
                            const std::vector<uint64_t>& hashes, rows::RowConsumer& consumer) {
  if (!kept_ || kept_->table.oid != table.oid) {
    throw Error(sqlstate::kNotInPrerequisiteState,
                Cat("table \"", table.name.ForMessage(), "\" was not digested last"));
  }
  return kept_->digest.Rows(positions, hashes, consumer);
}

}  // namespace pgsync::server
