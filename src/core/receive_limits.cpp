#include "core/receive_limits.h"

#include <algorithm>
#include <vector>

#include "core/text.h"

namespace pgsync::core {

namespace {

// In the order of their bits.
const std::vector<std::string> kStrategies = {"skip", "overwrite", "merge", "append", "mirror"};

uint32_t BitOf(const std::string& strategy) {
  const auto found = std::find(kStrategies.begin(), kStrategies.end(), strategy);
  return found == kStrategies.end() ? 0 : 1u << (found - kStrategies.begin());
}

std::string Listed(uint32_t strategies) {
  std::vector<std::string> words;
  for (const std::string& word : kStrategies) {
    if (strategies & BitOf(word)) words.push_back(Cat("\"", word, "\""));
  }
  return Join(words, ", ");
}

Error Invalid(const std::string& option, const char* expected) {
  return Error(sqlstate::kInvalidParameter,
               Cat("session option \"", option, "\" must be ", expected))
      .WithHint(
          "The defaults are {\"strategies\": [\"skip\", \"append\"], \"create_tables\": false, "
          "\"max_deletes\": 0, \"triggers\": \"fire\", \"max_rows\": null}.");
}

Error NotAllowed(std::string message, const std::string& option) {
  return Error(sqlstate::kInsufficientPrivilege, std::move(message))
      .WithHint(Cat("What a peer may do is chosen when its session is created: ", option, "."));
}

uint32_t ReadStrategies(const std::string& option, const JsonValue& value) {
  if (!value.IsArray()) throw Invalid(option, "an array of strategies");
  uint32_t strategies = 0;
  for (const JsonValue& item : value.GetArray()) {
    const std::string word = item.IsString() ? item.GetString() : "";
    if (BitOf(word) == 0) {
      throw Error(sqlstate::kInvalidParameter, Cat("invalid strategy \"", Excerpt(word, 100),
                                                   "\" in session option \"", option, "\""))
          .WithHint(Cat("Available values: ", Join(kStrategies, ", "), "."));
    }
    strategies |= BitOf(word);
  }
  if (strategies == 0) throw Invalid(option, "an array of at least one strategy");
  return strategies;
}

int64_t ReadLimit(const std::string& option, const JsonValue& value) {
  if (value.IsNull()) return ReceiveLimits::kNoLimit;
  if (!value.IsInt64() || value.GetInt64() < 0) {
    throw Invalid(option, "null or a number that is not negative");
  }
  return value.GetInt64();
}

}  // namespace

ReceiveLimits ReceiveLimits::Default() {
  return {BitOf("skip") | BitOf("append"), false, false, 0, kNoLimit};
}

const char* ReceiveLimits::OptionNames() {
  return "strategies, create_tables, max_deletes, triggers, max_rows";
}

bool ReceiveLimits::Set(const std::string& option, const JsonValue& value) {
  if (option == "strategies") {
    strategies = ReadStrategies(option, value);
  } else if (option == "create_tables") {
    if (!value.IsBool()) throw Invalid(option, "true or false");
    create_tables = value.GetBool();
  } else if (option == "max_deletes") {
    max_deletes = ReadLimit(option, value);
  } else if (option == "max_rows") {
    max_rows = ReadLimit(option, value);
  } else if (option == "triggers") {
    const std::string word = value.IsString() ? value.GetString() : "";
    if (word != "fire" && word != "skip") {
      throw Invalid(option, "\"fire\" or \"skip\"");
    }
    skip_triggers = word == "skip";
  } else {
    return false;
  }
  return true;
}

void ReceiveLimits::RequireStrategy(const std::string& strategy) const {
  if (strategies & BitOf(strategy)) return;
  throw NotAllowed(Cat("the session does not allow strategy \"", Excerpt(strategy, 100), "\""),
                   Cat("its option \"strategies\" is [", Listed(strategies), "]"));
}

void ReceiveLimits::RequireWords(const TransferWords& words) const {
  if (words.triggers != "fire" && !skip_triggers) {
    throw NotAllowed("the session does not allow triggers to be skipped",
                     "its option \"triggers\" is \"fire\"");
  }
  if (max_deletes != kNoLimit && words.max_deletes.value_or(0) > max_deletes) {
    throw NotAllowed(Cat("the session does not allow ", *words.max_deletes, " rows to be deleted"),
                     Cat("its option \"max_deletes\" is ", max_deletes));
  }
}

void ReceiveLimits::RequireRows(uint64_t rows) const {
  if (max_rows == kNoLimit || rows <= static_cast<uint64_t>(max_rows)) return;
  throw Error(sqlstate::kLimitExceeded, "more rows than the session takes")
      .WithDetail(Cat("The limit is ", max_rows, " rows in all."))
      .WithHint("It is the option \"max_rows\" of the session.");
}

TransferWords ReceiveLimits::Narrowed(TransferWords words) const {
  const auto mirrors = [](const auto& entry) { return entry.second == "mirror"; };
  const bool deletes = words.strategy == "mirror" ||
                       std::any_of(words.strategies.begin(), words.strategies.end(), mirrors);
  if (deletes && !words.max_deletes && max_deletes != kNoLimit) words.max_deletes = max_deletes;
  if (!create_tables) words.create_missing_tables = false;
  return words;
}

}  // namespace pgsync::core
