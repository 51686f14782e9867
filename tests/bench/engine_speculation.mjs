// What drafts are worth: the same answers with and without speculation, one stream at a time, at
// temperature 0, from a text that repeats itself and from one that does not. Says tokens per second of
// both, their ratio, how many drafts were accepted, and whether the texts were the same, which they
// have to be. Starts the engine twice for each setting, in turn; everything after `--` is for it.
// Usage: node tests/bench/engine_speculation.mjs --model FILE [--engine PROGRAM] [--tokens 128] [--rounds 2] [--json] [-- --threads N]
import {commandLine, EngineProcess} from './engine_process.mjs';

const line = commandLine();
const kShortest = 0.5;  // seconds of writing, below which the pieces of an answer arrive as one
const tokens = line.number('tokens', 128);
const rounds = line.number('rounds', 2);

const list = Array.from({length: 4}, (_, i) => `item ${i}: the lamp stands on the table by the window.`).join('\n');
const prompts = {
  'repeats itself': [`${list}\n${list}\nitem 0: the lamp`, `${'one two three four five six seven. '.repeat(5)}one two`],
  'does not': ['Once upon a time a girl met a fox near', 'The gate of the old town was closed because'],
};

async function run(speculate) {
  const engine = await EngineProcess.start(line, ['--speculate', speculate, '--no-prefix-cache']);
  // From the first piece of the answer to its end: what the prompt takes is no part of it.
  const complete = async (prompt, count) => {
    const answer = {text: '', tokens: 0, seconds: 0};
    let first = 0;
    await engine.complete({prompt, max_tokens: count, temperature: 0}, ({usage, choices}, now) => {
      first ||= now;
      answer.text += choices[0]?.text ?? '';
      if (usage) answer.tokens = usage.completion_tokens;
    });
    answer.seconds = (performance.now() - first) / 1000;
    return answer;
  };
  try {
    await complete('warm up', 16);
    const results = {};
    for (const [kind, texts] of Object.entries(prompts)) {
      const result = {seconds: 0, tokens: 0, texts: []};
      const {speculation: before} = await engine.status();
      for (const prompt of texts) {
        const answer = await complete(prompt, tokens);
        result.seconds += answer.seconds;
        result.tokens += answer.tokens - 1;
        result.texts.push(answer.text);
      }
      const {speculation: after} = await engine.status();
      result.drafted = after.drafted - before.drafted;
      result.accepted = after.accepted - before.accepted;
      results[kind] = result;
    }
    return results;
  } finally {
    await engine.stop();
  }
}

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
  const timed = [...runs.off, ...runs.auto].every((each) => each[kind].seconds >= kShortest);
  report[kind] = {plain: speed('off'), drafting: speed('auto'), ratio: speed('auto') / speed('off'), drafted, accepted, same, timed};
}
if (line.flag('json')) {
  console.log(JSON.stringify(report, null, 2));
} else {
  for (const [kind, r] of Object.entries(report)) {
    const speeds = r.timed ? `${r.plain.toFixed(1)} tokens/s without drafts, ${r.drafting.toFixed(1)} with: ${r.ratio.toFixed(2)} x` : 'answered too fast to be timed by a client';
    console.log(`${kind.padEnd(16)} ${speeds}; ` +
      `${r.accepted} of ${r.drafted} drafts accepted; texts ${r.same ? 'the same' : 'DIFFER'}`);
  }
}
if (Object.values(report).some(({same}) => !same)) process.exitCode = 1;
