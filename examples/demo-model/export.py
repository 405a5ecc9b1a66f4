"""Write the trained demo model as one GGUF file: matrices in Q8_0, norms in F32.

    python3 export.py --model model.pt --tokenizer tokenizer.json --out stories.gguf
"""

import argparse
import json
import struct

import numpy as np
import torch

from tokenizer import BOS, EOS

ALIGNMENT = 32
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
PACKED = {UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}
F32, Q8_0 = 0, 8


def packed(kind, value):
    """Return the bytes of one metadata value; an array is (kind of element, values)."""
    if kind == STRING:
        raw = value.encode("utf-8")
        return struct.pack("<Q", len(raw)) + raw
    if kind == ARRAY:
        element, values = value
        head = struct.pack("<IQ", element, len(values))
        return head + b"".join(packed(element, v) for v in values)
    return struct.pack(PACKED[kind], value)


def metadata(config, vocabulary):
    """Return the file's keys as (key, kind, value)."""
    return [
        ("general.architecture", STRING, "llama"),
        ("general.name", STRING, "libllminf demo stories"),
        ("general.license", STRING, "MIT"),
        ("general.alignment", UINT32, ALIGNMENT),
        ("general.file_type", UINT32, 7),
        ("general.quantization_version", UINT32, 2),
        ("llama.block_count", UINT32, config["layers"]),
        ("llama.context_length", UINT32, config["context"]),
        ("llama.embedding_length", UINT32, config["dim"]),
        ("llama.feed_forward_length", UINT32, config["ffn"]),
        ("llama.attention.head_count", UINT32, config["heads"]),
        ("llama.attention.head_count_kv", UINT32, config["kv_heads"]),
        ("llama.attention.layer_norm_rms_epsilon", FLOAT32, config["eps"]),
        ("llama.rope.dimension_count", UINT32, config["dim"] // config["heads"]),
        ("llama.rope.freq_base", FLOAT32, config["rope_base"]),
        ("llama.vocab_size", UINT32, config["vocab"]),
        ("tokenizer.ggml.model", STRING, "llama"),
        ("tokenizer.ggml.tokens", ARRAY, (STRING, vocabulary["tokens"])),
        ("tokenizer.ggml.scores", ARRAY, (FLOAT32, vocabulary["scores"])),
        ("tokenizer.ggml.token_type", ARRAY, (INT32, vocabulary["types"])),
        ("tokenizer.ggml.bos_token_id", UINT32, BOS),
        ("tokenizer.ggml.eos_token_id", UINT32, EOS),
        ("tokenizer.ggml.unknown_token_id", UINT32, 0),
        ("tokenizer.ggml.add_bos_token", BOOL, True),
        ("tokenizer.ggml.add_eos_token", BOOL, False),
    ]


def q8_0(weights):
    """Quantise in blocks of 32: a half-precision scale, then 32 signed bytes."""
    blocks = weights.reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = blocks * inverse
    out = np.empty(len(blocks), dtype=[("d", "<f2"), ("q", "i1", 32)])
    out["d"] = scale[:, 0]
    out["q"] = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    return out.tobytes()


def main():
    parser = argparse.ArgumentParser(description="write the demo model as GGUF")
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    state = torch.load(args.model, map_location="cpu")
    with open(args.tokenizer, encoding="utf-8") as file:
        vocabulary = json.load(file)
    keys = metadata(state["config"], vocabulary)

    infos, data = b"", b""
    for name, tensor in state["model"].items():
        values = tensor.numpy().astype(np.float32)
        kind = Q8_0 if values.ndim == 2 else F32
        infos += packed(STRING, name) + struct.pack("<I", values.ndim)
        infos += b"".join(struct.pack("<Q", size) for size in reversed(values.shape))
        infos += struct.pack("<IQ", kind, len(data))
        data += q8_0(values) if kind == Q8_0 else values.astype("<f4").tobytes()
        data += bytes(-len(data) % ALIGNMENT)

    head = b"GGUF" + struct.pack("<IQQ", 3, len(state["model"]), len(keys))
    for key, kind, value in keys:
        head += packed(STRING, key) + struct.pack("<I", kind) + packed(kind, value)
    head += infos
    head += bytes(-len(head) % ALIGNMENT)
    with open(args.out, "wb") as out:
        out.write(head + data)
    print(f"{args.out}: {len(head) + len(data)} bytes, {len(state['model'])} tensors")


if __name__ == "__main__":
    main()
