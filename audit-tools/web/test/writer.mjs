// A small writer of logs and bundles for the tests, from the format text alone. It shares nothing with ../src: it has its own encoder,
// its own trees, and node:crypto. Everything in it is deterministic. `tweak` changes one thing at the stage where it comes into being,
// and what comes after is hashed and signed anew.

import { sha, hex, b64, utf8, cat, fill, Tag18, cbor, LD, keyPair, leaf, root, inclusion, consistency, setProof } from './codec.mjs';
import { makeBag, makeTar } from './pack.mjs';

export * from './codec.mjs';
export * from './pack.mjs';

export const ORIGIN = 'ledger.example/000102030405060708090a0b0c0d0e0f';
export const T0 = 1_760_000_000_000;
export const KEYS = { checkpoint: keyPair(1), recorder: keyPair(2), issuer: keyPair(3), next: [keyPair(4), keyPair(5), keyPair(6)], witness: [keyPair(21), keyPair(22), keyPair(23)] };
const keyIdOf = (name, type, key) => sha(name, '\n', Uint8Array.of(type), key).subarray(0, 4);
export const vkey = (name, type, key) => `${name}+${hex(keyIdOf(name, type, key))}+${b64(cat(Uint8Array.of(type), key))}`;
export const noteLine = (name, type, pair, body) => `\u2014 ${name} ${b64(cat(keyIdOf(name, type, pair.key), body))}\n`;
export const WITNESS = KEYS.witness.map((pair, i) => vkey(`witness.example/w${i + 1}`, 4, pair.key));

export function headNote(size, rootHash, { signer = KEYS.checkpoint, origin = ORIGIN, witnesses = [], time = 1_760_000_500 } = {}) {
  const text = `${origin}\n${size}\n${b64(rootHash)}\n`;
  let note = `${text}\n${noteLine(origin, 1, signer, signer.sign(utf8(text)))}`;
  for (const i of witnesses) {
    const pair = KEYS.witness[i];
    const at = Buffer.alloc(8);
    at.writeBigUInt64BE(BigInt(time + i));
    note += noteLine(`witness.example/w${i + 1}`, 4, pair, cat(at, pair.sign(utf8(`cosignature/v1\ntime ${time + i}\n${text}`))));
  }
  return utf8(note);
}

/** Private fields committed together (1.5), with salts out of a counter. */
export function commit(label, fields) {
  const entries = [...fields].sort((a, b) => a[0] - b[0]).map(([n, v]) => {
    const salt = sha(label, 'salt', String(n), cbor(v));
    const value = cbor(v);
    return { n, salt, value, digest: sha(Uint8Array.of(0x84), cbor(label), cbor(n), cbor(salt), value) };
  });
  return { entries, commitment: sha(cbor([`${label}/set`, ...entries.map((e) => [e.n, e.digest])])) };
}
export function opened(fields, closed = []) {
  return [fields.entries.map((e) => [e.n, e.digest]), fields.entries.filter((e) => !closed.includes(e.n)).map((e) => [e.n, e.salt, e.value])];
}

const ZERO = fill(0);

export class Log {
  constructor(tweak = {}) {
    this.tweak = tweak;
    this.entries = [];
    this.leaves = [];
    this.subjects = new Map();
    this.time = T0;
    this.checkpoint = KEYS.checkpoint;
  }

