// What is compared with a bundle from elsewhere: heads that others kept, and the published tree of the whole log (6.7).

import { refuse, same, toHex } from './bytes.js';
import { readEntry } from './entry.js';
import { splitNote, readHead } from './notes.js';
import { Keys, followKeys, UNSIGNED } from './keys.js';
import { openGiven } from './pins.js';
import { readTree } from './published.js';
import { silent } from './report.js';

/** Heads that others kept: one of the same size and another root is a fork. */
export async function givenHeads(b) {
  const here = [...(b.head ? [b.head] : []), ...b.anchors.map((a) => a.head)];
  for (const given of await openGiven(b.pins, b.keys, b.report, b.published.size ?? b.head?.size ?? 0n)) {
    const root = b.published.roots?.get(given.size) ?? here.find((one) => one.size === given.size && !same(one.root, given.root))?.root;
    if (root && !same(root, given.root)) b.report.finding('forked', given.place, `the log has another root of its first ${given.size} entries`, 'heads given');
  }
}

/**
 * "Whole log" of 6.7: everything here against all public halves. The log goes on after a bundle is made, and its keys may change: which
 * ones it had, the tree's own entries say (4.5). Where the tree holds, its keys are those that all else is judged by.
 */
export async function wholeLog(b) {
  const { report, head: top } = b;
  const given = new Map((b.comp?.given ?? []).map((one) => [one.custody, b.of(one.custody).at(-1)?.index ?? -1]));
  let keys = null;
  const sizes = new Set([top.size, ...b.pins.heads.map(sizeOf)]);
  const roots = new Map();
  const read = await report.attempt('whole log', 'published tree', async () => {
    const tree = await readTree(b.pins.tree, {
      report,
      start(head) {
        if (head.size < top.size) refuse('the published tree has fewer entries than the head of the bundle', 'cannot tell');
      },
      leaf(frontier) {
        const n = BigInt(frontier.size);
        if (sizes.has(n)) roots.set(n, frontier.root());
      },
      async visit(bytes, frontier) {
        const index = frontier.size - 1;
        const entry = readEntry(bytes);
        report.check('whole log');
        if (entry.index !== index) refuse(`entry ${index} of the tree says that it is another`);
        if (index === 0) keys = new Keys(entry);
        const here = b.byIndex.get(index);
        // what the bundle has of the keys was told when it was read
        await followKeys(keys, entry, here ? silent : report);
        if (here && !same(here.leaf, entry.leaf)) report.finding('forked', `entry ${index}`, 'the published tree has another entry here', 'whole log');
        if (here) return;
        const last = given.get(toHex(entry.subject));
        if (last !== undefined && index < last) report.finding('incomplete', `entry ${index}`, 'an entry about a given tape that the bundle does not have', 'whole log');
        if (entry.kind >= 32768 && entry.kind <= 32770 && BigInt(index) < top.size) report.finding('incomplete', `entry ${index}`, 'an entry about keys that the bundle does not have', 'whole log');
      },
    });
    if (!roots.has(top.size) || !same(roots.get(top.size), top.root)) refuse('the published tree is of another history than the head of the bundle', 'forked');
    return tree;
  });
  if (!read?.head) return;
  const held = await report.attempt('published tree', 'checkpoint of the published tree', async () => {
    try {
      const head = await (keys ?? b.keys).openHead(read.bytes, b.pins.witnesses);
      if (!head.counts) refuse('the checkpoint of the tree is of a revoked key');
    } catch (error) {
      // Hashes do not say whether a key was replaced behind the bundle.
      if (error.message === UNSIGNED && !keys && read.head.size > top.size) refuse('no key in the bundle signed the checkpoint of the tree, and which one followed is not published', 'cannot tell');
      throw error;
    }
  });
  if (!held) return;
  Object.assign(b.published, { size: read.head.size, roots });
  if (!keys) return;
  b.wholeLog = true;
  b.keys = keys;
  if (!keys.counts(top.size)) report.finding('altered', 'log/checkpoint', 'a head of a key that the log revoked later', 'head');
}

/** The size that a note says, whoever signed it. */
function sizeOf(bytes) {
  try {
    return readHead(splitNote(bytes).text).size;
  } catch {
    return null;
  }
}
