#include "inference/tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "inference/tokenizer/utf8.h"

namespace portcullis::inference {
namespace {

constexpr size_t kMaxText = 64 * 1024 * 1024;
constexpr size_t kMaxCachedPiece = 48;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

// The state of one Encode call. The cache of words lives no longer than the call, so the time that
// one caller's text takes says nothing about another's.
class Tokenizer::Encoding {
 public:
  Encoding(const Tokenizer& tokenizer, std::vector<TokenId>& out)
      : parts_(tokenizer.parts_), words_apart_(tokenizer.words_apart_), out_(out) {}

  Result<void> Text(std::string_view text) {
    std::string spaced;
    if (parts_.pretokenizer.add_prefix_space && !text.empty() && !IsBlank(text.front())) {
      spaced = " " + std::string(text);
      text = spaced;
    }
    BOOST_OUTCOME_TRY(parts_.pretokenizer.Run(text, scratch_, pieces_));
    for (const std::string_view piece : pieces_) {
      if (words_apart_) {
        Words(piece);
      } else {
        Piece(piece);
      }
    }
    words_.clear();
    return boost::outcome_v2::success();
  }
  void Control(TokenId id) { out_.push_back(id); }

 private:
  struct Range {
    size_t begin, end;
  };

  // Cuts before each run of spaces, over which no merge reaches.
  void Words(std::string_view text) {
    size_t begin = 0;
    for (size_t i = 1; i < text.size(); ++i) {
      if (text[i] != ' ' || text[i - 1] == ' ') continue;
      Piece(text.substr(begin, i - begin));
      begin = i;
    }
    if (begin < text.size()) Piece(text.substr(begin));
  }

  void Piece(std::string_view piece) {
    if (piece.size() > kMaxCachedPiece) return parts_.bpe.Encode(parts_.vocab, piece, out_);
    const auto found = words_.find(piece);
    if (found != words_.end()) {
      for (size_t i = found->second.begin; i < found->second.end; ++i) out_.push_back(out_[i]);
      return;
    }
    const size_t begin = out_.size();
    parts_.bpe.Encode(parts_.vocab, piece, out_);
    words_.emplace(piece, Range{begin, out_.size()});
  }

  const Parts& parts_;
  const bool words_apart_;
  std::vector<TokenId>& out_;
  Regex::Scratch scratch_;
  std::vector<std::string_view> pieces_;
  boost::unordered_flat_map<std::string_view, Range> words_;  // keys are views of Text's argument
};

Tokenizer::Tokenizer(Parts parts)
    : parts_(std::move(parts)), words_apart_(KeepsWordsApart(parts_)), added_by_byte_(256) {
  const auto& added = parts_.vocab.added();
  for (size_t i = 0; i < added.size(); ++i) {
    added_by_byte_[static_cast<uint8_t>(added[i].content[0])].push_back(i);
  }
  for (auto& list : added_by_byte_) {
    std::stable_sort(list.begin(), list.end(), [&](size_t a, size_t b) {
      return added[a].content.size() > added[b].content.size();
    });
  }
}

// True where no token goes on behind a space that follows something else: then words can be encoded
// one by one, and each only once, though the vocabulary asks for no pre-tokenizer.
bool Tokenizer::KeepsWordsApart(const Parts& parts) {
  if (parts.bpe.start != Bpe::Start::kCharacters) return false;
  for (size_t i = 0; i < parts.vocab.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string_view bytes = parts.vocab.Bytes(id);
    const size_t word = bytes.find_first_not_of(' ');
    const bool text = parts.vocab.Kind(id) == TokenKind::kNormal && word != std::string_view::npos;
    if (text && bytes.find(' ', word) != std::string_view::npos) return false;
  }
  return true;
}

bool Tokenizer::IsEnd(TokenId id) const {
  return std::find(parts_.ends.begin(), parts_.ends.end(), id) != parts_.ends.end();
}

std::vector<Tokenizer::Section> Tokenizer::FindControls(std::string_view text,
                                                        bool normalized) const {
  std::vector<Section> sections;
  const auto& added = parts_.vocab.added();
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const Vocab::Added* match = nullptr;
    for (const size_t index : added_by_byte_[static_cast<uint8_t>(text[at])]) {
      const Vocab::Added& candidate = added[index];
      if (candidate.normalized == normalized && text.substr(at).starts_with(candidate.content)) {
        match = &candidate;
        break;
      }
    }
    if (match == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at;
    size_t end = at + match->content.size();
    while (match->strip_left && begin > done && IsBlank(text[begin - 1])) --begin;
    while (match->strip_right && end < text.size() && IsBlank(text[end])) ++end;
    if (begin > done) sections.push_back({kNoToken, text.substr(done, begin - done)});
    sections.push_back({match->id, text.substr(begin, end - begin)});
    done = at = end;
  }
  if (done < text.size()) sections.push_back({kNoToken, text.substr(done)});
  return sections;
}

Result<void> Tokenizer::EncodeSection(std::string_view text, bool first, Specials specials,
                                      Encoding& encoding) const {
  std::string normalized;
  if (!parts_.normalizer.empty()) {
    BOOST_OUTCOME_TRY(normalized, parts_.normalizer.Run(std::string(text), first));
    text = normalized;
  }
  if (specials == Specials::kAsText) return encoding.Text(text);
  for (const Section& section : FindControls(text, true)) {
    if (section.id != kNoToken) {
      encoding.Control(section.id);
    } else {
      BOOST_OUTCOME_TRY(encoding.Text(section.text));
    }
  }
  return boost::outcome_v2::success();
}

Result<void> Tokenizer::Encode(std::string_view text, Specials specials,
                               std::vector<TokenId>& out, bool at_start) const {
  if (text.size() > kMaxText) {
    return Error{Code::kTooLarge, "tokenizer: text is longer than 64 MiB"};
  }
  if (!IsValidUtf8(text)) {
    return Error{Code::kInvalidArgument, "tokenizer: text is not valid UTF-8"};
  }
  Encoding encoding(*this, out);
  if (specials == Specials::kAsText) return EncodeSection(text, at_start, specials, encoding);
  bool first = at_start;
  for (const Section& section : FindControls(text, false)) {
    if (section.id != kNoToken) {
      encoding.Control(section.id);
    } else {
      BOOST_OUTCOME_TRY(EncodeSection(section.text, first, specials, encoding));
    }
    first = false;
  }
  return boost::outcome_v2::success();
}

Detokenizer::Detokenizer(const Tokenizer& tokenizer, bool at_start)
    : tokenizer_(tokenizer), strip_space_(at_start && tokenizer.strip_first_space()) {}

std::string Detokenizer::Push(TokenId id) {
  const Vocab& vocab = tokenizer_.vocab();
  if (!vocab.Has(id) || vocab.Kind(id) == TokenKind::kSpecial) return {};
  std::string_view bytes = vocab.Bytes(id);
  if (strip_space_ && !bytes.empty()) {
    strip_space_ = false;
    if (bytes.front() == ' ') bytes.remove_prefix(1);
  }
  held_.append(bytes);
  const size_t complete = CompletePrefix(held_);
  std::string text = Scrub(std::string_view(held_).substr(0, complete));
  held_.erase(0, complete);
  return text;
}

std::string Detokenizer::Finish() {
  std::string text = Scrub(held_);
  held_.clear();
  return text;
}

}  // namespace portcullis::inference
