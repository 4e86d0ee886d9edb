// A bundle (chapter 6): the checks of 6.7 in order. What they leave behind is the result, and what a page shows of it.

import { refuse, same, toHex, toBase64 } from './bytes.js';
import { decode } from './cbor.js';
import { H } from './sha256.js';
import { LD, rootFromSet, rootFromPath } from './tree.js';
import { readEntry, checkOpened, checkPrivateField, kindName } from './entry.js';
import { checkHeaderField, checkHeaderNumbers, readRoot, readManifest } from './tape.js';
import { checkReceipt } from './cose.js';
import { checkProof, quorumTime, logKey, verifierKeyText } from './notes.js';
import { readCompleteness } from './json.js';
import { checkBag, readAll, sequence } from './bag.js';
import { ROLES, UNSIGNED } from './keys.js';
import { readKeys, checkStatement, checkAnchor, checkPath, checkSuccessor, checkPins, openGiven, spkiOf, hasUnknownCritical } from './log.js';
import { readFrames, checkMarks } from './frames.js';
import { accountFor, contentsAsSaid } from './account.js';
import { readTree } from './published.js';
import * as s from './shape.js';

const MIB = 1 << 20;
const ITEM_MAX = 64 * MIB;
const ENTRIES_MAX = 1 << 20;
const HASHES_MAX = 1 << 21;
const HEX = '[0-9a-f]{64}';
const NUMBER = '(?:0|[1-9][0-9]{0,19})';
const TAPE_FILES = ['root.cbor', 'header.cbor', 'manifest.cbor', 'statement.cose', 'frames.cbor', 'frames-paths.cbor', 'saved.tlog-proof', 'evidence.tlog-proof'];
const RECEIPT = 'receipt.cose';
const ALWAYS = ['COMPLETENESS.json', 'entries.cbor', 'log/checkpoint', 'log/paths.cbor'];
const ROW = new RegExp(
  `^(?:${ALWAYS.join('|').replaceAll('.', '\\.')}|tapes/${HEX}/(?:${[...TAPE_FILES, RECEIPT].join('|').replaceAll('.', '\\.')})|time/${NUMBER}\\.(?:note|tst)`
  + `|keys/(?:checkpoint|recorder|issuer)-${NUMBER}\\.pem|keys/checkpoint-${NUMBER}\\.vkey|witnesses|custody\\.html|custody\\.json|VERIFY\\.txt)$`,
);

class Bundle {
  constructor(bag, pins, report) {
    Object.assign(this, { bag, pins, report });
    this.files = new Map(); // by path in data/
    this.entries = [];
    this.byIndex = new Map();
    this.anchors = [];
    this.statements = new Map(); // index of a tape.saved -> its statement
    this.tapes = [];
    this.pinned = { checkpoint: false, recorder: false };
    this.anchoredMs = null;
    this.wholeLog = false;
  }

  file(path) {
    return this.files.get(path);
  }

  async bytes(path, max = 64 * MIB) {
    const file = this.file(path);
    if (!file) refuse('it is not there', 'missing');
    return readAll(file, max);
  }
}

/** All checks. `pins` is what `readPins` gives, with `tree` (a reader of a published tree) where the whole log is at hand. */
export async function auditBundle(bag, pins, report) {
  const b = new Bundle(bag, pins, report);
  const { payload, digest } = await checkBag(bag, report);
  b.digest = digest;
  for (const [path, file] of payload) b.files.set(path.slice(5), file);
  await rows(b);
  await completeness(b);
  await entries(b);
  if (b.genesis) {
    b.keys = await readKeys(b.genesis, b.entries, report);
    b.pinned = checkPins(pins, b.keys, report);
    if (b.comp) {
      await report.attempt('completeness file', 'COMPLETENESS.json', () => {
        if (b.comp.origin !== b.keys.origin) refuse('it is about another origin than entry 0');
        if (b.comp.ledger !== toHex(b.genesis.leaf)) refuse('it is about another ledger than entry 0');
      });
    }
    await head(b);
    await anchors(b);
    await statements(b);
  }
  await privateHalves(b);
  if (b.comp) {
    for (const [i, given] of b.comp.given.entries()) {
      await report.tick('tapes', i, b.comp.given.length);
      await givenTape(b, given);
    }
    await outOfScope(b);
    if (b.genesis) await keyAndTimeFiles(b);
    await accountFor(b);
    await contentsAsSaid(b);
    if (!b.comp.given.length) report.finding('cannot tell', 'COMPLETENESS.json', 'no tape is given, so that no entry of the log binds what it says');
  } else if (b.genesis) await keyAndTimeFiles(b);
  if (b.keys) await givenHeads(b);
  if (b.keys && b.head && pins.tree) await wholeLog(b);
  anchored(b);
  return b;
}

