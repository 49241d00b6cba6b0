// SQL functions that push tables to a peer.
#include "client/push.h"
#include "client/handles.h"
#include "sql/results.h"
#include "sql/transfer_arguments.h"

namespace pgsync::sql {

PGSYNC_FUNCTION(pgsync_push) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  const client::PushedTable table{args.AsOid(1), args.OptionalText(2)};
  const auto outcomes = client::PushTables(handle.peer(), handle.handle().id, handle.handle().url,
                                           {table}, ReadTransferWords(args, 3));
  return RowResult(fcinfo, OutcomeCells(outcomes.at(0)));
}

PGSYNC_FUNCTION(pgsync_push_all) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  const auto tables = args.OptionalOids(1);
  const auto exclude = args.OptionalOids(2).value_or(std::vector<Oid>());
  const core::TransferWords words = ReadTransferWords(args, 4, 3);
  SetResult result(fcinfo);
  const auto selected = client::SelectOwnTables(tables, exclude);
  std::vector<catalog::TableName> names;
  for (const client::PushedTable& pushed : selected)
    names.push_back(catalog::NameOfRelation(pushed.table));
  WarnOfStrategiesForNone(words, names);
  for (const auto& outcome : client::PushTables(handle.peer(), handle.handle().id,
                                                handle.handle().url, selected, words)) {
    result.Add(OutcomeCells(outcome));
  }
  return result.Done();
}

}  // namespace pgsync::sql
