#include "core/dependency_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>

namespace pgsync::core {
namespace {

using Graph = std::vector<std::vector<size_t>>;
using Groups = std::vector<std::vector<size_t>>;

// The two promises that hold for every graph: each node once, and references only to the same or an
// earlier group.
void ExpectValid(const Graph& graph, const Groups& groups) {
  constexpr size_t kNone = SIZE_MAX;
  std::vector<size_t> group_of(graph.size(), kNone);
  for (size_t i = 0; i < groups.size(); i++) {
    ASSERT_FALSE(groups[i].empty());
    for (size_t node : groups[i]) {
      ASSERT_LT(node, graph.size());
      ASSERT_EQ(group_of[node], kNone) << "node " << node << " comes twice";
      group_of[node] = i;
    }
  }
  for (size_t node = 0; node < graph.size(); node++) {
    ASSERT_NE(group_of[node], kNone) << "node " << node << " is missing";
    for (size_t target : graph[node])
      ASSERT_LE(group_of[target], group_of[node]);
  }
}

TEST(DependencyOrderTest, NothingHasNoGroups) {
  EXPECT_EQ(DependencyOrder({}), Groups{});
}

TEST(DependencyOrderTest, UnrelatedNodesKeepTheirOrder) {
  EXPECT_EQ(DependencyOrder({{}, {}, {}}), (Groups{{0}, {1}, {2}}));
}

TEST(DependencyOrderTest, ChainRunsFromTheReferencedEnd) {
  EXPECT_EQ(DependencyOrder({{1}, {2}, {3}, {}}), (Groups{{3}, {2}, {1}, {0}}));
  EXPECT_EQ(DependencyOrder({{}, {0}, {1}, {2}}), (Groups{{0}, {1}, {2}, {3}}));
}

TEST(DependencyOrderTest, SelfReferenceIsNoCycle) {
  EXPECT_EQ(DependencyOrder({{0}, {1, 1, 0}}), (Groups{{0}, {1}}));
}

TEST(DependencyOrderTest, RepeatedReferencesCountOnce) {
  EXPECT_EQ(DependencyOrder({{1, 1, 1}, {}}), (Groups{{1}, {0}}));
}

TEST(DependencyOrderTest, CycleIsOneGroupInTheGivenOrder) {
  EXPECT_EQ(DependencyOrder({{1}, {2}, {0}}), (Groups{{0, 1, 2}}));
  EXPECT_EQ(DependencyOrder({{2}, {0}, {1}}), (Groups{{0, 1, 2}}));
}

TEST(DependencyOrderTest, TwoCyclesJoinedOneWayStayApart) {
  // 0 <-> 1 refers to 2 <-> 3.
  EXPECT_EQ(DependencyOrder({{1}, {0, 2}, {3}, {2}}), (Groups{{2, 3}, {0, 1}}));
}

TEST(DependencyOrderTest, CyclesThatShareANodeAreOneGroup) {
  EXPECT_EQ(DependencyOrder({{1, 2}, {0}, {0}, {}}), (Groups{{0, 1, 2}, {3}}));
}

TEST(DependencyOrderTest, DiamondPutsTheSharedTargetFirst) {
  EXPECT_EQ(DependencyOrder({{}, {0}, {0}, {1, 2}}), (Groups{{0}, {1}, {2}, {3}}));
  const Graph reversed = {{1, 2}, {3}, {3}, {}};
  EXPECT_EQ(DependencyOrder(reversed), (Groups{{3}, {1}, {2}, {0}}));
}

TEST(DependencyOrderTest, DisconnectedPartsAreAllThere) {
  const Graph graph = {{1}, {}, {3}, {2}, {}, {4}};
  const Groups groups = DependencyOrder(graph);
  ExpectValid(graph, groups);
  EXPECT_EQ(groups, (Groups{{1}, {0}, {2, 3}, {4}, {5}}));
}

// Both orders of the referenced nodes are possible, so it has to be the given one, however the
// references are listed.
TEST(DependencyOrderTest, IndependentTargetsKeepTheirOrderHoweverTheyAreListed) {
  EXPECT_EQ(DependencyOrder({{1, 2}, {}, {}}), (Groups{{1}, {2}, {0}}));
  EXPECT_EQ(DependencyOrder({{2, 1}, {}, {}}), (Groups{{1}, {2}, {0}}));
}

TEST(DependencyOrderTest, AnOrderThatIsRightAlreadyStays) {
  const Graph graph = {{}, {0}, {}, {2, 1}, {0, 3}, {}, {5, 0}};
  EXPECT_EQ(DependencyOrder(graph), (Groups{{0}, {1}, {2}, {3}, {4}, {5}, {6}}));
}

TEST(DependencyOrderTest, LongChainsDoNotExhaustTheStack) {
  constexpr size_t kNodes = 20000;
  Graph forward(kNodes), backward(kNodes), ring(kNodes);
  for (size_t i = 0; i + 1 < kNodes; i++) {
    forward[i] = {i + 1};
    backward[i + 1] = {i};
    ring[i] = {i + 1};
  }
  ring[kNodes - 1] = {0};
  Groups expected;
  for (size_t i = 0; i < kNodes; i++)
    expected.push_back({kNodes - 1 - i});
  EXPECT_TRUE(DependencyOrder(forward) == expected);
  const Groups plain = DependencyOrder(backward);
  ASSERT_EQ(plain.size(), kNodes);
  EXPECT_EQ(plain.front(), std::vector<size_t>{0});
  const Groups one = DependencyOrder(ring);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].size(), kNodes);
}

// Whether `to` can be reached from `from`: the definition, against which groups are held.
std::vector<std::vector<bool>> Reachable(const Graph& graph) {
  const size_t n = graph.size();
  std::vector<std::vector<bool>> reach(n, std::vector<bool>(n));
  for (size_t i = 0; i < n; i++) {
    reach[i][i] = true;
    for (size_t target : graph[i])
      reach[i][target] = true;
  }
  for (size_t k = 0; k < n; k++) {
    for (size_t i = 0; i < n; i++) {
      for (size_t j = 0; j < n; j++) {
        if (reach[i][k] && reach[k][j]) reach[i][j] = true;
      }
    }
  }
  return reach;
}

TEST(DependencyOrderTest, GroupsAreTheStronglyConnectedComponentsOfRandomGraphs) {
  std::mt19937 random(20240501);
  for (int round = 0; round < 500; round++) {
    Graph graph(1 + random() % 12);
    const size_t edges = random() % (2 * graph.size());
    for (size_t i = 0; i < edges; i++) {
      graph[random() % graph.size()].push_back(random() % graph.size());
    }
    const Groups groups = DependencyOrder(graph);
    ASSERT_NO_FATAL_FAILURE(ExpectValid(graph, groups));
    const auto reach = Reachable(graph);
    for (const auto& group : groups) {
      EXPECT_TRUE(std::is_sorted(group.begin(), group.end()));
      for (size_t node = 0; node < graph.size(); node++) {
        const bool inside = std::find(group.begin(), group.end(), node) != group.end();
        EXPECT_EQ(inside, reach[group[0]][node] && reach[node][group[0]]);
      }
    }
  }
}

}  // namespace
}  // namespace pgsync::core
