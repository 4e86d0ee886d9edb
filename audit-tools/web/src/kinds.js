// The kinds of batch mode that come as bytes or text: one decoder and one id each.

import { refuse, fromHex, toHex, toUtf8, Refusal } from './bytes.js';
import { decode } from './cbor.js';
import { H } from './sha256.js';
import { readFrame, readHeader, readRoot, readManifest } from './tape.js';
import { readEntry, readPrivate } from './entry.js';
import { readStatement, checkStatementKey, checkReceipt } from './cose.js';
import { readVerifierKey, openHead, checkProof, checkFork, checkSuccession } from './notes.js';

const key32 = (text) => {
  const key = fromHex(text);
  return key.length === 32 ? key : refuse('not a key of 32 bytes');
};

const hashed = (read) => async (bytes) => {
  read(bytes);
  return H(bytes);
};

export const DECODERS = {
  cbor: hashed((bytes) => decode(bytes)),
  frame: hashed(readFrame),
  header: hashed(readHeader),
  root: hashed(readRoot),
  manifest: hashed(readManifest),
  private: hashed(readPrivate),
  statement: async (bytes, ask) => {
    const statement = readStatement(bytes);
    if (ask.key !== undefined) await checkStatementKey(statement, key32(ask.key));
    return statement.tape;
  },
  entry: async (bytes) => readEntry(bytes).leaf,
  note: async (bytes, ask) => (await openHead(bytes, readVerifierKey(ask.key, 1))).root,
  proof: async (bytes, ask) => {
    const proof = await checkProof(bytes, readVerifierKey(ask.key, 1));
    return proof.leaf;
  },
  receipt: async (bytes, ask) => (await checkReceipt(bytes, key32(ask.key), key32(ask.leaf))).root,
  fork: async (bytes, ask) => (await checkFork(bytes, readVerifierKey(ask.key, 1))).root,
  succession: async (bytes) => H(toUtf8((await checkSuccession(bytes)).text)),
};

/** The answer to one object of such a kind; null when it is of another. */
export async function answerBytes(ask) {
  const n = ask.n ?? null;
  if (!Object.hasOwn(DECODERS, ask.kind)) return null;
  let bytes;
  try {
    if (typeof ask.hex === 'string') bytes = fromHex(ask.hex);
    else if (typeof ask.text === 'string') bytes = toUtf8(ask.text);
    else return { n, error: 'neither hex nor text' };
    for (const key of ['key', 'leaf']) if (ask[key] !== undefined && typeof ask[key] !== 'string') return { n, error: `"${key}" is no text` };
    if (['note', 'proof', 'receipt', 'fork'].includes(ask.kind) && ask.key === undefined) return { n, accept: false, why: 'no key' };
    if (ask.kind === 'receipt' && ask.leaf === undefined) return { n, accept: false, why: 'no leaf' };
  } catch (e) {
    return { n, error: e.message };
  }
  try {
    return { n, accept: true, id: toHex(await DECODERS[ask.kind](bytes, ask)) };
  } catch (e) {
    if (!(e instanceof Refusal)) return { n, accept: false, why: `not readable: ${e.name}` };
    if (e.word === 'cannot tell') return { n, error: e.message };
    return { n, accept: false, why: e.message };
  }
}

