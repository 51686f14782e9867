// GET /v1/audit/receipts/{seq}: the proof that a caller's own request stands in the audit log, with the
// day's keys in it that check the receipt (audit/receipt.h). Only for the subject of the record; for anybody else
// there is no such record. Threading: one core.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "gateway/walk.h"

namespace portcullis::gateway {

boost::asio::awaitable<Result<Answer>> GiveReceipt(Call& call);

}  // namespace portcullis::gateway
