// The result for a terminal, and for a file that somebody keeps.

import { toHex } from './bytes.js';
import { did, details, story, session, laneOf, headOf, quoted, doubtOfEntries, doubtOfFrames } from './custody.js';
import { visible, utc } from './visible.js';
import { MEANING } from './report.js';

const TOLD = new Set(['access', 'refused', 'evidence']);

function ofTape(b, tape) {
  const lines = [`tape ${tape.tape}: ${tape.count} frames, ${tape.frames?.seqs?.length ?? 0} here, ${tape.chain.length} entries about it`, `  custody id ${tape.custody}`];
  for (const [name, text] of session(tape)) lines.push(`  ${name.toLowerCase()}: ${visible(text)}`);
  lines.push(`  saved ${tape.saved ? `${utc(tape.saved.time)} by the ledger's clock (unverified)` : '?'}; ${tape.savedBy ? `at the latest ${utc(tape.savedBy)} by witnesses` : 'at the latest: nobody vouches'}`);
  if (tape.frames?.seqs?.length && doubtOfFrames(tape)) lines.push(`  frames: ${doubtOfFrames(tape)}`);
  const told = story(b, tape).filter((entry) => TOLD.has(laneOf(entry)) && entry.kind !== 33);
  const ends = new Map(tape.chain.filter((entry) => entry.kind === 33).map((entry) => [entry.body.get(0), entry]));
  if (told.length && doubtOfEntries(b)) lines.push(`  custody: ${doubtOfEntries(b)}`);
  for (const entry of told) {
    const end = ends.get(entry.index);
    // how much was given out stands where the access was completed
    const parts = [...details(entry), ...(end ? details(end) : [])];
    lines.push(`  ${utc(entry.time)} entry ${entry.index}: ${visible([did(b, entry), ...parts].join(', '))}`);
  }
  return lines;
}

function ofBundle(b, json) {
  const { comp } = b;
  const lines = ['', `bundle: made ${utc(comp.made_ms)} on the authority of ${visible(quoted(comp.authority))}${comp.recipient === null ? '' : `, for ${visible(quoted(comp.recipient))}`} (the ledger's word, unverified)`];
  if (b.digest) lines.push(`bundle digest (SHA-256 of tagmanifest-sha256.txt) ${toHex(b.digest)}`);
  lines.push(`SHA-256 of COMPLETENESS.json ${toHex(b.compDigest)}`);
  lines.push(`given ${comp.given.length}, withheld ${comp.withheld.length}, destroyed ${comp.destroyed.length}, out of scope ${comp.out_of_scope.length}`);
  for (const one of comp.withheld) {
    const of = /^0*$/.test(one.tape) ? `entry ${one.entry} of the ledger` : `tape ${one.tape}, custody id ${one.custody}${one.what === 'private' ? `, entry ${one.entry}` : ''}`;
    lines.push(`withheld: ${one.what} of ${of}${one.fields.length ? `, fields ${one.fields.join(', ')}` : ''}: ${visible(quoted(one.why))} (unverified)`);
  }
  for (const one of comp.destroyed) lines.push(`destroyed: tape ${one.tape}, custody id ${one.custody}, by entry ${one.by}`);
  for (const one of comp.out_of_scope) lines.push(`out of scope: tape ${one.tape}, custody id ${one.custody}, ${one.field === null ? 'no field shows that' : `shown by header field ${one.field}`}: ${visible(quoted(one.why))} (unverified)`);
  for (const tape of b.tapes) lines.push(...ofTape(b, tape));
  lines.push(json.whole_log ? 'complete: checked over the whole log' : "complete up to the last entry, by the ledger's claim");
  return lines;
}

export function human({ json, run: b }) {
  const lines = [];
  for (const { word, place, what } of json.findings) lines.push(`${word.toUpperCase()}  ${visible(place)}: ${visible(what)}`);
  if (json.more_findings) lines.push(`.. and ${json.more_findings} findings more`);
  lines.push('', 'checks:');
  for (const { name, count, failed } of json.checks) lines.push(`  ${String(count).padStart(8)}  ${name}${failed ? `: ${failed} do not hold` : count ? '' : ': NOTHING CHECKED'}`);
  if (b?.comp) lines.push(...ofBundle(b, json));
  const head = headOf(b);
  if (head) lines.push(`head of the log: ${head.size} entries, root ${head.root}${head.doubt ? ` (${head.doubt})` : ''}`);
  if (json.anchored_ms !== null) lines.push(`anchored: all of it existed at the latest ${utc(json.anchored_ms)}`);
  lines.push('', MEANING[json.verdict], json.words.join(', '));
  return `${lines.join('\n')}\n`;
}
