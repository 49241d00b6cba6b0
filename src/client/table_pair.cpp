#include "client/table_pair.h"

#include <algorithm>

#include "catalog/shareable.h"
#include "catalog/table_lock.h"
#include "core/text.h"

extern "C" {
#include "catalog/pg_type.h"
}

namespace pgsync::client {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

void RequireSameColumns(const core::TableInfo& remote, const catalog::Table& local) {
  std::vector<std::string> here, there;
  for (const core::ColumnInfo& column : remote.columns) {
    if (!column.generated && local.FindColumn(column.name) == nullptr)
      here.push_back(catalog::QuoteIdentifier(column.name));
  }
  for (const catalog::Column& column : local.columns) {
    if (!column.stored_generated() && remote.FindColumn(column.name) == nullptr)
      there.push_back(catalog::QuoteIdentifier(column.name));
  }
  if (here.empty() && there.empty()) return;
  std::vector<std::string> sentences;
  if (!here.empty()) sentences.push_back(Cat("Missing here: ", core::Join(here, ", "), "."));
  if (!there.empty()) sentences.push_back(Cat("Missing there: ", core::Join(there, ", "), "."));
  throw Error(sqlstate::kDatatypeMismatch,
              Cat("table \"", local.name.ForMessage(), "\" and the peer's have different columns"))
      .WithDetail(core::Join(sentences, " "))
      .WithHint("See sync_compare_schema().");
}

// Types without a collation, the order of whose values no version has ever changed.
bool OrderedAlike(Oid type) {
  switch (type) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case NUMERICOID:
    case UUIDOID:
    case DATEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return true;
    default:
      return false;
  }
}

void NoticeInheritance(const TablePair& pair) {
  pg::Call([&] {
    if (pair.local.has_children) {
      ereport(NOTICE, (errmsg("rows of tables that inherit from \"%s\" are not included",
                              pair.local.name.name.c_str())));
    }
    if (pair.remote.has_children) {
      ereport(NOTICE, (errmsg("rows of tables that inherit from the peer's table \"%s\" are not "
                              "included",
                              pair.remote.info.name.c_str())));
    }
  });
}

}  // namespace

void RequireComplete(const core::OpenedTable& remote, const catalog::Table& local) {
  catalog::RequireReadable(local, true);
  if (remote.complete && !catalog::RowSecurityApplies(local.oid)) return;
  throw Error(sqlstate::kFeatureNotSupported,
              Cat("cannot tell which rows table \"", local.name.ForMessage(), "\" lacks"))
      .WithDetail(remote.complete
                      ? "Row level security may hide rows of it from the current role."
                      : "The peer does not show all rows of its table: row level security applies "
                        "there to the role of the session.");
}

core::RowsRequest TablePair::RowsRequest() const {
  core::RowsRequest request = engine::RowsOf(remote_name);
  for (const engine::MappedColumn& column : columns)
    request.columns.push_back({remote.info.columns[column.remote].name, column.binary});
  return request;
}

engine::LoadRequest TablePair::LoadRequest() const {
  return engine::LoadOf(local, columns);
}

bool TablePair::SameOrder() const {
  const auto& key = local.primary_key;
  const auto& theirs = remote.info.primary_key;
  if (!key || key->columns.size() != theirs.size()) return false;
  for (size_t i = 0; i < theirs.size(); i++) {
    const size_t position = key->columns[i];
    const catalog::Column& column = local.columns[position];
    const auto mapped = std::find_if(columns.begin(), columns.end(), [&](const auto& candidate) {
      return candidate.local == position;
    });
    // In binary form go only those that are of the same type on both sides.
    if (mapped == columns.end() || !mapped->binary || column.name != theirs[i]) return false;
    if (!OrderedAlike(column.facts.base)) return false;
  }
  return true;
}

TablePair OpenPair(Peer& peer, const std::string& remote, const std::optional<std::string>& local) {
  TablePair pair;
  pair.remote_name = remote;
  const catalog::TableName name = catalog::ParseTableName(local.value_or(remote));
  // What is decoded for its columns now must still be what they are when they are read.
  const Oid oid = catalog::LockRelation(name);
  if (!OidIsValid(oid)) {
    throw Error(sqlstate::kUndefinedTable, Cat("table \"", name.ForMessage(), "\" does not exist"));
  }
  pair.local = catalog::ReadTable(oid);
  catalog::RequireTransferable(pair.local);
  pair.remote = std::move(peer.Open({remote}).at(0));
  if (!pair.remote.described) engine::AssumeColumns(pair.local, &pair.remote.info);
  RequireComplete(pair.remote, pair.local);
  RequireSameColumns(pair.remote.info, pair.local);
  pair.columns = engine::MapColumns(pair.remote.info, pair.local, false);
  NoticeInheritance(pair);
  return pair;
}

}  // namespace pgsync::client
