// The tapes on the page: what they are, their custody in time, and their frames in two lanes.

import { toHex } from './bytes.js';
import { decode } from './cbor.js';
import { kindName } from './entry.js';
import { did, details, story, session, laneOf, frameKind, doubtOfEntries, doubtOfFrames } from './custody.js';
import { visible, utc } from './visible.js';
import { el, svg, card, fact, time, short, bytesOf, paged, payload } from './show.js';

const NAME = 300;

export async function tapes(b, wrong) {
  const box = el('div');
  const pick = el('select', { id: 'pick' });
  const name = (tape) => {
    const text = session(tape).find(([what]) => what === 'Name')?.[1] ?? '';
    return visible(`${text ? `${text.slice(0, 60)} \u2014 ` : ''}${short(tape.tape)} (${tape.count} frames)`);
  };
  for (const [i, tape] of b.tapes.entries()) pick.append(el('option', { value: i }, name(tape)));
  const go = async () => {
    const tape = b.tapes[Number(pick.value)];
    box.replaceChildren(custody(b, tape), await frames(tape));
  };
  pick.addEventListener('change', go);
  await go();
  return el('div', {}, wrong ? el('p.banner.bad', {}, 'What is shown below did not pass all checks. Read the findings first.') : null, b.tapes.length > 1 ? el('div.bar', {}, el('label', { for: 'pick' }, 'Tape'), pick) : null, box);
}

const LANES = [['record', 'kept'], ['access', 'accessed'], ['refused', 'refused'], ['anchor', 'vouched for'], ['evidence', 'given out'], ['other', 'other']];

function custody(b, tape) {
  const list = story(b, tape);
  const rows = paged(list.length, 60, (from, to) => el('ol.line', {}, list.slice(from, to).map((entry) => {
    const said = details(entry);
    return el(`li.k-${laneOf(entry)}${entry.kind === 33 || entry.kind === 19 ? '.minor' : ''}`, {}, time(entry.time), el('div.what', {}, el('b', {}, did(b, entry)), ' ', el('small.quiet', {}, `entry ${entry.index}, ${kindName(entry.kind)}`), said.length ? el('span.who', {}, said.join(', ')) : null));
  })), 'entries');
  const saved = tape.saved ? ['Saved ', utc(tape.saved.time), ' by the ledger\u2019s clock; ', tape.savedBy ? `at the latest ${utc(tape.savedBy)} by witnesses that you know.` : 'no witness that you know says when.'] : ['The entry that saved it is not here.'];
  const doubt = doubtOfEntries(b);
  const known = session(tape);
  return card('Custody', known.length ? el('dl.facts.session', {}, known.map(([name, text]) => fact(name, text.length > NAME ? `${text.slice(0, NAME)}\u2026` : text))) : null,
    el('p.hint', {}, saved, ` Times are those of the ledger\u2019s clock, unverified${doubt ? '' : '; their order is proved'}.`), doubt ? el('p.no', {}, `Entries are ${doubt}.`) : null,
    el('div.scroll', { tabindex: '0', role: 'region', 'aria-label': 'Custody on one axis of time' }, strip(list)), rows.node);
}

/** All entries on one axis of time. */
function strip(list) {
  if (list.length < 2) return null;
  const lanes = LANES.filter(([kind]) => list.some((e) => laneOf(e) === kind));
  const [from, to] = [Number(list[0].time), Number(list.at(-1).time)];
  const left = 96;
  const width = 1000;
  const at = (t) => left + ((Number(t) - from) / Math.max(1, to - from)) * (width - left - 20);
  const height = lanes.length * 26 + 26;
  const out = svg('svg', { class: 'strip', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${list.length} entries from ${utc(from)} to ${utc(to)}` });
  lanes.forEach(([, label], i) => out.append(svg('line', { class: 'axis', x1: left, x2: width, y1: 16 + i * 26, y2: 16 + i * 26 }), svg('text', { x: 0, y: 20 + i * 26 }, label)));
  const drawn = new Set();
  for (const entry of list) {
    const kind = laneOf(entry);
    const y = 16 + lanes.findIndex(([lane]) => lane === kind) * 26;
    const x = at(entry.time).toFixed(1);
    if (drawn.has(`${x} ${y}`)) continue;
    drawn.add(`${x} ${y}`);
    if (drawn.size > 2000) break;
    out.append(svg('circle', { class: `k-${kind}`, cx: x, cy: y, r: 6 }));
  }
  const y = height - 4;
  out.append(svg('text', { x: left, y }, utc(from)), svg('text', { x: width, y, 'text-anchor': 'end' }, utc(to)));
  return out;
}

const DIRS = ['client', 'server', 'internal', 'unknown direction'];

async function frames(tape) {
  const f = tape.frames;
  if (!f?.seqs?.length) return card('Frames', el('p.quiet', {}, tape.count ? 'No frames of this tape are here.' : 'This tape has no frames.'));
  const page = paged(f.seqs.length, 40, async (from, to) => {
    const lanes = el('div.lanes', {}, el('div.lanehead', {}, 'Client'), el('div.lanehead', {}, 'Server'));
    for (let i = from; i < to; i++) lanes.append(await frame(f, i));
    return lanes;
  }, 'frames');
  await page.first;
  return card('Frames', el('p.hint', {}, `${f.seqs.length} of ${tape.count} frames are here${f.closed ? `; the payloads of ${f.closed} stay closed` : ''}. ${tape.proved ? 'They lead to the tree root of the tape.' : ''} Control characters and marks that turn text round are shown as signs.`), doubtOfFrames(tape) ? el('p.no', {}, `Frames are ${doubtOfFrames(tape)}.`) : null, page.node);
}

async function frame(f, i) {
  const t = f.times[i];
  const dir = f.dirs[i];
  const meta = el('div.meta', {}, el('b', {}, `#${f.seqs[i]}`), el('span.lane', {}, DIRS[dir]), dir > 1 ? el('span', {}, DIRS[dir]) : null, el('span', {}, frameKind(f.kinds[i])), t === null ? null : el('span', {}, `+${(Number(t) / 1e9).toFixed(3)} s`), f.sizes[i] < 0 ? null : el('span', {}, bytesOf(f.sizes[i])));
  const [at, end] = [f.at[2 * i], f.at[2 * i + 1]];
  const item = decode(await f.file.read(at, end - at));
  const body = f.sizes[i] < 0 ? el('div.closed', {}, `payload closed; its digest is ${toHex(item[2])}`) : payload(item[2][1]);
  return el(`article.frame.d${dir}`, {}, meta, body);
}
