#!/usr/bin/env python3
"""embeddings.py EMBED [NAME ...] - pooled states of families against the same network in double precision.

The files and the networks are those of families.py: a vector is the last row, the mean or the first row of what goes into the
product with the output matrix. Encoders are written here, in the same way; one of them has a vocabulary of its own, so that texts go
all the way. Apart from that EMBED must give the same bits on every backend that is here, for every number
of threads and every cut of the prompt. Ends with 77 (skipped) where numpy is absent."""
import os
import subprocess
import sys
import tempfile

from families import BOUND, FAMILIES, LN_EPS, VOCAB, Model, gelu, np, qwen2, silu, write

DECODERS = ["qwen2", "qwen3moe", "gemma2", "gpt2", "falcon", "bloom"]
POOLINGS = {"last": lambda h: h[-1], "mean": lambda h: h.mean(0), "cls": lambda h: h[0]}


# ---- encoders: every position sees all, norms stand behind what is added


def begin(m, positions):
    m.both_ways = True
    m.keys.update(LN_EPS, **{"attention.causal": False})
    x = m.embed() + m.w("token_types.weight", 2, m.d, dev=0.5)[0]
    if positions:
        x = x + m.w("position_embd.weight", m.context, m.d, dev=0.5)[:m.n]
    return m.ln(x, "token_embd_norm")


def bert(m, fused=False):
    x = begin(m, True)
    for _ in m.each_layer():
        x = m.ln(x + m.attend(*m.qkv(x, fused=fused, bias=True), bias=True), "attn_output_norm")
        x = m.ln(x + m.plain(x, gelu), "layer_output_norm")
    m.hidden = x


def bert_fused(m):
    bert(m, True)


def nomic_bert(m):
    m.keys["rope.freq_base"] = 1000.0
    x = begin(m, False)
    for _ in m.each_layer():
        q, k, v = m.qkv(x, fused=True)
        x = m.ln(x + m.attend(m.rope(q, 1000.0), m.rope(k, 1000.0), v), "attn_output_norm")
        x = m.ln(x + m.gated(x, silu), "layer_output_norm")
    m.hidden = x


def qwen2_both(m):
    m.both_ways = True
    m.keys["attention.causal"] = False
    qwen2(m)


ENCODERS = {
    "bert": (bert, {"kv_heads": 4}),
    "bert fused": (bert_fused, {"kv_heads": 4, "n": 17}),
    "bert long": (bert, {"kv_heads": 4, "layers": 2, "n": 600}),
    "nomic-bert": (nomic_bert, {"kv_heads": 4}),
    "nomic-bert long": (nomic_bert, {"kv_heads": 4, "layers": 2, "n": 520}),
    "qwen2 both ways": (qwen2_both, {}),
}
EVERY = dict(FAMILIES, **ENCODERS)

# ---- the comparison


def embed_words(program, path, *words):
    with tempfile.NamedTemporaryFile() as out:
        line = [program, "-m", path, "-o", out.name, *words]
        run = subprocess.run(line, capture_output=True, text=True)
        return (run.stderr.strip(), None) if run.returncode else ("", np.frombuffer(out.read(), "<f4"))


def embed(program, path, ids, *flags):
    return embed_words(program, path, "--ids", ",".join(map(str, ids)), *flags)


def check_bits(program, path, ids, pooling, backends):
    runs = [embed(program, path, ids, "--pooling", pooling, "--backend", b, "--threads", t, "--chunk", c)[1]
            for b, t, c in zip(backends * 3, "123123123", (str(len(ids)), "1", "7", "16") * 3)]
    return len({r.tobytes() for r in runs if r is not None}) == 1 and all(r is not None for r in runs)


def check(program, name, folder):
    build, shape = EVERY[name]
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


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581hello", "\u2581,", "\u2581world", "\u2581play", "ing", "\u2581a", "\u2581!"]
TEXTS = {"Hello, W\u00d6RLD!": [2, 4, 5, 6, 10, 3], "playing a xyz": [2, 7, 8, 9, 1, 3], "": [2, 3]}


def check_texts(program, folder):
    """From text to vector, with the file's own pooling, all texts at once."""
    m = Model(7, kv_heads=4, n=8)
    bert(m)
    m.keys["pooling_type"] = 2
    tokens = {"tokenizer.ggml.model": "bert", "tokenizer.ggml.tokens": WORDS + ["\u2581w%d" % i for i in range(VOCAB - len(WORDS))],
              "tokenizer.ggml.token_type": [3] * 4 + [1] * (VOCAB - 4), "tokenizer.ggml.unknown_token_id": 1,
              "tokenizer.ggml.cls_token_id": 2, "tokenizer.ggml.seperator_token_id": 3, "tokenizer.ggml.token_type_count": 2}
    path = os.path.join(folder, "texts.gguf")
    write(path, "bert", m.keys, m.tensors, tokens=tokens)
    word, got = embed_words(program, path, *TEXTS)
    want = [embed(program, path, ids, "--pooling", "cls") for ids in TEXTS.values()]
    good = got is not None and got.tobytes() == b"".join(w[1].tobytes() for w in want if w[1] is not None)
    line = [os.path.join(os.path.dirname(program), "llminf-generate"), "-m", path, "-p", "hello"]
    told = subprocess.run(line, capture_output=True, text=True)
    good &= told.returncode == 1 and "LLMINF_E_UNSUPPORTED" in told.stderr and "pooling" in told.stderr
    return good, word or "%d texts; %s" % (len(TEXTS), told.stderr.strip())


def main():
    names, bad = sys.argv[2:] or DECODERS + list(ENCODERS), 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            good, word = check(sys.argv[1], name, folder)
            bad += not good
            print("%-24s %s  %s" % (name, "ok    " if good else "FAILED", word))
        good, word = check_texts(sys.argv[1], folder)
        bad += not good
        print("%-24s %s  %s" % ("texts", "ok    " if good else "FAILED", word))
    print("%d files, %d failed" % (len(names) + 1, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
