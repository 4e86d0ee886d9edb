// A published tree (5.4): all hashes against the checkpoint, all public halves where they are published.
// A tree is a reader of files: `file(path)` resolves to {path, size, read} or null, `has(folder)` to whether a file is beneath a folder.

import { refuse, Refusal, same, toHex } from './bytes.js';
import { Frontier, EMPTY_ROOT } from './tree.js';
import { readEntry } from './entry.js';
import { Keys, followKeys } from './keys.js';
import { splitNote, readHead, checkLines, cosignatures, quorumTime } from './notes.js';
import { tilePlace, readTile, fillFromBundle } from './tiles.js';
import { readAll } from './bag.js';
import { checkPins, openGiven } from './pins.js';
import { checkAnchors, checkStatements } from './anchors.js';

const WIDE = 256;
const BUNDLE_MAX = WIDE * 65537;

/**
 * Goes through a tree. By which key its checkpoint is signed only the entries in it say, so whoever calls this verifies the bytes of the
 * checkpoint that it resolves to, beside the head in them and whether entries are published. A fault is refused, or told to `fault`, and
 * then what stands before it counts.
 */
export async function readTree(tree, { report, start = () => {}, leaf = () => {}, visit = async () => {}, fault = null }) {
  const file = await tree.file('checkpoint');
  if (!file) refuse('the tree has no checkpoint', 'missing');
  const bytes = await readAll(file, 1 << 20);
  const head = readHead(splitNote(bytes).text);
  if (head.size > 9007199254740991n) refuse('the checkpoint of the tree says more entries than can be read', 'cannot tell');
  await start(head);
  const size = Number(head.size);
  const entries = await tree.has('tile/entries');
  const frontier = new Frontier();
  try {
    await tiles({ tree, size, entries, frontier, report, leaf, visit });
    if (!same(size ? frontier.root() : EMPTY_ROOT, head.root)) refuse('the tiles do not lead to the root of the checkpoint');
  } catch (e) {
    if (!fault || !(e instanceof Refusal)) throw e;
    fault(e);
  }
  return { head, bytes, entries };
}

async function tiles({ tree, size, entries, frontier, report, leaf, visit }) {
  for (let n = 0; n * WIDE < size; n++) {
    const count = Math.min(WIDE, size - n * WIDE);
    const raw = await piece(tree, 'tile/0', n, count);
    if (!raw) refuse(`the tile of hashes ${n} is not there`, 'missing');
    if (raw.size > 32 * WIDE) refuse(`the tile of hashes ${n} is too long`);
    let tile = await readAll(raw, 32 * WIDE);
    if (raw.whole && count < WIDE && tile.length === 32 * WIDE) tile = tile.subarray(0, 32 * count);
    const hashes = readTile(tile, count);
    report.check('tiles');
    const list = [];
    let broken = null;
    if (entries) {
      const bundle = await piece(tree, 'tile/entries', n, count);
      if (!bundle) refuse(`the bundle of entries ${n} is not there`, 'missing');
      let all = await readAll(bundle, BUNDLE_MAX);
      if (bundle.whole && count < WIDE) all = cut(all, count);
      try {
        fillFromBundle(list, all, hashes);
      } catch (e) {
        broken = e;
      }
    }
    for (let i = 0; i < count; i++) {
      frontier.add(hashes[i]);
      leaf(frontier, hashes[i]);
      if (i < list.length) await visit(list[i], frontier);
      else if (broken) throw broken;
    }
    if (broken) throw broken;
    await report.tick('published tree', n * WIDE, size);
  }
}

/** A tile at its place: the partial one of this size, or the whole one that came after it. */
async function piece(tree, prefix, n, count) {
  const path = `${prefix}/${tilePlace(n)}`;
  if (count < WIDE) {
    const partial = await tree.file(`${path}.p/${count}`);
    if (partial) return partial;
  }
  const whole = await tree.file(path);
  return whole ? { ...whole, whole: true } : null;
}

