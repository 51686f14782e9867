#include "inference/tokenizer/vocab.h"

#include <utility>

namespace portcullis::inference {
namespace {

constexpr TokenId kMaxTokens = 4 * 1024 * 1024;
constexpr size_t kMaxTokenBytes = 4096;
constexpr size_t kMaxAdded = 16 * 1024;

template <class Map>
TokenId Find(const Map& map, std::string_view key) {
  const auto it = map.find(key);
  return it == map.end() ? kNoToken : it->second;
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

Result<void> Vocab::Set(TokenId id, std::string bytes, TokenKind kind) {
  if (id < 0 || id >= kMaxTokens) {
    return Error{Code::kBadTokenizer,
                 "tokenizer: token id " + std::to_string(id) + " is outside 0 to 4194303"};
  }
  if (bytes.size() > kMaxTokenBytes) {
    return Error{Code::kBadTokenizer,
                 "tokenizer: token " + std::to_string(id) + " is longer than 4096 bytes"};
  }
  const auto index = static_cast<size_t>(id);
  if (index >= bytes_.size()) {
    bytes_.resize(index + 1);
    kinds_.resize(index + 1, TokenKind::kUnused);
  }
  bytes_[index] = std::move(bytes);
  kinds_[index] = kind;
  return boost::outcome_v2::success();
}

Result<void> Vocab::AddAdded(Added added, bool special) {
  if (added.content.empty() || added_.size() == kMaxAdded) {
    return Error{Code::kBadTokenizer,
                 "tokenizer: an added token is empty, or there are more than 16384 of them"};
  }
  // A run of blanks steers nothing; it may come out of any text.
  const TokenKind kind = special                  ? TokenKind::kSpecial
                         : IsBlank(added.content) ? TokenKind::kNormal
                                                  : TokenKind::kAdded;
  BOOST_OUTCOME_TRY(Set(added.id, added.content, kind));
  added_.push_back(std::move(added));
  return boost::outcome_v2::success();
}

Result<void> Vocab::Finish() {
  for (size_t i = 0; i < bytes_.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (kinds_[i] == TokenKind::kByte) {
      byte_tokens_[static_cast<uint8_t>(bytes_[i][0])] = id;
    } else if (kinds_[i] == TokenKind::kNormal && !bytes_[i].empty()) {
      normal_.emplace(bytes_[i], id);
    }
  }
  for (const Added& added : added_) added_index_.emplace(added.content, added.id);
  if (bytes_.empty()) return Error{Code::kBadTokenizer, "tokenizer: the vocabulary is empty"};
  return boost::outcome_v2::success();
}

TokenId Vocab::FindNormal(std::string_view bytes) const { return Find(normal_, bytes); }
TokenId Vocab::FindAdded(std::string_view content) const { return Find(added_index_, content); }

}  // namespace portcullis::inference
