#!/usr/bin/env python3
"""Check an Immutape evidence bundle, published tree or ledger folder without any key.

    tapeaudit.py [--pub KEY]... [--witness VKEY]... [--quorum N] [--head FILE]... [--tree FOLDER] [--state FOLDER] [--json] PATH
    tapeaudit.py --batch

Written from docs/format alone: it shares no code with the program that writes ledgers, and needs nothing but Python 3.9 and
its standard library. It reads only, asks the network nothing, and opens no content of a ledger: sealed bytes stay sealed, their digests
are compared. What it cannot prove stands in audit-tools/README.md.

Sections, in order: findings and words; CBOR; Ed25519; the tree; notes; entries and keys; time-stamps and heads that others hold; a ledger's
files (journal, packs, head, vault, spools); pinned keys; what opened fields hold; proofs; bags and COMPLETENESS.json; bundles; published
trees; the whole check of a ledger; batch mode; the command line.

Exit codes (docs/format/6-evidence.md, 6.7): 0 intact; 10 intact with gaps, not anchored, unpinned keys, unsealed tail or ended by loss;
3 altered, missing, incomplete, rolled back or forked; 1 cannot tell; 2 wrong usage.
"""

import argparse
import array
import base64
import binascii
import bisect
import datetime
import functools
import hashlib
import io
import json
import os
import re
import stat
import sys
import unicodedata

VERSION = "1"

# What a finding can come to, chapter 6.7. The first of WEIGHT for which there is one names the verdict.
ALTERED, FORKED, ROLLED, MISSING, INCOMPLETE, CANNOT, ENDED, UNPINNED, NOT_ANCHORED, UNSEALED, GAP, INFO = (
    "altered", "forked", "rolled back", "missing", "incomplete", "cannot tell", "ended by loss", "unpinned keys", "not anchored",
    "unsealed tail", "gap", "note")
WEIGHT = (ALTERED, FORKED, ROLLED, MISSING, INCOMPLETE, CANNOT, ENDED, UNPINNED, NOT_ANCHORED, UNSEALED, GAP)
INTACT, GAPS = "intact", "intact with gaps"
# In the order of the table of 6.7, with the exit code of each.
EXITS = {INTACT: 0, GAPS: 10, NOT_ANCHORED: 10, UNPINNED: 10, UNSEALED: 10, ENDED: 10, CANNOT: 1, ALTERED: 3, MISSING: 3,
         INCOMPLETE: 3, ROLLED: 3, FORKED: 3}

EXIT_USAGE = 2

# A hostile folder must not be able to fill the memory or the terminal of the person who checks it. The bound is for each
# severity, so that no flood of notes can push the one alteration out of sight.
MAX_FINDINGS_KEPT = 200
MAX_SEGMENT_BYTES = 64 << 20
MIN_SEGMENT_BYTES = 1 << 20
MAX_HEAD_BYTES = 1 << 20
MAX_NOTE_BYTES = 1 << 16
MAX_KEPT_NOTE_BYTES = 65000
MAX_COSIGNERS_SHOWN = 64
MAX_MANIFEST_BYTES = 64 << 20
MAX_MANIFEST_OBJECTS = 1 << 20
MAX_GENERATION_BYTES = 64 << 20
PRIVATE_SET_MAX = 512
SET_LIST_MAX = (20 << 20) // 32 - 1
PIECE_BYTES = 1 << 20

SECTOR = 512
ZERO32 = bytes(32)
ZERO_SECTOR = bytes(SECTOR)
U64_MAX = (1 << 64) - 1


def sha256(data):
    return hashlib.sha256(data).digest()


def visible(text):
    """Text from outside, made harmless for a terminal: no control, format (bidi), surrogate, private or unassigned
    characters and no line separators survive, and the escape character itself is escaped so nothing can imitate an escape."""
    if isinstance(text, (bytes, bytearray, memoryview)):
        text = bytes(text).decode("utf-8", "backslashreplace")
    out = []
    for char in text:
        category = unicodedata.category(char)
        if char == "\\":
            out.append("\\\\")
        elif category[0] == "C" or category in ("Zl", "Zp"):
            out.append("\\u{%x}" % ord(char))
        else:
            out.append(char)
    return "".join(out)


def tape_name(tape_id):
    return "sha256:" + tape_id.hex()


class Refusal(Exception):
    """Bytes that the format does not allow; the words say which rule they break."""

    def __init__(self, code, words):
        super().__init__(words)
        self.code = code
        self.words = words


class Check:
    """One line of the result: what was checked, how many of them, what came of it."""

    def __init__(self, name, what):
        self.name = name
        self.what = what
        self.label = name
        self.count = 0
        self.findings = 0
        self.extra = ""
        self.skipped = None

    def line(self):
        extra = " (%s)" % self.extra if self.extra else ""
        if self.skipped is not None:
            return "%s: not checked: %s" % (self.label, self.skipped)
        if self.findings:
            return "%s: %s FAILED, %d checked, %d findings%s" % (self.label, self.what, self.count, self.findings, extra)
        if self.count == 0:
            return "%s: %s NOTHING CHECKED%s" % (self.label, self.what, extra)
        return "%s: %s ok%s" % (self.label, self.what, extra)

    def state(self):
        if self.skipped is not None:
            return "not checked"
        if self.findings:
            return "failed"
        return "ok" if self.count else "nothing checked"


class Report:
    """Everything that is told at the end. Findings are counted without end but kept up to a bound."""

    def __init__(self, kind="ledger"):
        self.kind = kind
        self.checks = {}
        self.findings = []
        self.totals = {}
        self.unkept = 0
        self.pinned = False
        self.facts = {}
        # Of a bundle and a tree: what people want to know first, when a quorum saw it, whether all of the log was asked, the tapes.
        self.summary = []
        self.anchored_ms = None
        self.whole_log = False
        self.tapes = []

    def check(self, name, what):
        if name not in self.checks:
            self.checks[name] = Check(name, what)
        return self.checks[name]

    def ok(self, name, count=1):
        self.checks[name].count += count

    def skip(self, name, what, why):
        self.check(name, what).skipped = why

    def find(self, name, severity, code, words, file=None, offset=None, entry=None, tape=None):
        if code.endswith("_UNCHECKED") and self.kind != "ledger":
            severity = INFO  # 6.7: a check that cannot be made for want of something else adds no word.
        self.totals[severity] = self.totals.get(severity, 0) + 1
        check = self.checks.get(name)
        if check is not None and severity not in (INFO, GAP, ENDED, UNSEALED):
            check.findings += 1
        if self.totals[severity] > MAX_FINDINGS_KEPT:
            self.unkept += 1
            return
        self.findings.append({
            "check": name, "severity": severity, "code": code, "words": words,
            "file": file, "offset": offset, "entry": entry, "tape": tape})

    def _found(self):
        found = {severity for severity in WEIGHT if self.totals.get(severity)}
        return found if self.pinned else found | {UNPINNED}

    def verdict(self):
        found = self._found()
        word = next((severity for severity in WEIGHT if severity in found), INTACT)
        return GAPS if word == GAP else word

    def words(self):
        """All that apply, in the order of the table. What is there holds only where nothing worse was found."""
        found = self._found()
        if GAP in found and not any(EXITS.get(word) in (1, 3) for word in found):
            found.add(GAPS)
        return [word for word in EXITS if word in found] or [INTACT]

    def exit_code(self):
        return EXITS[self.verdict()]

    def last_line(self):
        notes = ["TEST ledger"] if self.facts.get("test") else []
        if self.kind != "ledger":
            word = self.verdict()
            others = [other for other in self.words() if other != word]
            return "; also: ".join([", ".join([word] + notes)] + ([", ".join(others)] if others else []))
        # Of a ledger it is told first what its bytes came to, and then what nobody vouches for.
        beside = (UNPINNED, NOT_ANCHORED, UNSEALED)
        found = self._found()
        word = next((severity for severity in WEIGHT if severity in found and severity not in beside), INTACT)
        word = visible(self.facts["ended"]) if word == ENDED else GAPS if word == GAP else word
        return ", ".join([word] + [other for other in beside if other in found] + notes)

    def sorted_findings(self):
        """The heaviest first, otherwise in the order in which they were met."""
        order = {severity: at for at, severity in enumerate(WEIGHT + (INFO,))}
        return sorted(self.findings, key=lambda finding: order[finding["severity"]])

    def finding_line(self, finding):
        place = []
        if finding["file"] is not None:
            place.append(visible(finding["file"]))
        if finding["offset"] is not None:
            place.append("offset %d" % finding["offset"])
        if finding["entry"] is not None:
            place.append("entry %d" % finding["entry"])
        if finding["tape"] is not None:
            place.append("tape %s" % finding["tape"])
        where = ", ".join(place)
        return "%s %s%s: %s" % (
            finding["severity"].upper(), finding["code"], " [%s]" % where if where else "", visible(finding["words"]))

    def print_text(self, out):
        for key in ("bundle digest", "ledger id", "origin", "profile"):
            if key in self.facts:
                out.write("%s: %s\n" % (key, visible(self.facts[key])))
        for check in self.checks.values():
            out.write(visible(check.line()) + "\n")
        for finding in self.sorted_findings():
            out.write(self.finding_line(finding) + "\n")
        if self.unkept:
            out.write("and %d more findings, not shown\n" % self.unkept)
        for line in self.summary:
            out.write(visible(line) + "\n")
        out.write(self.last_line() + "\n")

    def print_json(self, out):
        value = {
            "tapeaudit": VERSION,
            "verdict": self.verdict(),
            "exit": self.exit_code(),
            "words": self.words(),
            "pinned": self.pinned,
            "anchored_ms": self.anchored_ms,
            "whole_log": self.whole_log,
            "tapes": self.tapes,
            "facts": {key: visible(val) if isinstance(val, str) else val for key, val in self.facts.items()},
            "checks": [{"name": c.name, "what": c.what, "state": c.state(), "count": c.count, "findings": c.findings,
                        "line": visible(c.line())} for c in self.checks.values()],
            "findings": [dict(f, words=visible(f["words"]), file=None if f["file"] is None else visible(f["file"]))
                         for f in self.sorted_findings()],
            "findings_not_shown": self.unkept,
        }
        # ASCII only: whatever a terminal or a log does with other characters cannot matter then.
        out.write(json.dumps(value, ensure_ascii=True, indent=1) + "\n")


# ----------------------------------------------------------------------------------------------------------------------
# CBOR, chapter 1.1: RFC 8949 section 4.2.1, narrowed. Every accepted item has exactly one encoding, so nothing needs to be
# encoded again to be compared.

MAX_NESTING = 16
MAX_SMALL_ITEM, MAX_PARTS = 1 << 20, 1 << 22
MAX_ITEMS = 1 << 24


class CborError(ValueError):
    pass


def _cbor_head(data, pos):
    if pos >= len(data):
        raise CborError("ends early at byte %d" % pos)
    first = data[pos]
    major, info = first >> 5, first & 31
    if info < 24:
        return major, info, info, pos + 1
    if info > 27:
        raise CborError("indefinite length or reserved head 0x%02x at byte %d" % (first, pos))
    width = 1 << (info - 24)
    end = pos + 1 + width
    if end > len(data):
        raise CborError("ends early in the head at byte %d" % pos)
    value = int.from_bytes(data[pos + 1:end], "big")
    if major != 7 and value < (24, 0x100, 0x10000, 0x100000000)[info - 24]:
        raise CborError("head at byte %d is not the shortest" % pos)
    return major, info, value, end


def _cbor_text(raw, pos):
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError:
        raise CborError("text at byte %d is not UTF-8" % pos) from None


def _cbor_array(data, count, pos, depth):
    items = []
    for _ in range(count):
        value, pos = _cbor_item(data, pos, depth)
        items.append(value)
    return items, pos


def _cbor_map(data, count, pos, depth):
    result = {}
    before = None
    for _ in range(count):
        start = pos
        if pos < len(data) and data[pos] >> 5 not in (0, 1, 3):
            raise CborError("map key at byte %d is neither integer nor text" % pos)
        key, pos = _cbor_item(data, pos, depth)
        if type(key) is int and not -1 << 63 <= key < 1 << 63:
            raise CborError("map key at byte %d is out of range" % start)
        encoded = bytes(data[start:pos])
        if before is not None and encoded <= before:
            raise CborError("map key at byte %d is a duplicate or out of order" % start)
        before = encoded
        result[key], pos = _cbor_item(data, pos, depth)
    return result, pos


def _cbor_item(data, pos, depth):
    start = pos
    major, info, value, pos = _cbor_head(data, pos)
    if major == 0:
        return value, pos
    if major == 1:
        return -1 - value, pos
    if major in (2, 3):
        end = pos + value
        if end > len(data):
            raise CborError("string at byte %d runs past the end" % start)
        raw = bytes(data[pos:end])
        return (raw if major == 2 else _cbor_text(raw, start)), end
    if major in (4, 5):
        if depth >= MAX_NESTING:
            raise CborError("nested deeper than %d at byte %d" % (MAX_NESTING, start))
        # Each item takes a byte at least: a count that cannot fit is refused before anything is made for it.
        if value > MAX_ITEMS or value * (major - 3) > len(data) - pos:
            raise CborError("array or map at byte %d announces more items than can follow" % start)
        return (_cbor_array if major == 4 else _cbor_map)(data, value, pos, depth + 1)
    if major == 6:
        raise CborError("tag at byte %d" % start)
    if info in (20, 21, 22):
        return (False, True, None)[info - 20], pos
    raise CborError("float, undefined or unknown simple value at byte %d" % start)


def cbor_decode(data):
    """One item and nothing after it."""
    value, pos = _cbor_item(data, 0, 0)
    if pos != len(data):
        raise CborError("%d bytes after the item" % (len(data) - pos))
    return value


def cbor_prefix(data):
    """One item and the position after it."""
    return _cbor_item(data, 0, 0)


def cbor_bounded(data):
    """Refuses a large item of more parts than a manifest or header has, before any of them takes memory: an empty array is one byte
    here, and sixty in memory."""
    if len(data) <= MAX_SMALL_ITEM:
        return
    pos = parts = 0
    while pos < len(data):
        major, _, value, pos = _cbor_head(data, pos)
        pos += value if major in (2, 3) else 0
        parts += 1
        if parts > MAX_PARTS:
            raise CborError("more than %d parts" % MAX_PARTS)


def _cbor_encode_head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << (8 * width):
            return bytes([major << 5 | info]) + value.to_bytes(width, "big")
    raise CborError("integer too large")


def cbor_encode(value):
    """Our own encoding of what we compare with: digests with labels, the signed structure of a statement."""
    if value is None:
        return b"\xf6"
    if value is True or value is False:
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _cbor_encode_head(0, value) if value >= 0 else _cbor_encode_head(1, -1 - value)
    if isinstance(value, (bytes, bytearray)):
        return _cbor_encode_head(2, len(value)) + bytes(value)
    if isinstance(value, str):
        raw = value.encode("utf-8")
        return _cbor_encode_head(3, len(raw)) + raw
    if isinstance(value, (list, tuple)):
        return _cbor_encode_head(4, len(value)) + b"".join(cbor_encode(item) for item in value)
    if isinstance(value, dict):
        pairs = sorted((cbor_encode(key), cbor_encode(item)) for key, item in value.items())
        return _cbor_encode_head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise CborError("no encoding for %s" % type(value).__name__)


def is_uint(value):
    # bool is an int for Python; for the format it is not.
    return type(value) is int and 0 <= value <= U64_MAX


def is_bytes(value, length=None):
    return type(value) is bytes and (length is None or len(value) == length)


def is_text(value):
    return type(value) is str


# ----------------------------------------------------------------------------------------------------------------------
# Ed25519, RFC 8032, verification only, strict: one encoding for every value, no small-order A or R, no cofactor.

