#include "sql/transfer_arguments.h"

#include <algorithm>

#include "core/json.h"
#include "core/text.h"
#include "pg/encoding.h"

namespace pgsync::sql {

using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

std::map<std::string, std::string> ReadStrategies(const std::optional<std::string>& json) {
  std::map<std::string, std::string> strategies;
  if (!json) return strategies;
  const core::JsonDocument document = pg::ParsePeerJson(pg::ToUtf8(*json), "strategies");
  if (!document.IsObject()) {
    throw Error(sqlstate::kInvalidParameter, "argument \"strategies\" must be a JSON object")
        .WithHint("Write {\"orders\": \"merge\"}.");
  }
  for (const auto& member : document.GetObject()) {
    if (!member.value.IsString()) {
      throw Error(sqlstate::kInvalidParameter, "a strategy must be a string");
    }
    strategies[member.name.GetString()] = member.value.GetString();
  }
  return strategies;
}

// Where an argument is, from the first on. The functions of 1.0, which may still be there, end
// before the first of these.
constexpr int kMatch = 12;
constexpr int kRetries = 13;
constexpr int kParents = 14;

}  // namespace

core::TransferWords ReadTransferWords(const Args& args, int first, std::optional<int> strategies) {
  core::TransferWords words;
  words.strategy = args.Text(first);
  if (strategies) words.strategies = ReadStrategies(args.OptionalJson(*strategies));
  words.create_missing_tables = args.Bool(first + 1);
  words.batch_size = args.OptionalInt4(first + 2);
  words.mode = args.Text(first + 3);
  words.triggers = args.Text(first + 4);
  words.sequences = args.Text(first + 5);
  words.dry_run = args.Bool(first + 6);
  words.max_errors = args.OptionalInt8(first + 7);
  words.max_deletes = args.OptionalInt8(first + 8);
  words.verify = args.Bool(first + 9);
  words.drop_extra_columns = args.Bool(first + 10);
  words.max_rate = args.OptionalInt8(first + 11);
  if (args.Count() > first + kRetries) words.retries = args.Int4(first + kRetries);
  if (args.Count() > first + kMatch) words.match = args.Text(first + kMatch);
  return words;
}

void WarnOfStrategiesForNone(const core::TransferWords& words,
                             const std::vector<catalog::TableName>& tables) {
  for (const auto& [name, strategy] : words.strategies) {
    if (std::find(tables.begin(), tables.end(), catalog::ParseTableName(name)) != tables.end())
      continue;
    const std::string unused = core::Excerpt(name, 200);
    pg::Call([&] {
      ereport(WARNING,
              (errmsg("argument \"strategies\" has a strategy for table \"%s\", which is not "
                      "part of this call",
                      unused.c_str())));
    });
  }
}

client::TableSelection ReadSelection(const Args& args, int tables, int first) {
  client::TableSelection selection;
  selection.tables = args.OptionalTexts(tables);
  selection.exclude = args.OptionalTexts(tables + 1).value_or(std::vector<std::string>());
  selection.parents = args.Count() > first + kParents && args.Bool(first + kParents);
  return selection;
}

}  // namespace pgsync::sql
