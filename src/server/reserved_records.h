// Records of a connection that limits them, reserved for one page.
#pragma once

#include <string>

#include "server/connection_guard.h"

namespace pgsync::server {

/// What was reserved and not used goes back when this does.
class ReservedRecords {
 public:
  /// Raises 53400 where the connection has no records left, 53300 where they cannot be reserved
  /// now.
  ReservedRecords(const ConnectionGuard& guard, int64 wanted);
  ~ReservedRecords();
  ReservedRecords(const ReservedRecords&) = delete;
  ReservedRecords& operator=(const ReservedRecords&) = delete;

  /// How many the page may have: at most as many as were wanted.
  int64 granted() const { return granted_; }
  void Use(int64 records);

 private:
  std::string connection_;
  bool limited_;
  int64 granted_;
  int64 left_ = 0;
};

}  // namespace pgsync::server
