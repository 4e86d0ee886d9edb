// The bag (6.1): the one tar file there is for a bag, or a folder; manifests and digests. A file here is {path, size, read(at, n)}.

import { refuse, fromUtf8, isZero, toHex, order, toUtf8 } from './bytes.js';
import { H, Sha256, digestOf } from './sha256.js';
import { CutOff, decodeAt } from './cbor.js';

const BLOCK = 512;
const FILE_MAX = 8589934591;
const MANIFEST_MAX = 64 << 20;
const PIECE = 1 << 20;
const WHOLE = 16 << 20;
/** The four tag files, in the order of the tar file. */
const TAGS = ['bagit.txt', 'bag-info.txt', 'manifest-sha256.txt', 'tagmanifest-sha256.txt'];
const FILES_MAX = 1 << 20;

/** May it be a path in the bag? */
export function isPath(path) {
  return /^[A-Za-z0-9._/-]{1,100}$/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

const ascii = (bytes) => String.fromCharCode(...bytes);

function field(header, at, n, what) {
  const part = header.subarray(at, at + n);
  const end = part.indexOf(0);
  const used = end < 0 ? part : part.subarray(0, end);
  if (end >= 0 && !isZero(part.subarray(end))) refuse(`tar: bytes behind the end of the ${what}`);
  return ascii(used);
}

function octal(header, at, what) {
  const text = ascii(header.subarray(at, at + 12));
  if (!/^[0-7]{11}\0$/.test(text)) refuse(`tar: the ${what} is not eleven octal digits and a zero byte`);
  return parseInt(text.slice(0, 11), 8);
}

function readTarHeader(header) {
  const fixed = (at, text, what) => void (ascii(header.subarray(at, at + text.length)) === text || refuse(`tar: another ${what} than the format has`));
  fixed(257, 'ustar\x0000', 'magic or version');
  fixed(156, '0', 'type of file');
  fixed(100, '0000644\0', 'mode');
  fixed(108, '0000000\x000000000\0', 'owner');
  const path = field(header, 0, 100, 'name');
  const prefix = field(header, 345, 155, 'prefix');
  if (!isPath(path)) refuse('tar: a name that no path in a bag may have');
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(prefix) || prefix === '.' || prefix === '..') refuse('tar: a prefix that is no name of a bag');
  const size = octal(header, 124, 'size');
  const mtime = octal(header, 136, 'mtime');
  if (!isZero(header.subarray(157, 257)) || !isZero(header.subarray(265, 345)) || !isZero(header.subarray(500))) refuse('tar: bytes where there have to be zeros');
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i];
  fixed(148, `${sum.toString(8).padStart(6, '0')}\0 `, 'checksum');
  return { path, prefix, size, mtime };
}

/** Reads the headers of a tar file. Refuses at the first that is not as 6.1 has it. */
export async function openTar(source, report) {
  const files = new Map();
  let name = null;
  let mtime = null;
  let at = 0;
  for (;;) {
    if (at + BLOCK > source.size) refuse('tar: the end is missing');
    const header = await source.read(at, BLOCK);
    if (isZero(header)) break;
    const one = readTarHeader(header);
    if (name !== null && one.prefix !== name) refuse('tar: headers with several names of the bag');
    if (mtime !== null && one.mtime !== mtime) refuse('tar: headers with several times');
    name = one.prefix;
    mtime = one.mtime;
    if (files.has(one.path)) refuse('tar: a path twice');
    if (files.size >= FILES_MAX) refuse('tar: too many files');
    const start = at + BLOCK;
    const fill = (BLOCK - (one.size % BLOCK)) % BLOCK;
    if (start + one.size + fill > source.size) refuse('tar: a file is cut off');
    if (fill && !isZero(await source.read(start + one.size, fill))) refuse('tar: a file is not filled up with zeros');
    files.set(one.path, { path: one.path, size: one.size, read: (from, n) => source.read(start + from, n) });
    at = start + one.size + fill;
    await report.tick('tar', at, source.size);
  }
  if (at + 2 * BLOCK !== source.size || !isZero(await source.read(at, 2 * BLOCK))) refuse('tar: another end than two blocks of zeros');
  return { files, name, tar: true };
}

