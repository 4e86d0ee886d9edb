#!/usr/bin/env python3
"""Tests of tapeaudit.py: python3 -m unittest (standard library only).

Third-party vectors are read from ../shared/vectors beside the project; without them those tests are skipped and counted as
skipped. The ledgers are built here from docs/format, by code that shares nothing with the auditor but its curve arithmetic
(which the vectors check)."""

import base64
import contextlib
import functools
import hashlib
import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import tapeaudit as audit  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
VECTORS = os.path.join(os.path.dirname(ROOT), "shared", "vectors")


def vector(test, *parts):
    path = os.path.join(VECTORS, *parts)
    if not os.path.exists(path):
        test.skipTest("no vectors at %s" % path)
    with open(path, "rb") as file:
        return file.read()


def H(data):
    return hashlib.sha256(data).digest()


# Signing, RFC 8032 section 5.1.6: the auditor only verifies.

def _expand(seed):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    scalar = scalar & ((1 << 254) - 8) | (1 << 254)
    return scalar, digest[32:]


def public_key(seed):
    return audit.point_encode(audit.table_multiply(audit.base_table(), _expand(seed)[0]))


def sign(seed, message):
    scalar, prefix = _expand(seed)
    public = public_key(seed)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % audit.L
    r = audit.point_encode(audit.table_multiply(audit.base_table(), nonce))
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % audit.L
    return r + ((nonce + k * scalar) % audit.L).to_bytes(32, "little")


# seed, public key, message, signature: RFC 8032 section 7.1, tests 1, 2, 3, 1024 (its beginning is not needed) and SHA(abc).
RFC8032 = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"),
]


