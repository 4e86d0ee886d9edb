// The page: what is dropped and pasted goes into the audit, and what comes of it is shown.

import { Refusal, toHex } from './bytes.js';
import { audit } from './audit.js';
import { readPins } from './pins.js';
import { isPath } from './bag.js';
import { hasEd25519 } from './ed25519.js';
import { readVerifierKey } from './notes.js';
import { decode } from './cbor.js';
import { kindName } from './entry.js';
import { link, frameKind } from './custody.js';
import { visible, utc } from './visible.js';
import { MEANING } from './report.js';
import { el, add, svg, time, id, short, bytesOf, paged, payload } from './show.js';

const $ = (name) => document.getElementById(name);
const chosen = { what: null, name: '', faults: [], heads: [], tree: null };
let running = false;

// ---- what is chosen

const blobSource = (file, path) => ({ path, size: file.size, read: async (at, n) => new Uint8Array(await file.slice(at, at + n).arrayBuffer()) });

/** Files of a folder, by their path below it. */
function below(list) {
  const files = new Map();
  for (const file of list) files.set((file.webkitRelativePath || file.name).split('/').slice(1).join('/'), file);
  return files;
}

const treeOf = (files) => ({ file: async (path) => (files.has(path) ? blobSource(files.get(path), path) : null) });
const isTree = (files) => files.has('checkpoint') && [...files.keys()].some((path) => path.startsWith('tile/'));

function chooseFile(file) {
  Object.assign(chosen, { what: { tar: blobSource(file, file.name) }, name: file.name, faults: [] });
  $('chosen').textContent = visible(`${file.name}, ${bytesOf(file.size)}`);
  ready();
}

function chooseFolder(list) {
  const files = below(list);
  if (!files.size) return;
  const name = list[0].webkitRelativePath.split('/')[0];
  const faults = [];
  if (isTree(files) && !files.has('bagit.txt')) chosen.what = { publishedTree: treeOf(files) };
  else {
    const bag = new Map();
    for (const [path, file] of files) {
      if (isPath(path)) bag.set(path, blobSource(file, path));
      else faults.push({ word: 'altered', place: path, message: 'a path that no file of a bag may have' });
    }
    chosen.what = { bag: { files: bag, tar: false } };
  }
  Object.assign(chosen, { name, faults });
  $('chosen').textContent = visible(`folder ${name}, ${files.size} files`);
  ready();
}

/** The text area: keys one a line (a PEM takes several), `quorum N`, blank lines, and lines that begin with #. */
function readPinText(text) {
  const pins = { pub: [], witness: [], quorum: null };
  const rest = text.replace(/-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g, (pem) => {
    pins.pub.push(`${pem.split('\n').map((line) => line.trim()).join('\n')}\n`);
    return '\n';
  });
  for (const raw of rest.split('\n')) {
    const line = raw.trim();
    if (!line || line.startsWith('#')) continue;
    const quorum = /^quorum[ =:]+([0-9]{1,3})$/i.exec(line);
    if (quorum) {
      pins.quorum = Number(quorum[1]);
      continue;
    }
    if (line.includes('+')) {
      let witness = false;
      try {
        readVerifierKey(line, 4);
        witness = true;
      } catch {
        readVerifierKey(line, 1);
      }
      pins[witness ? 'witness' : 'pub'].push(line);
    } else if (/^[0-9a-f]{64}$/i.test(line)) pins.pub.push(line.toLowerCase());
    else throw new Refusal(`a line that is no key: ${line.slice(0, 40)}`);
  }
  return pins;
}

function pinState() {
  const state = $('pinsState');
  try {
    const pins = readPinText($('pins').value);
    const read = readPins(pins);
    const log = read.log.length;
    const parts = [];
    if (log) parts.push(`${log} log key${log > 1 ? 's' : ''}`);
    if (read.recorder.length) parts.push(`${read.recorder.length} recorder key${read.recorder.length > 1 ? 's' : ''}`);
    if (read.witnesses.length) parts.push(`${read.witnesses.length} witness${read.witnesses.length > 1 ? 'es' : ''}, quorum ${read.quorum}`);
    state.textContent = parts.length ? `Read: ${parts.join('; ')}.` : 'No keys: the bundle vouches for itself alone.';
    state.className = 'hint';
    return pins;
  } catch (e) {
    state.textContent = visible(`Not usable: ${e.message}`);
    state.className = 'no';
    return null;
  }
}

