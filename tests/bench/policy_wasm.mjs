// The same questions to policy_bench and to Cedar itself (@cedar-policy/cedar-wasm), side by side. Cedar
// has parsed the policies beforehand, as ours has; its interface takes entities and context as JSON with
// every question, which is most of its time with few policies.
//   node policy_wasm.mjs BUILD_DIR/bin/policy_bench
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const require = createRequire(join(root, 'tests', 'policy', 'oracle', 'package.json'));
const cedar = require('@cedar-policy/cedar-wasm/nodejs');
const bench = process.argv[2];
if (!bench) throw new Error('usage: node policy_wasm.mjs BUILD_DIR/bin/policy_bench');
const folder = join(root, 'policy', 'sets', 'default');
const run = (...more) => {
  const { status, stdout, stderr } = spawnSync(bench, [folder, ...more], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(stderr);
  return stdout;
};

const uid = (type, id) => ({ type: `Gw::${type}`, id });
const entity = (type, id) => ({ __entity: uid(type, id) });
const US = entity('Jurisdiction', 'US');
const sites = ['s1', 's2', 's3', 's4'].map((id) => ({ uid: uid('Backend', id), parents: [], attrs: {
  processing: US, storage: US, operator: US, keyHolder: US, modelOrigin: US, onPrem: false, dpaSigned: true, zeroRetention: true, retentionDays: 0 } }));
const DE = entity('Jurisdiction', 'DE');
const erika = { uid: uid('User', 'erika'), attrs: { home: DE, citizenships: [DE], clearance: 1 }, parents: [uid('Role', 'staff'), uid('Department', 'd7')] };
const entities = [...JSON.parse(readFileSync(join(folder, 'entities.json'), 'utf8')), ...sites, erika];
const context = { detected: [entity('DataClass', 'Contact')], leaving: [entity('DataClass', 'Contact')], topSeverity: 1, scanComplete: true, subject: [DE],
  subjects: 1, subjectsYtd: 10, clientIp: { __extn: { fn: 'ip', arg: '10.1.2.3' } }, zone: entity('Zone', 'office'),
  device: { managed: true, government: false, jurisdiction: DE }, purpose: entity('Purpose', 'other'), now: { __extn: { fn: 'datetime', arg: '2026-03-01T09:00:00Z' } } };
const question = (resource, action) => ({ principal: uid('User', 'erika'), action: uid('Action', action), resource: uid('Backend', resource), context });

function theirs(policies) {
  if (cedar.preparsePolicySet('bench', { staticPolicies: policies }).type !== 'success') throw new Error('Cedar does not parse the policies');
  const ask = (resource, action) => {
    const answer = cedar.statefulIsAuthorized({ ...question(resource, action), preparsedPolicySetId: 'bench', entities });
    if (answer.type !== 'success') throw new Error(JSON.stringify(answer.errors));
    return answer.response.decision;
  };
  if (ask('builtin', 'forward') !== 'allow') throw new Error('Cedar denies what the bench allows');
  const best = (work, repeats) => {
    let result = Infinity;
    for (let i = 0; i < 5; ++i) {
      const start = performance.now();
      for (let k = 0; k < repeats; ++k) work();
      result = Math.min(result, ((performance.now() - start) * 1000) / repeats);
    }
    return result;
  };
  return {
    once: best(() => ask('builtin', 'forward'), 200),
    ladder: best(() => { for (const site of ['s1', 's2', 's3', 's4', 'builtin']) for (const action of ['forward', 'forwardPseudonymised', 'forwardRedacted']) ask(site, action); }, 15),
  };
}

const ours = JSON.parse(run('--json'));
console.log('policies   a request: ours  Cedar (wasm)  ratio     3 x 5 ladder: ours  Cedar (wasm)  ratio');
for (const row of ours) {
  const t = theirs(run('--print', String(row.policies)));
  const n = (x, w) => x.toFixed(2).padStart(w);
  console.log(`${String(row.policies).padStart(8)} ${n(row.once, 13)} us ${n(t.once, 10)} us ${n(t.once / row.once, 6)} ${n(row.ladder, 17)} us ${n(t.ladder, 10)} us ${n(t.ladder / row.ladder, 6)}`);
}
