#include "core/code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "core/text.h"

#include "bytes.h"

namespace pgsync::core {
namespace {

using test::Bytes;

// Hands out the bytes of a pattern again and again.
RandomSource Repeating(std::string pattern) {
  return [pattern, at = size_t{0}](char* to, size_t size) mutable {
    for (size_t i = 0; i < size; i++)
      to[i] = pattern[at++ % pattern.size()];
  };
}

std::string EveryByte() {
  std::string bytes;
  for (int i = 0; i < 256; i++)
    bytes.push_back(static_cast<char>(i));
  return bytes;
}

TEST(CodeTest, AlphabetHasNoLookalikes) {
  EXPECT_EQ(kCodeAlphabet.size(), 31u);
  for (char c : std::string("01ILOilo")) {
    EXPECT_EQ(kCodeAlphabet.find(c), std::string_view::npos) << c;
  }
  const std::set<char> different(kCodeAlphabet.begin(), kCodeAlphabet.end());
  EXPECT_EQ(different.size(), kCodeAlphabet.size());
  for (char c : kCodeAlphabet)
    EXPECT_TRUE(isdigit(c) || isupper(c)) << c;
}

TEST(CodeTest, NewCodeIsEightCharactersOfTheAlphabet) {
  const std::string code = NewCode(Repeating(EveryByte()));
  EXPECT_EQ(code, std::string(kCodeAlphabet.substr(0, 8)));
}

TEST(CodeTest, NewCodeRejectsBytesThatWouldFavourSomeCharacters) {
  // 248 = 8 * 31: 248 to 255 would make the first eight characters more likely.
  for (int byte = 0; byte < 256; byte++) {
    const std::string code = NewCode(Repeating(std::string{static_cast<char>(byte), '\x1e'}));
    if (byte < 248) {
      EXPECT_EQ(code[0], kCodeAlphabet[byte % 31]) << byte;
    } else {
      EXPECT_EQ(code, std::string(8, kCodeAlphabet[30])) << byte;
    }
  }
}

TEST(CodeTest, NewCodeAsksAgainWhereAllBytesWereRejected) {
  int calls = 0;
  const std::string code = NewCode([&calls](char* to, size_t size) {
    std::fill(to, to + size, calls < 3 ? '\xff' : '\0');
    calls++;
  });
  EXPECT_EQ(code, "22222222");
  EXPECT_EQ(calls, 4);
}

TEST(CodeTest, NewCodeIsUniformOverUniformBytes) {
  // Every byte value comes equally often, so every character must: 31 * 8 codes use up each of the
  // accepted bytes whole rounds. Bytes left over by one code are not used for the next, so the
  // source hands out one accepted byte at a time, with rejected ones between.
  std::map<char, int> counts;
  int next = 0;
  const auto source = [&next](char* to, size_t size) {
    for (size_t i = 0; i < size; i++) {
      if (i % 2 == 0) {
        to[i] = static_cast<char>(next++ % 248);
      } else {
        to[i] = static_cast<char>(248 + i / 2 % 8);
      }
    }
  };
  for (int i = 0; i < 31; i++) {
    for (char c : NewCode(source))
      counts[c]++;
  }
  EXPECT_EQ(counts.size(), 31u);
  for (const auto& [c, count] : counts)
    EXPECT_EQ(count, 8) << c;
}

TEST(CodeTest, NewCodeLetsTheSourceFail) {
  EXPECT_THROW(NewCode([](char*, size_t) { throw std::string("no entropy"); }), std::string);
}

TEST(CodeTest, NormalizeFoldsLowerCaseAndDropsSpacesAround) {
  EXPECT_EQ(NormalizeCode("ABCD2345"), "ABCD2345");
  EXPECT_EQ(NormalizeCode("abcd2345"), "ABCD2345");
  EXPECT_EQ(NormalizeCode("  aBcD2345   "), "ABCD2345");
  EXPECT_EQ(NormalizeCode("zyxwvutz"), "ZYXWVUTZ");
}

TEST(CodeTest, NormalizeTakesEveryNewCode) {
  for (int first = 0; first < 31; first++) {
    const std::string code = NewCode(Repeating(std::string(1, static_cast<char>(first))));
    EXPECT_EQ(NormalizeCode(code), code);
  }
}

TEST(CodeTest, NormalizeRefusesWrongLengths) {
  for (const std::string& typed :
       {std::string(), std::string("        "), std::string("ABCD234"), std::string("ABCD23456"),
        std::string("ABCD 2345"), std::string("ABCD-2345"), std::string("ABC 2345"),
        std::string(1000000, 'A')}) {
    EXPECT_FALSE(NormalizeCode(typed).has_value()) << typed.substr(0, 20);
  }
}

TEST(CodeTest, NormalizeTakesAByteExactlyIfItIsInTheAlphabetInEitherCase) {
  for (int byte = 0; byte < 256; byte++) {
    const char c = static_cast<char>(byte);
    std::string both(kCodeAlphabet);
    for (char letter : kCodeAlphabet)
      both.push_back(static_cast<char>(tolower(letter)));
    const bool good = both.find(c) != std::string::npos;
    const std::string typed = std::string("ABCD") + c + "345";
    EXPECT_EQ(NormalizeCode(typed).has_value(), good) << byte;
  }
}

TEST(CodeTest, NormalizeRefusesOtherSpacesThanBlanks) {
  EXPECT_FALSE(NormalizeCode("\tABCD2345").has_value());
  EXPECT_FALSE(NormalizeCode("ABCD2345\n").has_value());
  EXPECT_FALSE(NormalizeCode("\xc2\xa0"
                             "ABCD2345")
                   .has_value());
}

TEST(CodeTest, NormalizeRefusesCharactersThatOnlyLookRight) {
  // Full-width A, of three bytes, and Cyrillic A, of two: eight bytes each in all.
  EXPECT_FALSE(NormalizeCode("\xef\xbc\xa1"
                             "BCD23")
                   .has_value());
  EXPECT_FALSE(NormalizeCode("\xd0\x90"
                             "BCD234")
                   .has_value());
}

TEST(TicketTest, NewTicketIs256BitsInHexadecimal) {
  size_t asked = 0;
  const std::string ticket = NewTicket([&asked](char* to, size_t size) {
    for (size_t i = 0; i < size; i++)
      to[i] = static_cast<char>(0xe0 + i);
    asked += size;
  });
  EXPECT_EQ(asked, 32u);
  EXPECT_EQ(ticket, "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
}

TEST(TicketTest, HashIsSha256) {
  // The vectors of FIPS 180-2.
  EXPECT_EQ(ToHex(HashTicket("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(ToHex(HashTicket("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(ToHex(HashTicket("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(TicketTest, HashIsOfTheExactBytes) {
  EXPECT_EQ(HashTicket("t").size(), kTicketHashSize);
  EXPECT_NE(HashTicket("ticket"), HashTicket("TICKET"));
  EXPECT_NE(HashTicket(Bytes("a\0b")), HashTicket("a"));
}

TEST(TokenTest, NewTokenIs256BitsInUrlSafeBase64) {
  EXPECT_EQ(NewToken(Repeating(std::string(1, '\0'))), std::string(43, 'A'));
  // Standard base64 would have plus signs and slashes here.
  EXPECT_EQ(NewToken(Repeating("\xfb\xff\xbf")),
            std::string("-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_8"));
  EXPECT_EQ(NewToken(Repeating(EveryByte())).size(), kTokenLength);
}

TEST(TokenTest, HashIsPhoenixKits) {
  EXPECT_EQ(HashToken("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace pgsync::core
