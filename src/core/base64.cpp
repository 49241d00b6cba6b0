#include "core/base64.h"

#include <openssl/evp.h>

#include <climits>

#include "core/error.h"

namespace pgsync::core {

namespace {
const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}
}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  if (bytes.size() > INT_MAX / 2) {
    throw Error(sqlstate::kTooLarge, "value is too large for base64");
  }
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the terminator that is written
  const int size = EVP_EncodeBlock(Bytes(text), Bytes(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.empty()) return std::string();
  if (text.size() % 4 != 0 || text.size() > INT_MAX) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(Bytes(bytes), Bytes(text), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=')
    padding++;
  if (static_cast<size_t>(size) < padding) return std::nullopt;
  bytes.resize(static_cast<size_t>(size) - padding);
  // OpenSSL lets white space and stray bits pass.
  if (EncodeBase64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace pgsync::core
