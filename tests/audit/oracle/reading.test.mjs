// What the reading commands give an auditor, over a log of the real auditd: the report with its keys, witness and kept
// checkpoint, as page and as JSON; the export by period and by subject, as JSON lines and as CSV, every proof of which
// is checked by a client written from the specification; the tail, also of a log that grows.
import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {copyFileSync, mkdtempSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after, before} from 'node:test';
import {Log, bin, skip, verifyByProgram} from './logs.mjs';
import {checkProof, parseVerifierKey} from './tlog.mjs';
import {verifyLog} from './verifier.mjs';

const dir = mkdtempSync(join(tmpdir(), 'portcullis-reading-'));
const began = Date.now();
const day = (shift) => new Date(began + shift * 86_400_000).toISOString().slice(0, 10);
const decision = (site, place) => JSON.stringify({treatment: 'forward', site, policies: ['on-premises'], errors: [], revision: 'sha256:00', place,
                                                  found: {classes: ['Health'], kinds: {}, subject_jurisdictions: ['EU']}});
const opened = ['--keys', 'keys', '--auditor-key', 'auditor.key'];
let log, key, seqs;

// {status, stdout, stderr}
const audit = (...args) => spawnSync(join(bin, 'portcullis'), ['audit', ...args], {cwd: log.folder, encoding: 'utf8', timeout: 60_000});
const good = (...args) => {
  const {status, stdout, stderr} = audit(...args);
  assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
  return {stdout, stderr};
};
const lines = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line));

before(async () => {
  if (skip) return;
  log = new Log(join(dir, 'log'), 'reading.example/audit');
  const to = await log.start();
  for (const [subject, place] of [['alice', {processing: 'FR', in: ['EEA']}], ['bob', {processing: 'local', in: ['adequate']}], ['alice', undefined]]) {
    const request = Buffer.alloc(16, subject.length + (place ? 1 : 2));
    const own = {request, subject};
    const {seqs: [first]} = await to.append({...own, kind: 1, tenant: 'tests', parts: [[1, '{}'], [2, `question of ${subject}`]]},
                                            {...own, kind: 2, parent: (1n << 64n) - 1n, outcome: 1, parts: [[6, decision('site', place)]]});
    await to.append({...own, kind: 3, parent: first, outcome: 200, parts: [[1, '{}'], [3, `answer for ${subject}`]]});
    seqs = (seqs ?? []).concat(first);
  }
  log.cosign();
  copyFileSync(log.path('audit/checkpoint'), log.path('kept'));
  copyFileSync(log.path('audit/log.pub'), log.path('brought.pub'));
  key = parseVerifierKey(readFileSync(log.path('audit/log.pub'), 'utf8'));
});
after(async () => {
  if (!skip) await log.end();
  rmSync(dir, {recursive: true, force: true});
});

test('the report says against which key, witness and kept checkpoint it was made, and names countries', {skip}, () => {
  good('report', '--log', 'audit', ...opened, '--key', 'brought.pub', '--witness', 'witness.key.pub', '--seen', 'kept', '--socket', 'auditd.sock',
       '--organisation', 'Reading & Co', '--out', 'whole.html');
  const page = readFileSync(log.path('whole.html'), 'utf8');
  for (const words of ['VALID-WITNESSED', 'Reading &amp; Co', 'witness.example/w1 saw its first', 'France (FR)', 'unknown\nplace: local', '(given)']) {
    assert.ok(page.includes(words), words);
  }
  const {stdout} = good('--json', 'report', '--log', 'audit', ...opened, '--witness', 'witness.key.pub');
  const report = JSON.parse(stdout);
  assert.equal(report.schema, 'portcullis.audit.report/1');
  assert.equal(report.verifier.verdict, 'VALID-WITNESSED');
  assert.deepEqual(report.residency.map(({country, place, requests}) => [country, place, requests]).sort(),
                   [['FR', 'FR', 1], ['unknown', '', 1], ['unknown', 'local', 1]]);
  const told = lines(good('--json', 'export', '--log', 'audit', ...opened, '--kind', 'AUDIT_READ').stdout);
  assert.equal(told.length, 1, 'one of the two reports was recorded, as --socket was given');
  assert.equal(JSON.parse(told[0].parts.metadata).what, 'report');
  const other = audit('report', '--log', 'audit', '--seen', 'brought.pub');
  assert.equal(other.status, 1);
  assert.match(other.stderr, /brought\.pub/);
  assert.equal(audit('report', '--log', 'audit', '--auditor-key', 'auditor.key').status, 1, 'half of the keys');
});

