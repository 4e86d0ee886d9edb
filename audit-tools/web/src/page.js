// The page: what is dropped and pasted goes into the audit, and what comes of it is shown.

import { Refusal } from './bytes.js';
import { audit } from './audit.js';
import { readPins } from './pins.js';
import { isPath } from './bag.js';
import { hasEd25519 } from './ed25519.js';
import { readVerifierKey } from './notes.js';
import { visible } from './visible.js';
import { bytesOf } from './show.js';
import { show } from './result.js';

const $ = (name) => document.getElementById(name);
const chosen = { what: null, name: '', faults: [], heads: [], tree: null };
let running = false;

// ---- what is chosen

const blobSource = (file, path) => ({ path, size: file.size, read: async (at, n) => new Uint8Array(await file.slice(at, at + n).arrayBuffer()) });

/** Files of a folder, by their path below it. */
function below(list) {
  const files = new Map();
  for (const file of list) files.set((file.webkitRelativePath || file.name).split('/').slice(1).join('/'), file);
  return files;
}

const treeOf = (files) => ({
  file: async (path) => (files.has(path) ? blobSource(files.get(path), path) : null),
  has: async (folder) => [...files.keys()].some((path) => path.startsWith(`${folder}/`)),
});
const isTree = (files) => files.has('checkpoint') && [...files.keys()].some((path) => path.startsWith('tile/'));

function chooseFile(file) {
  Object.assign(chosen, { what: { tar: blobSource(file, file.name) }, name: file.name, faults: [] });
  $('chosen').textContent = visible(`${file.name}, ${bytesOf(file.size)}`);
  ready();
}

function chooseFolder(list) {
  const files = below(list);
  if (!files.size) return;
  const name = list[0].webkitRelativePath.split('/')[0];
  const faults = [];
  if (isTree(files) && !files.has('bagit.txt')) chosen.what = { publishedTree: treeOf(files) };
  else {
    const bag = new Map();
    for (const [path, file] of files) {
      if (isPath(path)) bag.set(path, blobSource(file, path));
      else faults.push({ word: 'altered', place: path, message: 'a path that no file of a bag may have' });
    }
    chosen.what = { bag: { files: bag, tar: false } };
  }
  Object.assign(chosen, { name, faults });
  $('chosen').textContent = visible(`folder ${name}, ${files.size} files`);
  ready();
}

/** The text area: keys one a line (a PEM takes several), `quorum N`, blank lines, and lines that begin with #. */
function readPinText(text) {
  const pins = { pub: [], witness: [], quorum: null };
  const rest = text.replace(/-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g, (pem) => {
    pins.pub.push(`${pem.split('\n').map((line) => line.trim()).join('\n')}\n`);
    return '\n';
  });
  for (const raw of rest.split('\n')) {
    const line = raw.trim();
    if (!line || line.startsWith('#')) continue;
    const quorum = /^quorum[ =:]+([0-9]{1,3})$/i.exec(line);
    if (quorum) {
      pins.quorum = Number(quorum[1]);
      continue;
    }
    if (line.includes('+')) {
      let witness = false;
      try {
        readVerifierKey(line, 4);
        witness = true;
      } catch {
        readVerifierKey(line, 1);
      }
      pins[witness ? 'witness' : 'pub'].push(line);
    } else if (/^[0-9a-f]{64}$/i.test(line)) pins.pub.push(line.toLowerCase());
    else throw new Refusal(`a line that is no key: ${line.slice(0, 40)}`);
  }
  return pins;
}

function pinState() {
  const state = $('pinsState');
  try {
    const pins = readPinText($('pins').value);
    const read = readPins(pins);
    const log = read.log.length;
    const parts = [];
    if (log) parts.push(`${log} log key${log > 1 ? 's' : ''}`);
    if (read.bare.length) parts.push(`${read.bare.length} key${read.bare.length > 1 ? 's' : ''} without a name`);
    if (read.witnesses.length) parts.push(`${read.witnesses.length} witness${read.witnesses.length > 1 ? 'es' : ''}, quorum ${read.quorum}`);
    state.textContent = parts.length ? `Read: ${parts.join('; ')}.` : 'No keys: the bundle vouches for itself alone.';
    state.className = 'hint';
    return pins;
  } catch (e) {
    state.textContent = visible(`Not usable: ${e.message}`);
    state.className = 'no';
    return null;
  }
}

function ready() {
  const usable = pinState() !== null;
  $('run').disabled = running || !chosen.what || !usable;
}

// ---- the run

const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()?.();
const pause = () => new Promise((go) => {
  waiting.push(go);
  channel.port2.postMessage(0);
});

async function run() {
  const text = pinState();
  if (!text || !chosen.what || running) return;
  running = true;
  ready();
  const line = $('progress');
  line.hidden = false;
  line.textContent = 'Reading\u2026';
  $('result').replaceChildren();
  const started = performance.now();
  try {
    const head = [];
    for (const file of chosen.heads) head.push(new Uint8Array(await file.slice(0, 1 << 20).arrayBuffer()));
    const pins = readPins({ ...text, head });
    if (chosen.tree) pins.tree = treeOf(chosen.tree);
    const progress = (what, done, all) => {
      line.textContent = visible(`Checking ${what}${all ? ` \u2014 ${Math.floor((100 * done) / all)} %` : ''}`);
    };
    const result = await audit(chosen.what, pins, { pause, progress, faults: chosen.faults });
    line.textContent = visible(`${chosen.name}: checked in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
    await show(result, $('result'));
  } catch (e) {
    line.textContent = visible(`The check stopped: ${e.message}`);
  }
  running = false;
  ready();
  $('result').focus({ preventScroll: true });
  $('result').dataset.done = String(Number($('result').dataset.done ?? 0) + 1);
}

// ---- start

async function start() {
  const drop = $('drop');
  // the same file may be chosen again, after it was changed
  for (const name of ['file', 'folder', 'heads', 'tree']) $(name).addEventListener('click', (e) => (e.target.value = ''));
  $('file').addEventListener('change', (e) => e.target.files[0] && chooseFile(e.target.files[0]));
  $('folder').addEventListener('change', (e) => chooseFolder([...e.target.files]));
  $('heads').addEventListener('change', (e) => {
    chosen.heads = [...e.target.files];
    $('headsChosen').textContent = visible(chosen.heads.map((file) => file.name).join(', ') || 'none');
  });
  $('tree').addEventListener('change', (e) => {
    const files = below([...e.target.files]);
    chosen.tree = files.size && isTree(files) ? files : null;
    $('treeChosen').textContent = chosen.tree ? `${files.size} files` : files.size ? 'that is no published tree' : 'none';
  });
  $('pins').addEventListener('input', ready);
  $('run').addEventListener('click', run);
  for (const name of ['dragover', 'drop']) document.addEventListener(name, (e) => e.preventDefault());
  drop.addEventListener('dragover', () => drop.classList.add('over'));
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  document.addEventListener('drop', (e) => {
    drop.classList.remove('over');
    const item = e.dataTransfer.items[0]?.webkitGetAsEntry?.();
    if (item?.isDirectory) $('chosen').textContent = 'A folder: please choose it with the button.';
    else if (e.dataTransfer.files[0]) chooseFile(e.dataTransfer.files[0]);
  });
  if (!(await hasEd25519())) {
    $('banner').textContent = 'this browser has no Ed25519: it cannot check signatures. Chromium 137, Firefox 130 and Safari 17 have it.';
    $('banner').hidden = false;
  }
  ready();
}

start();
