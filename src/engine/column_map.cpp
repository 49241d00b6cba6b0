#include "engine/column_map.h"

#include <algorithm>

#include "core/text.h"
#include "pg/settings.h"

extern "C" {
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
}

namespace pgsync::engine {

using core::Cat;

namespace {

// The name without its schema: an extension may be installed in another one.
std::string_view BareName(std::string_view type) {
  bool quoted = false;
  size_t behind = 0;
  for (size_t i = 0; i < type.size(); i++) {
    if (type[i] == '"') quoted = !quoted;
    if (type[i] == '.' && !quoted) behind = i + 1;
  }
  return type.substr(behind);
}

// Whether values of one type may well have texts that the other takes. Text goes into and comes out
// of everything; else the kinds must be the same. The rest is up to the type's input, row by row.
bool Plausible(const core::ColumnInfo& remote, const catalog::Column& local) {
  // The text of a composite value tells no field from another but by its place.
  if (!remote.fields.empty() && !local.facts.fields.empty() &&
      remote.fields != local.facts.fields) {
    return false;
  }
  const char theirs = remote.category, ours = local.facts.category;
  if (theirs == '\0' || theirs == ours) {
    // Types of the user-defined category have nothing in common but that.
    if (ours == TYPCATEGORY_USER && theirs == TYPCATEGORY_USER) {
      const auto is_json = [](const std::string& name) {
        return name == "pg_catalog.json" || name == "pg_catalog.jsonb";
      };
      return BareName(remote.base_type) == BareName(local.facts.base_name) ||
             (is_json(remote.base_type) && is_json(local.facts.base_name));
    }
    return true;
  }
  return theirs == TYPCATEGORY_STRING || ours == TYPCATEGORY_STRING;
}

// Whether values that are equal by our key are so by the peer's, which is a primary key of the same
// type there: what those compare by is the same on all servers, unless a collation has a say in it.
bool EqualAlike(const catalog::Table& local, const catalog::Key& key, size_t position) {
  const catalog::Column& column = local.columns[position];
  return local.IsExactKeyColumn(position) ||
         (local.primary_key && key.index == local.primary_key->index &&
          !OidIsValid(column.collation) && column.facts.base_name.rfind("pg_catalog.", 0) == 0);
}

}  // namespace

bool UniqueAtPeer(const core::TableInfo& remote, const catalog::Table& local,
                  const catalog::Key* key) {
  if (key == nullptr) return true;
  const auto counts = [&](const std::string& name) {
    const size_t position = local.PositionOf(name);
    const core::ColumnInfo* theirs = remote.FindColumn(name);
    return position < local.columns.size() && theirs != nullptr &&
           std::count(key->columns.begin(), key->columns.end(), position) > 0 &&
           EqualAlike(local, *key, position) &&
           theirs->base_type == local.columns[position].facts.base_name;
  };
  return !remote.primary_key.empty() &&
         std::all_of(remote.primary_key.begin(), remote.primary_key.end(), counts);
}

std::vector<MappedColumn> MapColumns(const core::TableInfo& remote, const catalog::Table& local,
                                     bool drop_extra) {
  std::vector<MappedColumn> mapped;
  std::vector<std::string> missing, differing;
  for (size_t i = 0; i < remote.columns.size(); i++) {
    const core::ColumnInfo& theirs = remote.columns[i];
    const size_t position = local.PositionOf(theirs.name);
    if (position == local.columns.size()) {
      if (!theirs.generated && !drop_extra)
        missing.push_back(catalog::QuoteIdentifier(theirs.name));
      continue;
    }
    const catalog::Column& ours = local.columns[position];
    if (ours.stored_generated()) continue;
    if (!Plausible(theirs, ours)) {
      const bool same_text = theirs.type == ours.type_text && theirs.fields == ours.facts.fields;
      differing.push_back(Cat(catalog::QuoteIdentifier(theirs.name), " is ", theirs.type,
                              theirs.fields, " there and ", ours.type_text, ours.facts.fields,
                              same_text ? ", another type of that name," : "", " here"));
      continue;
    }
    const bool binary =
        theirs.binary && ours.facts.binary && theirs.base_type == ours.facts.base_name;
    mapped.push_back({i, position, binary});
  }
  if (!differing.empty()) {
    throw core::Error(
        core::sqlstate::kDatatypeMismatch,
        Cat("columns of table \"", local.name.ForMessage(), "\" have other types here"))
        .WithDetail(Cat("Column ", core::Join(differing, "; column "), "."));
  }
  if (!missing.empty()) {
    throw core::Error(
        core::sqlstate::kDatatypeMismatch,
        Cat("table \"", local.name.ForMessage(), "\" lacks columns of the peer's table"))
        .WithDetail(Cat("Missing here: ", core::Join(missing, ", "), "."))
        .WithHint("Add the columns, or pass drop_extra_columns => true to leave them out.");
  }
  return mapped;
}

void AssumeColumns(const catalog::Table& local, core::TableInfo* remote) {
  remote->columns.clear();
  for (const catalog::Column& column : local.columns) {
    if (column.stored_generated()) continue;
    remote->columns.emplace_back();
    remote->columns.back().name = column.name;
  }
}

core::RowsRequest RowsOf(const std::string& remote_table) {
  core::RowsRequest request;
  request.table = remote_table;
  request.encoding = GetDatabaseEncodingName();
  request.compress = pg::settings::compression;
  return request;
}

LoadRequest LoadOf(const catalog::Table& local, const std::vector<MappedColumn>& columns) {
  LoadRequest request;
  request.target = &local;
  for (const MappedColumn& column : columns) {
    request.columns.push_back(column.local);
    request.binary.push_back(column.binary);
  }
  return request;
}

}  // namespace pgsync::engine
