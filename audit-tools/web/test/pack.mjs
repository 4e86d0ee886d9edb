// What is around the files: the bag, the tar file, and the published tree of a log.

import { cat, hex, sha, utf8 } from './codec.mjs';

/** The bag around the payload: a map from path to bytes, in the order of the tar file. */
export function makeBag(files, tweak = {}) {
  const paths = [...files.keys()].map((p) => `data/${p}`).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const data = new Map(paths.map((p) => [p, files.get(p.slice(5))]));
  let manifest = utf8(paths.map((p) => `${hex(sha(data.get(p)))}  ${p}\n`).join(''));
  manifest = tweak.manifest?.(manifest) ?? manifest;
  let bytes = 0;
  for (const d of data.values()) bytes += d.length;
  let info = utf8(`Bagging-Date: 2026-01-02\nPayload-Oxum: ${bytes}.${data.size}\n`);
  info = tweak.info?.(info) ?? info;
  let bagit = utf8('BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n');
  bagit = tweak.bagit?.(bagit) ?? bagit;
  let tags = utf8([['bag-info.txt', info], ['bagit.txt', bagit], ['manifest-sha256.txt', manifest]].map(([p, d]) => `${hex(sha(d))}  ${p}\n`).join(''));
  tags = tweak.tags?.(tags) ?? tags;
  const bag = new Map([['bagit.txt', bagit], ['bag-info.txt', info], ['manifest-sha256.txt', manifest], ['tagmanifest-sha256.txt', tags], ...data]);
  tweak.bag?.(bag);
  return bag;
}

export function tarHeader(path, size, { prefix = 'evidence', mtime = 1_760_000_000, patch = () => {} } = {}) {
  const h = Buffer.alloc(512);
  h.write(path, 0, 'latin1');
  h.write('0000644\0', 100, 'latin1');
  h.write('0000000\x000000000\0', 108, 'latin1');
  h.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  h.write(`${mtime.toString(8).padStart(11, '0')}\0`, 136, 'latin1');
  h.write('0', 156, 'latin1');
  h.write('ustar\x0000', 257, 'latin1');
  h.write(prefix, 345, 'latin1');
  patch(h);
  h.fill(0x20, 148, 156);
  let sum = 0;
  for (const b of h) sum += b;
  h.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return h;
}

export function makeTar(bag, tweak = {}) {
  const parts = [];
  let i = 0;
  for (const [path, data] of bag) {
    parts.push(tweak.header?.(path, data.length, i) ?? tarHeader(path, data.length), Buffer.from(data), Buffer.alloc((512 - (data.length % 512)) % 512, tweak.fill?.(path) ?? 0));
    i++;
  }
  parts.push(tweak.end ?? Buffer.alloc(1024));
  return new Uint8Array(Buffer.concat(parts));
}

/** Public tree of a log: path -> bytes. */
export function makeTree(log, size = log.entries.length, { entries = true, head = null } = {}) {
  const out = new Map();
  for (let n = 0; n * 256 < size; n++) {
    const count = Math.min(256, size - n * 256);
    const suffix = count < 256 ? `.p/${count}` : '';
    out.set(`tile/0/${String(n).padStart(3, '0')}${suffix}`, cat(...log.leaves.slice(n * 256, n * 256 + count)));
    if (entries) {
      const parts = log.entries.slice(n * 256, n * 256 + count).map((e) => cat(Uint8Array.of(e.bytes.length >> 8, e.bytes.length & 255), e.bytes));
      out.set(`tile/entries/${String(n).padStart(3, '0')}${suffix}`, cat(...parts));
    }
  }
  out.set('checkpoint', head ?? log.note(size, { witnesses: [0, 1, 2], time: 1_760_001_000 }));
  return out;
}
