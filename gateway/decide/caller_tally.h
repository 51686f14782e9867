// What a revision did to its callers, one voice each: the share of refusals is taken of every
// caller's own calls and then averaged, so that nobody moves it further by calling more often. The
// share that counts against a revision is the one that is left when any one caller, and any one
// tenant where there are several, is not heard: those whom a policy was made against must not be
// able to end it.
// Threading: Count() is lock-free, from any core; Read() from any thread, exact once calls rest.
// Memory is fixed: callers who find no place among kCallers are not heard. Failure: none.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace portcullis::gateway {

class CallerTally {
 public:
  static constexpr size_t kCallers = 4096;

  struct Share {
    double percent = 0;          // averaged over callers
    double without_any_one = 0;  // the lowest that is left without one caller, or one tenant
  };
  struct Result {
    uint64_t calls = 0;
    uint64_t callers = 0;
    Share refused;
    Share errored;
  };

  CallerTally();

  void Count(std::string_view tenant, std::string_view caller, bool refused, bool errored);
  Result Read() const;

 private:
  struct Voice {
    std::atomic<uint64_t> caller{0};  // hash; 0: free
    std::atomic<uint64_t> tenant{0};
    std::atomic<uint32_t> decided{0};
    std::atomic<uint32_t> refused{0};
    std::atomic<uint32_t> errored{0};
  };

  Voice* FindOrAdd(uint64_t caller);

  const std::unique_ptr<std::array<Voice, kCallers>> voices_;
};

}  // namespace portcullis::gateway
