// `portcullis model …` as its users run it: real processes on real model files, whole and damaged.
// Exit codes: 0 done, 1 unusable files or arguments, 3 checked and found bad.
import test, {before, after} from 'node:test';
import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {cpSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, closeSync, renameSync, rmSync, truncateSync, writeFileSync, writeSync} from 'node:fs';
import {createHash} from 'node:crypto';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';

const root = new URL('../..', import.meta.url).pathname;
const cli = process.env.PORTCULLIS_CLI ?? join(root, 'build/release/bin/portcullis');
const engine = join(dirname(cli), 'portcullis-engine');
const models = join(root, '../shared/data/models');
const builtin = join(root, 'inference/nano/model');
const skip = existsSync(models) ? false : `the test models are not here: ${models}`;
const shared = (name, options, body) => test(name, {...options, skip}, body);

// A packed form with one bit of its first matrix changed by somebody who can count: every digest in
// the file is right again.
function forge(whole) {
  const forged = Buffer.from(whole);
  const position = Number(whole.readBigUInt64LE(80 + 32));
  const end = position + Number(whole.readBigUInt64LE(80 + 40));
  forged[position + 1] ^= 0x10;
  const hash = (bytes) => createHash('sha256').update(bytes).digest();
  const pieces = [];
  for (let at = position; at < end; at += 1 << 20) pieces.push(hash(forged.subarray(at, Math.min(end, at + (1 << 20)))));
  hash(Buffer.concat(pieces)).copy(forged, 80 + 48);
  const head = 80 + 80 * forged.readUInt32LE(12);
  hash(forged.subarray(0, head)).copy(forged, head);
  return forged;
}

// A running engine; `until` waits for words of its log, `ended` for its exit code.
class Engine {
  static count = 0;
  constructor(model) {
    this.log = '';
    this.process = spawn(engine, ['--model', model, '--socket', join(dir, `engine-${Engine.count++}.sock`), '--threads', '1', '--kv-bytes', String(1 << 24)], {stdio: ['ignore', 'ignore', 'pipe']});
    this.ended = new Promise((resolve) => { this.process.on('exit', (code) => resolve(code)); });
    this.process.stderr.on('data', (data) => { this.log += data; this.wake?.(); });
  }
  async until(words) {
    while (!words.test(this.log)) {
      const more = new Promise((resolve) => { this.wake = resolve; });
      const code = await Promise.race([more, this.ended]);
      assert.equal(code, undefined, `the engine ended with ${code}: ${this.log}`);
    }
  }
}

let dir;
before(() => { dir = mkdtempSync(join(tmpdir(), 'portcullis-model-')); });
after(() => rmSync(dir, {recursive: true, force: true}));

const run = (...args) => {
  const result = spawnSync(cli, args, {encoding: 'utf8', timeout: 120_000, maxBuffer: 1 << 28});
  assert.equal(result.signal, null, `${args.join(' ')} ended by ${result.signal}: ${result.stderr}`);
  return {code: result.status, out: result.stdout, err: result.stderr};
};
// Runs with --json, wants exit code 0 and gives the one document.
const json = (...args) => {
  const {code, out, err} = run('--json', 'model', ...args);
  assert.equal(code, 0, err);
  return JSON.parse(out);
};
const q4 = join(models, 'llama-micro/llamamicro-Q4_0.gguf');
const f32 = join(models, 'llama-micro/llamamicro-f32.gguf');
const dsv3 = join(models, 'dsv3-micro');
const copy = (path, name) => {
  const to = join(dir, name);
  cpSync(path, to, {recursive: true});
  return to;
};
const patch = (path, at, bytes) => {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from(bytes), 0, bytes.length, at);
  closeSync(file);
};
const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');
const logits = (model) => json('logits', model, '--tokens', '1,5,9,2').logits;
const distance = (a, b) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

