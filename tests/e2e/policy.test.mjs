// A change of policy as two officers make it, on a running appliance: propose, no approval of one's
// own, approval by another, in force while calls go on, back again. Every step is in the audit log.
import test, {before, after} from 'node:test';
import assert from 'node:assert/strict';
import {cpSync, readFileSync, writeFileSync, appendFileSync} from 'node:fs';
import {join} from 'node:path';
import {Appliance, root, until} from './appliance.mjs';

let box;
before(async () => { box = await Appliance.start(); });
after(async () => { await box?.close(); });

const officer = (name) => ['--officer', name, '--key', join(box.dir, `keys/officer-${name}`)];
const policy = (...args) => box.remote('policy', ...args);
const status = async () => JSON.parse((await policy('log')).stdout);
const ask = () => box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('Hello', {max_tokens: 2}))});

// What an officer does: read what the revision changes, and approve that by its hash.
async function approve(number, ...more) {
  const {code, stdout, stderr} = await policy('diff', number);
  assert.equal(code, 0, stderr);
  return policy('approve', number, '--hash', JSON.parse(stdout).to.content, ...more);
}

// The default set and one more rule, in a folder of its own.
function draft(name, rule) {
  const folder = join(box.dir, name);
  cpSync(join(root, 'policy/sets/default'), folder, {recursive: true});
  appendFileSync(join(folder, 'policy.cedar'), rule);
  writeFileSync(join(folder, 'tests/default.test'), '');
  return folder;
}
const closing = '\n@id("closed") @advice("Closed for today.")\nforbid (principal, action in Gw::Action::"transfer", resource);\n';

test('the first revision is the shipped set, and the log says who made it', async () => {
  const now = await status();
  assert.equal(now.in_force, 1);
  assert.equal(now.frozen, false);
  assert.deepEqual(now.complaints, []);
  assert.deepEqual(now.events.map((event) => [event.event, event.actor]), [['seed', 'appliance']]);
  assert.equal((await box.status()).policy_number, 1);
});

test('a draft that is not valid is not proposed', async () => {
  const folder = draft('broken', '\npermit (principal, action, resource) when { resource.colour == "red" };\n');
  const {code, stderr} = await policy('propose', folder, ...officer('olga'));
  assert.equal(code, 3);
  assert.match(stderr, /colour/);
  assert.equal((await status()).next, 2);
});

test('propose, approve by another, apply, traffic changes, roll back', async () => {
  const before = await box.size();
  const folder = draft('closing', closing);
  const compared = await policy('diff', folder);
  assert.equal(compared.code, 0, compared.stderr);
  const diff = JSON.parse(compared.stdout);
  assert.ok(diff.changes.some((change) => /allowed → refused, by closed/.test(change.words)), compared.stdout);
  assert.ok(diff.changes.length < 12, 'an officer reads a page');

  assert.equal((await policy('propose', folder, ...officer('olga'))).code, 0);
  const early = await policy('apply', '2', ...officer('olga'));
  assert.equal(early.code, 5, early.stderr);
  assert.match(early.stderr, /waits for the approval/);

  const own = await approve('2', ...officer('olga'));
  assert.equal(own.code, 3);
  assert.match(own.stderr, /another officer must approve/);
  const borrowed = await approve('2', '--officer', 'paul', '--key', join(box.dir, 'keys/officer-olga'));
  assert.equal(borrowed.code, 3);
  const unsigned = await approve('2', '--officer', 'paul');
  assert.equal(unsigned.code, 3);
  assert.equal((await policy('approve', '2', ...officer('paul'))).code, 1, 'approved is what was read: --hash');
  assert.equal((await ask()).status, 200);

  assert.equal((await approve('2', ...officer('paul'))).code, 0);
  assert.equal((await ask()).status, 200, 'an approval alone changes nothing');
  const applied = await policy('apply', '2', '--probation', '1h', ...officer('paul'));
  assert.equal(applied.code, 0, applied.stderr);
  const refused = await ask();
  assert.equal(refused.status, 403);
  assert.match(refused.json.error.message, /closed/);
  assert.match(refused.json.error.message, /policy revision 2 sha256:/);
  assert.equal((await status()).in_force, 2);

  const back = await policy('rollback', '--why', 'too strict', ...officer('olga'));
  assert.equal(back.code, 0, back.stderr);
  assert.equal((await ask()).status, 200);
  const stale = await policy('apply', '2', ...officer('paul'));
  assert.notEqual(stale.code, 0);
  assert.match(stale.stderr, /rolled back/);

  const events = (await status()).events.map((event) => event.event);
  assert.deepEqual(events, ['seed', 'draft', 'check', 'propose', 'approve', 'activate', 'rollback']);
  const records = await box.records(0);
  const noted = [];
  for (const record of records.filter((one) => one.seq >= before && one.kind === 'ADMIN')) {
    const {parts} = await box.record(record.seq);
    noted.push(JSON.parse(parts.metadata).operation);
  }
  for (const operation of ['policy_draft', 'policy_check', 'policy_propose', 'policy_approve']) {
    assert.ok(noted.includes(operation), `${operation} is in the audit log: ${noted}`);
  }
});

