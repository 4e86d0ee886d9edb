// RFC 6962 trees: leaves, inclusion (RFC 9162 2.1.3.2), consistency (2.1.4.2), set proofs (6.5) and roots made leaf by leaf.

import { refuse, same } from './bytes.js';
import { H } from './sha256.js';
import { decode, encode } from './cbor.js';
import * as s from './shape.js';

const ZERO = Uint8Array.of(0);
const ONE = Uint8Array.of(1);

export const leafHash = (d) => H(ZERO, d);
const nodeHash = (a, b) => H(ONE, a, b);
export const EMPTY_ROOT = H(new Uint8Array(0));

/** A labelled digest, 1.2. */
export const LD = (...items) => H(encode(items));

/** The root that a path leads to from a leaf; refuses a path of another length. */
export function rootFromPath(leaf, index, size, path) {
  let fn = BigInt(index);
  let sn = BigInt(size) - 1n;
  if (fn > sn) refuse('an index past the end of the tree');
  let r = leaf;
  for (const p of path) {
    if (sn === 0n) refuse('a hash left over in the path');
    if (fn & 1n || fn === sn) {
      r = nodeHash(p, r);
      while (!(fn & 1n) && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else r = nodeHash(r, p);
    fn >>= 1n;
    sn >>= 1n;
  }
  if (sn !== 0n) refuse('a hash missing in the path');
  return r;
}

/** Does the path lead from the root at size m to the root at size n, 0 < m < n? */
export function isConsistent(m, root1, n, root2, path) {
  let fn = BigInt(m);
  let sn = BigInt(n);
  if (fn <= 0n || fn >= sn || path.length === 0) return false;
  const steps = [...path];
  if ((fn & (fn - 1n)) === 0n) steps.unshift(root1);
  fn -= 1n;
  sn -= 1n;
  while (fn & 1n) {
    fn >>= 1n;
    sn >>= 1n;
  }
  let fr = steps[0];
  let sr = steps[0];
  for (const c of steps.slice(1)) {
    if (sn === 0n) return false;
    if (fn & 1n || fn === sn) {
      fr = nodeHash(c, fr);
      sr = nodeHash(c, sr);
      while (!(fn & 1n) && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else sr = nodeHash(sr, c);
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && same(fr, root1) && same(sr, root2);
}

const HASHES_MAX = 1 << 21;
const hashes32 = s.list(s.bytes32);

/** The hashes of a set proof, 6.5. */
export function readSetProof(bytes) {
  const hashes = decode(bytes, { limit: HASHES_MAX + 1 });
  hashes32(hashes);
  return hashes;
}

/** The root by 6.5 of a tree of n leaves, of which `known` ([index, leaf hash] ascending) are given, and a list of the other hashes. */
export function rootFromSet(n, count, indexAt, leafAt, hashes) {
  const size = BigInt(n);
  if (count && BigInt(indexAt(count - 1)) >= size) refuse('a known leaf past the end of the tree');
  let next = 0;
  const take = () => (next < hashes.length ? hashes[next++] : refuse('a hash missing in the set proof'));
  // lo..hi are the known leaves in a .. a+n-1; the depth of the calls is that of the tree, at most 64
  const walk = (a, len, lo, hi) => {
    if (lo === hi) return take();
    if (len === 1n) return leafAt(lo);
    let k = 1n;
    while (k << 1n < len) k <<= 1n;
    const middle = a + k;
    let from = lo;
    let to = hi;
    while (from < to) {
      const m = (from + to) >> 1;
      if (BigInt(indexAt(m)) < middle) from = m + 1;
      else to = m;
    }
    const left = walk(a, k, lo, from);
    return nodeHash(left, walk(middle, len - k, from, hi));
  };
  const root = size === 0n ? EMPTY_ROOT : walk(0n, size, 0, count);
  if (next !== hashes.length) refuse('a hash left over in the set proof');
  return root;
}

/** A root that grows leaf by leaf and keeps one hash for each bit of its size. */
export class Frontier {
  constructor() {
    this.size = 0;
    this.stack = [];
  }

  add(leaf) {
    let hash = leaf;
    for (let n = this.size; n % 2 === 1; n = (n - 1) / 2) hash = nodeHash(this.stack.pop(), hash);
    this.stack.push(hash);
    this.size++;
  }

  root() {
    if (!this.stack.length) return EMPTY_ROOT;
    let hash = this.stack[this.stack.length - 1];
    for (let i = this.stack.length - 2; i >= 0; i--) hash = nodeHash(this.stack[i], hash);
    return hash;
  }
}
