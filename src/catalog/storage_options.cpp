#include "catalog/storage_options.h"

#include <algorithm>
#include <array>
#include <string_view>

extern "C" {
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
}

namespace pgsync::catalog {

namespace {

// What speaks of space and of the work of vacuum; whoever knows more of them asks for it here.
constexpr std::string_view kTable[] = {
    "fillfactor",
    "toast_tuple_target",
    "parallel_workers",
    "vacuum_index_cleanup",
    "vacuum_truncate",
    "log_autovacuum_min_duration",
    "autovacuum_enabled",
    "autovacuum_vacuum_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_analyze_scale_factor",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_cost_limit",
    "autovacuum_freeze_min_age",
    "autovacuum_freeze_max_age",
    "autovacuum_freeze_table_age",
    "autovacuum_multixact_freeze_min_age",
    "autovacuum_multixact_freeze_max_age",
    "autovacuum_multixact_freeze_table_age",
};
constexpr std::string_view kIndex[] = {
    "fillfactor",    "deduplicate_items",      "buffering",       "fastupdate",
    "autosummarize", "gin_pending_list_limit", "pages_per_range",
};
constexpr std::string_view kColumn[] = {"n_distinct", "n_distinct_inherited"};

template <size_t N>
bool Has(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool IsPlainValue(const std::string& value) {
  return !value.empty() && value.size() <= 40 &&
         value.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-") ==
             std::string::npos;
}

template <typename Known>
std::vector<StorageOption> Accept(const std::vector<std::string>& options, Known&& known,
                                  const std::function<void(const std::string&)>& refuse) {
  std::vector<StorageOption> accepted;
  for (const std::string& text : options) {
    StorageOption option;
    const size_t equals = text.find('=');
    option.name = text.substr(0, equals);
    if (equals != std::string::npos) option.value = text.substr(equals + 1);
    constexpr std::string_view kToast = "toast.";
    option.toast = option.name.compare(0, kToast.size(), kToast) == 0;
    if (option.toast) option.name = option.name.substr(kToast.size());
    const bool repeated =
        std::any_of(accepted.begin(), accepted.end(), [&](const StorageOption& other) {
          return other.name == option.name && other.toast == option.toast;
        });
    if (known(option) && IsPlainValue(option.value) && !repeated) {
      accepted.push_back(std::move(option));
    } else {
      refuse(text);
    }
  }
  return accepted;
}

}  // namespace

std::vector<StorageOption> AcceptStorageOptions(
    const std::vector<std::string>& options, bool index,
    const std::function<void(const std::string&)>& refuse) {
  return Accept(
      options,
      [&](const StorageOption& option) {
        if (index) return !option.toast && Has(kIndex, option.name);
        return Has(kTable, option.name);
      },
      refuse);
}

std::vector<StorageOption> AcceptColumnOptions(
    const std::vector<std::string>& options,
    const std::function<void(const std::string&)>& refuse) {
  return Accept(
      options,
      [](const StorageOption& option) { return !option.toast && Has(kColumn, option.name); },
      refuse);
}

List* make_options(const std::vector<StorageOption>& options) {
  List* list = NIL;
  for (const StorageOption& option : options) {
    auto* value = reinterpret_cast<Node*>(makeString(pstrdup(option.value.c_str())));
    list =
        lappend(list, makeDefElemExtended(option.toast ? pstrdup("toast") : nullptr,
                                          pstrdup(option.name.c_str()), value, DEFELEM_UNSPEC, -1));
  }
  return list;
}

}  // namespace pgsync::catalog
