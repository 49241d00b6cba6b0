// An error on its way from one peer to the other.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace pgsync::core {

struct RemoteError {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;

  static RemoteError Of(const Error& error);
  static RemoteError FromJson(std::string_view json);
  std::string ToJson() const;

  /// The error as the receiving side raises it: SQLSTATE, message and hint of the peer, with
  /// "remote:" before the detail. Text is cut to a sane length.
  Error ToError() const;
};

/// Whether it is by this status that a proxy says that it does not reach the peer behind it, unless
/// the peer itself says so in its own words. It may be there again soon.
bool IsGatewayFailure(int status);

/// A DETAIL: the status and the beginning of the page.
std::string StatusDetail(int status, std::string_view body);

/// The error of that: 08001.
Error GatewayError(std::string_view url, int status, std::string_view body);

}  // namespace pgsync::core
