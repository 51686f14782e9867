// The compliance report on paper: of a log with everything that makes it long and wide, printed to PDF by a real browser,
// and measured in that browser at the width of the paper. Needs chromium and, for the words of the pages, pdftotext
// (systemd/packages.txt). With PORTCULLIS_PAPER=FOLDER the page, the PDF and the pages as pictures stay there.
import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after, before} from 'node:test';
import {Log, skip as noPrograms} from './logs.mjs';

const has = (program) => spawnSync(program, ['--version'], {stdio: 'ignore'}).error === undefined;
const skip = noPrograms || (has('chromium') ? false : 'no chromium here');
const dir = mkdtempSync(join(tmpdir(), 'portcullis-paper-'));
const out = process.env.PORTCULLIS_PAPER ?? join(dir, 'paper');
const kPaperWidth = 688;  // px: 210 mm less two margins of 14 mm, at 96 to the inch
const paper = (name) => join(out, name);
const hash = 'sha256:' + '0123456789abcdef'.repeat(4);
const classes = ['Personal', 'Contact', 'Financial', 'GovernmentId', 'Health', 'Secret'];
let pages;  // of the PDF, as text

async function fill(log) {
  const to = await log.start();
  const json = (value) => JSON.stringify(value);
  const events = [];
  for (let i = 1; i <= 12; ++i) {
    for (const [operation, subject] of [['policy_propose', 'olga.officer@data-protection.example.org'], ['policy_approve', 'paulinemaximilianemustermann'], ['policy_approve', 'petra']]) {
      events.push({kind: 5, outcome: 1, parts: [[1, json({operation, subject, argument: `revision ${i} ${hash}`, revision: i, event: i})]]});
    }
    events.push({kind: 6, parts: [[1, json({what: `policy revision ${i}: activate by paul`, operation: 'policy_activate', subject: 'paul', argument: `revision ${i} ${hash}`, revision: i, event: i, detail: ''})]]});
  }
  for (let i = 0; i < 70; ++i) {
    events.push({kind: 5, outcome: 1, parts: [[1, json({operation: 'key_issue', subject: 'unix:0', argument: i % 9 ? `a-rather-long-name-of-a-service-account-${i}.department.example.org` : 'without_any_place_to_break_'.repeat(5)})]]});
  }
  for (let i = 0; i < 20; ++i) {
    events.push({kind: 17, parts: [[1, json({refused_strangers: {invalid_api_key: 40 + i, bad_request: 3}, refused_identified: {rate_limit_exceeded: i}})]]});
  }
  events.push({kind: 18, parts: [[1, json({what: 'siege begins: 4000 refusals in ten seconds from 31 networks; only known callers are served'})]]});
  for (const event of events) assert.ok((await to.append({subject: 'root', ...event})).durable);
  const places = [{processing: 'FR', in: ['EEA', 'adequate']}, {processing: 'local', in: ['adequate']}, {processing: 'US-DPF', in: ['US', 'adequate']}];
  for (let i = 0; i < 90; ++i) {
    const request = Buffer.alloc(16, i + 1), own = {request, subject: `user${i % 7}`};
    const refused = i % 5 === 4;
    const {seqs: [first]} = await to.append(
      {...own, kind: 1, tenant: 'tests', parts: [[1, json({model: i % 2 ? 'x'.repeat(128) : 'organisation/a-model-with-a-name-as-long-as-they-have-become-70b-instruct-q4'})], [2, 'a question']]},
      {...own, kind: 2, parent: (1n << 64n) - 1n, outcome: refused ? 2 : i % 3 ? 3 : 1, parts: [[6, json({
        treatment: i % 3 ? 'forwardRedacted' : 'forward', site: ['builtin', 'datacentre-paris-2', 'cloud-provider-of-the-department'][i % 3], place: places[i % 3],
        policies: [i % 9 ? `gdpr-chapter-5-transfer-needs-adequacy-or-safeguards-${i % 9}` : 'a_policy_id_without_blanks_or_hyphens_'.repeat(4), 'on-premises'], errors: [], revision: 'sha256:0123',
        found: {classes: [classes[i % 6], classes[(i + 1) % 6]], kinds: {iban: 1, email: 2, aws_access_key_id: 1}, subject_jurisdictions: ['EU', 'US'].slice(i % 2)}})]]});
    await to.append(refused ? {...own, kind: 4, parent: first, outcome: 403, parts: [[1, json({name: 'policy_denied'})]]} :
      {...own, kind: 3, parent: first, outcome: 200, parts: [[1, json({prompt_tokens: 20, completion_tokens: 40})], [3, 'an answer']]});
  }
  for (let i = 0; i < 6; ++i) {
    log.act('hold', '--subject', `user${i}`);
    log.act('release', '--subject', `user${i}`, '--auditor', 'auditor-1', '--out', `${i}.release`);
  }
  log.act('release', '--hold', '1');
  log.act('erase', '--subject', 'user0');
  log.cosign();
  await log.end('SIGKILL');
  await log.start();
  await log.end();
}

const chromium = (...args) => execFileSync('chromium', ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', `--user-data-dir=${join(dir, 'chromium')}`, ...args],
                                           {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 120_000, maxBuffer: 64 << 20});

