#include "core/seen_keys.h"

#include <gtest/gtest.h>

namespace pgsync::core {
namespace {

TEST(SeenKeysTest, KnowsTheLastKeys) {
  SeenKeys keys(3);
  for (const char* key : {"a", "b", "c"})
    EXPECT_TRUE(keys.Add(key));
  for (const char* key : {"a", "b", "c"})
    EXPECT_FALSE(keys.Add(key));
  EXPECT_TRUE(keys.Add("d"));
  EXPECT_TRUE(keys.Add("a")) << "forgotten";
  EXPECT_FALSE(keys.Add("c"));
  EXPECT_FALSE(keys.Add("d"));
  keys.Clear();
  EXPECT_TRUE(keys.Add("d"));
  EXPECT_TRUE(keys.Add(""));
  EXPECT_FALSE(keys.Add(""));
}

TEST(SeenKeysTest, HundredsOfThousandsOfKeysAreOneByOne) {
  SeenKeys keys;
  for (int i = 0; i < 300000; i++)
    ASSERT_TRUE(keys.Add(std::to_string(i)));
  EXPECT_FALSE(keys.Add("299999"));
  EXPECT_FALSE(keys.Add("200000"));
  EXPECT_TRUE(keys.Add("0"));
}

}  // namespace
}  // namespace pgsync::core
