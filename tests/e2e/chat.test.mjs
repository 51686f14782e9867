// What a caller sees: the real openai client over TLS against the three processes.
import test, {before, after} from 'node:test';
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import https from 'node:https';
import OpenAI from 'openai';
import {Appliance, until} from './appliance.mjs';

let box;
before(async () => { box = await Appliance.start(); });
after(async () => { assert.equal(await box?.close(), 0, 'quickstart stops cleanly'); });

test('a plain chat answers with text, reasoning and usage', async () => {
  const {data, response} = await box.client().chat.completions.create(box.chat('What is 17 + 25?', {max_tokens: 300})).withResponse();
  assert.equal(data.object, 'chat.completion');
  assert.equal(data.model, box.model);
  assert.equal(data.choices[0].message.role, 'assistant');
  assert.ok(['stop', 'length'].includes(data.choices[0].finish_reason));
  assert.ok(data.choices[0].message.content.length + (data.choices[0].message.reasoning_content ?? '').length > 0);
  const {usage} = data;
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  assert.equal(usage.prompt_cache_hit_tokens + usage.prompt_cache_miss_tokens, usage.prompt_tokens);
  assert.match(response.headers.get('x-request-id'), /^req_[0-9a-f]{32}$/);
  assert.match(response.headers.get('x-portcullis-policy'), /^sha256:[0-9a-f]{12}$/);
  assert.ok(response.headers.get('x-portcullis-receipt'));
  for (const name of ['limit', 'remaining', 'reset']) {
    assert.ok(response.headers.get(`x-ratelimit-${name}-requests`));
    assert.ok(response.headers.get(`x-ratelimit-${name}-tokens`));
  }
});

test('a stream has the chunks of the wire format in their order', async () => {
  const stream = await box.client().chat.completions.create(
    box.chat('What is 17 + 25?', {stream: true, stream_options: {include_usage: true}, max_tokens: 300}));
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.deepEqual(chunks[0].choices[0].delta, {role: 'assistant', content: ''});
  assert.equal(new Set(chunks.map((chunk) => `${chunk.id} ${chunk.created} ${chunk.model}`)).size, 1);
  const middle = chunks.slice(1, -2);
  assert.ok(middle.length > 0);
  for (const chunk of middle) {
    assert.ok(!('role' in chunk.choices[0].delta));
    assert.equal(chunk.choices[0].finish_reason, null);
    assert.equal(chunk.usage, null);
  }
  const fields = middle.map((chunk) => Object.keys(chunk.choices[0].delta)[0]);
  assert.deepEqual([...fields].sort().reverse(), fields, 'reasoning_content before content');
  assert.ok(fields.includes('reasoning_content'), 'the built-in model thinks aloud');
  const [finish, usage] = chunks.slice(-2);
  assert.deepEqual(finish.choices[0].delta, {});
  assert.ok(['stop', 'length'].includes(finish.choices[0].finish_reason));
  assert.deepEqual(usage.choices, []);
  assert.ok(usage.usage.completion_tokens_details.reasoning_tokens > 0);
});

test('the stream and the plain answer say the same', async () => {
  const ask = box.chat('What is 3 + 4?', {seed: 5, temperature: 0.7, max_tokens: 120});
  const plain = await box.client().chat.completions.create(ask);
  let text = '';
  let thought = '';
  for await (const chunk of await box.client().chat.completions.create({...ask, stream: true})) {
    text += chunk.choices[0]?.delta?.content ?? '';
    thought += chunk.choices[0]?.delta?.reasoning_content ?? '';
  }
  assert.equal(text, plain.choices[0].message.content ?? '');
  assert.equal(thought, plain.choices[0].message.reasoning_content ?? '');
});

test('raw events end with [DONE] and never split a character', async () => {
  const {text, headers} = await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('Hello', {stream: true}))});
  assert.match(headers.get('content-type'), /^text\/event-stream/);
  assert.ok(text.endsWith('data: [DONE]\n\n'));
  assert.ok(!text.includes('\ufffd'));
  for (const line of text.split('\n')) assert.ok(line === '' || line.startsWith('data: ') || line.startsWith(':'), line);
});

test('models are listed, with and without /v1', async () => {
  const list = await box.client().models.list();
  assert.deepEqual(list.data.map((model) => model.id), [box.model]);
  assert.equal((await box.client().models.retrieve(box.model)).id, box.model);
  const bare = box.client({baseURL: box.api});
  assert.equal((await bare.models.list()).data.length, 1);
  const answer = await bare.chat.completions.create(box.chat('Hello', {max_tokens: 4}));
  assert.equal(answer.choices[0].finish_reason, 'length');
});