shared('info tells what the files say', {}, () => {
  const info = json('info', q4);
  assert.equal(info.schema, 'portcullis.model.info/1');
  assert.equal(info.architecture, 'llama');
  assert.equal(info.weight_type, 'Q4_0');
  assert.equal(info.sha256, sha256(q4));
  assert.equal(info.packed, 'none');
  const folder = json('info', dsv3);
  assert.equal(folder.architecture, 'deepseek_v3');
  assert.match(folder.experts, /sigmoid/);
  assert.equal(folder.sha256, sha256(join(dsv3, 'model.safetensors')));
  const text = run('model', 'info', q4);
  assert.equal(text.code, 0);
  assert.match(text.out, /weight_type: Q4_0\n/);
});

test('verify: the built-in model is whole, and its digests are compared', () => {
  const report = json('verify', builtin);
  assert.equal(report.good, true);
  assert.deepEqual(report.findings, []);
  assert.ok(report.files.some(({name}) => name === 'tokenizer.json'));
  for (const {name, sha256: hex} of report.files) assert.equal(hex, sha256(join(builtin, name)), name);

  const sums = join(dir, 'SHA256SUMS');
  writeFileSync(sums, report.files.map((file) => `${file.sha256}  ${file.name}\n`).join(''));
  assert.equal(run('model', 'verify', builtin, '--against', sums, '--sha256', report.sha256).code, 0);
  writeFileSync(sums, report.files.map((file) => `${file.sha256.replace(/^./, (c) => (c === '0' ? '1' : '0'))}  ${file.name}\n`).join(''));
  const wrong = run('model', 'verify', builtin, '--against', sums);
  assert.equal(wrong.code, 3);
  assert.match(wrong.out, /BAD: `[^`]*` has the digest [0-9a-f]{64}, not [0-9a-f]{64}/);
  assert.match(wrong.out, /do not use this model/);
});

shared('damaged files are found, named, and crash nothing', {}, async (t) => {
  const cases = [
    ['cut short', (path) => truncateSync(path, 200_000), /lies outside the file|cut short/],
    ['cut to nothing', (path) => truncateSync(path, 0), /is empty/],
    ['cut inside the header', (path) => truncateSync(path, 30), /ends inside/],
    ['no GGUF', (path) => patch(path, 0, [0x47, 0x55, 0x46, 0x46]), /does not start with `GGUF`/],
    ['version 77', (path) => patch(path, 4, [77]), /version 77/],
    ['2^60 tensors', (path) => patch(path, 15, [0x10]), /more than any model has/],
    ['2^63 keys', (path) => patch(path, 23, [0x80]), /more than any model has/],
    ['first key of 2^56 bytes', (path) => patch(path, 31, [1]), /ends inside|bytes/],
  ];
  for (const [name, damage, words] of cases) {
    await t.test(name, () => {
      const path = copy(q4, `damaged-${name.replaceAll(/\W/g, '_')}.gguf`);
      damage(path);
      for (const [verb, ...more] of [['info'], ['logits', '--tokens', '1'], ['generate', '--prompt', 'a'], ['bench', '--prompt', '4', '--gen', '2']]) {
        const result = run('model', verb, path, ...more);
        assert.equal(result.code, 1, `${verb}: ${result.out}`);
        assert.match(result.err, words, verb);
        assert.ok(result.err.includes(path), `${verb} names the file: ${result.err}`);
      }
      const verified = run('model', 'verify', path);
      assert.equal(verified.code, 3);
      assert.match(verified.out, words);
      const output = join(dir, 'never.gguf');
      assert.equal(run('model', 'quantize', path, output, '--type', 'Q8_0').code, 1);
      assert.ok(!existsSync(output));
      assert.deepEqual(readdirSync(dir).filter((entry) => entry.includes('.partial')), []);
    });
  }
});

shared('verify finds a scale that is not a number, and the row', {}, () => {
  const path = copy(q4, 'nan.gguf');
  // Blocks of Q4_0 are 18 bytes; the last bytes of the file are tensor data.
  const size = readFileSync(path).length;
  for (let back = 18; back <= 36; ++back) patch(path, size - back, [0xFF]);
  const result = run('--json', 'model', 'verify', path);
  assert.equal(result.code, 3);
  const report = JSON.parse(result.out);
  assert.equal(report.good, false);
  assert.match(report.findings[0], /tensor `[^`]+`: \d+ values are not finite, the first in row \d+/);
});

