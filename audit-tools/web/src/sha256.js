// SHA-256 (FIPS 180-4). WebCrypto has no digest that can be fed in pieces and answers only later, so this one does the many
// small hashes and the files that are too large for memory; `digestOf` takes WebCrypto where that is quicker.

const K = new Uint32Array(64);
const START = new Uint32Array(8);
{
  // The constants are the first 32 bits of the fractions of cube and square roots of the first primes.
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  const root = (p, k) => {
    // floor(p^(1/k) * 2^32) mod 2^32, by bisection over whole numbers
    const target = BigInt(p) << BigInt(32 * k);
    let lo = 0n;
    let hi = 1n << 40n;
    while (lo < hi) {
      const mid = (lo + hi + 1n) >> 1n;
      if (mid ** BigInt(k) <= target) lo = mid;
      else hi = mid - 1n;
    }
    return Number(lo & 0xffffffffn);
  };
  primes.forEach((p, i) => {
    K[i] = root(p, 3);
    if (i < 8) START[i] = root(p, 2);
  });
}

const W = new Uint32Array(64);

function compress(state, bytes, from) {
  for (let i = 0; i < 16; i++, from += 4) {
    W[i] = (bytes[from] << 24) | (bytes[from + 1] << 16) | (bytes[from + 2] << 8) | bytes[from + 3];
  }
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15];
    const y = W[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[i] = (W[i - 16] + s0 + W[i - 7] + s1) | 0;
  }
  let a = state[0] | 0, b = state[1] | 0, c = state[2] | 0, d = state[3] | 0;
  let e = state[4] | 0, f = state[5] | 0, g = state[6] | 0, h = state[7] | 0;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

export class Sha256 {
  constructor() {
    this.state = START.slice();
    this.block = new Uint8Array(64);
    this.filled = 0;
    this.length = 0;
  }

  update(bytes) {
    this.length += bytes.length;
    let at = 0;
    if (this.filled) {
      at = Math.min(64 - this.filled, bytes.length);
      this.block.set(bytes.subarray(0, at), this.filled);
      this.filled += at;
      if (this.filled < 64) return this;
      compress(this.state, this.block, 0);
      this.filled = 0;
    }
    for (; at + 64 <= bytes.length; at += 64) compress(this.state, bytes, at);
    if (at < bytes.length) {
      this.block.set(bytes.subarray(at));
      this.filled = bytes.length - at;
    }
    return this;
  }

  digest() {
    const block = this.block;
    block[this.filled++] = 0x80;
    if (this.filled > 56) {
      block.fill(0, this.filled);
      compress(this.state, block, 0);
      this.filled = 0;
    }
    block.fill(0, this.filled);
    const view = new DataView(block.buffer);
    view.setUint32(56, Math.floor(this.length / 0x20000000));
    view.setUint32(60, (this.length << 3) >>> 0);
    compress(this.state, block, 0);
    const out = new Uint8Array(32);
    const to = new DataView(out.buffer);
    for (let i = 0; i < 8; i++) to.setUint32(4 * i, this.state[i]);
    return out;
  }
}

export function H(...parts) {
  const hash = new Sha256();
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const SUBTLE_FROM = 1 << 16;

/** The digest of bytes in memory, by WebCrypto where they are many. */
export async function digestOf(bytes) {
  if (bytes.length < SUBTLE_FROM || !globalThis.crypto?.subtle) return H(bytes);
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes));
}