/** All of a file that has at most so many bytes. */
export async function readAll(file, max) {
  if (file.size > max) refuse(`${file.path}: over ${max} bytes`);
  const bytes = await file.read(0, file.size);
  if (bytes.length !== file.size) refuse(`${file.path}: cut off`, 'cannot tell');
  return bytes;
}

async function hashFile(file, report) {
  if (file.size <= WHOLE) return digestOf(await readAll(file, WHOLE));
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += PIECE) {
    const piece = await file.read(at, Math.min(PIECE, file.size - at));
    if (!piece.length) refuse(`${file.path}: cut off`, 'cannot tell');
    hash.update(piece);
    await report.tick(file.path, at, file.size);
  }
  return hash.digest();
}

/** The items of a CBOR sequence in a file, with the place of each; `bounds` are those of one item. */
export async function* sequence(file, itemMax, bounds, report) {
  let buffer = new Uint8Array(0);
  let from = 0; // offset in the file of the first byte of the buffer
  let pos = 0;
  for (;;) {
    const read = from + buffer.length;
    if (pos === buffer.length && read >= file.size) return;
    let found = null;
    try {
      if (pos < buffer.length) found = decodeAt(buffer, pos, bounds);
    } catch (e) {
      if (!(e instanceof CutOff) || read >= file.size) throw e;
    }
    if (found) {
      const [item, end] = found;
      if (end - pos > itemMax) refuse(`${file.path}: an item that is too long`);
      yield { item, at: from + pos, end: from + end };
      pos = end;
      continue;
    }
    const rest = buffer.subarray(pos);
    if (rest.length > itemMax) refuse(`${file.path}: an item that is too long`);
    const more = await file.read(read, Math.min(Math.max(PIECE, rest.length), file.size - read));
    if (!more.length) refuse(`${file.path}: cut off`, 'cannot tell');
    const joined = new Uint8Array(rest.length + more.length);
    joined.set(rest);
    joined.set(more, rest.length);
    from += pos;
    pos = 0;
    buffer = joined;
    await report.tick(file.path, read, file.size);
  }
}

/** The lines of a manifest: a map from path to digest. */
function readManifestFile(bytes, name) {
  const text = fromUtf8(bytes);
  if (text === null || !text.endsWith('\n')) refuse(`${name}: not lines that end`);
  const out = new Map();
  let before = null;
  for (const line of text.slice(0, -1).split('\n')) {
    const m = /^([0-9a-f]{64}) {2}(.+)$/.exec(line);
    if (!m || !isPath(m[2])) refuse(`${name}: a line that is none of a manifest`);
    if (before !== null && order(toUtf8(before), toUtf8(m[2])) >= 0) refuse(`${name}: paths that do not ascend`);
    before = m[2];
    out.set(m[2], m[1]);
  }
  return out;
}

function readInfo(bytes) {
  const text = fromUtf8(bytes);
  if (text === null || !text.endsWith('\n')) refuse('bag-info.txt: not lines that end');
  const lines = text.slice(0, -1).split('\n');
  if (lines.length > 64) refuse('bag-info.txt: over 64 lines');
  const oxums = [];
  for (const line of lines) {
    if (toUtf8(line).length > 1024) refuse('bag-info.txt: a line over 1,024 bytes');
    const m = /^([^: \t][^:]*): ([^]*)$/.exec(line);
    if (!m || line.includes('\r')) refuse('bag-info.txt: a line that is not "Label: value"');
    if (m[1] === 'Payload-Oxum') oxums.push(m[2]);
  }
  if (oxums.length !== 1) refuse('bag-info.txt: not exactly one Payload-Oxum');
  return oxums[0];
}

const BAGIT = 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n';
const TAGGED = ['bag-info.txt', 'bagit.txt', 'manifest-sha256.txt'];

