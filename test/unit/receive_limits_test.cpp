#include "core/receive_limits.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::Contains;
using test::ErrorOf;
using test::StateOf;

static_assert(std::is_trivially_copyable_v<ReceiveLimits>);

// The limits that session options make; every key must be one.
ReceiveLimits Limits(const std::string& text) {
  const JsonDocument document = ParseJson(text, "options");
  ReceiveLimits limits = ReceiveLimits::Default();
  for (const auto& member : document.GetObject()) {
    EXPECT_TRUE(limits.Set(member.name.GetString(), member.value)) << text;
  }
  return limits;
}

TEST(ReceiveLimitsTest, ByDefaultRowsAreOnlyAdded) {
  const ReceiveLimits limits = ReceiveLimits::Default();
  limits.RequireStrategy("skip");
  limits.RequireStrategy("append");
  for (const char* strategy : {"overwrite", "merge", "mirror", "", "SKIP", "nonsense"}) {
    EXPECT_EQ(StateOf([&] { limits.RequireStrategy(strategy); }), "42501") << strategy;
  }
  limits.RequireWords({});
  limits.RequireRows(UINT64_MAX);
  EXPECT_FALSE(limits.Narrowed({}).create_missing_tables);
}

TEST(ReceiveLimitsTest, Strategies) {
  const ReceiveLimits limits = Limits("{\"strategies\":[\"mirror\",\"merge\",\"merge\"]}");
  limits.RequireStrategy("mirror");
  limits.RequireStrategy("merge");
  const Error error = ErrorOf([&] { limits.RequireStrategy("skip"); });
  EXPECT_EQ(error.state(), sqlstate::kInsufficientPrivilege);
  EXPECT_TRUE(Contains(error.hint(), "[\"merge\", \"mirror\"]")) << error.hint();
}

TEST(ReceiveLimitsTest, Triggers) {
  TransferWords words;
  words.triggers = "skip";
  EXPECT_EQ(StateOf([&] { Limits("{\"triggers\":\"fire\"}").RequireWords(words); }), "42501");
  Limits("{\"triggers\":\"skip\"}").RequireWords(words);
}

TEST(ReceiveLimitsTest, Deletes) {
  TransferWords words;
  words.max_deletes = 6;
  EXPECT_EQ(StateOf([&] { Limits("{}").RequireWords(words); }), "42501");
  EXPECT_EQ(StateOf([&] { Limits("{\"max_deletes\":5}").RequireWords(words); }), "42501");
  Limits("{\"max_deletes\":6}").RequireWords(words);
  Limits("{\"max_deletes\":null}").RequireWords(words);
}

TEST(ReceiveLimitsTest, WhatDeletesKeepsToTheLimitUntold) {
  TransferWords words;
  EXPECT_EQ(Limits("{\"max_deletes\":5}").Narrowed(words).max_deletes, std::nullopt);
  words.strategies["t"] = "mirror";
  EXPECT_EQ(Limits("{\"max_deletes\":5}").Narrowed(words).max_deletes, 5);
  EXPECT_EQ(Limits("{}").Narrowed(words).max_deletes, 0);
  EXPECT_EQ(Limits("{\"max_deletes\":null}").Narrowed(words).max_deletes, std::nullopt);
  words.max_deletes = 3;
  EXPECT_EQ(Limits("{\"max_deletes\":5}").Narrowed(words).max_deletes, 3);
}

TEST(ReceiveLimitsTest, CreatingNeedsBothToWantIt) {
  TransferWords words;
  EXPECT_TRUE(Limits("{\"create_tables\":true}").Narrowed(words).create_missing_tables);
  words.create_missing_tables = false;
  EXPECT_FALSE(Limits("{\"create_tables\":true}").Narrowed(words).create_missing_tables);
}

TEST(ReceiveLimitsTest, Rows) {
  Limits("{\"max_rows\":3}").RequireRows(3);
  EXPECT_EQ(StateOf([] { Limits("{\"max_rows\":3}").RequireRows(4); }), "53400");
  EXPECT_EQ(StateOf([] { Limits("{\"max_rows\":0}").RequireRows(1); }), "53400");
  Limits("{\"max_rows\":null}").RequireRows(4);
}

TEST(ReceiveLimitsTest, ValuesThatCannotBe) {
  for (const char* text :
       {"{\"strategies\":[]}", "{\"strategies\":\"skip\"}", "{\"strategies\":[\"nonsense\"]}",
        "{\"strategies\":[1]}", "{\"strategies\":null}", "{\"create_tables\":1}",
        "{\"create_tables\":null}", "{\"max_deletes\":-1}", "{\"max_deletes\":\"5\"}",
        "{\"max_deletes\":1.5}", "{\"max_rows\":-1}", "{\"max_rows\":1e30}", "{\"max_rows\":[]}",
        "{\"triggers\":\"never\"}", "{\"triggers\":null}", "{\"triggers\":true}"}) {
    EXPECT_EQ(StateOf([&] { Limits(text); }), "22023") << text;
  }
}

TEST(ReceiveLimitsTest, OtherOptionsAreNone) {
  ReceiveLimits limits = ReceiveLimits::Default();
  EXPECT_FALSE(limits.Set("owner_pid", JsonValue(5)));
  EXPECT_FALSE(limits.Set("", JsonValue(5)));
}

}  // namespace
}  // namespace pgsync::core
