// So much of TOML as the index files of the golden files use.

import { readFileSync } from 'node:fs';

export function readIndex(path) {
  const out = { accept: [], reject: [], inputs: {}, token: [] };
  let into = out;
  let edits = null;
  for (const raw of readFileSync(path, 'utf8').split('\n')) {
    const line = raw.trim();
    if (!line || line.startsWith('#')) continue;
    if (edits) {
      if (line === ']') edits = null;
      else {
        const m = /^\{ at = (\d+), old = "([0-9a-f]*)", new = "([0-9a-f]*)" \},$/.exec(line);
        if (!m) throw new Error(`edit: ${line.slice(0, 80)}`);
        edits.push({ at: Number(m[1]), old: m[2], new: m[3] });
      }
      continue;
    }
    let m;
    if ((m = /^\[\[(\w+)\]\]$/.exec(line))) out[m[1]].push((into = {}));
    else if (line === '[inputs]') into = out.inputs;
    else if (line === '[accept.values]') into = out.accept.at(-1).values = {};
    else if ((m = /^(\w+) = \[$/.exec(line))) edits = into[m[1]] = [];
    else if ((m = /^(\w+) = (.*)$/.exec(line))) into[m[1]] = value(m[2]);
    else throw new Error(`line: ${line.slice(0, 80)}`);
  }
  return out;
}

function value(text) {
  let m;
  if ((m = /^'([^']*)'/.exec(text))) return m[1];
  if ((m = /^("(?:[^"\\]|\\.)*")/.exec(text))) return JSON.parse(m[1]);
  if ((m = /^-?\d+/.exec(text))) return Number(m[0]);
  return text;
}
