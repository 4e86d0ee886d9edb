// Findings, counts of checks, and the one word that comes of them (6.7).

import { Refusal } from './bytes.js';

/** All words, the first that applies first; exit codes by word. */
export const WORDS = [
  'altered', 'forked', 'rolled back', 'missing', 'incomplete', 'cannot tell', 'ended by loss', 'unpinned keys', 'not anchored', 'unsealed tail',
  'intact with gaps', 'intact',
];
export const EXIT = {
  intact: 0, 'intact with gaps': 10, 'not anchored': 10, 'unpinned keys': 10, 'unsealed tail': 10, 'ended by loss': 10, 'cannot tell': 1, altered: 3,
  missing: 3, incomplete: 3, 'rolled back': 3, forked: 3,
};
/** The same words in the order of the table, in which they are told. */
const TOLD = [
  'intact', 'intact with gaps', 'not anchored', 'unpinned keys', 'unsealed tail', 'ended by loss', 'cannot tell', 'altered', 'missing', 'incomplete', 'rolled back',
  'forked',
];
const WRONG = new Set(WORDS.slice(0, 6));
export const MEANING = {
  intact: 'Everything was checked and holds.',
  'intact with gaps': 'What is there holds; something that is declared is not there.',
  'not anchored': 'No quorum of witnesses that you know vouches that this is the log that others see.',
  'unpinned keys': 'The log vouches for its own keys. By itself this is never valid: compare the keys with ones from elsewhere.',
  'unsealed tail': 'A recording was begun that is no tape yet.',
  'ended by loss': 'The log says that it lost entries, and as what it goes on.',
  'cannot tell': 'Too little could be read to say anything.',
  altered: 'Bytes are not what they were, or break the format.',
  missing: 'Something that must be there is not.',
  incomplete: 'It says that it is whole, and is not.',
  'rolled back': 'Others hold a head of more entries than the log has.',
  forked: 'A signed head of another history exists.',
};
const KEPT = 1000;

export class Report {
  constructor(pause = async () => {}, progress = () => {}) {
    this.findings = [];
    this.words = new Set();
    this.checks = new Map();
    this.more = 0;
    this.pause = pause;
    this.progress = progress;
    this.last = 0;
  }

  check(name, n = 1) {
    const check = this.checks.get(name) ?? { name, count: 0, failed: 0 };
    check.count += n;
    this.checks.set(name, check);
    return check;
  }

  finding(word, place, what, check = null) {
    this.words.add(word);
    if (check) {
      this.check(check, 0).failed += word === 'intact with gaps' ? 0 : 1;
    }
    if (this.findings.length < KEPT) this.findings.push({ word, place, what });
    else this.more++;
  }

  /** One check: what it refuses becomes a finding. Resolves to what it returns, or to null. */
  async attempt(check, place, act, word = 'altered') {
    this.check(check);
    try {
      return (await act()) ?? true;
    } catch (e) {
      if (!(e instanceof Refusal)) throw e;
      this.finding(e.word === 'altered' ? word : e.word, place, e.message, check);
      return null;
    }
  }

  /** Lets the page breathe now and then. */
  async tick(what, done, all) {
    const now = Date.now();
    if (now - this.last < 40) return;
    this.last = now;
    this.progress(what, done, all);
    await this.pause();
  }

  /** The word for all, and all words that apply in the order of the table. */
  verdict() {
    const words = WORDS.filter((word) => this.words.has(word));
    const wrong = words.some((word) => WRONG.has(word));
    const told = wrong ? words.filter((word) => word !== 'intact with gaps') : words;
    if (!told.length) told.push('intact');
    return { verdict: told[0], exit: EXIT[told[0]], words: TOLD.filter((word) => told.includes(word)) };
  }
}

/** A report of what was told already. */
export const silent = {
  finding() {},
  async attempt(check, place, act) {
    try {
      return await act();
    } catch (e) {
      if (!(e instanceof Refusal)) throw e;
      return null;
    }
  },
};
