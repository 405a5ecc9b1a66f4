/* backend/wide/tree.h - the eight-leaf tree over the segments of K, with at most three parked sums; the way to the outputs. */
#ifndef LLI_BACKEND_WIDE_TREE_H
#define LLI_BACKEND_WIDE_TREE_H

#include <string.h>

#include "backend/segments.h"
#include "backend/wide/dot.h"

/* Segment s (0 .. 7, ascending) has the sums v[n]: joins them with what waits for them in parked[3][n], and parks the result.
 * v holds the whole sums after the last segment. */
LLI_INLINE void lli_tree_join(lli_floats *v, lli_floats *parked, int n, size_t s)
{
    size_t level = 0;
    for (; s & 1; s >>= 1, level++)
        LLI_UNROLL for (int i = 0; i < n; i++) v[i] = parked[level * (size_t)n + (size_t)i] + v[i];
    if (level < 3)
        LLI_UNROLL for (int i = 0; i < n; i++) parked[level * (size_t)n + (size_t)i] = v[i];
}

/* The groups of a tile of n outputs, which stand one after the other at `at`. Those that are not there are the first one:
 * it is computed again, and not stored. */
LLI_INLINE void lli_tile_groups(const uint8_t *groups[LLI_GROUPS], const uint8_t *at, size_t group_bytes, size_t n)
{
    for (size_t g = 0; g < LLI_GROUPS; g++)
        groups[g] = g * LLI_LANES < n ? at + g * group_bytes : at;
}

/* The first n of the groups' outputs. */
LLI_INLINE void lli_tree_store(float *out, const lli_floats sum[LLI_GROUPS], size_t n)
{
    if (n < LLI_GROUPS * LLI_LANES) {
        lli_floats copy[LLI_GROUPS]; /* sums whose address is taken would be stored at each step */
        LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) copy[g] = sum[g];
        memcpy(out, copy, n * sizeof *out);
        return;
    }
    LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) lli_floats_store(out + g * LLI_LANES, sum[g]);
}

#endif
