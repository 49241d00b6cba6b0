#include "core/elixir_term.h"

#include <gtest/gtest.h>

namespace pgsync::core {
namespace {

using Kind = ElixirTerm::Kind;

TEST(ElixirTermTest, ReadsStructsAndWhatTheyHold) {
  const auto term = ParseElixirTerm(
      "%Postgrex.INET{address: {10, -1}, netmask: nil, more: [:a, \"x\\\"y\", ~D[2025-01-02]]}");
  ASSERT_TRUE(term);
  EXPECT_TRUE(term->IsStruct("Postgrex.INET"));
  ASSERT_EQ(term->items.size(), 3u);
  EXPECT_EQ(term->Find("address")->kind, Kind::kTuple);
  EXPECT_EQ(term->Find("address")->items[1].text, "-1");
  EXPECT_TRUE(term->Find("netmask")->IsAtom("nil"));
  const auto& list = term->Find("more")->items;
  EXPECT_TRUE(list[0].IsAtom("a"));
  EXPECT_EQ(list[1].text, "x\"y");
  EXPECT_EQ(list[2].text, "2025-01-02");
  EXPECT_EQ(term->Find("nothing"), nullptr);
}

TEST(ElixirTermTest, ReadsDecimalNumbersInBothForms) {
  EXPECT_EQ(ParseElixirTerm("Decimal.new(\"1.50\")")->text, "1.50");
  EXPECT_EQ(ParseElixirTerm("#Decimal<1.50>")->text, "1.50");
  EXPECT_EQ(ParseElixirTerm("1.0e-5")->kind, Kind::kNumber);
}

TEST(ElixirTermTest, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "%",
                           "%A",
                           "%A{",
                           "%A{b}",
                           "%A{b: }",
                           "%A{b: 1",
                           "{1",
                           "{1,2}",
                           "[1, ]",
                           "\"x",
                           "\"\\q\"",
                           "~D[",
                           "~D",
                           "Decimal.new(\"1\"",
                           "#Decimal<1",
                           "1 ",
                           ":",
                           "{{{{{{{{{{1}}}}}}}}}}",
                           "#PID<0.1>"}) {
    EXPECT_FALSE(ParseElixirTerm(text)) << text;
  }
}

}  // namespace
}  // namespace pgsync::core
