// The tapes that are given (checks 7 and 8 of 6.7), and those that are out of scope by a field that is shown.

import { refuse, same, toHex } from './bytes.js';
import { decode } from './cbor.js';
import { H } from './sha256.js';
import { LD, rootFromSet, readSetProof } from './tree.js';
import { checkOpened } from './entry.js';
import { checkHeaderField, checkHeaderNumbers, readRoot, readManifest, HEADER } from './tape.js';
import { checkReceipt } from './cose.js';
import { checkProof } from './notes.js';
import { readFrames, checkMarks } from './frames.js';
import { TAPE_FILES, RECEIPT } from './files.js';

const MIB = 1 << 20;

/** Checks 7 and 8 of one given tape. */
export async function givenTape(b, given) {
  const { report } = b;
  const place = `tape ${given.tape}`;
  const chain = b.of(given.custody);
  const readable = b.files.has('entries.cbor');
  const tape = { ...given, count: given.frames, chain, saved: null, made: null, root: null, frames: null, header: null, place, dir: `tapes/${given.tape}` };
  b.tapes.push(tape);
  let hole = false;
  await report.attempt('entries of tapes', place, () => {
    let expected = 0n;
    for (const entry of chain) {
      const seq = BigInt(entry.seq);
      if (seq > expected) {
        hole = true;
        report.finding('incomplete', place, `before entry ${entry.index}, ${seq - expected === 1n ? 'one entry about this tape is' : `${seq - expected} entries about this tape are`} missing`, 'entries of tapes');
      }
      expected = seq + 1n;
    }
    if (!chain.length && readable) refuse('no entry about this tape is here', 'incomplete');
  });
  const saves = chain.filter((entry) => entry.kind === 16);
  await report.attempt('entries of tapes', place, () => {
    if (saves.length > 1) refuse('two entries say that it was saved');
    if (!saves.length && !readable) return;
    if (!saves.length) refuse('the entry that says that it was saved is not here', hole || !chain.length ? 'incomplete' : 'altered');
    tape.saved = saves[0];
    if (saves[0].index !== given.entry) refuse('another entry saved it than COMPLETENESS.json says');
  });
  const statement = tape.saved ? b.statements.get(tape.saved.index) : null;
  if (statement) {
    await report.attempt('entries of tapes', place, () => void (toHex(statement.tape) === given.tape || refuse('its statement is about another tape')));
  }
  if (readable) await evidenceMade(b, tape);
  for (const entry of chain) {
    if (entry.kind === 20) report.finding('intact with gaps', place, `its recording did not end in order: ${entry.body.get(0)} frames are left, ${entry.body.get(1)} were marked`);
  }
  await tapeFiles(b, tape, statement);
}

async function evidenceMade(b, tape) {
  const last = tape.chain.at(-1);
  await b.report.attempt('entries of tapes', tape.place, () => {
    if (!last || last.kind !== 163 || toHex(last.body.get(0)) !== b.comp.bundle) refuse('the last entry about it is not that of this bundle', 'incomplete');
    tape.made = last;
    if (BigInt(last.body.get(2)) !== BigInt(b.comp.given.length)) refuse('its evidence.made says another number of tapes', 'incomplete');
    const field = last.opened?.values.get(30);
    if (!field) refuse('its evidence.made does not open the digest of COMPLETENESS.json');
    if (!same(LD('immutape/export/1', field[0], field[1]), last.body.get(1))) refuse('the digest that is opened is not the one that its evidence.made is over');
    if (!same(field[1], b.compDigest)) refuse('COMPLETENESS.json is not the one that its evidence.made names');
  });
}

/** 6.2 and check 8. */
async function tapeFiles(b, tape, statement) {
  const { report } = b;
  const path = (name) => `${tape.dir}/${name}`;
  const has = (name) => b.files.has(path(name));
  for (const name of TAPE_FILES) {
    report.check('files of tapes');
    if (!has(name)) report.finding('missing', path(name), 'a given tape has this file, and it is not there', 'files of tapes');
  }
  await rootAndHeader(b, tape);
  if (has('manifest.cbor')) {
    await report.attempt('files of tapes', path('manifest.cbor'), async () => {
      const bytes = await b.bytes(path('manifest.cbor'));
      const manifest = readManifest(bytes);
      if (statement && !same(H(bytes), statement.manifest)) refuse('the statement names another manifest');
      if (toHex(manifest.custody) !== tape.custody) refuse('a manifest of another custody id');
      if (toHex(H(manifest.rootFile)) !== tape.tape) refuse('a manifest with another tape root file');
    });
  }
  if (has('statement.cose') && tape.saved) {
    await report.attempt('files of tapes', path('statement.cose'), async () => {
      if (!same(await b.bytes(path('statement.cose'), MIB), tape.saved.body.get(0))) refuse('another statement than that of its tape.saved');
    });
  }
  if (has('frames.cbor')) {
    tape.frames = await readFrames(b.file(path('frames.cbor')), report, path('frames.cbor'));
  }
  if (tape.frames?.seqs && tape.root && has('frames-paths.cbor')) {
    await report.attempt('set proofs of frames', path('frames-paths.cbor'), async () => {
      const hashes = readSetProof(await b.bytes(path('frames-paths.cbor'), 128 * MIB));
      const { seqs, leaves } = tape.frames;
      const root = rootFromSet(tape.root.frames, seqs.length, (i) => seqs[i], (i) => leaves[i], hashes);
      if (!same(root, tape.root.tree)) refuse('the frames do not lead to the tree root of the tape');
      tape.proved = true;
    });
  }
  if (tape.frames?.seqs && tape.root) await checkMarks(tape, report);
  if (b.keys && b.head) await tapeProofs(b, tape, path, has);
}

