// Seeded damages to a copy of a log: what a disk, a thief or an administrator with an editor could do
// without the log's keys. Each returns words about what it did, or nothing where the log has no place
// for it. Frames are found by their lengths alone.
import {existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {crc32c, kBatch, kEntry, kHeader, kLeaf, kRecord, kShredded} from './codec.mjs';

// A small generator of numbers, so that a damage can be repeated from its seed.
export class Dice {
  constructor(seed) { this.state = (seed * 2654435761) >>> 0; }
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  below(n) { return Math.floor(this.next() * n); }
  of(list) { return list[this.below(list.length)]; }
}

const noise = (dice, size) => Buffer.from(Array.from({length: size}, () => dice.below(256)));
const garbage = (dice, most) => noise(dice, 1 + dice.below(most));

const segmentsOf = (folder) => readdirSync(join(folder, 'segments')).sort().map((name) => join(folder, 'segments', name));
const segmentName = (number) => `${String(number).padStart(16, '0')}.seg`;

export function framesOf(bytes) {
  const frames = [];
  for (let at = 0; at + kHeader <= bytes.length;) {
    const end = at + kHeader + bytes.readUInt32BE(at + 4);
    if (end > bytes.length) break;
    frames.push({at, end, type: bytes[at + 12]});
    at = end;
  }
  return frames;
}
function fixChecksum(bytes, frame) { bytes.writeUInt32BE(crc32c(bytes.subarray(frame.at + 12, frame.end)), frame.at + 8); }

// Changes a file's bytes in place or by what `change` returns.
function edit(path, change) {
  const bytes = readFileSync(path);
  const result = change(bytes);
  writeFileSync(path, Buffer.isBuffer(result) ? result : bytes);
}
function flip(bytes, dice, from = 0, to = bytes.length) {
  const at = from + dice.below(to - from);
  bytes[at] ^= 1 << dice.below(8);
  return at;
}
// A frame of a random segment, of a type if one is wanted.
function pick(folder, dice, type) {
  const path = dice.of(segmentsOf(folder));
  const frames = framesOf(readFileSync(path)).filter((frame) => !type || frame.type === type);
  return frames.length > 0 ? {path, frame: dice.of(frames)} : undefined;
}
// As somebody who knows the format would: the checksum is right afterwards.
const inFrame = (type, from, to, change) => (folder, dice) => {
  const found = pick(folder, dice, type);
  if (!found) return undefined;
  const {path, frame} = found;
  let at;
  edit(path, (bytes) => {
    const first = frame.at + kHeader + from, last = to === undefined ? frame.end : frame.at + kHeader + to;
    if (last > frame.end || last <= first) return;
    at = change(bytes, dice, first, last);
    fixChecksum(bytes, frame);
  });
  return at === undefined ? undefined : `frame at ${frame.at} of ${path.slice(-8)}`;
};
const number = (bytes, first, last, value) => { bytes.writeUIntBE(value, first, last - first); return first; };
const flipFile = (name) => (folder, dice) => {
  const path = name === 'segment' ? dice.of(segmentsOf(folder)) : join(folder, name);
  if (!existsSync(path)) return undefined;
  let at;
  edit(path, (bytes) => { at = flip(bytes, dice); });
  return `byte ${at} of ${path.slice(-8)}`;
};
const spliced = (type, change) => (folder, dice) => {
  const path = dice.of(segmentsOf(folder));
  const bytes = readFileSync(path);
  const frames = framesOf(bytes);
  const indexes = frames.map((_, i) => i).filter((i) => i > 0 && (!type || frames[i].type === type));
  if (indexes.length === 0) return undefined;
  const cut = frames.map((frame) => bytes.subarray(frame.at, frame.end));
  const i = dice.of(indexes);
  if (change(cut, i, dice) === false) return undefined;
  writeFileSync(path, Buffer.concat(cut));
  return `frame ${i} of ${path.slice(-8)}`;
};

export const damages = {
  'a bit of a segment': flipFile('segment'),
  'a bit of the checkpoint': flipFile('checkpoint'),
  'a bit of the list of days': flipFile('days'),
  'a bit of the log key': flipFile('log.pub'),
  'a bit of the cosigned head': flipFile('witnessed'),
  'a bit of a leaf, checksum made right': inFrame(kRecord, 0, kLeaf, flip),
  'a bit of a payload, checksum made right': inFrame(kRecord, kLeaf, undefined, flip),
  'a bit of a part table, checksum made right': inFrame(kRecord, kLeaf, kLeaf + 96, flip),
  'a bit of a batch, checksum made right': inFrame(kBatch, 0, 180, flip),
  'a bit of a segment head, checksum made right': inFrame(1, 0, undefined, flip),
  'another root in a batch': inFrame(kBatch, 20, 52, (bytes, dice, first, last) => { noise(dice, last - first).copy(bytes, first); return first; }),
  'another day key': inFrame(1, 53, 85, (bytes, dice, first, last) => { noise(dice, last - first).copy(bytes, first); return first; }),
  'a huge count': inFrame(kBatch, 8, 12, (bytes, dice, first, last) => number(bytes, first, last, 0xffffffff)),
  'no count': inFrame(kBatch, 8, 12, (bytes, dice, first, last) => number(bytes, first, last, 0)),
  'many parts': inFrame(kRecord, 3, 4, (bytes, dice, first, last) => number(bytes, first, last, 255)),
  'a huge part': inFrame(kRecord, kLeaf + 4, kLeaf + 8, (bytes, dice, first, last) => number(bytes, first, last, 0xfffffff0)),
  'a huge payload': inFrame(kRecord, 332, 336, (bytes, dice, first, last) => number(bytes, first, last, 0xffffffff)),
  'a long origin': inFrame(1, 149, 150, (bytes, dice, first, last) => number(bytes, first, last, 255)),
  'a frame of another type': (folder, dice) => {
    const found = pick(folder, dice);
    edit(found.path, (bytes) => { bytes[found.frame.at + 12] = 1 + dice.below(7); fixChecksum(bytes, found.frame); });
    return `frame at ${found.frame.at} of ${found.path.slice(-8)}`;
  },
  'a frame of a hostile length': (folder, dice) => {
    const found = pick(folder, dice);
    edit(found.path, (bytes) => { bytes.writeUInt32BE(dice.of([0, 1, 83886080, 83886081, 0x7fffffff, 0xffffffff]), found.frame.at + 4); });
    return `frame at ${found.frame.at} of ${found.path.slice(-8)}`;
  },
  'two frames swapped': spliced(0, (cut, i) => { if (i + 1 >= cut.length) return false; [cut[i], cut[i + 1]] = [cut[i + 1], cut[i]]; }),
  'a record deleted': spliced(kRecord, (cut, i) => { cut.splice(i, 1); }),
  'a batch deleted': spliced(kBatch, (cut, i) => { cut.splice(i, 1); }),
  'a frame replayed': spliced(0, (cut, i, dice) => { cut.splice(1 + dice.below(cut.length), 0, cut[i]); }),
  'garbage between frames': spliced(0, (cut, i, dice) => { cut.splice(i, 0, garbage(dice, 40)); }),
  'content removed without an erasure': spliced(kRecord, (cut, i) => {
    const frame = Buffer.from(cut[i].subarray(0, kHeader + kLeaf));
    frame.writeUInt32BE(kLeaf, 4);
    frame[12] = 4;
    fixChecksum(frame, {at: 0, end: frame.length});
    cut[i] = frame;
  }),
  'a part removed without a shredding': spliced(kRecord, (cut, i, dice) => {
    const frame = Buffer.from(cut[i]), parts = frame[kHeader + 3], part = dice.below(parts || 1);
    if (parts === 0) return false;
    let at = kHeader + kLeaf + parts * kEntry;
    const size = (k) => frame.readUInt32BE(kHeader + kLeaf + k * kEntry + 4);
    for (let k = 0; k < part; ++k) at += size(k);
    frame.fill(0, at, at + size(part));
    frame[12] = dice.of([kRecord, kShredded, kShredded]);
    fixChecksum(frame, {at: 0, end: frame.length});
    cut[i] = frame;
  }),
  'a bit of what is left of a shredded record, checksum made right': inFrame(kShredded, 0, undefined, flip),
  'payloads moved between records': spliced(kRecord, (cut, i, dice) => {
    const other = dice.of(cut.map((_, k) => k).filter((k) => k !== i && cut[k][12] === kRecord));
    if (other === undefined) return false;
    const moved = Buffer.concat([cut[i].subarray(0, kHeader + kLeaf), cut[other].subarray(kHeader + kLeaf)]);
    moved.writeUInt32BE(moved.length - kHeader, 4);
    fixChecksum(moved, {at: 0, end: moved.length});
    cut[i] = moved;
  }),
  'garbage behind the last segment': (folder, dice) => {
    edit(segmentsOf(folder).at(-1), (bytes) => Buffer.concat([bytes, garbage(dice, 200)]));
    return 'appended';
  },
  'garbage behind a segment': (folder, dice) => {
    edit(dice.of(segmentsOf(folder)), (bytes) => Buffer.concat([bytes, garbage(dice, 200)]));
    return 'appended';
  },
  'garbage behind a note': (folder, dice) => {
    const name = dice.of(['checkpoint', 'days', 'log.pub']);
    edit(join(folder, name), (bytes) => Buffer.concat([bytes, garbage(dice, 30)]));
    return name;
  },
  'the last segment cut anywhere': (folder, dice) => {
    edit(segmentsOf(folder).at(-1), (bytes) => bytes.subarray(0, dice.below(bytes.length)));
    return 'cut';
  },
  'a segment cut anywhere': (folder, dice) => {
    const path = dice.of(segmentsOf(folder));
    edit(path, (bytes) => bytes.subarray(0, dice.below(bytes.length)));
    return path.slice(-8);
  },
  'the tail cut behind a batch': (folder, dice) => {
    edit(segmentsOf(folder).at(-1), (bytes) => bytes.subarray(0, dice.of(framesOf(bytes).filter((frame) => frame.type === kBatch)).end));
    return 'cut';
  },
  'a segment deleted': (folder, dice) => {
    const path = dice.of(segmentsOf(folder));
    rmSync(path);
    return path.slice(-8);
  },
  'a segment deleted, the later ones renamed': (folder, dice) => {
    const paths = segmentsOf(folder);
    const gone = dice.below(paths.length);
    rmSync(paths[gone]);
    for (let i = gone + 1; i < paths.length; ++i) renameSync(paths[i], paths[i - 1]);
    return paths[gone].slice(-8);
  },
  'two segments in each other\'s place': (folder, dice) => {
    const paths = segmentsOf(folder);
    if (paths.length < 2) return undefined;
    const i = dice.below(paths.length - 1);
    renameSync(paths[i], `${paths[i]}.x`);
    renameSync(paths[i + 1], paths[i]);
    renameSync(`${paths[i]}.x`, paths[i + 1]);
    return paths[i].slice(-8);
  },
  'a segment twice': (folder) => {
    const paths = segmentsOf(folder);
    writeFileSync(join(folder, 'segments', segmentName(paths.length)), readFileSync(paths.at(-1)));
    return 'copied';
  },
  'an empty segment behind the last': (folder) => {
    writeFileSync(join(folder, 'segments', segmentName(segmentsOf(folder).length)), '');
    return 'made';
  },
  'a file deleted': (folder, dice) => {
    const name = dice.of(['checkpoint', 'days', 'witnessed', 'log.pub']);
    if (!existsSync(join(folder, name))) return undefined;
    rmSync(join(folder, name));
    return name;
  },
  'another log\'s file': (folder, dice, other) => {
    const name = dice.of(['checkpoint', 'days', 'log.pub', `segments/${segmentName(0)}`]);
    writeFileSync(join(folder, name), readFileSync(join(other, name)));
    return name;
  },
  'another root in the checkpoint': (folder, dice) => {
    edit(join(folder, 'checkpoint'), (bytes) => {
      const lines = bytes.toString().split('\n');
      lines[2] = noise(dice, 32).toString('base64');
      return Buffer.from(lines.join('\n'));
    });
    return 'root';
  },
  'a signature line of a note removed': (folder, dice) => {
    const name = dice.of(['checkpoint', 'days', 'witnessed']);
    if (!existsSync(join(folder, name))) return undefined;
    edit(join(folder, name), (bytes) => {
      const lines = bytes.toString().split('\n');
      const signed = lines.map((line, i) => (line.startsWith('\u2014') ? i : -1)).filter((i) => i >= 0);
      lines.splice(dice.of(signed), 1);
      return Buffer.from(lines.join('\n'));
    });
    return name;
  },
};
