/* sample/chain.h - from logits to one token: the host's filter, bias, bans, grammar, then the stages in their order, and the
 * draw.
 *
 * Candidates are ordered by (logit descending, id ascending). The draw is Philox4x32-10 keyed by the seed, counter =
 * (position of the token, draw number), so it depends on nothing else. docs/numerics.md. */
#ifndef LLI_SAMPLE_CHAIN_H
#define LLI_SAMPLE_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "sample/ban.h"

struct llminf_error;

/* The first two change logits, the others drop candidates. */
enum lli_stage {
    LLI_STAGE_END,
    LLI_STAGE_PENALTIES,
    LLI_STAGE_DRY,
    LLI_STAGE_TOP_N_SIGMA,
    LLI_STAGE_TOP_K,
    LLI_STAGE_TYPICAL_P,
    LLI_STAGE_TOP_P,
    LLI_STAGE_MIN_P,
    LLI_STAGE_XTC,
    LLI_STAGE_TEMPERATURE,
    LLI_STAGE_MIROSTAT,
    LLI_N_STAGES
};

/* All of them, as they stand in the enum. */
#define LLI_STAGE_NAMES "penalties,dry,top_n_sigma,top_k,typical_p,top_p,min_p,xtc,temperature,mirostat"

/* The stages by their names, separated by commas, as the option "order" has them. 0, or -1: unknown, twice, or penalties or
 * dry behind one that drops candidates. */
int lli_chain_order(uint8_t order_out[LLI_N_STAGES], const char *text);

/* Checked by whoever fills it (api/options). An order of nothing is that of all stages as they stand in the enum. */
struct lli_sampler_params {
    uint64_t seed;
    double temperature;                         /* 0: greedy, and what drops candidates does not run */
    double dynatemp_range, dynatemp_exponent;   /* 0: off */
    int64_t top_k;                              /* 0: off */
    int64_t min_keep;                           /* every filter leaves at least this many; >= 1 */
    double top_p, min_p;                        /* 1, 0: off */
    double typical_p, top_n_sigma;              /* 1 or 0, 0: off */
    double xtc_probability, xtc_threshold;      /* 0: off */
    int mirostat;                               /* 2, or 0: off */
    double mirostat_tau, mirostat_eta;          /* bits of surprise wanted; how fast the limit follows */
    double repeat_penalty;                      /* 1: off */
    double frequency_penalty, presence_penalty; /* 0: off */
    int64_t penalty_window;                     /* tokens looked back; -1: all, 0: none */
    double dry_multiplier, dry_base;            /* 0: off; >= 1 */
    int64_t dry_length, dry_window;             /* >= 1; tokens looked back, -1: all */
    uint8_t order[LLI_N_STAGES];                /* enum lli_stage, each once at most, 0 behind the last */
};

/* A stage of the host, before all others; may change the logits. Non-zero: failed. */
typedef int32_t lli_chain_filter(void *user, float *logits, size_t n, const int32_t *history, size_t n_history);

/* What ends a sequence: single tokens, and runs of them. */
struct lli_breaks {
    const uint8_t *in_token; /* [n_tokens] bits */
    uint32_t n_tokens;
    const struct lli_ban *runs;
    size_t n_runs;
};

struct lli_bias {
    int32_t token;
    float value; /* -Inf forbids */
};

struct lli_candidate {
    float logit;
    int32_t id;
};

/* Scratch of one chain for a vocabulary of n tokens; reused for every pick. */
struct lli_chain {
    struct lli_heap *heap;
    struct lli_candidate *candidates; /* [n] */
    float *logits;                    /* [n] */
    uint32_t *counts;                 /* [n] occurrences in the window, all 0 between picks */
    uint32_t n;
};

int32_t lli_chain_init(struct lli_chain *chain, struct lli_heap *heap, uint32_t n); /* 0 or MEMORY */
void lli_chain_finish(struct lli_chain *chain);
size_t lli_chain_bytes(uint32_t n); /* that it takes */

/* What a token is picked by; nothing is owned. */
struct lli_draw {
    const struct lli_sampler_params *params;
    const struct lli_bias *bias;
    size_t n_bias;
    const struct lli_ban *bans;
    size_t n_bans;
    const struct lli_breaks *breaks; /* for dry; NULL: none */
    const uint32_t *allowed;         /* a bit for each token that a grammar lets through, in 32-bit words; NULL: all */
    lli_chain_filter *filter;        /* NULL: none */
    void *user;
    double *mu; /* mirostat's limit, moved on by a pick that succeeds; NULL: that of a beginning, and not kept */
};

/* Mirostat's limit before the first token. */
double lli_chain_mu(const struct lli_sampler_params *params);

/* The token at position pos. logits [n] are not changed; history: the tokens before it, ids inside the vocabulary (others
 * are ignored). Allocates nothing. NUMERIC if a logit is NaN or +Inf or all are -Inf, also after filter,
 * bias and bans; GRAMMAR if what these leave is not allowed; CALLBACK from the filter. */
int32_t lli_chain_pick(int32_t *token_out, struct lli_chain *chain, const struct lli_draw *how, const float *logits,
                       const int32_t *history, size_t n_history, uint64_t pos, struct llminf_error *err);

#endif
