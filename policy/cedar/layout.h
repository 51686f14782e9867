// Lays out text within a width, after Wadler, "A prettier printer": a document is text with places
// where a line may end, and a group is set on one line if it fits. Rendering keeps its own stack,
// so the nesting of a document does not matter. Comments force line ends; two line ends in a row
// are one, therefore laying out twice gives the same. Not thread-safe.
#pragma once

#include <deque>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::policy::cedar {

class Layout {
 public:
  enum class Kind : uint8_t {
    kText,
    kBlank,      // a blank, never at the beginning of a line
    kSpace,      // a blank, or a line end where the group does not fit
    kSoft,       // nothing, or a line end
    kFreshLine,  // a line end, unless the line is still empty
    kBlankLine,
    kNest,   // deeper by `indent`
    kGroup,  // on one line if it fits
    kConcat,
  };
  struct Node {
    Kind kind = Kind::kText;
    int indent = 0;
    bool breaks = false;  // holds a forced line end
    std::string text;
    std::vector<const Node*> parts;
  };
  using Doc = const Node*;  // lives as long as its Layout

  Doc Text(std::string_view text);
  Doc Blank() { return Mark(Kind::kBlank); }
  Doc Space() { return Mark(Kind::kSpace); }
  Doc Soft() { return Mark(Kind::kSoft); }
  Doc FreshLine() { return Mark(Kind::kFreshLine); }
  Doc BlankLine() { return Mark(Kind::kBlankLine); }
  Doc Concat(std::vector<Doc> parts) { return Make(Kind::kConcat, 0, std::move(parts)); }
  Doc Group(std::vector<Doc> parts) { return Make(Kind::kGroup, 0, std::move(parts)); }
  Doc Nest(int indent, std::vector<Doc> parts) {
    return Make(Kind::kNest, indent, std::move(parts));
  }

  std::string Render(Doc document, size_t width) const;

 private:
  Doc Mark(Kind kind);
  Doc Make(Kind kind, int indent, std::vector<Doc> parts);

  std::deque<Node> nodes_;
};

}  // namespace portcullis::policy::cedar
