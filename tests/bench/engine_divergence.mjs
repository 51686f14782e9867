// What quantising costs, beside llama.cpp: the Kullback-Leibler divergence from the exact model's logits of our files
// by our engine, of the peer's files by our engine, and of the peer's files by the peer, on the same text and
// positions. The peer's programs are given by path; without them: our files alone.
// Usage: node tests/bench/engine_divergence.mjs --model EXACT.gguf --text FILE
//          [--types F16,BF16,Q8_0,Q6_K,Q5_K_M,Q4_K_M,Q4_0] [--window 256]
//          [--peer-quantize /path/llama-quantize --peer-perplexity /path/llama-perplexity]
//          [--ours build/release/bin/portcullis] [--program build/release/bin/engine_divergence]
// The program is built on demand: cmake --build build/release --target engine_divergence portcullis
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const root = new URL('../..', import.meta.url).pathname;
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const exact = option('model'), text = option('text');
if (!exact || !text) {
  console.error('engine_divergence.mjs: --model EXACT.gguf and --text FILE are needed');
  process.exit(1);
}
const window = option('window', '256');
const types = option('types', 'F16,BF16,Q8_0,Q6_K,Q5_K_M,Q4_K_M,Q4_0').split(',');
const ours = option('ours', join(root, 'build/release/bin/portcullis'));
const program = option('program', join(root, 'build/release/bin/engine_divergence'));
const quantize = option('peer-quantize'), perplexity = option('peer-perplexity');
const folder = mkdtempSync(join(tmpdir(), 'portcullis-divergence-'));
process.once('exit', () => rmSync(folder, {recursive: true, force: true}));

const run = (command, args) => execFileSync(command, args, {encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe']});
const measure = (files) => run(program, [text, window, exact, ...files]).trim().split('\n').map((line) => JSON.parse(line));

const own = types.map((type) => {
  const file = join(folder, `own-${type}.gguf`);
  run(ours, ['model', 'quantize', exact, file, '--type', type]);
  return file;
});
const [floor, ...mine] = measure(own);

let theirs = [], peer = [];
if (quantize && perplexity) {
  const files = types.map((type) => {
    const file = join(folder, `peer-${type}.gguf`);
    run(quantize, ['--allow-requantize', exact, file, type]);
    return file;
  });
  theirs = measure(files).slice(1);
  const base = join(folder, 'base.kld');
  const judge = (model, ...more) => run(perplexity, ['-m', model, '-f', text, '-c', window, '-t', '2', '--kl-divergence-base', base, ...more]);
  judge(exact);
  peer = files.map((file) => {
    // Its last words are lost at times where they go through a pipe.
    let found;
    for (let i = 0; i < 8 && !found; i++) found = /Mean\s+KLD:\s+(-?[\d.]+)/.exec(judge(file, '--kl-divergence'));
    if (!found) throw new Error(`${perplexity} gave no mean divergence for ${file}`);
    return Number(found[1]);
  });
}

console.log(`${floor.positions} positions; the exact model by our fast arithmetic: prompt ${floor.prompt.toFixed(6)}, generated ${floor.generated.toFixed(6)}`);
console.log('type      ours: prompt  generated   peer\'s file, ours   peer   ours : peer');
for (const [i, type] of types.entries()) {
  const cells = [mine[i].prompt, mine[i].generated, theirs[i]?.generated, peer[i]].map((v) => (v?.toFixed(6) ?? '-').padStart(11));
  console.log(`${type.padEnd(8)} ${cells.join(' ')} ${(peer[i] ? (mine[i].generated / peer[i]).toFixed(2) : '-').padStart(9)}`);
}
