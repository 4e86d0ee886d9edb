#!/usr/bin/env python3
"""Tests of tapeaudit.py on bundles, published trees and in batch mode: python3 -m unittest (standard library only).

The bundles are made here from docs/format, by code that shares nothing with the auditor. Every stage can be changed on its way, and
what hangs on it is hashed and signed anew: so each check is reached by a bundle that is wrong in nothing else."""

import base64
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

import tapeaudit as audit
from test_tapeaudit import Outside as Grown, World
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


# One wrong thing at a time. Each case: stage and change of it, what comes out, and the codes that say it; nothing else may be found.

def at(stage, change, **match):
    return lambda name, value, **place: change(value) if name == stage and all(place.get(key) == wanted for key, wanted in match.items()) else value


def both(*hooks):
    def hook(name, value, **place):
        for one in hooks:
            value = one(name, value, **place)
        return value
    return hook


def having(number, value):
    return lambda items: items[:number] + [value] + items[number + 1:]


def field(name, value):
    return at("completeness", lambda said: {**said, name: value})


def given(**changed):
    return at("completeness", lambda said: {**said, "given": [{**said["given"][0], **changed}]})


def also(name, item):
    return at("completeness", lambda said: {**said, name: said[name] + [{"tape": said["given"][0]["tape"], "custody": A.hex(), "entry": 4, **item}]})


def file(path, change):
    """A file of the payload, `TAPE` for the folder of the tape; None takes it out."""
    def changed(files):
        tape = next(name for name in files if name.endswith("root.cbor"))[:-9]
        name, result = "data/" + path if not path.startswith("TAPE/") else tape + path[5:], dict(files)
        new = change(result.pop(name, b""))
        return result if new is None else {**result, name: new}
    return at("files", changed)


def drop(path):
    return file(path, lambda raw: None)


def flip(place):
    return lambda raw: raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1:] if place >= 0 else raw[:place] + bytes([raw[place] ^ 1]) + raw[len(raw) + place + 1:]


def in_bag(name, change):
    def changed(files):
        result = dict(files)
        new = change(result.pop(name, b""))
        return result if new is None else {**result, name: new}
    return at("bag", changed)


def private(index, number, value):
    return at("row", lambda row: row[:3] + ({**row[3], number: value}, row[4]), index=index)


def closed(index, *fields):
    return at("row", lambda row: row[:4] + (fields or None,), index=index)


def body(index, number, value):
    return at("entry", lambda items: items[:11] + [{**items[11], number: value}], index=index)


def told(entry, fields, **other):
    return also("withheld", {"entry": entry, "what": "private", "fields": list(fields), "why": "secret", **other})


OTHER, ZEROS = junk("other"), "0" * 64
DESTROYED = at("more", lambda rows: rows + [(88, junk("C"), {})])
C_ITEM = {"tape": junk("tape C").hex(), "custody": junk("C").hex(), "entry": 2}
NO_TAPE = at("files", lambda files: {path: data for path, data in files.items() if "/tapes/" not in path})
LAST = {"query": True}
B_ID = Bundle().tape_b["id"].hex()