  add(kind, subject, body, half = new Map([[0, [3, utf8('immutape'), 4]], [10, 0]])) {
    const index = this.entries.length;
    const last = this.subjects.get(hex(subject)) ?? { seq: -1, leaf: ZERO };
    const fields = half.size ? commit('immutape/private/1', half) : { entries: [], commitment: sha(cbor(['immutape/private/1/set'])) };
    this.time += this.tweak.step?.(index) ?? 1000;
    let parts = {
      index, previous: index ? this.leaves[index - 1] : ZERO, time: this.time, kind, subject, seq: last.seq + 1, prev: last.leaf, commitment: fields.commitment,
      sealed: sha('sealed', String(index)), keyId: fill(0xd0, 16), body,
    };
    parts = this.tweak.entry?.(parts) ?? parts;
    let bytes = cbor(['immutape/entry/1', parts.index, parts.previous, parts.time, parts.kind, parts.subject, parts.seq, parts.prev, parts.commitment, parts.sealed, parts.keyId, parts.body]);
    bytes = this.tweak.entryBytes?.(bytes, parts) ?? bytes;
    const entry = { ...parts, bytes, fields, half, leaf: leaf(bytes) };
    this.entries.push(entry);
    this.leaves.push(entry.leaf);
    this.subjects.set(hex(subject), { seq: parts.seq, leaf: entry.leaf });
    return entry;
  }

  rootAt(size) {
    return root(this.leaves.slice(0, size));
  }

  note(size, options = {}) {
    return headNote(size, this.rootAt(size), { signer: this.checkpoint, ...options });
  }

  genesis(more = new Map()) {
    return this.add(0, ZERO, new Map([
      [0, 1], [1, ORIGIN], [2, KEYS.checkpoint.key], [3, KEYS.recorder.key], [4, KEYS.issuer.key], [5, KEYS.next.map((k) => k.thumb)], [6, 'standard'], [7, ''], [8, true],
      ...more,
    ]));
  }
}

export const sign1 = (pair, header, payload, { detached = null, unprotected = new Map() } = {}) => {
  const protectedBytes = cbor(header);
  const signature = pair.sign(cbor(['Signature1', protectedBytes, new Uint8Array(0), detached ?? payload]));
  return cbor(new Tag18([protectedBytes, unprotected, payload, signature]));
};

/** Frames, header and root of a tape. `messages`: [{dir, payload, t, kind}] */
export function makeTape(n, messages, tweak = {}) {
  const custody = fill(0xc0 + n);
  let frames = messages.map((m, seq) => {
    const base = [[0, seq], [1, m.t ?? seq * 40_000_000], [3, m.kind ?? 0], [4, m.dir], [6, 1], ...(m.more ?? [])];
    let envelope = cbor(new Map(base));
    envelope = tweak.envelope?.(envelope, seq) ?? envelope;
    const salts = [sha('env', String(n), String(seq)), sha('pay', String(n), String(seq))];
    const payload = typeof m.payload === 'string' ? utf8(m.payload) : m.payload;
    const digests = [LD('immutape/frame/1/envelope', seq, salts[0], envelope), LD('immutape/frame/1/payload', seq, salts[1], payload)];
    return { seq, envelope, payload, salts, digests, leaf: leaf(cbor(['immutape/frame/1', seq, ...digests])) };
  });
  frames = tweak.frames?.(frames) ?? frames;
  const leaves = frames.map((f) => f.leaf);
  const stats = new Map(Array.from({ length: 10 }, (_, i) => [i, 0]));
  stats.set(0, frames.length);
  let header = new Map([[0, 1], [1, 0], [2, utf8(`session-${n}`)], [4, BigInt(T0) * 1_000_000n], [10, new Map([[0, utf8(`Tape ${n}`)]])], [11, stats], [12, [0]], [16, 'draft'], [24, 'default']]);
  header = tweak.header?.(header) ?? header;
  const fields = commit('immutape/header/1', header);
  let rootFile = cbor(['immutape/tape/1', fields.commitment, frames.length, root(leaves)]);
  rootFile = tweak.root?.(rootFile) ?? rootFile;
  const id = sha(rootFile);
  let manifest = cbor(['immutape/manifest/1', custody, rootFile, [[fill(0xaa), 300], [fill(0xab), 4000]]]);
  manifest = tweak.manifest?.(manifest, { rootFile, custody }) ?? manifest;
  return { n, custody, frames, leaves, fields, rootFile, id, manifest };
}

