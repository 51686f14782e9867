// The parts that the report's page is made of: numbered sections, tables, paragraphs; all text is escaped here. A
// column whose cells are all numbers is set to the right, its head too. Not thread-safe.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/report/escape.h"
#include "audit/report/period.h"

namespace portcullis::audit {

inline std::string N(uint64_t number) { return std::to_string(number); }

class Page {
 public:
  using Cells = std::vector<std::string>;

  void Raw(std::string_view html) { out_ += html; }
  void Tag(std::string_view name, std::string_view text, std::string_view attributes = "") {
    out_ += "<" + std::string(name) + std::string(attributes) + ">" + EscapeHtml(text) + "</" + std::string(name) + ">\n";
  }
  void Section(std::string_view title, std::string_view explanation) {
    Raw("</section>\n<section>\n");
    Tag("h2", std::to_string(++section_) + ". " + std::string(title));
    Tag("p", explanation, " class=\"why\"");
  }
  void Nothing(std::string_view words) { Tag("p", words, " class=\"none\""); }

  // Head, rows, end. The name is the table's class in style.h.
  void Head(Cells cells, std::string_view name = "") {
    name_ = name;
    head_ = std::move(cells);
    rows_.clear();
  }
  void Row(Cells cells) { rows_.push_back(std::move(cells)); }
  void EndTable() {
    const std::vector<bool> numbers = Numbers();
    out_ += name_.empty() ? "<table>" : "<table class=\"" + name_ + "\">";
    Line("<thead><tr>", head_, "th", " scope=\"col\"", numbers, "</tr></thead><tbody>\n");
    for (const Cells& row : rows_) Line("<tr>", row, "td", "", numbers, "</tr>\n");
    out_ += "</tbody></table>\n";
    rows_.clear();
  }
  // What a bounded list has no room for, and where it is found.
  void Missing(const Unlisted& rest, std::string_view kind) {
    if (rest.count == 0) return;
    std::string words = N(rest.count) + " more, from record " + N(rest.from_seq) + " on, are not in this table:";
    for (const auto& [name, count] : rest.by) words += " " + (name.empty() ? "(no name)" : name) + " " + N(count) + ",";
    words.back() = '.';
    Tag("p", words + " They are listed by: portcullis audit search --kind " + std::string(kind));
  }
  std::string Take() { return std::move(out_); }

 private:
  static bool IsNumber(std::string_view text) {
    return !text.empty() && text.size() <= 20 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  }
  std::vector<bool> Numbers() const {
    std::vector<bool> out(head_.size(), !rows_.empty());
    for (const Cells& row : rows_) {
      for (size_t i = 0; i < out.size(); ++i) out[i] = out[i] && IsNumber(row[i]);
    }
    return out;
  }
  void Line(std::string_view begin, const Cells& cells, std::string_view tag, std::string_view attributes,
            const std::vector<bool>& numbers, std::string_view end) {
    Raw(begin);
    for (size_t i = 0; i < cells.size(); ++i) {
      Raw("<" + std::string(tag) + std::string(attributes) + (numbers[i] ? " class=\"n\">" : ">") + CellHtml(cells[i]) + "</" +
          std::string(tag) + ">\n");
    }
    Raw(end);
  }

  std::string out_, name_;
  Cells head_;
  std::vector<Cells> rows_;
  int section_ = 0;
};

// The sections about what people and programs did (html_acts.cc).
void PolicySection(Page& page, const PeriodFacts& facts);
void AccessSection(Page& page, const PeriodFacts& facts);
void AbuseSection(Page& page, const PeriodFacts& facts);
void GapSection(Page& page, const PeriodFacts& facts);

}  // namespace portcullis::audit
