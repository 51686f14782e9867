// Caps on connections in fixed memory.
#include "gateway/listen/connection_table.h"

#include <gtest/gtest.h>

namespace portcullis::gateway {
namespace {

using boost::asio::ip::make_address;
using Verdict = ConnectionTable::Verdict;

TEST(ConnectionTable, CapsOneAddressAndGivesBack) {
  ConnectionTable table(100, 2);
  const auto a = make_address("192.0.2.1");
  EXPECT_EQ(table.Admit(a), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(a), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(a), Verdict::kAddress);
  EXPECT_EQ(table.Admit(make_address("192.0.2.2")), Verdict::kAdmitted);
  table.Release(a);
  EXPECT_EQ(table.Admit(a), Verdict::kAdmitted);
}

TEST(ConnectionTable, CountsAnIpv6NetworkAsOneSource) {
  ConnectionTable table(100, 1);
  EXPECT_EQ(table.Admit(make_address("2001:db8:1:2::1")), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(make_address("2001:db8:1:2:ffff::9")), Verdict::kAddress);
  EXPECT_EQ(table.Admit(make_address("2001:db8:1:3::1")), Verdict::kAdmitted);
}

TEST(ConnectionTable, CapsTheTotal) {
  ConnectionTable table(3, 100);
  EXPECT_EQ(table.Admit(make_address("192.0.2.1")), Verdict::kAdmitted);
  EXPECT_EQ(table.AdmitLocal(), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(make_address("192.0.2.2")), Verdict::kAdmitted);
  EXPECT_EQ(table.Admit(make_address("192.0.2.3")), Verdict::kTotal);
  table.ReleaseLocal();
  EXPECT_EQ(table.Admit(make_address("192.0.2.3")), Verdict::kAdmitted);
}

TEST(ConnectionTable, RefusalsCostNothingLater) {
  ConnectionTable table(100, 1);
  const auto a = make_address("192.0.2.1");
  EXPECT_EQ(table.Admit(a), Verdict::kAdmitted);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(table.Admit(a), Verdict::kAddress);
  table.Release(a);
  EXPECT_EQ(table.Admit(a), Verdict::kAdmitted);
}

}  // namespace
}  // namespace portcullis::gateway
