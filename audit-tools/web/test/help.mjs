// Runs the auditor over bytes in memory.

import { audit, pinsOf } from '../src/audit.js';

export const source = (bytes, path = 'memory') => ({ path, size: bytes.length, read: async (at, n) => bytes.slice(at, Math.min(at + n, bytes.length)) });
export const treeOf = (files) => ({ file: async (path) => (files.has(path) ? source(files.get(path), path) : null) });

export async function judge(tar, pins, tree = null) {
  const read = pinsOf(pins);
  if (tree) read.tree = treeOf(tree);
  const result = await audit({ tar: source(tar) }, read);
  if (result.report.fault) throw result.report.fault;
  return result;
}

export async function judgeBag(bag, pins) {
  const files = new Map([...bag].map(([path, bytes]) => [path, source(bytes, path)]));
  const result = await audit({ bag: { files, tar: false } }, pinsOf(pins));
  if (result.report.fault) throw result.report.fault;
  return result;
}

export async function judgeTree(files, pins) {
  const result = await audit({ publishedTree: treeOf(files) }, pinsOf(pins));
  if (result.report.fault) throw result.report.fault;
  return result;
}