shared('a folder whose files do not belong together is refused with the file and the reason', {}, () => {
  const folder = copy(dsv3, 'folder');
  rmSync(join(folder, 'model.safetensors'));
  assert.match(run('model', 'info', folder).err, /model\.safetensors/);
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({weight_map: {a: '../x.safetensors'}}));
  assert.match(run('model', 'info', folder).err, /index\.json.*same folder/);
  writeFileSync(join(folder, 'model.safetensors'), Buffer.from([255, 255, 255, 255, 255, 255, 255, 127, 123]));
  assert.match(run('model', 'info', folder).err, /claims a header of \d+ bytes/);
});

shared('text of hostile files does not reach the terminal raw', {}, () => {
  const folder = copy(dsv3, 'escape');
  const header = JSON.stringify({'\u001b]0;owned\u0007': {dtype: 'F99', shape: [1], data_offsets: [0, 4]}});
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([length, Buffer.from(header), Buffer.alloc(4)]));
  for (const args of [['model', 'info', folder], ['model', 'verify', folder], ['--json', 'model', 'verify', folder]]) {
    const {out, err} = run(...args);
    assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f]/.test(out + err), JSON.stringify(out + err));
    assert.match(out + err, /owned/);
  }
});

shared('a scalar among the tensors is no reason to end', {}, () => {
  const folder = copy(dsv3, 'scalar');
  const bytes = readFileSync(join(folder, 'model.safetensors'));
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length));
  const end = bytes.length - 8 - length;
  header.counter = {dtype: 'F32', shape: [], data_offsets: [end, end + 4]};
  const text = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(text.length));
  const nan = Buffer.from([0, 0, 0xC0, 0x7F]);
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([head, text, bytes.subarray(8 + length), nan]));
  const {code, out} = run('model', 'verify', folder);
  assert.equal(code, 3);
  assert.match(out, /tensor `counter`: 1 values are not finite, the first in row 0/);
});

