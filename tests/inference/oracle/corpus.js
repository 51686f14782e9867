// The text that tokenizers are compared on: at least five megabytes, the same on every run of the
// same checkout. Its sources are this checkout, programs' documentation of the system, and
// generators: words of many scripts in random order, code points of every block that text uses, and
// things that look like control tokens.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export function random(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let x = state;
    x ^= x >>> 15;
    x = Math.imul(x, 0x2c1b3c6d) >>> 0;
    x ^= x >>> 12;
    return (x >>> 0) % limit;
  };
}

function* files(folder, pattern, depth = 0) {
  let entries = [];
  try {
    entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && depth < 6 && !/^(build|node_modules|\.git)$/.test(entry.name)) yield* files(path, pattern, depth + 1);
    else if (entry.isFile() && pattern.test(entry.name) && statSync(path).size < 200_000) yield path;
  }
}

const words = [
  'the', 'Hello', 'world', "don't", "I'LL", "we'Ve", "it'ſ", "'s", '你好', '世界', '龥', '龦', '豈', '〇', '々', '㊀',
  'こんにちは', 'カタカナ', 'ヿ', '゠', 'ひらがな', 'Привет', 'мир', 'مرحبا', 'שלום', 'สวัสดี', '안녕하세요', 'नमस्ते', '५६', '٣٤٥',
  'Ⅻ', '½', '²', '①', '🙂', '👨‍👩‍👧', '1️⃣', '🇪🇺', 'é', 'e\u0301', 'ﬁ', 'ñ', 'ß', 'İ', 'ı', 'ǅ', 'ÀÉÎ', 'K', 'ς', 'ΑΣ',
  '123456', '3.14159', '0x1F', '1,000,000', '_', '__init__', 'fooBar', '/usr/bin', 'a+b=c', '"quoted"', '«x»', '—', '…', '$', '€',
  '%', '^', '`', '~', '!!!', '??', '.', '#include', '{', '}', '();', '->', '::', '//', '\t', '\n', '\r\n', '\n\n', '\r', '   ', '  ',
  '\u3000', '\u00a0', '\u2003', '\u200b', '\u200d', '\u0085', '\u2028', '\u2029', '\ufeff', '\u00ad', '\u0301', '\u0000', '\u0007', '\u001b',
  '<｜User｜>', '<｜Assistant｜>', '<｜end▁of▁sentence｜>', '<|im_start|>', '<|im_end|>', '<|eot_id|>', '<|begin_of_text|>', '<s>', '</s>',
  '<unk>', '<think>', '</think>', '<tool_call>', '<|endoftext|>', '▁', '▁▁', '<0x0A>', '[INST]',
];

const blocks = [
  [0x20, 0x7e], [0xa0, 0x24f], [0x300, 0x36f], [0x370, 0x3ff], [0x400, 0x52f], [0x590, 0x5ff], [0x600, 0x6ff], [0x900, 0x97f],
  [0xe00, 0xe7f], [0x1100, 0x11ff], [0x1e00, 0x1eff], [0x2000, 0x206f], [0x2070, 0x209f], [0x20a0, 0x20bf], [0x2150, 0x218f],
  [0x2190, 0x22ff], [0x2500, 0x257f], [0x3000, 0x30ff], [0x3400, 0x3fff], [0x4e00, 0x9fff], [0xac00, 0xd7a3], [0xe000, 0xe0ff],
  [0xfb00, 0xfb4f], [0xff00, 0xffef], [0x10400, 0x1044f], [0x1d400, 0x1d4ff], [0x1f300, 0x1f64f], [0x1f900, 0x1f9ff], [0x20000, 0x200ff],
];
const assigned = /^[^\p{Cn}\p{Cs}]$/u;

export function corpus(root, bytes = 5_300_000) {
  const pick = random(5);
  const texts = [];
  let size = 0;
  const add = (text) => {
    texts.push(text);
    size += Buffer.byteLength(text);
  };
  const folders = [
    [root, /\.(md|cc|h|js|py|txt)$/],
    ['/usr/share/perl', /\.(pl|pm|pod)$/],
    ['/usr/lib/python3', /\.py$/],
    ['/usr/share/doc', /^copyright$/],
    ['/usr/include/linux', /\.h$/],
  ];
  for (const [folder, pattern] of folders) {
    const begin = size;
    for (const path of files(folder, pattern)) {
      if (size - begin > bytes / 6) break;
      const text = readFileSync(path, 'utf8');
      if (!text.includes('\ufffd')) add(text.slice(0, 20_000));
    }
  }
  while (size < bytes * 0.85) {
    let text = '';
    for (let n = 1 + pick(80); n > 0; --n) text += words[pick(words.length)] + ['', ' ', ' ', '  ', '\n'][pick(5)];
    add(text);
  }
  while (size < bytes) {
    let text = '';
    for (let n = 1 + pick(120); n > 0; --n) {
      const [low, high] = blocks[pick(blocks.length)];
      const character = String.fromCodePoint(low + pick(high - low + 1));
      text += pick(5) > 0 && assigned.test(character) ? character : [' ', '\n', '\t', '  ', "'", '1', 'a', 'B'][pick(8)];
    }
    add(text);
  }
  return texts;
}
