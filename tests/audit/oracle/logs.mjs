// Logs written by the real programs: auditd started, asked over its socket, stopped or killed, in a folder of
// its own. PORTCULLIS_BIN_DIR names the programs, default build/release/bin.
import {execFileSync, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {cpSync, existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {Appender} from './appender.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const bin = process.env.PORTCULLIS_BIN_DIR ?? join(root, 'build', 'release', 'bin');
export const skip = existsSync(join(bin, 'portcullis-auditd')) ? false : `no programs in ${bin}`;

export class Log {
  constructor(folder, origin) {
    this.folder = folder;
    if (!origin) return;  // its files come from elsewhere
    mkdirSync(folder, {recursive: true});
    this.cli('audit', 'keygen', '--out', 'auditor.key');
    this.cli('witness', 'keygen', '--out', 'witness.key', '--name', 'witness.example/w1');
    this.cli('audit', 'init', '--log', 'audit', '--keys', 'keys', '--origin', origin, '--auditor-pub', 'auditor.key.pub', '--witnesses', 'witness.key.pub');
    writeFileSync(this.path('logs'), readFileSync(this.path('audit/log.pub')));
  }
  // The same log, with its keys, on another machine.
  copy(folder) {
    cpSync(this.folder, folder, {recursive: true});
    return new Log(folder);
  }
  path(name) { return join(this.folder, name); }
  cli(...args) { return execFileSync(join(bin, 'portcullis'), args, {cwd: this.folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']}); }
  act(name, ...args) { return this.cli('audit', name, '--socket', 'auditd.sock', ...args, '--reason', 'a test'); }

  async start(...args) {
    this.auditd = spawn(join(bin, 'portcullis-auditd'), ['--log', 'audit', '--keys', 'keys', '--socket', 'auditd.sock', '--min-free-bytes', '0', ...args],
                        {cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe']});
    let words = '';
    this.auditd.stderr.on('data', (data) => { words += data; });
    for (let i = 0; i < 800; ++i) {
      try {
        this.appender = await Appender.open(this.path('auditd.sock'));
        return this.appender;
      } catch { await new Promise((resolve) => setTimeout(resolve, 15)); }
      if (this.auditd.exitCode !== null) break;
    }
    throw new Error(`auditd does not serve: ${words}`);
  }

  async end(signal = 'SIGTERM') {
    this.appender?.close();
    if (this.auditd.exitCode === null && this.auditd.signalCode === null) {
      const gone = once(this.auditd, 'exit');
      this.auditd.kill(signal);
      await gone;
    }
  }

  // By the witness of this key, which has seen nothing before.
  cosign(key = 'witness.key') {
    this.cli('witness', 'request', '--socket', 'auditd.sock', '--old', '0', '--out', 'request');
    this.cli('witness', 'cosign', '--key', key, '--state', `${key}.state`, '--logs', 'logs', 'request', '--out', 'cosigned');
    this.cli('witness', 'attach', '--socket', 'auditd.sock', 'cosigned');
  }
}

// One boot, orderly ended: requests of every end, an administrator, two days of patience for nobody.
export async function quiet(folder, origin = 'quiet.example/audit') {
  const log = new Log(folder, origin);
  const to = await log.start();
  for (let i = 0; i < 6; ++i) await to.request(`user${i % 3}`, `prompt ${i} ${'x'.repeat(40 * i)}`);
  await Promise.all([to.request('user0', 'left early', {abort: true}), to.request('user1', 'forbidden', {refused: true}),
                     to.append({kind: 5, subject: 'root', outcome: 1, parts: [[1, '{"did":"nothing"}']]})]);
  await log.end();
  return log;
}

// Three boots: an orderly end, a kill with requests open, an end in the middle; releases, holds, two
// erasures and so several segments; cosigned once.
export async function eventful(folder, origin = 'eventful.example/audit') {
  const log = new Log(folder, origin);
  let to = await log.start();
  for (let i = 0; i < 4; ++i) await to.request(`user${i % 2}`, `prompt ${i}`, {retention: i % 2 ? 30 : 0});
  log.act('hold', '--subject', 'user1');
  log.act('release', '--subject', 'user0', '--auditor', 'auditor-1', '--out', 'user0.release');
  spawnSync(join(bin, 'portcullis'), ['audit', 'erase', '--socket', 'auditd.sock', '--subject', 'user1', '--reason', 'refused by the hold'], {cwd: log.folder});
  await log.end();
  to = await log.start();
  log.cosign();
  log.act('erase', '--subject', 'user0');
  await to.request('user2', 'y'.repeat(9000));
  await to.request('user3', 'left open', {leaveOpen: true});
  await log.end('SIGKILL');
  to = await log.start();
  for (let i = 0; i < 3; ++i) await to.request(`user${2 + i}`, `later prompt ${i}`);
  log.act('erase', '--subject', 'user2');
  await to.request('user0', 'again');
  const whole = await to.append({kind: 5, subject: 'user4', parts: [[2, 'one part'], [3, 'and another'], [4, 'and a third']]});
  for (const part of ['answer', 'reasoning']) log.act('shred', '--record', String(whole.seqs[0]), '--part', part);
  await log.end();
  return log;
}

// Killed while it ran: no STOP, a request open, perhaps a head behind the last batch.
export async function killed(folder, origin = 'killed.example/audit') {
  const log = new Log(folder, origin);
  const to = await log.start();
  for (let i = 0; i < 5; ++i) await to.request(`user${i}`, `prompt ${i}`);
  await new Promise((resolve) => setTimeout(resolve, 1500));  // a head of its own
  await to.request('user0', 'open', {leaveOpen: true});
  await log.end('SIGKILL');
  return log;
}

// portcullis-verify's report.
export function verifyByProgram(folder, ...args) {
  const {status, stdout, stderr} = spawnSync(join(bin, 'portcullis-verify'), [folder, '--json', ...args], {encoding: 'utf8', maxBuffer: 64 << 20});
  if (status !== 0 && status !== 3) throw new Error(`portcullis-verify ended with ${status}: ${stderr}`);
  return {exit: status, ...JSON.parse(stdout)};
}