export function statement(tape, ledger, { signer = KEYS.recorder, tweak = (x) => x } = {}) {
  const header = tweak(new Map([
    [1, -8], [4, signer.thumb], [15, new Map([[1, ORIGIN], [2, `sha256:${hex(tape.id)}`]])], [258, -16], [259, 'application/vnd.immutape.tape-root+cbor'],
    ['ledger', ledger], ['custody', tape.custody], ['manifest', sha(tape.manifest)],
  ]));
  return sign1(signer, header, tape.id);
}

const der = (tag, ...parts) => {
  const body = cat(...parts);
  const n = body.length;
  const len = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return cat(Uint8Array.of(tag, ...len), body);
};
const oid = (...bytes) => der(6, Uint8Array.from(bytes));
/** So much of a token as says what it is about; it is signed by nobody. */
export function token(note, ms) {
  const t = new Date(ms).toISOString().replace(/[-:T]/g, '').replace(/\.?0*Z$/, 'Z');
  const alg = der(0x30, oid(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1), der(5));
  const tst = der(0x30, der(2, [1]), oid(0x2a, 3, 4), der(0x30, alg, der(4, sha(note))), der(2, [1]), der(0x18, utf8(t)));
  const data = der(0x30, der(2, [3]), der(0x31, alg), der(0x30, oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4), der(0xa0, der(4, tst))), der(0x31, der(0x30)));
  return der(0x30, oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2), der(0xa0, data));
}

export function setCommitment(setSalt, ids) {
  const sorted = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const own = sorted.map((id) => LD('immutape/set/1/salt', setSalt, id));
  const leaves = sorted.map((id, i) => leaf(LD('immutape/set/1', own[i], id)));
  return { root: root(leaves), member: (id) => {
    const i = sorted.findIndex((x) => hex(x) === hex(id));
    return [id, own[i], i, inclusion(leaves, i)];
  } };
}

export const actor = (name, purpose, more = []) => new Map([[0, [0, utf8(name), 2]], [3, utf8(purpose)], [10, 0], [12, [T0, 5, fill(0xb0, 16)]], ...more]);
export const SYSTEM = () => new Map([[0, [3, utf8('immutape'), 4]], [10, 0]]);
const pem = (pair) => utf8(`-----BEGIN PUBLIC KEY-----\n${b64(pair.spki)}\n-----END PUBLIC KEY-----\n`);

export const MESSAGES = [
  { dir: 0, payload: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}' },
  { dir: 1, payload: '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","serverInfo":{"name":"files"}}}' },
  { dir: 0, payload: '{"jsonrpc":"2.0","method":"notifications/initialized"}' },
  { dir: 0, payload: '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/etc/motd"}}}' },
  { dir: 1, payload: '{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"hello"}]}}' },
];

/**
 * A log with some tapes, and a bundle of them. Options: messages (of tape 1), tapes (a list of messages each), query (true: asked by query with a span),
 * rotate (true: the checkpoint and recorder keys are rotated before the tapes), frames [first, last], closed (payloads), closedHeader, closedPrivate (fields of the
 * access entry), accesses; tweak: {entry, entryBytes, tape, statement, comp, files, item, log, head, ...}.
 */
