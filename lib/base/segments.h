/* base/segments.h - how K is cut: 8 segments of whole blocks, the leaves of the tree of docs/numerics.md. */
#ifndef LLI_BASE_SEGMENTS_H
#define LLI_BASE_SEGMENTS_H

#include <stddef.h>

enum { LLI_N_SEGMENTS = 8, LLI_SEGMENT_BLOCK = 32 /* elements; the last block may be shorter */ };

/* The first block of segment s; of s = 8: n_blocks. */
static inline size_t lli_segment_at(size_t n_blocks, size_t s)
{
    return s * n_blocks / LLI_N_SEGMENTS;
}

/* The same in elements of a K of n. */
static inline size_t lli_segment_cut(size_t n, size_t s)
{
    size_t at = LLI_SEGMENT_BLOCK * lli_segment_at((n + LLI_SEGMENT_BLOCK - 1) / LLI_SEGMENT_BLOCK, s);
    return at < n ? at : n;
}

#endif
