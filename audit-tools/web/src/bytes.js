// Bytes, hexadecimal, base64 and text; the one kind of error that a check throws.

/** What a reader says when it does not take something: a word of chapter 6.7 may go with it. */
export class Refusal extends Error {
  constructor(message, word = 'altered') {
    super(message);
    this.name = 'Refusal';
    this.word = word;
  }
}

export function refuse(message, word) {
  throw new Refusal(message, word);
}

const HEX = [];
for (let i = 0; i < 256; i++) HEX.push(i.toString(16).padStart(2, '0'));

export function toHex(bytes) {
  let out = '';
  for (let i = 0; i < bytes.length; i++) out += HEX[bytes[i]];
  return out;
}

export function fromHex(text) {
  if (typeof text !== 'string' || text.length % 2 || !/^[0-9a-f]*$/i.test(text)) refuse('not hexadecimal digits');
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(text.substr(2 * i, 2), 16);
  return out;
}

const B64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const B64_BACK = new Int8Array(128).fill(-1);
for (let i = 0; i < 64; i++) B64_BACK[B64.charCodeAt(i)] = i;

export function toBase64(bytes) {
  let out = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const n = (bytes[i] << 16) | ((left > 1 ? bytes[i + 1] : 0) << 8) | (left > 2 ? bytes[i + 2] : 0);
    out += B64[n >> 18] + B64[(n >> 12) & 63];
    out += left > 1 ? B64[(n >> 6) & 63] : '=';
    out += left > 2 ? B64[n & 63] : '=';
  }
  return out;
}

/** RFC 4648 section 4 with padding, and no bits left over: one text for one string of bytes. Null when it is not. */
export function fromBase64(text) {
  if (text.length % 4) return null;
  const pad = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const out = new Uint8Array((text.length / 4) * 3 - pad);
  let at = 0;
  for (let i = 0; i < text.length; i += 4) {
    let n = 0;
    for (let j = 0; j < 4; j++) {
      const c = text.charCodeAt(i + j);
      const pads = i + 4 === text.length && j >= 4 - pad;
      const v = pads ? 0 : c < 128 ? B64_BACK[c] : -1;
      if (v < 0) return null;
      n = n * 64 + v;
    }
    if (at < out.length) out[at++] = (n >> 16) & 255;
    else return null;
    if (at < out.length) out[at++] = (n >> 8) & 255;
    else if (n & 0xffff) return null;
    if (at < out.length) out[at++] = n & 255;
    else if (n & 0xff) return null;
  }
  return out;
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** The text, or null when the bytes are not UTF-8 (surrogates and overlong forms are not). */
export function fromUtf8(bytes) {
  try {
    return STRICT.decode(bytes);
  } catch {
    return null;
  }
}

export function toUtf8(text) {
  return ENCODER.encode(text);
}

export function concat(...parts) {
  let n = 0;
  for (const part of parts) n += part.length;
  const out = new Uint8Array(n);
  n = 0;
  for (const part of parts) {
    out.set(part, n);
    n += part.length;
  }
  return out;
}

export function same(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function isZero(bytes) {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]) return false;
  return true;
}

/** Bytewise order, the shorter first where one begins with the other. */
export function order(a, b) {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** A decimal number of 64 bits without sign and leading zeros, as a BigInt; null when it is not. */
export function decimal(text) {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text)) return null;
  const n = BigInt(text);
  return n < 1n << 64n ? n : null;
}

export function isLowerHex(text, digits) {
  return typeof text === 'string' && text.length === digits && /^[0-9a-f]*$/.test(text);
}
