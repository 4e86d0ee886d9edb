// The faults, one at a time: what is altered where it comes into being, and what has to be said of it.

import assert from 'node:assert/strict';
import * as w from './writer.mjs';

export const swapBit = (bytes, at = bytes.length - 1) => {
  const out = new Uint8Array(bytes);
  out[at] ^= 1;
  return out;
};
export const replaced = (bytes, a, b) => w.utf8(Buffer.from(bytes).toString().replace(a, b));
export const onFile = (name, change) => ({ tweak: { files: (files) => {
  const path = [...files.keys()].find((p) => p.endsWith(name));
  assert.ok(path, name);
  const out = change(files.get(path), files);
  if (out === null) files.delete(path);
  else files.set(path, out);
} } });
export const onEntry = (kind, change) => ({ tweak: { entry: (e) => (e.kind === kind ? { ...e, ...change(e) } : e) } });
export const onComp = (change) => ({ tweak: { comp: (comp, more) => change(comp, more) ?? comp } });
export const onItem = (kind, change) => ({ tweak: { item: (item, e) => (e.kind === kind ? change(item, e) : item) } });
export const onHeader = (patch, which = 'data/entries.cbor') => ({ tweak: { tar: { header: (path, size) => (path === which ? w.tarHeader(path, size, { patch }) : null) } } });
export const onBag = (bag) => ({ tweak: { bag: { bag } } });
export const otherKey = w.keyPair(99);

