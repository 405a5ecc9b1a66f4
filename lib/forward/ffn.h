/* forward/ffn.h - the feed-forward half of a layer. */
#ifndef LLI_FORWARD_FFN_H
#define LLI_FORWARD_FFN_H

#include <stddef.h>
#include <stdint.h>

#include "forward/pass.h"

/* x += ffn(norm(x)), for all rows. */
void lli_ffn_run(const struct lli_pass *pass, uint32_t layer);

/* down(f(gate(input)) * up(input)), or without a gate down(f(up(input))): a whole FFN, or one expert. */
struct lli_gated {
    const struct lli_matrix *gate, *up, *down;    /* gate NULL: none */
    const float *gate_bias, *up_bias, *down_bias; /* of that expert; NULL: none */
    uint32_t mat;                                 /* which of their matrices: the expert */
    const float *input;                           /* [n_rows, n_embd], taken in */
    const uint32_t *rows;                         /* [n_rows] the plan's rows that these are; NULL: all, in order */
    size_t n_rows;
    float *out;         /* [n_rows, n_embd] */
    float *add_to;      /* [n_rows, n_embd]; NULL: none */
    int is_one_of_many; /* where ranks share K: sums and down_bias are the caller's */
};

void lli_ffn_gated(const struct lli_pass *pass, const struct lli_gated *g);

/* 1 if gate or up want their input as q8. */
int lli_ffn_wants_q8(const struct lli_gated *g);

/* Before attention changes the stream: what an FFN beside it will see. */
void lli_ffn_see(const struct lli_pass *pass, uint32_t layer);

/* Takes in the layer's input of an FFN, for all rows, and returns it [n_rows, n_embd]. */
const float *lli_ffn_take(const struct lli_pass *pass, uint32_t layer, int wants_q8);

#endif
