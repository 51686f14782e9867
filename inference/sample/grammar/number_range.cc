// A number without sign is read against a lower and an upper bound of the same form. `free_low`
// means that the digits so far exceed those of the lower bound, so that the rest is free; likewise
// above. Whole parts of each length are separate readings: one shorter than a bound's is smaller.
// Negative numbers are their mirror. Readings that run into a corner ("0.00… > 0") fall away when
// the grammar is finished.
#include "inference/sample/grammar/number_range.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <tuple>

namespace portcullis::inference::grammar {
namespace {

constexpr size_t kDigits = 15;
constexpr double kBeyond = 1e15;
constexpr int64_t kMostUnits = 999'999'999'999'999;  // of 15 digits

struct Decimal {
  std::string whole = "0";
  std::string fraction;  // without zeros at its end
  bool exclusive = false;
};

// The next number of as many decimals.
void Increment(Decimal& decimal) {
  for (std::string* digits : {&decimal.fraction, &decimal.whole}) {
    for (size_t i = digits->size(); i-- > 0;) {
      if ((*digits)[i] != '9') {
        ++(*digits)[i];
        return;
      }
      (*digits)[i] = '0';
    }
  }
  decimal.whole.insert(decimal.whole.begin(), '1');
}

// Of a value that is not negative; where it has more digits than a number may have, the next one that
// is `up` or down from it, so that the range is narrower.
Result<Decimal> ToDecimal(const Bound& bound, bool up) {
  std::array<char, 400> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), bound.value,
                                 std::chars_format::fixed);
  const std::string text(buffer.data(), end.ptr);
  Decimal out;
  out.exclusive = bound.exclusive;
  out.whole = text.substr(0, text.find('.'));
  if (text.find('.') != std::string::npos) out.fraction = text.substr(text.find('.') + 1);
  if (out.whole.size() > kDigits) return Error{Code::kInvalidArgument, "a bound has more than 15 digits"};
  if (out.whole.size() + out.fraction.size() > kDigits) {
    out.fraction.resize(kDigits - out.whole.size());
    out.exclusive = false;
    if (up) Increment(out);
  }
  return out;
}

// The digits of a number, those behind its point counted; without zeros at the end of a fraction.
struct Digits {
  std::string digits;
  size_t decimals = 0;
};

Digits DigitsOf(const boost::json::value& number) {
  std::array<char, 400> buffer{};
  char* const begin = buffer.data();
  char* const limit = begin + buffer.size();
  const char* end = begin;
  if (number.is_int64()) end = std::to_chars(begin, limit, number.get_int64()).ptr;
  if (number.is_uint64()) end = std::to_chars(begin, limit, number.get_uint64()).ptr;
  if (number.is_double()) {
    end = std::to_chars(begin, limit, number.get_double(), std::chars_format::fixed).ptr;
  }
  Digits out{std::string(static_cast<const char*>(begin), end), 0};
  if (out.digits.starts_with('-')) out.digits.erase(0, 1);
  const size_t point = out.digits.find('.');
  if (point == std::string::npos) return out;
  out.digits.erase(point, 1);
  while (out.digits.size() > point && out.digits.back() == '0') out.digits.pop_back();
  out.decimals = out.digits.size() - point;
  return out;
}

