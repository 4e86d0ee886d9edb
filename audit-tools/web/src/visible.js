// Recorded text made visible before it reaches a terminal or a page: nothing in it moves a cursor, turns text round or hides.

const HIDDEN = /[\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u0080-\u009f\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u{e0000}-\u{e0fff}\ufe00-\ufe0f]/u;

const C0 = 'NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(' ');

function name(point) {
  if (point < 0x20) return `[${C0[point]}]`;
  return `[U+${point.toString(16).toUpperCase().padStart(4, '0')}]`;
}

/** Control characters by name, invisible and bidirectional ones by number. `lines`: line feeds and tabs stay. */
export function visible(text, lines = false) {
  let out = '';
  for (const c of String(text)) {
    const point = c.codePointAt(0);
    if (lines && (c === '\n' || c === '\t')) out += c;
    else if (point < 0x20 || point === 0x7f || HIDDEN.test(c)) out += name(point);
    else out += c;
  }
  return out;
}

export function utc(ms) {
  const n = Number(ms);
  if (!(n >= 0 && n <= 8.64e15)) return `${ms} ms`;
  return new Date(n).toISOString().replace('T', ' ').replace('.000Z', 'Z').replace(/(\.\d+)Z$/, '$1Z').replace('Z', ' UTC');
}
