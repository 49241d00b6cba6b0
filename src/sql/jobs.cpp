// SQL functions that start and cancel jobs.
#include "connection/jobs.h"

#include "catalog/names.h"
#include "connection/connection.h"
#include "core/text.h"
#include "engine/transfer_options.h"
#include "pg/identity.h"
#include "session/launcher_state.h"
#include "sql/transfer_arguments.h"

extern "C" {
#include "utils/fmgrprotos.h"
}

namespace pgsync::sql {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

PGSYNC_FUNCTION(pgsync_transfer_async) {
  const Args args(fcinfo);
  const std::string name = args.Text(0);
  connection::JobRequest request;
  client::TableSelection selection = ReadSelection(args, 1, 3);
  request.tables = std::move(selection.tables);
  request.exclude = std::move(selection.exclude);
  request.parents = selection.parents;
  request.words = ReadTransferWords(args, 3);
  const engine::TransferOptions options = engine::OptionsOf(request.words);
  if (options.verify) engine::RequireVerifiable(options.strategy);
  for (const std::string& table : request.tables.value_or(std::vector<std::string>()))
    (void)catalog::ParseTableName(table);
  for (const std::string& table : request.exclude)
    (void)catalog::ParseTableName(table);
  session::RequireLauncher();
  const connection::Connection connection = connection::GetConnection(name);
  connection::RequireMayUse(connection);
  if (connection.direction != connection::Direction::kReceiver) {
    throw Error(sqlstate::kInvalidParameter,
                Cat("connection \"", connection.name, "\" is not a receiver connection"))
        .WithHint("A job pulls tables from the site of a receiver connection.");
  }
  const std::string uuid =
      connection::AddJob(connection.uuid, connection.site_url, pg::RoleName(GetUserId()), request);
  return pg::Call([&] { return DirectFunctionCall1(uuid_in, CStringGetDatum(uuid.c_str())); });
}

PGSYNC_FUNCTION(pgsync_cancel_transfer) {
  const Datum uuid = Args(fcinfo).Get(0);
  connection::CancelTransfer(
      pg::Call([&] { return DatumGetCString(DirectFunctionCall1(uuid_out, uuid)); }));
  PG_RETURN_VOID();
}

}  // namespace pgsync::sql
