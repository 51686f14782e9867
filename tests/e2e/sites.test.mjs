// Several sites behind one gateway, two of them engines made here, which do as they are told: what a
// list of models shows, what a call costs whose caller leaves, and what the log says of it all.
import {after, before, test} from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Appliance, until} from './appliance.mjs';

let box;
let dir;
const engines = [];
const waiting = [];  // embedding calls that nobody answers

const facts = (place, more) => ['processing', 'storage', 'operator', 'key_holder', 'model_origin']
  .map((name) => `${name} = "${place}"`).join('\n') + `\n${more}\n`;

function configuration() {
  return `admin_socket = "run/admin.sock"
audit_socket = "run/audit.sock"
state = "state/state.db"
pepper = "keys/pepper"
policy = "policy"
revisions = "state/policy.db"
policy_key = "keys/policy"
jurisdiction = "EU"
exempt_loopback = true

[api]
address = "127.0.0.1"
port = 0
certificate = "tls/server.pem"
key = "tls/server.key"

[admin]
address = "127.0.0.1"
port = 0
certificate = "tls/server.pem"
key = "tls/server.key"
client_ca = "ca/ca/clients.pem"
client_crl = "ca/crl/clients.crl"
client_issuer = "ca/ca/admins.pem"

[[site]]
id = "abroad"
socket = "sites/abroad.sock"
${facts('US', 'on_prem = false')}
[[site]]
id = "builtin"
socket = "run/engine.sock"

[[site]]
id = "beside"
socket = "sites/beside.sock"
${facts('FR', 'on_prem = true')}
[[place]]
id = "local"
in = ["DE"]
`;
}

async function engine(name, models) {
  const server = http.createServer((request, response) => {
    const answer = (value) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(value));
    };
    if (request.method === 'GET') {
      answer({object: 'list', data: models.map((id) => ({id, object: 'model', created: 1}))});
      return;
    }
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', () => {
      const {input} = JSON.parse(body);
      if (input.startsWith('slow')) {
        const call = {left: false};
        response.on('close', () => { call.left = true; });
        waiting.push(call);
        return;
      }
      answer({data: [{embedding: [0.5, 1]}], usage: {prompt_tokens: 7}});
    });
  });
  server.listen(join(dir, 'sites', `${name}.sock`));
  await new Promise((resolve) => server.once('listening', resolve));
  engines.push(server);
}

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'portcullis-sites-'));
  mkdirSync(join(dir, 'sites'));
  writeFileSync(join(dir, 'gateway.toml'), configuration());
  await engine('beside', ['org/second', 'portcullis-nano']);
  await engine('abroad', ['abroad-only']);
  box = await Appliance.start({dir});
  await until(async () => (await box.status()).sites.every((site) => site.up), {what: 'all sites up'});
});
after(async () => {
  await box?.stop();
  for (const server of engines) { server.closeAllConnections(); server.close(); }
  rmSync(dir, {recursive: true, force: true});
});

test('the list shows the models of all sites that policy lets the caller use, each once', async () => {
  const {status, json} = await box.request('GET', '/v1/models');
  assert.equal(status, 200);
  assert.deepEqual(json.data.map(({id}) => id).sort(), ['org/second', 'portcullis-nano']);
  assert.equal((await box.request('GET', '/v1/models/abroad-only')).status, 404);
});

test('a model whose name has a slash is found by it, encoded or not', async () => {
  for (const path of ['/v1/models/org/second', '/v1/models/org%2Fsecond', '/models/org%2fsecond']) {
    const {status, json} = await box.request('GET', path);
    assert.equal(status, 200, path);
    assert.equal(json.id, 'org/second');
  }
  assert.equal((await box.client().models.retrieve('org/second')).id, 'org/second');
  for (const path of ['/v1%2Fmodels', '/v1%2Fmodels/org/second', '/v1/audit%2Freceipts/1']) {
    const {status, json} = await box.request('GET', path);
    assert.equal(status, 400, path);
    assert.match(json.error.message, /encoded slash/);
  }
});

