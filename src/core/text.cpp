#include "core/text.h"

#include <openssl/crypto.h>

namespace pgsync::core {

std::string ToHex(std::string_view bytes) {
  static const char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::string Excerpt(std::string_view text, size_t limit) {
  size_t end = text.size();
  const bool cut = end > limit;
  if (cut) {
    end = limit;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
      end--;
  }
  std::string out(text.substr(0, end));
  for (size_t i = 0; i < out.size(); i++) {
    const auto byte = static_cast<unsigned char>(out[i]);
    if (byte < 0x20 || byte == 0x7f) {
      out[i] = '?';
    } else if (byte == 0xC2 && i + 1 < out.size() &&
               static_cast<unsigned char>(out[i + 1]) < 0xA0) {
      out.replace(i, 2, "?");  // U+0080 to U+009F, which terminals obey too
    }
  }
  if (cut) out.append("...");
  return out;
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace pgsync::core
