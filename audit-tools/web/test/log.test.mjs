// What hangs on the log as a whole: keys and heads from elsewhere, changes of keys, published trees, and what nobody can tell.

import test from 'node:test';
import assert from 'node:assert/strict';
import * as w from './writer.mjs';
import { judge, judgeTree } from './help.mjs';
import { otherKey, swapBit, onFile, replaced } from './cases.mjs';

test('pins: none, one, another', async () => {
  const b = w.asTar();
  const words = async (pins) => (await judge(b.tar, pins)).json.words;
  assert.deepEqual(await words({}), ['not anchored', 'unpinned keys']);
  assert.deepEqual(await words({ pub: [b.pins.pub[0]] }), ['not anchored', 'unpinned keys']);
  assert.deepEqual(await words({ pub: [b.pins.pub[1]] }), ['not anchored', 'unpinned keys']);
  assert.deepEqual(await words({ pub: b.pins.pub }), ['not anchored']);
  assert.deepEqual(await words({ ...b.pins, quorum: 3 }), ['intact']);
  assert.deepEqual(await words({ ...b.pins, pub: [b.pins.pub[0], w.hex(w.KEYS.recorder.thumb)] }), ['intact']);
  const bare = w.hex(w.KEYS.checkpoint.key);
  assert.deepEqual(await words({ ...b.pins, pub: [bare, w.hex(w.KEYS.recorder.thumb)] }), ['intact'], 'without a name it counts for the role it has');
  assert.deepEqual(await words({ ...b.pins, pub: [bare] }), ['unpinned keys']);
  const pem = `-----BEGIN PUBLIC KEY-----\n${w.b64(w.KEYS.recorder.spki)}\n-----END PUBLIC KEY-----\n`;
  assert.deepEqual(await words({ ...b.pins, pub: [b.pins.pub[0], pem] }), ['intact']);
  assert.deepEqual(await words({ ...b.pins, pub: [...b.pins.pub, w.hex(otherKey.key)] }), ['altered']);
  assert.deepEqual(await words({ ...b.pins, pub: [...b.pins.pub, w.vkey(w.ORIGIN, 1, otherKey.key)] }), ['altered']);
  assert.deepEqual(await words({ ...b.pins, pub: [...b.pins.pub, w.vkey('other.example/x', 1, w.KEYS.checkpoint.key)] }), ['altered']);
  const two = w.asTar({ cosigned: [0] });
  assert.deepEqual((await judge(two.tar, two.pins)).json.words, ['not anchored']);
  const rotated = w.asTar({ rotate: true });
  assert.deepEqual((await judge(rotated.tar, { ...rotated.pins, pub: [w.vkey(w.ORIGIN, 1, w.KEYS.next[0].key), w.hex(w.KEYS.next[1].key)] })).json.words, ['intact']);
});

test('heads that others kept', async () => {
  const b = w.asTar();
  const words = async (head) => (await judge(b.tar, { ...b.pins, head: [head] })).json.words;
  assert.deepEqual(await words(b.head), ['intact']);
  assert.deepEqual(await words(b.log.note(5)), ['intact']);
  assert.deepEqual(await words(w.headNote(b.size, w.fill(1))), ['forked']);
  assert.deepEqual(await words(w.headNote(5, w.fill(1))), ['forked']);
  assert.deepEqual(await words(w.headNote(900, w.fill(1))), ['intact']);
  assert.deepEqual(await words(w.headNote(5, w.fill(1), { signer: otherKey })), ['cannot tell']);
});

