// The long run: `npm run long -- [WORLDS] [FIRST SEED] [KIND]`. Exit code 1 when an answer differs.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { asker, compare, kindNames } from './compare.js';

const [worlds = '2000', first = '1', only] = process.argv.slice(2);
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const program = process.env.PORTCULLIS_BIN ?? join(root, 'build', 'release', 'bin', 'portcullis');
if (!existsSync(program)) throw new Error(`no program at ${program}`);
const ask = asker(program);
let total = 0;
let different = 0;
for (const kind of kindNames.filter((name) => !only || name === only)) {
  const sum = { cases: 0, different: 0, tally: {}, differences: [] };
  for (let at = 0; at < Number(worlds); at += 100) {  // in parts, for memory's sake
    const seeds = Array.from({ length: Math.min(100, Number(worlds) - at) }, (_, i) => Number(first) + at + i);
    const part = compare(kind, ask, seeds);
    sum.cases += part.cases;
    sum.different += part.different;
    for (const [name, n] of Object.entries(part.tally)) sum.tally[name] = (sum.tally[name] ?? 0) + n;
    if (sum.differences.length < 3) sum.differences.push(...part.differences);
  }
  console.log(`${kind}: ${sum.cases} cases, ${sum.different} different`, sum.tally);
  for (const difference of sum.differences.slice(0, 3)) console.log(difference);
  total += sum.cases;
  different += sum.different;
}
console.log(`${total} cases, ${different} different`);
process.exitCode = different === 0 ? 0 : 1;
