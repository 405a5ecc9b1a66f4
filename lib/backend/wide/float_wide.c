/* backend/wide/float_wide.c - packed F32, F16 and BF16 weights against binary32 activations: a tile is LLI_GROUPS groups of
 * weight rows x some rows of activations, for each k one multiply-add per output.
 *
 * What is fetched: by FEW rows of activations, the same streams some way ahead; by more, the next tile of weight rows to the
 * second level of the cache, while the first rows are multiplied (quantised_wide.c). */
#include "backend/wide/tree.h"

enum { AHEAD = 2048, LINE = 64, FEW = 2 };

typedef lli_floats load_fn(const uint8_t *at);

/* Adds k = first .. last - 1 for n_x rows of activations. */
LLI_INLINE void add_terms(lli_floats acc[LLI_TILE][LLI_GROUPS], const uint8_t *const groups[LLI_GROUPS], const float *const x[],
                          size_t first, size_t last, int n_x, size_t ahead, size_t size, load_fn *load)
{
    for (size_t k = first; k < last; k++) {
        size_t at = k * LLI_LANES * size;
        lli_floats w[LLI_GROUPS];
        LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++)
        {
            w[g] = load(groups[g] + at);
            if (k % (LINE / (LLI_LANES * size) + (LINE < LLI_LANES * size)) == 0) {
                if (n_x <= FEW)
                    __builtin_prefetch(groups[g] + at + ahead);
                else
                    __builtin_prefetch(groups[g] + at + ahead, 0, 2);
            }
        }
        LLI_UNROLL for (int t = 0; t < n_x; t++)
        {
            lli_floats v = lli_floats_of(x[t][k]);
            LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) acc[t][g] = lli_floats_fma(w[g], v, acc[t][g]);
        }
    }
}

LLI_INLINE void tile(const struct lli_product *p, const uint8_t *const groups[LLI_GROUPS], size_t o, size_t n_o, size_t row,
                     int n_x, size_t size, load_fn *load)
{
    size_t ahead = p->n_rows <= FEW ? AHEAD : row == 0 ? LLI_GROUPS * LLI_LANES * size * p->n_in : 0;
    lli_floats acc[LLI_TILE][LLI_GROUPS], parked[3][LLI_TILE][LLI_GROUPS];
    const float *x[LLI_TILE];
    size_t n = lli_subtree_segments(&p->subtree), s = 0;
    LLI_UNROLL for (int t = 0; t < n_x; t++) x[t] = p->x + (row + (size_t)t) * p->n_in;
    do {
        size_t first = lli_subtree_at(&p->subtree, p->n_in, s) * LLI_ACT_BLOCK;
        size_t last = lli_subtree_at(&p->subtree, p->n_in, s + 1) * LLI_ACT_BLOCK;
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) acc[t][g] =
            lli_floats_of(0.0f);
        add_terms(acc, groups, x, first, last < p->n_in ? last : p->n_in, n_x, ahead, size, load);
        lli_tree_join(acc, parked, n_x, LLI_GROUPS, s);
    } while (++s < n);
    LLI_UNROLL for (int t = 0; t < n_x; t++)
        lli_tree_store(p->out + (row + (size_t)t) * p->out_stride + o, acc[t], n_o, LLI_GROUPS);
}

LLI_INLINE void multiply(const struct lli_product *p, size_t first, size_t last, size_t size, load_fn *load)
{
    size_t bytes = p->n_in * LLI_LANES * size, step = LLI_GROUPS * LLI_LANES;
    size_t n_tiles = (p->n_rows + LLI_TILE - 1) / LLI_TILE;
    for (size_t o = first; o < last; o += step) {
        const uint8_t *at = (const uint8_t *)p->weights + o / LLI_LANES * bytes;
        size_t n_o = last - o < step ? last - o : step;
        const uint8_t *groups[LLI_GROUPS];
        lli_tile_groups(groups, at, bytes, n_o);
        for (size_t i = 0; i < n_tiles; i++) {
            size_t row = i * p->n_rows / n_tiles;
#define ROWS_OF_TILE(n_x)                                                                                                      \
    case n_x:                                                                                                                  \
        if (n_x <= LLI_TILE)                                                                                                   \
            tile(p, groups, o, n_o, row, n_x, size, load);                                                                     \
        break
            switch ((i + 1) * p->n_rows / n_tiles - row) {
                ROWS_OF_TILE(1);
                ROWS_OF_TILE(2);
                ROWS_OF_TILE(3);
                ROWS_OF_TILE(4);
                ROWS_OF_TILE(5);
                ROWS_OF_TILE(6);
            }
#undef ROWS_OF_TILE
        }
    }
}

#define FLOAT_TYPE(type, size, load)                                                                                           \
    void LLI_WIDE(matmul_##type)(const struct lli_product *p, size_t first, size_t last)                                       \
    {                                                                                                                          \
        multiply(p, first, last, size, load);                                                                                  \
    }

FLOAT_TYPE(f32, 4, lli_floats_load)
FLOAT_TYPE(f16, 2, lli_floats_halves)
FLOAT_TYPE(bf16, 2, lli_floats_bf16)
