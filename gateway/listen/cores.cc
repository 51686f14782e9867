// Threads and their event loops.
#include "gateway/listen/cores.h"

#include <sched.h>

#include <algorithm>
#include <csignal>
#include <thread>

namespace portcullis::gateway {
namespace {

size_t AvailableProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return static_cast<size_t>(std::max(1, CPU_COUNT(&set)));
}

}  // namespace

Cores::Cores(size_t count) {
  const size_t wanted = count == 0 ? AvailableProcessors() : count;
  for (size_t i = 0; i < wanted; ++i) {
    contexts_.push_back(std::make_unique<boost::asio::io_context>(1));
  }
}

std::vector<boost::asio::io_context*> Cores::all() {
  std::vector<boost::asio::io_context*> result;
  for (const auto& context : contexts_) result.push_back(context.get());
  return result;
}

void Cores::RunOne(boost::asio::io_context& context) {
  const auto work = boost::asio::make_work_guard(context);
  while (!context.stopped()) {
    try {
      context.run();
    } catch (const std::exception&) {
      exceptions_.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

void Cores::Run() {
  std::vector<std::thread> threads;
  for (size_t i = 1; i < contexts_.size(); ++i) {
    threads.emplace_back([this, i] { RunOne(*contexts_[i]); });
  }
  RunOne(*contexts_[0]);
  for (std::thread& thread : threads) thread.join();
}

void Cores::Stop() {
  for (const auto& context : contexts_) context->stop();
}

}  // namespace portcullis::gateway
