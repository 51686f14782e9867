// Deciding allocates nothing: counted with an operator new of our own, which is why this is a
// program by itself.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/policy/cedar_helpers.h"

namespace {
std::atomic<size_t> g_allocations{0};
}  // namespace

// Not inlined: seen beside each other, new and free() look like a mismatch to the compiler.
[[gnu::noinline]] void* operator new(size_t size) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace portcullis::policy::cedar {
namespace {

PolicySet ManyPolicies() {
  std::string text = R"(
    permit(principal in Group::"all", action == Action::"view", resource)
      when { principal has manager.name || context.n + 1 > 1 && principal.age * 2 < 100 }
      unless { context.r has x && context.r.x == "no" };
    permit(principal is User, action, resource is Photo)
      when { ip("10.1.2.3").isInRange(ip("10.0.0.0/8")) && context.ip.isInRange(ip("10.0.0.0/8")) };
    permit(principal, action, resource)
      when { principal in [User::"bob", principal.manager, Group::"staff"] };
    permit(principal, action, resource)
      when { [principal.age, 3, context.n].contains(1) && ["a", "b"].containsAny(["b", "c"]) };
    permit(principal, action, resource)
      when { context.now.offset(duration("1h")).toDate() > datetime("2020-01-01") &&
             decimal("1.5").lessThan(decimal("2.0")) && "portcullis" like "port*lis" &&
             principal.hasTag("dept") && principal.getTag("dept") == "ops" };
    forbid(principal, action, resource) when { principal is Robot in Group::"all" };
  )";
  for (int i = 0; i < 500; ++i) {
    text += "forbid(principal == User::\"u" + std::to_string(i) + "\", action, resource);\n";
  }
  return PolicySet::Parse(text, "many").value();
}

TEST(Allocation, DecidingAllocatesNothing) {
  const PolicySet policies = ManyPolicies();
  const Entities store = SmallStore();
  const EntityView view(store, nullptr);
  Request request = SmallRequest();
  request.context = Value::Record({{"n", Value::Long(1)},
                                   {"r", Value::Record({})},
                                   {"ip", Value::ParseIp("10.9.8.7").value()},
                                   {"now", Value::Datetime(1'772'355'600'000)}});
  const Question question = Question::Of(request);
  Decision decision;
  Decide(policies, view, question, decision);  // makes room for the reasons
  ASSERT_TRUE(decision.allow);
  ASSERT_EQ(decision.reasons.size(), 5u);
  ASSERT_TRUE(decision.errors.empty());

  const size_t before = g_allocations.load();
  for (int i = 0; i < 100; ++i) Decide(policies, view, question, decision);
  EXPECT_EQ(g_allocations.load() - before, 0u);
}

TEST(Allocation, TheCountIsReal) {
  const size_t before = g_allocations.load();
  const Value value = Value::String("a text of some length, which needs memory of its own");
  EXPECT_GT(g_allocations.load(), before);
  EXPECT_EQ(value.kind(), Kind::kString);
}

}  // namespace
}  // namespace portcullis::policy::cedar
