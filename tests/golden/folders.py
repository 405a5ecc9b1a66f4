#!/usr/bin/env python3
"""folders.py LOGITS QUANTIZE [NAME ...] - Hugging Face folders of every class against GGUF files of the same networks.

The networks are those of families.py, seeded, with GGUF's names and orders; here they are written as transformers would save
them: other names, rows of rotated heads and of fused matrices in other places, gains less 1, matrices turned, experts each for
itself. Three must give the same bits: the folder, the GGUF file, and what QUANTIZE makes of the folder. Encoded in Q8_0, the
folder while it loads, and both by QUANTIZE, must do so too. Ends with 77 (skipped) where numpy is absent."""
import collections
import json
import os
import struct
import subprocess
import sys
import tempfile

import families
from families import np

KINDS = {"F32": 0, "F16": 1, "BF16": 30}
SHAPE = {"d": 64, "ff": 96, "layers": 2, "n": 24}

# ---- types


def rounded(t, kind):
    if kind == "F16":
        return t.astype(np.float16).astype(np.float32)
    if kind == "BF16":
        bits = t.astype(np.float32).view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return t.astype(np.float32)


def encoded(t, kind):
    if kind == "BF16":
        return (np.ascontiguousarray(t, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return t.astype("<f2" if kind == "F16" else "<f4").tobytes()


FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6])


def mxfp4(t):
    """scales [.., blocks] and codes [.., blocks, 32] near the values"""
    blocks = t.reshape(*t.shape[:-1], -1, 32)
    scale = np.floor(np.log2(np.abs(blocks).max(-1))) - 2
    codes = np.abs(blocks[..., None] / np.exp2(scale)[..., None, None] - FP4).argmin(-1)
    return (scale + 127).astype(np.uint8), codes.astype(np.uint8)


def mxfp4_gguf(t):
    scale, codes = mxfp4(t)
    data = codes[..., :16] | codes[..., 16:] << 4
    return np.concatenate([scale[..., None], data], axis=-1).tobytes()


# ---- how a folder has it


def halves(t, heads):
    """neighbours of a head as its two halves"""
    return t.reshape(heads, -1, 2, *t.shape[1:]).swapaxes(1, 2).reshape(t.shape)


def grouped(m, t):
    """all q, k, v as groups of q heads, each with its k and v"""
    q, k, v = np.split(t, np.cumsum([m.heads, m.kv_heads])[:2] * m.head)
    rest = t.shape[1:]
    parts = [q.reshape(m.kv_heads, -1, *rest), k.reshape(m.kv_heads, -1, *rest), v.reshape(m.kv_heads, -1, *rest)]
    return np.concatenate(parts, axis=1).reshape(t.shape)


def each(name):
    return lambda m, t: {name % i: part for i, part in enumerate(t)}


def turned(name):
    return lambda m, t: {name: t.T}


def paired(name, heads):
    return lambda m, t: {name: halves(t, getattr(m, heads))}


def fused(name):
    return lambda m, t: {name: grouped(m, t)}


def apart(end):
    """q, k and v that GGUF has in one"""
    def cut(m, t):
        parts = np.split(t, np.cumsum([m.heads, m.kv_heads])[:2] * m.head)
        return {"self_attn.%s_proj.%s" % (n, end): part for n, part in zip("qkv", parts)}
    return cut


def less_1(name):
    return lambda m, t: {name: t - np.float32(1)}


def both(a, b):
    """GGUF's name to the folder's, with .weight, and .bias where there is one"""
    return {a + s: b + s for s in (".weight", ".bias")}


ENDS = {"token_embd.weight": "embed_tokens.weight", "output_norm.weight": "norm.weight", "output_norm.bias": "norm.bias",
        "output.weight": "lm_head.weight", "output.bias": "lm_head.bias"}
ATTENTION = {**both("attn_q", "self_attn.q_proj"), **both("attn_k", "self_attn.k_proj"), **both("attn_v", "self_attn.v_proj"),
             **both("attn_output", "self_attn.o_proj"), **both("attn_norm", "input_layernorm"),
             **both("ffn_norm", "post_attention_layernorm"), "attn_q_norm.weight": "self_attn.q_norm.weight",
             "attn_k_norm.weight": "self_attn.k_norm.weight"}
