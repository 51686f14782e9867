// What goes beyond plain chat, with the real openai client against the built-in model: tools,
// structured output, reasoning budgets, log probabilities, plain completions, embeddings. The model
// is tiny; what is asserted is what the engine and the gateway guarantee whatever it says.
import test, {before, after} from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import {Appliance} from './appliance.mjs';

let box;
before(async () => { box = await Appliance.start(); });
after(async () => { assert.equal(await box?.close(), 0, 'quickstart stops cleanly'); });

const tools = [{
  type: 'function',
  function: {
    name: 'add', description: 'Adds', strict: true,
    parameters: {type: 'object', properties: {a: {type: 'integer', minimum: 0, maximum: 99}, b: {type: 'integer', minimum: 0, maximum: 99}}, required: ['a', 'b'], additionalProperties: false},
  },
}];
const brief = {reasoning_effort: 'none', max_tokens: 160};

function checkCall(call) {
  assert.equal(call.type, 'function');
  assert.ok(call.id.length > 8);
  assert.equal(call.function.name, 'add');
  const {a, b, ...rest} = JSON.parse(call.function.arguments);
  assert.deepEqual(rest, {});
  for (const n of [a, b]) assert.ok(Number.isInteger(n) && n >= 0 && n <= 99);
}

test('a required tool is called with arguments that fit, and its result goes back', async () => {
  const ask = box.chat('What is 17 + 25?', {...brief, tools, tool_choice: 'required', parallel_tool_calls: false});
  const first = await box.client().chat.completions.create(ask);
  const {message, finish_reason} = first.choices[0];
  assert.equal(finish_reason, 'tool_calls');
  assert.equal(message.content, null);
  assert.equal(message.tool_calls.length, 1);
  checkCall(message.tool_calls[0]);

  const second = await box.client().chat.completions.create({
    ...ask, tool_choice: 'auto', max_tokens: 40,
    messages: [...ask.messages, message, {role: 'tool', tool_call_id: message.tool_calls[0].id, content: '42'}],
  });
  assert.ok(['stop', 'length', 'tool_calls'].includes(second.choices[0].finish_reason));
  assert.ok(second.usage.prompt_tokens > first.usage.prompt_tokens);
});

test('tool calls stream as deltas, and the record holds them', async () => {
  const seq = await box.size();
  const stream = await box.client().chat.completions.create(
    box.chat('What is 1 + 2?', {...brief, tools, tool_choice: {type: 'function', function: {name: 'add'}}, stream: true}));
  const call = {function: {arguments: ''}};
  let reason;
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    reason = choice?.finish_reason ?? reason;
    for (const delta of choice?.delta?.tool_calls ?? []) {
      assert.equal(delta.index, 0);
      if (delta.id) Object.assign(call, {id: delta.id, type: delta.type}, {function: {name: delta.function.name, arguments: ''}});
      call.function.arguments += delta.function.arguments ?? '';
    }
  }
  assert.equal(reason, 'tool_calls');
  checkCall(call);
  const response = (await box.records(seq)).find((record) => record.kind === 'RESP');
  const shown = JSON.stringify(await box.record(response.seq));
  assert.ok(shown.includes('add') && shown.includes('arguments'), shown);
});

test('a json_schema answer satisfies its schema, streamed and whole', async () => {
  const schema = {
    type: 'object', additionalProperties: false, required: ['name', 'size', 'tags'],
    properties: {name: {type: 'string', maxLength: 8}, size: {enum: ['S', 'M', 'L']}, tags: {type: 'array', items: {type: 'boolean'}, maxItems: 3}},
  };
  const ask = box.chat('Describe a shirt.', {...brief, response_format: {type: 'json_schema', json_schema: {name: 'shirt', strict: true, schema}}});
  const whole = await box.client().chat.completions.create(ask);
  let text = '';
  for await (const chunk of await box.client().chat.completions.create({...ask, stream: true})) text += chunk.choices[0]?.delta?.content ?? '';
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(whole.choices[0].finish_reason, 'stop');
  const value = JSON.parse(text);
  assert.deepEqual(Object.keys(value), ['name', 'size', 'tags']);
  assert.ok([...value.name].length <= 8 && ['S', 'M', 'L'].includes(value.size) && value.tags.length <= 3);
});

test('a schema works behind reasoning, and a budget ends the reasoning', async () => {
  const ask = box.chat('What is 17 + 25?', {
    max_tokens: 120, thinking: {type: 'enabled', budget_tokens: 8},
    response_format: {type: 'json_schema', json_schema: {name: 'sum', schema: {type: 'object', properties: {sum: {type: 'integer'}}, required: ['sum']}}},
  });
  const {choices: [{message}], usage} = await box.client().chat.completions.create(ask);
  assert.ok(Number.isInteger(JSON.parse(message.content).sum));
  assert.ok(message.reasoning_content.length > 0);
  assert.ok(usage.completion_tokens_details.reasoning_tokens <= 9, JSON.stringify(usage));
});

