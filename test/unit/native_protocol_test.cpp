#include "core/native_protocol.h"

#include <gtest/gtest.h>

#include <utility>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::ErrorOf;
using test::StateOf;

// What Message::FromJson makes of a text.
template <typename Message>
Message Read(const std::string& text) {
  const JsonDocument document = ParseJson(text, "message");
  return Message::FromJson(JsonObject(document, "message"));
}

TEST(ServerInfoTest, SurvivesARoundTrip) {
  ServerInfo info;
  info.versions = {1, 2, 9};
  info.software = "1.2.3";
  const ServerInfo read = Read<ServerInfo>(info.ToJson());
  EXPECT_EQ(read.versions, (std::vector<int64_t>{1, 2, 9}));
  EXPECT_EQ(read.software, "1.2.3");
}

TEST(ServerInfoTest, TellsTheVersionOfTheProtocol) {
  EXPECT_EQ(Read<ServerInfo>(ServerInfo().ToJson()).versions, std::vector<int64_t>{kNativeVersion});
}

TEST(ServerInfoTest, RefusesWhatIsNoSyncServer) {
  for (const char* text : {"{}", "{\"protocol\":\"http\"}", "{\"protocol\":null,\"versions\":[1]}",
                           "{\"protocol\":[]}", "{\"protocol\":\"SYNC\"}"}) {
    EXPECT_EQ(StateOf([&] { Read<ServerInfo>(text); }), "08P01") << text;
  }
  EXPECT_EQ(ErrorOf([] { Read<ServerInfo>("{}"); }).message(), "the peer is no sync server");
}

TEST(ServerInfoTest, VersionsThatAreNoneAreLeftOut) {
  EXPECT_EQ(Read<ServerInfo>("{\"protocol\":\"sync\",\"versions\":[\"1\",2,null,1e3,3]}").versions,
            (std::vector<int64_t>{2, 3}));
  for (const char* text : {"{\"protocol\":\"sync\"}", "{\"protocol\":\"sync\",\"versions\":1}",
                           "{\"protocol\":\"sync\",\"versions\":null}"}) {
    EXPECT_TRUE(Read<ServerInfo>(text).versions.empty()) << text;
  }
}

TEST(ConnectReplyTest, SurvivesARoundTrip) {
  ConnectReply reply;
  reply.ticket = "abc";
  reply.direction = "send";
  reply.software = "1.0";
  reply.server_version = 170002;
  reply.encoding = "UTF8";
  const ConnectReply read = Read<ConnectReply>(reply.ToJson());
  EXPECT_EQ(read.ticket, "abc");
  EXPECT_EQ(read.direction, "send");
  EXPECT_EQ(read.software, "1.0");
  EXPECT_EQ(read.server_version, 170002);
  EXPECT_EQ(read.encoding, "UTF8");
}

TEST(ConnectReplyTest, NeedsTicketAndDirectionOnly) {
  const ConnectReply reply = Read<ConnectReply>("{\"ticket\":\"t\",\"direction\":\"send\"}");
  EXPECT_EQ(reply.software, "");
  EXPECT_EQ(reply.server_version, 0);
  for (const char* text :
       {"{\"ticket\":\"t\"}", "{\"direction\":\"send\"}", "{\"ticket\":1,\"direction\":\"send\"}",
        "{\"ticket\":\"t\",\"direction\":\"send\",\"server_version\":\"17\"}"}) {
    EXPECT_EQ(StateOf([&] { Read<ConnectReply>(text); }), "08P01") << text;
  }
}

TEST(ConnectReplyTest, RefusesAServerVersionThatIsNoInt) {
  // 2^32 + 170002 must not be taken for 170002.
  EXPECT_EQ(StateOf([] {
              Read<ConnectReply>(
                  "{\"ticket\":\"t\",\"direction\":\"send\",\"server_version\":4295137298}");
            }),
            "08P01");
}

OpenedTable ReadOpened(const std::string& text) {
  const JsonDocument document = ParseJson(text, "message");
  return OpenedTable::Read(JsonObject(document, "message"));
}

TEST(OpenedTableTest, SurvivesARoundTrip) {
  OpenedTable table;
  table.info.name = "t";
  table.info.schema = "s";
  table.complete = false;
  table.has_children = true;
  table.row_estimate = 12;
  table.size_bytes = 8192;
  JsonWriter json;
  table.Write(json);
  const OpenedTable read = ReadOpened(json.Take());
  EXPECT_EQ(read.info.name, "t");
  EXPECT_EQ(read.info.schema, "s");
  EXPECT_FALSE(read.complete);
  EXPECT_TRUE(read.has_children);
  EXPECT_EQ(read.row_estimate, 12);
  EXPECT_EQ(read.size_bytes, 8192);
}

TEST(OpenedTableTest, IsNotCompleteUnlessThePeerSaysSo) {
  const OpenedTable table = ReadOpened("{\"definition\":{}}");
  EXPECT_FALSE(table.complete);
  EXPECT_FALSE(table.has_children);
  EXPECT_EQ(table.row_estimate, std::nullopt);
  EXPECT_EQ(table.size_bytes, 0);
  EXPECT_TRUE(ReadOpened("{\"definition\":{},\"complete\":true}").complete);
}

