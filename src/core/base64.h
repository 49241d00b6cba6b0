// Standard base64, padded (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgsync::core {

std::string EncodeBase64(std::string_view bytes);
/// nullopt for what EncodeBase64() would not have written.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace pgsync::core
