#!/usr/bin/env python3
"""Example programs over ranks: sessions.py MPIRUN FOLDER MODEL [TIMES]. FOLDER has the programs.

One process, threads and processes write the same text and the same logits. A rank that is killed or stopped while many
generations run, or has another model, ends the first program's generations with an error in time; and it ends by itself."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

LIMIT_S = 60
FLAGS = ["--oversubscribe", "--bind-to", "none"]
ENV = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
SHAPES = [(2, 1), (1, 2), (2, 2)]


def run(command, **more):
    result = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=LIMIT_S, **more)
    return result.returncode, result.stdout, result.stderr


def compare(mpirun, folder, model):
    failures = 0
    generate = [f"{folder}/llminf-generate", "-m", model, "--threads", "1", "-p", "Once upon a time", "-n", "60"]
    logits = [f"{folder}/llminf-logits", "-m", model, "--threads", "1", "--ids", "1 5 9 300 7 44 12 90 3 8"]
    for command in generate, logits:
        status, want, said = run(command)
        if status != 0 or not want:
            print(f"{command}: {status}\n{said}")
            failures += 1
        for tp, pp in SHAPES:
            shape = ["--tp", str(tp), "--pp", str(pp)]
            for way in [], [mpirun, *FLAGS, "-n", str(tp * pp)]:
                status, got, said = run([*way, *command, *shape])
                if status != 0 or got != want:
                    failures += 1
                    print(f"{way} {command} {shape}: {status}, \"{got}\", want \"{want}\"\n{said}")
    return failures


def find_rank(rank, job):
    """The process of that rank of a launcher's job."""
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                environ = file.read().split(b"\0")
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == job and b"OMPI_COMM_WORLD_RANK=%d" % rank in environ:
            return int(name)
    return None


def lose(mpirun, folder, model, prompts, how, after_s):
    """What is wrong, or None."""
    command = [mpirun, *FLAGS, "--enable-recovery", "-n", "2", f"{folder}/llminf-many", "-m", model, "--threads", "1", "--tp",
               "2", "--rank-timeout", "500ms", "-n", "200", "-f", prompts]
    with subprocess.Popen(command, env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as job:
        job.stdout.readline()  # it is on its way
        drain = threading.Thread(target=job.stdout.read)
        drain.start()
        time.sleep(after_s)
        victim = find_rank(1, job.pid)
        if victim is None:
            job.kill()
            return "rank 1 was not there"
        start = time.monotonic()
        os.kill(victim, how)
        said = ""
        try:
            for line in job.stderr:
                said += line
                if "LLMINF_E_COMM" in line or "rank 1" in line:
                    break
            took = time.monotonic() - start
        finally:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass
        rest = threading.Thread(target=job.stderr.read)  # of each generation that is asked for later
        rest.start()
        try:
            drain.join(LIMIT_S)
            job.wait(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            job.kill()
            return "the first program did not end"
    if "rank 1" not in said:
        return f"nobody said which rank it was: {said}"
    return f"took {took:.1f} s" if took > 3 else None


def mismatch(mpirun, folder, model, other):
    status, _, said = run([f"{folder}/llminf-quantize", model, other, "q4_0"])
    if status != 0:
        print(said)
        return 1
    status, _, said = run([mpirun, *FLAGS, "-n", "1", f"{folder}/llminf-generate", "-m", model, "--tp", "2", "-p", "A", "-n", "4",
                           ":", "-n", "1", f"{folder}/llminf-worker", "-m", other])
    return 0 if status != 0 and "rank 1: model: is " in said else print(f"other model: {status}\n{said}") or 1


def main():
    mpirun, folder, model, *times = sys.argv[1:]
    if not shutil.which(mpirun) or "Open MPI" not in run([mpirun, "--version"])[1]:
        print("needs Open MPI's launcher")
        sys.exit(77)
    failures = compare(mpirun, folder, model)
    with tempfile.TemporaryDirectory() as there:
        failures += mismatch(mpirun, folder, model, there + "/other.gguf")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as prompts:
        prompts.write("".join(f"Once upon a time number {i} there\n" for i in range(4000)))
        prompts.flush()
        for how in signal.SIGKILL, signal.SIGSTOP:
            for i in range(int(times[0]) if times else 4):
                wrong = lose(mpirun, folder, model, prompts.name, how, 0.03 * i)
                if wrong:
                    failures += 1
                    print(f"{how.name}: {wrong}")
    sys.exit(1 if failures else 0)


main()
