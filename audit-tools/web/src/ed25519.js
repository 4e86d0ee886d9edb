// Ed25519, strict as 3.3 asks for it. WebCrypto computes the equation (Chromium's BoringSSL and Node's OpenSSL both without the
// cofactor, comparing R byte by byte, and both refuse S >= L); what the standard of WebCrypto leaves to the engine is refused here
// before it is asked: S >= L, a y of A or R that is not below p, and A or R of small order, by the list of their encodings.

import { refuse, Refusal, concat } from './bytes.js';
import { H } from './sha256.js';

const P = (1n << 255n) - 19n;
const L = (1n << 252n) + 27742317777372353535851937790883648493n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

function little(bytes) {
  let n = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) n = (n << 8n) | BigInt(bytes[i]);
  return n;
}

function powMod(b, e) {
  let r = 1n;
  for (b %= P; e > 0n; e >>= 1n) {
    if (e & 1n) r = (r * b) % P;
    b = (b * b) % P;
  }
  return r;
}

const MASK = (1n << 255n) - 1n;

// The y of the eight points whose order divides 8: 0 and its two points of order 4, 1, -1, and two of order 8, whatever the sign is.
const SMALL_Y = new Set();
{
  // Order 8: y with y^2 = x^2 * ... is found from d, so that no constant here needs trust: a point of order 8 doubles to one
  // with y = 0, so x^2 = -y^2, and the curve -x^2 + y^2 = 1 + d x^2 y^2 becomes 2 y^2 = 1 - d y^4.
  const sqrt = (n) => {
    n = ((n % P) + P) % P;
    let r = powMod(n, (P + 3n) / 8n);
    if ((r * r) % P !== n) r = (r * powMod(2n, (P - 1n) / 4n)) % P;
    return (r * r) % P === n ? r : null;
  };
  for (const y of [0n, 1n, P - 1n]) SMALL_Y.add(y);
  // d z^2 + 2 z - 1 = 0 for z = y^2
  const half = sqrt(1n + D);
  for (const r of half === null ? [] : [half, P - half]) {
    const z = ((r - 1n + P) * powMod(D, P - 2n)) % P;
    const y = sqrt(z);
    if (y !== null) SMALL_Y.add(y).add(P - y);
  }
}

function canonicalNotSmall(encoded) {
  const y = little(encoded) & MASK;
  return y < P && !SMALL_Y.has(y);
}

/** Is it the canonical encoding of a point of the curve that is not of small order? */
export function isPublicKey(key) {
  if (key.length !== 32 || !canonicalNotSmall(key)) return false;
  const y = little(key) & MASK;
  const yy = (y * y) % P;
  const u = (yy + P - 1n) % P;
  const v = (D * yy + 1n) % P;
  // x^2 = u/v is a square exactly when u*v is one
  const e = powMod((u * v) % P, (P - 1n) / 2n);
  return e === 1n;
}

const KEYS = new Map();

/** Does the platform have Ed25519? Asked once, by a check of a known signature. */
let platform = null;
export function hasEd25519() {
  platform ??= probe();
  return platform;
}

async function probe() {
  try {
    const key = new Uint8Array([
      0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
      0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ]);
    await globalThis.crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
    return true;
  } catch {
    return false;
  }
}

/** Strict verification. Resolves to true or false; refuses with `cannot tell` where the platform cannot do it at all. */
export async function verify(key, message, signature) {
  if (signature.length !== 64 || !isPublicKeyCached(key)) return false;
  if (little(signature.subarray(32)) >= L) return false;
  if (!canonicalNotSmall(signature.subarray(0, 32))) return false;
  if (!(await hasEd25519())) refuse('this browser has no Ed25519', 'cannot tell');
  const name = little(key);
  let handle = KEYS.get(name);
  if (!handle) {
    try {
      handle = await globalThis.crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
    } catch {
      return false;
    }
    if (KEYS.size > 4096) KEYS.clear();
    KEYS.set(name, handle);
  }
  try {
    return await globalThis.crypto.subtle.verify({ name: 'Ed25519' }, handle, signature, message);
  } catch (e) {
    if (e instanceof Refusal) throw e;
    return false;
  }
}

const POINTS = new Map();
export function isPublicKeyCached(key) {
  if (key.length !== 32) return false;
  const name = little(key);
  let found = POINTS.get(name);
  if (found === undefined) {
    found = isPublicKey(key);
    if (POINTS.size > 4096) POINTS.clear();
    POINTS.set(name, found);
  }
  return found;
}

const THUMB = new Uint8Array([0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20]);

/** RFC 9679 thumbprint of an Ed25519 key (1.4). */
export function thumbprint(key) {
  return H(concat(THUMB, key));
}
