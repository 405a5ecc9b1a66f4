/* backend/scalar/quantised_scalar.c - block-quantised weights against q8 activations.
 *
 * A format is a function that unpacks 32 weights and a row of the table at the end that says what its numbers mean.
 * Segments of K are cut at 32, inside the super-blocks of 256 too. Formats: ggml-common.h and ggml-quants.c of ggml. */
#include "backend/scalar/scalar.h"

#include "base/fma.h"

enum { TILE = 16 };

/* 32 weights as the sums need them. */
struct block {
    _Alignas(32) int8_t q[LLI_ACT_BLOCK];
    int16_t scale[2], min[2]; /* of 16 weights each, in the formats with halves */
    float d, m;
};

static inline float half_at(const uint8_t *bytes)
{
    uint16_t h;
    memcpy(&h, bytes, sizeof h);
    return lli_half_value(h);
}

/* ---- formats: block b of 32 of a row */

typedef void unpack_fn(struct block *w, const uint8_t *row, size_t b);

static inline void unpack_q8_0(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b * 34;
    w->d = half_at(at);
    memcpy(w->q, at + 2, LLI_ACT_BLOCK);
}

/* 16 bytes, eight at a time: low nibbles are the first half of the block. */
static inline void unpack_nibbles(int8_t *q, const uint8_t *bytes, int offset)
{
    for (size_t i = 0; i < 16; i += 8) {
        uint64_t eight, low, high;
        memcpy(&eight, bytes + i, sizeof eight);
        low = eight & 0x0f0f0f0f0f0f0f0f;
        high = eight >> 4 & 0x0f0f0f0f0f0f0f0f;
        memcpy(q + i, &low, sizeof low);
        memcpy(q + 16 + i, &high, sizeof high);
    }
    for (size_t i = 0; i < LLI_ACT_BLOCK; i++)
        q[i] = (int8_t)(q[i] - offset);
}

/* The same with a fifth bit from 32 bits at `high`, first element lowest. */
static inline void unpack_nibbles_high(int8_t *q, const uint8_t *bytes, const uint8_t *high, int offset)
{
    uint32_t bits = (uint32_t)high[0] | (uint32_t)high[1] << 8 | (uint32_t)high[2] << 16 | (uint32_t)high[3] << 24;
    unpack_nibbles(q, bytes, offset);
    for (size_t i = 0; i < LLI_ACT_BLOCK; i++)
        q[i] = (int8_t)(q[i] + (int)(16 * (bits >> i & 1)));
}

static inline void unpack_q4_0(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b * 18;
    w->d = half_at(at);
    unpack_nibbles(w->q, at + 2, 8);
}

static inline void unpack_q4_1(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b * 20;
    w->d = half_at(at);
    w->m = half_at(at + 2);
    unpack_nibbles(w->q, at + 4, 0);
}

static inline void unpack_q5_0(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b * 22;
    w->d = half_at(at);
    unpack_nibbles_high(w->q, at + 6, at + 2, 16);
}

static inline void unpack_q5_1(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b * 24;
    w->d = half_at(at);
    w->m = half_at(at + 2);
    unpack_nibbles_high(w->q, at + 8, at + 4, 0);
}

/* 8 six-bit scales and 8 six-bit minima in 12 bytes, the form of Q4_K and Q5_K. */
static inline void unpack_scale_min(struct block *w, const uint8_t *scales, size_t j, float d, float dmin)
{
    int scale, min;
    if (j < 4) {
        scale = scales[j] & 63;
        min = scales[j + 4] & 63;
    } else {
        scale = (scales[j + 4] & 15) | (scales[j - 4] >> 6) << 4;
        min = scales[j + 4] >> 4 | (scales[j] >> 6) << 4;
    }
    w->d = d * (float)scale;
    w->m = -(dmin * (float)min);
}