GATED = {"ffn_%s.weight" % n: "mlp.%s_proj.weight" % n for n in ("gate", "up", "down")}
EXPERTS = {"ffn_gate_inp.weight": "mlp.gate.weight",
           **{"ffn_%s_exps.weight" % n: each("mlp.experts.%%d.%s_proj.weight" % n) for n in ("gate", "up", "down")},
           **{"ffn_%s_shexp.weight" % n: "mlp.shared_expert.%s_proj.weight" % n for n in ("gate", "up", "down")},
           "ffn_gate_inp_shexp.weight": lambda m, t: {"mlp.shared_expert_gate.weight": t[None]}}
QWEN = {**ENDS, **ATTENTION, **GATED, **EXPERTS}
LLAMA = {**QWEN, "attn_q.weight": paired("self_attn.q_proj.weight", "heads"),
         "attn_q.bias": paired("self_attn.q_proj.bias", "heads"),
         "attn_k.weight": paired("self_attn.k_proj.weight", "kv_heads"),
         "attn_k.bias": paired("self_attn.k_proj.bias", "kv_heads")}
MIXTRAL = {**LLAMA, "ffn_gate_inp.weight": "block_sparse_moe.gate.weight",
           **{"ffn_%s_exps.weight" % n: each("block_sparse_moe.experts.%%d.%s.weight" % w)
              for n, w in (("gate", "w1"), ("down", "w2"), ("up", "w3"))}}
GEMMA = {**QWEN, "output_norm.weight": less_1("norm.weight"), "attn_norm.weight": less_1("input_layernorm.weight"),
         "ffn_norm.weight": less_1("post_attention_layernorm.weight")}
GEMMA2 = {**GEMMA, "post_attention_norm.weight": less_1("post_attention_layernorm.weight"),
          "ffn_norm.weight": less_1("pre_feedforward_layernorm.weight"),
          "post_ffw_norm.weight": less_1("post_feedforward_layernorm.weight"),
          "attn_q_norm.weight": less_1("self_attn.q_norm.weight"), "attn_k_norm.weight": less_1("self_attn.k_norm.weight")}
PHI = {**QWEN, "attn_qkv.weight": apart("weight"), "attn_qkv.bias": apart("bias"),
       **both("output_norm", "final_layernorm"),
       **both("attn_output", "self_attn.dense"), **both("ffn_up", "mlp.fc1"), **both("ffn_down", "mlp.fc2")}
PHI3 = {**QWEN, "attn_qkv.weight": "self_attn.qkv_proj.weight", "ffn_up.weight": "mlp.gate_up_proj.weight"}
STARCODER = {**QWEN, **both("ffn_up", "mlp.c_fc"), **both("ffn_down", "mlp.c_proj")}
STABLELM = {**QWEN, "attn_q_norm.weight": each("self_attn.q_layernorm.norms.%d.weight"),
            "attn_k_norm.weight": each("self_attn.k_layernorm.norms.%d.weight")}
OLMO = {**QWEN, "post_attention_norm.weight": "post_attention_layernorm.weight",
        "post_ffw_norm.weight": "post_feedforward_layernorm.weight"}
GPT2 = {"token_embd.weight": "wte.weight", "position_embd.weight": "wpe.weight", **both("output_norm", "ln_f"),
        **both("attn_norm", "ln_1"), **both("ffn_norm", "ln_2"), "attn_qkv.weight": turned("attn.c_attn.weight"),
        "attn_qkv.bias": "attn.c_attn.bias", "attn_output.weight": turned("attn.c_proj.weight"),
        "attn_output.bias": "attn.c_proj.bias", "ffn_up.weight": turned("mlp.c_fc.weight"), "ffn_up.bias": "mlp.c_fc.bias",
        "ffn_down.weight": turned("mlp.c_proj.weight"), "ffn_down.bias": "mlp.c_proj.bias"}
WIDE = {**both("attn_norm", "input_layernorm"), **both("ffn_norm", "post_attention_layernorm"),
        **both("ffn_up", "mlp.dense_h_to_4h"), **both("ffn_down", "mlp.dense_4h_to_h")}
