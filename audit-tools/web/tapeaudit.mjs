#!/usr/bin/env node
// tapeaudit for Node 20 and newer: the checks of tapeaudit.html on the command line and in batches. Reads only.

import { openSync, readSync, closeSync, lstatSync, statSync, fstatSync, readdirSync, readFileSync, realpathSync, existsSync, writeSync, constants } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { audit } from './src/audit.js';
import { readPins } from './src/pins.js';
import { answerBytes } from './src/kinds.js';
import { Refusal, toUtf8 } from './src/bytes.js';
import { isPath } from './src/bag.js';
import { human } from './src/text.js';
import { visible } from './src/visible.js';

const USAGE = `tapeaudit [--pub KEY]... [--witness VKEY]... [--quorum N] [--head FILE]... [--tree FOLDER] [--state FOLDER] [--json] PATH
tapeaudit --batch

PATH is an evidence bundle (a folder, or a tar file) or a published tree (a folder with checkpoint and tile).
KEY is a verifier key of the log, or the recorder's key as 64 hexadecimal digits or PEM; or a file that holds one.`;

class Usage extends Error {}

/** A file as a source: it is opened for each piece, so that a bag of any number of files keeps none open. */
function source(path, size, shown) {
  return {
    path: shown ?? path,
    size,
    read: async (at, n) => {
      const fd = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
      try {
        if (!fstatSync(fd).isFile()) throw new Refusal('not a file', 'cannot tell');
        const out = new Uint8Array(n);
        let got = 0;
        while (got < n) {
          const more = readSync(fd, out, got, n - got, at + got);
          if (!more) break;
          got += more;
        }
        return got < n ? out.subarray(0, got) : out;
      } finally {
        closeSync(fd);
      }
    },
  };
}

/** A folder as a bag: plain files and the folders on the way to them; everything else is a fault. */
function folderBag(root) {
  const files = new Map();
  const faults = [];
  const queue = [''];
  while (queue.length) {
    const folder = queue.pop();
    const names = readdirSync(join(root, folder)).sort();
    if (!names.length && folder) faults.push({ word: 'altered', place: folder, message: 'a folder without a file' });
    for (const name of names) {
      const path = folder ? `${folder}/${name}` : name;
      const stat = lstatSync(join(root, path));
      if (!isPath(path)) faults.push({ word: 'altered', place: path, message: 'a path that no file of a bag may have' });
      else if (stat.isDirectory()) queue.push(path);
      else if (!stat.isFile()) faults.push({ word: 'altered', place: path, message: 'neither a file nor a folder' });
      else if (files.size >= 1 << 20) throw new Refusal('too many files');
      else files.set(path, source(join(root, path), stat.size, path));
    }
  }
  return { what: { bag: { files, tar: false } }, faults };
}

/** A folder as a published tree. What is no plain file, or lies behind a link, is not there. */
function treeReader(root) {
  const look = (path) => {
    let at = root;
    let stat = null;
    for (const part of path.split('/')) {
      if (stat && !stat.isDirectory()) return null;
      at = join(at, part);
      try {
        stat = lstatSync(at);
      } catch {
        return null;
      }
    }
    return { at, stat };
  };
  const hasFile = (at, depth) => depth > 0 && readdirSync(at, { withFileTypes: true })
    .some((one) => one.isFile() || (one.isDirectory() && hasFile(join(at, one.name), depth - 1)));
  return {
    file: async (path) => {
      const found = look(path);
      return found?.stat.isFile() ? source(found.at, found.stat.size, path) : null;
    },
    // twenty digits in groups of three, and a part
    has: async (folder) => Boolean(look(folder)?.stat.isDirectory()) && hasFile(join(root, folder), 9),
  };
}

/** What lies at a path: {what, faults}. */
function open(path, kind = null) {
  let real;
  let stat;
  try {
    real = realpathSync(path);
    stat = statSync(real);
  } catch {
    return { what: null, faults: [{ word: 'cannot tell', place: path, message: 'there is nothing that can be read' }] };
  }
  try {
    if (stat.isDirectory()) {
      const has = (name) => existsSync(join(real, name));
      if (kind === 'tree' || (!kind && has('checkpoint') && has('tile'))) return { what: { publishedTree: treeReader(real) }, faults: [] };
      if (kind === 'bundle' || has('bagit.txt') || has('manifest-sha256.txt') || has('data')) return folderBag(real);
      const message = has('journal') ? 'a ledger folder is not read by this auditor' : 'neither a bundle nor a published tree';
      return { what: null, faults: [{ word: 'cannot tell', place: path, message }] };
    }
    if (!stat.isFile()) return { what: null, faults: [{ word: 'cannot tell', place: path, message: 'neither a file nor a folder' }] };
    if (kind === 'tree') return { what: null, faults: [{ word: 'cannot tell', place: path, message: 'not a folder' }] };
    return { what: { tar: source(real, stat.size) }, faults: [] };
  } catch (e) {
    const word = e instanceof Refusal ? e.word : 'cannot tell';
    return { what: null, faults: [{ word, place: path, message: e instanceof Refusal ? e.message : 'it cannot be read' }] };
  }
}

/** A key, or a file that holds one. */
function keyText(text) {
  if (typeof text !== 'string') throw new Usage('a key that is no text');
  if (/^[0-9a-fA-F]{64}$/.test(text) || text.includes('+') || text.includes('BEGIN')) {
    if (!existsSync(text)) return text;
  }
  try {
    const stat = statSync(text);
    if (!stat.isFile() || stat.size > 65536) throw new Usage(`not a key file: ${text}`);
    return readFileSync(text, 'utf8');
  } catch (e) {
    throw e instanceof Usage ? e : new Usage(`neither a key nor a file: ${text}`);
  }
}