/** 6.2: every file has its row, and what is always there is there. */
async function rows(b) {
  for (const path of b.files.keys()) {
    await b.report.attempt('files have their place', path, () => void (ROW.test(path) || refuse('a file that has no place in a bundle')));
  }
  for (const path of ALWAYS) {
    b.report.check('files have their place');
    if (!b.file(path)) b.report.finding('missing', path, 'it has to be there, and is not', 'files have their place');
  }
}

async function completeness(b) {
  if (!b.file('COMPLETENESS.json')) return;
  await b.report.attempt('completeness file', 'COMPLETENESS.json', async () => {
    const bytes = await b.bytes('COMPLETENESS.json');
    b.compDigest = H(bytes);
    b.comp = readCompleteness(bytes);
  });
}

const hash32 = s.list(s.bytes32);
const membership = s.tuple(s.bytes32, s.bytes32, s.uint, s.list(s.bytes32, 0, 64));
const itemShape = s.tuple(s.bytes, (v) => void (v === null || Array.isArray(v) || refuse('neither opened nor closed')), s.map({}, { 0: s.list(membership, 1), 1: s.list(s.bytes32, 0, 64) }));

/** Check 3 as far as it goes without keys. */
async function entries(b) {
  const file = b.file('entries.cbor');
  if (file) {
    let n = 0;
    let before = -1;
    await b.report.attempt('entries', 'entries.cbor', async () => {
      for await (const { item } of sequence(file, ITEM_MAX, b.report)) {
        if (++n > ENTRIES_MAX) refuse('too many entries');
        await b.report.attempt('entries', `item ${n - 1} of entries.cbor`, () => {
          itemShape(item);
          const entry = readEntry(item[0]);
          if (entry.index <= before) refuse('entries that do not ascend');
          before = entry.index;
          entry.bytes = item[0].length;
          entry.opened = item[1];
          entry.members = item[2].get(0) ?? null;
          entry.path = item[2].get(1) ?? null;
          b.entries.push(entry);
          b.byIndex.set(entry.index, entry);
        });
      }
    });
  }
  for (const entry of b.entries) {
    await b.report.attempt('entries', `entry ${entry.index}`, () => {
      if (entry.members && entry.kind !== 34 && entry.kind !== 35) {
        entry.members = null;
        refuse('a membership of what has no set');
      }
      if ((entry.path !== null) !== (entry.kind === 128 || entry.kind === 129)) refuse('a consistency path that is missing, or has no place');
    });
  }
  b.genesis = b.byIndex.get(0) ?? null;
  if (!b.genesis) b.report.finding('missing', 'entries.cbor', 'entry 0 is not there', 'entries');
  for (let i = 1; i < b.entries.length; i++) {
    const [one, two] = [b.entries[i - 1], b.entries[i]];
    await b.report.attempt('order of entries', `entry ${two.index}`, () => {
      if (two.time < one.time) refuse('its time is before that of an entry before it');
      if (BigInt(one.index) + 1n === BigInt(two.index) && !same(two.previous, one.leaf)) refuse('it does not name the entry before it');
    });
  }
  const subjects = new Map();
  for (const entry of b.entries) {
    const subject = toHex(entry.subject);
    const before = subjects.get(subject);
    subjects.set(subject, entry);
    if (!before) continue;
    await b.report.attempt('order of entries', `entry ${entry.index}`, () => {
      if (entry.seq <= before.seq) refuse('it counts the entries of its subject anew');
      if (BigInt(before.seq) + 1n === BigInt(entry.seq) && !same(entry.prev, before.leaf)) refuse('it does not name the entry of its subject before it');
    });
  }
}

