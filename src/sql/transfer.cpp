// SQL functions that transfer tables from a peer.
#include "client/handles.h"
#include "client/pull.h"
#include "engine/transfer_options.h"
#include "sql/connecting.h"
#include "sql/results.h"
#include "sql/transfer_arguments.h"

namespace pgsync::sql {

using engine::TransferOptions;

PGSYNC_FUNCTION(pgsync_transfer) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  engine::TableRequest table{args.Text(1), args.OptionalText(2)};
  const TransferOptions options = engine::OptionsOf(ReadTransferWords(args, 3));
  const auto outcomes =
      client::PullTables(handle.peer(), handle.handle().id, handle.handle().url, {table}, options);
  return RowResult(fcinfo, OutcomeCells(outcomes.at(0)));
}

PGSYNC_FUNCTION(pgsync_transfer_all) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  const auto tables = args.OptionalTexts(1);
  const auto exclude = args.OptionalTexts(2).value_or(std::vector<std::string>());
  const TransferOptions options = engine::OptionsOf(ReadTransferWords(args, 4, 3));
  SetResult result(fcinfo);
  const auto selected = client::SelectTables(handle.peer(), tables, exclude);
  for (const auto& outcome : client::PullTables(handle.peer(), handle.handle().id,
                                                handle.handle().url, selected, options)) {
    result.Add(OutcomeCells(outcome));
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
  const TransferOptions options = engine::OptionsOf(ReadTransferWords(args, 5));
  SetResult result(fcinfo);
  const ConnectedPeer connected = ConnectToPeer(arguments);
  const auto selected = client::SelectTables(*connected.peer, tables, exclude);
  for (const auto& outcome :
       client::PullTables(*connected.peer, 0, connected.url, selected, options)) {
    result.Add(OutcomeCells(outcome));
  }
  connected.peer->Disconnect();
  return result.Done();
}

}  // namespace pgsync::sql
