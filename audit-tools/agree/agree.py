#!/usr/bin/env python3
"""Do all verifiers say the same? Thousands of altered tapes, entries, notes, proofs and bundles are put to each of them in batch mode.

Half of what is altered is hashed and signed anew with test keys, so that the checks behind the first ones are reached. The bundles come from the
writer of the Python auditor's tests, every stage of which can be changed; single items from the same writer. A run is told by its seed.

    agree.py [--seed N] [--bundles N] [--items N] NAME=COMMAND [NAME=COMMAND ...]

Each COMMAND is one that answers batch mode (audit-tools/README.md). Exit 0 when nobody disagrees and every check was reached often enough, else 1."""

import argparse
import base64
import collections
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "python"))
sys.dont_write_bytecode = True

import tapeaudit as audit  # noqa: E402
import test_bundles as made  # noqa: E402
from test_tapeaudit import H, ORIGIN, cosignature, enc, keys_of, make_note, make_vkey, sign  # noqa: E402

NUMBERS = [0, 1, 2, 3, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1]
FLOOR = 20
# What is signed comes more often: half of all cases are to be hashed and signed anew.
KINDS = ["cbor", "frame", "header", "root", "manifest", "private", "entry", "entry"] + 3 * ["statement", "note", "receipt", "succession"] + 2 * ["proof", "fork"]
KEY = make_vkey(ORIGIN, keys_of("checkpoint")[1])
RECORDER, ISSUER = keys_of("recorder")[1].hex(), keys_of("issuer")[1].hex()


# One change somewhere in a value: the kind of thing that a hostile or broken writer would do.

def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, item in items:
        yield from places(item, path + (key,))


def taken(value, path):
    for key in path:
        value = value[key]
    return value


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy if not isinstance(value, tuple) else tuple(copy)


def altered_bytes(rng, raw):
    at = rng.randrange(len(raw) + 1)
    what = rng.randrange(7)
    if what == 0 and raw:
        at = min(at, len(raw) - 1)
        return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1:]
    if what == 1:
        return raw[:at]
    if what == 2:
        return raw[:at] + bytes([rng.randrange(256)]) + raw[at:]
    if what == 3:
        return raw[:at] + raw[at + 1 + rng.randrange(4):]
    if what == 4:
        return raw + bytes(rng.randrange(1, 3))
    if what == 5:
        return raw[:at] + raw[:at][-8:] + raw[at:]
    return bytes(len(raw))


def altered_leaf(rng, value):
    if isinstance(value, bool):
        return rng.choice([not value, 0, None])
    if isinstance(value, int):
        return rng.choice([value + 1, max(value - 1, 0), -1 - value, rng.choice(NUMBERS), None, bytes(1)])
    if isinstance(value, bytes):
        return rng.choice([altered_bytes(rng, value), altered_bytes(rng, value), altered_bytes(rng, value), value.hex(), 0])
    if isinstance(value, str):
        return rng.choice([value + "x", value[:-1], value.upper(), "", value.encode(), value + "\u202e", value + "\n"])
    return rng.choice([0, False, b"", "", []])


def altered_list(rng, value):
    copy, at, what = list(value), rng.randrange(len(value) + 1), rng.randrange(5)
    if what == 0 and copy:
        copy.pop(min(at, len(copy) - 1))
    elif what == 1 and copy:
        copy.insert(at, copy[min(at, len(copy) - 1)])
    elif what == 2 and len(copy) > 1:
        at = at % (len(copy) - 1)
        copy[at], copy[at + 1] = copy[at + 1], copy[at]
    elif what == 3:
        copy = []
    else:
        copy.insert(at, rng.choice([0, b"", None, []]))
    return copy


def altered_map(rng, value):
    copy, keys = dict(value), list(value)
    what = rng.randrange(4)
    if what == 0 and keys:
        copy.pop(rng.choice(keys))
    elif what == 1 and keys and isinstance(keys[0], int):
        copy[rng.choice([max(keys) + 1, 63, 64, -1, 2**63 - 1])] = rng.choice([0, b"", None])
    elif what == 2 and keys:
        key = rng.choice(keys)
        copy[key + 1 if isinstance(key, int) else key + "x"] = copy.pop(key)
    else:
        copy["x"] = 0
    return copy


