#!/usr/bin/env python3
"""logits.py LOGITS INSPECT SHARED [MODEL ...] - the files of SHARED/models against SHARED/golden.

For each: the RMS error of the logits against a double-precision evaluation, the greedy choices where the golden's margin
is wide enough, and equal hashes for every number of threads and every way to cut the prompt.  Ends with 77 (skipped) where
SHARED is absent."""
import array
import json
import math
import os
import subprocess
import sys
import tempfile

EXACT_RMS, QUANTISED_RMS = 2e-5, 1.1            # x the logits' standard deviation; x llama.cpp's RMS error
EXACT_MARGIN, QUANTISED_MARGIN = 0.05, 0.3
THREADS, CHUNKS = (1, 2, 3, 8), (1, 7, 16, 64)


def run_logits(program, model, ids, *flags):
    with tempfile.NamedTemporaryFile() as out:
        line = [program, "-m", model, "--ids", ",".join(map(str, ids)), "-o", out.name, *flags]
        text = subprocess.run(line, check=True, capture_output=True, text=True).stdout
        values = array.array("f", out.read())
    return text.split()[1], values


def rms(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)) / len(b))


def read_floats(path):
    with open(path, "rb") as file:
        return array.array("f", file.read())


def is_exact(info):
    return all(tensor["type"] == "f32" for tensor in info["tensors"])


def check_rms(program, model, golden, wanted, exact):
    flags = ["--kv", "f32"] if exact else []
    error = rms(run_logits(program, model, golden["ids"], *flags)[1], wanted)
    bound = EXACT_RMS * golden["logits_std"] if exact else QUANTISED_RMS * golden["llama_cpp_v0_5_0"]["rms_error"]
    return "RMS error %.3g, bound %.3g" % (error, bound), error <= bound


def check_greedy(program, model, golden, exact):
    """The golden's own ids are fed, so that one choice at a narrow margin does not change the rest."""
    greedy, n_vocab = golden["greedy"], golden["n_vocab"]
    ids = greedy["prompt"] + greedy["ids"]
    logits = run_logits(program, model, ids)[1]
    first, n, equal = len(greedy["prompt"]) - 1, 0, 0
    for i, (wanted, margin) in enumerate(zip(greedy["ids"], greedy["margins"])):
        if margin <= (EXACT_MARGIN if exact else QUANTISED_MARGIN):
            continue
        row = logits[(first + i) * n_vocab:(first + i + 1) * n_vocab]
        n += 1
        equal += row.index(max(row)) == wanted
    return "%d of %d greedy ids" % (equal, n), equal == n


def check_hashes(program, model, golden):
    ids = (golden["ids"] * 6)[:80]
    hashes = {run_logits(program, model, ids, "--threads", str(t), "--chunk", str(c))[0] for t in THREADS for c in CHUNKS}
    return "hash %s" % "/".join(sorted(hashes)), len(hashes) == 1


def main():
    program, inspect, shared = sys.argv[1:4]
    folder = os.path.join(shared, "models")
    if not os.path.isdir(folder):
        print("no %s: skipped" % folder)
        return 77
    bad = n = 0
    for name in sys.argv[4:] or sorted(os.listdir(folder)):
        model = os.path.join(folder, name)
        if not name.endswith(".gguf"):
            continue
        info = json.loads(subprocess.run([inspect, "-m", model, "--json"], check=True, capture_output=True, text=True).stdout)
        with open(os.path.join(shared, "golden", name + ".json"), encoding="utf-8") as file:
            golden = json.load(file)
        wanted, exact = read_floats(os.path.join(shared, "golden", name + ".logits.f32")), is_exact(info)
        checks = (check_rms(program, model, golden, wanted, exact), check_greedy(program, model, golden, exact),
                  check_hashes(program, model, golden))
        good = all(ok for _, ok in checks)
        n += 1
        bad += not good
        print("%-34s %s  %s" % (name, "ok    " if good else "FAILED", "; ".join(text for text, _ in checks)))
    print("%d files, %d failed" % (n, bad))
    return 1 if bad or n == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
