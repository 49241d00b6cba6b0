#include "engine/key_map.h"

#include <algorithm>

#include "core/text.h"
#include "engine/positions.h"

namespace pgsync::engine {

using core::Cat;
using core::Join;

namespace {

constexpr int kMapMemory = 4 * 1024;  // kB

// The value as one of the column's type. How long it may be is looked at when it is written: said
// here, a cast would cut it off.
std::string CastTo(const catalog::Column& column, const std::string& value) {
  const std::string base = Cat("CAST(", value, " AS ", column.facts.base_name, ")");
  const bool domain = column.type != column.facts.base;
  return domain ? Cat("CAST(", base, " AS ", column.type_text, ")") : base;
}

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
  std::vector<std::string> referenced, referencing, nulls, here, cast;
  for (const std::string& column : translation.rule.referenced_columns) {
    for (size_t i = 0; i < values.size(); i++) {
      const catalog::Column& at = map.target().columns[map.columns()[i]];
      if (catalog::QuoteIdentifier(at.name) != column) continue;
      referenced.push_back(Cat(alias, ".c", i));
      referencing.push_back(values[i]);
      nulls.push_back(Cat(values[i], " IS NULL"));
      here.push_back(Cat(alias, ".c", values.size() + i));
      cast.push_back(here.back());
      const catalog::Column& own = table_.columns[translation.columns[i]];
      if (own.type != at.type) cast.back() = CastTo(own, here.back());
    }
  }
  joins_ += Cat(" LEFT JOIN ", map.name(), " AS ", alias, " ON ",
                catalog::MatchKeys(translation.rule, referenced, referencing));
  found_.push_back(translation.required()
                       ? Cat("(", alias, ".n IS NOT NULL OR ", Join(nulls, " OR "), ")")
                       : "true");
  if (cast != here) {
    fits_.push_back(Cat("(", alias, ".n IS NULL OR (",
                        catalog::MatchKeys(translation.rule, here, cast), ") IS NOT FALSE)"));
  }
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

std::string TranslationJoins::any() const {
  std::vector<std::string> found;
  for (size_t i = 0; i < translations_.size(); i++)
    found.push_back(Cat("m", i, ".n IS NOT NULL"));
  return Cat("(", Join(found, " OR "), ")");
}

std::string TranslationJoins::fits() const {
  return fits_.empty() ? "true" : Join(fits_, " AND ");
}

std::string TranslationJoins::Value(size_t position, const std::string& otherwise) const {
  const catalog::Column& column = table_.columns[position];
  std::string required, optional, known;
  for (size_t k = 0; k < translations_.size(); k++) {
    const KeyTranslation& translation = *translations_[k];
    const size_t i = PlaceOf(translation.columns, position);
    if (i == translation.columns.size()) continue;
    const KeyMap& map = *translation.map;
    std::string value = Cat("m", k, ".c", translation.columns.size() + i);
    if (map.target().columns[map.columns()[i]].type != column.type) value = CastTo(column, value);
    const bool must = translation.required();
    (must ? required : optional) += Cat(" WHEN m", k, ".n IS NOT NULL THEN ", value);
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
