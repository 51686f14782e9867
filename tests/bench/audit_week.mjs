// A week of simulated traffic, from the first record to the erased subject: writes it (audit_week), then
// verifies, searches, exports, erases one subject through a real auditd and verifies again, all with the
// programs that an operator has. Prints a table on standard error and JSON on standard output.
// usage: node tests/bench/audit_week.mjs [--records N] [--days N] [--subjects N] [--dir D] [--keep]
import {execFileSync, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readdirSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {Appender} from '../audit/oracle/appender.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const bin = process.env.PORTCULLIS_BIN_DIR ?? join(root, 'build', 'release', 'bin');
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const records = Number(option('records', 1_000_000));
const dir = mkdtempSync(join(option('dir', tmpdir()), 'portcullis-week-'));
const results = [];

function size(path) {
  const info = statSync(path);
  if (!info.isDirectory()) return info.size;
  return readdirSync(path).reduce((sum, name) => sum + size(join(path, name)), 0);
}

// Runs a program and notes how long it took: {stdout, row}.
function timed(what, program, args, {allowed = [0]} = {}) {
  const begun = performance.now();
  const {status, stdout, stderr} = spawnSync(join(bin, program), args, {cwd: dir, encoding: 'utf8', maxBuffer: 1 << 30});
  if (!allowed.includes(status)) throw new Error(`${what}: ${program} ${args.join(' ')} ended with ${status}: ${stderr.slice(-2000)}`);
  const row = {step: what, seconds: Number(((performance.now() - begun) / 1000).toFixed(2))};
  results.push(row);
  return {stdout, row};
}
const verify = (what) => {
  const {stdout, row} = timed(what, 'portcullis-verify', ['audit', '--json']);
  const report = JSON.parse(stdout);
  Object.assign(row, {verdict: report.verdict, records: report.records, segments: report.segments, erased: report.erased,
                      records_per_s: Math.round(report.records / row.seconds)});
  return report;
};
const search = (what, ...args) => {
  const {stdout, row} = timed(what, 'portcullis', ['--json', 'audit', 'search', '--log', 'audit', '--keys', 'keys', ...args]);
  row.found = stdout.split('\n').filter((line) => line.startsWith('{"')).length;
  return row.found;
};

async function withAuditd(work) {
  const auditd = spawn(join(bin, 'portcullis-auditd'), ['--log', 'audit', '--keys', 'keys', '--socket', 'auditd.sock'], {cwd: dir, stdio: ['ignore', 'ignore', 'inherit']});
  const begun = performance.now();
  try {
    while (!existsSync(join(dir, 'auditd.sock'))) {
      if (auditd.exitCode !== null) throw new Error('auditd does not start');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    results.push({step: 'start of auditd on this log', seconds: Number(((performance.now() - begun) / 1000).toFixed(2))});
    await work();
  } finally {
    const gone = once(auditd, 'exit');
    auditd.kill('SIGTERM');
    await gone;
  }
}

// Appends while `busy` goes on: how long the slowest waited.
async function appending(until) {
  const to = await Appender.open(join(dir, 'auditd.sock'));
  const times = [];
  let ended = false;
  until.then(() => { ended = true; }, () => { ended = true; });
  while (!ended) {
    const begun = performance.now();
    const {durable, error} = await to.append({kind: 5, subject: 'root', parts: [[1, '{}']]});
    times.push({ms: performance.now() - begun, durable, error});
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  to.close();
  const sorted = times.map(({ms}) => ms).sort((a, b) => a - b);
  return {appends: times.length, refused: times.filter(({durable}) => !durable).length, p50_ms: Number(sorted[sorted.length >> 1]?.toFixed(2)), max_ms: Number(sorted.at(-1)?.toFixed(1))};
}

try {
  const {stdout, row} = timed('write', 'audit_week', ['--out', '.', '--records', String(records), '--days', option('days', '7'), '--subjects', option('subjects', '500')]);
  const written = JSON.parse(stdout);
  Object.assign(row, written, {log_bytes: size(join(dir, 'audit')), segment_bytes: size(join(dir, 'audit/segments')), keys_bytes: size(join(dir, 'keys'))});
  verify('verify');
  const user = 'user3';
  search('search, first time (builds what it keeps)', '--user', user);
  search('search again: one user', '--user', user);
  const all = search('search: one user, refused', '--user', user, '--kind', 'DECISION', '--outcome', '2');
  search('search: one policy, one day', '--kind', 'DECISION', '--tag', 'policy:no-secrets', '--from', new Date(Date.now() - 3 * 86400e3).toISOString().slice(0, 10));
  await withAuditd(async () => {
    timed('release of one subject', 'portcullis', ['audit', 'release', '--socket', 'auditd.sock', '--subject', user, '--auditor', 'auditor-1', '--reason', 'a week', '--out', 'subject.release']);
  });
  const exported = timed('export of one subject, contents and proofs', 'portcullis', ['audit', 'export', '--log', 'audit', '--auditor-key', 'auditor', '--release', 'subject.release', '--keys', 'keys', '--user', user, '--proofs', '--out', 'subject.jsonl']);
  Object.assign(exported.row, {bytes: size(join(dir, 'subject.jsonl')), lines: Number(execFileSync('wc', ['-l', join(dir, 'subject.jsonl')], {encoding: 'utf8'}).trim().split(' ')[0])});
  const listed = timed('export of everything, without contents', 'portcullis', ['audit', 'export', '--log', 'audit', '--out', 'all.jsonl']);
  Object.assign(listed.row, {bytes: size(join(dir, 'all.jsonl'))});
  await withAuditd(async () => {
    const begun = performance.now();
    const erasing = new Promise((resolve, reject) => {
      const child = spawn(join(bin, 'portcullis'), ['audit', 'erase', '--socket', 'auditd.sock', '--subject', user, '--reason', 'article 17'], {cwd: dir, stdio: ['ignore', 'ignore', 'inherit']});
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`erase ended with ${code}`))));
    });
    const meanwhile = await appending(erasing);
    await erasing;
    results.push({step: 'erase of one subject', seconds: Number(((performance.now() - begun) / 1000).toFixed(2)), appends_meanwhile: meanwhile});
  });
  verify('verify after the erasure');
  search('search after the erasure', '--user', user);
  if (all === 0) throw new Error('the searches found nothing');
  for (const {step, seconds, ...more} of results) {
    process.stderr.write(`${step.padEnd(44)} ${String(seconds).padStart(8)} s  ${Object.entries(more).map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`).join(', ')}\n`);
  }
  console.log(JSON.stringify({schema: 'portcullis.bench.week/1', steps: results}));
} finally {
  if (!process.argv.includes('--keep')) rmSync(dir, {recursive: true, force: true});
}
