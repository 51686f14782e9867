#include "gateway/observe/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace portcullis::gateway {
namespace {

std::string Number(double value) {
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text;
  const int length = std::snprintf(text.data(), text.size(), "%.9g", value);
  return {text.data(), static_cast<size_t>(length)};
}

std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

void Line(std::string& out, std::string_view name, std::string_view suffix,
          const std::string& labels, const std::string& value) {
  out.append(name).append(suffix);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out.append(" ").append(value).append("\n");
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds) : size_(std::min(bounds.size(), kMaxBounds)) {
  std::copy_n(bounds.begin(), size_, bounds_.begin());
}

void Histogram::ObserveNs(int64_t ns) {
  const int64_t bounded = std::max<int64_t>(ns, 0);
  const double seconds = static_cast<double>(bounded) / 1e9;
  const auto end = bounds_.begin() + static_cast<std::ptrdiff_t>(size_);
  const auto bucket = std::lower_bound(bounds_.begin(), end, seconds) - bounds_.begin();
  buckets_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(static_cast<uint64_t>(bounded), std::memory_order_relaxed);
}

uint64_t Histogram::count() const {
  uint64_t count = 0;
  for (const auto& bucket : buckets_) count += bucket.load(std::memory_order_relaxed);
  return count;
}

double Histogram::Quantile(double q) const {
  const uint64_t total = count();
  if (total == 0) return 0;
  const double wanted = q * static_cast<double>(total);
  uint64_t seen = 0;
  for (size_t i = 0; i < size_; ++i) {
    seen += buckets_[i].load(std::memory_order_relaxed);
    if (static_cast<double>(seen) >= wanted) return bounds_[i];
  }
  return HUGE_VAL;
}

Registry::Series& Registry::Add(std::string_view name, std::string_view help, Labels labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    if (!text.empty()) text += ',';
    text.append(key).append("=\"").append(Escape(value)).append("\"");
  }
  series_.push_back(
      {.name = std::string(name), .help = std::string(help), .labels = std::move(text)});
  return series_.back();
}

Counter& Registry::AddCounter(std::string_view name, std::string_view help, Labels labels) {
  Counter& counter = counters_.emplace_back();
  Add(name, help, labels).counter = &counter;
  return counter;
}

Gauge& Registry::AddGauge(std::string_view name, std::string_view help, Labels labels) {
  Gauge& gauge = gauges_.emplace_back();
  Add(name, help, labels).gauge = &gauge;
  return gauge;
}

Histogram& Registry::AddHistogram(std::string_view name, std::string_view help,
                                  std::span<const double> bounds, Labels labels) {
  Histogram& histogram = histograms_.emplace_back(bounds);
  Add(name, help, labels).histogram = &histogram;
  return histogram;
}

void Registry::AddCallback(std::string_view name, std::string_view help,
                           std::function<double()> read, Labels labels) {
  Add(name, help, labels).callback = std::move(read);
}

std::string Registry::Render() const {
  std::string out;
  std::string_view previous;
  for (const Series& series : series_) {
    if (series.name != previous) {
      const bool counts = series.counter != nullptr || series.name.ends_with("_total");
      const char* type = counts                        ? "counter"
                         : series.histogram != nullptr ? "histogram"
                                                       : "gauge";
      out.append("# HELP ").append(series.name).append(" ").append(series.help).append("\n");
      out.append("# TYPE ").append(series.name).append(" ").append(type).append("\n");
      previous = series.name;
    }
    if (series.counter != nullptr) {
      Line(out, series.name, "", series.labels, std::to_string(series.counter->value()));
    } else if (series.gauge != nullptr) {
      Line(out, series.name, "", series.labels, std::to_string(series.gauge->value()));
    } else if (series.callback) {
      Line(out, series.name, "", series.labels, Number(series.callback()));
    } else {
      RenderHistogram(series, out);
    }
  }
  return out;
}

// The count is the sum of the buckets read here, so that one page never contradicts itself.
void Registry::RenderHistogram(const Series& series, std::string& out) {
  const Histogram& histogram = *series.histogram;
  const std::string comma = series.labels.empty() ? "" : ",";
  uint64_t count = 0;
  for (size_t i = 0; i <= histogram.size_; ++i) {
    count += histogram.buckets_[i].load(std::memory_order_relaxed);
    const double bound = i < histogram.size_ ? histogram.bounds_[i] : HUGE_VAL;
    Line(out, series.name, "_bucket", series.labels + comma + "le=\"" + Number(bound) + "\"",
         std::to_string(count));
  }
  const uint64_t sum = histogram.sum_ns_.load(std::memory_order_relaxed);
  Line(out, series.name, "_sum", series.labels, Number(static_cast<double>(sum) / 1e9));
  Line(out, series.name, "_count", series.labels, std::to_string(count));
}

}  // namespace portcullis::gateway
