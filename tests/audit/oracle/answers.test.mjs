// What the commands on the audit log answer: with --json one document that names its schema, to people words and no
// JSON; numbers of one in the singular; a day or a year that does not exist is refused by name before anything is done.
import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after, before} from 'node:test';
import {Log, bin, skip} from './logs.mjs';

const dir = mkdtempSync(join(tmpdir(), 'portcullis-answers-'));
const at = ['--socket', 'auditd.sock'];
const why = ['--reason', 'a test'];
let log, seq;
const say = (...args) => spawnSync(join(bin, 'portcullis'), args, {cwd: log.folder, encoding: 'utf8', timeout: 60_000});

before(async () => {
  if (skip) return;
  log = new Log(join(dir, 'log'), 'answers.example/audit');
  const to = await log.start();
  for (const subject of ['alice', 'bob', 'carol', 'dave']) await to.request(subject, 'a question');
  ({seqs: [seq]} = await to.append({kind: 5, subject: 'erin', parts: [[2, 'one part'], [3, 'another'], [4, 'a third']]}));
});
after(async () => {
  if (!skip) await log.end();
  rmSync(dir, {recursive: true, force: true});
});

// With --json: one document of that schema and nothing else. It is given back.
function document(schema, ...args) {
  const {status, stdout, stderr} = say('--json', ...args);
  assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
  assert.equal(stdout.trim().split('\n').length, 1, stdout);
  const said = JSON.parse(stdout);
  assert.equal(said.schema, schema);
  assert.equal(Object.keys(said)[0], 'schema');
  return said;
}
// Without it: words.
function words(pattern, ...args) {
  const {status, stdout, stderr} = say(...args);
  assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
  assert.match(stdout + stderr, pattern);
  assert.ok(!/[{}[\]]|"/.test(stdout + stderr), `no JSON for people: ${stdout}${stderr}`);
}

test('acts answer in one document, or in words', {skip}, () => {
  assert.deepEqual(document('portcullis.audit.holds/1', 'audit', 'hold', ...at).holds, []);
  words(/^no legal hold is in force\n$/, 'audit', 'hold', ...at);
  const {hold} = document('portcullis.audit.hold/1', 'audit', 'hold', ...at, '--subject', 'alice', ...why);
  const {holds: [held]} = document('portcullis.audit.holds/1', 'audit', 'hold', '--list', ...at);
  assert.deepEqual([held.hold, held.subject, held.reason], [hold, 'alice', 'a test']);
  words(new RegExp(`^hold ${hold}, since \\d{4}-\\d\\d-\\d\\dT[\\d:]+Z, on the records of alice: a test\\n$`), 'audit', 'hold', ...at);
  assert.equal(document('portcullis.audit.lift/1', 'audit', 'release', ...at, '--hold', String(hold), ...why).hold, hold);

  const released = document('portcullis.audit.release/1', 'audit', 'release', ...at, '--subject', 'alice', '--auditor', 'auditor-1', '--out', 'a.release', ...why);
  assert.deepEqual([released.subject, released.auditor, released.file], ['alice', 'auditor-1', 'a.release']);
  words(/released to auditor-1: b\.release/, 'audit', 'release', ...at, '--subject', 'bob', '--auditor', 'auditor-1', '--out', 'b.release', ...why);

  const keys = document('portcullis.audit.keys/1', 'audit', 'keys', ...at);
  assert.equal(keys.auditors.length, 1);
  words(/log key: answers\.example\/audit\+[0-9a-f]{8}\+\S+\n[^]*legal holds in force: 0\n[^]*auditor-1, key [0-9a-f]{16}, jurisdiction \*\nwitnesses:\n {2}witness\.example\/w1\+/,
        'audit', 'keys', ...at);
  assert.equal(document('portcullis.audit.rotate/1', 'audit', 'keys', '--rotate', ...at).generation, keys.store_generation + 1);
  words(/encrypted anew, generation \d+/, 'audit', 'keys', '--rotate', ...at);

  assert.equal(document('portcullis.audit.erase/1', '--dry-run', 'audit', 'erase', ...at, '--subject', 'carol', ...why).dry_run, true);
  const erased = document('portcullis.audit.erase/1', 'audit', 'erase', ...at, '--subject', 'carol', ...why);
  assert.ok(erased.records >= 3 && erased.segments === 1, JSON.stringify(erased));
  words(/^erased: \d+ records, \d+ bytes of ciphertext in 1 segment; all proofs still verify/, 'audit', 'erase', ...at, '--subject', 'dave', ...why);
  const part = ['--record', String(seq), '--part'];
  assert.equal(document('portcullis.audit.shred/1', 'audit', 'shred', ...at, ...part, 'answer', ...why).records, 1);
  words(/^shredded: one part of 1 record, /, 'audit', 'shred', ...at, ...part, 'reasoning', ...why);

  const {proof, leaf} = document('portcullis.audit.proof/1', 'audit', 'proof', '1', ...at);
  assert.match(proof, /^c2sp\.org\/tlog-proof@v1\n/);
  assert.ok(Buffer.from(leaf, 'base64').length > 300);
});

test('the witness answers in one document, or in words', {skip}, async () => {
  const witness = ['--key', 'witness.key', '--state', 'state', '--logs', 'logs'];
  document('portcullis.witness.keygen/1', 'witness', 'keygen', '--out', 'w2.key', '--name', 'w2.example/w');
  const {note} = document('portcullis.witness.request/1', 'witness', 'request', ...at);
  assert.match(note, /^old 0\n/);
  assert.equal(document('portcullis.witness.request/1', 'witness', 'request', ...at, '--out', 'request').file, 'request');
  assert.equal(document('portcullis.witness.cosign/1', 'witness', 'cosign', ...witness, 'request', '--out', 'cosigned').file, 'cosigned');
  const {witnessed} = document('portcullis.witness.attach/1', 'witness', 'attach', ...at, 'cosigned');
  assert.ok(witnessed > 10);
  words(new RegExp(`^witnessed: the first ${witnessed} records\n$`), 'witness', 'attach', ...at, 'cosigned');
  const server = spawn(join(bin, 'portcullis'), ['--json', 'witness', 'serve', ...witness, '--listen', '127.0.0.1:0'], {cwd: log.folder, stdio: ['ignore', 'pipe', 'ignore']});
  try {
    const [line] = await once(server.stdout, 'data');
    const {schema, address} = JSON.parse(line);
    assert.equal(schema, 'portcullis.witness.serve/1');
    const feed = document('portcullis.witness.feed/1', 'witness', 'feed', ...at, '--url', address, '--once');
    assert.ok(feed.witnessed >= witnessed);
    assert.equal(document('portcullis.witness.fetch/1', 'witness', 'fetch', '--url', address, '--origin', 'answers.example/audit', '--out', 'fetched').file, 'fetched');
    words(/^$/, 'witness', 'fetch', '--url', address, '--origin', 'answers.example/audit', '--out', 'fetched');
  } finally { server.kill('SIGTERM'); }
});

test('a witness that answers with no number of records is told as one', {skip}, async () => {
  const server = createServer((request, response) => { response.writeHead(409); response.end('soon\n'); });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const feed = spawn(join(bin, 'portcullis'), ['witness', 'feed', ...at, '--url', `http://127.0.0.1:${server.address().port}`, '--once'],
                       {cwd: log.folder, stdio: ['ignore', 'ignore', 'pipe']});
    let said = '';
    feed.stderr.on('data', (data) => { said += data; });
    const [code] = await once(feed, 'close');
    assert.deepEqual([code, said], [2, 'not witnessed: the witness answered with what is no number of records\n']);
  } finally { server.close(); }
});

