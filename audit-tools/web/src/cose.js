// COSE_Sign1 in the three forms of the format: the recorder's statement (3.3), a person's statement (3.4), a receipt (5.3).

import { refuse, same, toHex, isLowerHex } from './bytes.js';
import { decode, encode, Tagged } from './cbor.js';
import { verify, thumbprint } from './ed25519.js';
import { isOrigin } from './notes.js';
import { rootFromPath } from './tree.js';
import * as s from './shape.js';

const alg = (v) => void (v === -8 || v === -19 || refuse('another algorithm than Ed25519'));

/** A map with keys that are numbers or text, exactly these. */
function exactMap(value, checks) {
  if (!(value instanceof Map)) refuse('not a map');
  for (const key of value.keys()) if (!checks.has(key)) refuse('a key that the table does not name');
  for (const [key, check] of checks) {
    if (!value.has(key)) refuse('a key that must be there is missing');
    check(value.get(key));
  }
}

function sign1(bytes) {
  const item = decode(bytes, { tag18: true });
  if (!(item instanceof Tagged) || !Array.isArray(item.value) || item.value.length !== 4) refuse('not a COSE_Sign1');
  const [rawProtected, unprotected, payload, signature] = item.value;
  s.bytes(rawProtected);
  s.bytes64(signature);
  if (!(unprotected instanceof Map)) refuse('not an unprotected header');
  return { rawProtected, header: decode(rawProtected), unprotected, payload, signature };
}

function structure(rawProtected, payload) {
  return encode(['Signature1', rawProtected, new Uint8Array(0), payload]);
}

const CLAIMS = new Map([[1, s.text], [2, s.text]]);
const STATEMENT = new Map([
  [1, alg], [4, s.bytes32], [15, (v) => exactMap(v, CLAIMS)], [258, s.exactly(-16)],
  [259, s.exactly('application/vnd.immutape.tape-root+cbor')], ['ledger', s.bytes32], ['custody', s.bytes32], ['manifest', s.bytes32],
]);

/** The recorder's statement: its shape, and that its subject names the payload. */
export function readStatement(bytes) {
  const c = sign1(bytes);
  exactMap(c.header, STATEMENT);
  if (c.unprotected.size) refuse('an unprotected header that is not empty');
  s.bytes32(c.payload);
  const claims = c.header.get(15);
  if (claims.get(2) !== `sha256:${toHex(c.payload)}`) refuse('the subject does not name the payload');
  return {
    kid: c.header.get(4), origin: claims.get(1), tape: c.payload, ledger: c.header.get('ledger'), custody: c.header.get('custody'),
    manifest: c.header.get('manifest'), signed: structure(c.rawProtected, c.payload), signature: c.signature,
  };
}

/** Kid and signature of a statement. */
export async function checkStatementKey(statement, key) {
  if (!same(statement.kid, thumbprint(key))) refuse("another key's thumbprint in the statement");
  if (!(await verify(key, statement.signed, statement.signature))) refuse('the signature of the statement does not hold');
}

const PERSON = new Map([[1, alg], [4, s.bytes32]]);
const personPayload = s.tuple(s.exactly('immutape/person/1'), s.bytes32, s.upTo(65535), s.bytes32, s.orNull(s.tuple(s.uint, s.uint)), s.bytes16, s.uint);

/** The shape of a person's statement; whose key it is, the ledger does not know. */
export function readPerson(bytes) {
  const c = sign1(bytes);
  exactMap(c.header, PERSON);
  if (c.unprotected.size) refuse('an unprotected header that is not empty');
  s.bytes(c.payload);
  const payload = decode(c.payload);
  personPayload(payload);
  return { kid: c.header.get(4), payload, signed: structure(c.rawProtected, c.payload), signature: c.signature };
}

const RECEIPT = new Map([[1, alg], [4, s.bytes32], [15, (v) => exactMap(v, CLAIMS)], [395, s.exactly(1)]]);
const inclusion = s.tuple(s.uint, s.uint, s.list(s.bytes32, 1, 63));

/** A receipt over a leaf; the root that its signature is over. `keyOf` gives the issuer's key for a thumbprint, or null where none can be asked. */
export async function checkReceipt(bytes, keyOf, leaf) {
  const c = sign1(bytes);
  exactMap(c.header, RECEIPT);
  if (c.payload !== null) refuse('a receipt with a payload');
  let raw = null;
  exactMap(c.unprotected, new Map([[396, (v) => exactMap(v, new Map([[-1, (list) => {
    s.list(s.bytes, 1, 1)(list);
    raw = list[0];
  }]]))]]));
  const proof = decode(raw);
  inclusion(proof);
  const claims = c.header.get(15);
  if (!isOrigin(claims.get(1))) refuse('an issuer that is no origin');
  if (!isLowerHex(claims.get(2), 64)) refuse('a subject that is no custody id');
  const key = keyOf(c.header.get(4));
  if (key && !same(c.header.get(4), thumbprint(key))) refuse('a receipt of another key');
  const root = rootFromPath(leaf, proof[1], proof[0], proof[2]);
  if (key && !(await verify(key, structure(c.rawProtected, root), c.signature))) refuse('the signature of the receipt does not hold');
  return { root, origin: claims.get(1), subject: claims.get(2), size: proof[0], index: proof[1] };
}
