// The receipt of a call, and the proof that it stands in the log: for who called, and for nobody else.
import test, {before, after} from 'node:test';
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {checkProof, leafHash, parseVerifierKey} from '../audit/oracle/tlog.mjs';
import {Appliance, until} from './appliance.mjs';

let box;
before(async () => { box = await Appliance.start(); });
after(async () => { await box?.close(); });

test('a caller fetches the proof of a call, checked by a second implementation', async () => {
  const {status, headers} = await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('Hello', {max_tokens: 2}))});
  assert.equal(status, 200);
  const receipt = headers.get('x-portcullis-receipt');
  assert.match(receipt, /^pcr2\.[A-Za-z0-9_-]+$/);
  const raw = Buffer.from(receipt.slice(5), 'base64url');
  const seq = raw.readBigUInt64BE(4);
  const got = await box.request('GET', `/v1/audit/receipts/${seq}`);
  assert.equal(got.status, 200, JSON.stringify(got.json));
  const leaf = Buffer.from(got.json.leaf, 'base64');
  assert.ok(leafHash(leaf).equals(raw.subarray(12, 44)), 'the leaf is the one the receipt names');
  const key = parseVerifierKey(readFileSync(join(box.dir, 'audit/log.pub'), 'utf8'));
  assert.ok(checkProof(got.json.proof, leaf, key).size > Number(seq));
});

test('for anybody else there is no such record', async () => {
  const {headers} = await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('Hello', {max_tokens: 1}))});
  const seq = Buffer.from(headers.get('x-portcullis-receipt').slice(5), 'base64url').readBigUInt64BE(4);
  const {key} = await box.issueKey('somebody-else');
  const foreign = await box.request('GET', `/v1/audit/receipts/${seq}`, {key});
  const none = await box.request('GET', '/v1/audit/receipts/99999999', {key});
  assert.equal(foreign.status, 404);
  assert.equal(none.status, 404);
  assert.equal(foreign.json.error.message, none.json.error.message);
  assert.equal((await box.request('GET', '/v1/audit/receipts/-1')).status, 400);
  assert.equal((await box.request('GET', `/v1/audit/receipts/${seq}`, {key: null})).status, 401);
});

test('while the log hangs, refusals come within 100 ms, and the appliance comes back by itself', async () => {
  const ask = async () => {
    const begun = performance.now();
    const {status} = await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('Hello', {max_tokens: 1}))});
    return {status, ms: performance.now() - begun};
  };
  box.kill('auditd', 'SIGSTOP');
  // The first call on each core finds out, and waits for it.
  await until(async () => { const {status, ms} = await ask(); assert.equal(status, 503); return ms < 100; }, {what: 'known to hang'});
  await until(async () => (await ask()).ms < 100, {what: 'known to hang on every core'});
  const times = [];
  for (let i = 0; i < 20; ++i) {
    const {status, ms} = await ask();
    assert.equal(status, 503);
    times.push(ms);
  }
  times.sort((a, b) => a - b);
  assert.ok(times[times.length - 2] < 100, `refusals took ${times.map(Math.round)}`);
  box.kill('auditd', 'SIGCONT');
  await until(async () => (await ask()).status === 200, {what: 'answers again'});
});
