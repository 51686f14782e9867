// `portcullis audit shred` as an administrator and an auditor see it: the part is gone from show, export, release-part
// and the report names the act; the rest opens, both verifiers find the log valid before and after.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after} from 'node:test';
import {Log, bin, skip, verifyByProgram} from './logs.mjs';
import {verifyLog} from './verifier.mjs';

const dir = mkdtempSync(join(tmpdir(), 'portcullis-shred-'));
after(() => rmSync(dir, {recursive: true, force: true}));

const opened = ['--log', 'audit', '--keys', 'keys', '--auditor-key', 'auditor.key'];
const tryIt = (log, ...args) => {
  const {status, stdout, stderr} = spawnSync(join(bin, 'portcullis'), args, {cwd: log.folder, encoding: 'utf8'});
  return {status, stdout, stderr};
};
const shred = (log, record, part, ...more) => tryIt(log, ...more, 'audit', 'shred', '--socket', 'auditd.sock', '--record', String(record), '--part', part, '--reason', 'a complaint');

test('one part is shredded by the command line', {skip}, async () => {
  const log = new Log(join(dir, 'log'), 'shred.example/audit');
  const to = await log.start();
  const kAdmin = 5;
  const {seqs: [seq]} = await to.append({kind: kAdmin, subject: 'alice', parts: [[2, 'a private question'], [3, 'an answer'], [4, 'a train of thought']]});
  const valid = (shredded) => {
    const program = verifyByProgram(log.path('audit'));
    assert.equal(program.verdict, 'VALID-SELF-ATTESTED', program.reason);
    assert.equal(program.shredded, shredded);
    assert.equal(verifyLog(log.path('audit')).verdict, 'VALID-SELF-ATTESTED');
  };
  valid(0);
  log.act('release', '--subject', 'alice', '--auditor', 'auditor-1', '--out', 'before.release');

  const hold = tryIt(log, '--json', 'audit', 'hold', '--socket', 'auditd.sock', '--subject', 'alice', '--reason', 'case');
  const held = shred(log, seq, 'prompt');
  assert.equal(held.status, 3, held.stderr);
  assert.match(held.stderr, /legal hold/);
  log.act('release', '--hold', String(JSON.parse(hold.stdout).hold));

  assert.match(shred(log, seq, 'prompt', '--dry-run').stderr, /would destroy/);
  const done = shred(log, seq, 'prompt', '--json');
  assert.equal(done.status, 0, done.stderr);
  assert.equal(JSON.parse(done.stdout).records, 1);
  for (const [record, part, status] of [[seq, 'prompt', 3], [seq, 'tools', 3], [0, 'metadata', 3], [9999, 'prompt', 3], [seq, 'wrap_set', 1], [seq, 'nonsense', 1]]) {
    const refused = shred(log, record, part);
    assert.equal(refused.status, status, `${record} ${part}: ${refused.stderr}`);
    assert.ok(refused.stderr.length > 20 && refused.stdout === '', refused.stderr);
  }
  log.act('release', '--subject', 'alice', '--auditor', 'auditor-1', '--out', 'after.release');
  await log.end();
  valid(1);

  const shown = JSON.parse(log.cli('--json', 'audit', 'show', String(seq), ...opened));
  assert.deepEqual(shown.parts, {answer: 'an answer', reasoning: 'a train of thought'});
  const by = shown.shredded.prompt;
  const act = JSON.parse(log.cli('--json', 'audit', 'show', String(by), ...opened));
  assert.deepEqual([act.kind, act.outcome, act.parent_seq], ['ERASE', 18, seq]);
  assert.equal(JSON.parse(act.parts.metadata).reason, 'a complaint');
  assert.match(log.cli('audit', 'show', String(seq), ...opened), new RegExp(`shredded by record ${by}`));
  for (const file of ['before', 'after']) {
    const text = log.cli('audit', 'show', String(seq), '--log', 'audit', '--auditor-key', 'auditor.key', '--release', `${file}.release`);
    assert.ok(text.includes('a train of thought') && !text.includes('a private question'), text);
  }
  log.cli('audit', 'keygen', '--out', 'lawyer.key');
  const give = (part) => tryIt(log, 'audit', 'release-part', String(seq), '--part', part, ...opened, '--to', 'lawyer.key.pub', '--out', `${part}.part`);
  assert.equal(give('prompt').status, 3);
  assert.match(give('prompt').stderr, /was shredded/);
  assert.equal(give('answer').status, 0);
  assert.match(log.cli('audit', 'open-part', 'answer.part', '--key', 'lawyer.key', '--log-key', 'audit/log.pub'), /an answer/);
  const exported = log.cli('audit', 'export', ...opened).trim().split('\n').map((line) => JSON.parse(line)).find((line) => line.seq === seq);
  assert.deepEqual(exported.shredded, ['prompt']);
  log.cli('audit', 'report', ...opened, '--out', 'report.html');
  const report = readFileSync(log.path('report.html'), 'utf8');
  assert.ok(report.includes('ERASE (shredded: prompt)') && report.includes('a complaint'), 'the report names the act');
});
