// The shape of the checkout: rooms, directions of includes, sizes of files, words that do not belong.
import test from 'node:test';
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';

const root = new URL('../..', import.meta.url).pathname;
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {cwd: root, encoding: 'utf8'})
  .split('\n').filter(Boolean);
const read = (file) => readFileSync(root + file, 'utf8');
const sources = files.filter((file) => /\.(h|cc)$/.test(file));

test('the top level holds the rooms and nothing else', () => {
  const rooms = new Set(['CMakeLists.txt', 'CMakePresets.json', 'LICENSE', 'README.md', 'gateway', 'inference',
    'policy', 'audit', 'certs', 'systemd', 'tests']);
  const strangers = [...new Set(files.map((file) => file.split('/')[0]))]
    .filter((entry) => !rooms.has(entry) && !entry.startsWith('.'));
  assert.deepEqual(strangers, []);
});

test('islands include only what they may', () => {
  const may = {
    certs: ['certs'],
    policy: ['policy'],
    inference: ['inference'],
    audit: ['audit', 'certs'],
    gateway: ['gateway', 'certs', 'policy', 'inference', 'audit'],
  };
  const wrong = [];
  for (const file of sources) {
    const room = file.split('/')[0];
    if (!may[room]) continue;
    for (const [, target] of read(file).matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
      const other = target.split('/')[0];
      if (other in may && !may[room].includes(other)) wrong.push(`${file} includes ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('each library is seen only where it belongs', () => {
  const homes = [
    [/<(?:oneapi\/dnnl\/)?dnnl/, (file) => file.startsWith('inference/ops/onednn')],
    [/<sqlite3\.h>/, (file) => /^(audit|policy|gateway\/state)\//.test(file)],
    [/<openssl\/ssl/, (file) => /^(certs|gateway\/listen\/tls)/.test(file)],
    [/<tss2\//, (file) => file.startsWith('audit/tpm_')],
    [/<boost\/beast/, (file) => /^(gateway|inference\/serve)\//.test(file)],
  ];
  const wrong = [];
  for (const file of sources.filter((name) => !name.startsWith('tests/'))) {
    for (const [, target] of read(file).matchAll(/^\s*#\s*include\s+(<[^>]+>)/gm)) {
      for (const [library, home] of homes) {
        if (library.test(target) && !home(file)) wrong.push(`${file} includes ${target}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('a file is one thing: at most 400 lines', () => {
  const long = files.filter((file) => /\.(h|cc|mjs|py|c)$/.test(file))
    .map((file) => [file, read(file).split('\n').length - 1])
    .filter(([, lines]) => lines > 400);
  assert.deepEqual(long, []);
});

test('headers are guarded and begin by saying what they are', () => {
  const wrong = sources.filter((file) => file.endsWith('.h'))
    .filter((file) => !/^\/\//.test(read(file)) || !/^#pragma once$/m.test(read(file)));
  assert.deepEqual(wrong, []);
});

test('nothing is left unfinished and nothing names this machine', () => {
  const unfinished = /\b(TODO|FIXME|XXX)\b|not implemented/;
  const machine = new RegExp(['/wor' + 'k/', '/roo' + 't/[.\\w]', 'deb\\.' + 'debian', 'registry\\.' + 'npmjs'].join('|'));
  const wrong = files
    .filter((file) => /\.(h|cc|c|mjs|js|py|md|sh|txt|toml|json|cmake)$|\/(run|quickstart|install-packages)$/.test(file))
    .filter((file) => file !== 'tests/style/layout.test.mjs')
    .filter((file) => unfinished.test(read(file)) || machine.test(read(file)));
  assert.deepEqual(wrong, []);
});

test('what is declared to be one thread starts no other', () => {
  // The build with ThreadSanitizer leaves these tests out: see portcullis_test in CMakeLists.txt.
  const tested = files.filter((file) => /^(policy|certs|audit\/report|inference\/ops)\/.*\.(h|cc)$/.test(file));
  const tests = files.filter((file) => /^tests\/.*(CMakeLists\.txt|\.cmake)$/.test(file)).flatMap((file) =>
    [...read(file).matchAll(/portcullis_test\(\w+ ONE_THREAD\s+SOURCES\s([^)]*)/g)].flatMap(([, list]) =>
      list.split(/\s+/).filter((source) => source.endsWith('.cc')).map((source) => file.replace(/[^/]+$/, source))));
  assert.ok(tests.length > 0 && tests.every((file) => files.includes(file)));
  const wrong = [...tested, ...tests].filter((file) => /std::(j?thread|async)\b|thread_pool|pthread_create/.test(read(file)));
  assert.deepEqual(wrong, []);
});
