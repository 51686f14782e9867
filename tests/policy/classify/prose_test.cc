// False positives: plain prose and ordinary source code hold nothing.
#include "tests/policy/classify/support.h"

namespace portcullis::policy {
namespace {

constexpr std::string_view kProse = R"(
The committee met on 2024-03-15 at 14:30 in room 4.12 and approved the minutes of 12.02.2024. Sales
rose from 1,234,567.89 to 2,345,678.90 euros, a change of +90.1 % on the year before; the ratio was
3.14159265358979 at the end. Of 1000 2000 3000 4000 households, 555 answered. See section 1.2.3 and
the appendix, pages 100-120. The parcel 1Z999AA10123456784 left on 01/02/2024; order no.
20240315-4711.
Flight LH 400, seat 12A, departs 10:45. ISBN 978-3-16-148410-0. Bug #12345678 was closed in release
10.4.2.1 (build 19045.4123). The NATO summit was held in Vilnius; it is no secret that the EU wants
confidential talks. In 1984 he wrote it. Roughly 60 000 000 people voted. Call me tomorrow. His
number
is up. The top secret of good bread is time. Mixing ratios of 1:2:3 and 10:20:30 work. 7 + 8 = 15.
Temperatures of -12 to +35 degrees. Der Preis beträgt 1.299,00 EUR, lieferbar ab 15.04.2024,
Art.-Nr.
4006381333931. La réunion du 3 mai 2024 à 9 h 30 a réuni 25 personnes. Привет, как дела? 今天天气很好。
It cost $4,000 (4000 dollars), i.e. 3 for 2, at 50@100 each. Room 101 - floor 12 - desk 3456.
)";

constexpr std::string_view kCode = R"code(
#include <vector>
namespace a::b { class Foo : public Bar { std::vector<int> v_{1, 2, 3}; }; }
const uint64_t kMask = 0x4111111111111111ull, kBig = 18446744073709551615u;
static const double kPi = 3.141592653589793238462643383279, kE = 2.7182818284590452353602874713527;
for (int i = 0; i < 1000000; ++i) { sum += a[i] * 1e-10; }  // O(n)
@Override public String toString() { return "x@" + hash; }
@app.route("/api/v1/items/<int:id>")
def get(self, key: str = "abc", *args) -> dict[str, int]: return {"a": 1, "b": 2.5e10}
import { x } from "@scope/package"; npm install lodash@4.17.21 react@18.2.0
git clone git@github.com:owner/repository.git && cd repository
commit 3f786850e387550fdab836ed7e6dc881de23001b
uuid: 123e4567-e89b-12d3-a456-426614174000, sha256:
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
url = "https://example.com/path?q=1&r=2#frag", port = 8080, host = "localhost:5432", bind =
"0.0.0.0:443"
server { listen 127.0.0.1:8080; } Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0.6099.71 Safari/537.36
if (text.starts_with("-----BEGIN PRIVATE KEY-----")) return ParsePem(text);
"integrity":
"sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg=="
timestamp=1700000000 ts_ms=1700000000123 ts_us=1700000000123456 ns=1700000000123456789
SELECT id, name FROM t WHERE created > '2024-01-01 00:00:00' AND n IN (1,2,3);
sk-learn, task-runner-1, risk-adjusted; eyJust; AKIAfoo; ghp_short; password =
os.environ["PASSWORD"]
DATABASE_URL=postgres://${DB_USER}:${DB_PASSWORD}@${DB_HOST}/app
@@ -12,7 +12,9 @@ int main() {
+    x += 12345;
--- a/file.cc
+++ b/file.cc
)code";

TEST(FalsePositives, PlainProse) { EXPECT_THAT(Found(kProse), testing::IsEmpty()); }

TEST(FalsePositives, SourceCode) { EXPECT_THAT(Found(kCode), testing::IsEmpty()); }

TEST(FalsePositives, RandomWordsAndNumbers) {
  std::mt19937_64 random(21);
  size_t findings = 0;
  constexpr int kTexts = 200;
  for (int n = 0; n < kTexts; ++n) {
    std::string text;
    for (int word = 0; word < 200; ++word) {
      text += RandomFrom(random, random() % 4 == 0 ? kDigits : "abcdefghijklmnopqrstuvwxyz",
                         1 + random() % 9);
      text += ' ';
    }
    findings += Scan(text).size();
  }
  EXPECT_LE(findings, 2u) << "in 40,000 words";
}

}  // namespace
}  // namespace portcullis::policy