test('a report without keys opens nothing and says so', {skip}, () => {
  const report = JSON.parse(good('--json', 'report', '--log', 'audit').stdout);
  assert.equal(report.records.opened, 0);
  assert.ok(report.records.sealed >= 9);
  assert.deepEqual(report.residency, []);
  assert.equal(report.decisions.allowed, 3);
});

test('a report, an export and a search keep to their days', {skip}, () => {
  const size = verifyByProgram(log.path('audit')).records;
  for (const [args, all] of [[['--from', day(0), '--to', day(0)], true], [['--from', day(-1), '--to', day(1)], true], [['--to', day(-1)], false], [['--from', day(1)], false]]) {
    const report = JSON.parse(good('--json', 'report', '--log', 'audit', ...args).stdout);
    assert.equal(report.records.count > 0, all, args.join(' '));
    if (args.length === 4 && args[1] !== args[3]) assert.ok(report.records.count >= size - 2 && report.records.first_seq === 0);
    assert.ok(report.verifier.records >= size, 'the verifier reads the whole log, whatever the period');
    const {stdout} = audit('export', '--log', 'audit', ...args);
    assert.equal(lines(stdout).length > 0, all, args.join(' '));
    assert.equal(audit('search', '--log', 'audit', ...args).status, all ? 0 : 3, args.join(' '));
  }
});

test('every line of an export carries a leaf and a proof that convince a stranger', {skip}, () => {
  good('export', '--log', 'audit', ...opened, '--proofs', '--out', 'all.jsonl');
  assert.equal(statSync(log.path('all.jsonl')).mode & 0o777, 0o600);
  const rows = lines(readFileSync(log.path('all.jsonl'), 'utf8'));
  assert.ok(rows.length >= 9);
  const questions = rows.filter(({parts}) => parts?.prompt).map(({parts}) => parts.prompt);
  assert.deepEqual(questions, ['question of alice', 'question of bob', 'question of alice']);
  const proved = rows.filter(({proof}) => proof);
  assert.ok(proved.length >= 9);
  for (const row of proved) {
    assert.equal(row.schema, 'portcullis.audit.record/1');
    const leaf = Buffer.from(row.leaf, 'hex');
    assert.ok(checkProof(row.proof, leaf, key).size > row.seq);
    leaf[50] ^= 1;
    assert.throws(() => checkProof(row.proof, leaf, key));
  }
  const again = audit('export', '--log', 'audit', '--out', 'all.jsonl');
  assert.equal(again.status, 1, 'a file that is there is not replaced');
});

test('every row of a CSV export carries a proof that convinces a stranger', {skip}, () => {
  good('export', '--log', 'audit', '--format', 'csv', '--proofs', '--out', 'all.csv');
  const text = readFileSync(log.path('all.csv'), 'utf8');
  const [head, ...rows] = text.split('\r\n').filter(Boolean).map((line) => line.split(','));
  const column = (name) => head.indexOf(name);
  assert.deepEqual([head[0], head.at(-2), head.at(-1)], ['seq', 'leaf', 'proof']);
  assert.ok(!text.includes('question'), 'no content');
  let proved = 0;
  for (const [at, row] of rows.entries()) {
    assert.equal(row.length, head.length);
    assert.equal(row[column('seq')], String(at));
    if (!row[column('proof')]) continue;
    const {size} = checkProof(Buffer.from(row[column('proof')], 'base64').toString(), Buffer.from(row[column('leaf')], 'hex'), key);
    assert.ok(size > at);
    ++proved;
  }
  assert.ok(proved >= 9);
  const refused = audit('export', '--log', 'audit', '--format', 'csv', ...opened);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /csv holds no contents/);
});

