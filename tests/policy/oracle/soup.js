// Token soup: conditions, heads and schemas put together from pieces that are legal somewhere, with
// odd white space, escapes, numbers and reserved words among them. Most of it does not parse; what
// matters is that Cedar agrees.
import { makeRandom } from './generate.js';

const ATOMS = ['principal', 'action', 'resource', 'context', 'true', 'false', '0', '1', '007', '9223372036854775807', '9223372036854775808', '18446744073709551616',
  '"a"', '""', '"\\n\\r\\t\\\\\\0\\\'\\""', '"\\x7f"', '"\\x80"', '"\\u{0}"', '"\\u{10FFFF}"', '"\\u{110000}"', '"\\u{D800}"', '"\\u{1_0}"', '"\\u{_1}"', '"\\q"', '"\\*"', '"a\nb"', '"a\\\nb"', '"é😀"',
  'User::"a"', 'N::User::"b"', 'if::"x"', 'in::"x"', 'principal::"x"', 'action::x::"y"', '__cedar::"x"', 'a::__cedar::"x"', 'User::', '::"a"', 'User:: "a"', 'User ::"a"', 'User::{id: "a"}', 'Action::"x"',
  'ip("1.1.1.1")', 'decimal("1.0")', 'datetime("2020-01-01")', 'duration("1d")', 'ip()', 'ip(1, 2)', 'N::ip("x")', 'isIpv4(1)', 'contains([1], 1)', 'foo("x")', 'ip', '?principal', '?resource', '?other',
  '[]', '[1]', '[1,]', '[,]', '[1 2]', '{}', '{a: 1}', '{"a": 1}', '{a: 1, a: 2}', '{if: 1}', '{"if": 1}', '{1: 2}', '{a: 1,}', '{(a): 1}', '{principal: 1}', '{a::b: 1}', '("x")', '()', '(1', '1)'];
const INFIX = ['+', '-', '*', '/', '%', '==', '!=', '<', '<=', '>', '>=', 'in', '&&', '||', 'has', 'like', 'is', '=', '&', '|', '.', ',', 'and', '<>', '=>', '==='];
const SUFFIX = ['.a', '.if', '.in', '["a"]', '["a b"]', '[a]', '[0]', '.contains(1)', '.contains()', '.contains(1, 2)', '.contains(1,)', '.containsAll([1])', '.isEmpty()', '.isEmpty(1)', '.getTag("x")', '.hasTag("x")',
  '.isIpv4()', '.isInRange(1)', '.lessThan(1)', '.ip("x")', '.foo()', '.a.b.c', ' has a', ' has a.b', ' has "a b"', ' has "a".b', ' has a["b"]', ' has if', ' has a.if', ' like "a*"', ' like 1', ' like "a\\*\\u{e9}"', ' like "\\x80"',
  ' is User', ' is N::User', ' is "User"', ' is User in principal', ' is User in [principal]', ' is if', ' is (User)', ' is User::"a"', '.offset(1)', '.toDate()', '.a()', '(1)', '()', '::"x"', '.'];
const SPACES = [' ', ' ', ' ', '', '\n', '\t', '\u00a0', '\u2003', '\u2028', '\ufeff', '\v', '\f', '\r', '\0', ' // note\n', ' // note\r', ' /* note */ ', '\u0085', '\u200b', '\u180e'];
const HEADS = ['principal', 'action', 'resource', 'principal == User::"a"', 'principal in User::"a"', 'principal in [User::"a"]', 'principal is User', 'principal is User in User::"a"', 'principal is User == User::"a"', 'principal == ?principal',
  'principal: User', 'principal != User::"a"', 'principal in ?resource', 'action == Action::"a"', 'action in [Action::"a", N::Action::"b"]', 'action in []', 'action in [Action::"a",]', 'action in [[Action::"a"]]', 'action == User::"a"', 'action is Action',
  'action in ?principal', 'action == Action::A::"x"', 'resource == (User::"a")', 'resource in User::"a" ', 'resource is N::User in ?resource', 'resource == "a"', 'context', 'principal = User::"a"', 'principal == User::"a" && true', 'if', ''];