test('what was edited after it was read is not approved', async () => {
  const number = String((await status()).next);
  assert.equal((await policy('propose', draft('harmless', '\n// harmless\n'), ...officer('olga'))).code, 0);
  const read = JSON.parse((await policy('diff', number)).stdout);
  assert.equal(read.same, true);
  const harmful = draft('harmful', '\n@id("mallory") permit (principal == Gw::User::"mallory", action in Gw::Action::"transfer", resource);\n');
  const unsigned = await policy('propose', harmful, '--revision', number, '--officer', 'olga');
  assert.equal(unsigned.code, 1);
  assert.match(unsigned.stderr, /--revision needs --key/);
  const edited = await policy('propose', harmful, '--revision', number, ...officer('olga'));
  assert.equal(edited.code, 0);
  assert.equal(JSON.parse(edited.stdout).number, Number(number));
  const late = await policy('approve', number, '--hash', read.to.content, ...officer('paul'));
  assert.equal(late.code, 3);
  assert.match(late.stderr, /another content than the one named/);
  const again = JSON.parse((await policy('diff', number)).stdout);
  assert.notEqual(again.to.content, read.to.content);
  assert.ok(again.rules.some((rule) => /added: `mallory`/.test(rule)), again.rules.join('\n'));
  assert.equal((await policy('withdraw', number, ...officer('olga'))).code, 0);
});

test('what is inspected is all of the revision', async () => {
  const rule = (id) => `@id("${id}") forbid (principal, action == Gw::Action::"reidentify", resource);\n`;
  const number = String((await status()).next);
  const folders = [draft('x', ''), join(box.dir, 'x-y')];
  cpSync(join(root, 'policy/sets/secrets'), folders[1], {recursive: true});
  writeFileSync(join(folders[0], 'z.cedar'), rule('one'));
  assert.equal((await policy('propose', ...folders, ...officer('olga'))).code, 0);
  const out = join(box.dir, 'shown');
  assert.equal((await policy('show', number, '--out', out)).code, 0);
  assert.equal(readFileSync(join(out, 'x-z.cedar'), 'utf8'), rule('one'));
  const words = await box.cli('policy', 'show', number, '--socket', box.socket);
  assert.match(words.stdout, new RegExp(`^revision ${number}, proposed\\ncontent sha256:[0-9a-f]{64}\\nby olga, \\d{4}-\\d\\d-\\d\\d [^]*\\nproposed \\d{4}-`));
  assert.equal((await box.cli('policy', 'check', ...['x-z', 'x-policy', 'x-y-policy'].map((name) => join(out, `${name}.cedar`)))).code, 0);
  // x/y-z and x-y/z: one would be written over the other, and read by nobody.
  writeFileSync(join(folders[0], 'y-z.cedar'), rule('harmful'));
  writeFileSync(join(folders[1], 'z.cedar'), rule('harmless'));
  assert.equal((await policy('propose', ...folders, '--revision', number, ...officer('olga'))).code, 0);
  const hidden = await policy('show', number, '--out', join(box.dir, 'shown-again'));
  assert.equal(hidden.code, 3);
  assert.match(hidden.stderr, /two files of the revision would have this name/);
  assert.equal((await policy('withdraw', number, ...officer('olga'))).code, 0);
});

