#include "gateway/infer/sse_reader.h"

#include <gtest/gtest.h>

#include <vector>

namespace portcullis::gateway {
namespace {

std::vector<std::string> ReadAll(std::string_view text, size_t piece) {
  SseReader reader;
  std::vector<std::string> out;
  for (size_t i = 0; i < text.size(); i += piece) {
    EXPECT_TRUE(reader.Feed(text.substr(i, piece)));
    while (auto event = reader.Next()) out.push_back(*event);
  }
  return out;
}

TEST(SseReader, AnySplitGivesTheSameEvents) {
  const std::string text =
      "data: {\"a\":1}\n\ndata:no space\r\n\r\nevent: x\ndata: one\ndata: two\n\n: ping\n\ndata\n\n"
      "dataset: no\n\ndata: [DONE]\n\n";
  const std::vector<std::string> want = {"{\"a\":1}", "no space", "one\ntwo", "", "", "[DONE]"};
  for (size_t piece = 1; piece <= text.size(); ++piece) EXPECT_EQ(ReadAll(text, piece), want) << piece;
}

TEST(SseReader, AnUnfinishedEventIsNotGivenOut) {
  EXPECT_TRUE(ReadAll("data: half\n", 100).empty());
}

TEST(SseReader, AnEndlessLineIsRefused) {
  SseReader reader;
  const std::string piece(64 * 1024, 'x');
  bool refused = false;
  for (int i = 0; i < 64 && !refused; ++i) refused = !reader.Feed(piece);
  EXPECT_TRUE(refused);
}

TEST(SseReader, AnEndlessEventOfManyLinesIsRefused) {
  SseReader reader;
  const std::string line = "data: " + std::string(4096, 'x') + "\n";
  bool refused = false;
  for (int i = 0; i < 1024 && !refused; ++i) refused = !reader.Feed(line);
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace portcullis::gateway
