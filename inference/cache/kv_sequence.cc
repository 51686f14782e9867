#include "inference/cache/kv_sequence.h"

#include <algorithm>
#include <cstring>

#include "inference/ops/kv_block.h"

namespace portcullis::inference {
namespace {

int64_t PagesFor(int64_t tokens) { return (tokens + kKvBlock - 1) / kKvBlock; }

}  // namespace

KvSequence::~KvSequence() { ShrinkTo(0); }

int64_t KvSequence::capacity() const {
  return std::min(static_cast<int64_t>(pages_.size()) * kKvBlock, context_);
}

void KvSequence::Truncate(int64_t length) {
  if (length >= length_) return;
  length_ = std::max<int64_t>(length, 0);
  ShrinkTo(PagesFor(length_));
  recent_.count = std::clamp<int64_t>(length_ - recent_.first, 0, recent_.count);
}

bool KvSequence::Reserve(int64_t tokens) {
  if (tokens > context_) return false;
  const int64_t missing = PagesFor(tokens) - static_cast<int64_t>(pages_.size());
  const bool copies = length_ < capacity() && tokens > length_ &&
                      pages_[static_cast<size_t>(length_ / kKvBlock)]->references > 1;
  if (std::max<int64_t>(missing, 0) + (copies ? 1 : 0) > pool_.free_pages()) return false;
  if (missing > 0) {
    std::vector<Page*> taken;
    if (!pool_.Take(missing, taken)) return false;
    for (Page* page : taken) Append(page);
  }
  return !copies || MakeWritable();
}

bool KvSequence::MakeWritable() {
  const auto index = static_cast<size_t>(length_ / kKvBlock);
  if (index >= pages_.size() || pages_[index]->references == 1) return true;
  std::vector<Page*> taken;
  if (!pool_.Take(1, taken)) return false;
  std::memcpy(taken[0]->data, pages_[index]->data, static_cast<size_t>(pool_.page_bytes()));
  pool_.Release(pages_[index]);
  pages_[index] = taken[0];
  blocks_[index] = taken[0]->data;
  return true;
}

bool KvSequence::Writable(int64_t position) const {
  const auto index = static_cast<size_t>(position / kKvBlock);
  return index < pages_.size() && pages_[index]->references == 1;
}

bool KvSequence::Adopt(const Sequence& other, int64_t tokens) {
  const auto* source = dynamic_cast<const KvSequence*>(&other);
  if (length_ != 0 || source == nullptr || source == this || source->owner_ != owner_ ||
      tokens < 0 || tokens > source->length_) {
    return false;
  }
  const int64_t whole = tokens / kKvBlock;
  const int64_t rest = tokens % kKvBlock;
  std::vector<Page*> last;
  if (rest > 0 && !pool_.Take(1, last)) return false;
  ShrinkTo(0);
  for (int64_t i = 0; i < whole; ++i) {
    Page* page = source->pages_[static_cast<size_t>(i)];
    pool_.Share(page);
    Append(page);
  }
  if (rest > 0) {
    std::memcpy(last[0]->data, source->pages_[static_cast<size_t>(whole)]->data,
                static_cast<size_t>(pool_.page_bytes()));
    Append(last[0]);
  }
  length_ = tokens;
  recent_.count = 0;
  return true;
}

void KvSequence::Append(Page* page) {
  pages_.push_back(page);
  blocks_.push_back(page->data);
}

void KvSequence::ShrinkTo(int64_t pages) {
  while (static_cast<int64_t>(pages_.size()) > pages) {
    pool_.Release(pages_.back());
    pages_.pop_back();
    blocks_.pop_back();
  }
}

}  // namespace portcullis::inference
