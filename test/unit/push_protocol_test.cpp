#include "core/push_protocol.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::ErrorOf;
using test::StateOf;

template <typename Message>
Message Read(const std::string& text) {
  const JsonDocument document = ParseJson(text, "message");
  return Message::FromJson(JsonObject(document, "message"));
}

TransferWords Words(const std::string& text) {
  const JsonDocument document = ParseJson(text, "options");
  return TransferWords::Read(JsonObject(document, "options"));
}

std::string Written(const TransferWords& words) {
  JsonWriter json;
  words.Write(json);
  return json.Take();
}

TEST(TransferWordsTest, EveryWordTravels) {
  TransferWords words;
  words.strategy = "mirror";
  words.strategies = {{"a.b", "merge"}, {"c", "append"}};
  words.create_missing_tables = false;
  words.batch_size = 7;
  words.mode = "online";
  words.triggers = "skip";
  words.sequences = "leave";
  words.dry_run = true;
  words.max_errors = 5;
  words.max_deletes = 6;
  words.verify = true;
  words.drop_extra_columns = true;
  words.max_rate = 8;
  words.match = "unique";
  words.retries = 9;
  const TransferWords read = Words(Written(words));
  EXPECT_EQ(Written(read), Written(words));
  EXPECT_EQ(read.strategies, words.strategies);
  EXPECT_NE(Written(read), Written(TransferWords()));
}

TEST(TransferWordsTest, DefaultsAndNulls) {
  EXPECT_EQ(Written(Words("{}")), Written(TransferWords()));
  EXPECT_EQ(Words("{}").max_errors, 0);
  EXPECT_EQ(Words("{\"max_errors\":null}").max_errors, std::nullopt);
  TransferWords any_number;
  any_number.max_errors = std::nullopt;
  EXPECT_EQ(Words(Written(any_number)).max_errors, std::nullopt);
}

// A peer of 1.0 refuses what it does not know.
TEST(TransferWordsTest, NewWordsTravelWhereTheyAreSaid) {
  EXPECT_EQ(Written(TransferWords()).find("retries"), std::string::npos);
  EXPECT_EQ(Written(TransferWords()).find("match"), std::string::npos);
  EXPECT_EQ(Words("{}").match, "key");
  EXPECT_EQ(Words("{\"match\":\"unique\"}").match, "unique");
  EXPECT_EQ(Words("{}").retries, 0);
  EXPECT_EQ(Words("{\"retries\":2}").retries, 2);
}

TEST(TransferWordsTest, RefusesWhatIsNotKnown) {
  EXPECT_EQ(StateOf([] { Words("{\"shrink\":true}"); }), "0A000");
  EXPECT_EQ(StateOf([] { Words("{\"strategy\":5}"); }), "08P01");
  EXPECT_EQ(StateOf([] { Words("{\"strategies\":{\"a\":1}}"); }), "08P01");
  EXPECT_EQ(StateOf([] { Words("{\"strategies\":[]}"); }), "08P01");
  EXPECT_EQ(StateOf([] { Words("{\"dry_run\":\"yes\"}"); }), "08P01");
}

TEST(PushRequestTest, SurvivesARoundTrip) {
  PushRequest request;
  request.options.strategy = "merge";
  request.tables.resize(2);
  request.tables[0].name = "public.a";
  request.tables[0].target = "b.c";
  request.tables[0].opened.info.schema = "public";
  request.tables[0].opened.info.name = "a";
  request.tables[0].opened.info.columns.resize(1);
  request.tables[0].opened.info.columns[0].name = "id";
  request.tables[0].opened.info.columns[0].type = "integer";
  request.tables[0].opened.row_estimate = 17;
  request.tables[0].opened.complete = false;
  request.tables[1] = request.tables[0];
  request.tables[1].name = "z";
  const PushRequest read = Read<PushRequest>(request.ToJson());
  EXPECT_EQ(read.ToJson(), request.ToJson());
  EXPECT_EQ(read.tables.at(0).target, "b.c");
  EXPECT_EQ(read.tables.at(0).opened.row_estimate, 17);
  EXPECT_FALSE(read.tables.at(1).opened.complete);
  EXPECT_EQ(StateOf([] { Read<PushRequest>("{}"); }), "08P01");
  EXPECT_EQ(
      StateOf([] { Read<PushRequest>("{\"options\":{\"match\":\"unique\"},\"tables\":[]}"); }),
      "0A000");
  EXPECT_EQ(StateOf([] { Read<PushRequest>("{\"options\":{},\"tables\":[{\"name\":\"a\"}]}"); }),
            "08P01");
}

TEST(PushStepTest, AsksForRowsOrTellsTheOutcome) {
  PushStep step;
  step.rows.emplace();
  step.rows->table = "public.a";
  step.rows->columns = {{"id", true}, {"v", false}};
  step.rows->encoding = "UTF8";
  const PushStep rows = Read<PushStep>(step.ToJson());
  ASSERT_TRUE(rows.rows);
  EXPECT_EQ(rows.rows->columns.at(0).name, "id");
  EXPECT_TRUE(rows.rows->columns.at(0).binary);
  step.rows.reset();
  step.outcomes.push_back({"public.a", 1, 2, 3, 4, "[{\"position\":1}]", 5, 6, 7});
  const PushStep outcome = Read<PushStep>(step.ToJson());
  EXPECT_FALSE(outcome.rows);
  EXPECT_EQ(outcome.ToJson(), step.ToJson());
  EXPECT_EQ(outcome.outcomes.at(0).errors, "[{\"position\":1}]");
}

TEST(PushStepTest, RefusesWhatIsNeither) {
  for (const char* text :
       {"{}", "{\"rows\":5}", "{\"outcomes\":{}}", "{\"outcomes\":[{}]}", "{\"rows\":{}}",
        "{\"outcomes\":[{\"name\":\"a\",\"created\":1,\"updated\":1,\"skipped\":1,\"deleted\":1,"
        "\"errors\":{},\"error_count\":0}]}"}) {
    EXPECT_EQ(StateOf([&] { Read<PushStep>(text); }), "08P01") << text;
  }
}

}  // namespace
}  // namespace pgsync::core
