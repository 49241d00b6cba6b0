// SQL functions that connect to peers and look at what they have.
#include <chrono>

#include "client/handles.h"
#include "client/stored_connection.h"
#include "core/code.h"
#include "core/json.h"
#include "core/phoenix_site.h"
#include "core/text.h"
#include "engine/strategy.h"
#include "pg/encoding.h"
#include "pg/identity.h"
#include "sql/connecting.h"
#include "sql/results.h"

namespace pgsync::sql {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {
constexpr std::chrono::milliseconds kDefaultTimeout{30000};
constexpr std::chrono::hours kMaxTimeout{24};
}  // namespace

namespace {

std::chrono::milliseconds TimeoutOf(const ConnectArguments& arguments) {
  const auto timeout = arguments.timeout.value_or(kDefaultTimeout);
  if (timeout.count() > 0 && timeout <= kMaxTimeout) return timeout;
  throw Error(sqlstate::kInvalidParameter, "argument \"timeout\" is out of range")
      .WithHint("It can be from 1 millisecond to 24 hours.");
}

PeerAddress FindStored(const ConnectArguments& arguments) {
  if (arguments.code || arguments.token || arguments.password) {
    throw Error(sqlstate::kInvalidParameter, "a code, token or password goes with a URL")
        .WithDetail(
            Cat("\"", core::Excerpt(arguments.url, 100),
                "\" has no ://, so it is the name of a stored connection, which has its own "
                "token."))
        .WithHint("Write https://host:port, or http://localhost:port on the same machine.");
  }
  const auto timeout = TimeoutOf(arguments);
  const client::StoredConnection stored = client::FindStoredConnection(arguments.url);
  return {net::Url::Parse(core::HttpSpelling(stored.url)),
          stored.uuid,
          {std::nullopt, stored.token, stored.password},
          arguments.protocol,
          timeout};
}

}  // namespace

PeerAddress FindPeer(const ConnectArguments& arguments) {
  if (arguments.url.find("://") == std::string::npos) return FindStored(arguments);
  const net::Url url = net::Url::Parse(core::HttpSpelling(arguments.url));
  if (arguments.code.has_value() == arguments.token.has_value()) {
    throw Error(sqlstate::kInvalidParameter, "give either a code or a token");
  }
  if (arguments.password && !arguments.token) {
    throw Error(sqlstate::kInvalidParameter, "a password goes with a token");
  }
  client::NativeCredentials credentials{arguments.code, arguments.token, arguments.password};
  if (arguments.code) {
    credentials.code = core::NormalizeCode(*arguments.code);
    if (!credentials.code) {
      throw Error(sqlstate::kInvalidAuthorization, "invalid_code")
          .WithDetail(
              Cat("A code has ", core::kCodeLength, " characters of ", core::kCodeAlphabet, "."));
    }
  }
  return {url, std::string(), credentials, arguments.protocol, TimeoutOf(arguments)};
}

std::unique_ptr<client::Peer> ConnectToPeer(const PeerAddress& address) {
  return client::ConnectPeer(address.url, address.credentials, address.protocol, address.timeout);
}

PGSYNC_SECRET_FUNCTION(pgsync_connect) {
  const Args args(fcinfo);
  ConnectArguments arguments;
  arguments.url = args.Text(0);
  arguments.code = args.OptionalText(1);
  arguments.token = args.OptionalText(2);
  arguments.password = args.OptionalText(3);
  engine::RequireWord("protocol", args.Text(4), {"auto", "native", "phoenix"});
  arguments.protocol = args.Text(4) == "native"    ? client::Protocol::kNative
                       : args.Text(4) == "phoenix" ? client::Protocol::kPhoenix
                                                   : client::Protocol::kAuto;
  (void)args.Get(5);
  arguments.timeout = args.OptionalInterval(5);
  const PeerAddress address = FindPeer(arguments);
  return Int32GetDatum(
      client::AddHandle(address.url.Display(), address.connection, ConnectToPeer(address)));
}

PGSYNC_FUNCTION(pgsync_connected) {
  const int id = Args(fcinfo).Int4(0);
  for (const auto& handle : client::ListHandles()) {
    if (handle->id == id) return BoolGetDatum(handle->peer->Connected());
  }
  return BoolGetDatum(false);
}

PGSYNC_FUNCTION(pgsync_disconnect) {
  const int id = Args(fcinfo).Int4(0);
  {
    const client::UseHandle handle(id);
    handle.peer().Disconnect();
  }
  client::RemoveHandle(id);
  PG_RETURN_VOID();
}

PGSYNC_FUNCTION(pgsync_clients) {
  SetResult result(fcinfo);
  for (const auto& handle : client::ListHandles()) {
    const client::PeerFacts facts = handle->peer->Facts();
    const char* status = handle->in_use ? "active" : handle->peer->Connected() ? "idle" : "lost";
    result.Add({std::to_string(handle->id), handle->url, facts.protocol, std::string(status),
                pg::RoleName(handle->role), TimestampCell(handle->connected_at),
                TimestampCell(facts.snapshot_at), facts.version, std::to_string(facts.bytes_in),
                std::to_string(facts.bytes_out)});
  }
  return result.Done();
}

PGSYNC_FUNCTION(pgsync_remote_list_tables) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  const auto schema = args.OptionalName(1);
  const bool exact = args.Bool(2);
  SetResult result(fcinfo);
  for (const core::TableListEntry& entry : handle.peer().ListTables(schema, exact)) {
    result.Add(TableListCells(entry));
  }
  return result.Done();
}

PGSYNC_FUNCTION(pgsync_remote_get_schema) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  core::JsonWriter json;
  handle.peer().GetSchema(args.Text(1)).Write(json);
  return JsonbDatum(json.Take());
}

PGSYNC_FUNCTION(pgsync_remote_get_count) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  return Int64GetDatum(handle.peer().Count(args.Text(1)));
}

PGSYNC_FUNCTION(pgsync_remote_fetch) {
  const Args args(fcinfo);
  const client::UseHandle handle(args.Int4(0));
  client::FetchRequest request;
  request.table = args.Text(1);
  request.limit = args.Int8(2);
  request.offset = args.Int8(3);
  request.after = args.OptionalJson(4);
  engine::RequireNotNegative("row_limit", request.limit);
  engine::RequireNotNegative("row_offset", request.offset);
  if (request.after && !core::ParseJson(pg::ToUtf8(*request.after), "after").IsObject()) {
    throw Error(sqlstate::kInvalidParameter, "argument \"after\" must be a JSON object");
  }
  SetResult result(fcinfo);
  handle.peer().Fetch(request, [&](const std::string& row) {
    const Datum value = JsonbDatum(row);
    result.AddDatum(value);
    pfree(DatumGetPointer(value));
  });
  return result.Done();
}

}  // namespace pgsync::sql
