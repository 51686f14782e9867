// Counters, gauges and histograms in fixed memory, and their Prometheus text (exposition format
// 0.0.4). All series are declared at start, so no caller can create one; counting is a relaxed
// atomic addition from any thread. Registry::Render may run at any time on any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portcullis::gateway {

class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<int64_t> value_{0};
};

// Upper bounds in seconds, ascending; observations in nanoseconds.
class Histogram {
 public:
  static constexpr size_t kMaxBounds = 24;

  explicit Histogram(std::span<const double> bounds);
  void ObserveNs(int64_t ns);
  uint64_t count() const;

  // Upper bound of the bucket that holds the q-quantile, in seconds; 0 without observations.
  double Quantile(double q) const;

 private:
  friend class Registry;

  size_t size_;
  std::array<double, kMaxBounds> bounds_{};
  std::array<std::atomic<uint64_t>, kMaxBounds + 1> buckets_{};
  std::atomic<uint64_t> sum_ns_{0};
};

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// Declare everything before the threads start. Series of one name must be declared one after
// another. References stay valid as long as the registry.
class Registry {
 public:
  Counter& AddCounter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge& AddGauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& AddHistogram(std::string_view name, std::string_view help,
                          std::span<const double> bounds, Labels labels = {});
  // Read at rendering. A name that ends in `_total` is a counter, any other a gauge.
  void AddCallback(std::string_view name, std::string_view help, std::function<double()> read,
                   Labels labels = {});

  std::string Render() const;

 private:
  struct Series {
    std::string name;
    std::string help;
    std::string labels;  // escaped, without braces
    const Counter* counter = nullptr;
    const Gauge* gauge = nullptr;
    const Histogram* histogram = nullptr;
    std::function<double()> callback{};
  };
  Series& Add(std::string_view name, std::string_view help, Labels labels);
  static void RenderHistogram(const Series& series, std::string& out);

  std::deque<Counter> counters_;
  std::deque<Gauge> gauges_;
  std::deque<Histogram> histograms_;
  std::vector<Series> series_;
};

}  // namespace portcullis::gateway
