// A sequence as a list of pages. Pages that another sequence refers to as well are never written:
// the one that has to be is copied first. Threading as in model.h.
#pragma once

#include <cstdint>
#include <vector>

#include "inference/arch/model.h"
#include "inference/cache/page_pool.h"

namespace portcullis::inference {

// Final hidden states of the last positions computed, for a model that drafts.
struct RecentStates {
  int64_t first = 0;            // position
  int64_t count = 0;
  std::vector<float> hidden;    // [count][hidden size]

  // Null where that position's is not there.
  const float* At(int64_t position, int64_t hidden_size) const {
    if (position < first || position >= first + count) return nullptr;
    return hidden.data() + (position - first) * hidden_size;
  }
};

class KvSequence final : public Sequence {
 public:
  // `owner` is the model, `pool` its pool; `context` is the most tokens a sequence may have.
  KvSequence(const void* owner, PagePool& pool, int64_t context)
      : owner_(owner), pool_(pool), context_(context) {}
  ~KvSequence() override;

  int64_t length() const override { return length_; }
  int64_t capacity() const override;
  void Truncate(int64_t length) override;
  bool Reserve(int64_t tokens) override;
  bool Adopt(const Sequence& other, int64_t tokens) override;

  const void* owner() const { return owner_; }
  // Makes the page of the next position its own; false: no page is free for the copy.
  bool MakeWritable();
  // Whether the page of a position is there and belongs to this sequence alone.
  bool Writable(int64_t position) const;
  void Advance(int64_t tokens) { length_ += tokens; }
  RecentStates& recent() { return recent_; }
  // The pages' memory in order, for as long as neither of the functions above is called.
  std::byte* const* blocks() const { return blocks_.data(); }

 private:
  void Append(Page* page);
  void ShrinkTo(int64_t pages);

  const void* owner_;
  PagePool& pool_;
  int64_t context_;
  int64_t length_ = 0;
  std::vector<Page*> pages_;
  std::vector<std::byte*> blocks_;  // their data
  RecentStates recent_;
};

}  // namespace portcullis::inference
