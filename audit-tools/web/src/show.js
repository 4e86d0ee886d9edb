// Elements of the page. Everything that was recorded comes in by textContent, after `visible` has made it harmless to read.

import { visible, utc } from './visible.js';
import { fromUtf8, toHex } from './bytes.js';

/** An element with classes ("p.hint"), attributes, and children that are elements or text. */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split('.');
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(' ');
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  add(node, children);
  return node;
}

export function add(node, children) {
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(visible(child, true)));
  }
  return node;
}

const SVG = 'http://www.w3.org/2000/svg';
export function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return add(node, children);
}

/** A section of the page, and a fact in a list of them. */
export const card = (title, ...children) => el('section.card', {}, el('h2', {}, title), children);
export const fact = (name, ...value) => el('div', {}, el('dt', {}, name), el('dd', {}, value));

export const time = (ms) => el('time', {}, utc(ms));
export const short = (hex) => `${hex.slice(0, 12)}\u2026`;
export const id = (hex) => el('span.mono', { title: hex }, short(hex));

export function bytesOf(n) {
  if (n < 1024) return `${n} B`;
  if (n < 1 << 20) return `${(n / 1024).toFixed(1)} KiB`;
  return `${(n / (1 << 20)).toFixed(1)} MiB`;
}

/** Rows by pages: at most `per` of them are in the document at once. `render` may be asynchronous. */
export function paged(count, per, render, what) {
  const body = el('div');
  const state = el('span');
  let page = 0;
  const pages = Math.max(1, Math.ceil(count / per));
  const go = async (to) => {
    page = Math.min(pages - 1, Math.max(0, to));
    const from = page * per;
    const rows = await render(from, Math.min(count, from + per));
    body.replaceChildren(...[rows].flat());
    state.textContent = `${from + 1} to ${Math.min(count, from + per)} of ${count} ${what}`;
    back.disabled = page === 0;
    on.disabled = page === pages - 1;
  };
  const back = el('button.small', { type: 'button', onclick: () => go(page - 1) }, 'Back');
  const on = el('button.small', { type: 'button', onclick: () => go(page + 1) }, 'Next');
  const jump = el('input', { type: 'number', min: 1, max: pages, value: 1, 'aria-label': `page of ${what}`, onchange: () => go(Number(jump.value) - 1) });
  const pager = pages > 1 ? el('div.pager', {}, back, on, state, pages > 3 ? [el('span', {}, 'page'), jump] : null) : null;
  const first = count ? go(0) : Promise.resolve(body.append(el('p.quiet', {}, 'None.')));
  return { node: el('div', {}, body, pager), first, go: (row) => go(Math.floor(row / per)) };
}

/** JSON with line breaks and indents put between its tokens, none of which is changed; null when it is not JSON. */
function prettyJson(text) {
  const start = text.trimStart()[0];
  if (start !== '{' && start !== '[') return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  let out = '';
  let depth = 0;
  const DEEP = 64;
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+/gs;
  const indent = () => `\n${'  '.repeat(depth)}`;
  let before = '';
  for (const [token] of text.matchAll(tokens)) {
    if (token === '}' || token === ']') {
      depth--;
      out += before === '{' || before === '[' ? token : indent() + token;
    } else if (token === '{' || token === '[') {
      if (before === '{' || before === '[') out += indent();
      out += token;
      if (++depth > DEEP) return null;
    } else if (token === ',') out += token + indent();
    else if (token === ':') out += ': ';
    else out += (before === '{' || before === '[' ? indent() : '') + token;
    before = token;
  }
  return out;
}

const ROW = 8; // so many bytes fit into a lane

function hexDump(bytes, from, to) {
  const lines = [];
  for (let at = from; at < to; at += ROW) {
    const part = bytes.subarray(at, Math.min(at + ROW, to));
    const digits = toHex(part).replace(/../g, '$& ').trimEnd().padEnd(3 * ROW - 1);
    const text = [...part].map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${digits}  ${text}`);
  }
  return lines.join('\n');
}

const CUT = 1500;
const STEP = 200_000;
const PRETTY_MAX = 2 << 20;

/** Text may have some control characters in it; bytes that happen to be UTF-8 have many. */
function isText(text) {
  // eslint-disable-next-line no-control-regex
  const controls = text.slice(0, 4096).match(/[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/g)?.length ?? 0;
  return controls * 8 <= Math.min(text.length, 4096);
}

/** A payload as text, pretty where it is JSON, else in hexadecimal; long ones are cut, with a button for more. */
export function payload(bytes) {
  const text = fromUtf8(bytes);
  const readable = text !== null && isText(text);
  const whole = readable ? ((text.length <= PRETTY_MAX ? prettyJson(text) : null) ?? text) : null;
  const length = readable ? whole.length : bytes.length;
  const pre = el('pre', { tabindex: '0' });
  let shown = 0;
  const more = el('button.link', { type: 'button' });
  const show = (to) => {
    to = Math.min(to, length);
    // never between the halves of a surrogate pair
    if (readable && to < length && /[\ud800-\udbff]/.test(whole[to - 1])) to++;
    pre.append(document.createTextNode(readable ? visible(whole.slice(shown, to), true) : (shown ? '\n' : '') + hexDump(bytes, shown, to)));
    shown = to;
    more.hidden = shown >= length;
    more.textContent = length - shown > STEP ? `show ${STEP.toLocaleString('en')} more of ${length.toLocaleString('en')}` : `show all ${length.toLocaleString('en')} ${readable ? 'characters' : 'bytes'}`;
  };
  more.addEventListener('click', () => show(shown + STEP));
  show(readable ? CUT : 512);
  if (!length) return el('span.closed', {}, 'empty');
  return [pre, more];
}