test('health answers without a key and without detail', async () => {
  for (const path of ['/healthz', '/readyz']) {
    const {status, json} = await box.request('GET', path, {key: null});
    assert.equal(status, 200);
    assert.deepEqual(json, {status: 'ok'});
  }
});

test('401 is one constant answer', async () => {
  const unknown = 'pk_' + 'A'.repeat(49);
  const bodies = new Set();
  for (const key of [null, 'x', unknown, box.key.slice(0, -1) + (box.key.endsWith('0') ? '1' : '0'), box.key + 'x', "' OR 1=1 --"]) {
    const {status, json, headers} = await box.request('POST', '/v1/chat/completions', {key, body: JSON.stringify(box.chat('x'))});
    assert.equal(status, 401);
    assert.equal(headers.get('x-should-retry'), 'false');
    bodies.add(JSON.stringify(json));
  }
  assert.equal(bodies.size, 1, [...bodies].join('\n'));
  await assert.rejects(box.client({key: unknown}).models.list(), OpenAI.AuthenticationError);
});

test('403 by policy names the policy, the decision and the revision', async () => {
  const error = await box.client().chat.completions.create(box.chat('NATO SECRET\nthe plan')).catch((e) => e);
  assert.ok(error instanceof OpenAI.PermissionDeniedError);
  assert.equal(error.code, 'policy_denied');
  assert.match(error.message, /classified-marking/);
  assert.match(error.message, /req_[0-9a-f]{32}/);
  assert.match(error.message, /sha256:/);
  assert.equal(error.headers.get('x-should-retry'), 'false');
});

test('404 for a model, a path; 405 for a method', async () => {
  const error = await box.client().chat.completions.create({...box.chat('x'), model: 'gpt-9'}).catch((e) => e);
  assert.ok(error instanceof OpenAI.NotFoundError);
  assert.equal(error.code, 'model_not_found');
  assert.equal(error.param, 'model');
  assert.equal((await box.request('GET', '/v1/nothing')).status, 404);
  assert.equal((await box.request('GET', '/v1/chat/completions')).status, 405);
  assert.equal((await box.request('GET', '/admin/v1/status')).status, 404, 'administration is not on this listener');
});

test('400 names the field; 413 and 415 name the wall', async () => {
  for (const [more, param] of [[{temperature: 'hot'}, 'temperature'], [{n: 99}, 'n'], [{messages: []}, 'messages'],
    [{messages: [{role: 'user'}]}, 'messages[0].content'], [{top_p: 2}, 'top_p'], [{stop: ['']}, 'stop'],
    [{max_tokens: 0}, 'max_tokens'], [{logprobs: true, logit_bias: {1: 1}}, 'logit_bias']]) {
    const error = await box.client().chat.completions.create({...box.chat('x'), ...more}).catch((e) => e);
    assert.ok(error instanceof OpenAI.BadRequestError, param);
    assert.equal(error.param, param);
    assert.equal(typeof error.code, 'string');
  }
  for (const body of ['', '{', '[]', '{"model":"a","model":"b"}', '{"model": NaN}', '"\\ud800"', '['.repeat(100000)]) {
    const {status, json} = await box.request('POST', '/v1/chat/completions', {body});
    assert.equal(status, 400, body.slice(0, 40));
    assert.equal(json.error.type, 'invalid_request_error');
  }
  const large = JSON.stringify(box.chat('x'.repeat(5 << 20)));
  assert.equal((await box.request('POST', '/v1/chat/completions', {body: large})).status, 413);
  const wrong = await box.request('POST', '/v1/chat/completions', {body: '{}', headers: {'content-type': 'text/plain'}});
  assert.equal(wrong.status, 415);
  const long = await box.client().chat.completions.create(box.chat('word '.repeat(40000))).catch((e) => e);
  assert.equal(long.status, 400);
  assert.equal(long.code, 'context_length_exceeded');
});

