#!/usr/bin/env python3
"""embeddings.py EMBED [NAME ...] - pooled states of families against the same network in double precision.

The files and the networks are those of families.py: a vector is the last row, the mean or the first row of what goes into the
product with the output matrix. Apart from that EMBED must give the same bits on every backend that is here, for every number
of threads and every cut of the prompt. Ends with 77 (skipped) where numpy is absent."""
import os
import subprocess
import sys
import tempfile

from families import BOUND, FAMILIES, Model, np, write

DECODERS = ["qwen2", "qwen3moe", "gemma2", "gpt2", "falcon", "bloom"]
POOLINGS = {"last": lambda h: h[-1], "mean": lambda h: h.mean(0), "cls": lambda h: h[0]}


def embed(program, path, ids, *flags):
    with tempfile.NamedTemporaryFile() as out:
        line = [program, "-m", path, "--ids", ",".join(map(str, ids)), "-o", out.name, *flags]
        run = subprocess.run(line, capture_output=True, text=True)
        return (run.stderr.strip(), None) if run.returncode else ("", np.frombuffer(out.read(), "<f4"))


def check_bits(program, path, ids, pooling, backends):
    runs = [embed(program, path, ids, "--pooling", pooling, "--backend", b, "--threads", t, "--chunk", c)[1]
            for b, t, c in zip(backends * 3, "123123123", (str(len(ids)), "1", "7", "16") * 3)]
    return len({r.tobytes() for r in runs if r is not None}) == 1 and all(r is not None for r in runs)


def check(program, name, folder):
    build, shape = FAMILIES[name]
    m = Model(sum(name.encode()), **shape)
    build(m)
    path = os.path.join(folder, name + ".gguf")
    write(path, name.split(" ")[0], m.keys, m.tensors)
    backends = [b for b in ("scalar", "avx2", "avx512", "neon") if embed(program, path, [3], "--backend", b)[1] is not None]
    worst, same = 0.0, True
    for pooling, pool in POOLINGS.items():
        want = pool(m.hidden)
        for flag, wanted in (("--raw", want), (None, want / np.sqrt((want * want).sum()))):
            word, got = embed(program, path, m.ids, "--pooling", pooling, "--kv", "f32", *([flag] if flag else []))
            if got is None:
                return False, word
            worst = max(worst, np.sqrt(((got - wanted) ** 2).mean()) / wanted.std())
        same &= check_bits(program, path, m.ids, pooling, backends)
    return worst <= BOUND and same, "RMS error %.2g, %s bits" % (worst, "the same" if same else "DIFFERENT")


def main():
    names, bad = sys.argv[2:] or DECODERS, 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            good, word = check(sys.argv[1], name, folder)
            bad += not good
            print("%-24s %s  %s" % (name, "ok    " if good else "FAILED", word))
    print("%d files, %d failed" % (len(names), bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