function cut(bytes, count) {
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (bytes.length - at < 2) return bytes;
    at += 2 + bytes[at] * 256 + bytes[at + 1];
  }
  return bytes.subarray(0, at);
}

/** A tree by itself: with public halves, everything of chapter 4 that can be seen in them. */
export async function auditTree(tree, pins, report) {
  const out = { pinned: { checkpoint: false, recorder: false }, anchoredMs: null, wholeLog: false, tapes: [], tree: true, size: 0 };
  const log = new Walk(report, pins);
  const read = await report.attempt('published tree', 'checkpoint', () => readTree(tree, {
    report,
    leaf: (_, hash) => log.leaves.push(hash),
    visit: (bytes, frontier) => log.visit(bytes, frontier),
    fault: (e) => report.finding(e.word, 'tile', e.message, 'published tree'),
  }));
  if (!read?.head) return words(out, pins, report);
  out.size = read.head.size;
  if (read.entries && log.keys) {
    await report.attempt('head', 'checkpoint', async () => {
      const head = await log.keys.openHead(read.bytes, pins.witnesses);
      if (!head.counts) refuse('the checkpoint is of a revoked key');
      out.head = head;
    });
    out.pinned = checkPins(pins, log.keys, report);
    await log.finish(read.head);
    out.wholeLog = true;
    out.keys = log.keys;
  } else if (read.entries) report.finding('cannot tell', 'checkpoint', 'entry 0 could not be read, so that nobody vouches for the checkpoint');
  else await bare(out, read, pins, report, log.leaves);
  if (out.head?.signed && pins.quorum) {
    const at = quorumTime(out.head.times, pins.quorum);
    out.anchoredMs = at === null ? null : Number(at);
  }
  return words(out, pins, report, !read.entries);
}

/** A tree of hashes alone has no keys in it: the pinned one has to do. */
async function bare(out, read, pins, report, leaves) {
  const note = splitNote(read.bytes);
  const mine = pins.log.filter((key) => key.name === read.head.origin);
  if (pins.log.length && !mine.length) report.finding('altered', 'checkpoint', 'the checkpoint is of another origin than the pinned key', 'head');
  if (!mine.length) {
    report.finding('cannot tell', 'checkpoint', 'the tree has no entries and no key of the log was given, so that nobody vouches for its checkpoint');
    return;
  }
  await report.attempt('head', 'checkpoint', async () => {
    let lines = 0;
    for (const key of mine) lines += await checkLines(note, key);
    if (!lines) refuse('the pinned key did not sign the checkpoint, and which key followed it is not published', 'cannot tell');
    out.pinned.checkpoint = true;
    out.pinned.recorder = null;
    out.head = { ...read.head, signed: true, times: await cosignatures(note, pins.witnesses) };
  });
  const heads = [];
  for (const [i, bytes] of pins.heads.entries()) {
    const head = await report.attempt('heads given', `head ${i + 1}`, async () => {
      for (const key of mine) {
        const given = splitNote(bytes);
        if (await checkLines(given, key)) return { ...readHead(given.text, key.name), place: `head ${i + 1}` };
      }
      return refuse('the pinned key did not sign it', 'cannot tell');
    }, 'cannot tell');
    if (head?.root) heads.push(head);
  }
  compareGiven(heads, read.head, rootsAt(leaves, heads.map((head) => head.size)), report);
}

/** Heads that others kept against the roots of the tree. */
function compareGiven(heads, top, roots, report) {
  for (const head of heads) {
    if (head.size > top.size) report.finding('rolled back', head.place, `others hold a head of ${head.size} entries, and there are ${top.size}`, 'heads given');
    else if (roots.has(head.size) && !same(roots.get(head.size), head.root)) report.finding('forked', head.place, `its head has another root of the first ${head.size} entries`, 'heads given');
  }
}