test('a schema that cannot be enforced is a 400 that names its place', async () => {
  const schema = {type: 'object', properties: {a: {type: 'array', uniqueItems: true}}};
  await assert.rejects(
    box.client().chat.completions.create(box.chat('x', {response_format: {type: 'json_schema', json_schema: {name: 'n', schema}}})),
    (error) => error instanceof OpenAI.BadRequestError && /#\/properties\/a\/uniqueItems/.test(error.message) && error.param === 'response_format');
});

test('schema text and tool results are scanned like any content', async () => {
  const secret = 'AKIA' + 'IOSFODNN7EXAMPLE';
  const seq = await box.size();
  const described = structuredClone(tools);
  described[0].function.parameters.properties.a.description = `card 4111 1111 1111 1111, mail jane.doe@example.com, ${secret}`;
  await box.client().chat.completions.create(box.chat('Add.', {...brief, tools: described, tool_choice: 'required'})).catch(() => {});
  const decision = (await box.records(seq)).find((record) => record.kind === 'DECISION');
  assert.match(JSON.stringify(await box.record(decision.seq)), /payment|card|email/i);
});

test('log probabilities of chat come with every token of a clean answer', async () => {
  const {choices: [choice]} = await box.client().chat.completions.create(box.chat('What is 3 + 4?', {...brief, logprobs: true, top_logprobs: 3}));
  assert.ok(choice.logprobs.content.length > 0);
  for (const token of choice.logprobs.content) {
    assert.ok(token.logprob <= 0 && token.top_logprobs.length === 3);
  }
  assert.equal(choice.logprobs.content.map((token) => token.token).join('').trim(), choice.message.content.trim());
});

test('plain completions: one prompt, several, streamed, echoed', async () => {
  const ask = {model: box.model, max_tokens: 12, temperature: 0};
  const one = await box.client().completions.create({...ask, prompt: 'Portcullis is'});
  assert.equal(one.object, 'text_completion');
  assert.equal(typeof one.choices[0].text, 'string');
  assert.ok(one.usage.completion_tokens > 0);
  const two = await box.client().completions.create({...ask, prompt: ['Portcullis is', 'A gateway is'], n: 2});
  assert.deepEqual(two.choices.map((choice) => choice.index), [0, 1, 2, 3]);
  assert.equal(two.choices[0].text, one.choices[0].text);
  let text = '';
  for await (const chunk of await box.client().completions.create({...ask, prompt: 'Portcullis is', stream: true})) text += chunk.choices[0]?.text ?? '';
  assert.equal(text, one.choices[0].text);
  const echoed = await box.client().completions.create({...ask, prompt: 'Portcullis is', echo: true});
  assert.equal(echoed.choices[0].text, 'Portcullis is' + one.choices[0].text);
  const scored = await box.client().completions.create({...ask, prompt: 'Portcullis is', logprobs: 2});
  assert.equal(scored.choices[0].logprobs.tokens.length, scored.choices[0].logprobs.token_logprobs.length);
});

test('token prompts hide their text from the scanner: policy says what that means', async () => {
  await assert.rejects(box.client().completions.create({model: box.model, prompt: [72, 105], max_tokens: 4}),
    (error) => error instanceof OpenAI.PermissionDeniedError && /scan-incomplete/.test(error.message));
});

test('embeddings have length one, in both encodings, and know likeness', async () => {
  const input = ['What is 17 + 25?', 'What is 17 + 26?', 'Portcullis keeps an audit log.'];
  const floats = await box.client().embeddings.create({model: box.model, input, encoding_format: 'float'});
  const coded = await box.client().embeddings.create({model: box.model, input});  // the client asks for base64
  assert.equal(floats.data.length, 3);
  assert.ok(floats.usage.prompt_tokens > 10);
  const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  floats.data.forEach(({embedding, index}, i) => {
    assert.equal(index, i);
    assert.ok(Math.abs(dot(embedding, embedding) - 1) < 1e-4);
    embedding.forEach((x, k) => assert.ok(Math.abs(x - coded.data[i].embedding[k]) < 1e-5));
  });
  const [a, b, c] = floats.data.map((item) => item.embedding);
  assert.ok(dot(a, b) > dot(a, c));
  await assert.rejects(box.client().embeddings.create({model: box.model, input: 'x', dimensions: 3}),
    (error) => error instanceof OpenAI.BadRequestError && error.param === 'dimensions');
  await assert.rejects(box.client().embeddings.create({model: box.model, input: 'word '.repeat(3000)}),
    (error) => error instanceof OpenAI.BadRequestError && error.code === 'context_length_exceeded');
});

test('what is recorded proves itself', async () => {
  const {code} = await box.verify();
  assert.equal(code, 0);
});
