// entries.cbor (6.4): its items, their order, and what is opened of private halves (checks 3 and 6 of 6.7).

import { refuse, same, toHex } from './bytes.js';
import { H } from './sha256.js';
import { LD, rootFromPath } from './tree.js';
import { readEntry, checkOpened, checkPrivateField, kindName } from './entry.js';
import { sequence } from './bag.js';
import * as s from './shape.js';

const ITEM_MAX = 64 << 20;
const ENTRIES_MAX = 1 << 20;
// Nothing in an item of 6.4 is shorter: an entry, digests, salts and hashes are byte strings of 16 bytes and more.
const ENTRY_BOUNDS = { limit: 1 << 22, per: 8 };
const membership = s.tuple(s.bytes32, s.bytes32, s.uint, s.list(s.bytes32, 0, 64));
const itemShape = s.tuple(s.bytes, (v) => void (v === null || Array.isArray(v) || refuse('neither opened nor closed')), s.map({}, { 0: s.list(membership, 1), 1: s.list(s.bytes32, 0, 64) }));

/** Check 3 as far as it goes without keys. */
export async function readEntries(b) {
  const file = b.file('entries.cbor');
  if (file) {
    let n = 0;
    let before = -1;
    await b.report.attempt('entries', 'entries.cbor', async () => {
      for await (const { item } of sequence(file, ITEM_MAX, ENTRY_BOUNDS, b.report)) {
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
  for (const entry of b.entries) {
    const subject = toHex(entry.subject);
    const before = b.of(subject).at(-1);
    if (before) b.subjects.get(subject).push(entry);
    else b.subjects.set(subject, [entry]);
    if (!before) continue;
    await b.report.attempt('order of entries', `entry ${entry.index}`, () => {
      if (entry.seq <= before.seq) refuse('it counts the entries of its subject anew');
      if (BigInt(before.seq) + 1n === BigInt(entry.seq) && !same(entry.prev, before.leaf)) refuse('it does not name the entry of its subject before it');
    });
  }
}

/** Check 6: what is opened of private halves, and memberships. */
export async function privateHalves(b) {
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
