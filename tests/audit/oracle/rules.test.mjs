// The rules of audit/FORMAT.md one by one, on logs that are signed by the right keys and break exactly one
// of them. Each case states verdict and first bad seq; portcullis-verify and verifier.mjs must both say so.
import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after} from 'node:test';
import {Forge, Key, payloadOf} from './forge.mjs';
import {skip, verifyByProgram} from './logs.mjs';
import {verifyLog} from './verifier.mjs';

const dir = mkdtempSync(join(tmpdir(), 'portcullis-rules-'));
after(() => rmSync(dir, {recursive: true, force: true}));
let number = 0;

// `make` writes into the forge and may return options of write().
function rule(name, expected, make) {
  test(name, {skip}, () => {
    const forge = new Forge();
    const options = make(forge);
    if (forge.records.length > 0) forge.commit();
    const folder = forge.write(join(dir, String(++number)), options instanceof Object && !(options instanceof Forge) ? options : {});
    const [verdict, seq = null] = expected;
    const essence = (report) => ({verdict: report.verdict, first_bad_seq: report.first_bad_seq ?? null});
    const program = verifyByProgram(folder), oracle = verifyLog(folder);
    assert.deepEqual(essence(oracle), {verdict, first_bad_seq: seq}, `the oracle: ${oracle.reason}`);
    assert.deepEqual(essence(program), {verdict, first_bad_seq: seq}, `portcullis-verify: ${program.reason}`);
  });
}
const begun = (forge, fields) => { forge.segment().boot(fields); return forge; };
const valid = ['VALID-SELF-ATTESTED'];

rule('a whole day in one boot', valid, (forge) => {
  begun(forge);
  forge.add('RESP', {request: 'a', parent: forge.request('a'), outcome: 200});
  forge.add('STOP');
});
rule('two days, two boots, an ABORT of the boot before', valid, (forge) => {
  const open = begun(forge).request('a');
  forge.commit();
  ++forge.day;
  forge.segment().boot();
  forge.add('ABORT', {request: 'a', parent: open});
  forge.add('STOP');
});
rule('RECOVERY is told', ['VALID-WITH-RECOVERY'], (forge) => { begun(forge).add('RECOVERY'); });
rule('a log without records', valid, (forge) => ({size: 0, byDay: null, days: [], ...(forge.segment(), forge.segments.pop(), {})}));