test('the whole log', async () => {
  const b = w.asTar();
  b.log.add(1, w.fill(0), new Map([[0, 2]]));
  const run = async (tree, more = {}) => (await judge(b.tar, { ...b.pins, ...more }, tree)).json;
  const good = await run(w.makeTree(b.log));
  assert.deepEqual(good.words, ['intact']);
  assert.equal(good.whole_log, true);
  assert.equal(good.checks.find((c) => c.name === 'whole log').count, b.log.entries.length + 1);
  assert.deepEqual((await run(w.makeTree(b.log, 6))).words, ['cannot tell']);
  const hashes = await run(w.makeTree(b.log, undefined, { entries: false }));
  assert.deepEqual([hashes.words, hashes.whole_log], [['intact'], false]);
  const broken = w.makeTree(b.log);
  broken.set([...broken.keys()][0], new Uint8Array(32 * b.log.entries.length));
  assert.deepEqual((await run(broken)).words, ['altered']);
  const less = w.makeTree(b.log);
  less.delete([...less.keys()][1]);
  assert.deepEqual([(await run(less)).words, (await run(less)).whole_log], [['intact'], false]);
  // another history under the same key
  const other = w.makeBundle({ accesses: [['eve', 'other']] }).log;
  while (other.entries.length <= b.log.entries.length) other.add(1, w.fill(0), new Map([[0, 2]]));
  assert.deepEqual((await run(w.makeTree(other))).words, ['forked']);
  assert.deepEqual((await run(w.makeTree(b.log), { head: [w.headNote(6, w.fill(9))] })).words, ['forked']);
});

/** What a log may do after a bundle was made of it. */
const rotate = (log, role, pair, nextPair) => log.add(32769, w.fill(0), new Map([[0, role], [1, pair.key], [2, nextPair.thumb], [3, pair.sign(w.cbor(['immutape/key/1', w.ORIGIN, role, pair.key, nextPair.thumb]))]]));
const revoke = (log, role, pair, from) => log.add(32770, w.fill(0), new Map([[0, role], [1, pair.thumb], [2, from], [3, 1]]));
function rotatedLater() {
  const b = w.asTar();
  rotate(b.log, 0, w.KEYS.next[0], w.keyPair(7));
  b.log.checkpoint = w.KEYS.next[0];
  b.log.add(1, w.fill(0), new Map([[0, 2]]));
  return b;
}

test('a tree whose key was replaced after the bundle was made', async () => {
  const b = rotatedLater();
  const run = async (tree, more = {}) => (await judge(b.tar, { ...b.pins, ...more }, tree)).json;
  const tree = w.makeTree(b.log);
  const good = await run(tree);
  assert.deepEqual([good.words, good.whole_log], [['intact'], true]);
  // the key that is in force by now is as good as the one before it, and so is a head that it signed
  const newest = { pub: [w.vkey(w.ORIGIN, 1, w.KEYS.next[0].key), b.pins.pub[1]] };
  assert.deepEqual((await run(tree, newest)).words, ['intact']);
  assert.deepEqual((await run(tree, { head: [b.log.note(b.log.entries.length)] })).words, ['intact']);
  assert.deepEqual((await run(tree, { head: [w.headNote(b.log.entries.length - 1, w.fill(9), { signer: w.KEYS.next[0] })] })).words, ['forked']);
  // past the end of the tree any key that it had will do, and nothing can be compared
  assert.deepEqual((await run(tree, { head: [w.headNote(900, w.fill(9), { signer: w.KEYS.checkpoint })] })).words, ['intact']);
  // without the tree nobody knows of it
  assert.deepEqual((await run(null, newest)).verdict, 'altered');
  assert.deepEqual((await run(null, { head: [b.log.note(b.log.entries.length)] })).words, ['cannot tell']);
  // hashes do not say which key followed
  assert.deepEqual((await run(w.makeTree(b.log, undefined, { entries: false }))).words, ['cannot tell']);
  // the old key does not sign any more, and a key that nobody named never did
  for (const signer of [w.KEYS.checkpoint, otherKey]) {
    const size = b.log.entries.length;
    const wrong = await run(w.makeTree(b.log, undefined, { head: w.headNote(size, b.log.rootAt(size), { signer }) }));
    assert.deepEqual([wrong.words, wrong.whole_log], [['altered'], false]);
  }
});

