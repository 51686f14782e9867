// The chunked coding as a state machine.
#include "gateway/http/chunked.h"

#include <gtest/gtest.h>

namespace portcullis::gateway::http {
namespace {

TEST(ChunkedDecoder, DecodesWhateverThePieces) {
  const std::string wire = "4\r\nWiki\r\nA\r\n0123456789\r\n0\r\n\r\n";
  for (size_t piece = 1; piece <= wire.size(); ++piece) {
    ChunkedDecoder decoder(100);
    std::string out;
    for (size_t at = 0; at < wire.size(); at += piece) {
      const auto used = decoder.Feed(std::string_view(wire).substr(at, piece), out);
      ASSERT_TRUE(used) << used.error().message;
    }
    EXPECT_TRUE(decoder.done());
    EXPECT_EQ(out, "Wiki0123456789");
  }
}

TEST(ChunkedDecoder, LeavesWhatFollows) {
  ChunkedDecoder decoder(100);
  std::string out;
  const auto used = decoder.Feed("1\r\nx\r\n0\r\n\r\nGET /", out);
  ASSERT_TRUE(used);
  EXPECT_EQ(used.value(), 11u);
  EXPECT_TRUE(decoder.done());
}

TEST(ChunkedDecoder, RefusesWhatTwoReadersCouldReadDifferently) {
  for (const char* wire :
       {"4;a=b\r\nWiki\r\n", "4 \r\nWiki\r\n", " 4\r\nWiki", "4\nWiki", "4\r\nWikiX", "4\r\nWiki\n",
        "\r\n", "g\r\n", "-1\r\n", "0x4\r\n", "+4\r\n", "000000004\r\n", "0\r\nTrailer: x\r\n\r\n",
        "0\r\n\rX", "4\r\rWiki"}) {
    ChunkedDecoder decoder(100);
    std::string out;
    const auto used = decoder.Feed(wire, out);
    ASSERT_FALSE(used) << wire;
    EXPECT_EQ(used.error().code, Code::kBadRequest) << wire;
  }
}

TEST(ChunkedDecoder, CountsAgainstTheLimitBeforeTheData) {
  ChunkedDecoder decoder(10);
  std::string out;
  ASSERT_TRUE(decoder.Feed("a\r\n0123456789\r\n", out));
  const auto over = decoder.Feed("1\r\n", out);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::kTooLarge);
  ChunkedDecoder huge(10);
  EXPECT_EQ(huge.Feed("ffffffff\r\n", out).error().code, Code::kTooLarge);
}

}  // namespace
}  // namespace portcullis::gateway::http
