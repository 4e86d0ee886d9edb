// Input that nobody would write: single flipped bytes, cut and spliced files that are hashed anew, and text that must not reach a terminal.

import test from 'node:test';
import assert from 'node:assert/strict';
import * as w from './writer.mjs';
import { judge } from './help.mjs';
import { visible } from '../src/visible.js';
import { decode, encode } from '../src/cbor.js';
import { readRoot, readHeader } from '../src/tape.js';
import { parseJson } from '../src/json.js';
import { Refusal } from '../src/bytes.js';
import { H, Sha256 } from '../src/sha256.js';

/** A small generator of numbers with a seed that is printed. */
const SEED = Number(process.env.SEED ?? 20260102);
function numbers(seed) {
  let x = seed >>> 0 || 1;
  return (n) => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x % n;
  };
}

test(`one flipped bit anywhere in the tar file is never intact (seed ${SEED})`, async () => {
  const b = w.asTar();
  const below = numbers(SEED);
  for (let i = 0; i < 600; i++) {
    const tar = new Uint8Array(b.tar);
    const at = below(tar.length);
    tar[at] ^= 1 << below(8);
    const { json } = await judge(tar, b.pins);
    assert.equal(json.exit, 3, `byte ${at}`);
  }
});

test(`a cut tar file is never intact (seed ${SEED})`, async () => {
  const b = w.asTar();
  const below = numbers(SEED + 1);
  for (let i = 0; i < 100; i++) {
    const { json } = await judge(b.tar.slice(0, below(b.tar.length)), b.pins);
    assert.equal(json.verdict, 'altered');
  }
});

test(`payload files that are altered and hashed anew (seed ${SEED})`, async () => {
  const FREE = ['custody.html', 'custody.json', 'VERIFY.txt'];
  const below = numbers(SEED + 2);
  const words = new Map();
  for (let i = 0; i < 900; i++) {
    const b = w.makeBundle({ rotate: i % 3 === 0, query: i % 2 === 0 });
    const paths = [...b.files.keys()].filter((p) => !FREE.includes(p));
    const path = paths[below(paths.length)];
    const file = new Uint8Array(b.files.get(path));
    const at = below(file.length);
    let out;
    switch (below(5)) {
      case 0: out = file.slice(0, at); break;
      case 1: out = w.cat(file.slice(0, at), file.slice(below(at + 1))); break;
      case 2: out = w.cat(file.slice(0, at), file.slice(at + 1 + below(8))); break;
      case 3: out = w.cat(file, Uint8Array.of(below(256))); break;
      default: out = file.slice(); out[at] ^= 1 + below(255);
    }
    if (Buffer.from(out).equals(Buffer.from(file))) continue;
    b.files.set(path, out);
    const { json } = await judge(w.makeTar(w.makeBag(b.files)), b.pins);
    words.set(json.verdict, (words.get(json.verdict) ?? 0) + 1);
    // text around signature lines that no key here knows is the one thing that may differ
    if (!(json.exit === 3 || json.exit === 1)) assert.ok(/checkpoint|tlog-proof/.test(path), `${path}: ${json.verdict}`);
  }
  assert.ok(words.get('altered') > 500, JSON.stringify([...words]));
});

test('a proof under the head with other cosignatures than log/checkpoint is good', async () => {
  const b = w.makeBundle();
  const path = [...b.files.keys()].find((p) => p.endsWith('saved.tlog-proof'));
  const text = Buffer.from(b.files.get(path)).toString().split('\n');
  b.files.set(path, w.utf8(text.filter((line) => !line.includes('witness.example/w3')).join('\n')));
  assert.deepEqual((await judge(w.makeTar(w.makeBag(b.files)), b.pins)).json.words, ['intact']);
});

test('bombs are refused before they grow', () => {
  assert.throws(() => decode(Uint8Array.of(0x9b, 0, 0, 0, 1, 0, 0, 0, 0)), Refusal);
  assert.throws(() => decode(Uint8Array.of(0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)), Refusal);
  assert.throws(() => decode(new Uint8Array(100_000).fill(0x81)), /nested too deep/);
  assert.throws(() => decode(Uint8Array.of(0x9a, 1, 0, 0, 1)), Refusal);
  assert.throws(() => parseJson(w.utf8('['.repeat(100_000))), /nested too deep/);
  assert.throws(() => parseJson(w.utf8(`"${'a'.repeat(3_000_000)}`)), Refusal);
  assert.equal(parseJson(w.utf8(`"${'a'.repeat(3_000_000)}"`)).length, 3_000_000);
  assert.equal(parseJson(w.utf8(`"${'\\n'.repeat(3_000_000)}"`)).length, 3_000_000);
});

