// Values that PhoenixKit sends as Elixir prints them: addresses, ranges, points.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/phoenix_value.h"

namespace pgsync::core {

/// PostgreSQL's text of such a value of that type; nullopt where `text` is not of that form.
std::optional<std::string> DumpText(std::string_view text, const PhoenixType& type);

}  // namespace pgsync::core
