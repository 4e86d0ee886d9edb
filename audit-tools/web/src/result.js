// The result on the page: the verdict, what people ask first, findings, checks, and what is given and withheld.

import { toHex } from './bytes.js';
import { headOf } from './custody.js';
import { tapes } from './tapes.js';
import { visible, utc } from './visible.js';
import { MEANING } from './report.js';
import { el, add, card, fact, time, id, short, paged } from './show.js';

const table = (heads, rows, name = 'table') => el('div.scroll', { tabindex: '0' }, el(name, {}, el('thead', {}, el('tr', {}, heads.map((h) => el(h.startsWith('#') ? 'th.num' : 'th', { scope: 'col' }, h.replace(/^#/, ''))))), el('tbody', {}, rows)));
export async function show({ json, run: b }, out) {
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

/** What the ledger says and no check covers. */
const word = (...what) => [what, el('br'), el('small', {}, 'the ledger\u2019s word, unverified')];

function facts(json, b) {
  const comp = b?.comp;
  const list = el('dl.facts');
  const wrong = json.exit === 3 || json.exit === 1;
  if (comp) {
    add(list, [
      fact('Made on the authority of', word(comp.authority)), fact('For', word(comp.recipient ?? 'nobody named')), fact('Made', word(time(comp.made_ms))),
      fact('Asked for', comp.asked.ids ? `${comp.asked.ids.length} tape${comp.asked.ids.length > 1 ? 's' : ''} by id` : `query \u201c${comp.asked.query}\u201d, saved ${utc(comp.asked.sealed_ms[0])} to ${utc(comp.asked.sealed_ms[1])}`),
    ]);
  }
  const head = headOf(b);
  add(list, [
    fact('Log', el('span.mono', {}, b?.keys?.origin ?? comp?.origin ?? 'not read')),
    fact('Head of the log', head ? [`${head.size} entries, root `, el('span.mono', {}, head.root), head.doubt ? [el('br'), el('small.warn', {}, head.doubt)] : null] : el('span.warn', {}, 'not read')),
    fact(wrong ? 'The head of the log existed at the latest' : 'Everything here existed at the latest', json.anchored_ms === null ? el('span.warn', {}, 'nobody that you know says when') : [time(json.anchored_ms), el('br'), el('small', {}, `by ${b.head.times.size} known witnesses`)]),
    fact('Keys from elsewhere', ['checkpoint', 'recorder'].map((role, i) => [i ? ', ' : '', el(json.pinned[role] ? 'span.keep.ok' : 'span.keep.warn', {}, `${role} ${json.pinned[role] ? 'pinned' : 'not pinned'}`)])),
    b?.tree ? fact('Entries', String(b.size)) : fact('Complete', wrong ? el('span.warn', {}, 'see the findings') : json.whole_log ? el('span.ok', {}, 'checked over the whole log') : ['up to the last entry', b?.entries?.length ? ` (${b.entries.at(-1).index})` : '', ', by the ledger\u2019s claim']),
  ]);
  if (comp) {
    add(list, [
      b.digest ? fact('Bundle digest (SHA-256 of tagmanifest-sha256.txt)', el('span.mono', {}, toHex(b.digest))) : null,
      fact('SHA-256 of COMPLETENESS.json', el('span.mono', {}, toHex(b.compDigest))),
    ]);
  }
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
    rows.push(['given', 'ok', one, `${range}${comp.payloads ? '' : ', payloads closed'}`, null]);
  }
  for (const one of comp.withheld) rows.push([`withheld: ${one.what}`, 'warn', one, `${one.fields.length ? `fields ${one.fields.join(', ')}` : ''}${one.what === 'private' ? ` of entry ${one.entry}` : ''}`.trim(), one.why]);
  for (const one of comp.destroyed) rows.push(['destroyed', 'warn', one, `by entry ${one.by}`, null]);
  for (const one of comp.out_of_scope) rows.push(['out of scope', 'quiet', one, one.field === null ? 'no field shows that: unverified' : `shown by header field ${one.field}`, one.why]);
  const page = paged(rows.length, 50, (from, to) => table(['State', 'Tape', 'Entry', 'What'], rows.slice(from, to).map(([state, mark, one, what, why]) =>
    el('tr', {}, el(`td.keep.${mark}`, {}, state), el('td.keep', { 'data-head': 'tape' }, /^0*$/.test(one.tape) ? 'the ledger' : [id(one.tape), el('br'), el('small', {}, 'custody id ', id(one.custody))]), el('td', { 'data-head': 'entry' }, String(one.entry)), el('td', {}, [what, why === null ? null : [what ? el('br') : null, `\u201c${why}\u201d `, el('small', {}, '(unverified)')]]))), 'table.stack'), 'rows');
  const words = [`${comp.given.length} given`, `${comp.withheld.length} withheld`, `${comp.destroyed.length} destroyed`, `${comp.out_of_scope.length} out of scope`];
  return card('Completeness', el('p.hint', {}, `${words.join(', ')}. Asked of the entries below ${comp.log_size}${comp.span ? `; all entries ${comp.span[0]} to ${comp.span[1]} are here` : ''}.`), page.node);
}