test('wrong arguments are said, with what to do', () => {
  const cases = [
    [['info'], /--model/],
    [['info', '/no/such/model'], /no\/such\/model/],
    [['logits', builtin, '--tokens', '1,x'], /--tokens: `x` is not a token id; write them as 1,2,3/],
    [['logits', builtin, '--tokens', '999999999'], /token 999999999 is not in the vocabulary/],
    [['quantize', builtin], /--packed/],
    [['quantize', builtin, join(dir, 'x.gguf'), '--type', 'Q3_K_S'], /Q4_K_M/],
    [['quantize', builtin, join(dir, 'x.gguf')], /tokenizer\.json`: GGUF has no name for the way/],
    [['verify', builtin, '--sha256', '12'], /64 hexadecimal digits/],
    [['verify', builtin, '--against', '/no/such/list'], /no\/such\/list/],
    [['bench', builtin, '--batch', '0'], /--batch/],
    [['bench', builtin, '--kv-type', 'q2'], /--kv-type/],
    [['generate', builtin], /--prompt/],
    [['generate', builtin, '--prompt', 'a', '--temperature', '7'], /--temperature/],
    [['melt', builtin], /melt|subcommand/],
  ];
  for (const [args, words] of cases) {
    const {code, err, out} = run('model', ...args);
    assert.equal(code, 1, args.join(' '));
    assert.match(err + out, words, args.join(' '));
  }
});

shared('quantize: more bits are nearer to the original, and whatever was written verifies', {}, () => {
  const exact = logits(f32);
  let least = 0;
  for (const type of ['Q8_0', 'Q6_K', 'Q4_0']) {
    const path = join(dir, `out-${type}.gguf`);
    const report = json('quantize', f32, path, '--type', type);
    assert.equal(report.type, type);
    assert.equal(report.bytes, readFileSync(path).length);
    assert.equal(json('verify', path).good, true, type);
    const error = distance(logits(path), exact);
    assert.ok(error > least, `${type}: ${error} after ${least}`);
    least = error;
  }
  assert.ok(least < (Math.max(...exact) - Math.min(...exact)) / 2);
  assert.match(run('model', 'quantize', f32, '/no/such/folder/x.gguf').err, /no\/such\/folder/);
  assert.match(run('model', 'quantize', f32, f32, '--type', 'Q8_0').err, /is the model that is read/);
});

shared('a folder and its F32 GGUF give the same logits', {}, () => {
  const path = join(dir, 'dsv3-f32.gguf');
  json('quantize', dsv3, path, '--type', 'F32');
  assert.ok(distance(logits(path), logits(dsv3)) < 1e-4);
});

shared('the packed form: written once, taken at the next start, found out where it is forged', {}, () => {
  const path = copy(q4, 'packed.gguf');
  const made = json('quantize', path, '--packed').packed;
  assert.equal(made.file, `${path}.pack`);
  assert.equal(made.written, true);
  assert.equal(json('quantize', path, '--packed').packed.written, false);
  assert.match(json('info', path).packed, new RegExp(`packed\\.gguf\\.pack \\(${made.matrices} matrices\\)`));
  assert.equal(json('verify', path).packed_matrices, made.matrices);

  const bench = ['--prompt', '8', '--gen', '2', '--batch', '1', '--repetitions', '1'];
  assert.equal(json('bench', path, ...bench).load.from_pack_cache, 0);
  const elsewhere = mkdtempSync(join(dir, 'cache-'));
  assert.equal(json('bench', path, ...bench, '--pack-cache', elsewhere).load.from_pack_cache, made.matrices);
  assert.deepEqual(readdirSync(elsewhere), []);

  const other = join(dir, 'folder-of-packs');
  const there = json('quantize', q4, '--out', other).packed;
  assert.ok(there.file.startsWith(other));
  assert.equal(json('verify', q4, '--pack-cache', other).packed_matrices, there.matrices);

  // One byte of a matrix, as a failing disk would.
  const whole = readFileSync(made.file);
  const position = Number(whole.readBigUInt64LE(80 + 32));
  patch(made.file, position + 1, [whole[position + 1] ^ 0x10]);
  const damaged = run('model', 'verify', path);
  assert.equal(damaged.code, 3);
  assert.match(damaged.out, /1 of \d+ packed matrices are damaged; write it again with `quantize --packed`/);

  writeFileSync(made.file, forge(whole));
  const found = run('model', 'verify', path);
  assert.equal(found.code, 3);
  assert.match(found.out, /are not those of the model/);

  const nothing = run('model', 'quantize', f32, '--packed');
  assert.equal(nothing.code, 1);
  assert.match(nothing.err, /holds nothing that has a packed form/);
});

shared('the engine ends where its packed weights were forged', {}, async () => {
  const path = copy(q4, 'served.gguf');
  const {file} = json('quantize', path, '--packed').packed;
  const whole = new Engine(path);
  await whole.until(/all \d+ packed matrices agree with the model/);
  whole.process.kill('SIGTERM');
  assert.equal(await whole.ended, 0, whole.log);

  writeFileSync(file, forge(readFileSync(file)));
  const forged = new Engine(path);
  assert.equal(await forged.ended, 1);
  assert.match(forged.log, /ending: the packed weights in `[^`]*served\.gguf\.pack` are not those of the model/);
});

shared('the engine ends where its model is written to, not where it is replaced', {}, async () => {
  const path = copy(q4, 'changed.gguf');
  const replaced = new Engine(path);
  await replaced.until(/ ready\n/);
  renameSync(copy(f32, 'new.gguf'), path);
  const changed = new Engine(copy(q4, 'written.gguf'));
  await changed.until(/ ready\n/);
  patch(join(dir, 'written.gguf'), readFileSync(q4).length - 5, [1, 2, 3]);
  assert.equal(await changed.ended, 1);
  assert.match(changed.log, /ending: the weights were changed while they were in use/);
  // The other engine has looked as often, and saw nothing.
  assert.equal(replaced.process.exitCode, null, replaced.log);
  replaced.process.kill('SIGTERM');
  assert.equal(await replaced.ended, 0, replaced.log);
});

test('generate: the same seed gives the same text, and the limit holds', () => {
  const args = ['generate', builtin, '--prompt', 'What is 2 plus 3?', '--chat', '--max-tokens', '24', '--seed', '5'];
  const first = json(...args);
  assert.equal(first.schema, 'portcullis.model.generate/1');
  assert.ok(first.completion_tokens > 0 && first.completion_tokens <= 24);
  assert.equal(first.seed, 5);
  assert.deepEqual(json(...args), first);
  const text = run('model', ...args);
  assert.equal(text.code, 0);
  assert.equal(text.out, `${first.text}\n`);
});

shared('logits are those of the reference', {}, () => {
  const {cases} = JSON.parse(readFileSync(join(dsv3, 'logits.json')));
  const {tokens, logits: wanted} = cases[0];
  const row = Array.isArray(wanted[0]) ? wanted.at(-1) : wanted;
  assert.ok(distance(json('logits', dsv3, '--tokens', tokens.join(',')).logits, row) < 1e-4);
});

test('bench tells speeds, memory and load beside limits measured in the same run', () => {
  const report = json('bench', builtin, '--prompt', '16', '--gen', '4', '--batch', '1,3', '--threads', '2', '--repetitions', '1');
  assert.equal(report.schema, 'portcullis.model.bench/1');
  assert.equal(report.threads, 2);
  assert.equal(report.prompt, 16);
  assert.equal(report.generate, 4);
  for (const key of ['memory_gb_per_second', 'f32_gf_per_second']) assert.ok(report.limits[key] > 0, key);
  assert.ok(report.load.seconds > 0 && report.load.first_token_seconds >= report.load.seconds);
  assert.ok(report.memory.rss_peak_bytes > report.memory.rss_anonymous_bytes && report.memory.weights_bytes > 0);
  assert.deepEqual(report.rows.map(({batch}) => batch), [1, 3]);
  for (const {batch, prefill, decode, kv_bytes, time_to_first_token_seconds} of report.rows) {
    assert.ok(kv_bytes > 0 && time_to_first_token_seconds > 0);
    for (const part of [prefill, decode]) {
      for (const key of ['tokens_per_second', 'seconds', 'gf_per_second', 'share_of_f32', 'gb_per_second', 'share_of_memory']) assert.ok(part[key] > 0, key);
      assert.ok(Math.abs(part.share_of_f32 - part.gf_per_second / report.limits.f32_gf_per_second) < 1e-9);
    }
    assert.ok(Math.abs(prefill.tokens_per_second * prefill.seconds - batch * 16) < 1e-6);
    assert.ok(Math.abs(decode.tokens_per_second * decode.seconds - batch * 4) < 1e-6);
    assert.ok(Math.abs(decode.share_of_memory - decode.gb_per_second / report.limits.memory_gb_per_second) < 1e-9);
  }
  const table = run('model', 'bench', builtin, '--prompt', '8', '--gen', '2', '--batch', '1', '--repetitions', '1');
  assert.equal(table.code, 0);
  assert.match(table.out, /limits: memory [\d.]+ GB\/s/);
});