def altered(rng, value):
    """The value with one change somewhere in it."""
    path = rng.choice(list(places(value)))
    old = taken(value, path)
    change = altered_map if isinstance(old, dict) else altered_list if isinstance(old, (list, tuple)) else altered_leaf
    return replaced(value, path, change(rng, old))


def altered_text(rng, raw):
    """The bytes of a text with one change in a line, or of its lines."""
    if rng.random() < 0.4:
        return altered_bytes(rng, raw)
    return b"\n".join(line if isinstance(line, bytes) else b"?" for line in altered_list(rng, raw.split(b"\n")))


# Single items: what the writer makes, and what of it can be signed again.

def statement_of(items):
    return b"\xd2" + enc(items)


def signed_again(items, seed, external=b""):
    protected, payload = items[0], items[2]
    return items[:3] + [sign(seed, enc(["Signature1", protected, external, payload]))]


def samples(bundle):
    """kind -> list of values whose encodings are good."""
    decode, tape = audit.cbor_decode, "data/tapes/%s/" % bundle.id
    halves = [{number: decode(value) for number, _, value in opened[1]} for opened in bundle.opened if opened and opened[1]]
    frames = [{**bundle.frames[seq][0], 5: bundle.frames[seq][1]} for seq in range(len(bundle.frames))]
    return {
        "cbor": [["immutape/example/1", 500, b"\1\2", {1: True, "a": None}], {0: [1, [2, [3]]], 1: "text", -1: b""}],
        "frame": [dict(sorted(frame.items())) for frame in frames] + [{0: 7, 1: 5, 2: 6, 3: 8, 4: 3, 5: b"", 6: 5, 7: b"t", 11: 1 << 12, 13: [[b"n", b"1"]]}],
        "header": [bundle.tape_a["header"], {**bundle.tape_a["header"], 18: [[0, 1, 2]], 27: {0: [[b"ping", 1]], 2: [[-32601, 2]], 3: 1}}],
        "root": [decode(bundle.tape_a["root"])],
        "manifest": [decode(bundle.tape_a["manifest"])],
        "private": halves + [{0: [0, b"ann", 0], 8: [0, 2], 12: [5, 6, bytes(16)], 22: [[0, [1, 0, 0], None, 9, None]], 30: [bytes(32), bytes(32)], 34: 7}],
        "entry": [decode(raw) for raw in bundle.entries] + people(decode),
    }


