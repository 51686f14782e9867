// The report's style sheet: readable on a screen, made for paper.
#pragma once

#include <string_view>

namespace portcullis::audit {

inline constexpr std::string_view kReportStyle = R"(
:root{--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--good:#1a7f37;--bad:#b42318;--head:#f3f5f7}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI","Noto Sans",sans-serif;color:var(--ink);background:#fff;max-width:62rem;margin:2.5rem auto;padding:0 1.25rem;overflow-wrap:break-word}
h1{font-size:1.75rem;line-height:1.2;margin:.2rem 0}
h2{font-size:1.2rem;margin:2.2rem 0 .3rem;border-top:2px solid var(--ink);padding-top:.6rem}
h3{font-size:1rem;margin:1.4rem 0 .3rem}
p{margin:.4rem 0}
.org{font-weight:600;letter-spacing:.02em;color:var(--soft)}
.period{font-size:1.1rem}
.why{color:var(--soft);max-width:48rem}
.none{font-style:italic;color:var(--soft)}
.verdict{border:1px solid;border-left-width:8px;padding:.7rem 1rem;margin:1.2rem 0;border-radius:4px}
.verdict strong{font-size:1.15rem}
.good{border-color:var(--good)}.good strong{color:var(--good)}
.bad{border-color:var(--bad)}.bad strong{color:var(--bad)}
table{border-collapse:collapse;width:100%;margin:.6rem 0;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.32rem .55rem;border-bottom:1px solid var(--line);overflow-wrap:break-word}
td{white-space:pre-line}
th{background:var(--head);font-weight:600;overflow-wrap:normal}
th.n,td.n{text-align:right}td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
.clauses td:nth-child(1),.clauses td:nth-child(2){width:11%}.clauses td:nth-child(5){width:34%}
.clauses td:nth-child(4){font-weight:600}
.revisions td:nth-child(1){white-space:pre}.models td:nth-child(2){overflow-wrap:anywhere;font-family:monospace}
time{white-space:nowrap}td span,th span{overflow-wrap:anywhere}
.acts td:nth-child(4){width:18%}.acts td:nth-child(5){width:25%}.accesses td:nth-child(3){width:26%}.accesses td:nth-child(5){width:24%}
.residency td:nth-child(4){width:17%}
.warn{border-left:4px solid #d9a441;padding-left:.6rem}
td.bar{width:30%;white-space:nowrap;font-size:0}
td.bar i{display:inline-block;height:.85rem;vertical-align:middle}
i.a{background:#4c9a6a}i.t{background:#d9a441}i.r{background:#c2544a}
pre{background:var(--head);padding:.8rem 1rem;overflow-x:auto;font-size:.82rem;white-space:pre-wrap}
@page{size:A4;margin:16mm 14mm 18mm;@bottom-left{content:"Compliance report of the language-model gateway"}@bottom-right{content:counter(page) " of " counter(pages)}}
@page{@bottom-left{font:8pt sans-serif;color:#57606a}@bottom-right{font:8pt sans-serif;color:#57606a}}
@media print{
 body{margin:0;padding:0;max-width:none;font-size:10pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
 table{font-size:8pt}th,td{padding:2.5pt 4pt}
 h2,h3,.why{break-after:avoid}.why{break-inside:avoid}
 thead{display:table-header-group}tr,.verdict{break-inside:avoid}
 p{orphans:3;widows:3}
 tbody tr:first-child{break-after:avoid}tbody tr:last-child{break-before:avoid}
}
)";

}  // namespace portcullis::audit
