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
#define PORTCULLIS_GROUP "[0-9a-f]{1,4}"
#define PORTCULLIS_PATH "(/[A-Za-z0-9._~-]{1,40}){0,8}/?(\\?[A-Za-z0-9._~=&-]{1,80})?(#[A-Za-z0-9._~-]{1,40})?"
#define PORTCULLIS_URI \
  "https?://" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,4}(:[1-9][0-9]{0,3})?" PORTCULLIS_PATH
#define PORTCULLIS_EMAIL \
  "[A-Za-z0-9]{1,20}([._+-][A-Za-z0-9]{1,20}){0,3}@" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,2}\\.[a-z]{2,10}"

struct Format {
  std::string_view name, pattern;
};

constexpr Format kFormats[] = {
    {"date", "^" PORTCULLIS_DATE "$"},
    {"time", "^" PORTCULLIS_TIME "$"},
    {"date-time", "^" PORTCULLIS_DATE "T" PORTCULLIS_TIME "$"},
    {"duration", "^P([0-9]{1,4}D|[0-9]{1,4}W|T[0-9]{1,4}H([0-9]{1,2}M)?|T[0-9]{1,4}M|T[0-9]{1,4}S)$"},
    {"email", "^" PORTCULLIS_EMAIL "$"},
    {"idn-email", "^" PORTCULLIS_EMAIL "$"},
    {"hostname", "^" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,4}$"},
    {"ipv4", "^" PORTCULLIS_BYTE "(\\." PORTCULLIS_BYTE "){3}$"},
    {"idn-hostname", "^" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,4}$"},
    {"ipv6", "^((" PORTCULLIS_GROUP ":){7}" PORTCULLIS_GROUP "|(" PORTCULLIS_GROUP ":){1,7}:|(" PORTCULLIS_GROUP
             ":){1,6}:" PORTCULLIS_GROUP "|(" PORTCULLIS_GROUP ":){1,3}(:" PORTCULLIS_GROUP "){1,4}|::(" PORTCULLIS_GROUP
             ":){0,5}" PORTCULLIS_GROUP ")$"},
    {"uri", "^" PORTCULLIS_URI "$"},
    {"url", "^https?://" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,2}\\.[a-z]{2,10}" PORTCULLIS_PATH "$"},
    {"iri", "^" PORTCULLIS_URI "$"},
    {"uri-reference", "^(" PORTCULLIS_URI "|" PORTCULLIS_PATH ")$"},
    {"iri-reference", "^(" PORTCULLIS_URI "|" PORTCULLIS_PATH ")$"},
    {"json-pointer", "^(/[A-Za-z0-9._-]{0,40}){0,16}$"},
    {"relative-json-pointer", "^(0|[1-9][0-9]?)(#|(/[A-Za-z0-9._-]{0,40}){0,16})$"},
    {"byte", "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"},
    {"iso-time", "^" PORTCULLIS_TIME "$"},
    {"iso-date-time", "^" PORTCULLIS_DATE "T" PORTCULLIS_TIME "$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
};

#undef PORTCULLIS_DATE
#undef PORTCULLIS_TIME
#undef PORTCULLIS_LABEL
#undef PORTCULLIS_BYTE
#undef PORTCULLIS_GROUP
#undef PORTCULLIS_PATH
#undef PORTCULLIS_URI
#undef PORTCULLIS_EMAIL

constexpr std::string_view kIgnored[] = {"password", "binary"};
constexpr std::string_view kNumbers[] = {"int32", "int64", "float", "double"};

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

bool IsNumberFormat(std::string_view format) {
  return std::find(std::begin(kNumbers), std::end(kNumbers), format) != std::end(kNumbers);
}

}  // namespace portcullis::inference::grammar
