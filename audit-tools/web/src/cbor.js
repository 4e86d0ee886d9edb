// The CBOR profile of 1.1: a strict decoder and the encoder for what is hashed.
// Decoded: integers as Number where that is exact and as BigInt elsewhere, byte strings as Uint8Array (views), text as string,
// arrays as Array, maps as Map, true, false and null as themselves, tag 18 as Tagged.

import { Refusal, refuse, fromUtf8, toUtf8, order } from './bytes.js';

export class Tagged {
  constructor(value) {
    this.value = value;
  }
}

/** The bytes end before the item does: a reader of a sequence may fetch more. */
export class CutOff extends Refusal {
  constructor() {
    super('CBOR: cut off');
  }
}

const DEPTH = 16;
const ITEMS = 1 << 24;
const SLACK = 64;

/**
 * How many items (also keys, and what stands in others) are read of one item. A byte of a file can become an item that takes two hundred
 * in memory, and 1.1 bounds each array by itself only. Readers of what may lawfully have more name their own bound.
 */
const ITEMS_IN_ALL = 1 << 20;

class Reader {
  /** `limit` and `per`: no more items in all, and none that take fewer bytes each on the average. */
  constructor(bytes, at, { limit = ITEMS_IN_ALL, per = 0 } = {}) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.from = at;
    this.limit = limit;
    this.per = per;
    this.count = 0;
  }

  need(n) {
    if (n > this.bytes.length - this.at) throw new CutOff();
  }

  argument(info) {
    if (info < 24) return info;
    if (info > 27) refuse(info === 31 ? 'CBOR: indefinite length' : 'CBOR: reserved additional information');
    const size = 1 << (info - 24);
    this.need(size);
    const at = this.at;
    this.at += size;
    if (size === 1) {
      const n = this.bytes[at];
      return n < 24 ? refuse('CBOR: not the shortest form') : n;
    }
    if (size === 2) {
      const n = this.view.getUint16(at);
      return n < 0x100 ? refuse('CBOR: not the shortest form') : n;
    }
    if (size === 4) {
      const n = this.view.getUint32(at);
      return n < 0x10000 ? refuse('CBOR: not the shortest form') : n;
    }
    const high = this.view.getUint32(at);
    if (high === 0) refuse('CBOR: not the shortest form');
    if (high < 0x200000) return high * 0x100000000 + this.view.getUint32(at + 4);
    return this.view.getBigUint64(at);
  }

  item(depth, tag18) {
    this.need(1);
    this.count++;
    if (this.count > this.limit || (this.count - SLACK) * this.per > this.at - this.from) refuse('CBOR: too many items in all');
    const first = this.bytes[this.at++];
    const major = first >> 5;
    const info = first & 31;
    if (major === 7) {
      if (info === 20) return false;
      if (info === 21) return true;
      if (info === 22) return null;
      return refuse(info === 31 ? 'CBOR: a break' : 'CBOR: a float or another simple value');
    }
    if (major === 6) {
      if (!tag18 || first !== 0xd2) refuse('CBOR: a tag');
      return new Tagged(this.item(depth, false));
    }
    const n = this.argument(info);
    if (major === 0) return n;
    if (major === 1) return typeof n === 'bigint' || n === 9007199254740991 ? -1n - BigInt(n) : -1 - n;
    if (major === 2 || major === 3) {
      this.need(n);
      const part = this.bytes.subarray(this.at, this.at + n);
      this.at += n;
      if (major === 2) return part;
      return fromUtf8(part) ?? refuse('CBOR: text that is not UTF-8');
    }
    if (depth >= DEPTH) refuse('CBOR: nested too deep');
    if (n > ITEMS) refuse('CBOR: too many items');
    if (major === 4) {
      const out = [];
      for (let i = 0; i < n; i++) out.push(this.item(depth + 1, false));
      return out;
    }
    const out = new Map();
    let before = null;
    for (let i = 0; i < n; i++) {
      const from = this.at;
      this.need(1);
      const kind = this.bytes[from] >> 5;
      if (kind !== 0 && kind !== 1 && kind !== 3) refuse('CBOR: a key that is neither integer nor text');
      const key = this.item(depth + 1, false);
      if (typeof key === 'bigint' && (key >= 1n << 63n || key < -(1n << 63n))) refuse('CBOR: a key out of range');
      const raw = this.bytes.subarray(from, this.at);
      if (before !== null) {
        const c = order(before, raw);
        if (c >= 0) refuse(c ? 'CBOR: keys out of order' : 'CBOR: a key twice');
      }
      before = raw;
      out.set(key, this.item(depth + 1, false));
    }
    return out;
  }
}

/** One item that is all of the bytes. `tag18`: the one tag of a statement may stand in front. `inside`: how many arrays and maps it stood in. */
export function decode(bytes, { tag18 = false, inside = 0, ...bounds } = {}) {
  const reader = new Reader(bytes, 0, bounds);
  const value = reader.item(inside, tag18);
  if (reader.at !== bytes.length) refuse('CBOR: bytes after the item');
  return value;
}

/** The item at an offset, and where it ends. */
export function decodeAt(bytes, at, bounds) {
  const reader = new Reader(bytes, at, bounds);
  const value = reader.item(0, false);
  return [value, reader.at];
}

function head(major, n, out) {
  const m = major << 5;
  if (n < 24) out.push(Uint8Array.of(m | Number(n)));
  else if (n < 0x100) out.push(Uint8Array.of(m | 24, Number(n)));
  else {
    const wide = n < 0x10000 ? 2 : n < 0x100000000 ? 4 : 8;
    const bytes = new Uint8Array(1 + wide);
    const view = new DataView(bytes.buffer);
    bytes[0] = m | (wide === 2 ? 25 : wide === 4 ? 26 : 27);
    if (wide === 2) view.setUint16(1, Number(n));
    else if (wide === 4) view.setUint32(1, Number(n));
    else view.setBigUint64(1, BigInt(n));
    out.push(bytes);
  }
}

function put(value, out) {
  if (value === false || value === true || value === null) out.push(Uint8Array.of(value === null ? 0xf6 : value ? 0xf5 : 0xf4));
  else if (typeof value === 'number' || typeof value === 'bigint') {
    if (value >= 0) head(0, value, out);
    else head(1, typeof value === 'bigint' ? -1n - value : -1 - value, out);
  } else if (typeof value === 'string') {
    const bytes = toUtf8(value);
    head(3, bytes.length, out);
    out.push(bytes);
  } else if (value instanceof Uint8Array) {
    head(2, value.length, out);
    out.push(value);
  } else if (Array.isArray(value)) {
    head(4, value.length, out);
    for (const v of value) put(v, out);
  } else if (value instanceof Map) {
    const pairs = [...value].map(([k, v]) => [encode(k), v]).sort((a, b) => order(a[0], b[0]));
    head(5, pairs.length, out);
    for (const [k, v] of pairs) {
      out.push(k);
      put(v, out);
    }
  } else if (value instanceof Tagged) {
    out.push(Uint8Array.of(0xd2));
    put(value.value, out);
  } else throw new Error('cannot encode');
}

export function encode(value) {
  const out = [];
  put(value, out);
  let n = 0;
  for (const part of out) n += part.length;
  const bytes = new Uint8Array(n);
  n = 0;
  for (const part of out) {
    bytes.set(part, n);
    n += part.length;
  }
  return bytes;
}
