// A whole log, checked from audit/FORMAT.md alone: segment heads, frames, batches and their signatures,
// leaves, payload hashes, days, checkpoint, cosigned heads, sequence rules. Gives the verdict of
// portcullis-verify and the first bad seq. Reads segment by segment; a folder that is being written is
// not its business.
import {lstatSync, readFileSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {Closure} from './closure.mjs';
import {Contradiction, batchBody, batchSigned, checkPayload, checkWrapSet, endorsed, frameAt, kBatch, kBatchBody, kErased, kLeaf, kRecord, kSegment, kShredded, leaf,
  must, originId, segmentBody, sha256, signedBy, zeros} from './codec.mjs';
import {cosignatures, nodeHash, openCheckpoint, parseNote, parseVerifierKey} from './tlog.mjs';

// Roots of a growing RFC 6962 tree: the perfect subtrees from left to right.
export class Tree {
  size = 0;
  stack = [];
  add(hash) {
    let height = 0;
    for (; (this.size >>> height) & 1; ++height) hash = nodeHash(this.stack.pop(), hash);
    this.stack.push(hash);
    ++this.size;
  }
  root() {
    if (this.size === 0) return sha256();
    return this.stack.reduceRight((right, left) => nodeHash(left, right));
  }
}

const kHour = 3_600_000_000n, kDay = 24n * kHour;  // µs
const dayText = (day) => new Date(day * 86_400_000).toISOString().slice(0, 10);
const dayOf = (text) => Date.parse(`${text}T00:00:00Z`) / 86_400_000;

// Whether a batch hides in these bytes that the day key has signed.
function holdsBatch(bytes, origin, head) {
  for (let at = bytes.indexOf('PCLF'); head && at >= 0; at = bytes.indexOf('PCLF', at + 1)) {
    const frame = frameAt(bytes, at);
    if (frame.torn || frame.type !== kBatch || frame.body.length !== kBatchBody) continue;
    if (batchSigned(batchBody(frame.body), origin, head.key)) return true;
  }
  return false;
}

// The bytes of a file of the log's folder, in which no link is followed.
function ownFile(...path) {
  const name = join(...path);
  must(lstatSync(name).isFile(), `${name} is no regular file`);
  return readFileSync(name);
}

const kMaxFile = 256 * 1024 * 1024;
const finding = (verdict, seq, what) => ({verdict, seq, what});

class Verifier {
  constructor(folder, options) {
    this.folder = folder;
    this.options = options;
    this.tree = new Tree();
    this.roots = new Map();        // size of a signed head → the log's root there
    this.expected = 0;             // next seq
    this.batch = zeros;            // hash of the last batch
    this.days = [];                // {day, key} of the segments
    this.hashes = new Map();       // seq of a receipt → leaf hash of the log's record there
    this.breaches = [];            // of the sequence
    this.wraps = [];               // KEY records whose wrap set is another's
    this.closure = new Closure((breach) => this.breaches.push(breach));
  }

  // In the order of FORMAT.md, VERDICTS.
  run() {
    try {
      this.key = parseVerifierKey(this.options.key ? readFileSync(this.options.key, 'utf8') : ownFile(this.folder, 'log.pub').toString());
      must(this.key.type === 1, 'log.pub is no key of a log');
    } catch (error) {
      return this.result(finding('INCOMPLETE', 0, error.message));
    }
    const kept = (this.options.seen ?? []).flatMap((path) => this.heads(path, readFileSync(path, 'utf8')));  // of another log: wrong usage
    const receipts = (this.options.receipts ?? []).map((text) => this.receipt(text)).sort((a, b) => a.seq - b.seq);  // also
    for (const {seq} of receipts) this.hashes.set(seq, undefined);
    const heads = [];
    let trouble = this.notes(() => this.readHeads(heads));
    heads.push(...kept);
    for (const head of heads) this.roots.set(head.size, head.size === 0 ? this.tree.root() : null);
    const broken = this.segments();
    trouble ??= this.notes(() => this.checkDays());
    this.closure.end();
    const beyond = heads.find((head) => head.size > this.tree.size);
    const other = heads.find((head) => !this.roots.get(head.size)?.equals(head.root));
    return this.result(broken ?? trouble ??
      (beyond && finding('ROLLED-BACK', this.tree.size, `${beyond.name} covers ${beyond.size} records, the log has ${this.tree.size}`)) ??
      (other && finding('FORKED', 0, `${other.name} has another root at ${other.size}`)) ??
      (this.signedByDay ? undefined : finding('TAMPERED', 0, 'the checkpoint is not signed by the key of a day')) ??
      this.lost(receipts) ?? this.breaches[0] ?? this.wraps[0] ?? this.torn);
  }

  notes(check) {
    try {
      check();
    } catch (error) {
      return finding(error.code === 'ENOENT' ? 'INCOMPLETE' : 'TAMPERED', 0, error.message);
    }
    return undefined;
  }

  // The signed heads in a file: notes with an empty line between two, while each has one before its signatures.
  heads(name, text, most = 16) {
    const notes = most === 1 ? [text] : text.split(/(?<=\n)\n(?!\u2014 )/);
    must(notes.length <= most, `${name}: more than ${most} notes`);
    return notes.map((note) => {
      const head = openCheckpoint(note, this.key);
      for (const key of this.options.witnesses ?? []) {
        if (cosignatures(head, key).length > 0) this.witnessed = true;
      }
      return {...head, name};
    });
  }

  readHeads(heads) {
    heads.push(...this.heads('checkpoint', ownFile(this.folder, 'checkpoint').toString(), 1));
    [this.checkpoint] = heads;
    const there = lstatSync(join(this.folder, 'witnessed'), {throwIfNoEntry: false});
    if (there) heads.push(...this.heads('witnessed', ownFile(this.folder, 'witnessed').toString()));
  }

  // The list of days holds the key of every segment; one of them has signed the checkpoint too.
  checkDays() {
    const listed = this.dayList(ownFile(this.folder, 'days').toString());
    const first = listed[0]?.day;
    for (const {day, key} of this.days) {
      const older = listed.length >= 1000 && day < first;
      must(older || listed.some((one) => one.day === day && one.key.equals(key)), `the list of days does not hold the key of ${dayText(day)}`);
    }
    const {signatures, text, size} = this.checkpoint;
    const byDay = listed.flatMap(({key}) => signatures
      .filter((one) => one.name === this.key.name && one.id.equals(sha256(Buffer.from(`${this.key.name}\n\x01`), key).subarray(0, 4)))
      .map((one) => signedBy(key, Buffer.from(text), one.bytes)));
    must(byDay.every(Boolean), 'the checkpoint holds a wrong signature of the key of a day');
    this.signedByDay = size === 0 || byDay.length > 0;
  }

  dayList(note) {
    const {text, signatures} = parseNote(note);
    const own = signatures.filter((one) => one.name === this.key.name && one.id.equals(this.key.id));
    must(own.length > 0 && own.every((one) => signedBy(this.key.key, Buffer.from(text), one.bytes)), 'days: not signed by the log');
    const [origin, title, ...lines] = text.split('\n');
    must(origin === this.key.name && title === 'portcullis audit days v2' && lines.pop() === '', 'days: another text');
    return lines.map((line) => {
      const match = /^(\d{4}-\d{2}-\d{2}) (\S{44})$/.exec(line);
      must(match, 'days: a malformed line');
      return {day: dayOf(match[1]), key: Buffer.from(match[2], 'base64')};
    });
  }

  // Signed by one of the first 64 keys of its day in the list; not, where the list is no good, which is told elsewhere.
  receipt(text) {
    const raw = Buffer.from(text.slice(5), 'base64url');
    if (!text.startsWith('pcr2.') || raw.length !== 108) throw new Error('not a receipt');
    let listed;
    const trouble = this.notes(() => { listed = this.dayList(ownFile(this.folder, 'days').toString()); });
    const message = Buffer.concat([Buffer.from(`portcullis audit receipt v2\n${this.key.name}\n`), raw.subarray(0, 44)]);
    const own = trouble || listed.filter(({day}) => day === raw.readUInt32BE(0)).slice(0, 64).some(({key}) => signedBy(key, message, raw.subarray(44)));
    if (!own) throw new Error('a receipt of another log');
    return {seq: Number(raw.readBigUInt64BE(4)), hash: raw.subarray(12, 44)};
  }

  lost(receipts) {
    const first = receipts.find(({seq, hash}) => !this.hashes.get(seq)?.equals(hash));
    if (!first) return undefined;
    return first.seq < this.tree.size ? finding('TAMPERED', first.seq, `a receipt was given for another record ${first.seq}`)
      : finding('ROLLED-BACK', this.tree.size, `a receipt was given for record ${first.seq}, the log has ${this.tree.size}`);
  }

  // What ended the reading; a torn tail is kept for later.
  segments() {
    const folder = join(this.folder, 'segments');
    try {
      must(!lstatSync(folder, {throwIfNoEntry: false})?.isSymbolicLink(), 'segments is a symbolic link');
      const names = readdirSync(folder).filter((name) => /^\d{16}\.seg$/.test(name)).sort();
      for (const [number, name] of names.entries()) {
        must(Number(name.slice(0, 16)) === number, `segment ${number} is missing`);
        const file = lstatSync(join(folder, name));
        if (!file.isFile()) return finding('INCOMPLETE', this.expected, `${name} is no regular file`);
        must(file.size <= kMaxFile, 'a segment over 256 MiB');
        this.segment(readFileSync(join(folder, name)), number, number + 1 === names.length);
      }
    } catch (error) {
      if (error.code === 'ENOENT') return finding('INCOMPLETE', 0, error.message);
      if (!(error instanceof Contradiction)) throw error;
      return finding('TAMPERED', this.bad ?? this.expected, error.message);
    }
    return undefined;
  }

  // A batch is good by its own signature or by that of the next one, which holds its hash.
  segment(bytes, number, isLast) {
    this.unsigned = undefined;  // first seq of the batches that nothing signed vouches for yet
    let breach;
    try {
      this.frames(bytes, number, isLast);
    } catch (error) {
      if (!(error instanceof Contradiction) || this.unsigned === undefined) throw error;
      breach = error;
    }
    if (this.unsigned === undefined) return;
    this.bad = this.unsigned;
    throw new Contradiction(`a batch that the day key has not signed${breach ? `, then ${breach.message}` : ''}`);
  }

  frames(bytes, number, isLast) {
    this.bad = undefined;
    let head;
    let waiting = [];
    for (let offset = 0; offset < bytes.length || !head; this.bad = undefined) {
      const frame = frameAt(bytes, offset);
      const misplaced = !frame.torn && (frame.type === kSegment) !== (offset === 0);
      this.bad = this.expected + waiting.length;
      if (frame.torn || misplaced) {
        const what = frame.torn ?? 'a segment head elsewhere than first';
        must(isLast && !holdsBatch(bytes.subarray(offset), this.key.name, head), what);
        this.torn = finding('INCOMPLETE', this.bad, `a torn tail: ${what}`);
        return;
      }
      offset = frame.end;
      if (frame.type === kRecord || frame.type === kErased || frame.type === kShredded) {
        waiting.push(this.read(frame, head, this.bad));
        continue;
      }
      this.bad = this.expected;
      if (frame.type === kSegment) {
        head = this.begin(segmentBody(frame.body), number);
      } else {
        this.commit(batchBody(frame.body), waiting, head);
        waiting = [];
      }
    }
    if (waiting.length > 0) {
      must(isLast, 'records without a batch');
      this.torn = finding('INCOMPLETE', this.expected, 'a torn tail: records without a batch');
    }
  }

  begin(head, number) {
    must(head.number === BigInt(number), 'a segment under another number');
    must(head.origin === this.key.name, 'a segment of another log');
    must(endorsed(head, this.key.key), 'a day key that the log key has not endorsed');
    must(head.firstSeq === this.expected, 'a segment that does not go on where the last one ended');
    must(head.previous.equals(this.batch), 'a segment that does not follow the batch before');
    this.days.push({day: head.day, key: head.key});
    return head;
  }

  read(frame, head, seq) {
    must(frame.body.length >= kLeaf, 'a record that is too short');
    const record = leaf(frame.body.subarray(0, kLeaf));
    must(record.seq === seq, `seq ${record.seq} where ${seq} belongs`);
    must(record.origin.equals(originId(this.key.name)), 'a record of another log');
    const begin = BigInt(head.day) * kDay;
    must(record.wall + kHour >= begin && record.wall <= begin + kDay + kHour, 'a record of another day than its segment');
    const isErased = frame.type === kErased;
    if (isErased) must(frame.body.length === kLeaf && record.parts > 0, 'an erased frame that is none');
    const shredded = isErased ? [] : checkPayload(record, frame.body.subarray(kLeaf), frame.type === kShredded);
    const wrapSet = record.kind === 'KEY' && !isErased ? frame.body.subarray(kLeaf) : undefined;
    return {record, isErased, shredded, wrapSet};
  }

  commit(batch, waiting, head) {
    this.bad = this.expected;
    if (!batchSigned(batch, this.key.name, head.key)) this.unsigned ??= this.expected;
    else if (batch.previous.equals(this.batch)) this.unsigned = undefined;
    must(batch.count >= 1 && batch.count === waiting.length && batch.firstSeq === this.expected, 'a batch of other records');
    must(batch.size === this.expected + batch.count, 'a batch with a wrong tree size');
    must(batch.previous.equals(this.batch), 'a batch that does not follow the one before');
    must(batch.segment.equals(head.hash), 'a batch of another segment');
    for (const {record} of waiting) {
      this.tree.add(record.hash);
      if (this.hashes.has(record.seq)) this.hashes.set(record.seq, record.hash);
      if (this.roots.has(this.tree.size)) this.roots.set(this.tree.size, this.tree.root());
    }
    must(batch.root.equals(this.tree.root()), 'a batch with another root');
    for (const {record, isErased, shredded, wrapSet} of waiting) {
      this.closure.record(record, isErased, shredded);
      if (wrapSet) this.wraps.push(...this.wrapBreach(record, wrapSet));
    }
    this.expected += batch.count;
    this.batch = batch.hash;
  }

  wrapBreach(record, payload) {
    try {
      checkWrapSet(record, payload);
      return [];
    } catch (error) {
      return [finding('TAMPERED', record.seq, error.message)];
    }
  }

  result(bad) {
    const good = this.closure.recoveries > 0 ? 'VALID-WITH-RECOVERY' : this.witnessed ? 'VALID-WITNESSED' : 'VALID-SELF-ATTESTED';
    return {
      verdict: bad?.verdict ?? good, exit: bad ? 3 : 0, first_bad_seq: bad?.seq ?? null, reason: bad?.what ?? '',
      records: this.tree.size, recoveries: this.closure.recoveries, open_requests: this.closure.open,
    };
  }
}

// options: key (path), witnesses (parsed keys), seen (paths of kept checkpoints), receipts (texts).
export const verifyLog = (folder, options = {}) => new Verifier(folder, options).run();
