// The rules about sequences of records (audit/FORMAT.md, CLOSURE and CHAINS): boots, clocks, heartbeats,
// requests and their ends, key chains, holds and erasures. One pass, in order of seq. Every broken rule is
// reported as {verdict, seq, what}; nothing is thrown. Written from FORMAT.md alone.

const kJump = 2_000_000n;  // µs
const kEverybody = 'everybody';
const kFirstYear = 1970;  // from here on, the outcome of an ERASE is a year whose tag key is destroyed
const kShred = 16;  // the outcome of an ERASE of one part: this and the part's type

export class Closure {
  constructor(report) {
    this.report = (verdict, seq, what) => report({verdict, seq, what});
    this.boots = new Set();
    this.requests = new Map();  // seq of a REQ → {id, boot, open, decided, ended}
    this.chains = new Map();    // seq of a KEY → its leaf and the last index
    this.holds = new Map();     // subject tag → how many
    this.erased = [];           // leaves whose payload is gone
    this.shredded = [];         // {leaf, type} of parts that are zeros
    this.erasures = [];         // ERASE records
    this.open = 0;
    this.recoveries = 0;
  }

  record(leaf, isErased, shredded) {
    this.boot(leaf);
    this.clock(leaf);
    this.counter(leaf);
    this.request(leaf);
    if (leaf.parts > 0) this.chain(leaf);
    if (isErased) this.erased.push(leaf);
    for (const type of shredded) this.shredded.push({leaf, type});
    this.act(leaf);
    if (leaf.kind === 'RECOVERY') ++this.recoveries;
    this.last = leaf;
  }

  boot(leaf) {
    if (leaf.boot !== this.current) {
      if (leaf.kind !== 'BOOT') this.report('TAMPERED', leaf.seq, 'a boot does not begin with BOOT');
      if (this.boots.has(leaf.boot)) this.report('TAMPERED', leaf.seq, 'a boot goes on after another one');
      this.boots.add(leaf.boot);
      this.current = leaf.boot;
      this.stopped = false;
      this.last = undefined;
    } else {
      if (leaf.kind === 'BOOT') this.report('TAMPERED', leaf.seq, 'a second BOOT');
      if (this.stopped) this.report('TAMPERED', leaf.seq, 'a record after STOP');
    }
    if (leaf.kind === 'STOP') {
      this.stopped = true;
      for (const [seq, request] of this.requests) {
        if (request.open) this.report('INCOMPLETE', seq, 'a request without an end at STOP');
      }
    }
  }

  clock(leaf) {
    if (this.last) {
      if (leaf.monotonic < this.last.monotonic) this.report('TAMPERED', leaf.seq, 'CLOCK_BOOTTIME goes back');
      const change = (leaf.wall - leaf.monotonic) - (this.last.wall - this.last.monotonic);
      if ((change > kJump || change < -kJump) && leaf.kind !== 'CLOCK') this.report('INCOMPLETE', leaf.seq, 'the clock was set without a CLOCK record');
    }
    if (this.last && this.interval > 0 && leaf.monotonic > this.beat + BigInt(2 * this.interval + 5) * 1_000_000n) {
      this.report('INCOMPLETE', leaf.seq, 'a heartbeat is missing');
    }
    if (!this.last) this.interval = leaf.outcome;
    if (!this.last || leaf.kind === 'HEARTBEAT') this.beat = leaf.monotonic;
  }

  counter(leaf) {
    if (leaf.kind !== 'BOOT' && leaf.kind !== 'HEARTBEAT') return;
    const wrong = (what) => this.report('TAMPERED', leaf.seq, what);
    const none = /^0+$/, state = leaf.request.slice(0, 16), value = BigInt(`0x${leaf.request.slice(16)}`);
    const named = !none.test(leaf.model);
    if (leaf.kind === 'BOOT') this.bootCounter = leaf.model;
    if (named ? !/^0[01]0{14}$/.test(state) : !none.test(leaf.request)) return wrong('what is said of the hardware counter has no meaning');
    const before = this.hardware;
    if (leaf.model !== (this.bootCounter ?? '0'.repeat(64)) || (before && before.name !== leaf.model)) return wrong('another hardware counter, or none');
    if (before && (value < before.value || (leaf.kind === 'BOOT' && value === before.value))) return wrong('the hardware counter does not go on');
    if (named) this.hardware = {name: leaf.model, value, answers: none.test(state), seq: leaf.seq};
  }

