// Writes logs from audit/FORMAT.md, with keys of its own: whatever the keys' owner could have signed, so also
// logs that break the rules about sequences. Records have no parts unless a test gives a payload.
import {createHash, generateKeyPairSync, sign} from 'node:crypto';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {crc32c, kEntry, kErased, kLeaf, kRecord, kShredded, kinds, originId, sha256} from './codec.mjs';
import {Tree} from './verifier.mjs';

const u16 = (value) => { const out = Buffer.alloc(2); out.writeUInt16BE(value); return out; };
const u32 = (value) => { const out = Buffer.alloc(4); out.writeUInt32BE(value); return out; };
const u64 = (value) => { const out = Buffer.alloc(8); out.writeBigUInt64BE(BigInt(value)); return out; };
export const id16 = (text) => createHash('sha256').update(String(text)).digest().subarray(0, 16);
const zeros = (size) => Buffer.alloc(size);

export class Key {
  constructor() {
    const {publicKey, privateKey} = generateKeyPairSync('ed25519');
    this.secret = privateKey;
    this.public = publicKey.export({format: 'der', type: 'spki'}).subarray(-32);
  }
  sign(message) { return sign(null, message, this.secret); }
  line(origin, text) {
    const material = Buffer.concat([Buffer.of(1), this.public]);
    const id = sha256(Buffer.from(`${origin}\n`), material).subarray(0, 4);
    return `\u2014 ${origin} ${Buffer.concat([id, this.sign(Buffer.from(text))]).toString('base64')}\n`;
  }
  verifierKey(origin) {
    const material = Buffer.concat([Buffer.of(1), this.public]);
    return `${origin}+${sha256(Buffer.from(`${origin}\n`), material).toString('hex', 0, 4)}+${material.toString('base64')}\n`;
  }
}

function frame(type, body) {
  const covered = Buffer.concat([Buffer.of(type, 0, 0, 0), body]);
  return Buffer.concat([Buffer.from('PCLF'), u32(body.length), u32(crc32c(covered)), covered]);
}

// One part, stored as it is given. Its content is nobody's business here.
export function payloadOf(type, stored, {padClass = 6, way = type === 64 ? 1 : 0} = {}) {
  const entry = Buffer.concat([Buffer.of(type, type === 64 ? 0 : padClass), u16(way), u32(stored.length), zeros(24), sha256(stored), zeros(32)]);
  return {parts: 1, padClass: type === 64 ? 0 : padClass, bytes: Buffer.concat([entry, stored]), ctHash: sha256(entry)};
}

// Records by default follow each other by a millisecond, in one boot, on 2026-03-01.
export class Forge {
  constructor(origin = 'forged.example/audit') {
    Object.assign(this, {origin, log: new Key(), tree: new Tree(), batch: zeros(32), segments: [], seq: 0, days: [], records: []});
    this.day = Date.UTC(2026, 2, 1) / 86_400_000;
    this.now = 5_000_000n;
    this.bootName = 0;
  }
  wall() { return BigInt(this.day) * 86_400_000_000n + 3_600_000_000n + this.now; }

  segment({day = this.day, key = new Key(), endorse = this.log} = {}) {
    const endorsed = Buffer.concat([Buffer.from(`portcullis audit day key v2\n${this.origin}\n`), u32(day), key.public]);
    const body = Buffer.concat([Buffer.of(3), u64(this.segments.length), u64(this.seq), this.batch, u32(day), key.public,
      endorse.sign(endorsed), Buffer.of(this.origin.length), Buffer.from(this.origin)]);
    this.segments.push([frame(1, body)]);
    this.current = {key, hash: sha256(body)};
    this.days.push({day, key});
    return this;
  }

