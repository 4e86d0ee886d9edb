#!/usr/bin/env python3
"""tee.py FOLDER -- COMMAND: stands between two ends of a session and writes down what passes.

Shares nothing with the recorder that it is compared with. FOLDER/in, out and err take every byte of the three pipes, written
down before it is passed on; FOLDER/moments says when: nanoseconds of the wall clock, the pipe, and how many bytes it had had
then. FOLDER/pid is the command's number, FOLDER/end how it ended. Ends as the command did.
"""
import os
import signal
import subprocess
import sys
import threading
import time

folder, dashes, command = sys.argv[1], sys.argv[2], sys.argv[3:]
assert dashes == "--" and command
os.makedirs(folder, exist_ok=True)
moments = os.open(os.path.join(folder, "moments"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def note(name, text):
    with open(os.path.join(folder, name + ".new"), "w") as f:
        f.write(text)
    os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))


def pump(source, target, name):
    copy = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    total = 0
    try:
        while piece := os.read(source, 1 << 16):
            os.write(copy, piece)
            total += len(piece)
            os.write(moments, b"%d %s %d\n" % (time.time_ns(), name.encode(), total))
            while piece:
                piece = piece[os.write(target, piece):]
    except OSError:
        pass  # Nobody takes more: the other side learns it by the closed pipe.
    os.close(target)
    if source != 0:
        os.close(source)


for name in ("in", "out", "err"):
    open(os.path.join(folder, name), "ab").close()
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda number, _: child.send_signal(number))
note("pid", str(child.pid))
ways = (("in", 0, os.dup(child.stdin.fileno())), ("out", child.stdout.fileno(), 1), ("err", child.stderr.fileno(), 2))
child.stdin.close()
pumps = {name: threading.Thread(target=pump, args=(a, b, name), daemon=True) for name, a, b in ways}
for thread in pumps.values():
    thread.start()
code = child.wait()
pumps["out"].join(5)
pumps["err"].join(5)
note("end", str(code))
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
    os.kill(os.getpid(), -code)
os._exit(code if code >= 0 else 128 - code)
