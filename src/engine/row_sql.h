// Parts of the SQL that several statements over rows need. In all of them "t" is the local table;
// what stands opposite is an expression for each column.
#pragma once

#include <string>
#include <vector>

#include "catalog/table.h"

namespace pgsync::engine {

/// Whether the local row has the key whose values are `incoming`, in the order of the key.
std::string KeyMatches(const catalog::Table& target, const catalog::Key& key,
                       const std::vector<std::string>& incoming);
/// The same against the first columns ("c0", ...) of a RowStore that is named "s".
std::string KeyMatches(const catalog::Table& target, const catalog::Key& key);

/// Whether two rows with these values differ in what "equal" means for this extension.
std::string RowsDiffer(const std::vector<std::string>& local,
                       const std::vector<std::string>& incoming);

/// The key of a row of a RowStore with these columns, named "s", as JSON text: what has come of it.
/// The table has one.
std::string KeyAsJson(const catalog::Table& target, const std::vector<size_t>& columns);

}  // namespace pgsync::engine