/** Checks 4 and 5. */
async function head(b) {
  if (!b.file('log/checkpoint')) return;
  await b.report.attempt('head', 'log/checkpoint', async () => {
    const bytes = await b.bytes('log/checkpoint', MIB);
    let found;
    try {
      found = await b.keys.openHead(bytes, b.pins.witnesses);
    } catch (error) {
      // Which key signs behind a critical entry that is not known nobody can tell.
      if (error.message === UNSIGNED && hasUnknownCritical(b.entries)) return;
      throw error;
    }
    if (!found.counts) refuse('a head of a revoked key');
    b.head = found;
    const last = b.entries.at(-1);
    if (last && BigInt(last.index) >= found.size) refuse('a head of no more entries than the last index');
  });
  if (!b.head || !b.file('log/paths.cbor')) return;
  await b.report.attempt('set proof of entries', 'log/paths.cbor', async () => {
    const hashes = decode(await b.bytes('log/paths.cbor', 128 * MIB));
    hash32(hashes);
    if (hashes.length > HASHES_MAX) refuse('too many hashes');
    const root = rootFromSet(b.head.size, b.entries.length, (i) => b.entries[i].index, (i) => b.entries[i].leaf, hashes);
    if (!same(root, b.head.root)) refuse('the entries do not lead to the root of the head');
    b.report.check('set proof of entries', b.entries.length - 1);
  });
}

/** Check 6: anchors and their paths; entries of a succession. */
async function anchors(b) {
  for (const entry of b.entries) {
    const place = `entry ${entry.index} (${kindName(entry.kind)})`;
    if (entry.kind === 128 || entry.kind === 129) {
      const anchor = await b.report.attempt('anchors', place, () => checkAnchor(entry, b.keys, b.pins.witnesses));
      if (!anchor?.head) continue;
      if (anchor.revoked) b.report.finding('intact with gaps', place, 'a head that a key signed which was revoked later: it proves nothing');
      else b.anchors.push(anchor);
      if (b.head && entry.path) await b.report.attempt('consistency paths', place, () => checkPath(anchor.head, entry.path, b.head.size, b.head.root), 'forked');
    } else if (entry.kind === 133) await b.report.attempt('anchors', place, () => b.keys.openHead(entry.body.get(1), b.pins.witnesses, BigInt(entry.index)));
    else if (entry.kind === 130) await b.report.attempt('anchors', place, () => void (entry.body.get(0) > entry.index && refuse('a head of more entries than there were')));
    else if (entry.kind === 32768) {
      const gap = await b.report.attempt('succession', place, () => checkSuccessor(entry, b.genesis, b.keys));
      if (typeof gap === 'string') b.report.finding('intact with gaps', place, gap);
    }
  }
}

/** Is there, before the revocation, a cosigned head over the entry that the key's revocation leaves alone? (4.5) */
const vouched = (b) => (index, from, before) =>
  b.anchors.some((a) => a.kind === 128 && a.index < before && a.head.size > BigInt(index) && a.head.size <= BigInt(from));

async function statements(b) {
  const subjects = new Set();
  for (const entry of b.entries) {
    if (entry.kind !== 16) continue;
    const place = `entry ${entry.index} (tape.saved)`;
    await b.report.attempt('statements', place, async () => {
      const subject = toHex(entry.subject);
      if (subjects.has(subject)) refuse('an entry before it saved this subject');
      subjects.add(subject);
      const { statement, gap } = await checkStatement(entry, b.keys, b.genesis.leaf, vouched(b));
      b.statements.set(entry.index, statement);
      if (gap && b.comp?.given.some((one) => one.custody === toHex(entry.subject))) b.report.finding('intact with gaps', place, gap);
    });
  }
}

