// A bundle (chapter 6): the checks of 6.7 in order. What they leave behind is the result, and what a page shows of it.

import { refuse, same, toHex } from './bytes.js';
import { H } from './sha256.js';
import { rootFromSet, readSetProof } from './tree.js';
import { quorumTime } from './notes.js';
import { readCompleteness } from './json.js';
import { checkBag, readAll } from './bag.js';
import { readKeys } from './keys.js';
import { checkPins } from './pins.js';
import { rows, keyAndTimeFiles } from './files.js';
import { readEntries, privateHalves } from './entries.js';
import { checkAnchors, checkPath, checkStatements } from './anchors.js';
import { givenTape, outOfScope } from './given.js';
import { accountFor, contentsAsSaid } from './account.js';
import { givenHeads, wholeLog } from './whole.js';

const MIB = 1 << 20;

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
    this.proved = false; // do the entries lead to the root of the head?
    this.published = {}; // size of the tree beside the bundle, and its roots at the sizes of heads
    this.subjects = new Map(); // entries by what they are about
  }

  /** The entries about a custody id. */
  of(custody) {
    return this.subjects.get(custody) ?? [];
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
  await readEntries(b);
  if (b.genesis) {
    b.keys = b.bundleKeys = await readKeys(b.genesis, b.entries, report);
    if (b.comp) {
      await report.attempt('completeness file', 'COMPLETENESS.json', () => {
        if (b.comp.origin !== b.keys.origin) refuse('it is about another origin than entry 0');
        if (b.comp.ledger !== toHex(b.genesis.leaf)) refuse('it is about another ledger than entry 0');
      });
    }
    await head(b);
    if (b.head && pins.tree) await wholeLog(b);
    b.pinned = checkPins(pins, b.keys, report);
    // check 6
    b.anchors = await checkAnchors(b.entries, { ...b, witnesses: pins.witnesses }, (anchor, place, entry) => {
      if (b.head && entry.path) return report.attempt('consistency paths', place, () => checkPath(anchor.head, entry.path, b.head.size, b.head.root), 'forked');
      return null;
    });
    const given = new Set(b.comp?.given.map((one) => one.custody));
    b.statements = await checkStatements(b.entries, b, (subject) => given.has(subject));
  }
  await privateHalves(b);
  if (b.comp) {
    // a tape that has two rows is told by check 10, and looked at once
    const given = [...new Map([...b.comp.given].reverse().map((one) => [one.tape, one])).values()].reverse();
    for (const [i, one] of given.entries()) {
      await report.tick('tapes', i, given.length);
      await givenTape(b, one);
    }
    await outOfScope(b);
    if (b.genesis) await keyAndTimeFiles(b);
    await accountFor(b);
    await contentsAsSaid(b);
    if (!b.comp.given.length) report.finding('cannot tell', 'COMPLETENESS.json', 'no tape is given, so that no entry of the log binds what it says');
  } else if (b.genesis) await keyAndTimeFiles(b);
  if (b.keys) await givenHeads(b);
  anchored(b);
  return b;
}

async function completeness(b) {
  if (!b.file('COMPLETENESS.json')) return;
  await b.report.attempt('completeness file', 'COMPLETENESS.json', async () => {
    const bytes = await b.bytes('COMPLETENESS.json');
    b.compDigest = H(bytes);
    b.comp = readCompleteness(bytes);
  });
}

/** Checks 4 and 5. */
async function head(b) {
  if (!b.file('log/checkpoint')) return;
  await b.report.attempt('head', 'log/checkpoint', async () => {
    const bytes = await b.bytes('log/checkpoint', MIB);
    const found = await b.keys.openHead(bytes, b.pins.witnesses);
    if (!found.counts) refuse('a head of a revoked key');
    b.head = found;
    const last = b.entries.at(-1);
    if (last && BigInt(last.index) >= found.size) refuse('a head of no more entries than the last index');
  });
  if (!b.head || !b.file('log/paths.cbor')) return;
  await b.report.attempt('set proof of entries', 'log/paths.cbor', async () => {
    const hashes = readSetProof(await b.bytes('log/paths.cbor', 128 * MIB));
    const root = rootFromSet(b.head.size, b.entries.length, (i) => b.entries[i].index, (i) => b.entries[i].leaf, hashes);
    if (!same(root, b.head.root)) refuse('the entries do not lead to the root of the head');
    b.proved = true;
    b.report.check('set proof of entries', b.entries.length - 1);
  });
}

function anchored(b) {
  const { report, pins } = b;
  // a head vouches for a time where it holds under the log's key alone
  if (b.head?.signed && pins.quorum > 0) {
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

