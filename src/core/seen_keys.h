// Rows that come twice, known by their keys.
#pragma once

#include <cstddef>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/row_digest.h"

namespace pgsync::core {

/// Remembers the keys of the last rows, by their digests. Pages are in the order of the key, so
/// that a row that comes again, because others were written in front of it, does so soon.
class SeenKeys {
 public:
  explicit SeenKeys(size_t rows = kRows) : limit_(rows) {}

  /// False if the key is known already. `key`: the key's values, each told apart from the next.
  bool Add(std::string_view key);
  void Clear();

 private:
  static constexpr size_t kRows = 128 * 1024;
  struct Low {
    size_t operator()(const RowHash& hash) const noexcept { return hash.low; }
  };
  struct Same {
    bool operator()(const RowHash& a, const RowHash& b) const noexcept {
      return a.high == b.high && a.low == b.low;
    }
  };

  size_t limit_;
  size_t next_ = 0;  // of order_, where the oldest stands once it is full
  std::vector<RowHash> order_;
  std::unordered_set<RowHash, Low, Same> known_;
};

}  // namespace pgsync::core
