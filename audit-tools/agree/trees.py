#!/usr/bin/env python3
"""Published trees that were altered, and every verifier asked about each: no two may disagree on accept or refuse.

    trees.py [--seed N] [--cases N] --program PATH NAME=COMMAND [NAME=COMMAND ...]

The program at PATH makes a ledger of more entries than a tile holds, changes keys in it, and publishes it twice, with public halves and without; each
COMMAND answers batch mode (audit-tools/README.md). Exit 0 when the trees as they are want nothing but a witness, and all say the same of each altered one."""

import argparse
import base64
import collections
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from agree import Verifier, shown  # noqa: E402

# More than 256, so that there are whole tiles, and one above them.
LEAST_ENTRIES = 300
LINE = '{"jsonrpc":"2.0","method":"ping","id":%d}\n'


def make(program, home):
    """Two trees, each in an older state and a newer one; what is to be pinned."""
    at = [program, "-C", home + "/l", "--state-dir", home + "/s", "--config-dir", home + "/c", "--quiet"]

    def own(*words):
        return subprocess.run(at + list(words), check=True, stdout=subprocess.PIPE).stdout

    def publish(name):
        for kind, more in (("hashes", []), ("entries", ["--entries"])):
            folder = "%s/%s-%s" % (home, kind, name)
            if name == "newer":
                shutil.copytree("%s/%s-older" % (home, kind), folder)
            own("publish", folder, *more)

    def save(first, last):
        for n in range(first, last):
            with open(home + "/session.jsonl", "w") as file:
                file.write(LINE % n)
            own("save", home + "/session.jsonl")

    save(0, 12)
    own("key", "rotate", "recorder")
    publish("older")
    number = 12
    while True:
        save(number, number + 10)
        number += 10
        # Begin and end of each run are entries as well.
        if json.loads(own("status", "--json").splitlines()[0])["entries"] > LEAST_ENTRIES:
            break
    own("key", "rotate", "checkpoint")
    save(number, number + 2)
    publish("newer")
    listed = [json.loads(line) for line in own("key", "list", "--json").splitlines()]
    return {kind: ["%s/%s-%s" % (home, kind, name) for name in ("older", "newer")] for kind in ("hashes", "entries")}, listed


def named(name, key):
    """A verifier key, as C2SP signed-note has it."""
    raw = b"\x01" + key
    return "%s+%s+%s" % (name, hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8], base64.b64encode(raw).decode())


def files_of(folder):
    found = []
    for place, _, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(place, name), folder) for name in names if not os.path.islink(os.path.join(place, name))]
    return sorted(found)


def edit(rng, folder, older):
    """One edit of one file, by name."""
    names = files_of(folder)
    # As often a checkpoint as a tile, of which there are many.
    name = "checkpoint" if rng.random() < 0.25 and "checkpoint" in names else rng.choice(names)
    path = os.path.join(folder, name)
    how = rng.choice(("flip", "flip", "flip", "cut", "longer", "gone", "other", "older", "empty", "link", "folder"))
    with open(path, "rb") as file:
        raw = bytearray(file.read())
    if how == "flip" and raw:
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    elif how == "cut":
        del raw[rng.randrange(len(raw) + 1):]
    elif how == "longer":
        raw += rng.randbytes(rng.choice((1, 32, 64)))
    elif how == "other":
        with open(os.path.join(folder, rng.choice(names)), "rb") as file:
            raw = bytearray(file.read())
    elif how == "older":
        same = os.path.join(older, name)
        if os.path.exists(same):
            with open(same, "rb") as file:
                raw = bytearray(file.read())
    elif how == "empty":
        raw = bytearray()
    if how in ("gone", "link", "folder"):
        os.remove(path)
        if how == "link":
            os.symlink(os.path.join(older, "checkpoint"), path)
        elif how == "folder":
            os.mkdir(path)
    else:
        with open(path, "wb") as file:
            file.write(raw)
    return "%s %s" % (how, "checkpoint" if name == "checkpoint" else name.split("/")[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--program", required=True)
    parser.add_argument("--keep", help="folder that keeps what was made")
    parser.add_argument("verifiers", nargs="+", metavar="NAME=COMMAND")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else int.from_bytes(os.urandom(4), "big")
    print("seed %d" % seed, flush=True)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="trees-") as home:
        home = args.keep or home
        os.makedirs(home, exist_ok=True)
        trees, listed = make(args.program, home)
        public = {key["purpose"]: key["public"] for key in listed if key.get("in_use")}
        pins = [listed[-1]["verifier"], public["signs tapes"]]
        elsewhere = named("other.example/log", bytes.fromhex(public["signs heads"]))
        cases, edits = [], []
        for kind, (older, newer) in trees.items():
            cases.append({"n": len(cases), "kind": "tree", "path": newer, "pub": pins})
            edits.append("none")
        for n in range(args.cases):
            kind = rng.choice(list(trees))
            older, newer = trees[kind]
            folder = "%s/case-%d" % (home, n)
            shutil.copytree(newer, folder)
            edits.append(" and ".join("%s: %s" % (kind, edit(rng, folder, older)) for _ in range(rng.choice((1, 1, 1, 2)))))
            given = rng.choice((pins, pins, pins, pins[:1], [], [public["signs heads"], pins[1]], [elsewhere], pins + [elsewhere]))
            head = rng.choice(([], [], [older + "/checkpoint"], [newer + "/checkpoint"]))
            cases.append({"n": len(cases), "kind": "tree", "path": folder, "pub": given, "head": head})
        verifiers = [Verifier(*one.split("=", 1)) for one in args.verifiers]
        for verifier in verifiers:
            verifier.ask(cases)
        ends = [verifier.done() for verifier in verifiers]
        return judge(cases, edits, verifiers, ends)


def judge(cases, edits, verifiers, ends):
    wrong = sum(end != 0 or len(verifier.answers) != len(cases) for end, verifier in zip(ends, verifiers))
    apart, words_apart, said = 0, 0, collections.Counter()
    for case, how, *answers in zip(cases, edits, *(verifier.answers for verifier in verifiers)):
        is_wrong = how == "none" and any(answer.get("words") != ["not anchored"] for answer in answers)
        words_apart += len({answer.get("verdict") for answer in answers}) > 1
        said[answers[0].get("verdict")] += 1
        if is_wrong or any(shown(answer) != shown(answers[0]) or "error" in answer for answer in answers):
            apart += 1
            if apart <= 20:
                print("\n%s (%s)" % (how, case["path"]))
                for verifier, answer in zip(verifiers, answers):
                    print("  %-10s %s" % (verifier.name, json.dumps(answer)[:300]))
    print("what came out: %s" % ", ".join("%s %d" % pair for pair in sorted(said.items(), key=str)))
    print("%d refused by several words; %d trees, %d of them judged apart or wrongly among %s"
          % (words_apart, len(cases), apart, ", ".join(verifier.name for verifier in verifiers)))
    return 1 if wrong or apart or not said["altered"] or not said["missing"] else 0


if __name__ == "__main__":
    sys.exit(main())
