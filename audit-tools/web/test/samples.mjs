// The bundles that the page is shown: a good one with some history, an altered and an incomplete one, a large one, and a hostile one.

import * as w from './writer.mjs';

const HOUR = 3_600_000;
const call = (id, name, args) => ({ dir: 0, payload: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } }) });
const answer = (id, text) => ({ dir: 1, payload: JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }], isError: false } }) });

const SESSION = [
  ...w.MESSAGES.slice(0, 3),
  { dir: 0, payload: '{"jsonrpc":"2.0","id":2,"method":"tools/list"}' },
  { dir: 1, payload: '{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"query_accounts","description":"Reads accounts"},{"name":"transfer","description":"Moves money"}]}}' },
  call(3, 'query_accounts', { owner: 'ACME GmbH', fields: ['iban', 'balance'] }),
  answer(3, 'DE02 1203 0000 0000 2020 51: 18,204.11 EUR'),
  { dir: 1, kind: 1, payload: 'warning: limit for today is nearly reached' },
  call(4, 'transfer', { from: 'DE02 1203 0000 0000 2020 51', to: 'DE02 5001 0517 0137 0750 30', amount: '9500.00', currency: 'EUR' }),
  { dir: 1, payload: '{"jsonrpc":"2.0","id":4,"error":{"code":-32010,"message":"needs the approval of a second person"}}' },
  call(5, 'query_accounts', { owner: 'ACME GmbH', history: true }),
  answer(5, 'line\n'.repeat(600)),
  { dir: 1, payload: Uint8Array.from({ length: 300 }, (_, i) => (i * 7) & 255) },
  { dir: 2, kind: 2, payload: 'child exited with 0' },
].map((m, i) => ({ ...m, t: i * 730_000_000 + (i > 8 ? 5_000_000_000 : 0) }));

const OTHER = w.MESSAGES;
const label = (text) => ({ header: (h) => (h.get(10).set(0, w.utf8(text)), h) });
const step = (i) => [0, 40_000, 90_000, 60_000, 50_000, 30_000, 30_000, 5 * 60_000, 4 * 60_000, 2 * HOUR, 20_000, 5 * HOUR, 15_000, 3 * HOUR, HOUR, 90_000, 40_000][i] ?? 60_000;

const base = (more = {}, tweak = {}) => ({
  tapes: [SESSION, OTHER], accesses: [['carol.meyer', 'incident 7: transfer was refused'], ['audit-service', 'quarterly review', [0, 8]], ['dr.weber', 'answer to the regulator']],
  authority: 'Landgericht Beispiel, 12 O 34/26', recipient: 'Expert of the court, Dr. Muster', ...more, tweak: { step, tape: label('Transfer of 12 March, agent "teller"'), ...tweak },
});

const noise = (i) => w.hex(w.sha('noise', String(i)));
const large = () => ({
  messages: Array.from({ length: 12_000 }, (_, i) => ({ dir: i % 2, t: i * 1_000_000, payload: JSON.stringify({ jsonrpc: '2.0', id: i, [i % 2 ? 'result' : 'params']: Array.from({ length: 10 }, (_, k) => noise(i * 10 + k)) }) })),
});

export const BIDI = '\u202e\u2066\u200f\ufeff';
export const ESCAPES = '\u001b[31m\u001b]0;title\u0007\u0000\u009b2J\r\u007f';
export const HTML = '<img src=x onerror="alert(1)"><script>alert(2)</script><svg onload=alert(3)></svg><a href="javascript:alert(4)">x</a></textarea></style>{{SCRIPT}}$&';
const EVIL = `${HTML}${BIDI}${ESCAPES}`;
const hostile = () => base({
  tapes: [[
    { dir: 0, payload: EVIL }, { dir: 1, payload: JSON.stringify({ a: EVIL, __proto__x: { toString: 1 }, n: 1 }) }, { dir: 0, payload: `{"text":"${HTML.replaceAll('"', '\\"')}${BIDI}"}` }, { dir: 1, payload: `${'['.repeat(5000)}${']'.repeat(5000)}` },
    { dir: 0, payload: `{"n":12345678901234567890123,"n":1e999,"t":"${BIDI}"}` }, { dir: 1, payload: w.cat([0xff, 0xfe, 0], w.utf8(EVIL)) }, { dir: 0, payload: '\ud83d\ude00'.repeat(2000) }, { dir: 1, payload: `x${'\u0301'.repeat(3000)}` },
    { dir: 3, kind: 1, payload: `<!--${EVIL}-->` },
  ]],
  accesses: [[EVIL, `why ${EVIL}`], ['=cmd|calc', EVIL]], authority: `Court ${EVIL}`, recipient: EVIL,
}, { tape: label(EVIL), comp: (c) => ({ ...c, withheld: [...c.withheld, { what: 'tape', tape: 'ab'.repeat(32), custody: 'cd'.repeat(32), entry: 1, fields: [], why: EVIL }], asked: { ids: [...c.asked.ids, 'ab'.repeat(32)] } }) });

export const SAMPLES = {
  good: () => w.asTar(base()),
  gaps: () => w.asTar(base({}, { comp: (c) => ({ ...c, withheld: [...c.withheld, { what: 'tape', tape: 'ab'.repeat(32), custody: 'cd'.repeat(32), entry: 6, fields: [], why: 'attorney-client privilege' }], asked: { ids: [...c.asked.ids, 'ab'.repeat(32)] } }) })),
  altered: () => w.asTar(base({}, { frameItems: (f) => f.map(([s, a, b]) => (s === 8 ? [s, a, [b[0], w.utf8(Buffer.from(b[1]).toString().replace('9500.00', '950.00'))]] : [s, a, b])) })),
  incomplete: () => w.asTar(base({}, { without: (e) => e.kind === 32 && e.half.get(0)?.[1] && Buffer.from(e.half.get(0)[1]).toString() === 'dr.weber' })),
  closed: () => w.asTar(base({ closed: true, frames: [0, 8], closedPrivate: [0, 3] })),
  large: () => w.asTar(large()),
  hostile: () => w.asTar(hostile()),
};