/* d, dmin, scales[12], nibbles[128]: 32 bytes are two blocks, low and high. */
static inline void unpack_q4_k(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b / 8 * 144;
    size_t j = b % 8;
    const uint8_t *nibbles = at + 16 + j / 2 * 32;
    int shift = j % 2 ? 4 : 0;
    unpack_scale_min(w, at + 4, j, half_at(at), half_at(at + 2));
    for (size_t i = 0; i < 32; i++)
        w->q[i] = (int8_t)(nibbles[i] >> shift & 15);
}

/* d, dmin, scales[12], high[32], nibbles[128]: bit j of high[i] belongs to block j. */
static inline void unpack_q5_k(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b / 8 * 176;
    size_t j = b % 8;
    const uint8_t *high = at + 16, *nibbles = at + 48 + j / 2 * 32;
    int shift = j % 2 ? 4 : 0, bit = (int)j;
    unpack_scale_min(w, at + 4, j, half_at(at), half_at(at + 2));
    for (size_t i = 0; i < 32; i++)
        w->q[i] = (int8_t)((nibbles[i] >> shift & 15) | (high[i] >> bit & 1) << 4);
}

/* low[128], high[64], scales[16], d; by halves of 128: block j has 32 nibbles of 64 bytes and 2 bits of 32 bytes. */
static inline void unpack_q6_k(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b / 8 * 210;
    size_t half = b % 8 / 4, j = b % 4;
    const uint8_t *low = at + half * 64 + j % 2 * 32, *high = at + 128 + half * 32;
    int low_shift = j < 2 ? 0 : 4, high_shift = 2 * (int)j;
    for (size_t i = 0; i < 32; i++)
        w->q[i] = (int8_t)(((low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4) - 32);
    for (size_t h = 0; h < 2; h++)
        w->scale[h] = (int8_t)at[192 + half * 8 + 2 * j + h];
    w->d = half_at(at + 208);
}

/* Scale s of 16 of Q3_K: 6 bits less 32, the low four in nibbles[8], the high two in the four bytes behind. */
static inline int16_t scale_q3_k(const uint8_t *scales, size_t s)
{
    int low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
    int high = scales[8 + s % 4] >> 2 * (s / 4) & 3;
    return (int16_t)((low | high << 4) - 32);
}

/* mask[32], twos[64], scales[12], d: a clear bit j of mask[i] takes 4 from element i of block j. */
static inline void unpack_q3_k(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b / 8 * 110;
    size_t j = b % 8;
    const uint8_t *twos = at + 32 + j / 4 * 32;
    int shift = 2 * (int)(j % 4), bit = (int)j;
    for (size_t i = 0; i < 32; i++)
        w->q[i] = (int8_t)(((twos[i] >> shift & 3) | (at[i] >> bit & 1) << 2) - 4);
    for (size_t h = 0; h < 2; h++)
        w->scale[h] = scale_q3_k(at + 96, 2 * j + h);
    w->d = half_at(at + 108);
}

/* scales[16] (low nibble scale, high nibble minimum), twos[64], d, dmin. */
static inline void unpack_q2_k(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b / 8 * 84;
    size_t j = b % 8;
    const uint8_t *twos = at + 16 + j / 4 * 32;
    int shift = 2 * (int)(j % 4);
    for (size_t i = 0; i < 32; i++)
        w->q[i] = (int8_t)(twos[i] >> shift & 3);
    for (size_t h = 0; h < 2; h++) {
        w->scale[h] = at[2 * j + h] & 15;
        w->min[h] = at[2 * j + h] >> 4;
    }
    w->d = half_at(at + 80);
    w->m = half_at(at + 82);
}

static const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
static const int8_t fp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}; /* twice the numbers */

/* 16 bytes of indices into a table, in the order of Q4_0. */
static inline void unpack_indices(int8_t *q, const uint8_t *bytes, const int8_t values[16])
{
    for (size_t i = 0; i < 16; i++) {
        q[i] = values[bytes[i] & 15];
        q[16 + i] = values[bytes[i] >> 4];
    }
}