CASES = {
    # 1: the bag.
    "a byte of a file": (in_bag("data/VERIFY.txt", flip(0)), "altered", {"BAG_DIGEST"}),
    "a byte of a tag file": (in_bag("bag-info.txt", flip(25)), "altered", {"BAG_DIGEST"}),
    "a file gone": (in_bag("data/VERIFY.txt", lambda raw: None), "missing", {"BAG_FILE_MISSING"}),
    "bagit.txt gone": (in_bag("bagit.txt", lambda raw: None), "missing", {"BAG_FILE_MISSING"}),
    "bag-info.txt gone": (in_bag("bag-info.txt", lambda raw: None), "missing", {"BAG_FILE_MISSING"}),
    "tagmanifest gone": (in_bag("tagmanifest-sha256.txt", lambda raw: None), "missing", {"BAG_FILE_MISSING"}),
    "a file that no manifest names": (in_bag("data/zzz", lambda raw: b""), "altered", {"BAG_UNNAMED", "BAG_INFO"}),
    "fetch.txt": (in_bag("fetch.txt", lambda raw: b""), "altered", {"BAG_UNNAMED"}),
    "another BagIt": (at("bagit", lambda raw: raw.replace(b"1.0", b"0.97")), "altered", {"BAGIT"}),
    "tag manifest in another order": (at("tag_names", lambda names: names[::-1]), "altered", {"TAG_MANIFEST"}),
    "tag manifest names less": (at("tag_names", lambda names: names[:2]), "altered", {"TAG_MANIFEST"}),
    "manifest does not ascend": (at("manifest_lines", lambda lines: lines[1:2] + lines[:1] + lines[2:]), "altered", {"MANIFEST"}),
    "manifest names a file twice": (at("manifest_lines", lambda lines: lines[:1] + lines), "altered", {"MANIFEST"}),
    "manifest lists nothing": (at("manifest_lines", lambda lines: []), "altered", {"MANIFEST"}),
    "manifest in upper case": (at("manifest_lines", lambda lines: [lines[0][:64].upper() + lines[0][64:]] + lines[1:]), "altered", {"MANIFEST"}),
    "manifest with one space": (at("manifest_lines", lambda lines: [lines[0].replace("  ", " ")] + lines[1:]), "altered", {"MANIFEST"}),
    "manifest with a star": (at("manifest_lines", lambda lines: [lines[0].replace("  ", " *")] + lines[1:]), "altered", {"MANIFEST"}),
    "manifest ends without line end": (at("manifest_lines", lambda lines: lines[:-1] + [lines[-1][:-1]]), "altered", {"MANIFEST"}),
    "manifest with carriage returns": (at("manifest_lines", lambda lines: [line[:-1] + "\r\n" for line in lines]), "altered", {"MANIFEST"}),
    "manifest climbs": (at("manifest_lines", lambda lines: [lines[0][:66] + "data/../../etc/passwd\n"] + lines), "altered", {"MANIFEST"}),
    "manifest is absolute": (at("manifest_lines", lambda lines: [lines[0][:66] + "/etc/passwd\n"] + lines), "altered", {"MANIFEST"}),
    "manifest names a tag file": (at("manifest_lines", lambda lines: [lines[0][:66] + "bagit.txt\n"] + lines), "altered", {"MANIFEST"}),
    "no Payload-Oxum": (at("info", lambda raw: b"A: b\n"), "altered", {"BAG_INFO"}),
    "another Payload-Oxum": (at("info", lambda raw: raw.replace(b"Oxum: ", b"Oxum: 1")), "altered", {"BAG_INFO"}),
    "two of Payload-Oxum": (at("info", lambda raw: raw + raw), "altered", {"BAG_INFO"}),
    "bag-info is continued": (at("info", lambda raw: raw.replace(b"Payload", b" on: it goes\nPayload")), "altered", {"BAG_INFO"}),
    "bag-info with a line without value": (at("info", lambda raw: b"Label:\n" + raw), "altered", {"BAG_INFO"}),
    "bag-info with an empty value": (at("info", lambda raw: b"Label: \n" + raw), "intact", set()),
    "bag-info of 65 lines": (at("info", lambda raw: b"A: b\n" * 63 + raw), "altered", {"BAG_INFO"}),
    "bag-info with a long line": (at("info", lambda raw: b"A: " + b"b" * 1022 + b"\n" + raw), "altered", {"BAG_INFO"}),
    "bag-info with a carriage return": (at("info", lambda raw: raw.replace(b"\n", b"\r\n", 1)), "altered", {"BAG_INFO"}),
    "a file without a row": (file("extra", lambda raw: b"x"), "altered", {"FILE_ROW"}),
    "a file of another tape": (file("tapes/%s/root.cbor" % OTHER.hex(), lambda raw: b"x"), "altered", {"FILE_ROW"}),
    "a file more of the tape": (file("TAPE/more", lambda raw: b"x"), "altered", {"FILE_ROW"}),
    "no checkpoint": (drop("log/checkpoint"), "missing", {"FILE_MISSING"}),
    "no paths": (drop("log/paths.cbor"), "missing", {"FILE_MISSING"}),
    "no entries": (drop("entries.cbor"), "missing", {"FILE_MISSING"}),
    "no COMPLETENESS.json": (drop("COMPLETENESS.json"), "missing", {"FILE_MISSING"}),
    "no receipt": (drop("TAPE/receipt.cose"), "intact", set()),
    "nothing for people": (both(drop("custody.html"), drop("custody.json"), drop("VERIFY.txt")), "intact", set()),
    "witnesses are a claim": (file("witnesses", lambda raw: b"whatever"), "intact", set()),
    **{"no " + name: (drop("TAPE/" + name), "missing", {"FILE_MISSING"}) for name in audit.TAPE_FILES},
    # 2: COMPLETENESS.json.
    "another origin": (field("origin", "other.example/" + "5a" * 16), "altered", {"COMPLETENESS_LOG"}),
    "another ledger": (field("ledger", OTHER.hex()), "altered", {"COMPLETENESS_LOG"}),
    # 3: entries.
    "time falls": (at("entry", having(3, T0 + 3), index=9), "altered", {"ENTRY_TIME"}),
    "previous is another": (at("entry", having(2, OTHER), index=9), "altered", {"ENTRY_PREVIOUS"}),
    "entry 0 is not there": (at("chosen", lambda chosen: chosen[1:]), "missing", {"GENESIS"}),
    "entry 0 is no genesis": (at("entry", lambda items: items[:4] + [1] + items[5:11] + [{0: 1}], index=0), "altered",
                              {"GENESIS", "SET_PROOF"}),
    "a second genesis": (at("row", lambda row: (0, ZERO, audit.cbor_decode(enc({0: 1, 1: ORIGIN, 2: OTHER, 3: OTHER, 4: OTHER, 5: [OTHER] * 3, 6: "",
                                                                              7: "", 8: False})), row[3], row[4]), index=9), "altered", {"GENESIS", "SET_PROOF", "SIDE_FILE_UNKNOWN"}),
    "a subject of another sort": (at("entry", having(5, A), index=8), "altered", {"ENTRY_SUBJECT", "SET_PROOF"}),
    "a key of the body too many": (at("entry", lambda items: items[:11] + [{9: 1}], index=6), "altered", {"ENTRY_BODY", "SET_PROOF", "CUSTODY_GAP"}),
    "previous of entry 0": (at("entry", having(2, OTHER), index=0), "altered", {"ENTRY_PREVIOUS", "GENESIS", "SET_PROOF"}),
    "a chain of another subject": (at("entry", having(7, OTHER), index=9), "altered", {"SUBJECT_PREV"}),
    "subject_seq of another subject does not rise": (at("entry", having(6, 1), index=9), "altered", {"SUBJECT_SEQ"}),
    "a key that was not named": (both(at("more", lambda rows: rows + [(32769, ZERO, {0: 2, 1: keys_of("stranger")[1], 2: ZERO, 3: bytes(64)})]),
                                      drop("keys/issuer-13.pem")), "altered", {"KEY_NOT_NAMED"}),
    "a key in use is revoked": (at("more", lambda rows: rows + [(32770, ZERO, {0: 1, 1: thumb(keys_of("recorder")[1]), 2: 3, 3: 1})]), "altered", {"KEY_IN_USE"}),
    "a kind that is critical": (at("more", lambda rows: rows + [(40000, ZERO, {})]), "cannot tell", {"CRITICAL_KIND"}),
    "rules that are required": (at("more", lambda rows: rows + [(32771, ZERO, {0: ["x"]})]), "cannot tell", {"CRITICAL_KIND"}),
    "a kind that is not": (at("more", lambda rows: rows + [(999, ZERO, {})]), "intact", set()),
    # 4 and 5: the head.
    "head by the key before": (at("head_seed", lambda seed: keys_of("checkpoint")[0], size=14), "altered", {"HEAD_KEY"}),
    "head by a stranger": (at("head_seed", lambda seed: keys_of("stranger")[0], size=14), "altered", {"HEAD_UNSIGNED"}),
    "head by a stranger after a critical kind": (both(at("more", lambda rows: rows + [(40000, ZERO, {})]),
                                                      at("head_seed", lambda seed: keys_of("stranger")[0], size=15)), "cannot tell",
                                                 {"CRITICAL_KIND", "HEAD_UNSIGNED"}),
    "a hash of the set proof": (at("paths", lambda hashes: [OTHER] + hashes[1:]), "altered", {"SET_PROOF"}, LAST),
    "a hash too many": (at("paths", lambda hashes: hashes + [OTHER]), "altered", {"SET_PROOF"}),
    "a hash too few": (at("paths", lambda hashes: hashes[:-1]), "altered", {"SET_PROOF"}),
    "bytes behind the set proof": (file("log/paths.cbor", lambda raw: raw + b"\0"), "altered", {"SET_PROOF"}),
    # 6: fields, memberships, what others hold.
    "an opened value": (at("item", lambda item: [item[0], [item[1][0], [item[1][1][0][:2] + [enc([0, b"mallory", 0])]] + item[1][1][1:]], item[2]], index=6), "altered",
                        {"OPENED"}),
    "a field less": (at("item", lambda item: [item[0], [item[1][0][:1], item[1][1][:1]], item[2]], index=6), "altered", {"PRIVATE_COMMITMENT"}),
    "a field of another sort": (private(6, 3, "text"), "altered", {"OPENED_VALUE"}),
    "a field 64": (private(6, 64, 0), "altered", {"OPENED"}),
    "a value nested 16 deep": (private(6, 26, audit.cbor_decode(b"\x81" * 15 + b"\x80")), "altered", {"OPENED_VALUE"}),
    "a value nested 15 deep": (private(6, 26, audit.cbor_decode(b"\x81" * 14 + b"\x80")), "intact", set()),
    "a membership of another place": (at("member", lambda member: member[:2] + [1 - member[2]] + member[3:]), "altered", {"MEMBERSHIP"}),
    "a membership of another tape": (at("member", lambda member: [OTHER] + member[1:]), "altered", {"MEMBERSHIP"}),
    "a membership without path": (at("member", lambda member: member[:3] + [[]]), "altered", {"PATH"}),
    "a membership in no list": (at("item", lambda item: item[:2] + [{0: [[A, OTHER, 0, []]]}], index=6), "altered", {"MEMBERSHIP"}),
    "a consistency path": (at("consistency", lambda path: [OTHER] + path[1:], index=10), "forked", {"CONSISTENCY"}),
    "a consistency path cut": (at("consistency", lambda path: path[:-1], index=11), "forked", {"CONSISTENCY"}),
    "no consistency path": (at("item", lambda item: item[:2] + [{}], index=10), "altered", {"CONSISTENCY"}),
    "a consistency path of no head": (at("item", lambda item: item[:2] + [{1: []}], index=6), "altered", {"CONSISTENCY"}),
    "a head of another history": (at("head_root", lambda root: OTHER, size=10), "forked", {"CONSISTENCY"}),
    "a head that the log did not sign": (at("head_seed", lambda seed: keys_of("stranger")[0], size=11), "altered", {"HEAD_UNSIGNED"}),
    "a cosignature of somebody else": (at("cosigned", lambda body: {**body, 1: [witness_key("w1"), witness_key("w3")]}), "altered", {"ANCHOR_COSIGNATURE"}),
    "a time-stamp of something else": (at("stamped", lambda body: {**body, 1: make_token(OTHER)}), "altered", {"ANCHOR_IMPRINT"}),
    "a time-stamp of another time": (at("stamped", lambda body: {**body, 2: STAMP_MS + 1}), "altered", {"ANCHOR_TIME"}),
    "a head published later than it can be": (at("more", lambda rows: rows + [(130, ZERO, {0: 99, 1: OTHER, 2: 0})]), "altered", {"ANCHOR_LATER"}),
    "a fork that no key of the log signed": (at("more", lambda rows: rows + [(133, ZERO, {0: 1, 1: make_note(
        "%s\n4\n%s\n" % (ORIGIN, base64.b64encode(OTHER).decode()), keys_of("stranger")[0], ORIGIN), 2: 4, 3: OTHER})]), "altered", {"HEAD_UNSIGNED"}),
    # 7: custody.
    "an entry left out": (at("chosen", lambda chosen: [index for index in chosen if index != 6]), "incomplete", {"CUSTODY_GAP"}),
    "tape.saved left out": (at("chosen", lambda chosen: [index for index in chosen if index != 4]), "incomplete", {"CUSTODY_GAP"}),
    "evidence.made left out": (at("chosen", lambda chosen: chosen[:-1]), "incomplete", {"EVIDENCE_LAST"}),
    "an entry behind evidence.made": (at("after", lambda rows: [(36, A, {})]), "incomplete", {"EVIDENCE_LAST"}),
    "a chain that is not one": (at("entry", having(7, OTHER), index=6), "altered", {"SUBJECT_PREV"}),
    "no tape.saved": (at("row", lambda row: (17, A, {}) + row[3:], index=4), "altered", {"SAVED_ABSENT"}),
    "saved twice": (at("row", lambda row: (16, A, {0: statement_twice(), 1: bytes(16)}) + row[3:], index=7), "altered", {"SAVED_TWICE"}),
    "a statement by a stranger": (at("recorder", lambda seed: keys_of("stranger")[0], custody=A), "altered", {"STATEMENT_SIGNATURE"}),
    "a statement that names a stranger's key": (at("protected", lambda said: {**said, 4: thumb(keys_of("stranger")[1])}, custody=A), "altered", {"STATEMENT_KEY"}),
    "a statement for another ledger": (at("protected", lambda said: {**said, "ledger": OTHER}, custody=A), "altered", {"STATEMENT_LEDGER"}),
    "a statement for another origin": (at("protected", lambda said: {**said, 15: {**said[15], 1: "other"}}, custody=A), "altered", {"STATEMENT_ORIGIN"}),
    "a statement of a tape that is not given": (at("recorder", lambda seed: keys_of("stranger")[0], custody=B), "altered", {"STATEMENT_SIGNATURE"}, LAST),
    "evidence of another bundle": (body(13, 0, bytes(16)), "incomplete", {"EVIDENCE_OTHER"}),
    "evidence of another number": (body(13, 2, 2), "incomplete", {"EVIDENCE_OTHER"}),
    "another COMPLETENESS.json": (file("COMPLETENESS.json", lambda raw: raw.replace(b"a court", b"a kourt")), "altered", {"EVIDENCE_DIGEST"}),
    "another export commitment": (body(13, 1, OTHER), "altered", {"EVIDENCE_DIGEST"}),
    "field 30 closed": (both(closed(13, 30), told(13, [30])), "altered", {"EVIDENCE_DIGEST", "PRIVATE_WITHHELD"}),
    "given as another entry": (given(entry=6), "altered", {"GIVEN_ENTRY"}),
    "given as another custody id": (given(custody=B.hex()), "altered", {"MANIFEST_TAPE", "EVIDENCE_LAST"}),
    # 8: files of the tape.
    "a byte of the root file": (file("TAPE/root.cbor", flip(20)), "altered", {"ROOT_FILE"}),
    "a manifest of another custody id": (at("manifest", having(1, OTHER), custody=A), "altered", {"MANIFEST_TAPE"}),
    "a manifest of another tape": (at("manifest", having(2, enc(["immutape/tape/1", OTHER, 3, OTHER])), custody=A), "altered", {"MANIFEST_TAPE"}),
    "another manifest": (file("TAPE/manifest.cbor", flip(-1)), "altered", {"MANIFEST_DIGEST"}),
    "a manifest without objects": (at("manifest", having(3, []), custody=A), "altered", {"MANIFEST_SHAPE"}),
    "another statement": (file("TAPE/statement.cose", flip(-1)), "altered", {"STATEMENT_FILE"}),
    "a header value": (at("header", lambda header: {**header, 0: 2}, custody=A), "altered", {"OPENED_VALUE"}),
    "a header without namespace": (at("header", lambda header: {key: value for key, value in header.items() if key != 24}, custody=A), "altered", {"HEADER"}),
    "a header with key 13": (at("header", lambda header: dict(sorted({**header, 13: 0}.items())), custody=A), "altered", {"OPENED"}),
    "a header that counts otherwise": (at("header", lambda header: {**header, 11: {**header[11], 0: 4}}, custody=A), "altered", {"HEADER_FRAMES"}),
    "a header of another commitment": (at("root", having(1, OTHER), custody=A), "altered", {"HEADER_COMMITMENT"}),
    "a header with a byte behind": (file("TAPE/header.cbor", lambda raw: raw + b"\0"), "altered", {"HEADER"}),
    "another tree root": (at("root", having(3, OTHER), custody=A), "altered", {"FRAMES_ROOT"}),
    "a payload": (at("frame_item", lambda item: item[:2] + [[item[2][0], b"{}"]], seq=1), "altered", {"FRAMES_ROOT", "MARK"}),
    "a direction 4": (at("frame", lambda frame: [{**frame[0], 4: 4}, frame[1]], seq=1), "altered", {"FRAME", "FRAMES_OTHER", "WITHHELD"}),
    "a payload in the envelope": (at("frame", lambda frame: [dict(sorted({**frame[0], 5: b""}.items())), frame[1]], seq=1), "altered", {"FRAME", "FRAMES_OTHER", "WITHHELD"}),
    "a frame that says another place": (at("frame", lambda frame: [{**frame[0], 0: 7}, frame[1]], seq=1), "altered", {"FRAMES", "FRAMES_OTHER", "WITHHELD"}),
    "a closed envelope": (at("frame_item", lambda item: [item[0], OTHER, item[2]], seq=1), "altered", {"FRAMES", "FRAMES_OTHER", "WITHHELD"}),
    "frames backwards": (at("shown", lambda shown: shown[::-1]), "altered", {"FRAMES", "FRAMES_OTHER", "WITHHELD"}),
    "a frame twice": (at("shown", lambda shown: [0, 0, 1, 2]), "altered", {"FRAMES", "FRAMES_OTHER", "WITHHELD"}),
    "frames that end early": (file("TAPE/frames.cbor", lambda raw: raw[:-1]), "altered", {"STREAM", "FRAMES_OTHER", "WITHHELD"}),
    "a hash of the frames' proof": (at("frame_paths", lambda hashes: [OTHER] + hashes[1:]), "altered", {"FRAMES_ROOT"}, {"frames": [1, 1]}),
    "a hash less of the frames' proof": (at("frame_paths", lambda hashes: hashes[:-1]), "altered", {"SET_PROOF"}, {"frames": [1, 1]}),
    "a mark": (at("mark", lambda body: {**body, 1: OTHER}), "altered", {"MARK"}),
    "a mark that cannot be looked at": (at("mark", lambda body: {**body, 1: OTHER}), "intact", set(), {"frames": [1, 2]}),
    "a mark of more frames than there are": (at("mark", lambda body: {**body, 0: 4}), "altered", {"MARK"}),
    "the same, and cut off": (both(at("mark", lambda body: {**body, 0: 4}), at("row", lambda row: (20, A, {0: 3, 1: 4, 2: 0}) + row[3:], index=6),
                                   at("row", lambda row: (17, A, {}) + row[3:], index=7)), "intact with gaps", {"MARK", "TRUNCATED"}),
    "a proof of another entry": (at("files", lambda files: {path: files[path.replace("saved", "evidence")] if path.endswith("saved.tlog-proof") else data
                                                           for path, data in files.items()}), "altered", {"PROOF_ENTRY"}),
    "a proof without the entry": (file("TAPE/saved.tlog-proof", lambda raw: b"\n".join(line for line in raw.split(b"\n") if not line.startswith(b"extra"))),
                                  "altered", {"PROOF_ENTRY"}),
    "a proof of another place": (file("TAPE/saved.tlog-proof", lambda raw: raw.replace(b"index 4", b"index 5")), "altered", {"PROOF_ENTRY"}),
    "a path of a proof": (file("TAPE/evidence.tlog-proof", lambda raw: swap_lines(raw, 3, 4)), "altered", {"PROOF_ROOT"}),
    "a proof under another head": (file("TAPE/saved.tlog-proof", lambda raw: raw.replace(b"\n14\n", b"\n13\n")), "altered", {"PROOF_HEAD"}),
    "a cosignature in a proof": (file("TAPE/saved.tlog-proof", lambda raw: with_line(raw, cosignature(lines_head(), "w1", seed=keys_of("w3")[0]))), "altered", {"COSIGNATURE"}),
    "a stranger's cosignature in a proof": (file("TAPE/saved.tlog-proof", lambda raw: with_line(raw, cosignature(lines_head(), "w3", seed=keys_of("w1")[0]))), "intact", set()),
    "a receipt": (file("TAPE/receipt.cose", flip(-1)), "altered", {"RECEIPT_SIGNATURE"}),
    "a receipt of another tape": (file("TAPE/receipt.cose", lambda raw: raw.replace(A.hex().encode(), B.hex().encode())), "altered", {"RECEIPT_CLAIMS"}),
    "a receipt of another size": (file("TAPE/receipt.cose", lambda raw: raw.replace(b"\x83\x0e\x04", b"\x83\x0d\x04")), "altered", {"RECEIPT_PLACE"}),
    # 9: keys and times.
    "another note": (file("time/11.note", flip(0)), "altered", {"SIDE_FILE"}),
    "a longer token": (file("time/11.tst", lambda raw: raw + b"\0"), "altered", {"BAG_LENGTH"}),
    "no token": (drop("time/11.tst"), "missing", {"SIDE_FILE_MISSING"}),
    "a token of nothing": (file("time/10.tst", lambda raw: b"x"), "altered", {"SIDE_FILE_UNKNOWN"}),
    "another key file": (file("keys/recorder-0.pem", flip(50)), "altered", {"SIDE_FILE"}),
    "no key file": (drop("keys/checkpoint-12.vkey"), "missing", {"SIDE_FILE_MISSING"}),
    "a key file of nothing": (file("keys/recorder-12.pem", lambda raw: b"x"), "altered", {"SIDE_FILE_UNKNOWN"}),
    "a key file of a number that is none": (file("keys/recorder-012.pem", lambda raw: b"x"), "altered", {"FILE_ROW"}),
    # 10: accounts.
    "an id that nobody accounts for": (at("completeness", lambda said: {**said, "asked": {"ids": said["asked"]["ids"] + [OTHER.hex()]}}), "incomplete", {"TAPE_UNACCOUNTED"}),
    "a tape twice": (also("withheld", {"what": "tape", "fields": [], "why": "x"}), "incomplete", {"TAPE_TWICE", "TAPE_WITHHELD"}),
    "an entry of the span left out": (at("chosen", lambda chosen: [index for index in chosen if index != 5]), "incomplete", {"SPAN_ENTRIES", "SPAN_END"}, LAST),
    "a span that begins late": (field("span", [4, 5]), "incomplete", {"SPAN_BEGIN"}, LAST),
    "a span that ends early": (field("span", [3, 4]), "incomplete", {"SPAN_END"}, LAST),
    "a span behind what was asked of": (both(field("span", [3, 5]), field("log_size", 5)), "incomplete", {"SPAN_END"}, LAST),
    "a span that ends with the log": (both(field("span", [3, 5]), field("log_size", 6), field("asked", {"query": "x", "sealed_ms": [T0 + 4, T0 + 9]}),
                                           also("withheld", {"tape": B_ID, "what": "tape", "fields": [], "why": "x", "custody": B.hex(), "entry": 5})), "intact with gaps",
                                      {"TAPE_WITHHELD"}, LAST),
    "a tape of the span that nobody accounts for": (both(field("span", [3, 6]), field("asked", {"query": "x", "sealed_ms": [T0 + 4, T0 + 5]})), "incomplete",
                                                    {"SPAN_TAPES"}, LAST),
    "nothing given": (both(at("completeness", lambda said: {**said, "given": [], "out_of_scope": [{**C_ITEM, "tape": said["asked"]["ids"][0], "field": None, "why": ""}]}),
                           NO_TAPE), "cannot tell", {"NOTHING_GIVEN", "OUT_OF_SCOPE"}),
    # 11: what is given and what is not.
    "other frames than are said": (given(opened=[0, 1]), "incomplete", {"FRAMES_OTHER"}),
    "a frame left out": (at("shown", lambda shown: [0, 2]), "incomplete", {"FRAMES_OTHER", "WITHHELD"}),
    "frames that nobody asked for": (at("shown", lambda shown: [0, 1, 2]), "incomplete", {"FRAMES_OTHER", "WITHHELD"}, {"frames": [0, 1]}),
    "another number of frames": (given(frames=4), "incomplete", {"GIVEN_FRAMES"}),
    "payloads open that are said to be closed": (field("payloads", False), "incomplete", {"PAYLOADS_OTHER"}),
    "frames not there, and not told": (field("withheld", []), "incomplete", {"WITHHELD"}, {"frames": [1, 1]}),
    "payloads closed, and not told": (field("withheld", []), "incomplete", {"WITHHELD"}, {"payloads": False}),
    "header keys closed, and not told": (field("withheld", []), "incomplete", {"WITHHELD"}, {"closed_header": (10,)}),
    "other header keys told": (at("completeness", lambda said: {**said, "withheld": [{**said["withheld"][0], "fields": [10, 16]}]}), "incomplete", {"WITHHELD"},
                               {"closed_header": (10,)}),
    "frames told that are there": (also("withheld", {"what": "frames", "fields": [], "why": "x"}), "incomplete", {"WITHHELD"}),
    "frames told of another tape": (also("withheld", {"what": "frames", "fields": [], "why": "x", "tape": OTHER.hex()}), "incomplete", {"WITHHELD"}),
    "frames told of another entry": (at("completeness", lambda said: {**said, "withheld": [{**said["withheld"][0], "entry": 5}]}), "incomplete", {"WITHHELD"}, {"frames": [1, 1]}),
    "a private half closed, and told": (both(closed(6), told(6, [])), "intact with gaps", {"PRIVATE_WITHHELD"}),
    "a private half closed, and not told": (closed(6), "incomplete", {"PRIVATE_UNTOLD"}),
    "a field closed, and told": (both(closed(6, 0), told(6, [0])), "intact with gaps", {"PRIVATE_WITHHELD"}),
    "a field closed, another told": (both(closed(6, 0), told(6, [10])), "incomplete", {"PRIVATE_UNTOLD", "PRIVATE_WITHHELD"}),
    "a field closed, all told": (both(closed(6, 0), told(6, [])), "incomplete", {"PRIVATE_UNTOLD", "PRIVATE_WITHHELD"}),
    "told twice": (both(closed(6, 0), told(6, [0]), told(6, [0])), "incomplete", {"PRIVATE_UNTOLD", "PRIVATE_WITHHELD"}),
    "told of an entry that is open": (told(6, []), "incomplete", {"PRIVATE_UNTOLD", "PRIVATE_WITHHELD"}),
    "told of an entry that is not here": (told(99, []), "incomplete", {"WITHHELD", "PRIVATE_WITHHELD"}),
    "told as of another tape": (both(closed(6), told(6, [], tape=ZEROS)), "incomplete", {"PRIVATE_UNTOLD", "PRIVATE_WITHHELD"}),
    "a list closed, and not told": (closed(8), "incomplete", {"PRIVATE_UNTOLD"}),
    "a list closed, and told": (both(closed(8), told(8, [], tape=ZEROS, custody=ZEROS)), "intact with gaps", {"PRIVATE_WITHHELD"}),
    "who listed, and not told": (closed(8, 0, 19, 31), "incomplete", {"PRIVATE_UNTOLD"}),
    "the set of a list may be told": (told(8, [19, 31], tape=ZEROS, custody=ZEROS), "intact with gaps", {"PRIVATE_WITHHELD"}),
    "a refusal closed, and not told": (closed(9), "incomplete", {"PRIVATE_UNTOLD"}),
    "a refusal closed, and told": (both(closed(9), told(9, [], tape=ZEROS, custody=ZEROS)), "intact with gaps", {"PRIVATE_WITHHELD"}),
    "a refusal of the span": (both(closed(9), field("span", [3, 9])), "intact", set(), LAST),
    "a refusal of the span, of a tape that is not given": (both(closed(9), at("row", lambda row: (row[0], B) + row[2:], index=9), field("span", [3, 9])), "intact",
                                                           set(), LAST),
    "a refusal of a tape that is not given": (both(closed(9), at("row", lambda row: (row[0], B) + row[2:], index=9)), "incomplete", {"PRIVATE_UNTOLD"}, LAST),
    "out of scope by its word": (also("out_of_scope", {**C_ITEM, "field": None, "why": ""}), "intact with gaps", {"OUT_OF_SCOPE"}),
    "out of scope without files": (also("out_of_scope", {**C_ITEM, "field": 10, "why": ""}), "missing", {"FILE_MISSING"}),
    "destroyed, by an entry": (both(DESTROYED, also("destroyed", {**C_ITEM, "by": 13})), "intact", set()),
    "destroyed, by an entry of another": (both(DESTROYED, also("destroyed", {**C_ITEM, "custody": OTHER.hex(), "by": 13})), "incomplete", {"DESTROYED"}),
    "destroyed, by nothing": (also("destroyed", {**C_ITEM, "by": 99}), "incomplete", {"DESTROYED"}),
    "destroyed, by another kind": (also("destroyed", {**C_ITEM, "custody": A.hex(), "by": 6}), "incomplete", {"DESTROYED"}),
    "holes in the header": (at("header", lambda header: dict(sorted({**header, 18: [[1, 0, 0]]}.items())), custody=A), "intact with gaps", {"HEADER_GAPS"}),
    "a tape withheld": (at("completeness", lambda said: {**said, "asked": {"ids": said["asked"]["ids"] + [OTHER.hex()]}, "withheld": [
        {**C_ITEM, "tape": OTHER.hex(), "what": "tape", "fields": [], "why": "privileged"}]}), "intact with gaps", {"TAPE_WITHHELD"}),
}


