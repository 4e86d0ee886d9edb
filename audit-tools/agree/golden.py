#!/usr/bin/env python3
"""Makes the golden bundles of chapter 6 anew: golden.py FOLDER. Good ones, and ones with a single fault each, with the word that it has.

They come from the writer in the Python auditor's tests, whose keys are fixed: the same bytes each time."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "python"))
sys.dont_write_bytecode = True

import tapeaudit as audit  # noqa: E402
import test_bundles as made  # noqa: E402

GOOD = {"whole": {}, "search": {"query": True}, "one-frame": {"frames": [1, 1]}, "no-frames": {"frames": [7, 9]}, "closed-payloads": {"payloads": False},
        "closed-header-fields": {"closed_header": (10, 24)}}

# Cases of the tests in which nothing is wrong, though much is told.
TOLD = ["a span that ends with the log", "a refusal of the span, of a tape that is not given", "a tape withheld", "destroyed, by an entry"]
# Its finding is that of another, and what is missing is not.
ALSO = {"no paths"}


def file_of(part, name):
    return "%s/%s.tar" % (part, "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split()))


def bundle_of(name):
    hook, _, _, *options = made.CASES[name]
    return made.Bundle(hook, **(options[0] if options and options[0] else {}))


def judged(folder, name, raw):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(raw)
    options = audit.Options([audit.Pin(pin) for pin in made.PINS], audit.Witnesses(made.WITNESSES, None), [], None)
    report = audit.audit_bundle(path, options)
    return report, {"file": name, "verdict": report.verdict(), "exit": report.exit_code(), "words": report.words()}


def main():
    folder = sys.argv[1]
    for part in ("accept", "reject"):
        os.makedirs(os.path.join(folder, part), exist_ok=True)
        for old in os.listdir(os.path.join(folder, part)):
            os.remove(os.path.join(folder, part, old))
    accept, reject, seen = [], [], set()
    for name, options in GOOD.items():
        _, row = judged(folder, "accept/%s.tar" % name, made.Bundle(**options).tar())
        accept.append({**row, "fault": "none"})
    for name in TOLD:
        report, row = judged(folder, file_of("accept", name), bundle_of(name).tar())
        assert report.verdict() == made.CASES[name][1], name
        accept.append({**row, "fault": "none"})
    for name, (_, verdict, codes, *_) in made.CASES.items():
        # One of each kind of fault: the finding that it leads to, and the word.
        kind = (verdict, frozenset(codes))
        if kind in seen and name not in ALSO or audit.EXITS[verdict] in (0, 10):
            continue
        seen.add(kind)
        file = file_of("reject", name)
        report, row = judged(folder, file, bundle_of(name).tar())
        if report.verdict() != verdict:
            # What a folder shows and a tar file cannot.
            os.remove(os.path.join(folder, file))
            continue
        reject.append({**row, "fault": name})
    index = {"chapter": "6-evidence", "pub": made.PINS, "witness": made.WITNESSES, "accept": accept, "reject": reject}
    with open(os.path.join(folder, "index.json"), "w") as file:
        json.dump(index, file, indent=1)
        file.write("\n")
    print("%d good bundles, %d with a fault" % (len(accept), len(reject)))


if __name__ == "__main__":
    main()
