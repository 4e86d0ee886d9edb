// The command line: exit codes, batch mode, folders with things in them that are no files, and the built page.

import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, writeFileSync, rmSync, symlinkSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as w from './writer.mjs';
import { build } from '../build.mjs';

const PROGRAM = new URL('../tapeaudit.mjs', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'tapeaudit-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const run = (args, input = '') => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { input, encoding: 'utf8' });
  assert.ok(!/\n {4}at /.test(stderr), stderr);
  return { status, stdout, stderr };
};
const write = (root, files) => {
  for (const [path, bytes] of files) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), bytes);
  }
  return root;
};
const good = w.asTar();
const tar = join(folder, 'good.tar');
writeFileSync(tar, good.tar);
const keys = [...good.pins.pub.flatMap((k) => ['--pub', k]), ...good.pins.witness.flatMap((k) => ['--witness', k])];

test('a good bundle, in words and as JSON', () => {
  const human = run([...keys, '--quorum', '2', tar]);
  assert.equal(human.status, 0, human.stdout + human.stderr);
  assert.equal(human.stdout.trim().split('\n').at(-1), 'intact');
  assert.match(human.stdout, /entry \d+: content opened, by \u201ccarol\u201d \(human, unverified: a registered key\), for \u201cincident 7\u201d\n/);
  assert.match(human.stdout, /by the ledger's claim/);
  const { status, stdout } = run([...keys, '--json', tar]);
  assert.equal(status, 0);
  const json = JSON.parse(stdout);
  assert.deepEqual(Object.keys(json), ['verdict', 'exit', 'words', 'pinned', 'anchored_ms', 'whole_log', 'tapes', 'checks', 'findings']);
  assert.equal(stdout.trim().split('\n').length, 1);
  assert.ok(json.checks.every((c) => c.count > 0));
});

test('the summary says what an auditor asks first, and calls unverified what nothing vouches for', () => {
  const many = (fields) => new Map([...w.actor('x\u201d, by \u201cy', 'why'), ...fields]);
  const b = w.asTar({
    tapes: [w.MESSAGES, w.MESSAGES.slice(0, 2)],
    tweak: {
      tape: { header: (h) => h.set(5, BigInt(w.T0 + 9000) * 1_000_000n) },
      log: (log, [tape]) => {
        const grant = log.add(32, tape.custody, new Map(), many([[24, w.utf8('the court')], [8, [0, 1]], [2, w.utf8('erin')], [4, w.utf8('order 7')]]));
        log.add(33, tape.custody, new Map([[0, grant.index]]), new Map([...w.SYSTEM(), [9, 4711]]));
      },
      comp: (c) => ({ ...c, asked: { ids: [...c.asked.ids, 'ab'.repeat(32)] }, withheld: [{ what: 'tape', tape: 'ab'.repeat(32), custody: 'cd'.repeat(32), entry: 1, fields: [], why: 'privilege\n\u001b[2J' }] }),
    },
  });
  const path = join(folder, 'summary.tar');
  writeFileSync(path, b.tar);
  const { stdout } = run([...keys, path]);
  assert.ok(!/[\u001b\r]/.test(stdout));
  const root = Buffer.from(b.log.rootAt(b.size)).toString('base64');
  for (const line of [
    `custody id ${w.hex(b.tapes[0].custody)}`, 'name: Tape 1', 'session: session-1', 'began: 2025-10-09 08:53:20 UTC (unverified)', 'ended: 2025-10-09 08:53:29 UTC (unverified)',
    'content opened, by \u201cx", by "y\u201d (human, unverified: a registered key), on behalf of \u201cerin\u201d, for \u201cwhy\u201d, authority \u201corder 7\u201d, to \u201cthe court\u201d, frames 0 to 1, 4711 bytes of payloads given out\n',
    'was in a list of 3 tapes, by \u201cdave\u201d', 'refused: access.granted (error 50, \u201cnot permitted\u201d), by \u201cmallory\u201d', `head of the log: ${b.size} entries, root ${root}\n`,
    `SHA-256 of COMPLETENESS.json ${w.hex(w.sha(b.files.get('COMPLETENESS.json')))}`, `it is withheld as a whole; its custody id is ${'cd'.repeat(32)}`,
    `withheld: tape of tape ${'ab'.repeat(32)}, custody id ${'cd'.repeat(32)}: \u201cprivilege[LF][ESC][2J\u201d (unverified)`,
  ]) assert.ok(stdout.includes(line), `${line}\n${stdout}`);
  // what does not hold is shown, and called so
  const wrong = w.makeBundle({ tweak: { frameItems: (f) => f.slice(1) } });
  wrong.files.set('log/paths.cbor', w.cbor([w.fill(1)]));
  writeFileSync(path, w.makeTar(w.makeBag(wrong.files)));
  const said = run([...keys, path]).stdout;
  assert.ok(said.includes('frames: unverified: nothing proves') && said.includes('custody: unverified: nothing proves'), said);
});

test('exit codes', () => {
  assert.equal(run([tar]).status, 10);
  const altered = join(folder, 'altered.tar');
  const bytes = new Uint8Array(good.tar);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(altered, bytes);
  assert.equal(run([...keys, altered]).status, 3);
  assert.equal(run([...keys, join(folder, 'none')]).status, 1);
  assert.equal(run([...keys, '/dev/null']).status, 1);
  for (const args of [[], ['--what', tar], ['--pub'], [tar, tar], ['--quorum', '0', tar], ['--quorum', 'x', tar], ['--pub', 'x', tar], ['--pub', folder, tar], ['--head', folder, tar], ['--tree', tar, tar], ['--witness', good.pins.pub[0], tar]]) {
    const { status, stderr, stdout } = run(args);
    assert.deepEqual([status, stdout], [2, ''], args.join(' '));
    assert.ok(stderr.startsWith('tapeaudit: '));
  }
  const empty = join(folder, 'empty.pem');
  writeFileSync(empty, '');
  assert.equal(run(['--pub', empty, tar]).status, 2);
  const file = join(folder, 'key.vkey');
  writeFileSync(file, `${good.pins.pub[0]}\n`);
  assert.equal(run(['--pub', file, '--pub', good.pins.pub[1], ...keys.slice(4), tar]).status, 0);
});

test('a folder, and what must not be in it', () => {
  const bag = w.makeBag(good.files);
  const root = write(join(folder, 'bag'), bag);
  assert.equal(run([...keys, root]).status, 0);
  symlinkSync('/etc/passwd', join(root, 'data/x'));
  const link = run([...keys, '--json', root]);
  assert.equal(link.status, 3);
  assert.match(link.stdout, /neither a file nor a folder/);
  rmSync(join(root, 'data/x'));
  rmSync(join(root, 'data/VERIFY.txt'));
  writeFileSync(join(folder, 'verify'), bag.get('data/VERIFY.txt'));
  symlinkSync(join(folder, 'verify'), join(root, 'data/VERIFY.txt'));
  assert.equal(run([...keys, root]).status, 3, 'a link to the right bytes is a link');
  rmSync(join(root, 'data/VERIFY.txt'));
  writeFileSync(join(root, 'data/VERIFY.txt'), bag.get('data/VERIFY.txt'));
  mkdirSync(join(root, 'data/none'));
  assert.match(run([...keys, '--json', root]).stdout, /a folder without a file/);
  rmSync(join(root, 'data/none'), { recursive: true });
  spawnSync('mkfifo', [join(root, 'data/pipe')]);
  assert.equal(run([...keys, root]).status, 3);
  rmSync(join(root, 'data/pipe'), { force: true });
  writeFileSync(join(root, 'data/a\u001b[31mb'), '');
  const escape = run([...keys, root]);
  assert.equal(escape.status, 3);
  assert.ok(!escape.stdout.includes('\u001b') && escape.stdout.includes('[ESC]'));
});

test('a published tree, alone and beside a bundle', () => {
  const root = write(join(folder, 'tree'), w.makeTree(good.log));
  assert.equal(run([...keys, root]).status, 0);
  const { stdout } = run([...keys, '--json', '--tree', root, tar]);
  assert.deepEqual([JSON.parse(stdout).verdict, JSON.parse(stdout).whole_log], ['intact', true]);
});

test('an encrypted bundle is to be opened first', () => {
  const path = join(folder, 'x.tar.age');
  writeFileSync(path, `age-encryption.org/v1\n${'x'.repeat(2000)}`);
  const { status, stdout } = run([...keys, path]);
  assert.equal(status, 1);
  assert.match(stdout, /open it with age/);
});

test('batch', () => {
  const ask = [
    { n: 1, kind: 'cbor', hex: '8101' }, { n: 2, kind: 'cbor', hex: '1801' }, { n: 'x', kind: 'cbor', hex: 'zz' }, { n: 4, kind: 'bundle', path: tar, pub: good.pins.pub, witness: good.pins.witness, quorum: 2 },
    { n: 5, kind: 'ledger', path: folder }, { n: 6, kind: 'nothing' }, { n: 7, kind: 'bundle' }, { n: 8, kind: 'bundle', path: tar, pub: ['x'] }, { n: 9, kind: 'bundle', path: join(folder, 'gone') }, { n: 10, kind: 'note', text: 'x' },
    { n: 11, kind: 'tree', path: join(folder, 'tree'), pub: good.pins.pub }, { n: 12, kind: 'private', hex: 'a0' }, { n: 13, kind: 'bundle', path: tar, quorum: 1.5 },
  ];
  const { status, stdout } = run(['--batch'], `${ask.map((a) => JSON.stringify(a)).join('\n')}\n`);
  assert.equal(status, 0);
  const said = stdout.trim().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual(said.map((s) => s.n), ask.map((a) => a.n));
  assert.deepEqual(said[0], { n: 1, accept: true, id: w.hex(w.sha(Uint8Array.of(0x81, 1))) });
  assert.equal(said[1].accept, false);
  assert.ok(said[2].error && said[5].error && said[6].error);
  assert.deepEqual(said[3], { n: 4, verdict: 'intact', exit: 0, words: ['intact'], ids: [w.hex(good.tapes[0].id)] });
  assert.deepEqual(said[4], { n: 5, error: 'not read by this auditor' });
  assert.deepEqual([said[7].verdict, said[7].exit, said[7].ids], ['cannot tell', 1, []]);
  assert.deepEqual(said[8].words, ['not anchored', 'unpinned keys', 'cannot tell']);
  assert.equal(said[9].accept, false);
  assert.deepEqual(said[10].words, ['not anchored']);
  assert.equal(said[11].accept, true);
  assert.equal(said[12].verdict, 'cannot tell');
  const bad = run(['--batch'], 'nonsense\n[1]\n{"n":1,"kind":"cbor","hex":"00"}\n');
  assert.equal(bad.status, 2);
  assert.equal(bad.stdout.trim().split('\n').length, 3);
  assert.deepEqual(run(['--batch'], ''), { status: 0, stdout: '', stderr: '' });
});

test('batch: notes and proofs heed witnesses and quorum', () => {
  const key = good.pins.pub[0];
  const two = Buffer.from(good.log.note(good.size, { witnesses: [0, 1] })).toString();
  const proof = Buffer.from([...good.files].find(([p]) => p.endsWith('saved.tlog-proof'))[1]).toString(); // of three
  const fourth = [...w.WITNESS, w.vkey('witness.example/w4', 4, w.keyPair(24).key)];
  const spoilt = two.replace(/(w2 .{30})./, (m, a) => `${a}${m.endsWith('A') ? 'B' : 'A'}`);
  const file = join(folder, 'w1.vkey');
  writeFileSync(file, `${w.WITNESS[0]}\n`);
  const cases = [
    [true, { text: two }], [false, { text: two, witness: w.WITNESS }], [true, { text: two, witness: w.WITNESS, quorum: 2 }], [false, { text: two, witness: w.WITNESS, quorum: 3 }],
    [false, { text: two, witness: w.WITNESS, quorum: 0 }], [false, { text: two, witness: w.WITNESS, quorum: '2' }], [false, { text: two, witness: w.WITNESS, quorum: 1.5 }], [false, { text: two, quorum: 1 }], [false, { text: two, witness: [] }],
    [false, { text: two, witness: ['x'] }], [false, { text: two, witness: w.WITNESS[0] }], [false, { text: two, witness: [key] }], [false, { text: two, witness: [w.vkey('x.example', 4, w.KEYS.checkpoint.key)] }],
    [false, { text: two, witness: [w.WITNESS[0], w.WITNESS[0]], quorum: 2 }], [true, { text: two, witness: [file] }], [true, { text: two, witness: [w.WITNESS[0], w.WITNESS[0]] }], [false, { text: two, witness: [w.WITNESS[0], w.vkey('other.example', 4, w.KEYS.witness[0].key)] }], [false, { text: spoilt, witness: w.WITNESS, quorum: 1 }], [true, { text: spoilt, witness: [w.WITNESS[0]] }],
    [true, { kind: 'proof', text: proof }], [true, { kind: 'proof', text: proof, witness: w.WITNESS }], [false, { kind: 'proof', text: proof, witness: fourth }], [true, { kind: 'proof', text: proof, witness: fourth, quorum: 3 }],
  ];
  const { stdout } = run(['--batch'], `${cases.map(([, ask], n) => JSON.stringify({ n, kind: 'note', key, ...ask })).join('\n')}\n`);
  const said = stdout.trim().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual(said.map((s) => s.accept), cases.map(([want]) => want), stdout);
});

test('a reader that goes away, and an input that is closed, end it quietly', () => {
  const line = JSON.stringify({ n: 1, kind: 'cbor', hex: '00' });
  writeFileSync(join(folder, 'lines'), `${line}\n`.repeat(20_000));
  const piped = spawnSync('sh', ['-c', `"${process.execPath}" "${PROGRAM}" --batch < "${join(folder, 'lines')}" | head -1`], { encoding: 'utf8' });
  assert.equal(piped.stdout, `{"n":1,"accept":true,"id":"${w.hex(w.sha(Uint8Array.of(0)))}"}\n`);
  assert.equal(piped.stderr, '');
  const closed = spawnSync('sh', ['-c', `"${process.execPath}" "${PROGRAM}" --batch <&-`], { encoding: 'utf8' });
  assert.equal(closed.stdout, '');
  assert.ok(!/\n {4}at /.test(closed.stderr), closed.stderr);
  const gone = spawnSync('sh', ['-c', `"${process.execPath}" "${PROGRAM}" "${tar}" | true`], { encoding: 'utf8' });
  assert.equal(gone.stderr, '');
});

test('the page is the one that src/ gives, and its policy names its script and its style', () => {
  const page = readFileSync(new URL('../tapeaudit.html', import.meta.url), 'utf8');
  assert.ok(page === build(), 'run node build.mjs');
  const policy = /Content-Security-Policy" content="([^"]+)"/.exec(page)[1];
  const hash = (text) => `'sha256-${Buffer.from(w.sha(text)).toString('base64')}'`;
  const [, style] = /<style>([^]*?)<\/style>/.exec(page);
  const [, script] = /<script>([^]*?)<\/script>/.exec(page);
  assert.ok(policy.includes(`script-src ${hash(script)}`) && policy.includes(`style-src ${hash(style)}`));
  for (const rule of ["default-src 'none'", "connect-src 'none'", "base-uri 'none'", "form-action 'none'"]) assert.ok(policy.includes(rule), rule);
  assert.ok(!policy.includes('unsafe'));
  assert.ok(!/innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|fetch\(|XMLHttpRequest|WebSocket|localStorage|https?:\/\/(?!www\.w3\.org\/2000\/svg)/.test(script));
  assert.ok(!/compliant|tamper-proof/i.test(page));
});
