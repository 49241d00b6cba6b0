// Session codes, connection tickets, and tokens of permanent connections.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pgsync::core {

inline constexpr size_t kCodeLength = 8;
/// No 0, 1, I, L or O: a code is read out over the telephone (PhoenixKit's alphabet).
inline constexpr std::string_view kCodeAlphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";

/// Fills a buffer with unpredictable bytes.
using RandomSource = std::function<void(char* to, size_t size)>;

/// A new session code, each character uniformly distributed.
std::string NewCode(const RandomSource& random);

/// What a person typed as a code: spaces around it dropped, letters in upper case. nullopt unless
/// eight characters of the alphabet remain.
std::optional<std::string> NormalizeCode(std::string_view typed);

/// A new ticket: 256 random bits in lower-case hexadecimal.
std::string NewTicket(const RandomSource& random);

inline constexpr size_t kTicketHashSize = 32;
/// SHA-256 of a ticket: what the server keeps. 32 bytes.
std::string HashTicket(std::string_view ticket);

inline constexpr size_t kTokenLength = 43;
/// A new token: 256 random bits in URL-safe base64 without padding (PhoenixKit's form).
std::string NewToken(const RandomSource& random);
/// SHA-256 of a token in lower-case hexadecimal: what the sender keeps, and PhoenixKit's API takes
/// for the token itself.
std::string HashToken(std::string_view token);

}  // namespace pgsync::core
