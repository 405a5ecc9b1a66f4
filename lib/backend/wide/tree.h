/* backend/wide/tree.h - the eight-leaf tree over the segments of K, with at most three parked sums; the way to the outputs. */
#ifndef LLI_BACKEND_WIDE_TREE_H
#define LLI_BACKEND_WIDE_TREE_H

#include <string.h>

#include "base/segments.h"
#include "backend/wide/dot.h"

/* Segment s (of a subtree, ascending) has the sums v of n_x rows and n_g groups: joins them with what waits for them in
 * `parked`, and parks the result. v holds the whole sums after the last segment. */
LLI_INLINE void lli_tree_join(lli_floats (*v)[LLI_GROUPS], lli_floats (*parked)[LLI_TILE][LLI_GROUPS], int n_x, int n_g,
                              size_t s)
{
    size_t level = 0;
    for (; s & 1; s >>= 1, level++)
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) v[t][g] =
            parked[level][t][g] + v[t][g];
    if (level < 3)
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) parked[level][t][g] = v[t][g];
}

/* The groups of a tile of n outputs, which stand one after the other at `at`. Those that are not there are the first one:
 * it is computed again, and not stored. */
LLI_INLINE void lli_tile_groups(const uint8_t *groups[LLI_GROUPS], const uint8_t *at, size_t group_bytes, size_t n)
{
    for (size_t g = 0; g < LLI_GROUPS; g++)
        groups[g] = g * LLI_LANES < n ? at + g * group_bytes : at;
}

/* The first n of n_g groups' outputs. */
LLI_INLINE void lli_tree_store(float *out, const lli_floats sum[LLI_GROUPS], size_t n, int n_g)
{
    if (n < (size_t)n_g * LLI_LANES) {
        lli_floats copy[LLI_GROUPS]; /* sums whose address is taken would be stored at each step */
        LLI_UNROLL for (int g = 0; g < n_g; g++) copy[g] = sum[g];
        memcpy(out, copy, n * sizeof *out);
        return;
    }
    LLI_UNROLL for (int g = 0; g < n_g; g++) lli_floats_store(out + g * LLI_LANES, sum[g]);
}

#endif
