#!/usr/bin/env node
// The page in a headless Chromium, opened from disk. No package is needed: Chromium speaks its protocol over two pipes.
// `node browser.mjs [--shots FOLDER]`; CHROMIUM names the program. A missing Chromium is a failure, not a skip. It is no test of
// `node --test`, which takes every file of the folder: it runs by itself, as it needs more than Node.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, writeFileSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { SAMPLES, BIDI } from './samples.mjs';
import { makeBag, makeTree, sha } from './writer.mjs';

if (process.env.NODE_TEST_CONTEXT) process.exit(0);

const PAGE = new URL('../tapeaudit.html', import.meta.url).href;
const shots = process.argv[2] === '--shots' ? process.argv[3] : null;
const program = process.env.CHROMIUM ?? ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync('which', [name]).status === 0);
if (!program) {
  console.error('no Chromium: install the package chromium, or name one in CHROMIUM');
  process.exit(1);
}

class Browser {
  constructor(folder) {
    const flags = ['--headless=new', '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu', '--no-first-run', '--hide-scrollbars', `--user-data-dir=${join(folder, 'profile')}`, 'about:blank'];
    this.child = spawn(program, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    this.n = 0;
    this.waiting = new Map();
    this.listeners = [];
    let rest = '';
    this.child.stdio[4].setEncoding('utf8').on('data', (data) => {
      const parts = (rest + data).split('\0');
      rest = parts.pop();
      for (const part of parts) this.heard(JSON.parse(part));
    });
    this.child.on('exit', () => {
      for (const { no } of this.waiting.values()) no(new Error('Chromium ended'));
    });
  }

  heard(message) {
    const call = this.waiting.get(message.id);
    if (!call) return void this.listeners.forEach((listen) => listen(message));
    this.waiting.delete(message.id);
    if (message.error) call.no(new Error(`${call.method}: ${message.error.message}`));
    else call.yes(message.result);
  }

  call(method, params = {}, sessionId = undefined) {
    const id = ++this.n;
    this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((yes, no) => this.waiting.set(id, { yes, no, method }));
  }
}

/** One fresh tab with the page in it, and everything that it did that it should not. */
class Tab {
  static async open(browser, { width = 1000, height = 900, dark = false, before = null } = {}) {
    const { targetId } = await browser.call('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await browser.call('Target.attachToTarget', { targetId, flatten: true });
    const tab = new Tab();
    Object.assign(tab, { browser, sessionId, targetId, faults: [], requests: [], width, height });
    browser.listeners.push((m) => m.sessionId === sessionId && tab.heard(m));
    for (const domain of ['Page', 'Runtime', 'Network', 'Log', 'DOM']) await tab.call(`${domain}.enable`);
    await tab.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 500 });
    await tab.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
    if (before) await tab.call('Page.addScriptToEvaluateOnNewDocument', { source: before });
    const loaded = new Promise((go) => browser.listeners.push((m) => m.sessionId === sessionId && m.method === 'Page.loadEventFired' && go()));
    await tab.call('Page.navigate', { url: PAGE });
    await loaded;
    return tab;
  }

  heard({ method, params }) {
    if (method === 'Page.javascriptDialogOpening') this.faults.push(`dialog ${params.message}`);
    if (method === 'Runtime.exceptionThrown') this.faults.push(`exception ${params.exceptionDetails.exception?.description ?? params.exceptionDetails.text}`);
    if (method === 'Log.entryAdded') this.faults.push(`${params.entry.source} ${params.entry.text}`);
    if (method === 'Runtime.consoleAPICalled') this.faults.push('console');
    if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
    if (method === 'Page.frameNavigated') this.requests.push(`frame ${params.frame.url}`);
  }

  call(method, params) {
    return this.browser.call(method, params, this.sessionId);
  }

