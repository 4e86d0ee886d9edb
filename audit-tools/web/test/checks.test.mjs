// Every check of 6.7 fails alone: one thing is altered where it comes into being, what lies around it is hashed and signed anew, and
// exactly the check that looks at it speaks, with the word of the table.

import test from 'node:test';
import assert from 'node:assert/strict';
import * as w from './writer.mjs';
import { judge } from './help.mjs';
import { CASES, onComp } from './cases.mjs';

const GOOD = [
  ['plain', {}], ['keys rotated', { rotate: true }], ['asked by query', { query: true }], ['payloads closed', { closed: true }], ['some frames', { frames: [1, 2] }],
  ['frames past the end', { frames: [3, 900] }], ['no such frames', { frames: [100, 200] }], ['a header field closed', { closedHeader: [2] }], ['two tapes', { tapes: [w.MESSAGES, w.MESSAGES.slice(0, 3)] }],
  ['a tape without frames', { tapes: [[]] }], ['out of scope by a field', { tapes: [w.MESSAGES, w.MESSAGES], giveFirst: true, outOfScope: (t, place) => [{ ...place(t[1]), field: 2, why: 'another session' }] }],
];
for (const [name, o] of GOOD) {
  test(`good: ${name}`, async () => {
    const b = w.asTar(o);
    const { json, ids } = await judge(b.tar, b.pins);
    assert.deepEqual(json.findings, []);
    assert.deepEqual(json.words, ['intact']);
    assert.equal(json.exit, 0);
    assert.ok(json.checks.every((c) => c.failed === 0));
    assert.equal(ids.length, b.comp.given.length);
    assert.equal(json.anchored_ms, 1_760_000_901_000);
  });
}

for (const [name, options, words, checks, finding] of CASES) {
  test(`refused: ${name}`, async () => {
    const b = w.asTar(options);
    const { json } = await judge(b.tar, b.pins);
    const want = words === 'stop' ? ['altered', 'unpinned keys', 'not anchored'] : [words].flat();
    assert.ok(json.findings.some((f) => finding.test(f.what)), JSON.stringify(json.findings));
    assert.deepEqual([...json.words].sort(), [...want].sort(), JSON.stringify(json.findings));
    assert.equal(json.verdict, want[0]);
    assert.equal(json.exit, 3);
    if (checks) assert.deepEqual(json.checks.filter((c) => c.failed).map((c) => c.name).sort(), [...checks].sort(), JSON.stringify(json.findings));
  });
}

const GAPS = [
  ['a tape withheld', { ...onComp((c) => ({ ...c, asked: { ids: [...c.asked.ids, 'ab'.repeat(32)] }, withheld: [{ what: 'tape', tape: 'ab'.repeat(32), custody: 'cd'.repeat(32), entry: 1, fields: [], why: 'privilege' }] })) }],
  ['private fields withheld', { closedPrivate: [0, 3] }],
  ['out of scope without a field', { ...onComp((c) => ({ ...c, asked: { ids: [...c.asked.ids, 'ab'.repeat(32)] }, out_of_scope: [{ tape: 'ab'.repeat(32), custody: 'cd'.repeat(32), entry: 1, field: null, why: 'x' }] })) }],
  ['a truncated recording', { truncated: [1, 2] }],
  ['holes in the header', { tweak: { tape: { header: (h) => new Map([...h, [18, [[2, 1, 0]]]]) } } }],
  ['a mark that is not fulfilled, and a truncation that says so', { truncated: [1, 2], tweak: { mark: () => w.fill(1) } }],
];
for (const [name, o] of GAPS) {
  test(`gap: ${name}`, async () => {
    const b = w.asTar(o);
    const { json } = await judge(b.tar, b.pins);
    assert.deepEqual(json.words, ['intact with gaps'], JSON.stringify(json.findings));
    assert.equal(json.exit, 10);
  });
}

test('all words of the table and their exit codes', async () => {
  const { EXIT, WORDS } = await import('../src/report.js');
  assert.deepEqual([...WORDS].sort(), Object.keys(EXIT).sort());
});
