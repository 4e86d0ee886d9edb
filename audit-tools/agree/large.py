#!/usr/bin/env python3
"""A bundle that is larger than the memory anybody has for it: it is made, checked by every verifier, altered in its last frame, and checked again.

    large.py [--mb N] --program PATH NAME=COMMAND [NAME=COMMAND ...]

A session of so many MB (default 192) is saved with the program at PATH and leaves as one tar file; each COMMAND answers batch mode
(audit-tools/README.md). Of the program and of every verifier the most memory that it had is told, and must stay below a bound that does not grow
with the bundle. Exit 0 when all say `not anchored` of the whole one and `altered` of the other."""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
# For a bundle of any length. Node's own heap is most of what it has.
BOUND_MIB = {"program": 96, "python": 128, "rust": 96, "web": 384}
FRAME = b'{"jsonrpc":"2.0","method":"log","params":"%s"}\n'


def session(path, mb):
    """One message a line, of some 1 MB, none like another."""
    with open(path, "wb") as out:
        for n in range(mb):
            out.write(FRAME % (b"%016x " % (n * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) * ((10**6 - 60) // 17)))


def run(command, stdin=b""):
    """Output and exit code of a command, its peak memory in MiB, and seconds."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said:
        asked.write(stdin)
        asked.seek(0)
        child = subprocess.Popen(command, stdin=asked, stdout=said)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        return said.read(), child.returncode, usage.ru_maxrss // 1024, time.monotonic() - began


def flipped(path):
    """One bit of the last payload: some 2 MB before the end, where frames.cbor of the only tape lies."""
    with open(path, "r+b") as file:
        size = os.path.getsize(path)
        step, at = MIB, size
        while at > 0:
            at = max(0, at - step)
            file.seek(at)
            block = file.read(step + 64)
            found = block.rfind(b'"method":"log"')
            if found >= 0:
                file.seek(at + found + 200)
                byte = file.read(1)
                file.seek(at + found + 200)
                file.write(bytes([byte[0] ^ 1]))
                return
    sys.exit("no frame was found in the bundle")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=192)
    parser.add_argument("--program", required=True)
    parser.add_argument("verifiers", nargs="+", metavar="NAME=COMMAND")
    args = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="large-") as home:
        at = [args.program, "-C", home + "/l", "--state-dir", home + "/s", "--config-dir", home + "/c", "--quiet"]
        bundle = home + "/bundle.tar"

        def own(what, words):
            out, code, peak, seconds = run(at + words)
            print("%-8s %-24s %5d MiB  %6.1f s" % ("program", what, peak, seconds))
            if code != 0:
                sys.exit("%s: exit %d" % (what, code))
            if peak > BOUND_MIB["program"]:
                wrong.append("%s took %d MiB" % (what, peak))
            return out

        session(home + "/session.jsonl", args.mb)
        own("save", ["save", home + "/session.jsonl"])
        os.remove(home + "/session.jsonl")
        tape = json.loads(own("list", ["list", "--json"]).splitlines()[0])["tape"]
        made = json.loads(own("evidence", ["evidence", tape, "--to", bundle, "--authority", "a large bundle", "--json"]).splitlines()[0])
        print("a bundle of %d MB" % (os.path.getsize(bundle) // 10**6))
        for expected in ("not anchored", "altered"):
            if expected == "altered":
                flipped(bundle)
            case = {"n": 1, "kind": "bundle", "path": bundle, "pub": [made["verifier"], made["recorder"]]}
            for verifier in args.verifiers:
                name, command = verifier.split("=", 1)
                out, _, peak, seconds = run(shlex.split(command), json.dumps(case).encode() + b"\n")
                word = json.loads(out)["verdict"]
                print("%-8s %-24s %5d MiB  %6.1f s" % (name, word, peak, seconds))
                if word != expected:
                    wrong.append("%s says %s where %s is true" % (name, word, expected))
                if peak > BOUND_MIB.get(name, max(BOUND_MIB.values())):
                    wrong.append("%s took %d MiB" % (name, peak))
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
