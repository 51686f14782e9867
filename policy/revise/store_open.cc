// Opening a revision store: what of the file is to be believed, and what is in force then. The
// rules are told at the head of store.h.
#include <charconv>

#include "policy/revise/store.h"

namespace portcullis::policy::revise {
namespace {

constexpr std::string_view kAnchorTitle = "portcullis policy anchor 1 ";

// The next word of `text`, without it.
std::string_view Word(std::string_view& text) {
  const size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

bool ParseNumber(std::string_view word, uint64_t& out) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return !word.empty() && error == std::errc() && end == word.data() + word.size();
}

}  // namespace

RevisionStore::RevisionStore(StoreOptions options, RevisionDatabase database)
    : options_(std::move(options)), database_(std::move(database)) {}
RevisionStore::~RevisionStore() = default;

Result<std::unique_ptr<RevisionStore>> RevisionStore::Open(StoreOptions options) {
  BOOST_OUTCOME_TRY(RevisionDatabase database,
                    RevisionDatabase::Open(options.file, RevisionDatabase::Mode::kReadWrite));
  std::unique_ptr<RevisionStore> store(new RevisionStore(std::move(options), std::move(database)));
  BOOST_OUTCOME_TRY(store->Load());
  return store;
}

std::string RevisionStore::AnchorText(const Anchor& anchor, const Signer& signer) {
  std::string text(kAnchorTitle);
  text += std::to_string(anchor.seq) + ' ' + Hex(anchor.head) + ' ' +
          std::to_string(anchor.number) + ' ' + Hex(anchor.content);
  return text + ' ' + SignatureText(signer.Sign(text));
}

Result<RevisionStore::Anchor> RevisionStore::ParseAnchor(std::string_view text) const {
  const Error bad{Code::kRevisionDamaged, "the anchor of the revision store is not genuine"};
  const size_t last = text.rfind(' ');
  if (!text.starts_with(kAnchorTitle) || last == std::string_view::npos) return bad;
  const auto signature = ParseSignature(text.substr(last + 1));
  if (!signature || !VerifySignature(appliance_key(), text.substr(0, last), signature.value())) {
    return bad;
  }
  std::string_view rest = text.substr(kAnchorTitle.size(), last - kAnchorTitle.size());
  Anchor anchor;
  const bool seq = ParseNumber(Word(rest), anchor.seq);
  const auto head = ParseHash(Word(rest));
  const bool number = ParseNumber(Word(rest), anchor.number);
  const auto content = ParseHash(Word(rest));
  if (!seq || !head || !number || !content || !rest.empty()) return bad;
  anchor.head = *head;
  anchor.content = *content;
  return anchor;
}

void RevisionStore::Complain(std::string message, bool freeze) {
  health_.complaints.push_back(std::move(message));
  health_.frozen = health_.frozen || freeze;
}

Result<void> RevisionStore::ReadChain() {
  std::optional<Error> broken;
  const auto read = database_.ForEachEvent([&](const RevisionDatabase::EventRow& row) {
    SealedEvent sealed;
    auto event = DecodeEvent(row.document);
    const auto hash = HashFromBytes(row.hash);
    if (!event || !hash || row.signature.size() != sealed.signature.size() ||
        static_cast<uint64_t>(row.seq) != event.value().seq) {
      broken =
          event ? Error{Code::kRevisionDamaged, "event " + std::to_string(row.seq) +
                                                    " of the revision store: its row was changed"}
                : event.error();
      return false;
    }
    sealed.event = std::move(event.value());
    sealed.hash = *hash;
    std::copy(row.signature.begin(), row.signature.end(), sealed.signature.begin());
    if (const auto advanced = Advance(state_, sealed, appliance_key()); !advanced) {
      broken = advanced.error();
      return false;
    }
    events_.push_back(std::move(sealed));
    return true;
  });
  if (!read && read.error().code != Code::kRevisionDamaged) return read.error();
  if (!read) broken = read.error();
  if (broken) Complain(broken->message, true);
  return boost::outcome_v2::success();
}

Result<void> RevisionStore::ExamineAnchor() {
  BOOST_OUTCOME_TRY(const auto text, options_.anchor.read());
  if (!text) {
    if (state_.seq > 0) {
      Complain("the revision store has no anchor: whether it is an old copy cannot be told", false);
    }
    return boost::outcome_v2::success();
  }
  auto anchor = ParseAnchor(*text);
  if (!anchor) {
    Complain(anchor.error().message, true);
    return boost::outcome_v2::success();
  }
  anchor_ = anchor.value();
  if (health_.frozen) return boost::outcome_v2::success();
  if (anchor_->seq > state_.seq) {
    Complain("the revision store is an old copy: it ends with event " + std::to_string(state_.seq) +
                 ", event " + std::to_string(anchor_->seq) + " was written already",
             true);
  } else if (anchor_->seq > 0 && events_[anchor_->seq - 1].hash != anchor_->head) {
    Complain("the revision store was replaced: event " + std::to_string(anchor_->seq) +
                 " is not the one that was written",
             true);
  }
  return boost::outcome_v2::success();
}

Result<Content> RevisionStore::LoadContent(const Hash& hash) const {
  BOOST_OUTCOME_TRY(const auto document, database_.FindContent(hash));
  if (!document) {
    return Error{Code::kRevisionDamaged, "the content " + HashText(hash) + " is missing"};
  }
  if (Sha256(*document) != hash) {
    return Error{Code::kRevisionDamaged, "the content " + HashText(hash) + " was changed"};
  }
  return DecodeContent(*document);
}

Result<std::shared_ptr<const Compiled>> RevisionStore::CompileHash(const Hash& hash) const {
  if (in_force_.compiled && in_force_.compiled->hash == hash) return in_force_.compiled;
  BOOST_OUTCOME_TRY(const Content content, LoadContent(hash));
  return Compiled::Make(content);
}

void RevisionStore::ChooseInForce() {
  std::vector<std::pair<uint64_t, Hash>> candidates;
  if (health_.frozen && anchor_) {
    candidates.emplace_back(anchor_->number, anchor_->content);
  } else {
    for (const uint64_t number : state_.Lineage()) {
      candidates.emplace_back(number, state_.Find(number)->content);
    }
  }
  for (const auto& [number, hash] : candidates) {
    auto compiled = CompileHash(hash);
    if (compiled) {
      in_force_ = {number, std::move(compiled.value())};
      if (number != candidates.front().first) {
        Complain("revision " + std::to_string(number) + ", the last good one, is in force instead",
                 false);
      }
      return;
    }
    Complain(
        "revision " + std::to_string(number) + " cannot be in force: " + compiled.error().message,
        false);
  }
  in_force_ = {};
  if (state_.seq > 0 || health_.frozen) {
    Complain("no policy revision is in force: every request is refused", false);
  }
}

Result<void> RevisionStore::Load() {
  BOOST_OUTCOME_TRY(ReadChain());
  BOOST_OUTCOME_TRY(ExamineAnchor());
  ChooseInForce();
  if (!health_.frozen && state_.seq > 0) {
    BOOST_OUTCOME_TRY(WriteAnchor());
  }
  return boost::outcome_v2::success();
}

Result<void> RevisionStore::WriteAnchor() {
  const Revision* current = state_.Find(state_.in_force);
  const Anchor anchor{state_.seq, state_.head, state_.in_force,
                      current ? current->content : Hash{}};
  auto written = options_.anchor.write(AnchorText(anchor, *options_.appliance));
  anchor_trouble_.clear();
  if (!written) {
    anchor_trouble_ =
        "the anchor of the revision store was not written: " + written.error().message;
    return written;
  }
  anchor_ = anchor;
  return boost::outcome_v2::success();
}

}  // namespace portcullis::policy::revise
