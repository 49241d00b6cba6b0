#include "core/error.h"

namespace pgsync::core {

SqlState SqlState::Parse(std::string_view text) {
  SqlState state;
  if (text.size() != 5 || text.substr(0, 2) == "00") return state;
  for (char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'))) return state;
  }
  std::memcpy(state.code_, text.data(), 5);
  return state;
}

}  // namespace pgsync::core
