#include "gateway/infer/sse_reader.h"

namespace portcullis::gateway {

Result<void> SseReader::Feed(std::string_view bytes) {
  for (const char byte : bytes) {
    if (after_cr_ && byte == '\n') {  // CR LF ends one line, not two
      after_cr_ = false;
      continue;
    }
    after_cr_ = byte == '\r';
    if (byte != '\n' && byte != '\r') {
      if (line_.size() >= kMaxEvent) return Error{Code::kUpstreamError, "an event is too long"};
      line_.push_back(byte);
      continue;
    }
    BOOST_OUTCOME_TRY(Line(line_));
    line_.clear();
  }
  return boost::outcome_v2::success();
}

Result<void> SseReader::Line(std::string_view line) {
  if (line.empty()) {
    if (has_data_) ready_.push_back(std::move(data_));
    data_.clear();
    has_data_ = false;
    return boost::outcome_v2::success();
  }
  if (line.front() == ':') ready_.emplace_back();
  if (!line.starts_with("data")) return boost::outcome_v2::success();
  line.remove_prefix(4);
  if (!line.empty() && line.front() != ':') return boost::outcome_v2::success();
  if (!line.empty()) line.remove_prefix(1);
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (data_.size() + line.size() >= kMaxEvent) {
    return Error{Code::kUpstreamError, "an event is too long"};
  }
  if (has_data_) data_.push_back('\n');
  data_.append(line);
  has_data_ = true;
  return boost::outcome_v2::success();
}

std::optional<std::string> SseReader::Next() {
  if (ready_.empty()) return std::nullopt;
  std::string event = std::move(ready_.front());
  ready_.pop_front();
  return event;
}

}  // namespace portcullis::gateway
