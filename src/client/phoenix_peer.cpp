#include "client/phoenix_peer.h"

#include "catalog/names.h"
#include "core/phoenix_tables.h"
#include "core/text.h"
#include "pg/encoding.h"

namespace pgsync::client {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {
constexpr char kOnlySchema[] = "public";
}

std::unique_ptr<PushChannel> PhoenixPeer::Push(const core::PushRequest&) {
  throw Error(sqlstate::kFeatureNotSupported, "a PhoenixKit site takes no rows")
      .WithDetail("In its protocol rows go only from the site to whoever connects to it.");
}

std::string PhoenixPeer::NameThere(const std::string& table) {
  const catalog::TableName name = catalog::ParseTableName(table);
  if (name.schema != kOnlySchema) {
    throw Error(sqlstate::kUndefinedTable,
                Cat("table \"", name.ForMessage(), "\" is not to be had from this peer"))
        .WithDetail("A PhoenixKit site hands out tables of schema public only.");
  }
  return pg::ToUtf8(name.name);
}

core::TableInfo PhoenixPeer::InThisEncoding(core::TableInfo info) {
  info.name = pg::FromUtf8(info.name);
  for (core::ColumnInfo& column : info.columns) {
    column.name = pg::FromUtf8(column.name);
    column.type = pg::FromUtf8(column.type);
    if (column.default_expression)
      column.default_expression = pg::FromUtf8(*column.default_expression);
  }
  for (std::string& column : info.primary_key)
    column = pg::FromUtf8(column);
  return info;
}

core::TableListEntry PhoenixPeer::InThisEncoding(core::TableListEntry entry) {
  entry.name = pg::FromUtf8(entry.name);
  for (std::string& table : entry.depends_on)
    table = pg::FromUtf8(table);
  return entry;
}

std::vector<core::OpenedTable> PhoenixPeer::Open(const std::vector<std::string>& tables) {
  keys_.clear();
  std::vector<core::OpenedTable> opened;
  for (const std::string& table : tables) {
    pg::CheckInterrupts();
    opened.push_back(OpenTable(table));
    keys_[table] = opened.back().info.primary_key;
  }
  return opened;
}

core::OpenedTable PhoenixPeer::OpenUndescribed(const std::string& table) {
  core::OpenedTable opened;
  opened.info.schema = kOnlySchema;
  opened.info.name = catalog::ParseTableName(table).name;
  const auto pages = Pages(table, 0, 1);
  pages->Begin();
  RecordPage page;
  if (pages->Next(&page) && !page.records->Empty()) {
    for (const auto& member : (*page.records)[0].GetObject()) {
      opened.info.columns.emplace_back();
      opened.info.columns.back().name =
          pg::FromUtf8(std::string(member.name.GetString(), member.name.GetStringLength()));
    }
  }
  opened.described = !opened.info.columns.empty();
  return opened;
}

std::unique_ptr<engine::RowFeed> PhoenixPeer::Rows(const core::RowsRequest& request,
                                                   const catalog::Table* target) {
  std::vector<std::string> key;
  if (const auto known = keys_.find(request.table); known != keys_.end()) key = known->second;
  if (key.empty() && target != nullptr && target->primary_key) {
    for (size_t position : target->primary_key->columns)
      key.push_back(target->columns[position].name);
  }
  return std::make_unique<RecordFeed>(Pages(request.table, 0, -1), request, target, key);
}

void PhoenixPeer::Fetch(const FetchRequest& request,
                        const std::function<void(const std::string&)>& take) {
  if (request.after) {
    throw Error(sqlstate::kFeatureNotSupported, "a PhoenixKit site does not go on behind a key")
        .WithHint("Use row_offset.");
  }
  if (request.limit == 0) return;
  const auto pages = Pages(request.table, request.offset, request.limit);
  std::optional<core::TableInfo> info;
  pages->Begin();
  RecordPage page;
  while (pages->Next(&page)) {
    if (page.pg_text && !info) info = GetSchema(request.table);
    for (const core::JsonValue& record : page.records->GetArray()) {
      pg::CheckInterrupts();
      core::JsonWriter json;
      if (!page.pg_text) {
        json.Value(record);
      } else {
        json.BeginObject();
        for (const auto& member : record.GetObject()) {
          const std::string name(member.name.GetString(), member.name.GetStringLength());
          json.Key(name);
          const core::ColumnInfo* column = info->FindColumn(pg::FromUtf8(name));
          const auto text = core::ReadPgTextValue(member.value);
          if (text) {
            core::WriteValueOfText(json, *text, column != nullptr ? column->type : "");
          } else {
            json.Null();
          }
        }
        json.EndObject();
      }
      take(pg::FromUtf8(json.Take()));
    }
  }
}

}  // namespace pgsync::client
