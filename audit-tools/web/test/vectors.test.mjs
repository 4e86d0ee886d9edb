// Third-party vectors, where they are beside the project; and a few that always run.

import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { needed } from './help.mjs';
import { verify, isPublicKey, hasEd25519 } from '../src/ed25519.js';
import { rootFromPath, isConsistent, leafHash } from '../src/tree.js';
import { decode } from '../src/cbor.js';
import { fromHex, fromBase64, same, toUtf8, toHex } from '../src/bytes.js';
import { keyPair } from './writer.mjs';

const VECTORS = process.env.VECTORS ?? new URL('../../../../shared/vectors/', import.meta.url).pathname;
const needs = (path) => needed(existsSync(`${VECTORS}/${path}`), `third-party vectors in the browser's auditor: no ${path}`);
const json = (path) => JSON.parse(readFileSync(`${VECTORS}/${path}`, 'utf8'));

test('the platform has Ed25519', async () => assert.equal(await hasEd25519(), true));

test('points of small order and other encodings are no keys', () => {
  const small = [
    '0100000000000000000000000000000000000000000000000000000000000000', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0000000000000000000000000000000000000000000000000000000000000000', '0000000000000000000000000000000000000000000000000000000000000080',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0100000000000000000000000000000000000000000000000000000000000080', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    '0200000000000000000000000000000000000000000000000000000000000000', // no point at all
  ];
  for (const key of small) assert.equal(isPublicKey(fromHex(key)), false, key);
  for (let i = 1; i < 40; i++) assert.equal(isPublicKey(keyPair(i).key), true);
});

test('S of the group order and more is refused', async () => {
  const pair = keyPair(1);
  const message = toUtf8('x');
  const good = pair.sign(message);
  assert.equal(await verify(pair.key, message, good), true);
  const L = (1n << 252n) + 27742317777372353535851937790883648493n;
  let s = BigInt(`0x${toHex(good.slice(32).reverse())}`) + L;
  const bad = good.slice();
  for (let i = 32; i < 64; i++, s >>= 8n) bad[i] = Number(s & 255n);
  assert.equal(await verify(pair.key, message, bad), false);
});

test('CCTV: every edge case of A and R', needs('cctv-ed25519/ed25519vectors.json'), async () => {
  let taken = 0;
  for (const v of json('cctv-ed25519/ed25519vectors.json')) {
    const flags = v.flags ?? [];
    // strict: small order and non-canonical encodings are refused, and the equation is the one without the cofactor
    const want = !flags.some((f) => ['low_order_A', 'low_order_R', 'non_canonical_A', 'non_canonical_R', 'low_order_residue'].includes(f));
    assert.equal(await verify(fromHex(v.key), toUtf8(v.msg), fromHex(v.sig)), want, `${v.number} ${flags}`);
    taken += want ? 1 : 0;
  }
  assert.ok(taken > 20);
});

test('Wycheproof: Ed25519', needs('wycheproof/ed25519_test.json'), async () => {
  for (const group of json('wycheproof/ed25519_test.json').testGroups) {
    for (const t of group.tests) assert.equal(await verify(fromHex(group.publicKey.pk), fromHex(t.msg), fromHex(t.sig)), t.result === 'valid', `${t.tcId} ${t.comment}`);
  }
});

test('RFC 6962: inclusion and consistency', needs('rfc6962-merkle/inclusion.jsonl'), () => {
  const lines = (name) => readFileSync(`${VECTORS}/rfc6962-merkle/${name}.jsonl`, 'utf8').trim().split('\n').map((l) => JSON.parse(l));
  const hashes = (list) => (list ?? []).map((h) => fromBase64(h));
  const hash = (text) => fromBase64(text ?? '') ?? new Uint8Array(0);
  let n = 0;
  for (const p of lines('inclusion')) {
    let ok;
    try {
      const path = hashes(p.proof);
      ok = hash(p.leafHash).length === 32 && path.every((h) => h?.length === 32) && same(rootFromPath(hash(p.leafHash), p.leafIdx, p.treeSize, path), hash(p.root));
    } catch {
      ok = false;
    }
    assert.equal(ok, !p.wantErr, p.desc);
    n++;
  }
  for (const p of lines('consistency')) {
    // sizes of nothing and equal sizes have no path to check, and are none of this function
    if (p.size1 === 0 || p.size1 === p.size2) continue;
    const path = hashes(p.proof);
    const ok = p.size1 < p.size2 && path.every((h) => h?.length === 32) && isConsistent(p.size1, hash(p.root1), p.size2, hash(p.root2), path);
    assert.equal(ok, !p.wantErr, p.desc);
    n++;
  }
  assert.ok(n > 150);
});

test('CBOR that is not well-formed', needs('cbor/fail.json'), () => {
  for (const v of json('cbor/fail.json')) assert.throws(() => decode(fromHex(v.hex ?? v)), undefined, JSON.stringify(v));
});

test('a leaf is hashed with its zero byte', () => {
  assert.equal(toHex(leafHash(new Uint8Array(0))), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
});
