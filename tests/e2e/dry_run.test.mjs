// --dry-run over every command: each is asked for its options, given something for all that are required, and run
// beside a listening socket and a folder. Whatever it says, nobody was asked to do anything and no file has changed.
import test, {after, before} from 'node:test';
import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const bin = process.env.PORTCULLIS_BIN_DIR ?? join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'build', 'release', 'bin');
const program = join(bin, 'portcullis');
const dir = mkdtempSync(join(tmpdir(), 'portcullis-dry-'));
const at = (name) => join(dir, name);
const help = (path) => execFileSync(program, [...path, '--help'], {encoding: 'utf8'});

// Names under "Subcommands:", each on a line of its own, two blanks in.
function leaves(path = []) {
  const listed = /^Subcommands:\n((?: .*\n?)*)/m.exec(help(path));
  const names = listed ? [...listed[1].matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name) : [];
  return names.length === 0 ? [path] : names.flatMap((name) => leaves([...path, name]));
}

// For every required option and argument a value that fits its words.
function required(path) {
  const value = (name, words) => {
    const choice = /\{([^},]+)/.exec(words);
    if (choice) return choice[1];
    if (/UINT|INT|FLOAT/.test(words)) return '1';
    if (name.includes('socket')) return at('socket');
    if (/reason|subject|name|origin|auditor\b|principal|part\b/.test(name)) return 'somebody';
    return at(/out/.test(name) ? 'new' : 'folder');
  };
  const out = [];
  for (const [, name, words] of help(path).matchAll(/^ {2}(\S+) (.*REQUIRED.*)$/gm)) {
    const option = name.split(',').pop();
    const isFlag = words.startsWith('REQUIRED') && option.startsWith('-');
    out.push(...(isFlag ? [option] : option.startsWith('-') ? [option, value(option, words)] : [value(option.toLowerCase(), words)]));
  }
  return out;
}

function tree(folder = dir) {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder, {recursive: true}).map(String).sort()) {
    const info = lstatSync(join(folder, name));
    hash.update(`${name} ${info.mode} ${info.size}`);
    if (info.isFile()) hash.update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex');
}

// What it said, and how it ended.
async function run(...args) {
  const child = spawn(program, args, {stdio: ['pipe', 'pipe', 'pipe'], cwd: dir});
  child.stdin.end();
  let words = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { words += data; });
  const [code] = await once(child, 'exit');
  return {code, words};
}

let asked = 0, server;
before(async () => {
  mkdirSync(at('folder'));
  writeFileSync(at('folder/file'), 'as it was');
  server = createServer((socket) => { ++asked; socket.destroy(); }).listen(at('socket'));
  await once(server, 'listening');
});
after(() => {
  server.close();
  rmSync(dir, {recursive: true, force: true});
});

// They read over the socket, and say what they would do with what they have read.
const kAsk = /^(status|key (issue|list|revoke)|principal put|policy (apply|approve|diff|keep|log|propose|rollback|whatif|withdraw))$/;

for (const path of leaves()) {
  test(`--dry-run ${path.join(' ')}`, async () => {
    asked = 0;
    const before = tree();
    const {code, words} = await run('--dry-run', ...path, ...required(path));
    assert.ok(!/is required|not expected|required:/.test(words), `the test gives wrong arguments: ${words}`);
    assert.equal(tree(), before, `${path.join(' ')} changed a file: ${words}`);
    if (words.includes('cannot be tried with --dry-run')) assert.equal(code, 1);
    if (!kAsk.test(path.join(' '))) assert.equal(asked, 0, `${path.join(' ')} asked another program: ${words}`);
  });
}

test('acts on the audit log are refused, wherever the flag stands', async () => {
  const release = ['audit', 'release', '--socket', at('socket'), '--hold', '2', '--reason', 'x'];
  for (const args of [['--dry-run', ...release], [...release, '--dry-run'], ['audit', '--dry-run', ...release.slice(1)]]) {
    const {code, words} = await run(...args);
    assert.equal(code, 1);
    assert.equal(words, 'portcullis: `audit release` cannot be tried with --dry-run; nothing was done\n');
  }
  for (const path of [['hold'], ['keys', '--rotate'], ['override', 'apply'], ['export'], ['show'], ['index']]) {
    const leaf = path.filter((name) => !name.startsWith('-'));
    const {words} = await run('--dry-run', 'audit', ...path, ...required(['audit', ...leaf]));
    assert.ok(words.includes(`\`audit ${leaf.join(' ')}\` cannot be tried`), words);
  }
  for (const verb of ['keygen', 'serve', 'cosign', 'request', 'attach', 'feed', 'fetch']) {
    const {words} = await run('--dry-run', 'witness', verb, ...required(['witness', verb]));
    assert.ok(words.includes(`\`witness ${verb}\` cannot be tried`), words);
  }
  assert.equal(asked, 0);
});
