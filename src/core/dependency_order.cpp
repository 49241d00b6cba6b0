#include "core/dependency_order.h"

#include <algorithm>
#include <cstdint>

namespace pgsync::core {

namespace {

constexpr size_t kUnvisited = SIZE_MAX;

struct Node {
  size_t index = kUnvisited;
  size_t low = 0;
  bool on_stack = false;
};

struct Visit {
  size_t node;
  size_t next_reference;
};

}  // namespace

std::vector<std::vector<size_t>> DependencyOrder(std::vector<std::vector<size_t>> references) {
  // Targets are visited, and so finished, in their given order.
  for (std::vector<size_t>& targets : references)
    std::sort(targets.begin(), targets.end());
  // Tarjan's algorithm finishes a component only after all components that it refers to. The
  // recursion is a stack of our own: a chain may have thousands of tables.
  std::vector<Node> nodes(references.size());
  std::vector<size_t> stack;
  std::vector<Visit> visits;
  std::vector<std::vector<size_t>> groups;
  size_t next_index = 0;

  for (size_t root = 0; root < references.size(); root++) {
    if (nodes[root].index != kUnvisited) continue;
    visits.push_back({root, 0});
    while (!visits.empty()) {
      Visit& visit = visits.back();
      Node& node = nodes[visit.node];
      if (visit.next_reference == 0 && node.index == kUnvisited) {
        node.index = node.low = next_index++;
        node.on_stack = true;
        stack.push_back(visit.node);
      }
      if (visit.next_reference < references[visit.node].size()) {
        const size_t target = references[visit.node][visit.next_reference++];
        if (nodes[target].index == kUnvisited) {
          visits.push_back({target, 0});
        } else if (nodes[target].on_stack) {
          node.low = std::min(node.low, nodes[target].index);
        }
        continue;
      }
      const size_t done = visit.node;
      if (node.low == node.index) {
        std::vector<size_t> group;
        size_t member;
        do {
          member = stack.back();
          stack.pop_back();
          nodes[member].on_stack = false;
          group.push_back(member);
        } while (member != done);
        std::sort(group.begin(), group.end());
        groups.push_back(std::move(group));
      }
      visits.pop_back();
      if (!visits.empty()) {
        Node& parent = nodes[visits.back().node];
        parent.low = std::min(parent.low, nodes[done].low);
      }
    }
  }
  return groups;
}

}  // namespace pgsync::core
