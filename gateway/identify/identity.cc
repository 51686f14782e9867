#include "gateway/identify/identity.h"

namespace portcullis::gateway {

std::string_view ToString(Method method) {
  switch (method) {
    case Method::kApiKey:
      return "api_key";
    case Method::kCertificate:
      return "certificate";
    case Method::kUnixPeer:
      return "unix_peer";
  }
  return "unknown";
}

}  // namespace portcullis::gateway
