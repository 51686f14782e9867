// What people say must lie nowhere in clear: a random canary goes through the real appliance, in prompts
// and, where the model repeats it, in answers; then every sink is searched: all files of the appliance, files that
// are open and already deleted, temporary folders, output of every process, the journal, core dumps. And what
// keeps memory from reaching a disk is looked up in /proc.
import test, {after, before} from 'node:test';
import assert from 'node:assert/strict';
import {execFileSync, spawn, spawnSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {existsSync, lstatSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Appliance, bin, root, until} from './appliance.mjs';

const processes = ['gateway', 'auditd', 'engine'];
const canary = `canary-${randomBytes(15).toString('hex')}-do-not-write-me-down`;
const secrets = new Map([['prompt', canary]]);  // what must not be found, by name
const started = Date.now();
let box;
let output = '';

before(async () => {
  box = await Appliance.start();
  for (const stream of [box.process.stdout, box.process.stderr]) stream.on('data', (data) => { output += data; });
  secrets.set('API key', box.key);
  await until(async () => (await box.request('GET', '/v1/models')).status === 200, {what: 'the first record of the subject'});
});
after(async () => { await box?.close(); });

// A text as it may lie somewhere: plain, in hexadecimal, as UTF-16, in base64 at each alignment.
function forms(text) {
  const bytes = Buffer.from(text);
  const aligned = [0, 1, 2].map((shift) => {
    const base64 = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64').replace(/=+$/, '');
    return base64.slice(Math.ceil(shift * 4 / 3) + 1, -2);
  });
  return [text, bytes.toString('hex'), bytes.toString('utf16le'), ...aligned, ...aligned.map((one) => one.replaceAll('+', '-').replaceAll('/', '_'))]
    .map((form, i) => Buffer.from(form, i === 2 ? 'utf16le' : 'utf8'));
}
// Names of the secrets that are in these bytes; `ours` may hold the API key.
function found(bytes, ours = false) {
  return [...secrets].filter(([name, text]) => !(ours && name === 'API key') && forms(text).some((form) => bytes.includes(form))).map(([name]) => name);
}
function* files(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const info = lstatSync(path);
    if (info.isDirectory()) yield* files(path);
    else if (info.isFile()) yield path;
  }
}
const status = (pid, field) => new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

test('the search itself finds a canary in each form', () => {
  for (const form of forms(canary)) assert.deepEqual(found(Buffer.concat([randomBytes(7), form, randomBytes(7)])), ['prompt']);
  for (let shift = 0; shift < 3; ++shift) {
    assert.deepEqual(found(Buffer.from(Buffer.concat([randomBytes(shift), Buffer.from(canary), randomBytes(4)]).toString('base64'))), ['prompt']);
  }
  assert.deepEqual(found(randomBytes(4096)), []);
});

test('the canary goes every way a prompt can go', async () => {
  const post = (path, body) => box.request('POST', path, {body: JSON.stringify(body)});
  const answer = await post('/v1/chat/completions', box.chat(`Say it: ${canary}`, {max_tokens: 48}));
  assert.equal(answer.status, 200);
  const {content, reasoning_content: reasoning} = answer.json.choices[0].message;
  const said = `${reasoning ?? ''}${content ?? ''}`.trim();
  if (said.length >= 40) secrets.set('answer', said.slice(0, 60));
  const stream = await box.client().chat.completions.create(box.chat(canary, {stream: true, max_tokens: 8}));
  for await (const chunk of stream) assert.ok(chunk.choices);
  assert.equal((await post('/v1/completions', {model: box.model, prompt: canary, max_tokens: 4})).status, 200);
  assert.equal((await post('/v1/embeddings', {model: box.model, input: canary})).status, 200);
  assert.equal((await post('/v1/chat/completions', box.chat(`NATO SECRET\n${canary}`))).status, 403);
  assert.equal((await post('/v1/chat/completions', {...box.chat(canary), model: canary})).status, 404);
  assert.equal((await post('/v1/chat/completions', {...box.chat(canary), temperature: canary})).status, 400);
  assert.equal((await post(`/v1/${canary}`, {})).status, 404);
  assert.equal((await box.request('POST', '/v1/chat/completions', {body: `{"broken": "${canary}`})).status, 400);
  assert.equal((await box.request('POST', '/v1/chat/completions', {key: canary, body: '{}'})).status, 401);
  assert.equal((await box.request('GET', `/v1/models?x=${canary}`, {headers: {'user-agent': canary, 'x-request-id': canary}})).headers.get('x-request-id') === canary, false);
  // The auditor finds it: the search below does not pass for want of a record.
  const prompts = (await box.records()).filter((record) => record.kind === 'REQ');
  assert.ok((await Promise.all(prompts.map(({seq}) => box.record(seq)))).some((record) => JSON.stringify(record).includes(canary)));
});

test('no file of the appliance holds it: segments, tiles, checkpoint, databases, logs, state', async () => {
  let count = 0;
  for (const path of files(box.dir)) {
    assert.deepEqual(found(readFileSync(path), path.endsWith('demo-api-key')), [], path);
    ++count;
  }
  assert.ok(count > 20, 'files were searched');
  for (const kind of ['audit/segments', 'audit/tile', 'keys/audit/keystore.db', 'state/state.db', 'log/gateway.log', 'audit/checkpoint']) {
    assert.ok(statSync(join(box.dir, kind)), `${kind} was among them`);
  }
});

