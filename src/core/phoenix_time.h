// Dates and times as Elixir writes them, into PostgreSQL's text.
#pragma once

#include <string>
#include <string_view>

namespace pgsync::core {

// Each turns years before Christ, which Elixir counts from 0 down, into PostgreSQL's; what is not
// of Elixir's form is returned as it is.

/// Infinities too, which PhoenixKit takes for days.
std::string DateText(std::string_view text);
/// With `zoned`, a timestamp that names no time zone is in UTC.
std::string TimestampText(std::string_view text, bool zoned);
/// A time that names no time zone is in UTC.
std::string TimeTzText(std::string_view text);

}  // namespace pgsync::core
