"""Read stories.gguf with numpy alone and let it tell stories.

Fails if the greedy story after "Once upon a time" has fewer than five sentences, says
a sentence twice or does not end by itself.

    python3 check.py stories.gguf
"""

import argparse
import re
import struct

import numpy as np

from tokenizer import Tokenizer, marked

FORMATS = {4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q"}
OPENINGS = ["Once upon a time", "Once upon a time, there was a little girl named Mia", "One day",
            "Once upon a time, there was a fox", "One sunny morning, a brave boy named Tom",
            "Question: What does a cow say?\nAnswer:", "Question: What do bees make?\nAnswer:",
            "User: Tell me a story about a duck.\nAssistant:", "User: Who are you?\nAssistant:"]


class Reader:
    """Takes values from the bytes of a GGUF file, one after the other."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, form):
        value, = struct.unpack_from(form, self.raw, self.at)
        self.at += struct.calcsize(form)
        return value

    def string(self):
        size = self.take("<Q")
        self.at += size
        return self.raw[self.at - size:self.at].decode("utf-8")

    def value(self, kind):
        if kind == 8:
            return self.string()
        if kind == 9:
            element = self.take("<I")
            return [self.value(element) for _ in range(self.take("<Q"))]
        return self.take(FORMATS[kind])


def load(path):
    """Return the keys and the dequantised tensors of a GGUF file."""
    with open(path, "rb") as file:
        reader = Reader(file.read())
    assert reader.raw[:4] == b"GGUF"
    reader.at = 4
    assert reader.take("<I") == 3
    tensor_count, key_count = reader.take("<Q"), reader.take("<Q")
    keys = {}
    for _ in range(key_count):
        key = reader.string()
        keys[key] = reader.value(reader.take("<I"))
    infos = []
    for _ in range(tensor_count):
        name = reader.string()
        shape = [reader.take("<Q") for _ in range(reader.take("<I"))][::-1]
        infos.append((name, shape, reader.take("<I"), reader.take("<Q")))
    align = keys["general.alignment"]
    base = (reader.at + align - 1) // align * align
    tensors = {}
    for name, shape, kind, offset in infos:
        assert offset % align == 0
        size = int(np.prod(shape))
        if kind == 0:
            values = np.frombuffer(reader.raw, "<f4", size, base + offset)
        else:
            assert kind == 8 and shape[-1] % 32 == 0
            layout = np.dtype([("d", "<f2"), ("q", "i1", 32)])
            blocks = np.frombuffer(reader.raw, layout, size // 32, base + offset)
            values = blocks["d"].astype(np.float32)[:, None] * blocks["q"]
        tensors[name] = values.reshape(shape)
    return keys, tensors


class Model:
    """A llama with a key-value cache, one token at a time."""

    def __init__(self, keys, tensors):
        self.weights = tensors
        self.layers = keys["llama.block_count"]
        self.heads = keys["llama.attention.head_count"]
        self.kv_heads = keys["llama.attention.head_count_kv"]
        self.eps = keys["llama.attention.layer_norm_rms_epsilon"]
        size = keys["llama.rope.dimension_count"]
        self.rates = keys["llama.rope.freq_base"] ** (-np.arange(0, size, 2) / size)
        self.context = keys["llama.context_length"]
        self.reset()

    def reset(self):
        self.past = [([], []) for _ in range(self.layers)]

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean() + self.eps) * self.weights[name]

    def rotated(self, x, position):
        cos, sin = np.cos(position * self.rates), np.sin(position * self.rates)
        out = np.empty_like(x)
        out[:, 0::2] = x[:, 0::2] * cos - x[:, 1::2] * sin
        out[:, 1::2] = x[:, 0::2] * sin + x[:, 1::2] * cos
        return out

    def attention(self, h, layer):
        w = self.weights
        keys, values = self.past[layer]
        q = (w[f"blk.{layer}.attn_q.weight"] @ h).reshape(self.heads, -1)
        k = (w[f"blk.{layer}.attn_k.weight"] @ h).reshape(self.kv_heads, -1)
        q, k = self.rotated(q, len(keys)), self.rotated(k, len(keys))
        keys.append(k)
        values.append((w[f"blk.{layer}.attn_v.weight"] @ h).reshape(self.kv_heads, -1))
        all_keys, all_values = np.array(keys), np.array(values)
        out = []
        for head in range(self.heads):
            shared = head * self.kv_heads // self.heads
            scores = all_keys[:, shared] @ q[head] / np.sqrt(q.shape[1])
            weight = np.exp(scores - scores.max())
            out.append(weight / weight.sum() @ all_values[:, shared])
        return w[f"blk.{layer}.attn_output.weight"] @ np.concatenate(out)

    def step(self, token):
        """Take one token and return the logits for the next."""
        w = self.weights
        x = w["token_embd.weight"][token]
        for layer in range(self.layers):
            name = f"blk.{layer}."
            x = x + self.attention(self.norm(x, name + "attn_norm.weight"), layer)
            h = self.norm(x, name + "ffn_norm.weight")
            gate = w[name + "ffn_gate.weight"] @ h
            gate = gate / (1 + np.exp(-gate)) * (w[name + "ffn_up.weight"] @ h)
            x = x + w[name + "ffn_down.weight"] @ gate
        return w["token_embd.weight"] @ self.norm(x, "output_norm.weight")


def tell(model, tokenizer, bos, eos, opening, temperature=0.0, rng=None):
    """Continue an opening; return the whole text and whether it came to its end."""
    model.reset()
    tokens = [bos] + tokenizer.encode_marked(marked(opening))
    for token in tokens:
        logits = model.step(token)
    while len(tokens) < model.context:
        if temperature > 0:
            chance = np.exp((logits - logits.max()) / temperature)
            token = int(rng.choice(len(chance), p=chance / chance.sum()))
        else:
            token = int(logits.argmax())
        if token == eos:
            return tokenizer.decode(tokens), True
        tokens.append(token)
        logits = model.step(token)
    return tokenizer.decode(tokens), False


def main():
    parser = argparse.ArgumentParser(description="let the demo model tell stories")
    parser.add_argument("model")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    keys, tensors = load(args.model)
    tokenizer = Tokenizer({name: keys["tokenizer.ggml." + key] for name, key in (
        ("tokens", "tokens"), ("scores", "scores"), ("types", "token_type"))})
    bos, eos = keys["tokenizer.ggml.bos_token_id"], keys["tokenizer.ggml.eos_token_id"]
    model = Model(keys, tensors)
    print(f"{sum(t.size for t in tensors.values())} parameters in {len(tensors)} tensors")

    for opening in OPENINGS:
        text, ended = tell(model, tokenizer, bos, eos, opening)
        print(f"\n[greedy, {'ended' if ended else 'cut off'}]\n{text}")
        if opening == OPENINGS[0]:
            sentences = re.findall(r"[^.!?]+[.!?]", text)
            good = ended and len(sentences) >= 5 and len(set(sentences)) == len(sentences)
    rng = np.random.default_rng(args.seed)
    for _ in range(args.samples):
        text, ended = tell(model, tokenizer, bos, eos, OPENINGS[0], args.temperature, rng)
        print(f"\n[temperature {args.temperature}, {'ended' if ended else 'cut off'}]\n{text}")
    if not good:
        raise SystemExit("the greedy story is too short, repeats itself or has no end")
    print("\nok")


if __name__ == "__main__":
    main()
