// COMPLETENESS.json (6.3): a strict parser, since JSON.parse takes names twice and forgets that they were, and the table of its names.

import { refuse, fromUtf8, isLowerHex } from './bytes.js';

const DEEP = 8;
const LONGEST = 64 << 20;
// Objects and arrays in all: each row of a list names two ids, so that no file of 64 MiB has as many of them.
const PARTS = 1 << 20;

class Json {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.parts = 0;
  }

  space() {
    while (this.at < this.text.length && ' \t\n\r'.includes(this.text[this.at])) this.at++;
  }

  value(depth) {
    this.space();
    const c = this.text[this.at];
    if (c === '{' || c === '[') {
      if (depth > DEEP) refuse('JSON: nested too deep');
      if (++this.parts > PARTS) refuse('JSON: too many objects and arrays');
      this.at++;
      return c === '{' ? this.object(depth) : this.array(depth);
    }
    if (c === '"') return this.string();
    for (const [word, value] of [['true', true], ['false', false], ['null', null]]) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    const m = /[0-9]+/y;
    m.lastIndex = this.at;
    const digits = m.exec(this.text)?.[0];
    if (!digits || (digits.length > 1 && digits[0] === '0') || digits.length > 16) refuse('JSON: not a value of this format');
    this.at += digits.length;
    const n = Number(digits);
    if (n > Number.MAX_SAFE_INTEGER || '.eE'.includes(this.text[this.at] ?? ' ')) refuse('JSON: not a number of this format');
    return n;
  }

  object(depth) {
    const out = new Map();
    this.space();
    if (this.text[this.at] === '}') {
      this.at++;
      return out;
    }
    for (;;) {
      this.space();
      if (this.text[this.at] !== '"') refuse('JSON: a name is missing');
      const name = this.string();
      if (out.has(name)) refuse('JSON: a name twice');
      this.space();
      if (this.text[this.at++] !== ':') refuse('JSON: no colon');
      out.set(name, this.value(depth + 1));
      this.space();
      const c = this.text[this.at++];
      if (c === '}') return out;
      if (c !== ',') refuse('JSON: neither comma nor end of an object');
    }
  }

  array(depth) {
    const out = [];
    this.space();
    if (this.text[this.at] === ']') {
      this.at++;
      return out;
    }
    for (;;) {
      out.push(this.value(depth + 1));
      this.space();
      const c = this.text[this.at++];
      if (c === ']') return out;
      if (c !== ',') refuse('JSON: neither comma nor end of an array');
    }
  }

  string() {
    // eslint-disable-next-line no-control-regex
    const m = /"((?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"/y;
    m.lastIndex = this.at;
    let raw;
    try {
      raw = m.exec(this.text)?.[0];
    } catch {
      raw = undefined;
    }
    if (raw === undefined) refuse('JSON: not a string');
    this.at += raw.length;
    const text = JSON.parse(raw);
    if (!text.isWellFormed()) refuse('JSON: half of a surrogate pair');
    return text;
  }
}

export function parseJson(bytes) {
  if (bytes.length > LONGEST) refuse('JSON: over 64 MiB');
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) refuse('JSON: a byte order mark');
  const text = fromUtf8(bytes);
  if (text === null) refuse('JSON: not UTF-8');
  const json = new Json(text);
  const value = json.value(1);
  json.space();
  if (json.at !== text.length) refuse('JSON: more behind the value');
  return value;
}

// The table of 6.3, as checks.
const bad = (what) => refuse(`COMPLETENESS.json: ${what}`);
const text = (v, what) => (typeof v === 'string' ? v : bad(`"${what}" is no text`));
const number = (v, what) => (typeof v === 'number' ? v : bad(`"${what}" is no number`));
const maybe = (check) => (v, what) => (v === null ? null : check(v, what));
const digits = (n) => (v, what) => (isLowerHex(v, n) ? v : bad(`"${what}" is not ${n} digits`));
const flag = (v, what) => (typeof v === 'boolean' ? v : bad(`"${what}" is neither true nor false`));
const range = (v, what) => {
  if (!Array.isArray(v) || v.length !== 2 || typeof v[0] !== 'number' || typeof v[1] !== 'number' || v[0] > v[1]) bad(`"${what}" is no range`);
  return v;
};
const exact = (word) => (v, what) => (v === word ? v : bad(`"${what}" is not ${word}`));
const list = (check) => (v, what) => (Array.isArray(v) ? v.map((one) => check(one, what)) : bad(`"${what}" is no list`));
const object = (names) => (v, what) => {
  if (!(v instanceof Map)) bad(`"${what}" is no object`);
  const out = {};
  for (const name of v.keys()) if (!Object.hasOwn(names, name)) bad(`a name that is not in the table in "${what}"`);
  for (const [name, check] of Object.entries(names)) {
    if (!v.has(name)) bad(`no "${name}" in "${what}"`);
    out[name] = check(v.get(name), name);
  }
  return out;
};
const hex64 = digits(64);
const what = (v) => (['tape', 'frames', 'payloads', 'header', 'private'].includes(v) ? v : bad('another "what" than the table has'));
const tape = { tape: hex64, custody: hex64, entry: number };

const asked = (v, name) => {
  if (v instanceof Map && v.has('ids')) {
    const out = object({ ids: list(hex64) })(v, name);
    return out.ids.length ? out : bad('no ids');
  }
  return object({ query: text, sealed_ms: range })(v, name);
};

const FILE = object({
  format: exact('immutape/completeness/1'), bundle: digits(32), origin: text, ledger: hex64, made_ms: number, log_size: number, authority: text,
  recipient: maybe(text), expires_ms: maybe(number), asked, frames: maybe(range), payloads: flag, span: maybe(range),
  given: list(object({ ...tape, frames: number, opened: maybe(range) })),
  withheld: list(object({ what, ...tape, fields: list(number), why: text })),
  destroyed: list(object({ ...tape, by: number })),
  out_of_scope: list(object({ ...tape, field: maybe(number), why: text })),
});

export function readCompleteness(bytes) {
  const out = FILE(parseJson(bytes), 'COMPLETENESS.json');
  if ((out.span === null) !== (out.asked.ids !== undefined)) bad('"span" and "asked" do not fit');
  for (const one of out.withheld) {
    if (one.fields.length && one.what !== 'header' && one.what !== 'private') bad('fields of what has none');
    if (new Set(one.fields).size !== one.fields.length) bad('a field twice');
  }
  return out;
}
