// Reads the vocabulary of a GGUF file: tokenizer.ggml.model "gpt2" (byte-level BPE, the splits
// named by tokenizer.ggml.pre) and "llama" (SentencePiece-like, with scores and byte fallback).
#include <algorithm>
#include <string>
#include <utility>

#include "inference/model/gguf.h"
#include "inference/tokenizer/byte_level.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {
namespace {

// tokenizer.ggml.token_type; the numbers are the file format's.
enum GgufTokenType : int64_t {
  kTypeNormal = 1,
  kTypeUnknown = 2,
  kTypeControl = 3,
  kTypeUserDefined = 4,
  kTypeUnused = 5,
  kTypeByte = 6,
};

constexpr std::string_view kMetaspace = "\u2581";

// Files written before the keys for the ends of a turn and a message existed do not name those.
constexpr std::string_view kEndTexts[] = {
    "<|eot_id|>",    "<|eom_id|>",    "<|im_end|>", "<|end_of_text|>",
    "<|endoftext|>", "<｜end▁of▁sentence｜>", "<|EOT|>"};

Error Bad(const std::string& what) { return Error{Code::kBadTokenizer, "gguf: " + what}; }

std::string SpacesForMetaspace(std::string_view text) {
  std::string out;
  for (;;) {
    const size_t at = text.find(kMetaspace);
    out.append(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    out.push_back(' ');
    text.remove_prefix(at + kMetaspace.size());
  }
}

Result<std::string> ByteOf(std::string_view token) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  if (token.size() == 6 && token.starts_with("<0x") && token[5] == '>' && digit(token[3]) >= 0 &&
      digit(token[4]) >= 0) {
    return std::string(1, static_cast<char>(digit(token[3]) * 16 + digit(token[4])));
  }
  return Bad("a byte token is not written <0xHH>");
}

Result<TokenId> IdOr(const gguf::File& file, std::string_view key, TokenId absent, size_t size) {
  if (!file.Has(key)) return absent;
  BOOST_OUTCOME_TRY(const int64_t id, file.Int(key));
  if (id < 0 || static_cast<uint64_t>(id) >= size) {
    return Bad("`" + std::string(key) + "` is outside the vocabulary");
  }
  return static_cast<TokenId>(id);
}

Result<bool> BoolOr(const gguf::File& file, std::string_view key, bool absent) {
  if (!file.Has(key)) return absent;
  return file.Bool(key);
}

Result<void> ReadTokens(const gguf::File& file, const std::vector<std::string_view>& tokens,
                        bool byte_level, Tokenizer::Parts& parts) {
  std::vector<int64_t> types;
  if (file.Has("tokenizer.ggml.token_type")) {
    BOOST_OUTCOME_TRY(types, file.Ints("tokenizer.ggml.token_type"));
    if (types.size() != tokens.size()) return Bad("token_type and tokens differ in length");
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const int64_t type = types.empty() ? kTypeNormal : types[i];
    std::string bytes(tokens[i]);
    TokenKind kind = TokenKind::kUnused;
    if (type == kTypeControl || type == kTypeUnknown || type == kTypeUserDefined) {
      Vocab::Added added;
      added.id = id;
      added.content = type == kTypeUserDefined && !byte_level ? SpacesForMetaspace(bytes) : bytes;
      if (added.content.empty()) return Bad("token " + std::to_string(i) + " is empty");
      BOOST_OUTCOME_TRY(parts.vocab.AddAdded(std::move(added), type != kTypeUserDefined));
      if (type == kTypeUnknown) parts.bpe.unknown = id;
      continue;
    }
    if (type == kTypeByte) {
      BOOST_OUTCOME_TRY(bytes, ByteOf(bytes));
      kind = TokenKind::kByte;
    } else if (type == kTypeNormal && byte_level) {
      auto raw = FromByteLevel(bytes);
      if (raw) {
        bytes = std::move(*raw);
        kind = TokenKind::kNormal;
      }
    } else if (type == kTypeNormal) {
      bytes = SpacesForMetaspace(bytes);
      kind = TokenKind::kNormal;
    }
    BOOST_OUTCOME_TRY(parts.vocab.Set(id, std::move(bytes), kind));
  }
  return parts.vocab.Finish();
}

Result<void> ReadByteLevel(const gguf::File& file, Tokenizer::Parts& parts) {
  BOOST_OUTCOME_TRY(const auto pre, file.String("tokenizer.ggml.pre"));
  BOOST_OUTCOME_TRY(parts.pretokenizer, PretokenizerByName(pre));
  if (pre == "qwen2") parts.normalizer.AddForm(UnicodeForm::kNfc);
  parts.bpe.whole_piece_first = pre == "llama-bpe" || pre == "llama-v3" || pre == "llama3";
  BOOST_OUTCOME_TRY(const auto merges, file.Strings("tokenizer.ggml.merges"));
  uint32_t rank = 0;
  for (const std::string_view merge : merges) {
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) return Bad("a merge is not two tokens");
    const auto left = FromByteLevel(merge.substr(0, space));
    const auto right = FromByteLevel(merge.substr(space + 1));
    if (!left || !right) return Bad("a merge is outside the byte alphabet");
    const TokenId ids[] = {parts.vocab.FindNormal(*left), parts.vocab.FindNormal(*right),
                           parts.vocab.FindNormal(*left + *right)};
    if (std::find(std::begin(ids), std::end(ids), kNoToken) == std::end(ids)) {
      parts.bpe.AddMerge(ids[0], ids[1], rank, ids[2]);
    }
    ++rank;
  }
  return boost::outcome_v2::success();
}

