// Storage parameters of tables, indexes and columns that came from a peer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pg/guard.h"

struct List;

namespace pgsync::catalog {

struct StorageOption {
  std::string name;
  std::string value;
  bool toast = false;
};

/// Of "name=value" texts those that are known to do no harm; `refuse` is called with the others.
std::vector<StorageOption> AcceptStorageOptions(
    const std::vector<std::string>& options, bool index,
    const std::function<void(const std::string&)>& refuse);
std::vector<StorageOption> AcceptColumnOptions(
    const std::vector<std::string>& options, const std::function<void(const std::string&)>& refuse);

/// The list that WITH makes of them. For leaves.
List* make_options(const std::vector<StorageOption>& options);

}  // namespace pgsync::catalog