def statement_twice():
    return Bundle().statement_a


def with_line(raw, line):
    return raw + line


def swap_lines(raw, one, two):
    lines = raw.split(b"\n")
    lines[one], lines[two] = lines[two], lines[one]
    return b"\n".join(lines)


class Alone(unittest.TestCase):
    pass


def one_case(hook, verdict, wanted, options=None):
    def test(self):
        report = check(Bundle(hook, **(options or {})))
        # That a head which does not hold is not anchored has a test of its own.
        self.assertEqual({code for _, code in found(report)} - {"NO_HEAD"}, wanted, found(report))
        self.assertEqual((report.verdict(), report.exit_code()), (verdict, audit.EXITS[verdict]))
        self.assertEqual(report.words() == ["intact"], verdict == "intact")
    return test


for name, case in CASES.items():
    setattr(Alone, "test_" + re.sub("[^a-z0-9]+", "_", name.lower()), one_case(*case))


class Unnamed(unittest.TestCase):
    """Files that are in the bag and in no line of the manifest: altered, but there, and read."""

    def judged(self, path, hook=lambda name, value, **place: value, as_tar=False):
        def unnamed(name, value, **place):
            value = hook(name, value, **place)
            return [line for line in value if not line.endswith("  %s\n" % path)] if name == "manifest_lines" else value
        report = check(Bundle(unnamed), as_tar)
        return report.words(), report.tapes, {code for _, code in found(report)}

    def test_each(self):
        plain = Bundle()
        for path in plain.files:
            for as_tar in (False, True):
                self.assertEqual(self.judged(path, as_tar=as_tar), (["altered"], [plain.id], {"BAG_UNNAMED"}), path)

    def test_what_is_in_them(self):
        for path, hook, code in (("data/COMPLETENESS.json", field("origin", "other.example/" + "5a" * 16), "COMPLETENESS_LOG"),
                                 ("data/entries.cbor", at("entry", having(3, T0 + 3), index=9), "ENTRY_TIME"),
                                 ("data/keys/recorder-0.pem", file("keys/recorder-0.pem", flip(50)), "SIDE_FILE")):
            self.assertEqual(self.judged(path, hook), (["altered"], [Bundle().id], {"BAG_UNNAMED", code}))