function ready() {
  const usable = pinState() !== null;
  $('run').disabled = running || !chosen.what || !usable;
}

// ---- the run

const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()?.();
const pause = () => new Promise((go) => {
  waiting.push(go);
  channel.port2.postMessage(0);
});

async function run() {
  const text = pinState();
  if (!text || !chosen.what || running) return;
  running = true;
  ready();
  const line = $('progress');
  line.hidden = false;
  line.textContent = 'Reading\u2026';
  $('result').replaceChildren();
  const started = performance.now();
  try {
    const head = [];
    for (const file of chosen.heads) head.push(new Uint8Array(await file.slice(0, 1 << 20).arrayBuffer()));
    const pins = readPins({ ...text, head });
    if (chosen.tree) pins.tree = treeOf(chosen.tree);
    const progress = (what, done, all) => {
      line.textContent = visible(`Checking ${what}${all ? ` \u2014 ${Math.floor((100 * done) / all)} %` : ''}`);
    };
    const result = await audit(chosen.what, pins, { pause, progress, faults: chosen.faults });
    line.textContent = visible(`${chosen.name}: checked in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
    await show(result);
  } catch (e) {
    line.textContent = visible(`The check stopped: ${e.message}`);
  }
  running = false;
  ready();
  $('result').focus({ preventScroll: true });
  $('result').dataset.done = String(Number($('result').dataset.done ?? 0) + 1);
}

// ---- the result

const table = (heads, rows, name = 'table') => el('div.scroll', { tabindex: '0' }, el(name, {}, el('thead', {}, el('tr', {}, heads.map((h) => el(h.startsWith('#') ? 'th.num' : 'th', { scope: 'col' }, h.replace(/^#/, ''))))), el('tbody', {}, rows)));
const card = (title, ...children) => el('section.card', {}, el('h2', {}, title), children);
const fact = (name, ...value) => el('div', {}, el('dt', {}, name), el('dd', {}, value));

async function show({ json, run: b }) {
  const out = $('result');
  out.append(verdict(json), facts(json, b));
  if (json.findings.length) out.append(findings(json));
  if (b?.comp) out.append(completeness(b));
  if (b?.tapes?.length && b.comp) out.append(await tapes(b, json.exit === 3 || json.exit === 1));
  out.append(checks(json));
  out.append(el('section.card', {}, el('details', {}, el('summary', {}, 'Result as JSON'), el('pre', {}, JSON.stringify({ ...json, findings: json.findings.slice(0, 200) }, null, 1)))));
}

function verdict(json) {
  const others = json.words.filter((word) => word !== json.verdict);
  return el(`section.verdict.e${json.exit}`, { 'aria-label': 'Verdict' },
    el('span.exit', {}, `exit ${json.exit}`),
    el('p.word', {}, json.verdict),
    el('p.says', {}, MEANING[json.verdict]),
    others.length ? el('ul.chips', { 'aria-label': 'Other words that apply' }, el('li', {}, 'also:'), others.map((word) => el('li.chip', { title: MEANING[word] }, word))) : null);
}

function facts(json, b) {
  const comp = b?.comp;
  const list = el('dl.facts');
  const wrong = json.exit === 3 || json.exit === 1;
  if (comp) {
    add(list, [
      fact('Made on the authority of', comp.authority), fact('For', comp.recipient ?? 'nobody named'), fact('Made (claimed)', time(comp.made_ms)),
      fact('Asked for', comp.asked.ids ? `${comp.asked.ids.length} tape${comp.asked.ids.length > 1 ? 's' : ''} by id` : `query \u201c${comp.asked.query}\u201d, saved ${utc(comp.asked.sealed_ms[0])} to ${utc(comp.asked.sealed_ms[1])}`),
    ]);
  }
  add(list, [
    fact('Log', el('span.mono', {}, b?.keys?.origin ?? comp?.origin ?? 'not read')),
    fact(wrong ? 'The head of the log existed at the latest' : 'Everything here existed at the latest', json.anchored_ms === null ? el('span.warn', {}, 'nobody that you know says when') : [time(json.anchored_ms), el('br'), el('small', {}, `by ${b.head.times.size} known witnesses`)]),
    fact('Keys from elsewhere', ['checkpoint', 'recorder'].map((role, i) => [i ? ', ' : '', el(json.pinned[role] ? 'span.keep.ok' : 'span.keep.warn', {}, `${role} ${json.pinned[role] ? 'pinned' : 'not pinned'}`)])),
    b?.tree ? fact('Entries', String(b.size)) : fact('Complete', wrong ? el('span.warn', {}, 'see the findings') : json.whole_log ? el('span.ok', {}, 'checked over the whole log') : ['up to the last entry', b?.entries?.length ? ` (${b.entries.at(-1).index})` : '', ', by the ledger\u2019s claim']),
  ]);
  return card('Who, what, when', list);
}

const tone = (word) => (['altered', 'forked', 'rolled back', 'missing', 'incomplete'].includes(word) ? 'no' : word === 'cannot tell' ? 'quiet' : 'warn');

function findings(json) {
  const list = json.findings;
  const page = paged(list.length, 50, (from, to) => table(['Word', 'Where', 'What'], list.slice(from, to).map((f) => el('tr', {}, el(`td.keep.${tone(f.word)}`, {}, f.word), el('td.mono', { 'data-head': 'where' }, place(f.place)), el('td', { 'data-head': 'what' }, f.what))), 'table.stack'), 'findings');
  return card('Findings', page.node, json.more_findings ? el('p.quiet', {}, `and ${json.more_findings} more`) : null);
}

/** Ids are long: the middle of them says nothing to a reader, and stands in the title. */
const place = (text) => el('span', { title: visible(text) }, text.replace(/[0-9a-f]{64}/g, (hex) => short(hex)));

function checks(json) {
  const rows = json.checks.map((c) => el('tr', {}, el('td', {}, c.name), el('td.num', {}, c.count.toLocaleString('en')),
    el('td', {}, c.failed ? el('span.no', {}, `${c.failed.toLocaleString('en')} do${c.failed === 1 ? 'es' : ''} not hold`) : c.count ? el('span.ok', {}, 'all hold') : el('span.warn', {}, 'nothing checked'))));
  return card('Checks', table(['Check', '#How many', 'Result'], rows));
}

function completeness(b) {
  const { comp } = b;
  const rows = [];
  for (const one of comp.given) {
    const range = one.opened ? (one.opened[1] - one.opened[0] + 1 === one.frames ? `all ${one.frames} frames` : `frames ${one.opened[0]} to ${one.opened[1]} of ${one.frames}`) : `no frames of ${one.frames}`;
    rows.push(['given', 'ok', one, `${range}${comp.payloads ? '' : ', payloads closed'}`]);
  }
  for (const one of comp.withheld) rows.push([`withheld: ${one.what}`, 'warn', one, `${one.why}${one.fields.length ? ` (fields ${one.fields.join(', ')})` : ''}${one.what === 'private' ? `, entry ${one.entry}` : ''}`]);
  for (const one of comp.destroyed) rows.push(['destroyed', 'warn', one, `by entry ${one.by}`]);
  for (const one of comp.out_of_scope) rows.push(['out of scope', 'quiet', one, `${one.why}${one.field === null ? '' : ` (shown by header field ${one.field})`}`]);
  const page = paged(rows.length, 50, (from, to) => table(['State', 'Tape', 'Entry', 'What'], rows.slice(from, to).map(([state, mark, one, what]) =>
    el('tr', {}, el(`td.keep.${mark}`, {}, state), el('td.keep', { 'data-head': 'tape' }, /^0*$/.test(one.tape) ? 'the ledger' : id(one.tape)), el('td', { 'data-head': 'entry' }, String(one.entry)), el('td', {}, what))), 'table.stack'), 'rows');
  const words = [`${comp.given.length} given`, `${comp.withheld.length} withheld`, `${comp.destroyed.length} destroyed`, `${comp.out_of_scope.length} out of scope`];
  return card('Completeness', el('p.hint', {}, `${words.join(', ')}. Asked of the entries below ${comp.log_size}${comp.span ? `; all entries ${comp.span[0]} to ${comp.span[1]} are here` : ''}.`), page.node);
}

// ---- tapes: custody and frames

async function tapes(b, wrong) {
  const box = el('div');
  const pick = el('select', { id: 'pick' });
  const name = (tape) => {
    const labels = tape.header?.values.get(10)?.get(0);
    const text = labels ? new TextDecoder().decode(labels) : '';
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

const CLASS = new Map([[16, 'record'], [17, 'record'], [18, 'record'], [19, 'record'], [20, 'record'], [24, 'record'], [25, 'record'], [40, 'refused'], [128, 'anchor'], [129, 'anchor'], [163, 'evidence']]);
for (const kind of [32, 33, 34, 35, 36, 38, 39, 41, 42]) CLASS.set(kind, 'access');
const LANES = [['record', 'kept'], ['access', 'accessed'], ['refused', 'refused'], ['anchor', 'vouched for'], ['evidence', 'given out'], ['other', 'other']];
const WORDS = new Map([
  [16, () => 'saved'], [17, () => 'saved again'], [18, () => 'recording begun'], [19, (e) => `recording marked at ${e.body.get(0)} frames`],
  [20, (e) => `recording did not end in order, ${e.body.get(0)} frames left`], [24, () => 'labelled'], [25, () => 'amended'], [32, () => 'content opened'],
  [33, (e) => `access of entry ${e.body.get(0)} completed`], [34, () => 'was in a list'], [35, () => 'was found by a search'], [36, () => 'metadata read'],
  [38, () => 'custody report made'], [39, () => 'exported'], [40, (e) => `refused: ${kindName(e.body.get(0))} (error ${e.body.get(1)}${e.opened?.values.get(11) ? `, ${e.opened.values.get(11)[1]}` : ''})`], [41, () => 'followed while it was recorded'],
  [42, () => 'replayed'], [128, (e) => `log cosigned by ${e.body.get(1).length} witnesses`],
  [129, (e) => `log time-stamped for ${utc(e.body.get(2))} (signature of the stamp not checked here)`], [163, () => 'given as evidence'],
]);

/** Entries that say something about a tape: its own, lists that it was in, and heads over its tape.saved. */
function story(b, tape) {
  const own = new Set(tape.chain);
  return b.entries.filter((e) => own.has(e) || e.members?.some((m) => toHex(m[0]) === tape.custody) || ((e.kind === 128 || e.kind === 129) && tape.saved && b.anchors.some((a) => a.index === e.index && a.head.size > BigInt(tape.saved.index))));
}

function custody(b, tape) {
  const list = story(b, tape);
  const rows = paged(list.length, 60, (from, to) => el('ol.line', {}, list.slice(from, to).map((entry) => {
    const l = link(entry);
    const kind = CLASS.get(entry.kind) ?? 'other';
    const machine = l.whoKind === 'system' && !l.purpose;
    const who = [l.who === null ? (l.closed && kind !== 'anchor' ? 'by whom stays closed' : null) : machine ? null : `by ${l.who} (${l.whoKind})`, l.onBehalf ? `on behalf of ${l.onBehalf}` : null, l.purpose ? `for \u201c${l.purpose}\u201d` : null,
      l.authority ? `authority ${l.authority}` : null, l.recipient ? `to ${l.recipient}` : null, l.range ? `frames ${l.range[0]} to ${l.range[1] ?? 'the end'}` : null, l.outcome && l.outcome !== 'ok' ? `outcome: ${l.outcome}` : null].filter(Boolean);
    return el(`li.k-${kind}${entry.kind === 33 || entry.kind === 19 ? '.minor' : ''}`, {}, time(entry.time), el('div.what', {}, el('b', {}, WORDS.get(entry.kind)?.(entry) ?? l.kind), ' ', el('small.quiet', {}, `entry ${entry.index}, ${l.kind}`), who.length ? el('span.who', {}, who.join(', ')) : null));
  })), 'entries');
  const saved = tape.saved ? ['Saved ', utc(tape.saved.time), ' by the ledger\u2019s clock; ', tape.savedBy ? `at the latest ${utc(tape.savedBy)} by witnesses that you know.` : 'no witness that you know says when.'] : ['The entry that saved it is not here.'];
  return card('Custody', el('p.hint', {}, saved), el('div.scroll', { tabindex: '0', role: 'region', 'aria-label': 'Custody on one axis of time' }, strip(list)), rows.node);
}

/** All entries on one axis of time. */
function strip(list) {
  if (list.length < 2) return null;
  const lanes = LANES.filter(([kind]) => list.some((e) => (CLASS.get(e.kind) ?? 'other') === kind));
  const [from, to] = [Number(list[0].time), Number(list.at(-1).time)];
  const left = 96;
  const width = 1000;
  const at = (t) => left + ((Number(t) - from) / Math.max(1, to - from)) * (width - left - 20);
  const height = lanes.length * 26 + 26;
  const out = svg('svg', { class: 'strip', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${list.length} entries from ${utc(from)} to ${utc(to)}` });
  lanes.forEach(([, label], i) => out.append(svg('line', { class: 'axis', x1: left, x2: width, y1: 16 + i * 26, y2: 16 + i * 26 }), svg('text', { x: 0, y: 20 + i * 26 }, label)));
  const drawn = new Set();
  for (const entry of list) {
    const kind = CLASS.get(entry.kind) ?? 'other';
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
  return card('Frames', el('p.hint', {}, `${f.seqs.length} of ${tape.count} frames are here${f.closed ? `; the payloads of ${f.closed} stay closed` : ''}. ${tape.proved ? 'They lead to the tree root of the tape.' : ''} Control characters and marks that turn text round are shown as signs.`), tape.proved ? null : el('p.no', {}, 'Nothing proves that these frames are those of the tape.'), page.node);
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

// ---- start

async function start() {
  const drop = $('drop');
  // the same file may be chosen again, after it was changed
  for (const name of ['file', 'folder', 'heads', 'tree']) $(name).addEventListener('click', (e) => (e.target.value = ''));
  $('file').addEventListener('change', (e) => e.target.files[0] && chooseFile(e.target.files[0]));
  $('folder').addEventListener('change', (e) => chooseFolder([...e.target.files]));
  $('heads').addEventListener('change', (e) => {
    chosen.heads = [...e.target.files];
    $('headsChosen').textContent = visible(chosen.heads.map((file) => file.name).join(', ') || 'none');
  });
  $('tree').addEventListener('change', (e) => {
    const files = below([...e.target.files]);
    chosen.tree = files.size && isTree(files) ? files : null;
    $('treeChosen').textContent = chosen.tree ? `${files.size} files` : files.size ? 'that is no published tree' : 'none';
  });
  $('pins').addEventListener('input', ready);
  $('run').addEventListener('click', run);
  for (const name of ['dragover', 'drop']) document.addEventListener(name, (e) => e.preventDefault());
  drop.addEventListener('dragover', () => drop.classList.add('over'));
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  document.addEventListener('drop', (e) => {
    drop.classList.remove('over');
    const item = e.dataTransfer.items[0]?.webkitGetAsEntry?.();
    if (item?.isDirectory) $('chosen').textContent = 'A folder: please choose it with the button.';
    else if (e.dataTransfer.files[0]) chooseFile(e.dataTransfer.files[0]);
  });
  if (!(await hasEd25519())) {
    $('banner').textContent = 'this browser has no Ed25519: it cannot check signatures. Chromium 137, Firefox 130 and Safari 17 have it.';
    $('banner').hidden = false;
  }
  ready();
}

start();
