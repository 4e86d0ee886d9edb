// Small checks of decoded items, from which the tables of the chapters are written down. Each is a function that takes a value
// and refuses what it is not.

import { refuse, order, toUtf8 } from './bytes.js';

const isInt = (v) => typeof v === 'number' || typeof v === 'bigint';
export const isUint = (v) => isInt(v) && v >= 0;
export const isBytes = (v) => v instanceof Uint8Array;

export const uint = (v) => void (isUint(v) || refuse('not an unsigned integer'));
export const int = (v) => void (isInt(v) || refuse('not an integer'));
export const bool = (v) => void (typeof v === 'boolean' || refuse('neither true nor false'));
export const text = (v) => void (typeof v === 'string' || refuse('not text'));
export const bytes = (v) => void (isBytes(v) || refuse('not a byte string'));
export const any = () => {};

export const upTo = (max) => (v) => void ((isUint(v) && v <= max) || refuse(`not a number from 0 to ${max}`));
export const exactly = (n) => (v) => void (v === n || refuse(`not ${n}`));
export const size = (min, max = min) => (v) => void ((isBytes(v) && v.length >= min && v.length <= max) || refuse(`not a byte string of ${min}${max === min ? '' : ' to ' + max} bytes`));
export const bytes16 = size(16);
export const bytes32 = size(32);
export const bytes64 = size(64);

/** Text of so many bytes of UTF-8. */
export const textOf = (min, max) => (v) => {
  text(v);
  const n = toUtf8(v).length;
  if (n < min || n > max) refuse(`text of ${n} bytes, not of ${min} to ${max}`);
};

export const orNull = (check) => (v) => void (v === null || check(v));

/** An array of exactly these items; a function list of shorter forms is written with `either`. */
export const tuple = (...checks) => (v) => {
  if (!Array.isArray(v) || v.length !== checks.length) refuse(`not an array of ${checks.length}`);
  checks.forEach((check, i) => check(v[i]));
};

export const list = (check, min = 0, max = 1 << 24) => (v) => {
  if (!Array.isArray(v) || v.length < min || v.length > max) refuse(`not a list of ${min} or more items`);
  for (const one of v) check(one);
};

/** A map: keys that must be there, keys that may be there, and no others. */
export const map = (must, may = {}) => {
  const needed = Object.keys(must).length;
  return (v) => {
    if (!(v instanceof Map)) refuse('not a map');
    let found = 0;
    for (const [key, value] of v) {
      const check = typeof key === 'number' ? (Object.hasOwn(must, key) ? must[key] : Object.hasOwn(may, key) ? may[key] : null) : null;
      if (!check) refuse(`a key that is not in the table: ${typeof key === 'string' ? 'text' : key}`);
      if (Object.hasOwn(must, key)) found++;
      check(value);
    }
    if (found !== needed) refuse('a key that must be there is missing');
  };
};

/** One after another in ascending order, none twice. */
export function ascending(values, key, what) {
  for (let i = 1; i < values.length; i++) {
    const a = key(values[i - 1]);
    const b = key(values[i]);
    const rises = isBytes(a) ? order(a, b) < 0 : a < b;
    if (!rises) refuse(`${what} do not ascend`);
  }
}
