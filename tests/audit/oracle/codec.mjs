// Bytes of the audit log as audit/FORMAT.md describes them: frames, SEGMENT and BATCH bodies, leaves,
// part tables, wrap sets. Pure functions; what does not hold is thrown as a Contradiction with words.
// Written from FORMAT.md alone, with node:crypto only; shares nothing with the C++ code.
import {createHash, createPublicKey, verify} from 'node:crypto';

export class Contradiction extends Error {}
export const must = (holds, what) => { if (!holds) throw new Contradiction(what); };

export const sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
export const zeros = Buffer.alloc(32);

const publicKeys = new Map();
export function signedBy(key, message, signature) {
  const name = key.toString('hex');
  if (!publicKeys.has(name)) {
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]);
    publicKeys.set(name, createPublicKey({key: der, format: 'der', type: 'spki'}));
  }
  return verify(null, message, publicKeys.get(name), signature);
}

// CRC-32C, reflected polynomial 0x82F63B78, eight bytes a step.
const crcTables = [];
for (let k = 0; k < 8; ++k) {
  crcTables.push(new Int32Array(256));
  for (let i = 0; i < 256; ++i) {
    let value = k === 0 ? i : crcTables[k - 1][i];
    if (k === 0) for (let bit = 0; bit < 8; ++bit) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    else value = (value >>> 8) ^ crcTables[0][value & 255];
    crcTables[k][i] = value;
  }
}
const [t0, t1, t2, t3, t4, t5, t6, t7] = crcTables;
export function crc32c(bytes) {
  let crc = -1;
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    crc ^= bytes.readInt32LE(at);
    crc = t7[crc & 255] ^ t6[(crc >>> 8) & 255] ^ t5[(crc >>> 16) & 255] ^ t4[crc >>> 24] ^
          t3[bytes[at + 4]] ^ t2[bytes[at + 5]] ^ t1[bytes[at + 6]] ^ t0[bytes[at + 7]];
  }
  for (; at < bytes.length; ++at) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]) & 255];
  return ~crc >>> 0;
}

export const kSegment = 1, kRecord = 2, kBatch = 3, kErased = 4, kShredded = 5;
export const kHeader = 16, kLeaf = 368, kBatchBody = 180, kEntry = 96;
const kMaxBody = 80 * 1024 * 1024;

// The frame at `offset`: {type, body, end}, or {torn: words} where the bytes end before the frame does
// or are no whole frame.
export function frameAt(bytes, offset) {
  if (bytes.length - offset < kHeader) return {torn: 'part of a frame head'};
  if (bytes.toString('latin1', offset, offset + 4) !== 'PCLF') return {torn: 'no frame begins here'};
  const length = bytes.readUInt32BE(offset + 4);
  if (length > kMaxBody) return {torn: 'a frame is too long'};
  const end = offset + kHeader + length;
  if (end > bytes.length) return {torn: 'part of a frame'};
  if (crc32c(bytes.subarray(offset + 12, end)) !== bytes.readUInt32BE(offset + 8)) return {torn: 'a wrong checksum'};
  const type = bytes[offset + 12];
  if (type < kSegment || type > kShredded || bytes.readUIntBE(offset + 13, 3) !== 0) return {torn: 'a frame of an unknown type'};
  return {type, body: bytes.subarray(offset + kHeader, end), end};
}

export const originId = (origin) => sha256(Buffer.from(origin)).subarray(0, 16);

export function segmentBody(body) {
  must(body.length >= 150 && body.length === 150 + body[149], 'a segment head of a wrong size');
  must(body[0] === 3, 'a segment of another version');
  return {
    number: body.readBigUInt64BE(1), firstSeq: Number(body.readBigUInt64BE(9)), previous: body.subarray(17, 49),
    day: body.readUInt32BE(49), key: body.subarray(53, 85), endorsement: body.subarray(85, 149),
    origin: body.toString('latin1', 150), hash: sha256(body),
  };
}
export function endorsed(segment, logKey) {
  const day = Buffer.alloc(4);
  day.writeUInt32BE(segment.day);
  const message = Buffer.concat([Buffer.from(`portcullis audit day key v2\n${segment.origin}\n`, 'latin1'), day, segment.key]);
  return signedBy(logKey, message, segment.endorsement);
}

export function batchBody(body) {
  must(body.length === kBatchBody, 'a batch of a wrong size');
  return {
    firstSeq: Number(body.readBigUInt64BE(0)), count: body.readUInt32BE(8), size: Number(body.readBigUInt64BE(12)),
    root: body.subarray(20, 52), previous: body.subarray(52, 84), segment: body.subarray(84, 116),
    signed: body.subarray(0, 116), signature: body.subarray(116), hash: sha256(body),
  };
}
export const batchSigned = (batch, origin, key) =>
  signedBy(key, Buffer.concat([Buffer.from('portcullis audit batch v2\n'), originId(origin), batch.signed]), batch.signature);

