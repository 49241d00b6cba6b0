#include "core/cidr.h"

#include <arpa/inet.h>

#include <cstring>

namespace pgsync::core {

IpAddress IpAddress::FromV4(const void* bytes) {
  IpAddress address;
  std::memcpy(address.bytes_.data(), bytes, 4);
  return address;
}

IpAddress IpAddress::FromV6(const void* bytes) {
  static const uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(bytes, kMapped, sizeof(kMapped)) == 0) {
    return FromV4(static_cast<const uint8_t*>(bytes) + 12);
  }
  IpAddress address;
  address.v4_ = false;
  std::memcpy(address.bytes_.data(), bytes, 16);
  return address;
}

std::optional<IpAddress> IpAddress::Parse(const std::string& text) {
  if (text.find('\0') != std::string::npos) return std::nullopt;
  uint8_t bytes[16];
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) return FromV4(bytes);
  if (inet_pton(AF_INET6, text.c_str(), bytes) == 1) return FromV6(bytes);
  return std::nullopt;
}

bool IpAddress::IsLoopback() const {
  if (v4_) return bytes_[0] == 127;
  static const uint8_t kOne[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return std::memcmp(bytes_.data(), kOne, 16) == 0;
}

bool IpAddress::IsLinkLocal() const {
  if (v4_) return bytes_[0] == 169 && bytes_[1] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), text, sizeof(text)) ? text : "?";
}

IpAddress IpAddress::Network(int prefix) const {
  IpAddress network = *this;
  for (int bit = prefix; bit < bits(); bit++) {
    network.bytes_[bit / 8] &= static_cast<uint8_t>(~(0x80 >> (bit % 8)));
  }
  return network;
}

std::optional<Cidr> Cidr::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = IpAddress::Parse(std::string(text.substr(0, slash)));
  if (!address) return std::nullopt;
  int prefix = address->bits();
  if (slash != std::string_view::npos) {
    const std::string digits(text.substr(slash + 1));
    if (digits.empty() || digits.size() > 3) return std::nullopt;
    prefix = 0;
    for (char c : digits) {
      if (c < '0' || c > '9') return std::nullopt;
      prefix = prefix * 10 + (c - '0');
    }
    if (prefix > address->bits()) return std::nullopt;
  }
  return Cidr(address->Network(prefix), prefix);
}

bool Cidr::Contains(const IpAddress& address) const {
  return address.is_v4() == network_.is_v4() && address.Network(prefix_) == network_;
}

bool ListContains(std::string_view list, const IpAddress& address) {
  for (const std::string& network : SplitList(list)) {
    const auto cidr = Cidr::Parse(network);
    if (cidr && cidr->Contains(address)) return true;
  }
  return false;
}

IpAddress ForwardedAddress(const IpAddress& socket, std::string_view forwarded,
                           std::string_view trusted_proxies) {
  IpAddress address = socket;
  const std::vector<std::string> hops = SplitList(forwarded);
  for (auto hop = hops.rbegin(); hop != hops.rend() && ListContains(trusted_proxies, address);
       ++hop) {
    const auto named = IpAddress::Parse(*hop);
    if (!named) break;
    address = *named;
  }
  return address;
}

std::vector<std::string> SplitList(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    std::string_view part = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    while (!part.empty() && part.front() == ' ')
      part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ')
      part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

}  // namespace pgsync::core