/** [what, options of the writer, words, the checks that fail, a piece of a finding] */
export const CASES = [
  // 1: the bag
  ['a bit of a payload file', onBag((bag) => bag.set('data/VERIFY.txt', swapBit(bag.get('data/VERIFY.txt')))), 'altered', ['digests of files'], /its digest is another/],
  ['a payload file that is not there', onBag((bag) => bag.delete('data/VERIFY.txt')), 'missing', ['digests of files'], /it is not there/],
  ['a payload file that no manifest names', onBag((bag) => bag.set('data/witnesses', w.utf8('x'))), 'altered', ['tag files', 'digests of files'], /does not name/],
  ['a bit of bag-info.txt', onBag((bag) => bag.set('bag-info.txt', replaced(bag.get('bag-info.txt'), '2026', '2027'))), 'altered', ['digests of files'], /its digest/],
  ['a bit of the payload manifest', onBag((bag) => bag.set('manifest-sha256.txt', replaced(bag.get('manifest-sha256.txt'), /^./, (c) => (c === 'f' ? 'e' : 'f')))), 'altered', ['digests of files'], /digest/],
  ['another text in bagit.txt', { tweak: { bag: { bagit: (b) => replaced(b, '1.0', '0.97') } } }, 'altered', ['tag files'], /BagIt 1\.0/],
  ['a Payload-Oxum that does not fit', { tweak: { bag: { info: (b) => replaced(b, /\.(\d+)\n$/, '.1\n') } } }, 'altered', ['tag files'], /Oxum/],
  ['two Payload-Oxums', { tweak: { bag: { info: (b) => w.cat(b, w.utf8('Payload-Oxum: 1.1\n')) } } }, 'altered', ['tag files'], /exactly one/],
  ['a continued line in bag-info.txt', { tweak: { bag: { info: (b) => w.cat(b, w.utf8(' more\n')) } } }, 'altered', ['tag files'], /Label/],
  ['65 lines in bag-info.txt', { tweak: { bag: { info: (b) => w.cat(b, w.utf8('A: b\n'.repeat(63))) } } }, 'altered', ['tag files'], /64 lines/],
  ['a manifest whose paths do not ascend', { tweak: { bag: { manifest: (b) => w.utf8(Buffer.from(b).toString().trimEnd().split('\n').reverse().join('\n') + '\n') } } }, 'altered', ['tag files'], /ascend/],
  ['a manifest that lists nothing', { tweak: { bag: { manifest: () => new Uint8Array(0) } } }, 'altered', ['tag files'], /lines that end/],
  ['a tag manifest of two lines', { tweak: { bag: { tags: (b) => w.utf8(Buffer.from(b).toString().split('\n').slice(1).join('\n')) } } }, 'altered', ['tag files'], /three lines/],
  ['another tag file', onBag((bag) => bag.set('fetch.txt', w.utf8('x'))), 'altered', ['tag files'], /no place in a bag/],
  ['a file without a row', { tweak: { files: (files) => files.set('notes.txt', w.utf8('x')) } }, 'altered', ['files have their place'], /no place in a bundle/],
  ['a file of a tape that has none', { tweak: { files: (files) => files.set(`tapes/${'ab'.repeat(32)}/root.cbor`, w.utf8('x')) } }, 'altered', ['files have their place'], /tape that has none/],
  ['no COMPLETENESS.json', onFile('COMPLETENESS.json', () => null), 'missing', ['files have their place'], /has to be there/],
  ['no log/paths.cbor', onFile('log/paths.cbor', () => null), 'missing', ['files have their place'], /has to be there/],
  ['no log/checkpoint', onFile('log/checkpoint', () => null), ['missing', 'not anchored'], ['files have their place'], /has to be there/],
  ['no entries', onFile('entries.cbor', () => null), ['missing', 'unpinned keys', 'not anchored'], null, /has to be there/],
  ['no bagit.txt', onBag((bag) => bag.delete('bagit.txt')), 'missing', ['tag files'], /tag file is not there/],
  ['no payload manifest', onBag((bag) => bag.delete('manifest-sha256.txt')), 'missing', ['tag files'], /tag file is not there/],
  ['no manifest of a tape', onFile('/manifest.cbor', () => null), 'missing', ['files of tapes'], /given tape has this file/],
  ['no frames of a tape', onFile('/frames.cbor', () => null), 'missing', ['files of tapes'], /given tape has this file/],
  // 2: COMPLETENESS.json
  ['a name twice', { tweak: { compBytes: (b) => replaced(b, '{', '{"format":"immutape/completeness/1",') } }, 'altered', ['completeness file'], /name twice/],
  ['an unknown name', onComp((c) => ({ ...c, more: 1 })), 'altered', ['completeness file'], /not in the table/],
  ['a missing name', onComp(({ authority, ...c }) => c), 'altered', ['completeness file'], /no "authority"/],
  ['a float', { tweak: { compBytes: (b) => replaced(b, /"log_size": (\d+)/, '"log_size": $1.0') } }, 'altered', ['completeness file'], /number/],
  ['a number of 2^53', { tweak: { compBytes: (b) => replaced(b, /"log_size": (\d+)/, '"log_size": 9007199254740992') } }, 'altered', ['completeness file'], /number/],
  ['a negative number', { tweak: { compBytes: (b) => replaced(b, /"log_size": (\d+)/, '"log_size": -1') } }, 'altered', ['completeness file'], /value/],
  ['nine deep', { tweak: { compBytes: (b) => replaced(b, '"expires_ms": null', '"expires_ms": [[[[[[[[1]]]]]]]]') } }, 'altered', ['completeness file'], /too deep/],
  ['a byte order mark', { tweak: { compBytes: (b) => w.cat([0xef, 0xbb, 0xbf], b) } }, 'altered', ['completeness file'], /byte order mark/],
  ['a field twice', { closedHeader: [2], ...onComp((c) => ({ ...c, withheld: c.withheld.map((one) => ({ ...one, fields: [2, 2] })) })) }, 'altered', ['completeness file'], /a field twice/],
  ['upper-case digits', onComp((c) => ({ ...c, ledger: c.ledger.toUpperCase() })), 'altered', ['completeness file'], /64 digits/],
  ['another origin', onComp((c) => ({ ...c, origin: 'other.example/0' })), 'altered', ['completeness file'], /another origin/],
  ['another ledger', onComp((c) => ({ ...c, ledger: '00'.repeat(32) })), 'altered', ['completeness file'], /another ledger/],
  // 3: entries
  ['no entry 0', { tweak: { without: (e) => e.index === 0 } }, ['missing', 'unpinned keys', 'not anchored'], ['entries'], /entry 0 is not there/],
  ['a time that falls', onEntry(33, (e) => ({ time: e.time - 5000 })), 'altered', ['order of entries'], /before that/],
  ['an entry that does not name the one before it', onEntry(33, () => ({ previous: w.fill(7) })), 'altered', ['order of entries'], /name the entry before/],
  ['a body with a key too many', onEntry(33, (e) => ({ body: new Map([...e.body, [5, 1]]) })), ['altered', 'incomplete'], null, /not in the table/],
  ['an entry of the ledger that is about a tape', { query: true, ...onItem(1, (item) => [swapBit(item[0], 80), item[1], item[2]]) }, ['altered', 'incomplete'], null, /not about the ledger/],
  ['entries.cbor cut off', onFile('entries.cbor', (b) => b.subarray(0, b.length - 3)), ['altered', 'incomplete'], null, /cut off/],
  ['an entry twice', { tweak: { files: (files, { log }) => files.set('entries.cbor', w.cat(files.get('entries.cbor'), w.cbor([log.entries[0].bytes, null, new Map()]))) } }, 'altered', ['entries'], /ascend/],
  ['a rotation that nobody named', { rotate: true, tweak: { rotation: (body, role) => (role === 2 ? new Map([...body, [1, otherKey.key]]) : body) } }, 'altered', null, /nobody named/],
  ['a rotation that its key did not sign', { rotate: true, tweak: { rotation: (body, role) => (role === 2 ? new Map([...body, [3, w.fill(0, 64)]]) : body) } }, 'altered', null, /did not sign its rotation/],
  // 4: the head
  ['a head that another key signed', { tweak: { head: (b, log) => w.headNote(log.entries.length, log.rootAt(log.entries.length), { signer: otherKey, witnesses: [0, 1, 2] }) } }, ['altered', 'not anchored'], ['head'], /did not sign this head/],
  ['a head of another origin', { tweak: { head: (b, log) => w.headNote(log.entries.length, log.rootAt(log.entries.length), { origin: 'other.example/00', witnesses: [0, 1, 2] }) } }, ['altered', 'not anchored'], ['head'], /origin/],
  ['a head of too few entries', { tweak: { head: (b, log) => log.note(3, { witnesses: [0, 1, 2] }) } }, ['altered', 'forked'], null, /no more entries/],
  ['a cosignature that does not hold', { tweak: { head: (b) => w.utf8(Buffer.from(b).toString().replace(/(w3 )(.{20})./, (m, a, c) => `${a}${c}${m.endsWith('A') ? 'B' : 'A'}`)) } }, ['altered', 'not anchored'], ['head'], /w3 does not hold/],
  // 5: the set proof
  ['another hash in the set proof', { query: false, tweak: { files: (files) => files.set('log/paths.cbor', w.cbor([w.fill(1)])) } }, 'altered', ['set proof of entries'], /.*/],
  ['entries of another history', { tweak: { head: (b, log) => w.headNote(log.entries.length, w.fill(9), { witnesses: [0, 1, 2] }) } }, ['altered', 'forked'], null, /do not lead to the root/],
  // 6: private halves, memberships, anchors
  ['an opened value that is another', onItem(32, (item) => [item[0], [item[1][0], item[1][1].map(([n, s, v]) => (n === 3 ? [n, s, w.cbor(w.utf8('other'))] : [n, s, v]))], item[2]]), 'altered', ['opened private fields'], /field 3/],
  ['a missing salt', onItem(32, (item) => [item[0], [item[1][0], item[1][1].map(([n, s, v]) => (n === 3 ? [n, w.fill(0), v] : [n, s, v]))], item[2]]), 'altered', ['opened private fields'], /field 3/],
  ['a field digest left out', onItem(32, (item) => [item[0], [item[1][0].filter(([n]) => n !== 3), item[1][1].filter(([n]) => n !== 3)], item[2]]), 'altered', ['opened private fields'], /not those of the commitment/],
  ['a membership of another tape', onItem(34, (item) => [item[0], item[1], new Map([[0, item[2].get(0).map(([, ...m]) => [w.fill(3), ...m])]])]), 'altered', ['memberships'], /not in the set/],
  ['a membership with a hash too many', onItem(34, (item) => [item[0], item[1], new Map([[0, item[2].get(0).map(([a, b, c, d]) => [a, b, c, [...d, w.fill(3)]])]])]), 'altered', ['memberships'], /left over/],
  ['a membership of what has no set', onItem(32, (item) => [item[0], item[1], new Map([[0, [[w.fill(1), w.fill(1), 0, []]]]])]), 'altered', ['entries'], /no set/],
  ['a consistency path that leads elsewhere', onItem(128, (item) => [item[0], item[1], new Map([[1, item[2].get(1).map((h, i) => (i ? h : w.fill(4)))]])]), 'forked', ['consistency paths'], /does not lead/],
  ['no consistency path', onItem(128, (item) => [item[0], item[1], new Map()]), 'altered', null, /missing/],
  ['an anchor of another history', { tweak: { anchorNote: () => w.headNote(5, w.fill(8), { witnesses: [0, 1] }) } }, 'forked', ['consistency paths'], /does not lead/],
  ['an anchor that the log did not sign', { tweak: { anchorNote: (n) => replaced(n, /\n5\n/, '\n4\n') } }, 'altered', ['anchors'], /does not hold/],
  ['an anchor whose witness did not sign', { tweak: { anchorKeys: () => [w.WITNESS[0], w.WITNESS[2]] } }, 'altered', ['anchors'], /did not sign/],
  ['a time-stamp of something else', { tweak: { stamp: (body) => new Map([...body, [1, w.token(w.utf8('other'), Number(body.get(2)))]]) } }, 'altered', ['anchors'], /something else/],
  ['a time-stamp of another time', { tweak: { stamp: (body) => new Map([...body, [2, body.get(2) + 1]]) } }, 'altered', ['anchors'], /time of the token/],
  ['a token that is none', { tweak: { stamp: (body) => new Map([...body, [1, w.fill(0x30, 40)]]) } }, 'altered', ['anchors'], /token/],
  // 7: entries about the tape
  ['an entry about the tape left out', { tweak: { without: (e) => e.kind === 33 } }, 'incomplete', ['entries of tapes'], /one entry about this tape is missing/],
  ['the last entry left out', { tweak: { without: (e) => e.kind === 163 } }, 'incomplete', null, /not that of this bundle/],
  ['an entry that names another before it', onEntry(33, () => ({ prev: w.fill(6) })), 'altered', ['order of entries'], /does not name the entry of its subject/],
  ['an evidence.made of another bundle', { tweak: { madeBody: (b) => new Map([...b, [0, w.fill(1, 16)]]) } }, 'incomplete', ['entries of tapes'], /not that of this bundle/],
  ['another COMPLETENESS.json', { tweak: { what: () => w.fill(5) } }, 'altered', ['entries of tapes'], /not the one that its evidence.made names/],
  ['an export commitment of something else', { tweak: { madeBody: (b) => new Map([...b, [1, w.fill(1)]]) } }, 'altered', ['entries of tapes'], /not the one that its evidence.made is over/],
  ['two that saved it', { tweak: { log: (log, tapes) => log.add(16, tapes[0].custody, new Map([[0, tapes[0].statement], [1, w.fill(1, 16)]])) } }, 'altered', ['statements', 'entries of tapes'], /two entries|saved this subject/],
  ['a statement of another signer', { tweak: { statement: { signer: otherKey } } }, 'altered', ['statements'], /thumbprint/],
  ['a statement of another ledger', { tweak: { statement: { tweak: (h) => new Map([...h, ['ledger', w.fill(2)]]) } } }, 'altered', ['statements'], /another ledger/],
  ['a statement of another custody id', { tweak: { statement: { tweak: (h) => new Map([...h, ['custody', w.fill(2)]]) } } }, ['altered', 'incomplete'], null, /another custody id/],
  ['a statement of another origin', { tweak: { statement: { tweak: (h) => new Map([...h, [15, new Map([[1, 'x/y'], [2, h.get(15).get(2)]])]]) } } }, 'altered', ['statements'], /another origin/],
  ['a statement of another manifest', { tweak: { statement: { tweak: (h) => new Map([...h, ['manifest', w.fill(2)]]) } } }, 'altered', ['files of tapes'], /another manifest/],
  ['another number of tapes', { tweak: { madeBody: (b) => new Map([...b, [2, 2]]) } }, 'incomplete', ['entries of tapes'], /another number of tapes/],
  ['a count of entries that goes back', { query: true, tweak: { entry: (e) => (e.kind === 34 ? { ...e, seq: 0, prev: w.fill(0) } : e) } }, 'altered', ['order of entries'], /anew/],
  ['more entries of a subject than there are', { query: true, tweak: { entry: (e) => (e.kind === 34 ? { ...e, seq: 900 } : e) } }, ['altered', 'incomplete'], null, /than there are/],
  ['a fork that the log keeps and did not sign', { query: true, tweak: { log: (log) => log.add(133, w.fill(0), new Map([[0, 1], [1, w.headNote(9, w.fill(1), { signer: otherKey })], [2, 1], [3, w.fill(1)]])) } }, 'altered', ['anchors'], /did not sign/],
  ['published more than there was', { query: true, tweak: { log: (log) => log.add(130, w.fill(0), new Map([[0, 900], [1, w.fill(1)], [2, 0]])) } }, 'altered', ['anchors'], /more entries/],
  ['a given tape with another entry', onComp((c) => ({ ...c, given: c.given.map((g) => ({ ...g, entry: 3 })) })), 'altered', ['entries of tapes'], /another entry saved it/],
  ['an opened value 16 deep', { tweak: { log: (log, tapes) => log.add(36, tapes[0].custody, new Map(), new Map([[26, deep(16)]])) } }, 'altered', ['opened private fields'], /too deep/],
  // 8: files of the tape
  ['another root file', onFile('/root.cbor', (b) => swapBit(b)), 'altered', ['files of tapes'], /not the tape id/],
  ['another statement file', onFile('/statement.cose', (b) => swapBit(b)), 'altered', ['files of tapes'], /another statement/],
  ['a manifest of another tape', { tweak: { tape: { manifest: (m, { custody }) => w.cbor(['immutape/manifest/1', custody, w.cbor(['immutape/tape/1', w.fill(1), 5, w.fill(2)]), [[w.fill(1), 3], [w.fill(2), 3]]]) } } }, 'altered', ['files of tapes'], /another tape root/],
  ['a manifest of another custody id', { tweak: { tape: { manifest: (m, { rootFile }) => w.cbor(['immutape/manifest/1', w.fill(1), rootFile, [[w.fill(1), 3], [w.fill(2), 3]]]) } } }, 'altered', ['files of tapes'], /another custody id/],
  ['a header field that is another', onFile('/header.cbor', (b) => replacedBytes(b, w.utf8('Tape 1'), w.utf8('Tape 2'))), 'altered', ['files of tapes'], /field 10/],
  ['a header that breaks 2.2', { tweak: { tape: { header: (h) => new Map([...h, [1, 7]]) } } }, 'altered', ['files of tapes'], /0 to 6/],
  ['a header without its class', { tweak: { tape: { header: (h) => (h.delete(16), h) } } }, 'altered', ['files of tapes'], /no header field 16/],
  ['a header with key 13', { tweak: { tape: { header: (h) => new Map([...h, [13, 1]]) } } }, 'altered', ['files of tapes'], /field 13/],
  ['a header of another number of frames', { tweak: { tape: { header: (h) => (h.get(11).set(0, 4), h) } } }, 'altered', ['files of tapes'], /number of frames/],
  ['a frame that is another', { tweak: { frameItems: (f) => f.map(([s, a, b], i) => (i === 1 ? [s, a, [b[0], w.utf8('{}')]] : [s, a, b])) } }, 'altered', ['set proofs of frames', 'marks of recordings'], /do not lead to the tree root/],
  ['an envelope that breaks 2.1', { tweak: { tape: { envelope: (e, seq) => (seq === 3 ? w.cbor(new Map([[0, 3], [3, 9], [4, 1], [6, 1]])) : e) } } }, ['altered', 'incomplete'], null, /0 to 8/],
  ['a frame that says that it is another', { tweak: { tape: { envelope: (e, seq) => (seq === 3 ? w.cbor(new Map([[0, 4], [3, 0], [4, 1], [6, 1]])) : e) } } }, ['altered', 'incomplete'], null, /frame 3 says/],
  ['children of the tree swapped', { tweak: { tape: { root: (r) => w.cbor(['immutape/tape/1', r.slice(20, 52), 5, w.fill(3)]) } } }, 'altered', null, /do not lead to the tree root/],
  ['a mark of other frames', { tweak: { mark: () => w.fill(1) } }, 'altered', ['marks of recordings'], /not those that it marks/],
  ['a proof with another hash', onFile('saved.tlog-proof', (b) => replaced(b, /\n(\S+)\n\n/, `\n${w.b64(w.fill(1))}\n\n`)), 'altered', ['proofs and receipts'], /path does not lead/],
  ['a proof of another entry', { tweak: { files: (files) => swapFiles(files, 'saved.tlog-proof', 'evidence.tlog-proof') } }, 'altered', ['proofs and receipts'], /another entry/],
  ['a receipt of another leaf', onFile('receipt.cose', (b) => swapBit(b)), 'altered', ['proofs and receipts'], /receipt does not hold/],
  // 9: time and keys
  ['another key file', onFile('keys/issuer-0.pem', (b, files) => files.get('keys/recorder-0.pem')), 'altered', ['keys and time-stamps as files'], /not what the entry says/],
  ['no key file', onFile('keys/issuer-0.pem', () => null), 'missing', ['keys and time-stamps as files'], /the file is not there/],
  ['a key file too many', { tweak: { files: (files) => files.set('keys/issuer-3.pem', files.get('keys/issuer-0.pem')) } }, 'altered', ['keys and time-stamps as files'], /no entry here/],
  ['another token file', onFile('.tst', (b) => swapBit(b)), 'altered', ['keys and time-stamps as files'], /not what the entry says/],
  ['no note of a time-stamp', onFile('.note', () => null), 'missing', ['keys and time-stamps as files'], /the file is not there/],
  // 10: accounting
  ['a tape asked for and not accounted for', onComp((c) => ({ ...c, asked: { ids: [...c.asked.ids, 'ab'.repeat(32)] } })), 'incomplete', ['accounting'], /nothing says what became/],
  ['a tape in two lists', onComp((c) => ({ ...c, out_of_scope: [{ ...placeOf(c), field: null, why: 'x' }] })), 'incomplete', ['accounting'], /two lists/],
  ['an entry of the span left out', { query: true, tweak: { without: (e) => e.index === 1 } }, 'incomplete', ['accounting'], /entries of it are not here/],
  ['a span that begins too late', { query: true, tweak: { comp: (c) => ({ ...c, span: [2, c.span[1]] }) } }, 'incomplete', ['accounting'], /begins too late/],
  ['a span that ends too early', { query: true, tweak: { comp: (c) => ({ ...c, span: [0, c.span[1] - 1] }) } }, 'incomplete', ['accounting'], /ends too early/],
  ['a saved tape that nothing accounts for', { query: true, tapes: [w.MESSAGES, w.MESSAGES], giveFirst: true }, 'incomplete', ['accounting'], /nothing says what became/],
  ['a tape accounted for that was not saved then', { query: true, tweak: { comp: (c) => ({ ...c, out_of_scope: [{ tape: 'ab'.repeat(32), custody: 'cd'.repeat(32), entry: 1, field: null, why: 'x' }] }) } }, 'incomplete', ['accounting'], /was not saved/],
  ['a span and ids', onComp((c) => ({ ...c, span: [0, 1] })), 'altered', ['completeness file'], /do not fit/],
  // 11: what is given is what is said
  ['a number of frames that is another', onComp((c) => ({ ...c, given: c.given.map((g) => ({ ...g, frames: 4 })) })), 'incomplete', ['what is given is what is said'], /number of frames/],
  ['frames said to be open that are not', { frames: [1, 2], ...onComp((c) => ({ ...c, given: c.given.map((g) => ({ ...g, opened: [1, 3] })) })) }, 'incomplete', ['what is given is what is said'], /not those asked for/],
  ['frames asked for and left out', onComp((c) => ({ ...c, frames: [0, 2] })), 'incomplete', ['what is given is what is said'], /not those asked for/],
  ['frames withheld without a word', { frames: [1, 2], ...onComp((c) => ({ ...c, withheld: [] })) }, 'incomplete', ['what is given is what is said'], /not said to be withheld/],
  ['payloads closed without a word', { closed: true, ...onComp((c) => ({ ...c, withheld: [] })) }, 'incomplete', ['what is given is what is said'], /closed payloads/],
  ['payloads closed that are said to be open', { closed: true, ...onComp((c) => ({ ...c, payloads: true })) }, 'incomplete', ['what is given is what is said'], /all open or all closed/],
  ['header fields closed without a word', { closedHeader: [2], ...onComp((c) => ({ ...c, withheld: [] })) }, 'incomplete', ['what is given is what is said'], /fields of its header/],
  ['other header fields said', { closedHeader: [2], ...onComp((c) => ({ ...c, withheld: c.withheld.map((x) => ({ ...x, fields: [3] })) })) }, 'incomplete', ['what is given is what is said'], /fields of its header/],
  ['private fields closed without a word', { closedPrivate: [0], ...onComp((c) => ({ ...c, withheld: [] })) }, 'incomplete', ['what is given is what is said'], /nothing says so/],
  ['other private fields said', { closedPrivate: [0], ...onComp((c) => ({ ...c, withheld: c.withheld.map((x) => ({ ...x, fields: [3] })) })) }, 'incomplete', ['what is given is what is said'], /not those that are said/],
  ['a private half closed without a word', onItem(32, (item) => [item[0], null, item[2]]), 'incomplete', ['what is given is what is said'], /nothing says so/],
  ['out of scope by a field that is closed', { tapes: [w.MESSAGES, w.MESSAGES], giveFirst: true, outOfScope: (t, place) => [{ ...place(t[1]), field: 2, why: 'x' }], ...onFile(`/header.cbor`, (b, files) => closeHeaders(files)) }, 'incomplete', ['what is given is what is said'], /not open/],
  ['frames withheld of a tape that is not given', onComp((c) => ({ ...c, withheld: [{ what: 'frames', tape: 'ab'.repeat(32), custody: 'cd'.repeat(32), entry: 1, fields: [], why: 'x' }] })), 'incomplete', ['what is given is what is said'], /not given/],
  ['a private half withheld that is not here', onComp((c) => ({ ...c, withheld: [{ what: 'private', ...placeOf(c), entry: 900, fields: [1], why: 'x' }] })), 'incomplete', ['what is given is what is said'], /not here/],
  ['a private half said to be closed that is open', onComp((c) => ({ ...c, withheld: [{ what: 'private', ...placeOf(c), fields: [], why: 'x' }] })), 'incomplete', ['what is given is what is said'], /not those that are said/],
  ['destroyed by an entry that is not here', { ...onComp((c) => ({ ...c, destroyed: [{ tape: 'ab'.repeat(32), custody: 'cd'.repeat(32), entry: 1, by: 3 }] })) }, 'incomplete', ['what is given is what is said'], /destroyed/],
  // tar
  ['a link', onHeader((h) => h.write('2', 156)), 'stop', [], /type of file/],
  ['a device', onHeader((h) => h.write('3', 156)), 'stop', [], /type of file/],
  ['a PAX header', onHeader((h) => h.write('x', 156)), 'stop', [], /type of file/],
  ['a GNU magic', onHeader((h) => h.write('ustar  \0', 257)), 'stop', [], /magic/],
  ['a path that climbs', onHeader((h) => h.write('data/../../etc/x\0', 0)), 'stop', [], /no path in a bag/],
  ['an absolute path', onHeader((h) => h.write('/etc/passwd\0', 0)), 'stop', [], /no path in a bag|bytes behind/],
  ['a mode of 0755', onHeader((h) => h.write('0000755\0', 100)), 'stop', [], /mode/],
  ['an owner', onHeader((h) => h.write('0001750\0', 108)), 'stop', [], /owner/],
  ['a user name', onHeader((h) => h.write('root', 265)), 'stop', [], /zeros/],
  ['a size in base 256', onHeader((h) => h.writeUInt8(0x80, 124)), 'stop', [], /size/],
  ['another time', onHeader((h) => h.write('00000000001\0', 136)), 'stop', [], /several times/],
  ['another name of the bag', onHeader((h) => h.write('evidencf', 345)), 'stop', [], /several names/],
  ['bytes behind a file', { tweak: { tar: { fill: (path) => (path === 'bagit.txt' ? 1 : 0) } } }, 'stop', [], /filled up/],
  ['three blocks at the end', { tweak: { tar: { end: Buffer.alloc(1536) } } }, 'stop', [], /two blocks/],
  ['one block at the end', { tweak: { tar: { end: Buffer.alloc(512) } } }, 'stop', [], /two blocks/],
  ['no end', { tweak: { tar: { end: Buffer.alloc(0) } } }, 'stop', [], /end is missing/],
  ['the files in another order', onBag((bag) => {
    const last = [...bag].at(-1);
    const rest = [...bag].slice(0, -1);
    bag.clear();
    for (const [p, d] of [...rest.slice(0, 4), last, ...rest.slice(4)]) bag.set(p, d);
  }), 'altered', ['tag files'], /order/],
];

function replacedBytes(bytes, a, b) {
  const at = Buffer.from(bytes).indexOf(Buffer.from(a));
  assert.ok(at >= 0);
  const out = new Uint8Array(bytes);
  out.set(b, at);
  return out;
}
function swapFiles(files, a, b) {
  const [x, y] = [a, b].map((name) => [...files.keys()].find((p) => p.endsWith(name)));
  const keep = files.get(x);
  files.set(x, files.get(y));
  files.set(y, keep);
}
const deep = (n) => (n ? [deep(n - 1)] : 0);
const placeOf = (c) => ({ tape: c.given[0].tape, custody: c.given[0].custody, entry: c.given[0].entry });
// The header of the tape that is out of scope opens no field at all.
function closeHeaders(files) {
  const paths = [...files.keys()].filter((p) => p.endsWith('/header.cbor'));
  assert.equal(paths.length, 2);
  const tape = w.makeTape(2, w.MESSAGES);
  files.set(`tapes/${w.hex(tape.id)}/header.cbor`, w.cbor(w.opened(tape.fields, tape.fields.entries.map((e) => e.n))));
  return files.get(paths[0]);
}
