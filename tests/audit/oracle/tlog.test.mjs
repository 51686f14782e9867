// Somebody else's client on our log: checkpoint, tiles, entry bundles, proofs and cosignatures of a log
// written by the real programs, read by tlog.mjs, which was written from the specifications alone.
// Needs the programs: PORTCULLIS_BIN_DIR, default build/release/bin.
import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import test, {after, before} from 'node:test';
import {fileURLToPath} from 'node:url';
import {checkProof, checkTiles, cosignatures, entriesOf, leafHash, openCheckpoint, parseVerifierKey, rootOf} from './tlog.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const bin = process.env.PORTCULLIS_BIN_DIR ?? join(root, 'build', 'release', 'bin');
const skip = existsSync(join(bin, 'portcullis')) ? false : `no programs in ${bin}`;
const dir = mkdtempSync(join(tmpdir(), 'portcullis-tlog-'));
const path = (name) => join(dir, name);
const cli = (...args) => execFileSync(join(bin, 'portcullis'), args, {cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});

async function serving(socket) {
  for (let i = 0; i < 600; ++i) {
    if (existsSync(path(socket))) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${socket} does not appear`);
}

let auditd;
before(async () => {
  if (skip) return;
  cli('audit', 'keygen', '--out', 'auditor.key');
  cli('witness', 'keygen', '--out', 'witness.key', '--name', 'witness.example/w1');
  cli('audit', 'init', '--log', 'audit', '--keys', 'keys', '--origin', 'oracle.example/audit', '--auditor-pub', 'auditor.key.pub',
      '--witnesses', 'witness.key.pub');
  auditd = spawn(join(bin, 'portcullis-auditd'), ['--log', 'audit', '--keys', 'keys', '--socket', 'auditd.sock', '--min-free-bytes', '0'],
                 {cwd: dir, stdio: 'ignore'});
  await serving('auditd.sock');
  // Each hold is a record, and with it a batch; enough for two full tiles.
  for (let i = 0; i < 40; ++i) cli('audit', 'hold', '--socket', 'auditd.sock', '--subject', `subject ${i}`, '--reason', 'oracle');
});

after(async () => {
  if (auditd && auditd.exitCode === null) {
    const gone = new Promise((resolve) => auditd.once('exit', resolve));
    auditd.kill('SIGKILL');
    await gone;
  }
  rmSync(dir, {recursive: true, force: true});
});

test('our checkpoint, tiles and entry bundles are those of the specifications', {skip}, async () => {
  cli('witness', 'request', '--socket', 'auditd.sock', '--out', 'request');  // signs what is not signed yet
  const key = parseVerifierKey(readFileSync(path('audit/log.pub'), 'utf8'));
  const checkpoint = openCheckpoint(readFileSync(path('audit/checkpoint'), 'utf8'), key);
  assert.ok(checkpoint.size > 40);
  const entries = entriesOf(path('audit'), checkpoint.size);
  assert.equal(entries.length, checkpoint.size);
  const leaves = entries.map(leafHash);
  assert.ok(rootOf(leaves).equals(checkpoint.root));
  assert.ok(checkTiles(path('audit'), leaves) >= 1);
  assert.throws(() => openCheckpoint(readFileSync(path('audit/checkpoint'), 'utf8').replace('oracle', 'oracla'), key));
});

test('our proofs convince, and only of their own record', {skip}, () => {
  const key = parseVerifierKey(readFileSync(path('audit/log.pub'), 'utf8'));
  for (const seq of [0, 1, 17, 40]) {
    const proof = cli('audit', 'proof', String(seq), '--socket', 'auditd.sock', '--leaf', `leaf${seq}`);
    const entry = readFileSync(path(`leaf${seq}`));
    const {size} = checkProof(proof, entry, key);
    assert.ok(size > seq);
    const other = Buffer.from(entry);
    other[60] ^= 1;
    assert.throws(() => checkProof(proof, other, key), /root/);
    assert.throws(() => checkProof(proof.replace(`index ${seq}\n`, `index ${seq + 1}\n`), entry, key));
    assert.throws(() => checkProof(proof.replace('\n\n', `\n${Buffer.alloc(32).toString('base64')}\n\n`), entry, key));
  }
});

test('hostile proofs are refused: too many hashes, too few, sizes and indexes out of bounds', {skip}, () => {
  const key = parseVerifierKey(readFileSync(path('audit/log.pub'), 'utf8'));
  const given = cli('audit', 'proof', '5', '--socket', 'auditd.sock', '--leaf', 'leaf');
  const proof = given.replace(/^extra .*\n/m, '');  // it is not under the proof
  const entry = readFileSync(path('leaf'));
  assert.ok(checkProof(proof, entry, key).size > 5);
  const [head, note] = [proof.slice(0, proof.indexOf('\n\n')), proof.slice(proof.indexOf('\n\n'))];
  const lines = head.split('\n');
  const hash = Buffer.alloc(32, 7).toString('base64');
  const indexed = (index) => [lines[0], `index ${index}`, ...lines.slice(2)].join('\n') + note;
  const hostile = {
    'more than 63 hashes': [...lines, ...Array(64).fill(hash)].join('\n') + note,
    'one hash too many': [...lines, hash].join('\n') + note,
    'one hash too few': lines.slice(0, -1).join('\n') + note,
    'no hashes': lines.slice(0, 2).join('\n') + note,
    'an index beyond the tree': indexed(10_000_000),
    'an index of 2^64': indexed('18446744073709551616'),
    'a negative index': indexed('-1'),
    'an index with a zero before it': indexed('05'),
    'hashes in another order': [lines[0], lines[1], ...lines.slice(2).reverse()].join('\n') + note,
    'another size in the checkpoint': head + note.replace(/\n([1-9][0-9]*)\n/, '\n0\n'),
    'no checkpoint': `${head}\n\n`,
    'another header': proof.replace('v1', 'v9'),
    'extra data that is not base64': given.replace('\nextra ', '\nextra !'),
    'extra data behind the index': given.replace(/\n(extra .*)\n(index .*)\n/, '\n$2\n$1\n'),
  };
  for (const [name, text] of Object.entries(hostile)) assert.throws(() => checkProof(text, entry, key), Error, name);
});

test('a cosignature made by file is one of the specification', {skip}, async () => {
  writeFileSync(path('logs'), readFileSync(path('audit/log.pub')));
  cli('witness', 'request', '--socket', 'auditd.sock', '--old', '0', '--out', 'request');
  cli('witness', 'cosign', '--key', 'witness.key', '--state', 'state', '--logs', 'logs', 'request', '--out', 'cosigned');
  cli('witness', 'attach', '--socket', 'auditd.sock', 'cosigned');
  const key = parseVerifierKey(readFileSync(path('audit/log.pub'), 'utf8'));
  const witness = parseVerifierKey(readFileSync(path('witness.key.pub'), 'utf8'));
  const witnessed = openCheckpoint(readFileSync(path('audit/witnessed'), 'utf8'), key);
  const [time] = cosignatures(witnessed, witness);
  assert.ok(Math.abs(time - Date.now() / 1000) < 600);
  const report = JSON.parse(execFileSync(join(bin, 'portcullis-verify'), ['audit', '--witness', 'witness.key.pub', '--json'], {cwd: dir, encoding: 'utf8'}));
  assert.equal(report.verdict, 'VALID-WITNESSED');
  assert.equal(report.witnesses[0].size, witnessed.size);
  // The witness refuses the same request a second time and says what it has seen.
  assert.throws(() => cli('witness', 'cosign', '--key', 'witness.key', '--state', 'state', '--logs', 'logs', 'request'), /has seen/);
});

test('a witness over HTTP cosigns what is consistent, round after round', {skip}, async () => {
  const server = spawn(join(bin, 'portcullis'), ['witness', 'serve', '--key', 'witness.key', '--state', 'state2', '--logs', 'logs', '--listen', '127.0.0.1:0'],
                       {cwd: dir, stdio: ['ignore', 'pipe', 'ignore']});
  try {
    const line = await new Promise((resolve) => server.stdout.once('data', (data) => resolve(String(data))));
    const url = /http:\S+/.exec(line)[0];
    cli('witness', 'feed', '--socket', 'auditd.sock', '--url', url, '--once');
    cli('audit', 'hold', '--socket', 'auditd.sock', '--subject', 'one more', '--reason', 'oracle');
    cli('witness', 'feed', '--socket', 'auditd.sock', '--url', url, '--once');
    const key = parseVerifierKey(readFileSync(path('audit/log.pub'), 'utf8'));
    const head = openCheckpoint(readFileSync(path('audit/checkpoint'), 'utf8'), key);
    const seen = openCheckpoint(await (await fetch(`${url}/checkpoint/oracle.example/audit`)).text(), key);
    assert.equal(seen.size, head.size);
    assert.equal(cosignatures(seen, parseVerifierKey(readFileSync(path('witness.key.pub'), 'utf8'))).length, 1);
    const conflict = await fetch(`${url}/add-checkpoint`, {method: 'POST', body: readFileSync(path('request'))});
    assert.equal(conflict.status, 409);
    assert.equal(conflict.headers.get('content-type'), 'text/x.tlog.size');
    assert.equal(await conflict.text(), `${head.size}\n`);
    assert.equal((await fetch(`${url}/add-checkpoint`, {method: 'POST', body: 'old'})).status, 400);
    assert.equal((await fetch(`${url}/nothing`)).status, 404);
  } finally { server.kill('SIGTERM'); }
});
