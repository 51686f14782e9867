// The vocabulary as a tree of bytes, laid out in the order of a walk through it: a node's first
// child follows it, `skip` says where its subtree ends. Holds the tokens that ordinary text is made
// of; control tokens have no bytes here. Tokens of more than 32 bytes are left out: whatever they
// say can be said with shorter ones. Built once, immutable, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "inference/tokenizer/vocab.h"

namespace portcullis::inference::grammar {

class TokenTrie {
 public:
  static constexpr size_t kMaxTokenBytes = 32;
  struct Node {
    uint32_t skip;   // the first node after the subtree
    uint32_t token;  // index into ids(); the node's own tokens come first
    uint16_t tokens;
    uint8_t depth;  // bytes on the way here
    uint8_t byte;
  };

  explicit TokenTrie(const Vocab& vocab);

  std::span<const Node> nodes() const { return nodes_; }  // [0]: the root
  std::span<const TokenId> TokensOf(const Node& node) const {
    return std::span(ids_).subspan(node.token, node.tokens);
  }
  size_t vocab_size() const { return vocab_size_; }

 private:
  std::vector<Node> nodes_;
  std::vector<TokenId> ids_;
  size_t vocab_size_;
};

}  // namespace portcullis::inference::grammar
