// SQL functions that transfer tables from a peer.
#include "client/handles.h"
#include "client/pull.h"
#include "core/json.h"
#include "core/text.h"
#include "pg/encoding.h"
#include "sql/connecting.h"
#include "sql/results.h"

namespace pgsync::sql {

using core::Cat;
using core::Error;
using engine::TransferOptions;
namespace sqlstate = core::sqlstate;

namespace {

void RequireUnset(bool set, const char* argument) {
  if (!set) return;
  throw Error(sqlstate::kFeatureNotSupported,
              Cat("argument \"", argument, "\" is not supported by this version of sync"));
}

// The options that all transfer functions end with, from argument `first` on.
TransferOptions ReadOptions(const Args& args, int first) {
  TransferOptions options;
  options.strategy = engine::ParseStrategy(args.Text(first));
  options.create_missing_tables = args.Bool(first + 1);
  if (const auto batch_size = args.OptionalInt4(first + 2)) {
    if (*batch_size < 1) {
      throw Error(sqlstate::kInvalidParameter, "argument \"batch_size\" must be positive");
    }
    options.batch_size = *batch_size;
  }
  const std::string mode = args.Text(first + 3);
  engine::RequireWord("mode", mode, {"auto", "full", "online"});
  options.online = mode == "online";
  const std::string triggers = args.Text(first + 4);
  engine::RequireWord("value for \"triggers\":", triggers, {"fire", "skip"});
  options.skip_triggers = triggers == "skip";
  const std::string sequences = args.Text(first + 5);
  engine::RequireWord("value for \"sequences\":", sequences, {"advance", "leave"});
  options.advance_sequences = sequences == "advance";
  options.dry_run = args.Bool(first + 6);
  options.max_errors = args.OptionalInt8(first + 7);
  RequireNotNegative("max_errors", options.max_errors);
  options.max_deletes = args.OptionalInt8(first + 8);
  RequireNotNegative("max_deletes", options.max_deletes);
  options.verify = args.Bool(first + 9);
  if (options.verify && options.dry_run) {
    throw Error(sqlstate::kInvalidParameter, "a dry run cannot be verified");
  }
  options.drop_extra_columns = args.Bool(first + 10);
  RequireUnset(!args.IsNull(first + 11), "max_rate");
  return options;
}

void ReadStrategies(const std::optional<std::string>& json, TransferOptions* options) {
  if (!json) return;
  const core::JsonDocument document = pg::ParsePeerJson(pg::ToUtf8(*json), "strategies");
  if (!document.IsObject()) {
    throw Error(sqlstate::kInvalidParameter, "argument \"strategies\" must be a JSON object")
        .WithHint("Write {\"orders\": \"merge\"}.");
  }
  for (const auto& member : document.GetObject()) {
    if (!member.value.IsString()) {
      throw Error(sqlstate::kInvalidParameter, "a strategy must be a string");
    }
    options->strategies[member.name.GetString()] = engine::ParseStrategy(member.value.GetString());
  }
}

std::vector<Cell> OutcomeCells(const engine::TableOutcome& outcome,
                               const TransferOptions& options) {
  TransferResult result;
  result.table = outcome.table;
  result.counts = outcome.counts;
  result.errors = outcome.errors;
  result.error_count = outcome.error_count;
  result.dry_run = options.dry_run;
  if (options.verify) result.verified = outcome.verified;
  result.bytes = outcome.bytes;
  result.duration = outcome.duration;
  return result.Cells();
}

}  // namespace

PGSYNC_FUNCTION(pgsync_transfer) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  engine::TableRequest table{args.Text(1), args.OptionalText(2)};
  const TransferOptions options = ReadOptions(args, 3);
  const auto outcomes =
      client::PullTables(handle.peer(), handle.handle().id, handle.handle().url, {table}, options);
  return RowResult(fcinfo, OutcomeCells(outcomes.at(0), options));
}

PGSYNC_FUNCTION(pgsync_transfer_all) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  const auto tables = args.OptionalTexts(1);
  const auto exclude = args.OptionalTexts(2).value_or(std::vector<std::string>());
  TransferOptions options = ReadOptions(args, 4);
  ReadStrategies(args.OptionalJson(3), &options);
  SetResult result(fcinfo);
  const auto selected = client::SelectTables(handle.peer(), tables, exclude);
  for (const auto& outcome : client::PullTables(handle.peer(), handle.handle().id,
                                                handle.handle().url, selected, options)) {
    result.Add(OutcomeCells(outcome, options));
  }
  return result.Done();
}

PGSYNC_SECRET_FUNCTION(pgsync_pull) {
  const Args args(fcinfo);
  ConnectArguments arguments;
  arguments.url = args.Text(0);
  arguments.code = args.OptionalText(1);
  arguments.token = args.OptionalText(2);
  const auto tables = args.OptionalTexts(3);
  const auto exclude = args.OptionalTexts(4).value_or(std::vector<std::string>());
  const TransferOptions options = ReadOptions(args, 5);
  SetResult result(fcinfo);
  const ConnectedPeer connected = ConnectToPeer(arguments);
  const auto selected = client::SelectTables(*connected.peer, tables, exclude);
  for (const auto& outcome :
       client::PullTables(*connected.peer, 0, connected.url, selected, options)) {
    result.Add(OutcomeCells(outcome, options));
  }
  connected.peer->Disconnect();
  return result.Done();
}

}  // namespace pgsync::sql