rule('a boot that does not begin with BOOT', ['TAMPERED', 0], (forge) => { forge.segment().add('ADMIN'); });
rule('a second BOOT in a boot', ['TAMPERED', 1], (forge) => { begun(forge).add('BOOT'); });
rule('a boot that goes on after another', ['TAMPERED', 2], (forge) => { begun(forge).boot(); forge.add('BOOT', {boot: 1}); });
rule('a record after STOP', ['TAMPERED', 2], (forge) => { begun(forge).add('STOP'); forge.add('ADMIN'); });
rule('CLOCK_BOOTTIME that goes back', ['TAMPERED', 2], (forge) => { begun(forge).add('ADMIN'); forge.add('ADMIN', {monotonic: forge.now - 5000n, wall: forge.wall() - 5000n}); });
rule('a clock set in silence', ['INCOMPLETE', 1], (forge) => { begun(forge).add('ADMIN', {wall: forge.wall() + 3_000_000n}); });
rule('a clock set, and told', valid, (forge) => { begun(forge).add('CLOCK', {wall: forge.wall() + 3_000_000n}); });
rule('a missing heartbeat', ['INCOMPLETE', 2], (forge) => {
  begun(forge, {outcome: 10}).add('ADMIN');
  forge.now += 26_000_000n;
  forge.add('HEARTBEAT', {outcome: 10});
});
rule('heartbeats that come', valid, (forge) => {
  begun(forge, {outcome: 10});
  for (let i = 0; i < 3; ++i) { forge.now += 24_000_000n; forge.add('HEARTBEAT', {outcome: 10}); }
});
const counter = (value, more) => ({counter: {name: 'a TPM', value, ...more}});
rule('a hardware counter that goes on', valid, (forge) => {
  begun(forge, counter(7));
  forge.add('HEARTBEAT', counter(7, {state: 1n << 56n}));
  forge.add('HEARTBEAT', counter(8));
  forge.boot(counter(9));
});
rule('a hardware counter from the second boot on', valid, (forge) => { begun(forge).add('HEARTBEAT'); forge.boot(counter(7)); });
rule('a boot at the value of the one before', ['TAMPERED', 1], (forge) => { begun(forge, counter(7)); forge.boot(counter(7)); });
rule('a boot below the last heartbeat', ['TAMPERED', 2], (forge) => { begun(forge, counter(7)).add('HEARTBEAT', counter(9)); forge.boot(counter(8)); });
rule('a heartbeat below its boot', ['TAMPERED', 1], (forge) => { begun(forge, counter(7)).add('HEARTBEAT', counter(6)); });
rule('a boot without the counter of the log', ['TAMPERED', 1], (forge) => { begun(forge, counter(7)); forge.boot(); });
rule('another counter', ['TAMPERED', 1], (forge) => { begun(forge, counter(7)); forge.boot(counter(8, {name: 'another TPM'})); });
rule('a heartbeat without the counter of its boot', ['TAMPERED', 1], (forge) => { begun(forge, counter(7)).add('HEARTBEAT'); });
rule('a heartbeat with a counter that its boot has not', ['TAMPERED', 1], (forge) => { begun(forge).add('HEARTBEAT', counter(7)); });
rule('a value of no counter', ['TAMPERED', 0], (forge) => { begun(forge, {counter: {value: 7}}); });
rule('an unknown state of the counter', ['TAMPERED', 0], (forge) => { begun(forge, counter(7, {state: 2n})); });
rule('a request without an end at STOP', ['INCOMPLETE', 1], (forge) => { begun(forge).request('a'); forge.add('STOP'); });
rule('a request without an end at a STOP before the last', ['INCOMPLETE', 1], (forge) => {
  const open = begun(forge).request('a');
  forge.add('STOP');
  forge.boot();
  forge.add('ABORT', {request: 'a', parent: open});
  forge.add('STOP');
});
rule('an open request while the log runs', valid, (forge) => { begun(forge).request('a'); });
rule('RESP without a REQ', ['TAMPERED', 1], (forge) => { begun(forge).add('RESP', {request: 'a', parent: 0, outcome: 200}); });
rule('RESP of another request', ['TAMPERED', 3], (forge) => { const parent = begun(forge).request('a'); forge.add('RESP', {request: 'b', parent, outcome: 200}); });
rule('RESP without a DECISION', ['INCOMPLETE', 2], (forge) => { const parent = begun(forge).add('REQ', {request: 'a'}); forge.add('RESP', {request: 'a', parent, outcome: 200}); });
rule('a refusal without a DECISION', valid, (forge) => { const parent = begun(forge).add('REQ', {request: 'a'}); forge.add('RESP', {request: 'a', parent, outcome: 429}); });
rule('two RESP', ['TAMPERED', 4], (forge) => { const parent = begun(forge).request('a'); for (let i = 0; i < 2; ++i) forge.add('RESP', {request: 'a', parent, outcome: 200}); });
rule('RESP after ABORT in the same boot', valid, (forge) => { const parent = begun(forge).request('a'); forge.add('ABORT', {request: 'a', parent}); forge.add('RESP', {request: 'a', parent, outcome: 200}); });
rule('RESP after ABORT in another boot', ['TAMPERED', 5], (forge) => { const parent = begun(forge).request('a'); forge.add('ABORT', {request: 'a', parent}); forge.boot(); forge.add('RESP', {request: 'a', parent, outcome: 200}); });
rule('DECISION after the end', ['TAMPERED', 4], (forge) => { const parent = begun(forge).request('a'); forge.add('ABORT', {request: 'a', parent}); forge.add('DECISION', {request: 'a', parent}); });

