// Runs the auditor over bytes in memory, and counts what is left out.

import { appendFileSync } from 'node:fs';
import { audit } from '../src/audit.js';
import { readPins } from '../src/pins.js';

/** The options of a test that needs something. What is left out is a line in the file that IMMUTAPE_SKIPS names, for whoever runs all tests to count. */
export function needed(there, why) {
  if (there) return {};
  if (process.env.IMMUTAPE_SKIPS) appendFileSync(process.env.IMMUTAPE_SKIPS, `${why}\n`);
  return { skip: why };
}

export const source = (bytes, path = 'memory') => ({ path, size: bytes.length, read: async (at, n) => bytes.slice(at, Math.min(at + n, bytes.length)) });
export const treeOf = (files) => ({
  file: async (path) => (files.has(path) ? source(files.get(path), path) : null),
  has: async (folder) => [...files.keys()].some((path) => path.startsWith(`${folder}/`)),
});

export async function judge(tar, pins, tree = null) {
  const read = readPins(pins);
  if (tree) read.tree = treeOf(tree);
  const result = await audit({ tar: source(tar) }, read);
  if (result.report.fault) throw result.report.fault;
  return result;
}

export async function judgeBag(bag, pins) {
  const files = new Map([...bag].map(([path, bytes]) => [path, source(bytes, path)]));
  const result = await audit({ bag: { files, tar: false } }, readPins(pins));
  if (result.report.fault) throw result.report.fault;
  return result;
}

export async function judgeTree(files, pins) {
  const result = await audit({ publishedTree: treeOf(files) }, readPins(pins));
  if (result.report.fault) throw result.report.fault;
  return result;
}
