// Asks the helper program (helper.cc); keeps it running. PORTCULLIS_BIN: the folder's program.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, symlinkSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, '..', '..', '..');
const folder = process.env.PORTCULLIS_BIN_DIR ?? join(root, 'build', 'release', 'bin');
const program = join(folder, 'inference_oracle_helper');
export const skip = existsSync(program) ? false : `no program at ${program}`;

let child;
let waiting = [];

export function ask(question) {
  if (!child) {
    child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()(JSON.parse(line)));
  }
  return new Promise((resolve) => {
    waiting.push(resolve);
    child.stdin.write(`${JSON.stringify(question)}\n`);
  });
}

export function dismiss() {
  child?.stdin.end();
  child = undefined;
}

export function folderOf(name) {
  return join(here, 'node_modules', '@lenml', `tokenizer-${name}`, 'models');
}

export function config(name) {
  return JSON.parse(readFileSync(join(folderOf(name), 'tokenizer_config.json'), 'utf8'));
}

// A model folder with the tokenizer of `name` and another template, with marks added as tokens.
export function withTemplate(name, template, marks = []) {
  const made = mkdtempSync(join(tmpdir(), 'portcullis-oracle-'));
  const path = join(folderOf(name), 'tokenizer.json');
  if (marks.length === 0) {
    symlinkSync(path, join(made, 'tokenizer.json'));
  } else {
    const tokenizer = JSON.parse(readFileSync(path, 'utf8'));
    const ids = [...Object.values(tokenizer.model.vocab), ...tokenizer.added_tokens.map((token) => token.id)];
    let next = ids.reduce((most, id) => Math.max(most, id), 0) + 1;
    const known = new Set(tokenizer.added_tokens.map((token) => token.content));
    for (const content of marks.filter((mark) => !known.has(mark))) {
      tokenizer.added_tokens.push({
        id: next++, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false,
      });
    }
    writeFileSync(join(made, 'tokenizer.json'), JSON.stringify(tokenizer));
  }
  writeFileSync(join(made, 'tokenizer_config.json'), JSON.stringify({ ...config(name), chat_template: template }));
  return made;
}
