"""Runs a program once and prints: exit code, wall time (us), time to the first byte on stdout (us,
-1 without any), peak resident memory (kB), time on all cores (us).

A program of its own, started without site packages, for the kernel counts the pages that a forked
child had before its exec as the child's peak: what forks must be small. `floor` of the bench is
what is measured of a program that does nothing."""

import os
import sys
import time


def main() -> None:
    errors, argv = sys.argv[1], sys.argv[2:]
    reads, writes = os.pipe()
    stderr = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    began = time.monotonic_ns()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(writes, 1)
        os.dup2(stderr, 2)
        try:
            os.execvp(argv[0], argv)
        finally:
            os._exit(127)
    os.close(writes)
    first = -1
    while os.read(reads, 1 << 16):
        if first < 0:
            first = (time.monotonic_ns() - began) // 1000
    _, status, usage = os.wait4(child, 0)
    wall = (time.monotonic_ns() - began) // 1000
    busy = int((usage.ru_utime + usage.ru_stime) * 1e6)
    print(os.waitstatus_to_exitcode(status), wall, first, usage.ru_maxrss, busy)


main()