/** Check 6: what is opened of private halves, and memberships. */
async function privateHalves(b) {
  for (const [i, entry] of b.entries.entries()) {
    const place = `entry ${entry.index} (${kindName(entry.kind)})`;
    await b.report.tick('private halves', i, b.entries.length);
    if (entry.opened !== null) {
      const opened = await b.report.attempt('opened private fields', place, () => checkOpened(entry.opened, 'immutape/private/1', entry.commitment, checkPrivateField));
      entry.raw = entry.opened;
      entry.opened = opened?.values ? opened : null;
      entry.spoiled = !opened;
    }
    for (const member of entry.members ?? []) {
      await b.report.attempt('memberships', place, () => {
        const leaf = LD('immutape/set/1', member[1], member[0]);
        const inner = leafOfDigest(leaf, member, entry.body.get(1));
        if (!same(inner, entry.body.get(0))) refuse('a tape that is not in the set it is said to be in');
      });
    }
  }
}

// A leaf of the set's tree is hashed like every leaf: H(0x00 || d).
function leafOfDigest(d, [, , position, path], size) {
  return rootFromPath(H(Uint8Array.of(0), d), position, size, path);
}

const about = (b, custody) => b.entries.filter((entry) => toHex(entry.subject) === custody);

/** Checks 7 and 8 of one given tape. */
async function givenTape(b, given) {
  const { report } = b;
  const place = `tape ${given.tape}`;
  const chain = about(b, given.custody);
  const readable = b.files.has('entries.cbor');
  const tape = { ...given, count: given.frames, chain, saved: null, made: null, root: null, frames: null, header: null, place, dir: `tapes/${given.tape}` };
  b.tapes.push(tape);
  let hole = false;
  await report.attempt('entries of tapes', place, () => {
    let expected = 0n;
    for (const entry of chain) {
      const seq = BigInt(entry.seq);
      if (seq > expected) {
        hole = true;
        report.finding('incomplete', place, `before entry ${entry.index}, ${seq - expected === 1n ? 'one entry about this tape is' : `${seq - expected} entries about this tape are`} missing`, 'entries of tapes');
      }
      expected = seq + 1n;
    }
    if (!chain.length && readable) refuse('no entry about this tape is here', 'incomplete');
  });
  const saves = chain.filter((entry) => entry.kind === 16);
  await report.attempt('entries of tapes', place, () => {
    if (saves.length > 1) refuse('two entries say that it was saved');
    if (!saves.length && !readable) return;
    if (!saves.length) refuse('the entry that says that it was saved is not here', hole || !chain.length ? 'incomplete' : 'altered');
    tape.saved = saves[0];
    if (saves[0].index !== given.entry) refuse('another entry saved it than COMPLETENESS.json says');
  });
  const statement = tape.saved ? b.statements.get(tape.saved.index) : null;
  if (statement) {
    await report.attempt('entries of tapes', place, () => void (toHex(statement.tape) === given.tape || refuse('its statement is about another tape')));
  }
  if (readable) await evidenceMade(b, tape);
  for (const entry of chain) {
    if (entry.kind === 20) report.finding('intact with gaps', place, `its recording did not end in order: ${entry.body.get(0)} frames are left, ${entry.body.get(1)} were marked`);
  }
  await tapeFiles(b, tape, statement);
}

