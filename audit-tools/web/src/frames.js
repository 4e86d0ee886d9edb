// frames.cbor (6.6) and the marks of a recording (4.3).

import { refuse, same } from './bytes.js';
import { encode } from './cbor.js';
import { LD, leafHash, Frontier } from './tree.js';
import { readEnvelope, checkPayload } from './tape.js';
import { sequence } from './bag.js';
import * as s from './shape.js';

const ITEM_MAX = 18 << 20;
const part = s.tuple(s.bytes32, s.bytes);

/** Reads all frames and keeps of each what a line of a table needs: place, time, kind, direction, size, and whether it is closed. */
export async function readFrames(file, report, place) {
  const out = { file, seqs: [], leaves: [], times: [], kinds: [], dirs: [], sizes: [], at: [], closed: 0 };
  // of a file that stops reading, what stands before the fault counts
  await report.attempt('frames', place, () => fill(out, file, report));
  return out;
}

async function fill(out, file, report) {
  let before = -1;
  for await (const { item, at, end } of sequence(file, ITEM_MAX, { limit: 8 }, report)) {
    if (!Array.isArray(item) || item.length !== 3) refuse('an item that is no frame');
    const [seq, first, second] = item;
    s.uint(seq);
    part(first);
    if (seq <= before) refuse('frames that do not ascend');
    before = seq;
    const envelope = readEnvelope(first[1]);
    if (envelope.get(0) !== seq) refuse(`frame ${seq} says that it is another`);
    const closed = s.isBytes(second);
    let payload = second;
    if (closed) s.bytes32(second);
    else {
      part(second);
      checkPayload(second[1]);
      payload = LD('immutape/frame/1/payload', seq, second[0], second[1]);
    }
    const open = LD('immutape/frame/1/envelope', seq, first[0], first[1]);
    out.leaves.push(leafHash(encode(['immutape/frame/1', seq, open, payload])));
    out.seqs.push(seq);
    out.times.push(envelope.get(1) ?? null);
    out.kinds.push(envelope.get(3));
    out.dirs.push(envelope.get(4));
    out.sizes.push(closed ? -1 : second[1].length);
    out.at.push(at, end);
    if (closed) out.closed++;
    report.check('frames');
  }
}

/** Every mark whose first so many leaves are all here. */
export async function checkMarks(tape, report) {
  const { seqs, leaves } = tape.frames;
  const marks = tape.chain.filter((entry) => entry.kind === 19);
  for (let i = 1; i < marks.length; i++) {
    if (marks[i].body.get(0) < marks[i - 1].body.get(0)) report.finding('altered', `entry ${marks[i].index} (recording.mark)`, 'it marks fewer frames than the mark before it', 'marks of recordings');
  }
  marks.sort((a, b) => (a.body.get(0) < b.body.get(0) ? -1 : a.body.get(0) > b.body.get(0) ? 1 : 0));
  if (!marks.length) return;
  const left = tape.chain.filter((entry) => entry.kind === 20).map((entry) => entry.body.get(0));
  const frontier = new Frontier();
  for (const mark of marks) {
    const n = mark.body.get(0);
    const place = `entry ${mark.index} (recording.mark)`;
    const all = BigInt(tape.root.frames);
    let wrong = null;
    if (BigInt(n) > all) wrong = 'it marks more frames than the tape has';
    else {
      while (frontier.size < n && frontier.size < seqs.length && seqs[frontier.size] === frontier.size) frontier.add(leaves[frontier.size]);
      if (frontier.size < n) continue;
      if (!same(frontier.root(), mark.body.get(1))) wrong = 'the frames are not those that it marks';
    }
    report.check('marks of recordings');
    if (!wrong) continue;
    const cut = left.some((frames) => frames < n);
    report.finding(cut ? 'intact with gaps' : 'altered', place, wrong, 'marks of recordings');
  }
}
