// What a time-stamp token says without roots (5.6): which digest, at which moment. Its signature and certificates are not looked at here: they
// need trusted roots, and `openssl ts -verify` looks at them. So a time-stamp is shown, and excuses nothing.

import { refuse, same } from './bytes.js';

class Der {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get done() {
    return this.at === this.bytes.length;
  }

  peek() {
    return this.done ? -1 : this.bytes[this.at];
  }

  /** The content of the next element, which has this tag. */
  take(tag) {
    if (this.peek() !== tag) refuse('token: another element than there has to be');
    this.at++;
    const b = this.bytes;
    if (this.done) refuse('token: cut off');
    let n = b[this.at++];
    if (n >= 0x80) {
      const wide = n & 0x7f;
      if (wide < 1 || wide > 3 || this.at + wide > b.length) refuse('token: a length that is not DER');
      n = 0;
      for (let i = 0; i < wide; i++) n = n * 256 + b[this.at++];
      if (n < 0x80 || n < 2 ** (8 * (wide - 1))) refuse('token: a length that is not DER');
    }
    if (n > b.length - this.at) refuse('token: cut off');
    const part = b.subarray(this.at, this.at + n);
    this.at += n;
    return part;
  }

  into(tag) {
    return new Der(this.take(tag));
  }

  end(what) {
    if (!this.done) refuse(`token: more than there has to be in ${what}`);
  }
}

const SIGNED_DATA = Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2);
const TST_INFO = Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4);
const SHA256_OID = Uint8Array.of(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1);

function isNumber(v, n) {
  return v.length === 1 && v[0] === n;
}

/** Imprint and time (milliseconds, cut down) of a token. */
export function readToken(bytes) {
  if (bytes.length > 32768) refuse('token: over 32 KiB');
  const outer = new Der(bytes);
  const info = outer.into(0x30);
  outer.end('the token');
  if (!same(info.take(0x06), SIGNED_DATA)) refuse('token: not signed data');
  const explicit = info.into(0xa0);
  info.end('ContentInfo');
  const data = explicit.into(0x30);
  explicit.end('ContentInfo');
  if (!isNumber(data.take(0x02), 3)) refuse('token: another version of signed data');
  data.take(0x31);
  const content = data.into(0x30);
  if (!same(content.take(0x06), TST_INFO)) refuse('token: no TSTInfo in it');
  const wrapped = content.into(0xa0);
  content.end('the content');
  const octets = wrapped.take(0x04);
  wrapped.end('the content');
  const all = new Der(octets);
  const tst = all.into(0x30);
  all.end('TSTInfo');
  if (!isNumber(tst.take(0x02), 1)) refuse('token: another version of TSTInfo');
  tst.take(0x06);
  const imprint = tst.into(0x30);
  const algorithm = imprint.into(0x30);
  if (!same(algorithm.take(0x06), SHA256_OID)) refuse('token: the imprint is not SHA-256');
  if (!algorithm.done && algorithm.take(0x05).length) refuse('token: parameters of SHA-256');
  algorithm.end('the imprint');
  const digest = imprint.take(0x04);
  imprint.end('the imprint');
  if (digest.length !== 32) refuse('token: an imprint of another length');
  tst.take(0x02);
  const time = moment(tst.take(0x18));
  return { digest, time };
}

function moment(bytes) {
  const text = String.fromCharCode(...bytes.subarray(0, 40));
  const m = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,17}[1-9]))?Z$/.exec(text);
  if (!m || bytes.length > 40) refuse('token: not a time');
  const [year, month, day, hour, minute, second] = m.slice(1, 7).map(Number);
  const ms = Date.UTC(year, month - 1, day, hour, minute, second) + Math.floor(Number(`0.${m[7] ?? '0'}`.slice(0, 5)) * 1000 + 1e-6);
  const back = new Date(ms);
  if (year < 1970 || back.getUTCMonth() + 1 !== month || back.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) refuse('token: not a time');
  return ms;
}

