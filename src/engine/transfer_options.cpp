#include "engine/transfer_options.h"

#include <algorithm>

#include "core/text.h"

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr int64 kMostRetries = 10;

TransferOptions::Match MatchOf(const std::string& word) {
  RequireWord("value for \"match\":", word, {"key", "unique", "phoenix"});
  if (word == "key") return TransferOptions::Match::kKey;
  return word == "unique" ? TransferOptions::Match::kUnique : TransferOptions::Match::kPhoenix;
}

// Where rows may stay here under keys that the peer does not have, a table cannot be equal to the
// peer's.
void RequireMatchPossible(const TransferOptions& options, const std::string& match) {
  if (options.match == TransferOptions::Match::kKey) return;
  const auto mirrors = [](const auto& entry) { return entry.second == Strategy::kMirror; };
  if (options.strategy == Strategy::kMirror ||
      std::any_of(options.strategies.begin(), options.strategies.end(), mirrors)) {
    throw Error(sqlstate::kInvalidParameter,
                Cat("strategy \"mirror\" cannot be combined with match \"", match, "\""))
        .WithDetail("A row that is here under another key would be one too many.")
        .WithHint("Use match => 'key', or another strategy.");
  }
  if (options.verify) {
    throw Error(sqlstate::kInvalidParameter,
                Cat("a transfer with match \"", match, "\" cannot be verified"))
        .WithDetail("It may leave rows that differ from the peer's.")
        .WithHint("Use match => 'key'.");
  }
}

}  // namespace

TransferOptions OptionsOf(const core::TransferWords& words) {
  TransferOptions options;
  options.strategy = ParseStrategy(words.strategy);
  for (const auto& [table, word] : words.strategies)
    options.strategies[table] = ParseStrategy(word);
  options.create_missing_tables = words.create_missing_tables;
  if (words.batch_size && *words.batch_size < 1) {
    throw Error(sqlstate::kInvalidParameter, "argument \"batch_size\" must be positive");
  }
  options.batch_size = words.batch_size;
  RequireWord("mode", words.mode, {"auto", "full", "delta", "online"});
  options.online = words.mode == "online";
  options.delta = words.mode == "auto"    ? TransferOptions::Delta::kWhereItPays
                  : words.mode == "delta" ? TransferOptions::Delta::kWherePossible
                                          : TransferOptions::Delta::kNever;
  RequireWord("value for \"triggers\":", words.triggers, {"fire", "skip"});
  options.skip_triggers = words.triggers == "skip";
  RequireWord("value for \"sequences\":", words.sequences, {"advance", "leave"});
  options.advance_sequences = words.sequences == "advance";
  options.dry_run = words.dry_run;
  options.max_errors = words.max_errors;
  RequireNotNegative("max_errors", options.max_errors);
  if (words.retries < 0 || words.retries > kMostRetries) {
    throw Error(sqlstate::kInvalidParameter,
                Cat("argument \"retries\" must be between 0 and ", kMostRetries));
  }
  options.retries = words.retries;
  options.max_deletes = words.max_deletes;
  RequireNotNegative("max_deletes", options.max_deletes);
  options.verify = words.verify;
  if (options.verify && options.dry_run) {
    throw Error(sqlstate::kInvalidParameter, "a dry run cannot be verified");
  }
  options.drop_extra_columns = words.drop_extra_columns;
  if (words.max_rate && *words.max_rate < 1) {
    throw Error(sqlstate::kInvalidParameter, "argument \"max_rate\" must be positive");
  }
  options.max_rate = words.max_rate;
  options.match = MatchOf(words.match);
  RequireMatchPossible(options, words.match);
  return options;
}

}  // namespace pgsync::engine