const ANNOTATIONS = ['', '', '', '@id("x")', '@id', '@if("x")', '@id("x") @id("y")', '@id("x",)', '@id(x)', '@a::b("x")', '@("x")', '@id("\\x80")', '@principal("a")', '@ id ("x")'];
const SCHEMA = ['entity', 'action', 'type', 'namespace', 'in', 'appliesTo', 'principal', 'resource', 'context', 'tags', 'enum', 'Set', '<', '>', '{', '}', '[', ']', ':', ';', ',', '=', '?', '::', '@doc("x")', '@x', 'A', 'B', 'N', 'Long', 'Bool', 'String',
  'ipaddr', '"a b"', '"x"', 'if', '__cedar', '__cedar::Long', 'Action::"a"', 'attributes', 'T'];
const SCHEMAS = ['entity A, B in [A] { "a b"?: Long, c: Set<T>, } tags Set<String>;', 'type T = { x: __cedar::Long };', 'action a, "b c" in [g, "h"] appliesTo { principal: [A], resource: B, context: T };', 'action g; action h;', 'entity E enum ["x", "y"];',
  'namespace N { entity C in A = { t: T }; action z appliesTo { principal: C, resource: [A, C] }; }', '@doc("x") entity D;', 'namespace N::M { type U = N::C; entity F { u: U }; }'];

export function policySoup(seed) {
  const r = makeRandom(seed * 104729 + 5);
  const space = () => r.pick(SPACES.slice(0, r.chance(80) ? 6 : SPACES.length));
  const expression = (depth) => {
    let out = depth > 0 && r.chance(25) ? r.pick([() => `(${expression(depth - 1)})`, () => `[${expression(depth - 1)}, ${expression(depth - 1)}]`, () => `if ${expression(depth - 1)} then ${expression(depth - 1)} else ${expression(depth - 1)}`,
      () => `{a: ${expression(depth - 1)}}`, () => `${'!'.repeat(r.below(6))}${expression(depth - 1)}`, () => `${'-'.repeat(r.below(6))}${expression(depth - 1)}`])() : r.pick(ATOMS);
    if (r.chance(35)) out += r.pick(SUFFIX);
    if (r.chance(25)) out += `${space()}${r.pick(INFIX)}${space()}${expression(depth - 1)}`;
    return out;
  };
  const head = () => (r.chance(70) ? ['principal', 'action', 'resource'].map((name) => (r.chance(75) ? name : r.pick(HEADS.filter((h) => h.startsWith(name))))) : Array.from({ length: 2 + r.below(3) }, () => r.pick(HEADS))).join(`${space()},${space()}`);
  const condition = () => `${r.chance(92) ? r.pick(['when', 'unless']) : r.pick(['if', 'advice', 'WHEN', ''])}${space()}{${space()}${r.chance(95) ? expression(2) : ''}${space()}}`;
  const policy = () => `${r.pick(ANNOTATIONS)}${space()}${r.chance(95) ? r.pick(['permit', 'forbid']) : r.pick(['allow', 'if', 'Permit'])}${space()}(${head()}${r.chance(8) ? ',' : ''})${space()}${Array.from({ length: r.below(3) }, condition).join(space())}${r.chance(97) ? ';' : ''}`;
  return Array.from({ length: 1 + r.below(2) }, policy).join(space());
}

export function schemaSoup(seed) {
  const r = makeRandom(seed * 15485863 + 11);
  const parts = SCHEMAS.filter(() => r.chance(85));
  for (let i = r.below(3); i > 0; --i) {
    const at = r.below(parts.length || 1);
    const words = (parts[at] ?? '').split(' ');
    words.splice(r.below(words.length), r.below(2), r.pick(SCHEMA));
    parts[at] = words.join(' ');
  }
  if (r.chance(30)) parts.sort(() => (r.chance(50) ? 1 : -1));
  return parts.join(r.pick(SPACES.slice(0, 6)));
}

