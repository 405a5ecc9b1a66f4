/* backend/kernels.h - the arithmetic of the forward pass: every kernel's signature and contract.
 *
 * A typedef names the type of the table's slot and declares every implementation, lli_<op>_<isa>. What a kernel computes,
 * operation by operation and in which order, is docs/numerics.md; all implementations give the same bits.
 *
 * Unless a contract says otherwise: floats are aligned to 4 bytes, rows of weights stand in any alignment in the layout of
 * GGUF files, n >= 1, and out overlaps no input. Rounding is to nearest and subnormals are kept (base/fenv.h). NaN and Inf
 * harm nothing but the values computed from them. */
#ifndef LLI_BACKEND_KERNELS_H
#define LLI_BACKEND_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/segments.h"

#define LLI_N_TYPES (LLI_MXFP4 + 1) /* tables by enum lli_type; only the slots of known types are filled */

enum {
    LLI_ACT_BLOCK = LLI_SEGMENT_BLOCK, /* elements of a block of quantised activations, and of a block of K */
    LLI_PAGE_TOKENS = 16,              /* tokens of a page of K or V: a lane each */
    LLI_SPLIT_PAGES = 16,              /* pages of a split of attention */
    LLI_SPLIT_TOKENS = LLI_SPLIT_PAGES * LLI_PAGE_TOKENS,
    LLI_ATTEND_TILE = 12,          /* queries of one head that a kernel takes at a time, at most */
    LLI_ATTEND_HEADS = 32,         /* queries of several heads in one call, at most */
    LLI_MATMUL_STEP = 32,          /* ranges of weight rows begin at a multiple: of every backend's lanes */
    LLI_MATMUL_SCRATCH = 192 << 10 /* bytes a product may use */
};

/* Quantised activations: a row of n elements is n / 32 blocks. All that a product wants of a block stands together, so that a
 * row is one stream (Zen 4: 10 % more than with an array of each). */
struct lli_q8 {
    int8_t q[LLI_ACT_BLOCK]; /* in -127 .. 127 */
    float d, sx;             /* scale; scale * sum of q */
    int16_t minus_sums[2];   /* of 16 q each */
    int32_t minus_8_sum;     /* of all q, times -8: what an offset of 8 takes off */
};

static inline size_t lli_q8_blocks(size_t n)
{
    return (n + LLI_ACT_BLOCK - 1) / LLI_ACT_BLOCK;
}

/* x[n] as q8, n a multiple of 32. 0, or -1 if x holds NaN or Inf: then the row is all zero. */
typedef int lli_quantise_fn(struct lli_q8 *out, const float *x, size_t n);

/* The operands of out[i, o] = sum over k of x[i, k] * weights[o, k]. */
struct lli_product {
    float *out; /* [n_rows, out_stride] */
    size_t out_stride;
    const void *weights; /* [n_out, n_in] of the kernel's type: the file's rows for a backend of 1 lane, else backend/pack.h */
    size_t n_in;         /* any for F32, F16, BF16; a multiple of the block for others, or in a subtree of 32 */
    struct lli_subtree
        subtree;             /* of a longer K: that subtree's sums. The file's rows are as long as the whole K then; in either
                             layout weights begin with the unit of 256 of its first block */
    size_t n_rows;           /* of activations */
    const float *x;          /* [n_rows, n_in] for F32, F16, BF16 */
    const struct lli_q8 *q8; /* [n_rows, n_in / 32] for others */
    void *scratch;           /* LLI_MATMUL_SCRATCH bytes of the calling worker, aligned to 64; backends of 1 lane need none */
};

/* Fills out[i, first .. last - 1] for all i and touches nothing else, so that workers share a product. first is a multiple of
 * LLI_MATMUL_STEP (any number for a backend of 1 lane); last too, or the number of rows. */
typedef void lli_matmul_fn(const struct lli_product *p, size_t first, size_t last);

/* out[n] = the row's weights as binary32. n is a multiple of the block. */
typedef void lli_dequant_fn(float *out, const void *row, size_t n);

/* out[i] = x[i] * r * gain[i], r = 1 / sqrt(sum16(x * x) / n + eps). out may be x. */
typedef void lli_rmsnorm_fn(float *out, const float *x, const float *gain, size_t n, float eps);

/* out[i] = ((x[i] - mean) * r) * gain[i] + bias[i], mean = sum16(x) / n, r = 1 / sqrt(sum16((x - mean)^2) / n + eps). out may
 * be x; bias NULL: none is added. */
typedef void lli_layernorm_fn(float *out, const float *x, const float *gain, const float *bias, size_t n, float eps);

/* Rotates pair i of each vector x[n_vectors, stride] by (cos[i], sin[i]), in place: elements (2i, 2i + 1), or
 * (i, i + n_pairs). Elements behind 2 * n_pairs stay. */
typedef void lli_rope_fn(float *x, size_t n_vectors, size_t stride, const float *cos, const float *sin, size_t n_pairs);

/* Bytes of one head in a page of K or of V. A page holds 16 tokens of all heads, one head behind the other:
 *
 *     f32, f16    K [head_dim, 16]                                    V [16, head_dim]
 *     q8_0        K [head_dim, 16] int8, [head_dim / 32, 16] f16      V [16, head_dim] int8, [16, head_dim / 32] f16
 *
 * q8_0 has a scale for each 32 channels of a token's head; the last block may be shorter. */
static inline size_t lli_kv_head_bytes(uint32_t type, size_t head_dim)
{
    size_t n_blocks = (head_dim + LLI_ACT_BLOCK - 1) / LLI_ACT_BLOCK, size = type == LLI_F32 ? 4 : type == LLI_F16 ? 2 : 1;
    return LLI_PAGE_TOKENS * (head_dim * size + (type == LLI_Q8_0 ? n_blocks * 2 : 0));
}

