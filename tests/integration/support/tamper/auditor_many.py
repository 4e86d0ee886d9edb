"""Runs tapeaudit.py on one folder after another in one process: starting Python anew takes longer than a check.

Given the folder of tapeaudit.py; then one line of its arguments on stdin for each check, separated by tabs. Answers with a
line "<exit code> <bytes>" and that many bytes of what the program said. 255 is a code of this file: the program broke.
"""

import contextlib
import functools
import io
import sys
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])

import tapeaudit  # noqa: E402

# Whether a signature holds depends on nothing but these arguments, and copies of one ledger have the same ones.
tapeaudit.ed25519_verify = functools.lru_cache(maxsize=4096)(tapeaudit.ed25519_verify)


def check(arguments):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = tapeaudit.main(arguments)
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
            code = 255
    return code, said.getvalue().encode("utf-8", "backslashreplace")


for line in sys.stdin:
    code, said = check(line.rstrip("\n").split("\t"))
    sys.stdout.buffer.write(b"%d %d\n" % (code, len(said)) + said)
    sys.stdout.buffer.flush()
