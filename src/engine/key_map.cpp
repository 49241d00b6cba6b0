#include "engine/key_map.h"

#include <algorithm>

#include "core/text.h"

namespace pgsync::engine {

using core::Cat;

namespace {
constexpr int kMapMemory = 4 * 1024;  // kB, for each table
}

KeyMap::KeyMap(const catalog::Table& target)
    : target_(target),
      name_(Cat("pgsync_map_", target.oid)),
      rows_(name_.c_str(), target, Twice(target.primary_key->columns), kMapMemory) {}

std::vector<size_t> KeyMap::Twice(const std::vector<size_t>& columns) {
  std::vector<size_t> twice = columns;
  twice.insert(twice.end(), columns.begin(), columns.end());
  return twice;
}

void TranslationJoins::Add(const KeyTranslation& translation,
                           const std::vector<std::string>& values) {
  const std::string alias = Cat("m", translations_.size());
  // The rule's pairs stand in the order of the foreign key, the map in that of the primary key.
  const catalog::Table& target = translation.map->target();
  std::vector<std::string> referenced, referencing, nulls;
  for (const std::string& column : translation.rule.referenced_columns) {
    for (size_t i = 0; i < values.size(); i++) {
      const size_t key_column = target.primary_key->columns[i];
      if (catalog::QuoteIdentifier(target.columns[key_column].name) != column) continue;
      referenced.push_back(Cat(alias, ".c", i));
      referencing.push_back(values[i]);
      nulls.push_back(Cat(values[i], " IS NULL"));
    }
  }
  joins_ += Cat(" LEFT JOIN ", translation.map->name(), " AS ", alias, " ON ",
                catalog::MatchKeys(translation.rule, referenced, referencing));
  found_.push_back(Cat("(", alias, ".n IS NOT NULL OR ", core::Join(nulls, " OR "), ")"));
  translations_.push_back(&translation);
}

std::string TranslationJoins::complete() const {
  return found_.empty() ? "true" : core::Join(found_, " AND ");
}

std::string TranslationJoins::FirstMissing() const {
  std::string sql = "CASE";
  for (size_t i = 0; i < found_.size(); i++)
    sql += Cat(" WHEN NOT ", found_[i], " THEN ", i);
  return sql + " END";
}

std::string TranslationJoins::Value(const catalog::Table& table, size_t position) const {
  for (size_t k = 0; k < translations_.size(); k++) {
    const std::vector<size_t>& columns = translations_[k]->columns;
    const auto found = std::find(columns.begin(), columns.end(), position);
    if (found == columns.end()) continue;
    const size_t i = static_cast<size_t>(found - columns.begin());
    const catalog::Table& target = translations_[k]->map->target();
    const std::string value = Cat("m", k, ".c", columns.size() + i);
    const catalog::Column& column = table.columns[position];
    if (target.columns[target.primary_key->columns[i]].type == column.type) return value;
    return Cat("CAST(", value, " AS ", column.type_text, ")");
  }
  return std::string();
}

void TranslationJoins::Register() const {
  std::vector<const KeyMap*> registered;
  for (const KeyTranslation* translation : translations_) {
    if (std::find(registered.begin(), registered.end(), translation->map) != registered.end())
      continue;
    registered.push_back(translation->map);
    translation->map->rows().Register();
  }
}

}  // namespace pgsync::engine