function headBytes(path) {
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > 1 << 20) throw new Error();
    return new Uint8Array(readFileSync(path));
  } catch {
    throw new Usage(`not a head that can be read: ${path}`);
  }
}

function listOf(value, what) {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.some((one) => typeof one !== 'string')) throw new Usage(`"${what}" is no list of texts`);
  return value;
}

async function run(options, path, kind = null) {
  let pins;
  try {
    const quorum = options.quorum ?? null;
    if (quorum !== null && !Number.isSafeInteger(quorum)) throw new Usage('"quorum" is no number');
    pins = readPins({
      pub: listOf(options.pub, 'pub').map(keyText), witness: listOf(options.witness, 'witness').map(keyText), quorum,
      head: listOf(options.head, 'head').map(headBytes),
    });
  } catch (e) {
    if (e instanceof Refusal) throw new Usage(e.message);
    throw e;
  }
  if (options.tree !== undefined) {
    if (typeof options.tree !== 'string' || !existsSync(options.tree) || !statSync(options.tree).isDirectory()) throw new Usage('"tree" is no folder');
    pins.tree = treeReader(realpathSync(options.tree));
  }
  const { what, faults } = open(path, kind);
  return audit(what, pins, { faults });
}

/** One line of batch mode. */
async function answer(line) {
  let ask;
  try {
    ask = JSON.parse(line);
  } catch {
    return { n: null, error: 'not JSON' };
  }
  if (ask === null || typeof ask !== 'object' || Array.isArray(ask) || typeof ask.kind !== 'string') return { n: null, error: 'not such an object' };
  const n = ask.n ?? null;
  try {
    // like the option of this name, it takes files
    if (Array.isArray(ask.witness) && ask.kind !== 'bundle' && ask.kind !== 'tree') ask.witness = ask.witness.map(keyText);
  } catch (e) {
    if (!(e instanceof Usage)) throw e;
    return { n, accept: false, why: e.message };
  }
  const small = await answerBytes(ask);
  if (small) return small;
  if (ask.kind === 'ledger') return { n, error: 'not read by this auditor' };
  if (ask.kind !== 'bundle' && ask.kind !== 'tree') return { n, error: 'an unknown kind' };
  if (typeof ask.path !== 'string') return { n, error: 'no path' };
  try {
    const { json, ids, report } = await run(ask, ask.path, ask.kind);
    if (report.fault && process.env.TAPEAUDIT_FAULTS) process.stderr.write(`${report.fault.stack}\n`);
    return { n, verdict: json.verdict, exit: json.exit, words: json.words, ids };
  } catch (e) {
    if (e instanceof Usage) return { n, verdict: 'cannot tell', exit: 1, words: ['cannot tell'], ids: [], why: e.message };
    return { n, error: `fault: ${e.name}` };
  }
}

const LINE_MAX = 64 << 20;

async function batch() {
  let exit = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    if (!line.trim()) continue;
    const said = line.length > LINE_MAX ? { n: null, error: 'a line that is too long' } : await answer(line);
    if (said.n === null && said.error) exit = 2;
    write(`${JSON.stringify(said)}\n`);
  }
  return exit;
}

/** Writes at once; a reader that went away ends the program quietly. */
function write(text) {
  const bytes = Buffer.from(toUtf8(text));
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (e) {
      if (e.code === 'EAGAIN') continue;
      process.exit(e.code === 'EPIPE' ? 0 : 1);
    }
  }
}

function parse(argv) {
  const options = { pub: [], witness: [], head: [] };
  let path = null;
  let rest = false;
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i];
    const value = () => (i + 1 < argv.length ? argv[++i] : fail(`${arg} needs a value`));
    const fail = (why) => {
      throw new Usage(why);
    };
    if (!rest && arg === '--') rest = true;
    else if (!rest && arg === '--batch') options.batch = true;
    else if (!rest && arg === '--json') options.json = true;
    else if (!rest && (arg === '--help' || arg === '-h')) options.help = true;
    else if (!rest && ['--pub', '--witness', '--head'].includes(arg)) options[arg.slice(2)].push(value());
    else if (!rest && arg === '--tree') options.tree = value();
    else if (!rest && arg === '--state') value();
    else if (!rest && arg === '--quorum') {
      const text = value();
      if (!/^[1-9][0-9]{0,3}$/.test(text)) fail('--quorum is a number from 1');
      options.quorum = Number(text);
    } else if (!rest && arg.startsWith('-') && arg !== '-') fail(`an unknown option: ${arg}`);
    else if (path === null) path = arg;
    else fail('more than one path');
  }
  return { options, path };
}

async function main() {
  const { options, path } = parse(process.argv.slice(2));
  if (options.help) {
    write(`${USAGE}\n`);
    return 0;
  }
  if (options.batch) return batch();
  if (path === null) throw new Usage('no path');
  const result = await run(options, path);
  if (result.report.fault && process.env.TAPEAUDIT_FAULTS) process.stderr.write(`${result.report.fault.stack}\n`);
  write(options.json ? `${JSON.stringify(result.json)}\n` : human(result));
  return result.json.exit;
}

try {
  process.exitCode = await main();
} catch (e) {
  process.stderr.write(`tapeaudit: ${visible(e instanceof Usage ? e.message : `fault: ${e.name}`)}\n`);
  if (process.env.TAPEAUDIT_FAULTS) process.stderr.write(`${e.stack}\n`);
  process.exitCode = 2;
}