async function evidenceMade(b, tape) {
  const last = tape.chain.at(-1);
  await b.report.attempt('entries of tapes', tape.place, () => {
    if (!last || last.kind !== 163 || toHex(last.body.get(0)) !== b.comp.bundle) refuse('the last entry about it is not that of this bundle', 'incomplete');
    tape.made = last;
    if (BigInt(last.body.get(2)) !== BigInt(b.comp.given.length)) refuse('its evidence.made says another number of tapes', 'incomplete');
    const field = last.opened?.values.get(30);
    if (!field) refuse('its evidence.made does not open what left');
    if (!same(LD('immutape/export/1', field[0], field[1]), last.body.get(1))) refuse('what left is not what its evidence.made says');
    if (!same(field[1], b.compDigest)) refuse('COMPLETENESS.json is not the one that its evidence.made names');
  });
}

/** 6.2 and check 8. */
async function tapeFiles(b, tape, statement) {
  const { report } = b;
  const path = (name) => `${tape.dir}/${name}`;
  const has = (name) => b.files.has(path(name));
  for (const name of TAPE_FILES) {
    report.check('files of tapes');
    if (!has(name)) report.finding('missing', path(name), 'a given tape has this file, and it is not there', 'files of tapes');
  }
  await rootAndHeader(b, tape);
  if (has('manifest.cbor')) {
    await report.attempt('files of tapes', path('manifest.cbor'), async () => {
      const bytes = await b.bytes(path('manifest.cbor'));
      const manifest = readManifest(bytes);
      if (statement && !same(H(bytes), statement.manifest)) refuse('the statement names another manifest');
      if (toHex(manifest.custody) !== tape.custody) refuse('a manifest of another custody id');
      if (toHex(H(manifest.rootFile)) !== tape.tape) refuse('a manifest with another tape root file');
    });
  }
  if (has('statement.cose') && tape.saved) {
    await report.attempt('files of tapes', path('statement.cose'), async () => {
      if (!same(await b.bytes(path('statement.cose'), MIB), tape.saved.body.get(0))) refuse('another statement than that of its tape.saved');
    });
  }
  if (has('frames.cbor')) {
    tape.frames = await readFrames(b.file(path('frames.cbor')), report, path('frames.cbor'));
  }
  if (tape.frames?.seqs && tape.root && has('frames-paths.cbor')) {
    await report.attempt('set proofs of frames', path('frames-paths.cbor'), async () => {
      const hashes = decode(await b.bytes(path('frames-paths.cbor'), 128 * MIB));
      hash32(hashes);
      if (hashes.length > HASHES_MAX) refuse('too many hashes');
      const { seqs, leaves } = tape.frames;
      const root = rootFromSet(tape.root.frames, seqs.length, (i) => seqs[i], (i) => leaves[i], hashes);
      if (!same(root, tape.root.tree)) refuse('the frames do not lead to the tree root of the tape');
      tape.proved = true;
    });
  }
  if (tape.frames?.seqs && tape.root) await checkMarks(tape, report);
  if (b.keys && b.head) await tapeProofs(b, tape, path, has);
}

async function rootAndHeader(b, tape) {
  const { report } = b;
  const path = (name) => `${tape.dir}/${name}`;
  if (b.files.has(path('root.cbor'))) {
    await report.attempt('files of tapes', path('root.cbor'), async () => {
      const bytes = await b.bytes(path('root.cbor'), MIB);
      if (toHex(H(bytes)) !== tape.tape) refuse('its SHA-256 is not the tape id');
      tape.root = readRoot(bytes);
    });
  }
  if (tape.root && b.files.has(path('header.cbor'))) {
    await report.attempt('files of tapes', path('header.cbor'), async () => {
      const opened = checkOpened(decode(await b.bytes(path('header.cbor'))), 'immutape/header/1', tape.root.commitment, checkHeaderField);
      checkHeaderNumbers(opened.numbers);
      const stats = opened.values.get(11);
      if (stats && BigInt(stats.get(0)) !== BigInt(tape.root.frames)) refuse('its number of frames is not that of the tape root file');
      tape.header = opened;
      if (opened.numbers.includes(18) && tape.chain) report.finding('intact with gaps', tape.place, 'its header says that there are holes in it');
    });
  }
}

