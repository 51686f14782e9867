#include "inference/sample/grammar/token_trie.h"

#include <algorithm>
#include <array>

namespace portcullis::inference::grammar {

TokenTrie::TokenTrie(const Vocab& vocab) : vocab_size_(vocab.size()) {
  for (size_t i = 0; i < vocab.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const TokenKind kind = vocab.Kind(id);
    const bool text = kind == TokenKind::kNormal || kind == TokenKind::kByte;
    if (text && !vocab.Bytes(id).empty() && vocab.Bytes(id).size() <= kMaxTokenBytes) {
      ids_.push_back(id);
    }
  }
  std::sort(ids_.begin(), ids_.end(), [&](TokenId a, TokenId b) {
    const int order = vocab.Bytes(a).compare(vocab.Bytes(b));
    return order != 0 ? order < 0 : a < b;
  });
  nodes_.push_back({0, 0, 0, 0, 0});
  std::array<uint32_t, kMaxTokenBytes + 1> path{};  // node by depth
  size_t depth = 0;
  const auto close_to = [&](size_t wanted) {
    for (; depth > wanted; --depth) nodes_[path[depth]].skip = static_cast<uint32_t>(nodes_.size());
  };
  std::string_view last;
  for (size_t i = 0; i < ids_.size(); ++i) {
    const std::string_view bytes = vocab.Bytes(ids_[i]);
    const auto split = std::mismatch(last.begin(), last.end(), bytes.begin(), bytes.end());
    close_to(static_cast<size_t>(split.first - last.begin()));
    while (depth < bytes.size()) {
      const auto byte = static_cast<uint8_t>(bytes[depth]);
      path[++depth] = static_cast<uint32_t>(nodes_.size());
      nodes_.push_back({0, static_cast<uint32_t>(i), 0, static_cast<uint8_t>(depth), byte});
    }
    ++nodes_[path[depth]].tokens;
    last = bytes;
  }
  close_to(0);
  nodes_[0].skip = static_cast<uint32_t>(nodes_.size());
}

}  // namespace portcullis::inference::grammar