async function rootAndHeader(b, tape) {
  const { report } = b;
  const path = (name) => `${tape.dir}/${name}`;
  if (b.files.has(path('root.cbor'))) {
    await report.attempt('files of tapes', path('root.cbor'), async () => {
      const bytes = await b.bytes(path('root.cbor'), MIB);
      if (toHex(H(bytes)) !== tape.tape) refuse('its SHA-256 is not the tape id');
      tape.root = readRoot(bytes);
    });
  }
  if (tape.root && b.files.has(path('header.cbor'))) {
    await report.attempt('files of tapes', path('header.cbor'), async () => {
      const opened = checkOpened(decode(await b.bytes(path('header.cbor'))), 'immutape/header/1', tape.root.commitment, checkHeaderField, HEADER);
      checkHeaderNumbers(opened.numbers);
      const stats = opened.values.get(11);
      if (stats && BigInt(stats.get(0)) !== BigInt(tape.root.frames)) refuse('its number of frames is not that of the tape root file');
      tape.header = opened;
      if (opened.numbers.includes(18) && tape.chain) report.finding('intact with gaps', tape.place, 'its header says that there are holes in it');
    });
  }
}

async function tapeProofs(b, tape, path, has) {
  const { report, keys, head: top } = b;
  for (const [name, entry] of [['saved.tlog-proof', tape.saved], ['evidence.tlog-proof', tape.made]]) {
    if (!has(name) || !entry) continue;
    await report.attempt('proofs and receipts', path(name), async () => {
      const proof = await checkProof(await b.bytes(path(name), MIB), (bytes) => keys.openHead(bytes, b.pins.witnesses));
      if (!proof.extra || !same(proof.leaf, entry.leaf)) refuse('a proof of another entry');
      if (proof.index !== BigInt(entry.index)) refuse('a proof for another index');
      if (proof.head.size !== top.size || !same(proof.head.root, top.root)) refuse('a proof under another head');
    });
  }
  if (has(RECEIPT) && tape.saved) {
    await report.attempt('proofs and receipts', path(RECEIPT), async () => {
      const keyOf = (thumb) => (keys.unsure(top.size) ? keys.named(2, thumb) : keys.inForce(2, top.size))?.key ?? null;
      const receipt = await checkReceipt(await b.bytes(path(RECEIPT), MIB), keyOf, tape.saved.leaf);
      if (receipt.origin !== keys.origin || receipt.subject !== tape.custody) refuse('a receipt about something else');
      if (BigInt(receipt.size) !== top.size || BigInt(receipt.index) !== BigInt(tape.saved.index) || !same(receipt.root, top.root)) refuse('a receipt over another root');
    });
  }
}

export async function outOfScope(b) {
  const { report, comp } = b;
  const given = new Set(comp.given.map((one) => one.tape));
  const shown = new Map(comp.out_of_scope.filter((one) => one.field !== null).map((one) => [one.tape, one]));
  for (const one of shown.values()) {
    const tape = { tape: one.tape, custody: one.custody, place: `tape ${one.tape}`, dir: `tapes/${one.tape}`, root: null, header: null };
    for (const name of ['root.cbor', 'header.cbor']) {
      report.check('files of tapes');
      if (!b.files.has(`${tape.dir}/${name}`)) report.finding('missing', `${tape.dir}/${name}`, 'a tape that is out of scope by a field has this file, and it is not there', 'files of tapes');
    }
    if (!given.has(one.tape)) await rootAndHeader(b, tape);
    one.header = tape.header;
  }
  for (const path of b.files.keys()) {
    const m = /^tapes\/([0-9a-f]{64})\/(.+)$/.exec(path);
    if (!m || given.has(m[1])) continue;
    if (!shown.has(m[1]) || !['root.cbor', 'header.cbor'].includes(m[2])) report.finding('altered', path, 'a file of a tape that has none here', 'files have their place');
  }
}