NEOX = {**WIDE, "token_embd.weight": "embed_in.weight", "output.weight": "embed_out.weight",
        **both("output_norm", "final_layer_norm"), **both("attn_output", "attention.dense"),
        "attn_qkv.weight": fused("attention.query_key_value.weight"), "attn_qkv.bias": fused("attention.query_key_value.bias")}
BLOOM = {**WIDE, "token_embd.weight": "word_embeddings.weight", **both("token_embd_norm", "word_embeddings_layernorm"),
         "output.weight": "lm_head.weight", **both("output_norm", "ln_f"), **both("attn_output", "self_attention.dense"),
         "attn_qkv.weight": fused("self_attention.query_key_value.weight"),
         "attn_qkv.bias": fused("self_attention.query_key_value.bias")}
FALCON40 = {**BLOOM, **both("attn_norm", "ln_mlp"), **both("attn_norm_2", "ln_attn")}
OSS = {**QWEN, "post_attention_norm.weight": "post_attention_layernorm.weight", "attn_sinks.weight": "self_attn.sinks",
       **both("ffn_gate_inp", "mlp.router")}

HEADS = ("lm_head.", "embed_out.")  # no stem in front of these


def experts_in_turn(m, layer, is_blocks):
    """gpt-oss: rows of gate and up in turn; blocks of MXFP4, or matrices that are turned"""
    t = {n: m.tensors["blk.%d.ffn_%s" % (layer, n)] for n in
         ("gate_exps.weight", "up_exps.weight", "down_exps.weight", "gate_exps.bias", "up_exps.bias", "down_exps.bias")}
    out = {}
    for name, part in (("gate_up_proj", [t["gate_exps.weight"], t["up_exps.weight"]]), ("down_proj", [t["down_exps.weight"]])):
        both_ = np.stack(part, axis=2).reshape(len(part[0]), -1, part[0].shape[-1])
        if not is_blocks:
            out[name] = both_.swapaxes(1, 2)
            continue
        scales, codes = mxfp4(both_)
        out[name + "_scales"], out[name + "_blocks"] = scales, codes[..., 0::2] | codes[..., 1::2] << 4
    out["gate_up_proj_bias"] = np.stack([t["gate_exps.bias"], t["up_exps.bias"]], axis=2).reshape(len(t["gate_exps.bias"]), -1)
    out["down_proj_bias"] = t["down_exps.bias"]
    return {"mlp.experts." + name: v for name, v in out.items()}


def folder_tensors(m, v):
    out, layers = {}, set()
    for full, t in m.tensors.items():
        if full.startswith("rope_") or (v.tied and full == "output.weight"):
            continue
        layer, name = (int(full.split(".")[1]), full.split(".", 2)[2]) if full.startswith("blk.") else (None, full)
        stem = v.stem if layer is None else "%s%s%d." % (v.stem, v.numbers, layer)
        if v.table is OSS and "_exps." in name:
            if layer not in layers:
                out.update({stem + k: x for k, x in experts_in_turn(m, layer, v.blocks).items()})
            layers.add(layer)
            continue
        rule = v.table[name]
        for k, x in ({rule: t} if isinstance(rule, str) else rule(m, t)).items():
            out[k if k.startswith(HEADS) else stem + k] = x
    return out


# ---- files