function words(out, pins, report, hashesAlone = false) {
  if (!out.pinned.checkpoint || (!hashesAlone && !out.pinned.recorder)) report.finding('unpinned keys', 'keys', 'no checkpoint key and recorder key of this log were given from elsewhere');
  if (out.anchoredMs === null) report.finding('not anchored', 'checkpoint', pins.witnesses.length ? 'no quorum of the given witnesses signed the head' : 'no witness was given');
  out.pinned.recorder ??= false;
  return out;
}

/** The state that goes through all entries, one after another. */
class Walk {
  constructor(report, pins) {
    Object.assign(this, { report, pins });
    this.keys = null;
    this.genesis = null;
    this.before = null;
    this.subjects = new Map();
    this.leaves = []; // of all entries: heads are of sizes in between
    this.later = []; // what is checked when the keys are all known
  }

  async visit(bytes, frontier) {
    const { report } = this;
    const index = frontier.size - 1;
    const place = `entry ${index}`;
    const entry = await report.attempt('entries', place, () => {
      const e = readEntry(bytes);
      if (e.index !== index) refuse('it says that it is another');
      return e;
    });
    if (!entry?.leaf) {
      this.before = null;
      return;
    }
    if (index === 0) {
      this.genesis = entry;
      this.keys = new Keys(entry);
    }
    await report.attempt('entries', place, () => this.chain(entry));
    if (!this.keys) return;
    await followKeys(this.keys, entry, report);
    if ([16, 128, 129, 130, 133, 32768].includes(entry.kind)) this.later.push(entry);
  }

  chain(entry) {
    const { before } = this;
    const subject = toHex(entry.subject);
    if (before) {
      if (!same(entry.previous, before.leaf)) refuse('it does not name the entry before it');
      if (entry.time < before.time) refuse('its time is before that of the entry before it');
    }
    const last = this.subjects.get(subject);
    const saved = (last?.saved ?? false) || entry.kind === 16;
    const opened = (last?.opened ?? false) || entry.kind === 18;
    const ended = (last?.ended ?? false) || [86, 88, 90].includes(entry.kind);
    this.before = entry;
    this.subjects.set(subject, { seq: entry.seq, leaf: entry.leaf, saved, opened, ended });
    if (last ? BigInt(entry.seq) !== BigInt(last.seq) + 1n || !same(entry.prev, last.leaf) : entry.seq !== 0) refuse('it does not go on from the last entry of its subject');
  }

  async finish(top) {
    const { report, keys, genesis, pins } = this;
    const heads = [];
    const anchors = await checkAnchors(this.later, { keys, genesis, witnesses: pins.witnesses, report }, (anchor, place, entry) => {
      // what a revoked key signed proves nothing, and what nobody can tell the key of says nothing
      if (!anchor.revoked && !anchor.unsigned) heads.push({ ...anchor.head, place, word: entry.kind === 130 ? 'altered' : 'forked' });
    });
    const given = await openGiven(pins, keys, report, top.size);
    const roots = rootsAt(this.leaves, [...heads, ...given].map((head) => head.size));
    compareGiven(given, top, roots, report);
    for (const head of heads) {
      report.check('roots of heads');
      const root = roots.get(head.size);
      if (root && !same(root, head.root)) report.finding(head.word, head.place, `its head has another root of the first ${head.size} entries`, 'roots of heads');
    }
    await checkStatements(this.later, { keys, genesis, anchors, report }, () => true);
    for (const [subject, one] of this.subjects) {
      if (one.opened && !one.saved && !one.ended) report.finding('unsealed tail', `custody id ${subject}`, 'a recording was begun that is no tape yet');
    }
  }
}

function rootsAt(leaves, sizes) {
  const want = new Set(sizes);
  const out = new Map();
  const frontier = new Frontier();
  if (want.has(0n)) out.set(0n, EMPTY_ROOT);
  for (const leaf of leaves) {
    frontier.add(leaf);
    const size = BigInt(frontier.size);
    if (want.has(size)) out.set(size, frontier.root());
  }
  return out;
}