test('a tree says which keys were revoked after the bundle was made', async () => {
  const run = async (change) => {
    const b = rotatedLater();
    rotate(b.log, 1, w.KEYS.next[1], w.keyPair(8));
    change(b.log, b.size);
    const { json } = await judge(b.tar, b.pins, w.makeTree(b.log));
    assert.deepEqual((await judge(b.tar, b.pins)).json.words, ['intact']);
    return json;
  };
  assert.deepEqual((await run((log) => revoke(log, 1, w.KEYS.recorder, log.entries.length))).words, ['intact']);
  assert.deepEqual((await run((log) => revoke(log, 1, w.KEYS.recorder, 2))).words, ['altered']); // the tape was saved behind it
  assert.deepEqual((await run((log, size) => revoke(log, 0, w.KEYS.checkpoint, size))).words, ['intact']);
  const head = await run((log, size) => revoke(log, 0, w.KEYS.checkpoint, size - 1));
  assert.ok(head.findings.some((f) => f.place === 'log/checkpoint' && /revoked later/.test(f.what)));
  assert.equal(head.verdict, 'altered');
  // a change that breaks a rule, and one that nobody here knows
  assert.deepEqual((await run((log) => rotate(log, 0, w.keyPair(77), w.keyPair(9)))).words, ['altered']);
  assert.deepEqual((await run((log) => log.add(40000, w.fill(0), new Map()))).words, ['cannot tell']);
});

test('a ledger that leaves an entry out of its own counting is found by the whole log alone', async () => {
  // the log has an access about the tape that counts itself to nobody: its subject_seq is that of the next one
  const hidden = { entry: (e) => (e.kind === 36 ? { ...e, seq: 0, prev: w.fill(0) } : e) };
  const b = w.asTar({ tweak: { ...hidden, log: (log, tapes) => {
    const last = log.subjects.get(w.hex(tapes[0].custody));
    log.add(36, tapes[0].custody, new Map());
    log.subjects.set(w.hex(tapes[0].custody), last);
  }, without: (e) => e.kind === 36 } });
  const alone = (await judge(b.tar, b.pins)).json;
  assert.deepEqual(alone.words, ['intact']);
  const whole = (await judge(b.tar, b.pins, w.makeTree(b.log))).json;
  assert.deepEqual(whole.words, ['incomplete']);
  assert.ok(whole.findings.some((f) => /about a given tape that the bundle does not have/.test(f.what)));
});

test('nothing given is never intact', async () => {
  const b = w.makeBundle({ tweak: { comp: (c) => ({ ...c, given: [], asked: { ids: ['ab'.repeat(32)] }, withheld: [], out_of_scope: [{ tape: 'ab'.repeat(32), custody: 'cd'.repeat(32), entry: 1, field: null, why: 'x' }] }) } });
  for (const path of [...b.files.keys()]) if (path.startsWith('tapes/')) b.files.delete(path);
  const { json } = await judge(w.makeTar(w.makeBag(b.files)), b.pins);
  assert.equal(json.verdict, 'cannot tell');
});

test('a revoked recorder', async () => {
  const revoke = (from) => ({ rotate: false, tweak: { log: (log) => {
    const [role, pair, nextPair] = [1, w.KEYS.next[1], w.keyPair(8)];
    const signed = pair.sign(w.cbor(['immutape/key/1', w.ORIGIN, role, pair.key, nextPair.thumb]));
    log.add(32769, w.fill(0), new Map([[0, role], [1, pair.key], [2, nextPair.thumb], [3, signed]]));
    log.add(32770, w.fill(0), new Map([[0, 1], [1, w.KEYS.recorder.thumb], [2, from], [3, 1]]));
  }, files: (files, { log }) => {
    const at = log.entries.find((e) => e.kind === 32769).index;
    files.set(`keys/recorder-${at}.pem`, w.utf8(`-----BEGIN PUBLIC KEY-----\n${w.b64(w.KEYS.next[1].spki)}\n-----END PUBLIC KEY-----\n`));
  } } });
  const run = async (from) => {
    const b = w.asTar(revoke(from));
    return (await judge(b.tar, b.pins)).json;
  };
  assert.deepEqual((await run(2)).words, ['altered']); // saved at 4, from 2 on nothing counts
  assert.deepEqual((await run(5)).words, ['intact']); // a cosigned head of 5 entries vouches
  const b = w.asTar({ ...revoke(5), tweak: { ...revoke(5).tweak, without: (e) => e.kind === 128 } });
  assert.deepEqual((await judge(b.tar, b.pins)).json.words, ['intact with gaps']);
  assert.deepEqual((await run(90)).words, ['altered']); // from an index after it
});

