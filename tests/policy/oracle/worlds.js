// Seeded random worlds: a schema with namespaces, common types, enumerated types, tags and action
// groups; policies, templates and links on it; entities and requests. Expressions follow the types
// of the schema most of the time, so that validation accepts a good part, and leave them often
// enough that refusals and errors are compared too. Numbers stay below 2^53.
import { makeRandom } from './generate.js';

const NAMES = ['a', 'b', 'c d', 'if', 'x_1', 'Long', 'é', 'has'];
const STRINGS = ['', 'x', 'a*b', 'q"q', 'back\\slash', 'new\nline', 'tab\t', 'nul\0', 'é😀', '127.0.0.1', '1.5'];
const EXTENSION = { ipaddr: ['ip', ['10.0.0.1', '10.0.0.0/8', '::1', 'ff00::/8', '1.2.3', '01.2.3.4']],
  decimal: ['decimal', ['1.0', '-0.5', '922337203685477.5807', '1.23456', '1']],
  datetime: ['datetime', ['2024-02-29', '1969-12-31T23:59:59.999Z', '2024-01-01T00:00:00+0130', '2023-02-29', 'x']],
  duration: ['duration', ['1d2h3m4s5ms', '-1ms', '0s', '1h1d', '']] };
const isIdentifier = (s) => /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(s) && !['true', 'false', 'if', 'then', 'else', 'in', 'is', 'like', 'has', '__cedar'].includes(s);
export const quote = (s) => `"${[...s].map((c) => ({ '"': '\\"', '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\0': '\\0' })[c] ?? c).join('')}"`;
const qualify = (space, name) => (space ? `${space}::${name}` : name);
const euid = (type, id) => `${type}::${quote(id)}`;

