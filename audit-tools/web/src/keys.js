// Keys in force (4.5): what each role had as a key, from where on, and what was revoked. Heads under them.

import { refuse, same } from './bytes.js';
import { encode } from './cbor.js';
import { verify, thumbprint, isPublicKeyCached } from './ed25519.js';
import { splitNote, checkLines, readHead, cosignatures, logKey } from './notes.js';

export const ROLES = ['checkpoint', 'recorder', 'issuer'];
const MOST = 1024;

export const UNSIGNED = 'the key in force at its size did not sign this head';

export class Keys {
  constructor(genesis) {
    const body = genesis.body;
    this.origin = body.get(1);
    this.roles = [2, 3, 4].map((n, role) => [
      { index: -1, at: 0, key: body.get(n), thumb: thumbprint(body.get(n)), next: body.get(5)[role], revoked: null },
    ]);
    this.changes = 0;
    this.unknown = null; // index of the first critical entry of a kind that is not known
  }

  /**
   * Behind a critical entry that is not known nobody can tell which keys are in force (4.3): for an entry at this index, or a head of this
   * size, another key than the known one is no fault.
   */
  unsure(at) {
    return this.unknown !== null && at > this.unknown;
  }

  /** An entry of kind 32769 or 32770; refuses one that breaks a rule, which then changes nothing. */
  async change(entry) {
    if (entry.kind === 32769) await this.rotate(entry);
    else this.revoke(entry);
    this.changes++;
  }

  room() {
    if (this.changes >= MOST) refuse('more changes of keys than a log may have');
  }

  async rotate({ index, body }) {
    this.room();
    const [role, key, next, signature] = [0, 1, 2, 3].map((n) => body.get(n));
    const before = this.roles[role].at(-1);
    if (!isPublicKeyCached(key)) refuse('a new key that is no point, or of small order');
    for (const keys of this.roles) for (const one of keys) if (same(one.key, key)) refuse('a new key that was a key of this log before');
    const thumb = thumbprint(key);
    if (!same(thumb, before.next)) refuse('a new key that nobody named before');
    if (!(await verify(key, encode(['immutape/key/1', this.origin, role, key, next]), signature))) refuse('the new key did not sign its rotation');
    this.roles[role].push({ index, at: index, key, thumb, next, revoked: null });
  }

  revoke({ index, body }) {
    this.room();
    const [role, thumb, from] = [0, 1, 2].map((n) => body.get(n));
    const keys = this.roles[role];
    const found = keys.findIndex((one) => same(one.thumb, thumb));
    if (found < 0) refuse('a revocation of a key that the log did not have');
    if (found === keys.length - 1) refuse('a revocation of a key that is in use');
    if (from > index) refuse('a revocation from an index after it');
    if (keys[found].revoked && from >= keys[found].revoked.from) refuse('a second revocation that names no earlier index');
    keys[found].revoked = { from, index };
  }

  /** The key of a role in force at an index, or for a head of a size: the newest that came before it. */
  inForce(role, at) {
    const keys = this.roles[role];
    for (let i = keys.length - 1; i > 0; i--) if (keys[i].index < at) return keys[i];
    return keys[0];
  }

  /** Does a head of a size count, by what the log revoked? */
  counts(size) {
    const { revoked } = this.inForce(0, size);
    return !(revoked && size > revoked.from);
  }

  /** The key of a role with this thumbprint, if the log is known to have had it. */
  named(role, thumb) {
    return this.roles[role].find((one) => same(one.thumb, thumb)) ?? null;
  }

  has(role, key) {
    return this.roles[role].some((one) => same(one.key, key));
  }

  /**
   * A head under the key in force at its size; lines of the log's other keys and of known witnesses must hold too. It is `signed` where
   * that could be told, and otherwise a text that only the tree can speak for.
   */
  async openHead(bytes, witnesses = [], known = null) {
    const note = splitNote(bytes);
    const head = readHead(note.text, this.origin);
    const key = this.inForce(0, head.size);
    let signed = false;
    for (const one of this.roles[0]) {
      const lines = await checkLines(note, logKey(this.origin, one.key));
      if ((one === key || (known !== null && head.size > known)) && lines) signed = true;
    }
    if (!signed && !this.unsure(head.size)) refuse(UNSIGNED);
    const times = await cosignatures(note, witnesses);
    return { ...head, note, times, counts: this.counts(head.size), key, signed };
  }
}

const CRITICAL = 32768;
const KNOWN_CRITICAL = new Set([32768, 32769, 32770]);

/** What an entry does to the keys; `report` is told what is wrong with it. */
export async function followKeys(keys, entry, report) {
  const place = `entry ${entry.index}`;
  if (entry.kind === 32769 || entry.kind === 32770) await report.attempt('changes of keys', place, () => keys.change(entry));
  else if (entry.kind >= CRITICAL && !KNOWN_CRITICAL.has(entry.kind)) {
    keys.unknown ??= entry.index;
    report.finding('cannot tell', place, `a critical entry of kind ${entry.kind}, which is not known here`);
  }
}

/** The keys that the log had, out of entry 0 and its changes; entries are ascending. */
export async function readKeys(genesis, entries, report) {
  const keys = new Keys(genesis);
  for (const entry of entries) await followKeys(keys, entry, report);
  return keys;
}
