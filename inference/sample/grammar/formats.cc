#include "inference/sample/grammar/formats.h"

#include <algorithm>
#include <iterator>
#include <span>

namespace portcullis::inference::grammar {
namespace {

#define PORTCULLIS_DATE \
  "[12][0-9]{3}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
#define PORTCULLIS_HOUR "([01][0-9]|2[0-3]):[0-5][0-9]"
#define PORTCULLIS_SECOND ":[0-5][0-9](\\.[0-9]{1,6})?"
#define PORTCULLIS_ZONE "(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])"
#define PORTCULLIS_TIME PORTCULLIS_HOUR PORTCULLIS_SECOND PORTCULLIS_ZONE
#define PORTCULLIS_LOCAL_TIME PORTCULLIS_HOUR "(" PORTCULLIS_SECOND ")?" PORTCULLIS_ZONE "?"
#define PORTCULLIS_LABEL "[a-z]([a-z0-9]{0,20}[a-z0-9])?"
#define PORTCULLIS_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define PORTCULLIS_IPV4 PORTCULLIS_BYTE "(\\." PORTCULLIS_BYTE "){3}"
#define PORTCULLIS_GROUP "[0-9a-f]{1,4}"
#define PORTCULLIS_IPV6 \
  "((" PORTCULLIS_GROUP ":){7}" PORTCULLIS_GROUP "|(" PORTCULLIS_GROUP ":){1,7}:|(" PORTCULLIS_GROUP \
  ":){1,6}:" PORTCULLIS_GROUP "|(" PORTCULLIS_GROUP ":){1,3}(:" PORTCULLIS_GROUP "){1,4}|::(" PORTCULLIS_GROUP \
  ":){0,5}" PORTCULLIS_GROUP ")"
#define PORTCULLIS_UUID(version, variant) \
  "^[0-9a-f]{8}-[0-9a-f]{4}-" version "[0-9a-f]{3}-" variant "[0-9a-f]{3}-[0-9a-f]{12}$"
// Of a regular expression: one character or class, and how often.
#define PORTCULLIS_CHARACTER \
  "([A-Za-z0-9 _,:;@#%&=!~'<>-]|\\.|\\\\[dDwWsS.+*?()|^$\\\\/]|\\[\\^?(a-z|A-Z|0-9|[A-Za-z0-9_.]|\\\\[dws])+\\])"
#define PORTCULLIS_TERM PORTCULLIS_CHARACTER "([*+?]|\\{[1-9][0-9]?\\})?"
#define PORTCULLIS_PATH "(/[A-Za-z0-9._~-]{1,40}){0,8}/?(\\?[A-Za-z0-9._~=&-]{1,80})?(#[A-Za-z0-9._~-]{1,40})?"
#define PORTCULLIS_URI \
  "https?://" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,4}(:[1-9][0-9]{0,3})?" PORTCULLIS_PATH
#define PORTCULLIS_EMAIL \
  "[A-Za-z0-9]{1,20}([._+-][A-Za-z0-9]{1,20}){0,3}@" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,2}\\.[a-z]{2,10}"