export const kinds = [null, 'REQ', 'DECISION', 'RESP', 'ABORT', 'ADMIN', 'CONFIG', 'KEY', 'RELEASE', 'AUDIT_READ', 'ERASE', 'HOLD',
  'HEARTBEAT', 'BOOT', 'STOP', 'CLOCK', 'RECOVERY', 'ABUSE', 'SIEGE'];

export function leaf(bytes) {
  must(bytes.length === kLeaf, 'a leaf of a wrong size');
  must(bytes[0] === 3, 'a leaf of another version');
  must(bytes[1] > 0 && bytes[1] < kinds.length, 'a record of an unknown kind');
  must(bytes[2] <= 2, 'an unknown clock state');
  must(bytes[186] <= 4, 'more than four search tags');
  const tags = [];
  for (let i = 0; i < 4; ++i) {
    const tag = bytes.subarray(188 + 16 * i, 204 + 16 * i);
    if (i < bytes[186]) tags.push(tag.toString('hex'));
    else must(tag.equals(zeros.subarray(0, 16)), 'a search tag that is not counted');
  }
  const hex = (from, to) => bytes.toString('hex', from, to);
  return {
    kind: kinds[bytes[1]], parts: bytes[3], epoch: bytes.readUInt32BE(4), origin: bytes.subarray(8, 24),
    seq: Number(bytes.readBigUInt64BE(24)), boot: hex(32, 48), wall: bytes.readBigUInt64BE(48), monotonic: bytes.readBigUInt64BE(56),
    request: hex(64, 80), parent: Number(bytes.readBigUInt64BE(80)), subject: hex(88, 104), model: hex(152, 184), outcome: bytes.readUInt16BE(184),
    padClass: bytes[187], tags, chain: Number(bytes.readBigUInt64BE(252)), index: bytes.readUInt32BE(260),
    retention: bytes.readUInt16BE(264), period: bytes.readUInt16BE(266), wrapSet: hex(268, 300), payload: bytes.readUInt32BE(332),
    ctHash: bytes.subarray(336, 368), hash: sha256(Buffer.of(0), bytes),
  };
}

// Everything about a payload that can be seen without a key. In a SHREDDED frame zeros may stand in the place of
// parts: gives the types of those.
export function checkPayload(record, payload, isShredded = false) {
  must(payload.length === record.payload, 'a payload of another size than its leaf says');
  const table = payload.subarray(0, record.parts * kEntry);
  must(table.length === record.parts * kEntry, 'a payload too short for its part table');
  must(sha256(table).equals(record.ctHash), 'a part table that is not the leaf\'s');
  let at = table.length, largest = 0;
  const types = new Set(), shredded = [];
  for (let i = 0; i < record.parts; ++i) {
    const entry = table.subarray(i * kEntry, (i + 1) * kEntry);
    const stored = payload.subarray(at, at + entry.readUInt32BE(4));
    must(stored.length === entry.readUInt32BE(4), 'a part that ends behind its payload');
    if (!sha256(stored).equals(entry.subarray(32, 64))) {
      must(isShredded && entry[0] !== 64 && stored.every((byte) => byte === 0), 'a part with another hash than its table says');
      shredded.push(entry[0]);
    }
    must((entry[0] >= 1 && entry[0] <= 6) || entry[0] === 64, 'a part of an unknown type');
    must(!types.has(entry[0]), 'a part twice');
    must(entry.readUInt16BE(2) <= 2, 'a part stored in an unknown way');
    must((entry[0] === 64) === (entry.readUInt16BE(2) === 1), 'a part stored in a way that its type does not have');
    types.add(entry[0]);
    largest = Math.max(largest, entry[1]);
    at += stored.length;
  }
  must(at === payload.length, 'bytes behind the parts of a payload');
  must(largest === record.padClass, 'a pad class that is not the largest of the parts');
  if (record.kind === 'KEY') {
    must(types.has(64) && record.parts === 1, 'a KEY record without its wrap set');
  } else {
    must(!types.has(64), 'a wrap set outside a KEY record');
  }
  must(!isShredded || shredded.length > 0, 'a SHREDDED frame of which nothing is shredded');
  return shredded;
}

// The payload of a KEY record.
export function checkWrapSet(record, payload) {
  const bytes = payload.subarray(kEntry);
  must(sha256(bytes).toString('hex') === record.wrapSet, 'a wrap set that is not the leaf\'s');
  must(bytes.length >= 67 && bytes[0] === 2, 'a wrap set of another version');
  const count = bytes[66];
  must(count >= 1 && count <= 32 && bytes.length === 67 + count * 177, 'a wrap set of a wrong size');
  must(bytes[65] === 1 || bytes[65] === 2, 'a wrap set of an unknown mode');
  const context = bytes.subarray(1, 49);
  must(context.subarray(0, 16).equals(record.origin) && context.toString('hex', 16, 32) === record.subject &&
       context.readUInt16BE(32) === record.retention && context.readUInt16BE(34) === record.period &&
       context.readUInt32BE(36) === record.epoch && Number(context.readBigUInt64BE(40)) === record.seq,
       'a wrap set for another chain than its record\'s');
}
