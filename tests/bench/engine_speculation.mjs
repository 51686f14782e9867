// What drafts are worth: the same answers with and without speculation, one stream at a time, at
// temperature 0, from a text that repeats itself and from one that does not. Says tokens per second of
// both, their ratio, how many drafts were accepted, and whether the texts were the same, which they
// have to be. Starts the engine twice for each setting, in turn; everything after `--` is for it.
// Usage: node tests/bench/engine_speculation.mjs --model FILE [--engine PROGRAM] [--tokens 128] [--rounds 2] [--json] [-- --threads N]
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import http from 'node:http';

const root = new URL('../..', import.meta.url).pathname;
const split = process.argv.indexOf('--');
const own = process.argv.slice(2, split < 0 ? undefined : split);
const forEngine = split < 0 ? [] : process.argv.slice(split + 1);
const text = (name, otherwise) => {
  const at = own.indexOf(`--${name}`);
  return at < 0 ? otherwise : own[at + 1];
};
const model = text('model');
const engine = text('engine', join(root, 'build/release/bin/portcullis-engine'));
const tokens = Number(text('tokens', 128));
const rounds = Number(text('rounds', 2));
if (!model) throw new Error('--model names the model to serve: a folder or a GGUF file');

const list = Array.from({length: 4}, (_, i) => `item ${i}: the lamp stands on the table by the window.`).join('\n');
const prompts = {
  'repeats itself': [`${list}\n${list}\nitem 0: the lamp`, `${'one two three four five six seven. '.repeat(5)}one two`],
  'does not': ['Once upon a time a girl met a fox near', 'The gate of the old town was closed because'],
};
const dir = mkdtempSync(join(tmpdir(), 'portcullis-drafts-'));
const socketPath = join(dir, 'engine.sock');

function get(path) {
  return new Promise((resolve, reject) => {
    http.get({socketPath, path, agent: false}, (response) => {
      let body = '';
      response.on('data', (part) => { body += part; });
      response.on('end', () => resolve({status: response.statusCode, body}));
    }).once('error', reject);
  });
}

async function run(speculate) {
  const child = spawn(engine, ['--model', model, '--name', 'bench', '--socket', socketPath, '--speculate', speculate, '--no-prefix-cache', ...forEngine],
    {stdio: ['ignore', 'ignore', process.env.VERBOSE ? 'inherit' : 'ignore']});
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let alive = true;
  ended.then(() => { alive = false; });
  try {
    for (let ready = false; !ready;) {
      if (!alive) throw new Error('the engine ended; VERBOSE=1 shows why');
      await new Promise((resolve) => setTimeout(resolve, 50));
      ready = await get('/readyz').then(({status}) => status === 200, () => false);
    }
    // From the first piece of the answer to its end: what the prompt takes is no part of it.
    const complete = (prompt, count) => new Promise((resolve, reject) => {
      const answer = {text: '', tokens: 0, seconds: 0};
      let first = 0, rest = '';
      const body = {model: 'bench', prompt, max_tokens: count, temperature: 0, stream: true, stream_options: {include_usage: true}};
      const request = http.request({socketPath, path: '/v1/completions', method: 'POST', agent: false, headers: {'content-type': 'application/json'}}, (response) => {
        if (response.statusCode !== 200) reject(new Error(`the engine answered ${response.statusCode}`));
        response.setEncoding('utf8');
        response.on('data', (part) => {
          first ||= performance.now();
          const lines = (rest + part).split('\n\n');
          rest = lines.pop();
          for (const line of lines.filter((one) => one.startsWith('data: {'))) {
            const event = JSON.parse(line.slice(6));
            answer.text += event.choices[0]?.text ?? '';
            if (event.usage) answer.tokens = event.usage.completion_tokens;
          }
        });
        response.on('end', () => {
          answer.seconds = (performance.now() - first) / 1000;
          resolve(answer);
        });
      });
      request.once('error', reject);
      request.end(JSON.stringify(body));
    });
    await complete('warm up', 16);
    const results = {};
    for (const [kind, texts] of Object.entries(prompts)) {
      const result = {seconds: 0, tokens: 0, texts: []};
      const {speculation: before} = JSON.parse((await get('/status')).body);
      for (const prompt of texts) {
        const answer = await complete(prompt, tokens);
        result.seconds += answer.seconds;
        result.tokens += answer.tokens - 1;
        result.texts.push(answer.text);
      }
      const {speculation: after} = JSON.parse((await get('/status')).body);
      result.drafted = after.drafted - before.drafted;
      result.accepted = after.accepted - before.accepted;
      results[kind] = result;
    }
    return results;
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

try {
  const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const runs = {off: [], auto: []};
  for (let round = 0; round < rounds; ++round) {
    for (const setting of ['off', 'auto']) runs[setting].push(await run(setting));
  }
  const report = {};
  for (const kind of Object.keys(prompts)) {
    const speed = (setting) => median(runs[setting].map((each) => each[kind].tokens / each[kind].seconds));
    const {drafted, accepted} = runs.auto[0][kind];
    const same = [...runs.off, ...runs.auto].every((each) => each[kind].texts.join() === runs.off[0][kind].texts.join());
    report[kind] = {plain: speed('off'), drafting: speed('auto'), ratio: speed('auto') / speed('off'), drafted, accepted, same};
  }
  if (own.includes('--json')) {
    console.log(JSON.stringify(report, null, 2));
  } else {
    for (const [kind, r] of Object.entries(report)) {
      console.log(`${kind.padEnd(16)} ${r.plain.toFixed(1)} tokens/s without drafts, ${r.drafting.toFixed(1)} with: ${r.ratio.toFixed(2)} x; ` +
        `${r.accepted} of ${r.drafted} drafts accepted; texts ${r.same ? 'the same' : 'DIFFER'}`);
    }
  }
  if (Object.values(report).some(({same}) => !same)) process.exitCode = 1;
} finally {
  rmSync(dir, {recursive: true, force: true});
}
