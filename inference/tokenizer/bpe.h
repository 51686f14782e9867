// Byte-pair encoding: merges the symbols of one piece, best pair first, until no pair is left that
// the table knows. One core serves both kinds of vocabulary: byte-level (a symbol starts as a byte)
// and SentencePiece-like (a symbol starts as a character, unknown ones fall back to their bytes).
// O(n log n) in the piece's length. Immutable after building, thread-safe.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string_view>
#include <vector>

#include "inference/tokenizer/vocab.h"

namespace portcullis::inference {

class Bpe {
 public:
  enum class Start { kBytes, kCharacters };

  Start start = Start::kBytes;
  bool whole_piece_first = false;  // "ignore_merges": a piece that is a token needs no merging
  TokenId unknown = kNoToken;      // for characters without token and without byte tokens

  // The pair (left, right) becomes `merged`; lower priority values merge first, ties leftmost.
  void AddMerge(TokenId left, TokenId right, uint32_t priority, TokenId merged);
  // Derives the table from scores: any two tokens whose texts together are a token may merge, the
  // highest score first.
  void MergesFromScores(const Vocab& vocab, const std::vector<float>& scores);

  void Encode(const Vocab& vocab, std::string_view piece, std::vector<TokenId>& out) const;
  size_t merges() const { return merges_.size(); }

 private:
  struct Merge {
    uint32_t priority = 0;
    TokenId merged = kNoToken;
  };
  void Symbols(const Vocab& vocab, std::string_view piece, std::vector<TokenId>& out) const;
  const Merge* Lookup(TokenId left, TokenId right) const;

  boost::unordered_flat_map<uint64_t, Merge> merges_;
};

}  // namespace portcullis::inference
