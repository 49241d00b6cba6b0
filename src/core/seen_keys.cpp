#include "core/seen_keys.h"

namespace pgsync::core {

bool SeenKeys::Add(std::string_view key) {
  const RowHash hash = HashRow(key.data(), key.size());
  if (!known_.insert(hash).second) return false;
  if (order_.size() < limit_) {
    order_.push_back(hash);
    return true;
  }
  known_.erase(order_[next_]);
  order_[next_] = hash;
  next_ = (next_ + 1) % limit_;
  return true;
}

void SeenKeys::Clear() {
  known_.clear();
  order_.clear();
  next_ = 0;
}

}  // namespace pgsync::core
