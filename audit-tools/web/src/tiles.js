// A published tree (5.4): paths, hash tiles and bundles of entries.

import { refuse, same } from './bytes.js';
import { leafHash } from './tree.js';

/** The place of a tile in a path: groups of three digits, all but the last with an x before them. */
export function tilePlace(n) {
  const parts = [String(n % 1000).padStart(3, '0')];
  for (let rest = Math.floor(n / 1000); rest > 0; rest = Math.floor(rest / 1000)) parts.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  return parts.join('/');
}

export function readTile(bytes, count) {
  if (bytes.length !== 32 * count) refuse('a tile of another length than its path says');
  const hashes = [];
  for (let i = 0; i < count; i++) hashes.push(bytes.subarray(32 * i, 32 * i + 32));
  return hashes;
}

/** The entries of a bundle into a list, each compared with its place in the tile; where there is a fault, the list holds what stands before it. */
export function fillFromBundle(entries, bytes, hashes) {
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 2) refuse('a length is cut off in a bundle of entries');
    const n = bytes[at] * 256 + bytes[at + 1];
    at += 2;
    if (n > bytes.length - at) refuse('an entry is cut off in a bundle of entries');
    if (entries.length === hashes.length) refuse('more entries than hashes');
    const entry = bytes.subarray(at, at + n);
    if (!same(leafHash(entry), hashes[entries.length])) refuse('an entry that is not in its place');
    entries.push(entry);
    at += n;
  }
  if (entries.length !== hashes.length) refuse('fewer entries than hashes');
}
