#!/usr/bin/env python3
"""Tests of tapeaudit.py on bundles, published trees and in batch mode: python3 -m unittest (standard library only).

The bundles are made here from docs/format, by code that shares nothing with the auditor. Every stage can be changed on its way, and
what hangs on it is hashed and signed anew: so each check is reached by a bundle that is wrong in nothing else."""

import base64
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import tapeaudit as audit
from test_tapeaudit import (ORIGIN, ROLES, ROOT, ZERO, H, cosignature, enc, junk, keys_of, make_note, make_token, make_vkey,
                            public_key, root_by_recursion, sign, thumb, witness_key, STAMP_MS)

HERE = os.path.dirname(os.path.abspath(__file__))
T0 = 1_700_000_000_000
A, B = H(b"custody of tape A"), H(b"custody of tape B")
BUNDLE = bytes(range(16))


# Trees, as RFC 6962 defines them by recursion over the data of the leaves.

def split(count):
    return 1 << (count - 1).bit_length() - 1


def inclusion(index, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return inclusion(index, leaves[:k]) + [root_by_recursion(leaves[k:])]
    return inclusion(index - k, leaves[k:]) + [root_by_recursion(leaves[:k])]


def consistency(old, leaves, whole=True):
    if old == len(leaves):
        return [] if whole else [root_by_recursion(leaves)]
    k = split(len(leaves))
    if old <= k:
        return consistency(old, leaves[:k], whole) + [root_by_recursion(leaves[k:])]
    return consistency(old - k, leaves[k:], False) + [root_by_recursion(leaves[:k])]


def set_proof(known, leaves, at=0):
    if not leaves:
        return []
    if not any(at <= index < at + len(leaves) for index in known):
        return [root_by_recursion(leaves)]
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    return set_proof(known, leaves[:k], at) + set_proof(known, leaves[k:], at + k)


# Private fields, 1.5. Salts are free here: no key is kept from which they would have to come.

def fields_of(label, values, *place):
    salts = {number: junk(label, number, *place) for number in values}
    digests = [[number, H(b"\x84" + enc(label) + enc(number) + enc(salts[number]) + enc(value))] for number, value in values.items()]
    return H(enc([label + "/set"] + digests)), digests, salts


def opened_of(label, values, closed, *place):
    _, digests, salts = fields_of(label, values, *place)
    return [digests, [[number, salts[number], enc(value)] for number, value in values.items() if number not in closed]]


class Bundle:
    """One ledger of a few entries and the bundle about its tape A. `hook(name, value, **place)` may change any stage."""

    def __init__(self, hook=None, **options):
        self.hook = hook or (lambda name, value, **place: value)
        self.options = options
        self.entries, self.private, self.subjects, self.opened, self.extra = [], [], {}, [], {}
        self.signing = dict.fromkeys(ROLES, 0)
        self.frames = self.hook("frames", [self.frame(seq) for seq in range(3)])
        self.leaves = [enc(["immutape/frame/1", seq] + self.frame_digests(seq)) for seq in range(len(self.frames))]
        self.log()
        self.files = self.hook("files", self.payload())

    # A tape

    def frame(self, seq):
        envelope = {0: seq, 1: seq * 1000, 3: 0, 4: seq % 2, 6: 1}
        return self.hook("frame", [envelope, b'{"id":%d}' % seq], seq=seq)

    def frame_part(self, seq, which):
        value = self.frames[seq][which]
        return junk("frame", seq, which), enc(value) if which == 0 else value

    def frame_digests(self, seq):
        return [H(enc(["immutape/frame/1/" + what, seq, *self.frame_part(seq, which)])) for which, what in enumerate(("envelope", "payload"))]

    def tape(self, custody, leaves):
        header = self.hook("header", {0: 1, 1: 0, 10: {0: b"name"}, 11: {n: len(leaves) if n == 0 else 0 for n in range(10)}, 12: [0], 16: "draft",
                                      24: "default"}, custody=custody)
        commitment, _, _ = fields_of("immutape/header/1", header, custody)
        root = self.hook("root", ["immutape/tape/1", commitment, len(leaves), root_by_recursion(leaves)], custody=custody)
        root = enc(root)
        objects = [[junk("object", n), 97] for n in range(2)]
        manifest = enc(self.hook("manifest", ["immutape/manifest/1", custody, root, objects], custody=custody))
        return dict(header=header, root=root, id=H(root), manifest=manifest)

    def statement(self, tape, custody):
        protected = self.hook("protected", {
            1: -8, 4: thumb(keys_of("recorder")[1]), 15: {1: ORIGIN, 2: "sha256:" + tape["id"].hex()}, 258: -16,
            259: "application/vnd.immutape.tape-root+cbor", "ledger": H(b"\0" + self.entries[0]), "custody": custody, "manifest": H(tape["manifest"])},
            custody=custody)
        raw = enc(protected)
        seed = self.hook("recorder", keys_of("recorder")[0], custody=custody)
        return b"\xd2" + enc([raw, {}, tape["id"], sign(seed, enc(["Signature1", raw, b"", tape["id"]]))])

    # The log

    def say(self, kind, subject, body, private=None, closed=(), extra=None):
        index = len(self.entries)
        kind, subject, body, private, closed = self.hook("row", (kind, subject, body, private or {}, closed), index=index)
        private = {0: [0, b"alice", 0], 10: 0, **private}
        private = dict(sorted(private.items()))
        commitment, _, _ = fields_of("immutape/private/1", private, index)
        seq, before = self.subjects.get(subject, (0, ZERO))
        items = ["immutape/entry/1", index, H(b"\0" + self.entries[-1]) if self.entries else ZERO, T0 + index, kind, subject, seq, before,
                 commitment, junk("sealed", index), bytes(16), body]
        raw = enc(self.hook("entry", items, index=index))
        self.entries.append(raw)
        self.subjects[subject] = (seq + 1, H(b"\0" + raw))
        self.opened.append(None if closed is None else opened_of("immutape/private/1", private, closed, index))
        self.extra[index] = extra or {}

    def head(self, size=None, number=None):
        size = len(self.entries) if size is None else size
        root = self.hook("head_root", root_by_recursion(self.entries[:size]), size=size)
        text = "%s\n%d\n%s\n" % (ORIGIN, size, base64.b64encode(root).decode())
        seed = self.hook("head_seed", keys_of("checkpoint", self.signing["checkpoint"] if number is None else number)[0], size=size)
        return make_note(text, seed, ORIGIN)

    def rotate(self, role="checkpoint"):
        number = self.signing[role] + 1
        seed, public = keys_of(role, number)
        following = thumb(keys_of(role, number + 1)[1])
        proof = sign(seed, enc(["immutape/key/1", ORIGIN, ROLES.index(role), public, following]))
        self.say(32769, ZERO, {0: ROLES.index(role), 1: public, 2: following, 3: proof})
        self.signing[role] = number

    def log(self):
        keys = {role: keys_of(role)[1] for role in ROLES}
        self.say(0, ZERO, {0: 1, 1: ORIGIN, 2: keys["checkpoint"], 3: keys["recorder"], 4: keys["issuer"],
                           5: [thumb(keys_of(role, 1)[1]) for role in ROLES], 6: "personal", 7: "local-operator", 8: False})
        self.say(1, ZERO, {0: 1})
        self.tape_a, self.tape_b = self.tape(A, self.leaves), self.tape(B, self.leaves[:1])
        self.id = self.tape_a["id"].hex()
        self.say(18, A, {0: bytes(16)})
        self.say(19, A, self.hook("mark", {0: 2, 1: root_by_recursion(self.leaves[:2])}))
        self.statement_a = self.statement(self.tape_a, A)
        self.say(16, A, {0: self.statement_a, 1: bytes(16)})
        self.say(16, B, {0: self.statement(self.tape_b, B), 1: bytes(16)}, closed=None)
        self.say(32, A, {})
        self.say(33, A, {0: 6})
        salt, ids = junk("set salt"), sorted([A, B])
        own = [H(enc(["immutape/set/1/salt", salt, custody])) for custody in ids]
        members = [H(enc(["immutape/set/1", mine, custody])) for mine, custody in zip(own, ids)]
        place = ids.index(A)
        member = self.hook("member", [A, own[place], place, inclusion(place, members)])
        self.say(34, ZERO, {0: root_by_recursion(members), 1: 2, 2: 8}, {19: b"".join(ids), 31: salt}, closed=(19, 31), extra={0: [member]})
        self.say(40, ZERO, {0: 32, 1: 50}, {18: b"tape A"})
        note = self.head()
        witnesses = self.hook("entry_witnesses", ["w1", "w2"])
        cosigned = note + b"".join(cosignature(note, name, T0 // 1000 + 60) for name in witnesses)
        self.say(128, ZERO, self.hook("cosigned", {0: cosigned, 1: [witness_key(name) for name in witnesses], 2: True}))
        note = self.head()
        self.say(129, ZERO, self.hook("stamped", {0: note, 1: make_token(H(note)), 2: STAMP_MS}))
        self.rotate()
        for row in self.hook("more", []):
            self.say(*row)
        self.log_size = len(self.entries)
        self.completeness = self.hook("completeness_raw", json.dumps(self.hook("completeness", self.account())).encode())
        exported = [junk("export"), H(self.completeness)]
        self.made = len(self.entries)
        self.say(163, A, {0: BUNDLE, 1: H(enc(["immutape/export/1", *exported])), 2: 1}, {30: exported})
        for row in self.hook("after", []):
            self.say(*row)

    def item(self, **more):
        return {"tape": self.id, "custody": A.hex(), "entry": 4, **more}

    def account(self):
        asked = self.options.get("frames")
        first, last = asked or (0, len(self.frames) - 1)
        last = min(last, len(self.frames) - 1)
        opened = [first, last] if first <= last else None
        payloads, closed = self.options.get("payloads", True), self.options.get("closed_header", ())
        withheld = []
        if opened != [0, len(self.frames) - 1]:
            withheld.append(self.item(what="frames", fields=[], why="not asked for"))
        if not payloads and opened:
            withheld.append(self.item(what="payloads", fields=[], why="closed"))
        if closed:
            withheld.append(self.item(what="header", fields=list(closed), why="closed"))
        self.shown = opened
        query = {"query": "name", "sealed_ms": [T0 + 4, T0 + 4]}
        return {
            "format": "immutape/completeness/1", "bundle": BUNDLE.hex(), "origin": ORIGIN, "ledger": H(b"\0" + self.entries[0]).hex(), "made_ms": T0 + 50,
            "log_size": self.log_size, "authority": "a court", "recipient": None, "expires_ms": None,
            "asked": query if self.options.get("query") else {"ids": [self.id]}, "frames": asked, "payloads": payloads,
            "span": [3, 5] if self.options.get("query") else None,
            "given": [self.item(frames=len(self.frames), opened=opened)], "withheld": withheld, "destroyed": [], "out_of_scope": []}

    # The payload

    def payload(self):
        size, root = len(self.entries), root_by_recursion(self.entries)
        note = self.head()
        self.note = note + b"".join(self.hook("cosignatures", [cosignature(note, "w1", T0 // 1000 + 100), cosignature(note, "w2", T0 // 1000 + 200)]))
        given = "tapes/%s/" % self.id
        chosen = [index for index in range(size) if index != 1 and (self.options.get("query") or index != 5)]
        chosen = self.hook("chosen", chosen)
        files = {"COMPLETENESS.json": self.completeness, "log/checkpoint": self.note,
                 "entries.cbor": b"".join(enc(self.hook("item", self.entry_item(index), index=index)) for index in chosen),
                 "log/paths.cbor": enc(self.hook("paths", set_proof(chosen, self.entries))),
                 given + "root.cbor": self.tape_a["root"], given + "manifest.cbor": self.tape_a["manifest"], given + "statement.cose": self.statement_a,
                 given + "header.cbor": enc(opened_of("immutape/header/1", self.tape_a["header"], self.options.get("closed_header", ()), A)),
                 given + "saved.tlog-proof": self.proof(4), given + "evidence.tlog-proof": self.proof(self.made), given + "receipt.cose": self.receipt(4, size, root),
                 "custody.html": b"<p>custody", "custody.json": b"{}", "VERIFY.txt": b"see docs"}
        shown = range(self.shown[0], self.shown[1] + 1) if self.shown else ()
        shown = self.hook("shown", list(shown))
        files[given + "frames.cbor"] = b"".join(enc(self.hook("frame_item", self.frame_item(seq), seq=seq)) for seq in shown)
        files[given + "frames-paths.cbor"] = enc(self.hook("frame_paths", set_proof(shown, self.leaves)))
        for index in chosen:
            items = audit.cbor_decode(self.entries[index])
            if items[4] == 129:
                files["time/%d.note" % index], files["time/%d.tst" % index] = items[11][0], items[11][1]
            for role in range(3):
                if items[4] == 0 or items[4] == 32769 and items[11][0] == role:
                    self.key_files(files, role, index, items[11][2 + role] if items[4] == 0 else items[11][1])
        return {"data/" + path: data for path, data in files.items()}

    def key_files(self, files, role, index, key):
        der = bytes.fromhex("302a300506032b6570032100") + key
        files["keys/%s-%d.pem" % (ROLES[role], index)] = b"-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n" % base64.b64encode(der)
        if role == 0:
            files["keys/checkpoint-%d.vkey" % index] = (make_vkey(ORIGIN, key) + "\n").encode()

    def entry_item(self, index):
        extra = dict(self.extra[index])
        items = audit.cbor_decode(self.entries[index])
        if items[4] in (128, 129):
            kept = int(items[11][0].split(b"\n")[1])
            extra[1] = self.hook("consistency", consistency(kept, self.entries), index=index)
        return [self.entries[index], self.opened[index], extra]

    def frame_item(self, seq):
        payload = list(self.frame_part(seq, 1)) if self.options.get("payloads", True) else self.frame_digests(seq)[1]
        return [seq, list(self.frame_part(seq, 0)), payload]

    def proof(self, index):
        lines = ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(self.entries[index]).decode(), "index %d" % index]
        lines += [base64.b64encode(part).decode() for part in inclusion(index, self.entries)]
        return ("\n".join(lines) + "\n\n").encode() + self.note

    def receipt(self, index, size, root):
        seed, public = keys_of("issuer")
        protected = enc({1: -8, 4: thumb(public), 15: {1: ORIGIN, 2: A.hex()}, 395: 1})
        proof = enc([size, index, inclusion(index, self.entries)])
        return b"\xd2" + enc([protected, {396: {-1: [proof]}}, None, sign(seed, enc(["Signature1", protected, b"", root]))])

    # The bag

    def bag(self):
        hook, files = self.hook, self.files
        lines = hook("manifest_lines", ["%s  %s\n" % (H(files[path]).hex(), path) for path in sorted(files, key=str.encode)])
        tags = {"bagit.txt": hook("bagit", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"),
                "bag-info.txt": hook("info", b"Source-Organization: somebody\nPayload-Oxum: %d.%d\n" % (sum(map(len, files.values())), len(files))),
                "manifest-sha256.txt": "".join(lines).encode()}
        names = hook("tag_names", ["bag-info.txt", "bagit.txt", "manifest-sha256.txt"])
        tags["tagmanifest-sha256.txt"] = "".join("%s  %s\n" % (H(tags[name]).hex(), name) for name in names).encode()
        return hook("bag", {**tags, **{path: files[path] for path in sorted(files, key=str.encode)}})

    def write_folder(self, folder):
        for path, data in self.bag().items():
            place = os.path.join(folder, path)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as file:
                file.write(data)
        return folder

    def tar(self):
        return self.hook("tar", b"".join(self.hook("member_file", tar_header(path, len(data)) + data + bytes(-len(data) % 512), path=path)
                                         for path, data in self.bag().items()) + bytes(1024))


def tar_header(path, length, change=lambda fields: fields):
    fields = change(dict(name=path.encode(), mode=b"0000644\0", uid=b"0000000\0", gid=b"0000000\0", size=b"%011o\0" % length, mtime=b"%011o\0" % 1_700_000_000,
                         type=b"0", link=b"", magic=b"ustar\x0000", user=b"", group=b"", major=b"", minor=b"", prefix=b"bag"))
    widths = dict(name=100, mode=8, uid=8, gid=8, size=12, mtime=12, sum=8, type=1, link=100, magic=8, user=32, group=32, major=8, minor=8, prefix=155)
    fields = {name: fields.get(name, b" " * 8) for name in widths}
    raw = b"".join(fields[name].ljust(width, b"\0") for name, width in widths.items()) + bytes(12)
    return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]


PINS = [make_vkey(ORIGIN, keys_of("checkpoint")[1]), keys_of("recorder")[1].hex()]
WITNESSES = [witness_key("w1"), witness_key("w2")]


def check(bundle, as_tar=False, pins=PINS, witnesses=WITNESSES, quorum=None, heads=(), tree=None):
    with tempfile.TemporaryDirectory() as folder:
        if as_tar:
            path = os.path.join(folder, "bag.tar")
            with open(path, "wb") as file:
                file.write(bundle if isinstance(bundle, bytes) else bundle.tar())
        else:
            path = bundle.write_folder(os.path.join(folder, "bag"))
        options = audit.Options([audit.Pin(pin) for pin in pins], audit.Witnesses(witnesses, quorum), list(heads), tree)
        return audit.audit_bundle(path, options)


def found(report):
    return sorted((finding["severity"], finding["code"]) for finding in report.findings if finding["severity"] != "note")


class Good(unittest.TestCase):
    def test_folder_and_tar(self):
        for options in ({}, {"query": True}, {"frames": [1, 1]}, {"frames": [2, 9]}, {"frames": [7, 9]}, {"payloads": False}, {"closed_header": (10, 24)}):
            for as_tar in (False, True):
                with self.subTest(options=options, tar=as_tar):
                    report = check(Bundle(**options), as_tar)
                    self.assertEqual((report.verdict(), report.words(), found(report)), ("intact", ["intact"], []))
                    self.assertEqual((report.exit_code(), report.pinned, report.anchored_ms), (0, True, T0 + 200_000))
                    self.assertEqual(report.tapes, [Bundle().id])


# Golden files: every one of a kind that batch mode has.

GOLDEN_KINDS = {"item": "cbor", "frame": "frame", "header": "header", "tape-root": "root", "manifest": "manifest", "statement": "statement",
                "private-half": "private", "entry": "entry", "checkpoint": "note", "cosigned": "note", "tlog-proof": "proof", "receipt": "receipt",
                "fork": "fork"}


def golden_index(chapter):
    """Inputs, and the tables of accepted and refused files: as much of TOML as stands there."""
    tables, now = {"inputs": [{}], "accept": [], "reject": []}, None
    with open(os.path.join(ROOT, "tests", "golden", chapter, "index.toml"), encoding="utf-8") as file:
        for line in file:
            head = re.match(r"\[+(\w+)\]", line)
            if head and line.startswith("[["):
                tables[head.group(1)].append({})
                now = tables[head.group(1)][-1]
            elif head and head.group(1) == "inputs":
                now = tables["inputs"][0]
            pair = re.match(r'(\w+) = ("(?:[^"\\]|\\.)*")', line)
            if pair and now is not None:
                now.setdefault(pair.group(1), json.loads(pair.group(2)))
    return tables["inputs"][0], tables["accept"], tables["reject"]


class Golden(unittest.TestCase):
    # A proof without its entry has no leaf hash to be answered with; a bit of a cosignature counts only for who knows the witness.
    NO_ENTRY = {"entry-bare.tlog-proof", "only-entry.tlog-proof"}

    def ask(self, chapter, folder, name, decoder, inputs, opened):
        with open(os.path.join(ROOT, "tests", "golden", chapter, folder, name), "rb") as file:
            raw = file.read()
        kind = GOLDEN_KINDS[decoder]
        ask = {"n": 1, "kind": kind, "hex": raw.hex()}
        if kind in ("note", "proof", "fork"):
            ask["key"] = make_vkey(inputs["origin"], bytes.fromhex(inputs["checkpoint_key"]))
        if decoder in ("cosigned", "tlog-proof"):
            ask["witness"] = [make_vkey(inputs[name], public_key(bytes.fromhex(inputs[name + "_seed"])), b"\x04") for name in ("witness_1", "witness_2")]
        if kind == "statement":
            ask["key"] = inputs["recorder_key"]
        if kind == "receipt":
            ask["key"], ask["leaf"] = public_key(bytes.fromhex(inputs["issuer_seed"])).hex(), opened
        return audit.batch_answer(json.dumps(ask))

    def test_every_file(self):
        counts = {}
        leaf = golden_leaf()
        for chapter in ("1-bytes", "2-tape", "3-seal", "4-commit", "5-proof"):
            inputs, accept, reject = golden_index(chapter)
            decoders = {row["file"]: row["decoder"] for row in accept}
            for folder, rows in (("accept", accept), ("reject", reject)):
                for row in rows:
                    decoder = decoders.get(row["file"] if folder == "accept" else row["from"])
                    if decoder not in GOLDEN_KINDS or chapter == "3-seal" and decoder == "private":
                        continue
                    answer = self.ask(chapter, folder, row["file"], decoder, inputs, leaf)
                    wanted = folder == "accept" and row["file"] not in self.NO_ENTRY
                    with self.subTest(chapter=chapter, file=row["file"]):
                        self.assertEqual(answer["accept"], wanted, (row, answer))
                    counts[GOLDEN_KINDS[decoder], folder] = counts.get((GOLDEN_KINDS[decoder], folder), 0) + 1
        for kind in set(GOLDEN_KINDS.values()):
            self.assertGreater(counts.get((kind, "accept"), 0), 0, kind)
            self.assertGreater(counts.get((kind, "reject"), 0), 6, kind)


def golden_leaf():
    with open(os.path.join(ROOT, "tests", "golden", "4-commit", "accept", "entry-02-tape-saved.cbor"), "rb") as file:
        return H(b"\0" + file.read()).hex()


if __name__ == "__main__":
    unittest.main()