rule('records under their KEY record', valid, (forge) => { const chain = begun(forge).key('alice'); forge.sealed('ADMIN', chain, 0); forge.sealed('ADMIN', chain, 3); });
rule('an index used twice', ['TAMPERED', 3], (forge) => { const chain = begun(forge).key('alice'); forge.sealed('ADMIN', chain, 4); forge.sealed('ADMIN', chain, 4); });
rule('a record under a KEY record of another subject', ['TAMPERED', 2], (forge) => { const chain = begun(forge).key('alice'); forge.sealed('ADMIN', chain, 0, {subject: 'bob'}); });
rule('a record under a KEY record of another boot', ['TAMPERED', 3], (forge) => { const chain = begun(forge).key('alice'); forge.boot(); forge.sealed('ADMIN', chain, 0); });
rule('a record under another wrap set', ['TAMPERED', 2], (forge) => { const chain = begun(forge).key('alice'); forge.sealed('ADMIN', chain, 0, {wrapSet: Buffer.alloc(32, 9)}); });
rule('a KEY record of another chain', ['TAMPERED', 1], (forge) => { begun(forge).key('alice', {chain: 7}); });
rule('a wrap set that is not the leaf\'s', ['TAMPERED', 1], (forge) => { begun(forge).key('alice', {wrongHash: true}); });
rule('a wrap set of another chain', ['TAMPERED', 1], (forge) => { begun(forge).key('alice', {wrongContext: true}); });
rule('a wrap set outside a KEY record', ['TAMPERED', 2], (forge) => { const chain = begun(forge).key('alice'); forge.sealed('ADMIN', chain, 0, {payload: payloadOf(64, Buffer.alloc(80))}); });
rule('a pad class that is not the parts\'', ['TAMPERED', 2], (forge) => { const chain = begun(forge).key('alice'); forge.sealed('ADMIN', chain, 0, {padClass: 9}); });
rule('a part of an unknown type', ['TAMPERED', 2], (forge) => { const chain = begun(forge).key('alice'); forge.sealed('ADMIN', chain, 0, {payload: payloadOf(7, Buffer.alloc(80))}); });
rule('a part stored in an unknown way', ['TAMPERED', 2], (forge) => { const chain = begun(forge).key('alice'); forge.sealed('ADMIN', chain, 0, {payload: payloadOf(1, Buffer.alloc(80), {way: 3})}); });
rule('a ct_hash of another part table', ['TAMPERED', 2], (forge) => { const chain = begun(forge).key('alice'); forge.sealed('ADMIN', chain, 0, {ctHash: Buffer.alloc(32, 1)}); });
rule('a tag that is not counted', ['TAMPERED', 1], (forge) => { begun(forge).add('ADMIN', {tags: ['a', 'b'], counted: 1}); });
rule('an unknown clock state', ['TAMPERED', 1], (forge) => { begun(forge).add('ADMIN', {clock: 3}); });
rule('a seq left out', ['TAMPERED', 1], (forge) => { ++begun(forge).seq; forge.add('ADMIN'); });

