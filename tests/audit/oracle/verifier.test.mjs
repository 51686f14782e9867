// Two verifiers that share nothing: portcullis-verify and verifier.mjs, which was written from
// audit/FORMAT.md alone. On good logs and on seeded damages they must give the same verdict, exit code and
// first bad seq. PORTCULLIS_DAMAGES (default 120) says how many damages, PORTCULLIS_DAMAGE_SEED where to
// begin; `node --test` on this file with PORTCULLIS_DAMAGES=2000 is the long form.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {appendFileSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after, before} from 'node:test';
import {damages, Dice} from './damage.mjs';
import {bin, eventful, killed, quiet, skip, verifyByProgram} from './logs.mjs';
import {parseVerifierKey} from './tlog.mjs';
import {verifyLog} from './verifier.mjs';

const count = Number(process.env.PORTCULLIS_DAMAGES ?? 120);
const firstSeed = Number(process.env.PORTCULLIS_DAMAGE_SEED ?? 1);
const dir = mkdtempSync(join(tmpdir(), 'portcullis-verifiers-'));
const names = Object.keys(damages);
const made = {quiet, eventful, killed};
const logs = {};

before(async () => {
  if (skip) return;
  for (const [name, make] of Object.entries(made)) logs[name] = await make(join(dir, name));
});
after(() => rmSync(dir, {recursive: true, force: true}));

// Both verdicts, the second in the words of the first.
function both(folder, log, witnessed, seen, receipts = []) {
  const key = log.path('witness.key.pub');
  const program = verifyByProgram(folder, ...(witnessed ? ['--witness', key] : []), ...(seen ? ['--seen', seen] : []), ...receipts.flatMap((text) => ['--receipt', text]));
  const oracle = verifyLog(folder, {witnesses: witnessed ? [parseVerifierKey(readFileSync(key, 'utf8'))] : [], seen: seen ? [seen] : [], receipts});
  const essence = ({verdict, exit, first_bad_seq: seq}) => ({verdict, exit, first_bad_seq: seq ?? null});
  return {program: essence(program), oracle: essence(oracle), full: {program, oracle}};
}

for (const [name, verdict] of [['quiet', 'VALID-SELF-ATTESTED'], ['eventful', 'VALID-WITH-RECOVERY'], ['killed', 'VALID-SELF-ATTESTED']]) {
  test(`a good log: ${name}`, {skip}, () => {
    for (const witnessed of [false, true]) {
      const {program, oracle, full} = both(logs[name].path('audit'), logs[name], witnessed);
      assert.deepEqual(oracle, program, JSON.stringify(full));
      assert.deepEqual(program, {verdict, exit: 0, first_bad_seq: null});
      assert.equal(full.oracle.records, full.program.records);
      logs[name].size = full.oracle.records;
      assert.equal(full.oracle.recoveries, full.program.recoveries);
      assert.equal(full.oracle.open_requests, full.program.open_requests);
    }
  });
}

test('two witnesses who cosign one after the other', {skip}, async () => {
  const log = logs.quiet.copy(join(dir, 'two'));
  log.cli('witness', 'keygen', '--out', 'second.key', '--name', 'second.example/w');
  appendFileSync(log.path('keys/witnesses.pub'), readFileSync(log.path('second.key.pub')));
  await log.start();
  for (const name of ['witness.key', 'second.key']) {
    log.act('hold', '--subject', 'somebody');
    log.cosign(name);
  }
  await log.end();
  const {program, oracle, full} = both(log.path('audit'), log, true);
  assert.deepEqual(oracle, program, JSON.stringify(full));
  assert.equal(program.verdict, 'VALID-WITNESSED');
  const keys = ['witness.key.pub', 'second.key.pub'].map((name) => log.path(name));
  const {witnesses} = verifyByProgram(log.path('audit'), ...keys.flatMap((key) => ['--witness', key]));
  assert.equal(witnesses.length, 2);
  assert.notEqual(witnesses[0].size, witnesses[1].size);
  const second = parseVerifierKey(readFileSync(keys[1], 'utf8'));
  assert.equal(verifyLog(log.path('audit'), {witnesses: [second]}).verdict, 'VALID-WITNESSED');
  // Both notes in one file, which somebody kept: for the verifiers and for the report.
  const kept = join(dir, 'kept');
  copyFileSync(log.path('audit/witnessed'), kept);
  const again = both(log.path('audit'), log, true, kept);
  assert.deepEqual(again.oracle, again.program, JSON.stringify(again.full));
  assert.equal(again.program.verdict, 'VALID-WITNESSED');
  assert.match(log.cli('--json', 'audit', 'report', '--log', 'audit', '--seen', kept), /VALID-SELF-ATTESTED/);
});

