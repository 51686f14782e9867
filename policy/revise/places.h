// Which ids of a type two policy sets can tell apart. Places, departments, zones that stand in the
// same groups on both sides and are named in the same ways are one class, so that the comparison of
// the sets stays small and speaks in groups ("EEA (27 places)"). Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/revise/compiled.h"
#include "policy/revise/speech.h"

namespace portcullis::policy::revise {

struct Side {
  const Content& content;
  const Compiled& compiled;
};

// Ids of a type, joined over both sides.
Names IdsOf(const Side& before, const Side& after, const std::string& type);

struct IdClass {
  std::string label;
  std::vector<std::string> members;  // any of them stands for all
};

// Jurisdictions: leaves of the hierarchy by every group that they lie in on either side, by how the
// policies name them, and by whether a site lies there. Never empty.
std::vector<IdClass> PlaceClasses(const Side& before, const Side& after, const Speech& speech);

// Ids of any other type by which named ids they are or lie under; first, with an empty label, one
// that nobody names.
std::vector<IdClass> NamedClasses(const Side& before, const Side& after, const Speech& speech,
                                  const std::string& type);

// Points in time that attributes of the sites hold (ms since 1970), on either side.
std::set<int64_t> TimesOfSites(const Side& before, const Side& after);

}  // namespace portcullis::policy::revise