// The day's key was made anew after the list was fetched: the proof brings the key that signed the receipt.
test('a receipt of a day with two keys is proved with an older list', {skip}, async () => {
  const twice = new Log(join(dir, 'twice'), 'twice.example/audit');
  const ask = async () => {
    const {receipt, seqs} = await (await twice.start()).request('alice', 'a question');
    await new Promise((resolve) => setTimeout(resolve, 1500));  // a head of its own
    writeFileSync(twice.path('proof'), twice.cli('audit', 'proof', String(seqs[0]), '--socket', 'auditd.sock'));
    await twice.end();
    return receipt;
  };
  const morning = await ask();
  copyFileSync(twice.path('audit/days'), twice.path('morning.days'));
  for (const name of readdirSync(twice.path('keys'))) if (/^day-.*\.key$/.test(name)) rmSync(twice.path(`keys/${name}`));
  const noon = await ask();
  const check = (receipt, ...args) => spawnSync(join(bin, 'portcullis'), ['audit', 'receipt', receipt, '--log-key', 'audit/log.pub', ...args],
                                                {cwd: twice.folder, encoding: 'utf8'});
  const proved = check(noon, '--days', 'morning.days', '--proof', 'proof');
  assert.equal(proved.status, 0, proved.stderr);
  assert.match(proved.stdout, /proved: the record stands in the log/);
  assert.equal(check(morning, '--days', 'morning.days').status, 0);
  const forged = noon.slice(0, 100) + (noon[100] === 'A' ? 'B' : 'A') + noon.slice(101);
  assert.equal(check(forged, '--days', 'morning.days', '--proof', 'proof').status, 3);
});