test('nor a file that is open and already deleted, nor a temporary one', () => {
  for (const name of processes) {
    const folder = `/proc/${box.pid(name)}/fd`;
    for (const fd of readdirSync(folder)) {
      const path = join(folder, fd);
      const target = readlinkSync(path);
      if (!target.startsWith('/') || target.startsWith('/dev/') || !statSync(path).isFile()) continue;
      assert.deepEqual(found(readFileSync(path)), [], `${name}: ${target}`);
    }
  }
  for (const folder of [tmpdir(), '/var/tmp', '/dev/shm']) {
    const {stdout} = spawnSync('find', [folder, '-xdev', '-type', 'f', '-newermt', `@${Math.floor(started / 1000)}`, '-size', '-32M',
      '-exec', 'grep', '-lF', canary, '{}', '+'], {encoding: 'utf8'});
    assert.equal(stdout, '', `a temporary file holds the prompt: ${stdout}`);
  }
});

test('nor what any process printed', () => {
  assert.deepEqual(found(Buffer.from(output)), []);
  assert.ok(readFileSync(join(box.dir, 'log/gateway.log')).length + readFileSync(join(box.dir, 'log/auditd.log')).length > 0, 'something was printed');
});

const journal = spawnSync('journalctl', ['-n', '1', '--no-pager']).status === 0;
test('nor the journal', {skip: journal ? false : 'no journal on this machine; the processes write to standard error, which is searched above'}, () => {
  const since = `@${Math.floor(started / 1000)}`;
  assert.deepEqual(found(execFileSync('journalctl', ['--no-pager', '-o', 'export', '--since', since], {maxBuffer: 1 << 30})), []);
});

for (const name of processes) {
  test(`${name} leaves no core`, () => {
    const pid = box.pid(name);
    assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
  });
}

for (const name of ['gateway', 'auditd']) {
  test(`${name} keeps its keys out of swap and dumps`, () => {
    const pid = box.pid(name);
    assert.equal(Number(status(pid, 'VmSwap')), 0);
    // Without CAP_IPC_LOCK keys alone are locked, and in a user namespace that capability is worth nothing.
    const capable = (BigInt(`0x${/^CapEff:\s+([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]}`) >> 14n) & 1n;
    const mayLock = capable && /^\s*0\s+0\s+4294967295$/m.test(readFileSync('/proc/self/uid_map', 'utf8'));
    const least = mayLock ? Number(status(pid, 'RssAnon')) : 1;
    assert.ok(Number(status(pid, 'VmLck')) >= least, 'memory is locked');
    const flags = [...readFileSync(`/proc/${pid}/smaps`, 'utf8').matchAll(/^VmFlags: (.*)$/gm)].map(([, words]) => words.trim().split(' '));
    assert.ok(flags.some((words) => words.includes('lo') && words.includes('dd')), 'pages that are locked and left out of dumps');
  });
}

test('a crash writes no memory to disk', async () => {
  for (const name of processes) {
    const pid = box.pid(name);
    box.kill(name, 'SIGABRT');
    await until(() => !canSee(pid), {what: `the end of ${name}`});
  }
  await until(async () => (await box.request('GET', '/v1/models').catch(() => ({}))).status === 200, {seconds: 60, what: 'the appliance answers again'});
  for (const path of files(box.dir)) {
    assert.doesNotMatch(path, /(^|\/)(vg)?core(\.\d+)?$/);
    assert.deepEqual(found(readFileSync(path), path.endsWith('demo-api-key')), [], path);
  }
  assert.equal((await box.verify()).code, 0);
});

// Without capabilities one may look into a process of the same user that has none either, unless it is not
// dumpable. So the three are started once more that way.
const bare = ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];
const canLook = (pid) => spawnSync('setpriv', [...bare, 'cat', `/proc/${pid}/maps`]).status === 0;
const canDrop = spawnSync('setpriv', [...bare, 'true']).status === 0;
test('no process is dumpable', {skip: canDrop ? false : 'setpriv cannot drop capabilities here'}, async () => {
  await box.stop();
  const begin = (command, ...args) => spawn('setpriv', [...bare, command, ...args], {cwd: box.dir, stdio: 'ignore'});
  for (const name of readdirSync(join(box.dir, 'run')).filter((one) => one.endsWith('.sock'))) rmSync(join(box.dir, 'run', name));
  const children = [
    [begin('sleep', '600')],
    [begin(bin('portcullis-auditd'), '--log', 'audit', '--keys', 'keys/audit', '--socket', 'run/audit.sock'), 'audit.sock'],
    [begin(bin('portcullis-engine'), '--model', join(root, 'inference/nano/model'), '--socket', 'run/engine.sock', '--name', box.model), 'engine.sock'],
    [begin(bin('portcullis-gateway'), '--config', 'gateway.toml'), 'admin.sock'],
  ];
  try {
    for (const [child, socket] of children) {
      if (socket) await until(() => existsSync(join(box.dir, 'run', socket)), {what: socket});
      assert.equal(child.exitCode, null);
    }
    await until(() => canLook(children[0][0].pid), {what: 'the way of asking works'});
    for (const [child, socket] of children.slice(1)) {
      await until(() => !canLook(child.pid), {seconds: 10, what: `${socket}: not dumpable`});
    }
  } finally {
    for (const [child] of children) child.kill('SIGKILL');
  }
});

function canSee(pid) {
  try { return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ') === false; } catch { return false; }
}