test('recorded decisions can be asked again of a draft', async () => {
  const before = await box.size();
  assert.equal((await ask()).status, 200);
  assert.equal((await box.request('POST', '/v1/chat/completions', {body: JSON.stringify(box.chat('NATO SECRET\nx'))})).status, 403);
  const lines = [];
  for (const record of (await box.records(before)).filter((one) => one.kind === 'DECISION')) {
    lines.push(JSON.stringify(await box.record(record.seq)));
  }
  assert.equal(lines.length, 2);
  const file = join(box.dir, 'decisions.jsonl');
  writeFileSync(file, lines.join('\n') + '\n');
  const {code, stdout, stderr} = await policy('whatif', join(box.dir, 'closing'), '--facts', file);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout);
  assert.equal(report.replayed, 2);
  assert.equal(report.changed, 1);
  assert.match(report.changes[0].words, /allowed at builtin → refused, by closed/);
  const same = JSON.parse((await policy('whatif', '1', '--facts', file)).stdout);
  assert.equal(same.changed, 0, 'the revision that decided decides the same again');
});

test('calls go on while revisions are swapped, and each belongs to one of them', async () => {
  const folder = draft('closing2', closing);
  let busy = true;
  const seen = {200: 0, 403: 0};
  const before = await box.size();
  const traffic = Promise.all(Array.from({length: 4}, async () => {
    while (busy) {
      const {status: code} = await box.request('GET', '/v1/models');
      assert.ok(code === 200 || code === 403, `status ${code}`);
      seen[code] += 1;
    }
  }));
  const number = String((await status()).next);
  assert.equal((await policy('propose', folder, ...officer('paul'))).code, 0);
  assert.equal((await approve(number, ...officer('olga'))).code, 0);
  assert.equal((await policy('apply', number, ...officer('olga'))).code, 0);
  await until(() => seen[403] > 5, {what: 'calls under the new revision'});
  assert.equal((await policy('rollback', ...officer('olga'))).code, 0);
  const after = seen[200];
  await until(() => seen[200] > after + 5, {what: 'calls under the old revision'});
  busy = false;
  await traffic;
  const hashes = Object.fromEntries((await status()).revisions.map((one) => [one.number, one.content.slice(7)]));
  const decisions = (await box.records(before)).filter((one) => one.kind === 'DECISION');
  assert.ok(decisions.length > 10);
  for (const record of decisions) {
    const expected = record.outcome === 2 ? hashes[number] : hashes[1];
    assert.equal(record.policy_hash, expected, `record ${record.seq} names the revision that decided`);
  }
  const {parts} = await box.record(decisions.at(-1).seq);
  const facts = JSON.parse(parts.decision);
  assert.equal(facts.revision_number, 1);
  assert.equal(facts.revision_hash, `sha256:${hashes[1]}`);
});

test('a probation that nobody ends is rolled back by itself', async () => {
  const folder = draft('closing3', closing);
  const number = String((await status()).next);
  assert.equal((await policy('propose', folder, ...officer('olga'))).code, 0);
  assert.equal((await approve(number, ...officer('paul'))).code, 0);
  assert.equal((await policy('apply', number, '--probation', '2s', ...officer('paul'))).code, 0);
  assert.equal((await ask()).status, 403);
  await until(async () => (await status()).in_force !== Number(number), {seconds: 15, what: 'the revision before is back'});
  assert.equal((await ask()).status, 200);
  const {revisions} = await status();
  assert.equal(revisions[0].phase, 'rolled back');
  assert.match(revisions[0].detail, /nobody had kept it/);
});

test('a kept revision survives a restart; a store changed by hand is found', async () => {
  const folder = draft('kept', '\n@id("nothing-more") @log("metadata")\nforbid (principal, action == Gw::Action::"reidentify", resource);\n');
  const number = Number((await status()).next);
  assert.equal((await policy('propose', folder, ...officer('olga'))).code, 0);
  assert.equal((await approve(String(number), ...officer('paul'))).code, 0);
  assert.equal((await policy('apply', String(number), ...officer('paul'))).code, 0);
  assert.equal((await policy('keep', ...officer('paul'))).code, 0);
  await box.stop();
  await box.launch();
  assert.equal((await status()).in_force, number);
  assert.deepEqual((await status()).complaints, []);
  await box.stop();
  const file = join(box.dir, 'state/policy.db');
  const bytes = readFileSync(file);
  const at = bytes.indexOf('nothing-more');
  assert.ok(at > 0);
  bytes.write('nothing-less', at);
  writeFileSync(file, bytes);
  await box.launch();
  const now = await status();
  assert.equal(now.in_force, 1, 'the last good revision is in force');
  assert.match(now.complaints.join(' '), /was changed.*last good one/s);
  assert.match(readFileSync(join(box.dir, 'log/gateway.log'), 'utf8'), /was changed/);
  assert.equal((await ask()).status, 200);
});