async function tapeProofs(b, tape, path, has) {
  const { report, keys, head: top } = b;
  const key = logKey(keys.origin, keys.inForce(0, top.size).key);
  for (const [name, entry] of [['saved.tlog-proof', tape.saved], ['evidence.tlog-proof', tape.made]]) {
    if (!has(name) || !entry) continue;
    await report.attempt('proofs and receipts', path(name), async () => {
      const proof = await checkProof(await b.bytes(path(name), MIB), key, { witnesses: b.pins.witnesses });
      if (!proof.extra || !same(proof.leaf, entry.leaf)) refuse('a proof of another entry');
      if (proof.index !== BigInt(entry.index)) refuse('a proof for another index');
      if (proof.head.size !== top.size || !same(proof.head.root, top.root)) refuse('a proof under another head');
    });
  }
  if (has(RECEIPT) && tape.saved) {
    await report.attempt('proofs and receipts', path(RECEIPT), async () => {
      const receipt = await checkReceipt(await b.bytes(path(RECEIPT), MIB), keys.inForce(2, top.size).key, tape.saved.leaf);
      if (receipt.origin !== keys.origin || receipt.subject !== tape.custody) refuse('a receipt about something else');
      if (BigInt(receipt.size) !== top.size || BigInt(receipt.index) !== BigInt(tape.saved.index) || !same(receipt.root, top.root)) refuse('a receipt over another root');
    });
  }
}

async function outOfScope(b) {
  const { report, comp } = b;
  const given = new Set(comp.given.map((one) => one.tape));
  const shown = new Map(comp.out_of_scope.filter((one) => one.field !== null).map((one) => [one.tape, one]));
  for (const one of shown.values()) {
    const tape = { tape: one.tape, custody: one.custody, place: `tape ${one.tape}`, dir: `tapes/${one.tape}`, root: null, header: null };
    for (const name of ['root.cbor', 'header.cbor']) {
      report.check('files of tapes');
      if (!b.files.has(`${tape.dir}/${name}`)) report.finding('missing', `${tape.dir}/${name}`, 'a tape that is out of scope by a field has this file, and it is not there', 'files of tapes');
    }
    if (!given.has(one.tape)) await rootAndHeader(b, tape);
    one.header = tape.header;
  }
  for (const path of b.files.keys()) {
    const m = /^tapes\/([0-9a-f]{64})\/(.+)$/.exec(path);
    if (!m || given.has(m[1])) continue;
    if (!shown.has(m[1]) || !['root.cbor', 'header.cbor'].includes(m[2])) report.finding('altered', path, 'a file of a tape that has none here', 'files have their place');
  }
}