test('small items, of which a file has many, do not grow without bound', async () => {
  const many = (n, byte) => {
    const out = Buffer.alloc(5 + n, byte);
    out[0] = 0x9a;
    out.writeUInt32BE(n, 1);
    return new Uint8Array(out);
  };
  assert.equal(decode(many((1 << 20) - 1, 0xa0)).length, (1 << 20) - 1);
  assert.throws(() => decode(many(1 << 20, 0xa0)), /too many items in all/);
  // what the text lets be longer is read
  assert.equal(decode(many(1 << 21, 0xf6), { limit: (1 << 21) + 1 }).length, 1 << 21);
  const header = w.cbor(new Map([[0, 1], [1, 0], [10, new Map()], [11, new Map(Array.from({ length: 10 }, (_, i) => [i, 0]))], [12, [0]], [16, 'draft'], [24, 'default']]));
  const blank = Buffer.concat(Array.from({ length: 400_000 }, (_, i) => Buffer.from(w.cbor([i + 1, new Uint8Array(0)]))));
  const lines = w.cat([0xa8], header.subarray(1), [0x18, 26], many(400_000, 0).subarray(0, 5), blank); // the lines are its last key
  assert.equal(readHeader(lines).get(26).length, 400_000);
  const big = many(3 << 20, 0xa0);
  for (const [name, file] of [['entries.cbor', big], ['log/paths.cbor', big], ['/header.cbor', big], ['/manifest.cbor', big], ['/frames.cbor', big]]) {
    const b = w.makeBundle();
    b.files.set([...b.files.keys()].find((p) => p.endsWith(name)), file);
    const { json } = await judge(w.makeTar(w.makeBag(b.files)), b.pins);
    assert.equal(json.verdict, 'altered');
    assert.ok(json.findings.some((f) => /too many items in all/.test(f.what)), name);
  }
  assert.throws(() => parseJson(w.utf8(`[${'[],'.repeat(1 << 20)}1]`)), /too many objects and arrays/);
});

test('rows that are repeated cost nothing: each tape is checked once', async () => {
  const b = w.asTar({ tweak: { comp: (c) => ({ ...c, given: Array.from({ length: 20_000 }, () => c.given[0]) }), madeBody: (body) => new Map([...body, [2, 20_000]]) } });
  const started = Date.now();
  const { json } = await judge(b.tar, b.pins);
  assert.equal(json.verdict, 'incomplete');
  assert.equal(json.tapes.length, 1);
  const once = (await judge(w.asTar().tar, b.pins)).json;
  for (const name of ['files of tapes', 'frames', 'proofs and receipts']) assert.equal(json.checks.find((c) => c.name === name).count, once.checks.find((c) => c.name === name).count, name);
  assert.ok(Date.now() - started < 20_000);
});

test('JSON that is not of this format', () => {
  for (const text of ['01', '1.0', '1e3', '-1', '9007199254740992', '+1', 'NaN', '"\\x"', '"\n"', '"\\ud800"', '"\\udc00\\ud800"', '{"a":1,"a":1}', '{"a":1,"\\u0061":1}', '[1,]', '{,}', '[1] 2', '', ' ', '\ufeff1', "'a'", '{a:1}', 'nul', '[1 2]', '{"a" 1}', '[', '{"a":1', '"']) {
    assert.throws(() => parseJson(w.utf8(text)), Refusal, text);
  }
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22)), Refusal);
  assert.equal(parseJson(w.utf8(' [1, "\\ud83d\\ude00", {"__proto__": null}] ')).length, 3);
});

test('what reaches a terminal or the page', () => {
  const raw = '\u001b]0;x\u0007\u202e\u2066\u200b\ufeff\u009b\u0000\u007f\r\u2028\u{e0041}\ud800\u00ad';
  const safe = visible(raw);
  assert.ok(/^[\x20-\x7e]*$/.test(safe), safe);
  assert.ok(safe.startsWith('[ESC]]0;x[BEL][U+202E]'));
  assert.equal(visible('a\n\tb', true), 'a\n\tb');
  assert.equal(visible('a\n', false), 'a[LF]');
  assert.equal(visible('grün \u{1f600} 漢字'), 'grün \u{1f600} 漢字');
});

test('SHA-256 of every length around the blocks, in one piece and in several', () => {
  for (let n = 0; n < 300; n++) {
    const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 31 + n) & 255);
    assert.deepEqual(H(bytes), w.sha(bytes));
    const hash = new Sha256();
    for (let at = 0; at < n; at += 7) hash.update(bytes.subarray(at, Math.min(n, at + 7)));
    assert.deepEqual(hash.digest(), w.sha(bytes));
  }
  const big = new Uint8Array(3_000_001).fill(0x61);
  assert.deepEqual(H(big), w.sha(big));
});

test('a tape without frames has the root of an empty tree', () => {
  assert.equal(readRoot(w.cbor(['immutape/tape/1', w.fill(1), 0, w.sha('')])).frames, 0);
  assert.throws(() => readRoot(w.cbor(['immutape/tape/1', w.fill(1), 0, w.fill(1)])), Refusal);
});

test('the encoder and the decoder agree with the one of the tests', () => {
  const values = [0, 23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296, 2n ** 53n, 2n ** 64n - 1n, -1, -24, -25, -(2n ** 63n), 'ü', new Uint8Array(70), [[], new Map()], new Map([[1, true], ['a', null], [-1, false]])];
  for (const v of values) {
    assert.deepEqual(encode(v), w.cbor(v));
    assert.deepEqual(encode(decode(encode(v))), w.cbor(v));
  }
});