static inline void unpack_iq4_nl(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b * 18;
    w->d = half_at(at);
    unpack_indices(w->q, at + 2, iq4_values);
}

/* d, high[2], low[4], indices[128]: the scale of block j is 6 bits less 32, four in a nibble of low, two in high. */
static inline void unpack_iq4_xs(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b / 8 * 136;
    size_t j = b % 8;
    int low = at[4 + j / 2] >> 4 * (j % 2) & 15, high = at[2 + j / 4] >> 2 * (j % 4) & 3;
    w->d = half_at(at) * (float)((low | high << 4) - 32);
    unpack_indices(w->q, at + 8 + 16 * j, iq4_values);
}

/* exponent, indices[16]: 2^(e - 128), since the table has twice the numbers. */
static inline void unpack_mxfp4(struct block *w, const uint8_t *row, size_t b)
{
    const uint8_t *at = row + b * 17;
    w->d = lli_float_of((uint32_t)(at[0] < 2 ? 0x40 >> (1 - at[0]) : (at[0] - 1) << 7) << 16);
    unpack_indices(w->q, at + 1, fp4_values);
}

/* ---- the integers of a block: its weights, times their integer scales where they have some */

typedef void widen_fn(int16_t *out, const struct block *w);

static inline void widen_whole(int16_t *out, const struct block *w)
{
    for (size_t i = 0; i < LLI_ACT_BLOCK; i++)
        out[i] = w->q[i];
}

static inline void widen_halves(int16_t *out, const struct block *w)
{
    for (size_t h = 0; h < 2; h++)
        for (size_t i = 0; i < 16; i++)
            out[16 * h + i] = (int16_t)(w->scale[h] * w->q[16 * h + i]);
}

/* ---- what a block adds to a sum */

typedef float add_fn(float acc, const struct block *w, const int16_t *wide, const struct lli_q8 *x);

/* Not inlined: on its own it becomes vectors; among the rest clang 14 unrolls it into scalars, three times slower. */
static __attribute__((noinline)) int32_t dot(const int16_t *w, const int8_t *x)
{
    int32_t sum = 0;
    for (size_t i = 0; i < LLI_ACT_BLOCK; i++)
        sum += w[i] * (int16_t)x[i];
    return sum;
}

static inline float add_plain(float acc, const struct block *w, const int16_t *wide, const struct lli_q8 *x)
{
    int32_t idot = dot(wide, x->q);
    return lli_fma_f32((float)idot, w->d * x->d, acc);
}

static inline float add_offset(float acc, const struct block *w, const int16_t *wide, const struct lli_q8 *x)
{
    return lli_fma_f32(w->m, x->sx, add_plain(acc, w, wide, x));
}

static inline float add_minima(float acc, const struct block *w, const int16_t *wide, const struct lli_q8 *x)
{
    int32_t minus = w->min[0] * x->minus_sums[0] + w->min[1] * x->minus_sums[1];
    return lli_fma_f32((float)-minus, -(w->m * x->d), add_plain(acc, w, wide, x));
}

/* ---- what a weight is worth */

typedef float value_fn(const struct block *w, size_t i);

static inline float value_plain(const struct block *w, size_t i)
{
    return w->d * (float)w->q[i];
}

static inline float value_offset(const struct block *w, size_t i)
{
    return w->d * (float)w->q[i] + w->m;
}

static inline float value_scaled(const struct block *w, size_t i)
{
    return w->d * (float)w->scale[i / 16] * (float)w->q[i];
}

static inline float value_minima(const struct block *w, size_t i)
{
    return w->d * (float)w->scale[i / 16] * (float)w->q[i] - w->m * (float)w->min[i / 16];
}

/* ---- kernels */

