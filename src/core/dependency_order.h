// The order in which tables are loaded so that referenced rows come before those that refer to
// them.
#pragma once

#include <cstddef>
#include <vector>

namespace pgsync::core {

/// `references[i]` are the indexes of the nodes that node i refers to, in any order; itself and
/// repetitions are allowed. Returns groups in an order in which every reference points into the
/// same or an earlier group. A group of more than one node is a cycle (a strongly connected
/// component, Tarjan 1972); within a group, and among groups that do not depend on each other, the
/// given order is kept where possible. Every node appears exactly once.
std::vector<std::vector<size_t>> DependencyOrder(std::vector<std::vector<size_t>> references);

}  // namespace pgsync::core