class Ed25519(unittest.TestCase):
    def test_rfc8032(self):
        for seed, public, message, signature in RFC8032:
            seed, public, message, signature = map(bytes.fromhex, (seed, public, message, signature))
            self.assertEqual(public_key(seed), public)
            self.assertEqual(sign(seed, message), signature)
            self.assertTrue(audit.ed25519_verify(public, message, signature))
            self.assertFalse(audit.ed25519_verify(public, message + b"x", signature))
            for bit in range(0, 512, 7):
                broken = bytearray(signature)
                broken[bit // 8] ^= 1 << bit % 8
                self.assertFalse(audit.ed25519_verify(public, message, bytes(broken)), "bit %d" % bit)

    def test_edges(self):
        seed, public, message, signature = map(bytes.fromhex, RFC8032[1])
        s = int.from_bytes(signature[32:], "little")
        self.assertFalse(audit.ed25519_verify(public, message, signature[:32] + (s + audit.L).to_bytes(32, "little")), "S + L")
        self.assertFalse(audit.ed25519_verify(public, message, signature[:63]))
        self.assertFalse(audit.ed25519_verify(public[:31], message, signature))
        identity = (1).to_bytes(32, "little")
        # With the identity as key and R, S = 0 fulfils the equation for every message: small order is refused by itself.
        self.assertFalse(audit.ed25519_verify(identity, message, identity + bytes(32)))
        self.assertIsNone(audit.point_decode((audit.P).to_bytes(32, "little")), "y = p")
        self.assertIsNone(audit.point_decode((1 | 1 << 255).to_bytes(32, "little")), "x = minus zero")
        self.assertIsNone(audit.point_decode((2).to_bytes(32, "little")), "not on the curve")

    def test_cctv(self):
        refused = {"low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_residue"}
        accepted, count = 0, 0
        for case in json.loads(vector(self, "cctv-ed25519", "ed25519vectors.json")):
            flags = set(case["flags"] or [])
            got = audit.ed25519_verify(bytes.fromhex(case["key"]), case["msg"].encode(), bytes.fromhex(case["sig"]))
            self.assertEqual(got, not flags & refused, case)
            accepted, count = accepted + got, count + 1
        self.assertEqual((count, accepted > 0), (914, True))

    def test_wycheproof(self):
        count = 0
        for group in json.loads(vector(self, "wycheproof", "ed25519_test.json"))["testGroups"]:
            public = bytes.fromhex(group["publicKey"]["pk"])
            for case in group["tests"]:
                got = audit.ed25519_verify(public, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
                self.assertEqual(got, case["result"] == "valid", case["tcId"])
                count += 1
        self.assertEqual(count, 151)

    def test_tables_do_not_remember_wrongly(self):
        seeds = [H(bytes([number])) for number in range(audit.MAX_TABLES + 4)]
        signed = [(public_key(seed), sign(seed, b"m")) for seed in seeds]
        for public, signature in signed + signed[:3]:
            self.assertTrue(audit.ed25519_verify(public, b"m", signature))


# What chapter 1.1 takes and refuses; hexadecimal.
CBOR_ACCEPT = {
    "zero": "00", "23": "17", "24": "1818", "255": "18ff", "256": "190100", "65536": "1a00010000", "2^32": "1b0000000100000000",
    "2^64-1": "1bffffffffffffffff", "minus 1": "20", "minus 2^64": "3bffffffffffffffff", "bytes": "420102", "empty bytes": "40",
    "text": "6161", "empty text": "60", "array": "820102", "empty array": "80", "map": "a201f56161f6", "empty map": "a0",
    "false": "f4", "true": "f5", "null": "f6", "int before text key": "a22001616101",
    "keys 10, 100, -1, z, aa": "a50a011864022003617a0462616105",
    "16 arrays": "81" * 15 + "80", "chapter 1.6": "8472696d6d75746170652f6578616d706c652f311901f4420102a201f56161f6",
}
CBOR_REFUSE = {
    "nothing": "", "two items": "0000", "24 in one byte too many": "1817", "255 in two": "1900ff", "65535 in four": "1a0000ffff",
    "2^32-1 in eight": "1b00000000ffffffff", "length not shortest": "580161", "array length not shortest": "980100",
    "indefinite bytes": "5f4101ff", "indefinite text": "7f6161ff", "indefinite array": "9f01ff", "indefinite map": "bf0101ff",
    "half float": "f93c00", "float": "fa3f800000", "double": "fb3ff0000000000000", "undefined": "f7", "simple 16": "f0",
    "simple 255": "f8ff", "simple 20 in two bytes": "f814", "break": "ff", "tag 18": "d28443a10126a0404100", "tag 0": "c000",
    "tag 55799": "d9d9f700", "duplicate key": "a201000100", "keys out of order": "a202000100",
    "text before int key": "a26161010101", "longer text first": "a262616101617a01",
    "bytes as key": "a1410100", "array as key": "a1800000", "map as key": "a1a000", "true as key": "a1f500", "null as key": "a1f600",
    "text not UTF-8": "61ff", "surrogate in text": "63eda080", "overlong text": "62c080", "17 arrays": "81" * 16 + "80",
    "17 maps": "a100" * 16 + "a0", "bytes too short": "4201", "head cut": "19ff", "array cut": "8201", "map cut": "a101",
    "reserved head 28": "1c", "reserved head 29": "3d", "reserved head 30": "5e", "array of 2^63": "9b8000000000000000",
    "map of 2^32": "bb0000000100000000", "bytes of 2^64-1": "5bffffffffffffffff", "2^24+1 items": "9a01000001",
}


class Cbor(unittest.TestCase):
    def test_accept(self):
        for name, text in CBOR_ACCEPT.items():
            raw = bytes.fromhex(text)
            with self.subTest(name):
                self.assertEqual(audit.cbor_encode(audit.cbor_decode(raw)), raw)

    def test_refuse(self):
        for name, text in CBOR_REFUSE.items():
            with self.subTest(name), self.assertRaises(audit.CborError):
                audit.cbor_decode(bytes.fromhex(text))

    def test_too_many_items_with_bytes_behind(self):
        with self.assertRaises(audit.CborError):
            audit.cbor_decode(b"\x9a\x01\x00\x00\x01" + bytes((1 << 24) + 1))

    def test_appendix_a(self):
        """Of the RFC's own examples those within the profile come back as the same bytes; all others are refused."""
        accepted, refused = 0, 0
        for case in json.loads(vector(self, "cbor", "appendix_a.json")):
            raw = bytes.fromhex(case["hex"])
            try:
                self.assertEqual(audit.cbor_encode(audit.cbor_decode(raw)), raw)
                accepted += 1
                self.assertTrue(case["roundtrip"])
                if "decoded" in case and not isinstance(case["decoded"], (list, dict)):
                    self.assertEqual(audit.cbor_decode(raw), case["decoded"])
            except audit.CborError:
                refused += 1
        self.assertEqual(accepted + refused, 82)
        self.assertGreater(accepted, 30)
        self.assertGreater(refused, 30)

    def test_not_well_formed(self):
        cases = json.loads(vector(self, "cbor", "fail.json"))
        for case in cases:
            with self.subTest(case["hex"]), self.assertRaises(audit.CborError):
                audit.cbor_decode(bytes.fromhex(case["hex"]))
        self.assertGreater(len(cases), 50)

    def test_whatever_is_accepted_has_one_encoding(self):
        chance, accepted = random.Random(1), 0
        seeds = [bytes.fromhex(text) for text in CBOR_ACCEPT.values()]
        for _ in range(30000):
            raw = bytearray(chance.choice(seeds))
            for _ in range(chance.randrange(1, 4)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            try:
                value = audit.cbor_decode(bytes(raw))
            except audit.CborError:
                continue
            accepted += 1
            self.assertEqual(audit.cbor_encode(value), bytes(raw))
        self.assertGreater(accepted, 1000)


def root_by_recursion(leaves):
    """RFC 6962 section 2.1 as it is written there."""
    if not leaves:
        return H(b"")
    if len(leaves) == 1:
        return H(b"\0" + leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return H(b"\1" + root_by_recursion(leaves[:split]) + root_by_recursion(leaves[split:]))


class Tree(unittest.TestCase):
    def test_reference_roots(self):
        reference = json.loads(vector(self, "rfc6962-merkle", "reference8.json"))
        frontier = audit.Frontier()
        for size, leaf in enumerate(reference["leaves_hex"]):
            self.assertEqual(frontier.root().hex(), reference["roots_hex_by_size"][size])
            self.assertEqual(audit.leaf_hash(bytes.fromhex(leaf)).hex(), reference["leaf_hashes_hex"][size])
            frontier.push(audit.leaf_hash(bytes.fromhex(leaf)))
        self.assertEqual((frontier.size, frontier.root().hex()), (8, reference["roots_hex_by_size"][8]))

    def test_against_the_definition(self):
        frontier, tree, leaves, roots = audit.Frontier(), audit.Tree(), [], []
        for size in range(200):
            roots.append(root_by_recursion(leaves))
            self.assertEqual((frontier.root(), tree.root()), (roots[-1], roots[-1]))
            leaves.append(b"%d" % size)
            frontier.push(audit.leaf_hash(leaves[-1]))
            tree.push(audit.leaf_hash(leaves[-1]))
            if size in (0, 1, 6, 7, 8, 127, 128, 198):
                self.assertEqual([tree.root_at(older) for older in range(size + 1)], roots)
        self.assertLessEqual(sum(map(len, tree.levels)), 64 * tree.size)


class Notes(unittest.TestCase):
    seed, name = H(b"note"), "example.org/log"

    def note(self, text="example.org/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", seed=None, name=None):
        return make_note(text, seed or self.seed, name or self.name)

    def test_c2sp_example(self):
        name, key = audit.parse_vkey(vector(self, "c2sp", "signed-note-example.vkey").decode().strip())
        note = audit.Note(vector(self, "c2sp", "signed-note-example.txt"))
        self.assertEqual(note.verify(name, key), 0)
        self.assertEqual(note.text, "This is an example message.\n")

    def test_cosigned_checkpoint(self):
        own = json.loads(vector(self, "c2sp", "own-cosigned.json"))
        note = audit.Note(vector(self, "c2sp", "own-checkpoint-cosigned.txt"))
        self.assertEqual(note.verify(*audit.parse_vkey(own["log_vkey"])), 1, "one line of another key")
        self.assertEqual(audit.Checkpoint(note).size, 8)
        with self.assertRaises(audit.Refusal):
            audit.parse_vkey(own["witness_vkey"])

    def test_tiles_log(self):
        name, key = audit.parse_vkey(vector(self, "tlog-tiles-log", "log.vkey").decode().strip())
        for size in range(1, 16):
            note = audit.Note(vector(self, "tlog-tiles-log", "checkpoint.%d" % size))
            note.verify(name, key)
            checkpoint = audit.Checkpoint(note)
            bundle, frontier = vector(self, "tlog-tiles-log", "tile", "entries", "000.p", str(size)), audit.Frontier()
            while bundle:
                length = int.from_bytes(bundle[:2], "big")
                frontier.push(audit.leaf_hash(bundle[2:2 + length]))
                bundle = bundle[2 + length:]
            self.assertEqual((checkpoint.size, checkpoint.root), (size, frontier.root()))

    def test_refused_notes(self):
        good = self.note()
        audit.Note(good).verify(self.name, public_key(self.seed))
        signature = good.split(b"\n\n")[1]
        text = good.split(b"\n\n")[0]
        cases = {
            "no empty line": good.replace(b"\n\n", b"\n"), "no newline at the end": good[:-1], "not UTF-8": b"\xff" + good,
            "control character": b"\x1b" + good, "carriage return": good.replace(b"\n", b"\r\n"), "no signature": text + b"\n\n",
            "65 signatures": text + b"\n\n" + signature * 65, "hyphen": good.replace("\u2014".encode(), b"-"),
            "bad base64": good.replace(b"=\n", b"\n"), "name with plus": good.replace(b"\xe2\x80\x94 example", b"\xe2\x80\x94 ex+mple"),
            "short": text + b"\n\n\xe2\x80\x94 x AAAA\n", "two spaces": good.replace(b"\xe2\x80\x94 ", b"\xe2\x80\x94  "),
        }
        for name, raw in cases.items():
            with self.subTest(name), self.assertRaises(audit.Refusal):
                audit.Note(raw)
        self.assertEqual(len(audit.Note(text + b"\n\n" + signature * 64).signatures), 64)

    def test_unknown_and_wrong_keys(self):
        other = make_note("x\n", H(b"other"), "other.example")
        key = public_key(self.seed)
        both = self.note("x\n") + other.split(b"\n\n")[1]
        self.assertEqual(audit.Note(both).verify(self.name, key), 1)
        with self.assertRaises(audit.Refusal) as caught:
            audit.Note(other).verify(self.name, key)
        self.assertEqual(caught.exception.code, "HEAD_UNSIGNED")
        bad = self.note("x\n") + self.note("y\n").split(b"\n\n")[1]
        with self.assertRaises(audit.Refusal) as caught:
            audit.Note(bad).verify(self.name, key)
        self.assertEqual(caught.exception.code, "HEAD_SIGNATURE")

    def test_refused_checkpoints(self):
        root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        for name, text in {
            "extension line": "o\n1\n%s\nmore\n" % root, "leading zero": "o\n01\n%s\n" % root, "sign": "o\n+1\n%s\n" % root,
            "2^64": "o\n18446744073709551616\n%s\n" % root, "short root": "o\n1\nAAAA\n", "no origin": "\n1\n%s\n" % root,
            "loose base64": "o\n1\n%s\n" % root.replace("U=", "V="), "empty log, other root": "o\n0\n%s\n" % ("A" * 43 + "="),
        }.items():
            with self.subTest(name), self.assertRaises(audit.Refusal):
                audit.Checkpoint(audit.Note(self.note(text)))

    def test_refused_verifier_keys(self):
        key = public_key(self.seed)
        text = make_vkey(self.name, key)
        self.assertEqual(audit.parse_vkey(text), (self.name, key))
        name, identity, encoded = text.split("+", 2)
        for case in ("", "x", "+".join(["", identity, encoded]), "+".join([name + " ", identity, encoded]),
                     "+".join([name, "00000000", encoded]), "+".join([name + "x", identity, encoded]), "+".join([name, identity, encoded[:-4]])):
            with self.subTest(case), self.assertRaises(audit.Refusal):
                audit.parse_vkey(case)


def make_vkey(name, key, kind=b"\x01"):
    identity = H(name.encode() + b"\n" + kind + key)[:4]
    return "%s+%s+%s" % (name, identity.hex(), base64.b64encode(kind + key).decode())


def make_note(text, seed, name):
    identity = H(name.encode() + b"\n\x01" + public_key(seed))[:4]
    blob = base64.b64encode(identity + sign(seed, text.encode())).decode()
    return (text + "\n\u2014 %s %s\n" % (name, blob)).encode()


# ----------------------------------------------------------------------------------------------------------------------
# A ledger from the text: what a writer does, with a hook at every value, so that one wrong value can be followed by hashes,
# roots and signatures that are all right. `hook(name, value, **place)` returns what is written instead.

ORIGIN = "test.example/" + "5a" * 16
ROLES = ("checkpoint", "recorder", "issuer")


@functools.lru_cache(None)
def keys_of(role, number=0):
    """Seed and public key of the number-th key of a role."""
    seed = H(b"seed " + role.encode() + (b" %d" % number if number else b""))
    return seed, public_key(seed)


def thumb(public):
    return H(bytes.fromhex("a301012006215820") + public)


SEEDS = {role: keys_of(role)[0] for role in ROLES + ("stranger",)}
KEYS = {role: keys_of(role)[1] for role in ROLES + ("stranger",)}
MIB = 1 << 20
ZERO = bytes(32)
CUSTODY_KEY, EPOCH, ROOT_ID = bytes([7]) * 16, bytes([8]) * 16, bytes([9]) * 16


def enc(value):
    return audit.cbor_encode(value)


def pad(raw, unit=512):
    return raw + bytes(-len(raw) % unit)


def junk(*what):
    """Bytes that look random and are the same each time."""
    return H(repr(what).encode())


def junk_bytes(length, *what):
    return b"".join(junk(number, *what) for number in range(length // 32 + 1))[:length]


class World:
    """Entries, groups, segments, packs, vault and head of one small ledger that lived through a crash."""

    def __init__(self, hook=None):
        self.hook = hook or (lambda name, value, **place: value)
        self.files = {}
        self.leaves, self.subjects, self.times = [], {}, 1_700_000_000_000
        self.entries = []
        self.groups = []
        self.last_group, self.term = ZERO, 1
        self.segment, self.segment_number, self.at = None, 0, 0
        self.tapes, self.records = {}, []
        self.ledger_id = ZERO
        # Which key of each role signs now.
        self.signing = dict.fromkeys(ROLES, 0)
        self.custody = {name: H(b"custody " + name.encode()) for name in "ABCDE"}
        self._packs()
        self._journal()
        self._vault()
        self._head()

    # Entries

    def entry(self, kind, subject, body):
        index = len(self.leaves)
        sealed = self.hook("sealed", junk_bytes(176, "sealed", index), index=index)
        seq, prev = self.subjects.get(subject, (0, ZERO))
        items = ["immutape/entry/1", index, self.leaves[-1] if self.leaves else ZERO, self.times + index, kind, subject, seq, prev,
                 junk("commitment", index), H(sealed), CUSTODY_KEY, body]
        raw = self.hook("entry_raw", enc(self.hook("entry", items, index=index)), index=index)
        leaf = H(b"\0" + raw)
        self.leaves.append(leaf)
        self.subjects[subject] = (seq + 1, leaf)
        self.entries.append(raw)
        if index == 0:
            self.ledger_id = leaf
        return raw, self.hook("stored_sealed", sealed, index=index)

    def saved(self, name):
        return (16, self.custody[name], {0: self.statement(name), 1: EPOCH})

    def statement(self, name):
        tape_id, manifest = self.tapes[name]
        protected = {
            1: -8, 4: thumb(keys_of("recorder", self.signing["recorder"])[1]),
            15: {1: ORIGIN, 2: "sha256:" + tape_id.hex()}, 258: -16, 259: "application/vnd.immutape.tape-root+cbor",
            "ledger": self.ledger_id, "custody": self.custody[name], "manifest": manifest}
        raw = enc(self.hook("protected", protected, tape=name))
        payload = self.hook("payload", tape_id, tape=name)
        seed = self.hook("recorder", keys_of("recorder", self.signing["recorder"])[0], tape=name)
        signature = sign(seed, enc(["Signature1", raw, b"", payload]))
        return self.hook("statement", b"\xd2" + enc(self.hook("statement_items", [raw, {}, payload, signature], tape=name)), tape=name)

    # Journal

    def begin_segment(self, tear=b""):
        end = self.at if self.segment is not None else 0
        if self.segment is not None:
            self.close_segment(tear)
        self.segment_number += 1
        self.segment, self.at = bytearray(MIB), 512
        fields = self.hook("segment", dict(
            magic=bytes.fromhex("494d545345470001"), number=self.segment_number, length=MIB, term=self.term, first=len(self.leaves),
            last=self.last_group, end=end, torn_hash=H(tear) if tear else ZERO, torn=len(tear), origin=H(ORIGIN.encode()),
            zero=bytes(328)), number=self.segment_number)
        raw = (fields["magic"] + struct.pack(">QQQQ", fields["number"], fields["length"], fields["term"], fields["first"])
               + fields["last"] + struct.pack(">Q", fields["end"]) + fields["torn_hash"] + struct.pack(">Q", fields["torn"])
               + fields["origin"] + fields["zero"])
        self.segment[:512] = raw + H(raw)

    def close_segment(self, tear=b""):
        tear = self.hook("tear", tear, number=self.segment_number)
        self.segment[self.at:self.at + len(tear)] = tear
        self.files["journal/%08d.seg" % self.segment_number] = self.segment

    def pack_group(self, rows, closed=False):
        first = len(self.leaves)
        records = [self.entry(*row) for row in rows]
        body = b"".join(struct.pack(">II", len(raw), len(sealed)) + raw + sealed for raw, sealed in records)
        number = len(self.groups)
        # The tree is built from the entries: of a lone entry its root is its leaf hash.
        fields = self.hook("group", dict(
            magic=bytes.fromhex("494d544752500001"), term=self.term, segment=self.segment_number, offset=self.at, first=first,
            count=len(rows), flags=int(closed), bytes=len(body), size=first + len(rows), root=root_by_recursion(self.entries),
            previous=self.last_group, leaf=self.leaves[-1], zero=bytes(32), body=body, hmac=junk("hmac", number)), number=number)
        head = (fields["magic"] + struct.pack(">QQQQ", fields["term"], fields["segment"], fields["offset"], fields["first"])
                + struct.pack(">IIQQ", fields["count"], fields["flags"], fields["bytes"], fields["size"])
                + fields["root"] + fields["previous"] + fields["leaf"] + fields["zero"])
        extent = self.hook("extent", bytearray(pad(head + bytes(64) + fields["body"])), number=number)
        digest = H(bytes(extent))
        extent[192:256] = digest + fields["hmac"]
        return bytes(extent), digest, first

    def group(self, rows, closed=False):
        extent, digest, first = self.pack_group(rows, closed)
        self.segment[self.at:self.at + len(extent)] = extent
        self.groups.append(dict(segment=self.segment_number, at=self.at, length=len(extent), first=first))
        self.at += len(extent)
        self.last_group = digest

    def torn_group(self):
        """The next group as a power cut leaves it: its first sector and its last, a zero one between."""
        body = junk_bytes(1200, "torn")
        number = len(self.groups)
        head = (bytes.fromhex("494d544752500001") + struct.pack(">QQQQ", self.term, self.segment_number, self.at, len(self.leaves))
                + struct.pack(">IIQQ", 1, 0, len(body), len(self.leaves) + 1) + junk("root") + self.last_group + junk("leaf") + ZERO)
        extent = bytearray(pad(head + junk("hash") + junk("hmac", number) + body))
        extent[512:1024] = bytes(512)
        return self.hook("torn_group", bytes(extent.rstrip(b"\0")))

    def _journal(self):
        genesis = {0: 1, 1: ORIGIN, 2: KEYS["checkpoint"], 3: KEYS["recorder"], 4: KEYS["issuer"],
                   5: [thumb(keys_of(role, 1)[1]) for role in ROLES], 6: "personal", 7: "local-operator", 8: False}
        a, b, c = (self.custody[name] for name in "ABC")
        self.begin_segment()
        self.group([(0, ZERO, genesis), (1, ZERO, {0: 1})])
        self.group([self.saved("A"), (17, a, {}), (32, a, {})])
        self.group([(33, a, {0: 4}), (34, ZERO, {0: junk("set"), 1: 1, 2: 6}), self.saved("B"), (2, ZERO, {0: 1, 1: 1, 2: 0})], closed=True)
        self.term = 2
        self.group([(1, ZERO, {0: 2}), (38, b, {0: 9})])
        end, tear = self.at, self.torn_group()
        self.term = 3
        self.begin_segment(tear)
        self.group([(1, ZERO, {0: 3}), (3, ZERO, {0: 2}), (4, ZERO, {0: 1, 1: end, 2: len(tear), 3: H(tear)})])
        self.group([self.saved("C"), (36, c, {}), (9, ZERO, {0: 0, 1: 0, 2: 14, 3: 9, 4: 0}), (40, a, {0: 32, 1: 7})])
        self.group(self.hook("last_rows", [(48, a, {0: 1, 1: [b"x", {2: None}]}), (5, ZERO, {0: 3, 1: 18}), (7, b, {0: 1, 1: 3, 2: junk("bad")})]))
        self.goes_on()
        self.close_segment()
        self.files["journal/%08d.seg" % (self.segment_number + 1)] = bytearray(MIB)

    def goes_on(self):
        """Groups that a ledger of another kind has behind these."""

    # Packs

    def record(self, kind, digest, length, mode=2, until=0, data=b""):
        number = len(self.records)
        fields = self.hook("record", dict(magic=b"IMTO", kind=kind, mode=mode, zero=b"\0\0", until=until, length=length,
                                          digest=digest, data=data), number=number)
        head = fields["magic"] + bytes([fields["kind"], fields["mode"]]) + fields["zero"] + struct.pack(">QQ", fields["until"], fields["length"]) + fields["digest"]
        self.records.append(dict(pack=self.pack_number, at=len(self.pack), length=64 + len(fields["data"]), digest=digest))
        self.pack += head + H(head)[:8] + fields["data"]

    def begin_pack(self):
        self.pack_number = getattr(self, "pack_number", 0) + 1
        fields = self.hook("pack", dict(magic=bytes.fromhex("494d545041430001"), number=self.pack_number, origin=H(ORIGIN.encode())),
                           number=self.pack_number)
        head = fields["magic"] + struct.pack(">Q", fields["number"]) + fields["origin"]
        self.pack = bytearray(head + H(head)[:16])
        self.files["packs/%08d.pack" % self.pack_number] = self.pack

    def put(self, data, **more):
        self.record(1, H(data), len(data), data=data, **more)
        return H(data)

    def tape(self, name, sizes):
        pairs = []
        for position, plain in enumerate(sizes):
            data = junk_bytes(80 + plain, "object", name, position)
            pairs.append([self.put(data, mode=1, until=5000), len(data)])
        root = self.hook("tape_root", ["immutape/tape/1", junk("header", name), 3, junk("tree", name)], tape=name)
        root_file = enc(root)
        items = self.hook("manifest", ["immutape/manifest/1", self.custody[name], root_file, pairs], tape=name)
        manifest = self.put(self.hook("manifest_raw", enc(items), tape=name), mode=1, until=5000)
        self.tapes[name] = (H(self.hook("tape_id_of", root_file, tape=name)), manifest)

    def _packs(self):
        self.begin_pack()
        self.tape("A", (128, 1024))
        self.tape("B", (160, 2048, 2048))
        self.put(junk_bytes(208, "orphan"))
        # A torn write at the end of a pack: it was never acknowledged.
        self.pack += b"IMTO" + junk_bytes(300, "torn object") + bytes(1000)
        self.begin_pack()
        self.tape("C", (128, 512))
        self.record(2, self.records[0]["digest"], 208, mode=1, until=9000)
        gone = junk_bytes(208, "gone")
        self.put(gone)
        self.record(3, H(gone), 208)
        self.hook("pack_end", self)
        self.pack += bytes(4096)

    # State folder

    def _vault(self):
        items = ["immutape/vault/1", 1, 4, ORIGIN, ROOT_ID, [[EPOCH, junk_bytes(48, "epoch"), 0]]]
        items += [[junk(what)[:16], junk_bytes(48, what)] for what in ("index", "dedupe", "journal")]
        items += [[[CUSTODY_KEY, junk_bytes(32 + 10 + 16, "custody")]], []]
        items = self.hook("vault", items)
        line = self.hook("vault_line", b"immutape vault 1 1 4\n")
        self.files["state/vault/generation"] = bytearray(self.hook("vault_raw", line + enc(items) + junk("hmac", "vault")))
        slots = bytearray(256 * 144)
        for slot, name in enumerate(self.hook("slot_names", "ABC")):
            raw = self.custody[name] + junk_bytes(48, "wrapped", name) + junk("dedupe", name)
            raw += H(b"immutape/vault-slot/1" + EPOCH + struct.pack(">I", slot) + raw)
            slots[slot * 144:slot * 144 + 144] = raw
        self.files["state/vault/" + EPOCH.hex()] = slots

    def head_text(self, size=None, state="open", term=None, root=None):
        size = len(self.entries) if size is None else size
        root = root or root_by_recursion(self.entries[:size])
        encoded = base64.b64encode(root).decode()
        first = "%s\n%d\n%s\n" % (ORIGIN, size, encoded)
        vault = base64.b64encode(H(bytes(self.files["state/vault/generation"]).partition(b"\n")[2])).decode()
        second = "immutape/head/1\n%s\n%d %s\nvault 1 4 %s\nstate %s\nterm %d\n" % (ORIGIN, size, encoded, vault, state, term or self.term)
        return first, second

    def _head(self):
        first, second = self.hook("head", self.head_text(**self.hook("head_args", {})))
        seed, name = self.hook("head_key", (keys_of("checkpoint", self.signing["checkpoint"])[0], ORIGIN))
        raw = make_note(first, seed, name) + make_note(second, *self.hook("state_key", (seed, name)))
        self.files["state/head"] = bytearray(self.hook("head_raw", raw))

    def write(self, folder):
        for name, data in self.files.items():
            path = os.path.join(folder, "S" if name.startswith("state/") else "L", name[6:] if name.startswith("state/") else name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        return os.path.join(folder, "L"), os.path.join(folder, "S")


def der(tag, content):
    length = len(content)
    width = (length.bit_length() + 7) // 8
    return bytes([tag]) + (bytes([length]) if length < 128 else bytes([0x80 | width]) + length.to_bytes(width, "big")) + content


def make_token(digest, moment=b"20231114221320Z", change=lambda parts: parts):
    """What stands in a token besides signatures and certificates; `change` may alter any part by name."""
    parts = change(dict(type=bytes.fromhex("2a864886f70d010702"), version=b"\3", content=bytes.fromhex("2a864886f70d0109100104"), info=b"\1",
                        hash=bytes.fromhex("0609608648016503040201") + b"\5\0", digest=digest, serial=b"\7", time=moment, tail=b"", end=b""))
    imprint = der(0x30, der(0x30, parts["hash"]) + der(4, parts["digest"]))
    said = der(0x30, der(2, parts["info"]) + der(6, b"\x2a\3") + imprint + der(2, parts["serial"]) + der(0x18, parts["time"])) + parts["tail"]
    content = der(0x30, der(6, parts["content"]) + der(0xa0, der(4, said)))
    signed = der(0x30, der(2, parts["version"]) + der(0x31, b"") + content + der(0x31, b""))
    return der(0x30, der(6, parts["type"]) + der(0xa0, signed)) + parts["end"]


STAMP_MS = 1_700_000_000_000


class Outside(World):
    """A ledger that goes on from entry 21: keys change, others come to hold its heads, and tapes D and E can be saved. `story` is
    called with it at that point and writes groups of one entry."""

    def __init__(self, story, hook=None):
        def with_tapes(name, value, **place):
            if name == "pack_end":
                value.tape("D", (128, 640))
                value.tape("E", (128, 640))
            value = "ABCDE" if name == "slot_names" else value
            return hook(name, value, **place) if hook is not None else value

        self.story = story
        super().__init__(with_tapes)

    def goes_on(self):
        self.story(self)

    def say(self, *row):
        self.group([row])

    def save(self, name):
        self.say(*self.saved(name))

    def rotate(self, role, wrong=False, **fields):
        """To the next key. `wrong`: the entry will be refused, so the keys stay."""
        number = self.signing[role] + 1
        seed, public = keys_of(role, number)
        fields = {"origin": ORIGIN, "role": ROLES.index(role), "key": public, "next": thumb(keys_of(role, number + 1)[1]), "seed": seed, **fields}
        said = [fields["role"], fields["key"], fields["next"]]
        proof = sign(fields["seed"], enc(["immutape/key/1", fields["origin"]] + said))
        self.say(32769, ZERO, dict(enumerate(said + [proof])))
        if not wrong:
            self.signing[role] = number

    def revoke(self, role, number, since, reason=1, named=None):
        self.say(32770, ZERO, {0: ROLES.index(role), 1: named or thumb(keys_of(role, number)[1]), 2: since, 3: reason})

    def head(self, size=None, number=None, root=None, origin=ORIGIN):
        """A head of what is there, by the checkpoint key of this number."""
        size = len(self.entries) if size is None else size
        root = root_by_recursion(self.entries[:size]) if root is None else root
        text = "%s\n%d\n%s\n" % (origin, size, base64.b64encode(root).decode())
        seed, _ = keys_of("checkpoint", self.signing["checkpoint"] if number is None else number)
        return make_note(text, seed, ORIGIN)

    def cosign(self, note=None, witnesses=("w1",), keys=None, **fields):
        """A head with cosignatures, kept as an entry."""
        note = self.head(**fields) if note is None else note
        note += b"".join(cosignature(note, name) for name in witnesses)
        self.say(128, ZERO, {0: note, 1: [witness_key(name) for name in witnesses] if keys is None else keys, 2: True})

    def stamp(self, note=None, token=None, moment=STAMP_MS, **fields):
        note = self.head(**fields) if note is None else note
        self.say(129, ZERO, {0: note, 1: make_token(H(note)) if token is None else token, 2: moment})

    def publish(self, size=None, root=None):
        size = len(self.entries) if size is None else size
        self.say(130, ZERO, {0: size, 1: root_by_recursion(self.entries[:size]) if root is None else root, 2: 0})


def witness_key(name, public=None, kind=b"\x04"):
    return make_vkey("witness.example/" + name, public or keys_of(name)[1], kind)


def cosignature(note, name, moment=1_700_000_000, seed=None, text=None):
    text = note.split(b"\n\n")[0] + b"\n" if text is None else text
    seed, public = (seed or keys_of(name)[0]), keys_of(name)[1]
    name = "witness.example/" + name
    signed = b"cosignature/v1\ntime %d\n" % moment + text
    blob = H(name.encode() + b"\n\x04" + public)[:4] + struct.pack(">Q", moment) + sign(seed, signed)
    return ("\u2014 %s %s\n" % (name, base64.b64encode(blob).decode())).encode()


class WithWorld(World):
    """Tells its hook of itself, which so can make more tapes."""

    def __init__(self, hook):
        super().__init__(lambda name, value, **place: hook(name, value, world=self, **place))


PINS = [make_vkey(ORIGIN, KEYS["checkpoint"]), KEYS["recorder"].hex()]


def check(world, pins=PINS, state=True, heads=()):
    with tempfile.TemporaryDirectory() as folder:
        ledger, state_folder = world.write(folder)
        paths = []
        for number, raw in enumerate(heads):
            paths.append(os.path.join(folder, "head%d" % number))
            with open(paths[-1], "wb") as file:
                file.write(raw)
        return audit.audit(ledger, state_folder if state else None, paths, [audit.Pin(pin) for pin in pins])


def codes(report, *severities):
    return [f["code"] for f in report.findings if not severities or f["severity"] in severities]


class Whole(unittest.TestCase):
    def test_intact(self):
        report = check(World())
        self.assertEqual(codes(report), ["UNUSED_BYTES"])
        self.assertEqual((report.verdict(), report.exit_code(), report.pinned), ("intact", 0, True))
        self.assertEqual({c.name: c.count for c in report.checks.values() if c.skipped is None}, {
            "head": 1, "segments": 2, "tails": 2, "groups": 7, "roots": 7, "genesis": 1, "grammar": 21, "chain": 21, "time": 21,
            "subjects": 21, "sealed": 21, "statements": 3, "keys": 2, "packs": 2, "records": 14, "tapes": 3, "vault": 4})
        lines = [c.line() for c in report.checks.values()]
        self.assertIn("entries 0..20: chain ok", lines)
        self.assertEqual(report.last_line(), "intact")

    def test_unpinned(self):
        report = check(World(), pins=[])
        self.assertEqual((report.last_line(), report.exit_code()), ("intact, unpinned keys", 10))
        report = check(World(), pins=PINS[:1])
        self.assertIn("PIN_PARTLY", codes(report))
        self.assertEqual((report.last_line(), report.exit_code()), ("intact, unpinned keys", 10))

    def test_without_state(self):
        report = check(World(), state=False)
        self.assertEqual((report.verdict(), report.exit_code()), ("intact with gaps", 10))
        self.assertIn("HEAD_ABSENT", codes(report))


# ----------------------------------------------------------------------------------------------------------------------
# Single faults. Each case is one wrong value; everything that can be computed after it is right again, as a forger would
# leave it. Beside the verdict the finding itself is asserted: a refusal for another reason is no proof.

REFUSALS = {}


def refuse(name, verdict, code, hook=None, after=None, **options):
    assert name not in REFUSALS, name
    REFUSALS[name] = (verdict, code, hook, after, options)


def at(where, change, **match):
    """A hook that changes one value; the test fails if it was never asked."""
    def hook(name, value, **place):
        if name == where and all(place.get(key) == wanted for key, wanted in match.items()):
            hook.used = True
            return change(value)
        return value
    hook.used = False
    return hook


def item(number, value):
    return lambda items: items[:number] + [value] + items[number + 1:]


def body(change):
    return lambda items: items[:11] + [change(items[11])]


def field(name, value):
    """For fields of groups, segments, records: a new value, or a function of the old one."""
    return lambda fields: dict(fields, **{name: value(fields[name]) if callable(value) else value})


def flip(name, position, mask=1):
    def after(world):
        spot = position(world) if callable(position) else position
        world.files[name][spot] ^= mask
    return after


SEG1, SEG2, SEG3 = ("journal/%08d.seg" % number for number in (1, 2, 3))
PACK1, PACK2 = ("packs/%08d.pack" % number for number in (1, 2))
SAVED = 2

# 4.1 the entry
ENTRY = [
    ("label of another format", 0, "immutape/entry/2", "ENTRY_GRAMMAR"), ("index of another entry", 1, 7, "ENTRY_INDEX"),
    ("negative index", 1, -1, "ENTRY_GRAMMAR"), ("previous of another entry", 2, junk("x"), "ENTRY_PREVIOUS"),
    ("previous of 31 bytes", 2, bytes(31), "ENTRY_GRAMMAR"), ("time that falls", 3, 5, "ENTRY_TIME"),
    ("time as text", 3, "now", "ENTRY_GRAMMAR"), ("kind as text", 4, "saved", "ENTRY_GRAMMAR"), ("kind true", 4, True, "ENTRY_GRAMMAR"),
    ("access without a tape", 5, ZERO, "ENTRY_SUBJECT"), ("subject of 33 bytes", 5, bytes(33), "ENTRY_GRAMMAR"),
    ("subject_seq too high", 6, 9, "SUBJECT_SEQ"), ("subject_prev of another entry", 7, junk("y"), "SUBJECT_PREV"),
    ("commitment of 16 bytes", 8, bytes(16), "ENTRY_GRAMMAR"), ("sealed digest of other bytes", 9, junk("z"), "SEALED_DIGEST"),
    ("sealed digest null", 9, None, "ENTRY_GRAMMAR"), ("key id of 15 bytes", 10, bytes(15), "ENTRY_GRAMMAR"),
    ("body as array", 11, [], "ENTRY_BODY"), ("body null", 11, None, "ENTRY_BODY"),
]
for words, number, value, code in ENTRY:
    refuse("entry: " + words, "altered", code, at("entry", item(number, value), index=4))
refuse("entry: eleven items", "altered", "ENTRY_GRAMMAR", at("entry", lambda items: items[:11], index=4))
refuse("entry: thirteen items", "altered", "ENTRY_GRAMMAR", at("entry", lambda items: items + [0], index=4))
refuse("entry: log.started about a tape", "altered", "ENTRY_SUBJECT", at("entry", item(5, junk("t")), index=1))
refuse("entry: first of its subject with subject_prev", "altered", "SUBJECT_PREV", at("entry", item(7, junk("p")), index=2))
refuse("entry: previous of entry 0 not zero", "altered", "ENTRY_PREVIOUS", at("entry", item(2, junk("p")), index=0))
refuse("entry: byte after it", "altered", "ENTRY_CBOR", at("entry_raw", lambda raw: raw + b"\0", index=4))
refuse("entry: head not shortest", "altered", "ENTRY_CBOR", at("entry_raw", lambda raw: b"\x98\x0c" + raw[1:], index=4))
refuse("entry: bare statement", "altered", "ENTRY_GRAMMAR", at("entry_raw", lambda raw: b"\xd2\x84" + raw, index=4))
refuse("entry: empty", "altered", "ENTRY_CBOR", at("entry_raw", lambda raw: b"", index=4))


def entry_of(length):
    """Entry 18, of an unknown kind, with a body that makes it exactly so long."""
    return lambda items: items[:11] + [{0: bytes(length - len(enc(items[:11] + [{}])) - 4)}]


refuse("entry: one byte too long", "altered", "ENTRY_LENGTH", at("entry", entry_of(65536), index=18))
refuse("entry: duplicate key in a body", "altered", "ENTRY_CBOR", at("entry_raw", lambda raw: raw[:-1] + b"\xa2\x00\x00\x00\x00", index=4))
refuse("entry: float in an unknown kind", "altered", "ENTRY_CBOR", at("entry_raw", lambda raw: raw[:-1] + b"\xf9\x3c\x00", index=18))
refuse("entry: unknown kind nested too deep", "altered", "ENTRY_CBOR",
       at("entry", body(lambda b: {0: [[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]}), index=18))
refuse("entry: text key in an unknown kind", "altered", "ENTRY_BODY", at("entry", body(lambda b: {"a": 1}), index=18))

# 4.3 bodies
BODIES = [
    ("grant with a key", 4, lambda b: {0: 1}), ("log.started without term", 1, lambda b: {}), ("log.started with two", 1, lambda b: {0: 1, 1: 1}),
    ("bool as term", 1, lambda b: {0: True}), ("negative term", 1, lambda b: {0: -1}), ("set commitment short", 6, lambda b: {**b, 0: b"x"}),
    ("epoch id of 15 bytes", 2, lambda b: {**b, 1: bytes(15)}), ("statement as text", 2, lambda b: {**b, 0: "x"}),
    ("verified with verdict -1", 16, lambda b: {**b, 1: -1}), ("rows.rebuilt with a text as reason", 19, lambda b: {**b, 0: "later"}),
    ("integrity.failed of no part", 20, lambda b: {k: v for k, v in b.items() if k != 0}), ("integrity.failed with short digest", 20, lambda b: {**b, 2: b"x"}),
    ("recovered without hash", 13, lambda b: {0: b[0], 1: b[1], 2: b[2]}), ("refused without error", 17, lambda b: {0: 32}),
    ("genesis of format 2", 0, lambda b: {**b, 0: 2}), ("origin without digits", 0, lambda b: {**b, 1: "test.example/x"}),
    ("origin with a space", 0, lambda b: {**b, 1: "test example/" + "5a" * 16}), ("origin with a control character", 0, lambda b: {**b, 1: "te\x1bst/" + "5a" * 16}), ("origin with capitals", 0, lambda b: {**b, 1: "t/" + "5A" * 16}),
    ("checkpoint key of 31 bytes", 0, lambda b: {**b, 2: bytes(31)}), ("two next keys", 0, lambda b: {**b, 5: b[5][:2]}),
    ("genesis without test mark", 0, lambda b: {k: v for k, v in b.items() if k != 8}), ("test mark 0", 0, lambda b: {**b, 8: 0}),
    ("predecessor of three", 0, lambda b: {**b, 9: ["o", b"n", 1]}), ("predecessor with a long note", 0, lambda b: {**b, 9: ["o", bytes(65001), 1, None]}), ("genesis with key 10", 0, lambda b: {**b, 10: 1}),
]
for words, index, change in BODIES:
    refuse("body: " + words, "altered", "ENTRY_BODY", at("entry", body(change), index=index))
refuse("genesis: entry 0 is another kind", "altered", "GENESIS",
       at("entry", lambda items: items[:4] + [10] + items[5:11] + [{0: 1}], index=0))
refuse("genesis: a second one", "altered", "GENESIS_TWICE",
       at("last_rows", lambda rows: rows + [(0, ZERO, {0: 1, 1: ORIGIN, 2: ZERO, 3: ZERO, 4: ZERO, 5: [ZERO] * 3, 6: "", 7: "", 8: True})]))
refuse("sealed half changed", "altered", "SEALED_DIGEST", at("stored_sealed", lambda raw: raw[:-1] + b"\0", index=5))
refuse("sealed half cut", "altered", "SEALED_DIGEST", at("stored_sealed", lambda raw: raw[:-1], index=5))
refuse("sealed half taken out", "missing", "SEALED_MISSING", at("stored_sealed", lambda raw: b"", index=5))


# Sections 2 to 4: segments, groups, tails.

GROUPS = [
    ("term that falls", "term", 1, "GROUP_TERM", 4), ("place in another segment", "segment", 9, "GROUP_HASH", 1),
    ("place at another offset", "offset", 512, "GROUP_HASH", 1), ("first index of another", "first", 4, "GROUP_INDEX", 1),
    ("1,025 entries", "count", 1025, "GROUP_COUNT", 1), ("no entry", "count", 0, "GROUP_COUNT", 1), ("an entry less", "count", 2, "GROUP_RECORDS", 1),
    ("an entry more", "count", 4, "GROUP_RECORDS", 1), ("unknown flag", "flags", 2, "GROUP_FLAGS", 1), ("bytes of records short", "bytes", lambda n: n - 1, "GROUP_RECORDS", 1),
    ("bytes of records long", "bytes", lambda n: n + 1, "GROUP_RECORDS", 1), ("tree size", "size", 99, "GROUP_SIZE", 1), ("tree root", "root", junk("r"), "ROOT", 1),
    ("previous group", "previous", junk("g"), "GROUP_CHAIN", 1), ("last leaf", "leaf", junk("l"), "GROUP_LAST_LEAF", 1),
    ("bytes 160 to 192", "zero", junk("0"), "GROUP_ZERO", 1), ("magic", "magic", b"IMTGRP\0\2", "GROUP_LOST", 1),
    ("record lengths", "body", lambda raw: struct.pack(">I", 1 << 31) + raw[4:], "GROUP_RECORDS", 1),
]
for words, name, value, code, number in GROUPS:
    change = value if callable(value) else lambda old, value=value: value
    refuse("group: wrong " + words, "missing" if code == "x" else "altered", code, at("group", field(name, change), number=number))


def pad_end(extent):
    # The last byte before the boundary is padding in this group.
    assert extent[-1] == 0
    extent[-1] = 1
    return extent


refuse("group: padding not zero", "altered", "GROUP_PADDING", at("extent", pad_end, number=1))


def group_at(number, offset=0):
    return lambda world: world.groups[number]["at"] + offset


def move_group(world, number, to):
    group, data = world.groups[number], world.files[SEG1]
    return bytes(data[group["at"]:group["at"] + group["length"]]), data


def swap_groups(world):
    one, data = move_group(world, 1, None)
    two, _ = move_group(world, 2, None)
    start = world.groups[1]["at"]
    data[start:start + len(one) + len(two)] = two + one


def zero_group(number, name):
    def after(world):
        group = world.groups[number]
        world.files[name][group["at"]:group["at"] + group["length"]] = bytes(group["length"])
    return after


def repeat_group(world):
    raw, data = move_group(world, 1, None)
    following = world.groups[2]["at"]
    data[following:following + len(raw)] = raw


def drop_group(world):
    one, data = move_group(world, 1, None)
    start = world.groups[1]["at"]
    del data[start:start + len(one)]
    data += bytes(len(one))


def cut_to_zero(name, start):
    def after(world):
        data = world.files[name]
        spot = start(world)
        data[spot:] = bytes(len(data) - spot)
    return after


refuse("bytes: flip in an entry", "altered", "GROUP_HASH", after=flip(SEG1, group_at(1, 256 + 8 + 400)))
refuse("bytes: flip in a sealed half", "altered", "SEALED_DIGEST", after=flip(SEG1, group_at(1, 256 + 8 + 682 + 20)))
refuse("bytes: flip in the hash of a group", "altered", "GROUP_HASH", after=flip(SEG1, group_at(1, 200)))
refuse("bytes: flip in the magic of a group", "altered", "GROUP_LOST", after=flip(SEG1, group_at(1, 0)))
refuse("bytes: flip in the term of a group", "altered", "GROUP_HASH", after=flip(SEG1, group_at(2, 15)))
refuse("bytes: flip in the length of the records", "altered", "GROUP_HASH", after=flip(SEG1, group_at(1, 55)))
refuse("bytes: flip in the padding of a group", "altered", "GROUP_HASH", after=flip(SEG1, lambda w: w.groups[2]["at"] - 1))
refuse("bytes: flip in the last group", "altered", "TAIL_DAMAGE", after=flip(SEG2, group_at(6, 3)))
refuse("bytes: flip in an entry of the last group", "altered", "GROUP_HASH", after=flip(SEG2, group_at(6, 400)))
refuse("bytes: two groups changed places", "altered", "GROUP_LOST", after=swap_groups)
refuse("bytes: a group again in place of the next", "altered", "GROUP_LOST", after=repeat_group)
refuse("bytes: a group zeroed", "altered", "GROUP_LOST", after=zero_group(1, SEG1))
refuse("bytes: a group cut out", "altered", "TAIL_DAMAGE", after=drop_group)
refuse("bytes: last group zeroed", "rolled back", "E_LOG_ROLLBACK", after=zero_group(6, SEG2))
refuse("bytes: end of segment 1 zeroed", "altered", "SEGMENT_PREVIOUS_END", after=cut_to_zero(SEG1, group_at(3)))
refuse("files: segment 2 gone", "rolled back", "E_LOG_ROLLBACK", after=lambda w: (w.files.pop(SEG2), w.files.pop(SEG3)))
refuse("files: segment 2 gone, the prepared one still there", "rolled back", "SEGMENT_MISSING", after=lambda w: w.files.pop(SEG2))
refuse("files: segment 1 gone", "missing", "SEGMENT_MISSING", after=lambda w: w.files.pop(SEG1))
refuse("files: segment 1 in place of 2", "altered", "SEGMENT_NUMBER", after=lambda w: w.files.update({SEG2: w.files[SEG1]}))
refuse("files: segment cut short", "altered", "SEGMENT_LENGTH", after=lambda w: w.files[SEG1].__delitem__(slice(-512, None)))
refuse("files: segment too long", "altered", "SEGMENT_LENGTH", after=lambda w: w.files[SEG1].extend(bytes(MIB)))
refuse("files: segment zeroed in the middle", "altered", "SEGMENT_EMPTY", after=lambda w: w.files.update({SEG1: bytearray(MIB)}))

SEGMENTS = [
    ("number", "number", 3, "SEGMENT_NUMBER"), ("length", "length", 2 * MIB, "SEGMENT_LENGTH"), ("term that falls", "term", 1, "SEGMENT_TERM"),
    ("term above its groups", "term", 4, "GROUP_TERM"), ("first index", "first", 12, "SEGMENT_INDEX"), ("last group", "last", junk("g"), "SEGMENT_CHAIN"),
    ("end of the previous", "end", 512, "SEGMENT_PREVIOUS_END"), ("hash of torn bytes", "torn_hash", junk("t"), "TEAR_HASH"),
    ("number of torn bytes", "torn", lambda n: n + 1, "TEAR_HASH"), ("torn bytes beyond the file", "torn", 2 * MIB, "TEAR_LENGTH"), ("origin", "origin", junk("o"), "SEGMENT_ORIGIN"),
    ("zero bytes", "zero", lambda raw: raw[:-1] + b"\1", "SEGMENT_HEADER"), ("magic", "magic", b"IMTSEG\0\2", "SEGMENT_HEADER"),
]
for words, name, value, code in SEGMENTS:
    change = value if callable(value) else lambda old, value=value: value
    refuse("segment: wrong " + words, "altered", code, at("segment", field(name, change), number=2))
refuse("segment: header flipped", "altered", "SEGMENT_HEADER", after=flip(SEG2, 130))
refuse("segment: hash of the header flipped", "altered", "SEGMENT_HEADER", after=flip(SEG2, 481))
refuse("segment: segment 1 names a tear", "altered", "SEGMENT_TEAR", at("segment", field("torn", 1), number=1))


def tear_end(world):
    return world.groups[3]["at"] + world.groups[3]["length"]


def unnamed(fields):
    return dict(fields, torn=0, torn_hash=ZERO)


refuse("tail: torn byte flipped", "altered", "TEAR_HASH", after=flip(SEG1, lambda w: tear_end(w) + 300))


def put_tear(change=lambda raw: raw):
    """A tear behind the last group that no header names yet, so every rule of section 4 is asked."""
    def after(world):
        raw = change(world.torn_group())
        world.files[SEG2][world.at:world.at + len(raw)] = raw
    return after


def byte(position, value):
    return lambda raw: raw[:position] + bytes([value]) + raw[position + 1:]


NO_TEARS = [
    ("without a zero sector", lambda raw: raw[:512] + b"\1" * 512 + raw[1024:]), ("that is no group", byte(0, 0x78)),
    ("of another segment", byte(23, 9)), ("of another index", byte(39, 7)), ("after another group", lambda raw: raw[:96] + junk("g") + raw[128:]),
    ("of an older term", byte(15, 1)), ("of no entries", byte(43, 0)), ("of 1,025 entries", lambda raw: raw[:42] + b"\4\1" + raw[44:]),
    ("of another place", byte(31, 1)), ("longer than the segment", byte(52, 1)), ("with unknown flags", byte(44, 1)), ("of another size", byte(63, 99)),
    ("with reserved bytes", byte(170, 1)), ("with bytes behind it", lambda raw: raw.ljust(1600, b"\0") + b"x"),
]
for words, change in NO_TEARS:
    # Where the header still says what the group was, that group is named.
    said = "TAIL_DAMAGE" if words in ("that is no group", "of another index", "of no entries", "of 1,025 entries", "longer than the segment",
                                      "with bytes behind it") else "GROUP_HASH"
    refuse("tail: tear " + words, "altered", said, after=put_tear(change))


def closed_at_the_end(name, value, **place):
    if name == "last_rows":
        return [(2, ZERO, {0: 3, 1: 0, 2: 0})]
    return dict(value, flags=1) if name == "group" and place["number"] == 6 else value


def closed_head(name, value, **place):
    return {"state": "closed"} if name == "head_args" else closed_at_the_end(name, value, **place)


refuse("tail: tear after an orderly close", "altered", "GROUP_HASH", closed_head, after=put_tear())
refuse("tail: tear after an orderly close, and no head", "altered", "GROUP_HASH", closed_at_the_end, after=put_tear(), state=False)
refuse("tail: segment torn at birth after an orderly close", "altered", "TAIL_DAMAGE", closed_head, after=lambda w: torn_segment(w, 3))
refuse("tail: segment torn at birth, of another group", "altered", "TAIL_DAMAGE", after=lambda w: (torn_segment(w, 3), flip(SEG3, 512 + 100)(w)))
refuse("tail: prepared segment of a false length", "altered", "SEGMENT_LENGTH", after=lambda w: w.files.update({SEG3: bytearray(5000)}))
refuse("tail: two prepared segments", "altered", "SEGMENT_PREPARED", after=lambda w: w.files.update({"journal/00000004.seg": bytearray(MIB)}))
refuse("tail: hash of torn bytes, but none", "altered", "TEAR_NAMED", lambda name, value, **place: (
    b"" if name == "torn_group" else dict(value, torn_hash=junk("t")) if name == "segment" and place["number"] == 2 else value))


def torn_segment(world, number):
    """The first write of a segment as a power cut leaves it: the header's sector lost, some of the group there. Its bytes."""
    place = world.at, world.segment_number
    world.at, world.segment_number = 512, number
    torn = world.torn_group()
    world.at, world.segment_number = place
    data = bytearray(MIB)
    data[512:512 + len(torn)] = torn
    world.files["journal/%08d.seg" % number] = data
    return bytes(data[:512 + 1536])


class Dropping(World):
    """Drops a whole group that was acknowledged and calls it a tear."""

    before = b""

    def torn_group(self):
        saved = (list(self.leaves), dict(self.subjects), list(self.entries), self.at)
        self.at += len(self.before)
        raw, _, _ = self.pack_group([(10, ZERO, {0: 1})])
        self.leaves, self.subjects, self.entries, self.at = saved
        return self.before + raw


class DroppingBehindZeros(Dropping):
    before = bytes(512)


refuse("tail: a whole group called a tear", "altered", "SEGMENT_INDEX", world=Dropping)
refuse("tail: a whole group behind a zero sector, not named yet", "altered", "GROUP_LOST", world=DroppingBehindZeros, after=put_tear())
refuse("tail: byte after the torn ones", "altered", "TAIL_NONZERO", after=flip(SEG1, MIB - 1))
refuse("tail: torn bytes that no header names", "altered", "TAIL_NONZERO", at("segment", unnamed, number=2))
refuse("tail: torn bytes named that are not there", "altered", "TEAR_HASH",
       after=lambda w: w.files[SEG1].__setitem__(slice(tear_end(w), MIB), bytes(MIB - tear_end(w))))
refuse("tail: garbage after the last group", "altered", "TAIL_DAMAGE",
       after=lambda w: w.files[SEG2].__setitem__(slice(w.at, w.at + 600), junk_bytes(600, "garbage")))


# Section 5: heads.

HONEST = World()


def resigned(change, part):
    """A head whose text is changed before it is signed."""
    return at("head", lambda texts: tuple(change(text) if number == part else text for number, text in enumerate(texts)))


def replaced(old, new, part):
    def change(text):
        assert old in text
        return text.replace(old, new)
    return resigned(change, part)


def head_of(**fields):
    return at("head_args", lambda _: fields)


def rewritten(items):
    """One entry of the past says something else, and everything after it was made again to fit."""
    return items[:8] + [junk("rewritten")] + items[9:]


OLD_HEAD = bytes(HONEST.files["state/head"])
refuse("head: log written anew, head kept", "forked", "E_LOG_FORK", at("entry", rewritten, index=6), state=False, heads=[OLD_HEAD])
refuse("head: newest entry written anew", "forked", "E_LOG_FORK", at("entry", rewritten, index=20), state=False, heads=[OLD_HEAD])
refuse("head: other root", "forked", "E_LOG_FORK", head_of(root=junk("root")))
refuse("head: other root at a size inside a group", "forked", "E_LOG_FORK", head_of(size=4, root=junk("root")))
refuse("head: more entries than the log", "rolled back", "E_LOG_ROLLBACK", head_of(size=22, root=junk("root")))
refuse("head: signed by a stranger under our name", "altered", "HEAD_UNSIGNED", at("head_key", lambda _: (SEEDS["stranger"], ORIGIN)))
refuse("head: signed by the recorder key", "altered", "HEAD_UNSIGNED", at("head_key", lambda _: (SEEDS["recorder"], ORIGIN)))
refuse("head: signed under another name", "altered", "HEAD_UNSIGNED", at("head_key", lambda _: (SEEDS["checkpoint"], "x")))
refuse("head: second note signed by a stranger", "altered", "HEAD_UNSIGNED", at("state_key", lambda _: (SEEDS["stranger"], ORIGIN)))
refuse("head: signature flipped", "altered", "HEAD_SIGNATURE",
       at("head_raw", lambda raw: raw.replace(re.search(rb"\n\xe2\x80\x94 \S+ (\S+)\n", raw).group(1),
                                              base64.b64encode(base64.b64decode(re.search(rb"\n\xe2\x80\x94 \S+ (\S+)\n", raw).group(1))[:-1] + b"\0"))))
refuse("head: text changed after signing", "altered", "HEAD_SIGNATURE", at("head_raw", lambda raw: raw.replace(b"\n21\n", b"\n20\n")))
refuse("head: second note changed after signing", "altered", "HEAD_SIGNATURE", at("head_raw", lambda raw: raw.replace(b"state open", b"state closed")))
refuse("head: origin of another log", "altered", "HEAD_ORIGIN", replaced("5a5a", "5b5b", 0))
refuse("head: second note of another origin", "altered", "HEAD_ORIGIN", replaced("5a5a", "5b5b", 1))
refuse("head: notes of different sizes", "altered", "HEAD_NOTES_DIFFER", replaced("\n21 ", "\n20 ", 1))
refuse("head: extension line", "altered", "HEAD_SHAPE", resigned(lambda text: text + "more\n", 0))
refuse("head: format of the second note", "altered", "HEAD_SHAPE", replaced("immutape/head/1", "immutape/head/2", 1))
refuse("head: unknown state", "altered", "HEAD_SHAPE", replaced("state open", "state ajar", 1))
refuse("head: vault line short", "altered", "HEAD_SHAPE", replaced("vault 1 4", "vault 1", 1))
refuse("head: line more", "altered", "HEAD_SHAPE", resigned(lambda text: text + "x\n", 1))
refuse("head: one note", "altered", "HEAD_SHAPE", at("head_raw", lambda raw: raw[:raw.index(b"immutape/head/1")]))
refuse("head: three notes", "altered", "HEAD_SHAPE", at("head_raw", lambda raw: raw + raw[raw.index(b"immutape/head/1"):]))
refuse("head: newline at the end", "altered", "HEAD_SHAPE", at("head_raw", lambda raw: raw + b"\n"))
refuse("head: cut", "altered", "HEAD_SHAPE", at("head_raw", lambda raw: raw[:-10]))
refuse("head: empty", "altered", "HEAD_SHAPE", at("head_raw", lambda raw: b""))
refuse("head: not there", "missing", "E_HEAD_MISSING", after=lambda w: w.files.pop("state/head"))
refuse("head: closed, but entries follow", "altered", "E_HEAD_STALE", head_of(size=9, state="closed", term=1))
refuse("head: closing, but more than the stop follows", "altered", "E_HEAD_STALE", head_of(size=14, state="closing"))
refuse("head: closing, and something else than the stop follows", "altered", "E_HEAD_STALE", head_of(size=18, state="closing"))
refuse("head: open, but the log was closed in order", "altered", "E_HEAD_STALE", lambda name, value, **place: (
    {"size": 18} if name == "head_args" else [(2, ZERO, {0: 3, 1: 0, 2: 0})] if name == "last_rows"
    else dict(value, flags=1) if name == "group" and place["number"] == 6 else value))
refuse("head: term lower than that of its last entry", "altered", "HEAD_TERM", head_of(term=2))
refuse("head: journal emptied", "rolled back", "E_LOG_ROLLBACK",
       after=lambda w: (w.files.pop(SEG2), w.files.pop(SEG3), w.files.update({SEG1: bytearray(MIB)})))
refuse("head: journal folder gone", "missing", "E_LEDGER_MISSING", after=lambda w: [w.files.pop(name) for name in (SEG1, SEG2, SEG3)])
refuse("head: names an entry of the tear", "rolled back", "TEAR_SEEN", head_of(size=22, root=junk("root")),
       after=lambda w: w.files[SEG2].__setitem__(slice(w.at, w.at + len(w.torn_group())), w.torn_group()))

# 3.3 the statement.

STATEMENTS = [
    ("algorithm ES256", 1, -7, "STATEMENT_SHAPE"), ("thumbprint of another key", 4, junk("k"), "STATEMENT_KEY"),
    ("issuer of another origin", 15, lambda c: {1: "other.example/" + "5a" * 16, 2: c[2]}, "STATEMENT_ORIGIN"),
    ("subject of another tape", 15, lambda c: {1: c[1], 2: "sha256:" + "00" * 32}, "STATEMENT_SUB"),
    ("subject in capitals", 15, lambda c: {1: c[1], 2: c[2].upper()}, "STATEMENT_SUB"), ("claims with a third", 15, lambda c: {**c, 3: 1}, "STATEMENT_SHAPE"),
    ("claims without subject", 15, lambda c: {1: c[1]}, "STATEMENT_SHAPE"), ("hash SHA-512", 258, -44, "STATEMENT_SHAPE"),
    ("other content type", 259, "text/plain", "STATEMENT_SHAPE"), ("another ledger", "ledger", junk("l"), "STATEMENT_LEDGER"),
    ("another custody id", "custody", junk("c"), "STATEMENT_CUSTODY"), ("another manifest", "manifest", junk("m"), "OBJECT_MISSING"),
    ("manifest of 31 bytes", "manifest", bytes(31), "STATEMENT_SHAPE"), ("ledger as text", "ledger", "x", "STATEMENT_SHAPE"),
]
for words, key, value, code in STATEMENTS:
    change = value if callable(value) else lambda old, value=value: value
    refuse("statement: " + words, "missing" if code == "OBJECT_MISSING" else "altered", code,
           at("protected", lambda p, key=key, change=change: {**p, key: change(p[key])}, tape="B"))
refuse("statement: key more", "altered", "STATEMENT_SHAPE", at("protected", lambda p: {**p, 2: []}, tape="B"))
refuse("statement: key less", "altered", "STATEMENT_SHAPE", at("protected", lambda p: {k: v for k, v in p.items() if k != 4}, tape="B"))
refuse("statement: payload of another tape", "altered", "STATEMENT_SUB", at("payload", lambda _: junk("p"), tape="B"))
refuse("statement: signed by a stranger", "altered", "STATEMENT_SIGNATURE", at("recorder", lambda _: SEEDS["stranger"], tape="B"))
refuse("statement: signed by the checkpoint key", "altered", "STATEMENT_SIGNATURE", at("recorder", lambda _: SEEDS["checkpoint"], tape="B"))
refuse("statement: unprotected header", "altered", "STATEMENT_SHAPE", at("statement_items", item(1, {4: b"x"}), tape="B"))
refuse("statement: detached payload", "altered", "STATEMENT_SHAPE", at("statement_items", item(2, None), tape="B"))
refuse("statement: signature of 63 bytes", "altered", "STATEMENT_SHAPE", at("statement_items", lambda i: i[:3] + [i[3][:63]], tape="B"))
refuse("statement: signature with S + L", "altered", "STATEMENT_SIGNATURE", at("statement_items", lambda i: i[:3] + [
    i[3][:32] + (int.from_bytes(i[3][32:], "little") + audit.L).to_bytes(32, "little")], tape="B"))
refuse("statement: five items", "altered", "STATEMENT_SHAPE", at("statement_items", lambda i: i + [0], tape="B"))
refuse("statement: protected as a map", "altered", "STATEMENT_SHAPE", at("statement_items", lambda i: [audit.cbor_decode(i[0])] + i[1:], tape="B"))
refuse("statement: without tag", "altered", "STATEMENT_SHAPE", at("statement", lambda raw: raw[1:], tape="B"))
refuse("statement: byte after it", "altered", "STATEMENT_SHAPE", at("statement", lambda raw: raw + b"\0", tape="B"))
refuse("statement: tag 18 in two bytes", "altered", "STATEMENT_SHAPE", at("statement", lambda raw: b"\xd8\x12" + raw[1:], tape="B"))


# Section 7 and 3.2: packs, manifests, objects. Records of the honest ledger: 0 to 2 tape A (header, chunk, manifest), 3 to 6 tape B, 7 an
# orphan, 8 to 10 tape C, 11 a protection, 12 and 13 an object and its discard.

def record_at(number, offset=0):
    return lambda world: world.records[number]["at"] + offset


def without_record(number, name):
    def after(world):
        record = world.records[number]
        del world.files[name][record["at"]:record["at"] + record["length"]]
    return after


def zero_object(number, name):
    def after(world):
        record = world.records[number]
        world.files[name][record["at"] + 64:record["at"] + record["length"]] = bytes(record["length"] - 64)
    return after


refuse("pack: flip in an object", "altered", "OBJECT_ALTERED", after=flip(PACK1, record_at(1, 64 + 500)))
refuse("pack: flip in the digest of a record", "altered", "PACK_DAMAGE", after=flip(PACK1, record_at(1, 30)))
refuse("pack: flip in the magic of a record", "altered", "PACK_DAMAGE", after=flip(PACK1, record_at(4, 0)))
refuse("pack: flip in the protection of a record", "altered", "PACK_DAMAGE", after=flip(PACK1, record_at(4, 14)))
refuse("pack: flip in the check bytes", "altered", "PACK_DAMAGE", after=flip(PACK1, record_at(4, 60)))
refuse("pack: flip in the manifest", "altered", "OBJECT_ALTERED", after=flip(PACK1, record_at(2, 100)))
refuse("pack: flip in the last record of a pack", "missing", "OBJECT_MISSING",
       after=lambda w: (w.files.pop(PACK2), flip(PACK1, record_at(6, 3))(w), w.files[PACK1].__delitem__(slice(w.records[7]["at"], None))))
refuse("pack: object taken out", "missing", "OBJECT_MISSING", after=without_record(1, PACK1))
refuse("pack: header object taken out", "missing", "OBJECT_MISSING", after=without_record(0, PACK1))
refuse("pack: manifest taken out", "missing", "OBJECT_MISSING", after=without_record(6, PACK1))
refuse("pack: object zeroed", "altered", "OBJECT_ALTERED", after=zero_object(1, PACK1))
refuse("pack: end cut off", "missing", "OBJECT_MISSING", after=lambda w: w.files[PACK1].__delitem__(slice(w.records[5]["at"] + 99, None)))
refuse("pack: bytes put between records", "altered", "PACK_DAMAGE", after=lambda w: w.files[PACK1].__setitem__(slice(w.records[3]["at"], w.records[3]["at"]), b"x"))
refuse("pack: zeros put between records", "altered", "PACK_DAMAGE", after=lambda w: w.files[PACK1].__setitem__(slice(w.records[3]["at"], w.records[3]["at"]), bytes(64)))
refuse("pack: pack gone", "missing", "OBJECT_MISSING", after=lambda w: w.files.pop(PACK2))
refuse("pack: first pack gone", "missing", "PACK_NUMBER", after=lambda w: w.files.pop(PACK1))
refuse("pack: folder gone", "missing", "PACKS_ABSENT", after=lambda w: (w.files.pop(PACK1), w.files.pop(PACK2)))
refuse("pack: under another number", "altered", "PACK_NUMBER", after=lambda w: w.files.update({"packs/00000003.pack": w.files.pop(PACK2)}))
refuse("pack: header flipped", "altered", "PACK_HEADER", after=flip(PACK1, 20))
refuse("pack: check bytes of the header flipped", "altered", "PACK_HEADER", after=flip(PACK1, 50))
refuse("pack: wrong magic", "altered", "PACK_HEADER", at("pack", field("magic", b"IMTPAC\0\2"), number=1))
refuse("pack: wrong number", "altered", "PACK_NUMBER", at("pack", field("number", 2), number=1))
refuse("pack: wrong origin", "altered", "PACK_ORIGIN", at("pack", field("origin", junk("o")), number=1))
refuse("record: unknown type", "altered", "RECORD_FIELD", at("record", field("kind", 4), number=13))
refuse("record: unknown mode", "altered", "RECORD_FIELD", at("record", field("mode", 3), number=1))
refuse("record: object without a mode", "altered", "RECORD_FIELD", at("record", field("mode", 0), number=1))
refuse("record: protection without a mode", "altered", "RECORD_FIELD", at("record", field("mode", 0), number=11))
refuse("record: bytes 6 and 7", "altered", "RECORD_FIELD", at("record", field("zero", b"\0\1"), number=1))
refuse("record: digest of other bytes", "altered", "OBJECT_ALTERED", at("record", field("digest", junk("d")), number=12),
       after=flip(PACK1, record_at(4, 70)))
refuse("record: length short", "altered", "OBJECT_ALTERED", at("record", field("length", lambda n: n - 1), number=1))
refuse("record: length beyond the file", "altered", "PACK_DAMAGE", at("record", field("length", 1 << 40), number=1))
refuse("record: live object discarded", "missing", "OBJECT_DISCARDED", lambda name, value, **place: (
    dict(value, digest=H(junk_bytes(208, "object", "C", 0))) if name == "record" and place["number"] == 13 else value))
refuse("record: discard without a mode", "altered", "RECORD_FIELD", at("record", field("mode", 0), number=13))


def third_pack(*parts):
    """A pack of objects that no tape names."""
    def after(world):
        world.begin_pack()
        for part in parts:
            part(world) if callable(part) else world.pack.extend(part)
    return after


def orphan(world, name="o", length=3000):
    world.put(junk_bytes(length, "third", name))


PACK3 = "packs/00000003.pack"
refuse("pack: header of a pack of orphans flipped", "altered", "PACK_HEADER", after=lambda w: (third_pack(orphan)(w), flip(PACK3, 20)(w)))
refuse("pack: header flipped, and a torn record behind it", "altered", "PACK_HEADER",
       after=lambda w: (third_pack(bytes(2000), orphan)(w), flip(PACK3, 20)(w)))
refuse("pack: header zero, the rest of its sector not", "altered", "PACK_DAMAGE",
       after=lambda w: (third_pack(orphan)(w), w.files[PACK3].__setitem__(slice(0, 64), bytes(64))))
refuse("pack: nothing but a header that is flipped", "altered", "PACK_HEADER", after=lambda w: (third_pack()(w), flip(PACK3, 20)(w)))
refuse("pack: gap without a lost sector", "altered", "PACK_DAMAGE", after=third_pack(orphan, b"x" * 300 + bytes(100), orphan))
refuse("pack: record of an unknown type, a sector of it zero", "altered", "RECORD_FIELD",
       lambda name, value, **place: dict(value, kind=4) if name == "record" and place["number"] == 14 else value,
       after=lambda w: (third_pack(orphan, lambda w: orphan(w, "p"))(w), w.files[PACK3].__setitem__(slice(512, 1024), bytes(512))))

MANIFESTS = [
    ("label", 0, "immutape/manifest/2", "MANIFEST_SHAPE"), ("custody id", 1, junk("c"), "MANIFEST_CUSTODY"), ("custody id short", 1, b"x", "MANIFEST_SHAPE"),
    ("root file of another tape", 2, enc(["immutape/tape/1", junk("a"), 3, junk("b")]), "MANIFEST_TAPE"), ("root file as text", 2, "x", "MANIFEST_SHAPE"),
    ("root file no CBOR", 2, b"\xff", "ROOT_FILE"), ("no objects", 3, [], "MANIFEST_SHAPE"), ("objects as map", 3, {}, "MANIFEST_SHAPE"),
    ("object of three", 3, lambda o: [[o[0][0], 1, 2]] + o[1:], "MANIFEST_SHAPE"), ("length as text", 3, lambda o: [[o[0][0], "1"]] + o[1:], "MANIFEST_SHAPE"),
    ("length of an object", 3, lambda o: [[o[0][0], o[0][1] + 16]] + o[1:], "OBJECT_LENGTH"), ("digest of nothing", 3, lambda o: o + [[junk("n"), 208]], "OBJECT_MISSING"),
    ("header without chunks", 3, lambda o: o[:1], "MANIFEST_SHAPE"),
]
for words, number, value, code in MANIFESTS:
    change = value if callable(value) else lambda old, value=value: value
    refuse("manifest: " + words, "missing" if code == "OBJECT_MISSING" else "altered", code,
           at("manifest", lambda items, number=number, change=change: items[:number] + [change(items[number])] + items[number + 1:], tape="B"))
refuse("manifest: empty list of attachments", "altered", "MANIFEST_SHAPE", at("manifest", lambda items: items + [[]], tape="B"))
refuse("manifest: attachment of two items", "altered", "MANIFEST_SHAPE", at("manifest", lambda items: items + [[[0, 1]]], tape="B"))
refuse("manifest: attachment without pieces", "altered", "MANIFEST_SHAPE", at("manifest", lambda items: items + [[[0, 1, []]]], tape="B"))
refuse("manifest: piece of an attachment without length", "altered", "MANIFEST_SHAPE",
       at("manifest", lambda items: items + [[[0, 1, [[junk("c")]]]]], tape="B"))
refuse("manifest: attachment that is nowhere", "missing", "OBJECT_MISSING",
       at("manifest", lambda items: items + [[[0, 1, [[junk("c"), 120]]]]], tape="B"))
refuse("manifest: sixth item", "altered", "MANIFEST_SHAPE", at("manifest", lambda items: items + [[[0, 1, [[junk("c"), 120]]]], 0], tape="B"))
refuse("manifest: byte after it", "altered", "MANIFEST_SHAPE", at("manifest_raw", lambda raw: raw + b"\0", tape="B"))
refuse("manifest: empty array", "altered", "MANIFEST_SHAPE", at("manifest_raw", lambda raw: b"\x80", tape="B"))
refuse("manifest: number", "altered", "MANIFEST_SHAPE", at("manifest_raw", lambda raw: b"\x05", tape="B"))
refuse("manifest: root file is a number", "altered", "ROOT_FILE", at("manifest", item(2, b"\x05"), tape="B"))
refuse("manifest: text", "altered", "MANIFEST_SHAPE", at("manifest_raw", lambda raw: b"hello", tape="B"))
refuse("manifest: object twice", "intact with gaps", "OBJECT_TWICE", at("manifest", lambda items: items[:3] + [items[3] + items[3][:1]], tape="B"))
ROOTS = [("label", 0, "immutape/tape/2"), ("commitment", 1, b"x"), ("frame count", 2, -1), ("tree root", 3, None)]
for words, number, value in ROOTS:
    refuse("tape root file: " + words, "altered", "ROOT_FILE", at("tape_root", item(number, value), tape="B"))
refuse("tape root file: no frames but a root", "altered", "ROOT_FILE", at("tape_root", item(2, 0), tape="B"))
refuse("tape root file: five items", "altered", "ROOT_FILE", at("tape_root", lambda items: items + [0], tape="B"))
refuse("tape root file: of another tape than signed", "altered", "MANIFEST_TAPE", at("tape_id_of", lambda raw: raw + b"x", tape="B"))

# Section 6: the vault without keys.

SLOTS = "state/vault/" + EPOCH.hex()
VAULTS = [
    ("label", 0, "immutape/vault/2"), ("generation as text", 1, "1"), ("origin as bytes", 3, b"x"), ("root id short", 4, b"x"), ("epochs as map", 5, {}),
    ("epoch state 2", 5, [[EPOCH, bytes(48), 2]]), ("wrapped key of 47", 5, [[EPOCH, bytes(47), 0]]), ("index key absent", 6, None),
    ("custody keys absent", 9, None), ("dead of 31 bytes", 10, [bytes(31)]), ("epoch twice", 5, [[EPOCH, bytes(48), 0]] * 2),
]
for words, number, value in VAULTS:
    refuse("vault: " + words, "altered", "VAULT_SHAPE", at("vault", item(number, value)))
refuse("vault: item more", "altered", "VAULT_SHAPE", at("vault", lambda items: items + [0]))
refuse("vault: HMAC cut", "altered", "VAULT_SHAPE", at("vault_raw", lambda raw: raw[:-1]))
refuse("vault: line", "altered", "VAULT_LINE", at("vault_line", lambda line: b"immutape vault 2 1 4\n"))
refuse("vault: line of another revision", "altered", "VAULT_LINE", at("vault_line", lambda line: b"immutape vault 1 1 5\n"))
refuse("vault: other origin", "altered", "VAULT_ORIGIN", at("vault", item(3, "x/" + "00" * 16)))
refuse("vault: changed after the head", "altered", "VAULT_DIGEST", after=flip("state/vault/generation", -1))
refuse("vault: older than the head", "rolled back", "VAULT_ROLLBACK", replaced("vault 1 4", "vault 1 5", 1))
refuse("vault: older generation than the head", "rolled back", "VAULT_ROLLBACK", replaced("vault 1 4", "vault 2 0", 1))
refuse("vault: generation file gone", "missing", "E_VAULT_MISSING", after=lambda w: w.files.pop("state/vault/generation"))
refuse("vault: gone", "missing", "E_VAULT_MISSING", after=lambda w: (w.files.pop("state/vault/generation"), w.files.pop(SLOTS)))
refuse("vault: epoch file gone", "missing", "EPOCH_MISSING", after=lambda w: w.files.pop(SLOTS))
refuse("vault: epoch file short", "altered", "EPOCH_LENGTH", after=lambda w: w.files[SLOTS].pop())
refuse("vault: epoch file long", "altered", "EPOCH_LENGTH", after=lambda w: w.files[SLOTS].append(0))
refuse("vault: slot flipped", "altered", "SLOT_DAMAGED", after=flip(SLOTS, 144 + 40))
refuse("vault: check of a slot flipped", "altered", "SLOT_DAMAGED", after=flip(SLOTS, 143))
refuse("vault: last slot flipped", "altered", "SLOT_DAMAGED", after=flip(SLOTS, 2 * 144 + 40))
refuse("vault: slot cut inside a sector", "altered", "SLOT_DAMAGED", after=lambda w: w.files[SLOTS].__setitem__(slice(60, 144), bytes(84)))
refuse("vault: slot zeroed", "missing", "TAPE_KEY_MISSING", after=lambda w: w.files[SLOTS].__setitem__(slice(144, 288), bytes(144)))
refuse("vault: slots changed places", "altered", "SLOT_DAMAGED", after=lambda w: w.files[SLOTS].__setitem__(slice(0, 288), w.files[SLOTS][144:288] + w.files[SLOTS][:144]))
refuse("vault: tape without key", "missing", "TAPE_KEY_MISSING", at("slot_names", lambda _: "AB"))
refuse("vault: tape in two slots", "intact with gaps", "SLOT_TWICE", at("slot_names", lambda _: "ABCA"))
refuse("vault: live tape listed as dead", "intact with gaps", "DEAD_UNTOLD", at("vault", item(10, [H(b"custody A")])))

# Keys that the auditor brings.

refuse("pin: another key", "altered", "PIN_DIFFERS", pins=[KEYS["stranger"].hex()])
refuse("pin: another key beside the right ones", "altered", "PIN_DIFFERS", pins=PINS + [KEYS["stranger"].hex()])
refuse("pin: our key under another name", "altered", "PIN_NAME", pins=[make_vkey("x", KEYS["checkpoint"]), PINS[1]])
refuse("pin: the whole ledger made by a stranger", "altered", "PIN_DIFFERS", at("entry", body(lambda b: {**b, 2: KEYS["stranger"]}), index=0))


# What the text does not forbid in words, but no writer does: told as gaps.

ODD = [
    ("completion of no grant", 5, lambda b: {0: 3}), ("completion of a later entry", 5, lambda b: {0: 99}), ("term of another group", 1, lambda b: {0: 2}),
    ("stop of another term", 8, lambda b: {0: 2, 1: 0, 2: 0}), ("unclean stop of this term", 12, lambda b: {0: 3}), ("list at a later size", 6, lambda b: {**b, 2: 7}),
    ("custody read at a later size", 10, lambda b: {0: 11}),
]
for words, index, change in ODD:
    refuse("odd: " + words, "intact with gaps", "ENTRY_MEANING", at("entry", body(change), index=index))
refuse("odd: log read beyond the log", "intact with gaps", "ENTRY_MEANING", at("last_rows", lambda rows: rows + [(37, ZERO, {0: 0, 1: 21})]))
refuse("odd: closed without a stop", "intact with gaps", "GROUP_CLOSED", at("group", field("flags", 1), number=6))
refuse("odd: group in a closed term", "intact with gaps", "GROUP_AFTER_CLOSE", at("group", field("flags", 1), number=5))
refuse("odd: head closed, last group not", "intact with gaps", "HEAD_CLOSED", head_of(state="closed"))
refuse("odd: length of a sealed half", "intact with gaps", "SEALED_LENGTH", at("sealed", lambda raw: raw[:-1], index=5))
refuse("odd: length of a sealed object", "intact with gaps", "OBJECT_SHAPE", at("manifest", lambda items: items[:3] + [items[3] + [[H(b"abc"), 3]]], tape="B"),
       after=lambda w: (w.__setattr__("pack", w.files[PACK2]), w.files[PACK2].__delitem__(slice(-4096, None)), w.put(b"abc")))
refuse("wrong: tape saved twice", "altered", "SAVED_TWICE", lambda name, value, **place: (
    value + [(16, H(b"custody C"), audit.cbor_decode(STATE["C"])[11])] if name == "last_rows" else keep(name, value, place)))
refuse("odd: manifest larger than is read", "altered", "MANIFEST_LENGTH", at("manifest_raw", lambda raw: raw + bytes(65 * MIB), tape="B"))
refuse("unread: segment 1 is a folder", "missing", "SEGMENT_UNREAD", after=lambda w: w.files.update({SEG1 + "/x": w.files.pop(SEG1)}))
refuse("unread: pack is a folder", "missing", "PACK_UNREAD", after=lambda w: w.files.update({PACK2 + "/x": w.files.pop(PACK2)}))
refuse("unread: only a prepared segment, no head", "cannot tell", "NO_ENTRIES", state=False,
       after=lambda w: (w.files.pop(SEG2), w.files.pop(SEG3), w.files.update({SEG1: bytearray(MIB)})))
refuse("unread: no journal, no head", "cannot tell", "JOURNAL_ABSENT", state=False, after=lambda w: [w.files.pop(name) for name in (SEG1, SEG2, SEG3)])
refuse("unread: genesis damaged, so keys are unknown", "altered", "GENESIS_UNREAD", at("entry", body(lambda b: {**b, 0: 2}), index=0))
refuse("unread: head of a ledger whose genesis is damaged", "altered", "HEAD_UNCHECKED", at("entry", body(lambda b: {**b, 0: 2}), index=0))
refuse("unread: statements of a ledger whose genesis is damaged", "altered", "STATEMENT_UNCHECKED", at("entry", body(lambda b: {**b, 0: 2}), index=0))
refuse("unread: pins of a ledger whose genesis is damaged", "altered", "PIN_UNCHECKED", at("entry", body(lambda b: {**b, 0: 2}), index=0))
refuse("unread: root at the head after damage", "altered", "HEAD_NOT_COMPARED", after=flip(SEG1, group_at(1, 256 + 8 + 400)))
refuse("unread: entries between a hole and the next group", "altered", "ENTRIES_MISSING", after=zero_group(1, SEG1))
STATE = {}


def keep(name, value, place):
    """Remembers the entry that saved tape C, so that it can be saved again."""
    if name == "entry_raw" and place["index"] == 14:
        STATE["C"] = value
    return value


def refusal_test(name):
    def test(self):
        verdict, code, hook, after, options = REFUSALS[name]
        options = dict(options)
        world = options.pop("world", World)(hook)
        if hook is not None and hasattr(hook, "used"):
            self.assertTrue(hook.used, "the fault was not made")
        if after is not None:
            before = {key: bytes(value) for key, value in world.files.items()}
            after(world)
            self.assertNotEqual(before, world.files, "the fault was not made")
        options = {key: value(world) if callable(value) else value for key, value in options.items()}
        report = check(world, **options)
        found = codes(report)
        self.assertIn(code, found)
        self.assertEqual(report.verdict(), verdict, found)
        self.assertEqual(report.exit_code(), {"cannot tell": 1, "intact with gaps": 10, "ended by loss": 10, "intact": 0}.get(verdict, 3))
        self.assertNotIn("UNEXPECTED", found)
    return test


class Alone(unittest.TestCase):
    """The program must run where nothing can be installed."""

    def test_it_imports_the_standard_library_alone(self):
        import ast
        with open(audit.__file__, encoding="utf-8") as file:
            tree = ast.parse(file.read())
        names = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                self.assertEqual(node.level, 0)
                names.add(node.module.split(".")[0])
        self.assertGreater(len(names), 5)
        self.assertLessEqual(names, getattr(sys, "stdlib_module_names", names))


class Refusals(unittest.TestCase):
    def test_enough(self):
        self.assertGreaterEqual(len(REFUSALS), 60)


for _name in list(REFUSALS):
    setattr(Refusals, "test_" + re.sub("[^a-z0-9]+", "_", _name.lower()), refusal_test(_name))


class Judged(unittest.TestCase):
    def expect(self, world, verdict, *found, **options):
        report = check(world, **options)
        self.assertEqual((report.verdict(), sorted(set(codes(report)) - {"UNUSED_BYTES"})), (verdict, sorted(found)), codes(report))
        return report


class Lawful(Judged):
    """What a crash, a stop or a later version leaves behind is told, and is no alteration."""

    def test_closed_in_order(self):
        def hook(name, value, **place):
            if name == "last_rows":
                return value + [(2, ZERO, {0: 3, 1: 0, 2: 0})]
            if name == "group" and place["number"] == 6:
                return dict(value, flags=1)
            return {"state": "closed"} if name == "head_args" else value
        self.expect(World(hook), "intact")

    def test_closing_head_and_the_stop_after_it(self):
        def hook(name, value, **place):
            if name == "last_rows":
                return [(2, ZERO, {0: 3, 1: 0, 2: 0})]
            if name == "group" and place["number"] == 6:
                return dict(value, flags=1)
            return {"state": "closing", "size": 18} if name == "head_args" else value
        self.expect(World(hook), "intact", "HEAD_OLDER")

    def test_head_behind_the_log(self):
        for size in range(1, 21):
            self.expect(World(head_of(size=size)), "intact", "HEAD_OLDER")

    def test_head_of_an_earlier_day_kept_elsewhere(self):
        first, _ = HONEST.head_text(size=5)
        self.expect(World(), "intact", "HEAD_OLDER", heads=[make_note(first, SEEDS["checkpoint"], ORIGIN)])

    def test_head_with_a_witness(self):
        line = make_note("x\n", SEEDS["stranger"], "witness.example").split(b"\n\n")[1]
        cut = lambda raw: raw.index(b"immutape/head/1")
        self.expect(World(at("head_raw", lambda raw: raw[:cut(raw)] + line + raw[cut(raw):])), "intact")

    def test_open_tear(self):
        world = World()
        tear = world.torn_group()
        world.files[SEG2][world.at:world.at + len(tear)] = tear
        self.expect(world, "intact", "TEAR")

    def test_tear_without_its_first_sector(self):
        world = World()
        world.files[SEG2][world.at + 512:world.at + 1500] = junk_bytes(988, "rest")
        self.expect(world, "intact", "TEAR")

    def test_byte_at_the_end_of_the_newest_segment(self):
        world = World()
        world.files[SEG2][MIB - 1] = 1
        self.expect(world, "intact", "TEAR")

    def test_tear_after_a_close_when_the_ledger_was_opened_again(self):
        world = World(closed_at_the_end)
        put_tear()(world)
        self.expect(world, "intact", "TEAR")
        world = World(closed_at_the_end)
        torn_segment(world, 3)
        self.expect(world, "intact", "TEAR")

    def test_named_tear_counts_by_its_hash_alone(self):
        for words, change in NO_TEARS:
            with self.subTest(words):
                self.expect(World(at("torn_group", change)), "intact")
        self.expect(DroppingBehindZeros(), "intact")

    def test_segment_torn_at_birth(self):
        world = World()
        torn_segment(world, 3)
        self.expect(world, "intact", "TEAR")

    def test_tear_and_then_a_segment_torn_at_birth(self):
        world = World()
        tear = world.torn_group()
        world.files[SEG2][world.at:world.at + len(tear)] = tear
        torn_segment(world, 3)
        self.expect(world, "intact", "TEAR")

    def two_crashes(self, told):
        """A tear, a segment torn at its own header, and a third that begins after both."""
        world = World()
        at, tear = world.at, world.torn_group()
        world.files[SEG2][at:at + len(tear)] = tear
        tear, torn = tear.ljust(1536, b"\0"), torn_segment(world, 3)
        world.hook = lambda name, value, **place: (
            dict(value, end=0, torn=len(torn), torn_hash=H(torn)) if name == "segment" else value)
        world.segment_number, world.segment, world.term = 3, None, 4
        world.begin_segment()
        entries = [(4, ZERO, {0: 2, 1: at, 2: len(tear), 3: H(tear)})] if told else []
        world.group([(1, ZERO, {0: 4}), (3, ZERO, {0: 3})] + entries + [(4, ZERO, {0: 3, 1: 0, 2: len(torn), 3: H(torn)})])
        world.close_segment()
        return world

    def test_tears_of_two_crashes_in_a_row(self):
        self.expect(self.two_crashes(True), "intact", "TEAR", "HEAD_OLDER")
        self.expect(self.two_crashes(False), "intact with gaps", "TEAR", "HEAD_OLDER", "RECOVERED_ABSENT")
        world = self.two_crashes(True)
        world.files[SEG2][MIB - 1] = 1
        self.assertEqual(check(world).verdict(), "altered")

    def test_segment_torn_at_birth_and_recovered(self):
        world = World()
        torn = torn_segment(world, 3)
        world.hook = lambda name, value, **place: (
            dict(value, end=0, torn=len(torn), torn_hash=H(torn)) if name == "segment" else value)
        world.segment_number, world.segment, world.term = 3, None, 4
        world.begin_segment()
        world.group([(1, ZERO, {0: 4}), (3, ZERO, {0: 3}), (4, ZERO, {0: 3, 1: 0, 2: len(torn), 3: H(torn)})])
        world.close_segment()
        self.expect(world, "intact", "HEAD_OLDER")
        world.files[SEG3][900] ^= 1
        self.expect(world, "altered", "HEAD_OLDER", "TEAR_HASH")

    def test_segment_begun_without_a_group(self):
        world = World()
        world.begin_segment()
        world.close_segment()
        self.expect(world, "intact")

    def test_recovered_not_told(self):
        world = World(at("entry", lambda items: items[:4] + [10] + items[5:11] + [{0: 1}], index=13))
        self.expect(world, "intact with gaps", "RECOVERED_ABSENT")

    def test_recovered_of_nothing(self):
        world = World(at("last_rows", lambda rows: rows + [(4, ZERO, {0: 2, 1: 512, 2: 1, 3: ZERO})]))
        self.expect(world, "intact with gaps", "RECOVERED_UNKNOWN")

    def test_terms_that_begin_otherwise(self):
        """Section 3: kinds and bodies of the first groups of terms 2 (entry 9) and 3 (entries 11 to 13)."""
        def kind(number, value):
            return lambda items: items[:4] + [number] + items[5:11] + [value]
        def swap(name, value, **place):
            # log.unclean_stop first, log.started second, each with its own body.
            if name == "entry" and place["index"] in (11, 12):
                swap.used = True
                return kind(*((3, {0: 2}) if place["index"] == 11 else (1, {0: 3})))(value)
            return value
        swap.used = False
        for hook, *found in (
                (swap, "TERM_START"),
                (at("entry", kind(10, {0: 1}), index=9), "TERM_START"),
                (at("entry", kind(10, {0: 1}), index=12), "TERM_START"),
                (at("entry", kind(1, {0: 3}), index=12), "TERM_START"),
                (at("entry", body(lambda b: {0: 1}), index=12), "ENTRY_MEANING"),
                (at("entry", body(lambda b: {0: 2}), index=11), "ENTRY_MEANING"),
                (at("group", field("flags", 0), number=2), "ENTRY_MEANING", "TERM_START")):
            self.expect(World(hook), "intact with gaps", *found)
            self.assertTrue(hook.used)

    def test_statement_with_the_newer_algorithm(self):
        self.expect(World(at("protected", lambda p: {**p, 1: -19}, tape="B")), "intact")

    def test_entry_of_the_full_length(self):
        report = self.expect(World(at("entry", entry_of(65535), index=18)), "intact")
        self.assertEqual(report.checks["grammar"].count, 21)

    def test_groups_of_one_and_of_1024(self):
        report = self.expect(World(at("last_rows", lambda rows: [(32, H(b"custody A"), {})] * 1024)), "intact")
        self.assertEqual(report.checks["grammar"].count, 18 + 1024)
        self.expect(World(at("last_rows", lambda rows: rows[:1])), "intact")

    def test_a_range_is_zero_only_if_all_of_it_is(self):
        data = bytes(audit.PIECE_BYTES) + b"x" + bytes(audit.PIECE_BYTES)
        for start, length, zero in ((0, audit.PIECE_BYTES, True), (0, len(data), False), (audit.PIECE_BYTES, 5, False)):
            self.assertEqual(audit.hash_range(io.BytesIO(data), start, length), (H(data[start:start + length]), zero))

    def test_a_record_across_two_pieces_is_found(self):
        head = b"IMTO\1\2\0\0" + bytes(16) + H(b"")
        record = head + H(head)[:8]
        for start in (0, 1, audit.PIECE_BYTES - 64, audit.PIECE_BYTES - 3, audit.PIECE_BYTES - 1, audit.PIECE_BYTES, audit.PIECE_BYTES + 9):
            data = bytes(start) + record
            self.assertEqual(audit.find_record(io.BytesIO(data), 0, len(data)), start)
            self.assertIsNone(audit.find_record(io.BytesIO(data[:-1]), 0, len(data) - 1))

    def test_unknown_kinds(self):
        report = self.expect(World(at("last_rows", lambda rows: rows + [(kind, junk("s"), {-1: {"a": None}}) for kind in (11, 999, 32767)])), "intact")
        self.assertIn("kind 48: 1, kind 999: 1, kind 32767: 1", report.checks["grammar"].line())

    def recordings(self, change=lambda rows: rows, spool=True, key=True):
        """A ledger with one recording that is a tape, D, cut off and recovered, and one that goes on, E."""
        d, e = H(b"custody D"), H(b"custody E")

        def hook(name, value, **place):
            if name == "pack_end":
                value.tape("D", (128, 640))
            if name == "slot_names":
                return "ABCD"
            if name == "last_rows":
                # Entries 21 and following.
                rows = [(18, d, {0: EPOCH}), (19, d, {0: 5, 1: junk("root")}), (41, d, {0: 0}), (18, e, {0: EPOCH, 1: d}), (33, d, {0: 23}),
                        (19, d, {0: 5, 1: junk("root")}), ("D",), (20, d, {0: 7, 1: 5, 2: 0}), (42, d, {0: 1}), (33, d, {0: 29}), (19, e, {0: 9, 1: junk("r")})]
                world = place["world"]
                return value + [world.saved("D") if row == ("D",) else row for row in change(rows)]
            return value

        world = WithWorld(hook)
        if key:
            slot = audit.live_key_id(e) + junk_bytes(48, "wrapped", "E") + ZERO
            slot += H(b"immutape/vault-slot/1" + EPOCH + struct.pack(">I", 4) + slot)
            world.files["state/vault/" + EPOCH.hex()][4 * 144:5 * 144] = slot
        if spool:
            piece = junk_bytes(300, "piece")
            framed = struct.pack(">I", len(piece)) + piece
            world.files["spool/" + e.hex()] = bytearray(framed + H(framed)[:8] + b"torn")
        return world

    def test_recordings(self):
        report = self.expect(self.recordings(), "unsealed tail", "RECORDING_OPEN")
        self.assertIn("2, 1 of them not sealed", report.checks["recordings"].line())
        self.assertIn("ok", report.checks["recordings"].line())

    def test_recordings_that_are_lost(self):
        self.expect(self.recordings(spool=False), "altered", "RECORDING_LOST")
        self.expect(self.recordings(key=False), "missing", "RECORDING_KEY_MISSING", "RECORDING_OPEN")
        for cut in (0, 3, 200, 311):
            world = self.recordings()
            del world.files["spool/" + H(b"custody E").hex()][cut:]
            self.expect(world, "altered", "SPOOL_BEGINNING")
        world = self.recordings()
        world.files["spool/" + H(b"custody E").hex()][40] ^= 1
        self.expect(world, "altered", "SPOOL_BEGINNING")
        # What was destroyed lawfully is not looked for; its key is gone as well.
        world = self.recordings(lambda rows: rows + [(86, H(b"custody E"), {})], spool=False, key=False)
        self.expect(world, "intact")

    def test_recordings_that_are_told_oddly(self):
        d = H(b"custody D")

        def without(at):
            return lambda rows: rows[:at] + rows[at + 1:]
        changes = [
            lambda rows: rows[:5] + [(19, d, {0: 4, 1: junk("root")})] + rows[6:],  # frames fall
            lambda rows: rows + [(18, d, {0: EPOCH})],  # opened again
            lambda rows: rows[:7] + [(20, d, {0: 7, 1: 4, 2: 0})] + rows[8:],  # another newest mark
            lambda rows: rows + [(20, H(b"custody A"), {0: 1, 1: 0, 2: 0})],  # of a tape that was no recording, and elsewhere
            without(0),  # never opened
            lambda rows: rows[:8] + [(40, d, {0: 32, 1: 7})] + rows[9:],  # completes a replay that was not granted
        ]
        for number, change in enumerate(changes):
            report = check(self.recordings(change))
            self.assertIn("ENTRY_MEANING", codes(report), number)
            self.assertEqual(report.words(), ["intact with gaps", "unsealed tail"], number)

    def test_a_recording_that_is_sealed_meanwhile(self):
        """The log is read first; what was sealed and removed since is in the log by then."""
        with tempfile.TemporaryDirectory() as folder:
            ledger, _ = self.recordings(spool=False).write(folder)
            report, journal = audit.Report(), audit.Journal(audit.Report(), os.path.join(ledger, "journal"), ())
            journal.scan()
            # As if the log had been read before the tape of D was in it.
            journal.saved.discard(H(b"custody D"))
            self.assertEqual(len(journal.recording()), 2)
            audit.check_recordings(report, ledger, journal)
            self.assertEqual(codes(report), ["RECORDING_LOST"])

    def test_critical_kinds(self):
        rows = [(32771, ZERO, {0: ["rules of later"]}), (40000, ZERO, {})]
        world = World(at("last_rows", lambda old: old + rows))
        report = self.expect(world, "cannot tell", "CRITICAL_KIND")
        self.assertEqual(codes(report).count("CRITICAL_KIND"), 2)
        # What it does not know may have changed the keys: it does not call the new key's head a forgery.
        world = World(lambda name, value, **place: value + rows if name == "last_rows" else (SEEDS["stranger"], ORIGIN) if name == "head_key" else value)
        self.expect(world, "cannot tell", "CRITICAL_KIND", "HEAD_UNSIGNED")

    def test_statement_after_an_unknown_critical_kind(self):
        """With one before it, a statement of another key cannot be judged by the keys that are known."""
        def hook(name, value, **place):
            if name == "entry" and place["index"] == 10:
                return value[:4] + [32772] + value[5:]
            return {**value, 4: junk("new key")} if name == "protected" and place["tape"] == "C" else value
        self.expect(World(hook), "cannot tell", "CRITICAL_KIND", "STATEMENT_KEY")

    def test_destroyed_tape(self):
        a = H(b"custody A")
        world = World(lambda name, value, **place: (
            value + [(86, a, {})] if name == "last_rows" else value[:10] + [[a]] if name == "vault" else value))
        # Punched out of the pack and discarded: what a finished disposal leaves.
        for number in range(3):
            zero_object(number, PACK1)(world)
        digests = [world.records[number]["digest"] for number in range(3)]
        del world.files[PACK2][-4096:]
        world.pack = world.files[PACK2]
        for digest in digests:
            world.record(3, digest, 0)
        report = self.expect(world, "intact")
        self.assertIn("1 destroyed", report.checks["tapes"].line())

    def test_discarded_in_a_later_pack_when_last_of_its_own(self):
        world = World(at("record", field("kind", 1), number=13))
        del world.files[PACK2][world.records[12]["at"]:]
        world.pack = world.files[PACK2]
        world.put(junk_bytes(208, "last"))
        zero_object(len(world.records) - 1, PACK2)(world)
        world.begin_pack()
        world.record(3, world.records[-1]["digest"], 0)
        self.expect(world, "intact")

    def test_protection_that_would_be_lower_has_no_effect(self):
        self.expect(World(at("record", field("until", 4000), number=11)), "intact", "PROTECTION_LOWER")
        self.expect(World(at("record", field("mode", 2), number=11)), "intact", "PROTECTION_LOWER")

    def test_records_about_objects_that_are_not_there(self):
        self.expect(World(at("record", field("digest", junk("d")), number=11)), "intact", "PROTECTION_UNKNOWN")
        self.expect(World(at("record", field("digest", junk("d")), number=13)), "intact", "DISCARD_UNKNOWN")

    def test_object_that_was_discarded_and_is_not_cleared_to_its_end(self):
        world = World()
        flip(PACK2, record_at(12, 70))(world)
        self.expect(world, "intact", "OBJECT_TORN")

    def test_torn_records_that_others_follow(self):
        for parts in ([orphan, bytes(1200), lambda w: orphan(w, "p")], [orphan, bytes(1200) + b"x" * 100, lambda w: orphan(w, "p")],
                      [bytes(2000) + b"x" * 9, orphan]):
            world = World()
            third_pack(*parts)(world)
            self.expect(world, "intact")
        world = World()
        third_pack(orphan, lambda w: orphan(w, "p"))(world)
        world.files[PACK3][512:1024] = bytes(512)
        self.expect(world, "intact", "OBJECT_TORN")
        # The first sector, with the header of the pack in it, was never written.
        world.files[PACK3][:512] = bytes(512)
        self.expect(world, "intact")

    def test_object_behind_a_record_with_a_false_length(self):
        world = World(at("record", field("length", 2000), number=0))
        report = check(world)
        self.assertEqual({f["code"] for f in report.findings if f["severity"] == "missing"}, set(), codes(report))

    def test_packs_that_were_never_begun(self):
        world = World()
        world.files["packs/00000003.pack"] = bytearray()
        world.files["packs/00000004.pack"] = bytearray(4096)
        world.files["packs/00000005.pack"] = bytearray(b"IMTPAC")
        self.expect(world, "intact")

    def test_vault_newer_than_the_head(self):
        self.expect(World(replaced("vault 1 4", "vault 1 3", 1)), "intact", "VAULT_NEWER")

    def test_torn_slot(self):
        world = World()
        world.files[SLOTS][3 * 144:3 * 144 + 60] = b"\1" * 60
        self.expect(world, "intact", "SLOT_TORN")

    def test_fresh_ledger_has_nothing_to_check(self):
        world = World()
        world.files[PACK1], world.files[PACK2] = bytearray(), bytearray()
        group = world.groups[1]
        world.files[SEG1][group["at"]:] = bytes(MIB - group["at"])
        del world.files[SEG2], world.files[SEG3]
        first, second = world.head_text(size=2, term=1)
        world.files["state/head"] = make_note(first, SEEDS["checkpoint"], ORIGIN) + make_note(second, SEEDS["checkpoint"], ORIGIN)
        report = self.expect(world, "intact")
        self.assertEqual("tapes: not checked: no tape is kept yet", report.checks["tapes"].line())

    def test_epoch_file_that_is_not_listed_yet(self):
        world = World()
        world.files["state/vault/" + "0a" * 16] = bytearray(256 * 144)
        self.expect(world, "intact", "EPOCH_UNLISTED")

    def test_test_ledger_says_so(self):
        report = check(World(at("entry", body(lambda b: {**b, 8: True}), index=0)))
        self.assertEqual(report.last_line(), "intact, TEST ledger")

    def test_strange_names_are_told(self):
        world = World()
        world.files["journal/notes.txt"] = b"x"
        world.files["packs/1.pack"] = b"x"
        world.files["state/vault/generation.tmp"] = b"x"
        world.files["quarantine/old.seg"] = b"x"
        self.expect(world, "intact", "STRAY", "QUARANTINE")


# ----------------------------------------------------------------------------------------------------------------------
# 4.5 and anchors: entries 21 and following are made by these stories. Each fault is one of an otherwise whole ledger.

def told(*steps):
    """One step after the other; a step is the name of a method with its arguments, or a function of the world."""
    def story(world):
        for step in steps:
            if callable(step):
                step(world)
            else:
                name, *words = step if len(step) > 1 else step + ({},)
                options = words.pop() if name != "say" and isinstance(words[-1], dict) else {}
                getattr(world, name)(*words, **options)
    return story


def outside(name, verdict, code, *steps, hook=None, after=None, **options):
    refuse(name, verdict, code, hook, after, world=lambda hook: Outside(told(*steps), hook), **options)


SMALL_ORDER = (1).to_bytes(32, "little")
NOT_A_POINT = (2).to_bytes(32, "little")
ROTATE_C, ROTATE_R, ROTATE_I = ("rotate", "checkpoint"), ("rotate", "recorder"), ("rotate", "issuer")
NEXT_C = keys_of("checkpoint", 1)


def wrong(**fields):
    return ("rotate", "checkpoint", dict(fields, wrong=True))


outside("key: of small order", "altered", "KEY_NONE", wrong(key=SMALL_ORDER))
outside("key: no point of the curve", "altered", "KEY_NONE", wrong(key=NOT_A_POINT))
outside("key: the one in use again", "altered", "KEY_USED", wrong(key=KEYS["checkpoint"], seed=SEEDS["checkpoint"]))
outside("key: one of another role", "altered", "KEY_USED", wrong(key=KEYS["issuer"], seed=SEEDS["issuer"]))
outside("key: one of before", "altered", "KEY_USED", ROTATE_C, wrong(key=KEYS["checkpoint"], seed=SEEDS["checkpoint"]))
outside("key: one that followed in another role", "altered", "KEY_USED", ROTATE_I, wrong(key=keys_of("issuer", 1)[1], seed=keys_of("issuer", 1)[0]))
outside("key: of a stranger", "altered", "KEY_NOT_NAMED", wrong(key=KEYS["stranger"], seed=SEEDS["stranger"]))
outside("key: named for another role", "altered", "KEY_NOT_NAMED", wrong(key=keys_of("recorder", 1)[1], seed=keys_of("recorder", 1)[0]))
outside("key: named one later", "altered", "KEY_NOT_NAMED", wrong(key=keys_of("checkpoint", 2)[1], seed=keys_of("checkpoint", 2)[0]))
outside("key: after one that named another", "altered", "KEY_NOT_NAMED", ("rotate", "checkpoint", {"next": thumb(KEYS["stranger"])}),
        wrong(key=keys_of("checkpoint", 2)[1], seed=keys_of("checkpoint", 2)[0]))
outside("key: signed for by the one before", "altered", "KEY_PROOF", wrong(seed=SEEDS["checkpoint"]))
outside("key: signed for under another origin", "altered", "KEY_PROOF", wrong(origin="other.example/" + "5a" * 16))
outside("key: signed for another role", "altered", "KEY_PROOF", lambda w: w.say(32769, ZERO, {
    0: 0, 1: NEXT_C[1], 2: junk("next"), 3: sign(NEXT_C[0], enc(["immutape/key/1", ORIGIN, 1, NEXT_C[1], junk("next")]))}))
outside("key: signed for with another that follows", "altered", "KEY_PROOF", lambda w: w.say(32769, ZERO, {
    0: 0, 1: NEXT_C[1], 2: junk("x"), 3: sign(NEXT_C[0], enc(["immutape/key/1", ORIGIN, 0, NEXT_C[1], junk("next")]))}))
outside("key: of a fourth role", "altered", "ENTRY_BODY", lambda w: w.say(32769, ZERO, {0: 3, 1: NEXT_C[1], 2: junk("next"), 3: bytes(64)}))
outside("key: proof of 63 bytes", "altered", "ENTRY_BODY", lambda w: w.say(32769, ZERO, {0: 0, 1: NEXT_C[1], 2: junk("next"), 3: bytes(63)}))
outside("key: revoked for no reason", "altered", "ENTRY_BODY", lambda w: w.say(32770, ZERO, {0: 0, 1: junk("next"), 2: 1}))
outside("key: succession without a note", "altered", "ENTRY_BODY", lambda w: w.say(32768, ZERO, {}))
outside("key: succession of 65,537 bytes", "altered", "ENTRY_LENGTH", lambda w: w.say(32768, ZERO, {0: bytes(65537)}))
outside("key: rotation about a tape", "altered", "ENTRY_SUBJECT", ROTATE_C, hook=at("entry", item(5, junk("t")), index=21))
outside("key: revoked that never was", "altered", "KEY_UNKNOWN", ROTATE_R, ("revoke", "recorder", 2, 5))
outside("key: revoked in another role", "altered", "KEY_UNKNOWN", ROTATE_R, ("revoke", "issuer", 0, 5, {"named": thumb(KEYS["recorder"])}))
outside("key: revoked while in use", "altered", "KEY_IN_USE", ("revoke", "recorder", 0, 5))
outside("key: revoked while in use, after a rotation", "altered", "KEY_IN_USE", ROTATE_R, ("revoke", "recorder", 1, 5))
outside("key: revoked from a later entry on", "altered", "KEY_FROM", ROTATE_I, ("revoke", "issuer", 0, 23))
outside("key: revoked again, from later on", "altered", "KEY_FROM", ROTATE_I, ("revoke", "issuer", 0, 9), ("revoke", "issuer", 0, 10))
outside("key: revoked again, from the same on", "altered", "KEY_FROM", ROTATE_I, ("revoke", "issuer", 0, 9), ("revoke", "issuer", 0, 9))
outside("key: no genesis to follow", "altered", "KEY_UNCHECKED", ROTATE_C, hook=at("entry", body(lambda b: {**b, 0: 2}), index=0))

outside("head: by the key of before", "altered", "HEAD_KEY", ROTATE_C, hook=at("head_key", lambda _: (SEEDS["checkpoint"], ORIGIN)))
outside("head: of before, by the key that followed", "altered", "HEAD_KEY", ROTATE_C, hook=head_of(size=21))
outside("head: by a key whose rotation was refused", "altered", "HEAD_UNSIGNED", wrong(seed=SEEDS["checkpoint"]),
        hook=at("head_key", lambda _: (NEXT_C[0], ORIGIN)))
outside("head: second note by the key of before", "altered", "HEAD_KEY", ROTATE_C, hook=at("state_key", lambda _: (SEEDS["checkpoint"], ORIGIN)))
outside("head: kept, by a revoked key", "altered", "HEAD_REVOKED", ROTATE_C, ("revoke", "checkpoint", 0, 9),
        heads=lambda w: [w.head(size=10, number=0)])
outside("head: the line of the other key does not hold", "altered", "HEAD_SIGNATURE", ROTATE_C, heads=lambda w: [
    w.head() + make_note("x\n", SEEDS["checkpoint"], ORIGIN).split(b"\n\n")[1]])

outside("statement: by the key of before", "altered", "STATEMENT_KEY", ROTATE_R, lambda w: w.signing.update(recorder=0), ("save", "D"))
outside("statement: by the key that follows", "altered", "STATEMENT_KEY", lambda w: w.signing.update(recorder=1), ("save", "D"))
outside("statement: names the key in force, is signed by the one before", "altered", "STATEMENT_SIGNATURE", ROTATE_R, ("save", "D"),
        hook=at("recorder", lambda _: SEEDS["recorder"], tape="D"))
outside("statement: by a revoked key", "altered", "STATEMENT_REVOKED", ROTATE_R, ("revoke", "recorder", 0, 14))
outside("statement: by a revoked key, though others held it", "altered", "STATEMENT_REVOKED", ("cosign",), ROTATE_R, ("revoke", "recorder", 0, 14))
outside("statement: by a revoked key, held by nobody", "intact with gaps", "STATEMENT_UNPROVED", ROTATE_R, ("revoke", "recorder", 0, 22))
outside("statement: by a revoked key, time-stamped alone", "intact with gaps", "STATEMENT_UNPROVED", ("stamp",), ROTATE_R, ("revoke", "recorder", 0, 22))
outside("statement: by a revoked key, held one entry too early", "intact with gaps", "STATEMENT_UNPROVED", ("cosign", {"size": 14}), ROTATE_R,
        ("revoke", "recorder", 0, 22))
outside("statement: by a revoked key, held too late", "intact with gaps", "STATEMENT_UNPROVED", ("cosign", {"size": 20}), ROTATE_R,
        ("revoke", "recorder", 0, 19))
outside("statement: by a revoked key, held after it was revoked", "intact with gaps", "STATEMENT_UNPROVED", ROTATE_R, ("revoke", "recorder", 0, 21),
        ("cosign", {"size": 21}))
outside("statement: by a key that was revoked again, further back", "altered", "STATEMENT_REVOKED", ("cosign",), ROTATE_R,
        ("revoke", "recorder", 0, 22), ("revoke", "recorder", 0, 14))
outside("statement: held by a head that counts no more", "intact with gaps", "STATEMENT_UNPROVED", ("cosign", {"size": 15}), ROTATE_R, ROTATE_C,
        ("revoke", "checkpoint", 0, 14), ("revoke", "recorder", 0, 22))

OTHER_TREE = junk("other tree")
ROOT_14 = root_by_recursion(HONEST.entries[:14])
ANOTHER = ("say", 10, ZERO, {0: 1})
outside("anchor: of another tree", "forked", "E_LOG_FORK", ("cosign", {"root": OTHER_TREE}))
outside("anchor: time-stamped, of another tree", "forked", "E_LOG_FORK", ("stamp", {"size": 14, "root": OTHER_TREE}))
outside("anchor: of more entries than there were", "altered", "ANCHOR_LATER", ("cosign", {"size": 22, "root": OTHER_TREE}))
outside("anchor: time-stamped, of more entries", "altered", "ANCHOR_LATER", ("stamp", {"size": 22, "root": OTHER_TREE}))
outside("anchor: published, of more entries", "altered", "ANCHOR_LATER", ("publish", 22, OTHER_TREE))
outside("anchor: published, of another tree", "altered", "ANCHOR_ROOT", ("publish", 14, OTHER_TREE))
outside("anchor: of another log", "altered", "HEAD_ORIGIN", ("cosign", {"origin": "other.example/" + "5a" * 16}))
outside("anchor: signed by a stranger", "altered", "HEAD_UNSIGNED", lambda w: w.cosign(
    make_note(w.head().split(b"\n\n")[0].decode() + "\n", SEEDS["stranger"], ORIGIN)))
outside("anchor: signature of something else", "altered", "HEAD_SIGNATURE", lambda w: w.cosign(w.head().replace(b"\n21\n", b"\n20\n")))
outside("anchor: by the key of before", "altered", "HEAD_KEY", ROTATE_C, ANOTHER, ("cosign", {"number": 0}))
outside("anchor: by the key that follows", "altered", "HEAD_KEY", ROTATE_C, ("cosign", {"size": 21, "number": 1}))
outside("anchor: by a key that was revoked later", "intact with gaps", "HEAD_REVOKED", ("cosign",), ROTATE_C, ("revoke", "checkpoint", 0, 20))
outside("anchor: time-stamped, by a key that was revoked later", "intact with gaps", "HEAD_REVOKED", ("stamp",), ROTATE_C, ("revoke", "checkpoint", 0, 20))
outside("anchor: by a key that was revoked further back later", "intact with gaps", "HEAD_REVOKED", ("cosign",), ROTATE_C, ("revoke", "checkpoint", 0, 21),
        ("revoke", "checkpoint", 0, 20))
outside("anchor: by a key that was revoked before", "altered", "HEAD_REVOKED", ROTATE_C, ("revoke", "checkpoint", 0, 20), ("cosign", {"size": 21, "number": 0}))
outside("anchor: time-stamped, by a key that was revoked before", "altered", "HEAD_REVOKED", ROTATE_C, ("revoke", "checkpoint", 0, 20),
        ("stamp", {"size": 21, "number": 0}))
outside("anchor: no note", "altered", "NOTE", ("say", 128, ZERO, {0: b"\xff", 1: [witness_key("w1")], 2: True}))
outside("anchor: four lines", "altered", "NOTE", lambda w: w.cosign(make_note("%s\n0\n%s\nx\n" % (ORIGIN, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
                                                                         SEEDS["checkpoint"], ORIGIN)))
outside("anchor: cosignature absent", "altered", "ANCHOR_COSIGNATURE", ("cosign", {"witnesses": (), "keys": [witness_key("w1")]}))
outside("anchor: one of two cosignatures absent", "altered", "ANCHOR_COSIGNATURE", ("cosign", {"keys": [witness_key("w1"), witness_key("w2")]}))


def odd_line(name, **fields):
    """An anchor with a second line of the witness, made otherwise."""
    outside("anchor: cosignature " + name, "altered", "ANCHOR_COSIGNATURE", lambda w: w.cosign(w.head() + cosignature(w.head(), "w1", **fields)))


odd_line("over another text", text=b"x\n")
odd_line("by another key", seed=SEEDS["stranger"])
odd_line("of a time past 2^63", moment=1 << 63)
outside("anchor: cosignature is a plain one", "altered", "ANCHOR_COSIGNATURE", lambda w: w.cosign(
    w.head() + ("\u2014 witness.example/w1 %s\n" % base64.b64encode(
        H(b"witness.example/w1\n\x04" + keys_of("w1")[1])[:4] + sign(keys_of("w1")[0], w.head().split(b"\n\n")[0] + b"\n")).decode()).encode()))
for words, key in (("is none", "witness.example/w1"), ("is a log's", witness_key("w1", kind=b"\x01")), ("has another id", witness_key("w1").replace("+", "+00", 1)[:-2]),
                   ("is of small order", witness_key("w1", SMALL_ORDER)), ("is no point", witness_key("w1", NOT_A_POINT)),
                   ("signs this log's heads", witness_key("w1", KEYS["checkpoint"]))):
    outside("anchor: verifier key " + words, "altered", "ANCHOR_KEY", ("cosign", {"keys": [key]}))
outside("anchor: verifier key signed heads before", "altered", "ANCHOR_KEY", ROTATE_C, ("cosign", {"keys": [witness_key("w1", KEYS["checkpoint"])]}))
outside("anchor: without keys", "altered", "ENTRY_BODY", ("cosign", {"witnesses": ()}))
outside("anchor: 64 keys", "altered", "ENTRY_BODY", ("cosign", {"keys": [witness_key("w1")] * 64}))
outside("anchor: no genesis to check it with", "altered", "ANCHOR_UNCHECKED", ("cosign",), hook=at("entry", body(lambda b: {**b, 0: 2}), index=0))

outside("time-stamp: over a note with a cosignature", "altered", "ANCHOR_SIGNATURES", lambda w: w.stamp(w.head() + cosignature(w.head(), "w1")))
outside("time-stamp: of another note", "altered", "ANCHOR_IMPRINT", ("stamp", {"token": make_token(junk("note"))}))
outside("time-stamp: tells another time", "altered", "ANCHOR_TIME", ("stamp", {"moment": STAMP_MS + 1}))


def parts(**changed):
    return lambda world: world.stamp(token=make_token(H(world.head()), change=lambda fields: {**fields, **changed}))


for words, changed in {
        "no signed data": dict(type=b"\x2a"), "version 1": dict(version=b"\1"), "no TSTInfo": dict(content=b"\x2a"), "TSTInfo of version 2": dict(info=b"\2"),
        "SHA-1": dict(hash=bytes.fromhex("06052b0e03021a0500")), "SHA-256 with parameters": dict(hash=bytes.fromhex("06096086480165030402010403616263")),
        "31 bytes": dict(digest=bytes(31)), "bytes behind it": dict(end=b"\0"), "bytes behind the TSTInfo": dict(tail=b"\5\0"),
        "local time": dict(time=b"20231114221320"), "zeros at the end of the fraction": dict(time=b"20231114221320.50Z"), "month 13": dict(time=b"20231314221320Z"),
        "empty fraction": dict(time=b"20231114221320.Z"), "of 1969": dict(time=b"19691231235959Z"), "19 digits of fraction": dict(time=b"20231114221320.0000000000000000001Z"),
        "over 32 KiB": dict(end=bytes(1 << 15))}.items():
    outside("time-stamp: token, " + words, "altered", "TOKEN", parts(**changed))
for words, raw in {"empty": b"", "cut": make_token(ZERO)[:-1], "indefinite length": b"\x30\x80" + make_token(ZERO)[3:] + b"\0\0",
                   "length not shortest": b"\x30\x82\0" + make_token(ZERO)[2:]}.items():
    outside("time-stamp: token " + words, "altered", "TOKEN", ("stamp", {"token": raw}))


def kept(name, note):
    def after(world):
        world.files["state/anchors/" + name] = bytearray(note(world) if callable(note) else note)
    return after


def lone(name, verdict, code, file, note, *steps, hook=None):
    outside("kept: " + name, verdict, code, *steps, hook=hook, after=kept(file, note))


lone("head of more entries", "rolled back", "E_LOG_ROLLBACK", "newest.note", lambda w: w.head(22, root=OTHER_TREE))
lone("head of another tree", "forked", "E_LOG_FORK", "newest.note", lambda w: w.head(14, root=OTHER_TREE))
lone("ahead, of more entries", "rolled back", "E_LOG_ROLLBACK", "ahead.note", lambda w: w.head(22, root=OTHER_TREE))
lone("ahead, of another tree", "forked", "E_LOG_FORK", "ahead.note", lambda w: w.head(14, root=OTHER_TREE))
lone("signed by a stranger", "altered", "HEAD_UNSIGNED", "newest.note", lambda w: make_note(w.head().split(b"\n\n")[0].decode() + "\n", SEEDS["stranger"], ORIGIN))
lone("of another log", "altered", "HEAD_ORIGIN", "newest.note", lambda w: w.head(origin="x/" + "00" * 16))
lone("by the key of before", "altered", "HEAD_KEY", "newest.note", lambda w: w.head(number=0), ROTATE_C)
REVOKED = (ROTATE_C, ("revoke", "checkpoint", 0, 9))
lone("by a revoked key", "intact", "HEAD_REVOKED", "newest.note", lambda w: w.head(10, number=0), *REVOKED)
lone("by a revoked key, of another tree", "intact", "HEAD_REVOKED", "newest.note", lambda w: w.head(10, number=0, root=OTHER_TREE), *REVOKED)
lone("by a revoked key, ahead", "intact", "HEAD_REVOKED", "ahead.note", lambda w: w.head(21, number=0, root=OTHER_TREE), *REVOKED)
lone("by a key revoked later on, of another tree", "forked", "E_LOG_FORK", "ahead.note", lambda w: w.head(9, number=0, root=OTHER_TREE), *REVOKED)
lone("by a revoked key, whose line is wrong", "altered", "HEAD_SIGNATURE", "newest.note",
     lambda w: w.head(10, number=0).replace(b"\n10\n", b"\n11\n"), *REVOKED)
lone("no note", "altered", "ANCHOR_SHAPE", "newest.note", b"x")
lone("too long to be read", "altered", "ANCHOR_SHAPE", "ahead.note", bytes(65537))
lone("no genesis to check it with", "altered", "ANCHOR_UNCHECKED", "newest.note", lambda w: w.head(), hook=at("entry", body(lambda b: {**b, 0: 2}), index=0))
outside("kept: beside a damaged journal", "altered", "HEAD_NOT_COMPARED",
        after=lambda w: (kept("newest.note", w.head(14))(w), flip(SEG1, group_at(1, 256 + 8 + 400))(w)))
outside("kept: beside a journal that damage cut short", "altered", "E_LOG_ROLLBACK",
        after=lambda w: (kept("newest.note", w.head(22, root=OTHER_TREE))(w), flip(SEG1, group_at(1, 256 + 8 + 400))(w)))
outside("kept: beside no journal", "missing", "ANCHOR_UNCHECKED",
        after=lambda w: (kept("newest.note", w.head())(w), [w.files.pop(name) for name in (SEG1, SEG2, SEG3)]))

# 4.6: this log goes on for another one.

OLD_ORIGIN, NEW_ORIGIN = "old.example/" + "6b" * 16, "new.example/" + "7c" * 16
OLD_SEED, OLD_KEY = keys_of("old log")


def head_text_of(origin, size, root):
    return "%s\n%d\n%s\n" % (origin, size, base64.b64encode(root).decode())


OLD_HEAD = make_note(head_text_of(OLD_ORIGIN, 9, junk("old root")), OLD_SEED, OLD_ORIGIN)


def statement_of(**fields):
    fields = {"old": make_vkey(OLD_ORIGIN, OLD_KEY), "size": "9", "root": junk("old root"), "first": "7", "last": "8", **fields}
    fields["root"] = base64.b64encode(fields["root"]).decode()
    return "immutape/succession/1\nold %(old)s\nhead %(size)s %(root)s\nnew %(new)s\nledger %(ledger)s\nlost %(first)s %(last)s\n" % fields


def signed_by(text, *signers):
    """One note with a line of each (name, seed)."""
    notes = [make_note(text, seed, name) for name, seed in signers]
    return notes[0] + b"".join(note.rpartition(b"\n\n")[2] for note in notes[1:])


BY_NEW, BY_OLD = (ORIGIN, SEEDS["checkpoint"]), (OLD_ORIGIN, OLD_SEED)


def follows(*signers, change=lambda text: text, **fields):
    """Says which log this one goes on for."""
    def step(world):
        text = change(statement_of(**{"new": make_vkey(ORIGIN, KEYS["checkpoint"]), "ledger": H(b"\0" + world.entries[0]).hex(), **fields}))
        world.say(32768, ZERO, {0: signed_by(text, *(signers or (BY_NEW, BY_OLD)))})
    return step


def after_old(said=None):
    """Entry 0 names the log before."""
    return at("entry", body(lambda b: {**b, 9: said or [OLD_ORIGIN, OLD_HEAD, 7, 8]}), index=0)


def joined(name, code, *steps, said=None, hook=None):
    outside("succession: " + name, "altered", code, *steps, hook=hook or after_old(said))


def retold(name, old, new):
    def change(text):
        assert text.count(old) == 1, old
        return text.replace(old, new)
    joined("text, " + name, "SUCCESSION_SHAPE", follows(change=change))


retold("of another format", "succession/1", "succession/2")
retold("a line is missing", "lost 7 8\n", "")
retold("a line too many", "lost 7 8\n", "lost 7 8\nx\n")
retold("another word", "lost 7", "gone 7")
retold("two spaces", "lost 7", "lost  7")
retold("a space at the end", "lost 7 8", "lost 7 8 ")
retold("leading zero of a size", "head 9 ", "head 09 ")
retold("leading zero of an index", "lost 7 8", "lost 07 8")
retold("a sign", "lost 7 8", "lost +7 8")
retold("no last index", "lost 7 8", "lost 7")
retold("a range that ends before it begins", "lost 7 8", "lost 8 7")
retold("an index past 64 bits", "lost 7 8", "lost 7 18446744073709551616")
retold("no size", "head 9 ", "head ")
retold("a root of base64 without padding", "=\nnew", "\nnew")
retold("no verifier key", "old old.example", "old +old.example")
joined("text, ledger in capitals", "SUCCESSION_SHAPE", follows(change=lambda text: re.sub("(?<=ledger )[0-9a-f]+", lambda m: m.group().upper(), text)))
joined("text, ledger of 31 bytes", "SUCCESSION_SHAPE", follows(ledger="6b" * 31))
joined("no note", "SUCCESSION_SHAPE", ("say", 32768, ZERO, {0: b"a statement"}))
joined("it succeeds itself by name", "SUCCESSION_SHAPE", follows(old=make_vkey(ORIGIN, OLD_KEY)))
joined("it succeeds itself by key", "SUCCESSION_SHAPE", follows(old=make_vkey(OLD_ORIGIN, KEYS["checkpoint"])))
joined("signed by the old log alone", "SUCCESSION_UNSIGNED", follows(BY_OLD))
joined("signed by a stranger", "SUCCESSION_UNSIGNED", follows((ORIGIN, SEEDS["stranger"]), BY_OLD))
joined("signed by the key that follows", "SUCCESSION_UNSIGNED", ROTATE_C, follows((ORIGIN, NEXT_C[0])))


def mixed(right, wrong):
    """The signature line of the second is one over another text."""
    def step(world):
        text = statement_of(new=make_vkey(ORIGIN, KEYS["checkpoint"]), ledger=H(b"\0" + world.entries[0]).hex())
        world.say(32768, ZERO, {0: signed_by(text, right) + make_note("x\n", wrong[1], wrong[0]).split(b"\n\n")[1]})
    return step


joined("signature of the successor is wrong", "SUCCESSION_SIGNATURE", mixed(BY_OLD, BY_NEW))
joined("signature of the old log is wrong", "SUCCESSION_SIGNATURE", mixed(BY_NEW, BY_OLD))
outside("succession: entry 0 names no log", "altered", "SUCCESSION_ALONE", follows())
joined("of another successor", "SUCCESSION_NEW", follows((NEW_ORIGIN, SEEDS["checkpoint"]), BY_OLD, new=make_vkey(NEW_ORIGIN, KEYS["checkpoint"])))
joined("of the successor's second key", "SUCCESSION_NEW", ROTATE_C, follows((ORIGIN, NEXT_C[0]), new=make_vkey(ORIGIN, NEXT_C[1])))
joined("of another ledger", "SUCCESSION_NEW", follows(ledger="6b" * 32))
joined("of another old log", "SUCCESSION_OLD", follows(), said=["x/" + "6b" * 16, OLD_HEAD, 7, 8])
joined("other first lost entry", "SUCCESSION_OLD", follows(first="6"))
joined("other last lost entry", "SUCCESSION_OLD", follows(last="-"))
joined("last lost entry that entry 0 does not know", "SUCCESSION_OLD", follows(), said=[OLD_ORIGIN, OLD_HEAD, 7, None])
joined("other size", "SUCCESSION_HEAD", follows(size="10"))
joined("other root", "SUCCESSION_HEAD", follows(root=OTHER_TREE))
joined("head of another key", "SUCCESSION_HEAD", follows(BY_NEW, old=make_vkey(OLD_ORIGIN, KEYS["stranger"])))
joined("head of another origin", "SUCCESSION_HEAD", follows(),
       said=[OLD_ORIGIN, make_note(head_text_of("x", 9, junk("old root")), OLD_SEED, OLD_ORIGIN), 7, 8])
joined("head that is no note", "SUCCESSION_HEAD", follows(), said=[OLD_ORIGIN, b"head", 7, 8])
joined("no genesis to check it with", "SUCCESSION_UNCHECKED", follows(), hook=at("entry", body(lambda b: {**b, 0: 2}), index=0))

# 4.6: another log goes on for this one. Its head file, and what others hold, name entries that are gone.

NEW_SEED, NEW_KEY = keys_of("new log")


def succeeded(size=22, root=OTHER_TREE, number=0, both=True, seed=None, old=None, raw=lambda note: note):
    """Puts the statement beside the head."""
    def after(world):
        own, public = keys_of("checkpoint", number)
        text = statement_of(old=old or make_vkey(ORIGIN, public), size=str(size), root=root, new=make_vkey(NEW_ORIGIN, NEW_KEY), ledger="6b" * 32, first="0", last="-")
        signers = [(NEW_ORIGIN, seed or NEW_SEED)] + [(ORIGIN, own)] * both
        world.files["state/successor.note"] = bytearray(raw(signed_by(text, *signers)))
    return after


LOSS = head_of(size=22, root=OTHER_TREE)


def lost(name, verdict, code, change, *steps, hook=LOSS, **options):
    outside("successor: " + name, verdict, code, *steps, hook=hook, after=change, **options)


def each(*changes):
    return lambda world: [change(world) for change in changes]


lost("signed by both", "ended by loss", "LOG_ENDED", succeeded())
lost("signed by both, others hold the head", "ended by loss", "E_LOG_ROLLBACK", each(succeeded(), kept("newest.note", lambda w: w.head(22, root=OTHER_TREE))))
lost("signed by both, others hold more", "rolled back", "E_LOG_ROLLBACK", each(succeeded(), kept("newest.note", lambda w: w.head(23, root=OTHER_TREE))))
lost("of a smaller head", "rolled back", "E_LOG_ROLLBACK", succeeded(21, root_by_recursion(HONEST.entries[:21])))
lost("of a greater head", "ended by loss", "LOG_ENDED", succeeded(30))
lost("beside a head of elsewhere of more entries", "rolled back", "E_LOG_ROLLBACK", succeeded(), heads=lambda w: [w.head(23, root=OTHER_TREE)])
lost("signed by the new log alone", "rolled back", "SUCCESSOR_ALONE", succeeded(both=False))
lost("signed by the new log alone, nothing is lost", "intact with gaps", "SUCCESSOR_ALONE", succeeded(both=False), hook=None)
lost("by a key that was revoked", "rolled back", "SUCCESSOR_REVOKED", succeeded(90), *REVOKED, hook=head_of(size=24, root=OTHER_TREE))
lost("by a key that was replaced", "rolled back", "SUCCESSOR_RETIRED", succeeded(90), ROTATE_C, hook=head_of(size=24, root=OTHER_TREE))
lost("of another tree", "forked", "E_LOG_FORK", succeeded(14), hook=None)
lost("beside a head of another tree", "forked", "E_LOG_FORK", succeeded(), hook=head_of(size=21, root=OTHER_TREE))
lost("beside an entry that is altered", "altered", "LOG_ENDED", each(succeeded(), flip(SEG1, group_at(1, 256 + 8 + 400))))
lost("of a size that damage hides", "altered", "SUCCESSOR_NOT_COMPARED", each(succeeded(14, ROOT_14), flip(SEG1, group_at(1, 256 + 8 + 400))))
outside("successor: of another log", "altered", "SUCCESSOR_ANOTHER", after=succeeded(old=make_vkey(OLD_ORIGIN, KEYS["checkpoint"])))
outside("successor: of a key that this log never had", "altered", "SUCCESSOR_ANOTHER", after=succeeded(old=make_vkey(ORIGIN, KEYS["stranger"])))
outside("successor: of the recorder's key", "altered", "SUCCESSOR_ANOTHER", after=succeeded(old=make_vkey(ORIGIN, KEYS["recorder"])))
outside("successor: not signed by the new log", "altered", "SUCCESSION_UNSIGNED", after=succeeded(seed=SEEDS["stranger"]))
outside("successor: signature of the old log is wrong", "altered", "SUCCESSION_SIGNATURE",
     after=succeeded(both=False, raw=lambda note: note + make_note("x\n", SEEDS["checkpoint"], ORIGIN).split(b"\n\n")[1]))
outside("successor: text changed afterwards", "altered", "SUCCESSION_SIGNATURE", after=succeeded(raw=lambda note: note.replace(b"head 22", b"head 23")))
outside("successor: no note", "altered", "SUCCESSION_SHAPE", after=succeeded(raw=lambda note: b"x"))
outside("successor: too long to be read", "altered", "SUCCESSION_SHAPE", after=succeeded(raw=lambda note: bytes(65537)))
outside("successor: no genesis to check it with", "altered", "SUCCESSOR_UNCHECKED", after=succeeded(), hook=at("entry", body(lambda b: {**b, 0: 2}), index=0))


for _name in list(REFUSALS):
    if not hasattr(Refusals, "test_" + re.sub("[^a-z0-9]+", "_", _name.lower())):
        setattr(Refusals, "test_" + re.sub("[^a-z0-9]+", "_", _name.lower()), refusal_test(_name))


class Others(Judged):
    """Keys that change as they should, and heads that others hold."""

    def lines(self, report):
        return {check.name: check.line() for check in report.checks.values()}

    def test_nothing_is_held_and_no_key_changed(self):
        report = self.expect(World(), "intact")
        self.assertEqual(self.lines(report)["anchors"], "anchors: not checked: no entry and no file of the state folder keeps one")
        self.assertNotIn("key history", report.checks)
        report = check(World(), state=False)
        self.assertEqual(self.lines(report)["anchors"], "anchors: not checked: no entry keeps one")

    def test_every_key_is_replaced(self):
        story = told(ROTATE_C, ROTATE_R, ("save", "D"), ROTATE_I, ROTATE_R, ("save", "E"), ROTATE_C)
        world = Outside(story)
        self.assertEqual(world.signing, {"checkpoint": 2, "recorder": 2, "issuer": 1})
        report = self.expect(world, "intact")
        self.assertEqual(report.exit_code(), 0)
        self.assertEqual(self.lines(report)["key history"], "key history: keys are replaced and revoked by the rules of 4.5 ok (5 replaced, 0 revoked)")
        self.assertEqual(report.checks["statements"].count, 5)
        # Heads of every size by the key of that size, kept elsewhere.
        for size, number in ((21, 0), (22, 1), (26, 1), (27, 1), (28, 2)):
            self.expect(Outside(story), *(("intact", "HEAD_OLDER") if size < 28 else ("intact",)), heads=[world.head(size, number)])

    def test_pins_of_any_key_of_the_role(self):
        world = Outside(told(ROTATE_C, ROTATE_R, ("revoke", "recorder", 0, 23), ROTATE_R, ("save", "D")))
        for numbers in ((0, 0), (0, 1), (1, 2), (1, 0)):
            checkpoint, recorder = (keys_of(role, number)[1] for role, number in zip(ROLES, numbers))
            report = check(world, pins=[make_vkey(ORIGIN, checkpoint), recorder.hex()])
            self.assertTrue(report.pinned, numbers)
        # One that may follow is none of the log's keys yet.
        self.assertIn("PIN_DIFFERS", codes(check(world, pins=[keys_of("recorder", 3)[1].hex()])))
        self.assertIn("PIN_NAME", codes(check(world, pins=[make_vkey("x", keys_of("checkpoint", 1)[1])])))

    def test_both_keys_sign_until_the_witnesses_know(self):
        def both(world):
            note = world.head()
            return note + world.head(number=0).split(b"\n\n")[1]
        world = Outside(told(ROTATE_C, lambda w: w.cosign(both(w))))
        self.expect(world, "intact", "HEAD_OLDER", heads=[both(Outside(told(ROTATE_C)))])

    def test_a_refused_entry_changes_nothing(self):
        """After it the keys of before sign on, and the key that it named can still follow."""
        report = self.expect(Outside(told(wrong(seed=SEEDS["checkpoint"]), ROTATE_C, ("revoke", "checkpoint", 1, 3), ("save", "D"))),
                             "altered", "KEY_PROOF", "KEY_IN_USE")
        self.assertEqual(self.lines(report)["key history"], "key history: keys are replaced and revoked by the rules of 4.5 FAILED, 3 checked, "
                         "2 findings (1 replaced, 0 revoked)")

    def test_more_changes_than_a_log_may_have(self):
        saved, audit.MAX_KEY_CHANGES = audit.MAX_KEY_CHANGES, 3
        try:
            self.expect(Outside(told(ROTATE_I, ROTATE_R, ("revoke", "issuer", 0, 9))), "intact")
            self.expect(Outside(told(ROTATE_I, ROTATE_R, ("revoke", "issuer", 0, 9), wrong())), "altered", "KEY_CHANGES")
        finally:
            audit.MAX_KEY_CHANGES = saved
        self.assertEqual(audit.MAX_KEY_CHANGES, 1024)

    def test_revoked_keys_count_for_what_others_held(self):
        # Of the head: every size up to the index, and heads by the new key.
        world = Outside(told(ROTATE_C, ("revoke", "checkpoint", 0, 9)))
        self.expect(world, "intact", "HEAD_OLDER", heads=[world.head(9, 0), world.head(22, 1)])
        # Of statements: held whole before.
        report = self.expect(Outside(told(("cosign",), ROTATE_R, ("revoke", "recorder", 0, 22))), "intact")
        self.assertIn("1 cosigned by 1 keys", self.lines(report)["anchors"])
        self.expect(Outside(told(("cosign", {"size": 15}), ROTATE_R, ("revoke", "recorder", 0, 15))), "intact")
        report = check(Outside(told(("cosign", {"size": 14}), ROTATE_R, ("revoke", "recorder", 0, 22))))
        self.assertEqual([f["entry"] for f in report.findings if f["code"] == "STATEMENT_UNPROVED"], [14])
        # What the key signed that followed is not asked.
        report = check(Outside(told(ROTATE_R, ("save", "D"), ("revoke", "recorder", 0, 21))))
        self.assertEqual([f["entry"] for f in report.findings if f["code"] == "STATEMENT_UNPROVED"], [2, 7, 14])
        # A time-stamp is told of.
        report = check(Outside(told(("stamp",), ROTATE_R, ("revoke", "recorder", 0, 22))))
        self.assertTrue(all("time-stamp" in f["words"] for f in report.findings if f["code"] == "STATEMENT_UNPROVED"))

    def test_anchors_that_hold(self):
        story = told(("cosign", {"witnesses": ("w1", "w2")}), ("publish",), ("stamp",), ("publish", 0), ("cosign", {"size": 7}), ROTATE_C, ("stamp", {"size": 14, "number": 0}),
                     ("cosign", {"size": 0, "number": 0}), ("cosign",), ("say", 131, ZERO, {0: 2, 1: 3, 2: 1, 3: junk("file")}))
        world = Outside(story)
        kept("newest.note", lambda w: w.head())(world)
        kept("fork-12.txt", b"x")(world)
        kept("asked.txt", b"x")(world)
        world.files["state/keys"] = bytearray(b"x")
        report = self.expect(world, "intact", "TOKENS_UNSIGNED")
        self.assertEqual(self.lines(report)["anchors"],
                         "anchors: heads that others hold are heads of this log ok (4 cosigned by 2 keys, 2 time-stamped, 2 published, newest.note)")
        self.assertEqual(report.checks["anchors"].count, 9)
        self.assertEqual(report.facts["cosigners"], sorted([witness_key("w1"), witness_key("w2")]))

    def test_cosignatures_of_others_and_several_of_one(self):
        """Lines of keys that the entry does not name say nothing; several of one witness must all hold."""
        self.expect(Outside(told(lambda w: w.cosign(w.head() + cosignature(w.head(), "w3", seed=SEEDS["stranger"])))), "intact")
        self.expect(Outside(told(lambda w: w.cosign(w.head() + cosignature(w.head(), "w1", moment=(1 << 63) - 1)))), "intact")

    def test_what_contradicted_the_log_and_is_there_now(self):
        world = Outside(told(("publish",)))
        kept("ahead.note", lambda w: w.head())(world)
        self.expect(world, "intact", "ANCHOR_REACHED")

    def test_a_fork_that_the_log_tells_of(self):
        world = Outside(told(lambda w: w.say(133, ZERO, {0: 0, 1: w.head(90, root=OTHER_TREE), 2: 21, 3: root_by_recursion(w.entries)})))
        self.expect(world, "intact", "FORK_FOUND")

    def test_after_an_unknown_critical_kind_keys_are_not_judged(self):
        story = told(("say", 32771, ZERO, {0: ["later"]}), lambda w: w.cosign(make_note(
            w.head().split(b"\n\n")[0].decode() + "\n", SEEDS["stranger"], ORIGIN)))
        self.expect(Outside(story), "cannot tell", "CRITICAL_KIND", "HEAD_UNSIGNED")
        world = Outside(told(("say", 32771, ZERO, {0: ["later"]})))
        kept("newest.note", make_note(world.head().split(b"\n\n")[0].decode() + "\n", SEEDS["stranger"], ORIGIN))(world)
        self.expect(world, "cannot tell", "CRITICAL_KIND", "HEAD_UNSIGNED")

    def test_a_log_that_goes_on_for_another(self):
        report = self.expect(Outside(told(follows()), after_old()), "intact")
        self.assertEqual(self.lines(report)["succession"], "succession: the log before this one is what entry 0 and both logs say ok "
                         "(goes on for %s from 9 entries on, which signed it)" % OLD_ORIGIN)
        # Nobody knows what was lost last; the log has another key by now.
        self.expect(Outside(told(ROTATE_C, follows(last="-")), after_old([OLD_ORIGIN, OLD_HEAD, 7, None])), "intact")
        # Its own word alone; a line of another key is none of the old log.
        self.expect(Outside(told(follows(BY_NEW)), after_old()), "intact", "SUCCESSION_ONE_SIDED")
        self.expect(Outside(told(follows(BY_NEW, (OLD_ORIGIN, SEEDS["stranger"]))), after_old()), "intact", "SUCCESSION_ONE_SIDED")

    def test_a_log_that_ended(self):
        world = Outside(told(), LOSS)
        self.expect(world, "rolled back", "E_LOG_ROLLBACK")
        succeeded()(world)
        report = self.expect(world, "ended by loss", "LOG_ENDED", "E_LOG_ROLLBACK")
        words = "ended by loss at 22, continued as " + NEW_ORIGIN
        self.assertEqual((report.last_line(), report.exit_code()), (words, 10))
        self.assertEqual({f["code"]: f["severity"] for f in report.findings if f["severity"] != "note"}, {"LOG_ENDED": "ended by loss", "E_LOG_ROLLBACK": "gap"})
        self.assertEqual(check(world, pins=[]).last_line(), words + ", unpinned keys")
        out = io.StringIO()
        report.print_json(out)
        said = json.loads(out.getvalue())
        self.assertEqual((said["verdict"], said["exit"], said["facts"]["ended"]), ("ended by loss", 10, words))
        # Without the state folder nobody says so.
        self.assertNotIn("LOG_ENDED", codes(check(world, state=False)))
        # All that others hold up to the head is excused, ahead of the log or not; so is a log whose key was replaced.
        for name in ("newest.note", "ahead.note"):
            kept(name, lambda w: w.head(22, root=OTHER_TREE))(world)
        self.expect(world, "ended by loss", "LOG_ENDED", "E_LOG_ROLLBACK")
        world = Outside(told(ROTATE_C), head_of(size=23, root=OTHER_TREE))
        succeeded(23, number=1)(world)
        self.expect(world, "ended by loss", "LOG_ENDED", "E_LOG_ROLLBACK")
        # It holds all that it ended with: nothing is excused, and it has ended all the same.
        world = Outside(told())
        succeeded(14, ROOT_14)(world)
        self.expect(world, "ended by loss", "LOG_ENDED")
        world.files["state/successor.note.tmp"] = world.files["state/scrub"] = world.files["state/jobs"] = b"x"
        self.expect(world, "ended by loss", "LOG_ENDED")

    def test_a_log_that_lost_the_entry_of_its_key(self):
        """Its head is by a key that only the copy of that entry names."""
        seed, public = keys_of("checkpoint", 1)
        said = [0, public, thumb(keys_of("checkpoint", 2)[1])]
        proof = sign(seed, enc(["immutape/key/1", ORIGIN] + said))
        rotation, revocation = [21, 32769, dict(enumerate(said + [proof]))], [22, 32770, {0: 0, 1: thumb(KEYS["checkpoint"]), 2: 9, 3: 1}]

        def lost(*records, raw=None, note=True, hook=None):
            def by_the_next(name, value, **place):
                value = (seed, ORIGIN) if name == "head_key" else {"size": 23, "root": OTHER_TREE} if name == "head_args" else value
                return hook(name, value, **place) if hook else value
            world = Outside(told(), by_the_next)
            world.files["state/keys"] = bytearray(b"".join(map(enc, records)) if raw is None else raw)
            if note:
                succeeded(23, number=1)(world)
            return world
        self.expect(lost(rotation), "ended by loss", "KEY_LOST", "LOG_ENDED", "E_LOG_ROLLBACK")
        self.expect(lost(rotation, note=False), "rolled back", "KEY_LOST", "E_LOG_ROLLBACK")
        # What follows it and cannot be read, or needs no proof, takes nothing back.
        self.expect(lost(raw=enc(rotation) + b"\xff"), "ended by loss", "KEY_LOST", "LOG_ENDED", "E_LOG_ROLLBACK")
        world = lost(rotation, revocation, note=False)
        kept("newest.note", lambda w: w.head(10, root=OTHER_TREE))(world)
        self.expect(world, "forked", "KEY_LOST", "E_LOG_ROLLBACK", "E_LOG_FORK")
        # A key that does not prove itself is a stranger's, as it is without the file; so is one of an entry that the log has.
        body = rotation[2]
        for raw in (b"", b"x", enc(7), enc([22, 32769, {**body, 2: ZERO}]), enc([22, 32769, {**body, 3: bytes(64)}]), enc([22, 32769, {**body, 3: b""}]),
                    enc([22, 32769, {**body, 4: 1}]), enc([22, 32769, 7]), enc(["22", 32769, body]), enc([22, 32768, body]), enc([20, 32769, body]),
                    enc([30, 32769, {}]) + enc(rotation), bytes(1 << 20) + b"x"):
            self.expect(lost(raw=raw), "altered", "SUCCESSOR_ANOTHER", "HEAD_UNSIGNED")
        # A whole log is not asked there.
        world = Outside(told(ROTATE_C))
        world.files["state/keys"] = bytearray(enc(rotation))
        self.expect(world, "intact")

    def test_every_flip_of_a_successor_note_is_seen(self):
        world = Outside(told(), LOSS)
        succeeded()(world)
        note = world.files["state/successor.note"]
        # A flip in the name or the key id of the old log's line makes it a line of somebody else.
        for spot in random.Random(11).sample(range(len(note)), 60):
            world.files["state/successor.note"] = bytearray(note)
            world.files["state/successor.note"][spot] ^= 1 << spot % 8
            report = check(world)
            self.assertNotIn("UNEXPECTED", codes(report))
            self.assertIn(report.verdict(), ("altered", "rolled back"), "flip at %d" % spot)

    def test_a_successor_note_that_cannot_be_read(self):
        saved, refused = audit.read_bounded, []

        def guarded(path, *rest):
            if path.endswith("successor.note"):
                refused.append(path)
                raise PermissionError("not for you")
            return saved(path, *rest)
        audit.read_bounded = guarded
        try:
            self.expect(World(), "cannot tell", "SUCCESSOR_UNREAD")
        finally:
            audit.read_bounded = saved
        self.assertEqual(len(refused), 1)

    def test_a_successor_note_after_an_unknown_critical_kind(self):
        world = Outside(told(("say", 32771, ZERO, {0: ["later"]})))
        succeeded(old=make_vkey(ORIGIN, KEYS["stranger"]), both=False)(world)
        self.expect(world, "cannot tell", "CRITICAL_KIND", "SUCCESSOR_ANOTHER")

    def test_anchors_after_damage_are_not_compared(self):
        world = Outside(told(("cosign",)))
        flip(SEG1, group_at(1, 256 + 8 + 400))(world)
        report = check(world)
        self.assertIn("1 not compared after damage", self.lines(report)["anchors"])
        self.assertEqual((report.verdict(), report.checks["anchors"].findings), ("altered", 0))

    def test_strange_names_beside_the_anchors(self):
        world = Outside(told(ROTATE_C))
        for name in ("newest.note.tmp", "fork-3.txt.tmp"):
            kept(name, b"x")(world)
        world.files["state/keys.tmp"] = b"x"
        self.expect(world, "intact")
        for name in ("fork-03.txt", "other.note", "oldest"):
            world = Outside(told(ROTATE_C))
            kept(name, b"x")(world)
            self.expect(world, "intact", "STRAY")

    @unittest.skipUnless(hasattr(os, "mkfifo"), "no named pipes on this system")
    def test_a_pipe_in_place_of_an_anchor(self):
        with tempfile.TemporaryDirectory() as folder:
            ledger, state = Outside(told(("publish",))).write(folder)
            os.mkdir(os.path.join(state, "anchors"))
            os.mkfifo(os.path.join(state, "anchors", "newest.note"))
            self.assertIn("ANCHOR_SHAPE", codes(audit.audit(ledger, state)))

    def test_an_anchor_that_cannot_be_read(self):
        saved, refused = audit.read_bounded, []

        def guarded(path, *rest):
            if path.endswith("newest.note"):
                refused.append(path)
                raise PermissionError("not for you")
            return saved(path, *rest)
        audit.read_bounded = guarded
        try:
            self.expect(World(), "cannot tell", "ANCHOR_UNREAD")
        finally:
            audit.read_bounded = saved
        self.assertEqual(len(refused), 1)

    def test_golden_tokens(self):
        folder = os.path.join(ROOT, "tests", "golden", "5-proof", "timestamps")
        if not os.path.isdir(folder):
            self.skipTest("no golden files here")
        with open(os.path.join(folder, "checkpoint.note"), "rb") as file:
            digest = H(file.read())
        with open(os.path.join(folder, "index.toml"), encoding="utf-8") as file:
            told = re.findall(r'token = "(.*)"\n(?:.*\n)*?time_ms = ([0-9]+)', file.read())
        self.assertEqual(len(told), 2)
        for name, moment in told:
            with open(os.path.join(folder, name), "rb") as file:
                token = file.read()
            self.assertEqual(audit.token_says(token), (digest, int(moment)), name)
            refused = 0
            for spot in range(len(token)):
                try:
                    said = audit.token_says(token[:spot])
                except audit.Refusal:
                    refused += 1
                    continue
                self.fail("cut at %d: %r" % (spot, said))
            self.assertEqual(refused, len(token))

    def test_times_of_tokens(self):
        for raw, moment in ((b"19700101000000Z", 0), (b"20231114221320.9999Z", STAMP_MS + 999), (b"20231114221320.05Z", STAMP_MS + 50),
                            (b"20231114221320.000000000000000001Z", STAMP_MS), (b"99991231235959Z", 253402300799000)):
            self.assertEqual(audit.token_says(make_token(ZERO, raw)), (ZERO, moment))

    def test_every_flip_of_these_is_seen(self):
        world = Outside(told(("cosign", {"witnesses": ("w1", "w2")}), ("stamp",), ROTATE_R, ("revoke", "recorder", 0, 21), ("publish",), ROTATE_C, ("cosign",)))
        chance, note = random.Random(9), bytes(world.head())
        for name, count in ((SEG2, 60), ("newest", 80)):
            data = world.files[SEG2] if name == SEG2 else note
            used = world.at if name == SEG2 else len(note)
            blind = {group["at"] + at for group in world.groups if group["segment"] == 2 for at in range(224, 256)}
            for spot in chance.sample([spot for spot in range(used) if name != SEG2 or spot not in blind], count):
                changed = Outside.__new__(Outside)
                changed.files = dict(world.files)
                flipped = bytearray(data)
                flipped[spot] ^= 1 << chance.randrange(8)
                changed.files[SEG2 if name == SEG2 else "state/anchors/newest.note"] = flipped
                report = check(changed)
                self.assertNotIn("UNEXPECTED", codes(report))
                self.assertNotEqual(report.verdict(), "intact", "flip at %d of %s" % (spot, name))


class Hostile(unittest.TestCase):
    """No bytes end the check without a verdict, and no flip outside unused bytes goes unseen."""

    def test_every_flip_is_seen(self):
        # Not under any public hash: the HMAC of a group (only the ledger's own key can check it) and the end of a pack, where by
        # section 7 damage cannot be told from a write that was never acknowledged, unless a manifest names the object.
        blind = {(("journal/%08d.seg" % group["segment"]), group["at"] + at) for group in HONEST.groups for at in range(224, 256)}
        # Nor what is left of an object that was discarded.
        gone = HONEST.records[12]
        blind |= {(PACK2, spot) for spot in range(gone["at"] + 64, gone["at"] + gone["length"])}
        last_records = {PACK1: HONEST.records[7]["at"], PACK2: HONEST.records[13]["at"]}
        chance, seen = random.Random(7), {}
        for name in sorted(HONEST.files):
            data = HONEST.files[name]
            used = len(bytes(data).rstrip(b"\0"))
            spots = [spot for spot in range(used) if (name, spot) not in blind and spot < last_records.get(name, MIB)]
            for spot in chance.sample(spots, min(len(spots), 60)):
                world = World.__new__(World)
                world.files = dict(HONEST.files)
                world.files[name] = bytearray(data)
                world.files[name][spot] ^= 1 << chance.randrange(8)
                report = check(world)
                self.assertNotIn("UNEXPECTED", codes(report))
                self.assertNotEqual(report.verdict(), "intact", "flip at %d of %s" % (spot, name))
                seen[report.verdict()] = seen.get(report.verdict(), 0) + 1
        self.assertGreater(seen.get("altered", 0), 200)
        self.assertGreater(sum(seen.values()), 300)

    def test_random_damage_never_ends_the_check(self):
        chance, verdicts = random.Random(8), {}
        names = sorted(HONEST.files)
        for _ in range(150):
            world = World.__new__(World)
            world.files = {name: bytearray(data) for name, data in HONEST.files.items()}
            for _ in range(chance.randrange(1, 5)):
                data = world.files[chance.choice(names)]
                used = max(len(bytes(data).rstrip(b"\0")), 1)
                start, length = chance.randrange(used + 600), chance.choice((1, 8, 64, 512, 4096))
                action = chance.randrange(4)
                if action == 0:
                    data[start:start + length] = bytes(length)
                elif action == 1:
                    data[start:start + length] = chance.randbytes(length)
                elif action == 2:
                    del data[start:start + length]
                else:
                    data[start:start] = data[:length]
            report = check(world)
            self.assertNotIn("UNEXPECTED", codes(report))
            verdicts[report.verdict()] = verdicts.get(report.verdict(), 0) + 1
        self.assertGreater(verdicts.get("altered", 0), 50)

    def test_flood_of_group_headers(self):
        """Headers that each claim the rest of the file would cost the square of its length to hash."""
        world, size = World(), 8 * MIB
        data = world.files[SEG2] + bytes(size - MIB)
        for start in range(world.at, size, 512):
            data[start:start + 64] = bytes.fromhex("494d544752500001") + struct.pack(">QQQQIIQQ", 1, 2, start, 0, 1, 0, size - start - 256, 1)
        world.files[SEG2] = data
        report = check(world)
        self.assertIn("GROUP_FLOOD", codes(report))
        self.assertEqual(report.exit_code(), 3)

    def test_flood_of_findings_hides_nothing(self):
        world = World()
        world.files[PACK1][world.records[1]["at"] + 200] ^= 1
        for number in range(400):
            world.files["journal/x%d" % number] = b""
        report = check(world)
        self.assertIn("OBJECT_ALTERED", codes(report))
        self.assertLess(len(report.findings), 300)
        self.assertGreater(report.unkept, 100)

    def test_folders_in_place_of_files(self):
        for name in ("journal/00000001.seg", "packs/00000001.pack", "state/head", "state/vault/generation"):
            world = World()
            del world.files[name]
            world.files[name + "/inner"] = b"x"
            report = check(world)
            self.assertNotIn("UNEXPECTED", codes(report))
            self.assertNotEqual(report.verdict(), "intact", name)

    @unittest.skipUnless(hasattr(os, "mkfifo"), "no named pipes on this system")
    def test_pipes_do_not_hang(self):
        with tempfile.TemporaryDirectory() as folder:
            ledger, state = World().write(folder)
            for path in (os.path.join(ledger, "journal", "00000003.seg"), os.path.join(ledger, "packs", "00000002.pack"), os.path.join(state, "head")):
                os.remove(path)
                os.mkfifo(path)
            report = audit.audit(ledger, state)
            self.assertEqual(report.exit_code(), 3)
            self.assertNotIn("UNEXPECTED", codes(report))

    def test_an_unforeseen_error_is_a_finding(self):
        saved, audit.Packs.scan = audit.Packs.scan, lambda self: 1 // 0
        try:
            report = check(World())
        finally:
            audit.Packs.scan = saved
        self.assertIn("UNEXPECTED", codes(report))
        self.assertEqual(report.exit_code() in (1, 3), True)

    def test_nothing_printed_can_steer_a_terminal(self):
        text = "a\x1b[31m\u202eb\r\n\x07\u2028\udc80\\"
        self.assertEqual(audit.visible(text), "a\\u{1b}[31m\\u{202e}b\\u{d}\\u{a}\\u{7}\\u{2028}\\u{dc80}\\\\")
        world = World(at("entry", body(lambda b: {**b, 6: "x\x1b[2J\u202e"}), index=0))
        world.files["journal/\x1b[2J\u202e"] = b""
        for out in (io.StringIO(), io.StringIO()):
            report = check(world)
            (report.print_json if out.getvalue() else report.print_text)(out)
            report.print_json(out)
            bad = [char for char in out.getvalue() if ord(char) < 32 and char != "\n" or char in "\u202e\u2028\x7f"]
            self.assertEqual(bad, [])
            self.assertIn("u{1b}[2J", out.getvalue())


class Command(unittest.TestCase):
    def run_audit(self, *words):
        done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "tapeaudit.py"), *words], capture_output=True, timeout=120)
        self.assertNotIn(b"Traceback", done.stderr)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_exit_codes(self):
        with tempfile.TemporaryDirectory() as folder:
            ledger, state = World().write(folder)
            code, out, _ = self.run_audit("--state", state, "--pub", *PINS, ledger)
            self.assertEqual((code, out.splitlines()[-1]), (0, "intact"))
            self.assertIn("entries 0..20: chain ok\n", out)
            code, out, _ = self.run_audit("--state", state, ledger)
            self.assertEqual((code, out.splitlines()[-1]), (10, "intact, unpinned keys"))
            code, out, _ = self.run_audit(ledger, "--pub", PINS[0], "--pub", PINS[1])
            self.assertEqual((code, out.splitlines()[-1]), (10, "intact with gaps"))
            code, out, _ = self.run_audit("--json", "--state", state, "--pub", PINS[0], "--pub", PINS[1], ledger)
            self.assertEqual((code, json.loads(out)["verdict"]), (0, "intact"))
            os.remove(os.path.join(ledger, "packs", "00000002.pack"))
            code, out, _ = self.run_audit("--state", state, "--pub", PINS[0], PINS[1], ledger)
            self.assertEqual((code, out.splitlines()[-1]), (3, "missing"))
            self.assertRegex(out, r"MISSING OBJECT_MISSING \[entry 14, tape sha256:[0-9a-f]{64}\]: the manifest is not in any pack")
            code, out, _ = self.run_audit(folder)
            self.assertEqual((code, out.splitlines()[-1]), (1, "cannot tell, unpinned keys"))

    def test_usage(self):
        for words in ([], ["/no/such/folder"], ["--pub", "zz", HERE], ["--frobnicate", HERE], ["--pub", "00" * 32]):
            code, out, error = self.run_audit(*words)
            self.assertEqual((code, out), (2, ""), words)
            self.assertTrue(error)

    def test_keys_from_files(self):
        with tempfile.TemporaryDirectory() as folder:
            ledger, state = World().write(folder)
            vkey, pem = os.path.join(folder, "c.vkey"), os.path.join(folder, "r.pem")
            with open(vkey, "w") as file:
                file.write(PINS[0] + "\n")
            with open(pem, "w") as file:
                encoded = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + KEYS["recorder"]).decode()
                file.write("-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n" % encoded)
            code, out, _ = self.run_audit("--state", state, "--pub", vkey, "--pub", pem, "--head", os.path.join(state, "head"), ledger)
            self.assertEqual((code, out.splitlines()[-1]), (0, "intact"))

    def test_it_writes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            ledger, state = World().write(folder)

            def picture():
                return sorted((path, os.stat(os.path.join(path, name)).st_mtime_ns, name) for path, _, names in os.walk(folder) for name in names)
            before = picture()
            self.run_audit("--state", state, ledger)
            self.assertEqual(picture(), before)


if __name__ == "__main__":
    unittest.main()