test('files and readings answer in one document, or in words', {skip}, () => {
  const opened = ['--log', 'audit', '--keys', 'keys', '--auditor-key', 'auditor.key'];
  const exported = document('portcullis.audit.export/1', 'audit', 'export', ...opened, '--out', 'x.jsonl');
  assert.equal(exported.records, readFileSync(log.path('x.jsonl'), 'utf8').trim().split('\n').length);
  document('portcullis.audit.index/1', 'audit', 'index', '--log', 'audit');
  document('portcullis.audit.keygen/1', 'audit', 'keygen', '--out', 'lawyer.key');
  document('portcullis.audit.release-part/1', 'audit', 'release-part', String(seq), '--part', 'prompt', ...opened, '--to', 'lawyer.key.pub', '--out', 'p.part');
  document('portcullis.audit.part/1', 'audit', 'open-part', 'p.part', '--key', 'lawyer.key', '--log-key', 'audit/log.pub');
  document('portcullis.audit.record/1', 'audit', 'show', '1', ...opened);
  assert.ok(!/schema/.test(say('audit', 'show', '1', ...opened).stdout));
  document('portcullis.audit.verify/1', 'audit', 'verify', 'audit');
  document('portcullis.audit.report/1', 'audit', 'report', ...opened);
  for (const line of say('--json', 'audit', 'search', '--log', 'audit', '--kind', 'REQ').stdout.trim().split('\n')) {
    assert.equal(JSON.parse(line).schema, 'portcullis.audit.record/1');
  }
});

test('one is not many', {skip}, async () => {
  const {stderr} = say('audit', 'search', '--log', 'audit', '--no-index', '--limit', '1', '--kind', 'REQ');
  assert.match(stderr, /^1 record; the whole log was read, \d+ records\n$/);
  assert.match(say('audit', 'export', '--log', 'audit', '--limit', '1', '--out', 'one.jsonl').stderr, /^1 record\n$/);
  const small = new Log(join(dir, 'small'), 'small.example/audit');
  const to = await small.start();
  const {seqs} = await to.append({kind: 5, subject: 'erin', parts: [[2, 'one part'], [3, 'another']]});
  small.act('shred', '--record', String(seqs[0]), '--part', 'answer');
  await to.request('alice', 'left open', {leaveOpen: true});
  await small.end('SIGKILL');
  const {stdout} = spawnSync(join(bin, 'portcullis-verify'), ['audit'], {cwd: small.folder, encoding: 'utf8'});
  assert.match(stdout, /note: 1 single part of a record was shredded/);
  assert.match(stdout, /note: 1 request has no end yet/);
  assert.ok(!/\b1 (records|batches|segments|parts|requests|single parts)\b/.test(stdout), stdout);
});

test('the verifier says what a kept checkpoint and the list of auditors have shown', {skip}, () => {
  copyFileSync(log.path('audit/checkpoint'), log.path('kept'));
  const size = Number(readFileSync(log.path('kept'), 'utf8').split('\n')[1]);
  const verify = (...args) => spawnSync(join(bin, 'portcullis-verify'), ['audit', ...args], {cwd: log.folder, encoding: 'utf8'}).stdout;
  const plain = verify();
  assert.ok(!/contains:|sealed: to/.test(plain), plain);
  const given = verify('--seen', 'kept', '--auditors', 'auditor.key.pub');
  assert.match(given, new RegExp(`contains: the checkpoint of ${size} records that was given`));
  assert.match(given, /sealed: to the auditors given, and to nobody else/);
  assert.match(given, new RegExp(`not proved: that nobody holds another history after the first ${size} records`));
  const report = JSON.parse(verify('--seen', 'kept', '--auditors', 'auditor.key.pub', '--json'));
  assert.deepEqual(report.kept_checkpoints.map((one) => one.size), [size]);
  assert.equal(report.auditors_checked, true);
  const strangers = JSON.parse(verify('--auditors', 'lawyer.key.pub', '--json'));
  assert.equal(strangers.auditors_checked, false);
  assert.equal(strangers.valid, false);
});