test('an export of one subject holds that subject, by the keys on the box or by a release elsewhere', {skip}, () => {
  const bySubject = lines(good('export', '--log', 'audit', ...opened, '--user', 'bob').stdout);
  assert.ok(bySubject.some(({kind}) => kind === 'REQ') && bySubject.some(({kind}) => kind === 'RESP'));
  const tags = new Set(bySubject.filter(({kind}) => ['REQ', 'DECISION', 'RESP'].includes(kind)).map(({subject_tag}) => subject_tag));
  assert.equal(tags.size, 1);
  assert.ok(bySubject.every((row) => !JSON.stringify(row).includes('of alice')));
  log.act('release', '--subject', 'alice', '--auditor', 'auditor-1', '--out', 'alice.release', '--from', day(0), '--to', day(1));
  const elsewhere = good('export', '--log', 'audit', '--auditor-key', 'auditor.key', '--release', 'alice.release', '--kind', 'REQ');
  const texts = lines(elsewhere.stdout).map(({parts}) => parts?.prompt);
  assert.deepEqual(texts, ['question of alice', undefined, 'question of alice']);
  assert.match(elsewhere.stderr, /^3 records, 1 stayed sealed/);
  const none = audit('export', '--log', 'audit', '--user', 'bob');
  assert.equal(none.status, 1);
  assert.match(none.stderr, /keyed tags/);
});

test('the tail is the end of the log, and follows it', {skip}, async () => {
  const size = verifyByProgram(log.path('audit')).records;
  const last = lines(good('--json', 'tail', '--log', 'audit', '-n', '3').stdout);
  assert.equal(last.length, 3);
  assert.deepEqual(last.map(({seq}) => seq - last[0].seq), [0, 1, 2]);
  assert.ok(last.every(({schema, parts}) => schema === 'portcullis.audit.record/1' && parts === undefined));
  assert.ok(last.at(-1).seq >= size - 1);
  const words = good('tail', '--log', 'audit', '-n', '2').stdout.trim().split('\n');
  assert.equal(words.length, 2);
  assert.match(words[0], /^\d+\t\d{4}-\d\d-\d\dT[\d:]+Z\t[A-Z_]+\t\d+\t[0-9a-f]{32}$/);

  const child = spawn(join(bin, 'portcullis'), ['--json', 'audit', 'tail', '--log', 'audit', '-n', '1', '--follow'], {cwd: log.folder, stdio: ['ignore', 'pipe', 'inherit']});
  try {
    let text = '';
    child.stdout.on('data', (data) => { text += data; });
    const seen = async (check) => {
      while (!check()) await once(child.stdout, 'data', {signal: AbortSignal.timeout(20_000)});
    };
    await seen(() => text.includes('\n'));
    const {seqs: [seq]} = await log.appender.append({kind: 5, subject: 'root', outcome: 1, parts: [[1, '{"did":"follow"}']]});
    await seen(() => text.includes(`"seq":${seq},`));
    const rows = lines(text.slice(0, text.lastIndexOf('\n')));
    for (let i = 1; i < rows.length; ++i) assert.equal(rows[i].seq, rows[i - 1].seq + 1, 'none is left out, none twice');
  } finally { child.kill('SIGTERM'); }
});

test('both verifiers find the log valid after all that reading', {skip}, async () => {
  await log.end();
  assert.equal(verifyLog(log.path('audit')).verdict, 'VALID-SELF-ATTESTED');
  assert.equal(verifyByProgram(log.path('audit')).verdict, 'VALID-SELF-ATTESTED');
});
