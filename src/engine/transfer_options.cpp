#include "engine/transfer_options.h"

#include "core/text.h"

namespace pgsync::engine {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {
constexpr int64 kMostRetries = 10;
}

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
  return options;
}

}  // namespace pgsync::engine
