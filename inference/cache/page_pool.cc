#include "inference/cache/page_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <limits>

namespace portcullis::inference {
namespace {

constexpr int64_t kMachinePage = 4096;
constexpr int64_t kArenaBytes = 64 << 20;
constexpr int64_t kEndless = std::numeric_limits<int64_t>::max();

}  // namespace

PagePool::~PagePool() {
  for (const auto& arena : arenas_) munmap(arena.data, arena.bytes);
}

bool PagePool::Initialize(int64_t page_bytes, int64_t budget) {
  page_bytes_ = (page_bytes + kMachinePage - 1) / kMachinePage * kMachinePage;
  budgeted_ = budget > 0;
  return !budgeted_ || (budget >= page_bytes_ && AddArena(budget / page_bytes_));
}

int64_t PagePool::total_pages() const {
  return budgeted_ ? static_cast<int64_t>(pages_.size()) : kEndless;
}

int64_t PagePool::free_pages() const {
  return budgeted_ ? static_cast<int64_t>(free_.size()) : kEndless;
}

bool PagePool::AddArena(int64_t pages) {
  const auto bytes = static_cast<size_t>(pages * page_bytes_);
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return false;
  madvise(data, bytes, MADV_HUGEPAGE);
  arenas_.push_back({static_cast<std::byte*>(data), bytes});
  // The last is taken first, so that the beginning of the arena is used first.
  for (int64_t i = 0; i < pages; ++i) {
    pages_.push_back({arenas_.back().data + i * page_bytes_, 0});
  }
  for (int64_t i = 0; i < pages; ++i) {
    free_.push_back(&pages_[pages_.size() - 1 - static_cast<size_t>(i)]);
  }
  return true;
}

bool PagePool::Take(int64_t count, std::vector<Page*>& pages) {
  const int64_t missing = count - static_cast<int64_t>(free_.size());
  if (missing > 0) {
    if (budgeted_ || missing > kEndless / 2 / page_bytes_) return false;
    if (!AddArena(std::max(missing, kArenaBytes / page_bytes_))) return false;
  }
  for (int64_t i = 0; i < count; ++i) {
    free_.back()->references = 1;
    pages.push_back(free_.back());
    free_.pop_back();
  }
  return true;
}

void PagePool::Release(Page* page) {
  if (--page->references == 0) free_.push_back(page);
}

}  // namespace portcullis::inference