// A gigabyte, announced or not: refused as soon as it is known, and never held.
test('case 42: a prompt of 1 GB is refused and takes no memory', async () => {
  const highWater = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${box.pid('gateway')}/status`, 'utf8'))[1]) * 1024;
  const before = highWater();
  const prompt = async (headers) => {
    const url = new URL(`${box.api}/v1/chat/completions`);
    const chunk = Buffer.alloc(1 << 20, 'x');
    let sent = 0;
    const status = await new Promise((resolve, reject) => {
      let answered = false;
      const request = https.request({host: url.hostname, port: url.port, path: url.pathname, method: 'POST', ca: box.caText, agent: false,
        headers: {authorization: `Bearer ${box.key}`, 'content-type': 'application/json', ...headers}}, (response) => {
        answered = true;
        response.resume();
        resolve(response.statusCode);
      });
      request.on('error', (error) => { if (!answered) reject(error); });
      const write = () => {
        while (!answered && !request.destroyed && sent < 1 << 30) {
          sent += chunk.length;
          if (!request.write(chunk)) { request.once('drain', write); return; }
        }
      };
      request.write('{"model":"x","messages":[{"role":"user","content":"');
      write();
    });
    return {status, sent};
  };
  for (const headers of [{'content-length': String(1 << 30)}, {'transfer-encoding': 'chunked'}]) {
    const {status, sent} = await prompt(headers);
    assert.equal(status, 413, JSON.stringify(headers));
    assert.ok(sent < 256 << 20, `${sent} bytes were taken before the refusal`);
  }
  assert.ok(highWater() - before < 64 << 20, `${highWater() - before} bytes more at the peak`);
  assert.equal((await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('x', {max_tokens: 1}))})).status, 200);
});

test('429 with Retry-After when a key has used its requests', async () => {
  const {key} = await box.issueKey('limited', '--requests-per-minute', '2');
  const client = box.client({key});
  let error;
  for (let i = 0; i < 8 && !error; ++i) await client.models.list().catch((e) => { error = e; });
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.equal(error.code, 'rate_limit_exceeded');
  assert.ok(Number(error.headers.get('retry-after')) >= 1);
  assert.ok(Number(error.headers.get('retry-after-ms')) > 0);
  assert.equal(error.headers.get('x-ratelimit-remaining-requests'), '0');
});

test('429 when a key has spent its tokens for the day, and no retry is asked for', async () => {
  const {key} = await box.issueKey('thrifty', '--tokens-per-day', '150');
  const client = box.client({key});
  let error;
  for (let i = 0; i < 12 && !error; ++i) {
    await client.chat.completions.create(box.chat('Hello', {max_tokens: 30})).catch((e) => { error = e; });
  }
  assert.equal(error?.code, 'insufficient_quota');
  assert.equal(error.status, 429);
  assert.equal(error.headers.get('x-should-retry'), 'false');
});

test('a secret in the prompt is redacted before the engine, a clean prompt is not', async () => {
  const body = (content) => JSON.stringify(box.chat(content, {max_tokens: 8}));
  const clean = await box.request('POST', '/v1/chat/completions', {body: body('Hello')});
  assert.equal(clean.headers.get('x-portcullis-treatment'), null);
  const secret = await box.request('POST', '/v1/chat/completions', {body: body('my key is AKIAIOSFODNN7EXAMPLE ok')});
  assert.equal(secret.status, 200);
  assert.equal(secret.headers.get('x-portcullis-treatment'), 'redacted');
});

test('a client that leaves in the middle frees the engine at once', async () => {
  const aborter = new AbortController();
  const stream = await box.client().chat.completions.create(box.endless(), {signal: aborter.signal});
  for await (const chunk of stream) { if (chunk.choices[0].delta.content !== '') break; }
  aborter.abort();
  await until(async () => (await box.status()).streams === 0, {seconds: 5, what: 'no stream left'});
  const after = await box.client().chat.completions.create(box.chat('Hello', {max_tokens: 4}));
  assert.ok(after.usage.completion_tokens > 0);
});

test('32 clients at once are all answered, each its own', async () => {
  const {key} = await box.issueKey('crowd', '--streams', '64', '--requests-per-minute', '6000', '--tokens-per-minute', '10000000');
  const client = box.client({key});
  const sums = await Promise.all(Array.from({length: 32}, async (_, i) => {
    const ask = box.chat(`What is ${i} + 1?`, {max_tokens: 48, seed: i, stream: i % 2 === 0});
    if (!ask.stream) return (await client.chat.completions.create(ask)).choices[0].message;
    const message = {content: '', reasoning_content: ''};
    for await (const chunk of await client.chat.completions.create(ask)) {
      message.content += chunk.choices[0]?.delta.content ?? '';
      message.reasoning_content += chunk.choices[0]?.delta.reasoning_content ?? '';
    }
    return message;
  }));
  const alone = await client.chat.completions.create(box.chat('What is 7 + 1?', {max_tokens: 48, seed: 7}));
  assert.equal(sums.length, 32);
  assert.equal(sums[7].reasoning_content, alone.choices[0].message.reasoning_content, 'the batch does not change an answer');
});

test('a revoked key is refused from the next request on', async () => {
  const {key, id} = await box.issueKey('leaver');
  await box.client({key}).models.list();
  assert.equal((await box.remote('key', 'revoke', id)).code, 0);
  await assert.rejects(box.client({key}).models.list(), OpenAI.AuthenticationError);
});
