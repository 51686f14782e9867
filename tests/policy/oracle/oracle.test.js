// Our Cedar beside Cedar itself. Needs the program: PORTCULLIS_BIN, default build/release/bin.
// PORTCULLIS_ORACLE_CASES sets how many cases (default 400), PORTCULLIS_ORACLE_SEED where they begin.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import cedar from '@cedar-policy/cedar-wasm/nodejs';
import { generate, mutate } from './generate.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const program = process.env.PORTCULLIS_BIN ?? join(root, 'build', 'release', 'bin', 'portcullis');
const count = Number(process.env.PORTCULLIS_ORACLE_CASES ?? 400);
const first = Number(process.env.PORTCULLIS_ORACLE_SEED ?? 1);
const seeds = Array.from({ length: count }, (_, i) => first + i);
const skip = existsSync(program) ? false : `no program at ${program}`;
const schema = readFileSync(join(root, 'policy', 'sets', 'default', 'schema.cedarschema'), 'utf8');

function ask(command, questions) {
  const input = questions.map((question) => JSON.stringify(question)).join('\n') + '\n';
  const run = spawnSync(program, ['policy', command, '--batch'], { input, encoding: 'utf8', maxBuffer: 1 << 30 });
  const answers = run.stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(answers.length, questions.length, run.stderr);
  return answers;
}

function authorize({ policies, entities, request }) {
  const answer = cedar.isAuthorized({ ...request, policies: { staticPolicies: policies }, entities });
  if (answer.type === 'failure') return { failure: answer.errors.map((error) => error.message).join('; ') };
  const { decision, diagnostics } = answer.response;
  return { decision, reasons: [...diagnostics.reason].sort(), errors: diagnostics.errors.map((e) => e.policyId).sort() };
}

test('decision, reasons and errors are identical', { skip }, () => {
  const cases = seeds.map(generate);
  let errors = 0;
  let allowed = 0;
  ask('authorize', cases).forEach((ours, i) => {
    const theirs = authorize(cases[i]);
    const where = `seed ${seeds[i]}\n${cases[i].policies}`;
    assert.equal(theirs.failure, undefined, `${where}\n${theirs.failure}`);
    assert.equal(ours.error, undefined, `${where}\n${JSON.stringify(ours.error)}`);
    assert.deepEqual({ decision: ours.decision, reasons: ours.reasons.sort(), errors: ours.errors.sort() }, theirs, where);
    errors += theirs.errors.length > 0 ? 1 : 0;
    allowed += theirs.decision === 'allow' ? 1 : 0;
  });
  assert.ok(errors > count / 20 && allowed > count / 20, `the cases say too little: ${errors} with errors, ${allowed} allowed`);
});

test('validation gives the same verdict', { skip }, () => {
  const questions = seeds.map((seed) => ({ policies: generate(seed).policies.split('\n')[0], schema }));
  let valid = 0;
  ask('validate', questions).forEach((ours, i) => {
    const theirs = cedar.validate({ schema, policies: { staticPolicies: questions[i].policies } });
    assert.equal(theirs.type, 'success');
    const messages = theirs.validationErrors.map((error) => error.error.message).join('\n');
    assert.equal(ours.ok, messages === '', `seed ${seeds[i]}\n${questions[i].policies}\ntheirs: ${messages}\nours: ${JSON.stringify(ours.errors)}`);
    valid += messages === '' ? 1 : 0;
  });
  assert.ok(valid > count / 20, `only ${valid} of ${count} are valid`);
});

test('damaged policies are accepted and refused alike', { skip }, () => {
  const sources = seeds.map((seed) => mutate(seed, generate(seed).policies.split('\n')[0]));
  const empty = { entities: [], request: generate(1).request };
  ask('authorize', sources.map((policies) => ({ policies, ...empty }))).forEach((ours, i) => {
    const theirs = cedar.checkParsePolicySet({ staticPolicies: sources[i] });
    assert.equal(ours.error === undefined, theirs.type === 'success',
      `seed ${seeds[i]}\n${sources[i]}\ntheirs: ${JSON.stringify(theirs.errors?.map((e) => e.message))}\nours: ${JSON.stringify(ours.error)}`);
  });
});

test('damaged schemas are accepted and refused alike', { skip }, () => {
  const sources = seeds.map((seed) => mutate(seed, schema));
  ask('validate', sources.map((text) => ({ policies: '', schema: text }))).forEach((ours, i) => {
    const theirs = cedar.checkParseSchema(sources[i]);
    assert.equal(ours.error === undefined, theirs.type === 'success',
      `seed ${seeds[i]}\ntheirs: ${JSON.stringify(theirs.errors?.map((e) => e.message))}\nours: ${JSON.stringify(ours.error)}`);
  });
});
