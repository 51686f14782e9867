#include "inference/percent.h"

#include <boost/url/pct_string_view.hpp>

namespace portcullis::inference {

std::string PercentDecoded(std::string_view text) {
  const auto encoded = boost::urls::make_pct_string_view(text);
  return encoded ? encoded->decode() : std::string(text);
}

}  // namespace portcullis::inference
