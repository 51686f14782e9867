#include "policy/cedar/layout.h"

#include <algorithm>

namespace portcullis::policy::cedar {
namespace {

using Kind = Layout::Kind;

struct Piece {
  int indent;
  bool flat;  // on one line
  Layout::Doc doc;
};

size_t Columns(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// Whether the document, and what follows it up to the next possible line end, fits in `room`.
bool Fits(Layout::Doc doc, const std::vector<Piece>& rest, size_t room) {
  if (doc->breaks) return false;
  std::vector<Piece> open{{0, true, doc}};
  size_t used = 0;
  size_t next = rest.size();
  for (;;) {
    if (open.empty()) {
      if (next == 0) return true;
      open.push_back(rest[--next]);
    }
    const Piece piece = open.back();
    open.pop_back();
    switch (piece.doc->kind) {
      case Kind::kText:
        used += Columns(piece.doc->text);
        break;
      case Kind::kSpace:
        if (!piece.flat) return true;
        [[fallthrough]];
      case Kind::kBlank:
        ++used;
        break;
      case Kind::kSoft:
        if (!piece.flat) return true;
        break;
      case Kind::kFreshLine:
      case Kind::kBlankLine:
        return true;
      default: {
        const bool flat = piece.doc->kind == Kind::kGroup || piece.flat;
        for (auto part = piece.doc->parts.rbegin(); part != piece.doc->parts.rend(); ++part) {
          open.push_back({0, flat, *part});
        }
      }
    }
    if (used > room) return false;
  }
}

// The text so far. Indentation and blanks come out only before the text that follows them.
class Page {
 public:
  void Text(std::string_view text, int indent) {
    if (line_empty_) {
      out_.append(static_cast<size_t>(indent), ' ');
      column_ = static_cast<size_t>(indent);
    } else if (blank_) {
      out_ += ' ';
      ++column_;
    }
    blank_ = false;
    line_empty_ = false;
    out_ += text;
    column_ += Columns(text);
  }
  void Blank() { blank_ = true; }
  void EndLine() {
    blank_ = false;
    if (line_empty_) return;
    out_ += '\n';
    line_empty_ = true;
    column_ = 0;
  }
  void BlankLine() {
    EndLine();
    if (!out_.empty() && !out_.ends_with("\n\n")) out_ += '\n';
  }
  size_t column(int indent) const {
    return line_empty_ ? static_cast<size_t>(indent) : column_ + (blank_ ? 1 : 0);
  }
  std::string Take() {
    EndLine();
    return std::move(out_);
  }

 private:
  std::string out_;
  size_t column_ = 0;
  bool line_empty_ = true;
  bool blank_ = false;
};

}  // namespace

Layout::Doc Layout::Text(std::string_view text) {
  Node node;
  node.text = text;
  nodes_.push_back(std::move(node));
  return &nodes_.back();
}

Layout::Doc Layout::Mark(Kind kind) {
  Node node;
  node.kind = kind;
  node.breaks = kind == Kind::kFreshLine || kind == Kind::kBlankLine;
  nodes_.push_back(std::move(node));
  return &nodes_.back();
}

Layout::Doc Layout::Make(Kind kind, int indent, std::vector<Doc> parts) {
  Node node;
  node.kind = kind;
  node.indent = indent;
  node.breaks = std::any_of(parts.begin(), parts.end(), [](Doc part) { return part->breaks; });
  node.parts = std::move(parts);
  nodes_.push_back(std::move(node));
  return &nodes_.back();
}

std::string Layout::Render(Doc document, size_t width) const {
  Page page;
  std::vector<Piece> open{{0, false, document}};
  while (!open.empty()) {
    const Piece piece = open.back();
    open.pop_back();
    switch (piece.doc->kind) {
      case Kind::kText:
        page.Text(piece.doc->text, piece.indent);
        break;
      case Kind::kBlank:
        page.Blank();
        break;
      case Kind::kSpace:
        if (piece.flat) {
          page.Blank();
        } else {
          page.EndLine();
        }
        break;
      case Kind::kSoft:
        if (!piece.flat) page.EndLine();
        break;
      case Kind::kFreshLine:
        page.EndLine();
        break;
      case Kind::kBlankLine:
        page.BlankLine();
        break;
      default: {
        const size_t column = page.column(piece.indent);
        const bool flat = piece.flat || (piece.doc->kind == Kind::kGroup && column <= width &&
                                         Fits(piece.doc, open, width - column));
        const int indent = piece.indent + piece.doc->indent;
        for (auto part = piece.doc->parts.rbegin(); part != piece.doc->parts.rend(); ++part) {
          open.push_back({indent, flat, *part});
        }
      }
    }
  }
  return page.Take();
}

}  // namespace portcullis::policy::cedar
