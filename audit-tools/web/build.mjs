#!/usr/bin/env node
// Puts src/ into the one file tapeaudit.html, with the hashes of its script and its style in its policy. `--check` compares only.

import { readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';

const read = (name) => readFileSync(new URL(`src/${name}`, import.meta.url), 'utf8');
const sha = (text) => `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;

/** Each module becomes a function that gives its exports; the order is that of what they import. */
function bundle(entry) {
  const done = new Map();
  const parts = [];
  const visit = (file, way) => {
    if (way.includes(file)) throw new Error(`a circle: ${[...way, file].join(' > ')}`);
    if (done.has(file)) return done.get(file);
    const name = `module_${file.replace('.js', '')}`;
    done.set(file, name);
    const names = [];
    const text = read(file)
      .replace(/^import \{([^}]*)\} from '\.\/([^']+)';$/gm, (_, list, from) => `const {${list}} = ${visit(from, [...way, file])};`)
      .replace(/^import \* as (\w+) from '\.\/([^']+)';$/gm, (_, as, from) => `const ${as} = ${visit(from, [...way, file])};`)
      .replace(/^export ((?:async )?function\*? ?|class |const )(\w+)/gm, (_, what, one) => {
        names.push(one);
        return `${what}${one}`;
      });
    if (/^\s*(import|export)\b/m.test(text)) throw new Error(`${file}: an import or export that is not understood`);
    parts.push(`// ---- ${file}\nconst ${name} = (() => {\n${text}\nreturn { ${names.join(', ')} };\n})();`);
    return name;
  };
  visit(entry, []);
  return `'use strict';\n${parts.join('\n')}\n`;
}

export function build() {
  const script = bundle('page.js');
  const style = read('page.css');
  if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) throw new Error('an end tag in the script or the style');
  const policy = [
    "default-src 'none'", `script-src ${sha(script)}`, `style-src ${sha(style)}`, "img-src 'none'", "connect-src 'none'", "base-uri 'none'", "form-action 'none'",
    "require-trusted-types-for 'script'", "trusted-types 'none'",
  ].join('; ');
  const fill = { POLICY: policy, STYLE: style, SCRIPT: script };
  return read('page.html').replace(/\{\{(\w+)\}\}/g, (_, name) => fill[name]);
}

if (process.argv[1] && import.meta.url.endsWith(process.argv[1].split('/').at(-1))) {
  const target = new URL('tapeaudit.html', import.meta.url);
  if (process.argv[2] === '--check') {
    if (readFileSync(target, 'utf8') !== build()) {
      console.error('tapeaudit.html is not what src/ gives: run node build.mjs');
      process.exit(1);
    }
  } else writeFileSync(target, build());
}
