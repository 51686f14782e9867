// Slips of people at the command line: the keys of another log, a file that is in the way, a number with a sign, a
// folder that is not there. Each is said before anything is done, recorded or answered.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after, before} from 'node:test';
import {Log, bin, skip} from './logs.mjs';

const dir = mkdtempSync(join(tmpdir(), 'portcullis-slips-'));
let log, other;
const say = (program, ...args) => spawnSync(join(bin, program), args, {cwd: log.folder, encoding: 'utf8', timeout: 30_000});
const audit = (...args) => say('portcullis', 'audit', ...args);

before(async () => {
  if (skip) return;
  log = new Log(join(dir, 'log'), 'one.example/audit');
  other = new Log(join(dir, 'other'), 'other.example/audit');
  const to = await log.start();
  await to.request('alice', 'a question');
});
after(async () => {
  if (!skip) await log.end();
  rmSync(dir, {recursive: true, force: true});
});

test('the keys of another log find nothing, and so are refused', {skip}, () => {
  const keys = other.path('keys');
  for (const {status, stderr} of [audit('search', '--log', 'audit', '--keys', keys, '--user', 'alice'),
                                  audit('export', '--log', 'audit', '--keys', keys, '--auditor-key', 'auditor.key'),
                                  say('portcullis-verify', 'audit', '--keys', keys)]) {
    assert.equal(status, 1, stderr);
    assert.ok(stderr.includes(`the keys in \`${keys}\` are not those of the log \`one.example/audit\``), stderr);
  }
  assert.equal(audit('search', '--log', 'audit', '--keys', 'keys', '--user', 'alice').status, 0);
});

test('a release that cannot be written is not recorded', {skip}, () => {
  writeFileSync(log.path('there'), 'already');
  for (const out of ['there', 'no-such-folder/file']) {
    const {status, stderr} = audit('release', '--socket', 'auditd.sock', '--subject', 'alice', '--auditor', 'auditor-1', '--reason', 'x', '--out', out);
    assert.equal(status, 1, stderr);
    assert.ok(stderr.includes(out), stderr);
  }
  assert.equal(audit('search', '--log', 'audit', '--kind', 'RELEASE').status, 3);
  log.act('release', '--subject', 'alice', '--auditor', 'auditor-1', '--out', 'alice.release');
  assert.equal(audit('search', '--log', 'audit', '--kind', 'RELEASE').status, 0);
});

test('a number is digits that fit', {skip}, () => {
  for (const number of ['-1', '+1', '99999999999999999999', '1x', '0x10']) {
    for (const args of [['tail', '--log', 'audit', `--lines=${number}`], ['search', '--log', 'audit', `--limit=${number}`],
                        ['search', '--log', 'audit', `--parent=${number}`]]) {
      const {status, stderr, stdout} = audit(...args);
      assert.equal(status, 1, `${args}: ${stdout}${stderr}`);
      assert.ok(stderr.includes(number), stderr);
    }
  }
  assert.equal(audit('tail', '--log', 'audit', '--lines=3').status, 0);
});

test('auditd does not run without the path sandbox that its kernel has', {skip}, async (context) => {
  const folder = other.path('credentials');
  const args = ['--log', 'audit', '--keys', 'keys', '--socket', 'auditd.sock'];
  const {status, stdout, stderr} = spawnSync(join(bin, 'portcullis-auditd'), args,
    {cwd: other.folder, encoding: 'utf8', timeout: 4000, env: {...process.env, CREDENTIALS_DIRECTORY: folder}});
  if (/Landlock is not in this kernel/.test(stdout + stderr)) return context.skip('no Landlock in this kernel');
  assert.equal(status, 1, stdout + stderr);
  assert.ok((stdout + stderr).includes(`cannot open \`${folder}\``), stdout + stderr);
});
