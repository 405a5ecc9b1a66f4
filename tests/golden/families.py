#!/usr/bin/env python3
"""families.py LOGITS [NAME ...] - every family against the same network in double precision.

For each row of FAMILIES a small file is written, seeded, in F32, with the names and shapes that llama.cpp's converters use;
its logits are computed here with numpy, as the model's own code does it (whole sequences, one softmax, no blocks); LOGITS
computes them too, with F32 keys and values. Apart from that LOGITS must give the same bits on every backend that is here, for
every number of threads and every cut of the prompt. Ends with 77 (skipped) where numpy is absent."""
import math
import os
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    if os.path.exists("/usr/bin/python3") and os.path.realpath(sys.executable) != os.path.realpath("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)
    print("no numpy: skipped")
    sys.exit(77)

BOUND = 1e-6  # RMS error in the logits' standard deviations
VOCAB = 272

# ---- the file


def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def value(v):
    """type and bytes of a metadata value"""
    if isinstance(v, bool):
        return 7, struct.pack("<B", v)
    if isinstance(v, int):
        return 4, struct.pack("<I", v)
    if isinstance(v, float):
        return 6, struct.pack("<f", v)
    if isinstance(v, str):
        return 8, text(v)
    kind = value(v[0])[0]
    return 9, struct.pack("<IQ", kind, len(v)) + b"".join(value(x)[1] for x in v)


def vocabulary():
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
    tokens += ["w%d" % i for i in range(VOCAB - len(tokens))]
    kinds = [2, 3, 3] + [6] * 256 + [1] * (VOCAB - 259)
    return {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.scores": [-float(i) for i in range(VOCAB)], "tokenizer.ggml.token_type": kinds}


def as_f32(_, t):
    return 0, t.astype("<f4").tobytes()


def write(path, arch, keys, tensors, encode=as_f32, tokens=None):
    """encode(name, tensor): the number of a type, and bytes"""
    meta = {"general.architecture": arch}
    meta.update({"%s.%s" % (arch, k): v for k, v in keys.items()})
    meta.update(tokens or vocabulary())
    out = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(meta))]
    for k, v in meta.items():
        kind, data = value(v)
        out.append(text(k) + struct.pack("<I", kind) + data)
    at, data = 0, []
    for name, t in tensors.items():
        shape, (number, encoded) = t.shape[::-1], encode(name, t)
        out.append(text(name) + struct.pack("<I%dQIQ" % len(shape), len(shape), *shape, number, at))
        data.append(encoded)
        data[-1] += bytes(-len(data[-1]) % 32)
        at += len(data[-1])
    head = b"".join(out)
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % 32) + b"".join(data))


# ---- networks


def rms(x, gain, eps=1e-5):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * gain


def layer_norm(x, gain, bias=0.0, eps=1e-5):
    m = x.mean(-1, keepdims=True)
    return (x - m) / np.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + eps) * gain + bias


def silu(x):
    return x / (1 + np.exp(-x))


