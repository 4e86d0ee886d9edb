// Accounting (checks 10 and 11 of 6.7): everything that was asked for is given, withheld, destroyed or out of scope, and what is given is
// what the lists say.

import { refuse, toHex, isZero } from './bytes.js';

const ACCOUNT = 'accounting';
const CONTENT = 'what is given is what is said';
const CLOSED_FREELY = new Set([19, 31]);
const WITH_SET = new Set([34, 35, 40]);

/** Check 10. */
export async function accountFor(b) {
  const { comp, report } = b;
  const lists = [
    ...comp.given.map((one) => ['given', one]), ...comp.withheld.filter((one) => one.what === 'tape').map((one) => ['withheld', one]),
    ...comp.destroyed.map((one) => ['destroyed', one]), ...comp.out_of_scope.map((one) => ['out_of_scope', one]),
  ];
  const where = new Map();
  for (const [list, one] of lists) {
    report.check(ACCOUNT);
    if (where.has(one.tape)) report.finding('incomplete', `tape ${one.tape}`, `it is in two lists, ${where.get(one.tape)[0]} and ${list}`, ACCOUNT);
    else where.set(one.tape, [list, one]);
  }
  for (const id of comp.asked.ids ?? []) {
    report.check(ACCOUNT);
    if (!where.has(id)) report.finding('incomplete', `tape ${id}`, 'it was asked for, and nothing says what became of it', ACCOUNT);
  }
  for (const one of comp.withheld) {
    if (one.what === 'tape') report.finding('intact with gaps', `tape ${one.tape}`, `it is withheld as a whole; its custody id is ${one.custody}`);
    if (one.what === 'private') report.finding('intact with gaps', `entry ${one.entry}`, 'fields of its private half are withheld');
  }
  for (const one of comp.out_of_scope) if (one.field === null) report.finding('intact with gaps', `tape ${one.tape}`, `it is out of scope, and no field shows that; its custody id is ${one.custody}`);
  if (comp.span && b.files.has('entries.cbor')) await span(b, where);
}

async function span(b, where) {
  const { comp, report } = b;
  const [first, last] = comp.span;
  const [from, to] = comp.asked.sealed_ms;
  const saved = new Map();
  await report.attempt(ACCOUNT, 'span', () => {
    const here = b.entries.filter((entry) => entry.index >= first && entry.index <= last);
    if (here.length !== last - first + 1) refuse('entries of it are not here', 'incomplete');
    const [one, two] = [here[0], here.at(-1)];
    if (first !== 0 && !(one.time < from)) refuse('it begins too late: its first entry is not before the time asked for', 'incomplete');
    if (!(two.time > to) && last !== comp.log_size - 1) refuse('it ends too early: its last entry is not after the time asked for', 'incomplete');
    if (last >= comp.log_size) refuse('it ends behind the entries that were asked of', 'incomplete');
    for (const entry of here) {
      const statement = entry.kind === 16 && entry.time >= from && entry.time <= to ? b.statements.get(entry.index) : null;
      if (statement) saved.set(toHex(statement.tape), entry);
    }
  }, 'incomplete');
  for (const [tape, entry] of saved) {
    report.check(ACCOUNT);
    const listed = where.get(tape);
    if (!listed) report.finding('incomplete', `tape ${tape}`, `entry ${entry.index} saved it in the time asked for, and nothing says what became of it`, ACCOUNT);
    else if (listed[1].entry !== entry.index || listed[1].custody !== toHex(entry.subject)) report.finding('incomplete', `tape ${tape}`, 'its entry or its custody id is another', ACCOUNT);
  }
  for (const tape of where.keys()) if (!saved.has(tape)) report.finding('incomplete', `tape ${tape}`, 'it is accounted for, and was not saved in the time asked for', ACCOUNT);
}

/** Check 11. */
export async function contentsAsSaid(b) {
  const { comp, report } = b;
  const listed = new Map();
  for (const one of comp.withheld) {
    const key = `${one.what} ${one.tape}`;
    if (!listed.has(key)) listed.set(key, []);
    listed.get(key).push(one);
  }
  const withheld = (what, tape) => listed.get(`${what} ${tape}`) ?? [];
  const given = new Map([...comp.given].reverse().map((one) => [one.tape, one]));
  for (const tape of b.tapes) {
    if (tape.frames?.seqs && tape.root) await frames(b, tape, withheld);
    if (tape.header) {
      await report.attempt(CONTENT, tape.place, () => {
        const closed = tape.header.numbers.filter((n) => !tape.header.values.has(n));
        const said = withheld('header', tape.tape);
        if (said.length !== (closed.length ? 1 : 0) || (closed.length && !sameSet(said[0].fields, closed))) refuse('the fields of its header that stay closed are not those that are said', 'incomplete');
      });
    }
  }
  for (const one of comp.withheld) {
    if (!['frames', 'payloads', 'header'].includes(one.what)) continue;
    await report.attempt(CONTENT, `tape ${one.tape}`, () => {
      const of = given.get(one.tape);
      if (!of || of.custody !== one.custody || of.entry !== one.entry) refuse(`${one.what} of a tape that is not given are said to be withheld`, 'incomplete');
    });
  }
  if (b.files.has('entries.cbor')) await privates(b);
  for (const one of comp.out_of_scope) {
    if (one.field === null) continue;
    await report.attempt(CONTENT, `tape ${one.tape}`, () => void (one.header?.values.has(one.field) || refuse('it is out of scope by a field that is not open', 'incomplete')));
  }
  for (const one of b.files.has('entries.cbor') ? comp.destroyed : []) {
    await report.attempt(CONTENT, `tape ${one.tape}`, () => {
      const by = b.byIndex.get(one.by);
      if (!by || ![86, 88, 90].includes(by.kind) || toHex(by.subject) !== one.custody) refuse('the entry that says that it was destroyed is not here', 'incomplete');
    });
  }
}

