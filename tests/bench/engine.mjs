// The engine beside llama.cpp on the same model files, in the same run, round by round: the ratio is the median of
// those of the rounds, the least and the largest stand beside it, because the rate of a shared machine's memory can
// double from one round to the next. The peer's programs are given by path, options may follow it; of several builds
// and settings (OpenBLAS, without AMX, "-fa off", "-ctk q8_0 -ctv q8_0") the fastest counts, row by row. Without a peer:
// our figures beside the machine's limits alone.
// Usage: node tests/bench/engine.mjs --model A.gguf[,B.gguf]
//          [--peer "/path/llama-batched-bench[ -fa off][,/other]"]
//          [--peer-model A2.gguf[,B2.gguf]] [--prompt 512] [--gen 64] [--batch 1,4,16] [--threads N]
//          [--rounds 3] [--json FILE] [--ours build/release/bin/portcullis] [--pack-cache FOLDER]
import {execFile} from 'node:child_process';
import {basename, join} from 'node:path';
import {cpus} from 'node:os';
import {promisify} from 'node:util';
import {writeFileSync} from 'node:fs';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname;
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const list = (text) => (text ? text.split(',') : []);
const models = list(option('model'));
const peers = list(option('peer'));
const peerModels = list(option('peer-model', models.join(',')));
const prompt = Number(option('prompt', 512));
const gen = Number(option('gen', 64));
const batches = list(option('batch', '1,4,16')).map(Number);
const threads = Number(option('threads', cpus().length));
const rounds = Number(option('rounds', 3));
const ours = option('ours', join(root, 'build/release/bin/portcullis'));
if (models.length === 0 || peerModels.length !== models.length) {
  console.error('engine.mjs: --model FILE[,FILE] is needed; --peer-model names one file for each of them');
  process.exit(1);
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const environment = {...process.env, OMP_NUM_THREADS: String(threads)};
const program = (command, args) => run(command, args, {env: environment, maxBuffer: 1 << 26, timeout: 1200e3});

async function measureOurs(model) {
  const args = ['model', 'bench', '--model', model, '--prompt', prompt, '--gen', gen, '--batch', batches.join(','),
    '--threads', threads, '--repetitions', 1, '--json'].map(String);
  const cache = option('pack-cache');
  if (cache) args.push('--pack-cache', cache);
  const {stdout} = await program(ours, args);
  return JSON.parse(stdout);
}

// Prompts of a batch one after the other in both: the peer computes them in micro-batches of 512 too.
async function measurePeer(peer, model) {
  const [path, ...settings] = peer.trim().split(/\s+/);
  const context = Math.max(...batches) * (prompt + gen) + 64;
  const {stdout} = await program(path, [...settings, '-m', model, '-c', context, '-b', 2048, '-ub', 512, '-npp', prompt, '-ntg', gen,
    '-npl', batches.join(','), '-t', threads, '-tb', threads, '--output-format', 'jsonl'].map(String));
  const rows = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  if (rows.length !== batches.length) throw new Error(`${path} gave ${rows.length} rows for ${batches.length} batches`);
  return rows.map((row) => ({batch: row.pl, prefill: row.speed_pp, decode: row.speed_tg}));
}

const report = {schema: 'portcullis.bench.engine/1', prompt, gen, threads, rounds, models: []};
for (const [index, model] of models.entries()) {
  const own = [];
  const other = peers.map(() => []);
  for (let round = 0; round < rounds; round++) {
    own.push(await measureOurs(model));
    for (const [i, path] of peers.entries()) other[i].push(await measurePeer(path, peerModels[index]));
  }
  const limits = Object.fromEntries(Object.keys(own[0].limits).map((name) => [name, median(own.map((r) => r.limits[name]))]));
  const rows = batches.flatMap((batch, b) => ['prefill', 'decode'].map((phase) => {
    const mine = own.map((report) => report.rows[b][phase]);
    const speed = median(mine.map((row) => row.tokens_per_second));
    const theirs = other.map((runs) => median(runs.map((rows) => rows[b][phase])));
    const best = theirs.length ? Math.max(...theirs) : null;
    const ratios = theirs.length ? mine.map((row, round) => row.tokens_per_second / other[theirs.indexOf(best)][round][b][phase]) : null;
    const share = (name) => median(mine.map((row) => row[name] ?? 0));
    const row = {phase, batch, tokens_per_second: speed, peer: best, peers: theirs, ratio: ratios && median(ratios), ratios};
    if (phase === 'decode') return {...row, share_of_memory: share('share_of_memory')};
    return {...row, share_of_f32: share('share_of_f32'), share_of_bf16: share('share_of_bf16'), share_of_int8: share('share_of_int8')};
  }));
  const load = median(own.map((r) => r.load.seconds));
  report.models.push({model: basename(model), limits, load_seconds: load, memory: own[0].memory, rows});
  console.log(`\n${basename(model)}  load ${load.toFixed(2)} s  limits: ${Object.entries(limits).map(([k, v]) => `${k} ${Number(v).toFixed(0)}`).join(', ')}`);
  console.log('phase    batch   tokens/s   llama.cpp   ratio (from - to)     of the limit');
  for (const row of rows) {
    const limit = row.phase === 'decode' ? `${(100 * row.share_of_memory).toFixed(0)} % of memory`
      : `${(100 * row.share_of_f32).toFixed(0)} % of f32` + (row.share_of_bf16 ? `, ${(100 * row.share_of_bf16).toFixed(0)} % of bf16` : '');
    const range = row.ratios ? `(${Math.min(...row.ratios).toFixed(2)} - ${Math.max(...row.ratios).toFixed(2)})` : '';
    console.log(`${row.phase.padEnd(8)} ${String(row.batch).padStart(5)} ${row.tokens_per_second.toFixed(1).padStart(10)} ` +
      `${(row.peer?.toFixed(1) ?? '-').padStart(11)} ${(row.ratio?.toFixed(2) ?? '-').padStart(7)} ${range.padEnd(14)}  ${limit}`);
  }
}
const file = option('json');
if (file) writeFileSync(file, JSON.stringify(report, null, 1));