def gelu_new(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def cap(x, c):
    return c * np.tanh(x / c)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Model:
    """Seeded weights, made when a family's code first asks for them: what it asks for is the file."""

    def __init__(self, seed, d=48, layers=3, heads=4, kv_heads=2, head=None, ff=80, n=50):
        self.rng = np.random.default_rng(seed)
        self.d, self.layers, self.heads, self.kv_heads, self.ff = d, layers, heads, kv_heads, ff
        self.head, self.n, self.context = head or d // heads, n, n + 14
        self.tensors = {}
        self.layer = None
        self.both_ways = False  # a position sees those behind it too
        self.keys = {"context_length": self.context, "embedding_length": d, "block_count": layers, "feed_forward_length": ff,
                     "attention.head_count": heads, "attention.head_count_kv": kv_heads}
        if head:
            self.keys.update({"attention.key_length": head, "attention.value_length": head})
        self.ids = self.rng.integers(3, VOCAB, n)

    def w(self, name, *shape, mean=0.0, dev=None):
        full = name if self.layer is None else "blk.%d.%s" % (self.layer, name)
        if full not in self.tensors:
            t = mean + (dev if dev else 1 / math.sqrt(shape[-1])) * self.rng.standard_normal(shape)
            self.tensors[full] = t.astype(np.float32)
        return self.tensors[full].astype(np.float64)

    def gain(self, name, *shape):
        return self.w(name + ".weight", *(shape or (self.d,)), mean=1.0, dev=0.2)

    def bias(self, name, n):
        return self.w(name + ".bias", n, dev=0.3)

    def linear(self, x, name, n_out, bias=False):
        y = x @ self.w(name + ".weight", n_out, x.shape[-1]).T
        return y + self.bias(name, n_out) if bias else y

    def embed(self):
        self.layer = None
        return self.w("token_embd.weight", VOCAB, self.d, dev=1.0)[self.ids]

    def logits(self, x, tied=False, bias=False):
        self.layer = None
        self.hidden = x
        if tied:
            return x @ self.w("token_embd.weight", VOCAB, self.d).T
        return self.linear(x, "output", VOCAB, bias)

    def each_layer(self):
        for self.layer in range(self.layers):
            yield self.layer

    def ln(self, x, name, bias=True):
        return layer_norm(x, self.gain(name), self.bias(name, self.d) if bias else 0.0)

    # -- attention

    def qkv(self, x, fused=False, bias=False):
        """[positions, heads, head size] each"""
        sizes = [self.heads * self.head, self.kv_heads * self.head, self.kv_heads * self.head]
        if fused:
            parts = np.split(self.linear(x, "attn_qkv", sum(sizes), bias), np.cumsum(sizes)[:2], axis=-1)
        else:
            parts = [self.linear(x, "attn_" + name, n, bias) for name, n in zip("qkv", sizes)]
        return [p.reshape(len(x), -1, self.head) for p in parts]

    def rope(self, x, base=10000.0, n=None, adjacent=False, theta=None, magnitude=1.0):
        n = n or self.head
        if theta is None:
            theta = base ** (-2.0 * np.arange(n // 2) / n)
        angle = np.arange(len(x))[:, None, None] * theta
        c, s = np.cos(angle) * magnitude, np.sin(angle) * magnitude
        first, second = (slice(0, n, 2), slice(1, n, 2)) if adjacent else (slice(0, n // 2), slice(n // 2, n))
        y = x.copy()
        y[..., first] = x[..., first] * c - x[..., second] * s
        y[..., second] = x[..., first] * s + x[..., second] * c
        return y

    def attend(self, q, k, v, scale=None, window=0, softcap=0.0, bias=False, sinks=None, slopes=None):
        group = self.heads // self.kv_heads
        k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
        scores = np.einsum("qhd,khd->hqk", q, k) * (scale or 1 / math.sqrt(self.head))
        if softcap:
            scores = cap(scores, softcap)
        i, j = np.arange(len(q))[:, None], np.arange(len(q))[None]
        hidden = ((j > i) & (not self.both_ways)) | ((i - j >= window) if window else False)
        if slopes is not None:
            scores = scores - slopes[:, None, None] * (i - j)
        scores = np.where(hidden, -np.inf, scores)
        if sinks is not None:  # one more logit for each head, without a value
            scores = np.concatenate([scores, np.broadcast_to(sinks[:, None, None], scores.shape[:2] + (1,))], axis=-1)
        p = softmax(scores)[..., :len(k)]
        out = np.einsum("hqk,khd->qhd", p, v).reshape(len(q), -1)
        return self.linear(out, "attn_output", self.d, bias)

    # -- feed-forward

    def gated(self, x, f, ff=None, suffix=""):
        ff = ff or self.ff
        hidden = f(self.linear(x, "ffn_gate" + suffix, ff)) * self.linear(x, "ffn_up" + suffix, ff)
        return self.linear(hidden, "ffn_down" + suffix, self.d)

    def plain(self, x, f, bias=True):
        return self.linear(f(self.linear(x, "ffn_up", self.ff, bias)), "ffn_down", self.d, bias)

    def experts(self, x, n, used, ff, sum_to_1):
        p = softmax(self.linear(x, "ffn_gate_inp", n))
        gate, up = (self.w("ffn_%s_exps.weight" % name, n, ff, self.d) for name in ("gate", "up"))
        down = self.w("ffn_down_exps.weight", n, self.d, ff)
        y = np.zeros_like(x)
        for row in range(len(x)):
            best = np.argsort(-p[row], kind="stable")[:used]
            share = p[row][best] / (p[row][best].sum() if sum_to_1 else 1.0)
            for e, s in zip(best, share):
                y[row] += s * (down[e] @ (silu(gate[e] @ x[row]) * (up[e] @ x[row])))
        return y


RMS_EPS = {"attention.layer_norm_rms_epsilon": 1e-5}
LN_EPS = {"attention.layer_norm_epsilon": 1e-5}


def llama(m, window=0):
    m.keys.update(RMS_EPS)
    x = m.embed()
    for _ in m.each_layer():
        q, k, v = m.qkv(rms(x, m.gain("attn_norm")))
        x = x + m.attend(m.rope(q, adjacent=True), m.rope(k, adjacent=True), v, window=window)
        x = x + m.gated(rms(x, m.gain("ffn_norm")), silu)
    m.layer = None
    return m.logits(rms(x, m.gain("output_norm")))


def llama_window(m, window=9):
    m.keys["attention.sliding_window"] = window
    return llama(m, window)


def qwen2(m, experts=False):
    m.keys.update(RMS_EPS, **{"rope.freq_base": 1e6})
    x = m.embed()
    for _ in m.each_layer():
        q, k, v = m.qkv(rms(x, m.gain("attn_norm")), bias=True)
        x = x + m.attend(m.rope(q, 1e6), m.rope(k, 1e6), v)
        h = rms(x, m.gain("ffn_norm"))
        if not experts:
            x = x + m.gated(h, silu)
            continue
        gate = m.w("ffn_gate_inp_shexp.weight", m.d)
        shared = m.gated(h, silu, 40, "_shexp") / (1 + np.exp(-(h @ gate)))[:, None]
        x = x + m.experts(h, 6, 3, 24, False) + shared
    m.layer = None
    return m.logits(rms(x, m.gain("output_norm")), tied=not experts)


def qwen2moe(m):
    m.keys.update({"expert_count": 6, "expert_used_count": 3, "expert_feed_forward_length": 24,
                   "expert_shared_feed_forward_length": 40})
    return qwen2(m, True)


def qwen3(m, experts=False):
    m.keys.update(RMS_EPS, **{"rope.freq_base": 1e6})
    x = m.embed()
    for _ in m.each_layer():
        q, k, v = m.qkv(rms(x, m.gain("attn_norm")))
        q, k = rms(q, m.gain("attn_q_norm", m.head)), rms(k, m.gain("attn_k_norm", m.head))
        x = x + m.attend(m.rope(q, 1e6), m.rope(k, 1e6), v)
        h = rms(x, m.gain("ffn_norm"))
        x = x + (m.experts(h, 8, 2, 32, True) if experts else m.gated(h, silu))
    m.layer = None
    return m.logits(rms(x, m.gain("output_norm")))


def qwen3moe(m):
    m.keys.update({"expert_count": 8, "expert_used_count": 2, "expert_feed_forward_length": 32})
    return qwen3(m, True)


def gemma(m):
    m.keys.update(RMS_EPS)
    x = m.embed() * math.sqrt(m.d)
    for _ in m.each_layer():
        q, k, v = m.qkv(rms(x, m.gain("attn_norm")))
        x = x + m.attend(m.rope(q), m.rope(k), v)
        x = x + m.gated(rms(x, m.gain("ffn_norm")), gelu_new)
    m.layer = None
    return m.logits(rms(x, m.gain("output_norm")), tied=True)


def gemma2(m, window=13):
    m.keys.update(RMS_EPS, **{"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0,
                              "attention.sliding_window": window})
    x = m.embed() * math.sqrt(m.d)
    for i in m.each_layer():
        q, k, v = m.qkv(rms(x, m.gain("attn_norm")))
        a = m.attend(m.rope(q), m.rope(k), v, softcap=2.0, window=window if i % 2 == 0 else 0)
        x = x + rms(a, m.gain("post_attention_norm"))
        x = x + rms(m.gated(rms(x, m.gain("ffn_norm")), gelu_new), m.gain("post_ffw_norm"))
    m.layer = None
    return cap(m.logits(rms(x, m.gain("output_norm")), tied=True), 3.0)


def gemma2_long(m):
    return gemma2(m, 300)


def gemma3(m, local=lambda i: i % 6 != 5, scale=None):
    m.keys.update(RMS_EPS, **{"attention.sliding_window": 9, "rope.freq_base": 1e6, "rope.scaling.type": "linear",
                              "rope.scaling.factor": 8.0})
    theta = 1e6 ** (-2.0 * np.arange(m.head // 2) / m.head) / 8
    x = m.embed() * math.sqrt(m.d)
    for i in m.each_layer():
        q, k, v = m.qkv(rms(x, m.gain("attn_norm")))
        q, k = rms(q, m.gain("attn_q_norm", m.head)), rms(k, m.gain("attn_k_norm", m.head))
        if local(i):
            a = m.attend(m.rope(q), m.rope(k), v, window=9, scale=scale)
        else:
            a = m.attend(m.rope(q, theta=theta), m.rope(k, theta=theta), v, scale=scale)
        x = x + rms(a, m.gain("post_attention_norm"))
        x = x + rms(m.gated(rms(x, m.gain("ffn_norm")), gelu_new), m.gain("post_ffw_norm"))
    m.layer = None
    return m.logits(rms(x, m.gain("output_norm")), tied=True)


def gemma3_flags(m):
    m.keys["attention.sliding_window_pattern"] = [True, False, False, True]
    return gemma3(m, lambda i: i in (0, 3))


def gemma3_wide(m):
    return gemma3(m, scale=1 / math.sqrt(m.d // m.heads))


def gpt2(m):
    m.keys.update(LN_EPS)
    x = m.embed() + m.w("position_embd.weight", m.context, m.d, dev=0.5)[:m.n]
    for _ in m.each_layer():
        x = x + m.attend(*m.qkv(m.ln(x, "attn_norm"), fused=True, bias=True), bias=True)
        x = x + m.plain(m.ln(x, "ffn_norm"), gelu_new)
    m.layer = None
    return m.logits(m.ln(x, "output_norm"), tied=True)


def phi2(m):
    m.keys.update(LN_EPS, **{"rope.dimension_count": 8})
    x = m.embed()
    for _ in m.each_layer():
        h = m.ln(x, "attn_norm")
        q, k, v = m.qkv(h, fused=True, bias=True)
        x = x + m.attend(m.rope(q, n=8), m.rope(k, n=8), v, bias=True) + m.plain(h, gelu_new)
    m.layer = None
    return m.logits(m.ln(x, "output_norm"), bias=True)


def phi3(m, window=0, theta=None, magnitude=1.0):
    m.keys.update(RMS_EPS)
    x = m.embed()
    for _ in m.each_layer():
        q, k, v = m.qkv(rms(x, m.gain("attn_norm")), fused=True)
        q, k = m.rope(q, theta=theta, magnitude=magnitude), m.rope(k, theta=theta, magnitude=magnitude)
        x = x + m.attend(q, k, v, window=window)
        gate, up = np.split(m.linear(rms(x, m.gain("ffn_norm")), "ffn_up", 2 * m.ff), 2, axis=-1)
        x = x + m.linear(silu(gate) * up, "ffn_down", m.d)
    m.layer = None
    return m.logits(rms(x, m.gain("output_norm")))


def phi3_window(m):
    m.keys["attention.sliding_window"] = 11
    return phi3(m, window=11)


def phi3_factors(m, original):
    m.keys.update({"rope.scaling.original_context_length": original, "rope.scaling.attn_factor": 1.19})
    pair = [m.w("rope_factors_%s.weight" % name, m.head // 2, mean=mean, dev=0.2) for name, mean in
            (("long", 4.0), ("short", 1.5))]
    theta = 1e4 ** (-2.0 * np.arange(m.head // 2) / m.head) / pair[original == m.context]
    return phi3(m, theta=theta, magnitude=float(np.float32(1.19)))


def phi3_long(m):
    m.keys["rope.scaling.type"] = "longrope"
    return phi3_factors(m, 16)


def phi3_short(m):
    return phi3_factors(m, m.context)


def gptneox(m, parallel=True):
    m.keys.update(LN_EPS, **{"use_parallel_residual": parallel, "rope.dimension_count": 4})
    x = m.embed()
    for _ in m.each_layer():
        q, k, v = m.qkv(m.ln(x, "attn_norm"), fused=True, bias=True)
        a = m.attend(m.rope(q, n=4), m.rope(k, n=4), v, bias=True)
        f = m.plain(m.ln(x if parallel else x + a, "ffn_norm"), gelu)
        x = x + a + f
    m.layer = None
    return m.logits(m.ln(x, "output_norm"))


def gptneox_sequential(m):
    return gptneox(m, False)


def starcoder2(m, window=0):
    m.keys.update(LN_EPS)
    x = m.embed()
    for _ in m.each_layer():
        q, k, v = m.qkv(m.ln(x, "attn_norm"), bias=True)
        x = x + m.attend(m.rope(q), m.rope(k), v, bias=True, window=window)
        x = x + m.plain(m.ln(x, "ffn_norm"), gelu_new)
    m.layer = None
    return m.logits(m.ln(x, "output_norm"), tied=True)


def starcoder2_window(m):
    m.keys["attention.sliding_window"] = 20
    return starcoder2(m, 20)


def falcon(m, norms=1):
    m.keys.update(LN_EPS)
    x = m.embed()
    for _ in m.each_layer():
        h = m.ln(x, "attn_norm")
        q, k, v = m.qkv(m.ln(x, "attn_norm_2") if norms == 2 else h, fused=True)
        x = x + m.attend(m.rope(q), m.rope(k), v) + m.plain(h, gelu, bias=False)
    m.layer = None
    return m.logits(m.ln(x, "output_norm"))


def falcon_40b(m):
    return falcon(m, 2)


def stablelm(m):
    m.keys.update(LN_EPS, **{"rope.dimension_count": 4, "use_parallel_residual": True})  # the key means nothing
    x = m.embed()
    for _ in m.each_layer():
        q, k, v = m.qkv(m.ln(x, "attn_norm"), bias=True)
        x = x + m.attend(m.rope(q, n=4), m.rope(k, n=4), v)
        x = x + m.gated(m.ln(x, "ffn_norm"), silu)
    m.layer = None
    return m.logits(m.ln(x, "output_norm"))


def stablelm_12b(m):
    m.keys.update(LN_EPS, **{"rope.dimension_count": 4})
    x = m.embed()
    for _ in m.each_layer():
        h = m.ln(x, "attn_norm")
        q, k, v = m.qkv(h)
        q = layer_norm(q, m.gain("attn_q_norm", m.heads, m.head))
        k = layer_norm(k, m.gain("attn_k_norm", m.kv_heads, m.head))
        x = x + m.attend(m.rope(q, n=4), m.rope(k, n=4), v) + m.gated(h, silu)
    m.layer = None
    return m.logits(m.ln(x, "output_norm"))


def olmo2(m, window=0, theta=None):
    m.keys.update(RMS_EPS)
    x = m.embed()
    for i in m.each_layer():
        q, k, v = m.qkv(x)
        q = rms(q.reshape(m.n, -1), m.gain("attn_q_norm", m.heads * m.head)).reshape(q.shape)
        k = rms(k.reshape(m.n, -1), m.gain("attn_k_norm", m.kv_heads * m.head)).reshape(k.shape)
        is_local = window and i % 4 != 3
        t = None if is_local else theta
        x = x + rms(m.attend(m.rope(q, theta=t), m.rope(k, theta=t), v, window=window if is_local else 0),
                    m.gain("post_attention_norm"))
        x = x + rms(m.gated(x, silu), m.gain("post_ffw_norm"))
    m.layer = None
    return m.logits(rms(x, m.gain("output_norm")))


def olmo3(m):
    m.keys.update({"attention.sliding_window": 10, "rope.scaling.type": "linear", "rope.scaling.factor": 4.0})
    return olmo2(m, 10, 1e4 ** (-2.0 * np.arange(m.head // 2) / m.head) / 4)


def command_r(m, norms=False):
    m.keys.update(LN_EPS, logit_scale=0.25)
    x = m.embed()
    for _ in m.each_layer():
        h = m.ln(x, "attn_norm", bias=False)
        q, k, v = m.qkv(h)
        if norms:
            q = layer_norm(q, m.gain("attn_q_norm", m.heads, m.head))
            k = layer_norm(k, m.gain("attn_k_norm", m.kv_heads, m.head))
        x = x + m.attend(m.rope(q, adjacent=True), m.rope(k, adjacent=True), v) + m.gated(h, silu)
    m.layer = None
    return m.logits(m.ln(x, "output_norm", bias=False), tied=True) * 0.25


def command_r_plus(m):
    return command_r(m, True)


def granite(m, turn=lambda m, x: m.rope(x, adjacent=True)):
    m.keys.update(RMS_EPS, embedding_scale=6.0, residual_scale=0.25, logit_scale=4.0, **{"attention.scale": 0.125})
    x = m.embed() * 6
    for _ in m.each_layer():
        q, k, v = m.qkv(rms(x, m.gain("attn_norm")))
        x = x + 0.25 * m.attend(turn(m, q), turn(m, k), v, scale=0.125)
        x = x + 0.25 * m.gated(rms(x, m.gain("ffn_norm")), silu)
    m.layer = None
    return m.logits(rms(x, m.gain("output_norm")), tied=True) / 4


def granite_still(m):
    m.keys["rope.scaling.finetuned"] = False
    return granite(m, lambda m, x: x)


def gpt_oss(m):
    n, used, ff = 5, 2, 24
    m.keys.update(RMS_EPS, **{"attention.sliding_window": 12, "rope.freq_base": 150000.0, "expert_count": n,
                              "expert_used_count": used, "expert_feed_forward_length": ff})
    x = m.embed()
    for i in m.each_layer():
        q, k, v = m.qkv(rms(x, m.gain("attn_norm")), bias=True)
        x = x + m.attend(m.rope(q, 150000.0), m.rope(k, 150000.0), v, bias=True, window=12 if i % 2 == 0 else 0,
                         sinks=m.w("attn_sinks.weight", m.heads, dev=1.0))
        h = rms(x, m.gain("post_attention_norm"))
        route = m.linear(h, "ffn_gate_inp", n, bias=True)
        gate, up = ((m.w("ffn_%s_exps.weight" % name, n, ff, m.d, dev=1.0), m.w("ffn_%s_exps.bias" % name, n, ff, dev=0.3))
                    for name in ("gate", "up"))
        down, down_bias = m.w("ffn_down_exps.weight", n, m.d, ff), m.w("ffn_down_exps.bias", n, m.d, dev=0.3)
        for row in range(m.n):
            best = np.argsort(-route[row], kind="stable")[:used]
            for e, share in zip(best, softmax(route[row][best])):
                g = np.minimum(gate[0][e] @ h[row] + gate[1][e], 7)
                u = np.clip(up[0][e] @ h[row] + up[1][e], -7, 7)
                x[row] += share * (down[e] @ (g / (1 + np.exp(-1.702 * g)) * (u + 1)) + down_bias[e])
    m.layer = None
    return m.logits(rms(x, m.gain("output_norm")))


def alibi(heads):
    """Press et al.: for a power of two, else those of the next lower one and every second of the next higher one"""
    low = 2 ** int(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / low) for i in range(low)]
    return np.array(slopes + [2 ** (-8 * (i + 1) / (2 * low)) for i in range(0, 2 * (heads - low), 2)])


def bloom(m):
    m.keys.update(LN_EPS)
    x = m.embed()
    x = m.ln(x, "token_embd_norm")
    for _ in m.each_layer():
        x = x + m.attend(*m.qkv(m.ln(x, "attn_norm"), fused=True, bias=True), bias=True, slopes=alibi(m.heads))
        x = x + m.plain(m.ln(x, "ffn_norm"), gelu_new)
    m.layer = None
    return m.logits(m.ln(x, "output_norm"), tied=True)


FAMILIES = {
    "llama": (llama, {}),
    "llama window": (llama_window, {}),
    "qwen2": (qwen2, {}),
    "qwen2moe": (qwen2moe, {}),
    "qwen3": (qwen3, {"head": 20}),
    "qwen3moe": (qwen3moe, {"head": 16, "kv_heads": 1}),
    "gemma": (gemma, {"head": 20, "kv_heads": 1}),
    "gemma2": (gemma2, {"head": 16, "layers": 5}),
    "gemma2 long": (gemma2_long, {"layers": 2, "n": 700}),
    "gemma3": (gemma3, {"head": 16, "layers": 8}),
    "gemma3 flags": (gemma3_flags, {"head": 16, "layers": 4}),
    "gemma3 27b": (gemma3_wide, {"head": 20, "layers": 62, "ff": 32}),
    "gpt2": (gpt2, {"kv_heads": 4}),
    "phi2": (phi2, {"kv_heads": 4}),
    "phi3": (phi3, {}),
    "phi3 window": (phi3_window, {}),
    "phi3 long": (phi3_long, {}),
    "phi3 short": (phi3_short, {}),
    "gptneox": (gptneox, {"kv_heads": 4}),
    "gptneox sequential": (gptneox_sequential, {"kv_heads": 4}),
    "starcoder2": (starcoder2, {}),
    "starcoder2 window": (starcoder2_window, {}),
    "falcon": (falcon, {"kv_heads": 1}),
    "falcon 40b": (falcon_40b, {}),
    "stablelm": (stablelm, {}),
    "stablelm 12b": (stablelm_12b, {}),
    "olmo2": (olmo2, {}),
    "olmo2 window": (olmo3, {"layers": 5}),
    "command-r": (command_r, {}),
    "command-r plus": (command_r_plus, {}),
    "granite": (granite, {}),
    "granite still": (granite_still, {}),
    "bloom": (bloom, {"kv_heads": 4}),
    "bloom 6 heads": (bloom, {"heads": 6, "kv_heads": 6}),
    "bloom long": (bloom, {"kv_heads": 4, "layers": 2, "n": 600}),
    "gpt-oss": (gpt_oss, {"head": 16, "layers": 4}),
}

# ---- the comparison


def logits(program, path, ids, *flags):
    with tempfile.NamedTemporaryFile() as out:
        line = [program, "-m", path, "--ids", ",".join(map(str, ids)), "-o", out.name, *flags]
        run = subprocess.run(line, capture_output=True, text=True)
        if run.returncode:
            return run.stderr.strip(), None
        return run.stdout.split()[1], np.frombuffer(out.read(), "<f4").reshape(len(ids), -1)


def backends(program, path):
    known = ["scalar", "avx2", "avx512", "neon"]
    return [b for b in known if logits(program, path, [3], "--backend", b)[1] is not None]


def check_bits(program, path, ids, *more):
    whole, few = str(len(ids)), "1" if len(ids) < 100 else "30"
    runs = [("--backend", b, "--threads", t, "--chunk", c)
            for b, t, c in zip(backends(program, path) * 3, "1231231231", (whole, few, "7", "16") * 3)]
    return len({logits(program, path, ids, *flags, *more)[0] for flags in runs}) == 1, len(runs)


def check(program, name, folder):
    build, shape = FAMILIES[name]
    m = Model(sum(name.encode()), **shape)
    want = build(m)
    path = os.path.join(folder, name + ".gguf")
    write(path, name.split(" ")[0], m.keys, m.tensors)
    word, got = logits(program, path, m.ids, "--kv", "f32")
    if got is None:
        return False, word
    error = math.sqrt(((got - want) ** 2).mean()) / want.std()
    same, n = check_bits(program, path, m.ids)
    return error <= BOUND and same, "RMS error %.2g, %d runs with %s bits" % (error, n, "the same" if same else "DIFFERENT")


def main():
    names, bad = sys.argv[2:] or list(FAMILIES), 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            good, word = check(sys.argv[1], name, folder)
            bad += not good
            print("%-24s %s  %s" % (name, "ok    " if good else "FAILED", word))
    print("%d files, %d failed" % (len(names), bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
