// Asks our program and Cedar the same questions and lists where the answers differ. Used by the
// short run of the tests and by `npm run long`.
import { spawnSync } from 'node:child_process';
import { isDeepStrictEqual } from 'node:util';

import cedar from '@cedar-policy/cedar-wasm/nodejs';
import { mutate } from './generate.js';
import { extensionSoup, policySoup, schemaSoup } from './soup.js';
import { mutateJson, world } from './worlds.js';

export function asker(program) {
  return (command, questions) => {
    const input = questions.map((question) => JSON.stringify(question)).join('\n') + '\n';
    const run = spawnSync(program, ['policy', command, '--batch'], { input, encoding: 'utf8', maxBuffer: 1 << 30 });
    const answers = run.stdout.trim().split('\n').map((line) => JSON.parse(line));
    if (answers.length !== questions.length) throw new Error(`${answers.length} answers to ${questions.length} questions: ${run.stderr}`);
    return answers;
  };
}

const words = (errors) => errors?.map((e) => e.message ?? e.error?.message).join('; ');
const setOf = (w) => ({ staticPolicies: w.policies.join('\n'), templates: w.templates, templateLinks: w.links });
// A resolved schema without the several names of one thing: __cedar::Long is Long where no type of
// the world is called that, and an action's type may go without saying.
const plain = (json) => JSON.parse(JSON.stringify(json).replaceAll('__cedar::', '').replaceAll('"type":"Boolean"', '"type":"Bool"').replace(/\{"id":("(?:[^"\\]|\\.)*")\}/g, '{"id":$1,"type":"Action"}'));

// One kind of question: what to ask us, what Cedar says, and how ours must look to agree.
const kinds = {
  authorize: {
    command: 'authorize',
    cases: (w) => w.requests.flatMap((request) => [false, true].map((checked) => ({ policies: setOf(w), entities: w.entities, request, ...(checked ? { schema: w.schema } : {}) }))),
    theirs: (q) => {
      const answer = cedar.isAuthorized({ ...q.request, policies: q.policies, entities: q.entities, ...(q.schema ? { schema: q.schema, validateRequest: true } : {}) });
      if (answer.type === 'failure') return { failed: true, words: words(answer.errors) };
      const { decision, diagnostics } = answer.response;
      return { decision, reasons: [...diagnostics.reason].sort(), errors: diagnostics.errors.map((e) => e.policyId).sort() };
    },
    same: (ours, theirs) => (theirs.failed || ours.error ? Boolean(theirs.failed) === Boolean(ours.error)
      : isDeepStrictEqual({ decision: ours.decision, reasons: ours.reasons.sort(), errors: ours.errors.sort() }, theirs)),
    counts: (theirs) => ({ failed: theirs.failed, allowed: theirs.decision === 'allow', erred: theirs.errors?.length > 0 }),
  },
  validate: {
    command: 'validate',
    cases: (w) => [{ policies: setOf(w), schema: w.schema }, ...w.policies.slice(0, 6).map((policies) => ({ policies, schema: w.schema })),
      ...Object.entries(w.templates).map(([id, text]) => ({ policies: { templates: { [id]: text }, templateLinks: w.links.filter((l) => l.templateId === id) }, schema: w.schema }))],
    theirs: (q) => {
      const answer = cedar.validate({ schema: q.schema, policies: typeof q.policies === 'string' ? { staticPolicies: q.policies } : q.policies });
      if (answer.type === 'failure') return { failed: true, words: words(answer.errors) };
      return { ok: answer.validationErrors.length === 0, impossible: answer.validationWarnings.filter((v) => v.error.message.includes('impossible')).map((v) => v.policyId).sort(), words: words(answer.validationErrors) };
    },
    same: (ours, theirs) => (theirs.failed || ours.error ? Boolean(theirs.failed) === Boolean(ours.error)
      : ours.ok === theirs.ok && (!theirs.ok || isDeepStrictEqual(ours.warnings.filter((v) => v.message.includes('never be satisfied')).map((v) => v.policy).sort(), theirs.impossible))),
    counts: (theirs) => ({ failed: theirs.failed, ok: theirs.ok }),
  },
  'policy to JSON': {
    command: 'convert',
    cases: (w) => [...w.policies.slice(0, 5), ...Object.values(w.templates)].map((policies) => ({ policies, to: 'json' })),
    theirs: (q) => { const answer = cedar.templateToJson(q.policies); return answer.type === 'success' ? answer.json : cedar.policyToJson(q.policies).json; },
    same: (ours, theirs) => isDeepStrictEqual(ours.json?.staticPolicies.policy0 ?? ours.json?.templates.policy0, theirs),
  },
  'policy to text': {
    command: 'convert',
    cases: (w) => w.policies.slice(0, 5).map((text) => ({ policies: cedar.policyToJson(text).json, to: 'text' })),
    theirs: (q) => q.policies,
    same: (ours, theirs) => isDeepStrictEqual(cedar.policyToJson(ours.text ?? '').json, theirs),
  },
  format: {
    command: 'format',
    cases: (w) => [{ policies: w.policies.join(' // why\n// because\n') }, { policies: w.policies.join(' ') }],
    theirs: (q) => ({ asked: q.policies, meaning: cedar.policySetTextToParts(q.policies).policies?.map((p) => cedar.policyToJson(p).json), text: cedar.formatPolicies({ policyText: q.policies }).formatted_policy }),
    same: (ours, theirs) => isDeepStrictEqual(cedar.policySetTextToParts(ours.text ?? '').policies?.map((p) => cedar.policyToJson(p).json), theirs.meaning)
      && (ours.text.match(/\/\/ because/g) ?? []).length === (theirs.asked.match(/\/\/ because/g) ?? []).length,
    counts: (theirs, ours) => ({ 'like Cedar\'s': ours.text === theirs.text }),
  },
  'schema to text': {
    command: 'convert',
    cases: (w) => [{ schema: w.schema, to: 'text' }],
    theirs: (q) => { const answer = cedar.schemaToText(q.schema); return answer.type === 'success' ? cedar.schemaToJsonWithResolvedTypes(answer.text) : { failed: true, words: words(answer.errors) }; },
    same: (ours, theirs) => (theirs.failed || theirs.type === 'failure' || ours.error ? (theirs.failed || theirs.type === 'failure') === Boolean(ours.error)
      : isDeepStrictEqual(plain(cedar.schemaToJsonWithResolvedTypes(ours.text).json), plain(theirs.json))),
    counts: (theirs) => ({ failed: theirs.failed || theirs.type === 'failure' }),
  },
  'schema to JSON': {
    command: 'convert',
    cases: (w) => { const text = cedar.schemaToText(w.schema).text; return text ? [{ schema: text, to: 'json' }] : []; },
    theirs: (q) => { const valid = cedar.checkParseSchema(q.schema).type === 'success'; return valid ? cedar.schemaToJson(q.schema).json : undefined; },
    same: (ours, theirs) => isDeepStrictEqual(ours.json, theirs),
  },
  'damaged policy': {
    command: 'convert',
    cases: (w, seed) => w.policies.slice(0, 6).map((text, i) => ({ policies: mutate(seed * 10 + i, text), to: 'json' })),
    theirs: (q) => { const answer = cedar.checkParsePolicySet({ staticPolicies: q.policies }); return { ok: answer.type === 'success' || words(answer.errors).includes('includes a template'), words: words(answer.errors) }; },
    same: (ours, theirs) => (ours.error === undefined) === theirs.ok,
    counts: (theirs) => theirs,
  },
  'policy soup': {
    command: 'convert',
    cases: (w, seed) => Array.from({ length: 10 }, (_, i) => ({ policies: policySoup(seed * 10 + i), to: 'json' })),
    theirs: (q) => { const answer = cedar.policySetTextToParts(q.policies); return { ok: answer.type === 'success', words: words(answer.errors) }; },
    same: (ours, theirs) => (ours.error === undefined) === theirs.ok,
    counts: (theirs) => theirs,
  },
  'extension texts': {
    command: 'authorize',
    cases: (w, seed) => Array.from({ length: 20 }, (_, i) => ({ policies: `permit(principal, action, resource) when { ${extensionSoup(seed * 20 + i)} };`, entities: [],
      request: { principal: { type: 'U', id: '' }, action: { type: 'Action', id: '' }, resource: { type: 'U', id: '' }, context: {} } })),
    theirs: (q) => {
      const { decision, diagnostics } = cedar.isAuthorized({ ...q.request, policies: { staticPolicies: q.policies }, entities: [] }).response;
      return { decision, errors: diagnostics.errors.length };
    },
    same: (ours, theirs) => ours.error === undefined && ours.decision === theirs.decision && ours.errors.length === theirs.errors,
    counts: (theirs) => ({ allowed: theirs.decision === 'allow', erred: theirs.errors > 0 }),
  },
  'schema soup': {
    command: 'convert',
    cases: (w, seed) => Array.from({ length: 5 }, (_, i) => ({ schema: schemaSoup(seed * 10 + i), to: 'json' })),
    theirs: (q) => { const answer = cedar.checkParseSchema(q.schema); return { ok: answer.type === 'success', words: words(answer.errors) }; },
    same: (ours, theirs) => (ours.error === undefined) === theirs.ok,
    counts: (theirs) => theirs,
  },
  'damaged schema': {
    command: 'convert',
    cases: (w, seed) => { const text = cedar.schemaToText(w.schema).text; return text ? [0, 1, 2].map((i) => ({ schema: mutate(seed * 10 + i, text), to: 'json' })) : []; },
    theirs: (q) => { const answer = cedar.checkParseSchema(q.schema); return { ok: answer.type === 'success', words: words(answer.errors) }; },
    same: (ours, theirs) => (ours.error === undefined) === theirs.ok,
    counts: (theirs) => theirs,
  },
  'damaged schema JSON': {
    command: 'validate',
    cases: (w, seed) => [0, 1, 2].map((i) => ({ policies: '', schema: mutateJson(seed * 10 + i, w.schema) })),
    theirs: (q) => { const answer = cedar.checkParseSchema(q.schema); return { ok: answer.type === 'success', words: words(answer.errors) }; },
    same: (ours, theirs) => (ours.error === undefined) === theirs.ok,
    counts: (theirs) => theirs,
  },
  'damaged policy JSON': {
    command: 'convert',
    cases: (w, seed) => w.policies.slice(0, 5).map((text, i) => ({ policies: { staticPolicies: { p: mutateJson(seed * 10 + i, cedar.policyToJson(text).json) } }, to: 'json' })),
    theirs: (q) => { const answer = cedar.checkParsePolicySet(q.policies); return { ok: answer.type === 'success', words: words(answer.errors) }; },
    same: (ours, theirs) => (ours.error === undefined) === theirs.ok,
    counts: (theirs) => theirs,
  },
  'damaged entities': {
    command: 'authorize',
    cases: (w, seed) => [0, 1, 2, 3].map((i) => ({ policies: '', entities: mutateJson(seed * 10 + i, w.entities), request: w.requests[0], ...(i % 2 ? { schema: w.schema } : {}) })),
    theirs: (q) => {
      const answer = cedar.isAuthorized({ ...q.request, policies: { staticPolicies: '' }, entities: q.entities, ...(q.schema ? { schema: q.schema, validateRequest: true } : {}) });
      return { ok: answer.type === 'success', words: words(answer.errors) };
    },
    same: (ours, theirs) => (ours.error === undefined) === theirs.ok,
    counts: (theirs) => theirs,
  },
  'damaged request': {
    command: 'authorize',
    cases: (w, seed) => [0, 1, 2, 3].map((i) => ({ policies: '', entities: [], request: mutateJson(seed * 10 + i, w.requests[0]), ...(i % 2 ? { schema: w.schema } : {}) })),
    theirs: (q) => {
      let answer;
      const { principal, action, resource, context = {} } = q.request;
      try {
        answer = cedar.isAuthorized({ principal, action, resource, context, policies: { staticPolicies: '' }, entities: [], ...(q.schema ? { schema: q.schema, validateRequest: true } : {}) });
      } catch (error) {
        return { ok: false, words: String(error) };
      }
      return { ok: answer.type === 'success', words: words(answer.errors) };
    },
    same: (ours, theirs) => (ours.error === undefined) === theirs.ok,
    counts: (theirs) => theirs,
  },
};

export const kindNames = Object.keys(kinds);

// The number of cases, how they fell out, and the first differences in words.
export function compare(kind, ask, seeds, shown = 3) {
  const { command, cases, theirs, same, counts } = kinds[kind];
  const questions = [];
  const origins = [];
  for (const seed of seeds) for (const question of cases(world(seed), seed)) { questions.push(question); origins.push(seed); }
  const tally = {};
  const differences = [];
  let different = 0;
  ask(command, questions).forEach((ours, i) => {
    const expected = theirs(questions[i]);
    for (const [name, hit] of Object.entries(counts?.(expected, ours) ?? {})) if (hit === true) tally[name] = (tally[name] ?? 0) + 1;
    let agrees = false;
    try { agrees = same(ours, expected); } catch (error) { ours.trouble = String(error); }
    if (agrees) return;
    ++different;
    if (differences.length < shown) differences.push(`seed ${origins[i]}\n  asked  ${JSON.stringify(questions[i]).slice(0, 3000)}\n  theirs ${JSON.stringify(expected)?.slice(0, 1500)}\n  ours   ${JSON.stringify(ours).slice(0, 1500)}`);
  });
  return { cases: questions.length, tally, different, differences };
}
