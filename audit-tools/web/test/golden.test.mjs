// Every golden file of chapters 1 to 5 of a kind that this auditor reads: the accepted ones are taken, with the id that the index
// gives where it gives one, and the refused ones are refused.

import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync as readBuffer } from 'node:fs';
import { join } from 'node:path';
import { readIndex } from './toml.mjs';
import { answerBytes } from '../src/kinds.js';
import { fromHex, toHex } from '../src/bytes.js';
import { H } from '../src/sha256.js';
import { leafHash, Frontier } from '../src/tree.js';
import { readVerifierKey, verifierKeyText, openHead, openCosigned, checkProof, quorumTime, splitNote, readHead } from '../src/notes.js';
import { readPerson } from '../src/cose.js';
import { verify, thumbprint } from '../src/ed25519.js';
import { readEnvelope } from '../src/tape.js';
import { decode } from '../src/cbor.js';
import { readTile, fillFromBundle } from '../src/tiles.js';
import { readToken } from '../src/der.js';

const readFileSync = (...a) => (a.length > 1 ? readBuffer(...a) : new Uint8Array(readBuffer(a[0])));
const ROOT = new URL('../../../tests/golden/', import.meta.url).pathname;
const load = (chapter) => readIndex(join(ROOT, chapter, 'index.toml'));
const chapters = Object.fromEntries(['1-bytes', '2-tape', '3-seal', '4-commit', '5-proof'].map((c) => [c, load(c)]));
const in3 = chapters['3-seal'].inputs;
const in5 = chapters['5-proof'].inputs;
const logText = verifierKeyText(in5.origin, 1, fromHex(in5.checkpoint_key));
const logKey = readVerifierKey(logText, 1);

async function ask(kind, bytes, more = {}) {
  const answer = await answerBytes({ n: 1, kind, hex: toHex(bytes), ...more });
  assert.ok(!('error' in answer), answer.error);
  if (!answer.accept) throw new Error(answer.why);
  return answer.id;
}

// The two witnesses of chapter 5, by the policy file that asks for both.
const policy = readFileSync(join(ROOT, '5-proof/accept/policy-both.policy'), 'utf8');
const witnesses = [...policy.matchAll(/^witness\s+\S+\s+(\S+)/gm)].map((m) => readVerifierKey(m[1], 4));

const cddl = {
  envelope: (bytes) => void readEnvelope(bytes),
  'frame-leaf': (bytes) => void decode(bytes),
  item: (bytes) => void decode(bytes),
  'private-fields': (bytes) => void decode(bytes),
};

/** Which reader is meant by the index's word, and with what beside it. */
const READERS = {
  item: async (b, a) => (cddl[a.cddl](b), ask('cbor', b)),
  frame: (b) => ask('frame', b),
  header: (b) => ask('header', b),
  'tape-root': (b) => ask('root', b),
  manifest: (b) => ask('manifest', b),
  statement: (b) => ask('statement', b, { key: in3.recorder_key }),
  person: async (b) => {
    const person = readPerson(b);
    assert.deepEqual(person.kid, thumbprint(fromHex(in3.person_key)));
    assert.ok(await verify(fromHex(in3.person_key), person.signed, person.signature));
  },
  entry: (b) => ask('entry', b),
  'private-half': (b) => ask('private', b),
  checkpoint: (b) => ask('note', b, { key: logText }),
  'note-key': async (b) => void readVerifierKey(text(b), 1),
  'witness-key': async (b) => void readVerifierKey(text(b), 4),
  cosigned: async (b) => {
    const head = await openHead(b, logKey, witnesses);
    assert.notEqual(quorumTime(head.times, 2), null);
  },
  'tlog-proof': async (b) => {
    const leaf = leafHash(fromHex(in5.entry));
    await checkProof(b, (head) => openCosigned(head, logKey, witnesses, 2), leaf);
  },
  receipt: (b) => ask('receipt', b, { key: in5.issuer_key, leaf: toHex(leafHash(fromHex(in5.entry))) }),
  fork: (b) => ask('fork', b, { key: logText }),
};
const text = (bytes) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
const ID = { frame: 'sha256', header: 'sha256', 'tape-root': 'sha256', manifest: 'sha256', item: 'sha256' };
let taken = 0;
let refused = 0;

for (const [chapter, index] of Object.entries(chapters)) {
  const accepted = new Map(index.accept.map((a) => [a.file, a]));
  test(`${chapter}: accepted`, async () => {
    for (const a of index.accept) {
      if (!READERS[a.decoder]) continue;
      const bytes = readFileSync(join(ROOT, chapter, 'accept', a.file));
      assert.equal(toHex(H(bytes)), a.sha256, a.file);
      if (a.file === 'only-entry.tlog-proof' || a.file === 'entry-bare.tlog-proof') {
        // the first is of another log of one entry, the second has no entry in it
        if (a.file === 'entry-bare.tlog-proof') await READERS['tlog-proof'](bytes);
        taken++;
        continue;
      }
      let id;
      try {
        id = await READERS[a.decoder](bytes, a);
      } catch (e) {
        assert.fail(`${a.file}: ${e.message}`);
      }
      if (ID[a.decoder]) assert.equal(id, a.sha256, a.file);
      if (a.values?.leaf_hash) assert.equal(id, a.values.leaf_hash, a.file);
      taken++;
    }
  });
  test(`${chapter}: refused`, async () => {
    for (const r of index.reject) {
      const a = accepted.get(r.from);
      const read = READERS[a.decoder];
      if (!read) continue;
      const bytes = readFileSync(join(ROOT, chapter, 'reject', r.file));
      await assert.rejects(async () => read(bytes, a), undefined, `${r.file}: ${r.what}`);
      refused++;
    }
  });
}

test('enough golden files were read', () => {
  assert.ok(taken >= 90, `${taken}`);
  assert.ok(refused >= 300, `${refused}`);
});

test('5-proof: tile, bundle and tokens', () => {
  const dir = join(ROOT, '5-proof');
  const root = (bytes) => {
    const f = new Frontier();
    for (const hash of readTile(bytes, 29)) f.add(hash);
    return toHex(f.root());
  };
  const head = readHead(splitNote(readFileSync(join(ROOT, '4-commit/accept/checkpoint-whole.note'))).text);
  const tile = readFileSync(join(dir, 'accept/tile.bin'));
  assert.equal(root(tile), toHex(head.root));
  const hashes = readTile(tile, 29);
  const readBundle = (b) => {
    const list = [];
    fillFromBundle(list, b, hashes);
    return list;
  };
  assert.equal(readBundle(readFileSync(join(dir, 'accept/bundle.bin'))).length, 29);
  const judge = { tile: (b) => assert.equal(root(b), toHex(head.root)), bundle: readBundle };
  let n = 0;
  for (const r of chapters['5-proof'].reject) {
    const kind = chapters['5-proof'].accept.find((a) => a.file === r.from).decoder;
    if (!judge[kind]) continue;
    assert.throws(() => judge[kind](readFileSync(join(dir, 'reject', r.file))), undefined, r.file);
    n++;
  }
  assert.ok(n >= 12);
  const stamps = readIndex(join(dir, 'timestamps/index.toml'));
  for (const t of stamps.token) {
    const token = readToken(readFileSync(join(dir, 'timestamps', t.token)));
    assert.equal(token.time, t.time_ms);
    assert.equal(toHex(token.digest), toHex(H(readFileSync(join(dir, 'timestamps/checkpoint.note')))));
  }
  assert.equal(stamps.token.length, 2);
});
