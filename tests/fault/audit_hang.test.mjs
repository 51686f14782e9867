// A log that hangs, rather than fails: its process stopped, its disk frozen. The median refusal of a new call
// takes less than 100 ms, or 400 where auditd first takes the disk for slow, up to its limit of 250 ms; once that is
// over, refusals come at once. Where ordinary calls just before take longer than on a machine without other work, each
// limit grows by that, so that the machine is not taken for a fault. Answers in the making end without a false end
// and stand in the log as delivered, nothing acknowledged is lost, and the appliance goes on by itself when the log does.
import test from 'node:test';
import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Appliance, until} from '../e2e/appliance.mjs';
import {halfSaid} from './half_said.mjs';

const post = async (box, content) => {
  const begun = performance.now();
  const {status, json, headers} = await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat(content, {max_tokens: 1}))});
  return {status, code: json?.error?.code, receipt: headers.get('x-portcullis-receipt'), ms: performance.now() - begun};
};
const every = (box, count, content) => Promise.all(Array.from({length: count}, () => post(box, content)));
const answers = (box) => until(async () => (await every(box, 6, 'Hello')).every(({status}) => status === 200), {seconds: 60, what: 'every core answers'});
const median = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];
const kOrdinary = 60;  // ms of an answered call, four at once, nothing else running: 40 to 45 on two cores
const seqOf = (receipt) => Number(Buffer.from(receipt.slice(5), 'base64url').readBigUInt64BE(4));

// `hang` and `release` make the log hang and go on.
async function refuses(box, hang, release, limit) {
  const times = [], later = [], ordinary = [];
  const receipts = [];
  for (let round = 0; round < 5; ++round) {
    await answers(box);
    const answered = await every(box, 4, `round ${round}`);
    receipts.push(...answered.map(({receipt}) => receipt));
    ordinary.push(...answered.map(({ms}) => ms));
    hang();
    try {
      const refused = await every(box, 4, 'while it hangs');
      assert.ok(refused.every(({status, code}) => status === 503 && code === 'audit_unavailable'), JSON.stringify(refused));
      times.push(...refused.map(({ms}) => ms));
      const still = await every(box, 4, 'still');
      assert.ok(still.every(({status}) => status === 503), JSON.stringify(still));
      later.push(...still.map(({ms}) => ms));
    } finally { release(); }
  }
  await answers(box);
  const busy = Math.max(0, median(ordinary) - kOrdinary);
  const within = (taken, most) => assert.ok(median(taken) < most + busy,
    `refusals took ${taken.map(Math.round)} ms, ordinary calls ${ordinary.map(Math.round)} ms`);
  within(times, limit);
  within(later, 50);
  await until(async () => (await box.verify()).report?.open_requests === 0, {what: 'everything is closed'});
  const {code, report} = await box.verify();
  assert.equal(code, 0, JSON.stringify(report));
  assert.equal(report.recoveries, 0, 'auditd was never replaced');
  const kept = new Set((await box.records()).filter(({kind}) => kind === 'REQ').map(({seq}) => seq));
  for (const receipt of receipts.filter(Boolean)) assert.ok(kept.has(seqOf(receipt)), 'every acknowledged record is there');
}

test('auditd does not run', async () => {
  const box = await Appliance.start();
  try {
    await refuses(box, () => box.kill('auditd', 'SIGSTOP'), () => box.kill('auditd', 'SIGCONT'), 100);
  } finally { await box.close(); }
});

// A file system in a file, that can be frozen: writes then wait in the kernel, as on a disk that does not answer.
function freezable() {
  const dir = mkdtempSync(join(tmpdir(), 'portcullis-'));
  const image = join(dir, 'disk.img');
  const mount = join(dir, 'audit');
  writeFileSync(image, '');
  truncateSync(image, 512 << 20);
  mkdirSync(mount, {mode: 0o700});
  const made = spawnSync('mkfs.ext4', ['-q', '-m', '0', image]).status === 0 && spawnSync('mount', ['-o', 'loop', image, mount]).status === 0;
  if (made) {
    rmSync(join(mount, 'lost+found'), {recursive: true});
    execFileSync('chmod', ['700', mount]);
    return {dir, mount};
  }
  rmSync(dir, {recursive: true, force: true});
  return undefined;
}

// `body(box, freeze, thaw)`: an appliance whose log lies on a disk of its own.
function onItsOwnDisk(name, body) {
  test(name, async (t) => {
    const disk = freezable();
    if (!disk) return t.skip('no loop device can be mounted here');
    let box;
    const freeze = () => execFileSync('fsfreeze', ['-f', disk.mount]);
    const thaw = () => spawnSync('fsfreeze', ['-u', disk.mount]);
    try {
      box = await Appliance.start({dir: disk.dir});
      await body(box, freeze, thaw);
    } finally {
      thaw();
      box?.kill('engine', 'SIGCONT');
      await box?.stop();
      execFileSync('umount', ['-l', disk.mount]);
      rmSync(disk.dir, {recursive: true, force: true});
    }
  });
}

onItsOwnDisk('the disk of the log does not answer', (box, freeze, thaw) => refuses(box, freeze, thaw, 400));

onItsOwnDisk('what was delivered before a disk that does not answer stands in the log', async (box, freeze, thaw) => {
  await answers(box);
  // The rest of the answer comes when auditd takes no records any more.
  const [said] = await halfSaid(box);
  freeze();
  const refused = await every(box, 4, 'while it hangs');
  assert.ok(refused.every(({status}) => status === 503), JSON.stringify(refused));
  box.kill('engine', 'SIGCONT');
  const {error, finish} = await said.rest();
  assert.ok(error, `an end that is not in the log is not given (${finish})`);
  assert.ok(said.answer.length + said.reasoning.length > 0);
  thaw();
  await answers(box);
  await until(async () => (await box.verify()).report?.open_requests === 0, {what: 'everything is closed'});
  const ends = (await box.records()).filter(({kind}) => kind === 'ABORT' || kind === 'RESP');
  const kept = await Promise.all(ends.map(async ({seq}) => (await box.record(seq)).parts));
  assert.ok(kept.some(({answer = '', reasoning = ''}) => answer === said.answer && reasoning === said.reasoning),
    `${JSON.stringify([said.answer, said.reasoning])} is not among ${JSON.stringify(kept)}`);
  const {code, report} = await box.verify();
  assert.equal(code, 0, JSON.stringify(report));
  assert.equal(report.recoveries, 0);
});

test('the log stops while an answer is on its way', async () => {
  const box = await Appliance.start();
  try {
    const [said] = await halfSaid(box);
    box.kill('auditd', 'SIGSTOP');
    box.kill('engine', 'SIGCONT');
    const begun = performance.now();
    const {error, finish} = await said.rest();
    assert.ok(error, `an end that is not in the log is not given (${finish})`);
    assert.ok(performance.now() - begun < 20_000);
    assert.equal((await post(box, 'meanwhile')).status, 503);
    box.kill('auditd', 'SIGCONT');
    await answers(box);
    await until(async () => (await box.verify()).report?.open_requests === 0, {what: 'everything is closed'});
    assert.equal((await box.verify()).code, 0);
  } finally {
    box.kill('auditd', 'SIGCONT');
    await box.close();
  }
});
