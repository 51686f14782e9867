// The socket of portcullis-auditd from audit/FORMAT.md, PROTOCOL: appends and status, as the gateway uses
// it. For tests that need logs with real requests, decisions and ends in them.
import {randomBytes} from 'node:crypto';
import {createConnection} from 'node:net';
import {once} from 'node:events';

const u8 = (value) => Buffer.of(value);
const u16 = (value) => { const out = Buffer.alloc(2); out.writeUInt16BE(value); return out; };
const u32 = (value) => { const out = Buffer.alloc(4); out.writeUInt32BE(value); return out; };
const u64 = (value) => { const out = Buffer.alloc(8); out.writeBigUInt64BE(BigInt(value)); return out; };
const text16 = (text) => Buffer.concat([u16(Buffer.byteLength(text)), Buffer.from(text)]);
export const kFirst = 0xffffffffffffffffn;  // as a parent: the append's first event
export const kind = {REQ: 1, DECISION: 2, RESP: 3, ABORT: 4, ADMIN: 5, CONFIG: 6, AUDIT_READ: 9, ABUSE: 17, SIEGE: 18};

const encode = (event) => Buffer.concat([
  u8(event.kind), event.request ?? Buffer.alloc(16), u64(event.parent ?? 0), Buffer.alloc(32, 1), Buffer.alloc(32, 2), u16(event.outcome ?? 0),
  u16(event.retention ?? 0), text16(event.jurisdiction ?? ''), text16(event.subject ?? 'gateway'), text16(event.tenant ?? ''),
  u8(event.tags?.length ?? 0), ...(event.tags ?? []).map(text16),
  u8(event.parts?.length ?? 0), ...(event.parts ?? []).flatMap(([type, content]) => [u8(type), u32(Buffer.byteLength(content)), Buffer.from(content)]),
]);

export class Appender {
  static async open(path) {
    const self = new Appender();
    self.socket = createConnection(path);
    self.waiting = new Map();
    self.next = 1n;
    self.buffer = Buffer.alloc(0);
    self.socket.on('data', (data) => self.take(data));
    self.socket.on('close', () => { for (const {reject} of self.waiting.values()) reject(new Error('auditd is gone')); });
    await once(self.socket, 'connect');
    self.socket.on('error', () => {});
    return self;
  }

  take(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    while (this.buffer.length >= 16 && this.buffer.length >= this.buffer.readUInt32BE(0)) {
      const frame = this.buffer.subarray(0, this.buffer.readUInt32BE(0));
      this.buffer = this.buffer.subarray(frame.length);
      const id = frame.readBigUInt64BE(8);
      this.waiting.get(id)?.resolve(frame);
      this.waiting.delete(id);
    }
  }

  // {durable, error, seqs, receipt} of one atomic group.
  async append(...events) {
    const body = Buffer.concat([u8(events.length), ...events.map(encode)]);
    const id = this.next++;
    const reply = new Promise((resolve, reject) => this.waiting.set(id, {resolve, reject}));
    this.socket.write(Buffer.concat([u32(16 + body.length), Buffer.of(2, 1, 0, 0), u64(id), body]));
    const frame = await reply;
    const length = frame.readUInt16BE(21);
    const error = frame.toString('utf8', 23, 23 + length);
    const seqs = [];
    let at = 24 + length;
    for (let i = 0; i < frame[23 + length]; ++i, at += 40) seqs.push(Number(frame.readBigUInt64BE(at)));
    return {durable: frame[16] === 1, error, seqs, receipt: frame.toString('utf8', at + 2, at + 2 + frame.readUInt16BE(at))};
  }

  // A whole request: REQ and DECISION together, then its end, unless `leaveOpen`.
  async request(subject, prompt, {leaveOpen = false, abort = false, refused = false, ...more} = {}) {
    const request = randomBytes(16);
    const own = {request, subject, ...more};
    const begin = [{...own, kind: kind.REQ, tenant: 'tests', tags: [`user:${subject}`], parts: [[1, '{}'], [2, prompt]]},
                   {...own, kind: kind.DECISION, parent: kFirst, outcome: refused ? 2 : 1, parts: [[6, '{}']]}];
    if (refused) return this.append(...begin, {...own, kind: kind.ABORT, parent: kFirst, outcome: 403, parts: [[1, '{}']]});
    const ack = await this.append(...begin);
    if (!ack.durable || leaveOpen) return ack;
    return this.append(abort ? {...own, kind: kind.ABORT, parent: ack.seqs[0], outcome: 499} :
      {...own, kind: kind.RESP, parent: ack.seqs[0], outcome: 200, parts: [[1, '{}'], [3, `answer to ${prompt}`]]});
  }

  close() { this.socket.destroy(); }
}
