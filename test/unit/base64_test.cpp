#include "core/base64.h"

#include <gtest/gtest.h>

#include "bytes.h"

namespace pgsync::core {
namespace {

TEST(Base64Test, ReadsWhatItWrites) {
  for (const std::string& bytes : {std::string(), std::string("f"), std::string("fo"),
                                   std::string("foo"), std::string("\0\xff", 2)}) {
    EXPECT_EQ(DecodeBase64(EncodeBase64(bytes)), bytes);
  }
  EXPECT_EQ(EncodeBase64("foob"), "Zm9vYg==");
}

TEST(Base64Test, RefusesAnythingElse) {
  for (const char* text : {"Zg", "Zg=", "Zh==", "Z===", "====", "Zm9v\n", "Zm9v ", "Zm=v", "Zm-v",
                           "Zm9vZg", " Zg=", "Zg==Zg=="}) {
    EXPECT_EQ(DecodeBase64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace pgsync::core