/* Puts one token's k and v [n_heads, head_dim] at `slot` of a page of K and of V, rounded to the page's type. Pages are aligned
 * to 16 bytes. 0, or -1 if a rounded value (Q8_0: the scale of a block) is NaN or Inf: +0 is stored for it (the block is zero),
 * so that pages hold finite values only. */
typedef int lli_kv_store_fn(void *k_page, void *v_page, const float *k, const float *v, size_t n_heads, size_t head_dim,
                            size_t slot);

/* One query head at one position, and what it sees of one split: positions first .. last - 1 of its 256, first < last. */
struct lli_query {
    const float *q; /* [head_dim] */
    float *o;       /* out: [head_dim] */
    float m, l;     /* out */
    uint32_t first, last;
    float slope, pos; /* of ALiBi, and the query's position from the split's first on; slope 0: none */
};

/* Queries against one split of neighbouring heads of K and V. Several heads in one call are read page by page, in runs as
 * long as all of them. */
struct lli_attend {
    struct lli_query *queries; /* [n_heads, n_queries]; best if neighbours see about the same */
    size_t n_heads, n_queries; /* of more than one head LLI_ATTEND_HEADS in all, at most; else any number */
    size_t head_dim;
    float scale, softcap;                                   /* softcap 0: none */
    const uint8_t *k[LLI_SPLIT_PAGES], *v[LLI_SPLIT_PAGES]; /* the first head's part of each page, the others behind it; valid
                                                               from the first page that a query sees to the last; all
                                                               positions in these are finite */
    const uint8_t *next[LLI_SPLIT_PAGES]; /* the keys of the call that follows, to be fetched early; NULL: unknown */
    void *scratch;                        /* lli_attend_scratch(head_dim) bytes, aligned to 64 */
};

/* For each query: m = max s, s = (sum over d of q[d] * k[d, t]) * scale, after the soft cap and ALiBi; p = exp(s - m);
 * l = sum16(p), lane t % 16; o[d] = sum over t of p[t] * v[t, d]. */
typedef void lli_attend_fn(const struct lli_attend *a);

/* Bytes: queries turned, and their scores with a line between them; a kernel rounds up the queries of a head, by a third at
 * most. */
static inline size_t lli_attend_scratch(size_t head_dim)
{
    return (LLI_ATTEND_HEADS + LLI_ATTEND_HEADS / 3 + 1) * (head_dim + LLI_SPLIT_TOKENS + 16) * sizeof(float);
}

/* The softmax's numerators, in place: x[i] = exp(x[i] - m), m = max x. Gives m and sum16(x). */
typedef void lli_exp_fn(float *x, size_t n, float *max_out, float *sum_out);

/* Joins the next split (m, l, o[n]) to the earlier ones (max, sum, out[n]). */
typedef void lli_merge_fn(float *out, float *max, float *sum, const float *o, float m, float l, size_t n);

/* out[i] = x[i] / by. out may be x. */
typedef void lli_divide_fn(float *out, const float *x, float by, size_t n);

/* sum16(x). */
typedef float lli_sum_fn(const float *x, size_t n);

/* out[i] = silu(gate[i]) * up[i]. out may be gate or up. */
typedef void lli_swiglu_fn(float *out, const float *gate, const float *up, size_t n);

/* out[i] = f(gate[i]) * up[i], as swiglu: f is GELU (tanh form), or the clamped form of numerics.md. */
typedef lli_swiglu_fn lli_geglu_fn, lli_swiglu_clamped_fn;

/* out[i] = GELU of x[i], in the tanh form and the exact one. out may be x. */
typedef void lli_gelu_fn(float *out, const float *x, size_t n);
typedef lli_gelu_fn lli_gelu_erf_fn;

/* out[i] = x[i] * by; out[i] = by * tanh(x[i] / by). out may be x. */
typedef void lli_scale_fn(float *out, const float *x, float by, size_t n);
typedef lli_scale_fn lli_softcap_fn;

/* out[i] = x[i] + y[i]. out may be x or y. */
typedef void lli_add_fn(float *out, const float *x, const float *y, size_t n);

/* y[i] = fma(weight, x[i], y[i]). */
typedef void lli_add_scaled_fn(float *y, float weight, const float *x, size_t n);

/* 1 if no x is NaN or Inf, else 0. n may be 0. */
typedef int lli_finite_fn(const float *x, size_t n);

struct lli_kernels {
    lli_quantise_fn *quantise;
    lli_matmul_fn *matmul[LLI_N_TYPES];
    lli_dequant_fn *dequant[LLI_N_TYPES];
    lli_rmsnorm_fn *rmsnorm;
    lli_layernorm_fn *layernorm;
    lli_rope_fn *rope_adjacent, *rope_halves;
    lli_kv_store_fn *kv_store[LLI_N_TYPES]; /* these two: F32, F16 and Q8_0 */
    lli_attend_fn *attend[LLI_N_TYPES];
    lli_exp_fn *exp;
    lli_merge_fn *merge;
    lli_divide_fn *divide;
    lli_sum_fn *sum;
    lli_swiglu_fn *swiglu;
    lli_geglu_fn *geglu;
    lli_swiglu_clamped_fn *swiglu_clamped;
    lli_gelu_fn *gelu;
    lli_gelu_erf_fn *gelu_erf;
    lli_scale_fn *scale;
    lli_softcap_fn *softcap;
    lli_add_fn *add;
    lli_add_scaled_fn *add_scaled;
    lli_finite_fn *finite;
};

#endif
