// The compliance report of a period: the same facts as one JSON document and as one HTML page that
// prints (no script, nothing loaded, every word of the log escaped). Pure. The JSON schema's name is
// portcullis.audit.report/1.
#pragma once

#include <string>

#include "audit/report/period.h"
#include "audit/verify.h"

namespace portcullis::audit {

struct ReportDocument {
  const PeriodFacts& facts;
  const Report& verified;
  uint64_t made_us = 0;
  std::string made_by;       // program and version
  std::string organisation;  // may be empty
};

std::string ReportPageHtml(const ReportDocument& document);
std::string ReportPageJson(const ReportDocument& document);

// "2026-11-22 08:30:00 UTC"; "the beginning" and "now" stand for open ends.
std::string UtcText(uint64_t us);
std::string PeriodText(const Period& period);

}  // namespace portcullis::audit
