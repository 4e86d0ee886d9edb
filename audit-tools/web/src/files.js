// The files of a bundle: each has its row in 6.2, and those of keys and time-stamps are what the entries say (check 9 of 6.7).

import { refuse, same, toBase64 } from './bytes.js';
import { verifierKeyText } from './notes.js';
import { ROLES } from './keys.js';
import { spkiOf } from './pins.js';

const HEX = '[0-9a-f]{64}';
const NUMBER = '(?:0|[1-9][0-9]{0,19})';
export const TAPE_FILES = ['root.cbor', 'header.cbor', 'manifest.cbor', 'statement.cose', 'frames.cbor', 'frames-paths.cbor', 'saved.tlog-proof', 'evidence.tlog-proof'];
export const RECEIPT = 'receipt.cose';
const ALWAYS = ['COMPLETENESS.json', 'entries.cbor', 'log/checkpoint', 'log/paths.cbor'];
const ROW = new RegExp(
  `^(?:${ALWAYS.join('|').replaceAll('.', '\\.')}|tapes/${HEX}/(?:${[...TAPE_FILES, RECEIPT].join('|').replaceAll('.', '\\.')})|time/${NUMBER}\\.(?:note|tst)`
  + `|keys/(?:checkpoint|recorder|issuer)-${NUMBER}\\.pem|keys/checkpoint-${NUMBER}\\.vkey|witnesses|custody\\.html|custody\\.json|VERIFY\\.txt|COMPLETENESS\\.json\\.sig|keys/allowed_signers)$`,
);

/** 6.2: every file has its row, and what is always there is there. */
export async function rows(b) {
  for (const path of b.files.keys()) {
    await b.report.attempt('files have their place', path, () => void (ROW.test(path) || refuse('a file that has no place in a bundle')));
  }
  for (const path of ALWAYS) {
    b.report.check('files have their place');
    if (!b.file(path)) b.report.finding('missing', path, 'it has to be there, and is not', 'files have their place');
  }
}

/** Check 9. */
export async function keyAndTimeFiles(b) {
  const { report, bundleKeys: keys } = b;
  const want = new Map();
  for (const [role, list] of keys.roles.entries()) {
    for (const one of list) {
      want.set(`keys/${ROLES[role]}-${one.at}.pem`, new TextEncoder().encode(`-----BEGIN PUBLIC KEY-----\n${toBase64(spkiOf(one.key))}\n-----END PUBLIC KEY-----\n`));
      if (role === 0) want.set(`keys/checkpoint-${one.at}.vkey`, new TextEncoder().encode(`${verifierKeyText(keys.origin, 1, one.key)}\n`));
    }
  }
  for (const entry of b.entries) {
    if (entry.kind !== 129) continue;
    want.set(`time/${entry.index}.note`, entry.body.get(0));
    want.set(`time/${entry.index}.tst`, entry.body.get(1));
  }
  for (const [path, bytes] of want) {
    report.check('keys and time-stamps as files');
    if (!b.files.has(path)) report.finding('missing', path, 'an entry has it, and the file is not there', 'keys and time-stamps as files');
    else await report.attempt('keys and time-stamps as files', path, async () => void (same(await b.bytes(path, 1 << 20), bytes) || refuse('it is not what the entry says')));
  }
  for (const path of b.files.keys()) {
    if (/^(time|keys)\//.test(path) && path !== 'keys/allowed_signers' && !want.has(path)) report.finding('altered', path, 'no entry here has it', 'keys and time-stamps as files');
  }
}
