// What the entries that are there say of heads and tapes: anchors, successions and statements (3.3, 4.3, 4.5, 4.6), in bundles and published trees.

import { refuse, same, toHex } from './bytes.js';
import { EMPTY_ROOT, isConsistent } from './tree.js';
import { H } from './sha256.js';
import { kindName } from './entry.js';
import { readStatement, checkStatementKey } from './cose.js';
import { readVerifierKey, cosignatures, checkSuccession, openHead } from './notes.js';
import { readToken } from './der.js';

/** Note, cosignatures and token of a kind 128 or 129. Returns the head in it, and what it is worth. */
async function checkAnchor(entry, keys, witnesses) {
  const note = entry.body.get(0);
  const head = await keys.openHead(note, witnesses);
  if (head.size > entry.index) refuse('a head of more entries than there were');
  let revoked = false;
  if (!head.counts) {
    if (entry.index > head.key.revoked.index) refuse('a head that a revoked key signed');
    revoked = true;
  }
  if (entry.kind === 128) {
    for (const text of entry.body.get(1)) {
      const key = readVerifierKey(text, 4);
      if (keys.has(0, key.key)) refuse('a witness with a key of the log');
      if (!(await cosignatures(head.note, [key])).size) refuse('a witness that the entry names did not sign');
    }
  } else {
    if (head.note.signatures.length !== 1) refuse('a time-stamped note has other signatures than that of the log');
    const token = readToken(entry.body.get(1));
    if (!same(token.digest, H(note))) refuse('the token is of something else');
    if (BigInt(token.time) !== BigInt(entry.body.get(2))) refuse('the time of the token is another');
  }
  return { index: entry.index, kind: entry.kind, head, revoked, unsigned: !head.signed };
}

/** The consistency path of an anchor's head to a larger one. */
export function checkPath(head, path, size, root) {
  if (head.size > size) refuse('a head of more entries than the newest one');
  if (head.size === size || head.size === 0n) {
    if (path.length) refuse('a path where there is nothing to lead over');
    if (!same(head.root, head.size === 0n ? EMPTY_ROOT : root)) refuse('another root at the same size');
  } else if (!isConsistent(head.size, head.root, size, root, path)) refuse('the head in it does not lead to the newest one');
}

/** A succession (4.6) against entry 0. Resolves to a gap, or null. */
async function checkSuccessor(entry, genesis, keys) {
  const s = await checkSuccession(entry.body.get(0));
  const before = genesis.body.get(9);
  if (!before) refuse('a succession in a log that has no predecessor');
  const [origin, note, first, last] = before;
  if (s.old.name !== origin || BigInt(first) !== s.first || (last === null ? s.last !== null : s.last !== BigInt(last))) refuse('a succession that is not the one of entry 0');
  const head = await openHead(note, s.old);
  if (head.size !== s.size || !same(head.root, s.root)) refuse('a succession of another head than that of entry 0');
  if (s.fresh.name !== keys.origin || !same(s.fresh.key, genesis.body.get(2)) || s.ledger !== toHex(genesis.leaf)) refuse('a succession by another log');
  return s.oldSigned ? null : 'the old log did not sign the succession';
}

/**
 * All anchors, publications and successions. Resolves to the anchors that count; `each` gets every head that the log says is its own, with
 * the place for a finding and the entry, and compares it with what is at hand: paths in a bundle, all leaves in a tree.
 */
export async function checkAnchors(entries, { keys, genesis, witnesses, report }, each) {
  const kept = [];
  for (const entry of entries) {
    const place = `entry ${entry.index} (${kindName(entry.kind)})`;
    if (entry.kind === 128 || entry.kind === 129) {
      const anchor = await report.attempt('anchors', place, () => checkAnchor(entry, keys, witnesses));
      if (!anchor?.head) continue;
      if (anchor.revoked) report.finding('intact with gaps', place, 'a head that a key signed which was revoked later: it proves nothing');
      else if (!anchor.unsigned) kept.push(anchor);
      await each(anchor, place, entry);
    } else if (entry.kind === 130) {
      const fits = await report.attempt('anchors', place, () => void (entry.body.get(0) > entry.index && refuse('a head of more entries than there were')));
      if (fits) await each({ head: { size: BigInt(entry.body.get(0)), root: entry.body.get(1) } }, place, entry);
    } else if (entry.kind === 133) await report.attempt('anchors', place, () => keys.openHead(entry.body.get(1), witnesses, BigInt(entry.index)));
    else if (entry.kind === 32768) {
      const gap = await report.attempt('succession', place, () => checkSuccessor(entry, genesis, keys));
      if (typeof gap === 'string') report.finding('intact with gaps', place, gap);
    }
  }
  return kept;
}

/** A statement under the recorder's key (3.3, 4.5). Resolves to a gap, or null. `vouched(index, from, before)`: does a cosigned head speak for it? */
async function checkStatement(entry, statement, keys, ledger, vouched) {
  const unsure = keys.unsure(entry.index);
  // a key that an unknown entry may have brought into force cannot be asked; one that the log is known to have had can
  const key = unsure ? keys.named(1, statement.kid) : keys.inForce(1, entry.index);
  if (key) await checkStatementKey(statement, key.key);
  if (statement.origin !== keys.origin) refuse('the statement is about another origin');
  if (!same(statement.ledger, ledger)) refuse('the statement is about another ledger');
  if (!same(statement.custody, entry.subject)) refuse('the statement is about another custody id');
  if (!key?.revoked) return null;
  if (entry.index >= key.revoked.from) refuse('a statement of a revoked key');
  return vouched(entry.index, key.revoked.from, key.revoked.index) ? null : 'its recorder key was revoked, and no cosigned head vouches for the statement';
}

/** The statements of all `tape.saved`, by index, whether they hold or not; gaps are told of subjects that `tells` says. */
export async function checkStatements(entries, { keys, genesis, anchors, report }, tells) {
  const statements = new Map();
  const subjects = new Set();
  // a cosigned head over the entry that stands before the revocation, and that the revocation leaves alone
  const vouched = (index, from, before) => anchors.some((a) => a.kind === 128 && a.index < before && a.head.size > BigInt(index) && a.head.size <= BigInt(from));
  for (const entry of entries) {
    if (entry.kind !== 16) continue;
    const place = `entry ${entry.index} (tape.saved)`;
    const subject = toHex(entry.subject);
    await report.attempt('statements', place, async () => {
      if (subjects.has(subject)) refuse('an entry before it saved this subject');
      subjects.add(subject);
      const statement = readStatement(entry.body.get(0));
      statements.set(entry.index, statement);
      const gap = await checkStatement(entry, statement, keys, genesis.leaf, vouched);
      if (gap && tells(subject)) report.finding('intact with gaps', place, gap);
    });
  }
  return statements;
}
