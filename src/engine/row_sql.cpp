#include "engine/row_sql.h"

#include <algorithm>

#include "core/text.h"

namespace pgsync::engine {

using catalog::QuoteIdentifier;
using core::Cat;
using core::Join;

std::string KeyMatches(const catalog::Table& target, const catalog::Key& key,
                       const std::vector<std::string>& incoming) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < key.columns.size(); i++) {
    parts.push_back(Cat("t.", QuoteIdentifier(target.columns[key.columns[i]].name), " OPERATOR(",
                        key.Operator(catalog::Comparison::kEqual, i), ") ", incoming.at(i)));
  }
  return Join(parts, " AND ");
}

std::string KeyMatches(const catalog::Table& target, const catalog::Key& key) {
  std::vector<std::string> incoming;
  for (size_t i = 0; i < key.columns.size(); i++)
    incoming.push_back(Cat("s.c", i));
  return KeyMatches(target, key, incoming);
}

std::string RowsDiffer(const std::vector<std::string>& local,
                       const std::vector<std::string>& incoming) {
  return Cat(QuoteIdentifier(catalog::ExtensionSchema()), "._sync_differ(ROW(", Join(local, ", "),
             "), ROW(", Join(incoming, ", "), "))");
}

std::string KeyAsJson(const catalog::Table& target, const std::vector<size_t>& columns) {
  std::vector<std::string> pairs;
  for (size_t position : target.row_key->columns) {
    const auto found = std::find(columns.begin(), columns.end(), position);
    if (found == columns.end()) continue;
    pairs.push_back(Cat(catalog::QuoteLiteral(target.columns[position].name),
                        "::pg_catalog.text, s.c", found - columns.begin()));
  }
  return Cat("pg_catalog.jsonb_build_object(", Join(pairs, ", "), ")::pg_catalog.text");
}

}  // namespace pgsync::engine