test('the record of an embedding says what was used', async () => {
  const from = await box.size();
  const {status, json} = await box.request('POST', '/v1/embeddings', {body: JSON.stringify({model: 'org/second', input: 'quick'})});
  assert.equal(status, 200);
  assert.equal(json.usage.prompt_tokens, 7);
  const [answer] = (await box.records(from)).filter(({kind}) => kind === 'RESP');
  const {parts} = await box.record(answer.seq);
  assert.equal(JSON.parse(parts.metadata).prompt_tokens, 7);
});

test('the report names the country in which each site processed what it was sent', async () => {
  const from = await box.size();
  assert.equal((await box.request('POST', '/v1/embeddings', {body: JSON.stringify({model: 'org/second', input: 'call me at +49 30 1234567'})})).status, 200);
  assert.equal((await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('Hello', {max_tokens: 2}))})).status, 200);
  const decisions = (await box.records(from)).filter(({kind}) => kind === 'DECISION');
  const places = await Promise.all(decisions.map(async ({seq}) => JSON.parse((await box.record(seq)).parts.decision).place));
  assert.deepEqual(places, [{processing: 'FR', in: ['EEA', 'adequate']}, {processing: 'local', in: ['DE', 'EEA', 'adequate']}]);
  const {code, stdout, stderr} = await box.cli('--json', 'audit', 'report', '--log', 'audit', '--keys', 'keys/audit', '--auditor-key', 'keys/auditor');
  assert.equal(code, 0, stderr);
  const flows = new Set(JSON.parse(stdout).residency.map(({site, place, country}) => `${site} ${place} ${country}`));
  assert.ok(flows.has('beside FR FR') && flows.has('builtin local DE'), [...flows].join('; '));
  assert.ok(![...flows].some((flow) => flow.endsWith('unknown')), [...flows].join('; '));
});

test('who leaves while an engine computes owes what it has read', async () => {
  const {key} = await box.issueKey('leaver');
  const remaining = async () => Number((await box.request('GET', '/v1/models', {key})).headers.get('x-ratelimit-remaining-tokens'));
  const whole = await remaining();
  const from = await box.size();
  const input = `slow ${'word '.repeat(40_000)}`;  // 200 kB: some 66,000 tokens
  for (let i = 0; i < 2; ++i) {
    const stop = new AbortController();
    const seen = waiting.length;
    const call = fetchAborted(key, input, stop.signal);
    await until(() => waiting.length > seen, {what: 'the engine has the call'});
    stop.abort();
    await assert.rejects(call);
    await until(() => waiting.at(-1).left, {what: 'the engine is told'});
  }
  const ended = async () => (await box.records(from)).filter(({kind}) => kind === 'ABORT');
  await until(async () => (await ended()).length === 2, {what: 'both ends in the log'});
  assert.ok(await remaining() < whole - 60_000, 'the tokens stay charged');
  const {parts} = await box.record((await ended())[0].seq);
  assert.ok(JSON.parse(parts.metadata).prompt_tokens > 60_000);
});

async function fetchAborted(key, input, signal) {
  const {fetch} = await import('undici');
  return fetch(`${box.api}/v1/embeddings`, {
    method: 'POST', signal, dispatcher: box.agent, body: JSON.stringify({model: 'org/second', input}),
    headers: {authorization: `Bearer ${key}`, 'content-type': 'application/json'},
  });
}

test('an act that was allowed and then refused stands in the log as refused', async () => {
  const from = await box.size();
  const revoked = await box.remote('key', 'revoke', 'ffffffffffffffff');
  assert.notEqual(revoked.code, 0);
  const acts = (await box.records(from)).filter(({kind}) => kind === 'ADMIN');
  assert.deepEqual(acts.map(({outcome}) => outcome), [1, 2]);
  const {parts} = await box.record(acts[1].seq);
  const said = JSON.parse(parts.metadata);
  assert.equal(said.operation, 'key_revoke');
  assert.equal(said.act, acts[0].seq);
  assert.ok(said.why.length > 0);
});
