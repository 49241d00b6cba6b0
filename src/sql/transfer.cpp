// SQL functions that transfer tables from a peer.
#include "client/handles.h"
#include "client/pull.h"
#include "client/transfer_history.h"
#include "connection/history.h"
#include "engine/transfer_options.h"
#include "sql/connecting.h"
#include "sql/results.h"
#include "sql/transfer_arguments.h"

namespace pgsync::sql {

using engine::TransferOptions;

PGSYNC_FUNCTION(pgsync_transfer) {
  const Args args(fcinfo);
  const client::UseHandle use(args.Int4(0));
  const client::Handle& handle = use.handle();
  const engine::TableRequest table{args.Text(1), args.OptionalText(2)};
  const core::TransferWords words = ReadTransferWords(args, 3);
  const TransferOptions options = engine::OptionsOf(words);
  client::TransferRecord record(handle.connection, handle.url, table.local.value_or(table.remote),
                                words);
  const auto outcomes = record.Run(
      [&] { return client::PullTables(use.peer(), handle.id, handle.url, {table}, options); });
  return RowResult(fcinfo, OutcomeCells(outcomes.at(0)));
}

PGSYNC_FUNCTION(pgsync_transfer_all) {
  const Args args(fcinfo);
  const client::UseHandle use(args.Int4(0));
  const client::Handle& handle = use.handle();
  const client::TableSelection selection = ReadSelection(args, 1, 4);
  const core::TransferWords words = ReadTransferWords(args, 4, 3);
  const TransferOptions options = engine::OptionsOf(words);
  SetResult result(fcinfo);
  client::TransferRecord record(handle.connection, handle.url,
                                connection::TablesForDisplay(selection.tables), words);
  for (const auto& outcome : record.Run([&] {
         const auto selected = client::SelectTables(use.peer(), selection);
         std::vector<catalog::TableName> names;
         for (const engine::TableRequest& table : selected)
           names.push_back(catalog::ParseTableName(table.remote));
         WarnOfStrategiesForNone(words, names);
         return client::PullTables(use.peer(), handle.id, handle.url, selected, options);
       })) {
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
  const client::TableSelection selection = ReadSelection(args, 3, 5);
  const core::TransferWords words = ReadTransferWords(args, 5);
  const TransferOptions options = engine::OptionsOf(words);
  SetResult result(fcinfo);
  const PeerAddress address = FindPeer(arguments);
  const std::string url = address.url.Display();
  client::TransferRecord record(address.connection, url,
                                connection::TablesForDisplay(selection.tables), words);
  for (const auto& outcome : record.Run([&] {
         const auto peer = ConnectToPeer(address);
         const auto selected = client::SelectTables(*peer, selection);
         auto outcomes = client::PullTables(*peer, 0, url, selected, options);
         peer->Disconnect();
         return outcomes;
       })) {
    result.Add(OutcomeCells(outcome));
  }
  return result.Done();
}

}  // namespace pgsync::sql