def json_case(change):
    """COMPLETENESS.json as other bytes, bound to the log as they are."""
    return check(Bundle(at("completeness_raw", change)))


JSON_REFUSED = {
    "a byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "not UTF-8": lambda raw: raw.replace(b"a court", b"a c\xffurt"),
    "half of a surrogate pair": lambda raw: raw.replace(b"a court", b"\\ud800"),
    "a name twice": lambda raw: raw.replace(b'"made_ms"', b'"log_size": 13, "made_ms"'),
    "a name that is not there": lambda raw: raw.replace(b'"made_ms"', b'"made_us"'),
    "a name too many": lambda raw: raw.replace(b'"made_ms"', b'"more": 1, "made_ms"'),
    "a name too many in an item": lambda raw: raw.replace(b'"opened"', b'"more": 1, "opened"'),
    "a name missing": lambda raw: raw.replace(b'"recipient": null, ', b""),
    "a number with a fraction": lambda raw: raw.replace(b'"log_size": 13', b'"log_size": 13.0'),
    "a number with an exponent": lambda raw: raw.replace(b'"log_size": 13', b'"log_size": 13e0'),
    "a negative number": lambda raw: raw.replace(b'"log_size": 13', b'"log_size": -0'),
    "a number of 2^53": lambda raw: raw.replace(b'"log_size": 13', b'"log_size": 9007199254740992'),
    "a leading zero": lambda raw: raw.replace(b'"log_size": 13', b'"log_size": 013'),
    "no number": lambda raw: raw.replace(b'"log_size": 13', b'"log_size": NaN'),
    "true as a number": lambda raw: raw.replace(b'"log_size": 13', b'"log_size": true'),
    "upper case": lambda raw: raw.replace(BUNDLE.hex().encode(), BUNDLE.hex().upper().encode()),
    "another format": lambda raw: raw.replace(b"completeness/1", b"completeness/2"),
    "a list for an object": lambda raw: b"[" + raw + b"]",
    "nothing": lambda raw: b"",
    "two of them": lambda raw: raw + raw,
    "a comma at the end": lambda raw: raw[:-1] + b",}",
    "nested nine deep": lambda raw: raw.replace(b'"authority": "a court"', b'"authority": ' + b"[" * 8 + b"]" * 8),
    "nested very deep": lambda raw: raw.replace(b'"authority": "a court"', b'"authority": ' + b"[" * 200000),
    "lists beyond number": lambda raw: raw.replace(b'"authority": "a court"', b'"authority": [' + b"[]," * 200000 + b"[]]"),
    "a range that ends before it begins": lambda raw: raw.replace(b'"frames": null', b'"frames": [2, 1]'),
    "a range of three": lambda raw: raw.replace(b'"frames": null', b'"frames": [0, 1, 2]'),
    "a span for ids": lambda raw: raw.replace(b'"span": null', b'"span": [3, 5]'),
    "no ids": lambda raw: re.sub(rb'"ids": [^]]*]', b'"ids": []', raw),
    "fields of frames": lambda raw: raw.replace(b'"withheld": []', b'"withheld": [{"what": "frames", "tape": "%s", "custody": "%s", "entry": 4, "fields": [1], "why": ""}]'
                                                % (b"0" * 64, b"0" * 64)),
    "another what": lambda raw: raw.replace(b'"withheld": []', b'"withheld": [{"what": "all", "tape": "%s", "custody": "%s", "entry": 4, "fields": [], "why": ""}]'
                                            % (b"0" * 64, b"0" * 64)),
}


class Completeness(unittest.TestCase):
    def test_fields_stand_each_once(self):
        plain = check(Bundle(both(closed(6, 0, 10), told(6, [10, 0]))))
        self.assertEqual((plain.verdict(), plain.tapes), ("intact with gaps", [Bundle().id]))
        for fields in ([0, 0], [0, 10, 0], [0, 10, 10]):
            report = check(Bundle(both(closed(6, 0, 10), told(6, fields))))
            self.assertEqual((report.verdict(), {code for _, code in found(report)}, report.tapes), ("altered", {"COMPLETENESS"}, []))

    def test_what_does_not_read(self):
        for name, change in JSON_REFUSED.items():
            with self.subTest(name):
                plain = Bundle().completeness
                self.assertNotEqual(change(plain), plain)
                report = json_case(change)
                self.assertEqual((report.verdict(), {code for _, code in found(report)}, report.tapes), ("altered", {"COMPLETENESS"}, []))

    def test_what_reads(self):
        for change in (lambda raw: raw + b" \r\n\t", lambda raw: b" " + raw, lambda raw: raw.replace(b"a court", b"\\ud83d\\ude00 \\u0000")):
            self.assertEqual(json_case(change).verdict(), "intact")


