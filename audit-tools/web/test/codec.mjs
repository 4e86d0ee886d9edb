// Bytes, digests, trees and keys for the writer of the tests, with an encoder of their own and node:crypto.

import { createHash, createPrivateKey, createPublicKey, sign as edSign } from 'node:crypto';

export const sha = (...parts) => {
  const h = createHash('sha256');
  for (const p of parts) h.update(p);
  return new Uint8Array(h.digest());
};
export const hex = (b) => Buffer.from(b).toString('hex');
export const b64 = (b) => Buffer.from(b).toString('base64');
export const utf8 = (t) => new Uint8Array(Buffer.from(t, 'utf8'));
export const cat = (...parts) => new Uint8Array(Buffer.concat(parts.map((p) => Buffer.from(p))));
export const fill = (n, size = 32) => new Uint8Array(size).fill(n);

export class Tag18 {
  constructor(v) {
    this.v = v;
  }
}

function head(major, n) {
  const m = major << 5;
  if (n < 24) return Uint8Array.of(m | Number(n));
  if (n < 256) return Uint8Array.of(m | 24, Number(n));
  const b = Buffer.alloc(9);
  if (n < 65536) return b.writeUInt16BE(Number(n), 1), (b[0] = m | 25), new Uint8Array(b.subarray(0, 3));
  if (n < 2 ** 32) return b.writeUInt32BE(Number(n), 1), (b[0] = m | 26), new Uint8Array(b.subarray(0, 5));
  b.writeBigUInt64BE(BigInt(n), 1);
  b[0] = m | 27;
  return new Uint8Array(b);
}

/** Deterministic CBOR; a map is a Map, its keys are put in order. */
export function cbor(v) {
  if (v === false) return Uint8Array.of(0xf4);
  if (v === true) return Uint8Array.of(0xf5);
  if (v === null) return Uint8Array.of(0xf6);
  if (typeof v === 'number' || typeof v === 'bigint') return v >= 0 ? head(0, v) : head(1, typeof v === 'bigint' ? -1n - v : -1 - v);
  if (typeof v === 'string') return cat(head(3, utf8(v).length), utf8(v));
  if (v instanceof Uint8Array) return cat(head(2, v.length), v);
  if (Array.isArray(v)) return cat(head(4, v.length), ...v.map(cbor));
  if (v instanceof Tag18) return cat(Uint8Array.of(0xd2), cbor(v.v));
  const pairs = [...v].map(([k, x]) => [Buffer.from(cbor(k)), cbor(x)]).sort((a, b) => Buffer.compare(a[0], b[0]));
  return cat(head(5, pairs.length), ...pairs.flat());
}
export const LD = (...items) => sha(cbor(items));

const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
export function keyPair(seed) {
  const secret = createPrivateKey({ key: Buffer.concat([PKCS8, Buffer.from(fill(seed))]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  const key = new Uint8Array(spki.subarray(12));
  return { key, spki, thumb: sha(Buffer.from('a301012006215820', 'hex'), key), sign: (m) => new Uint8Array(edSign(null, m, secret)) };
}

export const leaf = (d) => sha(Uint8Array.of(0), d);
const node = (a, b) => sha(Uint8Array.of(1), a, b);
const split = (n) => {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
};
/** Roots of ranges of leaves, each computed once: the tests make trees of many thousand leaves. */
const ranges = new WeakMap();
export function root(leaves, from = 0, to = leaves.length) {
  if (to === from) return sha('');
  if (to - from === 1) return leaves[from];
  let seen = ranges.get(leaves);
  if (!seen) ranges.set(leaves, (seen = new Map()));
  const name = from * 2 ** 26 + to;
  if (!seen.has(name)) {
    const k = split(to - from);
    seen.set(name, node(root(leaves, from, from + k), root(leaves, from + k, to)));
  }
  return seen.get(name);
}
export function inclusion(leaves, i, from = 0, to = leaves.length) {
  if (to - from === 1) return [];
  const k = split(to - from);
  return i < k ? [...inclusion(leaves, i, from, from + k), root(leaves, from + k, to)] : [...inclusion(leaves, i - k, from + k, to), root(leaves, from, from + k)];
}
export function consistency(leaves, m) {
  const sub = (m2, from, to, whole) => {
    const n = to - from;
    if (m2 === n) return whole ? [] : [root(leaves, from, to)];
    const k = split(n);
    return m2 <= k ? [...sub(m2, from, from + k, whole), root(leaves, from + k, to)] : [...sub(m2 - k, from + k, to, false), root(leaves, from, from + k)];
  };
  return m === leaves.length || m === 0 ? [] : sub(m, 0, leaves.length, true);
}
export function setProof(leaves, known) {
  const have = [...known].sort((a, b) => a - b);
  const out = [];
  const walk = (from, to) => {
    if (!have.some((i) => i >= from && i < to)) return void out.push(root(leaves, from, to));
    if (to - from === 1) return;
    const k = split(to - from);
    walk(from, from + k);
    walk(from + k, to);
  };
  // all known is common, and quick
  if (have.length === leaves.length) return [];
  if (leaves.length) walk(0, leaves.length);
  return out;
}