  // A record of the next batch; returns its seq. Fields as in codec.mjs.
  add(kind, fields = {}) {
    this.now += 1000n;
    const {payload, erased, shredded, counter, ...rest} = fields;  // counter: {name, value, state}
    const record = {epoch: 2026, clock: 1, seq: this.seq, boot: this.bootName, wall: this.wall(), monotonic: this.now, request: '', parent: 0, subject: 'somebody',
      outcome: 0, tags: [], chain: 0, index: 0, retention: 0, period: 0, wrapSet: zeros(32), parts: payload?.parts ?? 0, padClass: payload?.padClass ?? 0,
      payloadSize: payload?.bytes.length ?? 0, ctHash: payload?.ctHash ?? sha256(), counted: undefined, ...rest};
    const tags = [...record.tags.map(id16), ...Array(4).fill(zeros(16))].slice(0, 4);
    const counts = kind === 'BOOT' || kind === 'HEARTBEAT';
    const request = counts ? Buffer.concat([u64(counter?.state ?? 0), u64(counter?.value ?? 0)]) : id16(`request ${record.request}`);
    const leaf = Buffer.concat([Buffer.of(3, kinds.indexOf(kind), record.clock, record.parts), u32(record.epoch), originId(this.origin), u64(record.seq),
      id16(`boot ${record.boot}`), u64(record.wall), u64(record.monotonic), request, u64(record.parent), id16(record.subject), zeros(16),
      zeros(32), counter?.name ? sha256(Buffer.from(counter.name)) : zeros(32), u16(record.outcome), Buffer.of(record.counted ?? record.tags.length, record.padClass), ...tags, u64(record.chain), u32(record.index),
      u16(record.retention), u16(record.period), record.wrapSet, zeros(32), u32(record.payloadSize), record.ctHash]);
    if (leaf.length !== kLeaf) throw new Error(`a leaf of ${leaf.length} bytes`);
    this.records.push({leaf, frame: frame(erased ? kErased : shredded ? kShredded : kRecord, erased ? leaf : Buffer.concat([leaf, (shredded ?? payload)?.bytes ?? zeros(0)]))});
    return this.seq++;
  }

  // KEY record of a chain for this subject; what later records need to name it.
  key(subject, {wrongContext = false, wrongHash = false, ...more} = {}) {
    const chain = this.seq;
    const context = Buffer.concat([originId(this.origin), id16(subject), u16(more.retention ?? 0), u16(more.period ?? 0), u32(2026), u64(wrongContext ? chain + 1 : chain)]);
    const wraps = Buffer.concat([Buffer.of(2), context, zeros(16), Buffer.of(1, 1), zeros(1 + 8 + 24 + 144)]);
    const wrapSet = wrongHash ? sha256(Buffer.from('another')) : sha256(wraps);
    this.add('KEY', {subject, chain, wrapSet, payload: payloadOf(64, wraps), ...more});
    return {subject, chain, wrapSet};
  }
  sealed(kind, chain, index, fields = {}) { return this.add(kind, {...chain, index, payload: payloadOf(1, Buffer.alloc(80, index)), ...fields}); }
  // Its payload with zeros where the part was.
  shredded(kind, chain, index, fields = {}) {
    const payload = payloadOf(2, Buffer.alloc(80, 7));
    return this.sealed(kind, chain, index, {payload, shredded: {bytes: Buffer.concat([payload.bytes.subarray(0, kEntry), zeros(80)])}, ...fields});
  }
  boot(fields = {}) { ++this.bootName; return this.add('BOOT', fields); }
  request(name) {
    const parent = this.add('REQ', {request: name});
    this.add('DECISION', {request: name, parent, outcome: 1});
    return parent;
  }

  commit({root, count, by = this.current.key} = {}) {
    for (const {leaf, frame: bytes} of this.records) {
      this.tree.add(sha256(Buffer.of(0), leaf));
      this.segments.at(-1).push(bytes);
    }
    const signed = Buffer.concat([u64(this.seq - this.records.length), u32(count ?? this.records.length), u64(this.tree.size), root ?? this.tree.root(),
      this.batch, this.current.hash]);
    const signature = by.sign(Buffer.concat([Buffer.from('portcullis audit batch v2\n'), originId(this.origin), signed]));
    const body = Buffer.concat([signed, signature]);
    this.segments.at(-1).push(frame(3, body));
    this.batch = sha256(body);
    this.records = [];
    return this;
  }

  write(folder, {size = this.tree.size, root = this.tree.root(), days = this.days, byDay = this.current.key} = {}) {
    mkdirSync(join(folder, 'segments'), {recursive: true});
    this.segments.forEach((frames, i) => writeFileSync(join(folder, 'segments', `${String(i).padStart(16, '0')}.seg`), Buffer.concat(frames)));
    writeFileSync(join(folder, 'log.pub'), this.log.verifierKey(this.origin));
    const head = `${this.origin}\n${size}\n${root.toString('base64')}\n`;
    writeFileSync(join(folder, 'checkpoint'), `${head}\n${this.log.line(this.origin, head)}${byDay ? byDay.line(this.origin, head) : ''}`);
    const list = `${this.origin}\nportcullis audit days v2\n${days.map(({day, key}) => `${new Date(day * 86_400_000).toISOString().slice(0, 10)} ${key.public.toString('base64')}\n`).join('')}`;
    writeFileSync(join(folder, 'days'), `${list}\n${this.log.line(this.origin, list)}`);
    return folder;
  }
}
