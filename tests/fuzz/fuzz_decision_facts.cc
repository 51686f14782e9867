// Lines of recorded decisions as `policy whatif` reads them, against a small policy set.
#include <cstdint>
#include <memory>
#include <string_view>

#include "policy/revise/replay.h"

namespace revise = portcullis::policy::revise;

namespace {

std::shared_ptr<const revise::Compiled> SmallSet() {
  auto set = std::make_shared<revise::Compiled>();
  set->policies = portcullis::policy::cedar::PolicySet::Parse(
                      "permit(principal, action, resource) unless { "
                      "context.detected.contains(Gw::DataClass::\"Secret\") };",
                      "fuzz")
                      .value();
  return set;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const revise::Compiled> set = SmallSet();
  revise::Replay replay(set, set);
  replay.AddLine({reinterpret_cast<const char*>(data), size});
  static_cast<void>(revise::ToText(replay.report()));
  return 0;
}
