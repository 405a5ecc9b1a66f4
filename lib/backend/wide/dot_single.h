/* backend/wide/dot_single.h - for the instruction sets that take bytes in an expanded chunk as they are: nothing is doubled.
 * Included by dot_<isa>.h. */
#ifndef LLI_BACKEND_WIDE_DOT_SINGLE_H
#define LLI_BACKEND_WIDE_DOT_SINGLE_H

#include "backend/wide/dot.h"

#ifndef LLI_DIRECT_BYTES /* it is where bytes are doubled */
#define LLI_DIRECT_BYTES SIZE_MAX
enum { LLI_CODES_ROWS = 8 };

struct lli_doubled {
    char unused;
};

LLI_INLINE int lli_doubles(int bits)
{
    (void)bits;
    return 0;
}

LLI_INLINE void lli_codes_double(uint8_t *codes, int i, lli_words w)
{
    lli_words_store(codes + i * 4 * LLI_LANES, w);
}

LLI_INLINE void lli_double(struct lli_doubled *out, const struct lli_q8 *const x[LLI_TILE], size_t first, size_t n, int n_x)
{
    (void)x, (void)first, (void)n, (void)n_x;
    out->unused = 0;
}

LLI_INLINE void lli_dot_doubled(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                                const struct lli_doubled *x, size_t b, int n_x)
{
    (void)idot, (void)planes, (void)x, (void)b, (void)n_x;
}

#endif

#endif