async function frames(b, tape, withheld) {
  const { comp, report } = b;
  const all = BigInt(tape.root.frames);
  const { seqs, closed } = tape.frames;
  await report.attempt(CONTENT, tape.place, () => {
    if (BigInt(tape.count) !== all) refuse('its number of frames is another', 'incomplete');
    const [low, high] = comp.frames ?? [0, Number.MAX_SAFE_INTEGER];
    const end = BigInt(high) < all ? BigInt(high) : all - 1n;
    const want = BigInt(low) <= end ? [low, Number(end)] : null;
    if ((want === null) !== (tape.opened === null) || (want && (want[0] !== tape.opened[0] || want[1] !== tape.opened[1]))) refuse('the frames said to be open are not those asked for', 'incomplete');
    const there = seqs.length ? [seqs[0], seqs.at(-1)] : null;
    const ranged = there ? seqs.length === there[1] - there[0] + 1 : true;
    if (!ranged || (there === null) !== (want === null) || (want && (want[0] !== there[0] || want[1] !== there[1]))) refuse('the frames that are there are not those said', 'incomplete');
  });
  await report.attempt(CONTENT, tape.place, () => {
    if (withheld('frames', tape.tape).length !== (BigInt(seqs.length) < all ? 1 : 0)) refuse('frames that are not there are not said to be withheld, or the other way round', 'incomplete');
    if (withheld('payloads', tape.tape).length !== (closed ? 1 : 0)) refuse('closed payloads are not said to be withheld, or the other way round', 'incomplete');
    if (comp.payloads ? closed > 0 : closed !== seqs.length) refuse('payloads are not all open or all closed, as is said', 'incomplete');
  });
}

function sameSet(a, b) {
  const set = new Set(a);
  return set.size === a.length && set.size === b.length && b.every((n) => set.has(n));
}

async function privates(b) {
  const { comp, report } = b;
  const tapes = new Map(b.tapes.map((tape) => [tape.custody, tape]));
  const inSpan = (entry) => comp.span !== null && entry.index >= comp.span[0] && entry.index <= comp.span[1];
  const said = new Map();
  for (const one of comp.withheld) {
    if (one.what !== 'private') continue;
    if (!said.has(one.entry)) said.set(one.entry, []);
    said.get(one.entry).push(one);
  }
  for (const [index, items] of said) {
    if (!b.byIndex.has(index)) report.finding('incomplete', `entry ${index}`, `fields of it are said to be withheld, and it is not here (${items.length})`, CONTENT);
  }
  for (const entry of b.entries) {
    if (entry.spoiled) continue; // it is altered, and nothing more can be said of it
    const tape = tapes.get(toHex(entry.subject));
    const ofTape = tape !== undefined;
    const needs = ofTape || ((entry.kind === 34 || entry.kind === 35) && entry.members !== null) || (entry.kind === 40 && (ofTape || !inSpan(entry)));
    const items = said.get(entry.index) ?? [];
    if (!needs && !items.length) continue;
    await report.attempt(CONTENT, `entry ${entry.index}`, () => {
      const free = WITH_SET.has(entry.kind) ? CLOSED_FREELY : new Set();
      const closed = entry.opened ? entry.opened.numbers.filter((n) => !entry.opened.values.has(n)) : null;
      const must = closed?.filter((n) => !free.has(n));
      if (items.length > 1) refuse('its private half is said to be withheld twice', 'incomplete');
      const [one] = items;
      if (!one) {
        if (closed === null || must.length) refuse('fields of its private half are closed, and nothing says so', 'incomplete');
        return;
      }
      if (one.custody !== toHex(entry.subject)) refuse('its custody id is another', 'incomplete');
      if (isZero(entry.subject) ? !/^0*$/.test(one.tape) : ofTape && one.tape !== tape.tape) refuse('its tape is another', 'incomplete');
      const fields = one.fields.filter((n) => !free.has(n));
      if (closed === null ? one.fields.length : !one.fields.length || !sameSet(fields, must)) {
        refuse('the fields of its private half that stay closed are not those that are said', 'incomplete');
      }
    });
  }
}
