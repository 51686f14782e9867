// ip, decimal, datetime, duration: what their text forms accept, and their arithmetic.
#include <gtest/gtest.h>

#include "tests/policy/cedar_helpers.h"

namespace portcullis::policy::cedar {
namespace {

TEST(Extension, IpAddresses) {
  for (const char* good : {"0.0.0.0", "255.255.255.255", "1.2.3.4/0", "1.2.3.4/32", "::", "::1",
                           "1:2:3:4:5:6:7::", "::1:2:3:4:5:6:7", "0001::", "::/128", "ABCD::"}) {
    EXPECT_TRUE(Value::ParseIp(good)) << good;
  }
  for (const char* bad : {"",
                          "01.2.3.4",
                          "00.0.0.0",
                          "1.2.3",
                          "1.2.3.4.5",
                          "1.2.3.256",
                          "1.2.3.4/33",
                          "1.2.3.4/032",
                          "1.2.3.4/00",
                          "1.2.3.4/",
                          "1.2.3.4/+1",
                          "::/129",
                          "1:2:3:4:5:6:7::8",
                          "1::2:3:4:5:6:7:8",
                          "01234::",
                          "::1%eth0",
                          "::ffff:1.2.3.4",
                          ":::",
                          "1:::2",
                          "[::1]",
                          "1:2:3:4:5:6:7",
                          ":1",
                          "1:",
                          " 1.2.3.4"}) {
    EXPECT_FALSE(Value::ParseIp(bad)) << bad;
  }
  EXPECT_EQ(Value::ParseIp("1.2.3.4").value(), Value::ParseIp("1.2.3.4/32").value());
  EXPECT_NE(Value::ParseIp("1.2.3.4/24").value(), Value::ParseIp("1.2.3.0/24").value());
}

TEST(Extension, IpQuestions) {
  for (const char* yes :
       {"ip(\"1.2.3.4\").isInRange(ip(\"1.2.3.0/24\"))",
        "ip(\"1.2.3.4\").isInRange(ip(\"0.0.0.0/0\"))",
        "ip(\"1.2.3.4/24\").isInRange(ip(\"1.2.3.99/24\"))", "ip(\"127.0.0.1/8\").isLoopback()",
        "ip(\"::1\").isLoopback()", "ip(\"224.0.0.0/4\").isMulticast()",
        "ip(\"ff00::/8\").isMulticast()", "ip(\"2001:db8::1\").isInRange(ip(\"2001:db8::/33\"))"}) {
    EXPECT_EQ(Ask(yes), Answer::kTrue) << yes;
  }
  for (const char* no :
       {"ip(\"1.2.3.4/23\").isInRange(ip(\"1.2.3.99/24\"))",
        "ip(\"1.2.3.4\").isInRange(ip(\"::/0\"))", "ip(\"::\").isInRange(ip(\"0.0.0.0/0\"))",
        "ip(\"127.0.0.1/7\").isLoopback()", "ip(\"::1/127\").isLoopback()",
        "ip(\"224.0.0.0/3\").isMulticast()", "ip(\"ff00::/7\").isMulticast()",
        "ip(\"::1\").isIpv4()"}) {
    EXPECT_EQ(Ask(no), Answer::kFalse) << no;
  }
}

TEST(Extension, Decimals) {
  EXPECT_EQ(Value::ParseDecimal("1.5").value().long_value(), 15000);
  EXPECT_EQ(Value::ParseDecimal("-0.0001").value().long_value(), -1);
  EXPECT_EQ(Value::ParseDecimal("922337203685477.5807").value().long_value(), INT64_MAX);
  EXPECT_EQ(Value::ParseDecimal("-922337203685477.5808").value().long_value(), INT64_MIN);
  for (const char* bad :
       {"1", "1.", ".1", "1.00000", "+1.0", "922337203685477.5808", "-922337203685477.5809",
        "99999999999999999999.0", "1.a", "", "-", "1.2.3"}) {
    EXPECT_FALSE(Value::ParseDecimal(bad)) << bad;
  }
  EXPECT_EQ(Ask("decimal(\"-1.5\").lessThan(decimal(\"-1.4\"))"), Answer::kTrue);
  EXPECT_EQ(Ask("decimal(\"1.0\") == \"1.0\""), Answer::kFalse);
}

TEST(Extension, Datetimes) {
  EXPECT_EQ(Value::ParseDatetime("1970-01-01").value().long_value(), 0);
  EXPECT_EQ(Value::ParseDatetime("1969-12-31T23:59:59.999Z").value().long_value(), -1);
  EXPECT_EQ(Value::ParseDatetime("2024-02-29T01:00:00+0100").value().long_value(), 1709164800000);
  EXPECT_EQ(Value::ParseDatetime("0000-01-01").value().long_value(), -62167219200000);
  for (const char* bad :
       {"2024-02-30", "2023-02-29", "2024-00-01", "2024-1-1", "2024-01-01T00:00:60Z",
        "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.1Z",
        "2024-01-01T00:00:00+2400", "2024-01-01T00:00:00+0060", "2024-01-01T00:00:00+01:00",
        "2024-01-01T00:00:00z", "2024-01-01t00:00:00Z", " 2024-01-01", "2024-01-01Z", ""}) {
    EXPECT_FALSE(Value::ParseDatetime(bad)) << bad;
  }
}

TEST(Extension, DatesBefore1970RoundTowardsThePast) {
  EXPECT_EQ(Ask("datetime(\"1969-12-31T23:59:59.999Z\").toDate() == datetime(\"1969-12-31\")"),
            Answer::kTrue);
  EXPECT_EQ(Ask("datetime(\"1969-12-31T23:59:59.999Z\").toTime() == duration(\"23h59m59s999ms\")"),
            Answer::kTrue);
  const std::string earliest =
      "datetime(\"1970-01-01\").offset(duration(\"-9223372036854775808ms\"))";
  EXPECT_EQ(Ask(earliest + ".toDate() == datetime(\"1970-01-01\")"), Answer::kError);
  EXPECT_EQ(Ask(earliest + ".toTime() >= duration(\"0ms\")"), Answer::kTrue);
  EXPECT_EQ(Ask("datetime(\"0000-01-01\").offset(duration(\"-9223372036854775808ms\")) == 1"),
            Answer::kError);
}

TEST(Extension, Durations) {
  EXPECT_EQ(Value::ParseDuration("1d2h3m4s5ms").value().long_value(), 93784005);
  EXPECT_EQ(Value::ParseDuration("1m5ms").value().long_value(), 60005);
  EXPECT_EQ(Value::ParseDuration("-9223372036854775808ms").value().long_value(), INT64_MIN);
  EXPECT_EQ(Value::ParseDuration("-106751991167d7h12m55s808ms").value().long_value(), INT64_MIN);
  for (const char* bad : {"", "-", "1", "1ms1s", "1d1d", "+1d", "--1d", "9223372036854775808ms",
                          "106751991167d7h12m55s808ms", "1D", "1 d", "d", "1.5h"}) {
    EXPECT_FALSE(Value::ParseDuration(bad)) << bad;
  }
  EXPECT_EQ(Ask("duration(\"-1500ms\").toSeconds() == -1"), Answer::kTrue);
}

TEST(Extension, WrongArgumentsFailAtRunTime) {
  EXPECT_EQ(Ask("ip()"), Answer::kError);
  EXPECT_EQ(Ask("ip(1) == 1"), Answer::kError);
  EXPECT_EQ(Ask("ip(\"1.1.1.1\").isIpv4(1)"), Answer::kError);
  EXPECT_EQ(Ask("principal.isIpv4()"), Answer::kError);
  EXPECT_EQ(Ask("nosuch(1)"), Answer::kNoParse);
  EXPECT_EQ(Ask("\"1.1.1.1\".ip() == 1"), Answer::kNoParse);
  EXPECT_EQ(Ask("isIpv4(ip(\"1.1.1.1\"))"), Answer::kNoParse);
}

}  // namespace
}  // namespace portcullis::policy::cedar
