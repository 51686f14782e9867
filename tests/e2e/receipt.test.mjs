// The receipt of a call, and the proof that it stands in the log: for who called, and for nobody else.
import test, {before, after} from 'node:test';
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {signedBy} from '../audit/oracle/codec.mjs';
import {checkProof, leafHash, parseVerifierKey} from '../audit/oracle/tlog.mjs';
import {Appliance, until} from './appliance.mjs';

let box;
before(async () => {
  box = await Appliance.start();
  // The first record of a subject makes keys, which a busy disk may not sync in the time that a caller waits.
  await until(async () => (await box.request('GET', '/v1/models')).status === 200, {what: 'the first record'});
});
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

test('the holder of a receipt checks it with log.pub alone, an auditor against the log', async () => {
  const call = async () => (await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('Hello', {max_tokens: 1}))})).headers;
  const headers = await call();
  const receipt = headers.get('x-portcullis-receipt');
  const raw = Buffer.from(receipt.slice(5), 'base64url');
  const seq = Number(raw.readBigUInt64BE(4));
  const got = await box.request('GET', `/v1/audit/receipts/${seq}`);
  const pub = join(box.dir, 'audit/log.pub');
  const key = parseVerifierKey(readFileSync(pub, 'utf8'));

  // By hand: the proof's extra data is the day's key, endorsed by the log key; that key has signed the receipt.
  const days = Buffer.from(/^extra (\S+)$/m.exec(got.json.proof)[1], 'base64');
  const signers = [];
  for (let at = 0; at < days.length; at += 100) {
    const entry = days.subarray(at, at + 100);
    assert.ok(signedBy(key.key, Buffer.concat([Buffer.from(`portcullis audit day key v2\n${key.name}\n`), entry.subarray(0, 36)]), entry.subarray(36)));
    if (entry.readUInt32BE(0) === raw.readUInt32BE(0)) signers.push(entry.subarray(4, 36));
  }
  const message = Buffer.concat([Buffer.from(`portcullis audit receipt v2\n${key.name}\n`), raw.subarray(0, 44)]);
  assert.ok(signers.some((signer) => signedBy(signer, message, raw.subarray(44))));

  // By the command line: the header as it came, the answer as it came.
  const file = (name, text) => { writeFileSync(join(box.dir, name), text); return name; };
  const answer = file('answer.json', got.text);
  const check = (what, ...more) => box.cli('--json', 'audit', 'receipt', what, '--log-key', pub, ...more);
  for (const what of [receipt, file('headers', `x-request-id: 1\r\nx-portcullis-receipt: ${receipt}\r\n`)]) {
    for (const proof of [answer, file('proof', got.json.proof)]) {
      const {code, stdout, stderr} = await check(what, '--proof', proof);
      assert.equal(code, 0, stderr);
      const checked = JSON.parse(stdout);
      assert.ok(checked.valid && checked.in_log && checked.seq === seq && checked.checkpoint_size > seq, stdout);
      assert.equal(checked.leaf_hash, got.json.leaf_hash);
    }
  }
  // Another program's proof carries what it likes beside: the list is enough, and nothing without it.
  const foreignExtra = file('other-extra', got.json.proof.replace(/^extra \S+$/m, `extra ${Buffer.from('another program').toString('base64')}`));
  assert.equal((await check(receipt, '--proof', foreignExtra)).code, 1);
  const listed = await check(receipt, '--proof', foreignExtra, '--days', join(box.dir, 'audit/days'));
  assert.equal(JSON.parse(listed.stdout).in_log, true, listed.stderr);
  const unproved = await check(receipt, '--days', join(box.dir, 'audit/days'));
  assert.equal(JSON.parse(unproved.stdout).in_log, false, unproved.stderr);
  const bare = await check(receipt);
  assert.equal(bare.code, 1);
  assert.ok(bare.stderr.includes(`GET /v1/audit/receipts/${seq}`), bare.stderr);

  const forged = receipt.slice(0, 100) + (receipt[100] === 'A' ? 'B' : 'A') + receipt.slice(101);
  assert.equal((await check(forged, '--proof', answer)).code, 3);
  const next = (await call()).get('x-portcullis-receipt');
  const mixed = await check(next, '--proof', answer);
  assert.equal(mixed.code, 1);
  assert.match(mixed.stderr, /the proof is of record \d+, the receipt of record \d+/);
  assert.equal((await box.cli('audit', 'keygen', '--kind', 'officer', '--name', key.name, '--out', 'other.key')).code, 0);
  const foreign = await box.cli('audit', 'receipt', receipt, '--log-key', 'other.key.pub', '--proof', answer);
  assert.equal(foreign.code, 3, foreign.stderr);
  assert.equal((await check(receipt, '--proof', file('refusal.json', '{"error": {"code": "not_found"}}'))).code, 1);

  const {code, report} = await box.verify('--receipt', receipt, '--receipt', next);
  assert.equal(code, 0, JSON.stringify(report));
  assert.deepEqual(report.receipts.map(({in_log}) => in_log), [true, true]);
  assert.equal((await box.verify('--receipt', forged)).code, 1);
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

