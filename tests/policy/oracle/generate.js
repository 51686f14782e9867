// A seeded generator of policy sets, entity graphs and requests on the shipped schema: well-typed
// most of the time, so that much is decided, and wrong often enough that errors are compared too.
// Numbers stay below 2^53, which JavaScript can carry.

export function makeRandom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (n) => next() % n;
  return { below, pick: (list) => list[below(list.length)], chance: (percent) => below(100) < percent };
}

const JURISDICTIONS = ['DE', 'FR', 'US', 'KR', 'EEA', 'adequate'];
const CLASSES = ['Contact', 'Secret', 'Financial', 'Classified'];
const USERS = ['erika', 'paul', 'nobody'];
const BACKENDS = ['builtin', 'cloud', 'missing'];
const ACTIONS = ['forward', 'forwardRedacted', 'forwardPseudonymised', 'transfer'];
const uid = (type, id) => ({ type: `Gw::${type}`, id });
const entity = (type, id) => ({ __entity: uid(type, id) });
const text = (type, id) => `Gw::${type}::"${id}"`;

export function generate(seed) {
  const r = makeRandom(seed);
  const jurisdiction = () => text('Jurisdiction', r.pick(JURISDICTIONS));
  const dataClass = () => text('DataClass', r.pick(CLASSES));

  const long = (depth) => {
    if (depth <= 0 || r.chance(40)) {
      return r.pick(['0', '1', '2', '-3', '9007199254740991', 'context.topSeverity', 'context.subjects',
        'principal.clearance', 'resource.retentionDays', 'context.missing']);
    }
    if (r.chance(15)) return `-(${long(depth - 1)})`;
    return `(${long(depth - 1)} ${r.pick(['+', '-', '*'])} ${long(depth - 1)})`;
  };
  const set = (depth) => r.pick([
    () => 'context.detected', () => 'context.leaving', () => 'context.subject', () => '[]',
    () => `[${dataClass()}, ${dataClass()}]`, () => `[${jurisdiction()}]`, () => 'principal.citizenships',
    () => `[${long(depth - 1)}, ${long(depth - 1)}]`])();
  const entityExpr = () => r.pick(['principal', 'resource', 'action', 'principal.home', 'resource.processing',
    'resource.operator', 'context.zone', 'context.device.jurisdiction', jurisdiction(), dataClass()]);
  const time = () => r.pick(['context.now', 'datetime("2026-01-01")', 'datetime("1969-12-31T23:59:59.999Z")',
    'resource.tiaValidUntil', 'context.now.offset(duration("-1d2h"))', 'context.now.toDate()',
    'datetime("2026-02-30")']);
  const bool = (depth) => {
    if (depth <= 0) return r.pick(['true', 'false', 'context.scanComplete', 'resource.onPrem', 'context.device.managed']);
    const d = depth - 1;
    return r.pick([
      () => `(${bool(d)} && ${bool(d)})`, () => `(${bool(d)} || ${bool(d)})`, () => `!(${bool(d)})`,
      () => `(if ${bool(d)} then ${bool(d)} else ${bool(d)})`,
      () => `(${long(d)} ${r.pick(['<', '<=', '>', '>=', '==', '!='])} ${long(d)})`,
      () => `(${time()} ${r.pick(['<', '>='])} ${time()})`,
      () => `${set(d)}.${r.pick(['contains', 'containsAll', 'containsAny'])}(${r.chance(50) ? set(d) : dataClass()})`,
      () => `${set(d)}.isEmpty()`,
      () => `(${entityExpr()} in ${r.chance(60) ? jurisdiction() : `[${jurisdiction()}, ${entityExpr()}]`})`,
      () => `(${entityExpr()} == ${r.chance(70) ? entityExpr() : long(d)})`,
      () => `(${entityExpr()} is ${r.pick(['Gw::User', 'Gw::Backend', 'Gw::Jurisdiction'])}${r.chance(40) ? ` in ${text('Department', 'it')}` : ''})`,
      () => `(context has ${r.pick(['legalBasis', 'consentRef', 'device.managed', 'device.none', 'topSeverity.x'])})`,
      () => `(resource has ${r.pick(['tiaValidUntil', 'transferTool', 'operator', '"odd name"'])})`,
      () => `(context.legalBasis like "${r.pick(['*', 'con*', '*sent', 'a\\*b', 'c*s*t'])}")`,
      () => `context.clientIp.${r.pick(['isIpv4()', 'isLoopback()', 'isInRange(ip("10.0.0.0/8"))', 'isInRange(ip("10.0.0.0/33"))'])}`,
      () => `principal.hasTag("${r.pick(['team', 'none'])}")`,
      () => `(principal.getTag("${r.pick(['team', 'none'])}") == "blue")`,
      () => `(context.now.durationSince(datetime("2020-01-01")).toDays() > ${long(0)})`,
      () => `({a: ${long(d)}, "b c": ${bool(d)}}["b c"])`,
      () => `decimal("1.5").lessThan(decimal("${r.pick(['2.0', '-2.0', '1.50001'])}"))`,
      () => String(r.pick(['1', '"text"', 'context', 'principal'])),
    ])();
  };
  const head = (name, type, ids) => r.pick([
    () => name, () => name, () => `${name} == ${text(type, r.pick(ids))}`, () => `${name} is Gw::${type}`,
    () => `${name} in ${text('Department', r.pick(['it', 'hr']))}`,
    () => `${name} is Gw::${type} in ${text(type === 'Backend' ? 'Pool' : 'Department', r.pick(['it', 'local']))}`])();
  const action = () => r.pick([
    () => 'action', () => `action == ${text('Action', r.pick(ACTIONS))}`, () => `action in ${text('Action', 'transfer')}`,
    () => `action in [${text('Action', r.pick(ACTIONS))}, ${text('Action', r.pick(ACTIONS))}]`, () => 'action in []'])();
  const policy = () => {
    let out = `${r.chance(30) ? 'forbid' : 'permit'}(${head('principal', 'User', USERS)}, ${action()}, ${head('resource', 'Backend', BACKENDS)})`;
    for (let i = r.below(3); i > 0; --i) out += ` ${r.chance(75) ? 'when' : 'unless'} { ${bool(1 + r.below(3))} }`;
    return `${out};`;
  };

  const policies = Array.from({ length: 1 + r.below(12) }, policy).join('\n');
  const place = () => entity('Jurisdiction', r.pick(JURISDICTIONS));
  const entities = [
    { uid: uid('Jurisdiction', 'adequate'), attrs: {}, parents: [] },
    { uid: uid('Jurisdiction', 'EEA'), attrs: {}, parents: r.chance(70) ? [uid('Jurisdiction', 'adequate')] : [] },
    ...['DE', 'FR'].map((id) => ({ uid: uid('Jurisdiction', id), attrs: {}, parents: [uid('Jurisdiction', 'EEA')] })),
    { uid: uid('Department', 'it'), attrs: {}, parents: r.chance(50) ? [uid('Department', 'hr')] : [] },
    ...['forward', 'forwardRedacted', 'forwardPseudonymised'].map((id) => ({
      uid: uid('Action', id), attrs: {}, parents: [uid('Action', 'transfer')] })),
    ...['erika', 'paul'].map((id) => ({
      uid: uid('User', id),
      attrs: { home: place(), citizenships: [place(), place()], clearance: r.below(5) },
      parents: r.chance(60) ? [uid('Department', 'it')] : [],
      tags: r.chance(50) ? { team: r.pick(['blue', 'red']) } : {} })),
    ...['builtin', 'cloud'].map((id) => ({
      uid: uid('Backend', id),
      attrs: { processing: place(), storage: place(), operator: place(), keyHolder: place(), modelOrigin: place(),
        onPrem: r.chance(50), dpaSigned: r.chance(50), zeroRetention: true, retentionDays: r.below(90),
        ...(r.chance(50) ? { tiaValidUntil: { __extn: { fn: 'datetime', arg: '2026-06-01' } } } : {}) },
      parents: [uid('Pool', 'local')] })),
  ];
  const classes = () => CLASSES.filter(() => r.chance(30)).map((id) => entity('DataClass', id));
  const request = {
    principal: uid('User', r.pick(USERS)), action: uid('Action', r.pick(ACTIONS)), resource: uid('Backend', r.pick(BACKENDS)),
    context: {
      detected: classes(), leaving: classes(), topSeverity: r.below(4), scanComplete: r.chance(80), subject: [place()],
      subjects: r.below(1000), subjectsYtd: r.pick([0, 9007199254740991]),
      clientIp: { __extn: { fn: 'ip', arg: r.pick(['10.1.2.3', '127.0.0.1', '2001:db8::1']) } },
      zone: entity('Zone', 'office'),
      device: { managed: r.chance(50), government: false, jurisdiction: place() },
      purpose: entity('Purpose', 'other'), now: { __extn: { fn: 'datetime', arg: '2026-03-01T09:00:00Z' } },
      ...(r.chance(50) ? { legalBasis: r.pick(['consent', 'contract', 'a*b']) } : {}) },
  };
  return { policies, entities, request };
}

// Damages a text: a character out, doubled or swapped for one that means something.
export function mutate(seed, source) {
  const r = makeRandom(seed);
  const characters = [...source];
  for (let i = 1 + r.below(3); i > 0; --i) {
    const at = r.below(characters.length);
    r.pick([
      () => characters.splice(at, 1), () => characters.splice(at, 0, characters[at]),
      () => characters.splice(at, 1, r.pick([...'(){}[]"\\:;,.@=<>!&|+-*/%? 09azéif'])),
    ])();
  }
  return characters.join('');
}
