#include "core/cidr.h"

#include <gtest/gtest.h>

#include "bytes.h"

namespace pgsync::core {
namespace {

using test::Bytes;

IpAddress Ip(const std::string& text) {
  const auto address = IpAddress::Parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(IpAddress());
}

bool Holds(const std::string& network, const std::string& address) {
  const auto cidr = Cidr::Parse(network);
  EXPECT_TRUE(cidr.has_value()) << network;
  return cidr && cidr->Contains(Ip(address));
}

TEST(IpAddressTest, ReadsAndWritesBothFamilies) {
  EXPECT_TRUE(Ip("10.1.2.3").is_v4());
  EXPECT_EQ(Ip("10.1.2.3").ToString(), "10.1.2.3");
  EXPECT_EQ(Ip("10.1.2.3").bits(), 32);
  EXPECT_FALSE(Ip("2001:DB8:0:0::1").is_v4());
  EXPECT_EQ(Ip("2001:DB8:0:0::1").ToString(), "2001:db8::1");
  EXPECT_EQ(Ip("::").bits(), 128);
}

TEST(IpAddressTest, RefusesEverythingElse) {
  for (const char* text :
       {"", " ", "10.1.2", "10.1.2.256", "10.1.2.3.4", " 10.1.2.3", "10.1.2.3 ", "10.1.2.3/8",
        "0x7f.0.0.1", "localhost", ":", ":::", "1::2::3", "12345::", "[::1]", "fe80::1%eth0",
        "2130706433", "-1.0.0.0", "::ffff:1.2.3"}) {
    EXPECT_FALSE(IpAddress::Parse(text).has_value()) << text;
  }
}

TEST(IpAddressTest, RefusesTextWithAZeroByteInIt) {
  EXPECT_FALSE(IpAddress::Parse(Bytes("10.1.2.3\0x")).has_value());
}

TEST(IpAddressTest, TakesMappedAddressesForIpv4) {
  EXPECT_TRUE(Ip("::ffff:10.1.2.3").is_v4());
  EXPECT_EQ(Ip("::ffff:a01:203"), Ip("10.1.2.3"));
  const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 0, 1};
  EXPECT_EQ(IpAddress::FromV6(mapped).ToString(), "192.168.0.1");
  // Only almost mapped.
  EXPECT_FALSE(Ip("::fffe:10.1.2.3").is_v4());
  EXPECT_FALSE(Ip("::10.1.2.3").is_v4());
}

TEST(IpAddressTest, FromBytesEqualsParsed) {
  const uint8_t v4[4] = {127, 0, 0, 1};
  EXPECT_EQ(IpAddress::FromV4(v4), Ip("127.0.0.1"));
  const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
  EXPECT_EQ(IpAddress::FromV6(v6), Ip("2001:db8::9"));
}

TEST(IpAddressTest, FamiliesAreNeverEqual) {
  EXPECT_FALSE(Ip("0.0.0.0") == Ip("::"));
  EXPECT_FALSE(Ip("32.1.13.184") == Ip("2001:db8::"));
}

TEST(IpAddressTest, KnowsLoopback) {
  for (const char* text : {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(Ip(text).IsLoopback()) << text;
  }
  for (const char* text :
       {"126.0.0.1", "128.0.0.1", "::", "::2", "1::1", "0.0.0.0", "10.0.0.127"}) {
    EXPECT_FALSE(Ip(text).IsLoopback()) << text;
  }
}

TEST(IpAddressTest, KnowsLinkLocal) {
  for (const char* text :
       {"169.254.0.0", "169.254.169.254", "fe80::1", "febf::1", "::ffff:169.254.169.254"}) {
    EXPECT_TRUE(Ip(text).IsLinkLocal()) << text;
  }
  for (const char* text :
       {"169.253.0.1", "169.255.0.1", "170.254.0.1", "fe7f::1", "fec0::1", "::1"}) {
    EXPECT_FALSE(Ip(text).IsLinkLocal()) << text;
  }
}

TEST(IpAddressTest, NetworkClearsTheBitsBehindThePrefix) {
  EXPECT_EQ(Ip("255.255.255.255").Network(0).ToString(), "0.0.0.0");
  EXPECT_EQ(Ip("255.255.255.255").Network(1).ToString(), "128.0.0.0");
  EXPECT_EQ(Ip("255.255.255.255").Network(17).ToString(), "255.255.128.0");
  EXPECT_EQ(Ip("255.255.255.255").Network(31).ToString(), "255.255.255.254");
  EXPECT_EQ(Ip("255.255.255.255").Network(32).ToString(), "255.255.255.255");
  EXPECT_EQ(Ip("2001:db8:ffff::1").Network(33).ToString(), "2001:db8:8000::");
  EXPECT_EQ(Ip("::1").Network(128).ToString(), "::1");
}

TEST(CidrTest, ContainsExactlyItsNetwork) {
  EXPECT_TRUE(Holds("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(Holds("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(Holds("192.168.1.128/25", "192.168.1.128"));
  EXPECT_FALSE(Holds("192.168.1.128/25", "192.168.1.127"));
  EXPECT_TRUE(Holds("2001:db8::/32", "2001:db8:ffff::"));
  EXPECT_FALSE(Holds("2001:db8::/32", "2001:db9::"));
}

TEST(CidrTest, SingleAddressContainsOnlyItself) {
  EXPECT_TRUE(Holds("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(Holds("10.1.2.3", "10.1.2.2"));
  EXPECT_TRUE(Holds("::1", "::1"));
  EXPECT_FALSE(Holds("::1", "::"));
}

TEST(CidrTest, PrefixZeroContainsItsWholeFamilyOnly) {
  EXPECT_TRUE(Holds("0.0.0.0/0", "255.1.2.3"));
  EXPECT_FALSE(Holds("0.0.0.0/0", "::1"));
  EXPECT_TRUE(Holds("::/0", "ffff::"));
  EXPECT_FALSE(Holds("::/0", "1.2.3.4"));
}

TEST(CidrTest, MappedAddressesMatchIpv4Networks) {
  EXPECT_TRUE(Holds("10.0.0.0/8", "::ffff:10.9.9.9"));
  EXPECT_FALSE(Holds("10.0.0.0/8", "::ffff:11.9.9.9"));
}

TEST(CidrTest, BitsOfTheHostDoNotCount) {
  EXPECT_TRUE(Holds("10.1.2.3/8", "10.200.0.1"));
}

TEST(CidrTest, RefusesMalformedNetworks) {
  for (const char* text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8",
                           "10.0.0.0/8 ", " 10.0.0.0/8", "10.0.0.0/8/8", "10.0.0.0/a", "::/129",
                           "::/1000", "10.0.0.0/4294967304", "example.org", "*", "10.0.0.0/0x8"}) {
    EXPECT_FALSE(Cidr::Parse(text).has_value()) << text;
  }
}

TEST(SplitListTest, SplitsAtCommasAndDropsSpacesAndEmptyParts) {
  using Parts = std::vector<std::string>;
  EXPECT_EQ(SplitList(""), Parts{});
  EXPECT_EQ(SplitList(" , ,, "), Parts{});
  EXPECT_EQ(SplitList("a"), Parts{"a"});
  EXPECT_EQ(SplitList(" a , b b,,c"), (Parts{"a", "b b", "c"}));
  EXPECT_EQ(SplitList("a,"), Parts{"a"});
  EXPECT_EQ(SplitList(",a"), Parts{"a"});
}

std::string Forwarded(const char* socket, const char* header, const char* trusted) {
  return ForwardedAddress(*IpAddress::Parse(socket), header, trusted).ToString();
}

TEST(ForwardedAddress, IsTakenFromTrustedProxiesOnly) {
  EXPECT_EQ(Forwarded("10.0.0.1", "192.0.2.7", ""), "10.0.0.1");
  EXPECT_EQ(Forwarded("10.0.0.1", "192.0.2.7", "10.0.0.2"), "10.0.0.1");
  EXPECT_EQ(Forwarded("10.0.0.1", "192.0.2.7", "10.0.0.0/8"), "192.0.2.7");
  EXPECT_EQ(Forwarded("10.0.0.1", "", "10.0.0.0/8"), "10.0.0.1");
}

TEST(ForwardedAddress, IsTheLastThatIsNoTrustedProxys) {
  EXPECT_EQ(Forwarded("10.0.0.1", "203.0.113.9, 192.0.2.7, 10.0.0.5", "10.0.0.0/8"), "192.0.2.7");
  EXPECT_EQ(Forwarded("10.0.0.1", "10.0.0.9, 10.0.0.5", "10.0.0.0/8"), "10.0.0.9");
  EXPECT_EQ(Forwarded("::1", "2001:db8::1", "::1, 10.0.0.0/8"), "2001:db8::1");
}

TEST(ForwardedAddress, EndsAtWhatIsNoAddress) {
  EXPECT_EQ(Forwarded("10.0.0.1", "192.0.2.7, unknown", "10.0.0.0/8"), "10.0.0.1");
  EXPECT_EQ(Forwarded("10.0.0.1", "192.0.2.7, nonsense, 10.0.0.5", "10.0.0.0/8"), "10.0.0.5");
}

TEST(ListContains, OneOfItsNetworks) {
  const IpAddress address = *IpAddress::Parse("192.0.2.7");
  EXPECT_TRUE(ListContains("10.0.0.0/8, 192.0.2.0/24", address));
  EXPECT_FALSE(ListContains("10.0.0.0/8, 192.0.3.0/24", address));
  EXPECT_FALSE(ListContains("", address));
  EXPECT_FALSE(ListContains("nonsense", address));
}

}  // namespace
}  // namespace pgsync::core