int64_t PowerOfTen(int exponent) {
  int64_t power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

// What is left of a division by `units` once `zeros` more digits were read.
int64_t AfterZeros(int64_t rest, size_t zeros, int64_t units) {
  while (zeros-- > 0 && rest != 0) rest = rest * 10 % units;
  return rest;
}

class Reading {
 public:
  Reading(Grammar& g, std::optional<Decimal> low, std::optional<Decimal> high, bool whole,
          const std::optional<Multiple>& multiple, StateId next)
      : g_(g), low_(std::move(low)), high_(std::move(high)), whole_(whole), multiple_(multiple), next_(next) {}

  StateId Build() {
    std::vector<StateId> options;
    for (size_t length = 1; length <= kDigits; ++length) {
      const size_t low = low_ ? low_->whole.size() : 0;
      const size_t high = high_ ? high_->whole.size() : kDigits;
      if (length < low || length > high) continue;
      length_ = length;
      states_.clear();
      options.push_back(Whole({0, !low_ || length > low, !high_ || length < high, 0}));
    }
    return g_.Split(std::move(options));
  }

 private:
  struct Key {
    size_t at;
    bool free_low, free_high;
    int64_t rest;  // of a division by the multiple
    bool fraction = false;
    auto operator<=>(const Key&) const = default;
  };

  static char Digit(const std::string& digits, size_t at) { return at < digits.size() ? digits[at] : '0'; }
  static bool ZeroFrom(const std::string& digits, size_t at) {
    return at >= digits.size() || digits.find_first_not_of('0', at) == std::string::npos;
  }

  StateId Whole(const Key& key) {
    const auto [it, fresh] = states_.try_emplace(key, 0);
    if (!fresh) return it->second;
    const StateId state = it->second = g_.Forward();
    if (g_.too_large()) return state;  // and refused
    if (key.at == length_) {
      std::vector<StateId> options;
      const Key fraction{0, key.free_low, key.free_high, key.rest, true};
      if (MayEnd(fraction)) options.push_back(next_);
      if (!whole_ && length_ < kDigits) options.push_back(g_.Literal(".", Fraction(fraction)));
      g_.FillSplit(state, std::move(options));
      return state;
    }
    std::vector<Edge> edges;
    for (int d = key.at == 0 && length_ > 1 ? 1 : 0; d <= 9; ++d) {
      const char c = static_cast<char>('0' + d);
      Key to{key.at + 1, key.free_low, key.free_high, 0};
      to.rest = Rest(key, d);
      if (!Compare(key, c, low_ ? low_->whole : "", high_ ? high_->whole : "", to)) continue;
      edges.push_back({static_cast<uint8_t>(c), static_cast<uint8_t>(c), Whole(to)});
    }
    g_.FillBytes(state, std::move(edges));
    return state;
  }

  StateId Fraction(const Key& key) {
    const auto [it, fresh] = states_.try_emplace(key, 0);
    if (!fresh) return it->second;
    const StateId state = it->second = g_.Forward();
    if (g_.too_large()) return state;  // and refused
    std::vector<Edge> edges;
    const size_t most = multiple_ ? static_cast<size_t>(multiple_->decimals) : kDigits;
    for (char c = '0'; c <= '9' && key.at < most && length_ + key.at < kDigits; ++c) {
      Key to{key.at + 1, key.free_low, key.free_high, Rest(key, c - '0'), true};
      if (!Compare(key, c, low_ ? low_->fraction : "", high_ ? high_->fraction : "", to)) continue;
      const StateId more = Fraction(to);
      const StateId after = MayEnd(to) ? g_.Split({next_, more}) : more;
      edges.push_back({static_cast<uint8_t>(c), static_cast<uint8_t>(c), after});
    }
    g_.FillBytes(state, std::move(edges));
    return state;
  }

  // False where the digit leaves the range.
  static bool Compare(const Key& key, char c, const std::string& low, const std::string& high, Key& to) {
    if (!key.free_low) {
      if (c < Digit(low, key.at)) return false;
      to.free_low = c > Digit(low, key.at);
    }
    if (!key.free_high) {
      if (c > Digit(high, key.at)) return false;
      to.free_high = c < Digit(high, key.at);
    }
    return true;
  }

  int64_t Rest(const Key& key, int digit) const {
    return multiple_ ? (key.rest * 10 + digit) % multiple_->units : 0;
  }

  // Whether the number may end after `key.at` digits of its fraction.
  bool MayEnd(const Key& key) const {
    if (multiple_ && AfterZeros(key.rest, static_cast<size_t>(multiple_->decimals) - key.at,
                                multiple_->units) != 0) {
      return false;
    }
    if (!key.free_low && (!ZeroFrom(low_->fraction, key.at) || low_->exclusive)) return false;
    const bool equal_high = !key.free_high && ZeroFrom(high_->fraction, key.at);
    return !(equal_high && high_->exclusive);
  }

  Grammar& g_;
  std::optional<Decimal> low_, high_;
  bool whole_;
  std::optional<Multiple> multiple_;
  StateId next_;
  size_t length_ = 0;
  std::map<Key, StateId> states_;
};

// The whole numbers that a bound leaves.
std::optional<Bound> Rounded(std::optional<Bound> bound, bool up) {
  if (!bound) return bound;
  const double edge = up ? std::ceil(bound->value) : std::floor(bound->value);
  const bool next = edge == bound->value && bound->exclusive;
  return Bound{edge + (next ? (up ? 1 : -1) : 0), false};
}

}  // namespace