// Several calls at once, each on a connection of its own, so that some are the first on their core to meet the
// hanging log. A single call may have met a busy machine, the median has not.
test('while the log hangs, every call is refused within 100 ms, the first on a core too', async () => {
  const body = JSON.stringify(box.chat('Hello', {max_tokens: 1}));
  const ask = async () => {
    const begun = performance.now();
    const {status, json} = await box.request('POST', '/v1/chat/completions', {body});
    return {status, code: json?.error?.code, ms: performance.now() - begun};
  };
  const first = [], later = [];
  for (let round = 0; round < 5; ++round) {
    await until(async () => (await Promise.all(Array.from({length: 4}, ask))).every(({status}) => status === 200), {what: 'every core answers'});
    box.kill('auditd', 'SIGSTOP');
    try {
      const answers = await Promise.all(Array.from({length: 4}, ask));
      for (let i = 0; i < 6; ++i) answers.push(await ask());
      assert.ok(answers.every(({status, code}) => status === 503 && code === 'audit_unavailable'), JSON.stringify(answers));
      first.push(...answers.slice(0, 4).map(({ms}) => ms));
      later.push(...answers.slice(4).map(({ms}) => ms));
    } finally { box.kill('auditd', 'SIGCONT'); }
  }
  const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
  assert.ok(median(first) < 100, `first refusals took ${first.map(Math.round)} ms`);
  assert.ok(median(later) < 50, `later refusals took ${later.map(Math.round)} ms`);
});

test('a call that was refused while the log hung is not let through when the log comes back', async () => {
  const answers = async (status) => (await Promise.all(Array.from({length: 6}, () => box.request('GET', '/v1/models')))).every((one) => one.status === status);
  await until(() => answers(200), {what: 'every core answers'});
  const before = await box.size();
  box.kill('auditd', 'SIGSTOP');
  const refused = await Promise.all(Array.from({length: 6}, (_, i) =>
    box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat(`refused ${i}`, {max_tokens: 1}))})));
  assert.ok(refused.every(({status}) => status === 503));
  assert.ok(refused.every(({headers}) => !headers.get('x-portcullis-receipt')), 'no receipt for what is not known to be durable');
  box.kill('auditd', 'SIGCONT');
  await until(() => answers(200), {what: 'every core answers'});
  await until(async () => (await box.verify()).report.open_requests === 0, {what: 'what became durable after all is closed'});
  const records = await box.records(before);
  const ends = new Map(records.filter(({kind}) => kind === 'ABORT' || kind === 'RESP').map((record) => [record.parent_seq, record.kind]));
  const asked = records.filter(({kind}) => kind === 'REQ');
  const lost = asked.filter(({seq}) => ends.get(seq) === 'ABORT');
  assert.ok(lost.length <= 6);
  assert.equal(asked.length - lost.length, records.filter(({kind}) => kind === 'RESP').length);
  for (const {seq} of asked) {
    const {parts, metadata} = await box.record(seq);
    if (JSON.stringify({parts, metadata}).includes('refused ')) assert.equal(ends.get(seq), 'ABORT', 'a refused call has no answer');
  }
  assert.equal((await box.verify()).code, 0);
});