def people(decode):
    """Golden entries about people, which no bundle has."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "4-commit", "accept")
    found = []
    for name in sorted(os.listdir(folder)):
        if name.startswith(("actor-", "role-", "genesis-founders")):
            with open(os.path.join(folder, name), "rb") as file:
                found.append(decode(file.read()))
    return found


def item_case(rng, bundle, pool, n):
    """One question about a single item, and what was done to it."""
    # By turns, not by chance: the floor is reached whatever the seed.
    kind = KINDS[n % len(KINDS)]
    case = {"n": n, "kind": kind}
    if kind in pool:
        value = rng.choice(pool[kind])
        if n // len(KINDS) % 5 == 0:
            return {**case, "hex": altered_bytes(rng, enc(value)).hex()}, (kind, "bytes")
        return {**case, "hex": enc(altered(rng, value)).hex()}, (kind, "structure")
    return {"statement": statement_case, "receipt": receipt_case, "note": note_case, "proof": proof_case, "fork": fork_case,
            "succession": succession_case}[kind](rng, bundle, case)


def statement_case(rng, bundle, case):
    items = audit.cbor_decode(bundle.statement_a[1:])
    if rng.random() < 0.85:
        if rng.random() < 0.8:
            items[0] = enc(altered(rng, audit.cbor_decode(items[0])))
        else:
            items[2] = altered_bytes(rng, items[2])
        raw, how = statement_of(signed_again(items, keys_of("recorder")[0])), "signed"
    else:
        raw, how = statement_of(altered(rng, items)), "structure"
    return {**case, "hex": raw.hex(), "key": RECORDER}, ("statement", how)


def receipt_case(rng, bundle, case):
    raw = bundle.files["data/tapes/%s/receipt.cose" % bundle.id]
    items = audit.cbor_decode(raw[1:])
    leaf, root = H(b"\0" + bundle.entries[4]), made.root_by_recursion(bundle.entries)
    how = "signed"
    if rng.random() < 0.6:
        items[0] = enc(altered(rng, audit.cbor_decode(items[0])))
        items[3] = sign(keys_of("issuer")[0], enc(["Signature1", items[0], b"", root]))
    elif rng.random() < 0.5:
        proof = altered(rng, audit.cbor_decode(items[1][396][-1][0]))
        items[1] = {396: {-1: [enc(proof)]}}
    else:
        items, how = altered(rng, items), "structure"
    return {**case, "hex": statement_of(items).hex(), "key": ISSUER, "leaf": leaf.hex()}, ("receipt", how)


def text(raw):
    return raw.decode("utf-8", "replace")


def note_text(rng, size, root):
    lines = [ORIGIN, str(size), base64.b64encode(root).decode()]
    lines[1] = rng.choice([lines[1], str(size + 1), "0", "-1", "00", "0" + lines[1], str(2**64), "x", " 3"])
    if rng.random() < 0.3:
        lines[2] = rng.choice([lines[2][:-2], base64.b64encode(bytes(31)).decode(), base64.b64encode(bytes(32)).decode(), lines[2] + "=", ""])
    if rng.random() < 0.2:
        lines = [line if isinstance(line, str) else "?" for line in altered_list(rng, lines)]
    if rng.random() < 0.2:
        lines[0] = rng.choice([ORIGIN + " ", "other.example", "", ORIGIN.upper()]) if lines else "x"
    return "\n".join(lines) + "\n"


def note_case(rng, bundle, case):
    if rng.random() < 0.85:
        changed = note_text(rng, len(bundle.entries), made.root_by_recursion(bundle.entries))
        note, how = make_note(changed, keys_of("checkpoint")[0], ORIGIN), "signed"
        if rng.random() < 0.3:
            note += altered_text(rng, cosignature(bundle.note.split(b"\n\n")[0] + b"\n\n", "w1", 1_700_000_000))
    else:
        note, how = altered_text(rng, make_note("%s\n3\n%s\n" % (ORIGIN, base64.b64encode(H(b"x")).decode()), keys_of("checkpoint")[0], ORIGIN)), "text"
    return {**case, "text": text(note), "key": KEY}, ("note", how)


def proof_case(rng, bundle, case):
    entries = bundle.entries
    note = make_note("%s\n%d\n%s\n" % (ORIGIN, len(entries), base64.b64encode(made.root_by_recursion(entries)).decode()), keys_of("checkpoint")[0], ORIGIN)
    index = rng.randrange(len(entries))
    path, extra, at = made.inclusion(index, entries), entries[index], index
    how = rng.choice(["path", "extra", "index", "text", "head", "head"])
    if how == "path":
        path = [part if isinstance(part, bytes) else b"" for part in altered_list(rng, path)]
    elif how == "extra":
        extra = enc(altered(rng, audit.cbor_decode(extra)))
    elif how == "index":
        at = rng.choice([index + 1, 0, len(entries), 2**64])
    elif how == "head":
        note = make_note(note_text(rng, len(entries), made.root_by_recursion(entries)), keys_of("checkpoint")[0], ORIGIN)
    lines = ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(extra).decode(), "index %d" % at] + [base64.b64encode(part).decode() for part in path]
    raw = ("\n".join(lines) + "\n\n").encode() + note
    return {**case, "text": text(altered_text(rng, raw) if how == "text" else raw), "key": KEY}, ("proof", "signed" if how == "head" else how)


def fork_case(rng, bundle, case):
    one, other = bundle.entries[:6], bundle.entries[:4] + [b"other"] + bundle.entries[5:rng.choice([6, 8])]
    if rng.random() < 0.3:
        other = list(bundle.entries[:8])
    if rng.random() < 0.3:
        one = one[:rng.randrange(1, 6)]

    def head(entries):
        return make_note("%s\n%d\n%s\n" % (ORIGIN, len(entries), base64.b64encode(made.root_by_recursion(entries)).decode()), keys_of("checkpoint")[0], ORIGIN)
    lines = ["immutape/fork/1"]
    if len(other) != len(one):
        lines += ["root " + base64.b64encode(made.root_by_recursion(other[:len(one)])).decode()]
        lines += [base64.b64encode(part).decode() for part in made.consistency(len(one), other)]
    raw = ("\n".join(lines) + "\n\n").encode() + head(one) + b"\n" + head(other)
    how = rng.choice(["as it is", "text", "text"])
    return {**case, "text": text(raw if how == "as it is" else altered_text(rng, raw)), "key": KEY}, ("fork", "signed" if how == "as it is" else how)


def succession_case(rng, bundle, case):
    old = "old.example/" + "11" * 16
    lines = ["immutape/succession/1", "old " + make_vkey(old, keys_of("checkpoint")[1]), "head 7 " + base64.b64encode(H(b"head")).decode(),
             "new " + make_vkey(ORIGIN, keys_of("checkpoint", 1)[1]), "ledger " + H(b"genesis").hex(), rng.choice(["lost 7 -", "lost 7 9", "lost 9 7", "lost 0 0"])]
    how = rng.choice(["signed", "signed", "signed", "text"])
    if how == "signed":
        at = rng.randrange(len(lines))
        lines[at] = text(altered_text(rng, lines[at].encode())).replace("\n", " ")
    content = "\n".join(lines) + "\n"
    note = make_note(content, keys_of("checkpoint", 1)[0], ORIGIN)
    if rng.random() < 0.5:
        note += make_note(content, keys_of("checkpoint")[0], old).split(b"\n\n")[1]
    return {**case, "text": text(note if how == "signed" else altered_text(rng, note))}, ("succession", how)


# Bundles.

STAGES = ["frame", "frames", "header", "root", "manifest", "protected", "row", "entry", "mark", "member", "cosigned", "stamped", "completeness", "completeness",
          "completeness", "chosen", "item", "paths", "frame_item", "frame_paths", "shown", "consistency", "cosignatures", "manifest_lines", "more"]
MORE = [(7, bytes(32), {0: 2, 1: 0}), (11, bytes(32), {0: 3, 1: 1, 2: bytes(32)}), (16, H(b"more"), {0: b"\xd2", 1: bytes(16)}),
        (35, bytes(32), {0: bytes(32), 1: 0, 2: 1}), (40, bytes(32), {0: 32, 1: 50}), (88, H(b"more"), {}),
        (128, bytes(32), {0: b"", 1: [], 2: False}), (130, bytes(32), {0: 2, 1: bytes(32), 2: 0}), (166, bytes(32), {0: bytes(16), 1: bytes(32)}),
        (32769, bytes(32), {0: 2, 1: bytes(32), 2: bytes(32), 3: bytes(64)}), (32770, bytes(32), {0: 1, 1: bytes(32), 2: 3, 3: 1}),
        (32771, bytes(32), {0: ["x"]}), (40000, bytes(32), {}), (999, bytes(32), {})]
OPTIONS = [{}, {}, {"query": True}, {"frames": [1, 1]}, {"frames": [2, 9]}, {"payloads": False}, {"closed_header": (10, 24)}]


TOUCHED = ["COMPLETENESS.json", "entries.cbor", "log/checkpoint", "log/paths.cbor", "root.cbor", "header.cbor", "manifest.cbor", "statement.cose", "frames.cbor",
           "frames-paths.cbor", "saved.tlog-proof", "evidence.tlog-proof", "receipt.cose", ".note", ".tst", "keys/", "custody.", "tar", "tar"]


def remade(rng, n):
    """A bundle with one stage changed and everything behind it hashed and signed anew."""
    if n % 3 == 0:
        name = rng.choice(sorted(made.CASES))
        case = made.CASES[name]
        options = case[3] if len(case) > 3 and case[3] else {}
        return made.Bundle(case[0], **options).tar(), "case"
    stage, options, turn = STAGES[n // 3 % len(STAGES)], rng.choice(OPTIONS), rng.randrange(4)
    raw, calls = staged(rng, stage, options, turn)
    if calls <= turn:
        # It is not called so often; a stage that is not called at all leaves nothing to change.
        raw, _ = staged(rng, stage, options, turn % calls)
    return raw, stage


def staged(rng, stage, options, turn):
    """The tar file of a bundle whose stage is changed at one of its calls, and how many calls there were until then."""
    calls = 0

    def hook(name, value, **place):
        nonlocal calls
        if name != stage:
            return value
        calls += 1
        if calls != turn + 1:
            return value
        # Entries that are there besides: each with one change, for none is no value to change.
        new = [altered(rng, rng.choice(MORE))] if stage == "more" else altered(rng, value)
        # A change that changes nothing is no case.
        assert repr(new) != repr(value)
        return new
    return made.Bundle(hook, **options).tar(), calls


def touched(rng, n):
    """A bundle of which one file is other than it was made; most often the bag is made anew around it, so that digests fit."""
    bundle, what = made.Bundle(**rng.choice(OPTIONS)), TOUCHED[n % len(TOUCHED)]
    if what == "tar":
        return altered_bytes(rng, bundle.tar()), what
    path, turn = rng.choice([path for path in sorted(bundle.files) if what in path]), rng.randrange(10)
    if turn < 8:
        change = altered_bytes if rng.random() < 0.6 else altered_text
        bundle.files[path] = change(rng, bundle.files[path])
    elif turn == 8:
        del bundle.files[path]
    else:
        bundle.files[rng.choice(["data/extra", path + "x", "data/time/9.note", "data/tapes/%s/root.cbor" % ("0" * 64)])] = b"x"
    return bundle.tar(), what


def bundle_case(rng, folder, first, n):
    while True:
        try:
            if n % 10 < 7:
                group = "remade"
                raw, how = remade(rng, n // 10 * 7 + n % 10)
            else:
                group = "touched"
                raw, how = touched(rng, n // 10 * 3 + n % 10 - 7)
            break
        except (AssertionError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, StopIteration, RecursionError, ZeroDivisionError):
            # The change left nothing that could be written down.
            continue
    n += first
    place = os.path.join(folder, "%d.tar" % n)
    with open(place, "wb") as file:
        file.write(raw)
    case = {"n": n, "kind": "bundle", "path": place, "pub": made.PINS, "witness": made.WITNESSES}
    if rng.random() < 0.1:
        case.pop("witness")
    if rng.random() < 0.1:
        case["pub"] = case["pub"][:1]
    return case, (group, how)


# The verifiers.

class Verifier:
    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answers = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.answers.append(json.loads(line))

    def ask(self, cases):
        def write():
            for case in cases:
                self.process.stdin.write(json.dumps(case).encode() + b"\n")
            self.process.stdin.close()
        self.writer = threading.Thread(target=write)
        self.writer.start()

    def done(self):
        self.writer.join()
        self.reader.join()
        return self.process.wait()


def shown(answer):
    """What has to be the same. A bundle that is refused is refused by all, with exit code 3 or 1; of one that is broken in several places
    the first word depends on how far each could read, so words are compared where nothing is broken (and, one fault at a time, over the
    golden files)."""
    if "verdict" in answer:
        keys = ("exit", "ids") if answer.get("exit") == 3 else ("exit", "ids", "verdict", "words")
        return {key: answer.get(key) for key in keys}
    return {"accept": answer.get("accept"), "id": answer.get("id") if answer.get("accept") else None}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--bundles", type=int, default=1_800)
    parser.add_argument("--items", type=int, default=3_600)
    parser.add_argument("--keep", help="folder that keeps what was made")
    parser.add_argument("--golden", help="folder of golden bundles: what its index.json says, word by word, instead of altered ones")
    parser.add_argument("verifier", nargs="+")
    args = parser.parse_args()
    if args.golden:
        return golden(args.golden, [Verifier(*one.split("=", 1)) for one in args.verifier])
    seed = args.seed if args.seed is not None else int.from_bytes(os.urandom(4), "big")
    print("seed %d" % seed, flush=True)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = args.keep or folder
        os.makedirs(folder, exist_ok=True)
        good = made.Bundle()
        pool = samples(good)
        cases = []
        while len(cases) < args.items:
            try:
                cases.append(item_case(rng, good, pool, len(cases)))
            except (ValueError, TypeError, KeyError, IndexError, AssertionError, AttributeError, OverflowError):
                continue
        cases += [bundle_case(rng, folder, args.items, n) for n in range(args.bundles)]
        verifiers = [Verifier(*one.split("=", 1)) for one in args.verifier]
        for verifier in verifiers:
            verifier.ask([case for case, _ in cases])
        ends = {verifier.name: verifier.done() for verifier in verifiers}
        return judge(cases, verifiers, ends)


def golden(folder, verifiers):
    """Each verifier gives each golden bundle the word and the exit code that its index says."""
    with open(os.path.join(folder, "index.json")) as file:
        index = json.load(file)
    wanted = index["accept"] + index["reject"]
    pins = {"pub": index["pub"], "witness": index["witness"]}
    for verifier in verifiers:
        verifier.ask([{"n": n, "kind": "bundle", "path": os.path.join(folder, one["file"]), **pins} for n, one in enumerate(wanted)])
    wrong = 0
    for verifier in verifiers:
        end = verifier.done()
        wrong += end != 0 or len(verifier.answers) != len(wanted)
        for one, answer in zip(wanted, verifier.answers):
            # Of what is broken the first word says what; how many others follow depends on how far each could read.
            keys = ("verdict", "exit") if one["exit"] == 3 else ("verdict", "exit", "words")
            if any(answer.get(key) != one[key] for key in keys):
                wrong += 1
                print("%s of %s (%s): %s instead of %s" % (verifier.name, one["file"], one["fault"], json.dumps(answer), one["words"]))
    print("%d golden bundles, %d verifiers, %d wrong" % (len(wanted), len(verifiers), wrong))
    return 1 if wrong or not wanted else 0


def judge(cases, verifiers, ends):
    failed = False
    for verifier in verifiers:
        if len(verifier.answers) != len(cases) or ends[verifier.name] != 0:
            print("%s answered %d of %d, and ended with %s" % (verifier.name, len(verifier.answers), len(cases), ends[verifier.name]))
            failed = True
    # Every stage is named, also one that never came.
    checks, verdicts, again, apart, words_apart = collections.Counter({"bundle, remade: %s" % stage: 0 for stage in STAGES}), collections.Counter(), 0, 0, 0
    for (case, (group, how)), *answers in zip(cases, *(verifier.answers for verifier in verifiers)):
        said = [shown(answer) for answer in answers]
        checks["%s: %s" % (case["kind"] if case["kind"] != "bundle" else "bundle, " + group, how)] += 1
        verdicts["%s: %s" % (case["kind"], answers[0].get("verdict") or ("accepted" if said[0]["accept"] else "refused"))] += 1
        again += how == "signed" or group == "remade"
        words_apart += len({answer.get("verdict") for answer in answers}) > 1
        if any(answer.get("n") != case["n"] or "error" in answer for answer in answers) or any(one != said[0] for one in said):
            apart += 1
            if apart <= 40:
                print("\nthey disagree on %s (%s, %s)" % (json.dumps(case)[:600], group, how))
                for verifier, answer in zip(verifiers, answers):
                    print("  %-10s %s" % (verifier.name, json.dumps(answer)[:400]))
    print("\nwhat was altered")
    for name, count in sorted(checks.items()):
        print("  %5d  %s" % (count, name))
    print("what came out")
    for name, count in sorted(verdicts.items()):
        print("  %5d  %s" % (count, name))
    print("%d bundles that are broken in several places were called by several words" % words_apart)
    print("%d cases, %d of them hashed and signed anew; %d disagreements among %s" % (len(cases), again, apart, ", ".join(verifier.name for verifier in verifiers)))
    few = {name: count for name, count in checks.items() if count < FLOOR and name.count(":") and len(cases) >= 5_000}
    if few:
        print("reached too seldom: %s" % few)
    if again * 2 < len(cases):
        print("too few were hashed and signed anew")
    return 1 if failed or apart or few or again * 2 < len(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
