/* cost/shape.h - a model as numbers: its parameters, and what it takes to compute a token and to keep one.
 *
 * Everything is arithmetic on counts, nothing is measured. Counts are doubles: those of any model that exists are whole and
 * below 2^53, so exact, and hostile ones cannot overflow. Parameters, operations and the share of K and V are those that
 * kipply, "Transformer Inference Arithmetic" (2022), counts, for grouped heads, gated layers and experts too. */
#ifndef LLI_COST_SHAPE_H
#define LLI_COST_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"

struct llminf_error;

struct lli_shape {
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab;
    uint32_t n_experts, n_experts_used; /* 0: dense */
    uint32_t n_positions;               /* rows of a table of positions; 0: none */
    uint32_t train_length;
    uint32_t window, n_local;   /* positions that so many of the layers see; 0: all see all */
    uint32_t is_gated, is_tied; /* three matrices in the feed-forward layer; the output is the embedding */
    uint32_t has_layer_norm;    /* a gain and a bias each; 0: RMS, a gain */
    uint32_t has_qk_norm;       /* of the heads of q and of k */
    uint32_t has_qkv_bias, has_output_bias, has_ff_bias;
};

/* Parameters by what they are; of all layers, and of all experts. */
struct lli_shape_counts {
    double attention, ffn, router; /* matrices; ffn: of all experts */
    double vectors;                /* norms and biases, the last norm too */
    double embedding, head;        /* head: also where it is the embedding itself */
    double positions;
};

struct lli_shape_counts lli_shape_count(const struct lli_shape *shape);

/* Parameters of the model; active: with the experts that one token meets. */
double lli_shape_params(const struct lli_shape *shape, int active);

/* Weights of the layers' matrices that one token meets. */
double lli_shape_matmul(const struct lli_shape *shape);

/* 12 L d^2: the same of the classic block, whose heads all have keys and values of their own and whose feed-forward layer has
 * 8 d^2 weights; its share of K and V is 1/6. */
double lli_shape_standard(const struct lli_shape *shape);

#define LLI_STANDARD_KV_SHARE (2.0 / 12)

/* Operations: of a token in the layers' matrices; of a row of logits; of attention, for each position that a row sees in all
 * layers. */
double lli_shape_body_flops(const struct lli_shape *shape);
double lli_shape_head_flops(const struct lli_shape *shape);
double lli_shape_attention_flops(const struct lli_shape *shape);

/* Of a prompt of n tokens, with the logits of its last. */
double lli_shape_prefill_flops(const struct lli_shape *shape, double n);

/* Elements of K and V of a position; their matrices' share of a layer's. */
double lli_shape_kv_elements(const struct lli_shape *shape);
double lli_shape_kv_share(const struct lli_shape *shape);

/* The context at which attention has as many operations as the matrices, if all layers see all of it. */
double lli_shape_attention_crossover(const struct lli_shape *shape);

/* Bytes that a step reads of the weights, besides the row of an embedding. */
struct lli_weight_bytes {
    double layers; /* but for the experts */
    double experts;
    double head;
};

/* All matrices of one type, the rest in F32. */
struct lli_weight_bytes lli_shape_weights(const struct lli_shape *shape, const struct lli_dtype *type);

/* "n_layers=32,n_embd=4096,...": the names of struct lli_shape, with `gated`, `tied`, `layer_norm`, `qk_norm`, `qkv_bias`,
 * `output_bias` and `ff_bias` for its flags. Needed are n_layers, n_embd, n_heads, n_ff and n_vocab; otherwise K and V have as
 * many heads as q, a head is n_embd / n_heads wide, the layer is gated, and a window is in all layers. OPTION with the subject
 * "shape". */
int32_t lli_shape_read(struct lli_shape *out, const char *text, size_t len, struct llminf_error *err);

#endif
