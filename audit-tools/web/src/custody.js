// Who did what with a tape, out of what entries say in public and what is opened of their private halves.

import { fromUtf8, toHex } from './bytes.js';
import { kindName } from './entry.js';

const asText = (bytes) => (bytes instanceof Uint8Array ? (fromUtf8(bytes) ?? `0x${toHex(bytes)}`) : bytes === undefined || bytes === null ? null : String(bytes));
const ACTORS = ['human', 'service', 'agent', 'system'];
const KINDS_OF_FRAME = ['message', 'stderr', 'lifecycle', 'http_head', 'http_body', 'sse_meta', 'resize', 'marker', 'gap'];
export const frameKind = (n) => KINDS_OF_FRAME[n] ?? `kind ${n}`;

/** One line of custody. */
export function link(entry) {
  const open = entry.opened?.values;
  const actor = open?.get(0);
  const range = open?.get(8);
  const outcome = open?.get(10);
  return {
    index: entry.index,
    time: entry.time,
    kind: kindName(entry.kind),
    closed: !entry.opened,
    who: actor ? asText(actor[1]) : null,
    whoKind: actor ? (ACTORS[actor[0]] ?? `kind ${actor[0]}`) : null,
    onBehalf: asText(open?.get(2)),
    purpose: asText(open?.get(3)),
    authority: asText(open?.get(4)),
    recipient: asText(open?.get(24)),
    range: range ? [range[0], range[1] >= 18446744073709551615n ? null : range[1]] : null,
    outcome: outcome === undefined ? null : (['ok', 'refused', 'failed'][outcome] ?? `outcome ${outcome}`),
  };
}

const ACCESS = new Set([32, 36, 38, 39, 41, 42, 163]);
export const isAccess = (kind) => ACCESS.has(kind);
