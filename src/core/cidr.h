// Lists of networks, as in sync.allowed_clients.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgsync::core {

/// An IPv4 or IPv6 address. An IPv4 address that came in IPv6 clothes (::ffff:a.b.c.d) is IPv4.
class IpAddress {
 public:
  static std::optional<IpAddress> Parse(const std::string& text);
  static IpAddress FromV4(const void* bytes);  ///< 4 bytes in network order
  static IpAddress FromV6(const void* bytes);  ///< 16 bytes

  bool is_v4() const { return v4_; }
  bool IsLoopback() const;
  bool IsLinkLocal() const;
  std::string ToString() const;
  const uint8_t* bytes() const { return bytes_.data(); }
  int bits() const { return v4_ ? 32 : 128; }
  /// With all bits after the first `prefix` cleared.
  IpAddress Network(int prefix) const;
  bool operator==(const IpAddress& other) const {
    return v4_ == other.v4_ && bytes_ == other.bytes_;
  }

 private:
  bool v4_ = true;
  std::array<uint8_t, 16> bytes_{};
};

/// "10.0.0.0/8" or a single address.
class Cidr {
 public:
  static std::optional<Cidr> Parse(std::string_view text);
  bool Contains(const IpAddress& address) const;

 private:
  Cidr(IpAddress network, int prefix) : network_(network), prefix_(prefix) {}
  IpAddress network_;
  int prefix_;
};

/// Whether one of the networks of a list, as in sync.allowed_clients, holds the address. What is no
/// network holds none.
bool ListContains(std::string_view list, const IpAddress& address);

/// The address of a client that came through proxies: of `forwarded`, the X-Forwarded-For header,
/// the last that is no trusted proxy's, as far as each one that named the next is trusted. What is
/// no address ends the search.
IpAddress ForwardedAddress(const IpAddress& socket, std::string_view forwarded,
                           std::string_view trusted_proxies);

/// Splits at commas and drops spaces around and empty parts.
std::vector<std::string> SplitList(std::string_view list);

}  // namespace pgsync::core
