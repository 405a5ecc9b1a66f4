/* base/segments.h - how K is cut: 8 segments of whole blocks, the leaves of the tree of docs/numerics.md. */
#ifndef LLI_BASE_SEGMENTS_H
#define LLI_BASE_SEGMENTS_H

#include <stddef.h>
#include <stdint.h>

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

/* Neighbouring segments of a longer K: a subtree. All zero: the whole of it. */
struct lli_subtree {
    uint32_t n_whole; /* elements of the whole K */
    uint8_t first, n; /* segments: 1, 2, 4 or 8 from a multiple of that on */
    uint8_t skip;     /* blocks of 32 in front, where weights go in larger units and it begins inside one */
};

static inline size_t lli_subtree_segments(const struct lli_subtree *t)
{
    return t->n_whole > 0 ? t->n : LLI_N_SEGMENTS;
}

/* Elements of the whole K, of which the subtree has n_in. */
static inline size_t lli_subtree_whole(const struct lli_subtree *t, size_t n_in)
{
    return t->n_whole > 0 ? t->n_whole : n_in;
}

/* The first block of its segment s, counted from the first of all. */
static inline size_t lli_subtree_at(const struct lli_subtree *t, size_t n_in, size_t s)
{
    size_t n_blocks = (lli_subtree_whole(t, n_in) + LLI_SEGMENT_BLOCK - 1) / LLI_SEGMENT_BLOCK;
    return lli_segment_at(n_blocks, t->first + s) - lli_segment_at(n_blocks, t->first);
}

#endif