P = 2 ** 255 - 19
L = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
D2 = 2 * D % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def point_add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    u = (y1 - x1) * (y2 - x2) % P
    v = (y1 + x1) * (y2 + x2) % P
    c = t1 * D2 * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = v - u, d - c, d + c, v + u
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_double(a):
    x1, y1, z1, _ = a
    s = x1 * x1 % P
    t = y1 * y1 % P
    c = 2 * z1 * z1 % P
    h = s + t
    e = h - (x1 + y1) * (x1 + y1) % P
    g = s - t
    f = c + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_decode(raw):
    """A point in affine form, or None: y >= p and "minus zero" have no place in RFC 8032 section 5.1.3."""
    y = int.from_bytes(raw, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if y >= P:
        return None
    u = (y * y - 1) % P
    v = (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * SQRT_M1 % P
        if v * x * x % P != u:
            return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return x, y


def point_encode(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x = x * inverse % P
    y = y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def is_small_order(point):
    for _ in range(3):
        point = point_double(point)
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


@functools.lru_cache(maxsize=256)
def is_public_key(raw):
    """The canonical encoding of a point that is not of small order."""
    affine = point_decode(raw)
    return affine is not None and not is_small_order((affine[0], affine[1], 1, affine[0] * affine[1] % P))


def point_table(x, y):
    """For each of the 64 hexadecimal digits of a scalar the 15 multiples, in the affine form that makes an addition cheapest.
    One inversion serves all of them (Montgomery's trick)."""
    points = []
    base = (x, y, 1, x * y % P)
    for _ in range(64):
        multiple = base
        for _ in range(15):
            points.append(multiple)
            multiple = point_add(multiple, base)
        base = multiple
    running, partial = 1, []
    for point in points:
        partial.append(running)
        running = running * point[2] % P
    inverse = pow(running, P - 2, P)
    flat = [None] * len(points)
    for index in range(len(points) - 1, -1, -1):
        px, py, pz, _ = points[index]
        zi = inverse * partial[index] % P
        inverse = inverse * pz % P
        ax, ay = px * zi % P, py * zi % P
        flat[index] = ((ay + ax) % P, (ay - ax) % P, ax * ay * D2 % P)
    return [flat[i * 15:(i + 1) * 15] for i in range(64)]


def table_multiply(table, scalar, start=IDENTITY):
    x, y, z, t = start
    for row in table:
        digit = scalar & 15
        scalar >>= 4
        if digit:
            plus, minus, t2d = row[digit - 1]
            u = (y - x) * minus % P
            v = (y + x) * plus % P
            c = t * t2d % P
            d = 2 * z
            e, f, g, h = v - u, d - c, d + c, v + u
            x, y, z, t = e * f % P, g * h % P, f * g % P, e * h % P
    return x, y, z, t


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = point_decode(_BASE_Y.to_bytes(32, "little"))[0]
_TABLES = {}
MAX_TABLES = 96


def base_table():
    if "base" not in _TABLES:
        _TABLES["base"] = point_table(_BASE_X, _BASE_Y)
    return _TABLES["base"]


def _negative_key_table(public):
    """The table of -A. A ledger has one recorder key and thousands of statements, so the tables of the last keys are kept."""
    if public in _TABLES:
        return _TABLES[public]
    affine = point_decode(public)
    table = None
    if affine is not None:
        x, y = affine
        if not is_small_order((x, y, 1, x * y % P)):
            table = point_table((P - x) % P, y)
    # A quarter of a megabyte each: room for the log's keys and a full list of witnesses.
    if len(_TABLES) > MAX_TABLES:
        del _TABLES[next(name for name in _TABLES if name != "base")]
    _TABLES[public] = table
    return table


def ed25519_verify(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    table = _negative_key_table(bytes(public))
    if table is None:
        return False
    r = bytes(signature[:32])
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    point = table_multiply(table, k, table_multiply(base_table(), s))
    # R is compared in its encoding: an R that is not canonical can never be equal, and then it is this point.
    return point_encode(point) == r and not is_small_order(point)


# ----------------------------------------------------------------------------------------------------------------------
# The tree, RFC 6962 section 2.1.

EMPTY_ROOT = sha256(b"")


def leaf_hash(data):
    return sha256(b"\x00" + data)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


class Frontier:
    """The right edge of a tree that grows: one hash for each full subtree, largest first. Memory is the logarithm of the size."""

    def __init__(self):
        self.size = 0
        self.hashes = []

    def push(self, leaf):
        carry = self.size
        while carry & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            carry >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self):
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


class Tree(Frontier):
    """The same, which also keeps the hash of every full subtree, 64 bytes a leaf: so the root at any earlier size is known."""

    def __init__(self):
        super().__init__()
        self.levels = []

    def push(self, leaf):
        carry, hashes, levels, level = self.size, self.hashes, self.levels, 0
        while carry & 1:
            levels[level] += leaf
            leaf = node_hash(hashes.pop(), leaf)
            carry >>= 1
            level += 1
        if level == len(levels):
            levels.append(bytearray())
        levels[level] += leaf
        hashes.append(leaf)
        self.size += 1

    def root_at(self, size):
        """The root over the first `size` leaves: that of their full subtrees, which lie one after another, largest first."""
        root, done = None, size
        for level in range(size.bit_length()):
            if size >> level & 1:
                done -= 1 << level
                at = (done >> level) * 32
                full = bytes(self.levels[level][at:at + 32])
                root = full if root is None else node_hash(full, root)
        return EMPTY_ROOT if root is None else root


# ----------------------------------------------------------------------------------------------------------------------
# C2SP signed notes and checkpoints (chapter 4.2).

MAX_SIGNATURE_LINES = 64
DASH = "\u2014 "
NOTE_ED25519, NOTE_COSIGNATURE = 0x01, 0x04


def base64_strict(text):
    """RFC 4648 section 4 with padding, and only the one encoding of these bytes."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("NOTE", "not base64") from None
    if base64.b64encode(raw).decode("ascii") != text:
        raise Refusal("NOTE", "base64 with bits beyond its end")
    return raw


def key_name_ok(name):
    return bool(name) and "+" not in name and not any(char < " " or char.isspace() for char in name)


def key_id(name, public, kind=NOTE_ED25519):
    return sha256(name.encode("utf-8") + b"\n" + bytes([kind]) + public)[:4]


def parse_vkey(text, kind=NOTE_ED25519, what="an Ed25519 log key (type 1)"):
    """C2SP verifier key text: name, hexadecimal key id, base64 of type and key. Base64 may hold a plus sign, a name may not."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not key_name_ok(parts[0]):
        raise Refusal("VKEY", "not a verifier key: %s" % text)
    name, identity, encoded = parts
    raw = base64_strict(encoded)
    if len(raw) != 33 or raw[0] != kind:
        raise Refusal("VKEY", "verifier key of %s is not %s" % (name, what))
    if not re.fullmatch("[0-9a-f]{8}", identity) or bytes.fromhex(identity) != key_id(name, raw[1:], kind):
        raise Refusal("VKEY", "key id in the verifier key of %s does not belong to it" % name)
    return name, raw[1:]


def note_text_of(raw):
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("NOTE", "note is not UTF-8") from None
    if any(ord(char) < 0x20 and char != "\n" for char in text):
        raise Refusal("NOTE", "note has control characters")
    return text


class Note:
    """Text, signed bytes and signature lines of one note."""

    def __init__(self, raw):
        text = note_text_of(raw)
        split = text.rfind("\n\n")
        if split < 0 or not text.endswith("\n"):
            raise Refusal("NOTE", "no empty line before the signatures, or no newline at the end")
        self.text = text[:split + 1]
        self.signed = self.text.encode("utf-8")
        lines = text[split + 2:].split("\n")[:-1]
        if not lines:
            raise Refusal("NOTE", "no signature line")
        if len(lines) > MAX_SIGNATURE_LINES:
            raise Refusal("NOTE", "more than %d signature lines" % MAX_SIGNATURE_LINES)
        self.signatures = [self._signature(line) for line in lines]

    @staticmethod
    def _signature(line):
        if not line.startswith(DASH):
            raise Refusal("NOTE", "malformed signature line: %s" % line[:100])
        name, space, encoded = line[len(DASH):].partition(" ")
        if not space or not key_name_ok(name):
            raise Refusal("NOTE", "malformed signature line: %s" % line[:100])
        blob = base64_strict(encoded)
        if len(blob) < 5:
            raise Refusal("NOTE", "signature of %s is too short" % name)
        return name, blob[:4], blob[4:]

    def lines_of(self, name, public, kind=NOTE_ED25519):
        identity = key_id(name, public, kind)
        return [sig for who, kid, sig in self.signatures if who == name and kid == identity]

    def verify(self, name, public):
        """One good signature of the key at least, and no bad one; lines of other keys say nothing. Returns their number."""
        known = self.lines_of(name, public)
        if not known:
            raise Refusal("HEAD_UNSIGNED", "not signed by the checkpoint key of the ledger")
        for signature in known:
            if not ed25519_verify(public, self.signed, signature):
                raise Refusal("HEAD_SIGNATURE", "signature of the checkpoint key is wrong")
        return len(self.signatures) - len(known)

    def is_cosigned(self, name, public):
        """Chapter 5.1: one line of the witness at least, and none that does not hold."""
        lines = self.lines_of(name, public, NOTE_COSIGNATURE)
        return bool(lines) and all(self._cosignature(public, line) for line in lines)

    def cosigned_at(self, name, public):
        """Seconds of the earliest cosignature of the witness, None without one; one that does not hold is refused."""
        lines = self.lines_of(name, public, NOTE_COSIGNATURE)
        if not all(self._cosignature(public, line) for line in lines):
            raise Refusal("COSIGNATURE", "a cosignature of %s does not hold" % name)
        return min((int.from_bytes(line[:8], "big") for line in lines), default=None)

    def _cosignature(self, public, line):
        moment = int.from_bytes(line[:8], "big")
        if len(line) != 72 or moment >> 63:
            return False
        return ed25519_verify(public, b"cosignature/v1\ntime %d\n" % moment + self.signed, line[8:])


def split_notes(raw):
    """The notes of a head file. A note ends with its last signature line, so the next one begins with the first line after a
    signature line that is none itself."""
    notes, current, signed = [], [], False
    for line in raw.split(b"\n"):
        is_signature = line.startswith(DASH.encode("utf-8"))
        if signed and not is_signature:
            notes.append(b"\n".join(current) + b"\n")
            current, signed = [], False
        current.append(line)
        signed = signed or (is_signature and len(current) > 1)
    rest = b"\n".join(current)
    if rest:
        notes.append(rest)
    return notes


def parse_decimal(text, what):
    if not re.fullmatch("0|[1-9][0-9]{0,19}", text) or int(text) > U64_MAX:
        raise Refusal("NOTE", "%s is not a decimal number: %s" % (what, text[:40]))
    return int(text)


def parse_hash(text, what):
    raw = base64_strict(text)
    if len(raw) != 32:
        raise Refusal("NOTE", "%s is not 32 bytes" % what)
    return raw


class Checkpoint:
    """origin, size, root; extension lines are refused (chapter 4.2)."""

    def __init__(self, note):
        lines = note.text.split("\n")[:-1]
        if len(lines) != 3:
            raise Refusal("NOTE", "checkpoint has %d lines, not 3" % len(lines))
        self.note = note
        self.origin = lines[0]
        if not self.origin:
            raise Refusal("NOTE", "checkpoint without origin")
        self.size = parse_decimal(lines[1], "size")
        self.root = parse_hash(lines[2], "root")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise Refusal("NOTE", "root of an empty log is not H(\"\")")


class HeadState:
    """The second note of a head file (store-embedded, section 5)."""

    def __init__(self, note):
        lines = note.text.split("\n")[:-1]
        if len(lines) != 6 or lines[0] != "immutape/head/1":
            raise Refusal("NOTE", "second note is not immutape/head/1 with six lines")
        self.note = note
        self.origin = lines[1]
        size, _, root = lines[2].partition(" ")
        self.size = parse_decimal(size, "size")
        self.root = parse_hash(root, "root")
        vault = lines[3].split(" ")
        if len(vault) != 4 or vault[0] != "vault":
            raise Refusal("NOTE", "vault line of the head is malformed")
        self.generation = parse_decimal(vault[1], "vault generation")
        self.revision = parse_decimal(vault[2], "vault revision")
        self.vault_hash = parse_hash(vault[3], "vault digest")
        state = re.fullmatch("state (open|closing|closed)", lines[4])
        if not state:
            raise Refusal("NOTE", "state line of the head is malformed")
        self.state = state.group(1)
        if not lines[5].startswith("term "):
            raise Refusal("NOTE", "term line of the head is malformed")
        self.term = parse_decimal(lines[5][5:], "term")


class Succession:
    """Where one log ends and another goes on (chapter 4.6). The successor has signed it, and no signature of either is wrong."""

    def __init__(self, raw):
        try:
            note = Note(raw)
            lines = note.text.split("\n")[:-1]
            if len(lines) != 6 or lines[0] != "immutape/succession/1":
                raise Refusal("NOTE", "statement is not immutape/succession/1 with six lines")
            old, head, new, ledger, lost = (self._after(line, word) for line, word in zip(lines[1:], ("old", "head", "new", "ledger", "lost")))
            self.old, self.new = parse_vkey(old), parse_vkey(new)
            size, _, root = head.partition(" ")
            self.size, self.root = parse_decimal(size, "size"), parse_hash(root, "root")
            if not re.fullmatch("[0-9a-f]{64}", ledger):
                raise Refusal("NOTE", "ledger is not 64 lower-case hexadecimal digits")
            self.ledger = bytes.fromhex(ledger)
            first, _, last = lost.partition(" ")
            self.lost = (parse_decimal(first, "first lost index"), None if last == "-" else parse_decimal(last, "last lost index"))
            if self.lost[1] is not None and self.lost[1] < self.lost[0]:
                raise Refusal("NOTE", "the lost entries end before they begin")
            if self.old[0] == self.new[0] or self.old[1] == self.new[1]:
                raise Refusal("NOTE", "a log that succeeds itself")
        except Refusal as refusal:
            raise Refusal("SUCCESSION_SHAPE", refusal.words) from None
        self.signed = note.signed
        if not self._is_by(note, self.new):
            raise Refusal("SUCCESSION_UNSIGNED", "the successor has not signed the statement")
        self.by_old = self._is_by(note, self.old)

    @staticmethod
    def _after(line, word):
        if not line.startswith(word + " "):
            raise Refusal("NOTE", "a line does not begin with %s" % word)
        return line[len(word) + 1:]

    @staticmethod
    def _is_by(note, key):
        known = note.lines_of(*key)
        if not all(ed25519_verify(key[1], note.signed, signature) for signature in known):
            raise Refusal("SUCCESSION_SIGNATURE", "the signature of %s under the statement is wrong" % key[0])
        return bool(known)

    def check(self, genesis):
        """What the successor says of it: this log's entry 0 tells the same, and is meant."""
        if genesis.predecessor is None:
            raise Refusal("SUCCESSION_ALONE", "a statement of succession, but entry 0 names no log before this one")
        origin, raw, *lost = genesis.predecessor
        if self.new != (genesis.origin, genesis.role_keys[CHECKPOINT]) or self.ledger != genesis.ledger_id:
            raise Refusal("SUCCESSION_NEW", "the statement names another successor than this log")
        if self.old[0] != origin or self.lost != tuple(lost):
            raise Refusal("SUCCESSION_OLD", "the statement names another log, or other lost entries, than entry 0")
        try:
            head = Checkpoint(Note(raw))
            head.note.verify(*self.old)
        except Refusal as refusal:
            raise Refusal("SUCCESSION_HEAD", "head of the old log in entry 0: %s" % refusal.words) from None
        if (head.origin, head.size, head.root) != (origin, self.size, self.root):
            raise Refusal("SUCCESSION_HEAD", "the statement names another head than entry 0")


# ----------------------------------------------------------------------------------------------------------------------
# Entries, chapter 4.1 and 4.3.

MAX_ENTRY_BYTES = 65535
CRITICAL_FROM = 32768
GENESIS, LOG_STARTED, LOG_STOPPED, LOG_UNCLEAN, RECOVERED = 0, 1, 2, 3, 4
TAPE_SAVED, ACCESS_GRANTED, ACCESS_COMPLETED = 16, 32, 33
TAPE_OPENED, RECORDING_MARK, TAPE_TRUNCATED = 18, 19, 20
# What a kind 33 completes: a tape that was opened, followed while it was recorded, played again, or made evidence of.
EVIDENCE_MADE = 163
GRANTING_KINDS = frozenset((ACCESS_GRANTED, 41, 42, EVIDENCE_MADE))
ANCHOR_COSIGNED, ANCHOR_TIMESTAMPED, PUBLISHED, FORK_FOUND = 128, 129, 130, 133
SUCCESSION, KEY_ROTATED, KEY_REVOKED = 32768, 32769, 32770
# From the destruction of its key on, a tape's objects may be gone (4.3).
DISPOSED_KINDS = frozenset((86, 88, 90))


def uint_of(low, high):
    return lambda value: is_uint(value) and low <= value <= high


def b16(value):
    return is_bytes(value, 16)


def b32(value):
    return is_bytes(value, 32)


def b64(value):
    return is_bytes(value, 64)


def _origin_text(value):
    return is_text(value) and re.fullmatch(r"(?s)(.+)/[0-9a-f]{32}", value) is not None and key_name_ok(value)


def _three_thumbprints(value):
    return type(value) is list and len(value) == 3 and all(b32(item) for item in value)


def _predecessor(value):
    return (type(value) is list and len(value) == 4 and is_text(value[0]) and key_name_ok(value[0]) and _is_note(value[1])
            and is_uint(value[2]) and (value[3] is None or is_uint(value[3])))


def _is_note(value):
    return is_bytes(value) and len(value) <= MAX_KEPT_NOTE_BYTES


def _verifier_keys(value):
    return type(value) is list and 1 <= len(value) <= 63 and all(is_text(key) for key in value)


def _agreed(value):
    """Whoever agreed, each once."""
    return type(value) is list and 1 <= len(value) <= 8 and all(b16(item) for item in value) and len(set(value)) == len(value)


def _founders(value):
    if type(value) is not list or not 1 <= len(value) <= 64:
        return False
    for item in value:
        if not (type(item) is list and len(item) == 3 and b16(item[0]) and b32(item[1]) and type(item[2]) is list
                and 1 <= len(item[2]) <= 16 and all(is_uint(role) for role in item[2])):
            return False
    return all(len({item[n] for item in value}) == len(value) for n in (0, 1))


def _uint_or_null(value):
    return value is None or is_uint(value)


LEDGER, TAPE, ANY = "ledger", "tape", "any"
_SET_BODY = {0: b32, 1: is_uint, 2: is_uint}
_SET_LIST = {3: b32}
# kind: (name, subject, keys that must be there, keys that may)
KINDS = {
    0: ("genesis", LEDGER, {0: uint_of(1, 1), 1: _origin_text, 2: b32, 3: b32, 4: b32, 5: _three_thumbprints, 6: is_text,
                            7: is_text, 8: lambda v: type(v) is bool}, {9: _predecessor, 10: _founders}),
    1: ("log.started", LEDGER, {0: is_uint}, {}),
    2: ("log.stopped", LEDGER, {0: is_uint, 1: is_uint, 2: is_uint}, {}),
    3: ("log.unclean_stop", LEDGER, {0: is_uint}, {}),
    4: ("recovered", LEDGER, {0: is_uint, 1: is_uint, 2: is_uint, 3: b32}, {}),
    5: ("rows.rebuilt", LEDGER, {0: is_uint, 1: is_uint}, {}),
    6: ("head_file.rebuilt", LEDGER, {0: is_uint, 1: is_uint}, {}),
    7: ("integrity.failed", ANY, {0: is_uint, 1: is_uint}, {2: b32}),
    8: ("integrity.repaired", ANY, {0: is_uint, 1: is_uint, 3: b32, 4: is_uint}, {2: b32}),
    9: ("verified", ANY, {0: is_uint, 1: is_uint, 2: is_uint, 3: is_uint, 4: is_uint}, {}),
    10: ("clock.anomaly", LEDGER, {0: is_uint}, {}),
    16: ("tape.saved", TAPE, {0: is_bytes, 1: b16}, {}),
    17: ("tape.saved_again", TAPE, {}, {}),
    18: ("tape.opened", TAPE, {0: b16}, {1: b32}),
    19: ("recording.mark", TAPE, {0: is_uint, 1: b32}, {}),
    20: ("tape.truncated", TAPE, {0: is_uint, 1: is_uint, 2: is_uint}, {}),
    24: ("labelled", TAPE, {0: b32}, {}),
    25: ("amended", TAPE, {0: b32}, {}),
    32: ("access.granted", TAPE, {}, {}),
    33: ("access.completed", TAPE, {0: is_uint}, {}),
    34: ("listed", LEDGER, _SET_BODY, _SET_LIST),
    35: ("searched", LEDGER, _SET_BODY, _SET_LIST),
    36: ("metadata.read", TAPE, {}, {}),
    37: ("log.read", LEDGER, {0: is_uint, 1: is_uint}, {}),
    38: ("custody.read", TAPE, {0: is_uint}, {}),
    39: ("exported", TAPE, {0: b32}, {}),
    40: ("refused", ANY, {0: uint_of(0, 65535), 1: uint_of(0, 65535)}, {}),
    41: ("followed", TAPE, {0: is_uint}, {}),
    42: ("replayed", TAPE, {0: is_uint}, {}),
    104: ("actor.added", LEDGER, {0: b16, 1: is_uint, 2: b32, 3: _agreed}, {4: b16}),
    105: ("actor.disabled", LEDGER, {0: b16, 1: _agreed}, {}),
    106: ("actor.rotated", LEDGER, {0: b16, 1: b32, 2: _agreed}, {}),
    107: ("role.granted", LEDGER, {0: b16, 1: is_uint, 2: _agreed, 3: _uint_or_null}, {}),
    108: ("role.revoked", LEDGER, {0: b16, 1: is_uint, 2: _agreed}, {}),
    128: ("anchor.cosigned", LEDGER, {0: _is_note, 1: _verifier_keys, 2: lambda v: type(v) is bool}, {}),
    129: ("anchor.timestamped", LEDGER, {0: _is_note, 1: is_bytes, 2: is_uint}, {}),
    130: ("published", LEDGER, {0: is_uint, 1: b32, 2: is_uint}, {}),
    131: ("receipt.issued", ANY, {0: is_uint, 1: is_uint, 2: is_uint, 3: b32}, {}),
    133: ("fork.found", LEDGER, {0: is_uint, 1: _is_note, 2: is_uint, 3: b32}, {}),
    163: ("evidence.made", TAPE, {0: b16, 1: b32, 2: is_uint}, {}),
    164: ("scrubbed", LEDGER, {0: is_uint, 1: is_uint, 2: is_uint, 3: is_uint, 4: is_uint, 5: is_uint,
                               6: lambda v: type(v) is bool}, {}),
    166: ("evidence.given", LEDGER, {0: b16, 1: b32}, {}),
    32768: ("succession", LEDGER, {0: _is_note}, {}),
    32769: ("key.rotated", LEDGER, {0: uint_of(0, 2), 1: b32, 2: b32, 3: b64}, {}),
    32770: ("key.revoked", LEDGER, {0: uint_of(0, 2), 1: b32, 2: is_uint, 3: is_uint}, {}),
}


def kind_name(kind):
    return KINDS[kind][0] if kind in KINDS else "kind %d" % kind


class Entry:
    __slots__ = ("index", "previous", "time", "kind", "subject", "subject_seq", "subject_prev", "commitment",
                 "sealed_digest", "key_id", "body")

    SHAPE = (("index", is_uint), ("previous", b32), ("time", is_uint), ("kind", uint_of(0, 65535)), ("subject", b32),
             ("subject_seq", is_uint), ("subject_prev", b32), ("commitment", b32), ("sealed_digest", b32), ("key_id", b16))

    def __init__(self, raw):
        if len(raw) > MAX_ENTRY_BYTES:
            raise Refusal("ENTRY_LENGTH", "entry of %d bytes" % len(raw))
        if raw[:1] == b"\xd2":
            raise Refusal("ENTRY_GRAMMAR", "first byte 0xd2 is reserved for a bare statement")
        try:
            items = cbor_decode(raw)
        except CborError as error:
            raise Refusal("ENTRY_CBOR", str(error)) from None
        if type(items) is not list or len(items) != 12 or items[0] != "immutape/entry/1":
            raise Refusal("ENTRY_GRAMMAR", "not an array of twelve items that begins with immutape/entry/1")
        for (name, rule), value in zip(self.SHAPE, items[1:11]):
            if not rule(value):
                raise Refusal("ENTRY_GRAMMAR", "%s has the wrong type" % name)
            setattr(self, name, value)
        self.body = items[11]
        self._check_body()

    def _check_body(self):
        body = self.body
        if type(body) is not dict or any(type(key) is not int for key in body):
            raise Refusal("ENTRY_BODY", "body is not a map with integer keys")
        if self.kind not in KINDS:
            return
        name, about, needed, optional = KINDS[self.kind]
        if about == LEDGER and self.subject != ZERO32:
            raise Refusal("ENTRY_SUBJECT", "%s is about the ledger, but names a tape" % name)
        if about == TAPE and self.subject == ZERO32:
            raise Refusal("ENTRY_SUBJECT", "%s is about a tape, but names the ledger" % name)
        for key in needed:
            if key not in body:
                raise Refusal("ENTRY_BODY", "body of %s lacks key %d" % (name, key))
        for key, value in body.items():
            rule = needed.get(key) or optional.get(key)
            if rule is None:
                raise Refusal("ENTRY_BODY", "body of %s has a key %d that its row does not name" % (name, key))
            if not rule(value):
                raise Refusal("ENTRY_BODY", "key %d in the body of %s has a wrong value" % (key, name))
        if self.kind in (34, 35):
            self._check_set()

    def _check_set(self):
        """A set of more than 512 ids may be, and that of a search must be, an object (chapter 4.3)."""
        count, has_list = self.body[1], 3 in self.body
        if has_list and not PRIVATE_SET_MAX < count <= SET_LIST_MAX:
            raise Refusal("ENTRY_BODY", "a set of %d tapes is no object" % count)
        if not has_list and self.kind == 35 and count > PRIVATE_SET_MAX:
            raise Refusal("ENTRY_BODY", "the %d tapes of a search are nowhere" % count)


def padme(length):
    """Chapter 3.1."""
    if length < 2:
        return length
    e = length.bit_length() - 1
    s = e.bit_length()
    mask = (1 << max(e - s, 0)) - 1
    return (length + mask) & ~mask


def sealed_length_ok(length):
    """Salt, padded plaintext of 128 bytes at least, tag (chapter 3.5)."""
    plain = length - 48
    return plain >= 128 and padme(plain) == plain


def object_length_ok(length):
    """Salt, key commitment, padded plaintext with its 17 bytes of head, tag (chapter 3.1)."""
    plain = length - 80
    return plain >= 17 and padme(plain) == plain


# ----------------------------------------------------------------------------------------------------------------------
# Genesis and the recorder's statement, chapters 4.3 and 3.3.

def thumbprint(public):
    return sha256(bytes.fromhex("a301012006215820") + public)


class Genesis:
    """What entry 0 fixes for the whole ledger."""

    def __init__(self, entry, ledger_id):
        body = entry.body
        self.ledger_id = ledger_id
        self.origin = body[1]
        # Of each role in its order, with the thumbprints of those that may follow.
        self.role_keys, self.next_keys = (body[2], body[3], body[4]), body[5]
        self.profile = body[6]
        self.test = body[8]
        self.predecessor = body.get(9)
        self.origin_hash = sha256(self.origin.encode("utf-8"))


# Keys in force, chapter 4.5.

CHECKPOINT, RECORDER, ISSUER = 0, 1, 2
ROLES = ("checkpoint", "recorder", "issuer")
MAX_KEY_CHANGES = 1024


class KeyTerm:
    """One key of a role: named by entry `since`, replaced by entry `until`; `revoked` is (from, index of the entry)."""
    __slots__ = ("key", "thumbprint", "identity", "since", "until", "next", "revoked")

    def __init__(self, origin, key, since, following):
        self.key, self.thumbprint, self.identity = key, thumbprint(key), (origin, key_id(origin, key))
        self.since, self.until = since, None
        self.next = following
        self.revoked = None


class Keys:
    """Which key signed what, by entry 0 and the entries that replaced and revoked keys. One that breaks a rule is refused and
    changes nothing."""

    def __init__(self, genesis):
        self.origin = genesis.origin
        self.terms = [[KeyTerm(self.origin, key, 0, following)] for key, following in zip(genesis.role_keys, genesis.next_keys)]
        self.rotations = self.revocations = 0

    def in_force(self, role, number):
        """The key that signs a head of `number` entries, or the statement in the entry with this index: both come after the
        entry that named the key."""
        terms = self.terms[role]
        for term in reversed(terms):
            if term.since < number:
                return term
        return terms[0]

    def _full(self):
        if self.rotations + self.revocations >= MAX_KEY_CHANGES:
            raise Refusal("KEY_CHANGES", "more than %d changes of keys" % MAX_KEY_CHANGES)

    def rotate(self, index, body):
        self._full()
        self._rotate(index, *(body[number] for number in range(4)))
        self.rotations += 1

    def take(self, index, entry):
        if entry.kind == KEY_ROTATED:
            self.rotate(index, entry.body)
        else:
            self._full()
            self._revoke(index, *(entry.body[number] for number in range(3)))
            self.revocations += 1

    def _rotate(self, index, role, key, following, proof):
        if not is_public_key(key):
            raise Refusal("KEY_NONE", "the new %s key is no Ed25519 key, or is one of small order" % ROLES[role])
        if any(key == term.key for terms in self.terms for term in terms):
            raise Refusal("KEY_USED", "the new %s key was a key of this log before" % ROLES[role])
        before = self.terms[role][-1]
        if thumbprint(key) != before.next:
            raise Refusal("KEY_NOT_NAMED", "the new %s key is not the one that was named to follow" % ROLES[role])
        if not ed25519_verify(key, cbor_encode(["immutape/key/1", self.origin, role, key, following]), proof):
            raise Refusal("KEY_PROOF", "the new %s key has not signed for itself" % ROLES[role])
        before.until = index
        self.terms[role].append(KeyTerm(self.origin, key, index, following))

    def _revoke(self, index, role, named, since):
        term = next((term for term in self.terms[role] if term.thumbprint == named), None)
        if term is None:
            raise Refusal("KEY_UNKNOWN", "the %s key that is revoked was none of this log" % ROLES[role])
        if term.until is None:
            raise Refusal("KEY_IN_USE", "a %s key in use is revoked: no other has replaced it" % ROLES[role])
        if since > index:
            raise Refusal("KEY_FROM", "a %s key is revoked from entry %d on, which comes later" % (ROLES[role], since))
        if term.revoked is not None and term.revoked[0] <= since:
            raise Refusal("KEY_FROM", "a %s key was revoked from entry %d on before" % (ROLES[role], term.revoked[0]))
        term.revoked = (since, index)

    def counts(self, size):
        """Refuses a head of so many entries when its key counts for it no more."""
        revoked = self.in_force(CHECKPOINT, size).revoked
        if revoked is not None and size > revoked[0]:
            raise Refusal("HEAD_REVOKED", "the key of a head of %d entries was revoked: it counts for no head of more than %d entries"
                          % (size, revoked[0]))

    def verify_head(self, note, size):
        """The signature of the key in force; those of the log's other keys, which may stand beside it, must hold too."""
        term = self.in_force(CHECKPOINT, size)
        named = {(name, identity) for name, identity, _ in note.signatures}
        others = [other for other in self.terms[CHECKPOINT] if other is not term and other.identity in named]
        if others and term.identity not in named:
            raise Refusal("HEAD_KEY", "signed by a checkpoint key of this log that is not in force for a head of %d entries" % size)
        note.verify(self.origin, term.key)
        for other in others:
            note.verify(self.origin, other.key)


def refused(code, read, raw):
    """What `read` makes of the bytes; what it does not take is refused under this code."""
    try:
        return read(raw)
    except CborError as error:
        raise Refusal(code, str(error)) from None
    except RecursionError:
        raise Refusal(code, "nested too deep to be read") from None


class Signed1:
    """A tagged COSE_Sign1 of exactly these parts; what is in them is for the caller."""

    def __init__(self, raw, code):
        if raw[:1] != b"\xd2":
            raise Refusal(code, "does not begin with tag 18")
        items = refused(code, cbor_decode, raw[1:])
        if type(items) is not list or len(items) != 4 or not is_bytes(items[0]) or type(items[1]) is not dict or not is_bytes(items[3], 64):
            raise Refusal(code, "not protected, unprotected, payload and signature")
        self.protected_raw, self.unprotected, self.payload, self.signature = items
        self.protected = refused(code, cbor_decode, self.protected_raw)
        if type(self.protected) is not dict:
            raise Refusal(code, "the protected header is no map")
        if self.protected.get(1) not in (-8, -19):
            raise Refusal(code, "the algorithm is neither -8 nor -19")

    def verify(self, key, payload, code):
        if not ed25519_verify(key, cbor_encode(["Signature1", self.protected_raw, b"", payload]), self.signature):
            raise Refusal(code, "the signature is wrong")


STATEMENT_TYPE = "application/vnd.immutape.tape-root+cbor"
_STATEMENT_KEYS = (1, 4, 15, 258, 259, "ledger", "custody", "manifest")


class Statement(Signed1):
    """The strict shape of 3.3. What it says is compared with the ledger by `check`."""

    def __init__(self, raw):
        super().__init__(raw, "STATEMENT_SHAPE")
        if self.unprotected:
            raise Refusal("STATEMENT_SHAPE", "unprotected map of the statement is not empty")
        if not b32(self.payload):
            raise Refusal("STATEMENT_SHAPE", "payload of the statement is not 32 bytes")
        self._check_protected()

    def _check_protected(self):
        protected = self.protected
        if tuple(protected) != _STATEMENT_KEYS:
            raise Refusal("STATEMENT_SHAPE", "protected header does not have exactly the keys of 3.3")
        claims = protected[15]
        if type(claims) is not dict or tuple(claims) != (1, 2) or not is_text(claims[1]) or not is_text(claims[2]):
            raise Refusal("STATEMENT_SHAPE", "claims (15) are not issuer and subject")
        if protected[258] != -16 or protected[259] != STATEMENT_TYPE:
            raise Refusal("STATEMENT_SHAPE", "hash algorithm or content type of the statement is not ours")
        for key in (4, "ledger", "custody", "manifest"):
            if not b32(protected[key]):
                raise Refusal("STATEMENT_SHAPE", "key %s of the protected header is not 32 bytes" % key)
        self.manifest = protected["manifest"]

    def check(self, genesis, recorder, custody_id):
        """Everything that ties the statement to this ledger and this tape, then the signature. `recorder`: the key in force."""
        protected = self.protected
        if protected[15][2] != tape_name(self.payload):
            raise Refusal("STATEMENT_SUB", "sub of the statement is not its payload")
        if protected["custody"] != custody_id:
            raise Refusal("STATEMENT_CUSTODY", "custody id of the statement is not the subject of the entry")
        if protected["ledger"] != genesis.ledger_id:
            raise Refusal("STATEMENT_LEDGER", "statement was made for another ledger")
        if protected[15][1] != genesis.origin:
            raise Refusal("STATEMENT_ORIGIN", "statement was made for another origin: %s" % protected[15][1][:200])
        self.by(recorder.key)

    def by(self, key):
        """Whether this key, which the statement has to name, has signed it."""
        if self.protected[4] != thumbprint(key):
            raise Refusal("STATEMENT_KEY", "statement names another key than the recorder's in force")
        self.verify(key, self.payload, "STATEMENT_SIGNATURE")


# What the log says about one saved tape, kept until the packs are read.
class SavedTape:
    __slots__ = ("entry", "custody_id", "tape_id", "manifest", "epoch_id", "signed")

    def __init__(self, entry, custody_id, tape_id, manifest, epoch_id, signed):
        self.entry = entry
        # Whether the statement holds under the key in force, which may have been revoked later.
        self.signed = signed
        self.custody_id = custody_id
        self.tape_id = tape_id
        self.manifest = manifest
        self.epoch_id = epoch_id


# ----------------------------------------------------------------------------------------------------------------------
# Time-stamps, chapter 5.6: what a token says. Its signature and the certificates under it are not looked at.

MAX_TOKEN_BYTES = 32 << 10
DER_INTEGER, DER_OCTETS, DER_OID, DER_TIME, DER_SEQUENCE, DER_SET, DER_FIRST = 0x02, 0x04, 0x06, 0x18, 0x30, 0x31, 0xa0
OID_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
OID_TST_INFO = bytes.fromhex("2a864886f70d0109100104")
OID_SHA256 = bytes.fromhex("608648016503040201")


class Der:
    """Elements that follow each other in `data`: one byte of tag, lengths in their shortest form."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def done(self):
        return self.at == len(self.data)

    def take(self, wanted):
        """The content of the next element, which must have this tag."""
        data, at = self.data, self.at
        if len(data) < at + 2 or data[at] != wanted:
            raise Refusal("TOKEN", "no element 0x%02x at byte %d of what holds it" % (wanted, at))
        length, start = data[at + 1], at + 2
        if length & 0x80:
            width, start = length & 0x7f, start + (length & 0x7f)
            length = int.from_bytes(data[at + 2:start], "big")
            if not 1 <= width <= 3 or length < (0x80, 0x100, 0x10000)[width - 1]:
                raise Refusal("TOKEN", "a length that is not that of DER")
        self.at = start + length
        if self.at > len(data):
            raise Refusal("TOKEN", "an element runs past the end")
        return data[start:self.at]

    def inside(self, wanted):
        return Der(self.take(wanted))

    def expect(self, wanted, content, what):
        if self.take(wanted) != content:
            raise Refusal("TOKEN", what)


def token_says(token):
    """Digest and milliseconds that a token names: the parts of points 1, 2 and 9 that need no certificate."""
    if len(token) > MAX_TOKEN_BYTES:
        raise Refusal("TOKEN", "token of %d bytes" % len(token))
    outer = Der(token)
    info = outer.inside(DER_SEQUENCE)
    info.expect(DER_OID, OID_SIGNED_DATA, "not signed data")
    explicit = info.inside(DER_FIRST)
    signed = explicit.inside(DER_SEQUENCE)
    if not (outer.done() and info.done() and explicit.done()):
        raise Refusal("TOKEN", "bytes after the token")
    signed.expect(DER_INTEGER, b"\3", "signed data of another version than 3")
    signed.take(DER_SET)
    content = signed.inside(DER_SEQUENCE)
    content.expect(DER_OID, OID_TST_INFO, "the content is no TSTInfo")
    octets = content.inside(DER_FIRST)
    wrapped = octets.inside(DER_OCTETS)
    said = wrapped.inside(DER_SEQUENCE)
    if not (content.done() and octets.done() and wrapped.done()):
        raise Refusal("TOKEN", "bytes after the TSTInfo")
    said.expect(DER_INTEGER, b"\1", "TSTInfo of another version than 1")
    said.take(DER_OID)
    imprint = said.inside(DER_SEQUENCE)
    algorithm = imprint.take(DER_SEQUENCE)
    name = b"\x06\x09" + OID_SHA256
    if algorithm not in (name, name + b"\5\0"):
        raise Refusal("TOKEN", "the imprint is not one of SHA-256")
    digest = imprint.take(DER_OCTETS)
    if len(digest) != 32 or not imprint.done():
        raise Refusal("TOKEN", "the imprint is not 32 bytes")
    said.take(DER_INTEGER)
    return digest, _token_time(said.take(DER_TIME))


def _token_time(raw):
    """Milliseconds of `YYYYMMDDhhmmss[.f]Z`, cut down."""
    match = re.fullmatch(rb"([0-9]{14})(?:[.]([0-9]{0,17}[1-9]))?Z", raw)
    try:
        if match is None:
            raise ValueError
        text = match.group(1).decode("ascii")
        parts = [int(text[:4])] + [int(text[at:at + 2]) for at in range(4, 14, 2)]
        past = datetime.datetime(*parts) - datetime.datetime(1970, 1, 1)
    except ValueError:
        raise Refusal("TOKEN", "not a time as RFC 3161 has them") from None
    if past.days < 0:
        raise Refusal("TOKEN", "a time before 1970")
    return (past.days * 86_400 + past.seconds) * 1000 + int((match.group(2) or b"0").ljust(3, b"0")[:3])


# ----------------------------------------------------------------------------------------------------------------------
# What others hold: heads that entries of kinds 128 to 130 keep (chapter 4.3), and those in the state folder beside the head.

class Held:
    """A head that holds, as the entry at `index` keeps it."""
    __slots__ = ("index", "size", "kind", "place")

    def __init__(self, index, size, kind, place):
        self.index, self.size, self.kind, self.place = index, size, kind, place


class Anchors:
    WHAT = "heads that others hold are heads of this log"

    def __init__(self, report, witnesses=None):
        self.report = report
        report.check("anchors", self.WHAT)
        self.counted = {}
        self.held = []
        self.files = []
        self.cosigners = set()
        # Those whom the auditor knows, and heads that a quorum of them had seen: size, when, and the entry or None.
        self.witnesses, self.seen = witnesses, []
        self.not_compared = 0
        self.with_state = False

    # In entries. The key of a head may turn out to be revoked by a later entry, so that is asked at the end.

    def take(self, entry, journal, place):
        kind, body, index = entry.kind, entry.body, place[2]
        self.report.ok("anchors")
        self.counted[kind] = self.counted.get(kind, 0) + 1
        try:
            if kind == PUBLISHED:
                size, root = body[0], body[1]
            else:
                size, root = self._head(journal, body[0])
            if size > index:
                raise Refusal("ANCHOR_LATER", "keeps a head of %d entries, which were not there" % size)
            if kind == ANCHOR_COSIGNED:
                self._cosigned(journal.keys, Note(body[0]), body[1])
            elif kind == ANCHOR_TIMESTAMPED:
                self._timestamped(body)
            self._compare(journal, size, root, kind)
            if kind == ANCHOR_COSIGNED:
                self._seen(Note(body[0]), size, index)
        except Refusal as refusal:
            severity = CANNOT if refusal.code in ("HEAD_UNSIGNED", "HEAD_KEY") and journal.critical else ALTERED
            if refusal.code == "E_LOG_FORK":
                severity = FORKED
            self._find(severity, refusal.code, refusal.words, place)
            return
        if kind != PUBLISHED:
            self.held.append(Held(index, size, kind, place))

    def _seen(self, note, size, index):
        if self.witnesses is not None and self.witnesses.saw(note) is not None:
            self.seen.append((size, self.witnesses.saw(note), index))

    def judge_anchored(self):
        """6.7, of a ledger: asked where witnesses were given. The newest head that a quorum of them saw counts."""
        if self.witnesses is None or not self.witnesses.keys:
            return
        self.report.check("anchored", "a quorum of the given witnesses cosigned a head that is kept")
        self.report.ok("anchored")
        counts = [(size, at) for size, at, index in self.seen if index is None or any(head.index == index for head in self.held)]
        if counts:
            size, self.report.anchored_ms = max(counts)
            self.report.checks["anchored"].extra = "size %d, %s" % (size, when(self.report.anchored_ms))
        else:
            self.report.find("anchored", NOT_ANCHORED, "NO_QUORUM", "no quorum of the given witnesses cosigned a head that is kept")

    def _find(self, severity, code, words, place):
        self.report.find("anchors", severity, code, words, place[0].label, place[1], place[2])

    @staticmethod
    def _head(journal, raw):
        """Size and root of a head of this log, whatever becomes of its key later."""
        checkpoint = Checkpoint(Note(raw))
        if checkpoint.origin != journal.keys.origin:
            raise Refusal("HEAD_ORIGIN", "head of another origin: %s" % checkpoint.origin[:200])
        journal.keys.verify_head(checkpoint.note, checkpoint.size)
        return checkpoint.size, checkpoint.root

    def _cosigned(self, keys, note, texts):
        for text in texts:
            try:
                name, public = parse_vkey(text, NOTE_COSIGNATURE, "a cosigner's key (type 4)")
            except Refusal as refusal:
                raise Refusal("ANCHOR_KEY", refusal.words) from None
            if not is_public_key(public):
                raise Refusal("ANCHOR_KEY", "the verifier key of %s is no Ed25519 key, or one of small order" % name)
            if any(public == term.key for term in keys.terms[CHECKPOINT]):
                raise Refusal("ANCHOR_KEY", "%s cosigns with a checkpoint key of the log" % name)
            if not note.is_cosigned(name, public):
                raise Refusal("ANCHOR_COSIGNATURE", "the cosignature of %s is not there, or does not hold" % name)
        self.cosigners.update(texts)

    @staticmethod
    def _timestamped(body):
        if len(Note(body[0]).signatures) != 1:
            raise Refusal("ANCHOR_SIGNATURES", "the head that was time-stamped has other signatures too")
        digest, moment = token_says(body[1])
        if digest != sha256(body[0]):
            raise Refusal("ANCHOR_IMPRINT", "the time-stamp is one of something else")
        if moment != body[2]:
            raise Refusal("ANCHOR_TIME", "the entry tells %d ms, its time-stamp %d" % (body[2], moment))

    def _compare(self, journal, size, root, kind):
        own = journal.root_at(size)
        if own is None:
            self.not_compared += 1
        elif own != root and kind == PUBLISHED:
            raise Refusal("ANCHOR_ROOT", "another root than this log has at size %d was published" % size)
        elif own != root:
            raise Refusal("E_LOG_FORK", "others hold a head of %d entries with another root" % size)

    # Beside the head. They are read before the journal, for the reason that the head is.

    def read(self, folder):
        self.with_state = True
        for name in ("newest.note", "ahead.note"):
            label = "state/anchors/" + name
            try:
                self.files.append((name, label, Checkpoint(Note(read_bounded(os.path.join(folder, name), MAX_NOTE_BYTES)))))
            except (FileNotFoundError, NotADirectoryError):
                pass
            except Refusal as refusal:
                self.report.ok("anchors")
                self.report.find("anchors", ALTERED, "ANCHOR_SHAPE", refusal.words, label)
            except OSError as trouble:
                self.report.ok("anchors")
                self.report.find("anchors", CANNOT, "ANCHOR_UNREAD", str(trouble), label)

    def _file(self, name, label, checkpoint, journal):
        self.report.ok("anchors")
        fault = self._file_fault(checkpoint, journal)
        if fault is not None:
            severity, code, words = fault
            known = min(checkpoint.size, journal.count)
            self.report.find("anchors", severity, code, words, label, None, known - 1 if known else None)
        elif name == "ahead.note":
            self.report.find("anchors", INFO, "ANCHOR_REACHED", "others held a head of %d entries that this log did not have, and has now"
                             % checkpoint.size, label)

    def _file_fault(self, checkpoint, journal):
        size, entries = checkpoint.size, journal.count
        if journal.keys is None:
            return CANNOT, "ANCHOR_UNCHECKED", "no genesis, so no key to check the head with"
        try:
            if checkpoint.origin != journal.keys.origin:
                raise Refusal("HEAD_ORIGIN", "head of another origin: %s" % checkpoint.origin[:200])
            journal.keys.verify_head(checkpoint.note, size)
            journal.keys.counts(size)
        except Refusal as refusal:
            if refusal.code == "HEAD_REVOKED":
                return INFO, refusal.code, refusal.words + "; it is as if it were not there"
            doubted = refusal.code in ("HEAD_UNSIGNED", "HEAD_KEY") and journal.critical
            return CANNOT if doubted else ALTERED, refusal.code, refusal.words
        if entries < size:
            return (journal.loss_is(size), "E_LOG_ROLLBACK",
                    "others hold a head of %d entries that this log signed, the journal holds %d" % (size, entries))
        own = journal.root_at(size)
        if own is None:
            return CANNOT, "HEAD_NOT_COMPARED", "root at size %d could not be computed from the damaged journal" % size
        if own != checkpoint.root:
            return FORKED, "E_LOG_FORK", "others hold a head of %d entries with another root, which this log signed" % size
        try:
            self._seen(checkpoint.note, size, None)
        except Refusal as refusal:
            return ALTERED, refusal.code, refusal.words
        return None

    # When all of the log was read.

    def finish(self, journal):
        kept = []
        for head in self.held:
            try:
                journal.keys.counts(head.size)
                kept.append(head)
            except Refusal as refusal:
                self._revoked(journal, head, refusal)
        self.held = kept
        for file in self.files:
            self._file(*file, journal)
        check = self.report.checks["anchors"]
        if check.count == 0:
            self.report.skip("anchors", self.WHAT, "no entry%s keeps one" % (" and no file of the state folder" if self.with_state else ""))
            return
        if self.counted.get(ANCHOR_TIMESTAMPED):
            self.report.find("anchors", INFO, "TOKENS_UNSIGNED", "%d time-stamps: digest and time are compared, signatures and certificates "
                             "are not checked here (chapter 5.6 says how)" % self.counted[ANCHOR_TIMESTAMPED])
        if self.cosigners:
            self.report.facts["cosigners"] = [visible(key) for key in sorted(self.cosigners)[:MAX_COSIGNERS_SHOWN]]
        check.extra = "%d cosigned by %d keys, %d time-stamped, %d published%s%s" % (
            self.counted.get(ANCHOR_COSIGNED, 0), len(self.cosigners), self.counted.get(ANCHOR_TIMESTAMPED, 0), self.counted.get(PUBLISHED, 0),
            "".join(", %s" % name for name, _, _ in self.files),
            ", %d not compared after damage" % self.not_compared if self.not_compared else "")

    def _revoked(self, journal, head, refusal):
        """4.5: before the log knew that the key was in wrong hands, it kept what it must not keep after."""
        since, at = journal.keys.in_force(CHECKPOINT, head.size).revoked
        if head.index > at:
            self._find(ALTERED, refusal.code, refusal.words, head.place)
        else:
            self._find(GAP, refusal.code, "a head of %d entries proves nothing: the key that signed it was revoked from #%d on"
                       % (head.size, since), head.place)

    def proves(self, kind, revoked):
        """Entries below this index were held by others before a key was revoked, by heads that entries of this kind keep."""
        since, at = revoked
        return max((head.size for head in self.held if head.kind == kind and head.index < at and head.size <= since), default=0)


def judge_revoked(report, keys, anchors, tapes):
    """4.5: what a recorder's key signed that was revoked later. After the anchors, which say what of it counts."""
    if keys is None:
        return
    worth = {term: [anchors.proves(kind, term.revoked) for kind in (ANCHOR_COSIGNED, ANCHOR_TIMESTAMPED)]
             for term in keys.terms[RECORDER] if term.revoked is not None}
    for tape in tapes if worth else ():
        term = keys.in_force(RECORDER, tape.entry)
        if not tape.signed or term not in worth:
            continue
        cosigned, stamped = worth[term]
        name = tape_name(tape.tape_id)
        if tape.entry >= term.revoked[0]:
            report.find("statements", ALTERED, "STATEMENT_REVOKED", "the recorder's key of this statement was revoked from entry %d on"
                        % term.revoked[0], None, None, tape.entry, name)
        elif tape.entry >= cosigned:
            words = ("the recorder's key of this statement was revoked later, and no head that a witness cosigned before shows that "
                     "the entry was there")
            if tape.entry < stamped:
                words += "; a time-stamp may show it, whose signature is not checked here"
            report.find("statements", GAP, "STATEMENT_UNPROVED", words, None, None, tape.entry, name)


# ----------------------------------------------------------------------------------------------------------------------
# Keys that lost entries named (store-embedded, section 5): without them the heads of a log that lost its end are a stranger's.

class LostKeys:
    LABEL = "state/keys"

    def __init__(self, report):
        self.report = report
        self.raw = b""

    def read(self, state):
        """Before the journal, so that a running program cannot tell of entries that were not there yet."""
        try:
            self.raw = read_bounded(os.path.join(state, "keys"), MAX_KEY_CHANGES * 1024)
        except (OSError, Refusal):
            pass  # A copy: what it would tell is then not known, and the head shows it.

    def _rotations(self):
        """As far as the file can be read. Revocations are passed over: anybody can write one, but nobody a rotation who does not
        have the key that was named to follow."""
        raw, last = self.raw, 0
        while raw:
            try:
                item, end = cbor_prefix(raw)
            except CborError:
                return
            raw = raw[end:]
            if type(item) is not list or len(item) != 3 or not is_uint(item[0]) or item[0] <= last or type(item[2]) is not dict:
                return
            last, kind, body = item
            rules = KINDS[KEY_ROTATED][2]
            if kind == KEY_ROTATED and set(body) == set(rules) and all(rule(body[key]) for key, rule in rules.items()):
                yield last, body

    def learn(self, journal):
        if journal.keys is None or journal.damaged:
            return
        for index, body in self._rotations():
            if index < journal.count:
                continue
            try:
                journal.keys.rotate(index, body)
            except Refusal:
                return
            self.report.find(None, INFO, "KEY_LOST", "entry %d, which this log does not have, names a %s key that the one before named to follow"
                             % (index, ROLES[body[0]]), self.LABEL)


# ----------------------------------------------------------------------------------------------------------------------
# The statement of a successor in the state folder of a log that ended (chapter 4.6).

class Successor:
    LABEL = "state/successor.note"

    def __init__(self, report):
        self.report = report
        self.said = None

    def read(self, state):
        """Before the journal, for the reason that the head is."""
        try:
            raw = read_bounded(os.path.join(state, "successor.note"), MAX_NOTE_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return
        except Refusal as refusal:
            self._find(ALTERED, "SUCCESSION_SHAPE", refusal.words)
            return
        except OSError as trouble:
            self._find(CANNOT, "SUCCESSOR_UNREAD", str(trouble))
            return
        try:
            self.said = Succession(raw)
        except Refusal as refusal:
            self._find(ALTERED, refusal.code, refusal.words)

    def _find(self, severity, code, words):
        self.report.check("successor", "the log that goes on for this one")
        self.report.ok("successor")
        self.report.find("successor", severity, code, words, self.LABEL)

    def judge(self, journal):
        """After the journal, whose keys it needs, and before the heads, of which it excuses some."""
        said = self.said
        if said is None:
            return
        if journal.keys is None:
            self._find(CANNOT, "SUCCESSOR_UNCHECKED", "no genesis, so no key to check the statement with")
            return
        term = next((term for term in journal.keys.terms[CHECKPOINT] if (journal.keys.origin, term.key) == said.old), None)
        if term is None:
            is_doubted = said.old[0] == journal.keys.origin and journal.critical
            self._find(CANNOT if is_doubted else ALTERED, "SUCCESSOR_ANOTHER", "the statement is about another log: no checkpoint key of this one "
                       "is what it names for %s" % said.old[0][:200])
        elif not said.by_old:
            self._find(GAP, "SUCCESSOR_ALONE", "%s says that it goes on for this log, which did not sign that: it excuses nothing" % said.new[0][:200])
        elif term.revoked is not None:
            self._find(GAP, "SUCCESSOR_REVOKED", "%s says that it goes on for this log, by a key of it that was revoked: it excuses nothing"
                       % said.new[0][:200])
        elif term is not journal.keys.terms[CHECKPOINT][-1]:
            self._find(GAP, "SUCCESSOR_RETIRED", "%s says that it goes on for this log, by a key of it that was replaced: it excuses nothing"
                       % said.new[0][:200])
        else:
            self._ended(journal, said)

    def _ended(self, journal, said):
        own = journal.root_at(said.size) if said.size <= journal.count else said.root
        if own is None:
            self._find(CANNOT, "SUCCESSOR_NOT_COMPARED", "root at size %d could not be computed from the damaged journal" % said.size)
        elif own != said.root:
            self._find(FORKED, "E_LOG_FORK", "the log is said to have ended at a head of %d entries with another root, which it signed" % said.size)
        words = "ended by loss at %d, continued as %s" % (said.size, said.new[0])
        self._find(ENDED, "LOG_ENDED", words)
        self.report.facts["ended"] = words
        journal.ended_at = said.size


# ----------------------------------------------------------------------------------------------------------------------
# Files. Only regular files are opened: a pipe or a device in a hostile folder would hang the check or never end.

def open_regular(path, follow=False):
    """`follow`: a link is as good as the file, for what the auditor brings. In a ledger a link leads outside it."""
    if not stat.S_ISREG((os.stat if follow else os.lstat)(path).st_mode):
        raise Refusal("FILE_KIND", "not a regular file")
    return open(path, "rb")


def read_bounded(path, limit, follow=False):
    with open_regular(path, follow) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Refusal("FILE_LENGTH", "longer than %d bytes" % limit)
    return data


def is_zero(data):
    return data.count(0) == len(data)


def nonzero_end(data):
    """Where the last byte that is not zero ends."""
    return len(data.rstrip(b"\0"))


def list_numbered(folder, suffix):
    """Numbers from 1 that stand as names of eight digits, ascending."""
    names = sorted(os.listdir(folder))
    numbers = [int(name[:8]) for name in names if re.fullmatch("[0-9]{8}" + re.escape(suffix), name)]
    return [number for number in numbers if number]


def u32(data, at):
    return int.from_bytes(data[at:at + 4], "big")


def u64(data, at):
    return int.from_bytes(data[at:at + 8], "big")


# ----------------------------------------------------------------------------------------------------------------------
# Segments and groups, store-embedded sections 2 and 3.

SEGMENT_MAGIC = bytes.fromhex("494d545345470001")
GROUP_MAGIC = bytes.fromhex("494d544752500001")
GROUP_HEADER = 256
MAX_GROUP_ENTRIES = 1024
MAX_GROUP_BYTES = 8 << 20
FLAG_CLOSED = 1


class SegmentHeader:
    def __init__(self, raw):
        if raw[:8] != SEGMENT_MAGIC:
            raise Refusal("SEGMENT_HEADER", "header does not begin with IMTSEG, version 1")
        if sha256(raw[:480]) != raw[480:512]:
            raise Refusal("SEGMENT_HEADER", "hash of the header differs")
        if not is_zero(raw[152:480]):
            raise Refusal("SEGMENT_HEADER", "bytes 152 to 480 of the header are not zero")
        self.number, self.length, self.term, self.first = (u64(raw, at) for at in (8, 16, 24, 32))
        self.last_group = raw[40:72]
        self.previous_end = u64(raw, 72)
        self.torn_hash = raw[80:112]
        self.torn_bytes = u64(raw, 112)
        self.origin_hash = raw[120:152]


class Group:
    """The header of a group as it stands; nothing is believed before `hash_ok`."""

    def __init__(self, data, at):
        self.at = at
        self.magic_ok = data[at:at + 8] == GROUP_MAGIC and at + GROUP_HEADER <= len(data)
        raw = bytes(data[at:at + GROUP_HEADER]).ljust(GROUP_HEADER, b"\0")
        self.term, self.segment, self.offset, self.first = (u64(raw, pos) for pos in (8, 16, 24, 32))
        self.count, self.flags = u32(raw, 40), u32(raw, 44)
        self.record_bytes, self.size = u64(raw, 48), u64(raw, 56)
        self.root, self.previous, self.last_leaf = raw[64:96], raw[96:128], raw[128:160]
        self.zeros = raw[160:192]
        self.hash = raw[192:224]
        self.extent = (GROUP_HEADER + self.record_bytes + SECTOR - 1) // SECTOR * SECTOR
        self.fits = at + self.extent <= len(data)

    def could_be(self):
        """What every group header fulfils, whatever stands around it."""
        return (self.magic_ok and 1 <= self.count <= MAX_GROUP_ENTRIES and self.flags & ~FLAG_CLOSED == 0
                and self.zeros == ZERO32 and self.size == self.first + self.count and self.extent <= MAX_GROUP_BYTES)

    def place_ok(self, number):
        return self.magic_ok and self.segment == number and self.offset == self.at

    def hash_ok(self, data):
        if not (self.magic_ok and self.fits):
            return False
        view = memoryview(data)
        state = hashlib.sha256(view[self.at:self.at + 192])
        state.update(bytes(64))
        state.update(view[self.at + 256:self.at + self.extent])
        return state.digest() == self.hash

    def closed(self):
        return bool(self.flags & FLAG_CLOSED)


class SearchBudget(Exception):
    """A file full of group headers that are none may cost a bounded amount of hashing only."""


class Search:
    """Hashes groups of one segment. What hashes wrongly is paid from a budget: without one, headers that each claim the rest
    of the file would cost the square of its length."""

    def __init__(self, number):
        self.number = number
        self.budget = 8 * MAX_SEGMENT_BYTES

    def whole(self, data, group):
        """Whether a group stands where it says and has its hash."""
        if not (group.place_ok(self.number) and group.fits):
            return False
        if group.hash_ok(data):
            return True
        self.budget -= group.extent
        if self.budget < 0:
            raise SearchBudget()
        return False

    def following(self, data, start):
        """Offset of the next whole group, or None."""
        at = data.find(GROUP_MAGIC, start)
        while at >= 0:
            if at % SECTOR == 0 and self.whole(data, Group(data, at)):
                return at
            at = data.find(GROUP_MAGIC, at + 1)
        return None


class WantedSize:
    """What the journal says at a size that a head names."""

    def __init__(self):
        self.reached = False
        self.root = None
        self.group = 0
        self.group_term = 0


class SegmentFile:
    """A segment as it looks from outside: zero (prepared), torn at birth (header sector lost), begun, or damaged."""

    def __init__(self, number, path, label):
        self.number, self.path, self.label = number, path, label
        self.header, self.trouble = None, None
        with open_regular(path) as file:
            first = file.read(SECTOR)
            self.length = os.fstat(file.fileno()).st_size
            if is_zero(first):
                self.look = "zero" if self._rest_is_zero(file) else "torn"
                return
        self.look = "begun"
        try:
            self.header = SegmentHeader(first.ljust(SECTOR, b"\0"))
        except Refusal as refusal:
            self.look, self.trouble = "damaged", refusal

    @staticmethod
    def _rest_is_zero(file):
        while True:
            piece = file.read(PIECE_BYTES)
            if not piece:
                return True
            if not is_zero(piece):
                return False


class Log:
    """Entries one after another, keeping only what the next one needs: the last leaf, the hashes of the tree, the last leaf of each
    subject. Where they come from is for those who build on it."""

    CHECKS = (("genesis", "entry 0"), ("grammar", "grammar"), ("chain", "chain"), ("time", "time never falls"), ("subjects", "subject chains"),
              ("statements", "statements of the recorder"))

    def __init__(self, report, wanted_sizes, anchors=None):
        self.report = report
        self.anchors = anchors or Anchors(report)
        self.wanted = {size: WantedSize() for size in wanted_sizes}
        self.count = 0
        self.groups = 0
        self.last_leaf = ZERO32
        self.last_time = 0
        self.last_kind = None
        self.last_term = 0
        # What the group before said of its term and of its end, and the kinds of the present one.
        self.before = (0, False)
        self.kinds = []
        self.tree = Tree()
        # Entries from the first on that were read before anything was found damaged.
        self.sound = 0
        self.subjects = {}
        self.grants = {}
        self.genesis = None
        self.keys = None
        self.tapes = []
        self.lists = []
        self.saved = set()
        # Those saved in the group that is read now, of which kind 20 may follow.
        self.saved_now = (0, set())
        # Recordings: the entry that opened each, and the frames that its newest mark named.
        self.opened = {}
        self.marked = {}
        self.disposed = set()
        self.recovered = []
        self.unknown_kinds = {}
        self.critical = {}
        # After bytes that cannot be read: what hangs on them is not compared any more, and said to be so.
        self.damaged = False
        # Up to this size the log itself has said that entries of it are lost.
        self.ended_at = 0
        self.uncertain = False
        if 0 in self.wanted:
            self._reached(0)
        for name, what in self.CHECKS:
            report.check(name, what)

    def find(self, name, severity, code, words, segment=None, offset=None, entry=None, tape=None):
        self.report.find(name, severity, code, words, segment.label if segment else None, offset, entry, tape)
        if severity in (ALTERED, MISSING) and name in ("groups", "grammar", "chain", "tails"):
            self.damaged = True

    def _reached(self, size):
        wanted = self.wanted[size]
        wanted.reached, wanted.root = True, self.tree.root()
        wanted.group, wanted.group_term = self.groups, self.last_term

    def loss_is(self, size):
        """How grave it is that the log does not reach a head of this size. A journal cut short by damage is damaged, not put back;
        without damage whole groups were taken away."""
        if size <= self.ended_at:
            return GAP
        return ALTERED if self.damaged else ROLLED

    def root_at(self, size):
        """Of the first so many entries; None where damage makes it unknown."""
        return self.tree.root_at(size) if size <= self.sound else None

    # Entries ----------------------------------------------------------------------------------------------------------

    def _entry(self, segment, group, at, raw, sealed):
        index = self.count
        place = (segment, at, index)
        leaf = leaf_hash(raw)
        try:
            entry = Entry(raw)
        except Refusal as refusal:
            self.find("grammar", ALTERED, refusal.code, refusal.words, *place)
            self._advance(leaf, None)
            return
        except RecursionError:
            self.find("grammar", ALTERED, "ENTRY_CBOR", "nested too deep to be read", *place)
            self._advance(leaf, None)
            return
        self.report.ok("grammar")
        self._chain(entry, index, place)
        self._subject(entry, leaf, place)
        self._sealed(entry, sealed, place)
        if index == 0:
            self._entry_zero(entry, leaf, place)
        elif entry.kind == GENESIS:
            self.report.find("genesis", ALTERED, "GENESIS_TWICE", "a genesis that is not entry 0", segment.label, at, index)
        self._meaning(entry, group, place)
        self._advance(leaf, entry)

    def _grow(self, leaf):
        self.tree.push(leaf)

    def _advance(self, leaf, entry):
        self._grow(leaf)
        self.last_leaf = leaf
        self.last_kind = entry.kind if entry else None
        self.kinds.append(self.last_kind)
        self.count += 1
        if not self.damaged:
            self.sound += 1
        if self.count in self.wanted:
            self._reached(self.count)
            self.wanted[self.count].group_term = self.last_term
            if self.damaged:
                self.wanted[self.count].root = None

    def _chain(self, entry, index, place):
        if entry.index != index:
            self.find("chain", ALTERED, "ENTRY_INDEX", "entry says it is number %d" % entry.index, *place)
        if self.last_leaf is None:
            return
        if entry.previous != self.last_leaf:
            self.find("chain", ALTERED, "ENTRY_PREVIOUS",
                      "previous is not the leaf hash of entry %d" % (index - 1) if index else "previous of entry 0 is not zero",
                      *place)
        else:
            self.report.ok("chain")
        if entry.time < self.last_time:
            self.find("time", ALTERED, "ENTRY_TIME", "time falls from %d to %d" % (self.last_time, entry.time), *place)
        else:
            self.report.ok("time")
        self.last_time = entry.time

    def _subject(self, entry, leaf, place):
        seen, before = self.subjects.get(entry.subject, (0, ZERO32))
        if entry.subject_seq == 0 and entry.subject_prev != ZERO32:
            self.find("subjects", ALTERED, "SUBJECT_PREV", "subject_prev of a first entry is not zero", *place)
        elif entry.subject_seq == seen and entry.subject_prev == before:
            self.report.ok("subjects")
        elif not self.damaged:
            code, words = ("SUBJECT_SEQ", "subject_seq is %d, expected %d" % (entry.subject_seq, seen))
            if entry.subject_seq == seen:
                code, words = "SUBJECT_PREV", "subject_prev is not the leaf hash of the subject's last entry"
            self.find("subjects", ALTERED, code, words, *place)
        self.subjects[entry.subject] = (entry.subject_seq + 1, leaf)

    def _sealed(self, entry, sealed, place):
        if sealed is None:
            return
        if not sealed:
            self.find("sealed", MISSING, "SEALED_MISSING", "sealed private half is not there", *place)
        elif sha256(sealed) != entry.sealed_digest:
            self.find("sealed", ALTERED, "SEALED_DIGEST", "sealed private half differs from its digest", *place)
        else:
            self.report.ok("sealed")
            if not sealed_length_ok(len(sealed)):
                self.find("sealed", GAP, "SEALED_LENGTH", "%d bytes is no length of a sealed half" % len(sealed), *place)

    def _entry_zero(self, entry, leaf, place):
        if entry.kind != GENESIS:
            self.find("genesis", ALTERED, "GENESIS", "entry 0 is %s, not a genesis" % kind_name(entry.kind), *place)
            return
        self.genesis = Genesis(entry, leaf)
        self.keys = Keys(self.genesis)
        self.report.ok("genesis")
        facts = self.report.facts
        facts["ledger id"] = leaf.hex()
        facts["origin"] = self.genesis.origin
        facts["profile"] = self.genesis.profile
        facts["test"] = self.genesis.test

    # What an entry says of others: the text asks for no refusal here, so these are gaps, not alterations.

    def _meaning(self, entry, group, place):
        kind, body, index = entry.kind, entry.body, place[2]
        if kind not in KINDS:
            self._unknown_kind(kind, place)
        elif kind == TAPE_SAVED:
            self._saved(entry, place)
        elif kind in (TAPE_OPENED, RECORDING_MARK, TAPE_TRUNCATED):
            self._recording(entry, place)
        elif kind in GRANTING_KINDS:
            self.grants[index] = entry.subject[:8]
        elif kind == ACCESS_COMPLETED:
            if self.grants.pop(body[0], None) != entry.subject[:8] and not self.uncertain:
                self._odd("access.completed names entry %d, which is no open grant of this tape" % body[0], place)
        elif kind == RECOVERED:
            self.recovered.append((body[0], body[1], body[2], body[3], index))
        elif kind in (LOG_STARTED, LOG_STOPPED, LOG_UNCLEAN) and group is None:
            return
        elif kind in (LOG_STARTED, LOG_STOPPED) and body[0] != group.term:
            self._odd("%s names term %d in a group of term %d" % (kind_name(kind), body[0], group.term), place)
        elif kind == LOG_STOPPED and not group.closed():
            self._odd("log.stopped stands in a group that does not say so", place)
        elif kind == LOG_UNCLEAN and body[0] != self.before[0] and not self.uncertain:
            self._odd("log.unclean_stop names term %d, the group before is of term %d" % (body[0], self.before[0]), place)
        elif kind in (34, 35) and body[2] > index or kind == 38 and body[0] > index:
            self._odd("%s says it was asked at a size that the log did not have" % kind_name(kind), place)
        elif kind == 37 and not body[0] <= body[1] < index:
            self._odd("log.read names entries %d to %d" % (body[0], body[1]), place)
        elif kind >= ANCHOR_COSIGNED:
            self._outside(entry, place)
        if kind in DISPOSED_KINDS:
            self.disposed.add(entry.subject)
        if kind in (34, 35) and 3 in body:
            self.lists.append((index, body[3]))

    def _odd(self, words, place):
        self.find("grammar", GAP, "ENTRY_MEANING", words, *place)

    def _recording(self, entry, place):
        kind, subject, frames = entry.kind, entry.subject, entry.body[0]
        if kind == TAPE_OPENED:
            if entry.subject_seq:
                self._odd("tape.opened is not the first entry about its recording", place)
            self.opened.setdefault(subject, place[2])
            return
        if subject not in self.opened and not self.uncertain:
            self._odd("%s is about a recording that no entry opened" % kind_name(kind), place)
        if kind == RECORDING_MARK:
            if frames < self.marked.get(subject, 0):
                self._odd("recording.mark names %d frames, fewer than the mark before" % frames, place)
            self.marked[subject] = frames
            return
        if self.saved_now[0] != self.groups or subject not in self.saved_now[1]:
            self._odd("tape.truncated does not stand in the group of its tape.saved, behind it", place)
        if entry.body[1] != self.marked.get(subject, 0) and not self.uncertain:
            self._odd("tape.truncated says that the newest mark named %d frames, which it did not" % entry.body[1], place)

    def recording(self):
        """Recordings that are no tapes yet, and were not destroyed: the entry that opened each."""
        return {subject: index for subject, index in self.opened.items() if subject not in self.saved and subject not in self.disposed}

    def _outside(self, entry, place):
        """Changes of keys, and what others hold of the log."""
        kind, index = entry.kind, place[2]
        if kind == FORK_FOUND:
            self.report.find("anchors", INFO, "FORK_FOUND", "the log says itself that others hold another one that it signed",
                             place[0].label, place[1], index)
        elif kind == SUCCESSION:
            self._succession(entry, place)
        elif kind not in (ANCHOR_COSIGNED, ANCHOR_TIMESTAMPED, PUBLISHED, KEY_ROTATED, KEY_REVOKED):
            return
        elif kind < CRITICAL_FROM and self.keys is not None:
            self.anchors.take(entry, self, place)
        elif kind < CRITICAL_FROM:
            self.report.ok("anchors")
            self.report.find("anchors", CANNOT, "ANCHOR_UNCHECKED", "no genesis, so no key to check the head with",
                             place[0].label, place[1], index)
        else:
            self._key_change(entry, place)

    def _succession(self, entry, place):
        segment, at, index = place
        self.report.check("succession", "the log before this one is what entry 0 and both logs say")
        self.report.ok("succession")
        if self.genesis is None:
            self.report.find("succession", CANNOT, "SUCCESSION_UNCHECKED", "no genesis, so no log before this one is known", segment.label, at, index)
            return
        try:
            said = Succession(entry.body[0])
            said.check(self.genesis)
        except Refusal as refusal:
            self.report.find("succession", ALTERED, refusal.code, refusal.words, segment.label, at, index)
            return
        self.report.checks["succession"].extra = "goes on for %s from %d entries on, %s" % (
            said.old[0][:200], said.size, "which signed it" if said.by_old else "which did not sign it")
        if not said.by_old:
            self.report.find("succession", INFO, "SUCCESSION_ONE_SIDED", "the old log did not sign the statement: that this log goes on for "
                             "it is what this log says", segment.label, at, index)

    def _key_change(self, entry, place):
        segment, at, index = place
        self.report.check("key history", "keys are replaced and revoked by the rules of 4.5")
        self.report.ok("key history")
        if self.keys is None:
            self.report.find("key history", CANNOT, "KEY_UNCHECKED", "no genesis, so nothing is known of the keys before",
                             segment.label, at, index)
            return
        try:
            self.keys.take(index, entry)
        except Refusal as refusal:
            self.report.find("key history", ALTERED, refusal.code, refusal.words, segment.label, at, index)

    def _unknown_kind(self, kind, place):
        self.unknown_kinds[kind] = self.unknown_kinds.get(kind, 0) + 1
        if kind >= CRITICAL_FROM and kind not in self.critical:
            self.critical[kind] = place[2]
            self.find("grammar", CANNOT, "CRITICAL_KIND", "kind %d is critical and not known here: what follows may mean "
                      "something else than this check takes it for" % kind, *place)

    def _saved(self, entry, place):
        segment, at, index = place
        if self.genesis is None:
            self.report.find("statements", CANNOT, "STATEMENT_UNCHECKED", "no genesis, so no key to check the statement with",
                             segment.label, at, index)
            return
        try:
            statement = Statement(entry.body[0])
        except Refusal as refusal:
            self.report.find("statements", ALTERED, refusal.code, refusal.words, segment.label, at, index)
            return
        tape, signed = tape_name(statement.payload), False
        try:
            statement.check(self.genesis, self.keys.in_force(RECORDER, index), entry.subject)
            self.report.ok("statements")
            signed = True
        except Refusal as refusal:
            # A critical kind that is not known here may have changed the key: with one in the log it cannot be judged.
            severity = CANNOT if refusal.code == "STATEMENT_KEY" and self.critical else ALTERED
            self.report.find("statements", severity, refusal.code, refusal.words, segment.label, at, index, tape)
        if entry.subject in self.saved:
            self.find("statements", ALTERED, "SAVED_TWICE", "a second tape.saved of one custody id", segment, at, index, tape)
        self.saved.add(entry.subject)
        if self.saved_now[0] != self.groups:
            self.saved_now = (self.groups, set())
        self.saved_now[1].add(entry.subject)
        self.tapes.append(SavedTape(index, entry.subject, statement.payload, statement.manifest, entry.body[1], signed))


class Journal(Log):
    """One pass over all segments."""

    CHECKS = (("segments", "headers, order, lengths"), ("tails", "zero, torn bytes named"), ("groups", "hash, place, chain, terms"),
              ("roots", "tree root after each group")) + Log.CHECKS[:-1] + (("sealed", "sealed halves have their digests"), Log.CHECKS[-1])

    def __init__(self, report, folder, wanted_sizes, reopened=False, anchors=None):
        super().__init__(report, wanted_sizes, anchors)
        self.folder = folder
        # The head says `open`: the ledger was opened again after what the last group may say.
        self.reopened = reopened
        self.last_group = ZERO32
        self.last_closed = False
        self.previous_end = 0
        self.tears = []
        self.origin_hashes = []
        self.root_wrong = False
        self.lost_place = False
        self.open_tear = None
        self.lower_tears = []
        self.search = None
        self.present = False

    # Segments ---------------------------------------------------------------------------------------------------------

    def scan(self):
        if not os.path.isdir(self.folder):
            self.report.find("segments", CANNOT, "JOURNAL_ABSENT", "no journal folder here", file="journal")
            return
        numbers = list_numbered(self.folder, ".seg")
        self.present = bool(numbers)
        self._missing_numbers(numbers)
        files = self._look_at(numbers)
        prepared = 0
        while files and files[-1].look == "zero":
            self._length(files.pop())
            prepared += 1
        begun = len(files)
        expected = 1
        for position, segment in enumerate(files):
            if segment.number != expected:
                self.lost_place = self.damaged = True
            expected = segment.number + 1
            following = files[position + 1] if position + 1 < len(files) else None
            try:
                self._segment(segment, following)
            except SearchBudget:
                self.find("groups", ALTERED, "GROUP_FLOOD", "more false group headers than can be looked at", segment)
                self.lost_place = True
            except (Refusal, OSError) as trouble:
                self.find("segments", CANNOT, "SEGMENT_UNREAD", str(trouble), segment)
                self.lost_place = self.damaged = True
        if prepared > 1:
            self.report.find("segments", ALTERED, "SEGMENT_PREPARED", "%d prepared segments, at most one stands" % prepared)
        self._finish(begun, prepared)

    def _missing_numbers(self, numbers):
        expected = 1
        for number in numbers:
            if number > expected:
                span = "%08d" % expected if number == expected + 1 else "%08d to %08d" % (expected, number - 1)
                self.report.find("segments", MISSING, "SEGMENT_MISSING", "segment %s is not there" % span, file="journal")
            expected = number + 1

    def _look_at(self, numbers):
        files = []
        for number in numbers:
            name = "%08d.seg" % number
            try:
                files.append(SegmentFile(number, os.path.join(self.folder, name), "journal/" + name))
            except (Refusal, OSError) as trouble:
                self.report.find("segments", CANNOT, "SEGMENT_UNREAD", str(trouble), file="journal/" + name)
                self.damaged = self.lost_place = True
        return files

    def _length(self, segment):
        length = segment.length
        if not MIN_SEGMENT_BYTES <= length <= MAX_SEGMENT_BYTES or length & (length - 1):
            self.find("segments", ALTERED, "SEGMENT_LENGTH",
                      "length %d is not a power of two from 1 MiB to 64 MiB" % length, segment)

    def _segment(self, segment, following):
        self._length(segment)
        data = read_bounded(segment.path, MAX_SEGMENT_BYTES)
        used = nonzero_end(data)
        self.search = Search(segment.number)
        successor = None
        if following is not None and following.number == segment.number + 1 and following.header is not None:
            successor = following.header
        self.report.ok("segments")
        if segment.look == "zero":
            self.find("segments", ALTERED, "SEGMENT_EMPTY", "zero throughout, but a later segment is begun", segment, 0)
            return
        if segment.look == "torn":
            self._tail(segment, data, 0, used, following, successor)
            self.previous_end = 0
            return
        if segment.header is None:
            self.find("segments", ALTERED, segment.trouble.code, segment.trouble.words, segment, 0)
            self.lost_place = True
        else:
            self._segment_header(segment, segment.header)
            # An entry of this segment's first group admits them, as it does the one that the header names.
            self.tears += self.lower_tears
            self.lower_tears = []
        end = self._groups(segment, data, used, following, successor)
        self._tail(segment, data, end, used, following, successor)
        self.previous_end = end

    def _segment_header(self, segment, header):
        first = segment.number == 1
        self.origin_hashes.append((segment, header.origin_hash))
        rules = [
            (header.number == segment.number, "SEGMENT_NUMBER", "header says segment %d" % header.number),
            (header.length == segment.length, "SEGMENT_LENGTH",
             "header says %d bytes, the file has %d" % (header.length, segment.length)),
            (header.term >= self.last_term, "SEGMENT_TERM", "term falls from %d to %d" % (self.last_term, header.term)),
        ]
        if first:
            rules.append((header.torn_bytes == 0 and header.torn_hash == ZERO32, "SEGMENT_TEAR",
                          "segment 1 names a tear before it"))
        if not self.lost_place:
            rules += [
                (header.first == self.count, "SEGMENT_INDEX",
                 "header says first entry %d, expected %d" % (header.first, self.count)),
                (header.last_group == self.last_group, "SEGMENT_CHAIN", "hash of the last group before differs"),
                (header.previous_end == self.previous_end, "SEGMENT_PREVIOUS_END",
                 "header says the previous segment ends at %d, it ends at %d" % (header.previous_end, self.previous_end)),
            ]
        for good, code, words in rules:
            if not good:
                self.find("segments", ALTERED, code, words, segment, 0)
        # Entries that stood between what was read and this segment are not here.
        if header.first > self.count and not self.lost_place:
            self.lost_place = True

    # Groups -----------------------------------------------------------------------------------------------------------

    def _groups(self, segment, data, used, following, successor):
        """Walks the groups of one segment and returns where the last one ends."""
        at = SECTOR
        while at < used:
            group = Group(data, at)
            if self.search.whole(data, group):
                self._group(segment, data, group)
                at += group.extent
                continue
            if self._may_be_tail(segment, data, at, used, following, successor):
                return at
            at = self._damage(segment, data, at, used, group)
        return min(at, len(data))

    def _may_be_tail(self, segment, data, at, used, following, successor):
        if successor is not None:
            # The next header says where this segment ends, or that its own first entry and group follow what was read so far.
            return (successor.previous_end == at and successor.torn_bytes > 0
                    or successor.first == self.count and successor.last_group == self.last_group)
        if following is None or following.look == "torn":
            return self._tear(segment, data, at, used, following is not None)[1] is None
        return False

    def _damage(self, segment, data, at, used, group):
        """Bytes that are no group and no tear. Tells which entries they held, as far as that can be seen, and returns where to
        go on: after the group, where its header still says how long it is; else at the next whole group."""
        plausible = (group.magic_ok and group.fits and 1 <= group.count <= MAX_GROUP_ENTRIES
                     and group.record_bytes <= MAX_SEGMENT_BYTES and group.first == self.count and not self.lost_place)
        if plausible:
            self.find("groups", ALTERED, "GROUP_HASH",
                      "hash or place of the group with entries %d to %d is wrong"
                      % (group.first, group.first + group.count - 1), segment, at, group.first)
            self._group(segment, data, group)
            return at + group.extent
        following = self.search.following(data, at + SECTOR)
        if following is None:
            self.find("tails", ALTERED, "TAIL_DAMAGE", "bytes after the last whole group are neither zero nor a tear: %s"
                      % (self._tear(segment, data, at, used, False)[1] or "a later segment follows"), segment, at, self.count)
            self.lost_place = True
            return len(data)
        ahead = Group(data, following)
        self.find("groups", ALTERED, "GROUP_LOST", "bytes %d to %d are no group; entries %d to %d cannot be read"
                  % (at, following, self.count, ahead.first - 1), segment, at, self.count)
        self.lost_place = True
        return following

    def _group(self, segment, data, group):
        at = group.at
        self.groups += 1
        if self.lost_place:
            self._resume(segment, group)
        rules = [
            (group.term >= self.last_term, "GROUP_TERM", "term falls from %d to %d" % (self.last_term, group.term)),
            (1 <= group.count <= MAX_GROUP_ENTRIES, "GROUP_COUNT", "%d entries in one group" % group.count),
            (group.flags & ~FLAG_CLOSED == 0, "GROUP_FLAGS", "unknown flags 0x%x" % group.flags),
            (group.size == group.first + group.count, "GROUP_SIZE",
             "tree size %d is not first index %d and %d entries" % (group.size, group.first, group.count)),
            (group.zeros == ZERO32, "GROUP_ZERO", "bytes 160 to 192 are not zero"),
            (group.previous == self.last_group, "GROUP_CHAIN", "hash of the group before differs"),
            (group.first == self.count, "GROUP_INDEX", "first index %d, expected %d" % (group.first, self.count)),
        ]
        if segment.header is not None:
            rules.append((group.term >= segment.header.term, "GROUP_TERM", "term is lower than that of the segment"))
        for good, code, words in rules:
            if not good:
                self.find("groups", ALTERED, code, words, segment, at, self.count)
        if self.last_closed and group.term == self.last_term:
            self.find("groups", GAP, "GROUP_AFTER_CLOSE", "a group follows in a term that was closed in order", segment, at)
        self.before, self.kinds = (self.last_term, self.last_closed), []
        self.last_term, self.last_group, self.last_closed = group.term, group.hash, group.closed()
        self._records(segment, data, group)
        self._term_begins(segment, group)
        self._after_group(segment, group)
        self.report.ok("groups")

    def _resume(self, segment, group):
        """The first group after a hole: what it says about itself is the only place to go on from."""
        if group.first > self.count:
            self.find("chain", MISSING, "ENTRIES_MISSING",
                      "entries %d to %d are not there" % (self.count, group.first - 1), segment, group.at, self.count)
        elif group.first < self.count:
            self.find("groups", ALTERED, "GROUP_INDEX", "first index falls from %d to %d" % (self.count, group.first),
                      segment, group.at, group.first)
        self.count = group.first
        self.last_group = group.previous
        self.last_leaf = None
        self.uncertain = True
        self.lost_place = False

    def _records(self, segment, data, group):
        position = group.at + GROUP_HEADER
        end = position + group.record_bytes
        for _ in range(min(group.count, MAX_GROUP_ENTRIES)):
            public, sealed = u32(data, position), u32(data, position + 4)
            following = position + 8 + public + sealed
            if position + 8 > end or following > end:
                self.find("groups", ALTERED, "GROUP_RECORDS", "record runs past the group", segment, position, self.count)
                self.lost_place = True
                return
            middle = position + 8 + public
            self._entry(segment, group, position, data[position + 8:middle], data[middle:following])
            position = following
        if position != end:
            self.find("groups", ALTERED, "GROUP_RECORDS", "bytes after the last record", segment, position, self.count)
        elif not is_zero(data[end:group.at + group.extent]):
            self.find("groups", ALTERED, "GROUP_PADDING", "padding after the records is not zero", segment, end)

    def _term_begins(self, segment, group):
        """Section 3: what the first group of a later term begins with. A departure is a gap, and no alteration."""
        term, closed = self.before
        if self.groups == 1 or group.term <= term or self.uncertain or self.damaged:
            return
        begins = [LOG_STARTED] if closed else [LOG_STARTED, LOG_UNCLEAN]
        rest = self.kinds[len(begins):]
        told = next((number for number, kind in enumerate(rest) if kind != RECOVERED), len(rest))
        if self.kinds[:len(begins)] != begins or LOG_UNCLEAN in rest or LOG_STARTED in rest or RECOVERED in rest[told:]:
            self.find("groups", GAP, "TERM_START", "term %d does not begin with %s, and then the torn places, each at its place"
                      % (group.term, " and ".join(kind_name(kind) for kind in begins)), segment, group.at)

    def _after_group(self, segment, group):
        if group.last_leaf != self.last_leaf:
            self.find("groups", ALTERED, "GROUP_LAST_LEAF", "leaf hash of the last entry differs", segment, group.at)
        # A ledger that was just made is closed by the group of its genesis.
        if group.closed() and self.last_kind not in (LOG_STOPPED, GENESIS):
            self.find("groups", GAP, "GROUP_CLOSED", "closed in order, but the last entry is no log.stopped", segment, group.at)
        # Once an entry is known to be wrong or absent every later root must differ; one finding says it all.
        if self.damaged or self.root_wrong:
            return
        if self.tree.root() != group.root:
            self.root_wrong = True
            self.find("roots", ALTERED, "ROOT", "tree root after entry %d differs" % (self.count - 1), segment, group.at,
                      self.count - 1)
        else:
            self.report.ok("roots")

    # Tails, section 4 -------------------------------------------------------------------------------------------------

    def _tail(self, segment, data, end, used, following, successor):
        self.report.ok("tails")
        if successor is not None and successor.previous_end == end and successor.torn_bytes:
            self._named_tear(segment, data, end, used, successor)
        elif used <= end:
            if successor is not None and (successor.torn_bytes or successor.torn_hash != ZERO32):
                self.find("tails", ALTERED, "TEAR_NAMED", "the next segment names torn bytes that are not here", segment, end)
        elif successor is None and (following is None or following.look == "torn"):
            length, trouble = self._tear(segment, data, end, used, following is not None)
            if trouble is None:
                self.find("tails", INFO, "TEAR", "%d torn bytes of a write that never counted" % length, segment, end)
                if following is None:
                    self.open_tear = (segment, end)
                else:
                    # The header that would have named it was torn itself.
                    self.lower_tears.append((segment.number, end, length, sha256(data[end:end + length])))
            else:
                self.find("tails", ALTERED, "TAIL_DAMAGE", "not a tear: %s" % trouble, segment, end, self.count)
        else:
            self.find("tails", ALTERED, "TAIL_NONZERO", "bytes after the last group that no header names", segment, end)

    def _named_tear(self, segment, data, end, used, successor):
        length = successor.torn_bytes
        if end + length > len(data) or length > MAX_GROUP_BYTES + SECTOR:
            self.find("tails", ALTERED, "TEAR_LENGTH", "the next segment names more torn bytes than there can be", segment, end)
            return
        torn = data[end:end + length]
        if sha256(torn) != successor.torn_hash:
            self.find("tails", ALTERED, "TEAR_HASH", "torn bytes differ from the hash in the next header", segment, end)
            return
        if used > end + length:
            self.find("tails", ALTERED, "TAIL_NONZERO", "bytes after the torn ones", segment, end + length)
        # "A tear that the next header names counts by its hash alone."
        self.tears.append((segment.number, end, length, successor.torn_hash))

    def _tear(self, segment, data, start, used, crashed_again):
        """Length of the write whose torn bytes begin at `start`, and the rule of section 4 that they break, or None.
        `crashed_again`: the next segment is torn at its own header, so only rules 1 to 4 can be asked."""
        own = start if segment.header is not None or start else SECTOR
        most = MAX_GROUP_BYTES + own - start
        length = used - start
        if self.last_closed and not self.reopened and not crashed_again:
            return length, "the last group was closed in order, and no head says that the ledger was opened again"
        if is_zero(data[own:own + SECTOR]):
            if length > most:
                return length, "more bytes follow than one group has"
        else:
            group = Group(data, own)
            term = max(self.last_term, segment.header.term if segment.header is not None else 0)
            if not (group.could_be() and group.place_ok(segment.number) and group.fits and group.first == self.count
                    and group.previous == self.last_group and group.term >= term):
                return length, "its first sector is neither zero nor the header of the next group"
            length = own + group.extent - start
            if used > start + length:
                return length, "bytes stand behind the extent of the torn group"
        if not self._has_zero_sector(data, start, start + length):
            return length, "no sector of it is zero"
        inner = self.search.following(data, start)
        if inner == own:
            inner = self.search.following(data, own + SECTOR)
        if inner is not None:
            return length, "a whole group stands at byte %d" % inner
        return length, None

    @staticmethod
    def _has_zero_sector(data, start, end):
        return any(data[at:at + SECTOR] == ZERO_SECTOR for at in range(start, end, SECTOR))

    # End --------------------------------------------------------------------------------------------------------------

    def _finish(self, begun, prepared):
        checks = self.report.checks
        if self.genesis is not None:
            for segment, digest in self.origin_hashes:
                if digest != self.genesis.origin_hash:
                    self.find("segments", ALTERED, "SEGMENT_ORIGIN", "header is of another origin", segment, 120)
        elif self.count:
            self.report.find("genesis", CANNOT, "GENESIS_UNREAD", "entry 0 was not read, so no key of this ledger is known")
        self._match_tears()
        if not self.count:
            self.report.find("grammar", CANNOT, "NO_ENTRIES", "no entry was read: nothing is proven", file="journal")
        checks["segments"].label = "segments 1..%d" % begun if begun else "segments"
        checks["segments"].extra = "%d begun, %d prepared" % (begun, prepared)
        checks["groups"].label = "groups 1..%d" % self.groups if self.groups else "groups"
        span = "entries 0..%d" % (self.count - 1) if self.count else "entries"
        for name in ("grammar", "chain", "time", "sealed"):
            checks[name].label = span
        checks["subjects"].label = span
        checks["subjects"].extra = "%d subjects" % len(self.subjects)
        checks["roots"].label = "groups"
        checks["roots"].extra = "%d roots%s" % (
            checks["roots"].count, ", none compared after the first damage" if self.damaged or self.root_wrong else "")
        checks["tails"].label = "segment tails"
        checks["tails"].extra = "%d tears named and recovered" % len(self.tears)
        checks["statements"].extra = "%d statements" % checks["statements"].count
        if "key history" in checks and self.keys is not None:
            checks["key history"].extra = "%d replaced, %d revoked" % (self.keys.rotations, self.keys.revocations)
        if self.unknown_kinds:
            kinds = ", ".join("kind %d: %d" % pair for pair in sorted(self.unknown_kinds.items())[:20])
            checks["grammar"].extra = "shown by number: " + kinds

    def _match_tears(self):
        told = {tuple(item[:4]): item[4] for item in self.recovered}
        for tear in self.tears:
            if told.pop(tear, None) is None and not self.damaged:
                self.report.find("tails", GAP, "RECOVERED_ABSENT", "%d torn bytes were dropped, but no entry says so" % tear[2],
                                 "journal/%08d.seg" % tear[0], tear[1])
        for tear, index in told.items():
            if not self.damaged:
                self.report.find("tails", GAP, "RECOVERED_UNKNOWN",
                                 "entry says that %d bytes were dropped, but no segment header names them" % tear[2],
                                 "journal/%08d.seg" % tear[0], tear[1], index)


# ----------------------------------------------------------------------------------------------------------------------
# Packs, store-embedded section 7.

PACK_MAGIC = bytes.fromhex("494d545041430001")
PACK_HEADER = 64
RECORD_MAGIC = b"IMTO"
RECORD_HEADER = 64
OBJECT, PROTECTED, DISCARDED = 1, 2, 3


class PackRecord:
    def __init__(self, raw):
        self.kind, self.mode = raw[4], raw[5]
        self.reserved = raw[6:8]
        self.until, self.length = u64(raw, 8), u64(raw, 16)
        self.digest = raw[24:56]

    def bytes_after(self):
        return self.length if self.kind == OBJECT else 0

    def trouble(self):
        if self.kind not in (OBJECT, PROTECTED, DISCARDED):
            return "record of unknown type %d" % self.kind
        if self.mode not in (1, 2):
            return "unknown protection mode %d" % self.mode
        if self.reserved != b"\0\0":
            return "bytes 6 and 7 of the record are not zero"
        return None


def read_record(raw):
    """The record whose header these 64 bytes are, or None."""
    if len(raw) < RECORD_HEADER or raw[:4] != RECORD_MAGIC or sha256(raw[:56])[:8] != raw[56:64]:
        return None
    return PackRecord(raw)


def record_at(file, at, size):
    """The whole record that stands at `at`, or None; and what is wrong with one whose check bytes are right."""
    file.seek(at)
    record = read_record(file.read(RECORD_HEADER))
    trouble = record.trouble() if record else None
    if record is None or trouble or at + RECORD_HEADER + record.bytes_after() > size:
        return None, trouble
    return record, None


def find_record(file, start, size):
    """Offset of the next whole record, or None. Reads in pieces, so a record across two is seen."""
    for at, record in records_anywhere(file, start, size):
        if record.trouble() is None and at + RECORD_HEADER + record.bytes_after() <= size:
            return at
    return None


def records_anywhere(file, start, size):
    """Every record header with right check bytes, wherever it stands."""
    at = start
    while at < size:
        file.seek(at)
        piece = file.read(PIECE_BYTES + RECORD_HEADER)
        hit = piece.find(RECORD_MAGIC)
        while 0 <= hit < PIECE_BYTES:
            record = read_record(piece[hit:hit + RECORD_HEADER])
            if record is not None:
                yield at + hit, record
            hit = piece.find(RECORD_MAGIC, hit + 1)
        at += PIECE_BYTES


def first_nonzero(file, start, size):
    """Where the first byte that is not zero stands, at `start` or after it, or None."""
    at = start
    while at < size:
        file.seek(at)
        piece = file.read(min(PIECE_BYTES, size - at))
        if not piece:
            return None
        if not is_zero(piece):
            return at + len(piece) - len(piece.lstrip(b"\0"))
        at += len(piece)
    return None


def holds_lost_sector(file, start, end):
    """A run of zeros that begins at `start` or on a 512-byte boundary and reaches to a boundary: a sector never written."""
    at = start
    while at < end:
        boundary = at // SECTOR * SECTOR + SECTOR
        if boundary > end:
            return False
        file.seek(at)
        if is_zero(file.read(boundary - at)):
            return True
        at = boundary
    return False


def last_nonzero(file, start, size):
    """Where the last byte that is not zero ends, at `start` or after it."""
    end, at = start, start
    while at < size:
        file.seek(at)
        piece = file.read(min(PIECE_BYTES, size - at))
        if not piece:
            break
        kept = len(piece.rstrip(b"\0"))
        if kept:
            end = at + kept
        at += len(piece)
    return end


def hash_range(file, start, length):
    """Digest of a range, and whether all of it is zero."""
    state, zero, left = hashlib.sha256(), True, length
    file.seek(start)
    while left:
        piece = file.read(min(PIECE_BYTES, left))
        if not piece:
            break
        zero = zero and is_zero(piece)
        state.update(piece)
        left -= len(piece)
    return state.digest(), zero


class Packs:
    """All records of all packs. In memory stays one small tuple an object, never its bytes."""

    def __init__(self, report, folder, genesis, has_tapes):
        self.report, self.folder, self.genesis, self.has_tapes = report, folder, genesis, has_tapes
        self.objects = {}
        self.damaged = {}
        self.zeroed = {}
        self.protections = {}
        self.discarded = {}
        self.raised = []
        self.referenced = set()
        self.unused = 0
        self.packs = 0
        self.numbers = []
        self.anywhere = None
        self.search_budget = 0
        report.check("packs", "headers")
        report.check("records", "records and object digests")

    def scan(self):
        if not os.path.isdir(self.folder):
            self.report.find("packs", GAP if self.has_tapes else INFO, "PACKS_ABSENT", "no packs folder here", file="packs")
            return
        numbers = list_numbered(self.folder, ".pack")
        for number, expected in zip(numbers, range(1, len(numbers) + 1)):
            if number != expected:
                self.report.find("packs", MISSING, "PACK_NUMBER", "pack %08d is not there" % expected, file="packs")
                break
        for number in numbers:
            label = "packs/%08d.pack" % number
            try:
                with open_regular(self._path(number)) as file:
                    self.numbers.append(number)
                    self._pack(number, file, label)
                    self.packs += 1
            except (Refusal, OSError) as trouble:
                self.report.find("packs", CANNOT, "PACK_UNREAD", str(trouble), label)
        self._finish()

    def _path(self, number):
        return os.path.join(self.folder, "%08d.pack" % number)

    def _pack(self, number, file, label):
        size = os.fstat(file.fileno()).st_size
        at = PACK_HEADER if self._pack_header(number, file.read(PACK_HEADER), label) else 0
        while at < size:
            record, trouble = record_at(file, at, size) if at else (None, None)
            if record is None:
                at = self._gap(file, at, size, label, trouble)
                continue
            self.report.ok("records")
            if record.kind == OBJECT:
                self._object(number, file, at, record, label)
            elif record.kind == PROTECTED:
                self.raised.append((record.digest, record.mode, record.until, label, at))
            elif record.kind == DISCARDED:
                self.discarded[record.digest] = (label, at)
            at += RECORD_HEADER + record.bytes_after()

    def _pack_header(self, number, header, label):
        """Whether records follow it. One that is not right and not zero is named with the bytes it spoils."""
        self.report.ok("packs")
        if len(header) < PACK_HEADER or header[:8] != PACK_MAGIC or header[48:64] != sha256(header[:48])[:16]:
            return False
        rules = (
            (u64(header, 8) == number, "PACK_NUMBER", "header says pack %d" % u64(header, 8)),
            (self.genesis is None or header[16:48] == self.genesis.origin_hash, "PACK_ORIGIN", "pack of another origin"),
        )
        for good, code, words in rules:
            if not good:
                self.report.find("packs", ALTERED, code, words, label, 0)
                break
        return True

    def _gap(self, file, at, size, label, trouble):
        """Bytes that belong to no whole record: tail, torn or damage. Returns where to go on."""
        first = first_nonzero(file, at, size)
        if first is None:
            return size
        following = find_record(file, max(first, at + 1), size)
        end = last_nonzero(file, at, size) if following is None else following
        if at == 0 and first < PACK_HEADER <= size:
            self.report.find("packs", ALTERED, "PACK_HEADER",
                             "header is neither zero nor right: it lies within one sector, which a crash keeps whole or leaves zero",
                             label, 0)
        elif trouble:
            self.report.find("records", ALTERED, "RECORD_FIELD", trouble, label, at)
        elif following is None or holds_lost_sector(file, at, end):
            self.unused += end - at
            self.report.find("records", INFO, "UNUSED_BYTES", "%d unused bytes of a write that was never acknowledged" % (end - at),
                             label, at)
        else:
            self.report.find("records", ALTERED, "PACK_DAMAGE", "bytes %d to %d are no record" % (at, following), label, at)
        return size if following is None else following

    def _object(self, number, file, at, record, label):
        start = at + RECORD_HEADER
        digest, zero = hash_range(file, start, record.length)
        if digest == record.digest:
            self.objects[digest] = (number, start, record.length)
            self._protect(digest, record.mode, record.until)
        else:
            # Damage only if something names it: until then it may be a write that was torn.
            (self.zeroed if zero else self.damaged)[record.digest] = (label, at)

    def _protect(self, digest, mode, until):
        old = self.protections.get(digest)
        if old is None or old[1] < until:
            self.protections[digest] = (mode, until)

    def _finish(self):
        find = self.report.find
        for digest, mode, until, label, at in self.raised:
            if digest not in self.objects and digest not in self.discarded:
                find("records", INFO, "PROTECTION_UNKNOWN", "protection of an object that no pack holds: %s" % digest.hex(), label, at)
                continue
            old = self.protections.get(digest, (mode, 0))
            if until < old[1] and until != 0 or (old[0] == 1 and mode == 2):
                find("records", INFO, "PROTECTION_LOWER", "a weaker protection, without effect: object %s" % digest.hex(), label, at)
            self._protect(digest, mode, until)
        for digest, (label, at) in self.discarded.items():
            if not any(digest in seen for seen in (self.objects, self.zeroed, self.damaged)):
                find("records", INFO, "DISCARD_UNKNOWN", "an object that no pack holds is discarded: %s" % digest.hex(), label, at)

    def tell_unnamed(self):
        """Objects that are not whole and that no tape names: said, and no fault."""
        zeroed = [item for item in self.zeroed.items() if item[0] not in self.discarded]
        for digest, (label, at) in list(self.damaged.items()) + zeroed:
            if digest not in self.objects and digest not in self.referenced:
                self.report.find("records", INFO, "OBJECT_TORN", "object %s, which no tape names, is not whole" % digest.hex(), label, at)

    def search(self, digest):
        """Looks for an object at every byte of the packs: a record with a false length hides what it covers."""
        if self.anywhere is None:
            self.anywhere = {}
            for number in self.numbers:
                with open_regular(self._path(number)) as file:
                    size = os.fstat(file.fileno()).st_size
                    self.search_budget += 8 * size
                    for at, record in records_anywhere(file, 0, size):
                        if record.kind == OBJECT and record.trouble() is None and at + RECORD_HEADER + record.length <= size:
                            self.anywhere.setdefault(record.digest, []).append((number, at + RECORD_HEADER, record.length))
        for number, start, length in self.anywhere.get(digest, ()):
            # Records that each claim the rest of a pack must not cost the square of its length.
            self.search_budget -= length
            if self.search_budget < 0:
                raise Refusal("PACK_FLOOD", "more records with one digest than can be looked at")
            with open_regular(self._path(number)) as file:
                if hash_range(file, start, length)[0] == digest:
                    self.objects[digest] = (number, start, length)
                    return True
        return False

    def read(self, digest, limit):
        """The bytes of an object, hashed again: the file may have changed since it was scanned."""
        number, start, length = self.objects[digest]
        if length > limit:
            raise Refusal("MANIFEST_LENGTH", "manifest of %d bytes is more than this check reads" % length)
        with open_regular(self._path(number)) as file:
            file.seek(start)
            data = file.read(length)
        if sha256(data) != digest:
            raise Refusal("OBJECT_DIGEST", "object %s changed while it was checked" % digest.hex())
        return data

    def where(self, digest):
        number, start, _ = self.objects[digest]
        return "packs/%08d.pack" % number, start - RECORD_HEADER


# ----------------------------------------------------------------------------------------------------------------------
# What a saved tape promises: manifest, tape root file, objects (chapters 2.3, 3.1, 3.2).

def root_file(raw):
    """2.3: header commitment, number of frames, tree root."""
    root = refused("ROOT_FILE", cbor_decode, raw)
    if not row_of(lambda v: v == "immutape/tape/1", b32, is_uint, b32)(root) or root[2] == 0 and root[3] != EMPTY_ROOT:
        raise Refusal("ROOT_FILE", "not a tape root file")
    return root[1:]


class Manifest:
    def __init__(self, raw):
        try:
            cbor_bounded(raw)
            items = cbor_decode(raw)
        except CborError as error:
            raise Refusal("MANIFEST_SHAPE", "manifest: %s" % error) from None
        if type(items) is not list or not items or items[0] != "immutape/manifest/1":
            raise Refusal("MANIFEST_SHAPE", "not an array that begins with immutape/manifest/1")
        if len(items) not in (4, 5):
            raise Refusal("MANIFEST_SHAPE", "manifest has %d items, not 4 or 5" % len(items))
        self.custody_id, self.root_file, self.objects = items[1:4]
        if not b32(self.custody_id) or not is_bytes(self.root_file) or type(self.objects) is not list:
            raise Refusal("MANIFEST_SHAPE", "custody id, tape root file or objects have a wrong type")
        for pair in self.objects:
            if type(pair) is not list or len(pair) != 2 or not b32(pair[0]) or not is_uint(pair[1]):
                raise Refusal("MANIFEST_SHAPE", "an object is not a digest and a length")
        if not self.objects:
            raise Refusal("MANIFEST_SHAPE", "manifest without a header object")
        self.stored = list(self.objects)
        if len(items) == 5:
            self._attachments(items[4])
        if len(self.stored) > MAX_MANIFEST_OBJECTS:
            raise Refusal("MANIFEST_SHAPE", "manifest of more than 2^20 objects")
        self.frames = root_file(self.root_file)[1]
        if self.frames > 0 and len(self.objects) < 2:
            raise Refusal("MANIFEST_SHAPE", "a tape of %d frames without a chunk" % self.frames)

    def _attachments(self, attachments):
        if type(attachments) is not list or not attachments:
            raise Refusal("MANIFEST_SHAPE", "attachments are no list, or an empty one")
        for attachment in attachments:
            if (type(attachment) is not list or len(attachment) != 3 or not is_uint(attachment[0])
                    or not is_uint(attachment[1]) or type(attachment[2]) is not list or not attachment[2]):
                raise Refusal("MANIFEST_SHAPE", "an attachment is not a kind, a length and its pieces")
            for pair in attachment[2]:
                if type(pair) is not list or len(pair) != 2 or not b32(pair[0]) or not is_uint(pair[1]):
                    raise Refusal("MANIFEST_SHAPE", "a piece of an attachment is not a digest and a length")
            self.stored += attachment[2]


class Tapes:
    def __init__(self, report, journal, packs):
        self.report, self.journal, self.packs = report, journal, packs
        self.whole = 0
        self.gone = 0
        report.check("tapes", "manifest, tape root, objects present with length and digest")

    def scan(self):
        for tape in self.journal.tapes:
            self.report.ok("tapes")
            try:
                self._tape(tape)
            except Refusal as refusal:
                self._find(tape, ALTERED, refusal.code, refusal.words, tape.manifest)
            except OSError as trouble:
                self._find(tape, CANNOT, "PACK_UNREAD", str(trouble), tape.manifest)
        for index, digest in self.journal.lists:
            self._list(index, digest)
        self.packs.tell_unnamed()
        check = self.report.checks["tapes"]
        check.extra = "%d tapes, %d whole, %d destroyed" % (check.count, self.whole, self.gone)
        orphans = sum(1 for digest in self.packs.objects
                      if digest not in self.packs.referenced and digest not in self.packs.discarded)
        records = self.report.checks["records"]
        records.extra = "%d packs, %d records, %d objects, %d orphans, %d discarded, %d unused bytes" % (
            self.packs.packs, records.count, len(self.packs.objects), orphans, len(self.packs.discarded), self.packs.unused)

    def _find(self, tape, severity, code, words, digest=None):
        file = offset = None
        if digest in self.packs.objects:
            file, offset = self.packs.where(digest)
        elif digest in self.packs.damaged or digest in self.packs.zeroed:
            file, offset = self.packs.damaged.get(digest) or self.packs.zeroed[digest]
        self.report.find("tapes", severity, code, words, file, offset, tape.entry, tape_name(tape.tape_id))

    def _list(self, index, digest):
        """The object that holds the ids of a long list or search: there, whole, and of a length that a sealed object has."""
        self.report.ok("tapes")
        self.packs.referenced.add(digest)
        if digest not in self.packs.objects and not self.packs.search(digest):
            altered = digest in self.packs.damaged or digest in self.packs.zeroed
            code = "OBJECT_ALTERED" if altered else "OBJECT_MISSING"
            self.report.find("tapes", ALTERED if altered else MISSING, code, "the ids that entry %d names are %s: %s"
                             % (index, "altered" if altered else "in no pack", digest.hex()), None, None, index)
        elif not object_length_ok(self.packs.objects[digest][2]):
            self.report.find("tapes", GAP, "OBJECT_SHAPE", "the ids that entry %d names have a length that no sealed object has"
                             % index, None, None, index)

    def _present(self, tape, digest, what):
        """Whether an object is there; if not, says so, unless the log says that the tape was destroyed. The vault's list of
        the dead excuses nothing: without its key anyone could have written it."""
        self.packs.referenced.add(digest)
        if digest not in self.packs.discarded and (digest in self.packs.objects or self.packs.search(digest)):
            return True
        if tape.custody_id in self.journal.disposed:
            return False
        if digest not in self.packs.discarded and (digest in self.packs.damaged or digest in self.packs.zeroed):
            self._find(tape, ALTERED, "OBJECT_ALTERED", "%s is altered" % what, digest)
        elif digest in self.packs.discarded:
            self._find(tape, MISSING, "OBJECT_DISCARDED", "%s was discarded, but no entry says that the tape was destroyed" % what)
        else:
            self._find(tape, MISSING, "OBJECT_MISSING", "%s is not in any pack: %s" % (what, digest.hex()))
        return False

    def _tape(self, tape):
        if not self._present(tape, tape.manifest, "the manifest"):
            self.gone += tape.custody_id in self.journal.disposed
            return
        manifest = Manifest(self.packs.read(tape.manifest, MAX_MANIFEST_BYTES))
        if manifest.custody_id != tape.custody_id:
            raise Refusal("MANIFEST_CUSTODY", "custody id of the manifest is not the subject of the entry")
        if sha256(manifest.root_file) != tape.tape_id:
            raise Refusal("MANIFEST_TAPE", "tape root file in the manifest does not have the tape id of the statement")
        seen, whole = set(), True
        for position, (digest, length) in enumerate(manifest.stored):
            what = "object %d" % position
            if digest in seen:
                self._find(tape, GAP, "OBJECT_TWICE", "%s stands twice in the manifest" % what, digest)
            seen.add(digest)
            if not self._present(tape, digest, what):
                whole = False
            elif self.packs.objects[digest][2] != length:
                whole = False
                self._find(tape, ALTERED, "OBJECT_LENGTH", "%s has %d bytes, the manifest says %d"
                           % (what, self.packs.objects[digest][2], length), digest)
            elif not object_length_ok(length):
                self._find(tape, GAP, "OBJECT_SHAPE", "%d bytes is no length of a sealed object" % length, digest)
        self.whole += whole


# ----------------------------------------------------------------------------------------------------------------------
# Head file, section 5.

HEAD_LABEL = "state/head"
NOT_SIGNED = ("HEAD_UNSIGNED", "HEAD_KEY", "HEAD_ORIGIN")


class Heads:
    """The heads that are compared with the log: read before the journal, so that a running program cannot make the log look
    shorter than its head."""

    def __init__(self, report):
        self.report = report
        self.heads = []
        self.state = None
        report.check("head", "signatures, size and root agree with the log")

    def read(self, path, label, whole):
        """`whole`: the file must be a head file of two notes; else one checkpoint note is enough."""
        try:
            notes = split_notes(read_bounded(path, MAX_HEAD_BYTES, not whole))
            if len(notes) != 2 and not (len(notes) == 1 and not whole):
                raise Refusal("NOTE", "%d notes in the head file, not 2" % len(notes))
            checkpoint = Checkpoint(Note(notes[0]))
            state = HeadState(Note(notes[1])) if len(notes) == 2 else None
            self.heads.append((label, checkpoint, state))
            if whole:
                self.state = state
        except FileNotFoundError:
            self.report.find("head", MISSING, "E_HEAD_MISSING", "no head file here", label)
        except Refusal as refusal:
            self.report.find("head", ALTERED, "HEAD_SHAPE", refusal.words, label)
        except OSError as trouble:
            self.report.find("head", CANNOT, "HEAD_UNREAD", str(trouble), label)

    def reopened(self):
        """Whether the head file says that the ledger was opened again."""
        return self.state is not None and self.state.state == "open"

    def sizes(self):
        return {checkpoint.size for _, checkpoint, _ in self.heads}

    def compare(self, journal):
        compared = 0
        for label, checkpoint, state in self.heads:
            self.report.ok("head")
            if journal.genesis is None:
                severity, code, words = self._no_genesis(journal, checkpoint)
                self.report.find("head", severity, code, words, label)
                continue
            try:
                self._signed(journal.keys, checkpoint, state)
            except Refusal as refusal:
                doubted = refusal.code in ("HEAD_UNSIGNED", "HEAD_KEY") and journal.critical
                # That the log did not sign what somebody else brings says nothing of the log.
                severity = CANNOT if doubted or label != HEAD_LABEL and refusal.code in NOT_SIGNED else ALTERED
                self.report.find("head", severity, refusal.code, refusal.words, label)
                if self.state is state:
                    self.state = None
                continue
            compared += 1
            self._agree(journal, checkpoint, state, label)
        check = self.report.checks["head"]
        if self.heads:
            check.extra = ", ".join("size %d%s" % (c.size, " " + s.state if s else "") for _, c, s in self.heads[:8])

    @staticmethod
    def _no_genesis(journal, checkpoint):
        if not journal.present and checkpoint.size:
            return MISSING, "E_LEDGER_MISSING", "the head names %d entries, but there is no journal" % checkpoint.size
        if journal.count == 0 and checkpoint.size and not journal.damaged:
            return ROLLED, "E_LOG_ROLLBACK", "the head names %d entries, the journal holds none (signature not checked)" % checkpoint.size
        return CANNOT, "HEAD_UNCHECKED", "no genesis, so no key to check the head with"

    @staticmethod
    def _signed(keys, checkpoint, state):
        if checkpoint.origin != keys.origin:
            raise Refusal("HEAD_ORIGIN", "head of another origin: %s" % checkpoint.origin[:200])
        keys.counts(checkpoint.size)
        keys.verify_head(checkpoint.note, checkpoint.size)
        if state is None:
            return
        if state.origin != keys.origin:
            raise Refusal("HEAD_ORIGIN", "second note is of another origin: %s" % state.origin[:200])
        keys.verify_head(state.note, checkpoint.size)
        if (state.size, state.root) != (checkpoint.size, checkpoint.root):
            raise Refusal("HEAD_NOTES_DIFFER", "the two notes of the head name different sizes or roots")

    def _agree(self, journal, checkpoint, state, label):
        entries, size = journal.count, checkpoint.size

        def find(severity, code, words):
            self.report.find("head", severity, code, words, label, None, min(size, entries) - 1 if min(size, entries) else None)

        if entries < size:
            words = "the head names %d entries, the journal holds %d" % (size, entries)
            if journal.open_tear is not None:
                find(INFO, "TEAR_SEEN", "the head names entries of the torn group: it is no write that never counted")
            find(journal.loss_is(size), "E_LOG_ROLLBACK", words)
            return
        wanted = journal.wanted[size]
        if not wanted.reached or wanted.root is None:
            find(CANNOT, "HEAD_NOT_COMPARED", "root at size %d could not be computed from the damaged journal" % size)
            return
        if wanted.root != checkpoint.root:
            find(FORKED, "E_LOG_FORK", "the signed head has another root at size %d" % size)
            return
        if state is not None:
            self._state(journal, wanted, entries, size, state, find)
        if entries > size:
            find(INFO, "HEAD_OLDER", "older but consistent: %d entries follow the head" % (entries - size))

    @staticmethod
    def _state(journal, wanted, entries, size, state, find):
        if state.term < wanted.group_term:
            find(ALTERED, "HEAD_TERM", "head names term %d, its last entry is of term %d" % (state.term, wanted.group_term))
        if entries == size:
            if state.state == "closed" and not journal.last_closed:
                find(GAP, "HEAD_CLOSED", "head says closed, the last group does not")
            return
        groups = journal.groups - wanted.group
        if state.state == "closed":
            find(ALTERED, "E_HEAD_STALE", "head says closed, but %d entries follow" % (entries - size))
        elif state.state == "open" and journal.last_closed:
            find(ALTERED, "E_HEAD_STALE", "the log was closed in order, but the head still says open")
        elif state.state == "closing" and not (groups == 1 and journal.last_kind == LOG_STOPPED):
            find(ALTERED, "E_HEAD_STALE", "head says closing, but more follows than the group with log.stopped")


# ----------------------------------------------------------------------------------------------------------------------
# The vault, section 6: what can be seen without a key.

SLOTS, SLOT_BYTES = 256, 144
WRAPPED_KEY_BYTES = 48


def _wrapped(value):
    return type(value) is list and len(value) == 2 and b16(value[0]) and is_bytes(value[1], WRAPPED_KEY_BYTES)


def _custody_wrapped(value):
    # key, class and month are wrapped together: 32 bytes, 3 to 137 of text and number, 16 of tag.
    return type(value) is list and len(value) == 2 and b16(value[0]) and is_bytes(value[1]) and 51 <= len(value[1]) <= 256


def _epoch_wrapped(value):
    return type(value) is list and len(value) == 3 and _wrapped(value[:2]) and value[2] in (0, 1) and type(value[2]) is int


class Generation:
    """The generation file: line, item, HMAC. The HMAC needs the vault root and is not checked here."""

    def __init__(self, raw):
        line, newline, rest = raw.partition(b"\n")
        match = re.fullmatch(rb"immutape vault 1 (0|[1-9][0-9]{0,19}) (0|[1-9][0-9]{0,19})", line)
        if not newline or not match:
            raise Refusal("VAULT_LINE", "first line of the generation file is malformed")
        try:
            items, end = cbor_prefix(rest)
        except CborError as error:
            raise Refusal("VAULT_SHAPE", "generation file: %s" % error) from None
        if len(rest) - end != 32:
            raise Refusal("VAULT_SHAPE", "%d bytes after the item, not the 32 of the HMAC" % (len(rest) - end))
        if type(items) is not list or len(items) != 11 or items[0] != "immutape/vault/1":
            raise Refusal("VAULT_SHAPE", "not an array of eleven items that begins with immutape/vault/1")
        self.generation, self.revision, self.origin, self.root_id, self.epochs = items[1:6]
        self.dead = items[10]
        rules = (
            (is_uint(self.generation) and is_uint(self.revision), "generation and revision"),
            (is_text(self.origin), "origin"),
            (b16(self.root_id), "root id"),
            (type(self.epochs) is list and all(_epoch_wrapped(epoch) for epoch in self.epochs), "epochs"),
            (all(_wrapped(key) for key in items[6:9]), "index, dedupe or journal key"),
            (type(items[9]) is list and all(_custody_wrapped(key) for key in items[9]), "custody keys"),
            (type(self.dead) is list and all(b32(item) for item in self.dead), "list of the dead"),
        )
        for good, what in rules:
            if not good:
                raise Refusal("VAULT_SHAPE", "%s in the generation file have a wrong shape" % what)
        if (int(match.group(1)), int(match.group(2))) != (self.generation, self.revision):
            raise Refusal("VAULT_LINE", "first line and item name different generations")
        ids = [epoch[0] for epoch in self.epochs]
        if len(set(ids)) != len(ids):
            raise Refusal("VAULT_SHAPE", "an epoch is listed twice")
        self.epoch_ids = ids


def slot_is_cut(at, raw):
    """A power cut keeps whole sectors: a cut slot straddles a boundary and is zero on exactly one side of it."""
    boundary = SECTOR - at % SECTOR
    return boundary < SLOT_BYTES and is_zero(raw[:boundary]) != is_zero(raw[boundary:])


class Vault:
    def __init__(self, report, folder):
        self.report, self.folder = report, folder
        self.generation = None
        self.digest = None
        self.dead = frozenset()
        self.custodies = set()
        self.torn = 0
        report.check("vault", "generation file and slots, structure only")

    def find(self, severity, code, words, name=None, offset=None):
        self.report.find("vault", severity, code, words, "vault/" + name if name else "vault", offset)

    def scan(self):
        if not os.path.isdir(self.folder):
            self.find(MISSING, "E_VAULT_MISSING", "no vault folder here")
            return
        try:
            raw = read_bounded(os.path.join(self.folder, "generation"), MAX_GENERATION_BYTES)
            # The head names the body; the line before it is the store's own and is repeated inside.
            self.digest = sha256(raw.partition(b"\n")[2])
            self.report.ok("vault")
            self.generation = Generation(raw)
            self.dead = frozenset(self.generation.dead)
        except FileNotFoundError:
            self.find(MISSING, "E_VAULT_MISSING", "no generation file", "generation")
        except Refusal as refusal:
            self.find(ALTERED, refusal.code, refusal.words, "generation", 0)
        except OSError as trouble:
            self.find(CANNOT, "VAULT_UNREAD", str(trouble), "generation")
        self._epoch_files()
        self.report.checks["vault"].extra = "%d epochs, %d keys of tapes, %d torn slots, HMAC and wrapped keys not checked" % (
            len(self.generation.epoch_ids) if self.generation else 0, len(self.custodies), self.torn)

    def _epoch_files(self):
        names = set(os.listdir(self.folder))
        if self.generation is not None:
            for epoch in self.generation.epoch_ids:
                if epoch.hex() not in names:
                    self.find(MISSING, "EPOCH_MISSING", "file of an epoch that the generation file lists is not there", epoch.hex())
        for name in sorted(names - {"generation"}):
            if not re.fullmatch("[0-9a-f]{32}", name):
                continue
            if self.generation is not None and bytes.fromhex(name) not in self.generation.epoch_ids:
                self.find(INFO, "EPOCH_UNLISTED", "an epoch file that the generation file does not list", name)
                continue
            try:
                self._slots(name, read_bounded(os.path.join(self.folder, name), SLOTS * SLOT_BYTES))
            except Refusal as refusal:
                self.find(ALTERED, "EPOCH_LENGTH", refusal.words, name)
            except OSError as trouble:
                self.find(CANNOT, "VAULT_UNREAD", str(trouble), name)

    def _slots(self, name, data):
        if len(data) != SLOTS * SLOT_BYTES:
            self.find(ALTERED, "EPOCH_LENGTH", "%d bytes, not 256 slots of 144" % len(data), name)
            return
        for slot in range(-(-nonzero_end(data) // SLOT_BYTES)):
            at = slot * SLOT_BYTES
            raw = data[at:at + SLOT_BYTES]
            self.report.ok("vault")
            check = sha256(b"immutape/vault-slot/1" + bytes.fromhex(name) + slot.to_bytes(4, "big") + raw[:112])
            if check == raw[112:]:
                if raw[:32] in self.custodies:
                    self.find(GAP, "SLOT_TWICE", "two slots hold the key of one tape", name, at)
                self.custodies.add(raw[:32])
            elif is_zero(raw):
                self.find(INFO, "SLOT_FREE", "slot %d is free, but a later one is not: a write that was never acknowledged" % slot, name, at)
            elif slot_is_cut(at, raw):
                self.torn += 1
                self.find(INFO, "SLOT_TORN", "slot %d is a torn write that was never acknowledged" % slot, name, at)
            else:
                self.find(ALTERED, "SLOT_DAMAGED", "slot %d is neither free nor right" % slot, name, at)

    def compare(self, journal, state):
        """The vault against the signed head and the log."""
        if self.generation is None:
            return
        if journal.genesis is not None and self.generation.origin != journal.genesis.origin:
            self.find(ALTERED, "VAULT_ORIGIN", "vault of another origin: %s" % self.generation.origin[:200], "generation")
            return
        if state is not None:
            self._against_head(state)
        for tape in journal.tapes:
            if tape.custody_id not in self.custodies and tape.custody_id not in journal.disposed:
                self.report.find("vault", MISSING, "TAPE_KEY_MISSING", "no slot holds the wrapped key of this tape",
                                 "vault/" + tape.epoch_id.hex(), None, tape.entry, tape_name(tape.tape_id))
            if tape.custody_id in self.dead and tape.custody_id not in journal.disposed:
                self.report.find("vault", GAP, "DEAD_UNTOLD", "the vault lists this tape as destroyed, the log does not",
                                 "vault/generation", None, tape.entry, tape_name(tape.tape_id))

        for custody, index in journal.recording().items():
            if live_key_id(custody) not in self.custodies:
                self.report.find("vault", MISSING, "RECORDING_KEY_MISSING", "no slot holds the wrapped key of the recording that "
                                 "entry %d opened: it can never be sealed" % index, "vault", None, index)

    def _against_head(self, state):
        ours = (self.generation.generation, self.generation.revision)
        named = (state.generation, state.revision)
        if ours < named:
            self.find(ROLLED, "VAULT_ROLLBACK", "vault is at %d.%d, the signed head names %d.%d" % (ours + named), "generation")
        elif ours == named and self.digest != state.vault_hash:
            self.find(ALTERED, "VAULT_DIGEST", "generation file differs from the digest in the signed head", "generation")
        elif ours > named:
            self.find(INFO, "VAULT_NEWER", "vault is newer than the head: %d.%d after %d.%d" % (ours + named), "generation")


# ----------------------------------------------------------------------------------------------------------------------
# Spools of recordings, store-embedded section 11. What stands in them needs keys; that each is there does not.

MAX_PIECE_BYTES = 32 << 20


def live_key_id(custody):
    label = b"immutape/live-key-id/1"
    return sha256(b"\x82" + bytes([0x60 + len(label)]) + label + b"\x58\x20" + custody)


def begins_whole(path):
    """Does a spool begin with a whole piece? It was durable before the log opened the recording."""
    with open_regular(path) as file:
        head = file.read(4)
        length = int.from_bytes(head, "big")
        if len(head) < 4 or length > MAX_PIECE_BYTES:
            return False
        piece = file.read(length + 8)
    return len(piece) == length + 8 and sha256(head + piece[:length])[:8] == piece[length:]


def check_recordings(report, ledger, journal):
    """Each recording that the log opened is a tape, was destroyed, or has its spool."""
    if not journal.opened:
        return
    waiting = journal.recording()
    report.check("recordings", "opened ones are tapes, or in the spool").extra = "%d, %d of them not sealed" % (len(journal.opened), len(waiting))
    report.ok("recordings", len(journal.opened))
    if journal.damaged:
        report.check("recordings", "").extra += ", none looked for after damage to the log"
        return
    missing = {}
    for custody, index in waiting.items():
        name = "spool/" + custody.hex()
        try:
            whole = begins_whole(os.path.join(ledger, name))
        except FileNotFoundError:
            missing[custody] = index
            continue
        except Refusal as refusal:
            report.find("recordings", ALTERED, "SPOOL_FILE", refusal.words, name, None, index)
            continue
        if not whole:
            report.find("recordings", ALTERED, "SPOOL_BEGINNING", "the spool does not begin with a whole piece, which was durable before "
                        "entry %d opened the recording" % index, name, 0, index)
        else:
            report.find("recordings", UNSEALED, "RECORDING_OPEN", "a recording was begun that is no tape yet", name, None, index)
    if missing:
        # Sealed while this was going on: its tape is in the log by now, for a spool goes after that.
        again = Journal(Report(), os.path.join(ledger, "journal"), ())
        again.scan()
        missing = {custody: index for custody, index in missing.items() if custody in again.recording()}
    for custody, index in missing.items():
        report.find("recordings", ALTERED, "RECORDING_LOST", "entry %d opened recording %s, and there is neither a tape of it nor its spool"
                    % (index, custody.hex()), "spool/" + custody.hex(), None, index)


# ----------------------------------------------------------------------------------------------------------------------
# Pinned keys: what the auditor brings, and the ledger cannot make up.

SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")


class Pin:
    def __init__(self, text):
        self.text = text
        self.name, self.key = None, None
        if re.fullmatch("[0-9a-fA-F]{64}", text):
            self.key = bytes.fromhex(text)
            return
        try:
            self.name, self.key = parse_vkey(text)
        except Refusal as refusal:
            self.key = self._from_file(text)
            if self.key is None:
                raise Refusal("PIN", "%s: neither 64 hexadecimal digits, a C2SP verifier key nor a public key file (%s)"
                              % (text, refusal.words)) from None

    def _from_file(self, path):
        """A file with one verifier key, or with a public key in PEM."""
        try:
            text = read_bounded(path, 65536, True).decode("ascii").strip()
        except (OSError, ValueError, Refusal):
            return None
        pem = re.fullmatch(r"-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----", text)
        try:
            if pem is None:
                self.name, key = parse_vkey(text)
                return key
            der = base64.b64decode("".join(pem.group(1).split()), validate=True)
        except (Refusal, ValueError):
            return None
        return der[12:] if len(der) == 44 and der.startswith(SPKI_ED25519) else None


def check_pins(report, pins, keys):
    """Both keys that this check uses must be pinned: the one that signs heads and the one that signs tapes. Any that the log had in
    that role will do (4.5): the older one vouches for those that followed."""
    if not pins:
        report.skip("keys", "pinned keys", "none given (--pub): the ledger vouches for its own keys")
        return
    report.check("keys", "pinned keys are this log's")
    if keys is None:
        report.find("keys", CANNOT, "PIN_UNCHECKED", "no genesis to compare the pinned keys with")
        return
    roles = {role: {known for term in terms for known in (term.key, term.thumbprint)} for role, terms in zip(ROLES[:2], keys.terms)}
    found = set()
    for pin in pins:
        report.ok("keys")
        # A key with a name signs heads; without one it, or its thumbprint, may be either's.
        matching = {role for role, known in roles.items() if pin.key in known and (pin.name is None or role == "checkpoint")}
        if not matching:
            report.find("keys", ALTERED, "PIN_DIFFERS", "pinned key is none of this ledger's keys: %s" % pin.text[:200])
        elif pin.name is not None and pin.name != keys.origin:
            report.find("keys", ALTERED, "PIN_NAME", "pinned key is named %s, the ledger's origin is another" % pin.name[:200])
        else:
            found |= matching
    report.checks["keys"].extra = ", ".join(sorted(found))
    report.pinned = {"checkpoint", "recorder"} <= found
    if not report.pinned and found:
        report.find("keys", INFO, "PIN_PARTLY", "only pinned: %s; both checkpoint and recorder key are needed" % ", ".join(sorted(found)))


# ----------------------------------------------------------------------------------------------------------------------
# What opened fields hold: frames and headers (chapter 2), private halves (4.4), personal statements (3.4).

MAX_PAYLOAD_BYTES = 16 << 20
MAX_ENVELOPE_BYTES = 1 << 20
MAX_HEADER_BYTES = 8 << 20
MAX_SET_BYTES = 16384
MAX_FIELDS = 1024
# More than a header has, and than a group that holds a private half.
MAX_OPENED_BYTES = 16 << 20


def list_of(rule, least=1, most=MAX_ITEMS):
    return lambda value: type(value) is list and least <= len(value) <= most and all(rule(item) for item in value)


def row_of(*rules):
    return lambda value: type(value) is list and len(value) == len(rules) and all(rule(item) for rule, item in zip(rules, value))


def map_of(needed, optional):
    def fits(value):
        return (type(value) is dict and all(key in value for key in needed)
                and all((needed.get(key) or optional.get(key) or (lambda item: False))(item) for key, item in value.items()))
    return fits


def or_null(rule):
    return lambda value: value is None or rule(value)


def short(rule, least, most):
    return lambda value: rule(value) and least <= len(value if type(value) is bytes else value.encode("utf-8")) <= most


def ascending(rule, key=lambda item: item):
    """A list of which each item comes after the one before, by `key`."""
    return lambda value: rule(value) and all(key(a) < key(b) for a, b in zip(value, value[1:]))


def _integer(value):
    return type(value) is int


_json_fields = list_of(row_of(is_bytes, is_bytes))
_count = uint_of(1, U64_MAX)

# 2.1. The envelope is the same without key 5.
ENVELOPE_NEEDED = {0: is_uint, 3: uint_of(0, 8), 4: uint_of(0, 3), 6: uint_of(0, 5)}
ENVELOPE_OPTIONAL = {1: is_uint, 2: is_uint, 7: is_bytes, 8: is_bytes, 9: is_bytes, 10: is_bytes, 11: uint_of(1, 8191),
                     12: list_of(row_of(is_bytes, is_text, b32)), 13: _json_fields}
is_envelope = map_of(ENVELOPE_NEEDED, ENVELOPE_OPTIONAL)

# 2.2.
_label = short(is_bytes, 0, 4096)
_labels = map_of({}, {0: _label, 1: _label, 2: list_of(_label, 1, 1024)})
_names = ascending(list_of(row_of(short(is_bytes, 0, 256), _count), 1, 256), lambda item: item[0])
_codes = ascending(list_of(row_of(_integer, _count), 1, 256), lambda item: item[0])
_named = map_of({}, {0: _names, 1: _names, 2: _codes, 3: _count})


def _end_state(value):
    details = {0: (), 1: (_integer,), 2: (is_uint,), 3: (is_bytes,), 4: (), 5: (), 6: (is_bytes,), 7: ()}
    if type(value) is not list or not value or not is_uint(value[0]) or value[0] not in details:
        return False
    return value == [3] or row_of(is_uint, *details[value[0]])(value)


HEADER_NEEDED = {0: uint_of(1, 1), 1: uint_of(0, 6), 10: _labels, 11: map_of({key: is_uint for key in range(10)}, {10: is_uint}),
                 12: _end_state, 16: short(is_text, 1, 128), 24: short(is_text, 1, 128)}
HEADER_OPTIONAL = {
    2: is_bytes, 3: is_bytes, 4: is_uint, 5: is_uint, 6: is_uint, 7: is_bytes, 8: is_bytes, 9: is_bytes,
    14: map_of({}, {0: b32, 1: is_text, 2: b32}),
    15: map_of({}, {0: is_text, 1: b32, 2: is_text, 3: list_of(is_text), 4: is_bytes, 5: is_uint, 6: is_bytes, 7: b32, 8: is_bytes, 9: is_uint}),
    17: b32, 18: list_of(row_of(is_uint, uint_of(0, 6), is_uint)), 19: b32, 20: b32, 21: b32, 22: is_uint, 23: list_of(b32),
    25: _json_fields, 26: ascending(list_of(row_of(_count, is_bytes)), lambda item: item[0]), 27: lambda value: value != {} and _named(value)}
HEADER_FIELDS = {**HEADER_NEEDED, **HEADER_OPTIONAL}
is_header = map_of(HEADER_NEEDED, HEADER_OPTIONAL)


def check_frame(raw, payload_too):
    """A frame, or an envelope."""
    value = refused("FRAME", cbor_decode, raw)
    payload = value.pop(5, None) if payload_too and type(value) is dict else b""
    if not is_bytes(payload) or len(payload) > MAX_PAYLOAD_BYTES or not is_envelope(value):
        raise Refusal("FRAME", "not what 2.1 says of a frame")
    if len(raw) - (1 + len(cbor_encode(payload)) if payload_too else 0) > MAX_ENVELOPE_BYTES:
        raise Refusal("FRAME", "an envelope of more than 1 MiB")
    return value


# 4.4.

_person_payload = row_of(lambda v: v == "immutape/person/1", b32, uint_of(0, 65535), b32, or_null(row_of(is_uint, is_uint)), b16, is_uint)


def _person_statement(value):
    try:
        said = Signed1(value, "PERSON") if is_bytes(value) else None
        return (said is not None and said.unprotected == {} and set(said.protected) == {1, 4} and b32(said.protected[4])
                and is_bytes(said.payload) and _person_payload(cbor_decode(said.payload)))
    except (Refusal, CborError):
        return False


def _id_set(value):
    if not is_bytes(value) or len(value) > MAX_SET_BYTES or len(value) % 32:
        return False
    ids = [value[at:at + 32] for at in range(0, len(value), 32)]
    return all(a < b for a, b in zip(ids, ids[1:]))


def _period(value):
    return value is None or is_uint(value) or row_of(is_uint, is_uint, is_uint)(value)


PRIVATE_FIELDS = {
    0: row_of(is_uint, is_bytes, is_uint), 1: list_of(is_text), 2: is_bytes, 3: is_bytes, 4: is_bytes, 5: row_of(is_bytes, is_uint, or_null(is_bytes)),
    6: b16, 7: b32, 8: row_of(is_uint, is_uint), 9: is_uint, 10: is_uint, 11: row_of(is_uint, is_text), 12: row_of(is_uint, is_uint, b16),
    13: row_of(or_null(is_uint), or_null(is_uint)), 14: b32, 15: b32, 16: is_bytes, 17: _person_statement, 18: is_bytes, 19: _id_set, 20: b32,
    21: is_text, 22: list_of(row_of(is_uint, _period, or_null(is_text), or_null(is_uint), or_null(b32))), 23: is_text, 24: is_bytes, 25: is_bytes,
    26: lambda value: True, 27: row_of(b32, _labels), 28: lambda value: True, 29: b32, 30: row_of(b32, b32), 31: b32,
    **{key: lambda value: True for key in range(32, 64)}}
is_private = map_of({}, PRIVATE_FIELDS)


# Fields that were opened one by one, 1.5.

class Opened:
    """The first list of an `opened` (6.4), and salt, bytes and value of each field that it opens."""

    def __init__(self, stream):
        stream.expect(4, 2)
        self.digests = {number: stream.bytes32() for number in stream.ascending(4, MAX_FIELDS, lambda: (stream.expect(4, 2), stream.uint())[1])}
        self.raw, self.values = {}, {}
        room = MAX_OPENED_BYTES
        for number in stream.ascending(4, MAX_FIELDS, lambda: (stream.expect(4, 3), stream.uint())[1]):
            self.raw[number] = stream.bytes32(), stream.bytes(room)
            room -= len(self.raw[number][1])
        self.closed = frozenset(self.digests) - frozenset(self.raw)

    def check(self, label, rules):
        """The commitment that these fields make. Values stood in a map: so they are nested one less deep."""
        if not self.digests or not all(number in rules for number in self.digests):
            raise Refusal("OPENED", "no field, or one that there is not")
        for number, (salt, value) in self.raw.items():
            opening = b"\x84" + cbor_encode(label) + cbor_encode(number) + cbor_encode(salt)
            if self.digests.get(number) != sha256(opening + value):
                raise Refusal("OPENED", "field %d is not what was committed to" % number)
            self.values[number] = self._decode(number, value)
            if not rules[number](self.values[number]):
                raise Refusal("OPENED_VALUE", "field %d has a wrong value" % number)
        self.raw = {}
        return sha256(cbor_encode([label + "/set"] + [[number, digest] for number, digest in self.digests.items()]))

    @staticmethod
    def _decode(number, raw):
        try:
            cbor_bounded(raw)
            value, end = _cbor_item(raw, 0, 1)
        except CborError as error:
            raise Refusal("OPENED_VALUE", "field %d: %s" % (number, error)) from None
        if end != len(raw):
            raise Refusal("OPENED_VALUE", "field %d: bytes after the item" % number)
        return value


# ----------------------------------------------------------------------------------------------------------------------
# Proofs, chapters 5.2, 5.3, 5.5 and 6.5.

MAX_PROOF_HASHES = 63
MAX_PROOF_BYTES = 256 << 10
MAX_SET_HASHES = 1 << 21


def root_by_path(leaf, index, size, path):
    """RFC 9162 section 2.1.3.2: the root to which a path leads, no hash left over and none missing."""
    if index >= size:
        raise Refusal("PATH", "no leaf %d in a tree of %d" % (index, size))
    place, last, root = index, size - 1, leaf
    for other in path:
        if last == 0:
            raise Refusal("PATH", "a hash too many in the path")
        if place & 1 or place == last:
            root = node_hash(other, root)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            root = node_hash(root, other)
        place, last = place >> 1, last >> 1
    if last:
        raise Refusal("PATH", "a hash is missing in the path")
    return root


def is_extended(old, old_root, new, new_root, path):
    """RFC 9162 section 2.1.4.2: whether the tree of `new` leaves begins with that of `old`."""
    if old > new:
        return False
    if old == 0 or old == new:
        return not path and (old_root == EMPTY_ROOT if old == 0 else old_root == new_root)
    if old & (old - 1) == 0:
        path = [old_root] + list(path)
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(other, first), node_hash(other, second)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, other)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


class Leaves:
    """Leaf hashes with their places, ascending; one is looked at ahead."""

    def __init__(self, pairs):
        self.pairs = iter(pairs)
        self.next = next(self.pairs, None)

    def take(self):
        leaf = self.next[1]
        self.next = next(self.pairs, None)
        return leaf


def root_of_set(size, leaves, hashes):
    """6.5: the root over `size` leaves of which some are known; `hashes` is an iterator over the list."""
    known = Leaves(leaves)

    def root(at, count):
        if known.next is None or known.next[0] >= at + count:
            try:
                return next(hashes)
            except StopIteration:
                raise Refusal("SET_PROOF", "a hash is missing in the set proof") from None
        if count == 1:
            return known.take()
        left = 1 << (count - 1).bit_length() - 1
        return node_hash(root(at, left), root(at + left, count - left))

    result = root(0, size) if size else EMPTY_ROOT
    if known.next is not None:
        raise Refusal("SET_PROOF", "a leaf %d in a tree of %d" % (known.next[0], size))
    if next(hashes, None) is not None:
        raise Refusal("SET_PROOF", "a hash too many in the set proof")
    return result


def set_hashes(stream):
    """The hashes of a set proof, one after another; the file ends with them."""
    for _ in range(stream.count(4, MAX_SET_HASHES)):
        yield stream.bytes32()
    if not stream.done():
        raise Refusal("SET_PROOF", "bytes after the set proof")


def text_of(raw, code):
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal(code, "not UTF-8") from None


def check_vkey(text, kind=NOTE_ED25519, what="an Ed25519 log key (type 1)"):
    """5.1: a verifier key, of a point that is none of small order."""
    name, public = parse_vkey(text, kind, what)
    if not is_public_key(public):
        raise Refusal("VKEY", "the verifier key of %s is no Ed25519 key, or one of small order" % name)
    return name, public


def head_by(note, vkey):
    """A head (4.2) that this key signed, in this name."""
    head = Checkpoint(note)
    if head.origin != vkey[0]:
        raise Refusal("HEAD_ORIGIN", "head of another origin: %s" % head.origin[:200])
    note.verify(*vkey)
    return head


class EntryProof:
    """5.2. `extra` is the entry, where it is there."""

    def __init__(self, raw):
        lines, _, note = text_of(raw, "PROOF").partition("\n\n")
        lines = lines.split("\n")
        if lines.pop(0) != "c2sp.org/tlog-proof@v1":
            raise Refusal("PROOF", "another first line than that of a proof")
        self.extra = base64_strict(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
        if self.extra is not None and len(self.extra) > MAX_ENTRY_BYTES:
            raise Refusal("PROOF", "more extra data than an entry has")
        if not lines or not lines[0].startswith("index "):
            raise Refusal("PROOF", "no index")
        self.index = parse_decimal(lines.pop(0)[6:], "index")
        if len(lines) > MAX_PROOF_HASHES:
            raise Refusal("PROOF", "more than %d hashes" % MAX_PROOF_HASHES)
        self.path = [parse_hash(line, "a hash") for line in lines]
        self.note = Note(note.encode("utf-8"))

    def check(self, head, leaf):
        """`head`: what the note was found to be."""
        if root_by_path(leaf, self.index, head.size, self.path) != head.root:
            raise Refusal("PROOF_ROOT", "the path does not lead to the root of the head")


class Receipt:
    """5.3: shape, root and signature."""

    def __init__(self, raw):
        said = self.said = Signed1(raw, "RECEIPT")
        claims = said.protected.get(15)
        if set(said.protected) != {1, 4, 15, 395} or not b32(said.protected[4]) or said.protected[395] != 1 or said.payload is not None:
            raise Refusal("RECEIPT", "the protected header, or the payload, is not that of a receipt")
        if type(claims) is not dict or set(claims) != {1, 2} or not _origin_text(claims[1]) or not (
                is_text(claims[2]) and re.fullmatch("[0-9a-f]{64}", claims[2])):
            raise Refusal("RECEIPT", "claims (15) are not an origin and a custody id")
        self.origin, self.subject = claims[1], claims[2]
        proofs = said.unprotected.get(396)
        if set(said.unprotected) != {396} or type(proofs) is not dict or set(proofs) != {-1} or not list_of(is_bytes, 1, 1)(proofs[-1]):
            raise Refusal("RECEIPT", "not one inclusion proof in the unprotected header")
        proof = refused("RECEIPT", cbor_decode, proofs[-1][0])
        if not row_of(is_uint, is_uint, list_of(b32, 1, MAX_PROOF_HASHES))(proof):
            raise Refusal("RECEIPT", "not size, index and 1 to 63 hashes")
        self.size, self.index, self.path = proof

    def check(self, key, leaf):
        if self.said.protected[4] != thumbprint(key):
            raise Refusal("RECEIPT_KEY", "receipt of another key")
        root = root_by_path(leaf, self.index, self.size, self.path)
        self.said.verify(key, root, "RECEIPT_SIGNATURE")
        return root


def check_fork(raw, vkey):
    """5.5; the root of the larger head, or of the second one."""
    first, _, rest = text_of(raw, "FORK").partition("\n\n")
    lines = first.split("\n")
    if lines.pop(0) != "immutape/fork/1":
        raise Refusal("FORK", "another first line than that of a fork")
    old_root = parse_hash(lines.pop(0)[5:], "root") if lines and lines[0].startswith("root ") else None
    if len(lines) > 64:
        raise Refusal("FORK", "more than 64 hashes")
    path = [parse_hash(line, "a hash") for line in lines]
    parts = rest.split("\n\n")
    if len(parts) != 4:
        raise Refusal("FORK", "not two heads")
    one = head_by(Note((parts[0] + "\n\n" + parts[1] + "\n").encode("utf-8")), vkey)
    two = head_by(Note((parts[2] + "\n\n" + parts[3]).encode("utf-8")), vkey)
    if one.size == two.size:
        proved = one.root != two.root and old_root is None and not path
    else:
        proved = (one.size < two.size and old_root is not None and old_root != one.root
                  and is_extended(one.size, old_root, two.size, two.root, path))
    if not proved:
        raise Refusal("FORK_NONE", "no proof of a fork")
    return two.root


class Witnesses:
    """Those whom the auditor knows, and how many of them are a quorum."""

    def __init__(self, texts, quorum=None):
        keys = {}
        for text in texts:
            name, public = self._key(text)
            keys[public] = name
        self.keys = [(name, public) for public, name in keys.items()]
        if quorum is not None and quorum < 1:
            raise Refusal("WITNESS", "a quorum of less than one")
        self.quorum = len(self.keys) if quorum is None else quorum

    @staticmethod
    def _key(text):
        what = "a witness's key (type 4)"
        try:
            return check_vkey(text, NOTE_COSIGNATURE, what)
        except Refusal as refusal:
            try:
                return check_vkey(read_bounded(text, 65536, True).decode("ascii").strip(), NOTE_COSIGNATURE, what)
            except (OSError, ValueError, Refusal):
                raise Refusal("WITNESS", refusal.words) from None

    def saw(self, note):
        """Milliseconds at which a quorum had seen this head, or None."""
        times = sorted(at for at in (note.cosigned_at(*key) for key in self.keys) if at is not None)
        return times[self.quorum - 1] * 1000 if self.keys and len(times) >= self.quorum else None


# ----------------------------------------------------------------------------------------------------------------------
# Bags, chapter 6.1: a folder or a tar file. Files are read in pieces; in memory stay their names, places and digests.

MAX_PATH_BYTES = 100
MAX_FILE_BYTES = (8 << 30) - 1
MAX_BAG_FILES = 1 << 20
MAX_TAG_BYTES = 64 << 20
BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
TAG_FILES = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt")
TAGGED = ("bag-info.txt", "bagit.txt", "manifest-sha256.txt")
PATH = re.compile(r"[A-Za-z0-9._/-]{1,100}")


def path_ok(path):
    return PATH.fullmatch(path) is not None and not any(part in ("", ".", "..") for part in path.split("/"))


class Piece(io.RawIOBase):
    """`length` bytes of a file from `at` on."""

    def __init__(self, file, at, length):
        super().__init__()
        self.file, self.left = file, length
        file.seek(at)

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.file.read(min(len(buffer), self.left))
        self.left -= len(data)
        buffer[:len(data)] = data
        return len(data)

    def close(self):
        self.file.close()
        super().close()


class Stream:
    """Items of the profile of 1.1, one after another, out of a file that need not fit into memory. Every length is bounded."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def done(self):
        return not self.file.peek(1)

    def take(self, count):
        data = self.file.read(count)
        if len(data) != count:
            raise Refusal("STREAM", "ends early")
        return data

    def head(self):
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info
        if info > 27:
            raise Refusal("STREAM", "indefinite length or reserved head 0x%02x" % first)
        value = int.from_bytes(self.take(1 << (info - 24)), "big")
        if value < (24, 0x100, 0x10000, 0x100000000)[info - 24]:
            raise Refusal("STREAM", "a head that is not the shortest")
        return major, value

    def expect(self, major, value):
        if self.head() != (major, value):
            raise Refusal("STREAM", "not the array or map that has to stand here")

    def count(self, major, most):
        found, value = self.head()
        if found != major or value > most:
            raise Refusal("STREAM", "another type, or more than can be, where %d are the most" % most)
        return value

    def uint(self):
        return self.count(0, U64_MAX)

    def bytes(self, most):
        return self.take(self.count(2, most))

    def bytes32(self):
        if self.count(2, 32) != 32:
            raise Refusal("STREAM", "not 32 bytes")
        return self.take(32)

    def is_null(self):
        if self.file.peek(1)[:1] != b"\xf6":
            return False
        self.take(1)
        return True

    def ascending(self, major, most, read):
        """The numbers that begin the items of an array, which ascend; the rest of each is for the caller to read."""
        before = -1
        for _ in range(self.count(major, most)):
            number = read()
            if number <= before:
                raise Refusal("STREAM", "numbers that do not ascend")
            before = number
            yield number


class FolderBag:
    """Every name is looked at, no link is followed."""

    def __init__(self, folder, find):
        self.folder, self.sizes = folder, {}
        waiting = [""]
        while waiting:
            inside = waiting.pop()
            empty = True
            with os.scandir(os.path.join(folder, inside)) as entries:
                for entry in entries:
                    empty = False
                    path = inside + entry.name
                    mode = entry.stat(follow_symlinks=False).st_mode
                    if not path_ok(path) or len(self.sizes) + len(waiting) >= MAX_BAG_FILES:
                        find(ALTERED, "BAG_NAME", "a name that cannot be in a bag, or too many of them", path[:300])
                    elif stat.S_ISDIR(mode):
                        waiting.append(path + "/")
                    elif stat.S_ISREG(mode):
                        self.sizes[path] = entry.stat(follow_symlinks=False).st_size
                    else:
                        find(ALTERED, "BAG_KIND", "a link or device", path)
            if empty and inside:
                find(ALTERED, "BAG_EMPTY_FOLDER", "a folder without files", inside)

    def open(self, path):
        file = open_regular(os.path.join(self.folder, path))
        return io.BufferedReader(Piece(file, 0, self.sizes[path]), 1 << 16)


class TarBag:
    """The one form of 6.1. Anything else in its blocks is refused, and then nothing of it is read."""

    BLOCK = 512

    def __init__(self, path, find):
        self.path, self.sizes, self.places = path, {}, {}
        self.order = []
        with open_regular(path, True) as file:
            self._blocks(file, os.fstat(file.fileno()).st_size)
        self.find = find

    def _blocks(self, file, size):
        at, common = 0, None
        if file.read(21) == b"age-encryption.org/v1":
            raise Refusal("AGE", "encrypted: a program for age has to open it first")
        file.seek(0)
        if size % self.BLOCK:
            raise Refusal("TAR", "not whole blocks")
        while True:
            header = file.read(self.BLOCK)
            if len(header) != self.BLOCK:
                raise Refusal("TAR", "ends without its two blocks of zero bytes")
            if is_zero(header):
                if file.read(self.BLOCK + 1) != bytes(self.BLOCK):
                    raise Refusal("TAR", "not ended by exactly two blocks of zero bytes")
                return
            name, length, same = self._header(header)
            if common is None:
                common = same
            if same != common:
                raise Refusal("TAR", "headers of another bag's name or time")
            if name in self.sizes or len(self.sizes) >= MAX_BAG_FILES:
                raise Refusal("TAR", "a name twice, or too many of them")
            at += self.BLOCK
            self.order.append(name)
            self.sizes[name], self.places[name] = length, at
            filled = -length % self.BLOCK
            at += length + filled
            if at > size:
                raise Refusal("TAR", "a file runs past the end")
            file.seek(at - filled)
            if not is_zero(file.read(filled)):
                raise Refusal("TAR", "a file is not filled up with zero bytes")

    def _header(self, raw):
        """Name, length, and what is the same in all headers. The header is made anew from these, and must be that one."""
        name, prefix = (raw[start:end].rstrip(b"\0").decode("latin-1") for start, end in ((0, 100), (345, 500)))
        if not path_ok(name) or not path_ok(prefix) or "/" in prefix or len(prefix) > MAX_PATH_BYTES:
            raise Refusal("TAR", "a name that cannot be in a bag: %s" % name)
        if not all(re.fullmatch(rb"[0-7]{11}\0", raw[start:start + 12]) for start in (124, 136)):
            raise Refusal("TAR", "a size or time that is not eleven octal digits")
        fields = [name.encode().ljust(100, b"\0"), b"0000644\0", b"0000000\0" * 2, raw[124:148], b" " * 8, b"0", bytes(100), b"ustar\x0000",
                  bytes(80), prefix.encode().ljust(155, b"\0"), bytes(12)]
        made = b"".join(fields)
        checksum = b"%06o\0 " % sum(made)
        if made[:148] + checksum + made[156:] != raw:
            raise Refusal("TAR", "a header that is not in the one form")
        return name, int(raw[124:135], 8), (prefix, raw[136:148])

    def check_order(self, manifest):
        wanted = [name for name in TAG_FILES + tuple(manifest) if name in self.sizes]
        named = set(wanted)
        if [name for name in self.order if name in named] != wanted:
            self.find(ALTERED, "TAR_ORDER", "files that are not in the order of the manifest", None)

    def open(self, path):
        return io.BufferedReader(Piece(open_regular(self.path, True), self.places[path], self.sizes[path]), 1 << 16)


def read_file(bag, path, most):
    if bag.sizes[path] > most:
        raise Refusal("BAG_LENGTH", "%s has more than %d bytes" % (path, most))
    with bag.open(path) as file:
        data = file.read(most + 1)
    if len(data) != bag.sizes[path]:
        raise Refusal("BAG_LENGTH", "%s changed its length" % path)
    return data


def manifest_lines(raw):
    """Path and digest of each line."""
    if raw and not raw.endswith(b"\n"):
        raise Refusal("MANIFEST", "no line end at the end")
    for line in raw.split(b"\n")[:-1]:
        match = re.fullmatch(rb"([0-9a-f]{64})  ([A-Za-z0-9._/-]{1,100})", line)
        if match is None or not path_ok(match.group(2).decode()):
            raise Refusal("MANIFEST", "a line that is not a digest and a path")
        yield match.group(2).decode(), bytes.fromhex(match.group(1).decode())


def payload_of(raw):
    """Path and digest of each file of the payload, ascending."""
    files, before = {}, ""
    for path, digest in manifest_lines(raw):
        if not path.startswith("data/") or path <= before:
            raise Refusal("MANIFEST", "a path that is not in data/, or does not ascend")
        files[path] = digest
        before = path
    if not files:
        raise Refusal("MANIFEST", "a manifest that lists nothing")
    return files


def check_info(raw, wanted):
    lines = raw.split(b"\n")
    if lines.pop() != b"" or len(lines) > 64 or b"\r" in raw:
        raise Refusal("BAG_INFO", "not at most 64 lines, each with its end")
    text_of(raw, "BAG_INFO")
    if not all(len(line) <= 1024 and re.fullmatch(rb"[^: \t][^:]*: .*", line, re.S) for line in lines):
        raise Refusal("BAG_INFO", "a line that is not a label and a value")
    sizes = [line[14:].decode("latin-1") for line in lines if line.startswith(b"Payload-Oxum: ")]
    if sizes != [wanted]:
        raise Refusal("BAG_INFO", "not one Payload-Oxum, or not %s" % wanted)


class Bag:
    """Check 1: the tag files, and every digest. `files` are those of the payload that are there; of them the manifest does not name
    those that are `unnamed`: that was said, and they are looked at all the same."""

    def __init__(self, report, path):
        self.report = report
        report.check("bag", "form, tag files, and every digest of both manifests")
        self.files, self.unnamed, self.digest, self.is_whole = {}, {}, None, True
        self.holder = (FolderBag if os.path.isdir(path) else TarBag)(path, self.find)
        raw = {name: self._tag(name) for name in TAG_FILES}
        if raw["bagit.txt"] is not None and raw["bagit.txt"] != BAGIT:
            self.find(ALTERED, "BAGIT", "not the two lines of BagIt 1.0", "bagit.txt")
        self._tag_manifest(raw)
        self._payload(raw["manifest-sha256.txt"])
        # With a file missing it cannot fit, which was said.
        if raw["bag-info.txt"] is not None and self.is_whole:
            there = [size for name, size in self.holder.sizes.items() if name.startswith("data/")]
            self._tried("bag-info.txt", lambda: check_info(raw["bag-info.txt"], "%d.%d" % (sum(there), len(there))))

    def find(self, severity, code, words, path):
        self.report.find("bag", severity, code, words, path)

    def _tried(self, path, step):
        try:
            return step()
        except Refusal as refusal:
            self.find(ALTERED, refusal.code, refusal.words, path)
        except OSError as trouble:
            self.find(CANNOT, "BAG_UNREAD", str(trouble), path)
        return None

    def _tag(self, name):
        if name not in self.holder.sizes:
            self.find(MISSING, "BAG_FILE_MISSING", "a tag file is not there", name)
            return None
        return self._tried(name, lambda: read_file(self.holder, name, MAX_TAG_BYTES))

    def _tag_manifest(self, raw):
        named = raw["tagmanifest-sha256.txt"]
        if named is None:
            return
        self.digest = sha256(named)
        lines = self._tried("tagmanifest-sha256.txt", lambda: list(manifest_lines(named)))
        if lines is None:
            return
        if tuple(path for path, _ in lines) != TAGGED:
            self.find(ALTERED, "TAG_MANIFEST", "not the lines of the three other tag files", "tagmanifest-sha256.txt")
        for path, digest in lines:
            if path not in TAGGED or raw[path] is None:
                continue
            self.report.ok("bag")
            if sha256(raw[path]) != digest:
                self.find(ALTERED, "BAG_DIGEST", "differs from its digest", path)

    def _payload(self, raw):
        files = None if raw is None else self._tried("manifest-sha256.txt", lambda: payload_of(raw))
        if files is None:
            # What it would name is then not known; the files are looked at all the same.
            files = dict.fromkeys(path for path in self.holder.sizes if path.startswith("data/"))
        elif isinstance(self.holder, TarBag):
            self.holder.check_order(files)
        for path in self.holder.sizes:
            if path not in files and path not in TAG_FILES:
                self.find(ALTERED, "BAG_UNNAMED", "a file that no manifest names", path)
                if path.startswith("data/"):
                    self.unnamed[path] = None
        self.files.update(self.unnamed)
        for path, digest in files.items():
            if path not in self.holder.sizes:
                self.is_whole = False
                self.find(MISSING, "BAG_FILE_MISSING", "a file that the manifest names is not there", path)
                continue
            self.files[path] = digest
            self._tried(path, lambda path=path, digest=digest: self._digest(path, digest))

    def _digest(self, path, digest):
        if self.holder.sizes[path] > MAX_FILE_BYTES:
            raise Refusal("BAG_LENGTH", "8 GiB or more")
        state = hashlib.sha256()
        with self.holder.open(path) as file:
            for data in iter(lambda: file.read(PIECE_BYTES), b""):
                state.update(data)
        self.report.ok("bag")
        if digest is not None and state.digest() != digest:
            self.find(ALTERED, "BAG_DIGEST", "differs from its digest", path)

    def read(self, path, most):
        return read_file(self.holder, path, most)

    def stream(self, path):
        return Stream(self.holder.open(path))


# ----------------------------------------------------------------------------------------------------------------------
# COMPLETENESS.json, chapter 6.3.

MAX_JSON_NESTING = 8
JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.S)


def _json_text(value):
    return is_text(value) and not any("\ud800" <= char <= "\udfff" for char in value)


def _json_number(value):
    return type(value) is int


def _hex(digits):
    return lambda value: is_text(value) and re.fullmatch("[0-9a-f]{%d}" % digits, value) is not None


def _json_span(value):
    return row_of(_json_number, _json_number)(value) and value[0] <= value[1]


_TAPE_ITEM = {"tape": _hex(64), "custody": _hex(64), "entry": _json_number}
_WHATS = ("tape", "frames", "payloads", "header", "private")
JSON_OBJECTS = {tuple(sorted(rules)): rules for rules in (
    {"ids": list_of(_hex(64))},
    {"query": _json_text, "sealed_ms": _json_span},
    {**_TAPE_ITEM, "frames": _json_number, "opened": or_null(_json_span)},
    {**_TAPE_ITEM, "what": lambda v: v in _WHATS, "fields": list_of(_json_number, 0), "why": _json_text},
    {**_TAPE_ITEM, "by": _json_number},
    {**_TAPE_ITEM, "field": or_null(_json_number), "why": _json_text},
    {"format": lambda v: v == "immutape/completeness/1", "bundle": _hex(32), "origin": _json_text, "ledger": _hex(64), "made_ms": _json_number,
     "log_size": _json_number, "authority": _json_text, "recipient": or_null(_json_text), "expires_ms": or_null(_json_number),
     "asked": lambda v: type(v) is JsonObject and v.kind in (("ids",), ("query", "sealed_ms")), "frames": or_null(_json_span),
     "payloads": lambda v: type(v) is bool, "span": or_null(_json_span), "given": lambda v: _items(v, "opened"),
     "withheld": lambda v: _items(v, "what"), "destroyed": lambda v: _items(v, "by"), "out_of_scope": lambda v: _items(v, "field")})}


def _items(value, mark):
    return type(value) is list and all(type(item) is JsonObject and mark in item for item in value)


class JsonObject(dict):
    """An object with the names of one row of JSON_OBJECTS, and their values as they must be. Made while the text is read, so that no
    other object ever stands in memory."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.kind = tuple(sorted(self))
        rules = JSON_OBJECTS.get(self.kind)
        if rules is None or len(pairs) != len(self):
            raise Refusal("COMPLETENESS", "a name twice, one too many, or one missing")
        for name, rule in rules.items():
            if not rule(self[name]):
                raise Refusal("COMPLETENESS", "%s has a value that it cannot have" % name)


def _json_integer(text):
    if not re.fullmatch("[0-9]{1,16}", text) or int(text) >= 1 << 53:
        raise Refusal("COMPLETENESS", "a number that is none from 0 to 2^53-1 in digits alone")
    return int(text)


def _json_refused(text):
    raise Refusal("COMPLETENESS", "a number that is no integer: %s" % text[:40])


def _json_brackets(raw):
    """Nesting is bounded before anything is made; and lists stand in objects alone, at most two of them in a small one."""
    depth = lists = objects = 0
    for token in JSON_TOKEN.finditer(raw):
        mark = token.group()[:1]
        depth += (mark in b"[{") - (mark in b"]}")
        lists, objects = lists + (mark == b"["), objects + (mark == b"{")
        if depth > MAX_JSON_NESTING:
            raise Refusal("COMPLETENESS", "nested deeper than %d" % MAX_JSON_NESTING)
    if lists > 2 * objects + 8:
        raise Refusal("COMPLETENESS", "more lists than its objects can have")


class Completeness:
    def __init__(self, raw):
        _json_brackets(raw)
        try:
            said = json.loads(text_of(raw, "COMPLETENESS"), object_pairs_hook=JsonObject, parse_int=_json_integer,
                              parse_float=_json_refused, parse_constant=_json_refused)
        except (ValueError, RecursionError) as trouble:
            raise Refusal("COMPLETENESS", "no JSON: %s" % trouble) from None
        if type(said) is not JsonObject or "format" not in said:
            raise Refusal("COMPLETENESS", "not the object of 6.3")
        self.digest = sha256(raw)
        self.said = said
        self.bundle, self.ledger = bytes.fromhex(said["bundle"]), bytes.fromhex(said["ledger"])
        self.origin, self.log_size, self.span, self.frames, self.payloads = (
            said[name] for name in ("origin", "log_size", "span", "frames", "payloads"))
        self.ids = said["asked"].get("ids")
        self.sealed = said["asked"].get("sealed_ms")
        if (self.span is None) != (self.ids is not None):
            raise Refusal("COMPLETENESS", "span is null exactly where ids were asked for")
        for item in said["withheld"]:
            fields = item["fields"]
            if len(set(fields)) != len(fields) or fields and item["what"] not in ("header", "private"):
                raise Refusal("COMPLETENESS", "fields of what has none, or one twice")

    def lists(self):
        """Every tape that is accounted for, with what it is given as."""
        for name in ("given", "destroyed", "out_of_scope"):
            for item in self.said[name]:
                yield name, item
        for item in self.said["withheld"]:
            if item["what"] == "tape":
                yield "withheld", item


# ----------------------------------------------------------------------------------------------------------------------
# Bundles, chapter 6: what one file says of some tapes of a log, checked with nothing else but keys from elsewhere.

TAPE_FILES = ("root.cbor", "header.cbor", "manifest.cbor", "statement.cose", "frames.cbor", "frames-paths.cbor", "saved.tlog-proof",
              "evidence.tlog-proof")
TAPE_ROW = re.compile(r"data/tapes/([0-9a-f]{64})/(%s|receipt\.cose)" % "|".join(re.escape(name) for name in TAPE_FILES))
NUMBER = "(0|[1-9][0-9]{0,19})"
SIDE_ROW = re.compile(r"data/(time/%s\.(note|tst)|keys/(checkpoint|recorder|issuer)-%s\.pem|keys/checkpoint-%s\.vkey)" % (NUMBER, NUMBER, NUMBER))
ALWAYS = ("data/COMPLETENESS.json", "data/entries.cbor", "data/log/checkpoint", "data/log/paths.cbor")
SOMETIMES = ("data/witnesses", "data/custody.html", "data/custody.json", "data/VERIFY.txt", "data/COMPLETENESS.json.sig", "data/keys/allowed_signers")
MAX_EVIDENCE_ENTRIES = 1 << 20
REFUSED, SET_FIELDS = 40, frozenset((19, 31))
MAX_SUMMARY_LINES = 400


class Place:
    """Where an entry stands, for findings that know segments otherwise."""

    def __init__(self, label):
        self.label = label


ENTRIES = Place("data/entries.cbor")


def entry_by_itself(raw):
    """4.1 as far as it goes by itself, and the statement of a tape.saved as far as that does."""
    entry = Entry(raw)
    if (entry.index == 0) != (entry.kind == GENESIS):
        raise Refusal("GENESIS", "entry %d is %s: entry 0 is a genesis, and no other is" % (entry.index, kind_name(entry.kind)))
    if entry.index == 0 and entry.previous != ZERO32:
        raise Refusal("ENTRY_PREVIOUS", "previous of entry 0 is not zero")
    if entry.subject_seq > entry.index or entry.subject_seq == 0 and entry.subject_prev != ZERO32:
        raise Refusal("SUBJECT_SEQ", "more entries before it about its subject than entries, or none and yet one before")
    if entry.kind == TAPE_SAVED:
        statement = Statement(entry.body[0])
        if statement.protected["custody"] != entry.subject:
            raise Refusal("STATEMENT_CUSTODY", "custody id of the statement is not the subject of the entry")
        check_subject(statement)
    return entry


def check_subject(statement):
    if statement.protected[15][2] != tape_name(statement.payload):
        raise Refusal("STATEMENT_SUB", "sub of the statement is not its payload")


def when(milliseconds):
    try:
        return (datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except OverflowError:
        return "%d ms" % milliseconds


class GivenTape:
    """A tape that is given, and what the entries say of it."""

    def __init__(self, item):
        self.item = item
        self.tape, self.custody = bytes.fromhex(item["tape"]), bytes.fromhex(item["custody"])
        self.folder = "data/tapes/%s/" % item["tape"]
        # The chain of its entries: how many in order, leaf of the last one, whether some are missing.
        self.chained, self.last_leaf, self.is_broken = 0, ZERO32, False
        self.saved, self.saved_raw, self.saved_leaf, self.statement = None, None, None, None
        self.made = None
        self.marks, self.truncated = [], []
        self.seen_ms = None
        self.frames = 0

    def name(self):
        return tape_name(self.tape)


class Evidence:
    """One pass over the entries, in which most is compared at once; then head, tapes, accounts."""

    def __init__(self, report, bag, witnesses):
        self.report, self.bag, self.witnesses = report, bag, witnesses
        self.said, self.head = None, None
        # What Anchors and judge_revoked ask of a log.
        self.keys, self.critical, self.genesis, self.tapes = None, {}, None, []
        # Of a published tree that goes on from the head here: all keys that the log had.
        self.tree_keys = None
        self.anchors = Anchors(report)
        self.given, self.by_tape, self.withheld, self.others = {}, {}, {}, []
        # Of the entries: places, leaves one after another, and the last one.
        self.indices, self.leaves = array.array("Q"), bytearray()
        self.last = None
        self.subjects, self.saved_here = {}, {}
        self.in_span, self.span_times, self.span_saved = 0, None, []
        # What COMPLETENESS.json says of entries, and has not been found there yet.
        self.private, self.destroyed = {}, {}
        # Whether the head holds, and entries that keep a head which it does not extend.
        self.head_holds, self.split = False, []
        # The entry that the consistency path read last belongs to; files of keys and times that entries called for; heads that are here.
        self.path_of, self.side_files, self.own_heads = None, set(), {}
        for name, what in (("files", "each has a row of 6.2, and all that have to be there are"),
                           ("completeness", "COMPLETENESS.json reads, and is about this log"),
                           ("entries", "grammar, order, chain, subjects"), ("private", "opened fields and commitments"),
                           ("statements", "statements of the recorder"), ("head", "signature and size"),
                           ("set proof", "entries lead to the root of the head"), ("custody", "every entry about each given tape"),
                           ("tapes", "root, manifest, header, proofs"), ("frames", "frames lead to the tree roots"),
                           ("keys and times", "files are what the entries say"), ("accounting", "asked for, given, withheld, destroyed")):
            report.check(name, what)

    # Anchors asks this of a log; here consistency paths answer it.
    def root_at(self, size):
        return None

    def find(self, name, severity, code, words, file=None, entry=None, tape=None):
        self.report.find(name, severity, code, words, file, None, entry, tape)

    def tried(self, name, severity, step, file=None, entry=None, tape=None):
        """What `step` comes to; what it refuses is a finding."""
        try:
            return step()
        except Refusal as refusal:
            doubted = refusal.code in ("HEAD_UNSIGNED", "HEAD_KEY") and self.critical
            self.find(name, CANNOT if doubted else severity, refusal.code, refusal.words, file, entry, tape)
        except OSError as trouble:
            self.find(name, CANNOT, "BAG_UNREAD", str(trouble), file, entry, tape)
        return None

    def read(self, path, most):
        """A small file of the payload, or None where it is not there (which was said)."""
        return self.bag.read(path, most) if path in self.bag.files else None

    # Files and COMPLETENESS.json ---------------------------------------------------------------------------------------

    def begin(self):
        raw = self.tried("completeness", ALTERED, lambda: self.read(ALWAYS[0], MAX_TAG_BYTES), ALWAYS[0])
        if raw is not None:
            self.said = self.tried("completeness", ALTERED, lambda: Completeness(raw), ALWAYS[0])
        if self.said is not None:
            self._lists()
        self._rows()
        note = self.tried("head", ALTERED, lambda: self.read("data/log/checkpoint", MAX_NOTE_BYTES), "data/log/checkpoint")
        if note is not None:
            self.head = self.tried("head", ALTERED, lambda: Checkpoint(Note(note)), "data/log/checkpoint")

    def _lists(self):
        said = self.said.said
        for item in said["given"]:
            tape = GivenTape(item)
            self.given.setdefault(tape.custody, tape)
            self.by_tape.setdefault(item["tape"], tape)
        self.report.tapes = sorted({item["tape"] for item in said["given"]})
        for item in said["destroyed"]:
            self.destroyed.setdefault(item["by"], []).append(item)
        for item in said["withheld"]:
            self.withheld.setdefault(item["what"], []).append(item)
            if item["what"] == "private":
                self.private.setdefault(item["entry"], []).append(item)
        if not said["given"]:
            self.find("accounting", CANNOT, "NOTHING_GIVEN", "no tape is given, so nothing binds what is said to the log")

    def _rows(self):
        shown = {} if self.said is None else {
            item["tape"] for item in self.said.said["out_of_scope"] if item["field"] is not None} - set(self.by_tape)
        for path in self.bag.files:
            self.report.ok("files")
            match = TAPE_ROW.fullmatch(path)
            if path in ALWAYS or path in SOMETIMES or path in self.bag.unnamed or SIDE_ROW.fullmatch(path):
                continue
            if match is None:
                self.find("files", ALTERED, "FILE_ROW", "a file that has no row", path)
            elif (self.said is not None and match.group(1) not in self.by_tape
                    and not (match.group(1) in shown and match.group(2) in ("root.cbor", "header.cbor"))):
                self.find("files", ALTERED, "FILE_ROW", "a file of a tape that has none", path)
        wanted = list(ALWAYS) + [tape.folder + name for tape in self.by_tape.values() for name in TAPE_FILES]
        wanted += ["data/tapes/%s/%s" % (tape, name) for tape in sorted(shown) for name in ("root.cbor", "header.cbor")]
        for path in wanted:
            if path not in self.bag.files:
                self.find("files", MISSING, "FILE_MISSING", "a file that has to be there is not", path)

    # Entries ------------------------------------------------------------------------------------------------------------

    def entries(self):
        path = ENTRIES.label
        if path not in self.bag.files:
            return

        def all_items():
            with self.bag.stream(path) as stream:
                while not stream.done():
                    if len(self.indices) >= MAX_EVIDENCE_ENTRIES:
                        raise Refusal("ENTRIES", "more than 2^20 entries")
                    self._item(stream)
        self.tried("entries", ALTERED, all_items, path)
        if self.genesis is None:
            self.find("entries", MISSING, "GENESIS", "entry 0 is not there, or no genesis", path)
        self.report.checks["entries"].extra = "%d, the last is entry %d" % (len(self.indices), self.indices[-1]) if self.indices else ""

    def _item(self, stream):
        stream.expect(4, 3)
        raw = stream.bytes(MAX_ENTRY_BYTES)
        entry = self.tried("entries", ALTERED, lambda: entry_by_itself(raw), ENTRIES.label)
        opened = None if stream.is_null() else Opened(stream)
        leaf, members = leaf_hash(raw), self._rest(stream, entry)
        if entry is None:
            return
        self._order(entry, leaf)
        index = entry.index
        if entry.kind == GENESIS and self.genesis is None:
            self._genesis(entry, leaf)
        values = {}
        if opened is not None:
            values = self.tried("private", ALTERED, lambda: self._opened(entry, opened), ENTRIES.label, index) or {}
        self._meaning(entry, raw, leaf)
        tape = self.given.get(entry.subject)
        if tape is not None:
            self._about(tape, entry, raw, leaf, values)
        self._span(entry)
        self._withheld(entry, opened, members)
        self._told(entry, tape, values, members)

    def _order(self, entry, leaf):
        index, last = entry.index, self.last
        self.report.ok("entries")
        if last is not None:
            if index <= last[0]:
                raise Refusal("ENTRIES", "entry %d stands behind entry %d" % (index, last[0]))
            if entry.time < last[1]:
                self.find("entries", ALTERED, "ENTRY_TIME", "time falls from %d to %d" % (last[1], entry.time), ENTRIES.label, index)
            if index == last[0] + 1 and entry.previous != last[2]:
                self.find("entries", ALTERED, "ENTRY_PREVIOUS", "previous is not the leaf hash of entry %d" % last[0], ENTRIES.label, index)
        self.last = (index, entry.time, leaf)
        self.indices.append(index)
        self.leaves += leaf
        seq, before = self.subjects.get(entry.subject, (-1, None))
        if entry.subject_seq <= seq:
            self.find("entries", ALTERED, "SUBJECT_SEQ", "subject_seq does not rise", ENTRIES.label, index)
        elif entry.subject_seq == seq + 1 and before is not None and entry.subject_prev != before:
            self.find("entries", ALTERED, "SUBJECT_PREV", "subject_prev is not the leaf hash of the subject's last entry", ENTRIES.label, index)
        self.subjects[entry.subject] = (entry.subject_seq, leaf)

    def leaf_of(self, index):
        at = bisect.bisect_left(self.indices, index)
        if at < len(self.indices) and self.indices[at] == index:
            return bytes(self.leaves[at * 32:at * 32 + 32])
        return None

    def _genesis(self, entry, leaf):
        self.genesis = Genesis(entry, leaf)
        self.keys = Keys(self.genesis)
        facts = self.report.facts
        facts["ledger id"], facts["origin"], facts["test"] = leaf.hex(), self.genesis.origin, self.genesis.test
        self.report.ok("completeness")
        if self.said is not None and (self.said.origin, self.said.ledger) != (self.genesis.origin, leaf):
            self.find("completeness", ALTERED, "COMPLETENESS_LOG", "COMPLETENESS.json is about another log", ALWAYS[0])
        for role in range(3):
            self._key_files(role, 0, self.genesis.role_keys[role])

    def _opened(self, entry, opened):
        self.report.ok("private")
        if opened.check("immutape/private/1", PRIVATE_FIELDS) != entry.commitment:
            raise Refusal("PRIVATE_COMMITMENT", "the fields are not those that were committed to")
        return opened.values

    def _rest(self, stream, entry):
        """The map of an item. Returns how many tapes it shows in a set."""
        members = 0
        for key in stream.ascending(5, 2, stream.uint):
            if key == 0:
                for _ in range(stream.count(4, MAX_EVIDENCE_ENTRIES)):
                    members += 1
                    self._member(stream, entry)
                if not members:
                    raise Refusal("ENTRIES", "a list of no memberships")
            elif key == 1:
                path = [stream.bytes32() for _ in range(stream.count(4, 2 * MAX_PROOF_HASHES))]
                self._consistent(entry, path)
            else:
                raise Refusal("ENTRIES", "an item with a key %d" % key)
        return members

    def _member(self, stream, entry):
        stream.expect(4, 4)
        custody, salt, position = stream.bytes32(), stream.bytes32(), stream.uint()
        path = [stream.bytes32() for _ in range(stream.count(4, MAX_PROOF_HASHES + 1))]

        def leads():
            if entry.kind not in (34, 35):
                raise Refusal("MEMBERSHIP", "a membership of an entry that is no list and no search")
            leaf = leaf_hash(sha256(cbor_encode(["immutape/set/1", salt, custody])))
            if root_by_path(leaf, position, entry.body[1], path) != entry.body[0]:
                raise Refusal("MEMBERSHIP", "the path does not lead to the set commitment")
        if entry is not None:
            self.report.ok("private")
            self.tried("private", ALTERED, leads, ENTRIES.label, entry.index)

    def _consistent(self, entry, path):
        if entry is None:
            return
        self.path_of = entry.index
        if entry.kind not in (ANCHOR_COSIGNED, ANCHOR_TIMESTAMPED):
            self.find("anchors", ALTERED, "CONSISTENCY", "a consistency path of an entry that keeps no head", ENTRIES.label, entry.index)
            return
        kept = self.tried("anchors", INFO, lambda: Checkpoint(Note(entry.body[0])), ENTRIES.label, entry.index)
        if kept is not None and self.head is not None and not is_extended(kept.size, kept.root, self.head.size, self.head.root, path):
            self.split.append((entry.index, kept.size))

    # What entries mean.

    def _meaning(self, entry, raw, leaf):
        kind, index, place = entry.kind, entry.index, (ENTRIES, None, entry.index)
        if kind >= CRITICAL_FROM and kind not in KINDS:
            self.critical.setdefault(kind, index)
            self.find("entries", CANNOT, "CRITICAL_KIND", "kind %d is critical and not known here: what follows may mean something else "
                      "than this check takes it for" % kind, ENTRIES.label, index)
        if kind in (ANCHOR_COSIGNED, ANCHOR_TIMESTAMPED) and self.path_of != index:
            self.find("anchors", ALTERED, "CONSISTENCY", "the consistency path is not there", ENTRIES.label, index)
        if kind == ANCHOR_TIMESTAMPED:
            self._time_files(entry)
        if kind in DISPOSED_KINDS:
            self.destroyed[index] = [item for item in self.destroyed.get(index, ()) if bytes.fromhex(item["custody"]) != entry.subject]
        if self.keys is None:
            return
        if kind in (ANCHOR_COSIGNED, ANCHOR_TIMESTAMPED, PUBLISHED):
            self.anchors.take(entry, self, place)
        elif kind == FORK_FOUND:
            self.tried("anchors", ALTERED, lambda: self._held_by_others(entry.body[1]), ENTRIES.label, index)
        elif kind == SUCCESSION:
            self.tried("entries", ALTERED, lambda: Succession(entry.body[0]).check(self.genesis), ENTRIES.label, index)
        elif kind in (KEY_ROTATED, KEY_REVOKED):
            self.tried("entries", ALTERED, lambda: self._key_change(entry), ENTRIES.label, index)
        elif kind == TAPE_SAVED:
            self._saved(entry)
        if kind in (ANCHOR_COSIGNED, ANCHOR_TIMESTAMPED):
            self._first_seen(entry)

    def _first_seen(self, entry):
        """Heads that are here, and of each given tape the first cosigned one that is over it."""
        try:
            note = Note(entry.body[0])
            kept = Checkpoint(note)
            self.own_heads[kept.size] = kept.root
            seen = self.witnesses.saw(note) if entry.kind == ANCHOR_COSIGNED else None
        except Refusal as refusal:
            if refusal.code == "COSIGNATURE":
                self.find("anchors", ALTERED, refusal.code, refusal.words, ENTRIES.label, entry.index)
            return
        for tape in self.given.values() if seen is not None else ():
            if tape.seen_ms is None and tape.saved is not None and kept.size > tape.saved:
                tape.seen_ms = seen

    def _held_by_others(self, raw):
        """The note of a kind 133, of any size and root: signed by this log, and no line of a witness that is known here is wrong."""
        Anchors._head(self, raw)
        self.witnesses.saw(Note(raw))

    def _key_change(self, entry):
        self.keys.take(entry.index, entry)
        if entry.kind == KEY_ROTATED:
            self._key_files(entry.body[0], entry.index, entry.body[1])

    def _saved(self, entry):
        index, statement = entry.index, Statement(entry.body[0])
        signed = False
        self.report.ok("statements")
        try:
            statement.check(self.genesis, self.keys.in_force(RECORDER, index), entry.subject)
            signed = True
        except Refusal as refusal:
            severity = CANNOT if refusal.code == "STATEMENT_KEY" and self.critical else ALTERED
            self.find("statements", severity, refusal.code, refusal.words, ENTRIES.label, index, tape_name(statement.payload))
        if entry.subject in self.saved_here:
            self.find("statements", ALTERED, "SAVED_TWICE", "a second tape.saved of one custody id", ENTRIES.label, index)
        self.saved_here[entry.subject] = index
        saved = SavedTape(index, entry.subject, statement.payload, statement.manifest, entry.body[1], signed)
        (self.tapes if entry.subject in self.given else self.others).append(saved)

    def _revoked_later(self):
        """Statements of tapes that are not given, which the key had no right to sign. What vouches for the earlier ones need not be here."""
        for tape in self.others:
            revoked = self.keys.in_force(RECORDER, tape.entry).revoked
            if revoked is not None and tape.entry >= revoked[0]:
                yield tape

    def learn(self, log):
        """6.7, whole log: what came after the bundle, by a tree that goes on from its head. Which key was in force at a place here is
        not changed by it; which ones count, is."""
        if log.keys is None or self.genesis is not None and self.genesis.ledger_id != log.genesis.ledger_id:
            return
        self.tree_keys = log.keys
        if self.keys is not None:
            self.keys = log.keys

    def _about(self, tape, entry, raw, leaf, values):
        """Check 7, entry by entry."""
        index = entry.index
        self.report.ok("custody")
        if entry.subject_seq == tape.chained:
            if not tape.is_broken and entry.subject_prev != tape.last_leaf:
                self.find("custody", ALTERED, "SUBJECT_PREV", "subject_prev is not the leaf hash of the tape's last entry", ENTRIES.label, index, tape.name())
        elif entry.subject_seq > tape.chained:
            tape.is_broken = True
            self.find("custody", INCOMPLETE, "CUSTODY_GAP", "%d entries about the tape, before this one, are not here"
                      % (entry.subject_seq - tape.chained), ENTRIES.label, index, tape.name())
        tape.chained, tape.last_leaf = entry.subject_seq + 1, leaf
        tape.made = None
        if entry.kind == TAPE_SAVED and tape.saved is None:
            tape.saved, tape.saved_raw, tape.saved_leaf, tape.statement = index, raw, leaf, Statement(entry.body[0])
        elif entry.kind == RECORDING_MARK:
            if tape.marks and entry.body[0] < tape.marks[-1][0]:
                self.find("custody", ALTERED, "MARK_FALLS", "recording.mark names fewer frames than the mark before", ENTRIES.label, index, tape.name())
            tape.marks.append((entry.body[0], entry.body[1], index))
        elif entry.kind == TAPE_TRUNCATED:
            tape.truncated.append(entry.body[0])
            self.find("custody", GAP, "TRUNCATED", "the recording did not end in order", ENTRIES.label, index, tape.name())
        elif entry.kind == EVIDENCE_MADE:
            tape.made = (index, raw, leaf, entry.body, values.get(30))

    def _span(self, entry):
        if self.said is None or self.said.span is None or not self.said.span[0] <= entry.index <= self.said.span[1]:
            return
        self.in_span += 1
        self.span_times = ((self.span_times or (entry.time,))[0], entry.time)
        if entry.kind == TAPE_SAVED and self.said.sealed[0] <= entry.time <= self.said.sealed[1]:
            self.span_saved.append((Statement(entry.body[0]).payload.hex(), entry.subject.hex(), entry.index))

    def _withheld(self, entry, opened, members):
        """Check 11 for one entry: what stays closed of it is told, exactly and once."""
        if self.said is None:
            return
        told = self.private.pop(entry.index, [])
        closed = opened.closed if opened is not None else frozenset()
        optional = SET_FIELDS if entry.kind in (34, 35, REFUSED) else frozenset()
        closed -= optional
        is_closed = opened is None or bool(closed)
        in_span = self.said.span is not None and self.said.span[0] <= entry.index <= self.said.span[1]
        needs = is_closed and (entry.subject in self.given or members > 0 or entry.kind == REFUSED and not in_span)
        tape = self.given.get(entry.subject)
        about = (tape.item["tape"] if tape else "0" * 64 if entry.subject == ZERO32 else None, entry.subject.hex())
        # A list of no fields says that all of it is closed.
        exact = [(not item["fields"]) == (opened is None) and frozenset(item["fields"]) - optional == closed
                 and about[0] in (None, item["tape"]) and item["custody"] == about[1] for item in told]
        if len(told) > 1 or needs and not told or not all(exact):
            self.find("accounting", INCOMPLETE, "PRIVATE_UNTOLD", "what stays closed of the private half is not what is told to be withheld",
                      ENTRIES.label, entry.index)

    def _told(self, entry, tape, values, members):
        """Who did what, for people."""
        if tape is None and not members or len(self.report.summary) >= MAX_SUMMARY_LINES:
            return
        actor = values.get(0)
        who = "by %s" % actor[1].decode("utf-8", "backslashreplace") if actor else "by somebody who is not told"
        tape_words = "tape %s.." % tape.item["tape"][:12] if tape else "%d given tapes" % members
        self.report.summary.append("entry %d, %s: %s, %s, %s" % (entry.index, when(entry.time), kind_name(entry.kind), tape_words, who))

    # Keys and times, check 9 --------------------------------------------------------------------------------------------

    def _side_file(self, path, wanted):
        self.side_files.add(path)
        if path not in self.bag.files:
            self.find("keys and times", MISSING, "SIDE_FILE_MISSING", "a file that has to be there is not", path)
            return
        self.report.ok("keys and times")
        if self.tried("keys and times", ALTERED, lambda: self.bag.read(path, len(wanted)) == wanted, path) is False:
            self.find("keys and times", ALTERED, "SIDE_FILE", "not what the entry says", path)

    def _time_files(self, entry):
        self._side_file("data/time/%d.note" % entry.index, entry.body[0])
        self._side_file("data/time/%d.tst" % entry.index, entry.body[1])

    def _key_files(self, role, index, key):
        pem = "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n" % base64.b64encode(SPKI_ED25519 + key).decode()
        self._side_file("data/keys/%s-%d.pem" % (ROLES[role], index), pem.encode())
        if role == CHECKPOINT:
            raw = base64.b64encode(bytes([NOTE_ED25519]) + key).decode()
            vkey = "%s+%s+%s\n" % (self.genesis.origin, key_id(self.genesis.origin, key).hex(), raw)
            self._side_file("data/keys/checkpoint-%d.vkey" % index, vkey.encode())

    def _sides(self):
        if "data/entries.cbor" not in self.bag.files:
            return
        for path in self.bag.files:
            # Without entry 0 nobody knows which keys came into force.
            if SIDE_ROW.fullmatch(path) and path not in self.side_files and (self.keys is not None or "/time/" in path):
                self.find("keys and times", ALTERED, "SIDE_FILE_UNKNOWN", "a file that no entry here calls for", path)

    # Head, checks 4 and 5 -----------------------------------------------------------------------------------------------

    def judge_head(self):
        head = self.head
        if head is None:
            return
        self.own_heads[head.size] = head.root
        if self.keys is not None:
            try:
                self.report.ok("head")
                if head.origin != self.keys.origin:
                    raise Refusal("HEAD_ORIGIN", "head of another origin: %s" % head.origin[:200])
                self.keys.counts(head.size)
                self.keys.verify_head(head.note, head.size)
                self.head_holds = True
            except Refusal as refusal:
                severity = CANNOT if refusal.code in ("HEAD_UNSIGNED", "HEAD_KEY") and self.critical else ALTERED
                self.find("head", severity, refusal.code, refusal.words, "data/log/checkpoint")
        for index, size in self.split if self.head_holds else ():
            self.find("anchors", FORKED, "CONSISTENCY", "the head of %d entries that others hold is none of this log" % size, ENTRIES.label, index)
        if self.indices and self.indices[-1] >= head.size:
            self.find("head", ALTERED, "HEAD_SIZE", "the head is not over the last entry here", "data/log/checkpoint")
        self.report.checks["head"].extra = "size %d" % head.size
        path = "data/log/paths.cbor"
        if path in self.bag.files and "data/entries.cbor" in self.bag.files:
            self.report.ok("set proof")
            self.tried("set proof", ALTERED, lambda: self._set_proof(path), path)

    def _set_proof(self, path):
        leaves = ((index, bytes(self.leaves[at * 32:at * 32 + 32])) for at, index in enumerate(self.indices))
        with self.bag.stream(path) as stream:
            if root_of_set(self.head.size, leaves, set_hashes(stream)) != self.head.root:
                raise Refusal("SET_PROOF", "the entries do not lead to the root of the head")

    # Tapes, checks 7 and 8 ----------------------------------------------------------------------------------------------

    def judge_tapes(self):
        if "data/entries.cbor" in self.bag.files:
            for tape in self.by_tape.values():
                self._chain_end(tape)
        for tape in self.by_tape.values():
            self._tape(tape)
        for item in self.said.said["out_of_scope"] if self.said is not None else ():
            if item["field"] is None:
                self.find("accounting", GAP, "OUT_OF_SCOPE", "by nothing but the ledger's word", None, None, "sha256:" + item["tape"])
            elif item["tape"] not in self.by_tape:
                self._scope(item)

    def _chain_end(self, tape):
        name = tape.name()

        def find(severity, code, words):
            self.find("custody", severity, code, words, None, tape.made[0] if tape.made else None, name)
        if tape.saved is None and tape.chained and not tape.is_broken:
            find(ALTERED, "SAVED_ABSENT", "no entry about the tape is its tape.saved")
        if tape.saved is not None and tape.saved != tape.item["entry"]:
            find(ALTERED, "GIVEN_ENTRY", "its tape.saved is another entry than is said")
        if tape.statement is not None and tape.statement.payload != tape.tape:
            find(ALTERED, "STATEMENT_TAPE", "its tape.saved is of another tape")
        if tape.made is None:
            find(INCOMPLETE, "EVIDENCE_LAST", "the last entry about the tape here is no evidence.made")
            return
        _, _, _, body, exported = tape.made
        if body[0] != self.said.bundle or body[2] != len(self.said.said["given"]):
            find(INCOMPLETE, "EVIDENCE_OTHER", "the last evidence.made is of another bundle, or of another number of tapes")
        if (exported is None or exported[1] != self.said.digest
                or body[1] != sha256(cbor_encode(["immutape/export/1", exported[0], exported[1]]))):
            find(ALTERED, "EVIDENCE_DIGEST", "evidence.made is not of this COMPLETENESS.json, or does not show it")

    def _root(self, folder, wanted):
        """Header commitment, number of frames, tree root."""
        raw = self.read(folder + "root.cbor", 4096)
        if raw is None:
            return None
        if sha256(raw) != wanted:
            raise Refusal("ROOT_FILE", "the tape root file does not have the tape id")
        return root_file(raw)

    def _tape(self, tape):
        def tried(file, step):
            return self.tried("tapes", ALTERED, step, tape.folder + file, None, tape.name())
        self.report.ok("tapes")
        root = tried("root.cbor", lambda: self._root(tape.folder, tape.tape))
        tried("manifest.cbor", lambda: self._manifest(tape))
        tried("statement.cose", lambda: self._statement(tape))
        header = tried("header.cbor", lambda: self._header(tape.folder, root))
        if header is not None:
            if 18 in header.digests:
                self.find("tapes", GAP, "HEADER_GAPS", "the header says that frames are missing", tape.folder + "header.cbor", None, tape.name())
            self._told_withheld(tape, "header", header.closed)
        if root is not None:
            tape.frames = root[1]
            if tape.item["frames"] != root[1]:
                self.find("accounting", INCOMPLETE, "GIVEN_FRAMES", "the tape has %d frames, another number is said" % root[1], None, None, tape.name())
            self._frames(tape, root)
        if self.head is not None:
            if tape.saved is not None:
                tried("saved.tlog-proof", lambda: self._proof(tape, "saved.tlog-proof", tape.saved, tape.saved_raw))
                tried("receipt.cose", lambda: self._receipt(tape))
            if tape.made is not None:
                tried("evidence.tlog-proof", lambda: self._proof(tape, "evidence.tlog-proof", tape.made[0], tape.made[1]))

    def _manifest(self, tape):
        raw = self.read(tape.folder + "manifest.cbor", MAX_MANIFEST_BYTES)
        if raw is None:
            return
        if tape.statement is not None and sha256(raw) != tape.statement.manifest:
            raise Refusal("MANIFEST_DIGEST", "not the manifest that the statement names")
        manifest = Manifest(raw)
        if manifest.custody_id != tape.custody or sha256(manifest.root_file) != tape.tape:
            raise Refusal("MANIFEST_TAPE", "the manifest is of another tape")

    def _statement(self, tape):
        raw = self.read(tape.folder + "statement.cose", MAX_ENTRY_BYTES)
        if raw is None or tape.statement is None:
            return
        if raw != Entry(tape.saved_raw).body[0]:
            raise Refusal("STATEMENT_FILE", "not the statement in tape.saved")

    def _header(self, folder, root):
        path = folder + "header.cbor"
        if path not in self.bag.files:
            return None
        with self.bag.stream(path) as stream:
            header = Opened(stream)
            if not stream.done():
                raise Refusal("HEADER", "bytes after the fields")
        if not all(number in header.digests for number in HEADER_NEEDED):
            raise Refusal("HEADER", "a key that has to be there is not")
        commitment = header.check("immutape/header/1", HEADER_FIELDS)
        if root is not None:
            if commitment != root[0]:
                raise Refusal("HEADER_COMMITMENT", "not the header that the tape root file commits to")
            if 11 in header.values and header.values[11][0] != root[1]:
                raise Refusal("HEADER_FRAMES", "the header counts other frames than the tape root file")
        return header

    def _proof(self, tape, file, index, raw):
        data = self.read(tape.folder + file, MAX_PROOF_BYTES)
        if data is None:
            return
        proof = EntryProof(data)
        if proof.extra != raw or proof.index != index:
            raise Refusal("PROOF_ENTRY", "proof of another entry")
        head = Checkpoint(proof.note)
        if proof.note.text != self.head.note.text:
            raise Refusal("PROOF_HEAD", "proof under another head than log/checkpoint")
        if self.keys is not None:
            self.keys.verify_head(proof.note, head.size)
        # A line of a witness that is known here must hold, too.
        self.witnesses.saw(proof.note)
        proof.check(head, leaf_hash(raw))

    def _receipt(self, tape):
        data = self.read(tape.folder + "receipt.cose", MAX_ENTRY_BYTES)
        if data is None or self.keys is None:
            return
        receipt = Receipt(data)
        if (receipt.origin, receipt.subject) != (self.genesis.origin, tape.item["custody"]):
            raise Refusal("RECEIPT_CLAIMS", "receipt of another log or tape")
        if (receipt.size, receipt.index) != (self.head.size, tape.saved):
            raise Refusal("RECEIPT_PLACE", "receipt of another entry, or under another head")
        if receipt.check(self.keys.in_force(ISSUER, self.head.size).key, tape.saved_leaf) != self.head.root:
            raise Refusal("RECEIPT_ROOT", "receipt under another root than that of log/checkpoint")

    def _scope(self, item):
        folder, name = "data/tapes/%s/" % item["tape"], "sha256:" + item["tape"]
        self.report.ok("tapes")
        root = self.tried("tapes", ALTERED, lambda: self._root(folder, bytes.fromhex(item["tape"])), folder + "root.cbor", None, name)
        header = self.tried("tapes", ALTERED, lambda: self._header(folder, root), folder + "header.cbor", None, name)
        if header is not None and item["field"] not in header.values:
            self.find("accounting", INCOMPLETE, "SCOPE_CLOSED", "out of scope by a field that is not open", folder + "header.cbor", None, name)

    # Frames -------------------------------------------------------------------------------------------------------------

    def _frames(self, tape, root):
        frames, proof = tape.folder + "frames.cbor", tape.folder + "frames-paths.cbor"
        if frames not in self.bag.files:
            return
        seen = FramesSeen(tape.marks)

        def leads(leaves):
            try:
                if proof in self.bag.files:
                    with self.bag.stream(proof) as stream:
                        if root_of_set(root[1], leaves, set_hashes(stream)) != root[2]:
                            raise Refusal("FRAMES_ROOT", "the frames do not lead to the tree root of the tape")
            finally:
                # What is here is told by the frames, whatever becomes of the proof.
                for _ in leaves:
                    pass
        with self.bag.stream(frames) as stream:
            self.tried("frames", ALTERED, lambda: leads(seen.leaves(stream)), frames, None, tape.name())
        self.report.ok("frames", max(seen.count, 1))
        self._marks(tape, seen, root[1])
        self._frames_told(tape, seen, root[1])

    def _marks(self, tape, seen, frames):
        for count, wanted, index in tape.marks:
            if count > frames or seen.roots.get(count, wanted) != wanted:
                cut = any(left < count for left in tape.truncated)
                self.find("frames", GAP if cut else ALTERED, "MARK", "the frames are not those that recording.mark names", None, index, tape.name())

    def _frames_told(self, tape, seen, frames):
        """Check 11: the frames that are here are those asked for, and what is not here is told."""
        asked = self.said.frames or [0, U64_MAX]
        first, last = asked[0], min(asked[1], frames - 1)
        wanted = [first, last] if first <= last else None
        if not (tape.item["opened"] == wanted == seen.range() and seen.is_run()):
            self.find("accounting", INCOMPLETE, "FRAMES_OTHER", "the frames here are not those that were asked for, or not those that are said",
                      None, None, tape.name())
        if seen.closed and self.said.payloads or seen.opened and not self.said.payloads:
            self.find("accounting", INCOMPLETE, "PAYLOADS_OTHER", "payloads are not all open or all closed as is said", None, None, tape.name())
        self._told_withheld(tape, "frames", seen.count < frames)
        self._told_withheld(tape, "payloads", bool(seen.closed))

    def _told_withheld(self, tape, what, closed):
        """One `withheld` of this sort exactly where something is closed; of the header with exactly its fields."""
        told = [item for item in self.withheld.get(what, ()) if item["tape"] == tape.item["tape"]]
        good = len(told) == (1 if closed else 0) and all(
            (item["custody"], item["entry"]) == (tape.item["custody"], tape.item["entry"]) for item in told)
        if what == "header" and good and closed:
            good = frozenset(told[0]["fields"]) == closed
        if not good:
            self.find("accounting", INCOMPLETE, "WITHHELD", "what is told to be withheld of its %s is not what is" % what, None, None, tape.name())

    # Accounting, checks 10 and 11 ---------------------------------------------------------------------------------------

    def judge_accounts(self):
        if self.said is None:
            return
        tapes, said = {}, self.said
        for _, item in said.lists():
            tapes[item["tape"]] = tapes.get(item["tape"], 0) + 1
            self.report.ok("accounting")
        for tape, count in tapes.items():
            if count > 1:
                self.find("accounting", INCOMPLETE, "TAPE_TWICE", "accounted for %d times" % count, None, None, "sha256:" + tape)
        for tape in said.ids or ():
            if tape not in tapes:
                self.find("accounting", INCOMPLETE, "TAPE_UNACCOUNTED", "asked for, and in no list", None, None, "sha256:" + tape)
        for what in ("frames", "payloads", "header"):
            for item in self.withheld.get(what, ()):
                if item["tape"] not in self.by_tape:
                    self.find("accounting", INCOMPLETE, "WITHHELD", "%s of a tape that is not given" % what, None, None, "sha256:" + item["tape"])
        for item in self.withheld.get("tape", ()):
            self.find("accounting", GAP, "TAPE_WITHHELD", "withheld: %s" % item["why"], None, None, "sha256:" + item["tape"])
        if self.withheld.get("private", ()):
            self.find("accounting", GAP, "PRIVATE_WITHHELD", "fields of private halves of %d entries are withheld" % len(self.withheld.get("private", ())))
        if "data/entries.cbor" not in self.bag.files:
            return
        for index, items in self.private.items():
            self.find("accounting", INCOMPLETE, "WITHHELD", "a private half is withheld of an entry that is not here", None, index)
        for index, items in self.destroyed.items():
            for item in items:
                self.find("accounting", INCOMPLETE, "DESTROYED", "no entry here says that its key was destroyed", None, index, "sha256:" + item["tape"])
        if said.span is not None:
            self._account_span(said)

    def _account_span(self, said):
        first, last = said.span

        def find(code, words, tape=None):
            self.find("accounting", INCOMPLETE, code, words, None, None, tape)
        if self.in_span != last - first + 1:
            find("SPAN_ENTRIES", "entries %d to %d are not all here" % (first, last))
        times = self.span_times or (0, 0)
        if first != 0 and not times[0] < said.sealed[0]:
            find("SPAN_BEGIN", "the span does not begin before the time that was asked for")
        if last >= said.log_size or last != said.log_size - 1 and not times[1] > said.sealed[1]:
            find("SPAN_END", "the span does not end behind the time that was asked for")
        saved = sorted(self.span_saved)
        told = sorted((item["tape"], item["custody"], item["entry"]) for _, item in said.lists())
        if saved != told:
            find("SPAN_TAPES", "the tapes that are accounted for are not those that were saved in the time that was asked for")

    # Pins, witnesses, heads of others -----------------------------------------------------------------------------------

    def judge_outside(self, pins, heads):
        keys = self.tree_keys or self.keys
        check_pins(self.report, pins, keys)
        check_anchored(self.report, self.head if self.head_holds else None, self.witnesses, keys)
        for path in heads:
            self._given_head(path, keys)

    def _given_head(self, path, keys):
        if keys is None:
            self.report.skip("heads", GIVEN_HEADS, "no genesis, so no key to check them with")
            return
        head = given_head(self.report, path, lambda head: verify_given(head, keys, self.head.size if self.head is not None else U64_MAX))
        if head is None:
            return
        own = self.own_heads.get(head.size)
        if own is None:
            self.find("heads", INFO, "HEAD_NOT_COMPARED", "no head of %d entries is here to compare it with" % head.size, path)
        elif own != head.root:
            self.find("heads", FORKED, "E_LOG_FORK", "others hold a head of %d entries with another root" % head.size, path)

    def finish(self):
        report = self.report
        self._sides()
        if self.keys is not None:
            self.anchors.not_compared = 0
            self.anchors.finish(self)
            judge_revoked(report, self.keys, self.anchors, self.tapes + list(self._revoked_later()))
        else:
            report.skip("anchors", Anchors.WHAT, "no genesis")
        for tape in list(self.by_tape.values())[:MAX_SUMMARY_LINES]:
            seen = "at the latest %s, by witnesses" % when(tape.seen_ms) if tape.seen_ms is not None else "at a time that no witness vouches for"
            report.summary.append("tape %s: %d frames, %s opened, %d links of custody, saved as entry %s, %s" % (
                tape.name(), tape.frames, "none" if tape.item["opened"] is None else "%d to %d" % tuple(tape.item["opened"]), tape.chained,
                tape.saved, seen))
        if report.anchored_ms is not None:
            report.summary.append("everything here existed at the latest %s" % when(report.anchored_ms))
        report.summary.append("complete over the whole log" if report.whole_log else "complete up to entry %s, by the ledger's claim" % (
            self.indices[-1] if self.indices else "none"))


class FramesSeen:
    """What stands in frames.cbor, which is read once."""

    def __init__(self, marks):
        self.wanted = {count for count, _, _ in marks}
        self.roots = {0: EMPTY_ROOT}
        self.count = self.opened = self.closed = 0
        self.first = self.last = None
        self.edge = Frontier()

    def range(self):
        return None if self.first is None else [self.first, self.last]

    def is_run(self):
        return self.first is None or self.last - self.first + 1 == self.count

    def leaves(self, stream):
        while not stream.done():
            stream.expect(4, 3)
            seq = stream.uint()
            if self.last is not None and seq <= self.last:
                raise Refusal("FRAMES", "frame %d stands behind frame %d" % (seq, self.last))
            envelope, opened = self._part(stream, "envelope", seq, MAX_ENVELOPE_BYTES)
            if opened is None:
                raise Refusal("FRAMES", "the envelope of frame %d is closed" % seq)
            if check_frame(opened, False)[0] != seq:
                raise Refusal("FRAMES", "frame %d says that it is another" % seq)
            payload, opened = self._part(stream, "payload", seq, MAX_PAYLOAD_BYTES)
            self.first = seq if self.first is None else self.first
            self.last = seq
            self.count += 1
            self.opened += opened is not None
            self.closed += opened is None
            leaf = leaf_hash(cbor_encode(["immutape/frame/1", seq, envelope, payload]))
            if self.wanted and self.edge.size == seq:
                self.edge.push(leaf)
                if self.edge.size in self.wanted:
                    self.roots[self.edge.size] = self.edge.root()
            yield seq, leaf

    @staticmethod
    def _part(stream, what, seq, most):
        """Digest of a part, and its bytes where it is open."""
        major, value = stream.head()
        if (major, value) == (2, 32):
            return stream.take(32), None
        if (major, value) != (4, 2):
            raise Refusal("FRAMES", "a part of frame %d that is neither open nor a digest" % seq)
        salt, data = stream.bytes32(), stream.bytes(most)
        return sha256(cbor_encode(["immutape/frame/1/" + what, seq, salt, data])), data


def check_anchored(report, head, witnesses, keys):
    """6.7, pins: whether a quorum of the given witnesses saw the head."""
    report.check("anchored", "a quorum of the given witnesses cosigned the head")
    if not witnesses.keys or head is None:
        why = "no --witness given: nobody else vouches for this head" if not witnesses.keys else "no head that holds"
        report.skip("anchored", "cosignatures", why)
        report.find("anchored", NOT_ANCHORED, "NO_WITNESS" if not witnesses.keys else "NO_HEAD", why)
        return
    report.ok("anchored")
    try:
        if keys is not None and any(key == term.key for _, key in witnesses.keys for terms in keys.terms for term in terms):
            raise Refusal("WITNESS_KEY", "a given witness's key is a key of the log")
        report.anchored_ms = witnesses.saw(head.note)
    except Refusal as refusal:
        report.find("anchored", ALTERED, refusal.code, refusal.words)
    if report.anchored_ms is None:
        report.find("anchored", NOT_ANCHORED, "NO_QUORUM", "no quorum of the given witnesses cosigned the head")


class Options:
    """What the auditor brings from elsewhere."""

    def __init__(self, pins=(), witnesses=None, heads=(), tree=None, state=None):
        self.pins, self.witnesses, self.heads, self.tree, self.state = pins, witnesses or Witnesses(()), heads, tree, state


def audit_bundle(path, options):
    """Checks a bundle, folder or tar file, and returns the report."""
    report = Report("bundle")
    witnesses, bag = options.witnesses, None
    try:
        bag = Bag(report, path)
    except Refusal as refusal:
        report.find("bag", CANNOT if refusal.code in ("FILE_KIND", "AGE") else ALTERED, refusal.code, refusal.words, path)
    except OSError as trouble:
        report.find("bag", CANNOT, "BAG_UNREAD", str(trouble), path)
    if bag is None:
        check_anchored(report, None, witnesses, None)
        return report
    evidence = Evidence(report, bag, witnesses)
    if bag.digest is not None:
        report.facts["bundle digest"] = bag.digest.hex()
    guarded(report, "completeness", evidence.begin)
    guarded(report, "entries", evidence.entries)
    if options.tree is not None:
        # Before what is judged by keys: some of them may have come after the bundle, or been revoked.
        guarded(report, "whole log", lambda: compare_whole(report, evidence, options.tree))
    guarded(report, "head", evidence.judge_head)
    guarded(report, "tapes", evidence.judge_tapes)
    guarded(report, "accounting", evidence.judge_accounts)
    guarded(report, "keys", lambda: evidence.judge_outside(options.pins, options.heads))
    guarded(report, "anchors", evidence.finish)
    return report


# ----------------------------------------------------------------------------------------------------------------------
# Published trees, chapter 5.4: C2SP tlog-tiles in a folder.

TILE = 256


class TreeLog(Log):
    """The entries of a published tree, whose leaf hashes stand in its tiles already."""

    def __init__(self, report, tree, seen):
        super().__init__(report, ())
        self.tree, self.seen = tree, seen

    def _grow(self, leaf):
        self.kinds.clear()

    def _advance(self, leaf, entry):
        if self.seen is not None:
            self.seen(self.count, leaf, entry)
        super()._advance(leaf, entry)


class PublishedTree:
    """`seen` is called with place, leaf hash and entry of each entry; `keys` are those of a log that is known already."""

    def __init__(self, report, folder, seen=None, keys=None):
        self.report, self.folder, self.keys = report, folder, keys
        self.head, self.log, self.tree = None, None, Tree()
        self.is_whole = self.has_entries = self.head_holds = False
        # The entries, once a bundle of them could not be read.
        self.stopped = None
        self.folders = {}
        report.check("tree", "tiles of level 0 lead to the root of the checkpoint")
        report.check("head", "signature of the checkpoint")
        if self._is_folder("tile/entries") and any(self._has_file("tile/entries")):
            self.has_entries = True
            report.check("bundles", "each entry has the leaf hash of its place")
            self.log = TreeLog(report, self.tree, seen)

    def find(self, name, severity, code, words, file=None, entry=None):
        self.report.find(name, severity, code, words, file, None, entry)

    # Files. Nothing is followed out of the folder: each folder on the way is one, and no link.

    def _is_folder(self, path):
        if path not in self.folders:
            try:
                mode = os.lstat(os.path.join(self.folder, path)).st_mode
            except (FileNotFoundError, NotADirectoryError):
                return False
            above = os.path.dirname(path)
            self.folders[path] = stat.S_ISDIR(mode) and (not above or self._is_folder(above))
        return self.folders[path]

    def _has_file(self, path):
        """Yields once for each plain file beneath a folder."""
        for place, _, names in os.walk(os.path.join(self.folder, path)):
            for name in names:
                if stat.S_ISREG(os.lstat(os.path.join(place, name)).st_mode):
                    yield True

    def _file(self, path, most):
        """Bytes of a file, cut off behind the most that it may have; None where no plain file is there."""
        if not self._is_folder(os.path.dirname(path)):
            return None
        try:
            with open_regular(os.path.join(self.folder, path)) as file:
                return file.read(most + 1)
        except (FileNotFoundError, Refusal):
            return None

    def _tile(self, level, place, width, most):
        """A tile that is not full is kept while full ones come to stand beside it; either has these hashes or entries first."""
        parts = ["%03d" % (place % 1000)]
        while place >= 1000:
            place //= 1000
            parts.insert(0, "x%03d" % (place % 1000))
        path = "tile/%s/%s" % (level, "/".join(parts))
        if width < TILE:
            raw = self._file("%s.p/%d" % (path, width), most)
            if raw is not None:
                return "%s.p/%d" % (path, width), width, raw
        return path, TILE, self._file(path, most)

    # The check.

    def scan(self):
        raw = self._file("checkpoint", MAX_NOTE_BYTES)
        if raw is None:
            self.find("head", MISSING, "CHECKPOINT_MISSING", "no checkpoint here", "checkpoint")
            return
        try:
            self.head = Checkpoint(Note(raw))
        except Refusal as refusal:
            self.find("head", ALTERED, refusal.code, refusal.words, "checkpoint")
            return
        self.is_whole = all(self._place(place) for place in range(-(-self.head.size // TILE)))
        if not self.is_whole:
            return
        self.report.ok("tree")
        if self.tree.root() != self.head.root:
            self.find("tree", ALTERED, "TREE_ROOT", "the tiles do not lead to the root of the checkpoint", "checkpoint")
        self.report.checks["tree"].extra = "%d leaves" % self.tree.size
        self._upper_tiles()

    def _place(self, place):
        width = min(TILE, self.head.size - place * TILE)
        path, full, raw = self._tile(0, place, width, 32 * TILE)
        if raw is None:
            self.find("tree", MISSING, "TILE_MISSING", "a tile is not there", path)
            return False
        if len(raw) != 32 * full:
            self.find("tree", ALTERED, "TILE_LENGTH", "a tile of %d bytes" % len(raw), path)
            return False
        self.report.ok("tree")
        entries = self._entries(place, width) if self.log is not None else None
        for number in range(width):
            leaf = raw[32 * number:32 * number + 32]
            self.tree.push(leaf)
            if entries is not None:
                self._entry(leaf, *entries[number])
        return True

    def _entries(self, place, width):
        """File and bytes of each entry of a place. After a bundle that cannot be read no entry is looked at."""
        path, full, raw = self._tile("entries", place, width, TILE * (MAX_ENTRY_BYTES + 2))
        if raw is None:
            self.find("bundles", MISSING, "BUNDLE_MISSING", "a bundle of entries is not there", path)
        else:
            entries, at = [], 0
            while at + 2 <= len(raw) and len(entries) < full:
                end = at + 2 + int.from_bytes(raw[at:at + 2], "big")
                entries.append((path, raw[at + 2:end]))
                at = end
            if at == len(raw) and len(entries) == full:
                return entries
            self.find("bundles", ALTERED, "BUNDLE_SHAPE", "not %d entries behind their lengths" % full, path)
        self.has_entries, self.stopped, self.log = False, self.log, None
        return None

    def _entry(self, leaf, path, raw):
        log = self.log
        self.report.ok("bundles")
        if leaf_hash(raw) != leaf:
            self.find("bundles", ALTERED, "BUNDLE_LEAF", "the entry does not have the leaf hash of its place", path, log.count)
            log.damaged = True
        log._entry(Place(path), None, None, raw, None)

    def _upper_tiles(self):
        """Others prove by the tiles above; here nothing hangs on them."""
        for level in range(1, len(self.tree.levels) // 8 + 1):
            hashes = self.tree.levels[8 * level] if 8 * level < len(self.tree.levels) else b""
            for place in range(-(-len(hashes) // (32 * TILE))):
                wanted = bytes(hashes[place * 32 * TILE:(place + 1) * 32 * TILE])
                path, _, raw = self._tile(level, place, len(wanted) // 32, 32 * TILE)
                if raw is None or raw[:len(wanted)] != wanted:
                    self.find("tree", INFO, "TILE_ABOVE", "a tile above level 0 is not there, or not that of the leaves below", path)

    def judge_head(self, pins=()):
        """The checkpoint under the key in force, or under keys that the auditor brought where there are no entries to name one."""
        log = self.log or self.stopped
        keys = log.keys if log is not None else self.keys
        if self.head is None or log is not None and keys is None:
            return
        self.report.ok("head")
        self.report.checks["head"].extra = "size %d" % self.head.size
        try:
            if keys is not None:
                verify_given(self.head, keys, self.head.size)
            else:
                self._by_pins(pins)
            self.head_holds = self.is_whole and self.tree.root() == self.head.root
        except Refusal as refusal:
            # Without entries nobody knows which keys came after those that are known.
            doubted = ("HEAD_KEYLESS", "HEAD_UNSIGNED") if log is None else ("HEAD_UNSIGNED", "HEAD_KEY") if log.critical else ()
            severity = CANNOT if refusal.code in doubted else ALTERED
            self.find("head", severity, refusal.code, refusal.words, "checkpoint")

    def _by_pins(self, pins):
        named = [pin for pin in pins if pin.name is not None]
        if named and all(pin.name != self.head.origin for pin in named):
            raise Refusal("HEAD_ORIGIN", "the head is of another origin than each verifier key that was given")
        known = [pin for pin in named if pin.name == self.head.origin and self.head.note.lines_of(pin.name, pin.key)]
        if not known:
            raise Refusal("HEAD_KEYLESS", "no entry here names the log's key, and no verifier key was given that signed this head")
        for pin in known:
            self.head.note.verify(pin.name, pin.key)
        self.report.pinned = True

    def root_at(self, size):
        return self.tree.root_at(size) if size <= self.tree.size else None

    def judge_given(self, path, pins):
        """A head that somebody else kept."""
        log = self.log or self.stopped
        keys = log.keys if log is not None else self.keys

        def verify(head):
            if keys is not None:
                verify_given(head, keys, self.head.size if self.head is not None else 0)
            elif not any(pin.name == head.origin and head.note.lines_of(pin.name, pin.key) and head_by(head.note, (pin.name, pin.key)) for pin in pins):
                raise Refusal("HEAD_UNSIGNED", "not signed by a key that is known")
        head = given_head(self.report, path, verify)
        if head is None:
            return
        own = self.root_at(head.size)
        if self.head is not None and head.size > self.head.size:
            self.find("heads", ROLLED, "E_LOG_ROLLBACK", "others hold a head of %d entries, this tree has %d" % (head.size, self.head.size), path)
        elif own is None:
            self.find("heads", CANNOT, "HEAD_NOT_COMPARED", "root at size %d could not be computed" % head.size, path)
        elif own != head.root:
            self.find("heads", FORKED, "E_LOG_FORK", "others hold a head of %d entries with another root" % head.size, path)


GIVEN_HEADS = "heads that others kept are heads of this log"


def given_head(report, path, verify):
    """The head that somebody else kept, the first note of a head file or the only one; None, once that was told, where it is none that
    this log signed."""
    report.check("heads", GIVEN_HEADS)
    report.ok("heads")
    try:
        notes = split_notes(read_bounded(path, MAX_HEAD_BYTES, True))
        if not notes:
            raise Refusal("NOTE", "an empty file")
        head = Checkpoint(Note(notes[0]))
        verify(head)
        return head
    except (Refusal, OSError) as trouble:
        revoked = getattr(trouble, "code", None) == "HEAD_REVOKED"
        report.find("heads", ALTERED if revoked else CANNOT, "HEAD_GIVEN", str(trouble), path)
        return None


def verify_given(head, keys, known):
    """Whether the log signed a head: under the key in force, or, of more entries than are known here, under any that it had."""
    if head.origin != keys.origin:
        raise Refusal("HEAD_ORIGIN", "head of another origin: %s" % head.origin[:200])
    if head.size <= known:
        keys.counts(head.size)
        keys.verify_head(head.note, head.size)
    elif not any(ed25519_verify(term.key, head.note.signed, line) for term in keys.terms[CHECKPOINT]
                 for line in head.note.lines_of(keys.origin, term.key)):
        raise Refusal("HEAD_UNSIGNED", "not signed by a checkpoint key that this log had")


def read_tree(report, folder, seen=None, keys=None):
    """The tree and its entries, read; the head, what keys signed that were revoked, and what hangs on pins are for the caller."""
    tree = PublishedTree(report, folder, seen, keys)
    guarded(report, "tree", tree.scan)
    log = tree.log or tree.stopped
    if log is not None and log.keys is not None:
        guarded(report, "anchors", lambda: log.anchors.finish(log))
    elif log is not None and tree.head is not None:
        report.find("genesis", INFO, "GENESIS_UNREAD", "entry 0 was not read, so no key of this log is known")
    return tree


def audit_tree(path, options):
    """Checks a published tree and returns the report."""
    report = Report("tree")
    tree = read_tree(report, path)
    guarded(report, "head", lambda: tree.judge_head(options.pins))
    log = tree.log or tree.stopped
    if log is not None:
        guarded(report, "statements", lambda: judge_revoked(report, log.keys, log.anchors, log.tapes))
        guarded(report, "keys", lambda: check_pins(report, options.pins, log.keys))
    else:
        report.skip("entries", "entries", "none are published: only that the tiles are those of the checkpoint is known")
    guarded(report, "anchored", lambda: check_anchored(report, tree.head if tree.head_holds else None, options.witnesses, log.keys if log else None))
    for name in options.heads:
        guarded(report, "heads", lambda name=name: tree.judge_given(name, options.pins))
    report.whole_log = tree.is_whole and tree.has_entries
    if tree.head is not None and tree.head.size == 0:
        report.find("tree", CANNOT, "NO_ENTRIES", "a tree without entries: nothing is proven")
    if report.anchored_ms is not None:
        report.summary.append("all of it existed at the latest %s" % when(report.anchored_ms))
    return report


def compare_whole(report, evidence, folder):
    """6.7, whole log: nothing about a given tape, and no change of keys, stands in the tree and not in the bundle. What is in the tree
    alone is not judged by revoked keys: it says nothing of the bundle."""
    report.check("whole log", "every entry about the tapes, over all of the log")
    own, last = evidence.head, evidence.indices[-1] if evidence.indices else -1

    wrong = []

    def seen(index, leaf, entry):
        report.ok("whole log")
        here = evidence.leaf_of(index)
        if here is not None and here != leaf:
            wrong.append((index, "WHOLE_DIFFERS", "another entry stands here than in the log"))
        elif here is None and entry is not None and (entry.subject in evidence.given and index < last or SUCCESSION <= entry.kind <= KEY_REVOKED and index < own.size):
            wrong.append((index, "WHOLE_ABSENT", "an entry of the log that has to be here is not: %s" % kind_name(entry.kind)))
        del wrong[MAX_FINDINGS_KEPT:]
    other = Report("tree")
    tree = read_tree(other, folder, seen if own is not None else None, evidence.keys)
    tree.judge_head()
    for finding in other.findings:
        if EXITS.get(finding["severity"]) in (1, 3):
            report.find("whole log", finding["severity"], finding["code"], finding["words"], "tree/%s" % (finding["file"] or ""), None, finding["entry"])
    if own is None or tree.head is None:
        return
    if tree.head.size < own.size:
        report.find("whole log", CANNOT, "WHOLE_SMALLER", "the tree has fewer entries than the head here", "tree/checkpoint")
        return
    root = tree.root_at(own.size)
    if root is not None and root != own.root:
        report.find("whole log", FORKED, "E_LOG_FORK", "the tree has another root at size %d" % own.size, "tree/checkpoint")
        return
    for index, code, words in wrong:
        report.find("whole log", INCOMPLETE, code, words, None, None, index)
    log = tree.log or tree.stopped
    if root is not None and log is not None and (tree.head_holds or log.critical):
        evidence.learn(log)
    if root is not None and tree.has_entries and tree.is_whole:
        report.whole_log = report.checks["whole log"].findings == 0


# ----------------------------------------------------------------------------------------------------------------------
# The whole check.

def guarded(report, name, step):
    """No bytes may end the check without a verdict: what nobody thought of becomes a finding too."""
    try:
        step()
    except Exception as trouble:  # deliberately everything: the verdict is then "cannot tell" or worse, never "intact"
        report.check(name, "check")
        report.find(name, CANNOT, "UNEXPECTED", "%s check stopped: %s: %s" % (name, type(trouble).__name__, str(trouble)[:300]))


# What there is nothing of in a ledger where no tape was saved yet.
OF_TAPES = ("statements", "packs", "records", "tapes", "recordings")


def looked_at_nothing(report, has_tapes):
    """A check that had nothing to check proves nothing, and says so in the verdict; but that no tape is kept yet is no gap."""
    for check in report.checks.values():
        if check.count == 0 and check.findings == 0 and check.skipped is None and not has_tapes and check.name in OF_TAPES:
            check.skipped = "no tape is kept yet"
        if check.skipped is None and check.count == 0 and check.findings == 0:
            severity = CANNOT if check.name in ("segments", "groups", "grammar", "genesis") else GAP
            report.find(check.name, severity, "NOTHING_CHECKED", "%s (%s): there was nothing to check" % (check.name, check.what))


LEDGER_NAMES = {"journal", "packs", "spool", "index", "quarantine"}
STATE_NAMES = {"lock"} | {name + end for name in ("head", "reserve", "ledger", "engine", "creating", "keys", "successor.note", "scrub", "jobs")
                          for end in ("", ".tmp")}
ANCHOR_NAMES = "(newest[.]note|ahead[.]note|asked[.]txt|fork-(0|[1-9][0-9]{0,19})[.]txt)([.]tmp)?"


def strays(report, folder, shown, files, folders=frozenset()):
    """Names that section 1 does not give to this folder, and links and devices in the place of those it gives. Listed, never
    followed or read. `files`: whether a name is that of a file that may stand here."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISREG(mode) and files(entry.name) or stat.S_ISDIR(mode) and entry.name in folders:
            continue
        kind = "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "link or device"
        report.find(None, INFO, "STRAY", "%s that is no part of a ledger" % kind, "%s/%s" % (shown, entry.name))


def side_folders(report, ledger, state):
    def named(pattern):
        return lambda name: re.fullmatch(pattern, name) is not None

    def listed(names):
        return lambda name: name in names

    strays(report, ledger, "ledger", listed(()), LEDGER_NAMES)
    inside = [("journal", named("(?!0{8})[0-9]{8}[.]seg([.]tmp)?")), ("packs", named("(?!0{8})[0-9]{8}[.]pack")), ("spool", named("[0-9a-f]{64}"))]
    for name, files in inside:
        strays(report, os.path.join(ledger, name), "ledger/" + name, files)
    if state is not None:
        strays(report, state, "state", listed(STATE_NAMES), {"vault", "anchors"})
        strays(report, os.path.join(state, "anchors"), "state/anchors", named(ANCHOR_NAMES))
        kept = "generation([.](0|[1-9][0-9]*)([.]epochs)?)?"
        strays(report, os.path.join(state, "vault"), "state/vault", named("(%s|[0-9a-f]{32})([.]tmp)?" % kept))
    folder = os.path.join(ledger, "quarantine")
    if os.path.isdir(folder) and not os.path.islink(folder) and os.listdir(folder):
        report.find(None, INFO, "QUARANTINE", "%d files were put aside by recovery or repair" % len(os.listdir(folder)), "quarantine")


def audit(ledger, state=None, heads=(), pins=(), witnesses=None):
    """Checks a ledger folder and returns the report."""
    report = Report()
    head = Heads(report)
    if state is not None:
        guarded(report, "head", lambda: head.read(os.path.join(state, "head"), HEAD_LABEL, True))
    for path in heads:
        guarded(report, "head", lambda path=path: head.read(path, path, False))
    anchors = Anchors(report, witnesses)
    if state is not None:
        guarded(report, "anchors", lambda: anchors.read(os.path.join(state, "anchors")))
    lost, successor = LostKeys(report), Successor(report)
    if state is not None:
        guarded(report, "head", lambda: lost.read(state))
        guarded(report, "successor", lambda: successor.read(state))
    journal = Journal(report, os.path.join(ledger, "journal"), head.sizes(), head.reopened(), anchors)
    guarded(report, "grammar", journal.scan)
    guarded(report, "head", lambda: lost.learn(journal))
    guarded(report, "successor", lambda: successor.judge(journal))
    guarded(report, "anchors", lambda: anchors.finish(journal))
    guarded(report, "anchored", anchors.judge_anchored)
    guarded(report, "statements", lambda: judge_revoked(report, journal.keys, anchors, journal.tapes))
    if state is None and not heads:
        report.skip("head", "signed head", "no --state and no --head: entries cut off at the end, or a log written anew, cannot be seen")
        report.find("head", GAP, "HEAD_ABSENT", "no head was given to compare the log with")
    else:
        guarded(report, "head", lambda: head.compare(journal))
    guarded(report, "keys", lambda: check_pins(report, pins, journal.keys))
    packs = Packs(report, os.path.join(ledger, "packs"), journal.genesis, bool(journal.tapes))
    guarded(report, "packs", packs.scan)
    guarded(report, "tapes", Tapes(report, journal, packs).scan)
    guarded(report, "recordings", lambda: check_recordings(report, ledger, journal))
    if state is None:
        report.skip("vault", "vault", "no --state")
    else:
        vault = Vault(report, os.path.join(state, "vault"))
        guarded(report, "vault", vault.scan)
        guarded(report, "vault", lambda: vault.compare(journal, head.state))
    guarded(report, "quarantine", lambda: side_folders(report, ledger, state))
    report.skip("private", "private halves, content, HMACs", "they need the keys of the vault; the index is not read, nor a spool behind its beginning")
    looked_at_nothing(report, bool(journal.tapes))
    return report


# ----------------------------------------------------------------------------------------------------------------------
# Batch mode: JSON objects, one a line, each answered at once by one line (audit-tools/README.md).

MAX_BATCH_LINE = 256 << 20


def _batch_cbor(raw, ask):
    refused("CBOR", cbor_decode, raw)
    return sha256(raw)


def _batch_frame(raw, ask):
    check_frame(raw, True)
    return sha256(raw)


def _batch_header(raw, ask):
    if len(raw) > MAX_HEADER_BYTES or not is_header(refused("HEADER", cbor_decode, raw)):
        raise Refusal("HEADER", "not what 2.2 says of a header")
    return sha256(raw)


def _batch_root(raw, ask):
    root_file(raw)
    return sha256(raw)


def _batch_manifest(raw, ask):
    if len(raw) > MAX_MANIFEST_BYTES:
        raise Refusal("MANIFEST_LENGTH", "more than 64 MiB")
    Manifest(raw)
    return sha256(raw)


def _batch_statement(raw, ask):
    statement = Statement(raw)
    check_subject(statement)
    if "key" in ask:
        statement.by(batch_bytes(ask, "key"))
    return statement.payload


def _batch_private(raw, ask):
    if not is_private(refused("PRIVATE", cbor_decode, raw)):
        raise Refusal("PRIVATE", "not what 4.4 says of a private half")
    return sha256(raw)


def _batch_entry(raw, ask):
    entry_by_itself(raw)
    return leaf_hash(raw)


def _batch_note(raw, ask):
    if len(raw) > MAX_NOTE_BYTES:
        raise Refusal("NOTE", "a note of more than 64 KiB")
    head = head_by(Note(raw), check_vkey(batch_text(ask, "key")))
    batch_quorum(head.note, ask)
    return head.root


def _batch_proof(raw, ask):
    proof = EntryProof(raw)
    if proof.extra is None:
        raise Refusal("PROOF", "no extra data, so no entry")
    head = head_by(proof.note, check_vkey(batch_text(ask, "key")))
    batch_quorum(head.note, ask)
    leaf = leaf_hash(proof.extra)
    proof.check(head, leaf)
    return leaf


def _batch_receipt(raw, ask):
    return Receipt(raw).check(batch_bytes(ask, "key"), batch_bytes(ask, "leaf"))


def _batch_fork(raw, ask):
    return check_fork(raw, check_vkey(batch_text(ask, "key")))


def _batch_succession(raw, ask):
    return sha256(Succession(raw).signed)


BATCH_KINDS = {name[7:]: read for name, read in list(globals().items()) if name.startswith("_batch_")}
BATCH_TEXTS = ("note", "proof", "fork", "succession")


def batch_text(ask, name):
    if not is_text(ask.get(name)):
        raise Refusal("BATCH", "%s is not there, or no text" % name)
    return ask[name]


def batch_bytes(ask, name):
    text = batch_text(ask, name)
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise Refusal("BATCH", "%s is not 64 lower-case hexadecimal digits" % name)
    return bytes.fromhex(text)


def batch_quorum(note, ask):
    """Where witnesses are named, a quorum of them is asked for as well."""
    if "witness" in ask:
        witnesses = Witnesses(batch_list(ask, "witness"), ask.get("quorum"))
        if witnesses.saw(note) is None:
            raise Refusal("QUORUM", "no quorum of the witnesses cosigned the head")


def batch_list(ask, name):
    value = ask.get(name)
    if value is not None and not list_of(is_text, 0)(value):
        raise Refusal("BATCH", "%s is no list of texts" % name)
    return value or []


def batch_raw(ask):
    if ask["kind"] in BATCH_TEXTS and "text" in ask:
        try:
            return batch_text(ask, "text").encode("utf-8")
        except UnicodeEncodeError:
            raise Refusal("BATCH", "text is not Unicode") from None
    text = batch_text(ask, "hex")
    if len(text) % 2 or not re.fullmatch("[0-9a-fA-F]*", text):
        raise Refusal("BATCH", "hex is not hexadecimal")
    return bytes.fromhex(text)


def batch_path(ask):
    """A bundle, tree or ledger: verdict, exit code, words, and which tapes are given."""
    try:
        quorum = ask.get("quorum")
        if quorum is not None and not is_uint(quorum):
            raise Refusal("BATCH", "quorum is no number")
        options = Options([Pin(text) for text in batch_list(ask, "pub")], Witnesses(batch_list(ask, "witness"), quorum), batch_list(ask, "head"),
                          *(batch_text(ask, name) if ask.get(name) is not None else None for name in ("tree", "state")))
        for name in options.heads:
            read_bounded(name, MAX_HEAD_BYTES, True)
        report = audit_path(ask["kind"], batch_text(ask, "path"), options)
    except (Refusal, OSError, ValueError):
        return {"verdict": CANNOT, "exit": EXITS[CANNOT], "words": [CANNOT], "ids": []}
    return {"verdict": report.verdict(), "exit": report.exit_code(), "words": report.words(), "ids": report.tapes}


def batch_answer(line):
    """The answer to one line; None for one that is no such object."""
    try:
        ask = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if type(ask) is not dict or type(ask.get("n")) is not int or not is_text(ask.get("kind")):
        return None
    if ask["kind"] in AUDITS:
        return {"n": ask["n"], **batch_path(ask)}
    if ask["kind"] not in BATCH_KINDS:
        return None
    try:
        return {"n": ask["n"], "accept": True, "id": BATCH_KINDS[ask["kind"]](batch_raw(ask), ask).hex()}
    except Refusal as refusal:
        return {"n": ask["n"], "accept": False, "why": visible(refusal.words)}
    except Exception as trouble:  # deliberately everything: what nobody thought of is no reason to take it
        return {"n": ask["n"], "accept": False, "why": visible("%s: %s" % (type(trouble).__name__, str(trouble)[:300]))}


def batch(lines, out):
    code = 0
    for line in iter(lambda: lines.readline(MAX_BATCH_LINE), b""):
        answer = batch_answer(line)
        if answer is None:
            code, answer = EXIT_USAGE, {"n": None, "error": "not an object with n and a kind that is known"}
        out.write(json.dumps(answer, ensure_ascii=True) + "\n")
        out.flush()
    return code


# ----------------------------------------------------------------------------------------------------------------------
# Command line.

def audit_ledger(path, options):
    return audit(path, options.state, options.heads, options.pins, options.witnesses)


AUDITS = {"bundle": audit_bundle, "tree": audit_tree, "ledger": audit_ledger}


def audit_path(kind, path, options):
    return AUDITS[kind](path, options)


def kind_of(path):
    """What stands at a path. A folder that looks like nothing is checked as a ledger, and found to be none."""
    def has(*names):
        return any(os.path.lexists(os.path.join(path, name)) for name in names)
    if not os.path.isdir(path) or has("bagit.txt"):
        return "bundle"
    if has("journal"):
        return "ledger"
    if has("checkpoint") and has("tile"):
        return "tree"
    return "bundle" if has("tagmanifest-sha256.txt", "manifest-sha256.txt") else "ledger"


def arguments(argv):
    parser = argparse.ArgumentParser(prog="tapeaudit.py", description="Check an Immutape bundle, published tree or ledger folder without any key.")
    parser.add_argument("path", metavar="PATH", nargs="?", help="a bundle (folder or tar file), a published tree, or a ledger folder")
    parser.add_argument("--state", metavar="DIR", help="state folder of a ledger: head file and vault")
    parser.add_argument("--head", metavar="FILE", action="append", default=[],
                        help="a head file or checkpoint note kept elsewhere (may be repeated)")
    parser.add_argument("--pub", metavar="KEY", action="append", nargs="+", default=[],
                        help="pinned checkpoint and recorder keys: verifier key, 64 hexadecimal digits or public key file")
    parser.add_argument("--witness", metavar="VKEY", action="append", default=[], help="verifier key of a witness that you know (may be repeated)")
    parser.add_argument("--quorum", metavar="N", type=int, help="how many of the witnesses are enough; all without it")
    parser.add_argument("--tree", metavar="FOLDER", help="the log's published tree with entry bundles, to check a bundle over the whole log")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--batch", action="store_true", help="answer JSON objects, one a line, from standard input")
    options = parser.parse_args(argv)
    # "--pub A B LEDGER" reads naturally, and the greedy option has then swallowed the folder.
    if options.path is None and options.pub and len(options.pub[-1]) > 1:
        options.path = options.pub[-1].pop()
    if options.path is None and not options.batch:
        parser.error("PATH is needed")
    options.pub = [key for group in options.pub for key in group]
    return options


def run(options):
    """Says what was found; the exit code."""
    if options.batch:
        try:
            return batch(sys.stdin.buffer if sys.stdin is not None else io.BytesIO(), sys.stdout)
        except BrokenPipeError:
            nobody_reads()
            return 0
    try:
        given = Options([Pin(text) for text in options.pub], Witnesses(options.witness, options.quorum), options.head, options.tree, options.state)
    except Refusal as refusal:
        sys.stderr.write("tapeaudit.py: %s\n" % visible(refusal.words))
        return EXIT_USAGE
    if not os.path.exists(options.path):
        sys.stderr.write("tapeaudit.py: no such folder or file: %s\n" % visible(options.path))
        return EXIT_USAGE
    report = audit_path(kind_of(options.path), options.path, given)
    try:
        (report.print_json if options.json else report.print_text)(sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        nobody_reads()
    return report.exit_code()


def nobody_reads():
    """The other end of the pipe is gone. What is still held back is not written either, so the program ends quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv=None):
    if sys.stdout is None:
        # Closed by who started this: the exit code still tells.
        sys.stdout = open(os.devnull, "w")
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the check.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = arguments(sys.argv[1:] if argv is None else argv)
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
