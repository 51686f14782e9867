// What happens when a process dies, a disk fills up or the log is torn: callers get a clear refusal,
// the appliance comes back by itself, and every acknowledged record is still there.
import test from 'node:test';
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Appliance, until} from '../e2e/appliance.mjs';
import {halfSaid} from './half_said.mjs';

const isRoot = process.getuid() === 0;
const works = (box) => until(async () => {
  try {
    return (await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('Hello', {max_tokens: 2}))})).status === 200;
  } catch { return false; }
}, {seconds: 60, what: 'the appliance answers again'});

async function verified(box, pattern) {
  const {code, report} = await box.verify();
  assert.equal(code, 0, JSON.stringify(report));
  assert.match(report.verdict, pattern);
  return report;
}

// The receipts of calls that were answered.
async function acknowledged(box, count) {
  const receipts = [];
  for (let i = 0; i < count; ++i) {
    const {headers, status} = await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat(`n ${i}`, {max_tokens: 1}))});
    if (status === 200) receipts.push(headers.get('x-portcullis-receipt'));
  }
  assert.ok(receipts.length > 0, 'some calls were answered');
  return receipts;
}

// What a receipt names is in the log, and is that record: day u32, seq u64, leaf hash, signature.
async function kept(box, receipts) {
  const hashes = new Map((await box.records()).map((record) => [record.seq, record.leaf_hash]));
  for (const receipt of receipts) {
    assert.match(receipt, /^pcr2\./);
    const bytes = Buffer.from(receipt.slice(5), 'base64url');
    const seq = Number(bytes.readBigUInt64BE(4));
    assert.equal(hashes.get(seq), bytes.subarray(12, 44).toString('hex'), `record ${seq} of a receipt`);
  }
}

test('the engine is killed in the middle of a stream', async () => {
  const box = await Appliance.start();
  try {
    const [said] = await halfSaid(box);
    box.kill('engine');
    const {error} = await said.rest();
    assert.ok(error, 'an end is never invented');
    await works(box);
    const kinds = (await box.records()).map((record) => record.kind);
    assert.ok(kinds.includes('ABORT'));
    await verified(box, /^VALID-SELF-ATTESTED$/);
  } finally { await box.close(); }
});

test('auditd is killed in the middle of streams', async () => {
  const box = await Appliance.start();
  try {
    const before = await acknowledged(box, 5);
    const responses = async () => (await box.records()).filter((record) => record.kind === 'RESP').length;
    const said = await halfSaid(box, 2);
    const answered = await responses();
    box.kill('auditd');
    box.kill('engine', 'SIGCONT');
    const ends = await Promise.all(said.map((answer) => answer.rest()));
    const ended = ends.filter(({error}) => !error).length;
    assert.equal(await responses(), answered + ended, 'a stream ends only with a durable RESP');
    await works(box);
    const report = await verified(box, /^VALID/);
    assert.ok(report.recoveries >= 1);
    assert.equal(report.open_requests, 0);
    assert.equal(await responses(), answered + ended + 1);
    await kept(box, before);
  } finally { await box.close(); }
});

test('the gateway is killed in the middle of a stream', async () => {
  const box = await Appliance.start();
  try {
    const receipts = await acknowledged(box, 3);
    const [said] = await halfSaid(box);
    box.kill('gateway');
    box.kill('engine', 'SIGCONT');
    assert.ok((await said.rest()).error);
    await works(box);
    await verified(box, /^VALID/);
    await box.stop();
    const report = await verified(box, /^VALID/);
    assert.ok(report.requests >= 4);
    await kept(box, receipts);
  } finally { await box.close(); }
});

test('all three are killed at once; keys, log and state survive', async () => {
  const box = await Appliance.start();
  try {
    const receipts = await acknowledged(box, 3);
    const {key} = await box.issueKey('survivor');
    for (const name of ['gateway', 'auditd', 'engine']) box.kill(name);
    await works(box);
    assert.equal((await box.request('GET', '/v1/models', {key})).status, 200);
    await verified(box, /^VALID/);
    await kept(box, receipts);
  } finally { await box.close(); }
});

test('an orderly stop lets a running stream end', async () => {
  const box = await Appliance.start();
  try {
    const [said] = await halfSaid(box);
    const stopped = box.stop();
    box.kill('engine', 'SIGCONT');
    const {error, finish} = await said.rest();
    assert.ok(['stop', 'length'].includes(finish), String(error));
    await stopped;
    const report = await verified(box, /^VALID-SELF-ATTESTED$/);
    assert.equal(report.open_requests, 0);
  } finally { await box.close(); }
});

test('a torn tail is cut, told and still verifies', async () => {
  const box = await Appliance.start();
  try {
    const receipts = await acknowledged(box, 4);
    box.kill('auditd', 'SIGSTOP');
    const folder = join(box.dir, 'audit/segments');
    const last = readdirSync(folder).filter((name) => name.endsWith('.seg')).sort().at(-1);
    const frame = Buffer.from('PCLF....crc!\x02\0\0\0torn in the middle of a record');
    frame.writeUInt32BE(4096, 4);
    appendFileSync(join(folder, last), frame);
    box.kill('auditd', 'SIGKILL');
    await works(box);
    const report = await verified(box, /^VALID-WITH-RECOVERY$/);
    assert.ok(report.requests >= receipts.length);
    await kept(box, receipts);
  } finally { await box.close(); }
});

// A file that is open for writing keeps its file system writable, so auditd has to lose it first.
function makeReadOnly(mount, box) {
  for (;;) {
    box.kill('auditd');
    try {
      execFileSync('mount', ['-o', 'remount,ro', mount], {stdio: 'ignore'});
      return;
    } catch (error) {
      if (!/busy|Command failed/.test(error.message)) throw error;
    }
  }
}

for (const [name, prepare, release] of [
  ['case 31: a log on a full disk', (mount) => execFileSync('sh', ['-c', `dd if=/dev/zero of=${mount}/fill bs=64k 2>/dev/null; true`]), (mount) => rmSync(join(mount, 'fill'))],
  ['case 36: a log on a disk that became read-only', makeReadOnly, (mount) => execFileSync('mount', ['-o', 'remount,rw', mount])],
]) {
  test(name, {skip: isRoot ? false : 'mounting a tmpfs needs root'}, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'portcullis-'));
    const mount = join(dir, 'audit');
    mkdirSync(mount, {mode: 0o700});
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m,mode=0700', 'tmpfs', mount]);
    let box;
    try {
      box = await Appliance.start({dir});
      const receipts = await acknowledged(box, 3);
      prepare(mount, box);
      await until(async () => {
        const {status, json} = await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('x'.repeat(20000), {max_tokens: 1}))});
        if (status === 503) assert.equal(json.error.code, 'audit_unavailable');
        else assert.ok(status === 200 || status === 400);
        return status === 503;
      }, {what: 'refusals'});
      release(mount);
      await works(box);
      await verified(box, /^VALID/);
      await kept(box, receipts);
    } finally {
      await box?.stop();
      execFileSync('umount', ['-l', mount]);
      rmSync(dir, {recursive: true, force: true});
    }
  });
}
