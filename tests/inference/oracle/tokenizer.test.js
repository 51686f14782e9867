// Our token ids beside those of @huggingface/tokenizers, on the same text.
// PORTCULLIS_ORACLE_BYTES sets how much text (default 5.3 MB).
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';

import { Tokenizer } from '@huggingface/tokenizers';
import { corpus } from './corpus.js';
import { ask, config, dismiss, folderOf, root, skip } from './helper.js';

const texts = skip ? [] : corpus(root, Number(process.env.PORTCULLIS_ORACLE_BYTES ?? 5_300_000));
const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
after(dismiss);

function oracle(name, controls) {
  const tokenizer = JSON.parse(readFileSync(join(folderOf(name), 'tokenizer.json'), 'utf8'));
  if (!controls) tokenizer.added_tokens = [];
  return new Tokenizer(tokenizer, config(name));
}

async function ours(model, some, more = {}) {
  const all = { ids: [], decoded: [] };
  for (let at = 0; at < some.length; at += 100) {
    const answer = await ask({ ask: 'encode', model, texts: some.slice(at, at + 100), ...more });
    assert.equal(answer.error, undefined);
    all.ids.push(...answer.ids);
    all.decoded.push(...answer.decoded);
  }
  return all;
}

function compare(theirs, mine, some) {
  for (let i = 0; i < some.length; ++i) {
    const expected = theirs.encode(some[i], { add_special_tokens: false }).ids.map(Number);
    if (expected.length === mine[i].length && expected.every((id, k) => id === mine[i][k])) continue;
    const at = expected.findIndex((id, k) => id !== mine[i][k]);
    const near = theirs.decode(expected.slice(Math.max(0, at - 3), at + 4));
    assert.fail(`text ${i} differs at token ${at} of ${expected.length}, near ${JSON.stringify(near)}: ` +
      `${mine[i].slice(at, at + 5)} instead of ${expected.slice(at, at + 5)}`);
  }
}

const models = ['deepseek_v3', 'llama3', 'llama3_1', 'qwen2_5', 'qwen3', 'llama2'];

test('the corpus is large enough', { skip }, () => assert.ok(process.env.PORTCULLIS_ORACLE_BYTES || bytes >= 5_000_000));

for (const name of models) {
  test(`${name}: the same ids, control tokens as text`, { skip }, async () => {
    const mine = await ours(folderOf(name), texts);
    compare(oracle(name, false), mine.ids, texts);
    // Qwen composes characters; to SentencePiece U+2581 is a space.
    const normalised = texts.map((text) => name.startsWith('qwen') ? text.normalize('NFC') : name === 'llama2' ? text.replaceAll('▁', ' ') : text);
    mine.decoded.forEach((text, i) => assert.equal(text, normalised[i], `text ${i} does not come back`));
  });

  test(`${name}: the same ids where control tokens count`, { skip }, async () => {
    const some = texts.filter((_, i) => i % 4 === 0);
    compare(oracle(name, true), (await ours(folderOf(name), some, { specials: true })).ids, some);
  });
}

const files = [['deepseek_v3', 'deepseek-v3'], ['llama3', 'llama-bpe'], ['qwen2_5', 'qwen2'], ['llama2', '']];
for (const [name, pre] of files) {
  test(`${name}: the same ids from a GGUF vocabulary`, { skip }, async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'portcullis-oracle-')), 'vocabulary.gguf');
    const answer = await ask({ ask: 'gguf', model: folderOf(name), pre, path });
    assert.equal(answer.error, undefined);
    const some = texts.filter((_, i) => i % 2 === 0);
    compare(oracle(name, false), (await ours(path, some)).ids, some);
  });
}

test('at least 5 MB a second', { skip: skip || (process.env.PORTCULLIS_ORACLE_SPEED ? false : 'set PORTCULLIS_ORACLE_SPEED on a quiet machine') }, async (context) => {
  for (const name of models) {
    const { megabytes_per_second: speed } = await ask({ ask: 'speed', model: folderOf(name), texts: texts.filter((_, i) => i % 10 === 0) });
    context.diagnostic(`${name}: ${speed.toFixed(1)} MB/s`);
    assert.ok(speed >= 5, `${name}: ${speed} MB/s`);
  }
});