test('a checkpoint of another log, brought along by mistake, says nothing about this one', {skip}, () => {
  const foreign = logs.killed.path('audit/checkpoint');
  const {status, stderr} = spawnSync(join(bin, 'portcullis-verify'), [logs.quiet.path('audit'), '--seen', foreign], {encoding: 'utf8'});
  assert.equal(status, 1, stderr);
  assert.ok(stderr.includes(`\`${foreign}\` is no checkpoint of this log`), stderr);
  assert.throws(() => verifyLog(logs.quiet.path('audit'), {seen: [foreign]}));
  const report = spawnSync(join(bin, 'portcullis'), ['--json', 'audit', 'report', '--log', logs.quiet.path('audit'), '--seen', foreign], {encoding: 'utf8'});
  assert.equal(report.status, 1, report.stdout + report.stderr);
  assert.ok(report.stderr.includes(`\`${foreign}\` is no checkpoint of this log`), report.stderr);
});

test('a cloned machine, and a snapshot that was put back, against a checkpoint that somebody kept', {skip}, async () => {
  const clone = logs.quiet.copy(join(dir, 'clone'));
  await clone.start();
  await clone.end();
  const seen = clone.path('audit/checkpoint');
  const older = both(logs.quiet.path('audit'), logs.quiet, false, seen);
  assert.deepEqual(older.oracle, older.program, JSON.stringify(older.full));
  assert.deepEqual(older.program, {verdict: 'ROLLED-BACK', exit: 3, first_bad_seq: logs.quiet.size});
  const twin = logs.quiet.copy(join(dir, 'twin'));
  await twin.start();
  await twin.end();
  const forked = both(twin.path('audit'), twin, false, seen);
  assert.deepEqual(forked.oracle, forked.program, JSON.stringify(forked.full));
  assert.deepEqual(forked.program, {verdict: 'FORKED', exit: 3, first_bad_seq: 0});
});

test('receipts that holders bring along', {skip}, async () => {
  const grow = async (name, ...words) => {
    const log = logs.quiet.copy(join(dir, name));
    const appender = await log.start();
    const receipts = [];
    for (const one of words) receipts.push((await appender.request('holder', one)).receipt);
    await log.end();
    return {log, receipts};
  };
  const verdict = (log, receipts) => {
    const {program, oracle, full} = both(log.path('audit'), log, false, undefined, receipts);
    assert.deepEqual(oracle, program, JSON.stringify(full));
    return {...program, receipts: full.program.receipts};
  };
  const {log, receipts} = await grow('given', 'one', 'two');
  const seqs = receipts.map((text) => Number(Buffer.from(text.slice(5), 'base64url').readBigUInt64BE(4)));
  assert.deepEqual(verdict(log, receipts), {verdict: 'VALID-SELF-ATTESTED', exit: 0, first_bad_seq: null, receipts: seqs.map((seq) => ({seq, in_log: true}))});
  assert.deepEqual(verdict(logs.quiet, receipts), {verdict: 'ROLLED-BACK', exit: 3, first_bad_seq: logs.quiet.size, receipts: seqs.map((seq) => ({seq, in_log: false}))});
  const {log: twin} = await grow('retold', 'something else', 'and more', 'and more');
  const retold = verdict(twin, receipts.toReversed());
  assert.deepEqual(retold, {verdict: 'TAMPERED', exit: 3, first_bad_seq: seqs[0], receipts: seqs.map((seq) => ({seq, in_log: false}))});
  // Another log's accuses nobody, and neither does a damaged one.
  for (const text of [receipts[0].replace(/.{9}$/, 'AAAAAAAAA'), 'pcr2.AAAA']) {
    const {status, stderr} = spawnSync(join(bin, 'portcullis-verify'), [log.path('audit'), '--receipt', text], {encoding: 'utf8'});
    assert.equal(status, 1, stderr);
    assert.match(stderr, /is no receipt of this log/);
    assert.throws(() => verifyLog(log.path('audit'), {receipts: [text]}));
  }
});