class Outside(unittest.TestCase):
    """Pins, witnesses and heads that others kept."""

    def judged(self, *args, **kwargs):
        report = check(*args, **kwargs)
        return report.verdict(), report.words(), {code for _, code in found(report)}

    def test_pins(self):
        bundle, old, new, recorder = Bundle(), PINS[0], make_vkey(ORIGIN, keys_of("checkpoint", 1)[1]), PINS[1]
        for pins in ([old, recorder], [new, recorder], [new, old, recorder], [old, thumb(keys_of("recorder")[1]).hex()]):
            self.assertEqual(self.judged(bundle, pins=pins), ("intact", ["intact"], set()))
        for pins in ([], [old], [recorder]):
            self.assertEqual(self.judged(bundle, pins=pins), ("unpinned keys", ["unpinned keys"], set()))
        for pin, code in ((make_vkey(ORIGIN, keys_of("stranger")[1]), "PIN_DIFFERS"), (make_vkey("other.example/" + "5a" * 16, keys_of("checkpoint")[1]), "PIN_NAME"),
                          (OTHER.hex(), "PIN_DIFFERS")):
            self.assertEqual(self.judged(bundle, pins=PINS + [pin]), ("altered", ["altered"], {code}))

    def test_witnesses(self):
        bundle = Bundle()
        self.assertEqual(self.judged(bundle, witnesses=[]), ("not anchored", ["not anchored"], {"NO_WITNESS"}))
        self.assertEqual(self.judged(bundle, witnesses=[witness_key("w3")]), ("not anchored", ["not anchored"], {"NO_QUORUM"}))
        self.assertEqual(self.judged(bundle, witnesses=WITNESSES, quorum=3)[0], "not anchored")
        self.assertEqual(self.judged(bundle, witnesses=WITNESSES + [witness_key("w3")])[0], "not anchored")
        # The same witness twice is one.
        self.assertEqual(self.judged(bundle, witnesses=[WITNESSES[0]] * 2, quorum=2)[0], "not anchored")
        for witnesses, quorum, seconds in ((WITNESSES, None, 200), (WITNESSES, 1, 100), (WITNESSES[1:], None, 200), (WITNESSES + [witness_key("w3")], 2, 200)):
            self.assertEqual(check(bundle, witnesses=witnesses, quorum=quorum).anchored_ms, T0 + 1000 * seconds)
        # A head that does not hold, or is not there, is not anchored.
        for hook in (at("head_seed", lambda seed: keys_of("stranger")[0], size=14), drop("log/checkpoint"), at("chosen", lambda chosen: chosen[1:])):
            verdict, words, codes = self.judged(Bundle(hook))
            self.assertEqual(("not anchored" in words, "NO_HEAD" in codes), (True, True))
        early = Bundle(at("cosignatures", lambda lines: lines + [cosignature(lines_head(), "w1", T0 // 1000 + 50)]))
        self.assertEqual(check(early, quorum=1).anchored_ms, T0 + 50_000)
        wrong = Bundle(at("cosignatures", lambda lines: [lines[0], cosignature(lines_head(), "w2", seed=keys_of("w3")[0])]))
        self.assertEqual(self.judged(wrong), ("altered", ["not anchored", "altered"], {"COSIGNATURE", "NO_QUORUM"}))
        self.assertEqual(self.judged(wrong, witnesses=WITNESSES[:1])[0], "intact")
        own = Bundle()
        self.assertEqual(self.judged(own, witnesses=[make_vkey("w.example", keys_of("recorder")[1], b"\x04")])[2], {"WITNESS_KEY", "NO_QUORUM"})
        self.assertEqual(self.judged(Bundle(), pins=[], witnesses=[])[1], ["not anchored", "unpinned keys"])
        for bad, quorum in ((["x"], None), ([PINS[0]], None), (WITNESSES, 0), ([make_vkey("w", (1).to_bytes(32, "little"), b"\x04")], None)):
            self.assertRaises(audit.Refusal, audit.Witnesses, bad, quorum)

    def test_cosignatures_in_entries(self):
        """A wrong line of a witness that is known here is refused in each note that an entry keeps; of another it is a line like any."""
        own = make_note("%s\n4\n%s\n" % (ORIGIN, base64.b64encode(OTHER).decode()), keys_of("checkpoint")[0], ORIGIN)
        for name, seed, wanted in (("w1", keys_of("w3")[0], ("altered", ["altered"], {"COSIGNATURE"})), ("w1", None, ("intact", ["intact"], set())),
                                   ("w3", keys_of("w1")[0], ("intact", ["intact"], set()))):
            fork = {0: 1, 1: own + cosignature(own, name, seed=seed), 2: 4, 3: OTHER}
            self.assertEqual(self.judged(Bundle(at("more", lambda rows: rows + [(133, ZERO, fork)]))), wanted)
            line = cosignature(Bundle().head(10, 0), name, seed=seed)
            only = at("entry_witnesses", lambda names: ["w2"])
            self.assertEqual(self.judged(Bundle(both(only, at("cosigned", lambda body: {**body, 0: body[0] + line})))), wanted)
        wrong = {0: 1, 1: own + cosignature(own, "w1", seed=keys_of("w3")[0]), 2: 4, 3: OTHER}
        self.assertEqual(self.judged(Bundle(at("more", lambda rows: rows + [(133, ZERO, wrong)])), witnesses=WITNESSES[1:])[0], "intact")

    def test_heads_of_others(self):
        bundle = Bundle()
        root = root_by_recursion(bundle.entries)

        def head(size, root, number=0, name=ORIGIN, seed=None):
            return make_note("%s\n%d\n%s\n" % (name, size, base64.b64encode(root).decode()), seed or keys_of("checkpoint", number)[0], name)
        cases = [(head(14, root, 1), "intact"), (head(14, OTHER, 1), "forked"), (head(10, OTHER), "forked"), (head(11, OTHER), "forked"),
                 (head(12, OTHER), "intact"), (head(99, OTHER, 1), "intact"), (head(14, root), "cannot tell"), (head(99, OTHER, seed=keys_of("stranger")[0]), "cannot tell"),
                 (head(14, root, 1, "other.example/" + "5a" * 16), "cannot tell"), (b"", "cannot tell"), (b"\0\xff", "cannot tell")]
        for number, (note, verdict) in enumerate(cases):
            with tempfile.TemporaryDirectory() as folder, self.subTest(number):
                path = os.path.join(folder, "head")
                with open(path, "wb") as file:
                    file.write(note)
                self.assertEqual(check(bundle, heads=[path]).verdict(), verdict)
        self.assertEqual(check(bundle, heads=["/nowhere/head"]).verdict(), "cannot tell")

    def test_a_revoked_recorder(self):
        """4.5: what its key signed from the index on is altered; what it signed before is a gap, without a witness before the revocation."""
        self.assertEqual(self.judged(Revoked(4)), ("altered", ["altered"], {"STATEMENT_REVOKED"}))
        self.assertEqual(self.judged(Revoked(10)), ("intact", ["intact"], set()))
        self.assertEqual(self.judged(Revoked(9)), ("intact with gaps", ["intact with gaps"], {"STATEMENT_UNPROVED"}))


class Revoked(Bundle):
    """The recorder's key is replaced and then revoked from an index on. The first head that others keep is of ten entries."""

    def __init__(self, since):
        self.since = since
        super().__init__()

    def rotate(self, role="checkpoint"):
        super().rotate(role)
        if role == "checkpoint":
            super().rotate("recorder")
            self.say(32770, ZERO, {0: 1, 1: thumb(keys_of("recorder")[1]), 2: self.since, 3: 1})


def lines_head():
    bundle = Bundle()
    return bundle.note


class Tar(unittest.TestCase):
    """The one form of a tar file; everything else is altered, and nothing of it is read."""

    def refused(self, raw, code="TAR", words=("not anchored", "unpinned keys", "altered")):
        report = check(raw, True)
        self.assertEqual((report.verdict(), report.words(), report.tapes, {one for _, one in found(report)} - {"NO_HEAD"}), ("altered", list(words), [], {code}))

    def test_headers(self):
        def with_first(**fields):
            def change(raw):
                header = tar_header("bagit.txt", len(audit.BAGIT), lambda own: {**own, **fields})
                return header + raw[512:]
            return change(Bundle().tar())
        self.assertEqual(check(with_first(), True).verdict(), "intact")
        cases = dict(name=b"/bagit.txt", mode=b"0000755\0", uid=b"0000001\0", gid=b"0001750\0", mtime=b"00000000000\0", type=b"5", link=b"target",
                     magic=b"ustar  \0", user=b"root", group=b"root", major=b"0000000\0", minor=b"0000000\0", prefix=b"other")
        for name, value in cases.items():
            with self.subTest(name):
                self.refused(with_first(**{name: value}))
        for kind in b"1234567xgLKSD\0":
            self.refused(with_first(type=bytes([kind])))
        for name in (b"../bagit.txt", b"a//b", b"./bagit.txt", b"bagit.txt/", b"b\xc3\xa4g", b"a\nb", b"", b"bagit.txt\0x"):
            with self.subTest(name):
                self.refused(with_first(name=name))
        for size in (b"%011o " % len(audit.BAGIT), b"%12o" % len(audit.BAGIT), b"\x80" + bytes(10) + bytes([len(audit.BAGIT)]), b"77777777777\0", b"-0000000001\0"):
            with self.subTest(size):
                self.refused(with_first(size=size))
        raw = Bundle().tar()
        self.refused(raw[:148] + b"000000\0 " + raw[156:])
        self.refused(raw[:500] + b"x" + raw[501:])
        for prefix in (b"", b".", b"..", b"a/b"):
            every = b"".join(tar_header(path, len(data), lambda own: {**own, "prefix": prefix}) + data + bytes(-len(data) % 512) for path, data in Bundle().bag().items())
            self.refused(every + bytes(1024))

    def test_blocks(self):
        raw = Bundle().tar()
        for name, changed in {"a byte behind": raw + b"\0", "a block behind": raw + bytes(512), "one block at the end": raw[:-512], "none": raw[:-1024],
                              "something behind": raw[:-1024] + raw, "cut": raw[:5000], "nothing": b"", "zeros": bytes(1024), "gzip": b"\x1f\x8b" + raw[2:],
                              "filled with something": raw[:1000] + b"x" + raw[1001:], "a file twice": raw[:1024] + raw,
                              "short": raw[:100]}.items():
            with self.subTest(name):
                if name == "zeros":
                    # A bag without files: its blocks are right.
                    self.assertEqual(check(changed, True).verdict(), "missing")
                else:
                    self.refused(changed)

    def test_order(self):
        def swapped(one, two):
            def change(files):
                names = list(files)
                names[one], names[two] = names[two], names[one]
                return {name: files[name] for name in names}
            return check(Bundle(at("bag", change)), True)
        for one, two in ((0, 1), (2, 3), (3, 4), (5, 6)):
            report = swapped(one, two)
            self.assertEqual((report.verdict(), {code for _, code in found(report)}), ("altered", {"TAR_ORDER"}))

    def test_an_encrypted_one(self):
        report = check(b"age-encryption.org/v1\n-> X25519 abc\n", True)
        self.assertEqual((report.verdict(), report.exit_code()), ("cannot tell", 1))

    def test_folders(self):
        """Links, devices, empty folders and odd names in a folder."""
        def links(path):
            os.symlink("/etc/passwd", os.path.join(path, "data", "link"))

        def linked(path):
            os.rename(os.path.join(path, "data", "VERIFY.txt"), os.path.join(path, "..", "x"))
            os.symlink(os.path.join(path, "..", "x"), os.path.join(path, "data", "VERIFY.txt"))

        def linked_folder(path):
            os.rename(os.path.join(path, "data", "log"), os.path.join(path, "..", "log"))
            os.symlink(os.path.join(path, "..", "log"), os.path.join(path, "data", "log"))
        changes = {links: "BAG_KIND", linked: "BAG_KIND", linked_folder: "BAG_KIND",
                   lambda path: os.mkfifo(os.path.join(path, "data", "pipe")): "BAG_KIND",
                   lambda path: os.mkdir(os.path.join(path, "empty")): "BAG_EMPTY_FOLDER",
                   lambda path: open(os.path.join(path, "data", "\u202e\x1b[31m"), "w").close(): "BAG_NAME"}
        for change, code in changes.items():
            with tempfile.TemporaryDirectory() as folder:
                path = Bundle().write_folder(os.path.join(folder, "bag"))
                change(path)
                report = audit.audit_bundle(path, audit.Options())
                self.assertEqual(report.verdict(), "altered")
                self.assertIn(code, {one for _, one in found(report)})
                out = io.StringIO()
                report.print_text(out)
                self.assertNotIn("\x1b", out.getvalue())

    def test_large_files_are_not_kept(self):
        """A bag of 300 MB in a process that may have 200 MB."""
        with tempfile.TemporaryDirectory() as folder:
            path = Bundle().write_folder(os.path.join(folder, "bag"))
            with open(os.path.join(path, "data", "custody.html"), "wb") as file:
                file.truncate(300 << 20)
            code = ("import resource, sys; sys.path.insert(0, %r); resource.setrlimit(resource.RLIMIT_AS, (200 << 20,) * 2); import tapeaudit; "
                    "sys.exit(tapeaudit.main([%r]))" % (HERE, path))
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            self.assertEqual((done.returncode, "BAG_DIGEST" in done.stdout, done.stderr), (3, True, ""))


# Published trees.

class TreeFolder:
    """The tree of a log, written file by file."""

    def __init__(self, entries, head, bundles=True):
        self.files = {"checkpoint": head}
        for place in range(-(-len(entries) // 256)):
            part = entries[place * 256:place * 256 + 256]
            name = "%03d" % place + (".p/%d" % len(part) if len(part) < 256 else "")
            self.files["tile/0/" + name] = b"".join(H(b"\0" + raw) for raw in part)
            if bundles:
                self.files["tile/entries/" + name] = b"".join(len(raw).to_bytes(2, "big") + raw for raw in part)
        full = len(entries) // 256
        if full:
            roots = b"".join(root_by_recursion(entries[place * 256:place * 256 + 256]) for place in range(full))
            self.files["tile/1/000.p/%d" % full] = roots

    def write(self, folder):
        for name, data in self.files.items():
            if data is None:
                continue
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        return folder


def tree_of(bundle, bundles=True):
    return TreeFolder(bundle.entries, bundle.note, bundles)


def check_tree(tree, pins=PINS, witnesses=WITNESSES, heads=()):
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, note in enumerate(heads):
            paths.append(os.path.join(folder, "head%d" % number))
            with open(paths[-1], "wb") as file:
                file.write(note)
        path = tree.write(os.path.join(folder, "tree"))
        return audit.audit_tree(path, audit.Options([audit.Pin(pin) for pin in pins], audit.Witnesses(witnesses), paths))


def edit(name, change):
    def edited(tree):
        tree.files[name] = change(tree.files[name])
    return edited


class Long(Bundle):
    """More entries than a tile has."""

    def log(self):
        super().log()
        for _ in range(600):
            self.say(36, B, {})


NEW_PIN = make_vkey(ORIGIN, keys_of("checkpoint", 1)[1])


class Longest(Long):
    def log(self):
        super().log()
        for _ in range(154):
            self.say(36, B, {})


class Trees(unittest.TestCase):
    def judged(self, change=lambda tree: None, bundle=None, bundles=True, **options):
        tree = tree_of(bundle or Bundle(), bundles)
        change(tree)
        report = check_tree(tree, **options)
        return report.verdict(), {code for _, code in found(report)}

    def test_good(self):
        long = Long()
        for bundle in (Bundle(), long):
            for bundles in (True, False):
                report = check_tree(tree_of(bundle, bundles), pins=PINS + [NEW_PIN])
                self.assertEqual((report.verdict(), report.words(), found(report), report.whole_log), ("intact", ["intact"], [], bundles))
                self.assertEqual([one["code"] for one in report.findings if one["code"] == "TILE_ABOVE"], [])
        # What was not full may be full by now: its beginning is the same.
        tree, more = tree_of(long), tree_of(Longest())
        for name in ("tile/0/002", "tile/entries/002"):
            del tree.files[name + ".p/102"]
            tree.files[name] = more.files[name]
        report = check_tree(tree)
        self.assertEqual((report.verdict(), found(report)), ("intact", []))

    def test_what_is_wrong(self):
        tile, bundle = "tile/0/000.p/14", "tile/entries/000.p/14"
        last = Bundle().entries[-1]
        # Where tiles and head agree, the head vouches for the tiles, whatever becomes of the entries; else nobody does.
        ANCHORED = ("a byte of an entry", )
        cases = {
            "a hash": (edit(tile, flip(3)), "altered", {"TREE_ROOT", "BUNDLE_LEAF"}),
            "a hash less": (edit(tile, lambda raw: raw[:-32]), "altered", {"TILE_LENGTH"}),
            "a hash more": (edit(tile, lambda raw: raw + raw[:32]), "altered", {"TILE_LENGTH"}),
            "no tile": (edit(tile, lambda raw: None), "missing", {"TILE_MISSING"}),
            "no bundle": (lambda tree: tree.files.update({"tile/entries/000.p/13": tree.files.pop(bundle)}), "missing", {"BUNDLE_MISSING"}),
            "a byte of an entry": (edit(bundle, flip(-1)), "altered", {"BUNDLE_LEAF"}),
            "a bundle cut": (edit(bundle, lambda raw: raw[:-1]), "altered", {"BUNDLE_SHAPE"}),
            "an entry less": (edit(bundle, lambda raw: raw[:-len(last) - 2]), "altered", {"BUNDLE_SHAPE"}),
            "no checkpoint": (edit("checkpoint", lambda raw: None), "missing", {"CHECKPOINT_MISSING"}),
            "a checkpoint of nothing": (edit("checkpoint", lambda raw: b"x"), "altered", {"NOTE"}),
            "a checkpoint by a stranger": (edit("checkpoint", lambda raw: make_note(raw.split(b"\n\n")[0].decode() + "\n", keys_of("stranger")[0], ORIGIN)),
                                           "altered", {"HEAD_UNSIGNED"}),
        }
        for name, (change, verdict, wanted) in cases.items():
            with self.subTest(name):
                got = self.judged(change)
                self.assertEqual(got, (verdict, wanted | ({"NO_HEAD"} if name not in ANCHORED else set())))

    def test_entries_are_a_log(self):
        for hook, code in ((at("entry", having(2, OTHER), index=9), "ENTRY_PREVIOUS"), (at("entry", having(7, OTHER), index=6), "SUBJECT_PREV"),
                           (at("entry", having(3, T0 + 3), index=9), "ENTRY_TIME"), (at("entry", having(1, 7), index=9), "ENTRY_INDEX"),
                           (at("recorder", lambda seed: keys_of("stranger")[0], custody=B), "STATEMENT_SIGNATURE"),
                           (at("head_root", lambda root: OTHER, size=10), "E_LOG_FORK")):
            self.assertEqual(self.judged(bundle=Bundle(hook)), ("forked" if code == "E_LOG_FORK" else "altered", {code}))

    def test_upper_tiles_are_told(self):
        tree = tree_of(Long())
        tree.files["tile/1/000.p/2"] = bytes(64)
        report = check_tree(tree)
        self.assertEqual((report.verdict(), "TILE_ABOVE" in {one["code"] for one in report.findings}), ("intact", True))

    def test_links_are_not_followed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = tree_of(Bundle()).write(os.path.join(folder, "tree"))
            os.rename(os.path.join(path, "tile"), os.path.join(folder, "tile"))
            os.symlink(os.path.join(folder, "tile"), os.path.join(path, "tile"))
            self.assertEqual(audit.audit_tree(path, audit.Options()).verdict(), "missing")

    def test_pins_and_heads(self):
        self.assertEqual(self.judged(pins=[]), ("unpinned keys", set()))
        self.assertEqual(self.judged(pins=PINS[:1]), ("unpinned keys", set()))
        new = make_vkey(ORIGIN, keys_of("checkpoint", 1)[1])
        self.assertEqual(self.judged(bundles=False, pins=[new]), ("intact", set()))
        self.assertEqual(self.judged(bundles=False, pins=[]), ("cannot tell", {"HEAD_KEYLESS", "NO_HEAD"}))
        # A key that signed nothing here says nothing; the older one may be this log's, which no entry tells.
        for pin in (make_vkey(ORIGIN, keys_of("stranger")[1]), PINS[0]):
            self.assertEqual(self.judged(bundles=False, pins=[pin]), ("cannot tell", {"HEAD_KEYLESS", "NO_HEAD"}))
        self.assertEqual(self.judged(edit("checkpoint", lambda raw: raw.replace(b"\n14\n", b"\n13\n")), bundles=False, pins=[new], witnesses=[])[1],
                         {"HEAD_SIGNATURE", "TILE_MISSING", "NO_WITNESS"})
        self.assertEqual(self.judged(witnesses=[]), ("not anchored", {"NO_WITNESS"}))
        bundle = Bundle()
        for bundles in (True, False):
            pins = PINS + [new] if bundles else [new]
            for size, root, verdict in ((14, None, "intact"), (14, OTHER, "forked"), (15, OTHER, "rolled back"), (13, root_by_recursion(bundle.entries[:13]), "intact"),
                                        (13, OTHER, "forked")):
                root = root_by_recursion(bundle.entries) if root is None else root
                note = make_note("%s\n%d\n%s\n" % (ORIGIN, size, base64.b64encode(root).decode()), keys_of("checkpoint", 1)[0], ORIGIN)
                self.assertEqual(self.judged(bundles=bundles, pins=pins, heads=[note])[0], verdict, (bundles, size))
            stranger = make_note("%s\n14\n%s\n" % (ORIGIN, base64.b64encode(OTHER).decode()), keys_of("stranger")[0], ORIGIN)
            self.assertEqual(self.judged(bundles=bundles, pins=pins, heads=[stranger])[0], "cannot tell")

    def test_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            empty = make_note("%s\n0\n%s\n" % (ORIGIN, base64.b64encode(H(b"")).decode()), keys_of("checkpoint")[0], ORIGIN)
            with open(os.path.join(folder, "checkpoint"), "wb") as file:
                file.write(empty)
            self.assertEqual(audit.audit_tree(folder, audit.Options([audit.Pin(PINS[0])])).verdict(), "cannot tell")


class WholeLog(unittest.TestCase):
    def judged(self, bundle, tree):
        with tempfile.TemporaryDirectory() as folder:
            report = check(bundle, tree=tree.write(os.path.join(folder, "tree")))
        return report.verdict(), report.whole_log, {code for _, code in found(report)}

    def test_good(self):
        self.assertEqual(self.judged(Bundle(), tree_of(Bundle())), ("intact", True, set()))
        # What came after the last entry here is no fault, also about the tape.
        self.assertEqual(self.judged(Bundle(), tree_of(Longer())), ("intact", True, set()))

    def test_an_entry_that_the_chain_hides(self):
        """The ledger let an access stand outside the tape's chain: nobody sees it who has not the whole log."""
        def hides(name, value, **place):
            if name == "row" and place["index"] == 9:
                return (36, junk("hidden"), {}, {}, ())
            return value[:5] + [A] + value[6:] if name == "entry" and place["index"] == 9 else value
        hidden = both(hides, at("chosen", lambda chosen: [index for index in chosen if index != 9]))
        self.assertEqual(check(Bundle(hidden)).verdict(), "intact")
        verdict, whole, codes = self.judged(Bundle(hidden), tree_of(Bundle(hidden)))
        self.assertEqual((verdict, whole, "WHOLE_ABSENT" in codes), ("altered", False, True))

    def test_a_change_of_keys_left_out(self):
        left = both(at("more", lambda rows: rows + [(32770, ZERO, {0: 0, 1: thumb(keys_of("checkpoint")[1]), 2: 12, 3: 0})]),
                    at("chosen", lambda chosen: [index for index in chosen if index != 13]))
        self.assertEqual(check(Bundle(left)).verdict(), "intact")
        self.assertEqual(self.judged(Bundle(left), tree_of(Bundle(left))), ("incomplete", False, {"WHOLE_ABSENT"}))

    def test_another_tree(self):
        other = Bundle(at("entry", having(3, T0), index=1))
        self.assertEqual(self.judged(Bundle(), tree_of(other))[:2], ("forked", False))
        self.assertEqual(self.judged(Bundle(), tree_of(Bundle(), False)), ("intact", False, set()))
        short = TreeFolder(Bundle().entries[:13], Bundle().head(13, 0))
        self.assertEqual(self.judged(Bundle(), short)[:2], ("altered", False))
        short = TreeFolder(Bundle().entries[:13], Bundle().head(13, 1))
        self.assertEqual(self.judged(Bundle(), short), ("cannot tell", False, {"WHOLE_SMALLER"}))
        broken = tree_of(Bundle())
        broken.files["tile/0/000.p/14"] = None
        self.assertEqual(self.judged(Bundle(), broken)[:2], ("missing", False))


class GoesOn(Bundle):
    """The same log, of which `later` makes what came after the bundle."""

    def __init__(self, later, hook=None, **options):
        self.later = later
        super().__init__(hook, **options)

    def payload(self):
        files = super().payload()
        self.later(self)
        self.note = self.head()
        return files

    def revoke(self, role, since, number=0):
        self.say(32770, ZERO, {0: ROLES.index(role), 1: thumb(keys_of(role, number)[1]), 2: since, 3: 1})


class CameAfter(unittest.TestCase):
    """Keys that came after the bundle, and revocations behind it, by a tree with entry bundles."""

    NEWEST = [make_vkey(ORIGIN, keys_of("checkpoint", 2)[1]), keys_of("recorder", 1)[1].hex()]

    def judged(self, bundle, tree=None, pins=PINS, heads=(), witnesses=WITNESSES):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number, note in enumerate(heads):
                paths.append(os.path.join(folder, "head%d" % number))
                with open(paths[-1], "wb") as file:
                    file.write(note)
            report = check(bundle, pins=pins, heads=paths, witnesses=witnesses, tree=tree and tree.write(os.path.join(folder, "tree")))
        return report.words(), report.whole_log, {code for _, code in found(report)}

    @staticmethod
    def rotated(log):
        log.rotate()
        log.rotate("recorder")

    def revoked(self, role, since, before=lambda log: None, after=lambda log: None, number=0):
        def later(log):
            before(log)
            log.rotate(role)
            log.revoke(role, since, number)
            after(log)
        bundle = GoesOn(later)
        return self.judged(bundle, tree_of(bundle))

    def test_pins(self):
        bundle = GoesOn(self.rotated)
        good, differs = (["intact"], True, set()), (["altered"], False, {"PIN_DIFFERS"})
        for pins in (PINS, self.NEWEST, PINS + self.NEWEST, [NEW_PIN, thumb(keys_of("recorder", 1)[1]).hex()]):
            self.assertEqual(self.judged(bundle, tree_of(bundle), pins), good)
        # Without the tree, and by one without entries, nobody knows of them.
        self.assertEqual(self.judged(bundle, None, PINS + self.NEWEST), differs)
        self.assertEqual(self.judged(bundle, tree_of(bundle, False), PINS), (["cannot tell"], False, {"HEAD_UNSIGNED"}))
        self.assertEqual(self.judged(bundle, tree_of(bundle, False), PINS + self.NEWEST), (["cannot tell", "altered"], False, {"HEAD_UNSIGNED", "PIN_DIFFERS"}))
        self.assertEqual(self.judged(bundle, tree_of(bundle), PINS + [OTHER.hex()]), (["altered"], True, {"PIN_DIFFERS"}))
        # A key that came after is none of a witness either.
        self.assertEqual(self.judged(bundle, tree_of(bundle), witnesses=[make_vkey("w.example", keys_of("checkpoint", 2)[1], b"\x04")])[2], {"WITNESS_KEY", "NO_QUORUM"})

    def test_keys_of_another_tree(self):
        """One that does not go on from this head, or whose own head nobody of the log signed, names no keys."""
        bundle = GoesOn(self.rotated)
        other = GoesOn(self.rotated, at("entry", having(3, T0 + 1), index=2))
        self.assertEqual(self.judged(bundle, tree_of(other), PINS + self.NEWEST), (["altered", "forked"], False, {"E_LOG_FORK", "PIN_DIFFERS"}))
        unsigned = tree_of(bundle)
        unsigned.files["checkpoint"] = make_note(bundle.note.split(b"\n\n")[0].decode() + "\n", keys_of("stranger")[0], ORIGIN)
        self.assertEqual(self.judged(bundle, unsigned, PINS + self.NEWEST), (["altered"], False, {"HEAD_UNSIGNED", "PIN_DIFFERS"}))

    def test_heads(self):
        bundle = GoesOn(self.rotated)
        tree = tree_of(bundle)

        def head(size, root, number):
            return make_note("%s\n%d\n%s\n" % (ORIGIN, size, base64.b64encode(root).decode()), keys_of("checkpoint", number)[0], ORIGIN)
        root = root_by_recursion(bundle.entries[:14])
        for note, with_tree, without in ((head(99, OTHER, 2), "intact", "cannot tell"), (head(16, OTHER, 2), "intact", "cannot tell"), (head(99, OTHER, 1), "intact", "intact"),
                                         (head(14, root, 1), "intact", "intact"), (head(14, OTHER, 1), "forked", "forked"), (head(14, root, 2), "cannot tell", "cannot tell"),
                                         (head(99, OTHER, 3), "cannot tell", "cannot tell"), (bundle.note, "intact", "cannot tell")):
            self.assertEqual(self.judged(bundle, tree, heads=[note])[0], [with_tree])
            self.assertEqual(self.judged(bundle, None, heads=[note])[0], [without])

    def test_a_revoked_recorder(self):
        """Tape A was saved by entry 4; others held heads of 10 and 11 entries when the bundle was made."""
        for since in (0, 4):
            self.assertEqual(self.revoked("recorder", since), (["altered"], True, {"STATEMENT_REVOKED"}))
        for since in (5, 9):
            self.assertEqual(self.revoked("recorder", since), (["intact with gaps"], True, {"STATEMENT_UNPROVED"}))
        for since in (10, 14):
            self.assertEqual(self.revoked("recorder", since), (["intact"], True, set()))

    def test_heads_behind_the_bundle_do_not_help(self):
        def kept(log):
            note = log.head(9, 0)
            log.say(128, ZERO, {0: note + cosignature(note, "w1"), 1: [witness_key("w1")], 2: True})
        self.assertEqual(self.revoked("recorder", 9, before=kept), (["intact with gaps"], True, {"STATEMENT_UNPROVED"}))
        tree = tree_of(GoesOn(lambda log: (kept(log), log.rotate("recorder"), log.revoke("recorder", 9))))
        self.assertEqual(found(check_tree(tree)), [("not anchored", "NO_QUORUM")])

    def test_what_is_in_the_tree_alone(self):
        """A tape that was saved after the bundle, with a key that was revoked, says nothing of the bundle."""
        def saved(log):
            tape = log.tape(junk("C"), log.leaves)
            log.say(16, junk("C"), {0: log.statement(tape, junk("C")), 1: bytes(16)})
        self.assertEqual(self.revoked("recorder", 11, before=saved), (["intact"], True, set()))
        tree = tree_of(GoesOn(lambda log: (saved(log), log.rotate("recorder"), log.revoke("recorder", 11))))
        self.assertEqual(found(check_tree(tree)), [("altered", "STATEMENT_REVOKED"), ("not anchored", "NO_QUORUM")])

    def test_a_revoked_checkpoint_key(self):
        # The key that signed the head of 14 entries here.
        self.assertEqual(self.revoked("checkpoint", 13, number=1), (["not anchored", "altered"], True, {"HEAD_REVOKED", "NO_HEAD"}))
        self.assertEqual(self.revoked("checkpoint", 14, number=1), (["intact"], True, set()))
        # That of the heads that entries keep: they prove nothing, and were in order when they were written.
        self.assertEqual(self.revoked("checkpoint", 10), (["intact with gaps"], True, {"HEAD_REVOKED"}))
        self.assertEqual(self.revoked("checkpoint", 11), (["intact"], True, set()))
        bundle = GoesOn(lambda log: (log.rotate("recorder"), log.revoke("recorder", 11), log.revoke("checkpoint", 9)))
        self.assertEqual(self.judged(bundle, tree_of(bundle)), (["intact with gaps"], True, {"HEAD_REVOKED", "STATEMENT_UNPROVED"}))
        # A head that somebody kept gets no leave.
        early = bundle.head(10, 0)
        self.assertEqual(self.judged(bundle, tree_of(bundle), heads=[early])[0], ["altered"])
        self.assertEqual(self.judged(bundle, None, heads=[early])[0], ["intact"])

    def test_a_critical_kind_behind_the_bundle(self):
        bundle = GoesOn(lambda log: (log.say(40000, ZERO, {}), self.rotated(log)))
        self.assertEqual(self.judged(bundle, tree_of(bundle), PINS + self.NEWEST), (["cannot tell"], False, {"CRITICAL_KIND"}))


class Longer(Bundle):
    """The same log, which went on."""

    def payload(self):
        files = super().payload()
        self.say(33, A, {0: 13})
        self.say(36, A, {})
        self.note = self.head()
        return files


class Ledgers(unittest.TestCase):
    """What 6.7 asks of a ledger folder beyond what test_tapeaudit.py looks at."""

    def judged(self, world, witnesses, quorum=None):
        with tempfile.TemporaryDirectory() as folder:
            ledger, state = world.write(folder)
            report = audit.audit(ledger, state, (), [audit.Pin(pin) for pin in PINS], audit.Witnesses(witnesses, quorum))
        return report.verdict(), report.words(), report.last_line(), report.anchored_ms

    def test_witnesses(self):
        nobody = ("not anchored", ["not anchored"], "intact, not anchored", None)
        seen = ("intact", ["intact"], "intact", T0)
        plain, kept = World(), Grown(lambda world: world.cosign(witnesses=("w1", "w2")))
        self.assertEqual(self.judged(plain, []), ("intact", ["intact"], "intact", None))
        self.assertEqual(self.judged(plain, WITNESSES), nobody)
        self.assertEqual(self.judged(kept, WITNESSES), seen)
        self.assertEqual(self.judged(kept, [witness_key("w3")]), nobody)
        self.assertEqual(self.judged(kept, [witness_key("w3"), WITNESSES[0]], 1), seen)
        # One that its entry does not name is a line like any other, until somebody knows its key.
        wrong = Grown(lambda world: world.cosign(world.head() + cosignature(world.head(), "w3", seed=keys_of("w1")[0])))
        self.assertEqual(self.judged(wrong, [WITNESSES[0]])[0], "intact")
        self.assertEqual(self.judged(wrong, [WITNESSES[0], witness_key("w3")])[:2], ("altered", ["not anchored", "altered"]))

    def test_newest_note(self):
        world = Grown(lambda world: None)
        note = world.head()
        world.files["state/anchors/newest.note"] = bytearray(note + cosignature(note, "w1"))
        self.assertEqual(self.judged(world, WITNESSES, 1)[::3], ("intact", T0))
        self.assertEqual(self.judged(world, WITNESSES)[0], "not anchored")

    def test_order_of_words(self):
        """The first of 6.7 names the verdict, the others stand beside it in the order of the table."""
        report = audit.Report()
        for severity in reversed(audit.WEIGHT):
            if severity != audit.UNPINNED:
                report.find(None, severity, "X", "x")
            if severity in (audit.GAP, audit.UNSEALED, audit.NOT_ANCHORED):
                self.assertEqual(report.words()[0], "intact with gaps")
        self.assertEqual(report.verdict(), "altered")
        self.assertEqual(report.words(), ["not anchored", "unpinned keys", "unsealed tail", "ended by loss", "cannot tell", "altered", "missing", "incomplete",
                                          "rolled back", "forked"])


# Batch mode, and the program itself.

class Batch(unittest.TestCase):
    def ask(self, *objects, raw=b""):
        out = io.StringIO()
        lines = raw + b"".join(json.dumps(one).encode() + b"\n" for one in objects)
        code = audit.batch(io.BytesIO(lines), out)
        return code, [json.loads(line) for line in out.getvalue().splitlines()]

    def test_bundles_trees_and_ledgers(self):
        bundle = Bundle()
        with tempfile.TemporaryDirectory() as folder:
            bag, tree = bundle.write_folder(os.path.join(folder, "bag")), tree_of(bundle).write(os.path.join(folder, "tree"))
            ask = {"path": bag, "pub": PINS, "witness": WITNESSES, "quorum": 2, "head": [os.path.join(tree, "checkpoint")], "tree": tree}
            code, answers = self.ask({"n": 1, "kind": "bundle", **ask}, {"n": 2, "kind": "tree", **ask, "path": tree, "tree": None}, {"n": 3, "kind": "bundle", "path": bag},
                                     {"n": 4, "kind": "ledger", "path": folder}, {"n": 5, "kind": "bundle", "path": os.path.join(folder, "none")})
            self.assertEqual(code, 0)
            self.assertEqual(answers[0], {"n": 1, "verdict": "intact", "exit": 0, "words": ["intact"], "ids": [bundle.id]})
            self.assertEqual(answers[1], {"n": 2, "verdict": "intact", "exit": 0, "words": ["intact"], "ids": []})
            self.assertEqual(answers[2], {"n": 3, "verdict": "unpinned keys", "exit": 10, "words": ["not anchored", "unpinned keys"], "ids": [bundle.id]})
            self.assertEqual((answers[3]["verdict"], answers[3]["exit"]), ("cannot tell", 1))
            self.assertEqual(answers[4], {"n": 5, "verdict": "cannot tell", "exit": 1, "words": ["not anchored", "unpinned keys", "cannot tell"], "ids": []})
            refusal = {"verdict": "cannot tell", "exit": 1, "words": ["cannot tell"], "ids": []}
            for bad in ({"pub": ["x"]}, {"witness": ["x"]}, {"quorum": 0}, {"quorum": -1}, {"quorum": "1"}, {"quorum": True}, {"head": [folder]}, {"head": ["/nowhere"]},
                        {"pub": "x"}, {"path": 1}, {"tree": 1}, {"path": "\0"}):
                self.assertEqual(self.ask({"n": 6, "kind": "bundle", **ask, **bad}), (0, [{"n": 6, **refusal}]), bad)

    def test_lines(self):
        nothing = {"n": None, "error": "not an object with n and a kind that is known"}
        good = {"n": 1, "kind": "cbor", "hex": "01"}
        for bad in (b"\n", b"x\n", b"[]\n", b"{}\n", b'{"n": "1", "kind": "cbor", "hex": "01"}\n', b'{"n": 1, "kind": "what"}\n', b'{"n": 1}\n', b"[" * 100000 + b"\n",
                    b"\xff\n", b'{"n": true, "kind": "cbor", "hex": "01"}\n'):
            code, answers = self.ask(good, raw=bad)
            self.assertEqual((code, answers[0], answers[1]["accept"]), (2, nothing, True), bad[:20])
        self.assertEqual(self.ask(), (0, []))
        for bad in ({"hex": "0"}, {"hex": "zz"}, {"hex": 1}, {}, {"text": "01"}, {"hex": "0x01"}):
            code, answers = self.ask({"n": 1, "kind": "cbor", **bad})
            self.assertEqual((code, answers[0]["accept"]), (0, False))
        self.assertEqual(self.ask({**good, "hex": "81" * 100000})[1][0]["accept"], False)

    def test_succession(self):
        old, new = make_vkey("old.example/" + "11" * 16, keys_of("checkpoint")[1]), make_vkey(ORIGIN, keys_of("checkpoint", 1)[1])
        text = "immutape/succession/1\nold %s\nhead 7 %s\nnew %s\nledger %s\nlost 7 -\n" % (old, base64.b64encode(OTHER).decode(), new, OTHER.hex())
        right = make_note(text, keys_of("checkpoint", 1)[0], ORIGIN).decode()
        also = right + make_note(text, keys_of("checkpoint")[0], "old.example/" + "11" * 16).decode().split("\n\n")[1]
        wrong = right + make_note(text + "x\n", keys_of("checkpoint")[0], "old.example/" + "11" * 16).decode().split("\n\n")[1]
        only = make_note(text, keys_of("checkpoint")[0], "old.example/" + "11" * 16).decode()
        for note, accept in ((right, True), (also, True), (wrong, False), (only, False), (text, False)):
            answer = self.ask({"n": 1, "kind": "succession", "text": note})[1][0]
            self.assertEqual(answer["accept"], accept, answer)
            if accept:
                self.assertEqual(answer["id"], H(text.encode()).hex())

    def test_entries_by_themselves(self):
        entries = Bundle().entries
        for index, raw in enumerate(entries):
            self.assertEqual(self.ask({"n": 1, "kind": "entry", "hex": raw.hex()})[1][0], {"n": 1, "accept": True, "id": H(b"\0" + raw).hex()})
        saved, other = audit.cbor_decode(entries[4]), audit.cbor_decode(entries[6])
        for items in (having(5, B)(saved), having(11, {0: b"", 1: bytes(16)})(saved), having(6, 7)(other), having(7, OTHER)(saved[:6] + [0] + saved[7:]),
                      having(1, 0)(other), having(4, 0)(other)):
            self.assertFalse(self.ask({"n": 1, "kind": "entry", "hex": enc(items).hex()})[1][0]["accept"])
        genesis = audit.cbor_decode(entries[0])
        for length in (0, 65000, 65001):
            raw = enc(having(11, {**genesis[11], 9: ["old.example", bytes(length), 7, None]})(genesis))
            self.assertLess(len(raw), 65536)
            self.assertEqual(self.ask({"n": 1, "kind": "entry", "hex": raw.hex()})[1][0]["accept"], length < 65001)


class Command(unittest.TestCase):
    def run_it(self, *arguments, stdin=b""):
        done = subprocess.run([sys.executable, os.path.join(HERE, "tapeaudit.py"), *arguments], input=stdin, capture_output=True)
        self.assertEqual(done.stderr.count(b"Traceback"), 0, done.stderr)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_kinds_and_words(self):
        bundle = Bundle()
        keys = ["--pub", PINS[0], "--pub", PINS[1], "--witness", WITNESSES[0], "--witness", WITNESSES[1]]
        with tempfile.TemporaryDirectory() as folder:
            bag, tree = bundle.write_folder(os.path.join(folder, "bag")), tree_of(bundle).write(os.path.join(folder, "tree"))
            tar = os.path.join(folder, "bag.tar")
            with open(tar, "wb") as file:
                file.write(bundle.tar())
            for path in (bag, tar):
                code, out, _ = self.run_it(*keys, "--tree", tree, path)
                self.assertEqual((code, out.splitlines()[-2:]), (0, ["complete over the whole log", "intact"]))
                for said in ("by alice", "3 frames, 0 to 2 opened", "evidence.made", "at the latest 2023-11-14 22:1"):
                    self.assertIn(said, out)
                code, out, _ = self.run_it(path)
                self.assertEqual((code, out.splitlines()[-1]), (10, "unpinned keys; also: not anchored"))
            code, out, _ = self.run_it(*keys, "--json", tar)
            said = json.loads(out)
            self.assertEqual({name: said[name] for name in ("verdict", "exit", "words", "pinned", "anchored_ms", "whole_log", "tapes")}, {
                "verdict": "intact", "exit": 0, "words": ["intact"], "pinned": True, "anchored_ms": T0 + 200_000, "whole_log": False, "tapes": [bundle.id]})
            self.assertEqual(self.run_it(*keys, tree)[0], 0)
            os.remove(os.path.join(bag, "bagit.txt"))
            self.assertEqual(self.run_it(*keys, bag)[0], 3)
            self.assertEqual(self.run_it(*keys, "--quorum", "0", tar)[0], 2)
            self.assertEqual(self.run_it("--witness", "x", tar)[0], 2)
            self.assertEqual(self.run_it(os.path.join(folder, "none"))[0], 2)
            self.assertEqual(self.run_it()[0], 2)

    def test_nobody_reads(self):
        with tempfile.TemporaryDirectory() as folder:
            bag = Bundle().write_folder(os.path.join(folder, "bag"))
            line = "%s %s %s; echo ${PIPESTATUS[0]}" % (sys.executable, os.path.join(HERE, "tapeaudit.py"), bag)
            done = subprocess.run(["bash", "-c", line.replace(";", "| head -1;")], capture_output=True, text=True)
            self.assertEqual((done.stderr, len(done.stdout.splitlines())), ("", 2))
            self.assertEqual(done.stdout.splitlines()[1], "10")
            done = subprocess.run(["bash", "-c", "%s %s %s >&-" % (sys.executable, os.path.join(HERE, "tapeaudit.py"), bag)], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (10, ""))
            done = subprocess.run(["bash", "-c", "%s %s --batch <&-" % (sys.executable, os.path.join(HERE, "tapeaudit.py"))], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_batch(self):
        code, out, _ = self.run_it("--batch", stdin=b'{"n": 7, "kind": "cbor", "hex": "f6"}\n')
        self.assertEqual((code, json.loads(out)), (0, {"n": 7, "accept": True, "id": H(b"\xf6").hex()}))


class Hostile(unittest.TestCase):
    def test_any_byte(self):
        """A bit anywhere, in the bag as it is or with digests made anew: never intact, and never a crash."""
        plain = Bundle(query=True)
        random_ = random.Random(6)
        seen = {}
        for number in range(250):
            path = random_.choice(sorted(plain.files))
            data = plain.files[path]
            spot, bit = random_.randrange(len(data)), 1 << random_.randrange(8)
            changed = data[:spot] + bytes([data[spot] ^ bit]) + data[spot + 1:]
            fresh = Bundle.__new__(Bundle)
            fresh.__dict__.update(plain.__dict__)
            fresh.files = {**plain.files, path: changed}
            report = check(fresh, number % 2 == 0)
            for finding in report.findings:
                self.assertNotEqual(finding["code"], "UNEXPECTED", (path, spot, bit, finding))
            if path in ("data/custody.html", "data/custody.json", "data/VERIFY.txt", "data/witnesses"):
                self.assertEqual(report.verdict(), "intact")
            elif not path.endswith("log/checkpoint") and not path.endswith(".tlog-proof"):
                self.assertNotEqual(report.verdict(), "intact", (path, spot, bit))
            for finding in report.findings:
                seen[finding["code"]] = seen.get(finding["code"], 0) + 1
        self.assertGreater(len(seen), 20)

    def test_any_byte_of_a_tar(self):
        raw = Bundle().tar()
        random_ = random.Random(7)
        for _ in range(100):
            spot = random_.randrange(len(raw))
            report = check(raw[:spot] + bytes([raw[spot] ^ 1 << random_.randrange(8)]) + raw[spot + 1:], True)
            self.assertEqual(report.verdict(), "altered", spot)
            self.assertNotIn("UNEXPECTED", {finding["code"] for finding in report.findings})

    def test_items_that_are_none(self):
        """Sequences of CBOR that announce more than there is, or nest without end."""
        for path in ("data/entries.cbor", "data/log/paths.cbor", "TAPE/frames.cbor", "TAPE/frames-paths.cbor", "TAPE/header.cbor", "TAPE/manifest.cbor", "TAPE/root.cbor",
                     "TAPE/saved.tlog-proof", "TAPE/receipt.cose", "data/log/checkpoint", "data/COMPLETENESS.json"):
            for raw in (b"", b"\x9b" + b"\xff" * 8, b"\x83\x5b" + b"\x7f" * 8, b"\x81" * 100000, b"\x83\x40\xf6\xa0", b"\xbf\xff", b"\x9f", b"[" * 100000, b"\n" * 100000):
                name = path[5:] if path.startswith("data/") else path
                report = check(Bundle(file(name, lambda old: raw)))
                self.assertEqual((report.verdict() in ("altered", "missing"), "UNEXPECTED" in {one["code"] for one in report.findings}), (True, False), (path, raw[:9]))

    def test_many_small_parts(self):
        """Bytes that would be a thousand times as much in memory are refused before they are made."""
        many = b"\x9a" + (1 << 23).to_bytes(4, "big") + b"\x80" * (1 << 23)
        self.assertRaises(audit.Refusal, audit.Manifest, many)
        self.assertRaises(audit.CborError, audit.cbor_bounded, many)
        audit.cbor_bounded(b"\x5a" + (1 << 23).to_bytes(4, "big") + bytes(1 << 23))

    def test_names_do_not_reach_the_terminal(self):
        bad = "\x1b[2J\u202eevil<b>"
        bundle = Bundle(both(private(6, 0, [0, bad.encode(), 0]), field("authority", bad), also("withheld", {"what": "tape", "tape": OTHER.hex(), "fields": [], "why": bad})))
        report = check(bundle)
        for show in (report.print_text, report.print_json):
            out = io.StringIO()
            show(out)
            self.assertNotIn("\x1b", out.getvalue())
            self.assertNotIn("\u202e", out.getvalue())


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
