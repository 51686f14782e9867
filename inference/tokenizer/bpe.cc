// The symbols of a piece form a doubly linked list in an array. A heap holds every adjacent pair
// that can merge, ordered by (priority, position). Popping a pair whose symbols have changed since
// is recognised by comparing ids, so nothing is ever removed from the middle of the heap. A merge
// joins the right symbol into the left one and offers the two new neighbours to the heap: each
// merge costs O(log n) and there are fewer merges than symbols. Short pieces, nearly all of them,
// are merged by scanning instead, which is faster than a heap up to some twenty symbols.
#include "inference/tokenizer/bpe.h"

#include <algorithm>
#include <queue>

#include "inference/tokenizer/utf8.h"

namespace portcullis::inference {
namespace {

constexpr size_t kScanLimit = 20;

uint64_t Key(TokenId left, TokenId right) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) | static_cast<uint32_t>(right);
}

struct Candidate {
  uint32_t priority;
  uint32_t position;
  TokenId left, right, merged;
  bool operator<(const Candidate& other) const {  // std::priority_queue wants the worst first
    return priority != other.priority ? priority > other.priority : position > other.position;
  }
};

struct Node {
  TokenId id;
  uint32_t previous, next;
};

constexpr uint32_t kEnd = UINT32_MAX;

}  // namespace

void Bpe::AddMerge(TokenId left, TokenId right, uint32_t priority, TokenId merged) {
  const auto [it, fresh] = merges_.try_emplace(Key(left, right), Merge{priority, merged});
  if (!fresh && priority < it->second.priority) it->second = Merge{priority, merged};
}

void Bpe::MergesFromScores(const Vocab& vocab, const std::vector<float>& scores) {
  std::vector<float> ladder = scores;
  std::sort(ladder.begin(), ladder.end(), std::greater<>());
  ladder.erase(std::unique(ladder.begin(), ladder.end()), ladder.end());
  for (size_t i = 0; i < vocab.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (vocab.Kind(id) != TokenKind::kNormal) continue;
    const std::string_view text = vocab.Bytes(id);
    const auto place = std::lower_bound(ladder.begin(), ladder.end(), scores[i], std::greater<>());
    const auto priority = static_cast<uint32_t>(place - ladder.begin());
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const TokenId left = vocab.FindNormal(text.substr(0, cut));
      const TokenId right = left == kNoToken ? kNoToken : vocab.FindNormal(text.substr(cut));
      if (right != kNoToken) AddMerge(left, right, priority, id);
    }
  }
}

const Bpe::Merge* Bpe::Lookup(TokenId left, TokenId right) const {
  const auto it = merges_.find(Key(left, right));
  return it == merges_.end() ? nullptr : &it->second;
}

void Bpe::Symbols(const Vocab& vocab, std::string_view piece, std::vector<TokenId>& out) const {
  const auto bytes = [&](std::string_view part) {
    for (const char c : part) {
      const TokenId id = start == Start::kBytes ? vocab.FindNormal(std::string_view(&c, 1))
                                                : vocab.ByteToken(static_cast<uint8_t>(c));
      if (id != kNoToken) {
        out.push_back(id);
      } else if (unknown != kNoToken && (out.empty() || out.back() != unknown)) {
        out.push_back(unknown);
      }
    }
  };
  if (start == Start::kBytes) return bytes(piece);
  while (!piece.empty()) {
    const std::string_view character = piece.substr(0, std::max<size_t>(1, CharacterLength(piece)));
    const TokenId id = vocab.FindNormal(character);
    if (id != kNoToken) {
      out.push_back(id);
    } else {
      bytes(character);
    }
    piece.remove_prefix(character.size());
  }
}

void Bpe::Encode(const Vocab& vocab, std::string_view piece, std::vector<TokenId>& out) const {
  if (whole_piece_first) {
    const TokenId whole = vocab.FindNormal(piece);
    if (whole != kNoToken) {
      out.push_back(whole);
      return;
    }
  }
  const size_t base = out.size();
  Symbols(vocab, piece, out);
  if (out.size() - base < 2) return;

  if (out.size() - base <= kScanLimit) {
    for (;;) {
      const Merge* best = nullptr;
      size_t at = 0;
      for (size_t i = base; i + 1 < out.size(); ++i) {
        const Merge* merge = Lookup(out[i], out[i + 1]);
        if (merge != nullptr && (best == nullptr || merge->priority < best->priority)) {
          best = merge;
          at = i;
        }
      }
      if (best == nullptr) return;
      out[at] = best->merged;
      out.erase(out.begin() + static_cast<ptrdiff_t>(at) + 1);
    }
  }

  std::vector<Node> nodes;
  nodes.reserve(out.size() - base);
  for (size_t i = base; i < out.size(); ++i) {
    const auto n = static_cast<uint32_t>(i - base);
    nodes.push_back({out[i], n == 0 ? kEnd : n - 1, i + 1 == out.size() ? kEnd : n + 1});
  }
  out.resize(base);
  std::vector<Candidate> storage;
  storage.reserve(nodes.size() * 2);
  std::priority_queue<Candidate> heap(std::less<Candidate>(), std::move(storage));
  const auto offer = [&](uint32_t left) {
    if (left == kEnd || nodes[left].next == kEnd) return;
    const TokenId right = nodes[nodes[left].next].id;
    if (const Merge* merge = Lookup(nodes[left].id, right)) {
      heap.push({merge->priority, left, nodes[left].id, right, merge->merged});
    }
  };
  for (uint32_t i = 0; i + 1 < nodes.size(); ++i) offer(i);
  while (!heap.empty()) {
    const Candidate top = heap.top();
    heap.pop();
    Node& left = nodes[top.position];
    if (left.id != top.left || left.next == kEnd || nodes[left.next].id != top.right) continue;
    const uint32_t gone = left.next;
    left.id = top.merged;
    left.next = nodes[gone].next;
    if (left.next != kEnd) nodes[left.next].previous = top.position;
    nodes[gone].id = kNoToken;
    offer(left.previous);
    offer(top.position);
  }
  for (uint32_t i = 0; i != kEnd; i = nodes[i].next) out.push_back(nodes[i].id);
}

}  // namespace portcullis::inference
