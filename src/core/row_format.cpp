#include "core/row_format.h"

namespace pgsync::core {

std::string RowHeader::ToJson() const {
  JsonWriter json;
  json.BeginObject().Field("encoding", encoding).Key("columns").BeginArray();
  for (const WireColumn& column : columns) {
    json.BeginObject().Field("name", column.name).Field("binary", column.binary);
    json.Field("width", column.width).EndObject();
  }
  json.EndArray().EndObject();
  return json.Take();
}

RowHeader RowHeader::FromJson(const JsonObject& json) {
  RowHeader header;
  header.encoding = json.String("encoding");
  for (const JsonObject& object : json.Objects("columns")) {
    WireColumn column;
    column.name = object.String("name");
    column.binary = object.Bool("binary");
    column.width = object.Int32Or("width", -1);
    header.columns.push_back(std::move(column));
  }
  return header;
}

}  // namespace pgsync::core
