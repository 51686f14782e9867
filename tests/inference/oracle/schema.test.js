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
  // Without a precision ajv divides doubles, by which 0.3 is no multiple of 0.1.
  const ajv = new Ajv2020({ strict: false, allErrors: true, multipleOfPrecision: 6 });
  formats(ajv);
  return ajv.compile(schema);
}

const patterns = [
  '^[a-z]{2,5}$', '^(foo|bar)-\\d+$', 'x', '^\\w+@\\w+\\.com$', '[äöü]', '^[^"\\\\]*$', '^\\s?[\\u4e00-\\u4eff]+$', 'end$', '^a.c', '^(ab?c){1,3}$',
  '^"quoted\\\\"$', '^[\\t\\n ]{1,3}$', '^-?[0-9]+(\\.[0-9]{1,2})?$', '😀|🙂',
];
const kinds = [
  'date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid', 'uri-reference', 'url', 'byte',
  'json-pointer', 'relative-json-pointer',
];

function generateObject(pick, depth) {
  const schema = { type: 'object', properties: {}, required: [] };
  for (let n = pick(5); n >= 0; --n) {
    const name = ['id', 'name', 'value', 'ä"k', 'list', 'next'][n % 6];
    schema.properties[name] = generate(pick, depth + 1);
    if (pick(2)) schema.required.push(name);
  }
  if (pick(2)) schema.additionalProperties = pick(3) ? false : generate(pick, depth + 2);
  if (pick(4) === 0) schema.maxProperties = schema.required.length + pick(3);
  if (pick(4) === 0) schema.minProperties = pick(3);
  return schema;
}

function generate(pick, depth) {
  const simple = depth > 3;
  const number = (span) => (pick(2 * span) - span) / [1, 1, 2, 4, 10, 100][pick(6)];
  switch (pick(simple ? 7 : 20)) {
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
      const bounded = Object.keys(schema).length === 3;  // far out, doubles have no decimals to divide
      if (bounded && pick(3) === 0) schema.multipleOf = [0.5, 0.01, 0.1, 2.5, 0.025, 0.001][pick(6)];
      return schema;
    }
    case 5: return [{ type: 'boolean' }, { type: 'null' }, { type: ['string', 'null'] }, { type: ['integer', 'boolean'] }][pick(4)];
    case 6: return [{ enum: ['red', 'grün', 'a "b" \\ c', 7, null, true] }, { const: { a: [1, 'x'] } }, { const: 'fixed\n' }][pick(3)];
    case 7: case 8: return generateObject(pick, depth);
    case 9: {
      const schema = { type: 'array', items: generate(pick, depth + 2) };
      if (pick(2)) schema.minItems = pick(3);
      if (pick(2)) schema.maxItems = (schema.minItems ?? 0) + pick(4);
      return schema;
    }
    case 10: return { anyOf: [generate(pick, depth + 1), generate(pick, depth + 1)] };
    case 11: return { type: 'object', additionalProperties: generate(pick, depth + 2) };
    case 12: {
      const schema = { type: 'array', prefixItems: [generate(pick, depth + 2), generate(pick, depth + 2)] };
      schema.items = pick(2) ? false : generate(pick, depth + 2);
      if (pick(2)) schema.minItems = pick(3);
      return schema;
    }
    case 13: return { allOf: [generateObject(pick, depth), generateObject(pick, depth)] };
    case 14: {
      const schema = { type: 'object', patternProperties: { '^s_': { type: 'string', maxLength: 3 }, '\\d$': { type: ['integer', 'string'] } } };
      if (pick(2)) schema.properties = { fixed: { type: 'boolean' }, s_fixed: {} };
      if (pick(2)) schema.additionalProperties = pick(2) ? false : { type: 'null' };
      if (pick(2)) schema.propertyNames = { maxLength: 8, pattern: '^[a-z_]+\\d?$' };
      if (pick(2)) schema.maxProperties = 1 + pick(3);
      if (pick(2)) schema.minProperties = 1;
      return schema;
    }
    case 15: return { type: 'array', uniqueItems: true, items: { enum: ['a', 'b', 3, null, [1], 'c', 'd', 'e'].slice(0, 3 + pick(6)) }, minItems: pick(3), maxItems: 3 + pick(4) };
    case 16: {
      const schema = { type: 'array', items: { type: ['integer', 'boolean'] }, contains: { type: 'integer', minimum: 5 }, maxItems: 4 + pick(3) };
      if (pick(2)) schema.minContains = pick(4);
      if (pick(2)) schema.maxContains = Math.max(1, schema.minContains ?? 1) + pick(2);
      return schema;
    }
    case 17: {
      const schema = generateObject(pick, depth);
      schema.if = { properties: { id: [{ const: 'red' }, { type: 'integer' }, { type: 'string', minLength: 2 }][pick(3)] }, required: ['id'] };
      schema.then = [{ required: ['extra'] }, { properties: { extra: { type: 'integer' } } }, { maxProperties: 2 }][pick(3)];
      if (pick(2)) schema.else = { properties: { extra: { const: null } } };
      schema.properties.id = { enum: ['red', 'green', 4, 5] };
      schema.properties.extra = { type: ['integer', 'null'] };
      return schema;
    }
    case 18: {
      const not = [
        { enum: ['red', 'x', 5] }, { const: 0 }, { type: ['object', 'array'] }, { type: 'string', pattern: '^[a-f]' },
        { required: ['id'] }, { properties: { id: { type: 'string' } } }, { minimum: 3 }, { maxLength: 4 },
        { anyOf: [{ type: 'null' }, { type: 'boolean' }] }, { items: { type: 'integer' } },
      ][pick(10)];
      return { ...(pick(3) ? generate(pick, depth + 1) : {}), not };
    }
    default: {
      const schema = generateObject(pick, depth);
      schema.dependentRequired = { id: ['name'] };
      schema.dependentSchemas = { value: { required: ['list'] } };
      schema.oneOf = [{ required: ['id'] }, { required: ['value'] }];
      if (pick(2)) schema.unevaluatedProperties = false;
      return schema;
    }
  }
}