const erasedOf = (forge, subject, fields) => {
  const chain = begun(forge).key(subject, fields);
  forge.sealed('ADMIN', chain, 0, {erased: true, ...fields});
  return chain;
};
rule('content gone, and an ERASE that names its subject', valid, (forge) => { erasedOf(forge, 'alice'); forge.add('ERASE', {outcome: 1, tags: ['alice']}); forge.add('ERASE', {outcome: 2, tags: ['alice']}); });
rule('content gone in silence', ['INCOMPLETE', 2], (forge) => { erasedOf(forge, 'alice'); forge.add('ADMIN'); });
rule('content gone, and an ERASE of somebody else', ['INCOMPLETE', 2], (forge) => { erasedOf(forge, 'alice'); forge.add('ERASE', {outcome: 1, tags: ['bob']}); });
rule('content gone after the ERASE', ['INCOMPLETE', 4], (forge) => {
  const chain = erasedOf(forge, 'alice');
  forge.add('ERASE', {outcome: 1, tags: ['alice']});
  forge.sealed('ADMIN', chain, 1, {erased: true});
});
rule('content expired', valid, (forge) => { erasedOf(forge, 'alice', {retention: 30, period: 2930}); forge.add('ERASE', {outcome: 4, retention: 30, period: 2930}); });
rule('content gone, and another class expired', ['INCOMPLETE', 2], (forge) => { erasedOf(forge, 'alice', {retention: 30, period: 2930}); forge.add('ERASE', {outcome: 4, retention: 90, period: 2930}); });
const expiry = {outcome: 4, retention: 30, period: 2930};
rule('content of a held subject expired', ['INCOMPLETE', 2], (forge) => {
  erasedOf(forge, 'alice', {retention: 30, period: 2930});
  forge.add('HOLD', {outcome: 1, tags: ['alice']});
  forge.add('ERASE', expiry);
});
rule('an expiry under a hold after one without', ['INCOMPLETE', 3], (forge) => {
  const chain = begun(forge).key('alice', {retention: 30, period: 2930});
  forge.add('ERASE', expiry);
  forge.sealed('ADMIN', chain, 0, {erased: true, retention: 30, period: 2930});
  forge.add('HOLD', {outcome: 1, tags: ['alice']});
  forge.add('ERASE', expiry);
});
rule('an expiry between two holds', valid, (forge) => {
  erasedOf(forge, 'alice', {retention: 30, period: 2930});
  for (const outcome of [1, 2]) forge.add('HOLD', {outcome, tags: ['alice']});
  forge.add('ERASE', expiry);
  forge.add('HOLD', {outcome: 1, tags: ['alice']});
  forge.add('ERASE', expiry);
});
const shreddedOf = (forge, fields) => { const chain = begun(forge).key('alice'); return forge.shredded('ADMIN', chain, 0, fields); };
rule('a part gone, and an ERASE of that part', valid, (forge) => { const parent = shreddedOf(forge); forge.add('ERASE', {outcome: 18, parent, tags: ['alice']}); });
rule('a part gone in silence', ['INCOMPLETE', 2], (forge) => { shreddedOf(forge); });
rule('a part gone, and an ERASE of another part', ['INCOMPLETE', 2], (forge) => { const parent = shreddedOf(forge); forge.add('ERASE', {outcome: 19, parent, tags: ['alice']}); });
rule('a part gone, and an ERASE of that part of another record', ['INCOMPLETE', 2], (forge) => { shreddedOf(forge); forge.add('ERASE', {outcome: 18, parent: 1, tags: ['alice']}); });
rule('a part gone, and an ERASE for somebody else', ['INCOMPLETE', 2], (forge) => { const parent = shreddedOf(forge); forge.add('ERASE', {outcome: 18, parent, tags: ['bob']}); });
rule('a part gone, and an erasure of all of its subject', ['INCOMPLETE', 2], (forge) => { shreddedOf(forge); forge.add('ERASE', {outcome: 1, tags: ['alice']}); });
rule('a part gone after the ERASE', ['INCOMPLETE', 3], (forge) => {
  const chain = begun(forge).key('alice');
  forge.add('ERASE', {outcome: 18, parent: 3, tags: ['alice']});
  forge.shredded('ADMIN', chain, 0);
});
rule('a part of other bytes than zeros in a SHREDDED frame', ['TAMPERED', 2], (forge) => {
  const payload = payloadOf(2, Buffer.alloc(80, 7)), bytes = Buffer.from(payload.bytes);
  bytes[bytes.length - 1] ^= 1;
  shreddedOf(forge, {payload, shredded: {bytes}});
});
rule('a SHREDDED frame of a whole record', ['TAMPERED', 2], (forge) => { const payload = payloadOf(2, Buffer.alloc(80, 7)); shreddedOf(forge, {payload, shredded: payload}); });
rule('zeros in a RECORD frame', ['TAMPERED', 2], (forge) => {
  const chain = begun(forge).key('alice'), payload = payloadOf(2, Buffer.alloc(80, 7));
  payload.bytes.fill(0, payload.bytes.length - 80);
  forge.sealed('ADMIN', chain, 0, {payload});
});
rule('a part shredded in spite of a hold', ['TAMPERED', 3], (forge) => {
  const parent = begun(forge).add('ADMIN');
  forge.add('HOLD', {outcome: 1, tags: ['alice']});
  forge.add('ERASE', {outcome: 18, parent, tags: ['alice']});
});
rule('a part shredded under a hold on everybody', ['TAMPERED', 2], (forge) => {
  begun(forge).add('HOLD', {outcome: 1});
  forge.add('ERASE', {outcome: 18, parent: 0, tags: ['alice']});
});
rule('an erasure in spite of a hold', ['TAMPERED', 2], (forge) => { begun(forge).add('HOLD', {outcome: 1, tags: ['alice']}); forge.add('ERASE', {outcome: 1, tags: ['alice']}); });
rule('a tag key is destroyed', valid, (forge) => {
  begun(forge);
  for (const outcome of [1, 2]) forge.add('HOLD', {outcome, tags: ['alice']});
  forge.add('ERASE', {outcome: 2024});
});
rule('a tag key is destroyed under a hold on somebody', ['TAMPERED', 2], (forge) => { begun(forge).add('HOLD', {outcome: 1, tags: ['alice']}); forge.add('ERASE', {outcome: 2024}); });
rule('a tag key is destroyed under a hold on everybody', ['TAMPERED', 2], (forge) => { begun(forge).add('HOLD', {outcome: 1}); forge.add('ERASE', {outcome: 1970}); });
rule('an erasure after the hold was lifted', valid, (forge) => {
  begun(forge);
  for (const outcome of [1, 1, 2, 2]) forge.add('HOLD', {outcome, tags: ['alice']});
  forge.add('ERASE', {outcome: 1, tags: ['alice']});
});
rule('an erasure under one of two holds', ['TAMPERED', 4], (forge) => {
  begun(forge);
  for (const outcome of [1, 1, 2]) forge.add('HOLD', {outcome, tags: ['alice']});
  forge.add('ERASE', {outcome: 1, tags: ['alice']});
});
rule('a lift of nothing gives nothing away', ['TAMPERED', 3], (forge) => {
  begun(forge);
  for (const outcome of [2, 1]) forge.add('HOLD', {outcome, tags: ['alice']});
  forge.add('ERASE', {outcome: 1, tags: ['alice']});
});
rule('an erasure under a hold on everybody', ['TAMPERED', 2], (forge) => { begun(forge).add('HOLD', {outcome: 1}); forge.add('ERASE', {outcome: 4, retention: 30}); });