before(async () => {
  if (skip) return;
  mkdirSync(out, {recursive: true});
  for (const name of readdirSync(out)) if (/^paper[-.]/.test(name)) rmSync(paper(name));
  const log = new Log(join(dir, 'log'), 'paper.example/audit');
  await fill(log);
  log.cli('audit', 'report', '--log', 'audit', '--keys', 'keys', '--auditor-key', 'auditor.key', '--witness', 'witness.key.pub',
          '--organisation', 'Department of Paper and Print', '--out', paper('paper.html'));
  chromium('--no-pdf-header-footer', `--print-to-pdf=${paper('paper.pdf')}`, `file://${paper('paper.html')}`);
  if (has('pdftotext')) pages = execFileSync('pdftotext', ['-layout', paper('paper.pdf'), '-'], {encoding: 'utf8'}).split('\f').slice(0, -1);
  if (process.env.PORTCULLIS_PAPER) execFileSync('pdftoppm', ['-r', '70', '-png', paper('paper.pdf'), paper('paper')]);
});
after(() => rmSync(dir, {recursive: true, force: true}));

test('the report prints to pages of A4', {skip}, () => {
  const pdf = readFileSync(paper('paper.pdf'), 'latin1');
  assert.ok(pdf.startsWith('%PDF-'));
  const count = [...pdf.matchAll(/\/Type\s*\/Page\b/g)].length;
  assert.ok(count >= 5, `${count} pages`);
  const boxes = new Set([...pdf.matchAll(/\/MediaBox\s*\[([\d. ]+)\]/g)].map(([, box]) => box.trim().split(/\s+/).map((n) => Math.round(Number(n))).join(' ')));
  assert.deepEqual([...boxes], ['0 0 595 842']);
});

test('every section is on paper, the first and the last, and each page says which it is', {skip: skip || (has('pdftotext') ? false : 'no pdftotext here')}, () => {
  const text = pages.join('\n');
  for (const words of ['Compliance report of the language-model gateway', 'Department of Paper and Print', '1. The period in figures',
                       '4. Residency: where data went', 'France (FR)', 'unknown', 'United States (US)', '9. What the verifier says', '10. Clause by clause']) {
    assert.ok(text.includes(words), words);
  }
  assert.match(pages.at(-1), /DORA|HIPAA|PCI DSS|SOC 2|NIST|ISO/, 'the last rows are on the last page');
  for (const [i, page] of pages.entries()) assert.match(page, new RegExp(`\\b${i + 1} of ${pages.length}\\b`));
});

test('a table that goes on repeats its head, and no heading stands alone at the end of a page', {skip: skip || (has('pdftotext') ? false : 'no pdftotext here')}, () => {
  const acts = pages.filter((page) => /issued an API key/.test(page));
  assert.ok(acts.length >= 2, 'the sample is long enough to break');
  for (const page of acts) assert.match(page, /Record\s+When\s+Who\s+What\s+On what\s+Outcome/);
  const clauses = pages.filter((page) => /Evidence/.test(page) && /Standard\s+Clause/.test(page));
  assert.ok(clauses.length >= 2);
  for (const page of pages) {
    const lines = page.split('\n').map((line) => line.trim()).filter((line) => line && !/ of \d+$/.test(line));
    assert.ok(!/^\d+\. [A-Z]/.test(lines.at(-1)) && !/^\d+\. [A-Z]/.test(lines.at(-2) ?? ''), `a heading at the end of a page: ${lines.slice(-2).join(' / ')}`);
  }
});

// The page as a browser lays it out for paper: the same style with its rules for print, at the width of the paper, and a
// script, which the page itself forbids.
function measured() {
  const page = readFileSync(paper('paper.html'), 'utf8');
  const script = `<script>addEventListener('load', () => {
    const width = document.documentElement.clientWidth;
    const over = [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > width + 1 || one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0 && !['inline'].includes(getComputedStyle(one).display));
    const rows = (one) => Math.round(one.getBoundingClientRect().height / parseFloat(getComputedStyle(one.parentElement).lineHeight));
    document.title = JSON.stringify({width, scrollWidth: document.documentElement.scrollWidth, bodyScrollWidth: document.body.scrollWidth, elements: document.querySelectorAll('td').length,
      over: over.map((one) => one.tagName + ': ' + one.textContent.slice(0, 60)).slice(0, 5),
      times: document.querySelectorAll('time').length, broken: [...document.querySelectorAll('time')].filter((one) => rows(one) > 1).length});
  });</script></body>`;
  const changed = page.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, '').replace('@media print', '@media all').replace('</body>', script);
  assert.ok(changed.length > page.length, 'the script is in');
  writeFileSync(join(dir, 'measure.html'), changed);
  const dom = chromium(`--window-size=${kPaperWidth},1000`, '--hide-scrollbars', '--dump-dom', `file://${join(dir, 'measure.html')}`);
  return JSON.parse(/<title>(.*?)<\/title>/s.exec(dom)[1].replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'));
}

test('nothing is wider than the paper, and no time is broken in two', {skip}, () => {
  const said = measured();
  assert.equal(said.width, kPaperWidth);
  assert.ok(said.elements > 500 && said.times > 100, JSON.stringify(said));
  assert.deepEqual(said.over, []);
  assert.equal(said.scrollWidth, kPaperWidth);
  assert.ok(said.bodyScrollWidth <= kPaperWidth, JSON.stringify(said));
  assert.equal(said.broken, 0);
});