// RFC 4648: the bits of the last digit that stand for nothing are zero.
#define PORTCULLIS_BASE64(digit) \
  "^(" digit "{4})*(" digit "[AQgw]==|" digit "{2}[AEIMQUYcgkosw048]=)?$"

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
    {"ipv4", "^" PORTCULLIS_IPV4 "$"},
    {"idn-hostname", "^" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,4}$"},
    {"ipv6", "^" PORTCULLIS_IPV6 "$"},
    {"ipvanyaddress", "^(" PORTCULLIS_IPV4 "|" PORTCULLIS_IPV6 ")$"},
    {"uri", "^" PORTCULLIS_URI "$"},
    {"url", "^https?://" PORTCULLIS_LABEL "(\\." PORTCULLIS_LABEL "){0,2}\\.[a-z]{2,10}" PORTCULLIS_PATH "$"},
    {"iri", "^" PORTCULLIS_URI "$"},
    {"uri-reference", "^(" PORTCULLIS_URI "|" PORTCULLIS_PATH ")$"},
    {"iri-reference", "^(" PORTCULLIS_URI "|" PORTCULLIS_PATH ")$"},
    {"json-pointer", "^(/[A-Za-z0-9._-]{0,40}){0,16}$"},
    {"relative-json-pointer", "^(0|[1-9][0-9]?)(#|(/[A-Za-z0-9._-]{0,40}){0,16})$"},
    {"byte", PORTCULLIS_BASE64("[A-Za-z0-9+/]")},
    {"iso-time", "^" PORTCULLIS_TIME "$"},
    {"iso-date-time", "^" PORTCULLIS_DATE "T" PORTCULLIS_TIME "$"},
    {"base64", PORTCULLIS_BASE64("[A-Za-z0-9+/]")},
    {"base64url", PORTCULLIS_BASE64("[A-Za-z0-9_-]")},
    {"jwt", "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]*$"},
    {"regex", "^\\^?(" PORTCULLIS_TERM "|\\((" PORTCULLIS_TERM "|\\|)+\\)[*+?]?|\\|)*\\$?$"},
    {"uri-template", "^" PORTCULLIS_URI "(/\\{[a-z][A-Za-z0-9_]{0,20}\\}){0,4}$"},
    {"uuid", PORTCULLIS_UUID("[0-9a-f]", "[0-9a-f]")},
    {"uuid1", PORTCULLIS_UUID("1", "[89ab]")},
    {"uuid3", PORTCULLIS_UUID("3", "[89ab]")},
    {"uuid4", PORTCULLIS_UUID("4", "[89ab]")},
    {"uuid5", PORTCULLIS_UUID("5", "[89ab]")},
    {"uuid6", PORTCULLIS_UUID("6", "[89ab]")},
    {"uuid7", PORTCULLIS_UUID("7", "[89ab]")},
    {"uuid8", PORTCULLIS_UUID("8", "[89ab]")},
};

// Without a zone or seconds, for patterns that forbid them.
constexpr Format kLocalFormats[] = {
    {"time", "^" PORTCULLIS_LOCAL_TIME "$"},
    {"date-time", "^" PORTCULLIS_DATE "[T ]" PORTCULLIS_LOCAL_TIME "$"},
};

#undef PORTCULLIS_DATE
#undef PORTCULLIS_HOUR
#undef PORTCULLIS_SECOND
#undef PORTCULLIS_ZONE
#undef PORTCULLIS_TIME
#undef PORTCULLIS_LOCAL_TIME
#undef PORTCULLIS_LABEL
#undef PORTCULLIS_BYTE
#undef PORTCULLIS_IPV4
#undef PORTCULLIS_GROUP
#undef PORTCULLIS_IPV6
#undef PORTCULLIS_UUID
#undef PORTCULLIS_CHARACTER
#undef PORTCULLIS_TERM
#undef PORTCULLIS_PATH
#undef PORTCULLIS_URI
#undef PORTCULLIS_EMAIL
#undef PORTCULLIS_BASE64

constexpr std::string_view kIgnored[] = {"password",  "binary",         "path",
                                         "file-path", "directory-path", "json-string"};
constexpr std::string_view kNumbers[] = {"int32", "int64", "float", "double"};

std::string_view PatternIn(std::span<const Format> formats, std::string_view name) {
  for (const Format& known : formats) {
    if (known.name == name) return known.pattern;
  }
  return {};
}

}  // namespace

std::string_view FormatPattern(std::string_view format) { return PatternIn(kFormats, format); }

std::string_view LocalFormatPattern(std::string_view format) { return PatternIn(kLocalFormats, format); }

bool IsIgnoredFormat(std::string_view format) {
  return std::find(std::begin(kIgnored), std::end(kIgnored), format) != std::end(kIgnored);
}

bool IsNumberFormat(std::string_view format) {
  return std::find(std::begin(kNumbers), std::end(kNumbers), format) != std::end(kNumbers);
}

}  // namespace portcullis::inference::grammar