test('a day that does not exist is refused, naming option and value', {skip}, () => {
  const commands = [['report', '--log', 'audit', '--out', 'never.html'], ['export', '--log', 'audit', '--out', 'never.jsonl'], ['search', '--log', 'audit'],
                    ['release', ...at, '--subject', 'alice', '--auditor', 'auditor-1', '--out', 'never.release', ...why]];
  const days = ['2026-02-31', '2025-02-29', '2100-02-29', '2026-04-31', '2026-13-01', '2026-00-10', '2026-01-00', '2026-1-1', ' 2026-1-01', '2026-01-01x',
                '1969-12-31', 'yesterday', '2026/01/01', '-026-01-01'];
  for (const command of commands) {
    for (const option of ['--from', '--to']) {
      for (const day of days) {
        const {status, stdout, stderr} = say('audit', ...command, `${option}=${day}`);
        assert.deepEqual([status, stdout, stderr], [1, '', `portcullis: ${option}: \`${day}\` is no day of the calendar; write a day as 2026-11-22\n`], command[0]);
      }
    }
    if (command[0] === 'release') {
      const late = say('audit', ...command, '--to', '3227-01-01');
      assert.deepEqual([late.status, late.stdout, late.stderr], [1, '', 'portcullis: --to: keys are by the week, up to 3226-01-07\n']);
    }
    const swapped = say('audit', ...command, '--from', '2026-02-02', '--to', '2026-02-01');
    assert.equal(swapped.status, 1);
    assert.match(swapped.stderr, /--from is after --to/);
  }
  for (const day of ['2024-02-29', '2000-02-29', '2026-12-31', '1970-01-01']) {
    assert.equal(say('audit', 'search', '--log', 'audit', '--from', day).status, Date.parse(day) > Date.now() ? 3 : 0, day);
  }
  assert.equal(say('audit', 'search', '--log', 'audit', '--kind', 'RELEASE', '--limit', '0').stdout.trim().split('\n').length, 2, 'none of these was recorded');
});

test('a year that does not exist is refused, naming option and value', {skip}, () => {
  for (const year of ['20x4', '202', '02024', '-2024', '1969', '2024.5', ' 2024']) {
    const {status, stderr} = say('audit', 'keys', ...at, `--destroy-year=${year}`, ...why);
    assert.deepEqual([status, stderr], [1, `portcullis: --destroy-year: \`${year}\` is no year; write it as 2024\n`]);
  }
  const {status, stderr} = say('audit', 'keys', ...at, '--destroy-year', '2024', ...why);
  assert.equal(status, 3, stderr);
  assert.match(stderr, /no tag key of 2024/);
});

test('another store key: refused beside auditd, in force with its next start, which records it', {skip}, async () => {
  const own = new Log(join(dir, 'rekeyed'), 'rekeyed.example/audit');
  const change = (...more) => spawnSync(join(bin, 'portcullis'), ['--json', 'audit', 'keys', '--new-store-key', 'fresh.key', '--log', 'audit', '--keys', 'keys', ...more],
    {cwd: own.folder, encoding: 'utf8', timeout: 60_000});
  const to = await own.start();
  const {seqs: [first]} = await to.append({kind: 5, subject: 'alice', parts: [[2, 'before']]});
  const beside = change();
  assert.equal(beside.status, 1, beside.stderr);
  assert.match(beside.stderr, /lock/);
  await own.end();
  const before = readFileSync(own.path('keys/store.key'), 'utf8');
  const {status, stdout, stderr} = change();
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), {schema: 'portcullis.audit.new-store-key/1', in_place: true});
  assert.notEqual(readFileSync(own.path('keys/store.key'), 'utf8'), before);
  assert.ok(!readdirSync(own.folder).includes('fresh.key'));
  const again = await own.start();
  const {seqs: [last]} = await again.append({kind: 5, subject: 'alice', parts: [[2, 'after']]});
  await own.end();
  for (const [seq, text] of [[first, 'before'], [last, 'after']]) {
    assert.match(own.cli('audit', 'show', String(seq), '--log', 'audit', '--keys', 'keys', '--auditor-key', 'auditor.key'), new RegExp(text));
  }
  assert.ok(own.cli('audit', 'export', '--log', 'audit').includes('"kind":"CONFIG"'));
});