Result<void> ReadSentencePiece(const gguf::File& file, Tokenizer::Parts& parts) {
  BOOST_OUTCOME_TRY(const auto scores, file.Floats("tokenizer.ggml.scores"));
  if (scores.size() != parts.vocab.size()) return Bad("scores and tokens differ in length");
  if (!std::all_of(scores.begin(), scores.end(), [](float s) { return s == s; })) {
    return Bad("a score is not a number");
  }
  BOOST_OUTCOME_TRY(const bool prefix, BoolOr(file, "tokenizer.ggml.add_space_prefix", true));
  parts.normalizer.AddReplace(std::string(kMetaspace), " ");
  if (prefix) parts.normalizer.AddPrefix(" ", false, false);
  parts.strip_first_space = prefix;
  parts.bpe.start = Bpe::Start::kCharacters;
  parts.bpe.MergesFromScores(parts.vocab, scores);
  return boost::outcome_v2::success();
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromGguf(const gguf::File& file) {
  if (!file.Has("tokenizer.ggml.model")) {
    return Error{Code::kBadTokenizer, "gguf: the file has no vocabulary (tokenizer.ggml.model)"};
  }
  BOOST_OUTCOME_TRY(const auto kind, file.String("tokenizer.ggml.model"));
  const bool byte_level = kind == "gpt2";
  if (!byte_level && kind != "llama") {
    return Error{Code::kUnsupported, "gguf: vocabulary type `" + std::string(kind.substr(0, 80)) +
                                         "` is not supported; known are gpt2 and llama"};
  }
  BOOST_OUTCOME_TRY(const auto tokens, file.Strings("tokenizer.ggml.tokens"));
  Parts parts;
  BOOST_OUTCOME_TRY(ReadTokens(file, tokens, byte_level, parts));
  if (byte_level) {
    BOOST_OUTCOME_TRY(ReadByteLevel(file, parts));
  } else {
    BOOST_OUTCOME_TRY(ReadSentencePiece(file, parts));
  }
  const size_t size = tokens.size();
  BOOST_OUTCOME_TRY(parts.bos, IdOr(file, "tokenizer.ggml.bos_token_id", kNoToken, size));
  BOOST_OUTCOME_TRY(parts.add_bos, BoolOr(file, "tokenizer.ggml.add_bos_token",
                                          !byte_level || parts.bpe.whole_piece_first));
  for (const auto key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                         "tokenizer.ggml.eom_token_id"}) {
    BOOST_OUTCOME_TRY(const TokenId id, IdOr(file, key, kNoToken, size));
    if (id != kNoToken) parts.ends.push_back(id);
  }
  for (const std::string_view text : kEndTexts) {
    const TokenId id = parts.vocab.FindAdded(text);
    if (id != kNoToken && parts.vocab.Kind(id) == TokenKind::kSpecial) parts.ends.push_back(id);
  }
  if (file.Has("tokenizer.chat_template")) {
    BOOST_OUTCOME_TRY(const auto text, file.String("tokenizer.chat_template"));
    parts.chat_template = text;
  }
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(parts)));
}

}  // namespace portcullis::inference
