#!/usr/bin/env python3
"""adapters.py LOGITS - low-rank adapters against networks whose matrices are W + scale * alpha / rank * B A, in double precision.

Families of families.py that have what others have not: fused tensors, biases, norms behind the matrices, experts beside a shared
one, a multiplier of the stream. An adapter has half of the matrices, of ranks that differ. A second file, the same adapter as a
folder of PEFT (F32, F16, BF16), must give the bits of the GGUF, also where rows change places; encoded halves must
give those of their values in F32. Ends with 77 (skipped) where numpy is absent."""
import functools
import json
import os
import struct
import sys
import tempfile

import families
import folders
from families import np

FAMILIES = ["qwen2", "qwen2moe", "phi3", "gpt2", "gemma2", "olmo2", "command-r", "granite", "falcon 40b", "gptneox sequential",
            "llama"]
MATRICES = ["attn_q", "attn_k", "attn_v", "attn_qkv", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "ffn_gate_shexp",
            "ffn_up_shexp", "ffn_down_shexp", "output"]
ALPHA, SCALE = 12.0, -0.75


class Adapted(families.Model):
    """Matrices get their pair when they are first asked for."""

    def __init__(self, seed, **shape):
        super().__init__(seed, **shape)
        self.pairs, self.dice = {}, np.random.default_rng(seed + 1)

    def w(self, name, *shape, mean=0.0, dev=None):
        full = name if self.layer is None else "blk.%d.%s" % (self.layer, name)
        plain = super().w(name, *shape, mean=mean, dev=dev)
        if name.removesuffix(".weight") not in MATRICES:
            return plain
        if full not in self.pairs:
            rank = int(self.dice.choice([1, 4, 8, 33]))
            a = self.dice.standard_normal((rank, shape[1])) / np.sqrt(shape[1])
            b = self.dice.standard_normal((shape[0], rank)) / 4
            is_in = self.dice.integers(2) or self.layer is None
            self.pairs[full] = (a.astype(np.float32), b.astype(np.float32)) if is_in else None
        if not self.pairs[full]:
            return plain
        a, b = self.pairs[full]
        return plain + SCALE * ALPHA / len(a) * b.astype(np.float64) @ a.astype(np.float64)


# ---- files


TYPES = {"F32": (0, lambda t: t.astype("<f4").tobytes()), "F16": (1, lambda t: t.astype("<f2").tobytes()),
         "BF16": (30, lambda t: (t.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()),
         "Q8_0": (8, lambda t: b"".join(q8_0(row) for row in t.astype(np.float32)))}


def q8_0(row):
    out = []
    for block in row.reshape(-1, 32):
        d = np.float16(np.abs(block).max() / 127)
        out.append(struct.pack("<e", d) + np.rint(block / np.float32(d)).clip(-127, 127).astype(np.int8).tobytes())
    return b"".join(out)


def as_read(t, kind):
    """the values that an encoded matrix has"""
    if kind == "F16":
        return t.astype(np.float16).astype(np.float32)
    if kind == "BF16":
        return (t.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)
    data = np.frombuffer(TYPES["Q8_0"][1](t), np.uint8).reshape(-1, 34)
    d = data[:, :2].copy().view(np.float16).astype(np.float32)
    return (data[:, 2:].copy().view(np.int8).astype(np.float32) * d).reshape(t.shape)


def write_gguf(path, arch, pairs, kind="F32"):
    meta = {"general.type": "adapter", "general.architecture": arch, "adapter.type": "lora", "adapter.lora.alpha": ALPHA}
    tensors = {name + suffix: t for name, pair in pairs.items() for suffix, t in zip((".lora_a", ".lora_b"), pair)}
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(meta))]
    for k, v in meta.items():
        number, data = families.value(v)
        head.append(families.text(k) + struct.pack("<I", number) + data)
    at, data = 0, []
    for name, t in tensors.items():
        number, encode = TYPES[kind if t.shape[1] % 32 == 0 or kind != "Q8_0" else "F32"]
        head.append(families.text(name) + struct.pack("<I2QIQ", 2, *t.shape[::-1], number, at))
        data.append(encode(t))
        data[-1] += bytes(-len(data[-1]) % 32)
        at += len(data[-1])
    head = b"".join(head)
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % 32) + b"".join(data))


SHARED = {"stem": "model.layers.", "output": "lm_head", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
          "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
          "ffn_down": "mlp.down_proj"}
HF = {"llama": SHARED, "qwen2": SHARED,
      "gpt2": {"stem": "transformer.h.", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_up": "mlp.c_fc",
               "ffn_down": "mlp.c_proj"},
      "gptneox": {"stem": "gpt_neox.layers.", "output": "embed_out", "attn_qkv": "attention.query_key_value",
                  "attn_output": "attention.dense", "ffn_up": "mlp.dense_h_to_4h", "ffn_down": "mlp.dense_4h_to_h"}}


