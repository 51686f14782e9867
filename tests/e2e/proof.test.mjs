// What an auditor sees: every call has its records, nobody else can read them, nothing lies in clear.
import test, {before, after} from 'node:test';
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {readFileSync, readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {Appliance, bin, until} from './appliance.mjs';

const canary = 'canary-7f3a9c51-do-not-write-me-down';
let box;
before(async () => { box = await Appliance.start(); });
after(async () => { await box?.close(); });

// A body that the route takes.
const bodyOf = (route) => {
  if (route.body_limit === 0) return undefined;
  if (route.path.endsWith('/embeddings')) return JSON.stringify({model: box.model, input: 'Hello'});
  if (route.path.endsWith('/chat/completions')) return JSON.stringify(box.chat('Hello', {max_tokens: 2}));
  return JSON.stringify({model: box.model, prompt: 'Hello', max_tokens: 2});
};

const kinds = async (from) => (await box.records(from)).map((record) => record.kind);

function* walk(folder) {
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry);
    const info = statSync(path);
    if (info.isDirectory()) yield* walk(path);
    else if (info.isFile()) yield path;
  }
}

test('every route asks for proof, and leaves records when it is given', async () => {
  const routes = JSON.parse(execFileSync(bin('portcullis-gateway'), ['--routes'], {encoding: 'utf8'}));
  assert.ok(routes.length >= 10);
  const {headers} = await box.request('GET', '/v1/models');
  const own = Buffer.from(headers.get('x-portcullis-receipt').slice(5), 'base64url').readBigUInt64BE(4);
  for (const route of routes) {
    const id = route.path.includes('models') ? box.model : route.path.includes('receipts') ? own : 'key_0000000000000000';
    const path = route.path.replace(/\{(id|name)\}/, id);
    const body = bodyOf(route);
    const name = `${route.method} ${route.path}`;
    if (!route.listeners.includes('api')) {
      assert.equal((await box.request(route.method, path, {body})).status, 404, `${name} is not on the API listener`);
      const stranger = await box.admin(path, {certificate: false}).catch((error) => error);
      assert.ok(stranger instanceof Error, `${name} without a certificate must not get past the handshake`);
      continue;
    }
    if (route.access === 'open') continue;
    const before = await box.size();
    assert.equal((await box.request(route.method, path, {key: null, body})).status, 401, name);
    assert.deepEqual(await kinds(before), [], `${name}: a stranger writes no record of his own`);
    assert.equal((await box.request(route.method, path, {body})).status, 200, name);
    assert.deepEqual(await kinds(before), ['REQ', 'DECISION', 'RESP'], name);
  }
});

test('no route goes on when the log does not answer', async () => {
  const routes = JSON.parse(execFileSync(bin('portcullis-gateway'), ['--routes'], {encoding: 'utf8'}));
  box.kill('auditd', 'SIGSTOP');
  try {
    for (const route of routes.filter((row) => row.listeners.includes('api') && row.access === 'user')) {
      const path = route.path.replace('{id}', route.path.includes('receipts') ? '1' : box.model);
      const body = bodyOf(route);
      const {status, json} = await box.request(route.method, path, {body});
      assert.equal(status, 503, route.path);
      assert.equal(json.error.code, 'audit_unavailable');
    }
  } finally {
    box.kill('auditd', 'SIGCONT');
  }
  // Each core finds out for itself that the log is back.
  const answers = () => Promise.all(Array.from({length: 8}, () => box.request('GET', '/v1/models')));
  await until(async () => (await answers()).every(({status}) => status === 200), {what: 'the log is back on every core'});
});

test('the prompt is in the record for the auditor and nowhere in clear', async () => {
  const before = await box.size();
  const answer = await box.client().chat.completions.create(box.chat(`${canary} hello`, {max_tokens: 16}));
  const records = await box.records(before);
  assert.deepEqual(records.map((record) => record.kind), ['REQ', 'DECISION', 'RESP']);
  const [request, decision, response] = await Promise.all(records.map((record) => box.record(record.seq)));
  assert.match(JSON.stringify(request), new RegExp(canary));
  assert.match(JSON.stringify(decision), /on-premises/);
  const said = answer.choices[0].message.reasoning_content ?? answer.choices[0].message.content;
  assert.ok(JSON.stringify(response).includes(JSON.stringify(said.slice(0, 8)).slice(1, -1)));
  for (const file of walk(box.dir)) {
    const bytes = readFileSync(file);
    for (const encoded of [canary, Buffer.from(canary).toString('base64').slice(0, 24), Buffer.from(canary).toString('hex')]) {
      assert.ok(!bytes.includes(encoded), `${file} holds the prompt`);
    }
    if (!file.endsWith('demo-api-key')) assert.ok(!bytes.includes(box.key), `${file} holds the API key`);
  }
});

test('a refusal by policy is recorded whole', async () => {
  const before = await box.size();
  assert.equal((await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('NATO SECRET\nx'))})).status, 403);
  assert.deepEqual(await kinds(before), ['REQ', 'DECISION', 'ABORT']);
});

test('administrators come with a certificate of their own CA, and their acts are recorded', async () => {
  const before = await box.size();
  const {status, text} = await box.admin('/admin/v1/status');
  assert.equal(status, 200);
  assert.equal(JSON.parse(text).schema, 'portcullis.status.v1');
  assert.deepEqual(await kinds(before), ['ADMIN']);
  await assert.rejects(box.admin('/admin/v1/status', {certificate: false}));
});

test('key lists show no secret', async () => {
  const {stdout} = await box.remote('key', 'list');
  assert.ok(!stdout.includes(box.key));
  assert.ok(!/hash/i.test(stdout));
  assert.ok(JSON.parse(stdout).keys.length >= 1);
});

test('the log verifies, also after an orderly stop, and one flipped bit is found', async () => {
  const {code, report} = await box.verify();
  assert.equal(code, 0);
  assert.match(report.verdict, /^VALID/);
  await box.stop();
  assert.equal((await box.verify()).code, 0);
  const segment = [...walk(join(box.dir, 'audit/segments'))].filter((file) => file.endsWith('.seg'))[0];
  const {writeFileSync} = await import('node:fs');
  const bytes = readFileSync(segment);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] ^= 1;
  writeFileSync(segment, bytes);
  const damaged = await box.verify();
  assert.equal(damaged.code, 3);
  assert.equal(damaged.report.verdict, 'TAMPERED');
  assert.equal(typeof damaged.report.first_bad_seq, 'number');
});
