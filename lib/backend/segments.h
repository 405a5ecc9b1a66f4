/* backend/segments.h - how K is cut: 8 segments of whole blocks, the leaves of the tree of docs/numerics.md. */
#ifndef LLI_BACKEND_SEGMENTS_H
#define LLI_BACKEND_SEGMENTS_H

#include <stddef.h>

/* The first block of segment s; of s = 8: n_blocks. */
static inline size_t lli_segment_at(size_t n_blocks, size_t s)
{
    return s * n_blocks / 8;
}

#endif
