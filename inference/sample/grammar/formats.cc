#include "inference/sample/grammar/formats.h"

#include <algorithm>
#include <iterator>

namespace portcullis::inference::grammar {
namespace {

#define PORTCULLIS_DATE \
  "[12][0-9]{3}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
#define PORTCULLIS_TIME "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])"
#define PORTCULLIS_LABEL "[a-z]([a-z0-9]{0,20}[a-z0-9])?"
#define PORTCULLIS_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"

struct Format {
  std::string_view name, pattern;
};

constexpr Format kFormats[] = {
    {"date", "^" PORTCULLIS_DATE "$"},
    {"time", "^" PORTCULLIS_TIME "$"},
    {"date-time", "^" PORTCULLIS_DATE "T" PORTCULLIS_TIME "$"},
    {"duration", "^P([0-9]{1,4}D|[0-9]{1,4}W|T[0-9]{1,4}H([0-9]{1,2}M)?|T[0-9]{1,4}M|T[0-9]{1,4}S)$"},
    {"email", "^[a-z0-9]{1,20}([._+-][a-z0-9]{1,20}){0,3}@" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL
              "){0,2}\\.[a-z]{2,10}$"},
    {"hostname", "^" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,4}$"},
    {"ipv4", "^" PORTCULLIS_BYTE "(\\." PORTCULLIS_BYTE "){3}$"},
    {"ipv6", "^[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}$"},
    {"uri", "^https?://" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,4}(:[1-9][0-9]{0,3})?"
            "(/[A-Za-z0-9._~-]{1,40}){0,8}/?(\\?[A-Za-z0-9._~=&-]{1,80})?$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
};

#undef PORTCULLIS_DATE
#undef PORTCULLIS_TIME
#undef PORTCULLIS_LABEL
#undef PORTCULLIS_BYTE

constexpr std::string_view kIgnored[] = {"password", "binary", "byte",   "int32",
                                         "int64",    "float",  "double"};

}  // namespace

std::string_view FormatPattern(std::string_view format) {
  for (const Format& known : kFormats) {
    if (known.name == format) return known.pattern;
  }
  return {};
}

bool IsIgnoredFormat(std::string_view format) {
  return std::find(std::begin(kIgnored), std::end(kIgnored), format) != std::end(kIgnored);
}

}  // namespace portcullis::inference::grammar
