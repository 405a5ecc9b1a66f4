#!/usr/bin/env python3
"""Runs a program on ranks: launch.py MPIRUN N COMMAND..., or with --lost: the last rank goes in every way at each of its calls.

Every rank but one that is meant to go has to end with 0; 77 where there is no launcher."""
import os
import shutil
import subprocess
import sys

LIMIT_S = 100

# What a launcher says of its version; flags to run more ranks than CPUs, and to go on without one; how one can go. Hydra
# (MPICH) ends a job of which a rank was killed, whatever its flags.
LAUNCHERS = [
    ("Open MPI", ["--oversubscribe", "--bind-to", "none"], ["--enable-recovery"], ["kill", "stop", "exit"]),
    ("HYDRA", ["-bind-to", "none"], ["-disable-auto-cleanup"], ["stop", "exit"]),
]


def know(mpirun):
    version = subprocess.run([mpirun, "--version"], capture_output=True, text=True, timeout=LIMIT_S).stdout
    return next(row for row in LAUNCHERS if row[0] in version)


def run(mpirun, n, command, *flags):
    """(exit status, output) of a job."""
    env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    result = subprocess.run([mpirun, *know(mpirun)[1], *flags, "-n", str(n), *command],
                            env=env, capture_output=True, text=True, timeout=LIMIT_S)
    return result.returncode, result.stdout + result.stderr


def lose_all(mpirun, n, command):
    """Each way of going, before each call: all others say which rank it was."""
    failures = 0
    _, _, flags, ways = know(mpirun)
    for how in ways:
        for call in range(8):
            _, output = run(mpirun, n, [*command, how, str(call)], *flags)
            ends = [line for line in output.splitlines() if line.startswith("rank ") and " ms" in line]
            named = [line for line in ends if f": rank {n - 1}: " in line]
            if len(ends) != n - 1 or not named:
                failures += 1
                print(f"{how} before call {call}: {len(ends)} of {n - 1} ranks said so, {len(named)} with its name\n{output}")
    return failures


def main():
    mpirun = shutil.which(sys.argv[1])
    if not mpirun:
        print(f"{sys.argv[1]} is not installed")
        sys.exit(77)
    lost = sys.argv[2] == "--lost"
    n, *command = sys.argv[3 if lost else 2:]
    if lost:
        sys.exit(1 if lose_all(mpirun, int(n), command) else 0)
    status, output = run(mpirun, int(n), command)
    print(output)
    sys.exit(status)


main()
