// Random worlds, ours beside Cedar's. PORTCULLIS_ORACLE_WORLDS sets how many (default 25, about
// 1,200 questions), PORTCULLIS_ORACLE_SEED where they begin; `npm run long` asks many more.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { asker, compare, kindNames } from './compare.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const program = process.env.PORTCULLIS_BIN ?? join(root, 'build', 'release', 'bin', 'portcullis');
const skip = existsSync(program) ? false : `no program at ${program}`;
const count = Number(process.env.PORTCULLIS_ORACLE_WORLDS ?? 25);
const first = Number(process.env.PORTCULLIS_ORACLE_SEED ?? 1);
const seeds = Array.from({ length: count }, (_, i) => first + i);

for (const kind of kindNames) {
  test(`random worlds: ${kind}`, { skip }, () => {
    const { cases, different, differences } = compare(kind, asker(program), seeds);
    assert.ok(cases >= count / 2, `only ${cases} questions`);
    assert.equal(different, 0, differences.join('\n'));
  });
}
