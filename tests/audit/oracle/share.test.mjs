// Two-person mode on two machines: each officer has a copy of the log's folder, a key and a release of his own, and the
// one sends the other a share file. What opens where, and what does not.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after} from 'node:test';
import {Log, bin, skip} from './logs.mjs';

const dir = mkdtempSync(join(tmpdir(), 'portcullis-share-'));
after(() => rmSync(dir, {recursive: true, force: true}));

const tryIt = (cwd, program, ...args) => spawnSync(join(bin, program), args, {cwd, encoding: 'utf8'});

test('each officer works with his own key on his own machine', {skip}, async () => {
  const machine = (name, ...files) => {
    const folder = join(dir, name);
    mkdirSync(folder);
    for (const file of files) cpSync(join(dir, 'log', file), join(folder, file), {recursive: true});
    return folder;
  };
  const log = new Log(join(dir, 'log'), 'share.example/audit');
  const publicKey = (name) => readFileSync(log.path(`${name}.key.pub`), 'utf8').split(/\s+/)[2];
  for (const name of ['berlin', 'munich']) log.cli('audit', 'keygen', '--out', `${name}.key`);
  writeFileSync(log.path('auditors'), `auditor legal * ${publicKey('auditor')}\nauditor berlin DE ${publicKey('berlin')}\nauditor munich DE ${publicKey('munich')}\ntwo-person DE\n`);
  log.cli('audit', 'keys', '--keys', 'keys', '--log', 'audit', '--set-auditors', 'auditors');
  const to = await log.start();
  const admin = async (subject, jurisdiction, text) => (await to.append({kind: 5, subject, jurisdiction, parts: [[2, text]]})).seqs[0];
  const first = await admin('bob', 'DE', 'a question'), second = await admin('bob', 'DE', 'another one'), legal = await admin('eve', '', 'not theirs');
  for (const name of ['berlin', 'munich']) log.act('release', '--subject', 'bob', '--auditor', name, '--out', `${name}.release`);
  await log.end();

  const berlin = machine('berlin', 'audit', 'berlin.key', 'berlin.release', 'munich.key.pub');
  const munich = machine('munich', 'audit', 'munich.key', 'munich.release');
  const share = (...args) => tryIt(berlin, 'portcullis', 'audit', 'share', '--log', 'audit', '--auditor-key', 'berlin.key', '--release', 'berlin.release',
                                   '--for', 'munich.key.pub', '--reason', 'case 9', ...args);
  const opens = ['--log', 'audit', '--auditor-key', 'munich.key', '--release', 'munich.release'];
  const show = (seq, ...more) => tryIt(munich, 'portcullis', 'audit', 'show', String(seq), ...opens, ...more);

  assert.equal(show(first).status, 3);
  assert.match(show(first).stderr, /keys of two auditors, or the other one's share/);
  const made = share(String(first), '--out', 'b.share');
  assert.equal(made.status, 0, made.stderr);
  assert.match(made.stderr, /shares 1 record of 1 chain/);
  cpSync(join(berlin, 'b.share'), join(munich, 'b.share'));
  const shown = show(first, '--share', 'b.share');
  assert.equal(shown.status, 0, shown.stderr);
  assert.match(shown.stdout, /a question/);
  assert.match(shown.stderr, /b\.share: a share by the key [0-9a-f]{16} of 20\d\d-.*, for 1 record: case 9/);
  const other = show(second, '--share', 'b.share');
  assert.equal(other.status, 3, other.stdout);
  assert.match(other.stderr, new RegExp(`does not name record ${second}`));
  assert.ok(!other.stdout.includes('another one'));

  const period = share('--from', '2020-01-01', '--out', 'all.share');
  assert.equal(period.status, 0, period.stderr);
  assert.match(period.stderr, /shares 2 records of 1 chain.* \d+ records of the period are not for the two of you/);
  cpSync(join(berlin, 'all.share'), join(munich, 'all.share'));
  const exported = tryIt(munich, 'portcullis', 'audit', 'export', ...opens, '--share', 'all.share');
  assert.equal(exported.status, 0, exported.stderr);
  const lines = exported.stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines.filter((line) => line.parts).map((line) => [line.seq, line.parts.prompt]), [[first, 'a question'], [second, 'another one']]);
  const verified = tryIt(munich, 'portcullis-verify', 'audit', '--auditor-key', 'munich.key', '--release', 'munich.release', '--share', 'all.share', '--json');
  assert.equal(verified.status, 0, verified.stdout + verified.stderr);
  assert.equal(JSON.parse(verified.stdout).decrypted, 2);
  const report = tryIt(munich, 'portcullis', 'audit', 'report', ...opens, '--share', 'all.share', '--out', 'report.html');
  assert.equal(report.status, 0, report.stderr);

  // What is refused, in words and without a file.
  for (const [args, status, words] of [
    [[String(legal)], 3, new RegExp(`record ${legal}: `)], [['9999'], 3, /9999/], [[], 1, /which records/],
    [[String(first), '--from', '2020-01-01'], 1, /which records/], [[String(first), '--auditor-key', 'berlin.key'], 1, /one: yours/],
    [['--from', '2020-01-01', '--to', '2020-01-02'], 3, /no record of the period/], [['-1'], 1, /./],
  ]) {
    const refused = share(...args, '--out', 'none.share');
    assert.equal(refused.status, status, `${args}: ${refused.stderr}`);
    assert.match(refused.stderr, words);
    assert.equal(existsSync(join(berlin, 'none.share')), false);
  }
  assert.equal(tryIt(munich, 'portcullis', 'audit', 'show', String(first), '--log', 'audit', '--share', 'b.share').stdout.includes('a question'), false);
  const foreign = tryIt(munich, 'portcullis', 'audit', 'show', String(first), ...opens, '--share', 'munich.release');
  assert.equal(foreign.status, 1);
  assert.match(foreign.stderr, /`munich\.release`: share file: unknown format/);
});
