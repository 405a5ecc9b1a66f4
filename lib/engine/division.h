/* engine/division.h - a model dealt out to tp x pp ranks: rank = stage * tp + index, and each stage has layers of its own. */
#ifndef LLI_ENGINE_DIVISION_H
#define LLI_ENGINE_DIVISION_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "cost/cost.h"
#include "model/config.h"

struct llminf_error;

enum { LLI_MAX_PP = 64 };

struct lli_division {
    uint32_t tp, pp;
    uint32_t cuts[LLI_MAX_PP + 1]; /* stage s has layers cuts[s] .. cuts[s + 1] - 1 */
};

static inline uint32_t lli_division_ranks(const struct lli_division *d)
{
    return d->tp * d->pp;
}

/* The largest stage, with the output matrix in the last one, reads as little as can be. OPTION with the key as subject if heads
 * or layers cannot be dealt out so. */
int32_t lli_division_make(struct lli_division *out, const struct lli_config *config, const struct lli_cost *cost, uint32_t tp,
                          uint32_t pp, struct llminf_error *err);

/* One that came from outside: 0, or the error of make. */
int32_t lli_division_check(const struct lli_division *d, const struct lli_config *config, struct llminf_error *err);

/* What a rank holds. The division was checked. */
void lli_division_slice(struct lli_slice *out, const struct lli_division *d, const struct lli_config *config, uint32_t rank);

/* Bytes of a block of K and V on the rank where it takes the most; 0 if they do not fit a size_t. */
size_t lli_division_block_bytes(const struct lli_division *d, const struct lli_config *config, int kv_type);

#endif
