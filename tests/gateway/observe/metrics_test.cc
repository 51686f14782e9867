#include "gateway/observe/metrics.h"
#include "gateway/observe/gateway_metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <sstream>
#include <thread>

namespace portcullis::gateway {
namespace {

constexpr std::array kBounds = {0.001, 0.1, 1.0};

TEST(Metrics, RendersPrometheusText) {
  Registry registry;
  registry.AddCounter("a_total", "Help of a", {{"kind", "x\"y\\\n"}}).Add(3);
  registry.AddCounter("a_total", "Help of a", {{"kind", "z"}});
  registry.AddGauge("b", "Help of b").Set(-2);
  Histogram& histogram = registry.AddHistogram("c_seconds", "Help of c", kBounds);
  registry.AddCallback("d", "Help of d", [] { return 1.5; });
  histogram.ObserveNs(1'000'000);  // on the bound: inside
  histogram.ObserveNs(1'000'001);
  histogram.ObserveNs(5'000'000'000);
  histogram.ObserveNs(-1);
  EXPECT_EQ(registry.Render(),
            "# HELP a_total Help of a\n# TYPE a_total counter\n"
            "a_total{kind=\"x\\\"y\\\\\\n\"} 3\na_total{kind=\"z\"} 0\n"
            "# HELP b Help of b\n# TYPE b gauge\nb -2\n"
            "# HELP c_seconds Help of c\n# TYPE c_seconds histogram\n"
            "c_seconds_bucket{le=\"0.001\"} 2\nc_seconds_bucket{le=\"0.1\"} 3\n"
            "c_seconds_bucket{le=\"1\"} 3\nc_seconds_bucket{le=\"+Inf\"} 4\n"
            "c_seconds_sum 5.002\nc_seconds_count 4\n"
            "# HELP d Help of d\n# TYPE d gauge\nd 1.5\n");
}

TEST(Metrics, FindsQuantiles) {
  Histogram histogram(kBounds);
  EXPECT_EQ(histogram.Quantile(0.5), 0);
  for (int i = 0; i < 90; ++i) histogram.ObserveNs(500'000);
  for (int i = 0; i < 9; ++i) histogram.ObserveNs(500'000'000);
  histogram.ObserveNs(60'000'000'000);
  EXPECT_EQ(histogram.Quantile(0.5), 0.001);
  EXPECT_EQ(histogram.Quantile(0.9), 0.001);
  EXPECT_EQ(histogram.Quantile(0.99), 1.0);
  EXPECT_EQ(histogram.Quantile(1.0), HUGE_VAL);
}

TEST(Metrics, CountsFromManyThreads) {
  Registry registry;
  Counter& counter = registry.AddCounter("a_total", "a");
  Histogram& histogram = registry.AddHistogram("b", "b", kBounds);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        counter.Add();
        histogram.ObserveNs(i);
      }
    });
  }
  for (int i = 0; i < 20; ++i) registry.Render();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 40'000u);
  EXPECT_EQ(histogram.count(), 40'000u);
}

TEST(GatewayMetrics, ShowsWhatTheConnectionLayerCounts) {
  GatewayMetrics metrics;
  Counters counters;
  metrics.ExposeConnections(counters);
  counters.open = 2;
  counters.accepted = 7;
  counters.handshakes_failed = 3;
  const std::string text = metrics.Render();
  EXPECT_NE(text.find("# TYPE portcullis_open_connections gauge\nportcullis_open_connections 2\n"),
            std::string::npos);
  EXPECT_NE(text.find("# TYPE portcullis_connections_total counter\n"
                      "portcullis_connections_total 7\n"),
            std::string::npos);
  EXPECT_NE(text.find("portcullis_handshake_failures_total 3\n"), std::string::npos);
  EXPECT_EQ(metrics.open_connections(), 2);
}

TEST(GatewayMetrics, HasOneSeriesForEachOutcome) {
  GatewayMetrics metrics;
  metrics.CountRequest(Code::kOk, 1'000'000);
  metrics.CountRequest(Code::kRateLimited, 1'000'000);
  metrics.CountRequest(Code::kRateLimited, 1'000'000);
  metrics.CountRequest(static_cast<Code>(999), 1);
  metrics.prompt_tokens.Add(5);
  EXPECT_EQ(metrics.requests(Code::kRateLimited), 2u);
  const std::string text = metrics.Render();
  for (const char* line : {
           "portcullis_requests_total{outcome=\"ok\"} 1\n",
           "portcullis_requests_total{outcome=\"rate_limit_exceeded\"} 2\n",
           "portcullis_requests_total{outcome=\"unknown\"} 1\n",
           "portcullis_tokens_total{direction=\"prompt\"} 5\n",
           "portcullis_request_seconds_count 4\n",
       }) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
  std::istringstream lines(text);
  std::set<std::string> series;
  for (std::string line; std::getline(lines, line);) {
    if (line[0] == '#') continue;
    EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second) << "twice: " << line;
  }
}

}  // namespace
}  // namespace portcullis::gateway