/* out[i .. i + n_x - 1, o]: a block is unpacked once for the rows of a tile. */
LLI_INLINE void multiply_tile(const struct lli_product *p, size_t i, size_t n_x, const uint8_t *row, size_t o,
                              unpack_fn *unpack, widen_fn *widen, add_fn *add)
{
    float leaf[8][TILE];
    size_t n_blocks = p->n_in / LLI_ACT_BLOCK, n = lli_subtree_segments(&p->subtree);
    for (size_t s = 0; s < n; s++) {
        for (size_t j = 0; j < n_x; j++)
            leaf[s][j] = 0.0f;
        for (size_t b = lli_subtree_at(&p->subtree, p->n_in, s); b < lli_subtree_at(&p->subtree, p->n_in, s + 1); b++) {
            _Alignas(32) int16_t wide[LLI_ACT_BLOCK];
            struct block w;
            unpack(&w, row, b + p->subtree.skip);
            widen(wide, &w);
            for (size_t j = 0; j < n_x; j++)
                leaf[s][j] = add(leaf[s][j], &w, wide, &p->q8[(i + j) * n_blocks + b]);
        }
    }
    for (size_t j = 0; j < n_x; j++)
        p->out[(i + j) * p->out_stride + o] = lli_tree_sum(&leaf[0][j], TILE, n);
}

LLI_INLINE void multiply(const struct lli_product *p, size_t first, size_t last, size_t row_bytes, unpack_fn *unpack,
                         widen_fn *widen, add_fn *add)
{
    for (size_t o = first; o < last; o++) {
        const uint8_t *row = (const uint8_t *)p->weights + o * row_bytes;
        for (size_t i = 0; i < p->n_rows; i += TILE)
            multiply_tile(p, i, lli_min_size(TILE, p->n_rows - i), row, o, unpack, widen, add);
    }
}

LLI_INLINE void dequant(float *out, const uint8_t *row, size_t n, unpack_fn *unpack, value_fn *value)
{
    for (size_t b = 0; b < n / LLI_ACT_BLOCK; b++) {
        struct block w;
        unpack(&w, row, b);
        for (size_t i = 0; i < LLI_ACT_BLOCK; i++)
            out[b * LLI_ACT_BLOCK + i] = value(&w, i);
    }
}

#define QUANTISED_TYPE(type, block, bytes, integers, sum, value)                                                               \
    void LLI_SCALAR(matmul_##type)(const struct lli_product *p, size_t first, size_t last)                                     \
    {                                                                                                                          \
        multiply(p, first, last, lli_subtree_whole(&p->subtree, p->n_in) / block * bytes, unpack_##type, widen_##integers,     \
                 add_##sum);                                                                                                   \
    }                                                                                                                          \
    void LLI_SCALAR(dequant_##type)(float *out, const void *row, size_t n)                                                     \
    {                                                                                                                          \
        dequant(out, row, n, unpack_##type, value_##value);                                                                    \
    }

QUANTISED_TYPE(q8_0, 32, 34, whole, plain, plain)
QUANTISED_TYPE(q4_0, 32, 18, whole, plain, plain)
QUANTISED_TYPE(q5_0, 32, 22, whole, plain, plain)
QUANTISED_TYPE(q4_1, 32, 20, whole, offset, offset)
QUANTISED_TYPE(q5_1, 32, 24, whole, offset, offset)
QUANTISED_TYPE(q4_k, 256, 144, whole, offset, offset)
QUANTISED_TYPE(q5_k, 256, 176, whole, offset, offset)
QUANTISED_TYPE(q6_k, 256, 210, halves, plain, scaled)
QUANTISED_TYPE(q3_k, 256, 110, halves, plain, scaled)
QUANTISED_TYPE(q2_k, 256, 84, halves, minima, minima)
QUANTISED_TYPE(iq4_nl, 32, 18, whole, plain, plain)
QUANTISED_TYPE(iq4_xs, 256, 136, whole, plain, plain)
QUANTISED_TYPE(mxfp4, 32, 17, whole, plain, plain)