// Texts of the extension types, near and beyond what they take: two of one type, to be compared.
const TEXTS = {
  ip: ['127.0.0.1', '10.0.0.0/8', '::1', '2001:db8::/32', '0.0.0.0/0', '::/0', '255.255.255.255/32', 'ff02::1', 'fe80::1%eth0', '::ffff:1.2.3.4', '1:2:3:4:5:6:7:8', '1::8', '::', '1.2.3.4/33', '::1/129', '1.2.3.4/08', '1.2.3', 'a:b:c:d:e:f:0:00001'],
  decimal: ['1.0', '0.0', '-0.0', '-1.5', '922337203685477.5807', '-922337203685477.5808', '922337203685477.5808', '1.00000', '00001.1', '.5', '5.', '1', '+1.0', '1e3', '- 1.0', '1.2345'],
  datetime: ['2024-01-01', '2024-02-29', '2023-02-29', '0000-01-01', '9999-12-31T23:59:59.999Z', '1969-12-31T23:59:59Z', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00.5Z', '2024-01-01T00:00:00.123Z', '2024-01-01T00:00:00+0000', '2024-01-01T00:00:00-2359', '2024-01-01T00:00:00+2400',
    '2024-01-01T24:00:00Z', '2024-01-01T23:59:60Z', '2024-01-01T00:00:00', '2024-1-1', '2024-01-01T00:00Z', '2024-01-01t00:00:00z', '2024-01-01T00:00:00.000+0530', '12024-01-01', '-2024-01-01', '2024-13-01', '2024-00-10', '2024-01-32'],
  duration: ['1d', '1h', '1m', '1s', '1ms', '1d2h3m4s5ms', '-1d', '0ms', '00001d', '1d1d', '1h1d', '9223372036854775807ms', '-9223372036854775808ms', '9223372036854775808ms', '106751991167d', '106751991168d', '-106751991167d7h12m55s808ms', '', '-', 'd', '1', '1 d', '1D', '1.5h', '+1d', '1ms1s', '1m1ms'],
};
export function extensionSoup(seed) {
  const r = makeRandom(seed * 32452843 + 3);
  const kind = r.pick(Object.keys(TEXTS));
  const text = () => {
    const characters = [...r.pick(r.chance(70) ? TEXTS[kind].slice(0, 6) : TEXTS[kind])];
    for (let i = r.pick([0, 0, 0, 0, 1, 2]); i > 0; --i) characters.splice(r.below(characters.length + 1), r.below(2), r.pick([...'0123456789.:-+/TZdhms afAF%'].filter((c) => c !== '"')));
    return characters.join('');
  };
  const [a, b] = [`${kind}("${text()}")`, `${kind}("${text()}")`];
  return r.pick({ ip: [`${a} == ${b}`, `${a}.isInRange(${b})`, `${a}.isLoopback() || ${a}.isMulticast() || ${a}.isIpv6()`],
    decimal: [`${a} == ${b}`, `${a}.lessThan(${b})`, `${a}.greaterThanOrEqual(${b})`],
    datetime: [`${a} < ${b}`, `${a} == ${b}`, `${a}.toDate() == ${b}.toDate()`, `${a}.toTime() <= ${b}.toTime()`, `${a}.durationSince(${b}).toDays() > 0`, `${a}.durationSince(${b}).toHours() == -1`],
    duration: [`${a} < ${b}`, `${a} == ${b}`, `${a}.toDays() == ${b}.toDays()`, `${a}.toSeconds() > ${b}.toMinutes()`, `datetime("2000-01-01").offset(${a}) > datetime("2000-01-01").offset(${b})`] }[kind]);
}