  async eval(expression) {
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Chooses files; a folder is read by the browser in its own time, so the change is waited for. */
  async files(selector, files) {
    await this.eval(`globalThis.changed = false; document.querySelector('${selector}').addEventListener('change', () => (globalThis.changed = true), { once: true })`);
    const { root } = await this.call('DOM.getDocument');
    const { nodeId } = await this.call('DOM.querySelector', { nodeId: root.nodeId, selector });
    await this.call('DOM.setFileInputFiles', { nodeId, files });
    for (let i = 0; i < 100 && !(await this.eval('globalThis.changed')); i++) await new Promise((go) => setTimeout(go, 50));
    assert.equal(await this.eval('globalThis.changed'), true, `${selector} was chosen`);
  }

  async pins(text) {
    await this.eval(`(() => { const t = document.getElementById('pins'); t.value = ${JSON.stringify(text)}; t.dispatchEvent(new Event('input')); })()`);
  }

  /** Presses the button and waits for the verdict. */
  async check() {
    const before = await this.eval(`Number(document.getElementById('result').dataset.done ?? 0)`);
    assert.equal(await this.eval(`document.getElementById('run').disabled`), false, 'the button can be pressed');
    await this.eval(`globalThis.beats = 0; globalThis.beat = setInterval(() => globalThis.beats++, 20); document.getElementById('run').click()`);
    for (let i = 0; i < 1200; i++) {
      if (await this.eval(`Number(document.getElementById('result').dataset.done ?? 0)`) > before) break;
      await new Promise((go) => setTimeout(go, 100));
    }
    await this.eval('clearInterval(globalThis.beat)');
    return {
      verdict: await this.eval(`document.querySelector('.verdict .word')?.textContent ?? null`),
      exit: await this.eval(`document.querySelector('.verdict .exit')?.textContent ?? null`),
      text: await this.eval('document.body.innerText'),
      progress: await this.eval(`document.getElementById('progress').textContent`),
      beats: await this.eval('globalThis.beats'),
    };
  }

  async shot(name, { selector = null, height = this.height } = {}) {
    if (!shots) return;
    const y = selector ? await this.eval(`Math.max(0, Math.floor(document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect().top + scrollY - 12))`) : 0;
    const all = await this.eval('document.documentElement.scrollHeight');
    const clip = { x: 0, y, width: this.width, height: Math.min(height, all - y), scale: 1 };
    const { data } = await this.call('Page.captureScreenshot', { format: 'png', clip, captureBeyondViewport: true });
    mkdirSync(shots, { recursive: true });
    writeFileSync(join(shots, `auditor-${name}.png`), Buffer.from(data, 'base64'));
  }

  /** The page did nothing but show: no request but for itself, no dialog, no element of another kind, nothing wider than the window. */
  async clean() {
    assert.deepEqual(this.faults, []);
    assert.deepEqual([...new Set(this.requests)].sort(), [`frame ${PAGE}`, PAGE].sort());
    const tags = await this.eval(`[...new Set([...document.querySelectorAll('*')].map((e) => e.localName))].sort()`);
    const own = 'article b body br button circle code dd details div dl dt footer h1 h2 head header html input label li line main meta noscript ol option p pre script section select small span strong style summary svg table tbody td text textarea th thead time title tr ul'.split(' ');
    assert.deepEqual(tags.filter((tag) => !own.includes(tag)), []);
    assert.equal(await this.eval(`document.querySelectorAll('script').length`), 1);
    const attributes = await this.eval(`[...new Set([...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames()))].filter((n) => n.startsWith('on') || ['href', 'src', 'srcdoc', 'action', 'style'].includes(n))`);
    assert.deepEqual(attributes, []);
    const wide = await this.eval('document.documentElement.scrollWidth');
    assert.ok(wide <= this.width, `${wide} of ${this.width} wide`);
  }

  close() {
    return this.browser.call('Target.closeTarget', { targetId: this.targetId });
  }
}

const folder = mkdtempSync(join(tmpdir(), 'tapeaudit-'));
const browser = new Browser(folder);
let passed = 0;
let failed = 0;
const only = process.env.ONLY;

async function test(name, act) {
  if (only && !name.includes(only)) return;
  try {
    await act();
    passed++;
    console.log(`ok   ${name}`);
  } catch (e) {
    failed++;
    console.log(`FAIL ${name}\n${e.stack}`);
  }
}

function sample(name) {
  const b = SAMPLES[name]();
  const path = join(folder, `${name}.tar`);
  writeFileSync(path, b.tar);
  return { ...b, path, keys: [...b.pins.pub, ...b.pins.witness, `quorum ${b.pins.quorum}`].join('\n') };
}

async function shown(name, options = {}, keys = true) {
  const b = sample(name);
  const tab = await Tab.open(browser, options);
  await tab.files('#file', [b.path]);
  if (keys) await tab.pins(b.keys);
  return { b, tab, seen: await tab.check() };
}

try {
  await test('before anything is chosen', async () => {
    const tab = await Tab.open(browser, { height: 560 });
    assert.equal(await tab.eval(`document.getElementById('run').disabled`), true);
    assert.equal(await tab.eval(`document.getElementById('banner').hidden`), true);
    assert.equal(await tab.eval(`[...document.querySelectorAll('input, textarea, select')].every((i) => i.labels.length > 0)`), true, 'every input has its label');
    await tab.pins('nonsense');
    assert.match(await tab.eval(`document.getElementById('pinsState').textContent`), /Not usable/);
    await tab.clean();
    await tab.close();
  });
  await test('good', async () => {
    const { b, tab, seen } = await shown('good');
    assert.deepEqual([seen.verdict, seen.exit], ['intact', 'exit 0']);
    for (const word of ['Landgericht Beispiel, 12 O 34/26', 'checkpoint pinned', 'recorder pinned', 'carol.meyer', 'dr.weber', 'incident 7', 'needs the approval', '2 given', 'session-1', '2025-10-09 08:53:20 UTC (unverified)', 'was in a list of 3 tapes', 'unverified: a registered key', 'the ledger\u2019s word, unverified', `${b.size} entries, root ${Buffer.from(b.log.rootAt(b.size)).toString('base64')}`, `SHA-256 of COMPLETENESS.json ${Buffer.from(sha(b.files.get('COMPLETENESS.json'))).toString('hex')}`]) assert.ok(seen.text.includes(word), word);
    await tab.clean();
    await tab.shot('good', { height: 1180 });
    await tab.shot('custody', { selector: 'section.card:has(.line)', height: 900 });
    await tab.shot('frames', { selector: 'section.card:has(.lanes)', height: 1000 });
    const more = await tab.eval(`(() => { const b = [...document.querySelectorAll('button.link')].find((x) => !x.hidden); const p = b.previousElementSibling; const n = p.textContent.length; b.click(); return [n, p.textContent.length, b.hidden]; })()`);
    assert.ok(more[1] > more[0] && more[2], 'show all shows all');
    await tab.eval(`(() => { const s = document.getElementById('pick'); s.value = '1'; s.dispatchEvent(new Event('change')); })()`);
    await new Promise((go) => setTimeout(go, 300));
    assert.ok((await tab.eval('document.body.innerText')).includes('read_file'));
    await tab.close();
  });
  await test('good, dark', async () => {
    const { tab, seen } = await shown('good', { dark: true });
    assert.equal(seen.verdict, 'intact');
    await tab.shot('dark', { height: 1180 });
    await tab.close();
  });
  await test('without keys', async () => {
    const { tab, seen } = await shown('good', {}, false);
    assert.deepEqual([seen.verdict, seen.exit], ['unpinned keys', 'exit 10']);
    assert.ok(seen.text.includes('not anchored'));
    await tab.clean();
    await tab.close();
  });
  await test('altered', async () => {
    const { tab, seen } = await shown('altered');
    assert.deepEqual([seen.verdict, seen.exit], ['altered', 'exit 3']);
    assert.ok(seen.text.includes('do not lead to the tree root'));
    await tab.clean();
    assert.ok(seen.text.includes('Frames are unverified'));
    await tab.shot('altered', { selector: '.verdict', height: 1000 });
    await tab.close();
  });
  await test('incomplete', async () => {
    const { tab, seen } = await shown('incomplete');
    assert.deepEqual([seen.verdict, seen.exit], ['incomplete', 'exit 3']);
    assert.ok(seen.text.includes('one entry about this tape is missing'));
    await tab.clean();
    await tab.shot('incomplete', { selector: '.verdict', height: 640 });
    await tab.close();
  });
  await test('closed payloads', async () => {
    const { tab, seen } = await shown('closed');
    assert.equal(seen.verdict, 'intact with gaps');
    assert.ok(seen.text.includes('payload closed') && seen.text.includes('by whom') === false);
    await tab.clean();
    await tab.close();
  });
  await test('10 MB', async () => {
    const { b, tab, seen } = await shown('large');
    assert.ok(b.tar.length > 9_000_000, `${b.tar.length}`);
    assert.equal(seen.verdict, 'intact');
    assert.ok(seen.beats >= 5, `the page was asked for ${seen.beats} beats while it checked`);
    const rows = await tab.eval(`document.querySelectorAll('.frame').length`);
    assert.equal(rows, 40);
    assert.ok(await tab.eval(`document.querySelectorAll('*').length`) < 3000, 'the page stays small');
    await tab.eval(`[...document.querySelectorAll('section.card:has(.lanes) .pager button')].at(-1).click()`);
    await new Promise((go) => setTimeout(go, 500));
    assert.ok((await tab.eval('document.body.innerText')).includes('#40'));
    console.log(`     ${b.tar.length} bytes: ${seen.progress} ${seen.beats} beats`);
    await tab.clean();
    await tab.close();
  });
  await test('hostile', async () => {
    const { tab, seen } = await shown('hostile');
    assert.equal(seen.verdict, 'intact with gaps');
    const raw = await tab.eval(`document.documentElement.textContent.replace(document.querySelector('script').textContent, '')`);
    for (const c of [...BIDI, '\u001b', '\u0007', '\u0000', '\u009b', '\r', '\u007f']) assert.ok(!raw.includes(c), `U+${c.codePointAt(0).toString(16)}`);
    assert.ok(seen.text.includes('[U+202E]') && seen.text.includes('[ESC]') && seen.text.includes('<img src=x onerror='));
    const title = await tab.eval(`[...document.querySelectorAll('[title], [aria-label]')].map((e) => (e.title ?? '') + e.getAttribute('aria-label')).join('')`);
    assert.ok(!/[\u202e\u001b]/.test(title));
    await tab.clean();
    await tab.shot('hostile-frames', { selector: 'section.card:has(.lanes)', height: 900 });
    await tab.shot('hostile', { selector: '.verdict', height: 1000 });
    await tab.shot('hostile-custody', { selector: 'section.card:has(.line)', height: 900 });
    await tab.close();
  });
  await test('a browser without Ed25519', async () => {
    const { tab, seen } = await shown('good', { before: `SubtleCrypto.prototype.importKey = () => Promise.reject(new DOMException('no', 'NotSupportedError'));` });
    assert.equal(await tab.eval(`document.getElementById('banner').hidden`), false);
    assert.deepEqual([seen.verdict, seen.exit], ['cannot tell', 'exit 1']);
    assert.ok(seen.text.includes('this browser has no Ed25519'));
    await tab.clean();
    await tab.close();
  });
  await test('narrow', async () => {
    for (const [name, options] of [['good', { width: 390, height: 844 }], ['hostile', { width: 390, height: 844, dark: true }]]) {
      const { tab } = await shown(name, options);
      await tab.clean();
      if (name === 'good') {
        await tab.shot('narrow', { selector: '.verdict', height: 1500 });
        await tab.shot('narrow-frames', { selector: 'section.card:has(.lanes)', height: 1100 });
      }
      await tab.close();
    }
  });
  await test('not a bundle', async () => {
    const tab = await Tab.open(browser);
    for (const [i, bytes] of [new Uint8Array(0), new Uint8Array(100_000).fill(7), Buffer.from('<html>'.repeat(200))].entries()) {
      const path = join(folder, `x${i}.tar`);
      writeFileSync(path, bytes);
      await tab.files('#file', [path]);
      const seen = await tab.check();
      assert.equal(seen.verdict, 'altered');
    }
    await tab.clean();
    await tab.close();
  });
  await test('a folder, a published tree beside it, and a head of another history', async () => {
    const b = SAMPLES.good();
    const write = (root, files) => {
      for (const [path, bytes] of files) {
        mkdirSync(join(root, path, '..'), { recursive: true });
        writeFileSync(join(root, path), bytes);
      }
    };
    write(join(folder, 'bundle'), makeBag(b.files));
    write(join(folder, 'published'), makeTree(b.log));
    const other = SAMPLES.closed();
    writeFileSync(join(folder, 'head.note'), other.log.note(b.size));
    const tab = await Tab.open(browser);
    await tab.files('#folder', [join(folder, 'bundle')]);
    await tab.files('#tree', [join(folder, 'published')]);
    await tab.pins([...b.pins.pub, ...b.pins.witness].join('\n'));
    const seen = await tab.check();
    assert.equal(seen.verdict, 'intact');
    assert.ok(seen.text.includes('checked over the whole log'));
    await tab.files('#heads', [join(folder, 'head.note')]);
    assert.equal((await tab.check()).verdict, 'forked');
    await tab.clean();
    await tab.close();
  });
  // A bundle and a file of keys that the caller names: SAMPLE, KEYS and the word that has to come out, VERDICT.
  if (process.env.SAMPLE) {
    await test('the bundle that was named', async () => {
      const tab = await Tab.open(browser);
      await tab.files('#file', [process.env.SAMPLE]);
      if (process.env.KEYS) await tab.pins(readFileSync(process.env.KEYS, 'utf8'));
      const seen = await tab.check();
      await tab.clean();
      await tab.shot('named', { height: 3000 });
      assert.equal(seen.verdict, process.env.VERDICT ?? 'intact');
      await tab.close();
    });
  }
} finally {
  browser.child.kill();
  await new Promise((go) => (browser.child.exitCode === null && browser.child.signalCode === null ? browser.child.on('exit', go) : go()));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
