/* cost/ranks.h - a model on tp x pp ranks: what one of them holds and computes, and what they send each other.
 *
 * tp ranks share each layer (Shoeybi et al., "Megatron-LM", 2019): query heads by the cuts of the attention's output, keys and
 * values by the heads that these use, the feed-forward layer by the cuts of its last matrix, the output matrix by groups of
 * 16 rows. pp stages have layers of their own (Huang et al., "GPipe", 2019). K is cut as the tree of docs/numerics.md has it,
 * so ranks may hold unequal parts: what counts here is the largest. */
#ifndef LLI_COST_RANKS_H
#define LLI_COST_RANKS_H

#include "cost/cost.h"

struct lli_ranks {
    uint32_t tp, pp;            /* tp: 1, 2, 4 or 8 */
    double link_bytes, link_ns; /* between two ranks: bytes a second, ns of a message; 0: none are counted */
};

/* OPTION with the key as subject and the numbers: heads that cannot be dealt out, more stages than layers. */
int32_t lli_ranks_check(const struct lli_ranks *ranks, const struct lli_shape *shape, struct llminf_error *err);

/* Layers of a stage. The last one has the output matrix too, so the largest stage reads as little as can be. */
uint32_t lli_ranks_layers(const struct lli_ranks *ranks, const struct lli_cost *cost, uint32_t n_layers, uint32_t stage);

/* The formulas' numbers for the largest rank of a stage. Of one rank alone: those of the model. */
void lli_ranks_cost(struct lli_cost *out, const struct lli_ranks *ranks, const struct lli_shape *shape,
                    const struct lli_cost *cost, uint32_t stage);

/* Vectors of n_embd floats that are summed over the tp ranks for a row: two a layer, with experts one for each of them. */
double lli_ranks_sums(const struct lli_shape *shape);

/* What a step sends, each message counted once: sums over tp ranks, rows from stage to stage, logits to the first rank. */
struct lli_traffic {
    double messages, bytes; /* messages: those that follow one another */
};

void lli_ranks_traffic(struct lli_traffic *out, const struct lli_ranks *ranks, const struct lli_shape *shape,
                       const struct lli_load *load);
double lli_ranks_traffic_ns(const struct lli_ranks *ranks, const struct lli_traffic *traffic);

/* Sessions that decode, dealt out to as many plans in flight as there are stages: the time in which each gets a token. */
double lli_ranks_step_ns(const struct lli_ranks *ranks, const struct lli_shape *shape, const struct lli_cost *cost,
                         const struct lli_rates *rates, const struct lli_load *load);

/* A prompt of n tokens alone, in steps of so many rows, of which each stage has one in hand. */
double lli_ranks_prefill_ns(const struct lli_ranks *ranks, const struct lli_shape *shape, const struct lli_cost *cost,
                            const struct lli_rates *rates, double n, double step_rows);

/* The share of time in which a stage waits while n plans fill the pipe and leave it: (p - 1) / (n + p - 1). */
double lli_ranks_bubble(uint32_t stages, double n);

#endif
