/* backend/scalar/float_scalar.c - F32, F16 and BF16 weights against binary32 activations.
 *
 * 8 weight rows at a time, turned so that a lane is an output; up to 4 rows of activations use one turned block. */
#include "backend/scalar/scalar.h"

#include "base/fma.h"

enum { LANES = 8, TILE = 4 };

/* Up to 32 k of `n_lanes` weight rows as w[k, lane]; lanes behind n_lanes stay. */
LLI_INLINE void turn(float w[LLI_ACT_BLOCK][LANES], const uint8_t *rows, size_t row_bytes, size_t n_lanes, size_t n_k,
                     lli_load_fn *load)
{
    float row[LLI_ACT_BLOCK];
    for (size_t r = 0; r < n_lanes; r++) {
        if (n_k == LLI_ACT_BLOCK) /* a length that the compiler knows */
            load(row, rows + r * row_bytes, LLI_ACT_BLOCK);
        else
            load(row, rows + r * row_bytes, n_k);
        for (size_t k = 0; k < n_k; k++)
            w[k][r] = row[k];
    }
}

static inline void add_terms(float acc[LANES], float w[LLI_ACT_BLOCK][LANES], const float *x, size_t n_k)
{
    float sum[LANES];
    memcpy(sum, acc, sizeof sum);
    for (size_t k = 0; k < n_k; k++)
        for (size_t r = 0; r < LANES; r++)
            sum[r] = lli_fma_f32(w[k][r], x[k], sum[r]);
    memcpy(acc, sum, sizeof sum);
}

/* out[i .. i + n_x - 1, o .. o + n_lanes - 1]. */
LLI_INLINE void multiply_tile(const struct lli_product *p, size_t i, size_t n_x, size_t o, size_t n_lanes, size_t size,
                              lli_load_fn *load)
{
    float leaf[8][TILE][LANES] = {{{0}}}, w[LLI_ACT_BLOCK][LANES] = {{0}};
    size_t row_bytes = lli_subtree_whole(&p->subtree, p->n_in) * size, n = lli_subtree_segments(&p->subtree);
    const uint8_t *rows = (const uint8_t *)p->weights + o * row_bytes;
    for (size_t s = 0; s < n; s++)
        for (size_t b = lli_subtree_at(&p->subtree, p->n_in, s); b < lli_subtree_at(&p->subtree, p->n_in, s + 1); b++) {
            size_t k = b * LLI_ACT_BLOCK, n_k = lli_min_size(LLI_ACT_BLOCK, p->n_in - k);
            turn(w, rows + k * size, row_bytes, n_lanes, n_k, load);
            for (size_t j = 0; j < n_x; j++)
                add_terms(leaf[s][j], w, p->x + (i + j) * p->n_in + k, n_k);
        }
    for (size_t j = 0; j < n_x; j++)
        for (size_t r = 0; r < n_lanes; r++)
            p->out[(i + j) * p->out_stride + o + r] = lli_tree_sum(&leaf[0][j][r], TILE * LANES, n);
}

LLI_INLINE void multiply(const struct lli_product *p, size_t first, size_t last, size_t size, lli_load_fn *load)
{
    for (size_t o = first; o < last; o += LANES)
        for (size_t i = 0; i < p->n_rows; i += TILE)
            multiply_tile(p, i, lli_min_size(TILE, p->n_rows - i), o, lli_min_size(LANES, last - o), size, load);
}

#define FLOAT_TYPE(type, size)                                                                                                 \
    void LLI_SCALAR(matmul_##type)(const struct lli_product *p, size_t first, size_t last)                                     \
    {                                                                                                                          \
        multiply(p, first, last, size, lli_load_##type);                                                                       \
    }                                                                                                                          \
    void LLI_SCALAR(dequant_##type)(float *out, const void *row, size_t n)                                                     \
    {                                                                                                                          \
        lli_load_##type(out, row, n);                                                                                          \
    }

FLOAT_TYPE(f32, 4)
FLOAT_TYPE(f16, 2)
FLOAT_TYPE(bf16, 2)
