// Text to token ids and back: start reading the tokenizer here. Two kinds of vocabulary are served
// by one pipeline, normalise → pre-tokenise → merge: byte-level BPE (DeepSeek, Llama 3, Qwen) and
// SentencePiece-like BPE with byte fallback (Llama 2). Immutable once built, thread-safe.
// A user's text is encoded with Specials::kAsText, always: then no control token can come out of
// it, whatever it says. tokenizer.json: Hugging Face tokenizers 0.21; GGUF: ggml's docs/gguf.md.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inference/error.h"
#include "inference/tokenizer/bpe.h"
#include "inference/tokenizer/normalize.h"
#include "inference/tokenizer/pretokenize.h"
#include "inference/tokenizer/vocab.h"

namespace portcullis::inference {

namespace gguf {
class File;
}

enum class Specials {
  kAsText,  // added tokens are ordinary text
  kParse,   // trusted text: a template's own words, an operator's command line
};

class Tokenizer {
 public:
  struct Parts {
    Vocab vocab;
    Bpe bpe;
    Normalizer normalizer;
    Pretokenizer pretokenizer;
    bool strip_first_space = false;  // the decoder takes back the space put in front
    bool add_bos = false;
    TokenId bos = kNoToken;
    std::vector<TokenId> ends;  // any of these ends a generation
    std::string chat_template;  // Jinja source as found in the files; empty: none
  };

  // `config`, `generation` and `model_config` are the texts of tokenizer_config.json,
  // generation_config.json and config.json; empty where the file is missing.
  struct JsonFiles {
    std::string_view tokenizer, config, generation, model_config;
  };
  static Result<std::unique_ptr<Tokenizer>> FromJson(const JsonFiles& files);
  static Result<std::unique_ptr<Tokenizer>> FromFolder(const std::filesystem::path& folder);
  static Result<std::unique_ptr<Tokenizer>> FromGguf(const gguf::File& file);

  // Appends the ids of `text` to `out`; adds no begin-of-sentence token. Bad UTF-8 is refused.
  // `at_start`: nothing stands before it, for vocabularies that put a space in front of all.
  Result<void> Encode(std::string_view text, Specials specials, std::vector<TokenId>& out,
                      bool at_start = true) const;

  size_t size() const { return parts_.vocab.size(); }
  const Vocab& vocab() const { return parts_.vocab; }
  TokenId bos() const { return parts_.bos; }
  bool add_bos() const { return parts_.add_bos && parts_.bos != kNoToken; }
  bool IsEnd(TokenId id) const;
  const std::vector<TokenId>& ends() const { return parts_.ends; }
  // The added or special token with this exact text, else kNoToken.
  TokenId Control(std::string_view content) const { return parts_.vocab.FindAdded(content); }
  const std::string& chat_template() const { return parts_.chat_template; }
  bool strip_first_space() const { return parts_.strip_first_space; }

  // A piece of trusted text: an added token, or (id == kNoToken) the text between.
  struct Section {
    TokenId id = kNoToken;
    std::string_view text;
  };
  std::vector<Section> FindControls(std::string_view text, bool normalized) const;

 private:
  explicit Tokenizer(Parts parts);
  static bool KeepsWordsApart(const Parts& parts);
  class Encoding;
  Result<void> EncodeSection(std::string_view text, bool first, Specials specials,
                             Encoding& encoding) const;

  Parts parts_;
  bool words_apart_;
  std::vector<std::vector<size_t>> added_by_byte_;  // indexes into added(), longest first
};

// Turns a stream of ids into text. Never gives half a character: bytes that may become one are held
// back; bytes that cannot are U+FFFD. Special tokens are hidden. Not thread-safe.
class Detokenizer {
 public:
  // `at_start`: nothing stands before the first token, so a space put there by the encoder goes.
  Detokenizer(const Tokenizer& tokenizer, bool at_start);  // `tokenizer` must outlive this

  std::string Push(TokenId id);
  std::string Finish();  // what is still held back

 private:
  const Tokenizer& tokenizer_;
  std::string held_;
  bool strip_space_ = false;
};

}  // namespace portcullis::inference