/** Check 9. */
async function keyAndTimeFiles(b) {
  const { report, keys } = b;
  const want = new Map();
  for (const [role, list] of keys.roles.entries()) {
    for (const one of list) {
      want.set(`keys/${ROLES[role]}-${one.at}.pem`, new TextEncoder().encode(`-----BEGIN PUBLIC KEY-----\n${toBase64(spkiOf(one.key))}\n-----END PUBLIC KEY-----\n`));
      if (role === 0) want.set(`keys/checkpoint-${one.at}.vkey`, new TextEncoder().encode(`${verifierKeyText(keys.origin, 1, one.key)}\n`));
    }
  }
  for (const entry of b.entries) {
    if (entry.kind !== 129) continue;
    want.set(`time/${entry.index}.note`, entry.body.get(0));
    want.set(`time/${entry.index}.tst`, entry.body.get(1));
  }
  for (const [path, bytes] of want) {
    report.check('keys and time-stamps as files');
    if (!b.files.has(path)) report.finding('missing', path, 'an entry has it, and the file is not there', 'keys and time-stamps as files');
    else await report.attempt('keys and time-stamps as files', path, async () => void (same(await b.bytes(path, MIB), bytes) || refuse('it is not what the entry says')));
  }
  for (const path of b.files.keys()) {
    if (/^(time|keys)\//.test(path) && !want.has(path)) report.finding('altered', path, 'no entry here has it', 'keys and time-stamps as files');
  }
}

/** Heads that others kept: one of the same size and another root is a fork. */
async function givenHeads(b) {
  const here = [...(b.head ? [b.head] : []), ...b.anchors.map((a) => a.head)];
  for (const given of await openGiven(b.pins, b.keys, b.report, b.head?.size ?? 0n)) {
    for (const one of here) {
      if (one.size === given.size && !same(one.root, given.root)) {
        b.report.finding('forked', given.place, `the log signed another root of its first ${given.size} entries`, 'heads given');
        break;
      }
    }
  }
}

/** "Whole log" of 6.7: everything here against all public halves. */
async function wholeLog(b) {
  const { report, head: top } = b;
  const place = 'published tree';
  const given = new Map(b.tapes.map((tape) => [tape.custody, tape.chain.at(-1)?.index ?? -1]));
  const heads = await openGiven({ ...b.pins, heads: b.pins.heads }, b.keys, { attempt: async (c, p, act) => act().catch(() => null) }, top.size);
  const done = await report.attempt('whole log', place, async () => {
    const roots = new Map();
    const tree = await readTree(b.pins.tree, {
      keys: b.keys,
      witnesses: b.pins.witnesses,
      report,
      start(head) {
        if (head.size < top.size) refuse('the published tree has fewer entries than the head of the bundle', 'cannot tell');
      },
      leaf(frontier) {
        const n = BigInt(frontier.size);
        for (const one of [top, ...heads]) if (one.size === n) roots.set(one, frontier.root());
      },
      visit(bytes, frontier) {
        const index = frontier.size - 1;
        const entry = readEntry(bytes);
        report.check('whole log');
        if (entry.index !== index) refuse(`entry ${index} of the tree says that it is another`);
        const here = b.byIndex.get(index);
        if (here && !same(here.leaf, entry.leaf)) report.finding('forked', `entry ${index}`, 'the published tree has another entry here', 'whole log');
        if (here) return;
        const last = given.get(toHex(entry.subject));
        if (last !== undefined && index < last) report.finding('incomplete', `entry ${index}`, 'an entry about a given tape that the bundle does not have', 'whole log');
        if (entry.kind >= 32768 && entry.kind <= 32770 && BigInt(index) < top.size) report.finding('incomplete', `entry ${index}`, 'an entry about keys that the bundle does not have', 'whole log');
      },
    });
    if (!roots.has(top) || !same(roots.get(top), top.root)) refuse('the published tree is of another history than the head of the bundle', 'forked');
    for (const [one, root] of roots) if (!same(one.root, root)) report.finding('forked', one.place, 'the published tree has another root at its size', 'whole log');
    return tree;
  });
  b.wholeLog = done?.entries === true;
}

function anchored(b) {
  const { report, pins } = b;
  if (b.head && pins.quorum > 0) {
    const time = quorumTime(b.head.times, pins.quorum);
    if (time !== null) b.anchoredMs = Number(time);
    for (const tape of b.tapes) {
      tape.savedBy = null;
      if (!tape.saved) continue;
      for (const a of b.anchors) {
        if (a.kind !== 128 || a.head.size <= BigInt(tape.saved.index)) continue;
        const at = quorumTime(a.head.times, pins.quorum);
        if (at !== null) {
          tape.savedBy = Number(at);
          break;
        }
      }
      if (tape.savedBy === null) tape.savedBy = b.anchoredMs;
    }
  }
  if (!b.pinned.checkpoint || !b.pinned.recorder) {
    const none = ['checkpoint', 'recorder'].filter((role) => !b.pinned[role]).join(' key and no ');
    report.finding('unpinned keys', 'keys', `no ${none} key of this log was given from elsewhere`);
  }
  if (b.anchoredMs === null) report.finding('not anchored', 'log/checkpoint', pins.witnesses.length ? 'no quorum of the given witnesses signed the head' : 'no witness was given');
}