test('a published tree', async () => {
  const b = w.asTar({ rotate: true });
  const run = async (tree, pins = b.pins) => (await judgeTree(tree, pins)).json;
  // its recording of the tape was saved, so there is no unsealed tail
  assert.deepEqual((await run(w.makeTree(b.log))).words, ['intact']);
  assert.deepEqual((await run(w.makeTree(b.log), {})).words, ['not anchored', 'unpinned keys']);
  assert.deepEqual((await run(w.makeTree(b.log), { ...b.pins, head: [w.headNote(2, w.fill(1))] })).words, ['forked']);
  const newest = w.headNote(900, w.fill(1), { signer: w.KEYS.next[0] });
  assert.deepEqual((await run(w.makeTree(b.log), { ...b.pins, head: [newest] })).words, ['rolled back']);
  const open = w.makeBundle();
  open.log.add(18, w.fill(0x77), new Map([[0, w.fill(1, 16)]]));
  assert.deepEqual((await run(w.makeTree(open.log))).words, ['unsealed tail']);
  const tree = w.makeTree(b.log);
  tree.set('checkpoint', w.utf8(Buffer.from(tree.get('checkpoint')).toString().replace('\n', 'x\n')));
  assert.equal((await run(tree)).verdict, 'altered');
  // what stands before a fault counts: the keys are known, and the head holds under them
  const cut = w.makeTree(b.log);
  const bundle = [...cut.keys()].find((p) => p.startsWith('tile/entries'));
  cut.set(bundle, cut.get(bundle).slice(0, -3));
  assert.deepEqual((await run(cut)).words, ['altered']);
  // an entry that breaks its grammar keeps its place among the leaves
  const odd = w.makeBundle({ tweak: { entry: (e) => (e.kind === 19 ? { ...e, seq: 900 } : e) } });
  assert.deepEqual((await run(w.makeTree(odd.log), odd.pins)).findings.filter((f) => f.word === 'forked'), []);
  const gone = w.makeTree(b.log);
  gone.delete([...gone.keys()][0]);
  assert.equal((await run(gone)).verdict, 'missing');
  assert.equal((await run(new Map())).verdict, 'missing');
});

test('a tree of hashes alone', async () => {
  const b = w.makeBundle();
  const run = async (pins) => (await judgeTree(w.makeTree(b.log, undefined, { entries: false }), pins)).json;
  assert.deepEqual((await run({ ...b.pins, pub: [b.pins.pub[0]] })).words, ['intact']);
  assert.deepEqual((await run({ witness: b.pins.witness })).words, ['not anchored', 'unpinned keys', 'cannot tell']);
  assert.equal((await run({ ...b.pins, pub: [w.vkey(w.ORIGIN, 1, otherKey.key)] })).verdict, 'cannot tell');
  assert.equal((await run({ ...b.pins, pub: [w.vkey('other.example/x', 1, otherKey.key)] })).verdict, 'altered');
  assert.deepEqual((await run({ ...b.pins, pub: [b.pins.pub[0]], head: [w.headNote(4, w.fill(1))] })).words, ['forked']);
  assert.deepEqual((await run({ ...b.pins, pub: [b.pins.pub[0]], head: [b.log.note(4)] })).words, ['intact']);
  assert.deepEqual((await run({ ...b.pins, pub: [b.pins.pub[0]], head: [w.headNote(900, w.fill(1))] })).words, ['rolled back']);
  assert.deepEqual((await run({ ...b.pins, pub: [b.pins.pub[0]], head: [w.headNote(4, w.fill(1), { signer: otherKey })] })).words, ['cannot tell']);
});