TEST(OpenedTableTest, RefusesMissingAndWrongKeys) {
  for (const char* text : {"{}", "{\"definition\":[]}", "{\"definition\":{},\"complete\":1}",
                           "{\"definition\":{},\"row_estimate\":1.5}"}) {
    EXPECT_EQ(StateOf([&] { ReadOpened(text); }), "08P01") << text;
  }
}

TEST(RowsRequestTest, SurvivesARoundTrip) {
  RowsRequest request;
  request.table = "s.t";
  request.columns = {{"a", true}, {"b\"", false}};
  request.encoding = "LATIN1";
  request.compress = true;
  request.limit = 100;
  request.offset = 7;
  request.after = "{\"id\":5}";
  const RowsRequest read = Read<RowsRequest>(request.ToJson());
  EXPECT_EQ(read.table, "s.t");
  ASSERT_EQ(read.columns.size(), 2u);
  EXPECT_EQ(read.columns[0].name, "a");
  EXPECT_TRUE(read.columns[0].binary);
  EXPECT_EQ(read.columns[1].name, "b\"");
  EXPECT_FALSE(read.columns[1].binary);
  EXPECT_EQ(read.encoding, "LATIN1");
  EXPECT_TRUE(read.compress);
  EXPECT_EQ(read.limit, 100);
  EXPECT_EQ(read.offset, 7);
  EXPECT_EQ(read.after, "{\"id\":5}");
}

TEST(RowsRequestTest, NeedsATableOnly) {
  const RowsRequest request = Read<RowsRequest>("{\"table\":\"t\"}");
  EXPECT_TRUE(request.columns.empty());
  EXPECT_EQ(request.encoding, "UTF8");
  EXPECT_FALSE(request.compress);
  EXPECT_EQ(request.limit, std::nullopt);
  EXPECT_EQ(request.offset, 0);
  EXPECT_EQ(request.after, std::nullopt);
}

TEST(RowsRequestTest, LimitZeroIsNotNoLimit) {
  RowsRequest request;
  request.table = "t";
  request.limit = 0;
  EXPECT_EQ(Read<RowsRequest>(request.ToJson()).limit, 0);
}

TEST(RowsRequestTest, RatesArePositive) {
  RowsRequest request;
  request.table = "t";
  EXPECT_FALSE(Read<RowsRequest>(request.ToJson()).max_rate.has_value());
  request.max_rate = 5;
  EXPECT_EQ(Read<RowsRequest>(request.ToJson()).max_rate, 5);
  for (const char* rate : {"0", "-1"}) {
    const std::string text = std::string("{\"table\":\"t\",\"max_rate\":") + rate + "}";
    EXPECT_EQ(StateOf([&] { Read<RowsRequest>(text); }), "22023") << rate;
  }
}

TEST(RowsRequestTest, RefusesMissingAndWrongKeys) {
  for (const char* text :
       {"{}", "{\"table\":1}", "{\"table\":\"t\",\"columns\":\"a\"}",
        "{\"table\":\"t\",\"columns\":[\"a\"]}",
        "{\"table\":\"t\",\"columns\":[{\"binary\":true}]}", "{\"table\":\"t\",\"limit\":\"5\"}",
        "{\"table\":\"t\",\"offset\":1.5}", "{\"table\":\"t\",\"offset\":9223372036854775808}",
        "{\"table\":\"t\",\"compress\":\"zstd\"}", "{\"table\":\"t\",\"after\":[1]}",
        "{\"table\":\"t\\u0000\"}"}) {
    EXPECT_EQ(StateOf([&] { Read<RowsRequest>(text); }), "08P01") << text;
  }
}

// A key of type numeric has more digits than a double: the page would begin at another row.
TEST(RowsRequestTest, NumbersInAfterKeepAllTheirDigits) {
  for (const char* after :
       {"{\"id\":9223372036854775807}", "{\"id\":123456789012345678901234567890}",
        "{\"id\":0.1234567890123456789}"}) {
    RowsRequest request;
    request.table = "t";
    request.after = after;
    EXPECT_EQ(Read<RowsRequest>(request.ToJson()).after, after);
  }
}

TEST(HttpStatusTest, FollowsTheSqlstate) {
  const std::pair<const char*, int> expected[] = {
      {"28000", 401}, {"28P01", 401}, {"42501", 403}, {"42P01", 404}, {"P0002", 404},
      {"54000", 413}, {"08P01", 400}, {"22023", 400}, {"22P02", 400}, {"42703", 400},
      {"42704", 400}, {"53300", 503}, {"53400", 503}, {"57014", 503}, {"57P03", 503},
      {"55000", 409}, {"55006", 409}, {"XX000", 500}, {"08006", 500}, {"40001", 500},
      {"28001", 500}, {"54001", 500}, {"23505", 500}};
  for (const auto& [state, status] : expected) {
    EXPECT_EQ(HttpStatusOf(SqlState::Parse(state)), status) << state;
  }
}

}  // namespace
}  // namespace pgsync::core
