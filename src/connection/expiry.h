// What ends by itself: connections whose time is over or whose limits are reached, and approvals
// that nobody has given. Run where and when it is due.
#pragma once

#include <optional>

#include "pg/guard.h"

namespace pgsync::connection {

/// Marks active connections as expired that are so; returns how many.
int64 ExpireConnections();
/// Marks transfers as expired whose time to be approved is over; returns how many.
int64 ExpireApprovals();
/// When the next of both will be due by the clock (TimestampTz); nullopt: never, as far as is
/// known.
std::optional<int64_t> NextExpiry();

}  // namespace pgsync::connection
