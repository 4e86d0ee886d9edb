// Who did what with a tape, out of what entries say in public and what is opened of their private halves. In words, for the page and for
// the command line; what no check covers is called unverified.

import { fromUtf8, toHex, toBase64 } from './bytes.js';
import { kindName } from './entry.js';
import { utc } from './visible.js';

const asText = (bytes) => (bytes instanceof Uint8Array ? (fromUtf8(bytes) ?? `0x${toHex(bytes)}`) : bytes === undefined || bytes === null ? null : String(bytes));
/** What somebody else wrote, in quotes that it cannot end: a name must not pass for words of this page. */
export const quoted = (bytes) => `\u201c${asText(bytes).replace(/[\u201c\u201d]/g, '"')}\u201d`;
const ACTORS = ['human', 'service', 'agent', 'system'];
// How the ledger says that it knew who it was: no check here covers that.
const KNOWN_BY = ['operating system\u2019s user', 'a key that is not registered', 'a registered key', 'a token'];
const OUTCOMES = ['ok', 'refused', 'failed'];
const KINDS_OF_FRAME = ['message', 'stderr', 'lifecycle', 'http_head', 'http_body', 'sse_meta', 'resize', 'marker', 'gap'];
export const frameKind = (n) => KINDS_OF_FRAME[n] ?? `kind ${n}`;

/** The lane of an entry in a picture of custody. */
const LANE = new Map([[40, 'refused'], [128, 'anchor'], [129, 'anchor'], [163, 'evidence']]);
for (const kind of [16, 17, 18, 19, 20, 24, 25]) LANE.set(kind, 'record');
for (const kind of [32, 33, 34, 35, 36, 38, 39, 41, 42]) LANE.set(kind, 'access');
export const laneOf = (entry) => LANE.get(entry.kind) ?? 'other';

const count = (n, one, many = `${one}s`) => `${n} ${n === 1 || n === 1n ? one : many}`;

const DID = new Map([
  [16, () => 'saved'], [17, () => 'saved again'], [18, () => 'recording begun'], [19, (e) => `recording marked at ${count(e.body.get(0), 'frame')}`],
  [20, (e) => `recording did not end in order, ${count(e.body.get(0), 'frame')} left`], [24, () => 'labelled'], [25, () => 'amended'], [32, () => 'content opened'],
  [33, (e) => `access of entry ${e.body.get(0)} completed`], [34, (e) => `was in a list of ${count(e.body.get(1), 'tape')}`], [35, (e) => `was found by a search, one of ${count(e.body.get(1), 'tape')}`],
  [36, () => 'metadata read'], [38, () => 'custody report made'], [39, () => 'exported'],
  [40, (e) => `refused: ${kindName(e.body.get(0))} (error ${e.body.get(1)}${e.opened?.values.get(11) ? `, ${quoted(e.opened.values.get(11)[1])}` : ''})`],
  [41, () => 'followed while it was recorded'], [42, () => 'replayed'],
  [128, (e, known) => `log cosigned by ${count(e.body.get(1).length, 'witness', 'witnesses')}, ${known ? `${known} that you know` : 'unverified who they are'}`],
  [129, (e) => `log time-stamped for ${utc(e.body.get(2))} (signature of the stamp unverified)`], [163, () => 'given as evidence'],
]);

/** What an entry says was done. */
export function did(b, entry) {
  const anchor = entry.kind === 128 ? b.anchors.find((a) => a.index === entry.index) : null;
  return DID.get(entry.kind)?.(entry, anchor?.head.times.size ?? 0) ?? kindName(entry.kind);
}

/** What is opened of it: by whom, why, how much, to whom. Each a phrase. */
export function details(entry) {
  const open = entry.opened?.values;
  const out = [];
  const add = (n, say) => void (open?.has(n) && out.push(say(open.get(n))));
  // the ledger's own acts go without its name
  const own = open?.get(0)?.[0] === 3 && !open.has(3);
  if (!open && laneOf(entry) !== 'anchor') out.push(entry.spoiled ? 'its private half does not hold' : 'by whom stays closed');
  if (!own) add(0, ([kind, name, how]) => `by ${quoted(name)} (${[ACTORS[kind] ?? `kind ${kind}`, how === 4 ? null : `unverified: ${KNOWN_BY[how] ?? `authentication ${how}`}`].filter(Boolean).join(', ')})`);
  add(2, (v) => `on behalf of ${quoted(v)}`);
  add(3, (v) => `for ${quoted(v)}`);
  add(4, (v) => `authority ${quoted(v)}`);
  add(24, (v) => `to ${quoted(v)}`);
  add(18, (v) => `asked for ${quoted(v)}`);
  add(8, ([first, last]) => `frames ${first} to ${last >= 18446744073709551615n ? 'the end' : last}`);
  add(9, (v) => `${count(v, 'byte')} of payloads given out`);
  add(34, (v) => (typeof v === 'number' || typeof v === 'bigint' ? `to be given back or destroyed by ${utc(v)}` : 'field 34'));
  add(10, (v) => (v === 0 ? null : `outcome: ${OUTCOMES[v] ?? v}`));
  add(30, ([, digest]) => `SHA-256 of ${entry.kind === 163 ? 'COMPLETENESS.json' : entry.kind === 166 ? 'tagmanifest-sha256.txt' : 'what left'} ${toHex(digest)}`);
  return out.filter(Boolean);
}

/** Entries that say something about a tape: its own, lists that it was in, and heads over its tape.saved. */
export function story(b, tape) {
  const own = new Set(tape.chain);
  const over = new Set(tape.saved ? b.anchors.filter((a) => a.head.size > BigInt(tape.saved.index)).map((a) => a.index) : []);
  return b.entries.filter((e) => own.has(e) || over.has(e.index) || e.members?.some((m) => toHex(m[0]) === tape.custody));
}

const moment = (ns) => utc(BigInt(ns) / 1_000_000n);

/** What the header of a tape says of it, as far as it is open: [name, text] each. Name and times are what the recorder was told. */
export function session(tape) {
  const open = tape.header?.values;
  const out = [];
  const name = open?.get(10)?.get(0);
  if (name) out.push(['Name', asText(name)]);
  if (open?.has(2)) out.push(['Session', asText(open.get(2))]);
  if (open?.has(4)) out.push(['Began', `${moment(open.get(4))} (unverified)`]);
  if (open?.has(5)) out.push(['Ended', `${moment(open.get(5))} (unverified)`]);
  return out;
}

/** Why the entries or the frames that are shown may be anybody's; null where they are proved. */
export const doubtOfEntries = (b) => (b.proved ? null : 'unverified: nothing proves that these entries are those of the log');
export const doubtOfFrames = (tape) => (tape.proved ? null : 'unverified: nothing proves that these frames are those of the tape');

/** Size and root of the head, as they stand in its note. */
export const headOf = (b) => (b?.head ? { size: String(b.head.size), root: toBase64(b.head.root), doubt: b.head.signed ? null : 'unverified: by which key it is signed nobody can tell here' } : null);
