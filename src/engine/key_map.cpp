#include "engine/key_map.h"

#include <algorithm>

#include "core/text.h"
#include "engine/positions.h"

namespace pgsync::engine {

using core::Cat;
using core::Join;

namespace {

constexpr int kMapMemory = 4 * 1024;  // kB

}  // namespace

KeyMap::KeyMap(const catalog::Table& target, const std::vector<size_t>& columns, size_t number,
               Contents contents)
    : target_(target),
      columns_(columns),
      contents_(std::move(contents)),
      name_(Cat("pgsync_map_", target.oid, "_", number)),
      rows_(name_.c_str(), target, Twice(columns), kMapMemory) {}

std::vector<size_t> KeyMap::Twice(const std::vector<size_t>& columns) {
  std::vector<size_t> twice = columns;
  twice.insert(twice.end(), columns.begin(), columns.end());
  return twice;
}

std::string KeyMap::Equal(const std::vector<std::string>& left,
                          const std::vector<std::string>& right) const {
  const std::vector<size_t>& of_key = contents_.key.columns;
  std::vector<std::string> parts;
  for (size_t i = 0; i < of_key.size(); i++) {
    const size_t at = PlaceOf(columns_, of_key[i]);
    parts.push_back(contents_.key.Equal(i, left.at(at), right.at(at)));
  }
  return Join(parts, " AND ");
}

void KeyMap::Add(const std::string& source, const std::vector<std::string>& came,
                 const std::vector<std::string>& here) {
  std::vector<std::string> conditions;
  for (const std::string& value : came)
    conditions.push_back(Cat(value, " IS NOT NULL"));
  if (!contents_.complete) conditions.push_back(Cat("(", Equal(here, came), ") IS NOT TRUE"));
  std::string distinct;
  if (contents_.may_repeat) {
    std::vector<std::string> known;
    for (size_t i = 0; i < columns_.size(); i++)
      known.push_back(Cat("m.c", i));
    rows_.Register();
    conditions.push_back(
        Cat("NOT EXISTS (SELECT FROM ", name_, " AS m WHERE ", Equal(known, came), ")"));
    distinct = Cat("DISTINCT ON (", Join(came, ", "), ") ");
  }
  RowStore added(RowStore::Like{rows_});
  added.Fill(Cat("SELECT ", distinct, "s.n, ", Join(came, ", "), ", ", Join(here, ", "), " FROM ",
                 source, " AND ", Join(conditions, " AND "), " ORDER BY ",
                 distinct.empty() ? std::string() : Join(came, ", ") + ", ", "s.n"));
  rows_.Take(added);
}

void TranslationJoins::Add(const KeyTranslation& translation,
                           const std::vector<std::string>& values) {
  const std::string alias = Cat("m", translations_.size());
  // The rule's pairs stand in the order of the foreign key, the map in one of its own.
  const KeyMap& map = *translation.map;
  std::vector<std::string> referenced, referencing, nulls;
  for (const std::string& column : translation.rule.referenced_columns) {
    for (size_t i = 0; i < values.size(); i++) {
      const std::string& name = map.target().columns[map.columns()[i]].name;
      if (catalog::QuoteIdentifier(name) != column) continue;
      referenced.push_back(Cat(alias, ".c", i));
      referencing.push_back(values[i]);
      nulls.push_back(Cat(values[i], " IS NULL"));
    }
  }
  joins_ += Cat(" LEFT JOIN ", map.name(), " AS ", alias, " ON ",
                catalog::MatchKeys(translation.rule, referenced, referencing));
  found_.push_back(translation.required()
                       ? Cat("(", alias, ".n IS NOT NULL OR ", Join(nulls, " OR "), ")")
                       : "true");
  translations_.push_back(&translation);
}

std::string TranslationJoins::complete() const {
  std::vector<std::string> required;
  for (size_t i = 0; i < found_.size(); i++) {
    if (translations_[i]->required()) required.push_back(found_[i]);
  }
  return required.empty() ? "true" : Join(required, " AND ");
}

std::string TranslationJoins::FirstMissing() const {
  std::string sql = "CASE";
  for (size_t i = 0; i < found_.size(); i++)
    sql += Cat(" WHEN NOT ", found_[i], " THEN ", i);
  return sql + " END";
}

std::string TranslationJoins::ValueOf(size_t translation, const catalog::Table& table,
                                      size_t position) const {
  const KeyTranslation& translated = *translations_[translation];
  const KeyMap& map = *translated.map;
  const std::vector<size_t>& columns = translated.columns;
  const size_t i = PlaceOf(columns, position);
  const std::string value = Cat("m", translation, ".c", columns.size() + i);
  const catalog::Column& column = table.columns[position];
  if (map.target().columns[map.columns()[i]].type == column.type) return value;
  return Cat("CAST(", value, " AS ", column.type_text, ")");
}

std::string TranslationJoins::Value(const catalog::Table& table, size_t position,
                                    const std::string& otherwise) const {
  std::string required, optional, known;
  for (size_t k = 0; k < translations_.size(); k++) {
    if (!Contains(translations_[k]->columns, position)) continue;
    const bool must = translations_[k]->required();
    (must ? required : optional) +=
        Cat(" WHEN m", k, ".n IS NOT NULL THEN ", ValueOf(k, table, position));
    if (must) known += Cat(known.empty() ? "" : " AND ", found_[k]);
  }
  if (required.empty() && optional.empty()) return otherwise;
  return Cat("CASE", required, optional,
             known.empty() ? Cat(" ELSE ", otherwise) : Cat(" WHEN ", known, " THEN ", otherwise),
             " END");
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
