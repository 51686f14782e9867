// Random schemas, random weights: whatever a constrained answer says must satisfy its schema, by the
// word of ajv. PORTCULLIS_ORACLE_CASES sets how many schemas (default 300).
import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import Ajv2020 from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { random } from './corpus.js';
import { ask, dismiss, folderOf, skip } from './helper.js';

after(dismiss);
const count = Number(process.env.PORTCULLIS_ORACLE_CASES ?? 300);

function compile(schema) {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats(ajv);
  return ajv.compile(schema);
}

const patterns = [
  '^[a-z]{2,5}$', '^(foo|bar)-\\d+$', 'x', '^\\w+@\\w+\\.com$', '[äöü]', '^[^"\\\\]*$', '^\\s?[\\u4e00-\\u4eff]+$', 'end$', '^a.c', '^(ab?c){1,3}$',
  '^"quoted\\\\"$', '^[\\t\\n ]{1,3}$', '^-?[0-9]+(\\.[0-9]{1,2})?$', '😀|🙂',
];
const kinds = ['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid'];

function generate(pick, depth) {
  const simple = depth > 3;
  const number = (span) => (pick(2 * span) - span) / [1, 1, 2, 4, 10, 100][pick(6)];
  switch (pick(simple ? 7 : 13)) {
    case 0: {
      const schema = { type: 'string' };
      if (pick(2)) schema.minLength = pick(6);
      if (pick(2)) schema.maxLength = (schema.minLength ?? 0) + pick(12);
      return schema;
    }
    case 1: {
      const schema = { type: 'string', pattern: patterns[pick(patterns.length)] };
      if (pick(3) === 0) schema.maxLength = 20 + pick(20);
      return schema;
    }
    case 2: return { type: 'string', format: kinds[pick(kinds.length)] };
    case 3: {
      const schema = { type: 'integer' };
      if (pick(2)) schema[pick(3) ? 'minimum' : 'exclusiveMinimum'] = pick(400) - 200;
      if (pick(2)) schema[pick(3) ? 'maximum' : 'exclusiveMaximum'] = (schema.minimum ?? schema.exclusiveMinimum ?? -300) + 2 + pick(5000);
      if (pick(4) === 0) schema.multipleOf = 1 + pick(12);
      return schema;
    }
    case 4: {
      const schema = { type: 'number' };
      if (pick(2)) schema[pick(2) ? 'minimum' : 'exclusiveMinimum'] = number(500);
      if (pick(2)) schema[pick(2) ? 'maximum' : 'exclusiveMaximum'] = (schema.minimum ?? schema.exclusiveMinimum ?? -600) + 0.5 + Math.abs(number(900));
      return schema;
    }
    case 5: return [{ type: 'boolean' }, { type: 'null' }, { type: ['string', 'null'] }, { type: ['integer', 'boolean'] }][pick(4)];
    case 6: return [{ enum: ['red', 'grün', 'a "b" \\ c', 7, null, true] }, { const: { a: [1, 'x'] } }, { const: 'fixed\n' }][pick(3)];
    case 7: case 8: {
      const schema = { type: 'object', properties: {}, required: [] };
      for (let n = pick(5); n >= 0; --n) {
        const name = ['id', 'name', 'value', 'ä"k', 'list', 'next'][n % 6];
        schema.properties[name] = generate(pick, depth + 1);
        if (pick(2)) schema.required.push(name);
      }
      if (pick(2)) schema.additionalProperties = false;
      return schema;
    }
    case 9: {
      const schema = { type: 'array', items: generate(pick, depth + 2) };
      if (pick(2)) schema.minItems = pick(3);
      if (pick(2)) schema.maxItems = (schema.minItems ?? 0) + pick(4);
      return schema;
    }
    case 10: return { anyOf: [generate(pick, depth + 1), generate(pick, depth + 1)] };
    case 11: return { type: 'object', additionalProperties: generate(pick, depth + 2) };
    default: return { type: 'array', prefixItems: [generate(pick, depth + 2), generate(pick, depth + 2)], items: false };
  }
}

