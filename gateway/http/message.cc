// Look-up in a request head.
#include "gateway/http/message.h"

namespace portcullis::gateway::http {

std::optional<std::string_view> RequestHead::Get(std::string_view name) const {
  for (const Field& field : fields) {
    if (field.name == name) return std::string_view(field.value);
  }
  return std::nullopt;
}

}  // namespace portcullis::gateway::http
