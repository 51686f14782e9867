// A transparency log's client, written from the C2SP specifications (signed-note, tlog-checkpoint,
// tlog-tiles, tlog-proof, tlog-cosignature) and RFC 6962, with node:crypto only. Shares nothing with
// the appliance's own code; throws with words on everything that does not hold.
import {createHash, createPublicKey, verify} from 'node:crypto';
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

const sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
export const leafHash = (entry) => sha256(Buffer.of(0), entry);
export const nodeHash = (left, right) => sha256(Buffer.of(1), left, right);

function base64(text) {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new Error('base64 is not canonical');
  return bytes;
}

function ed25519(raw, message, signature) {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]);
  return verify(null, message, createPublicKey({key: der, format: 'der', type: 'spki'}), signature);
}

// "<name>+<hex id>+<base64(type ‖ key)>"
export function parseVerifierKey(text) {
  const parts = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim());  // base64 has plus signs of its own
  if (!parts) throw new Error('not a verifier key');
  const [, name, id, encoded] = parts;
  const material = base64(encoded);
  const expected = sha256(Buffer.from(name), Buffer.from('\n'), material).subarray(0, 4);
  if (expected.toString('hex') !== id) throw new Error('key id does not belong to the key');
  return {name, id: expected, type: material[0], key: material.subarray(1)};
}

export function parseNote(note) {
  const split = note.lastIndexOf('\n\n');
  if (split < 0) throw new Error('no signature block');
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2).split('\n');
  if (lines.pop() !== '' || lines.length === 0) throw new Error('the last signature line has no newline');
  const signatures = lines.map((line) => {
    const match = /^\u2014 (\S+) (\S+)$/.exec(line);
    if (!match) throw new Error('malformed signature line');
    const raw = base64(match[2]);
    return {name: match[1], id: raw.subarray(0, 4), bytes: raw.subarray(4)};
  });
  return {text, signatures};
}

const mine = (signature, key) => signature.name === key.name && signature.id.equals(key.id);

// The signed head, or an error.
export function openCheckpoint(note, logKey) {
  const {text, signatures} = parseNote(note);
  const own = signatures.filter((signature) => mine(signature, logKey));
  if (own.length === 0) throw new Error('not signed by the log');
  for (const signature of own) {
    if (!ed25519(logKey.key, Buffer.from(text), signature.bytes)) throw new Error('the log\'s signature is wrong');
  }
  const [origin, size, root] = text.split('\n');
  if (origin !== logKey.name) throw new Error('another log');
  if (!/^(0|[1-9][0-9]*)$/.test(size)) throw new Error('size is not decimal');
  return {origin, size: Number(size), root: base64(root), text, signatures};
}

// Timestamps of the valid cosignatures of this witness.
export function cosignatures(checkpoint, witnessKey) {
  if (witnessKey.type !== 4) throw new Error('not a witness key');
  return checkpoint.signatures.filter((signature) => mine(signature, witnessKey)).map(({bytes}) => {
    const time = bytes.readBigUInt64BE(0);
    const message = Buffer.from(`cosignature/v1\ntime ${time}\n${checkpoint.text}`);
    if (bytes.length !== 72 || !ed25519(witnessKey.key, message, bytes.subarray(8))) throw new Error('wrong cosignature');
    return Number(time);
  });
}

export function tilePath(level, index) {
  const groups = [];
  do {
    groups.unshift(String(index % 1000).padStart(3, '0'));
    index = Math.floor(index / 1000);
  } while (index > 0);
  return join('tile', String(level), ...groups.map((group, i) => (i + 1 < groups.length ? `x${group}` : group)));
}

// A tile or bundle of a tree of this size: full where it is full, otherwise partial.
function load(folder, level, index, size) {
  const width = Math.min(256, Math.floor(size / 256 ** (level === 'entries' ? 0 : level)) - index * 256);
  const full = join(folder, tilePath(level, index));
  const partial = join(`${full}.p`, String(width));
  return {width, bytes: readFileSync(width < 256 && existsSync(partial) ? partial : full)};
}

export function entriesOf(folder, size) {
  const entries = [];
  for (let index = 0; index * 256 < size; ++index) {
    const {width, bytes} = load(folder, 'entries', index, size);
    let at = 0;
    for (let i = 0; i < width; ++i) {
      const length = bytes.readUInt16BE(at);
      entries.push(bytes.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
  }
  return entries;
}

// MTH of RFC 6962, from the leaves.
export function rootOf(hashes) {
  if (hashes.length === 0) return sha256(Buffer.alloc(0));
  if (hashes.length === 1) return hashes[0];
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)));
}

// Every tile of a tree of this size against hashes computed from the leaves.
export function checkTiles(folder, leaves) {
  let row = leaves, level = 0, tiles = 0;
  while (row.length > 0) {
    for (let index = 0; index * 256 < row.length; ++index) {
      const {width, bytes} = load(folder, level, index, leaves.length);
      const expected = Buffer.concat(row.slice(index * 256, index * 256 + width));
      if (!bytes.subarray(0, width * 32).equals(expected)) throw new Error(`tile ${tilePath(level, index)} is wrong`);
      ++tiles;
    }
    const next = [];
    for (let at = 0; at + 256 <= row.length; at += 256) next.push(rootOf(row.slice(at, at + 256)));
    row = next;
    ++level;
  }
  return tiles;
}

// RFC 9162, 2.1.3.2.
export function checkInclusion(leaf, index, size, proof, root) {
  if (index >= size) throw new Error('index outside the tree');
  let fn = index, sn = size - 1, hash = leaf;
  for (const sibling of proof) {
    if (sn === 0) throw new Error('too many hashes');
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(sibling, hash);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  if (sn !== 0 || !hash.equals(root)) throw new Error('the proof does not lead to the root');
}

export function checkProof(text, entry, logKey) {
  const lines = text.split('\n');
  if (lines.shift() !== 'c2sp.org/tlog-proof@v1') throw new Error('unknown header');
  if (lines[0].startsWith('extra ')) base64(lines.shift().slice(6));
  const index = /^index (0|[1-9][0-9]*)$/.exec(lines.shift());
  if (!index) throw new Error('no index');
  const proof = [];
  for (let line; (line = lines.shift()) !== '';) proof.push(base64(line));
  if (proof.length > 63) throw new Error('more than 63 hashes');
  const checkpoint = openCheckpoint(lines.join('\n'), logKey);
  checkInclusion(leafHash(entry), Number(index[1]), checkpoint.size, proof, checkpoint.root);
  return checkpoint;
}