def write_safetensors(path, tensors, kind):
    head, data, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, t in tensors.items():
        is_bytes = t.dtype == np.uint8
        data.append(t.tobytes() if is_bytes else encoded(t, kind))
        head[name] = {"dtype": "U8" if is_bytes else kind, "shape": t.shape, "data_offsets": [at, at + len(data[-1])]}
        at += len(data[-1])
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def write_shards(folder, tensors, kind, n):
    names = list(tensors)
    files = {name: "model-%05d-of-%05d.safetensors" % (i * n // len(names) + 1, n) for i, name in enumerate(names)}
    for file in set(files.values()):
        write_safetensors(os.path.join(folder, file), {k: tensors[k] for k in names if files[k] == file}, kind)
    with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as out:
        json.dump({"metadata": {}, "weight_map": files}, out)


def write_tokenizer(folder):
    tokens = families.vocabulary()["tokenizer.ggml.tokens"]
    added = [{"id": i, "content": t, "special": True, "lstrip": False, "rstrip": False, "single_word": False,
              "normalized": False} for i, t in enumerate(tokens[:3])]
    model = {"type": "BPE", "vocab": {t: i for i, t in enumerate(tokens)}, "merges": [], "byte_fallback": True,
             "unk_token": "<unk>", "fuse_unk": True}
    decoder = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as out:
        json.dump({"version": "1.0", "added_tokens": added, "normalizer": None, "pre_tokenizer": None, "post_processor": None,
                   "decoder": decoder, "model": model}, out)


def write_folder(folder, m, v):
    config = {"architectures": [v.name], "vocab_size": families.VOCAB, "torch_dtype": "float32",
              "tie_word_embeddings": v.tied, **v.config(m)}
    if v.inner:
        config = {"architectures": [v.name], "text_config": config, "vision_config": {}}
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as out:
        json.dump(config, out)
    tensors = folder_tensors(m, v)
    tensors.update({k: np.zeros((3, 5), np.float32) for k in v.more})
    if v.shards:
        write_shards(folder, tensors, v.kind, v.shards)
    else:
        write_safetensors(os.path.join(folder, "model.safetensors"), tensors, v.kind)
    write_tokenizer(folder)


def write_gguf(path, m, v):
    def encode(name, t):
        is_vector = t.ndim == 1 or "norm" in name or name.endswith(".bias")
        if v.blocks and "_exps.weight" in name:
            return 39, mxfp4_gguf(t)
        return (0, encoded(t, "F32")) if is_vector else (KINDS[v.kind], encoded(t, v.kind))
    families.write(path, v.arch, m.keys, m.tensors, encode)


def round_tensors(m, v):
    """the values that the folder's type can have"""
    for name, t in m.tensors.items():
        if name.startswith("rope_"):
            continue  # from config.json
        rule = v.table.get(name.split(".", 2)[2] if name.startswith("blk.") else name)
        is_less = callable(rule) and rule.__qualname__.startswith("less_1")
        m.tensors[name] = (rounded(t - 1, v.kind) + np.float32(1)) if is_less else rounded(t, v.kind)


# ---- what config.json says


def llama_config(m):
    out = {"hidden_size": m.d, "num_hidden_layers": m.layers, "num_attention_heads": m.heads, "num_key_value_heads": m.kv_heads,
           "intermediate_size": m.ff, "max_position_embeddings": m.context, "rms_norm_eps": 1e-5, "hidden_act": "silu",
           "rope_theta": m.keys.get("rope.freq_base", 10000.0)}
    return {**out, "head_dim": m.head} if "attention.key_length" in m.keys else out


def with_config(more, base=llama_config, without=()):
    def make(m):
        config = {**base(m), **(more(m) if callable(more) else more)}
        return {k: x for k, x in config.items() if k not in without}
    return make


LAYER_NORM = with_config({"layer_norm_eps": 1e-5}, without=["rms_norm_eps"])
GELU = {"hidden_act": "gelu_pytorch_tanh"}
MOE = with_config(lambda m: {"num_experts": m.keys["expert_count"], "num_experts_per_tok": m.keys["expert_used_count"],
                             "moe_intermediate_size": m.keys["expert_feed_forward_length"], "decoder_sparse_step": 1,
                             "mlp_only_layers": []})
OSS_CONFIG = with_config(lambda m: {"num_local_experts": m.keys["expert_count"],
                                    "experts_per_token": m.keys["expert_used_count"], "sliding_window": 12,
                                    "intermediate_size": m.keys["expert_feed_forward_length"], "swiglu_limit": 7.0,
                                    "layer_types": ["full_attention" if i % 2 else "sliding_attention"
                                                    for i in range(m.layers)]})
GEMMA2_CONFIG = with_config(lambda m: {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0, "sliding_window": 13,
                                       "query_pre_attn_scalar": m.head, "hidden_activation": "gelu_pytorch_tanh", **GELU})
GEMMA3_CONFIG = with_config(lambda m: {"sliding_window": 9, "rope_local_base_freq": 10000.0, "query_pre_attn_scalar": m.head,
                                       "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "sliding_window_pattern": 6,
                                       "hidden_activation": "gelu_pytorch_tanh"}, without=["hidden_act"])
GPT2_CONFIG = lambda m: {"n_embd": m.d, "n_layer": m.layers, "n_head": m.heads, "n_positions": m.context, "n_ctx": m.context,
                         "n_inner": None, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new"}
NEOX_CONFIG = with_config({"rotary_pct": 0.25, "rotary_emb_base": 10000, "hidden_act": "gelu", "use_parallel_residual": True},
                          LAYER_NORM, ["rope_theta", "num_key_value_heads"])
BLOOM_CONFIG = lambda m: {"n_embed": m.d, "n_layer": m.layers, "num_attention_heads": m.heads, "seq_length": m.context,
                          "layer_norm_epsilon": 1e-5, "apply_residual_connection_post_layernorm": False}
FALCON_CONFIG = lambda m: {"hidden_size": m.d, "num_hidden_layers": m.layers, "num_attention_heads": m.heads, "alibi": False,
                           "bias": False, "layer_norm_epsilon": 1e-5, "multi_query": True, "parallel_attn": True,
                           "new_decoder_architecture": False}


def flags_as_types(m):
    flags = m.keys["attention.sliding_window_pattern"]
    return {"layer_types": ["sliding_attention" if f else "full_attention" for f in flags]}


def rope_by_layers(m):
    return {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}}


def long_factors(m):
    scaling = {"type": "longrope", **{name + "_factor": [float(x) for x in m.tensors["rope_factors_%s.weight" % name]]
                                      for name in ("long", "short")}}
    return {"rope_scaling": scaling, "original_max_position_embeddings": 16, "sliding_window": None}


# ---- networks that families.py has not


def scaled(m, theta=None, tied=False, bias=False, head_bias=False):
    """llama, rotated by other angles"""
    m.keys.update(families.RMS_EPS)
    x = m.embed()
    for _ in m.each_layer():
        q, k, v = m.qkv(families.rms(x, m.gain("attn_norm")), bias=bias)
        q, k = m.rope(q, theta=theta, adjacent=True), m.rope(k, theta=theta, adjacent=True)
        x = x + m.attend(q, k, v, bias=head_bias)
        x = x + m.gated(families.rms(x, m.gain("ffn_norm")), families.silu)
    m.layer = None
    m.logits(families.rms(x, m.gain("output_norm")), tied=tied)


def llama_tied(m):
    scaled(m, tied=True)


def llama_bias(m):
    scaled(m, bias=True, head_bias=True)


def llama_linear(m):
    m.keys.update({"rope.scaling.type": "linear", "rope.scaling.factor": 2.5})
    scaled(m)


def llama_yarn(m):
    m.keys.update({"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 16,
                   "rope.scaling.yarn_beta_fast": 24.0})
    scaled(m)


def llama3(m):
    """factors by wave length: short ones stay, long ones are divided, those between meet"""
    wave = 2 * np.pi * 500000.0 ** (2 * np.arange(m.head // 2) / m.head)
    smooth = (16 / wave - 1) / (4 - 1)
    factors = np.where(wave < 16 / 4, 1.0, np.where(wave > 16, 8.0, 1 / ((1 - smooth) / 8 + smooth)))
    m.keys["rope.freq_base"] = 500000.0
    m.layer = None
    m.tensors["rope_freqs.weight"] = factors.astype(np.float32)
    scaled(m)


def mixtral(m):
    m.keys.update(families.RMS_EPS, expert_count=4, expert_used_count=2)
    x = m.embed()
    for _ in m.each_layer():
        q, k, v = m.qkv(families.rms(x, m.gain("attn_norm")))
        x = x + m.attend(m.rope(q, adjacent=True), m.rope(k, adjacent=True), v)
        x = x + m.experts(families.rms(x, m.gain("ffn_norm")), 4, 2, m.ff, True)
    m.layer = None
    m.logits(families.rms(x, m.gain("output_norm")))


def phi3_long(m):
    scale = m.context / 16
    factor = float(np.sqrt(1 + np.log(scale) / np.log(16)))
    m.keys.update({"rope.scaling.type": "longrope", "rope.scaling.original_context_length": 16,
                   "rope.scaling.attn_factor": factor})
    m.layer = None
    for name, mean in (("long", 4.0), ("short", 1.5)):
        m.w("rope_factors_%s.weight" % name, m.head // 2, mean=mean, dev=0.2)
    families.phi3(m)


def gpt_oss_yarn(m):
    m.keys.update({"rope.scaling.type": "yarn", "rope.scaling.factor": 32.0, "rope.scaling.original_context_length": 16})
    families.gpt_oss(m)


def gpt_oss_wide(m):
    """experts as wide as a block"""
    own = families.Model.w

    def w(self, name, *shape, **how):
        return own(self, name, *(32 if x == 24 else x for x in shape), **how)
    m.w = w.__get__(m)
    gpt_oss_yarn(m)
    m.keys["expert_feed_forward_length"] = 32


Variant = collections.namedtuple("Variant", "name arch build table config kind tied shape stem numbers shards blocks inner more")


def variant(name, arch, build, table, config=llama_config, kind="F32", tied=False, stem="model.", numbers="layers.", shards=0,
            blocks=False, inner=False, more=(), **shape):
    return Variant(name, arch, build, table, config, kind, tied, {**SHAPE, **shape}, stem, numbers, shards, blocks, inner, more)


F = families
ALL_HEADS = {"kv_heads": 4}
YARN = {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 24.0,
                         "attention_factor": 1 + 0.1 * float(np.log(4.0))}}
LLAMA3 = {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                           "original_max_position_embeddings": 16}}
GRANITE = {"embedding_multiplier": 6.0, "residual_multiplier": 0.25, "logits_scaling": 4.0, "attention_multiplier": 0.125}
PICTURES = ("vision_tower.encoder.weight", "multi_modal_projector.mm_norm.weight")

VARIANTS = {
    "llama": variant("LlamaForCausalLM", "llama", F.llama, LLAMA),
    "llama tied": variant("LlamaForCausalLM", "llama", llama_tied, LLAMA, kind="F16", tied=True),
    "llama shards": variant("LlamaForCausalLM", "llama", F.llama, LLAMA, kind="BF16", shards=3),
    "llama biases": variant("LlamaForCausalLM", "llama", llama_bias, LLAMA, kind="F16"),
    "llama heads": variant("LlamaForCausalLM", "llama", F.llama, LLAMA, head=24, heads=6, kv_heads=3),
    "llama linear": variant("LlamaForCausalLM", "llama", llama_linear, LLAMA,
                            with_config({"rope_scaling": {"type": "linear", "factor": 2.5}})),
    "llama yarn": variant("LlamaForCausalLM", "llama", llama_yarn, LLAMA, with_config(YARN)),
    "llama 3": variant("LlamaForCausalLM", "llama", llama3, LLAMA, with_config(LLAMA3), kind="BF16"),
    "mistral": variant("MistralForCausalLM", "llama", F.llama, LLAMA, with_config({"sliding_window": None}), kind="BF16"),
    "mistral window": variant("MistralForCausalLM", "llama", F.llama_window, LLAMA, with_config({"sliding_window": 9})),
    "mixtral": variant("MixtralForCausalLM", "llama", mixtral, MIXTRAL,
                       with_config({"num_local_experts": 4, "num_experts_per_tok": 2}), kind="BF16", shards=2),
    "granite": variant("GraniteForCausalLM", "granite", F.granite, LLAMA, with_config(GRANITE), kind="BF16", tied=True),
    "qwen2": variant("Qwen2ForCausalLM", "qwen2", F.qwen2, QWEN,
                     with_config({"sliding_window": 4, "use_sliding_window": False, "max_window_layers": 1}), tied=True),
    "qwen2 moe": variant("Qwen2MoeForCausalLM", "qwen2moe", F.qwen2moe, QWEN,
                         with_config({"shared_expert_intermediate_size": 40, "norm_topk_prob": False}, MOE), kind="BF16"),
    "qwen3": variant("Qwen3ForCausalLM", "qwen3", F.qwen3, QWEN, head=20, kind="BF16"),
    "qwen3 moe": variant("Qwen3MoeForCausalLM", "qwen3moe", F.qwen3moe, QWEN, with_config({"norm_topk_prob": True}, MOE), head=16,
                         kv_heads=1, kind="F16"),
    "gemma": variant("GemmaForCausalLM", "gemma", F.gemma, GEMMA, with_config({"hidden_act": "gelu", "hidden_activation": None}),
                     head=20, kv_heads=1, tied=True, kind="BF16"),
    "gemma2": variant("Gemma2ForCausalLM", "gemma2", F.gemma2, GEMMA2, GEMMA2_CONFIG, head=16, layers=3, tied=True, kind="BF16"),
    "gemma3": variant("Gemma3ForCausalLM", "gemma3", F.gemma3, GEMMA2, GEMMA3_CONFIG, head=16, layers=7, tied=True),
    "gemma3 types": variant("Gemma3ForCausalLM", "gemma3", F.gemma3_flags, GEMMA2, with_config(flags_as_types, GEMMA3_CONFIG),
                            head=16, layers=4, tied=True, kind="BF16"),
    "gemma3 parameters": variant("Gemma3ForCausalLM", "gemma3", F.gemma3, GEMMA2,
                                 with_config(rope_by_layers, GEMMA3_CONFIG,
                                             ["rope_scaling", "rope_theta", "rope_local_base_freq"]),
                                 head=16, layers=7, tied=True),
    "gemma3 pictures": variant("Gemma3ForConditionalGeneration", "gemma3", F.gemma3, GEMMA2,
                               with_config({}, GEMMA3_CONFIG, ["rope_theta", "rope_local_base_freq"]), head=16, layers=7,
                               tied=True, kind="BF16", stem="language_model.model.", inner=True, more=PICTURES),
    "phi": variant("PhiForCausalLM", "phi2", F.phi2, PHI, with_config({"partial_rotary_factor": 0.5, "hidden_act": "gelu_new"},
                                                                      LAYER_NORM), **ALL_HEADS),
    "phi3": variant("Phi3ForCausalLM", "phi3", F.phi3, PHI3, with_config({"sliding_window": None}), kind="BF16"),
    "phi3 window": variant("Phi3ForCausalLM", "phi3", F.phi3_window, PHI3, with_config({"sliding_window": 11}), kind="F16"),
    "phi3 long": variant("Phi3ForCausalLM", "phi3", phi3_long, PHI3, with_config(long_factors)),
    "gpt2": variant("GPT2LMHeadModel", "gpt2", F.gpt2, GPT2, GPT2_CONFIG, tied=True, ff=256, stem="transformer.", numbers="h.",
                    **ALL_HEADS),
    "gpt2 bare": variant("GPT2LMHeadModel", "gpt2", F.gpt2, GPT2, GPT2_CONFIG, kind="F16", tied=True, ff=256, stem="",
                         numbers="h.", **ALL_HEADS),
    "gptneox": variant("GPTNeoXForCausalLM", "gptneox", F.gptneox, NEOX, NEOX_CONFIG, kind="F16", stem="gpt_neox.", **ALL_HEADS),
    "gptneox sequential": variant("GPTNeoXForCausalLM", "gptneox", F.gptneox_sequential, NEOX,
                                  with_config({"use_parallel_residual": False}, NEOX_CONFIG), stem="gpt_neox.", **ALL_HEADS),
    "starcoder2": variant("Starcoder2ForCausalLM", "starcoder2", F.starcoder2, STARCODER,
                          with_config({"norm_epsilon": 1e-5, **GELU}, without=["rms_norm_eps"]), kind="BF16", tied=True),
    "starcoder2 window": variant("Starcoder2ForCausalLM", "starcoder2", F.starcoder2_window, STARCODER,
                                 with_config({"sliding_window": 20, **GELU}, LAYER_NORM), tied=True),
    "falcon": variant("FalconForCausalLM", "falcon", F.falcon, BLOOM, FALCON_CONFIG, ff=256, kv_heads=1, kind="BF16",
                      stem="transformer.", numbers="h."),
    "falcon many keys": variant("FalconForCausalLM", "falcon", F.falcon, BLOOM, with_config({"multi_query": False}, FALCON_CONFIG),
                                ff=256, stem="transformer.", numbers="h.", **ALL_HEADS),
    "falcon 40b": variant("FalconForCausalLM", "falcon", F.falcon_40b, FALCON40,
                          with_config({"new_decoder_architecture": True, "num_kv_heads": 2, "activation": "gelu"}, FALCON_CONFIG),
                          ff=256, kind="BF16", stem="transformer.", numbers="h."),
    "stablelm": variant("StableLmForCausalLM", "stablelm", F.stablelm, STABLELM, with_config({"partial_rotary_factor": 0.25},
                                                                                            LAYER_NORM)),
    "stablelm 12b": variant("StableLmForCausalLM", "stablelm", F.stablelm_12b, STABLELM, LAYER_NORM, kind="BF16"),
    "olmo2": variant("Olmo2ForCausalLM", "olmo2", F.olmo2, OLMO, kind="BF16"),
    "olmo3": variant("Olmo3ForCausalLM", "olmo2", F.olmo3, OLMO,
                     with_config({"sliding_window": 10, "rope_scaling": {"rope_type": "linear", "factor": 4.0}}), layers=5),
    "cohere": variant("CohereForCausalLM", "command-r", F.command_r, QWEN, with_config({"logit_scale": 0.25}, LAYER_NORM),
                      tied=True, kind="F16"),
    "cohere plus": variant("CohereForCausalLM", "command-r", F.command_r_plus, QWEN,
                           with_config(lambda m: {"logit_scale": 0.25, "use_qk_norm": True, "model_max_length": m.context,
                                                  "max_position_embeddings": 8}, LAYER_NORM), tied=True, kind="BF16"),
    "gpt-oss": variant("GptOssForCausalLM", "gpt-oss", gpt_oss_wide, OSS,
                       with_config({"rope_scaling": {"rope_type": "yarn", "factor": 32.0, "truncate": False,
                                                     "original_max_position_embeddings": 16},
                                    "quantization_config": {"quant_method": "mxfp4"}}, OSS_CONFIG),
                       head=16, layers=4, kind="BF16", blocks=True),
    "gpt-oss bf16": variant("GptOssForCausalLM", "gpt-oss", F.gpt_oss, OSS, OSS_CONFIG, head=16, layers=4, kind="BF16"),
    "bloom": variant("BloomForCausalLM", "bloom", F.bloom, BLOOM, BLOOM_CONFIG, ff=256, tied=True, stem="transformer.", numbers="h.",
                     kind="BF16", **ALL_HEADS),
    "bloom 6 heads": variant("BloomForCausalLM", "bloom", F.bloom, BLOOM, BLOOM_CONFIG, d=96, ff=384, heads=6, kv_heads=6,
                             tied=True, stem="", numbers="h."),
}

# ---- the comparison


def convert(program, path, out, kind):
    run = subprocess.run([program, path, out, kind], capture_output=True, text=True)
    return run.stderr.strip() if run.returncode else None


def check(logits, quantize, name, folder):
    v = VARIANTS[name]
    m = families.Model(sum(name.encode()), **v.shape)
    v.build(m)
    round_tensors(m, v)
    hf, gguf = os.path.join(folder, name), os.path.join(folder, name + ".gguf")
    os.mkdir(hf)
    write_folder(hf, m, v)
    write_gguf(gguf, m, v)
    made = {}  # what QUANTIZE writes: of the folder as it is, of both in Q8_0
    for key, source, kind in (("as it is", hf, v.kind.lower()), ("folder", hf, "q8_0"), ("file", gguf, "q8_0")):
        made[key] = os.path.join(folder, "%s %s.gguf" % (name, key))
        word = convert(quantize, source, made[key], kind)
        if word:
            return False, word
    as_it_is, q8_0 = [(hf,), (gguf,), (made["as it is"],)], [(hf, "--weights", "q8_0"), (made["folder"],), (made["file"],)]
    hashes = [families.logits(logits, path, m.ids, *flags) for path, *flags in as_it_is[:2 if v.blocks else 3] + q8_0]
    for word, got in hashes:
        if got is None:
            return False, word
    n_same = 2 if v.blocks else 3  # QUANTIZE leaves no MXFP4
    words = [word for word, _ in hashes]
    good = len(set(words[:n_same])) == 1 and len(set(words[n_same:])) == 1
    return good, "%s, in Q8_0 %s" % ("/".join(sorted(set(words[:n_same]))), "/".join(sorted(set(words[n_same:]))))


def main():
    names, bad = sys.argv[3:] or list(VARIANTS), 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            good, word = check(*sys.argv[1:3], name, folder)
        bad += not good
        print("%-24s %s  %s" % (name, "ok    " if good else "FAILED", word))
    print("%d folders, %d failed" % (len(names), bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
