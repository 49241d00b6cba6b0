#include "core/code.h"

#include <openssl/evp.h>

#include <algorithm>

#include "core/ascii.h"
#include "core/error.h"
#include "core/text.h"

namespace pgsync::core {

std::string NewCode(const RandomSource& random) {
  // Bytes at or above the largest multiple of the alphabet's size would favour its beginning.
  constexpr unsigned kFair = 256 - 256 % kCodeAlphabet.size();
  std::string code;
  while (code.size() < kCodeLength) {
    unsigned char bytes[16];
    random(reinterpret_cast<char*>(bytes), sizeof(bytes));
    for (unsigned char byte : bytes) {
      if (byte < kFair && code.size() < kCodeLength) {
        code.push_back(kCodeAlphabet[byte % kCodeAlphabet.size()]);
      }
    }
  }
  return code;
}

std::optional<std::string> NormalizeCode(std::string_view typed) {
  while (!typed.empty() && typed.front() == ' ')
    typed.remove_prefix(1);
  while (!typed.empty() && typed.back() == ' ')
    typed.remove_suffix(1);
  if (typed.size() != kCodeLength) return std::nullopt;
  std::string code;
  for (char c : typed) {
    const char upper = AsciiUpper(c);
    if (kCodeAlphabet.find(upper) == std::string_view::npos) return std::nullopt;
    code.push_back(upper);
  }
  return code;
}

std::string NewTicket(const RandomSource& random) {
  char bytes[32];
  random(bytes, sizeof(bytes));
  return ToHex(std::string_view(bytes, sizeof(bytes)));
}

std::string NewToken(const RandomSource& random) {
  unsigned char bytes[32];
  random(reinterpret_cast<char*>(bytes), sizeof(bytes));
  unsigned char text[4 * ((sizeof(bytes) + 2) / 3) + 1];
  EVP_EncodeBlock(text, bytes, sizeof(bytes));
  std::string token(reinterpret_cast<char*>(text), kTokenLength);  // without the padding
  std::replace(token.begin(), token.end(), '+', '-');
  std::replace(token.begin(), token.end(), '/', '_');
  return token;
}

std::string HashToken(std::string_view token) {
  return ToHex(HashTicket(token));
}

std::string HashTicket(std::string_view ticket) {
  unsigned char digest[kTicketHashSize];
  unsigned int size = 0;
  if (EVP_Digest(ticket.data(), ticket.size(), digest, &size, EVP_sha256(), nullptr) != 1 ||
      size != sizeof(digest)) {
    throw Error(sqlstate::kInternal, "could not compute a SHA-256 digest");
  }
  return std::string(reinterpret_cast<const char*>(digest), sizeof(digest));
}

}  // namespace pgsync::core