export function world(seed) {
  const r = makeRandom(seed * 7919 + 13);
  const some = (most, make) => Array.from({ length: r.below(most + 1) }, make);
  const spaces = r.pick([[''], ['', 'N'], ['N', 'M::K'], ['', 'N', 'N::K']]);
  const entities = [];
  for (const space of spaces) {
    for (let i = 1 + r.below(3); i > 0; --i) {
      const odd = r.chance(4) ? r.pick(['Long', 'String', 'Bool', 'ipaddr', 'Set', 'Record', 'Entity', 'action', 'principal', 'entity', 'type', 'Action']) : null;
      entities.push({ space, base: odd && !entities.some((e) => e.base === odd) ? odd : `E${entities.length}`, parents: [], attrs: {}, ids: null, tags: null });
    }
  }
  for (const e of entities) e.name = qualify(e.space, e.base);
  const entityNames = entities.map((e) => e.name);

  const type = (depth) => r.pick([
    () => ({ k: 'Long' }), () => ({ k: 'String' }), () => ({ k: 'Bool' }), () => ({ k: r.pick(Object.keys(EXTENSION)) }),
    () => ({ k: 'Entity', name: r.pick(entityNames) }), () => ({ k: 'Entity', name: r.pick(entityNames) }),
    () => (depth > 0 ? { k: 'Set', el: type(depth - 1) } : { k: 'Long' }),
    () => (depth > 0 ? { k: 'Record', attrs: attributes(depth - 1) } : { k: 'Bool' })])();
  const attributes = (depth) => Object.fromEntries(some(4, () => [r.pick(NAMES), { type: type(depth), required: r.chance(60) }]));
  const commons = [];
  for (const e of entities) {
    if (r.chance(12)) {
      e.ids = ['one', 'two', 'é"'].slice(0, 1 + r.below(3));
      continue;
    }
    e.attrs = attributes(2);
    e.parents = entityNames.filter(() => r.chance(25));
    if (r.chance(35)) e.tags = type(1);
  }
  const actions = [];
  for (const space of spaces) {
    for (let i = 1 + r.below(3); i > 0; --i) {
      const id = `${r.pick(['act', 'do it', 'read'])}${actions.length}`;
      actions.push({ space, id, uid: { type: qualify(space, 'Action'), id }, parents: actions.filter(() => r.chance(30)).map((a) => a.uid),
        principals: r.chance(85) ? entityNames.filter(() => r.chance(50)) : [], resources: r.chance(85) ? entityNames.filter(() => r.chance(50)) : [],
        context: attributes(2) });
    }
  }

  // The schema in JSON, names written in the several ways that mean the same.
  const reference = (space, name) => (space && name.startsWith(`${space}::`) && !name.slice(space.length + 2).includes('::') && r.chance(60) ? name.slice(space.length + 2) : name);
  const typeJson = (t, space) => {
    if (t.k === 'Set') return { type: 'Set', element: typeJson(t.el, space) };
    if (t.k === 'Record') {
      if (r.chance(25)) {
        const name = r.chance(5) && !commons.some((c) => c.name === 'decimal') ? r.pick(['decimal', 'duration']) : `T${commons.length}`;
        if (commons.some((c) => c.name === name && c.space === space)) return recordJson(t.attrs, space);
        commons.push({ space, name, type: t });
        return r.chance(50) ? { type: name } : { type: 'EntityOrCommon', name };
      }
      return recordJson(t.attrs, space);
    }
    if (t.k === 'Entity') return { type: r.chance(50) ? 'Entity' : 'EntityOrCommon', name: reference(space, t.name) };
    if (EXTENSION[t.k]) return r.chance(50) ? { type: 'Extension', name: t.k } : { type: 'EntityOrCommon', name: r.pick([t.k, `__cedar::${t.k}`]) };
    return r.chance(50) ? { type: t.k === 'Bool' ? 'Boolean' : t.k } : { type: 'EntityOrCommon', name: r.pick([t.k, `__cedar::${t.k}`]) };
  };
  const recordJson = (attrs, space) => ({ type: 'Record', attributes: Object.fromEntries(Object.entries(attrs).map(([name, a]) => [name,
    { ...typeJson(a.type, space), ...(a.required && r.chance(70) ? {} : { required: a.required }), ...(r.chance(10) ? { annotations: { doc: 'x' } } : {}) }])) });
  const schema = Object.fromEntries(spaces.map((space) => [space, { entityTypes: {}, actions: {} }]));
  for (const e of entities) {
    schema[e.space].entityTypes[e.base] = e.ids ? { enum: e.ids } : {
      ...(e.parents.length ? { memberOfTypes: e.parents.map((p) => reference(e.space, p)) } : {}),
      ...(Object.keys(e.attrs).length || r.chance(30) ? { shape: recordJson(e.attrs, e.space) } : {}),
      ...(e.tags ? { tags: typeJson(e.tags, e.space) } : {}) };
  }
  for (const a of actions) {
    schema[a.space].actions[a.id] = {
      ...(a.parents.length ? { memberOf: a.parents.map((p) => (p.type === a.uid.type && r.chance(50) ? { id: p.id } : { id: p.id, type: p.type })) } : {}),
      appliesTo: { principalTypes: a.principals.map((n) => reference(a.space, n)), resourceTypes: a.resources.map((n) => reference(a.space, n)),
        ...(Object.keys(a.context).length ? { context: recordJson(a.context, a.space) } : {}) } };
  }
  for (let i = 0; i < commons.length; ++i) {  // grows while it is walked
    const c = commons[i];
    (schema[c.space].commonTypes ??= {})[c.name] = recordJson(c.type.attrs, c.space);
  }

  // Expressions.
  const idsOf = (name) => entities.find((e) => e.name === name)?.ids ?? ['0', '1', '2'];
  const literalEntity = (name) => euid(name, r.chance(96) ? r.pick(idsOf(name)) : 'elsewhere');
  const access = (object, name) => (isIdentifier(name) && r.chance(80) ? `${object}.${name}` : `${object}[${quote(name)}]`);
  // Paths from the request's variables to values, by type.
  const paths = (env) => {
    const found = [];
    const walk = (text, t, depth, guards) => {
      found.push({ text, t, guards });
      const attrs = t.k === 'Record' ? t.attrs : t.k === 'Entity' ? entities.find((e) => e.name === t.name).attrs : {};
      if (depth === 0) return;
      for (const [name, a] of Object.entries(attrs)) {
        walk(access(text, name), a.type, depth - 1, a.required ? guards : [...guards, `${text} has ${isIdentifier(name) ? name : quote(name)}`]);
      }
    };
    walk('principal', { k: 'Entity', name: env.principal }, 3, []);
    walk('resource', { k: 'Entity', name: env.resource }, 3, []);
    walk('context', { k: 'Record', attrs: env.action.context }, 3, []);
    return found;
  };
  const matches = (t, want) => t.k === want.k && (t.k !== 'Entity' || !want.name || t.name === want.name) && (t.k !== 'Set' || !want.el || matches(t.el, want.el)) && t.k !== 'Record';
  const expression = (env) => {
    const all = paths(env);
    const of = (want, depth, guards) => {
      if (r.chance(4)) want = type(1);  // off the rails
      const fitting = all.filter((p) => matches(p.t, want));
      if (fitting.length && r.chance(55)) {
        const p = r.pick(fitting);
        if (r.chance(92)) guards.push(...p.guards);
        return p.text;
      }
      const d = depth - 1;
      const deeper = depth > 0 && r.chance(50);
      if (deeper && r.chance(12)) return `(if ${bool(d, guards)} then ${of(want, d, guards)} else ${of(want, d, guards)})`;
      if (want.k === 'Long') {
        if (deeper) {
          return r.pick([() => `(${of(want, d, guards)} ${r.pick(['+', '-', '*'])} ${of(want, d, guards)})`, () => `-${r.chance(50) ? '5' : `(${of(want, d, guards)})`}`,
            () => `${of({ k: 'duration' }, d, guards)}.to${r.pick(['Days', 'Hours', 'Minutes', 'Seconds', 'Milliseconds'])}()`])();
        }
        return r.pick(['0', '1', '7', '9007199254740991']);
      }
      if (want.k === 'String') return quote(r.pick(STRINGS));
      if (want.k === 'Bool') return `(${bool(depth, guards)})`;
      if (EXTENSION[want.k]) {
        if (deeper && want.k === 'datetime') return r.pick([`${of(want, d, guards)}.offset(${of({ k: 'duration' }, d, guards)})`, `${of(want, d, guards)}.toDate()`]);
        if (deeper && want.k === 'duration') return r.pick([`${of({ k: 'datetime' }, d, guards)}.toTime()`, `${of({ k: 'datetime' }, d, guards)}.durationSince(${of({ k: 'datetime' }, d, guards)})`]);
        const [fn, texts] = EXTENSION[want.k];
        return `${fn}(${quote(r.chance(85) ? texts[r.below(2)] : r.pick(texts))})`;
      }
      if (want.k === 'Entity') return r.chance(5) ? 'action' : literalEntity(want.name ?? r.pick(entityNames));
      if (want.k === 'Set') {
        const el = want.el ?? type(0);
        if (r.chance(5)) return '[]';
        return `[${Array.from({ length: 1 + r.below(2) }, () => of(el, d, guards)).join(', ')}${r.chance(5) ? ',' : ''}]`;
      }
      return `{${Object.entries(want.attrs).map(([n, a]) => `${isIdentifier(n) ? n : quote(n)}: ${of(a.type, d, guards)}`).join(', ')}}`;
    };
    const bool = (depth, outer) => {
      const guards = [];
      const d = depth - 1;
      const name = r.pick(entityNames);
      const body = depth <= 0 ? r.pick(['true', 'false', 'true']) : r.pick([
        () => `(${bool(d, guards)} && ${bool(d, guards)})`, () => `(${bool(d, guards)} || ${bool(d, guards)})`, () => `!${r.chance(20) ? '!' : ''}(${bool(d, guards)})`,
        () => `${of({ k: 'Long' }, d, guards)} ${r.pick(['<', '<=', '>', '>='])} ${of({ k: 'Long' }, d, guards)}`,
        () => { const k = r.pick(['datetime', 'duration']); return `${of({ k }, d, guards)} ${r.pick(['<', '>='])} ${of({ k }, d, guards)}`; },
        () => { const t = type(1); return `${of(t, d, guards)} ${r.pick(['==', '!='])} ${of(t, d, guards)}`; },
        () => `${of({ k: 'Entity', name: r.pick(entityNames) }, d, guards)} in ${r.chance(60) ? literalEntity(name) : `[${literalEntity(name)}, ${of({ k: 'Entity', name }, d, guards)}]`}`,
        () => `action ${r.pick(['in', '=='])} ${(([a]) => euid(a.uid.type, a.uid.id))([r.pick(actions)])}`,
        () => `action in [${actions.filter(() => r.chance(40)).map((a) => euid(a.uid.type, a.uid.id)).join(', ')}]`,
        () => `${of({ k: 'Entity', name }, d, guards)} is ${r.pick(entityNames)}${r.chance(40) ? ` in ${literalEntity(r.pick(entityNames))}` : ''}`,
        () => { const el = type(0); return `${of({ k: 'Set', el }, d, guards)}.contains(${of(el, d, guards)})`; },
        () => { const el = type(0); return `${of({ k: 'Set', el }, d, guards)}.${r.pick(['containsAll', 'containsAny'])}(${of({ k: 'Set', el }, d, guards)})`; },
        () => `${of({ k: 'Set' }, d, guards)}.isEmpty()`,
        () => { const p = r.pick(all); return `${p.text} has ${r.chance(70) ? r.pick(['a', 'b', 'x_1', 'Long']) : quote(r.pick(NAMES))}`; },
        () => `${r.pick(['context', 'principal', 'resource'])} has a.${r.pick(['b', 'x_1', 'a.b'])}`,
        () => `${of({ k: 'String' }, d, guards)} like "${r.pick(['*', 'a\\*b', '*a*', 'é*', 'x'])}"`,
        () => `${of({ k: 'ipaddr' }, d, guards)}.${r.pick(['isIpv4()', 'isIpv6()', 'isLoopback()', 'isMulticast()', 'isInRange(ip("10.0.0.0/8"))'])}`,
        () => `${of({ k: 'decimal' }, d, guards)}.${r.pick(['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual'])}(${of({ k: 'decimal' }, d, guards)})`,
        () => { const tag = r.pick(['"t"', of({ k: 'String' }, 0, guards)]); const o = r.pick(['principal', 'resource', of({ k: 'Entity', name }, 0, guards)]);
          return r.chance(75) ? `(${o}.hasTag(${tag}) && ${o}.getTag(${tag}) == ${of(entities.find((e) => e.name === (o === 'principal' ? env.principal : env.resource)).tags ?? { k: 'Long' }, 0, guards)})` : `${o}.getTag(${tag}) == 1`; }])();
      return [...guards, body].length === 1 ? body : `(${[...new Set(guards), body].join(' && ')})`;
    };
    return bool(1 + r.below(3), []);
  };
  const environment = () => {
    const able = actions.filter((a) => a.principals.length && a.resources.length);
    const action = able.length && r.chance(95) ? r.pick(able) : r.pick(actions);
    return { action, principal: r.pick(action.principals.length ? action.principals : entityNames), resource: r.pick(action.resources.length ? action.resources : entityNames) };
  };
  const head = (name, kind, slot) => {
    const one = () => (slot ? `?${name}` : literalEntity(r.chance(85) ? kind : r.pick(entityNames)));
    return r.pick([...(slot ? [] : [() => name, () => name, () => `${name} is ${kind}`]), () => `${name} == ${one()}`, () => `${name} in ${slot ? one() : literalEntity(r.pick(entityNames))}`, () => `${name} is ${kind} in ${one()}`])();
  };
  const actionHead = (env) => r.pick([() => 'action', () => `action == ${euid(env.action.uid.type, env.action.id)}`, () => `action == ${euid(env.action.uid.type, env.action.id)}`,
    () => `action in ${euid(env.action.uid.type, env.action.id)}`, () => `action in [${[env.action, ...actions.filter(() => r.chance(20))].map((a) => euid(a.uid.type, a.uid.id)).join(', ')}]`])();
  const policy = (slots) => {
    const env = environment();
    const p = slots && r.chance(70);
    const annotations = r.chance(15) ? `@id(${quote(r.pick(STRINGS))}) ${r.chance(50) ? '@if ' : ''}` : '';
    let out = `${annotations}${r.chance(30) ? 'forbid' : 'permit'}(${head('principal', env.principal, p)}, ${actionHead(env)}, ${head('resource', env.resource, slots && (!p || r.chance(50)))}${r.chance(5) ? ',' : ''})`;
    for (let i = r.below(3); i > 0; --i) out += ` ${r.chance(80) ? 'when' : 'unless'} { ${expression(env)} }`;
    return { text: `${out};`, env };
  };
  const made = Array.from({ length: r.chance(5) ? 40 + r.below(160) : 2 + r.below(8) }, () => policy(false));
  const templates = Object.fromEntries(some(2, () => 0).map((_, i) => [`t${i}`, policy(true).text]));
  const links = Object.entries(templates).flatMap(([templateId, text], i) => some(3, () => 0).map((_, k) => ({ templateId, newId: `l${i}_${k}`,
    values: Object.fromEntries([...new Set(text.split(/ (?:when|unless) \{/)[0].match(/\?(principal|resource)/g))].map((slot) => { const name = r.pick(entityNames); return [slot, { type: name, id: r.pick(idsOf(name)) }]; })) })));

  // Values of a type, rarely of another.
  const value = (t) => {
    if (r.chance(2)) return r.pick([1, 'x', true, [], {}]);
    if (t.k === 'Long') return r.pick([0, 1, 7, -3, 9007199254740991]);
    if (t.k === 'Bool') return r.chance(50);
    if (t.k === 'String') return r.pick(STRINGS);
    if (t.k === 'Entity') { const one = { type: t.name, id: r.pick(idsOf(t.name)) }; return r.chance(70) ? { __entity: one } : one; }
    if (EXTENSION[t.k]) { const [fn, texts] = EXTENSION[t.k]; const arg = texts[r.below(2)]; return r.chance(70) ? { __extn: { fn, arg } } : arg; }
    if (t.k === 'Set') return some(3, () => value(t.el));
    return record(t.attrs);
  };
  const record = (attrs) => Object.fromEntries(Object.entries(attrs).filter(([, a]) => (a.required ? r.chance(99) : r.chance(60))).map(([n, a]) => [n, value(a.type)]));
  const store = entities.flatMap((e) => idsOf(e.name).filter(() => r.chance(75)).map((id) => ({
    uid: { type: e.name, id }, attrs: record(e.attrs),
    parents: e.parents.filter(() => r.chance(50)).flatMap((p) => (p !== e.name ? [{ type: p, id: r.pick(idsOf(p)) }] : id !== '0' && !e.ids ? [{ type: p, id: '0' }] : [])),
    ...(e.tags && r.chance(70) ? { tags: { [r.pick(['t', 'x', ''])]: value(e.tags) } } : {}) })));
  for (const a of actions) {
    if (!r.chance(15)) continue;
    store.push({ uid: a.uid, attrs: r.chance(10) ? { x: 1 } : {}, parents: r.chance(70) ? a.parents : [r.pick(actions).uid] });
  }
  if (r.chance(5)) store.push({ ...r.pick(store.length ? store : [{ uid: actions[0].uid, attrs: {}, parents: [] }]), ...(r.chance(30) ? { attrs: {} } : {}) });
  const requests = Array.from({ length: 3 }, () => {
    const env = r.chance(70) ? r.pick(made).env : environment();
    return { principal: { type: env.principal, id: r.pick(idsOf(env.principal)) }, action: env.action.uid, resource: { type: env.resource, id: r.pick(idsOf(env.resource)) }, context: record(env.action.context) };
  });
  return { schema, policies: made.map((m) => m.text), templates, links, entities: store, requests };
}

// Damages a JSON document: a member or item removed, doubled, renamed or replaced.
export function mutateJson(seed, document) {
  const r = makeRandom(seed * 31 + 7);
  const copy = structuredClone(document);
  const places = [];
  const walk = (node) => {
    if (node === null || typeof node !== 'object') return;
    for (const key of Object.keys(node)) { places.push([node, key]); walk(node[key]); }
  };
  walk(copy);
  if (places.length === 0) return copy;
  for (let i = 1 + r.below(2); i > 0; --i) {
    const [node, key] = r.pick(places);
    r.pick([
      () => { if (Array.isArray(node)) node.splice(Number(key), 1); else delete node[key]; },
      () => { node[key] = r.pick([null, true, 1, -1, 'x', 'principal', '', [], {}, ['x'], { type: 'A', id: 'b' }, { __entity: { type: 'A', id: 'b' } }, { Value: 1 }, { Var: 'principal' }]); },
      () => { if (!Array.isArray(node)) { node[r.pick(['x', 'type', 'id', 'left', 'op', 'Value', '__entity', '__extn', 'annotations', 'required', 'attr'])] = node[key]; if (r.chance(60)) delete node[key]; } },
      () => { const [other, name] = r.pick(places); node[key] = structuredClone(other[name]); }])();
  }
  return copy;
}