std::optional<Multiple> MultipleFrom(const boost::json::value& number) {
  if (!number.is_number() || !(number.to_number<double>() > 0)) return std::nullopt;
  const Digits digits = DigitsOf(number);
  const size_t first = digits.digits.find_first_not_of('0');
  if (first == std::string::npos || digits.digits.size() - first > kDigits || digits.decimals > kDigits) {
    return std::nullopt;
  }
  Multiple out{0, static_cast<int>(digits.decimals)};
  for (const char digit : digits.digits) out.units = out.units * 10 + (digit - '0');
  return out;
}

std::optional<Multiple> Common(const Multiple& a, const Multiple& b) {
  Multiple out{0, std::max(a.decimals, b.decimals)};
  const auto scaled = [&](const Multiple& one) -> int64_t {
    const int64_t factor = PowerOfTen(out.decimals - one.decimals);
    return one.units > kMostUnits / factor ? 0 : one.units * factor;
  };
  const int64_t left = scaled(a), right = scaled(b);
  if (left == 0 || right == 0) return std::nullopt;
  const int64_t part = left / std::gcd(left, right);
  if (part > kMostUnits / right) return std::nullopt;
  out.units = part * right;
  for (; out.decimals > 0 && out.units % 10 == 0; --out.decimals) out.units /= 10;
  return out;
}

bool IsMultiple(const boost::json::value& number, const Multiple& of) {
  const Digits digits = DigitsOf(number);
  const auto decimals = static_cast<size_t>(of.decimals);
  if (digits.decimals > decimals) return false;
  int64_t rest = 0;
  for (const char digit : digits.digits) rest = (rest * 10 + (digit - '0')) % of.units;
  return AfterZeros(rest, decimals - digits.decimals, of.units) == 0;
}

Result<StateId> NumberIn(Grammar& g, const NumberRange& range, StateId next) {
  std::optional<Bound> low = range.whole ? Rounded(range.low, true) : range.low;
  std::optional<Bound> high = range.whole ? Rounded(range.high, false) : range.high;
  // A bound that no number of 15 digits can reach bounds nothing.
  if (low && low->value <= -kBeyond) low.reset();
  if (high && high->value >= kBeyond) high.reset();
  const auto reading = [&](std::optional<Bound> from, std::optional<Bound> to) -> Result<StateId> {
    std::optional<Decimal> a, b;
    if (from) {
      BOOST_OUTCOME_TRY(a, ToDecimal(*from, true));
    }
    if (to) {
      BOOST_OUTCOME_TRY(b, ToDecimal(*to, false));
    }
    return Reading(g, std::move(a), std::move(b), range.whole, range.multiple_of, next).Build();
  };
  const Bound zero{0, false};
  std::vector<StateId> options;
  if (!high || high->value > 0 || (high->value == 0 && !high->exclusive)) {
    BOOST_OUTCOME_TRY(const StateId positive, reading(low && low->value >= 0 ? low : zero, high));
    options.push_back(positive);
  }
  if (!low || low->value < 0) {
    const auto mirrored = [](const Bound& bound) { return Bound{-bound.value, bound.exclusive}; };
    std::optional<Bound> from = Bound{0, true};  // not -0
    if (range.whole) from = Bound{1, false};
    if (high && high->value < 0) from = mirrored(*high);
    std::optional<Bound> to;
    if (low) to = mirrored(*low);
    BOOST_OUTCOME_TRY(const StateId negative, reading(from, to));
    options.push_back(g.Literal("-", negative));
  }
  return g.Split(std::move(options));
}

}  // namespace portcullis::inference::grammar