def hf_name(name, arch):
    parts = name.split(".")
    table = HF[arch]
    return table["output"] if parts[0] == "output" else "%s%s.%s" % (table["stem"], parts[1], table[parts[2]])


def folder_rows(b, name, m, arch):
    """rows of B in the folder's order"""
    if arch == "llama" and name in ("attn_q", "attn_k"):
        return folders.halves(b, len(b) // m.head)
    return folders.grouped(m, b) if arch == "gptneox" and name == "attn_qkv" else b


def write_folder(path, pairs, kind, m, arch, config):
    os.mkdir(path)
    with open(os.path.join(path, "adapter_config.json"), "w") as file:
        json.dump({"peft_type": "LORA", "lora_alpha": ALPHA, "bias": "none", "use_dora": False, "fan_in_fan_out": arch == "gpt2",
                   "modules_to_save": None, "init_lora_weights": True, "target_modules": ["q_proj"], **config}, file)
    header, data, at = {}, [], 0
    for name, pair in pairs.items():
        for letter, t in zip("AB", pair):
            if letter == "B" and name.startswith("blk."):
                t = folder_rows(t, name.split(".")[2], m, arch)
            data.append(TYPES[kind][1](t))
            header["base_model.model.%s.lora_%s.weight" % (hf_name(name, arch), letter)] = {
                "dtype": kind, "shape": t.shape, "data_offsets": [at, at + len(data[-1])]}
            at += len(data[-1])
    text = json.dumps(header).encode()
    with open(os.path.join(path, "adapter_model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


# ---- checks


def check_formats(logits, folder, m, arch):
    """the same numbers in other files give the same bits"""
    bad = []
    for kind in ("F16", "BF16", "Q8_0"):
        values = {k: tuple(as_read(t, kind) if kind != "Q8_0" or t.shape[1] % 32 == 0 else t for t in p)
                  for k, p in m.pairs.items()}
        write_gguf(folder + "/plain.gguf", arch, values)
        write_gguf(folder + "/coded.gguf", arch, m.pairs, kind)
        if logits("--lora", folder + "/plain.gguf")[0] != logits("--lora", folder + "/coded.gguf")[0]:
            bad.append(kind)
    if arch not in HF:
        return bad
    ranks = {"r": 64, "rank_pattern": {hf_name(k, arch): len(a) for k, (a, _) in m.pairs.items()}}
    for kind in ("F32", "F16", "BF16"):
        path = "%s/peft-%s" % (folder, kind)
        write_folder(path, m.pairs, kind, m, arch, ranks)
        write_gguf(folder + "/coded.gguf", arch, m.pairs, kind)
        if logits("--lora", path)[0] != logits("--lora", folder + "/coded.gguf")[0]:
            bad.append("PEFT " + kind)
    if HF[arch] is not SHARED:
        return bad
    one = {k: p for k, p in m.pairs.items() if len(p[0]) == 4}  # of one rank, "rank stabilised": alpha / sqrt(rank)
    write_folder(folder + "/stable", one, "F32", m, arch, {"r": 4, "use_rslora": True})
    write_gguf(folder + "/one.gguf", arch, one)
    if logits("--lora", folder + "/stable")[0] != logits("--lora", folder + "/one.gguf:2")[0] or not one:
        bad.append("rank stabilised")
    return bad


def check(program, name, folder):
    build, shape = families.FAMILIES[name]
    m, arch = Adapted(sum(name.encode()), **shape), name.split(" ")[0]
    want = build(m)
    m.pairs = {k: p for k, p in m.pairs.items() if p}
    path, adapter = folder + "/model.gguf", folder + "/adapter.gguf"
    families.write(path, arch, m.keys, m.tensors)
    write_gguf(adapter, arch, m.pairs)
    flag = ("--lora", "%s:%g" % (adapter, SCALE))
    word, got = families.logits(program, path, m.ids, "--kv", "f32", *flag)
    if got is None:
        return False, word
    error = np.sqrt(((got - want) ** 2).mean()) / want.std()
    same, n = families.check_bits(program, path, m.ids, *flag)
    bad = check_formats(functools.partial(families.logits, program, path, m.ids), folder, m, arch)
    word = "RMS error %.2g, %d runs with %s bits" % (error, n, "the same" if same else "DIFFERENT")
    return error <= families.BOUND and same and not bad, word + "".join("; %s has OTHER bits" % b for b in bad)


def main():
    n_bad = 0
    for name in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            good, word = check(sys.argv[1], name, folder)
        n_bad += not good
        print("%-24s %s  %s" % (name, "ok    " if good else "FAILED", word))
    print("%d adapters, %d failed" % (len(FAMILIES), n_bad))
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