const named = {
  'a tree': { $ref: '#/$defs/node', $defs: { node: { type: 'object', properties: { value: { type: 'integer' }, children: { type: 'array', items: { $ref: '#/$defs/node' }, maxItems: 2 } }, required: ['value', 'children'] } } },
  'a tree by anchors': { $ref: '#node', $defs: { node: { $anchor: 'node', type: 'object', properties: { value: { type: 'integer' }, children: { type: 'array', items: { $ref: '#node' }, maxItems: 2 } }, required: ['value', 'children'] } } },
  'schemas with addresses': { $id: 'https://example.com/shop/order', type: 'object', properties: { item: { $ref: 'item' }, price: { $ref: '/money#/$defs/amount' }, count: { $ref: '#count' } }, required: ['item', 'price', 'count'], $defs: { item: { $id: 'item', type: 'object', properties: { kind: { $ref: '#/$defs/kind' }, part: { anyOf: [{ type: 'null' }, { $ref: '#' }] } }, required: ['kind', 'part'], $defs: { kind: { enum: ['book', 'pen'] } } }, money: { $id: '/money', $defs: { amount: { type: 'number', multipleOf: 0.01, minimum: 0, maximum: 1000 } } }, count: { $anchor: 'count', type: 'integer', minimum: 1 } } },
  'a strict tree, dynamically': { $id: 'https://example.com/strict', $dynamicAnchor: 'node', $ref: 'tree', unevaluatedProperties: false, $defs: { tree: { $id: 'tree', $dynamicAnchor: 'node', type: 'object', properties: { data: { type: 'boolean' }, children: { type: 'array', maxItems: 2, items: { $dynamicRef: '#node' } } } } } },
  'a list': { type: 'object', properties: { head: { type: 'string', maxLength: 5 }, tail: { anyOf: [{ type: 'null' }, { $ref: '#' }] } }, required: ['head', 'tail'] },
  'told apart': { oneOf: [{ type: 'object', properties: { kind: { const: 'a' }, x: { type: 'integer' } }, required: ['kind', 'x'] }, { type: 'object', properties: { kind: { const: 'b' }, y: { type: 'string', maxLength: 4 } }, required: ['kind'] }] },
  'told apart by what they require': { oneOf: [{ required: ['a'] }, { required: ['b'] }], type: 'object', properties: { a: { type: 'integer' }, b: { type: 'boolean' } } },
  'told apart by what they allow': { oneOf: [{ type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false }, { type: 'object', properties: { b: { type: 'integer' } }, required: ['b'], additionalProperties: false }] },
  'one of two texts': { oneOf: [{ type: 'string', pattern: '^a' }, { type: 'string', maxLength: 3 }] },
  'inheritance': { $ref: '#/$defs/dog', $defs: { animal: { type: 'object', properties: { kind: { enum: ['cat', 'dog'] }, name: { type: 'string', maxLength: 4 } }, required: ['kind', 'name'] }, dog: { allOf: [{ $ref: '#/$defs/animal' }, { properties: { kind: { const: 'dog' }, puppies: { type: 'array', items: { $ref: '#/$defs/dog' }, maxItems: 1 } } }], unevaluatedProperties: false } } },
  'several patterns': { type: 'string', allOf: [{ pattern: '^[a-z0-9]+$' }, { pattern: '[0-9]' }, { pattern: '^[^x]' }], minLength: 3, maxLength: 8, not: { pattern: '^a' } },
  'look-aheads': { type: 'string', pattern: '^(?!.*bb)(?=.*[0-9])[a-d0-9]{2,6}$' },
  'a decimal number as text': { type: 'string', pattern: '^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$', maxLength: 9 },
  'an address within bounds': { type: 'string', format: 'uri', minLength: 1, maxLength: 2083 },
  'a pattern of patterns': { type: 'string', format: 'regex', maxLength: 30 },
  'a template of addresses': { type: 'string', format: 'uri-template' },
  'a pattern with a format': { type: 'string', format: 'date', pattern: '^202[45]-0' },
  'a condition': { type: 'object', properties: { country: { enum: ['DE', 'US'] }, code: { type: 'string' } }, required: ['country', 'code'], if: { properties: { country: { const: 'DE' } } }, then: { properties: { code: { pattern: '^[0-9]{5}$' } } }, else: { properties: { code: { pattern: '^[A-Z]{2}$' } } } },
  'a map by pattern': { type: 'object', patternProperties: { '^x-': { type: 'integer' } }, additionalProperties: { type: 'boolean' }, minProperties: 1, maxProperties: 4 },
  'named and free': { type: 'object', properties: { id: { type: 'integer' }, ident: { const: 1 } }, required: ['id'], additionalProperties: { type: 'string', maxLength: 2 } },
  'names from a list': { type: 'object', propertyNames: { enum: ['low', 'high'] }, additionalProperties: { type: 'number' }, minProperties: 1 },
  'distinct, any order': { type: 'array', items: { enum: ['a', 'b', 'c', 'd'] }, uniqueItems: true, minItems: 2 },
  'distinct, many': { type: 'array', items: { enum: [...'abcdefghijklmnop'] }, uniqueItems: true, minItems: 4, maxItems: 9 },
  'distinct texts': { type: 'array', items: { type: 'string' }, uniqueItems: true, minItems: 3, maxItems: 6 },
  'distinct numbers': { type: 'array', items: { type: 'integer', minimum: 0 }, uniqueItems: true, minItems: 6, maxItems: 12 },
  'distinct ones side by side': { type: 'array', items: { type: 'object', properties: { tags: { type: 'array', items: { type: ['string', 'number'] }, uniqueItems: true, minItems: 2, maxItems: 4 } }, required: ['tags'] }, minItems: 2, maxItems: 3 },
  'distinct dice': { type: 'array', items: { type: 'integer', minimum: 1, maximum: 6 }, uniqueItems: true, minItems: 3 },
  'containing': { type: 'array', items: { type: 'integer', minimum: 0, maximum: 20 }, contains: { minimum: 10, type: 'integer' }, minContains: 2, maxContains: 3, minItems: 3, maxItems: 5 },
  'a tuple and more': { type: 'array', prefixItems: [{ type: 'string', maxLength: 2 }, { type: 'integer' }], items: { type: 'boolean' }, minItems: 1, maxItems: 4 },
  'an enum beside bounds': { enum: ['a', 'abc', 3, 12, null, { a: 1 }, 7.5], type: ['string', 'number'], minLength: 2, minimum: 5 },
  'excluded numbers': { type: 'integer', minimum: 1, maximum: 9, not: { enum: [2, 4, 6, 8] } },
  'unlike the rest': { not: { anyOf: [{ type: 'object' }, { type: 'array' }, { type: 'string', pattern: 'a' }] } },
  'required without a description': { type: 'object', required: ['x', 'y'], properties: { y: { type: 'null' } } },
  'small numbers': { type: 'integer', format: 'int32' },
  'any object': { type: 'object' },
  'anything': {},
  'wide bounds': { type: 'integer', minimum: -9007199254740991, maximum: 9007199254740991 },
  'halves': { type: 'number', multipleOf: 0.5, minimum: -3, maximum: 20 },
  'prices': { type: 'array', items: { type: 'number', multipleOf: 0.01, exclusiveMinimum: 0, maximum: 99.95 }, minItems: 3, maxItems: 5 },
  'multiples of two decimals': { type: 'number', allOf: [{ multipleOf: 0.5 }, { multipleOf: 0.2 }], maximum: 500, minimum: 0.1 },
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
  let impossible = 0;  // joined at random, schemas may contradict each other
  let unended = 0;
  for (let seed = 1; seed <= count; ++seed) {
    const pick = random(seed * 7919);
    const schema = generate(pick, 0);
    const answer = await check(schema, seed, folderOf(seed % 10 === 0 ? 'qwen2_5' : 'llama2'));
    if (answer.refused?.includes('no finite value')) ++impossible;
    else if (answer.refused !== undefined) ++refused;
    else if (!answer.ended) ++unended;
  }
  context.diagnostic(`${count} schemas: ${refused} refused, ${impossible} impossible, ${unended} texts without an end`);
  assert.ok(impossible < count / 6, `${impossible} of ${count} schemas were called impossible`);
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
    [{ type: 'object', properties: { a: { not: { multipleOf: 3 } } } }, '#/properties/a/not'],
    [{ type: 'number', not: { type: 'integer' } }, '#/not'],
    [{ type: 'string', not: { format: 'date' } }, '#/not'],
    [{ type: 'array', uniqueItems: true, items: { type: 'string', maxLength: 4 } }, '#/uniqueItems'],
    [{ type: 'array', uniqueItems: true, items: { type: 'object' } }, '#/uniqueItems'],
    [{ type: 'object', minProperties: 2 }, '#/minProperties'],
    [{ type: 'array', allOf: [{ contains: { const: 1 } }, { contains: { const: 2 } }] }, '#/allOf/1/contains'],
    [{ type: 'object', properties: { a: { $dynamicRef: '#x' } } }, '#/properties/a/$dynamicRef'],
    [{ type: 'object', properties: { a: { $id: 'https://example.com/a', $ref: 'b' } } }, '#/properties/a/$ref'],
    [{ type: 'object', patternProperties: { '(?!a)': true } }, '#/patternProperties/(?!a)'],
    [{ type: 'object', propertyNames: { format: 'date' } }, '#/propertyNames/format'],
    [{ allOf: [{ $ref: '#' }, { type: 'object' }] }, '#/allOf/0'],
    [{ type: 'string', enum: [1, 2] }, '#'],
    [{ type: 'array', items: { type: 'string', pattern: '(?=a)b' } }, '#/items/pattern'],
    [{ $ref: 'https://example.com/x' }, '#/$ref'],
    [{ $ref: '#/$defs/missing' }, '#/$ref'],
    [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, '#/oneOf/1'],
    [{ type: 'string', format: 'color' }, '#/format'],
    [{ type: 'colour' }, '#/type'],
    [{ type: 'number', multipleOf: 10.01 }, '#/multipleOf'],
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

// Of three runs the one that nothing else on the machine held up.
async function fastest(schema) {
  const each = [];
  for (const seed of [2, 3, 4]) {
    const answer = await ask({ ask: 'sample', model: folderOf('qwen2_5'), schema, seed, tokens: 120 });
    each.push((answer.seconds / answer.tokens) * 1000);
  }
  return Math.min(...each);
}

const distinct = { type: 'array', items: { type: 'string', minLength: 10 }, uniqueItems: true, minItems: 30 };
const text = { type: 'string', minLength: 300 };
const object = (properties) => ({ type: 'object', properties, required: Object.keys(properties) });

for (const [where, schema, most] of [
  ['costs little', object({ text, list: { type: 'array', items: { type: 'number' }, minItems: 20 } }), 20],
  ['costs as little far from items that have to differ', object({ text, list: distinct }), 20],
  ['is bounded among them', distinct, 40],
]) {
  test(`a step on a vocabulary of 150,000 ${where}`, { skip }, async (context) => {
    await ask({ ask: 'sample', model: folderOf('qwen2_5'), schema, seed: 1, tokens: 20 });
    const each = await fastest(schema);
    context.diagnostic(`${each.toFixed(2)} ms a token, sampling included`);
    assert.ok(each < most, `${each} ms a token`);
  });
}
