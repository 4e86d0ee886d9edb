// What the verifier is given from elsewhere: keys of the log and of witnesses, and heads that others kept (Pins in 6.7).

import { refuse, Refusal, same, toHex, fromHex, fromBase64 } from './bytes.js';
import { readVerifierKey } from './notes.js';

const PEM = /^-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END PUBLIC KEY-----\r?\n?$/;
const SPKI = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);

export function spkiOf(key) {
  const out = new Uint8Array(44);
  out.set(SPKI);
  out.set(key, 12);
  return out;
}

/** What the verifier is given from elsewhere, out of texts: `pub` (any kind of key of the log), `witness`, `quorum`, `head`. */
export function readPins({ pub = [], witness = [], quorum = null, head = [] }) {
  const pins = { log: [], bare: [], witnesses: [], quorum: 0, heads: [], given: pub.length };
  for (const raw of pub) {
    const text = raw.trim();
    const pem = PEM.exec(text);
    if (pem) {
      const der = fromBase64(pem[1].replace(/[\r\n]/g, ''));
      if (!der || der.length !== 44 || !same(der.subarray(0, 12), SPKI)) refuse('not the PEM of an Ed25519 key');
      pins.bare.push(der.subarray(12));
    } else if (/^[0-9a-fA-F]{64}$/.test(text)) pins.bare.push(fromHex(text));
    else pins.log.push(readVerifierKey(text, 1));
  }
  const seen = new Set();
  for (const raw of witness) {
    const key = readVerifierKey(raw.trim(), 4);
    if (pins.log.some((one) => same(one.key, key.key))) refuse('a key that is given as a log\'s and as a witness\'s');
    if (!seen.has(key.text)) pins.witnesses.push(key);
    seen.add(key.text);
  }
  pins.quorum = quorum ?? pins.witnesses.length;
  if (!Number.isSafeInteger(pins.quorum) || pins.quorum < 0 || (quorum !== null && pins.quorum < 1)) refuse('a quorum that is not a number from 1');
  pins.heads = head;
  return pins;
}

/** Compares the pinned keys with those of the log: which roles are pinned. */
export function checkPins(pins, keys, report) {
  const pinned = { checkpoint: false, recorder: false };
  for (const one of pins.log) {
    report.check('pinned keys');
    if (one.name === keys.origin && keys.has(0, one.key)) pinned.checkpoint = true;
    else report.finding('altered', 'keys', `the pinned key of ${one.name} is none of this log`, 'pinned keys');
  }
  for (const one of pins.bare) {
    report.check('pinned keys');
    const had = (role) => keys.roles[role].some((key) => same(key.key, one) || same(key.thumb, one));
    const [heads, tapes] = [had(0), had(1)];
    pinned.checkpoint ||= heads;
    pinned.recorder ||= tapes;
    if (!heads && !tapes) report.finding('altered', 'keys', `the pinned key ${toHex(one).slice(0, 16)}.. is none of this log`, 'pinned keys');
  }
  for (const one of pins.witnesses) {
    if (keys.has(0, one.key)) report.finding('altered', 'keys', `${one.name} is given as a witness and has a key of the log`, 'pinned keys');
  }
  return pinned;
}

/** Heads that others kept, opened; one that this log did not sign says nothing. Past `size` any key that the log had will do. */
export async function openGiven(pins, keys, report, size) {
  const heads = [];
  for (const [i, bytes] of pins.heads.entries()) {
    const head = await report.attempt('heads given', `head ${i + 1}`, async () => {
      try {
        const opened = await keys.openHead(bytes, pins.witnesses, size);
        return opened.signed ? opened : refuse('no key that this log is known to have had signed it');
      } catch (e) {
        if (e instanceof Refusal) refuse(`a head that was given cannot be used: ${e.message}`, 'cannot tell');
        throw e;
      }
    });
    if (head && head.size !== undefined) heads.push({ ...head, place: `head ${i + 1}` });
  }
  return heads;
}
