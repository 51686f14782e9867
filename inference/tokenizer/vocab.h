// The vocabulary: what bytes each token id stands for, and which ids are control-like (they steer
// the model and must never come out of a user's text). Built once by the readers of tokenizer.json
// and GGUF, then immutable and thread-safe.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inference/error.h"

namespace portcullis::inference {

using TokenId = int32_t;
inline constexpr TokenId kNoToken = -1;

enum class TokenKind : uint8_t {
  kNormal,   // made by merges
  kByte,     // one byte, by fallback
  kAdded,    // added by the model's makers and shown when decoded (a tool or thinking marker)
  kSpecial,  // added and hidden when decoded (begin and end of text, ...)
  kUnused,
};

class Vocab {
 public:
  // How to match an added token in trusted text.
  struct Added {
    TokenId id = kNoToken;
    std::string content;
    bool normalized = false;  // matched after normalisation
    bool strip_left = false;  // swallows white space before it
    bool strip_right = false;
  };

  // Ids may come in any order; holes are unused. Fails on a repeated text or an id out of range.
  Result<void> Set(TokenId id, std::string bytes, TokenKind kind);
  Result<void> AddAdded(Added added, bool special);
  // Fills the indexes. Call once, after the last Set.
  Result<void> Finish();

  size_t size() const { return bytes_.size(); }
  bool Has(TokenId id) const { return id >= 0 && static_cast<size_t>(id) < bytes_.size(); }
  std::string_view Bytes(TokenId id) const { return bytes_[static_cast<size_t>(id)]; }
  TokenKind Kind(TokenId id) const { return kinds_[static_cast<size_t>(id)]; }
  // Not to come out of untrusted text.
  bool IsControl(TokenId id) const {
    return Kind(id) == TokenKind::kAdded || Kind(id) == TokenKind::kSpecial;
  }

  TokenId FindNormal(std::string_view bytes) const;
  TokenId FindAdded(std::string_view content) const;
  TokenId ByteToken(uint8_t byte) const { return byte_tokens_[byte]; }
  const std::vector<Added>& added() const { return added_; }

 private:
  std::vector<std::string> bytes_;
  std::vector<TokenKind> kinds_;
  std::vector<Added> added_;
  boost::unordered_flat_map<std::string_view, TokenId> normal_;
  boost::unordered_flat_map<std::string_view, TokenId> added_index_;
  std::vector<TokenId> byte_tokens_ = std::vector<TokenId>(256, kNoToken);
};

}  // namespace portcullis::inference
