// One run over a bundle or a published tree, and its result as the object of `--json`.

import { Refusal, refuse, fromUtf8 } from './bytes.js';
import { hasEd25519 } from './ed25519.js';
import { Report } from './report.js';
import { auditBundle } from './bundle.js';
import { auditTree } from './published.js';
import { openTar } from './bag.js';

/** How a file begins that age encrypted (6.1). */
const AGE = 'age-encryption.org/v1';

/**
 * `what` is {tar: source}, {bag: {files}}, or {publishedTree: reader}; `faults` are refusals that were met on the way to it.
 * Nothing that is in the input makes this throw: a fault of the program itself becomes "cannot tell".
 */
export async function audit(what, pins, { pause, progress, faults = [] } = {}) {
  const report = new Report(pause, progress);
  let run = null;
  for (const { word, place, message } of faults) report.finding(word, place, message);
  try {
    // half of the checks are no check: what hangs on a signature would look as if it were missing
    if (what && !(await hasEd25519())) refuse('this browser has no Ed25519', 'cannot tell');
    if (what?.tar && fromUtf8((await what.tar.read(0, AGE.length))) === AGE) refuse('it is encrypted: open it with age first', 'cannot tell');
    if (what?.publishedTree) run = await auditTree(what.publishedTree, pins, report);
    else if (what) {
      const bag = what.bag ?? (await openTar(what.tar, report));
      run = await auditBundle(bag, pins, report);
    }
  } catch (e) {
    if (e instanceof Refusal) report.finding(e.word, 'bundle', e.message);
    else report.finding('cannot tell', 'auditor', `the check could not be carried out: ${e?.name ?? 'fault'}`);
    report.fault = e instanceof Refusal ? null : e;
  }
  if (!report.words.size && ![...report.checks.values()].some((check) => check.count)) report.finding('cannot tell', 'auditor', 'nothing was checked');
  if (!run) {
    report.finding('unpinned keys', 'keys', 'no key of this log could be compared');
    report.finding('not anchored', 'log/checkpoint', 'no head could be read');
  }
  const verdict = report.verdict();
  const tapes = (run?.tapes ?? []).map((tape) => ({
    tape: tape.tape, custody: tape.custody, entry: tape.entry, frames: tape.count, saved_by_ms: tape.savedBy ?? null, entries: tape.chain.length,
  }));
  return {
    json: {
      ...verdict, pinned: run?.pinned ?? { checkpoint: false, recorder: false }, anchored_ms: run?.anchoredMs ?? null, whole_log: run?.wholeLog ?? false, tapes,
      checks: [...report.checks.values()], findings: report.findings, ...(report.more ? { more_findings: report.more } : {}),
    },
    ids: run?.comp ? [...new Set(run.comp.given.map((one) => one.tape))].sort() : [],
    run,
    report,
  };
}