  request(leaf) {
    if (leaf.kind === 'REQ') {
      ++this.open;
      this.requests.set(leaf.seq, {id: leaf.request, boot: leaf.boot, open: true, decided: false, ended: ''});
      return;
    }
    if (!['DECISION', 'RESP', 'ABORT'].includes(leaf.kind)) return;
    const request = this.requests.get(leaf.parent);
    if (!request || request.id !== leaf.request) {
      this.report('TAMPERED', leaf.seq, `${leaf.kind} without its REQ`);
      return;
    }
    const late = leaf.kind === 'RESP' && request.ended === 'ABORT' && request.boot === leaf.boot;
    if (!request.open && !late) this.report('TAMPERED', leaf.seq, `${leaf.kind} of a request that has ended`);
    if (leaf.kind === 'DECISION') { request.decided = true; return; }
    if (leaf.kind === 'RESP' && leaf.outcome < 400 && !late && !request.decided) this.report('INCOMPLETE', leaf.seq, 'RESP without a DECISION');
    if (request.open) --this.open;
    request.open = false;
    request.ended = leaf.kind;
  }

  chain(leaf) {
    if (leaf.kind === 'KEY') {
      if (leaf.chain !== leaf.seq) this.report('TAMPERED', leaf.seq, 'a KEY record of another chain');
      this.chains.set(leaf.seq, {key: leaf, index: -1});
      return;
    }
    const chain = this.chains.get(leaf.chain);
    const key = chain?.key;
    if (!key || key.boot !== leaf.boot || key.subject !== leaf.subject || key.epoch !== leaf.epoch || key.wrapSet !== leaf.wrapSet) {
      this.report('TAMPERED', leaf.seq, 'a record sealed under no KEY record of its boot and subject');
      return;
    }
    if (leaf.index <= chain.index) this.report('TAMPERED', leaf.seq, 'an index of a chain is used again');
    chain.index = leaf.index;
  }

  act(leaf) {
    if (leaf.kind === 'HOLD') {
      const about = leaf.tags.length > 0 ? leaf.tags : [kEverybody];
      for (const tag of about) this.holds.set(tag, Math.max(0, (this.holds.get(tag) ?? 0) + (leaf.outcome === 1 ? 1 : -1)));
    }
    const anybody = [...this.holds.values()].some((count) => count > 0);
    if (leaf.kind === 'ERASE' && leaf.outcome >= kFirstYear && anybody) this.report('TAMPERED', leaf.seq, 'a tag key is destroyed in spite of a hold');
    const ofPart = leaf.outcome > kShred && leaf.outcome <= kShred + 6;
    if (leaf.kind !== 'ERASE' || (leaf.outcome !== 1 && leaf.outcome !== 4 && !ofPart)) return;
    const held = (tag) => this.holds.get(tag) > 0;
    if (held(kEverybody) || (leaf.outcome !== 4 && leaf.tags.some(held))) this.report('TAMPERED', leaf.seq, 'an erasure in spite of a hold');
    this.erasures.push({...leaf, held: new Set([...this.holds.keys()].filter(held))});
  }

  end() {
    const later = (leaf, tells) => this.erasures.some((erase) => erase.seq > leaf.seq && tells(erase));
    const silent = this.erased.filter((leaf) => !later(leaf, (erase) => (erase.outcome === 1 && erase.tags.includes(leaf.subject)) ||
      (erase.outcome === 4 && erase.retention === leaf.retention && erase.period === leaf.period && !erase.held.has(leaf.subject))));
    for (const {leaf, type} of this.shredded) {
      const told = later(leaf, (erase) => erase.outcome === kShred + type && erase.parent === leaf.seq && erase.tags.includes(leaf.subject));
      if (!told) silent.push(leaf);
    }
    silent.sort((a, b) => a.seq - b.seq);
    for (const leaf of silent) this.report('INCOMPLETE', leaf.seq, 'content is gone and no ERASE tells of it');
  }
}
