// In which country a site processes data, from what the policy in force said of its place: the id of the place and
// the places and groups that it lies in. A place whose id is no country's code and that lies in no country
// is `unknown`: nothing is guessed. Codes are those of ISO 3166-1 alpha-2. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace portcullis::audit {

inline constexpr std::string_view kUnknownCountry = "unknown";

std::string_view CountryName(std::string_view code);  // "DE" → "Germany"; empty where it is no country's code

// "DE", or "DE or FR" of a place that lies in both, or kUnknownCountry.
std::string CountryOf(const std::string& place, const std::vector<std::string>& in);
std::string CountryWords(const std::string& country);  // "Germany (DE)"; what is no code stays as it is

}  // namespace portcullis::audit
