#include "gateway/record/receipt.h"

#include "audit/bytes.h"
#include "audit/merkle.h"
#include "audit/note.h"

namespace portcullis::gateway {

boost::asio::awaitable<Result<Answer>> GiveReceipt(Call& call) {
  const auto seq = audit::ParseDecimal(call.argument);
  if (!seq) co_return Error{Code::kInvalidParameter, "the receipt's number must be a plain decimal number", "seq"};
  auto proof = co_await call.services.recorder.Proof(seq.value(), call.subject);
  if (!proof) co_return proof.error();
  Answer answer;
  answer.document = {{"object", "audit.receipt"},
                     {"seq", seq.value()},
                     {"leaf", audit::Base64(audit::AsBytes(proof.value().leaf))},
                     {"leaf_hash", audit::Base64(audit::LeafHash(proof.value().leaf))},
                     {"proof", proof.value().text}};
  co_return answer;
}

}  // namespace portcullis::gateway