rule('a batch by another key that a signed one vouches for', valid, (forge) => {
  begun(forge).commit();
  forge.add('ADMIN');
  forge.commit({by: new Key()});
  forge.add('ADMIN');
  forge.commit();
});
rule('two batches by another key', ['TAMPERED', 1], (forge) => {
  begun(forge).commit();
  for (const by of [new Key(), new Key()]) {
    forge.add('ADMIN');
    forge.commit({by});
  }
});
rule('a batch by another key at the end of a segment', ['TAMPERED', 1], (forge) => {
  begun(forge).commit();
  forge.add('ADMIN');
  forge.commit({by: new Key()});
  forge.segment().add('ADMIN');
});
rule('a batch by another key', ['TAMPERED', 1], (forge) => { begun(forge).commit(); forge.add('ADMIN'); forge.commit({by: new Key()}); });
rule('a batch with another root', ['TAMPERED', 1], (forge) => { begun(forge).commit(); forge.add('ADMIN'); forge.commit({root: Buffer.alloc(32, 5)}); });
rule('a batch with another count', ['TAMPERED', 1], (forge) => { begun(forge).commit(); forge.add('ADMIN'); forge.commit({count: 2}); });
rule('a day key that the log key did not endorse', ['TAMPERED', 1], (forge) => { begun(forge).commit(); forge.segment({endorse: new Key()}).add('ADMIN'); });
rule('a record of another day', ['TAMPERED', 1], (forge) => { begun(forge).add('ADMIN', {wall: forge.wall() + 86_400_000_000n}); });
rule('a day key that is not listed', ['TAMPERED', 0], (forge) => { begun(forge); return {days: []}; });
rule('a checkpoint without the day key', ['TAMPERED', 0], (forge) => { begun(forge); return {byDay: null}; });
rule('a checkpoint by another day key', ['TAMPERED', 0], (forge) => { begun(forge); return {byDay: new Key()}; });
rule('a checkpoint beyond the log', ['ROLLED-BACK', 1], (forge) => { begun(forge).commit(); return {size: 2}; });
rule('a checkpoint of another history', ['FORKED', 0], (forge) => { begun(forge).commit(); return {root: Buffer.alloc(32, 3)}; });
rule('the newest day deleted', ['ROLLED-BACK', 1], (forge) => {
  begun(forge).commit();
  ++forge.day;
  forge.segment().boot();
  forge.commit();
  forge.segments.pop();
});
rule('an old checkpoint', valid, (forge) => { const root = begun(forge).commit().tree.root(); forge.add('ADMIN'); return {size: 1, root}; });
