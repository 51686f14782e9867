// Memory for keys and values in pages of kKvBlock positions of all layers. A page belongs to one or
// more sequences and is counted; it is free again when the last one lets go. With a budget all
// pages are reserved as address space at once and taken from the machine when first written;
// without, they are reserved in larger pieces as needed and never given back before the end.
// For one thread at a time, as the model that owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace portcullis::inference {

struct Page {
  std::byte* data = nullptr;
  int64_t references = 0;
};

class PagePool {
 public:
  PagePool() = default;
  PagePool(PagePool&&) = delete;
  ~PagePool();

  // Called once. `budget` 0: none. False: the address space is too small, or the budget less than
  // a page.
  bool Initialize(int64_t page_bytes, int64_t budget);

  int64_t page_bytes() const { return page_bytes_; }
  // The largest number where there is no budget.
  int64_t total_pages() const;
  int64_t free_pages() const;

  // Appends `count` pages with one reference each to `pages`: all or, where too few are free, none.
  bool Take(int64_t count, std::vector<Page*>& pages);
  void Share(Page* page) { ++page->references; }
  void Release(Page* page);

 private:
  struct Arena {
    std::byte* data;
    size_t bytes;
  };
  bool AddArena(int64_t pages);

  int64_t page_bytes_ = 0;
  bool budgeted_ = false;
  std::vector<Arena> arenas_;
  std::deque<Page> pages_;
  std::vector<Page*> free_;
};

}  // namespace portcullis::inference
