// What becomes of an incoming row whose key exists already.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgsync::engine {

enum class Strategy {
  kSkip,       ///< the local row stays
  kOverwrite,  ///< the incoming row replaces it
  kMerge,      ///< incoming values replace where they are not null
  kAppend,     ///< the incoming key is dropped, the row inserted as a new one
  kMirror,     ///< as overwrite; local rows that the peer lacks are deleted
};

/// Raises 22023 whose HINT lists the strategies.
Strategy ParseStrategy(const std::string& word);
const char* StrategyName(Strategy strategy);

/// Raises 22023 for a strategy after which rows may differ from the peer's.
void RequireVerifiable(Strategy strategy);

/// Raises 22023 for a word that is none of `words`, which the HINT lists.
void RequireWord(const std::string& what, const std::string& word,
                 const std::vector<std::string>& words);

/// Raises 22023 where the number is given and below zero.
void RequireNotNegative(const char* argument, const std::optional<int64_t>& number);

}  // namespace pgsync::engine
