// The kinds of batch mode that come as bytes or text: one decoder and one id each.

import { refuse, fromHex, toHex, toUtf8, same, Refusal } from './bytes.js';
import { decode } from './cbor.js';
import { H } from './sha256.js';
import { readFrame, readHeader, readRoot, readManifest } from './tape.js';
import { readEntry, readPrivate } from './entry.js';
import { readStatement, checkStatementKey, checkReceipt } from './cose.js';
import { readVerifierKey, openHead, openCosigned, checkProof, checkFork, checkSuccession } from './notes.js';
import { readPins } from './pins.js';

const key32 = (text) => {
  const key = fromHex(text);
  return key.length === 32 ? key : refuse('not a key of 32 bytes');
};

const hashed = (read) => async (bytes) => {
  read(bytes);
  return H(bytes);
};

/** Opens heads under the log's key and, where witnesses or a quorum are named, with their cosignatures. */
function headOf(ask) {
  const key = readVerifierKey(ask.key, 1);
  const quorum = ask.quorum ?? null;
  if (ask.witness === undefined && quorum === null) return (bytes) => openHead(bytes, key);
  const texts = ask.witness ?? [];
  if (!Array.isArray(texts) || texts.some((one) => typeof one !== 'string')) refuse('"witness" is no list of texts');
  if (quorum !== null && !Number.isSafeInteger(quorum)) refuse('"quorum" is no number');
  const pins = readPins({ witness: texts, quorum });
  if (pins.witnesses.some((one) => same(one.key, key.key))) refuse('a key that is given as a log\'s and as a witness\'s');
  return (bytes) => openCosigned(bytes, key, pins.witnesses, pins.quorum);
}

const DECODERS = {
  // one array as long as 1.1 lets it be
  cbor: hashed((bytes) => decode(bytes, { limit: (1 << 24) + 1 })),
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
  note: async (bytes, ask) => (await headOf(ask)(bytes)).root,
  proof: async (bytes, ask) => (await checkProof(bytes, headOf(ask))).leaf,
  receipt: async (bytes, ask) => (await checkReceipt(bytes, () => key32(ask.key), key32(ask.leaf))).root,
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

