// Many users of one engine at once, over its own socket: streams that stay open side by side, long
// prompts among short ones, several tenants. Says how many tokens came out, how long the first one
// and each next one took, whether tenants were treated alike, and what memory was used. Starts the
// engine itself; everything after `--` are options for it.
// Usage: node tests/bench/engine_users.mjs --model FILE [--streams 32] [--requests 96] [--tenants 4]
//          [--short 24] [--long 600] [--long-every 4] [--tokens 64] [--shared 0] [--seed 1] [--json] [-- --kv-bytes N]
// Prompt lengths are in words. `--shared N`: that many first words are the same for a whole tenant.
import {readFileSync} from 'node:fs';
import {commandLine, EngineProcess} from './engine_process.mjs';

const line = commandLine();
const {model, number} = line;
const streams = number('streams', 32);
const requests = number('requests', 96);
const tenants = number('tenants', 4);
const lengths = {short: number('short', 24), long: number('long', 600), every: number('long-every', 4), shared: number('shared', 0)};
const tokens = number('tokens', 64);

let state = BigInt(number('seed', 1));
function random(below) {  // splitmix64
  state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
  let z = state;
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return Number((z ^ (z >> 31n)) % BigInt(below));
}
const kWords = 'the gate a house of small rooms and a river where people walk with lamps in their hands while one counts days'.split(' ');
const words = (count) => Array.from({length: count}, () => kWords[random(kWords.length)]).join(' ');
const tenantWords = Array.from({length: tenants}, () => words(lengths.shared));
// A tenant's stream is long or short by its turn, so that all tenants ask for the same.
const work = Array.from({length: requests}, (_, i) => {
  const long = Math.floor(i / tenants) % lengths.every === 0;
  const tenant = i % tenants;
  return {tenant, long, prompt: `${tenantWords[tenant]} ${words(long ? lengths.long : lengths.short)}`};
});

const engine = await EngineProcess.start(line, ['--max-running', String(streams), '--max-waiting', '4096']);

function memory() {
  const status = readFileSync(`/proc/${engine.pid}/status`, 'utf8');
  const megabytes = (name) => Math.round(Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))[1]) / 1024);
  return {now: megabytes('VmRSS'), most: megabytes('VmHWM'), anonymous: megabytes('RssAnon')};
}

async function complete({tenant, prompt, long}) {
  const begin = performance.now();
  const result = {tenant, long, gaps: [], first: 0, tokens: 0, prompt: 0, cached: 0, took: 0};
  let last = 0;
  await engine.complete({prompt, max_tokens: tokens, temperature: 0.8, seed: random(1 << 30)}, ({usage, choices}, now) => {
    if (usage) {
      result.tokens = usage.completion_tokens;
      result.prompt = usage.prompt_tokens;
      result.cached = usage.prompt_tokens_details.cached_tokens;
    } else if (choices[0]?.text) {
      if (result.first === 0) result.first = now - begin;
      else result.gaps.push(now - last);
      last = now;
    }
  }, {'x-portcullis-tenant': `tenant-${tenant}`});
  result.took = performance.now() - begin;
  return result;
}

const round = (value, digits = 1) => Number(value.toFixed(digits));
const quantile = (list, q) => (list.length === 0 ? 0 : round([...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(q * list.length))]));
const spread = (list) => ({p50: quantile(list, 0.5), p99: quantile(list, 0.99), max: quantile(list, 1)});

try {
  await complete({tenant: 0, long: false, prompt: words(8)});
  const before = memory();
  const checkpoints = [];
  const results = [];
  let next = 0, pagesOver = 0;
  // An engine that does not answer this ends the bench by its streams.
  const watch = setInterval(() => engine.status().then(({pages}) => { pagesOver += pages.used > pages.total; }, () => {}), 500);
  watch.unref();
  const begin = performance.now();
  await Promise.race([engine.gone, Promise.all(Array.from({length: streams}, async () => {
    while (next < work.length) {
      const mine = next++;
      results.push(await complete(work[mine]));
      if (results.length % Math.ceil(requests / 10) === 0) checkpoints.push(memory().anonymous);
    }
  }))]);
  const seconds = (performance.now() - begin) / 1000;
  clearInterval(watch);
  const after = memory();
  const status = await engine.status();
  const sum = (list, of) => list.reduce((total, one) => total + of(one), 0);
  const byTenant = Array.from({length: tenants}, (_, tenant) => {
    const mine = results.filter((r) => r.tenant === tenant);
    return {tokens: sum(mine, (r) => r.tokens), first_ms: spread(mine.map((r) => r.first)), whole_ms: spread(mine.map((r) => r.took))};
  });
  // Jain's index of the tenants' mean times: 1 is alike for all.
  const means = byTenant.map((_, tenant) => {
    const mine = results.filter((r) => r.tenant === tenant);
    return sum(mine, (r) => r.took) / Math.max(1, mine.length);
  });
  const report = {
    bench: 'many users of one engine', model, streams, requests, tenants, seconds: round(seconds),
    generated_tokens_per_second: round(sum(results, (r) => r.tokens) / seconds),
    prompt_tokens_per_second: round(sum(results, (r) => r.prompt - r.cached) / seconds),
    first_token_ms: {short: spread(results.filter((r) => !r.long).map((r) => r.first)), long: spread(results.filter((r) => r.long).map((r) => r.first))},
    between_tokens_ms: spread(results.flatMap((r) => r.gaps)),
    whole_answer_ms: spread(results.map((r) => r.took)),
    fairness: round(sum(means, (m) => m) ** 2 / (tenants * sum(means, (m) => m * m)), 4), by_tenant: byTenant,
    memory_mb: {before, after, anonymous_at_each_tenth: checkpoints}, samples_over_the_page_budget: pagesOver, engine: status,
  };
  if (line.flag('json')) {
    console.log(JSON.stringify(report, null, 2));
  } else {
    const told = ({p50, p99, max}) => `p50 ${p50} ms, p99 ${p99} ms, at most ${max} ms`;
    console.log(`${streams} streams, ${requests} requests of ${tenants} tenants in ${report.seconds} s
generated      ${report.generated_tokens_per_second} tokens/s, beside ${report.prompt_tokens_per_second} prompt tokens/s
first token    short prompts: ${told(report.first_token_ms.short)}; long: ${told(report.first_token_ms.long)}
between tokens ${told(report.between_tokens_ms)}
fairness       ${report.fairness} (Jain's index of the tenants' mean answer times)
memory         ${before.now} MB before, ${after.now} MB after, ${after.most} MB at most; anonymous ${checkpoints.join(' ')} MB
pages          ${status.pages.used} of ${status.pages.total} used, ${pagesOver} samples over the budget
prefix cache   ${status.prefix_cache.hit_tokens} tokens hit, ${status.prefix_cache.miss_tokens} missed; ${status.requests.preempted} preemptions
speculation    ${status.speculation.accepted} of ${status.speculation.drafted} drafts accepted`);
  }
} finally {
  await engine.stop();
}