test('what is no regular file in the log folder is not followed', {skip}, () => {
  const folder = join(dir, 'linked');
  const verdict = (name, replace) => {
    cpSync(logs.eventful.path('audit'), folder, {recursive: true});
    const whole = verifyLog(folder).records;
    const aside = join(dir, 'aside');
    renameSync(join(folder, name), aside);
    replace(aside, join(folder, name));
    const {program, oracle, full} = both(folder, logs.eventful);
    assert.deepEqual(oracle, program, name + JSON.stringify(full));
    for (const path of [folder, aside]) rmSync(path, {recursive: true});
    return {...program, whole};
  };
  const segments = readdirSync(logs.eventful.path('audit/segments')).sort().map((name) => `segments/${name}`);
  const ways = {link: symlinkSync, dangling: (aside, path) => symlinkSync(`${aside}.none`, path), folder: (aside, path) => mkdirSync(path)};
  for (const [way, replace] of Object.entries(ways)) {
    const expect = (name, kind, seq) => {
      const {verdict: got, exit, first_bad_seq: bad} = verdict(name, replace);
      assert.deepEqual({got, exit, bad}, {got: kind, exit: 3, bad: seq}, `${name}: ${way}`);
    };
    for (const name of ['checkpoint', 'days', 'witnessed']) expect(name, 'TAMPERED', 0);
    expect('log.pub', 'INCOMPLETE', 0);
    expect(segments[0], 'INCOMPLETE', 0);
    const {verdict: got, first_bad_seq: bad, whole} = verdict(segments.at(-1), replace);
    assert.equal(got, 'INCOMPLETE');
    assert.ok(segments.length === 1 || (bad > 0 && bad < whole), `${bad} of ${whole}`);
    if (way !== 'folder') expect('segments', 'TAMPERED', 0);
  }
});

test(`${count} damages: both verifiers say the same`, {skip}, (t) => {
  const tally = {};
  const differences = [];
  for (let seed = firstSeed; seed < firstSeed + count; ++seed) {
    const dice = new Dice(seed);
    const name = names[seed % names.length];
    const base = dice.of(Object.keys(made));
    const other = logs[base === 'quiet' ? 'killed' : 'quiet'].path('audit');
    const folder = join(dir, 'damaged');
    cpSync(logs[base].path('audit'), folder, {recursive: true, preserveTimestamps: true});
    const where = damages[name](folder, dice, other);
    if (where !== undefined) {
      const {program, oracle, full} = both(folder, logs[base], dice.below(2) === 1);
      tally[program.verdict] = (tally[program.verdict] ?? 0) + 1;
      if (JSON.stringify(program) !== JSON.stringify(oracle)) {
        differences.push({seed, name, base, where, program, oracle, says: [full.program.reason, full.oracle.reason]});
      }
    }
    rmSync(folder, {recursive: true});
  }
  t.diagnostic(`verdicts: ${JSON.stringify(tally)}`);
  assert.equal(differences.length, 0, differences.map((one) => JSON.stringify(one)).join('\n'));
  assert.ok((tally.TAMPERED ?? 0) > count / 4, 'damages that are seen');
});