export function makeBundle(o = {}) {
  const tweak = o.tweak ?? {};
  const log = new Log(tweak);
  const genesis = log.genesis();
  const ledger = genesis.leaf;
  log.add(1, ZERO, new Map([[0, 1]]), SYSTEM());
  let recorder = KEYS.recorder;
  let issuer = KEYS.issuer;
  const rotated = [];
  const rotate = (role, pair, nextPair) => {
    const signed = pair.sign(cbor(['immutape/key/1', ORIGIN, role, pair.key, nextPair.thumb]));
    let body = new Map([[0, role], [1, pair.key], [2, nextPair.thumb], [3, signed]]);
    body = tweak.rotation?.(body, role) ?? body;
    rotated.push([role, log.add(32769, ZERO, body, SYSTEM()).index, pair]);
  };
  if (o.rotate) {
    rotate(0, KEYS.next[0], keyPair(7));
    log.checkpoint = KEYS.next[0];
    rotate(1, KEYS.next[1], keyPair(8));
    recorder = KEYS.next[1];
    rotate(2, KEYS.next[2], keyPair(9));
    issuer = KEYS.next[2];
  }
  const tapes = (o.tapes ?? [o.messages ?? MESSAGES]).map((messages, i) => makeTape(i + 1, messages, i === 0 ? tweak.tape : {}));
  const marked = Math.min(2, tapes[0].leaves.length);
  for (const tape of tapes) {
    log.add(18, tape.custody, new Map([[0, fill(0xe1, 16)]]), SYSTEM());
    if (tape === tapes[0]) {
      let mark = root(tape.leaves.slice(0, marked));
      mark = tweak.mark?.(mark) ?? mark;
      log.add(19, tape.custody, new Map([[0, marked], [1, mark]]), SYSTEM());
    }
    const own = tape === tapes[0] ? (tweak.statement ?? {}) : {};
    let cose = statement(tape, ledger, { signer: recorder, ...own });
    tape.saved = log.add(16, tape.custody, new Map([[0, cose], [1, fill(0xe1, 16)]]), SYSTEM());
    tape.statement = cose;
    if (o.truncated) log.add(20, tape.custody, new Map([[0, o.truncated[0]], [1, o.truncated[1]], [2, 9]]), SYSTEM());
  }
  const anchor = (size) => {
    let note = log.note(size, { witnesses: [0, 1], time: tweak.step ? Math.floor(log.time / 1000) + 20 : 1_760_000_300 });
    note = tweak.anchorNote?.(note) ?? note;
    let keys = [WITNESS[0], WITNESS[1]];
    keys = tweak.anchorKeys?.(keys) ?? keys;
    const e = log.add(128, ZERO, new Map([[0, note], [1, keys], [2, true]]), SYSTEM());
    e.headSize = size;
    return e;
  };
  anchor(log.entries.length);
  {
    const note = log.note(log.entries.length);
    const size = log.entries.length;
    const ms = tweak.step ? log.time + 5000 : T0 + 60_000;
    let body = new Map([[0, note], [1, token(note, ms)], [2, ms]]);
    body = tweak.stamp?.(body) ?? body;
    log.add(129, ZERO, body, SYSTEM()).headSize = size;
  }
  const accesses = o.accesses ?? [['carol', 'incident 7']];
  for (const [who, why, range] of accesses) {
    const granted = log.add(32, tapes[0].custody, new Map(), actor(who, why, range ? [[8, range]] : []));
    granted.access = true;
    log.add(33, tapes[0].custody, new Map([[0, granted.index]]), SYSTEM());
  }
  const setSalt = fill(0x5e);
  const set = setCommitment(setSalt, [...tapes.map((t) => t.custody), fill(0xee)]);
  const ids = [...tapes.map((t) => t.custody), fill(0xee)];
  const listed = log.add(34, ZERO, new Map([[0, set.root], [1, ids.length], [2, log.entries.length]]), new Map([[0, [0, utf8('dave'), 0]], [10, 0], [19, cat(...ids)], [31, setSalt]]));
  log.add(40, tapes[0].custody, new Map([[0, 32], [1, 50]]), actor('mallory', 'curious', [[11, [50, 'not permitted']]]));
  tweak.log?.(log, tapes);
  const logSize = log.entries.length;
  const bundleId = fill(0xb7, 16);
  const given = o.giveFirst ? [tapes[0]] : tapes;
  const frames = o.frames ?? null;
  const span = o.query ? [0, logSize - 1] : null;
  const range = (tape) => {
    const n = tape.frames.length;
    const [a, b] = frames ?? [0, n - 1];
    return a <= Math.min(b, n - 1) ? [a, Math.min(b, n - 1)] : null;
  };
  const place = (tape) => ({ tape: hex(tape.id), custody: hex(tape.custody), entry: tape.saved.index });
  const withheld = [];
  for (const tape of given) {
    const open = range(tape);
    if ((open ? open[1] - open[0] + 1 : 0) < tape.frames.length) withheld.push({ what: 'frames', ...place(tape), fields: [], why: 'not asked for' });
    if (o.closed && open) withheld.push({ what: 'payloads', ...place(tape), fields: [], why: 'closed' });
    if (o.closedHeader) withheld.push({ what: 'header', ...place(tape), fields: o.closedHeader, why: 'closed' });
  }
  if (o.closedPrivate) {
    for (const e of log.entries) if (e.access) withheld.push({ what: 'private', ...place(tapes[0]), entry: e.index, fields: o.closedPrivate, why: 'personal' });
  }
  let comp = {
    format: 'immutape/completeness/1', bundle: hex(bundleId), origin: ORIGIN, ledger: hex(ledger), made_ms: log.time + 5, log_size: logSize, authority: o.authority ?? 'Court of Example, 12 O 34/26',
    recipient: o.recipient ?? 'The auditor', expires_ms: null, asked: o.query ? { query: 'all', sealed_ms: [T0, T0 + 1_000_000] } : { ids: given.map((t) => hex(t.id)) }, frames,
    payloads: !o.closed, span, given: given.map((t) => ({ ...place(t), frames: t.frames.length, opened: range(t) })), withheld, destroyed: [], out_of_scope: o.outOfScope?.(tapes, place) ?? [],
  };
  comp = tweak.comp?.(comp, { log, tapes, place }) ?? comp;
  let compBytes = utf8(JSON.stringify(comp, null, 1));
  compBytes = tweak.compBytes?.(compBytes) ?? compBytes;
  const exportSalt = fill(0x3e);
  for (const tape of given) {
    let what = sha(compBytes);
    what = tweak.what?.(what) ?? what;
    let body = new Map([[0, bundleId], [1, LD('immutape/export/1', exportSalt, what)], [2, given.length]]);
    body = tweak.madeBody?.(body) ?? body;
    tape.made = log.add(163, tape.custody, body, new Map([[0, [0, utf8('erin'), 2]], [3, utf8('evidence')], [4, utf8('12 O 34/26')], [10, 0], [30, [exportSalt, what]]]));
  }
  tweak.afterMade?.(log, tapes);
  const size = log.entries.length;
  let headBytes = log.note(size, { witnesses: o.cosigned ?? [0, 1, 2], time: tweak.step ? Math.floor(log.time / 1000) + 20 : 1_760_000_900 });
  headBytes = tweak.head?.(headBytes, log) ?? headBytes;

  const inBundle = log.entries.filter((e) => {
    if (tweak.without?.(e)) return false;
    if (e.index === 0 || (e.kind >= 32768 && e.kind <= 32770) || [34, 128, 129].includes(e.kind)) return true;
    if (given.some((t) => hex(t.custody) === hex(e.subject))) return e.index <= given.find((t) => hex(t.custody) === hex(e.subject)).made.index;
    return tweak.with?.(e) || (span && e.index >= span[0] && e.index <= span[1]);
  });
  const items = inBundle.map((e) => {
    let open = e.half.size ? opened(e.fields, e.access ? (o.closedPrivate ?? []) : e.kind === 34 ? [19, 31] : []) : null;
    if (span && !given.some((t) => hex(t.custody) === hex(e.subject)) && e.kind !== 34) open = null;
    const extra = new Map();
    if (e.kind === 34 && e.index === listed.index) extra.set(0, given.map((t) => set.member(t.custody)));
    if (e.kind === 128 || e.kind === 129) extra.set(1, consistency(log.leaves, e.headSize ?? 0));
    const item = [e.bytes, open, extra];
    return tweak.item?.(item, e) ?? item;
  });
  const files = new Map();
  files.set('COMPLETENESS.json', compBytes);
  files.set('entries.cbor', cat(...items.map(cbor)));
  files.set('log/checkpoint', headBytes);
  files.set('log/paths.cbor', cbor(setProof(log.leaves, inBundle.map((e) => e.index))));
  const pairs = [['checkpoint', KEYS.checkpoint], ['recorder', KEYS.recorder], ['issuer', KEYS.issuer]];
  pairs.forEach(([role, pair]) => files.set(`keys/${role}-0.pem`, pem(pair)));
  files.set('keys/checkpoint-0.vkey', utf8(`${vkey(ORIGIN, 1, KEYS.checkpoint.key)}\n`));
  for (const [role, index, pair] of rotated) {
    files.set(`keys/${pairs[role][0]}-${index}.pem`, pem(pair));
    if (role === 0) files.set(`keys/checkpoint-${index}.vkey`, utf8(`${vkey(ORIGIN, 1, pair.key)}\n`));
  }
  for (const e of inBundle) {
    if (e.kind !== 129) continue;
    files.set(`time/${e.index}.note`, e.body.get(0));
    files.set(`time/${e.index}.tst`, e.body.get(1));
  }
  const proofOf = (e) => utf8(`c2sp.org/tlog-proof@v1\nextra ${b64(e.bytes)}\nindex ${e.index}\n${inclusion(log.leaves, e.index).map((h) => `${b64(h)}\n`).join('')}\n${Buffer.from(headBytes).toString()}`);
  for (const tape of given) {
    const dir = `tapes/${hex(tape.id)}`;
    files.set(`${dir}/root.cbor`, tape.rootFile);
    files.set(`${dir}/header.cbor`, cbor(opened(tape.fields, o.closedHeader ?? [])));
    files.set(`${dir}/manifest.cbor`, tape.manifest);
    files.set(`${dir}/statement.cose`, tape.statement);
    const open = range(tape);
    const there = open ? tape.frames.slice(open[0], open[1] + 1) : [];
    let seq = there.map((f) => [f.seq, [f.salts[0], f.envelope], o.closed ? f.digests[1] : [f.salts[1], f.payload]]);
    seq = tweak.frameItems?.(seq) ?? seq;
    files.set(`${dir}/frames.cbor`, cat(...seq.map(cbor)));
    files.set(`${dir}/frames-paths.cbor`, cbor(setProof(tape.leaves, there.map((f) => f.seq))));
    files.set(`${dir}/saved.tlog-proof`, proofOf(tape.saved));
    files.set(`${dir}/evidence.tlog-proof`, proofOf(tape.made));
    const path = cbor([size, tape.saved.index, inclusion(log.leaves, tape.saved.index)]);
    files.set(`${dir}/receipt.cose`, sign1(issuer, new Map([[1, -8], [4, issuer.thumb], [15, new Map([[1, ORIGIN], [2, hex(tape.custody)]])], [395, 1]]), null, {
      detached: log.rootAt(size), unprotected: new Map([[396, new Map([[-1, [path]]])]]),
    }));
  }
  for (const tape of tapes) {
    const out = comp.out_of_scope.find((x) => x.tape === hex(tape.id) && x.field !== null);
    if (!out || given.includes(tape)) continue;
    files.set(`tapes/${hex(tape.id)}/root.cbor`, tape.rootFile);
    files.set(`tapes/${hex(tape.id)}/header.cbor`, cbor(opened(tape.fields, tape.fields.entries.map((e) => e.n).filter((n) => n !== out.field))));
  }
  files.set('custody.html', utf8('<!doctype html><title>custody</title>\n'));
  files.set('custody.json', utf8('{}\n'));
  files.set('VERIFY.txt', utf8('Check it with tapeaudit.\n'));
  tweak.files?.(files, { log, tapes, comp });
  return { files, log, tapes, comp, size, head: headBytes, pins: { pub: [vkey(ORIGIN, 1, KEYS.checkpoint.key), hex(KEYS.recorder.key)], witness: WITNESS, quorum: 2 } };
}

export const asTar = (options = {}) => {
  const b = makeBundle(options);
  return { ...b, tar: makeTar(makeBag(b.files, options.tweak?.bag ?? {}), options.tweak?.tar ?? {}) };
};
