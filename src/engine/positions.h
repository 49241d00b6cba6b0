// Positions of columns in a table, as lists.
#pragma once

#include <algorithm>
#include <vector>

namespace pgsync::engine {

using Positions = std::vector<size_t>;

/// The place of a position in the list; the list's size where it is not there.
inline size_t PlaceOf(const Positions& positions, size_t position) {
  return static_cast<size_t>(std::find(positions.begin(), positions.end(), position) -
                             positions.begin());
}

inline bool Contains(const Positions& positions, size_t position) {
  return PlaceOf(positions, position) < positions.size();
}

}  // namespace pgsync::engine
