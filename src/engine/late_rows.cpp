#include "engine/late_rows.h"

#include "core/text.h"
#include "engine/row_sql.h"
#include "pg/query.h"

namespace pgsync::engine {

using catalog::QuoteIdentifier;
using core::Cat;

namespace {

constexpr char kLateRelation[] = "pgsync_late";
constexpr int kLateMemory = 8 * 1024;  // kB

}  // namespace

LateRows::LateRows(const catalog::Table& target, std::vector<size_t> columns)
    : target_(target),
      columns_(std::move(columns)),
      rows_(kLateRelation, target, KeyAnd(target, columns_), kLateMemory) {}

std::vector<size_t> LateRows::KeyAnd(const catalog::Table& target,
                                     const std::vector<size_t>& columns) {
  std::vector<size_t> both = target.row_key->columns;
  both.insert(both.end(), columns.begin(), columns.end());
  return both;
}

void LateRows::FillIn(Strategy strategy, const std::vector<const KeyTranslation*>& translations) {
  if (rows_.rows() == 0) return;
  const catalog::Key& key = *target_.row_key;
  const auto came = [&](size_t position) {
    size_t i = 0;
    while (columns_.at(i) != position)
      i++;
    return Cat("s.c", key.columns.size() + i);
  };
  const TranslationJoins translated(target_, translations, came);

  std::vector<std::string> sets, local, values;
  for (size_t position : columns_) {
    const std::string name = QuoteIdentifier(target_.columns[position].name);
    std::string value = translated.Value(position, came(position));
    if (strategy == Strategy::kMerge) value = Cat("COALESCE(", value, ", t.", name, ")");
    sets.push_back(Cat(name, " = ", value));
    local.push_back(Cat("t.", name));
    values.push_back(value);
  }
  pg::WithSpi([&] {
    rows_.Register();
    translated.Register();
    if (!translations.empty() &&
        pg::SpiExecute(Cat("SELECT FROM ", kLateRelation, " AS s", translated.joins(),
                           " WHERE NOT (", translated.complete(), ") LIMIT 1")) > 0) {
      throw core::Error(core::sqlstate::kForeignKeyViolation,
                        Cat("rows of table \"", target_.name.ForMessage(),
                            "\" refer to rows that have not arrived"));
    }
    if (translated.fits() != "true" &&
        pg::SpiExecute(Cat("SELECT FROM ", kLateRelation, " AS s", translated.joins(),
                           " WHERE NOT (", translated.fits(), ") LIMIT 1")) > 0) {
      throw core::Error(core::sqlstate::kDataException,
                        Cat("columns of table \"", target_.name.ForMessage(),
                            "\" cannot hold the keys here of rows that they refer to"));
    }
    (void)pg::SpiExecute(Cat("UPDATE ", target_.FromClause(), " AS t SET ", core::Join(sets, ", "),
                             " FROM ", kLateRelation, " AS s", translated.joins(), " WHERE ",
                             KeyMatches(target_, key), " AND ", RowsDiffer(local, values)));
    if (catalog::RowSecurityApplies(target_.oid)) {
      RequireFilledIn(translated.joins(),
                      Cat(KeyMatches(target_, key), " AND NOT ", RowsDiffer(local, values)));
    }
  });
  rows_.Clear();
}

// An UPDATE passes over what a policy hides from it, and says nothing. `same`: a row of the table,
// "t", is as it is to be.
void LateRows::RequireFilledIn(const std::string& joins, const std::string& same) const {
  if (pg::SpiExecute(Cat("SELECT FROM ", kLateRelation, " AS s", joins,
                         " WHERE NOT EXISTS (SELECT FROM ", target_.FromClause(), " AS t WHERE ",
                         same, ") LIMIT 1")) == 0) {
    return;
  }
  throw core::Error(core::sqlstate::kInsufficientPrivilege,
                    Cat("row level security keeps references of table \"",
                        target_.name.ForMessage(), "\" from being filled in"))
      .WithDetail(
          "Rows whose foreign keys form a cycle are inserted without them and updated when what "
          "they refer to is there. A policy hides some of them from that update.")
      .WithHint("Make the constraint deferrable, or let a policy for UPDATE pass the rows.");
}

}  // namespace pgsync::engine