const named = {
  'a tree': { $ref: '#/$defs/node', $defs: { node: { type: 'object', properties: { value: { type: 'integer' }, children: { type: 'array', items: { $ref: '#/$defs/node' }, maxItems: 2 } }, required: ['value', 'children'] } } },
  'a list': { type: 'object', properties: { head: { type: 'string', maxLength: 5 }, tail: { anyOf: [{ type: 'null' }, { $ref: '#' }] } }, required: ['head', 'tail'] },
  'told apart': { oneOf: [{ type: 'object', properties: { kind: { const: 'a' }, x: { type: 'integer' } }, required: ['kind', 'x'] }, { type: 'object', properties: { kind: { const: 'b' }, y: { type: 'string', maxLength: 4 } }, required: ['kind'] }] },
  'any object': { type: 'object' },
  'anything': {},
  'wide bounds': { type: 'integer', minimum: -9007199254740991, maximum: 9007199254740991 },
  'narrow': { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 0.001 },
  'long text': { type: 'string', minLength: 50, maxLength: 60 },
};

async function check(schema, seed, model) {
  const answer = await ask({ ask: 'sample', model, schema, seed, tokens: 400 });
  assert.equal(answer.error, undefined, JSON.stringify(schema));
  if (answer.refused !== undefined || !answer.ended) return answer;
  let value;
  assert.doesNotThrow(() => (value = JSON.parse(answer.text)), `${JSON.stringify(schema)}\n${answer.text}`);
  const validate = compile(schema);
  assert.ok(validate(value), `${JSON.stringify(schema)}\n${answer.text}\n${JSON.stringify(validate.errors)}`);
  return answer;
}

test('random texts satisfy random schemas', { skip, timeout: 600_000 }, async (context) => {
  let refused = 0;
  let unended = 0;
  for (let seed = 1; seed <= count; ++seed) {
    const pick = random(seed * 7919);
    const schema = generate(pick, 0);
    const answer = await check(schema, seed, folderOf(seed % 10 === 0 ? 'qwen2_5' : 'llama2'));
    if (answer.refused !== undefined) ++refused;
    else if (!answer.ended) ++unended;
  }
  context.diagnostic(`${count} schemas: ${refused} refused, ${unended} texts without an end`);
  assert.ok(refused < count / 20, `${refused} of ${count} schemas were refused`);
  assert.ok(unended < count / 10, `${unended} of ${count} texts did not end`);
});

for (const [name, schema] of Object.entries(named)) {
  test(`${name}: twenty texts satisfy it`, { skip }, async () => {
    let ended = 0;
    for (let seed = 1; seed <= 20; ++seed) {
      const answer = await check(schema, seed, folderOf('llama2'));
      assert.equal(answer.refused, undefined);
      ended += answer.ended ? 1 : 0;
    }
    assert.ok(ended >= 10, `only ${ended} of 20 texts ended`);
  });
}

test('what cannot be enforced is refused with its place', { skip }, async () => {
  const cases = [
    [{ type: 'object', properties: { a: { not: { type: 'null' } } } }, '#/properties/a/not'],
    [{ type: 'array', items: { type: 'string', pattern: '(?=a)b' } }, '#/items/pattern'],
    [{ type: 'array', uniqueItems: true }, '#/uniqueItems'],
    [{ $ref: 'https://example.com/x' }, '#/$ref'],
    [{ $ref: '#/$defs/missing' }, '#/$ref'],
    [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, '#/oneOf/1'],
    [{ type: 'string', format: 'color' }, '#/format'],
    [{ type: 'object', required: ['x'] }, '#/required'],
    [{ type: 'colour' }, '#/type'],
    [{ type: 'number', multipleOf: 0.1 }, '#/multipleOf'],
    [false, '#'],
    [{ type: 'object', properties: { next: { $ref: '#' } }, required: ['next'] }, '#'],
    [{ anyOf: [{ $ref: '#' }] }, '#'],
    [{ type: 'integer', minimum: 3, maximum: 2 }, '#'],
  ];
  for (const [schema, place] of cases) {
    const { refused } = await ask({ ask: 'sample', model: folderOf('llama2'), schema, seed: 1, tokens: 5 });
    assert.ok(refused?.includes(`\`${place}\``), `${JSON.stringify(schema)}: ${refused}`);
  }
});

test('a step on a vocabulary of 150,000 costs little', { skip }, async (context) => {
  const schema = { type: 'object', properties: { text: { type: 'string', minLength: 300 }, list: { type: 'array', items: { type: 'number' }, minItems: 20 } }, required: ['text', 'list'] };
  await ask({ ask: 'sample', model: folderOf('qwen2_5'), schema, seed: 1, tokens: 20 });
  const answer = await ask({ ask: 'sample', model: folderOf('qwen2_5'), schema, seed: 2, tokens: 120 });
  const each = (answer.seconds / answer.tokens) * 1000;
  context.diagnostic(`${each.toFixed(2)} ms a token, sampling included`);
  assert.ok(each < 20, `${each} ms a token`);
});