/** Check 1 of 6.7 as far as 6.1 goes. Returns the payload by path and the bundle digest. */
export async function checkBag(bag, report) {
  const { files } = bag;
  const place = 'bag';
  const payload = new Map([...files].filter(([path]) => path.startsWith('data/')));
  const order4 = [...files.keys()];
  for (const tag of TAGS) {
    await report.attempt('tag files', tag, () => void (files.has(tag) || refuse('a tag file is not there', 'missing')));
  }
  await report.attempt('tag files', place, () => {
    const more = order4.filter((path) => !path.startsWith('data/') && !TAGS.includes(path));
    if (more.length) refuse(`a file that has no place in a bag: ${more[0]}`);
  });
  if (files.has('bagit.txt')) {
    await report.attempt('tag files', 'bagit.txt', async () => {
      if (fromUtf8(await readAll(files.get('bagit.txt'), 1024)) !== BAGIT) refuse('another text than that of BagIt 1.0');
    });
  }
  const oxum = !files.has('bag-info.txt') ? null : await report.attempt('tag files', 'bag-info.txt', async () => readInfo(await readAll(files.get('bag-info.txt'), 1 << 17)));
  const compareOxum = (manifest) => {
    // where a file is missing, that is what is told
    if (typeof oxum !== 'string' || [...(manifest?.keys() ?? [])].some((path) => !payload.has(path))) return null;
    return report.attempt('tag files', 'bag-info.txt', () => {
      let bytes = 0;
      for (const file of payload.values()) bytes += file.size;
      if (oxum !== `${bytes}.${payload.size}`) refuse('the Payload-Oxum does not fit');
    });
  };
  const digest = await report.attempt('tag files', 'tagmanifest-sha256.txt', async () => {
    if (!files.has('tagmanifest-sha256.txt')) return null;
    const bytes = await readAll(files.get('tagmanifest-sha256.txt'), MANIFEST_MAX);
    const text = fromUtf8(bytes) ?? '';
    const lines = text.split('\n');
    if (lines.length !== 4 || lines[3] !== '') refuse('not three lines');
    for (const [i, tag] of TAGGED.entries()) {
      const m = /^([0-9a-f]{64}) {2}(.+)$/.exec(lines[i]);
      if (!m || m[2] !== tag) refuse(`line ${i + 1} is not that of ${tag}`);
      const file = files.get(tag);
      if (file) {
        report.check('digests of files');
        if (toHex(await digestOf(await readAll(file, MANIFEST_MAX))) !== m[1]) report.finding('altered', tag, 'its digest is another', 'digests of files');
      }
    }
    return H(bytes);
  });
  const manifest = await report.attempt('tag files', 'manifest-sha256.txt', async () => {
    if (!files.has('manifest-sha256.txt')) return null;
    const lines = readManifestFile(await readAll(files.get('manifest-sha256.txt'), MANIFEST_MAX), 'manifest-sha256.txt');
    for (const path of lines.keys()) if (!path.startsWith('data/')) refuse('it names a file that is not in data/');
    return lines;
  });
  await compareOxum(manifest instanceof Map ? manifest : null);
  if (!(manifest instanceof Map)) return { payload, digest: digest instanceof Uint8Array ? digest : null };
  if (bag.tar) {
    await report.attempt('tag files', place, () => {
      const want = [...TAGS, ...manifest.keys()].filter((path) => files.has(path));
      if (want.some((path, i) => order4[i] !== path)) refuse('tar: the files are not in their order');
    });
  }
  let done = 0;
  for (const [path, hex] of manifest) {
    const file = payload.get(path);
    report.check('digests of files');
    if (!file) {
      report.finding('missing', path, 'a manifest names it, and it is not there', 'digests of files');
      continue;
    }
    await report.tick(`digests: ${path}`, done++, manifest.size);
    if (file.size > FILE_MAX) report.finding('altered', path, 'a file over 8 GiB', 'digests of files');
    else if (toHex(await hashFile(file, report)) !== hex) report.finding('altered', path, 'its digest is another than the manifest says', 'digests of files');
  }
  for (const path of payload.keys()) {
    if (!isPath(path)) report.finding('altered', 'data/', 'a path that no file of a bag may have', 'digests of files');
    if (!manifest.has(path)) report.finding('altered', path, 'a file that the manifest does not name', 'digests of files');
  }
  return { payload, digest: digest instanceof Uint8Array ? digest : null };
}