/** A bundle of a log with a critical entry that nobody knows, whose later heads another key signs. */
const unknown = (tweak = {}, more = {}) => w.asTar({ ...more, tweak: { log: (log) => {
  log.add(40000, w.fill(0), new Map());
  log.checkpoint = otherKey;
}, with: (e) => e.kind === 40000, ...tweak } });

test('behind a critical kind that is not known nobody can tell which key signs, and all else is checked', async () => {
  const run = async (b, pins = b.pins) => (await judge(b.tar, pins)).json;
  const CANNOT = ['not anchored', 'cannot tell'];
  const ALTERED = ['not anchored', 'cannot tell', 'altered'];
  const known = await run(w.asTar({ tweak: { log: (log) => log.add(40000, w.fill(0), new Map()), with: (e) => e.kind === 40000 } }));
  assert.deepEqual([known.words, known.exit, known.anchored_ms === null], [['cannot tell'], 1, false]);
  const json = await run(unknown());
  assert.deepEqual([json.words, json.exit], [CANNOT, 1]);
  for (const name of ['set proof of entries', 'proofs and receipts', 'consistency paths']) assert.ok(json.checks.find((c) => c.name === name)?.count > 0, name);
  // check 4 without its key
  const size = (log) => log.entries.length;
  const head = (options) => ({ head: (bytes, log) => w.headNote(size(log), log.rootAt(size(log)), { signer: otherKey, ...options }) });
  assert.deepEqual((await run(unknown(head({ origin: `other.example/${'00'.repeat(16)}` })))).words, ALTERED);
  assert.deepEqual((await run(unknown({ head: (bytes, log) => w.headNote(size(log) - 1, log.rootAt(size(log) - 1), { signer: otherKey }) }))).words, [...ALTERED, 'forked']);
  // a key that is in force for certain, for the head is of fewer entries
  assert.ok((await run(unknown({ anchorNote: (note) => w.utf8(Buffer.from(note).toString().replace(/(\n\u2014 ledger.*? )(.{20})./, (m, a, c) => `${a}${c}${m.endsWith('A') ? 'B' : 'A'}`)) }))).words.includes('altered'));
  // checks 5 and 8
  assert.deepEqual((await run(unknown(onFile('log/paths.cbor', () => w.cbor([w.fill(1)])).tweak))).words, ALTERED);
  const path = (b) => replaced(b, /(index \d+\n.{5})./, (m, a) => `${a}${m.endsWith('A') ? 'B' : 'A'}`);
  assert.deepEqual((await run(unknown(onFile('saved.tlog-proof', path).tweak))).words, ALTERED);
  assert.deepEqual((await run(unknown(onFile('receipt.cose', (b) => swapBit(b)).tweak))).words, ALTERED);
  // a statement behind it by a key that the log is not known to have had, and one of the known key that does not hold
  const second = (e) => (e.index === 1 ? { ...e, kind: 40000, body: new Map() } : e);
  const early = (more) => w.asTar({ query: true, tweak: { entry: second, ...more } });
  assert.deepEqual((await run(early({ statement: { signer: otherKey } }))).words, ['cannot tell']);
  const spoil = (e) => (e.kind === 16 ? { ...e, body: new Map([...e.body, [0, swapBit(e.body.get(0))]]) } : second(e));
  assert.deepEqual((await run(early({ entry: spoil, ...onFile('statement.cose', (b) => swapBit(b)).tweak }))).words, ['cannot tell', 'altered']);
  // a tree says no more about it
  const b = unknown();
  assert.deepEqual((await judgeTree(w.makeTree(b.log), b.pins)).json.words, CANNOT);
  assert.deepEqual((await judge(b.tar, b.pins, w.makeTree(b.log))).json.words, CANNOT);
  assert.deepEqual((await run(b, { ...b.pins, head: [b.log.note(b.size)] })).words, CANNOT);
});
