#include "engine/strategy.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace pgsync::engine {

namespace {
const std::vector<std::string> kStrategies = {"skip", "overwrite", "merge", "append", "mirror"};
}

void RequireVerifiable(Strategy strategy) {
  if (strategy == Strategy::kOverwrite || strategy == Strategy::kMirror) return;
  throw core::Error(
      core::sqlstate::kInvalidParameter,
      core::Cat("a transfer with strategy \"", StrategyName(strategy), "\" cannot be verified"))
      .WithDetail("It may leave rows that differ from the peer's.")
      .WithHint("Use strategy overwrite or mirror.");
}

void RequireWord(const std::string& what, const std::string& word,
                 const std::vector<std::string>& words) {
  if (std::find(words.begin(), words.end(), word) != words.end()) return;
  throw core::Error(core::sqlstate::kInvalidParameter,
                    core::Cat("invalid ", what, " \"", core::Excerpt(word, 100), "\""))
      .WithHint(core::Cat("Available values: ", core::Join(words, ", "), "."));
}

void RequireNotNegative(const char* argument, const std::optional<int64_t>& number) {
  if (!number || *number >= 0) return;
  throw core::Error(core::sqlstate::kInvalidParameter,
                    core::Cat("argument \"", argument, "\" must not be negative"));
}

Strategy ParseStrategy(const std::string& word) {
  RequireWord("strategy", word, kStrategies);
  const auto found = std::find(kStrategies.begin(), kStrategies.end(), word);
  return static_cast<Strategy>(found - kStrategies.begin());
}

const char* StrategyName(Strategy strategy) {
  return kStrategies[static_cast<size_t>(strategy)].c_str();
}

}  // namespace pgsync::engine
